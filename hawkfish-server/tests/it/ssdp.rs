//! Being found on the network: over multicast on the loopback interface, with a group and a port of the test's own.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hawkfish_server::ssdp::{self, Place, Service, Switch};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use uuid::Uuid;

const REDFISH: &str = "urn:dmtf-org:service:redfish-rest:1";

struct Network {
    place: Place,
    switch: Arc<Switch>,
    uuid: Uuid,
    ears: UdpSocket,
    stop: Option<oneshot::Sender<()>>,
    done: JoinHandle<()>,
}

/// A group that no other test of this run has.
fn group() -> SocketAddr {
    let number = std::process::id();
    let [.., high, low] = number.to_be_bytes();
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    SocketAddr::new(Ipv4Addr::new(239, 255, high, low.max(1)).into(), port)
}

async fn network(on: bool) -> Network {
    let group = group();
    let place = Place {
        group,
        interface: Ipv4Addr::LOCALHOST.into(),
    };
    let SocketAddr::V4(all) = group else {
        panic!("an IPv4 group")
    };
    let ears = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP)).unwrap();
    ears.set_reuse_address(true).unwrap();
    ears.bind(&group.into()).unwrap();
    ears.join_multicast_v4(all.ip(), &Ipv4Addr::LOCALHOST)
        .unwrap();
    ears.set_nonblocking(true).unwrap();
    let ears = UdpSocket::from_std(ears.into()).unwrap();
    let switch = Arc::new(Switch::new(on));
    let uuid = Uuid::from_u128(0x1234_5678_9abc_4def_8123_4567_89ab_cdef);
    let service = Service {
        uuid,
        listen: "127.0.0.1:8443".parse().unwrap(),
        tls: true,
    };
    let (stop, stopped) = oneshot::channel::<()>();
    let done = tokio::spawn(ssdp::run(switch.clone(), place, service, async {
        let _ = stopped.await;
    }));
    Network {
        place,
        switch,
        uuid,
        ears,
        stop: Some(stop),
        done,
    }
}

impl Network {
    /// The next notice that everybody gets.
    async fn notice(&self) -> String {
        loop {
            let told = hear(&self.ears).await.expect("a notice");
            if told.starts_with("NOTIFY") {
                return told;
            }
        }
    }

    /// What is answered to a search, if anything.
    async fn search(&self, target: &str, to: SocketAddr) -> Option<String> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP)).unwrap();
        socket.set_multicast_if_v4(&Ipv4Addr::LOCALHOST).unwrap();
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        socket.bind(&any.into()).unwrap();
        socket.set_nonblocking(true).unwrap();
        let socket = UdpSocket::from_std(socket.into()).unwrap();
        let text = format!(
            "M-SEARCH * HTTP/1.1\r\nHost: {}\r\nMan: \"ssdp:discover\"\r\nST: {target}\r\nMX: 1\r\n\r\n",
            self.place.group
        );
        socket.send_to(text.as_bytes(), to).await.unwrap();
        hear(&socket).await
    }
}

async fn hear(socket: &UdpSocket) -> Option<String> {
    let mut datagram = [0; 2000];
    let came = tokio::time::timeout(Duration::from_secs(2), socket.recv_from(&mut datagram));
    let (length, _) = came.await.ok()?.unwrap();
    Some(String::from_utf8(datagram[..length].to_vec()).unwrap())
}

fn header<'a>(text: &'a str, name: &str) -> &'a str {
    let found = text.split("\r\n").find_map(|line| {
        let (known, value) = line.split_once(':')?;
        known.eq_ignore_ascii_case(name).then_some(value.trim())
    });
    found.unwrap_or_else(|| panic!("no {name}: {text}"))
}

#[tokio::test]
async fn who_searches_for_redfish_or_for_everything_finds_the_service() {
    let network = network(true).await;
    network.notice().await;
    let group = network.place.group;
    let straight = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), group.port());
    for (target, to) in [
        (REDFISH, group),
        ("ssdp:all", group),
        ("urn:dmtf-org:service:redfish-rest:1:6", group),
        (REDFISH, straight),
    ] {
        let answer = network.search(target, to).await.expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.ends_with("\r\n\r\n"));
        assert_eq!(header(&answer, "ST"), REDFISH);
        assert_eq!(
            header(&answer, "USN"),
            format!("uuid:{}::{REDFISH}", network.uuid)
        );
        assert_eq!(header(&answer, "AL"), "https://127.0.0.1:8443/redfish/v1/");
        let age = header(&answer, "CACHE-CONTROL").strip_prefix("max-age=");
        assert!(age.unwrap().parse::<u32>().unwrap() >= 1800);
    }
    for other in ["upnp:rootdevice", "urn:dmtf-org:service:redfish-rest:2"] {
        assert_eq!(network.search(other, group).await, None, "{other}");
    }
}

#[tokio::test]
async fn the_service_says_when_it_comes_and_when_it_goes() {
    let mut network = network(true).await;
    let alive = network.notice().await;
    assert_eq!(header(&alive, "NTS"), "ssdp:alive");
    assert_eq!(header(&alive, "NT"), REDFISH);
    assert_eq!(header(&alive, "AL"), "https://127.0.0.1:8443/redfish/v1/");
    let usn = header(&alive, "USN").to_owned();
    drop(network.stop.take());
    let gone = network.notice().await;
    assert_eq!(header(&gone, "NTS"), "ssdp:byebye");
    assert_eq!(header(&gone, "USN"), usn);
    network.done.await.unwrap();
}

#[tokio::test]
async fn it_can_be_turned_off_and_on_while_it_runs_and_off_opens_no_port() {
    let network = network(false).await;
    let group = network.place.group;
    assert_eq!(network.search(REDFISH, group).await, None);
    network.switch.turn(true).await.unwrap();
    assert_eq!(header(&network.notice().await, "NTS"), "ssdp:alive");
    assert!(network.search(REDFISH, group).await.is_some());
    network.switch.turn(false).await.unwrap();
    assert_eq!(header(&network.notice().await, "NTS"), "ssdp:byebye");
    assert_eq!(network.search(REDFISH, group).await, None);
}

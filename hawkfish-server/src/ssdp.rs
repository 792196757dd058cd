//! Being found on the network: the Simple Service Discovery Protocol of UPnP, as DSP0266, "Discovery", wants it.
//!
//! Off by default. While it is off no port is open. While it is on, the service makes itself known when it begins, every so often, and when it ends, and answers
//! those who search for Redfish services or for everything.

use std::hash::{BuildHasher as _, Hasher as _};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio::sync::{Semaphore, watch};
use uuid::Uuid;

/// What a Redfish service is called, up to the major version of the specification.
const TARGET: &str = "urn:dmtf-org:service:redfish-rest:1";
/// Where it is spoken (UPnP Device Architecture).
pub const PORT: u16 = 1900;
/// How often the service makes itself known, seconds.
pub const AGAIN_SECONDS: u32 = 600;
/// How many routers a message may pass (DSP0266, "UPnP compatibility").
pub const HOPS: u32 = 2;
/// How long what was told counts, seconds.
const MAX_AGE: u32 = 3 * AGAIN_SECONDS;
/// The longest that an answer is held back so that not all services answer at once.
const LONGEST_WAIT: u64 = 5;
/// Searches that are answered at a time; there is no need to answer a flood.
const MOST: usize = 32;

/// Where searches come in.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The group that messages are sent to, and the port.
    pub group: SocketAddr,
    /// The address of the network interface; unspecified leaves the choice to the system.
    pub interface: IpAddr,
}

impl Place {
    /// Where the world searches, as seen from a service that listens at `listen`.
    #[must_use]
    pub fn of(listen: IpAddr) -> Self {
        let group = match listen {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::new(239, 255, 255, 250)),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xc)),
        };
        Self {
            group: SocketAddr::new(group, PORT),
            interface: listen,
        }
    }

    fn socket(&self) -> io::Result<UdpSocket> {
        let socket = match self.group.ip() {
            IpAddr::V4(group) => {
                let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
                socket.set_reuse_address(true)?;
                let any = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), self.group.port());
                socket.bind(&any.into())?;
                let interface = match self.interface {
                    IpAddr::V4(interface) => interface,
                    IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
                };
                socket.join_multicast_v4(&group, &interface)?;
                if !interface.is_unspecified() {
                    socket.set_multicast_if_v4(&interface)?;
                }
                socket.set_multicast_ttl_v4(HOPS)?;
                socket
            }
            IpAddr::V6(group) => {
                let socket = Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP))?;
                socket.set_reuse_address(true)?;
                socket.set_only_v6(true)?;
                let any = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), self.group.port());
                socket.bind(&any.into())?;
                socket.join_multicast_v6(&group, 0)?;
                socket.set_multicast_hops_v6(HOPS)?;
                socket
            }
        };
        socket.set_nonblocking(true)?;
        UdpSocket::from_std(socket.into())
    }
}

/// Whether the service can be found; who may decide that, decides it here.
#[derive(Debug)]
pub struct Switch {
    on: watch::Sender<bool>,
    kept: Option<Kept>,
}

/// What was decided while the service ran, in a file. It counts for as long as the operator's own choice stays what it was then: whoever spoke last is obeyed.
#[derive(Debug)]
struct Kept {
    path: PathBuf,
    choice: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    instead_of: bool,
    on: bool,
}

/// Name of the file in the data directory.
const KEPT: &str = "ssdp.json";

impl Switch {
    /// A switch in that position that forgets.
    #[must_use]
    pub fn new(on: bool) -> Self {
        Self {
            on: watch::Sender::new(on),
            kept: None,
        }
    }

    /// A switch as it was left, or as the operator chose.
    ///
    /// # Errors
    /// A file that is there and cannot be read.
    pub fn open(data_dir: &Path, choice: bool) -> io::Result<Self> {
        let path = data_dir.join(KEPT);
        let left = match std::fs::read(&path) {
            Ok(text) => Some(serde_json::from_slice::<Stored>(&text)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let on = left
            .filter(|left| left.instead_of == choice)
            .map_or(choice, |left| left.on);
        Ok(Self {
            on: watch::Sender::new(on),
            kept: Some(Kept { path, choice }),
        })
    }

    /// Whether it is on.
    #[must_use]
    pub fn is_on(&self) -> bool {
        *self.on.borrow()
    }

    /// Turns it on or off, also for later starts.
    ///
    /// # Errors
    /// It cannot be written down; then it stays as it is.
    pub async fn turn(&self, on: bool) -> io::Result<()> {
        if let Some(Kept { path, choice }) = &self.kept {
            let stored = Stored {
                instead_of: *choice,
                on,
            };
            let part = path.with_extension("part");
            tokio::fs::write(&part, serde_json::to_vec(&stored)?).await?;
            tokio::fs::rename(&part, path).await?;
        }
        self.on
            .send_if_modified(|now| std::mem::replace(now, on) != on);
        Ok(())
    }
}

/// What is told of the service.
#[derive(Clone, Copy, Debug)]
pub struct Service {
    /// The UUID of its service root.
    pub uuid: Uuid,
    /// Where it listens.
    pub listen: SocketAddr,
    /// Whether it speaks TLS there.
    pub tls: bool,
}

impl Service {
    fn usn(&self) -> String {
        format!("uuid:{}::{TARGET}", self.uuid)
    }

    /// The URL of the service root, as `peer` reaches it.
    fn url(&self, peer: SocketAddr) -> Option<String> {
        let ip = match self.listen.ip() {
            ip if !ip.is_unspecified() => ip,
            _ => {
                // Nothing is sent: the system only says which way it would be.
                let any: IpAddr = match peer {
                    SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
                    SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
                };
                let way = std::net::UdpSocket::bind((any, 0)).ok()?;
                way.connect(peer).ok()?;
                way.local_addr().ok()?.ip()
            }
        };
        let scheme = if self.tls { "https" } else { "http" };
        let at = SocketAddr::new(ip, self.listen.port());
        Some(format!("{scheme}://{at}/redfish/v1/"))
    }

    /// The answer to a search.
    fn answer(&self, peer: SocketAddr) -> Option<String> {
        Some(format!(
            "HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age={MAX_AGE}\r\nEXT:\r\nST: {TARGET}\r\nUSN: {}\r\nAL: {}\r\n\r\n",
            self.usn(),
            self.url(peer)?
        ))
    }

    /// What is told to everybody.
    fn notice(&self, group: SocketAddr, alive: bool) -> Option<String> {
        let usn = self.usn();
        Some(if alive {
            format!(
                "NOTIFY * HTTP/1.1\r\nHOST: {group}\r\nCACHE-CONTROL: max-age={MAX_AGE}\r\nNT: {TARGET}\r\nNTS: ssdp:alive\r\nUSN: {usn}\r\nAL: {}\r\n\r\n",
                self.url(group)?
            )
        } else {
            format!(
                "NOTIFY * HTTP/1.1\r\nHOST: {group}\r\nNT: {TARGET}\r\nNTS: ssdp:byebye\r\nUSN: {usn}\r\n\r\n"
            )
        })
    }
}

/// Makes `service` known at `place` whenever `switch` is on, until `stop` is done.
pub async fn run(
    switch: Arc<Switch>,
    place: Place,
    service: Service,
    stop: impl Future<Output = ()>,
) {
    let mut position = switch.on.subscribe();
    let mut stop = std::pin::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => return,
            _ = position.wait_for(|on| *on) => {}
        }
        let socket = match place.socket() {
            Ok(socket) => Arc::new(socket),
            Err(error) => {
                tracing::error!(%error, group = %place.group, "the service cannot be found on the network");
                tokio::select! {
                    () = &mut stop => return,
                    _ = position.wait_for(|on| !*on) => continue,
                }
            }
        };
        tracing::info!(group = %place.group, "the service can be found on the network");
        let ended = tokio::select! {
            () = &mut stop => true,
            _ = position.wait_for(|on| !*on) => false,
            () = tell(&socket, place, service) => false,
        };
        if let Some(notice) = service.notice(place.group, false) {
            send(&socket, &notice, place.group).await;
        }
        if ended {
            return;
        }
    }
}

/// Tells of the service, over and over, and answers those who search. Never ends.
async fn tell(socket: &Arc<UdpSocket>, place: Place, service: Service) {
    let places = Arc::new(Semaphore::new(MOST));
    let mut again = tokio::time::interval(Duration::from_secs(AGAIN_SECONDS.into()));
    let mut datagram = [0; 1500];
    loop {
        tokio::select! {
            _ = again.tick() => {
                if let Some(notice) = service.notice(place.group, true) {
                    send(socket, &notice, place.group).await;
                }
            }
            came = socket.recv_from(&mut datagram) => {
                let Ok((length, peer)) = came else {
                    // The way back was closed to an answer of ours; the socket is well.
                    tokio::task::yield_now().await;
                    continue;
                };
                let search = Search::read(&datagram[..length]);
                let (Some(search), Ok(place)) = (search, places.clone().try_acquire_owned()) else {
                    continue;
                };
                let socket = socket.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(search.wait()).await;
                    if let Some(answer) = service.answer(peer) {
                        send(&socket, &answer, peer).await;
                    }
                    drop(place);
                });
            }
        }
    }
}

async fn send(socket: &UdpSocket, text: &str, to: SocketAddr) {
    if let Err(error) = socket.send_to(text.as_bytes(), to).await {
        tracing::debug!(%error, %to, "not told");
    }
}

/// A search that this service is meant by.
#[derive(Debug, PartialEq, Eq)]
struct Search {
    /// Within how many seconds answers are wanted.
    within: u64,
}

impl Search {
    fn read(datagram: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(datagram).ok()?;
        let mut lines = text.split("\r\n");
        if lines.next()? != "M-SEARCH * HTTP/1.1" {
            return None;
        }
        let (mut discovers, mut meant, mut within) = (false, false, 0);
        for line in lines {
            let Some((name, value)) = line.split_once(':') else {
                continue;
            };
            let value = value.trim();
            match name.trim().to_ascii_uppercase().as_str() {
                "MAN" => discovers = value == "\"ssdp:discover\"",
                "ST" => meant = value == "ssdp:all" || is_ours(value),
                "MX" => within = value.parse().unwrap_or(0),
                _ => {}
            }
        }
        (discovers && meant).then_some(Self {
            within: within.min(LONGEST_WAIT),
        })
    }

    /// A while that differs from service to service, well within what was asked for.
    fn wait(&self) -> Duration {
        let chance = std::collections::hash_map::RandomState::new()
            .build_hasher()
            .finish();
        Duration::from_millis(chance % (self.within * 500 + 1))
    }
}

/// Whether somebody who searches for that would be content with a Redfish service of version 1, whichever its minor version.
fn is_ours(target: &str) -> bool {
    match target.strip_prefix(TARGET) {
        Some("") => true,
        Some(rest) => rest
            .strip_prefix(':')
            .is_some_and(|minor| !minor.is_empty() && minor.bytes().all(|b| b.is_ascii_digit())),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_switch_stays_as_it_was_left_until_the_operator_chooses_otherwise() {
        let dir = tempfile::tempdir().unwrap();
        let open = |choice| Switch::open(dir.path(), choice).unwrap();
        assert!(!open(false).is_on());
        open(false).turn(true).await.unwrap();
        assert!(open(false).is_on());
        assert!(open(true).is_on());
        open(true).turn(false).await.unwrap();
        assert!(!open(true).is_on() && !open(false).is_on());
    }

    #[test]
    fn a_search_is_for_redfish_or_for_everything_or_not_for_us() {
        let search = |target: &str, man: &str, mx: &str| {
            let text = format!(
                "M-SEARCH * HTTP/1.1\r\nHost: 239.255.255.250:1900\r\nMan: {man}\r\nst:{target}\r\nMX: {mx}\r\n\r\n"
            );
            Search::read(text.as_bytes())
        };
        let discover = "\"ssdp:discover\"";
        for ours in ["ssdp:all", TARGET, "urn:dmtf-org:service:redfish-rest:1:9"] {
            assert_eq!(search(ours, discover, "2"), Some(Search { within: 2 }));
        }
        for other in [
            "upnp:rootdevice",
            "",
            "urn:dmtf-org:service:redfish-rest:2",
            "urn:dmtf-org:service:redfish-rest:12",
            "urn:dmtf-org:service:redfish-rest:1:x",
        ] {
            assert_eq!(search(other, discover, "2"), None, "{other}");
        }
        assert_eq!(search("ssdp:all", "ssdp:discover", "2"), None);
        assert_eq!(
            search("ssdp:all", discover, "3600"),
            Some(Search { within: 5 })
        );
        assert_eq!(
            search("ssdp:all", discover, "x"),
            Some(Search { within: 0 })
        );
        for nonsense in [
            &b"NOTIFY * HTTP/1.1\r\n\r\n"[..],
            b"",
            b"\xff\xfe",
            b"M-SEARCH",
        ] {
            assert_eq!(Search::read(nonsense), None);
        }
    }
}

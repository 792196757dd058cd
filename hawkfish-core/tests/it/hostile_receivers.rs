//! Receivers that are slow, broken, or hostile, over real sockets: they harm nobody but themselves.
#![expect(
    clippy::disallowed_methods,
    reason = "receivers are slow in real time, and what they hold up is measured in it"
)]

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hawkfish_core::app::HawkFish;
use hawkfish_core::ctx::Ctx;
use hawkfish_core::events::Subject;
use hawkfish_core::id::{SubscriptionId, SystemId};
use hawkfish_core::logs::What;
use hawkfish_core::outgoing::Policy;
use hawkfish_core::subscriptions::{
    NewSubscription, ServiceSettings, Subscription, SubscriptionSettings,
};
use jiff::SignedDuration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::post::Words;

/// What a receiver does with a connection.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Manner {
    /// 204, and the connection stays.
    Good,
    /// 200, and a body that never ends.
    EndlessBody,
    /// 200, and a body of a gigabyte, said so.
    Gigabyte,
    /// A header that never ends.
    EndlessHeader,
    /// A byte of a header every now and then.
    Trickle,
    /// Not a word.
    Silent,
    /// Closes at once.
    Closes,
    /// No HTTP at all.
    Noise,
    /// Sends us elsewhere.
    Redirects(u16),
    /// 500.
    Fails,
}

/// A receiver on loopback.
struct Receiver {
    address: SocketAddr,
    /// The bodies that it was sent.
    bodies: Arc<Mutex<Vec<Vec<u8>>>>,
    connections: Arc<AtomicUsize>,
}

impl Receiver {
    async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let bodies: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
        let connections = Arc::new(AtomicUsize::new(0));
        let (kept, counted) = (bodies.clone(), connections.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(serve(stream, manner, kept.clone(), address));
            }
        });
        Self {
            address,
            bodies,
            connections,
        }
    }

    fn url(&self) -> url::Url {
        format!("http://{}/events", self.address).parse().unwrap()
    }

    fn bodies(&self) -> usize {
        self.bodies.lock().unwrap().len()
    }
}

/// Reads one request; `None` at the end of the connection.
async fn request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Vec<u8>> {
    loop {
        if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&buffer[..end]).to_ascii_lowercase();
            let length = head.split("content-length:").nth(1).unwrap();
            let length: usize = length.lines().next().unwrap().trim().parse().unwrap();
            if buffer.len() >= end + 4 + length {
                let body = buffer[end + 4..end + 4 + length].to_vec();
                buffer.drain(..end + 4 + length);
                return Some(body);
            }
        }
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return None,
            Ok(n) => buffer.extend_from_slice(&chunk[..n]),
        }
    }
}

async fn serve(
    mut stream: TcpStream,
    manner: Manner,
    bodies: Arc<Mutex<Vec<Vec<u8>>>>,
    address: SocketAddr,
) -> Option<()> {
    if manner == Manner::Closes {
        return None;
    }
    let mut buffer = Vec::new();
    loop {
        let body = request(&mut stream, &mut buffer).await?;
        bodies.lock().unwrap().push(body);
        let mut say = async |text: &str| stream.write_all(text.as_bytes()).await.ok();
        match manner {
            Manner::Closes => return None,
            Manner::Good => say("HTTP/1.1 204 No Content\r\n\r\n").await?,
            Manner::Fails => {
                say("HTTP/1.1 500 Oh no\r\nContent-Length: 0\r\n\r\n").await?;
            }
            Manner::EndlessBody => {
                say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await?;
                loop {
                    say(&format!("1000\r\n{}\r\n", "x".repeat(0x1000))).await?;
                }
            }
            Manner::Gigabyte => {
                say("HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n").await?;
                loop {
                    say(&"x".repeat(0x10000)).await?;
                }
            }
            Manner::EndlessHeader => {
                say("HTTP/1.1 200 OK\r\nX-Long: ").await?;
                loop {
                    say(&"x".repeat(0x1000)).await?;
                }
            }
            Manner::Trickle => {
                say("HTTP/1.1 200 OK\r\n").await?;
                loop {
                    say("X").await?;
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
            }
            Manner::Silent => {
                request(&mut stream, &mut buffer).await?;
            }
            Manner::Noise => say("\0\u{1}\u{2} hello there\r\n\r\n\r\n").await?,
            Manner::Redirects(port) => {
                let to = match port {
                    0 => "http://169.254.169.254/latest/meta-data".to_owned(),
                    port => format!("http://{}:{port}/", address.ip()),
                };
                say(&format!(
                    "HTTP/1.1 307 There\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n"
                ))
                .await?;
            }
        }
    }
}

/// A HawkFish in real time that may send to loopback.
async fn hawkfish(allow: &[&str], attempts: u32) -> HawkFish {
    let policy = Policy {
        allow: allow.iter().map(|rule| rule.parse().unwrap()).collect(),
        deny: vec![],
    };
    let settings = SubscriptionSettings {
        policy: Some(Arc::new(policy)),
        ..SubscriptionSettings::default()
    };
    let hf = HawkFish::builder()
        .in_memory()
        .subscriptions(settings)
        .start()
        .await
        .unwrap();
    hf.events().set_telling(Arc::new(Words));
    let settings = ServiceSettings {
        attempts,
        interval: SignedDuration::from_secs(1),
        ..ServiceSettings::default()
    };
    let subscriptions = hf.subscriptions();
    subscriptions
        .set_settings(&Ctx::service(), settings)
        .await
        .unwrap();
    hf.start_running();
    hf
}

async fn subscribe(hf: &HawkFish, url: url::Url) -> SubscriptionId {
    let mut new = NewSubscription::to(url);
    new.filter.resource_types = vec!["ComputerSystem".to_owned()];
    let made = hf.subscriptions().create(&Ctx::service(), new).await;
    made.unwrap().id.clone()
}

async fn tell(hf: &HawkFish) -> u64 {
    let about = Subject::System(SystemId::parse("a").unwrap());
    hf.tell(about, What::Changed).await.unwrap();
    hf.events().last()
}

/// Waits until it is so; a minute at most.
async fn until(what: &str, mut so: impl FnMut() -> bool) {
    for _ in 0..6_000 {
        if so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what} does not come");
}

fn shown(hf: &HawkFish, id: &SubscriptionId) -> Arc<Subscription> {
    hf.subscriptions().get(&Ctx::service(), id).unwrap()
}

/// Bytes of memory in use by this process.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = text.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_receivers_do_the_good_one_hears_everything_at_once_and_memory_stays_small() {
    let hf = hawkfish(&["127.0.0.0/8"], 1).await;
    let good = Receiver::start(Manner::Good).await;
    let good_id = subscribe(&hf, good.url()).await;
    let mut hostile = Vec::new();
    for manner in [
        Manner::EndlessBody,
        Manner::Gigabyte,
        Manner::EndlessHeader,
        Manner::Trickle,
        Manner::Silent,
        Manner::Closes,
        Manner::Noise,
        Manner::Fails,
    ] {
        let receiver = Receiver::start(manner).await;
        let id = subscribe(&hf, receiver.url()).await;
        hostile.push((manner, receiver, id));
    }
    let before = resident();
    for _ in 0..20 {
        tell(&hf).await;
        let all = hf.events().last();
        let told = std::time::Instant::now();
        until("the event", || shown(&hf, &good_id).through >= all).await;
        assert!(
            told.elapsed() < Duration::from_secs(3),
            "held up for {:?}",
            told.elapsed()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(shown(&hf, &good_id).delivered, 20);
    for (manner, receiver, id) in &hostile {
        match manner {
            // Their status says that they took it; that they go on talking is their own affair.
            Manner::EndlessBody | Manner::Gigabyte => {
                until("the end of it", || shown(&hf, id).delivered == 20).await;
                assert_eq!(shown(&hf, id).dead, 0);
            }
            Manner::EndlessHeader | Manner::Closes | Manner::Noise | Manner::Fails => {
                until("giving up", || shown(&hf, id).dead == 20).await;
                let failure = shown(&hf, id).last_failure.clone().unwrap();
                assert_eq!(failure.status, (*manner == Manner::Fails).then_some(500));
                assert!(!failure.reason.is_empty());
            }
            // Within the time that an answer may take.
            Manner::Trickle | Manner::Silent => {
                until("giving up", || shown(&hf, id).dead > 0).await;
                let failure = shown(&hf, id).last_failure.clone().unwrap();
                assert!(failure.reason.contains("No answer"), "{}", failure.reason);
            }
            _ => {}
        }
        assert!(
            receiver.connections.load(Ordering::Relaxed) < 100,
            "{manner:?}"
        );
    }
    let grown = resident().saturating_sub(before);
    assert!(grown < 64 << 20, "{grown} bytes more");
    // All of it ends, in bounded time.
    let ended = tokio::time::timeout(Duration::from_secs(20), hf.close()).await;
    ended.expect("it ends").unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redirect_is_a_failure_wherever_it_leads() {
    let hf = hawkfish(&["127.0.0.0/8"], 1).await;
    let secret = Receiver::start(Manner::Good).await;
    let port = secret.address.port();
    for manner in [Manner::Redirects(port), Manner::Redirects(0)] {
        let receiver = Receiver::start(manner).await;
        let id = subscribe(&hf, receiver.url()).await;
        let seq = tell(&hf).await;
        until("giving up", || shown(&hf, &id).dead == 1).await;
        let letter = hf.subscriptions().dead_letter(&Ctx::service(), &id, seq);
        let reason = letter.unwrap().reason.clone();
        assert!(
            reason.contains("307") && reason.contains("redirects"),
            "{reason}"
        );
        assert_eq!(receiver.bodies(), 1);
    }
    assert_eq!(secret.connections.load(Ordering::Relaxed), 0);
    hf.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_leads_into_the_host_is_refused_when_it_is_connected_to() {
    // By its name it may be subscribed to; what it resolves to is found at delivery. Only the address counts there.
    let hf = hawkfish(&[], 1).await;
    let receiver = Receiver::start(Manner::Good).await;
    let url = format!("http://localhost:{}/", receiver.address.port());
    let new = NewSubscription::to(url.parse().unwrap());
    assert!(
        hf.subscriptions()
            .create(&Ctx::service(), new)
            .await
            .is_err()
    );

    // Other names that the hosts file of this machine has for loopback.
    let hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
    let words = hosts
        .split_whitespace()
        .filter(|word| !word.contains("localhost."));
    let names: Vec<&str> = words.filter(|word| *word != "localhost").collect();
    let mut tried = 0;
    for name in names {
        let found = tokio::net::lookup_host((name, 0)).await;
        let url = url::Url::parse(&format!("http://{name}:{}/", receiver.address.port()));
        let Ok(url) = url else { continue };
        if url.domain().is_none() || !found.is_ok_and(|mut all| all.all(|a| a.ip().is_loopback())) {
            continue;
        }
        tried += 1;
        let id = subscribe(&hf, url).await;
        tell(&hf).await;
        until("giving up", || shown(&hf, &id).dead > 0).await;
        let failure = shown(&hf, &id).last_failure.clone().unwrap();
        assert!(
            failure.reason.contains("address policy"),
            "{}",
            failure.reason
        );
    }
    assert_eq!(receiver.connections.load(Ordering::Relaxed), 0);
    if tried == 0 {
        eprintln!("no name but localhost leads to loopback here");
    }
    hf.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_events_go_over_few_connections_once_and_in_order() {
    let hf = hawkfish(&["127.0.0.0/8"], 5).await;
    let receiver = Receiver::start(Manner::Good).await;
    let id = subscribe(&hf, receiver.url()).await;
    let mut all = Vec::new();
    for _ in 0..1_000 {
        all.push(tell(&hf).await);
    }
    until("the last", || shown(&hf, &id).delivered == 1_000).await;
    let mut heard = Vec::new();
    for body in receiver.bodies.lock().unwrap().iter() {
        let body: serde_json::Value = serde_json::from_slice(body).unwrap();
        for event in body["Events"].as_array().unwrap() {
            heard.push(event["EventId"].as_str().unwrap().parse::<u64>().unwrap());
        }
    }
    assert_eq!(heard, all);
    let connections = receiver.connections.load(Ordering::Relaxed);
    assert!(connections <= 3, "{connections} connections");
    hf.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_destination_proves_who_it_is_unless_its_subscription_says_that_it_need_not() {
    let (address, authority) = crate::media_authorities::server().await;
    let url: url::Url = format!("https://{address}/").parse().unwrap();
    for (authorities, verify, takes) in [
        (vec![], true, false),
        (vec![], false, true),
        (vec![authority.into_bytes().into()], true, true),
    ] {
        let policy = Policy {
            allow: vec!["127.0.0.0/8".parse().unwrap()],
            deny: vec![],
        };
        let settings = SubscriptionSettings {
            policy: Some(Arc::new(policy)),
            authorities: Some(authorities),
            ..SubscriptionSettings::default()
        };
        let hf = HawkFish::builder().in_memory().subscriptions(settings);
        let hf = hf.start().await.unwrap();
        hf.events().set_telling(Arc::new(Words));
        hf.start_running();
        let new = NewSubscription {
            verify_certificate: verify,
            ..NewSubscription::to(url.clone())
        };
        let made = hf.subscriptions().create(&Ctx::service(), new).await;
        let id = made.unwrap().id.clone();
        tell(&hf).await;
        if takes {
            until("the event", || shown(&hf, &id).delivered > 0).await;
            assert_eq!(shown(&hf, &id).last_failure, None);
        } else {
            until("the failure", || shown(&hf, &id).attempts == 1).await;
            let failure = shown(&hf, &id).last_failure.clone().unwrap();
            assert!(failure.reason.contains("certificate"), "{}", failure.reason);
            assert_eq!(shown(&hf, &id).delivered, 0);
        }
        hf.close().await.unwrap();
    }
}

//! How fast events go from the durable outbox to receivers on loopback, over real connections, and whether any of them goes twice.
//!
//! `cargo bench -p hawkfish-core --no-default-features --bench webhooks`; the directory is made where `TMPDIR` says, which should be on a disk. The receivers run in a
//! thread of their own of the same process, and look at the number of each event that they get.
#![expect(clippy::disallowed_methods, reason = "real receivers take real time")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use criterion::measurement::{Measurement as _, WallTime};
use hawkfish_core::app::HawkFish;
use hawkfish_core::ctx::Ctx;
use hawkfish_core::events::{EventSettings, Format, Happened, Record, Subject, Telling};
use hawkfish_core::id::{SubscriptionId, SystemId};
use hawkfish_core::logs::What;
use hawkfish_core::outgoing::Policy;
use hawkfish_core::subscriptions::{NewSubscription, SubscriptionSettings};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const MARK: &[u8] = b"\"EventId\":\"";

/// Words of about the length of real ones.
#[derive(Debug)]
struct Words;

impl Telling for Words {
    fn record(&self, happened: &Happened) -> Record {
        let (seq, at) = (happened.seq, happened.event.at);
        let json = format!(
            r#"{{"MemberId":"{seq}","EventType":"ResourceUpdated","EventId":"{seq}","EventTimestamp":"{at}","Severity":"OK","MessageSeverity":"OK","Message":"One or more resource properties have changed.","MessageId":"ResourceEvent.1.4.ResourceChanged","MessageArgs":[],"Resolution":"None.","OriginOfCondition":{{"@odata.id":"/redfish/v1/Systems/0b5f8c0e-5f0e-4c8b-9d0a-7a1d5e6f7a8b"}}}}"#
        );
        Record {
            format: Format::Event,
            message_id: "ResourceEvent.1.4.ResourceChanged".to_owned(),
            severity: "OK",
            event_type: "ResourceUpdated",
            origin: Some("/redfish/v1/Systems/a".to_owned()),
            resource_type: Some("ComputerSystem"),
            definition: None,
            json: json.into(),
        }
    }

    fn body(&self, id: &str, _context: Option<&str>, records: &[&Record]) -> Bytes {
        let mut body = format!(
            r##"{{"@odata.type":"#Event.v1_11_0.Event","Id":"{id}","Name":"Events","Events":["##
        )
        .into_bytes();
        for (at, record) in records.iter().enumerate() {
            if at > 0 {
                body.push(b',');
            }
            body.extend_from_slice(&record.json);
        }
        body.extend_from_slice(b"]}");
        body.into()
    }
}

/// What one receiver got.
#[derive(Default)]
struct Got {
    requests: AtomicU64,
    events: AtomicU64,
    /// How often each event came.
    seen: Mutex<BTreeMap<u64, u32>>,
}

async fn serve(mut stream: TcpStream, got: Arc<Got>) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let (mut buffer, mut chunk) = (Vec::new(), vec![0; 1 << 16]);
    loop {
        let (body, end) = loop {
            if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                let head = std::str::from_utf8(&buffer[..end]).ok()?;
                let mut lengths = head.lines().filter_map(|line| {
                    let (name, value) = line.split_once(':')?;
                    name.eq_ignore_ascii_case("content-length").then_some(value)
                });
                let length: usize = lengths.next()?.trim().parse().ok()?;
                if buffer.len() >= end + 4 + length {
                    break (end + 4, end + 4 + length);
                }
            }
            match stream.read(&mut chunk).await {
                Ok(0) | Err(_) => return None,
                Ok(n) => buffer.extend_from_slice(&chunk[..n]),
            }
        };
        let mut events = 0;
        {
            let mut seen = got.seen.lock().expect("a receiver");
            let mut rest = &buffer[body..end];
            while let Some(at) = rest.windows(MARK.len()).position(|some| some == MARK) {
                rest = &rest[at + MARK.len()..];
                let digits = rest.iter().take_while(|byte| byte.is_ascii_digit());
                let seq = digits.fold(0, |seq, digit| seq * 10 + u64::from(digit - b'0'));
                *seen.entry(seq).or_default() += 1;
                events += 1;
            }
        }
        buffer.drain(..end);
        got.requests.fetch_add(1, Ordering::Relaxed);
        got.events.fetch_add(events, Ordering::Release);
        stream
            .write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
            .await
            .ok()?;
    }
}

/// A receiver, in a thread of its own.
fn receiver() -> (SocketAddr, Arc<Got>) {
    let got = Arc::new(Got::default());
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let kept = got.clone();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.expect("a runtime").block_on(async move {
            listener.set_nonblocking(true).expect("a listener");
            let listener = TcpListener::from_std(listener).expect("a listener");
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, kept.clone()));
            }
        });
    });
    (address, got)
}

struct Setup {
    hf: HawkFish,
    receivers: Vec<(SubscriptionId, Arc<Got>)>,
    _dir: tempfile::TempDir,
}

impl Setup {
    async fn start(batch: usize, destinations: usize) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let policy = Policy {
            allow: vec!["127.0.0.0/8".parse().expect("a network")],
            deny: vec![],
        };
        let settings = SubscriptionSettings {
            policy: Some(Arc::new(policy)),
            batch,
            ..SubscriptionSettings::default()
        };
        let hf = HawkFish::builder()
            .data_dir(dir.path())
            .subscriptions(settings);
        let hf = hf
            .events(EventSettings::default())
            .start()
            .await
            .expect("a HawkFish");
        hf.events().set_telling(Arc::new(Words));
        hf.start_running();
        let mut receivers = Vec::new();
        for _ in 0..destinations {
            let (address, got) = receiver();
            let mut new = NewSubscription::to(format!("http://{address}/").parse().expect("a URL"));
            new.secret = Some("a key of some length".to_owned());
            let made = hf.subscriptions().create(&Ctx::service(), new).await;
            receivers.push((made.expect("a subscription").id.clone(), got));
        }
        Self {
            hf,
            receivers,
            _dir: dir,
        }
    }

    async fn tell(&self, events: u64, producers: u64) {
        let tasks: Vec<_> = (0..producers)
            .map(|producer| {
                let hf = self.hf.clone();
                let events = events / producers + u64::from(producer < events % producers);
                tokio::spawn(async move {
                    let about = Subject::System(SystemId::parse("a").expect("an id"));
                    for _ in 0..events {
                        hf.tell(about.clone(), What::Changed)
                            .await
                            .expect("an event");
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("a producer");
        }
    }

    /// Waits until each receiver has so many events more than `before`.
    async fn got(&self, before: &[u64], events: u64) {
        for ((_, got), before) in self.receivers.iter().zip(before) {
            while got.events.load(Ordering::Acquire) < before + events {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    }

    fn events(&self) -> Vec<u64> {
        let all = self.receivers.iter();
        all.map(|(_, got)| got.events.load(Ordering::Acquire))
            .collect()
    }

    fn requests(&self) -> u64 {
        let all = self.receivers.iter();
        all.map(|(_, got)| got.requests.load(Ordering::Relaxed))
            .sum()
    }

    async fn report(self, name: &str, events: u64, requests: u64, took: Duration) {
        let seconds = took.as_secs_f64();
        let doubled: usize = self
            .receivers
            .iter()
            .map(|(_, got)| {
                let seen = got.seen.lock().expect("a receiver");
                seen.values().filter(|times| **times > 1).count()
            })
            .sum();
        eprintln!(
            "{name:>52}: {:>8.0} events/s, {:>7.0} requests/s, {doubled} doubled",
            events as f64 / seconds,
            requests as f64 / seconds,
        );
        self.hf.close().await.expect("an end");
    }
}

/// Events that wait in the outbox, all of them durable, to so many receivers.
async fn backlog(name: &str, batch: usize, destinations: usize, events: u64) {
    let setup = Setup::start(batch, destinations).await;
    let ctx = Ctx::service();
    for (id, _) in &setup.receivers {
        let suspended = setup.hf.subscriptions().suspend(&ctx, id).await;
        suspended.expect("a subscription");
    }
    setup.tell(events, 1_024.min(events)).await;
    let before = (setup.events(), setup.requests());
    let start = WallTime.start();
    for (id, _) in &setup.receivers {
        let resumed = setup.hf.subscriptions().resume(&ctx, id, None).await;
        resumed.expect("a subscription");
    }
    setup.got(&before.0, events).await;
    let took = WallTime.end(start);
    let (requests, events) = (setup.requests() - before.1, events * destinations as u64);
    setup.report(name, events, requests, took).await;
}

/// Events that are sent while they are made: from the first write to the last arrival.
async fn live(name: &str, batch: usize, events: u64) {
    let setup = Setup::start(batch, 1).await;
    let before = (setup.events(), setup.requests());
    let start = WallTime.start();
    setup.tell(events, 256).await;
    setup.got(&before.0, events).await;
    let took = WallTime.end(start);
    let requests = setup.requests() - before.1;
    setup.report(name, events, requests, took).await;
}

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        backlog(
            "100 in a request, 1 destination, from the outbox",
            100,
            1,
            50_000,
        )
        .await;
        backlog(
            "100 in a request, 10 destinations, from the outbox",
            100,
            10,
            20_000,
        )
        .await;
        backlog(
            "1 in a request, 1 destination, from the outbox",
            1,
            1,
            20_000,
        )
        .await;
        backlog(
            "1 in a request, 10 destinations, from the outbox",
            1,
            10,
            5_000,
        )
        .await;
        live(
            "100 in a request, 1 destination, while they are made",
            100,
            50_000,
        )
        .await;
    });
}

//! What real guests do by themselves, what others do to them, and what becomes of their host, reaches a webhook and a stream: within seconds, in words that tell what
//! happened, and the same to both.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::client::Client;
use super::server::Server;
use super::sse::Stream;
use hawkfish_testing::lab::{Guest, Lab};
use hawkfish_testing::{part, until};

/// How long an emulated guest may take to do anything, on a busy machine.
const GUEST: Duration = Duration::from_secs(180);
/// From what happens to who wants to hear of it.
const SECONDS: SignedDuration = SignedDuration::from_secs(10);

/// An event as it came in, and when.
type Heard = Arc<Mutex<Vec<(Value, Timestamp)>>>;

fn put(heard: &Heard, event: &Value) {
    let entry = (event.clone(), Timestamp::now());
    heard.lock().unwrap().push(entry);
}

/// Takes in webhooks over plain HTTP.
async fn receive(listener: TcpListener, heard: Heard) {
    while let Ok((stream, _)) = listener.accept().await {
        let heard = heard.clone();
        tokio::spawn(async move {
            // Whoever calls may keep the connection for the next.
            let _ = serve(stream, &heard).await;
        });
    }
}

async fn serve(mut stream: TcpStream, heard: &Heard) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    loop {
        let end = loop {
            if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            if stream.read_buf(&mut bytes).await? == 0 {
                return Ok(());
            }
        };
        let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
        let length = head
            .split_once("content-length:")
            .and_then(|(_, rest)| rest.lines().next())
            .and_then(|text| text.trim().parse::<usize>().ok())
            .expect("a length");
        while bytes.len() < end + length {
            if stream.read_buf(&mut bytes).await? == 0 {
                return Ok(());
            }
        }
        let body: Value = serde_json::from_slice(&bytes[end..end + length]).expect("JSON");
        for event in body["Events"].as_array().expect("events") {
            put(heard, event);
        }
        bytes.drain(..end + length);
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await?;
    }
}

fn key(event: &Value) -> &str {
    let id = event["MessageId"].as_str().expect("a message");
    id.rsplit('.').next().unwrap_or_default()
}

/// Who listens to a server, in both ways.
struct Ears {
    webhook: Heard,
    stream: Heard,
}

impl Ears {
    async fn open(server: &Server, client: &Client) -> Self {
        let (webhook, stream) = (Heard::default(), Heard::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to = format!("http://{}/events", listener.local_addr().unwrap());
        tokio::spawn(receive(listener, webhook.clone()));
        let mut open = Stream::open(server, None).await;
        open.first().await;
        let heard = stream.clone();
        tokio::spawn(async move {
            while let Some(message) = open.next_within(GUEST).await {
                if message.data.is_some() {
                    put(&heard, message.event());
                }
            }
        });
        let body = json!({"Destination": to, "Protocol": "Redfish", "Context": "guests"});
        let uri = "/redfish/v1/EventService/Subscriptions";
        let made = client.post(uri, &body).await.unwrap();
        assert_eq!(made.status, 201, "{made:#?}");
        Self { webhook, stream }
    }

    /// What was told of a system as a whole, but for mere changes: each with its severity. That a system stands still is left out: libvirt may tell so of one
    /// that panicked, a moment before it tells why.
    fn of(heard: &Heard, origin: &str) -> Vec<String> {
        let heard = heard.lock().unwrap();
        let of = heard.iter().filter(|(event, _)| {
            event["OriginOfCondition"]["@odata.id"] == origin
                && !matches!(key(event), "ResourceChanged" | "ResourcePaused")
        });
        of.map(|(event, _)| {
            let severity = event["MessageSeverity"].as_str().unwrap_or_default();
            format!("{} {severity}", key(event))
        })
        .collect()
    }

    /// Waits until both have heard just this of something, with what came before.
    async fn hear(&self, origin: &str, expected: &[&str]) {
        for (name, heard) in [("webhook", &self.webhook), ("stream", &self.stream)] {
            let what = format!("the {name} hears {expected:?} of {origin}");
            let told = || Self::of(heard, origin);
            until(&what, GUEST, async || {
                let told = told();
                let is_so = told.len() >= expected.len();
                if !is_so && told != expected[..told.len()] {
                    panic!("{what}: {told:?}");
                }
                is_so.then_some(())
            })
            .await;
            assert_eq!(told()[..expected.len()], *expected, "{what}");
        }
    }

    /// Both have heard the same, each once and in order, soon after it happened.
    fn agree(&self) {
        let list = |heard: &Heard| -> BTreeMap<u64, (Value, Timestamp)> {
            let heard = heard.lock().unwrap();
            let numbered = heard.iter().map(|(event, at)| {
                let number = event["EventId"].as_str().unwrap().parse::<u64>().unwrap();
                (number, (event.clone(), *at))
            });
            let all: Vec<_> = numbered.collect();
            assert!(all.windows(2).all(|two| two[0].0 < two[1].0), "in order");
            for (_, (event, at)) in &all {
                let happened: Timestamp =
                    event["EventTimestamp"].as_str().unwrap().parse().unwrap();
                let took = at.duration_since(happened);
                assert!(took < SECONDS, "{took:?} for {event:#}");
            }
            all.into_iter().collect()
        };
        let (webhook, stream) = (list(&self.webhook), list(&self.stream));
        let first = *webhook.keys().next().expect("something");
        let last = *webhook.keys().next_back().expect("something");
        for number in first..=last {
            let told = |all: &BTreeMap<u64, (Value, Timestamp)>| {
                let (mut event, _) = all.get(&number).cloned().unwrap_or_default();
                for own in ["Context", "MemberId"] {
                    if let Some(event) = event.as_object_mut() {
                        event.remove(own);
                    }
                }
                event
            };
            assert_eq!(told(&webhook), told(&stream), "event {number}");
        }
    }
}

async fn uri_of(lab: &Lab, guest: &Guest) -> String {
    let uuid = lab.virsh(&["domuuid", &guest.name]);
    format!("/redfish/v1/Systems/{}", uuid.trim())
}

const ON: &str = "ResourcePoweredOn OK";
const OFF: &str = "ResourcePoweredOff OK";

#[tokio::test(flavor = "multi_thread")]
async fn what_guests_do_by_themselves_reaches_a_webhook_and_a_stream() {
    let Some(assets) = part::variable("HAWKFISH_TEST_ASSETS") else {
        return;
    };
    let Some(lab) = Lab::up() else { return };
    let linux = |name: &str, words: &str| {
        let xml = ["--kernel", &assets, "--panic", "--cmdline", words];
        lab.define(name, &xml)
    };
    let ends = linux("ends", "hf.poweroff_after=1");
    let panics = linux("panics", "hf.crash_after=1");
    let hangs = linux("hangs", "hf.watchdog=3");
    let resets = linux("resets", "hf.reboot_after=5");
    let killed = lab.define("killed", &["--cdrom-empty", "--memory", "128"]);

    let server = Server::libvirt(lab.uri(), &["--event-allow", "127.0.0.1"]);
    let client = server.client().await;
    let ears = Ears::open(&server, &client).await;
    let of = async |guest: &Guest| uri_of(&lab, guest).await;

    // What others do beside HawkFish.
    lab.virsh(&["start", "killed"]);
    ears.hear(&of(&killed).await, &[ON]).await;
    lab.virsh(&["destroy", "killed"]);
    ears.hear(&of(&killed).await, &[ON, OFF]).await;
    lab.virsh(&["start", "killed"]);
    ears.hear(&of(&killed).await, &[ON, OFF, ON]).await;
    // Its emulator dies.
    let pid = lab.path().join("run/qemu/killed.pid");
    let pid = std::fs::read_to_string(pid).unwrap();
    let kill = format!("kill -9 {}", pid.trim());
    let done = std::process::Command::new("sh")
        .args(["-c", &kill])
        .status();
    assert!(done.unwrap().success());
    let crashed = "SystemCrashed Critical";
    ears.hear(&of(&killed).await, &[ON, OFF, ON, crashed]).await;

    // Guests power themselves off, panic, reset themselves, and hang.
    let hanging = of(&hangs).await;
    let body = json!({"HostWatchdogTimer": {"TimeoutAction": "ResetSystem"}});
    client.patch(&hanging, &body).await.unwrap().good();
    for pair in [[&ends, &panics], [&resets, &hangs]] {
        for guest in pair {
            lab.virsh(&["start", &guest.name]);
        }
        for guest in pair {
            let expected: &[&str] = match guest.name.as_str() {
                "ends" => &[ON, OFF],
                // Whether it was seen to stand still before it was taken away is chance.
                "panics" => &[ON, crashed],
                "resets" => &[ON, "SystemReset OK"],
                _ => &[ON, "WatchdogFired Critical", "SystemReset OK"],
            };
            ears.hear(&of(guest).await, expected).await;
        }
    }
    lab.virsh(&["destroy", "hangs"]);
    lab.virsh(&["destroy", "resets"]);
    for guest in [&ends, &panics, &killed] {
        let uri = of(guest).await;
        let what = format!("{} is off", guest.name);
        until(&what, GUEST, async || {
            let power = client.read(&uri).await["PowerState"].take();
            (power == "Off").then_some(())
        })
        .await;
    }

    // Domains come and go.
    let coming = lab.define("coming", &["--cdrom-empty", "--memory", "128"]);
    let came = of(&coming).await;
    ears.hear(&came, &["ResourceCreated OK"]).await;
    assert_eq!(client.read(&came).await["Name"], "coming");
    lab.virsh(&["undefine", "coming"]);
    ears.hear(&came, &["ResourceCreated OK", "ResourceRemoved OK"])
        .await;

    // libvirtd is killed, and comes back.
    let ended = of(&ends).await;
    let before = Ears::of(&ears.webhook, &ended);
    let lost = [before, vec!["HostLost Critical".to_owned()]].concat();
    let lost: Vec<&str> = lost.iter().map(String::as_str).collect();
    lab.daemon("kill");
    ears.hear(&ended, &lost).await;
    lab.daemon("start");
    let back = [&lost[..], &["HostBack OK"]].concat();
    ears.hear(&ended, &back).await;
    ears.agree();
}

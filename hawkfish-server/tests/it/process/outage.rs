//! libvirtd goes away, in every way in which it can, while clients ask and change; and comes back.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use http::StatusCode;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::client::{Answer, Client};
use super::server::Server;
use hawkfish_testing::lab::Lab;
use hawkfish_testing::until;

const SYSTEMS: &str = "/redfish/v1/Systems";
/// Longest time in which a host that is gone may still be taken for one that answers: one that hangs is given some time to answer.
const NOTICE: Duration = Duration::from_secs(15);
/// Longest time in which a host that is back may still be taken for gone: attempts to reach it grow rarer.
const RETURN: Duration = Duration::from_secs(30);
/// Longest time for a GET, which asks nobody: on a busy machine.
const READ: Duration = Duration::from_secs(3);
/// Longest time for a change of a host of which nobody knows yet that it hangs.
const CHANGE: Duration = Duration::from_secs(10);

/// Clients that go on asking and changing whatever happens, and hold every answer to what it may be.
struct Load {
    stop: Arc<AtomicBool>,
    seen: Arc<Seen>,
    workers: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Seen {
    reads: AtomicUsize,
    changed: AtomicUsize,
    refused: AtomicUsize,
    slowest_read: Mutex<Duration>,
    slowest_change: Mutex<Duration>,
}

impl Load {
    fn start(client: &Client, systems: &[String]) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::new(Seen::default());
        let mut workers = Vec::new();
        for (index, system) in systems.iter().cloned().enumerate() {
            let (client, stop, seen) = (client.clone(), Arc::clone(&stop), Arc::clone(&seen));
            let (reader, done) = (
                Reader {
                    client: client.clone(),
                    seen: Arc::clone(&seen),
                },
                Arc::clone(&stop),
            );
            let uri = system.clone();
            workers.push(tokio::spawn(async move {
                while !done.load(Ordering::Acquire) {
                    reader.round(&uri).await;
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }));
            workers.push(tokio::spawn(async move {
                let mut number = 0;
                while !stop.load(Ordering::Acquire) {
                    number += 1;
                    let body = if number % 2 == 0 {
                        json!({"AssetTag": format!("load-{index}-{number}")})
                    } else {
                        json!({"Boot": {"BootSourceOverrideTarget": "Cd", "BootSourceOverrideEnabled": "Continuous"}})
                    };
                    let answer = client.patch(&system, &body).await.expect("an answer");
                    seen.change(&answer);
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }));
        }
        Self {
            stop,
            seen,
            workers,
        }
    }

    async fn end(self) -> Arc<Seen> {
        self.stop.store(true, Ordering::Release);
        for worker in self.workers {
            worker.await.expect("every answer was as it may be");
        }
        self.seen
    }
}

struct Reader {
    client: Client,
    seen: Arc<Seen>,
}

impl Reader {
    async fn round(&self, system: &str) {
        let chassis = system.replace("/Systems/", "/Chassis/");
        for uri in [
            SYSTEMS,
            system,
            &format!("{system}/VirtualMedia/Cd"),
            &chassis,
        ] {
            let answer = self.client.get(uri).await.expect("an answer");
            // What was seen last is shown; nothing is asked of libvirt.
            assert_eq!(answer.status, StatusCode::OK, "{uri}: {answer:#?}");
            self.seen.reads.fetch_add(1, Ordering::AcqRel);
            longer(&self.seen.slowest_read, answer.took);
            assert!(answer.took < READ, "{uri}: {:?}", answer.took);
        }
    }
}

impl Seen {
    fn change(&self, answer: &Answer) {
        match answer.status {
            StatusCode::OK => self.changed.fetch_add(1, Ordering::AcqRel),
            StatusCode::SERVICE_UNAVAILABLE => {
                let after = answer.headers["retry-after"].to_str().unwrap();
                assert!(
                    after.parse::<u32>().is_ok_and(|seconds| seconds > 0),
                    "{after}"
                );
                assert!(!answer.keys().is_empty(), "{answer:#?}");
                self.refused.fetch_add(1, Ordering::AcqRel)
            }
            _ => panic!("{answer:#?}"),
        };
        longer(&self.slowest_change, answer.took);
        assert!(answer.took < CHANGE, "{:?}", answer.took);
    }
}

fn longer(slowest: &Mutex<Duration>, took: Duration) {
    let mut slowest = slowest.lock().unwrap();
    *slowest = slowest.max(took);
}

async fn state(client: &Client, system: &str) -> Value {
    client.read(system).await["Status"]["State"].take()
}

/// Waits until the service shows that the host does not answer, and holds what it shows meanwhile.
async fn is_noticed(client: &Client, systems: &[String], powers: &[Value]) {
    let began = Instant::now();
    for (system, power) in systems.iter().zip(powers) {
        until("the outage is shown", NOTICE, async || {
            (state(client, system).await == "UnavailableOffline").then_some(())
        })
        .await;
        let shown = client.read(system).await;
        assert_eq!(shown["PowerState"], *power, "as last seen");
        assert_eq!(shown["Status"]["Health"], "Warning");
        assert!(
            shown["Status"]["Conditions"][0]["Message"].is_string(),
            "{shown:#}"
        );
    }
    eprintln!("noticed after {:?}", began.elapsed());
    // Once it is known, nobody has to wait for the refusal.
    let change = json!({"AssetTag": "meanwhile"});
    let answer = client.patch(&systems[0], &change).await.unwrap();
    assert_eq!(
        answer.status,
        StatusCode::SERVICE_UNAVAILABLE,
        "{answer:#?}"
    );
    assert!(answer.took < READ, "{:?}", answer.took);
    let reset = format!("{}/Actions/ComputerSystem.Reset", systems[0]);
    let answer = client
        .post(&reset, &json!({"ResetType": "ForceOff"}))
        .await
        .unwrap();
    assert_eq!(
        answer.status,
        StatusCode::SERVICE_UNAVAILABLE,
        "{answer:#?}"
    );
    assert!(answer.headers.contains_key("retry-after"));
}

/// Waits until the service answers as it did before.
async fn is_over(client: &Client, systems: &[String], powers: &[Value]) {
    let began = Instant::now();
    for (system, power) in systems.iter().zip(powers) {
        until("the outage is over", RETURN, async || {
            (state(client, system).await != "UnavailableOffline").then_some(())
        })
        .await;
        let shown = client.read(system).await;
        assert_eq!(shown["PowerState"], *power);
        let tag = json!({"AssetTag": format!("back {:?}", began.elapsed())});
        let answer = client.patch(system, &tag).await.unwrap().good();
        assert!(answer.body["AssetTag"].as_str().is_some());
    }
    eprintln!("over after {:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn libvirtd_may_stop_crash_and_hang_while_clients_go_on_and_all_recovers() {
    let Some(lab) = Lab::up() else { return };
    let memory = ["--cdrom-empty", "--memory", "128"];
    for name in ["one", "two", "three"] {
        lab.define(name, &memory);
    }
    let guest = lab.define("running", &memory);
    lab.virsh(&["start", &guest.name]);
    guest.boots(&[&guest.disk]).await;
    let leaving = lab.define("leaving", &memory);
    // What libvirtd reads when it starts, to be put among its files while it is gone.
    let uuid = ["--uuid", "c0c0c0c0-0000-4000-8000-000000000001"];
    let coming = lab.xml("coming", &[&memory[..], &uuid[..]].concat());

    let server = Server::libvirt(lab.uri(), &[]);
    let client = server.client().await;
    let names = async || {
        let mut names = BTreeSet::new();
        for system in client.members(SYSTEMS).await {
            let answer = client.get(&system).await.unwrap();
            names.extend(answer.body["Name"].as_str().map(str::to_owned));
        }
        names
    };
    let set =
        |names: &[&str]| -> BTreeSet<String> { names.iter().map(ToString::to_string).collect() };
    assert_eq!(
        names().await,
        set(&["one", "two", "three", "running", "leaving"])
    );
    let mut systems = client.members(SYSTEMS).await;
    let uuid = lab.virsh(&["domuuid", &leaving.name]);
    systems.retain(|system| !system.contains(uuid.trim()));
    let mut powers = Vec::new();
    for system in &systems {
        powers.push(client.read(system).await["PowerState"].take());
    }
    let load = Load::start(&client, &systems);
    let changes = load.seen.clone();
    let goes_on = async |what: &str| {
        let before = changes.changed.load(Ordering::Acquire);
        until(what, RETURN, async || {
            (changes.changed.load(Ordering::Acquire) > before + 8).then_some(())
        })
        .await;
    };
    goes_on("changes before anything happened").await;

    lab.daemon("stop");
    is_noticed(&client, &systems, &powers).await;
    let definitions = lab.path().join("etc/qemu");
    std::fs::remove_file(definitions.join("leaving.xml")).unwrap();
    std::fs::write(definitions.join("coming.xml"), coming).unwrap();
    lab.daemon("start");
    is_over(&client, &systems, &powers).await;
    until("domains came and went", RETURN, async || {
        (names().await == set(&["one", "two", "three", "running", "coming"])).then_some(())
    })
    .await;
    goes_on("changes after a stop").await;

    lab.daemon("kill");
    is_noticed(&client, &systems, &powers).await;
    lab.daemon("start");
    is_over(&client, &systems, &powers).await;
    goes_on("changes after a crash").await;

    lab.daemon("freeze");
    is_noticed(&client, &systems, &powers).await;
    lab.daemon("thaw");
    is_over(&client, &systems, &powers).await;
    goes_on("changes after a hang").await;

    // The guest has noticed nothing of all this.
    assert_eq!(guest.booted(), [guest.disk.as_str()]);
    let seen = load.end().await;
    eprintln!(
        "{:?} reads, the slowest {:?}; {:?} changes and {:?} refusals, the slowest {:?}",
        seen.reads,
        seen.slowest_read.lock().unwrap(),
        seen.changed,
        seen.refused,
        seen.slowest_change.lock().unwrap()
    );
    assert!(seen.refused.load(Ordering::Acquire) > 0);
    let tag = json!({"AssetTag": "at last"});
    let answer = client.patch(&systems[0], &tag).await.unwrap().good();
    assert_eq!(answer.body["AssetTag"], "at last");
}

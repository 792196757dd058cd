//! HawkFish in front of real guests: what the command line does to one, and what it, the client and a receiver of events hear of it.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hawkfish_client::events::{Event, Record};
use hawkfish_client::webhook::Receiver;
use hawkfish_client::{Progress, Task};
use serde_json::json;

use super::EMPTY_CD;
use super::images::Images;
use super::server::Server;
use crate::command_line::run::ran;
use hawkfish_testing::lab::Lab;
use hawkfish_testing::until;

#[tokio::test(flavor = "multi_thread")]
async fn a_real_guest_boots_once_from_an_image_that_the_command_line_gave_it() {
    let Some(lab) = Lab::up() else {
        return;
    };
    let guest = lab.define("node", EMPTY_CD);
    let before = lab.virsh(&["dumpxml", "--inactive", "node"]);
    let server = Server::libvirt(lab.uri());
    let place = &server.place;
    let iso = lab.iso("INSTALLER", &[]);
    let images = Images::of(iso.parent().unwrap().to_owned()).await;
    let url = images.url("INSTALLER.iso");

    let table = place.out(&["systems", "ls"]).await;
    assert!(table.contains("node") && table.contains("Off"), "{table}");
    place
        .out(&["systems", "media", "insert", "node", &url, "--slot", "Cd"])
        .await;
    assert_eq!(images.asked(), 1);
    place
        .out(&["systems", "boot", "node", "--target", "Cd", "--once"])
        .await;
    place.out(&["systems", "power", "node", "On"]).await;
    guest.boots(&["INSTALLER"]).await;

    // Once is one boot.
    let boot = place.out(&["systems", "boot", "node"]).await;
    assert!(boot.contains("Disabled"), "{boot}");
    place.out(&["systems", "power", "node", "ForceOff"]).await;
    until("it is off", Duration::from_secs(10), async || {
        (!lab.virsh(&["list", "--name"]).contains("node")).then_some(())
    })
    .await;
    place.out(&["systems", "power", "node", "On"]).await;
    let disk = guest.disk.clone();
    guest.boots(&["INSTALLER", &disk]).await;
    place.out(&["systems", "power", "node", "ForceOff"]).await;
    place.out(&["systems", "media", "eject", "node"]).await;
    let after = lab.virsh(&["dumpxml", "--inactive", "node"]);
    assert_eq!(before, after, "before, and after");
    // Each command closed the session that it opened.
    let sessions = place.json(&["sessions", "ls"]).await;
    assert_eq!(sessions.as_array().unwrap().len(), 1, "{sessions:#}");
}

const KEY: &str = "a key of ours";

/// The numbers and messages of events about a system, as somebody hears them.
type Heard = Arc<Mutex<Vec<(String, String)>>>;

fn hear(heard: &Heard, uri: &str, record: &Record) {
    if record.origin.as_deref() == Some(uri) {
        let number = record.event_id.clone().expect("a number");
        heard
            .lock()
            .unwrap()
            .push((number, record.message_id.clone()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_a_stream_and_a_receiver_hear_the_same_of_a_real_guest() {
    let Some(lab) = Lab::up() else {
        return;
    };
    let guest = lab.define("node", EMPTY_CD);
    let server = Server::libvirt(lab.uri());
    let place = &server.place;
    let client = server.client();
    let system = client.system("node").await.unwrap();
    let uri = system.uri().to_owned();
    let [watched, streamed, received] = [(); 3].map(|()| Heard::default());

    let mut watch = place.hawkfish();
    watch.args(["--output", "json", "events", "watch", "--origin", &uri]);
    let mut watch = watch.stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    let (to, at) = (watched.clone(), uri.clone());
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            let value = serde_json::from_str(&line).unwrap();
            let event = Event::of(None, value).unwrap();
            hear(&to, &at, &event.records[0]);
        }
    });
    let mut stream = client.events().open().await.unwrap();
    let (to, at) = (streamed.clone(), uri.clone());
    tokio::spawn(async move {
        while let Some(event) = stream.next().await {
            event
                .unwrap()
                .records
                .iter()
                .for_each(|record| hear(&to, &at, record));
        }
    });
    let receiver = Receiver::signed(KEY).bind(([127, 0, 0, 1], 0).into());
    let mut receiver = receiver.await.unwrap();
    let destination = json!({
        "Destination": receiver.url(),
        "Protocol": "Redfish",
        "Oem": {"HawkFish": {"SigningKey": KEY}},
    });
    let events = client.event_service().await.unwrap();
    events.create("/Subscriptions", &destination).await.unwrap();
    let (to, at) = (received.clone(), uri.clone());
    tokio::spawn(async move {
        while let Some(event) = receiver.next().await {
            event
                .records
                .iter()
                .for_each(|record| hear(&to, &at, record));
        }
    });
    // It listens when its session is there, and that is the third beside the client's and this command's.
    until(
        "the command line listens",
        Duration::from_secs(20),
        async || {
            let sessions = place.json(&["sessions", "ls"]).await;
            (sessions.as_array().unwrap().len() >= 3).then_some(())
        },
    )
    .await;
    // What it asks next is the stream; what comes before it listens it would miss.
    let mark = async |tag: &str| {
        system
            .set_asset_tag(tag)
            .await
            .unwrap()
            .finish(None)
            .await
            .unwrap();
    };
    let mut number = 0;
    until("each hears", Duration::from_secs(20), async || {
        number += 1;
        mark(&format!("mark {number}")).await;
        let all = [&watched, &streamed, &received];
        all.iter()
            .all(|heard| !heard.lock().unwrap().is_empty())
            .then_some(())
    })
    .await;

    place.out(&["systems", "power", "node", "On"]).await;
    guest.boots(&[&guest.disk]).await;
    // Not by us: somebody ends it behind our back.
    lab.virsh(&["destroy", "node"]);
    for heard in [&watched, &streamed, &received] {
        until("it heard of the end", Duration::from_secs(20), async || {
            let heard = heard.lock().unwrap();
            let key = |key: &str| heard.iter().any(|(_, id)| id.ends_with(key));
            (key(".ResourcePoweredOn") && key(".ResourcePoweredOff")).then_some(())
        })
        .await;
    }
    // From the moment when the last of them began to listen, all heard the same, in the same order.
    let all = [&watched, &streamed, &received].map(|heard| heard.lock().unwrap().clone());
    let began = all
        .iter()
        .map(|heard| heard[0].0.parse::<u64>().unwrap())
        .max();
    let ended = all
        .iter()
        .map(|heard| heard.last().unwrap().0.parse::<u64>().unwrap())
        .min();
    let common = all.map(|heard| {
        let numbered = heard
            .into_iter()
            .map(|(number, id)| (number.parse::<u64>().unwrap(), id));
        let both = numbered.filter(|(number, _)| Some(*number) >= began && Some(*number) <= ended);
        both.collect::<Vec<_>>()
    });
    assert_eq!(common[0], common[1]);
    assert_eq!(common[1], common[2]);
    assert!(
        common[0]
            .iter()
            .any(|(_, id)| id.ends_with(".ResourcePoweredOn")),
        "{common:#?}"
    );

    // Ctrl-C ends it, and its session with it.
    let id = watch.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &id])
            .status()
            .unwrap()
            .success()
    );
    let status = tokio::task::spawn_blocking(move || watch.wait().unwrap());
    assert_eq!(status.await.unwrap().code(), Some(130));
    let sessions = place.json(&["sessions", "ls"]).await;
    assert_eq!(sessions.as_array().unwrap().len(), 2, "{sessions:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_on_its_way_to_a_guest_is_a_task_that_client_and_command_line_follow_to_its_end() {
    let Some(lab) = Lab::up() else {
        return;
    };
    lab.define("node", EMPTY_CD);
    let server = Server::libvirt(lab.uri());
    let place = &server.place;
    let client = server.client();
    let iso = lab.iso("INSTALLER", &[]);
    let images = Images::of(iso.parent().unwrap().to_owned()).await;
    let url = images.slow_url("INSTALLER.iso");
    let mut insert = place.hawkfish();
    insert.args(["systems", "media", "insert", "node", &url]);
    let insert = tokio::spawn(ran(insert));
    let shown = until("there is a task", Duration::from_secs(20), async || {
        let shown = place.json(&["tasks", "ls"]).await;
        let shown = shown.as_array().unwrap().clone();
        (!shown.is_empty()).then_some(shown)
    })
    .await;
    assert_eq!(shown.len(), 1, "{shown:#?}");
    let id = shown[0]["Id"].as_str().unwrap().to_owned();
    let uri = shown[0]["@odata.id"].as_str().unwrap();
    let mut steps = Task::at(&client, uri).progress();
    let first = steps.next().await.unwrap().unwrap();
    assert!(matches!(first, Progress::Running { .. }), "{first:?}");

    let end = async {
        images.release();
        let mut last = None;
        while let Some(step) = steps.next().await {
            last = Some(step.unwrap());
        }
        assert!(matches!(last, Some(Progress::Done(_))), "{last:?}");
    };
    let wait = ["tasks", "wait", &id, "--within", "60"];
    let (waited, ()) = tokio::join!(place.out(&wait), end);
    assert!(!waited.is_empty());
    assert_eq!(insert.await.unwrap().code, 0);
    let task = place.json(&["tasks", "show", &id]).await;
    assert_eq!(task["TaskState"], "Completed");
    let definition = lab.virsh(&["dumpxml", "node"]);
    assert!(
        definition.contains("cdrom") && definition.contains("<source"),
        "{definition}"
    );
    let slots = place.json(&["systems", "media", "ls", "node"]).await;
    assert_eq!(slots[0]["Inserted"], true, "{slots:#}");
}

//! What nobody asked for is told, too: guests, and work in the background.

use std::time::Duration;

use hawkfish_core::backend::sim::{Guest, OnPanic};
use hawkfish_core::ctx::Ctx;
use serde_json::json;

use super::ear::Ear;
use crate::door::{ADMIN, Door};

#[tokio::test]
async fn what_changes_by_itself_is_told_too() {
    let door = Door::open().await;
    let mut ear = Ear::to(&door).await;
    let rack = door.rack.clone();
    let key = rack.key(0).unwrap();
    // Systems are ordered by their ids, machines of the rack are not.
    let systems = door.app.hawkfish().systems(&Ctx::service());
    let own = systems.iter().position(|s| s.machine.key == key).unwrap();
    let name = ["A", "B"][own];
    let of = |key: &str, kind: &str| format!("{key} {kind}/{name}");
    let reset = format!("Systems/{name}/Actions/ComputerSystem.Reset");
    let kind = |kind: &str| json!({ "ResetType": kind });
    let both = || {
        [
            of("ResourceChanged", "Systems"),
            of("ResourceChanged", "Chassis"),
        ]
    };
    let off = || {
        [
            of("ResourcePoweredOff", "Systems"),
            of("ChassisPoweredOff", "Chassis"),
        ]
    };

    // A guest that resets itself after its boot, and shuts down when it is asked.
    let guest = Guest {
        resets_itself_after: Some(Duration::from_secs(30)),
        ..Guest::default()
    };
    rack.set_guest(key, guest.clone()).unwrap();
    ear.send("POST", &reset, &kind("On")).await;
    door.pass_time(600).await;
    let lines = ear.hear().await;
    let itself = [of("SystemReset", "Systems")];
    let expected = [&both()[..], &itself].concat();
    ear.told("its own reset", &lines, &expected);
    ear.send("POST", &reset, &kind("GracefulShutdown")).await;
    door.pass_time(60).await;
    let lines = ear.hear().await;
    ear.told("its own end", &lines, &off());

    // One that panics.
    let guest = Guest {
        on_panic: OnPanic::Stop,
        ..Guest::default()
    };
    rack.set_guest(key, guest).unwrap();
    ear.send("POST", &reset, &kind("On")).await;
    door.pass_time(600).await;
    ear.hear().await;
    ear.send("POST", &reset, &kind("Nmi")).await;
    door.pass_time(60).await;
    let lines = ear.hear().await;
    let crashed = [
        of("GuestAsked", "Systems"),
        of("SystemCrashed", "Systems"),
        of("ChassisPoweredOff", "Chassis"),
    ];
    ear.told("a panic", &lines, &crashed);

    // One that hangs, with a watchdog.
    let guest = Guest {
        on_panic: OnPanic::Hang,
        watchdog: Some(Duration::from_secs(30)),
        ..Guest::default()
    };
    rack.set_guest(key, guest).unwrap();
    let body = json!({"HostWatchdogTimer": {"TimeoutAction": "ResetSystem"}});
    ear.send("PATCH", &format!("Systems/{name}"), &body).await;
    ear.send("POST", &reset, &kind("On")).await;
    door.pass_time(600).await;
    ear.hear().await;
    ear.send("POST", &reset, &kind("Nmi")).await;
    door.pass_time(600).await;
    let lines = ear.hear().await;
    let fired = [
        of("GuestAsked", "Systems"),
        of("WatchdogFired", "Systems"),
        of("SystemReset", "Systems"),
    ];
    ear.told("a watchdog", &lines, &fired);

    // The host goes, and comes back.
    rack.lose("somebody pulled the cable");
    door.app.hawkfish().tick().await.unwrap();
    let lines = ear.hear().await;
    ear.told(
        "a lost host",
        &lines,
        &["HostLost Systems/A", "HostLost Systems/B"],
    );
    rack.find();
    door.app.hawkfish().tick().await.unwrap();
    let lines = ear.hear().await;
    ear.told(
        "a host that is back",
        &lines,
        &["HostBack Systems/A", "HostBack Systems/B"],
    );

    // Somebody guesses passwords.
    let policy = json!({"AccountLockoutThreshold": 2, "AccountLockoutDuration": 60});
    ear.send("PATCH", "AccountService", &policy).await;
    let account = door.account("ann", "Operator").await;
    let account = ear.short(&account);
    ear.hear().await;
    for _ in 0..2 {
        door.log_in("ann", "a wrong secret").await;
    }
    let lines = ear.hear().await;
    let refused = format!("LoginRefused {account}");
    let locked = format!("AccountLocked {account}");
    ear.told("a lockout", &lines, &[&refused, &refused, &locked]);

    // A task that ended is deleted in the end, and so is a session that nobody uses.
    let minutes = json!({"TaskAutoDeleteTimeoutMinutes": 1});
    ear.send("PATCH", "TaskService", &minutes).await;
    ear.send("POST", &reset, &kind("PowerCycle")).await;
    let task = format!("/redfish/v1/TaskService/Tasks/{}", tasks(&door)[0]);
    let session = door.log_in(ADMIN.0, ADMIN.1).await;
    let session = ear.short(session.header("location"));
    let short = json!({"SessionTimeout": 30});
    ear.send("PATCH", "SessionService", &short).await;
    let before = ear.heard;
    door.pass_time(180).await;
    let events = door.app.hawkfish().events();
    let telling = events.telling().unwrap();
    let gone: Vec<String> = events
        .recent(before, 1000)
        .unwrap()
        .iter()
        .map(|told| told.record(&*telling))
        .filter(|record| record.message_id.ends_with("Removed"))
        .map(|record| ear.short(record.origin.as_deref().unwrap_or_default()))
        .collect();
    for wanted in [session, ear.short(&task)] {
        let times = gone.iter().filter(|origin| **origin == wanted).count();
        if times != 1 {
            ear.faults.push(format!(
                "{wanted} was told to be gone {times} times: {gone:?}"
            ));
        }
    }
    ear.end();
}

fn tasks(door: &Door) -> Vec<String> {
    let tasks = door.app.hawkfish().tasks().list(&Ctx::service());
    tasks.iter().rev().map(|task| task.id.to_string()).collect()
}

#[tokio::test]
async fn an_update_tells_how_far_it_is_and_an_image_comes_and_goes() {
    use crate::update::{image, open_with, push};
    let (door, _folder) = open_with(hawkfish_server::Options::default()).await;
    let mut ear = Ear::to(&door).await;
    let system = door.read(&door.system(0)).await.body;
    let firmware = "UpdateService/FirmwareInventory/BIOS-A";
    // What is off takes its firmware at once; what runs does so when it is reset.
    let reset = format!("{}/Actions/ComputerSystem.Reset", door.system(0));
    let on = json!({"ResetType": "On"});
    let turned = door.send("POST", &reset).admin().json(&on).answer().await;
    turned.ok();
    door.pass_time(600).await;
    let parameters = json!({"Targets": [ear.long("Systems/A")]}).to_string();
    let file = image(system["Model"].as_str().unwrap(), "X-9");
    let parts = [
        ("UpdateParameters", None, parameters.as_bytes()),
        ("UpdateFile", Some("new.json"), file.as_slice()),
    ];
    let upload = "/redfish/v1/UpdateService/MultipartUpload";
    let answer = push(&door, upload, &parts).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let monitor = answer.header("location").to_owned();
    let id = monitor.rsplit('/').next().unwrap().parse().unwrap();
    let hf = door.app.hawkfish();
    let mut news = hf.events().watch();
    let awaits = format!("AwaitToActivate {firmware}");
    while !ear.lines_since(0).contains(&awaits) {
        let more = tokio::time::timeout(Duration::from_secs(20), news.changed()).await;
        more.expect("something more is told").unwrap();
    }
    ear.heard = 0;
    let lines = ear.lines_since(0);
    let last = lines.len() - 3;
    let told = [
        "TargetDetermined",
        "TransferringToComponent",
        "AwaitToActivate",
    ];
    let told = told.map(|key| format!("{key} {firmware}"));
    ear.told("an update", &lines[last..], &told);
    let before = ear.heard;
    let again = json!({"ResetType": "ForceRestart"});
    door.send("POST", &reset)
        .admin()
        .json(&again)
        .answer()
        .await
        .ok();
    let finished = hf.tasks().finished(&id);
    let finished = tokio::time::timeout(Duration::from_secs(20), finished).await;
    finished.expect("the update ends").unwrap();
    let lines = ear.lines_since(before);
    let changed = lines
        .iter()
        .any(|l| *l == format!("ResourceChanged {firmware}"));
    let done = lines.last() == Some(&format!("UpdateSuccessful {firmware}"));
    if !changed || !done {
        ear.faults.push(format!("no end of an update: {lines:#?}"));
    }

    let before = ear.heard;
    let system = door.system(0);
    let uri = door.read(&system).await.body["BootImagePushURI"].clone();
    let parts = [("UpdateFile", Some("boot.iso"), b"an image".as_slice())];
    let answer = push(&door, uri.as_str().unwrap(), &parts).await;
    assert!(answer.status.is_success(), "{answer:?}");
    let store = door.read("/redfish/v1/UpdateService/LocalImageStore").await;
    let stored = store.body["Members"][0]["@odata.id"].as_str().unwrap();
    let lines = ear.lines_since(before);
    let short = ear.short(stored);
    ear.told(
        "an image",
        &lines[..1],
        &[format!("ResourceCreated {short}")],
    );
    ear.end();
}

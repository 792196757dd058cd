//! All that is not of the wire goes wrong at once, and the same at each repetition.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use hawkfish_sim::{PASSWORD, USER, World};
use http::{Method, Request};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::bench::rules;

/// Presets that can be together, so that each has something left to spoil.
const ALL: [&str; 20] = [
    "events-get-lost",
    "events-late",
    "events-out-of-order",
    "events-twice",
    "tasks-fail",
    "tasks-slow",
    "tasks-vanish",
    "percent-goes-back",
    "bmc-reboots-now-and-then",
    "clock-drifts",
    "bmc-forgets-its-settings",
    "power-comes-late",
    "power-state-lags",
    "once-sticks",
    "media-ejects-itself",
    "guest-hangs",
    "disk-fails",
    "fan-fails",
    "link-down",
    "power-fails",
];

async fn call(world: &World, method: Method, uri: &str, body: Option<Value>) -> Value {
    let credentials = BASE64_STANDARD.encode(format!("{USER}:{PASSWORD}"));
    let mut request = Request::builder()
        .method(method)
        .uri(uri)
        .header("authorization", format!("Basic {credentials}"));
    if body.is_some() {
        request = request.header("content-type", "application/json");
    }
    let body = body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string()));
    match world.try_call(request.body(body).unwrap()).await {
        Ok(answer) => serde_json::from_slice(answer.body()).unwrap_or(Value::Null),
        Err(_closed) => Value::Null,
    }
}

async fn run(seed: u64) -> String {
    let mut all = rules(&ALL);
    // Each has its part of the events, tasks and commands.
    for rule in &mut all {
        let name = rule.name.as_str();
        if rule.when.chance.is_none() && !rule.when.said().contains(&"at") {
            rule.when.chance = Some(if name.starts_with("bmc") { 1.0 } else { 0.5 });
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let world = World::builder()
        .seed(seed)
        .systems(2)
        .faults(all)
        .data_dir(dir.path());
    let world = world.start().await.unwrap();
    let listed = call(&world, Method::GET, "/redfish/v1/Systems", None).await;
    let members = listed["Members"].as_array().unwrap();
    let systems: Vec<String> = members
        .iter()
        .map(|one| one["@odata.id"].as_str().unwrap().to_owned())
        .collect();
    let destination = json!({"Destination": "http://127.0.0.1:9/", "Protocol": "Redfish"});
    let subscriptions = "/redfish/v1/EventService/Subscriptions";
    call(&world, Method::POST, subscriptions, Some(destination)).await;
    for round in 0..6 {
        for system in &systems {
            let reset = format!("{system}/Actions/ComputerSystem.Reset");
            let cd = format!("{system}/VirtualMedia/Cd/Actions/VirtualMedia");
            let image = json!({"Image": "http://images.example/installer.iso"});
            call(
                &world,
                Method::POST,
                &format!("{cd}.InsertMedia"),
                Some(image),
            )
            .await;
            let boot = json!({"Boot": {
                "BootSourceOverrideTarget": "Cd", "BootSourceOverrideEnabled": "Once",
            }});
            call(&world, Method::PATCH, system, Some(boot)).await;
            let volume = json!({"CapacityBytes": 1 << 30});
            call(
                &world,
                Method::POST,
                &format!("{system}/Storage/sata/Volumes"),
                Some(volume),
            )
            .await;
            let kind = ["On", "ForceRestart", "PowerCycle"][round % 3];
            call(
                &world,
                Method::POST,
                &reset,
                Some(json!({"ResetType": kind})),
            )
            .await;
            world.advance(SignedDuration::from_secs(25)).await.unwrap();
            for uri in [system, &system.replace("Systems", "Managers")] {
                call(&world, Method::GET, uri, None).await;
            }
            let tasks = call(&world, Method::GET, "/redfish/v1/TaskService/Tasks", None).await;
            for task in tasks["Members"].as_array().into_iter().flatten() {
                let uri = task["@odata.id"].as_str().unwrap();
                call(&world, Method::GET, uri, None).await;
            }
            world.advance(SignedDuration::from_secs(70)).await.unwrap();
            call(
                &world,
                Method::POST,
                &format!("{cd}.EjectMedia"),
                Some(json!({})),
            )
            .await;
        }
    }
    world.trace_consoles().await.unwrap();
    for name in ALL {
        assert!(world.fired(name) > Some(0), "{name} did not fire");
    }
    let trace = world.trace().to_string();
    world.close().await.unwrap();
    trace
}

#[tokio::test(flavor = "current_thread")]
async fn twenty_runs_with_all_faults_at_once_give_the_same_trace() {
    let first = run(11).await;
    for wanted in [
        "HAWKFISH-BOOT target=Cd",
        "< 202 Accepted",
        "< none",
        "\"PowerState\":\"On\"",
    ] {
        assert!(first.contains(wanted), "{wanted:?} is not in it:\n{first}");
    }
    for number in 1..20 {
        let again = run(11).await;
        if first != again {
            let differ = first.lines().zip(again.lines()).enumerate();
            let (line, (one, other)) = differ.into_iter().find(|(_, (a, b))| a != b).unwrap();
            panic!("run {number}, line {line}:\n{one}\n{other}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn threads_leave_no_mark_on_it() {
    let first = run(5).await;
    let again = run(5).await;
    let differ = first
        .lines()
        .zip(again.lines())
        .enumerate()
        .find(|(_, (a, b))| a != b);
    assert_eq!(differ, None);
    assert_eq!(first.len(), again.len());
}

//! The same seed, the same requests, the same advance of time: the same trace, to the byte.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use hawkfish_sim::{PASSWORD, USER, World};
use http::{Method, Request, StatusCode};
use jiff::SignedDuration;
use serde_json::{Value, json};

/// What a client may do in a script.
#[derive(Clone, Debug)]
enum Act {
    Get(&'static str),
    Post(&'static str, Value),
    Patch(&'static str, Value),
    Wait(i64),
    Consoles,
}

/// A script that touches sessions, power, boot, media, accounts, errors and time. `{system}` is the first system.
fn script() -> Vec<Act> {
    let system = "/redfish/v1/Systems/{system}";
    vec![
        Act::Get("/redfish/v1/"),
        Act::Get("/redfish/v1/Systems"),
        Act::Get(system),
        Act::Post(
            "/redfish/v1/SessionService/Sessions",
            json!({"UserName": USER, "Password": PASSWORD}),
        ),
        Act::Post(
            "/redfish/v1/AccountService/Accounts",
            json!({"UserName": "op", "Password": "a long enough one", "RoleId": "Operator"}),
        ),
        Act::Post(
            "/redfish/v1/Systems/{system}/VirtualMedia/Cd/Actions/VirtualMedia.InsertMedia",
            json!({"Image": "http://images.example/installer.iso"}),
        ),
        Act::Patch(
            system,
            json!({"Boot": {"BootSourceOverrideTarget": "Cd", "BootSourceOverrideEnabled": "Once"}, "AssetTag": "rack 7"}),
        ),
        Act::Post(
            "/redfish/v1/Systems/{system}/Actions/ComputerSystem.Reset",
            json!({"ResetType": "On"}),
        ),
        Act::Get(system),
        Act::Wait(5),
        Act::Get(system),
        Act::Wait(600),
        Act::Consoles,
        Act::Post(
            "/redfish/v1/Systems/{system}/Actions/ComputerSystem.Reset",
            json!({"ResetType": "PowerCycle"}),
        ),
        Act::Wait(600),
        Act::Post(
            "/redfish/v1/Systems/{system}/Actions/ComputerSystem.Reset",
            json!({"ResetType": "GracefulShutdown"}),
        ),
        Act::Wait(600),
        Act::Get(system),
        Act::Post(
            "/redfish/v1/Systems/{system}/VirtualMedia/Cd/Actions/VirtualMedia.EjectMedia",
            json!({}),
        ),
        Act::Get("/redfish/v1/TaskService/Tasks"),
        Act::Patch(
            system,
            json!({"Boot": {"BootSourceOverrideTarget": "Moon"}, "AssetTag": "lost"}),
        ),
        Act::Get(system),
        Act::Get("/redfish/v1/Systems/nobody"),
        Act::Get("/redfish/v1/Systems/{system}/LogServices/Event/Entries"),
        Act::Get("/redfish/v1/Managers/{system}/LogServices/Audit/Entries"),
    ]
}

async fn run(seed: u64, on_disk: bool) -> String {
    let dir = tempfile::tempdir().unwrap();
    let mut builder = World::builder().seed(seed).systems(3);
    if on_disk {
        builder = builder.data_dir(dir.path());
    }
    let world = builder.start().await.unwrap();
    let listed = call(&world, Method::GET, "/redfish/v1/Systems", None).await;
    let system = listed["Members"][0]["@odata.id"]
        .as_str()
        .unwrap()
        .rsplit('/')
        .next()
        .unwrap()
        .to_owned();
    for act in script() {
        match act {
            Act::Get(uri) => {
                drop(call(&world, Method::GET, &uri.replace("{system}", &system), None).await)
            }
            Act::Post(uri, body) => {
                drop(
                    call(
                        &world,
                        Method::POST,
                        &uri.replace("{system}", &system),
                        Some(body),
                    )
                    .await,
                );
            }
            Act::Patch(uri, body) => {
                drop(
                    call(
                        &world,
                        Method::PATCH,
                        &uri.replace("{system}", &system),
                        Some(body),
                    )
                    .await,
                );
            }
            Act::Consoles => world.trace_consoles().await.unwrap(),
            Act::Wait(seconds) => world
                .advance(SignedDuration::from_secs(seconds))
                .await
                .unwrap(),
        }
    }
    world.trace_consoles().await.unwrap();
    let trace = world.trace().to_string();
    world.close().await.unwrap();
    trace
}

async fn call(world: &World, method: Method, uri: &str, body: Option<Value>) -> Value {
    let credentials = format!(
        "Basic {}",
        BASE64_STANDARD.encode(format!("{USER}:{PASSWORD}"))
    );
    let mut request = Request::builder()
        .method(method)
        .uri(uri)
        .header("authorization", credentials);
    if body.is_some() {
        request = request.header("content-type", "application/json");
    }
    let body = body.map_or_else(Bytes::new, |b| Bytes::from(b.to_string()));
    let response = world.call(request.body(body).unwrap()).await;
    serde_json::from_slice(response.body()).unwrap_or(Value::Null)
}

/// The script does what it says, so that equal traces are not equal failures.
fn assert_meaningful(trace: &str) {
    for wanted in [
        "< 200 OK",
        "< 201 Created",
        "< 204 No Content",
        "< 404 Not Found",
        "< 400 Bad Request",
        "HAWKFISH-BOOT target=Cd image=http://images.example/installer.iso",
        "HAWKFISH-BOOT target=Hdd",
        "\"PowerState\":\"PoweringOn\"",
        "\"AssetTag\":\"rack 7\"",
        "HawkFish.1.0.BootOverrideUsed",
        "HawkFish.1.0.ChangeMade",
    ] {
        assert!(
            trace.contains(wanted),
            "{wanted:?} is not in the trace:\n{trace}"
        );
    }
    let lost = trace.matches("\"AssetTag\":\"lost\"").count();
    assert_eq!(
        lost, 1,
        "half of a refused change was made: it shows beyond its request"
    );
    assert!(!trace.contains("< 500"), "something failed:\n{trace}");
}

#[tokio::test(flavor = "current_thread")]
async fn twenty_runs_of_one_seed_give_the_same_trace() {
    let first = run(42, true).await;
    assert_meaningful(&first);
    for _ in 1..20 {
        assert_eq!(first, run(42, true).await);
    }
}

/// A trace without what says that images can be pushed, and without tags: an image that is pushed needs a disk to lie on.
fn but_for_pushing(trace: &str) -> String {
    let mut out = String::new();
    for line in trace.lines().filter(|line| !line.starts_with("  etag: ")) {
        let mut line = line.to_owned();
        for begin in ["\"@odata.etag\":\"", "\"BootImagePushURI\":\""] {
            while let Some(at) = line.find(begin) {
                let end = line[at..].find("\",").expect("another property follows");
                line.replace_range(at..at + end + 2, "");
            }
        }
        out.push_str(&line);
        out.push('\n');
    }
    out
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn threads_and_disks_leave_no_mark_on_a_trace() {
    let threads = run(7, true).await;
    assert_meaningful(&threads);
    assert_eq!(
        but_for_pushing(&threads),
        but_for_pushing(&run(7, false).await)
    );
    let alone = std::thread::spawn(|| {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(run(7, true))
    });
    assert_eq!(threads, alone.join().unwrap());
}

#[tokio::test]
async fn another_seed_is_another_world() {
    assert_ne!(run(1, false).await, run(2, false).await);
}

#[tokio::test]
async fn a_client_without_a_socket_sees_the_world() {
    let world = World::builder().systems(2).start().await.unwrap();
    let systems = world
        .client()
        .unwrap()
        .get_value("/redfish/v1/Systems")
        .await
        .unwrap();
    assert_eq!(systems.value["Members@odata.count"], 2);
    let refused = world
        .call(
            Request::get("/redfish/v1/Systems")
                .body(Bytes::new())
                .unwrap(),
        )
        .await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
}

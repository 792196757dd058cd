//! Random worlds and random scripts: whatever is asked of whatever world, it comes out the same each time, to the byte.
//!
//! `HAWKFISH_CASES` says how many worlds, `HAWKFISH_SEED` which ones.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use hawkfish_core::ctx::Ctx;
use hawkfish_sim::fault::PRESETS;
use hawkfish_sim::{Description, PASSWORD, USER, World};
use http::{Method, Request};
use jiff::SignedDuration;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};
use serde_json::{Value, json};

/// What a client does, to the n-th system or in the n-th session, as far as there are so many.
#[derive(Clone, Debug)]
enum Act {
    Get(usize, &'static str),
    Power(usize, &'static str),
    Boot(usize, &'static str, &'static str),
    Insert(usize, &'static str, &'static str),
    Eject(usize, &'static str),
    Tag(usize, String),
    Login,
    /// With the token of a session.
    GetAs(usize, &'static str),
    Logout(usize),
    Subscribe,
    Bad(u8),
    Pass(i64),
    Consoles,
}

fn act() -> impl Strategy<Value = Act> {
    let n = || 0..4_usize;
    let word = |words: &'static [&'static str]| prop::sample::select(words);
    let uris = || {
        word(&[
            "/redfish/v1/",
            "/redfish/v1/Systems",
            "/redfish/v1/Systems?$expand=.",
            "/redfish/v1/Systems/{system}",
            "/redfish/v1/Systems/{system}/Bios",
            "/redfish/v1/Systems/{system}/VirtualMedia/Cd",
            "/redfish/v1/Systems/{system}/LogServices/Event/Entries",
            "/redfish/v1/Managers/{system}",
            "/redfish/v1/Chassis/{system}/Sensors?$expand=.",
            "/redfish/v1/Chassis/{system}/Thermal",
            "/redfish/v1/SessionService/Sessions",
            "/redfish/v1/EventService/Subscriptions",
            "/redfish/v1/TaskService/Tasks",
            "/redfish/v1/UpdateService/FirmwareInventory",
            "/redfish/v1/TelemetryService/MetricReports",
        ])
    };
    let resets = word(&[
        "On",
        "ForceOff",
        "ForceRestart",
        "GracefulShutdown",
        "GracefulRestart",
        "PowerCycle",
        "Nmi",
        "PushPowerButton",
        "Pause",
        "Resume",
    ]);
    let targets = word(&["Pxe", "Cd", "Hdd", "BiosSetup", "Moon"]);
    let slots = || word(&["Cd", "Usb", "Floppy"]);
    prop_oneof![
        6 => (n(), uris()).prop_map(|(n, uri)| Act::Get(n, uri)),
        6 => (n(), resets).prop_map(|(n, kind)| Act::Power(n, kind)),
        3 => (n(), Just("On")).prop_map(|(n, kind)| Act::Power(n, kind)),
        3 => (n(), targets, word(&["Once", "Continuous", "Disabled"]))
            .prop_map(|(n, target, how)| Act::Boot(n, target, how)),
        2 => (n(), slots(), word(&["http://images.example/a.iso", "http://nowhere.invalid/a.iso", "a.iso"]))
            .prop_map(|(n, slot, image)| Act::Insert(n, slot, image)),
        1 => (n(), slots()).prop_map(|(n, slot)| Act::Eject(n, slot)),
        2 => (n(), "[a-z]{0,8}").prop_map(|(n, tag)| Act::Tag(n, tag)),
        2 => Just(Act::Login),
        2 => (n(), uris()).prop_map(|(n, uri)| Act::GetAs(n, uri)),
        1 => n().prop_map(Act::Logout),
        1 => Just(Act::Subscribe),
        2 => (0..6_u8).prop_map(Act::Bad),
        6 => (0..90_000_i64).prop_map(Act::Pass),
        1 => (0..7_200_000_i64).prop_map(Act::Pass),
        1 => Just(Act::Consoles),
    ]
}

/// A description, as TOML, so that what fails can be taken as it is.
fn world() -> impl Strategy<Value = String> {
    let guests = prop::sample::select(vec![
        "",
        "guest = { boots_in = \"40s\", panics_at_boot = [2], dumps_for = \"9s\" }",
        "guest = { disk_boots = false, installs = { from = [\"Pxe\", \"Cd\"], takes = \"90s\", ejects = true } }",
        "guest = { ignores_acpi = true, on_panic = \"hang\", watchdog = \"30s\", hangs_at_boot = [1, 3] }",
        "guest = { says = [{ after = \"1s\", print = \"{name} {boot}\" }, { after = \"70s\", print = \"later\" }], resets_itself_after = \"20s\" }",
    ]);
    let base = prop::sample::select(vec!["small", "medium", "large", "dense"]);
    let faults = prop::sample::select(vec![
        "",
        "then = { delay = { uniform = { least = \"10ms\", most = \"4s\" } } }",
        "then = { answer = { status = 503, retry_after = 3 } }",
        "then = { hang_up = \"after\" }",
        "then = { damage = \"truncated\" }",
    ]);
    let presets = prop::collection::vec(prop::sample::select(PRESETS.to_vec()), 0..3);
    let racks = prop::collection::vec((1..3_usize, base, guests), 1..3);
    let chance = prop::sample::select(vec!["0.1", "0.5"]);
    (any::<u32>(), racks, faults, chance, presets).prop_map(
        |(seed, racks, fault, chance, presets)| {
            let mut names: Vec<&str> = presets.iter().map(|preset| preset.name).collect();
            names.sort_unstable();
            names.dedup();
            let mut text = format!("seed = {seed}\npresets = {names:?}\n");
            for (n, (systems, base, guest)) in racks.iter().enumerate() {
                let _ = write!(
                    text,
                    "[profile.p{n}]\nbase = {base:?}\n{guest}\n[[rack]]\nname = \"r{n}\"\nsystems = {systems}\nprofiles = [\"p{n}\"]\n"
                );
            }
            if !fault.is_empty() {
                let _ = write!(
                    text,
                    "[[fault]]\nname = \"by chance\"\nwhen = {{ chance = {chance} }}\n{fault}\n"
                );
            }
            text
        },
    )
}

fn case() -> impl Strategy<Value = (String, Vec<Act>)> {
    (world(), prop::collection::vec(act(), 1..25))
}

async fn call(
    world: &World,
    method: Method,
    uri: &str,
    body: Option<&Value>,
    token: Option<&str>,
) -> Option<http::Response<Bytes>> {
    let basic = format!("{USER}:{PASSWORD}");
    let basic = format!("Basic {}", BASE64_STANDARD.encode(basic));
    let request = Request::builder().method(method).uri(uri);
    let request = match token {
        Some(token) => request.header("x-auth-token", token),
        None => request.header("authorization", basic),
    };
    let request = match body {
        Some(body) => request
            .header("content-type", "application/json")
            .body(Bytes::from(body.to_string())),
        None => request.body(Bytes::new()),
    };
    // A fault may close the connection.
    world.try_call(request.unwrap()).await.ok()
}

async fn play(description: &str, script: &[Act], on_disk: bool) -> String {
    let description = Description::from_toml(description).unwrap_or_else(|error| panic!("{error}"));
    let dir = tempfile::tempdir().unwrap();
    let mut builder = World::builder().describe(description);
    if on_disk {
        builder = builder.data_dir(dir.path());
    }
    let world = builder.start().await.unwrap();
    let systems = world.hawkfish().systems(&Ctx::service());
    let systems: Vec<String> = systems.iter().map(|system| system.id.to_string()).collect();
    let of = |n: usize, uri: &str| uri.replace("{system}", &systems[n % systems.len()]);
    let mut sessions: Vec<(String, String)> = Vec::new();
    for act in script {
        let post = async |uri: String, body: Value| {
            call(&world, Method::POST, &uri, Some(&body), None).await
        };
        match act {
            Act::Get(n, uri) => drop(call(&world, Method::GET, &of(*n, uri), None, None).await),
            Act::Power(n, kind) => {
                let uri = "/redfish/v1/Systems/{system}/Actions/ComputerSystem.Reset";
                drop(post(of(*n, uri), json!({"ResetType": kind})).await);
            }
            Act::Boot(n, target, how) => {
                let body = json!({"Boot": {"BootSourceOverrideTarget": target, "BootSourceOverrideEnabled": how}});
                let uri = of(*n, "/redfish/v1/Systems/{system}");
                drop(call(&world, Method::PATCH, &uri, Some(&body), None).await);
            }
            Act::Insert(n, slot, image) => {
                let uri = format!(
                    "/redfish/v1/Systems/{{system}}/VirtualMedia/{slot}/Actions/VirtualMedia.InsertMedia"
                );
                drop(post(of(*n, &uri), json!({"Image": image})).await);
            }
            Act::Eject(n, slot) => {
                let uri = format!(
                    "/redfish/v1/Systems/{{system}}/VirtualMedia/{slot}/Actions/VirtualMedia.EjectMedia"
                );
                drop(post(of(*n, &uri), json!({})).await);
            }
            Act::Tag(n, tag) => {
                let uri = of(*n, "/redfish/v1/Systems/{system}");
                let body = json!({"AssetTag": tag});
                drop(call(&world, Method::PATCH, &uri, Some(&body), None).await);
            }
            Act::Login => {
                let body = json!({"UserName": USER, "Password": PASSWORD});
                let answer = post("/redfish/v1/SessionService/Sessions".to_owned(), body).await;
                let header = |name: &str| {
                    let value = answer.as_ref()?.headers().get(name)?;
                    Some(value.to_str().ok()?.to_owned())
                };
                sessions.extend(header("x-auth-token").zip(header("location")));
            }
            Act::GetAs(n, uri) => {
                if let Some((token, _)) = sessions.get(*n) {
                    drop(call(&world, Method::GET, &of(*n, uri), None, Some(token)).await);
                }
            }
            Act::Logout(n) => {
                if let Some((token, uri)) = sessions.get(*n) {
                    drop(call(&world, Method::DELETE, uri, None, Some(token)).await);
                }
            }
            Act::Subscribe => {
                // Nobody listens there: deliveries fail, at their times.
                let body = json!({"Destination": "http://127.0.0.1:9/events", "Protocol": "Redfish", "Context": "random"});
                drop(post("/redfish/v1/EventService/Subscriptions".to_owned(), body).await);
            }
            Act::Bad(which) => {
                let (method, uri, body) = match which {
                    0 => (Method::GET, "/redfish/v1/Systems/nobody", None),
                    1 => (Method::DELETE, "/redfish/v1/Systems/{system}", None),
                    2 => (Method::POST, "/redfish/v1/Systems", Some(json!({"a": 1}))),
                    3 => (
                        Method::PATCH,
                        "/redfish/v1/Systems/{system}",
                        Some(json!({"PowerState": "On"})),
                    ),
                    4 => (Method::GET, "/redfish/v1/Systems?$filter=broken(", None),
                    _ => (Method::PUT, "/redfish/v2/", Some(json!([]))),
                };
                drop(call(&world, method, &of(0, uri), body.as_ref(), None).await);
            }
            Act::Pass(by) => world
                .advance(SignedDuration::from_millis(*by))
                .await
                .unwrap(),
            Act::Consoles => world.trace_consoles().await.unwrap(),
        }
    }
    world.advance(SignedDuration::from_secs(600)).await.unwrap();
    world.trace_consoles().await.unwrap();
    let trace = world.trace().to_string();
    world.close().await.unwrap();
    trace
}

#[derive(Clone, Copy, Debug)]
enum On {
    OneThread,
    Threads,
}

fn run(case: &(String, Vec<Act>), on_disk: bool, on: On) -> String {
    let mut runtime = match on {
        On::OneThread => tokio::runtime::Builder::new_current_thread(),
        On::Threads => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = runtime.enable_all().build().unwrap();
    let (description, script) = case.clone();
    // On a worker, where there are some.
    let task = async move { play(&description, &script, on_disk).await };
    runtime.block_on(async { tokio::spawn(task).await.unwrap() })
}

/// The first line in which two traces differ, with what came before it.
fn difference(a: &str, b: &str) -> Option<String> {
    if a == b {
        return None;
    }
    let (a, b): (Vec<&str>, Vec<&str>) = (a.lines().collect(), b.lines().collect());
    let at = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    let before = a[at.saturating_sub(12)..at].join("\n");
    Some(format!(
        "line {at}:\n{before}\n- {:?}\n+ {:?}",
        a.get(at),
        b.get(at)
    ))
}

fn number(name: &str, usual: u64) -> u64 {
    let said = std::env::var(name).ok();
    said.map_or(usual, |said| {
        said.parse().unwrap_or_else(|_| panic!("{name}: {said}"))
    })
}

fn runner(cases: u32) -> TestRunner {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&number("HAWKFISH_SEED", 1).to_le_bytes());
    let config = Config {
        cases,
        max_shrink_iters: 60,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed))
}

#[test]
fn random_scripts_in_random_worlds_come_out_the_same() {
    let cases = number("HAWKFISH_CASES", 8).try_into().unwrap();
    let done = runner(cases).run(&case(), |case| {
        for on_disk in [true, false] {
            let first = run(&case, on_disk, On::OneThread);
            for on in [On::OneThread, On::Threads] {
                let differs = difference(&first, &run(&case, on_disk, on));
                prop_assert!(
                    differs.is_none(),
                    "{on:?}, on disk: {on_disk}: {}",
                    differs.unwrap()
                );
            }
        }
        Ok(())
    });
    match done {
        Ok(()) => {}
        Err(TestError::Fail(why, (world, script))) => panic!("{why}\n{world}\n{script:#?}"),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn twenty_runs_of_random_worlds_come_out_the_same() {
    let mut runner = runner(1);
    for _ in 0..2 {
        let case = case().new_tree(&mut runner).unwrap().current();
        let first = run(&case, true, On::OneThread);
        for n in 1..20 {
            let on = if n % 2 == 0 {
                On::OneThread
            } else {
                On::Threads
            };
            let differs = difference(&first, &run(&case, true, on));
            assert!(
                differs.is_none(),
                "run {n}, {on:?}: {}\n{case:#?}",
                differs.unwrap()
            );
        }
    }
}

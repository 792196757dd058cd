//! The trace as data: written, read, and run again.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use hawkfish_sim::fault::{Pattern, preset};
use hawkfish_sim::trace::{Again, CannotRun, Secrets, Trace, What};
use hawkfish_sim::{Description, PASSWORD, USER, World};
use http::{Method, Request, Response, StatusCode};
use jiff::SignedDuration;
use serde_json::{Value, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_hawkfish-sim");

/// A world of one make of server, with that version of its firmware.
fn firmware(version: &str) -> Description {
    let text = format!(
        "seed = 11\npassword = \"correct horse\"\npresets = [\"busy-now-and-then\"]\n\
         [profile.node]\nfirmware_version = \"{version}\"\n\
         [[rack]]\nname = \"lab\"\nsystems = 2\nprofiles = [\"node\"]\n"
    );
    Description::from_toml(&text).unwrap()
}

fn basic(password: &str) -> (&'static str, String) {
    let credentials = BASE64_STANDARD.encode(format!("{USER}:{password}"));
    ("authorization", format!("Basic {credentials}"))
}

async fn send(
    world: &World,
    shows: &(&'static str, String),
    method: Method,
    uri: &str,
    body: Option<Value>,
) -> Response<Bytes> {
    let mut request = Request::builder()
        .method(method)
        .uri(uri)
        .header(shows.0, &shows.1);
    if body.is_some() {
        request = request.header("content-type", "application/json");
    }
    let body = body.map_or_else(Bytes::new, |body| body.to_string().into());
    world.call(request.body(body).unwrap()).await
}

/// A client's day: a session, a fault or two, power, time, an account.
async fn use_it(world: &World, password: &str) {
    let sessions = "/redfish/v1/SessionService/Sessions";
    let login = json!({"UserName": USER, "Password": password});
    let nobody = ("x-nothing", "at all".to_owned());
    let made = send(world, &nobody, Method::POST, sessions, Some(login)).await;
    assert_eq!(made.status(), StatusCode::CREATED);
    let token = made.headers()["x-auth-token"].to_str().unwrap();
    let session = made.headers()["location"].to_str().unwrap();
    let token = ("x-auth-token", token.to_owned());
    let system = systems(world, password).await.remove(0);
    for name in [&system[..], "/redfish/v1/Managers", &system] {
        send(world, &token, Method::GET, name, None).await;
    }
    world
        .set_fault(preset("truncated-json").unwrap().rules().remove(0))
        .unwrap();
    let reset = format!("{system}/Actions/ComputerSystem.Reset");
    let on = json!({"ResetType": "On"});
    send(world, &token, Method::POST, &reset, Some(on)).await;
    world.advance(SignedDuration::from_secs(90)).await.unwrap();
    world.clear_fault("truncated-json");
    let account = json!({"UserName": "op", "Password": "a long enough one", "RoleId": "Operator"});
    let accounts = "/redfish/v1/AccountService/Accounts";
    send(world, &token, Method::POST, accounts, Some(account)).await;
    send(
        world,
        &basic("a long enough one"),
        Method::GET,
        &system,
        None,
    )
    .await;
    world.trace_consoles().await.unwrap();
    send(world, &token, Method::DELETE, session, None).await;
    send(world, &token, Method::GET, &system, None).await;
}

/// The URIs of all systems, asked for until the service is not busy.
async fn systems(world: &World, password: &str) -> Vec<String> {
    loop {
        let all = send(
            world,
            &basic(password),
            Method::GET,
            "/redfish/v1/Systems",
            None,
        )
        .await;
        if all.status() == StatusCode::OK {
            let all: Value = serde_json::from_slice(all.body()).unwrap();
            let all = all["Members"].as_array().unwrap().iter();
            let uri = |one: &Value| one["@odata.id"].as_str().unwrap().to_owned();
            return all.map(uri).collect();
        }
    }
}

fn lines(trace: &Trace) -> String {
    let mut lines = Vec::new();
    trace.lines(&mut lines).unwrap();
    String::from_utf8(lines).unwrap()
}

#[tokio::test]
async fn a_trace_is_written_as_it_happens_read_again_and_run_again_without_a_difference() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("trace.jsonl");
    let world = World::builder()
        .describe(firmware("1.0"))
        .trace_to(&file, Secrets::Hide)
        .start()
        .await
        .unwrap();
    use_it(&world, "correct horse").await;
    let trace = world.trace();
    for (kind, is) in [
        (
            "fault",
            (|what| matches!(what, What::Fault { .. })) as fn(&What) -> bool,
        ),
        ("event", |what| matches!(what, What::State(_))),
        ("console", |what| matches!(what, What::Console { .. })),
        ("control", |what| matches!(what, What::Control(_))),
        ("time", |what| matches!(what, What::Advanced { .. })),
    ] {
        assert!(trace.entries().any(|entry| is(&entry.what)), "no {kind}");
    }
    // Nothing is lost on the way through lines.
    let again = Trace::read_lines(lines(&trace).as_bytes()).unwrap();
    assert!(again == trace);
    assert_eq!(again.as_str(), trace.as_str());
    // The file was written meanwhile, without secrets.
    let text = std::fs::read_to_string(&file).unwrap();
    let written = Trace::read(&file).unwrap();
    assert!(written == trace.hidden());
    let token = trace.entries().find_map(|entry| match &entry.what {
        What::Response(answer) => answer.headers.get("x-auth-token").cloned(),
        _ => None,
    });
    let token = token.unwrap();
    for secret in [
        "correct horse",
        "a long enough one",
        token.to_str().unwrap(),
    ] {
        assert!(!text.contains(secret), "{secret:?} is in the file");
        assert!(lines(&trace).contains(secret));
    }
    let credentials = basic("correct horse").1;
    assert!(!text.contains(&credentials["Basic ".len()..]));
    world.close().await.unwrap();
    for trace in [trace, written] {
        let found = trace.run_again(&Again::new().all(true)).await.unwrap();
        assert_eq!(found, []);
    }
}

#[tokio::test]
async fn another_build_shows_where_it_is_different_first() {
    let world = World::builder()
        .describe(firmware("1.0"))
        .start()
        .await
        .unwrap();
    use_it(&world, "correct horse").await;
    let trace = world.trace();
    world.close().await.unwrap();
    let other = || Again::new().describe(firmware("2.0"));
    let found = trace.run_again(&other()).await.unwrap();
    assert_eq!(found.len(), 1);
    let first = &found[0];
    assert_eq!(first.place, "/BiosVersion", "{first}");
    assert_eq!(first.was, Some(json!("1.0")));
    assert_eq!(first.is, Some(json!("2.0")));
    let shown = first.to_string();
    assert!(
        shown.contains("the answer to GET /redfish/v1/Systems/"),
        "{shown}"
    );
    assert!(shown.contains("was \"1.0\"\n  is  \"2.0\""), "{shown}");
    let entry = trace.entries().find(|entry| entry.number == first.entry);
    assert!(matches!(entry.unwrap().what, What::Response(_)));
    // There are more of the kind, and what is meant to be different can be left out.
    let all = trace.run_again(&other().all(true)).await.unwrap();
    assert!(all.len() > 1);
    let versions = Pattern::new("/**/*Version").unwrap();
    let consoles = Pattern::new("console").unwrap();
    let rest = trace
        .run_again(&other().ignore(versions).ignore(consoles))
        .await
        .unwrap();
    assert_eq!(rest, []);
}

#[tokio::test]
async fn a_trace_without_its_beginning_says_so() {
    let world = World::builder().traced_last(3).start().await.unwrap();
    for _ in 0..4 {
        systems(&world, PASSWORD).await;
    }
    let trace = world.trace();
    assert_eq!(trace.entries().len(), 3);
    let cannot = trace.run_again(&Again::new()).await.unwrap_err();
    assert!(matches!(cannot, CannotRun::NoBeginning(6)), "{cannot}");
    let broken = Trace::read_lines("{\"n\":1}\n".as_bytes()).unwrap_err();
    assert!(broken.to_string().starts_with("line 1: "), "{broken}");
}

/// Which of a client's requests fail where one in five does, and the trace of it.
async fn failures(seed: u64) -> (Vec<usize>, String) {
    let world = World::builder()
        .seed(seed)
        .faults(preset("truncated-json").unwrap().rules());
    let world = world.start().await.unwrap();
    let mut failed = Vec::new();
    for n in 0..20 {
        let root = send(
            &world,
            &basic(PASSWORD),
            Method::GET,
            "/redfish/v1/Systems",
            None,
        )
        .await;
        if serde_json::from_slice::<Value>(root.body()).is_err() {
            failed.push(n);
        }
    }
    (failed, lines(&world.trace()))
}

#[tokio::test]
async fn a_failure_by_chance_comes_again_with_its_seed_alone() {
    let (failed, trace) = failures(5).await;
    assert!(!failed.is_empty() && failed.len() < 20, "{failed:?}");
    assert_eq!(failures(5).await, (failed.clone(), trace));
    assert_ne!(failures(6).await.0, failed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trace_of_sockets_and_real_time_runs_again() {
    let world = World::builder().seed(4).systems(2).start().await.unwrap();
    world.set_speed(1.0);
    world.start_running();
    let served = world.serve("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let root = format!("{}/redfish/v1", served.url());
    let get = |path: &str| {
        let request = client.get(format!("{root}{path}"));
        request.basic_auth(USER, Some(PASSWORD)).send()
    };
    let all: Value = get("/Systems").await.unwrap().json().await.unwrap();
    let system = all["Members"][0]["@odata.id"].as_str().unwrap();
    let reset = format!("{}{system}/Actions/ComputerSystem.Reset", served.url());
    let on = client.post(reset).basic_auth(USER, Some(PASSWORD));
    let on = on.json(&json!({"ResetType": "On"})).send().await.unwrap();
    assert!(on.status().is_success());
    let many = ["/", "/Systems", "/Managers", "/Chassis"].map(get);
    for got in futures::future::join_all(many).await {
        assert_eq!(got.unwrap().status(), StatusCode::OK);
    }
    served.end().await.unwrap();
    let trace = world.trace();
    assert!(
        trace
            .entries()
            .any(|entry| matches!(entry.what, What::State(_)))
    );
    let found = trace.run_again(&Again::new().all(true)).await.unwrap();
    assert_eq!(found, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_service_is_asked_the_same_with_ids_and_tokens_of_its_own() {
    let one = World::builder().seed(1).start().await.unwrap();
    let system = systems(&one, PASSWORD).await.remove(0);
    let login = json!({"UserName": USER, "Password": PASSWORD});
    let sessions = "/redfish/v1/SessionService/Sessions";
    let nobody = ("x-nothing", "at all".to_owned());
    let made = send(&one, &nobody, Method::POST, sessions, Some(login)).await;
    let token = made.headers()["x-auth-token"].to_str().unwrap().to_owned();
    let shows = ("x-auth-token", token);
    let read = send(&one, &shows, Method::GET, &system, None).await;
    assert_eq!(read.status(), StatusCode::OK);
    let session = made.headers()["location"].to_str().unwrap();
    let gone = send(&one, &shows, Method::DELETE, session, None).await;
    assert!(gone.status().is_success());
    let trace = one.trace();

    let other = World::builder().seed(2).start().await.unwrap();
    assert_ne!(systems(&other, PASSWORD).await, [system]);
    let served = other.serve("127.0.0.1:0".parse().unwrap()).await.unwrap();
    // Serial numbers and the like are others; that all is found and allowed is the same.
    let bodies = || Pattern::new("/**").unwrap();
    let there = Again::new().url(served.url()).ignore(bodies()).all(true);
    assert_eq!(trace.run_again(&there).await.unwrap(), []);
    other
        .set_fault(preset("session-table-full").unwrap().rules().remove(0))
        .unwrap();
    let there = Again::new().url(served.url()).ignore(bodies());
    let found = trace.run_again(&there).await.unwrap();
    assert_eq!(
        (found[0].place.as_str(), &found[0].is),
        ("status", &Some(json!(503)))
    );
    served.end().await.unwrap();
}

/// Runs the program to its end: its exit code and what it said.
fn program(arguments: &[&str]) -> (Option<i32>, String) {
    let done = Command::new(PROGRAM).args(arguments).output().unwrap();
    let said = [done.stdout, done.stderr].concat();
    (done.status.code(), String::from_utf8(said).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_program_leaves_a_trace_and_one_that_ends_a_report() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let toml = |version: &str| toml::to_string(&firmware(version)).unwrap();
    std::fs::write(at("one.toml"), toml("1.0")).unwrap();
    std::fs::write(at("two.toml"), toml("2.0")).unwrap();
    for signal in ["-KILL", "-TERM"] {
        let (trace, report) = (at(&format!("trace{signal}.jsonl")), at("report.json"));
        let mut child = Command::new(PROGRAM)
            .args([
                "serve",
                "--listen",
                "127.0.0.1:0",
                "--world",
                &at("one.toml"),
            ])
            .args([
                "--trace",
                &trace,
                "--report",
                &report,
                "--junit",
                &at("junit.xml"),
            ])
            .args(["--fail-on", "leaks,deprecated"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let first = BufReader::new(child.stdout.as_mut().unwrap())
            .lines()
            .next();
        let url = first.unwrap().unwrap();
        let url = url.split_whitespace().nth(1).unwrap().to_owned();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let login = json!({"UserName": USER, "Password": "correct horse"});
        let sessions = format!("{url}SessionService/Sessions");
        let made = client.post(sessions).json(&login).send().await.unwrap();
        assert_eq!(made.status(), StatusCode::CREATED);
        let read = client
            .get(format!("{url}Systems?$expand=."))
            .basic_auth(USER, Some("correct horse"));
        let read = read.send().await.unwrap();
        drop(read.bytes().await.unwrap());
        let id = child.id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &id])
                .status()
                .unwrap()
                .success()
        );
        let code = child.wait().unwrap().code();
        let mut said = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut said)
            .unwrap();
        if signal == "-TERM" {
            assert_eq!(code, Some(3), "{said}");
            assert!(
                said.contains("sessions: session 1 of admin is open"),
                "{said}"
            );
            let report = std::fs::read_to_string(&report).unwrap();
            let report: Value = serde_json::from_str(&report).unwrap();
            assert_eq!(report["sessions"][0]["user"], USER);
            let junit = std::fs::read_to_string(at("junit.xml")).unwrap();
            let junit = roxmltree::Document::parse(&junit).unwrap();
            let failed = junit
                .descendants()
                .filter(|node| node.has_tag_name("failure"));
            assert_eq!(failed.count(), 1);
        }
        let read = Trace::read(&trace).unwrap();
        let answers = read
            .entries()
            .filter(|entry| matches!(entry.what, What::Response(_)));
        assert_eq!(answers.count(), 2);
        let (code, said) = program(&["replay", &trace]);
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("no difference"), "{said}");
        let (code, said) = program(&["replay", &trace, "--world", &at("two.toml")]);
        assert_eq!(code, Some(1), "{said}");
        assert!(
            said.contains("/BiosVersion\n  was \"1.0\"\n  is  \"2.0\""),
            "{said}"
        );
    }
}

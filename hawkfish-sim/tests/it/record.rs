//! Recording: a polite walk, the capture on disk, and that nothing of the source is left in it.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse as _;
use hawkfish_client::Client;
use hawkfish_sim::capture::{Capture, Content, Finding, Flaw};
use hawkfish_sim::fault::preset;
use hawkfish_sim::record::anonymise::{self, anonymise};
use hawkfish_sim::record::{Journal, Options, walk};
use hawkfish_sim::trace::What;
use hawkfish_sim::{Bmc, PASSWORD, USER, World};
use http::{Method, StatusCode};
use jiff::SignedDuration;
use serde_json::{Value, json};

use hawkfish_testing::part;

mod captures;
mod secrets;

fn session(world: &World) -> Client {
    Client::builder("http://bmc.sim")
        .session(USER, PASSWORD)
        .retry(hawkfish_client::Retry::none())
        .service::<Bmc, Body>(world.bmc())
        .build()
        .unwrap()
}

fn methods(world: &World) -> BTreeMap<String, usize> {
    let mut methods = BTreeMap::new();
    for entry in world.trace().entries() {
        if let What::Request(request) = &entry.what {
            *methods.entry(request.method.to_string()).or_default() += 1;
        }
    }
    methods
}

fn read_uris(world: &World) -> Vec<String> {
    let trace = world.trace();
    let read = trace.entries().filter_map(|entry| match &entry.what {
        What::Request(request) if request.method == Method::GET => {
            Some(request.uri.trim_end_matches('/').to_owned())
        }
        _ => None,
    });
    read.collect()
}

/// All references of a document, found without the code under test.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value.as_str().filter(|_| name == "@odata.id") {
                    Some(to) => {
                        let plain = to.split('#').next().unwrap_or_default();
                        found.insert(plain.trim_end_matches('/').to_owned());
                    }
                    None => references(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

fn dangling(capture: &Capture) -> Vec<Finding> {
    let mut all = capture.check();
    all.retain(|finding| matches!(finding.what, Flaw::Dangling(_) | Flaw::NoSuchPart(_)));
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_walk_reads_every_document_one_at_a_time_and_leaves_no_session() {
    let world = World::builder().seed(5).systems(2).start().await.unwrap();
    let served = world.serve("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let client = Client::builder(served.url()).session(USER, PASSWORD);
    let client = client.build().unwrap();
    let capture = walk(&client, &Options::default(), &mut Journal::none(), |_| {}).await;
    let capture = capture.unwrap();
    client.logout().await.unwrap();

    assert_eq!(dangling(&capture), [], "{:?}", capture.unread);
    // What a walk by hand finds is all there.
    let own = world.client().unwrap();
    let mut known: BTreeSet<String> = ["/redfish/v1".to_owned()].into();
    let mut open: Vec<String> = known.iter().cloned().collect();
    while let Some(uri) = open.pop() {
        // What the recorder itself left behind: its session is gone, and the log tells so.
        if uri.contains("/Audit/Entries/") {
            continue;
        }
        let Ok(read) = own.get_value(&uri).await else {
            assert!(uri.contains("/Sessions/"), "{uri}");
            continue;
        };
        assert!(capture.get(&uri).is_some(), "{uri} is missing");
        let mut found = BTreeSet::new();
        references(&read.value, &mut found);
        open.extend(found.into_iter().filter(|uri| known.insert(uri.clone())));
    }
    assert!(known.len() > 100, "{}", known.len());
    for uri in ["/redfish", "/redfish/v1/odata", "/redfish/v1/$metadata"] {
        assert!(capture.get(uri).is_some(), "{uri}");
    }
    assert!(
        capture
            .documents
            .values()
            .any(|d| d.headers.contains_key("etag"))
    );
    assert_eq!(
        capture
            .source
            .recorded_by
            .as_deref()
            .map(|by| by.starts_with("hawkfish-sim ")),
        Some(true)
    );

    served.end().await.unwrap();
}

#[tokio::test]
async fn a_walk_is_polite() {
    let world = World::builder().seed(5).start().await.unwrap();
    for rule in preset("busy-now-and-then").unwrap().rules() {
        world.set_fault(rule).unwrap();
    }
    let slept = world.clone();
    let options = Options {
        gap: Duration::from_millis(50),
        sleep: Arc::new(move |how_long| {
            let world = slept.clone();
            Box::pin(async move {
                let by = SignedDuration::try_from(how_long).unwrap();
                world.advance(by).await.unwrap();
            })
        }),
        ..Options::default()
    };
    let client = session(&world);
    let capture = walk(&client, &options, &mut Journal::none(), |_| {})
        .await
        .unwrap();
    // The fault meets this, too; then the session ends by itself.
    let _ = client.logout().await;
    assert!(world.fired("busy-now-and-then").unwrap() > 5);
    let busy: Vec<_> = capture
        .unread
        .iter()
        .filter(|one| one.why.contains("busy"))
        .collect();
    assert!(busy.is_empty(), "{busy:?}");

    let mut under_way = 0_usize;
    let mut not_before = None;
    let mut last = None;
    for entry in world.trace().entries() {
        match &entry.what {
            What::Request(request) => {
                under_way += 1;
                assert_eq!(under_way, 1, "two at a time at {}", request.uri);
                assert!(
                    not_before.is_none_or(|then| entry.at >= then),
                    "{} came too early",
                    request.uri
                );
                not_before = None;
                if let Some(last) = last
                    && request.method == Method::GET
                    && request.uri != "/redfish/v1/"
                {
                    let gap = entry.at.duration_since(last);
                    assert!(
                        gap >= SignedDuration::from_millis(50),
                        "{}: {gap}",
                        request.uri
                    );
                }
                last = Some(entry.at);
            }
            What::Response(response) => {
                under_way -= 1;
                if response.status == StatusCode::SERVICE_UNAVAILABLE {
                    not_before = Some(entry.at + SignedDuration::from_secs(2));
                }
            }
            _ => {}
        }
    }
}

#[tokio::test]
async fn nothing_but_get_is_sent_besides_the_session_which_is_deleted() {
    let world = World::builder().seed(6).start().await.unwrap();
    let client = session(&world);
    walk(&client, &Options::default(), &mut Journal::none(), |_| {})
        .await
        .unwrap();
    client.logout().await.unwrap();
    let methods = methods(&world);
    let others: BTreeMap<_, _> = methods
        .iter()
        .filter(|(method, _)| *method != "GET")
        .collect();
    assert_eq!(
        others,
        BTreeMap::from([(&"POST".to_owned(), &1), (&"DELETE".to_owned(), &1)])
    );
    // Each once.
    let read = read_uris(&world);
    let roots = read.iter().filter(|uri| *uri == "/redfish/v1").count();
    let distinct: BTreeSet<_> = read.iter().collect();
    assert_eq!(read.len() - roots, distinct.len() - 1);
    let sessions = world
        .client()
        .unwrap()
        .get_value("/redfish/v1/SessionService/Sessions")
        .await;
    assert_eq!(sessions.unwrap().value["Members@odata.count"], 0);
}

#[tokio::test]
async fn a_walk_that_broke_off_goes_on_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("bmc.part");
    let world = World::builder().seed(7).start().await.unwrap();
    let client = session(&world);
    let mut journal = Journal::begin(&file, &client.origin()).unwrap();
    let (enough, stop) = tokio::sync::oneshot::channel();
    let mut enough = Some(enough);
    let options = Options::default();
    tokio::select! {
        biased;
        _ = stop => {}
        _ = walk(&client, &options, &mut journal, |progress| {
            if progress.read == 40
                && let Some(enough) = enough.take()
            {
                enough.send(()).unwrap();
            }
        }) => panic!("it was to be stopped"),
    }
    drop(journal);
    client.logout().await.unwrap();
    // It may end in the middle of a line.
    let mut text = std::fs::read_to_string(&file).unwrap();
    text.push_str("{\"uri\": \"/redfish/v1/Sys");
    std::fs::write(&file, text).unwrap();

    let before: BTreeSet<String> = read_uris(&world).into_iter().collect();
    let (asked, entries) = (read_uris(&world).len(), before.len());
    assert!(entries >= 40);
    assert!(Journal::resume(&file, "https://elsewhere").is_err());
    assert!(
        Journal::begin(&file, &client.origin()).is_err(),
        "it is not overwritten"
    );
    let mut journal = Journal::resume(&file, &client.origin()).unwrap();
    assert!(journal.len() >= 40);
    let client = session(&world);
    let resumed = walk(&client, &options, &mut journal, |_| {}).await.unwrap();
    client.logout().await.unwrap();
    let again: BTreeSet<String> = read_uris(&world).split_off(asked).into_iter().collect();
    let twice: Vec<_> = before.intersection(&again).collect();
    // The log-in reads the root, and one answer may have been on its way.
    assert!(twice.len() <= 2, "{twice:?}");

    let client = session(&world);
    let whole = walk(&client, &options, &mut Journal::none(), |_| {})
        .await
        .unwrap();
    client.logout().await.unwrap();
    let uris = |capture: &Capture| -> BTreeSet<String> {
        let all = capture.documents.keys().cloned();
        all.filter(|uri| !uri.contains("/Sessions/") && !uri.contains("/Entries/"))
            .collect()
    };
    assert_eq!(uris(&resumed), uris(&whole));
}

#[tokio::test]
async fn what_cannot_be_read_and_what_is_not_wanted_is_noted() {
    let tree = json!({
        "/redfish/v1": {"@odata.id": "/redfish/v1/", "A": {"@odata.id": "/redfish/v1/A"}, "B": {"@odata.id": "/redfish/v1/B"},
            "C": {"@odata.id": "https://elsewhere.example/redfish/v1"}, "L": {"@odata.id": "/redfish/v1/L"}},
        "/redfish/v1/A": {"@odata.id": "/redfish/v1/A", "Next": {"@odata.id": "/redfish/v1/A/gone"},
            "Actions": {"#A.Reset": {"target": "/redfish/v1/A/Actions/A.Reset"}}},
        "/redfish/v1/L": {"@odata.id": "/redfish/v1/L", "@odata.type": "#LogEntryCollection.LogEntryCollection",
            "Members": [{"@odata.id": "/redfish/v1/L/1"}, {"@odata.id": "/redfish/v1/L/2"}, {"@odata.id": "/redfish/v1/L/3"}],
            "Members@odata.nextLink": "/redfish/v1/L?$skip=3"},
        "/redfish/v1/L/1": {"@odata.id": "/redfish/v1/L/1"},
        "/redfish/v1/L/2": {"@odata.id": "/redfish/v1/L/2"},
    });
    let documents = tree.as_object().unwrap().clone();
    let client = statically(&Capture::from_documents(documents));
    let options = Options {
        log_entries: 2,
        exclude: vec![
            globset::Glob::new("/redfish/v1/B")
                .unwrap()
                .compile_matcher(),
        ],
        sleep: Arc::new(|_| Box::pin(async {})),
        ..Options::default()
    };
    let capture = walk(&client, &options, &mut Journal::none(), |_| {})
        .await
        .unwrap();
    let read: Vec<_> = capture.documents.keys().map(String::as_str).collect();
    assert_eq!(
        read,
        [
            "/redfish/v1",
            "/redfish/v1/A",
            "/redfish/v1/L",
            "/redfish/v1/L/1",
            "/redfish/v1/L/2"
        ]
    );
    let unread: BTreeMap<_, _> = capture
        .unread
        .iter()
        .map(|one| (one.uri.as_str(), (one.status, one.why.as_str())))
        .collect();
    assert_eq!(unread["/redfish/v1/A/gone"], (Some(404), "not there"));
    assert_eq!(unread["/redfish/v1/B"], (None, "not wanted"));
    assert_eq!(unread["/redfish/v1/L/3"].0, None);
    assert_eq!(unread["/redfish/v1/L?$skip=3"].0, None);
    assert!(
        !unread
            .keys()
            .any(|uri| uri.contains("Actions") || uri.contains("elsewhere"))
    );
}

/// A service that answers what stands in a capture, and nothing else.
fn statically(capture: &Capture) -> Client {
    let documents = Arc::new(capture.documents.clone());
    let router = Router::new().fallback(move |request: axum::extract::Request| {
        let documents = documents.clone();
        async move {
            let uri = request
                .uri()
                .path_and_query()
                .map_or("", |all| all.as_str());
            let path = uri.trim_end_matches('/');
            // Some services do not tell capital letters from small ones, and name themselves in either.
            let document = documents.get(path).or_else(|| {
                let mut all = documents.iter();
                Some(all.find(|(uri, _)| uri.eq_ignore_ascii_case(path))?.1)
            });
            match document.map(|document| &document.content) {
                Some(Content::Json(value)) => axum::Json(value.clone()).into_response(),
                Some(Content::Bytes {
                    bytes,
                    content_type,
                }) => (
                    [(http::header::CONTENT_TYPE, content_type.clone())],
                    bytes.clone(),
                )
                    .into_response(),
                None => StatusCode::NOT_FOUND.into_response(),
            }
        }
    });
    Client::builder("http://bmc.static")
        .service::<Router, Body>(router)
        .build()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_program_records_and_checks() {
    const PROGRAM: &str = env!("CARGO_BIN_EXE_hawkfish-sim");
    let world = World::builder().seed(8).start().await.unwrap();
    let served = world.serve("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("bmc");
    let record = || {
        let mut record = Command::new(PROGRAM);
        record
            .args([
                "record",
                &served.url(),
                "--rate",
                "100000",
                "--user",
                USER,
                "--out",
            ])
            .arg(&out);
        record.args(["--exclude", "/redfish/v1/{JsonSchemas,Schemas}/**"]);
        record.env("HAWKFISH_PASSWORD", PASSWORD);
        record
    };
    let done = record().output().unwrap();
    let said = String::from_utf8([done.stdout, done.stderr].concat()).unwrap();
    assert!(
        done.status.success() && said.contains("anonymised  yes"),
        "{said}"
    );
    assert!(!dir.path().join("bmc.part").exists());
    let capture = Capture::read(&out).unwrap();
    assert_eq!(capture.source.is_anonymised, Some(true));
    let system = capture
        .documents
        .values()
        .find(|d| d.kind() == Some("ComputerSystem"))
        .unwrap();
    let serial = system.value().unwrap()["SerialNumber"].as_str().unwrap();
    let own = world.client().unwrap();
    let systems = own.get_value("/redfish/v1/Systems").await.unwrap();
    let first = systems.value["Members"][0]["@odata.id"].as_str().unwrap();
    let first = own.get_value(first).await.unwrap();
    assert_ne!(first.value["SerialNumber"], serial);
    let sessions = own
        .get_value("/redfish/v1/SessionService/Sessions")
        .await
        .unwrap();
    assert_eq!(sessions.value["Members@odata.count"], 0);

    let again = record().output().unwrap();
    assert!(!again.status.success(), "what is there is not overwritten");
    let check = Command::new(PROGRAM)
        .args(["capture", "check"])
        .arg(&out)
        .output()
        .unwrap();
    let said = String::from_utf8(check.stdout).unwrap();
    assert!(
        said.contains("anonymised  yes") && said.contains("power"),
        "{said}"
    );
    let wrong = record()
        .env("HAWKFISH_PASSWORD", "wrong")
        .arg("--resume")
        .output()
        .unwrap();
    assert!(!wrong.status.success());
    served.end().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_program_ends_its_session_when_it_is_interrupted_and_goes_on_later() {
    const PROGRAM: &str = env!("CARGO_BIN_EXE_hawkfish-sim");
    let world = World::builder().seed(10).start().await.unwrap();
    let served = world.serve("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("bmc");
    let record = |rate: &str| {
        let mut record = Command::new(PROGRAM);
        record.args([
            "record",
            &served.url(),
            "--user",
            USER,
            "--rate",
            rate,
            "--out",
        ]);
        record.arg(&out).env("HAWKFISH_PASSWORD", PASSWORD);
        record
    };
    let mut slow = record("5").spawn().unwrap();
    // The root of the log-in, and some more.
    while read_uris(&world).len() < 4 {
        assert_eq!(slow.try_wait().unwrap(), None);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let interrupt = Command::new("kill")
        .args(["-INT", &slow.id().to_string()])
        .status();
    assert!(interrupt.unwrap().success());
    assert!(!slow.wait().unwrap().success());
    assert_eq!(methods(&world)["DELETE"], 1);
    let sessions = "/redfish/v1/SessionService/Sessions";
    let sessions = world.client().unwrap().get_value(sessions).await.unwrap();
    assert_eq!(sessions.value["Members@odata.count"], 0);
    assert!(!out.exists());

    let again = record("100000").output().unwrap();
    let said = String::from_utf8(again.stderr).unwrap();
    assert!(
        !again.status.success() && said.contains("--resume"),
        "{said}"
    );
    let resumed = record("100000").arg("--resume").output().unwrap();
    let said = String::from_utf8([resumed.stdout, resumed.stderr].concat()).unwrap();
    assert!(
        resumed.status.success() && said.contains("of them before"),
        "{said}"
    );
    assert_eq!(dangling(&Capture::read(&out).unwrap()), []);
    served.end().await.unwrap();
}

/// What the service validator finds wrong with a world, and how much it finds right.
async fn validated(world: &World, python: &std::path::Path) -> (BTreeSet<String>, usize) {
    let served = world.serve("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let (schemas, reports) = (dir.path().join("schemas"), dir.path().join("reports"));
    std::fs::create_dir(&schemas).unwrap();
    for entry in std::fs::read_dir(nv_redfish_schema::REDFISH_CSDL_DIR).unwrap() {
        let entry = entry.unwrap();
        std::os::unix::fs::symlink(entry.path(), schemas.join(entry.file_name())).unwrap();
    }
    for (name, text) in hawkfish_redfish::metadata::schema_files() {
        std::fs::write(schemas.join(name), text).unwrap();
    }
    let mut validator = Command::new(python.with_file_name("rf_service_validator"));
    validator
        .args([
            "--config",
            "/nonexistent",
            "--skipschema",
            "--authtype",
            "Basic",
        ])
        .args([
            "--rhost",
            &served.url(),
            "--user",
            USER,
            "--password",
            PASSWORD,
        ])
        .arg("--schema_directory")
        .arg(&schemas)
        .arg("--logdir")
        .arg(&reports);
    let done = validator.output().unwrap();
    served.end().await.unwrap();
    let runs = std::fs::read_dir(&reports).unwrap();
    let files = runs.flat_map(|run| std::fs::read_dir(run.unwrap().path()).unwrap());
    let logs = files.map(|file| file.unwrap().path());
    let logs = logs.filter(|file| file.extension().is_some_and(|end| end == "log"));
    let log: String = logs
        .map(|log| std::fs::read_to_string(log).unwrap())
        .collect();
    let told = |mark: &str| {
        log.lines()
            .filter_map(|line| Some(line.split_once(mark)?.1.to_owned()))
            .collect::<Vec<_>>()
    };
    let passes = told(" - PASS - ").len();
    assert!(passes > 0, "{}", String::from_utf8_lossy(&done.stdout));
    (told(" - FAIL - ").into_iter().collect(), passes)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_validator_says_the_same_of_a_source_and_of_what_was_recorded_and_replayed() {
    let Some(python) = part::python() else {
        return;
    };
    let source = World::builder().seed(9).start().await.unwrap();
    let client = session(&source);
    let capture = walk(&client, &Options::default(), &mut Journal::none(), |_| {})
        .await
        .unwrap();
    client.logout().await.unwrap();
    let capture = anonymise(&capture, &[5; 32], anonymise::Options::default()).unwrap();
    let (fails, passes) = validated(&source, &python).await;
    assert_eq!(fails, BTreeSet::new());
    let replayed = World::builder()
        .seed(9)
        .capture(capture)
        .start()
        .await
        .unwrap();
    let (fails, again) = validated(&replayed, &python).await;
    assert_eq!(fails, BTreeSet::new());
    assert!(again * 10 > passes * 9, "{again} of {passes}");
}

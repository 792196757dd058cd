//! Recording: a polite walk, the capture on disk, and that nothing of the source is left in it.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse as _;
use hawkfish_client::Client;
use hawkfish_sim::capture::{Capture, Content, Document, Error, Finding, Flaw};
use hawkfish_sim::fault::preset;
use hawkfish_sim::record::anonymise::{self, anonymise};
use hawkfish_sim::record::{Journal, Options, walk};
use hawkfish_sim::trace::What;
use hawkfish_sim::{Bmc, PASSWORD, USER, World};
use http::{Method, StatusCode};
use jiff::SignedDuration;
use proptest::prelude::*;
use regex_lite::Regex;
use serde_json::{Value, json};

use crate::part;

fn session(world: &World) -> Client {
    Client::builder("http://bmc.sim")
        .session(USER, PASSWORD)
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
                if request.method == Method::GET && request.uri != "/redfish/v1/" && last.is_some()
                {
                    let gap = entry.at.duration_since(last.unwrap());
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

#[test]
fn a_capture_is_read_as_it_was_written_also_from_an_archive_and_in_the_short_form() {
    let mut capture = Capture::from_documents([
        (
            "/redfish/v1/",
            json!({"@odata.id": "/redfish/v1/", "Vendor": "ACME", "Load": 15.753846153846155}),
        ),
        (
            "/redfish/v1/Systems?$skip=50",
            json!({"@odata.id": "/redfish/v1/Systems"}),
        ),
        ("/redfish/v1/Systems/a b/../c", json!({"Id": "odd"})),
        ("/redfish/v1/Systems/index.json", json!({"Id": "taken"})),
    ]);
    let metadata = Document::bytes("<x/>", "application/xml");
    capture
        .documents
        .insert("/redfish/v1/$metadata".to_owned(), metadata);
    let root = capture.documents.get_mut("/redfish/v1").unwrap();
    root.headers.insert("etag".to_owned(), "\"1\"".to_owned());
    assert_eq!(capture.source.vendor.as_deref(), Some("ACME"));
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    capture.write(&out).unwrap();
    assert_eq!(Capture::read(&out).unwrap(), capture);
    assert!(out.join("redfish/v1/$metadata/index.xml").is_file());
    assert!(matches!(capture.write(&out), Err(Error::NotEmpty(_))));

    for (flag, name) in [
        ("-cf", "out.tar"),
        ("-czf", "out.tar.gz"),
        ("-cJf", "out.tar.xz"),
    ] {
        let tar = Command::new("tar")
            .args([flag, name, "out"])
            .current_dir(dir.path())
            .status();
        assert!(tar.unwrap().success());
        assert_eq!(
            Capture::read(dir.path().join(name)).unwrap(),
            capture,
            "{name}"
        );
    }
    let short = Capture::read(out.join("redfish/v1")).unwrap();
    assert_eq!(
        short.documents["/redfish/v1"],
        capture.documents["/redfish/v1"]
    );
}

#[test]
fn nothing_outside_of_the_folder_is_read_and_what_is_broken_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let (tree, outside) = (dir.path().join("tree"), dir.path().join("secret.json"));
    std::fs::create_dir_all(tree.join("redfish/v1/Broken")).unwrap();
    std::fs::create_dir_all(tree.join("redfish/v1/Link")).unwrap();
    std::fs::write(&outside, "{\"secret\": true}").unwrap();
    std::fs::write(
        tree.join("redfish/v1/index.json"),
        "{\"@odata.id\": \"/redfish/v1\", \"A\": {\"@odata.id\": \"/redfish/v1/None\"}}",
    )
    .unwrap();
    std::fs::write(tree.join("redfish/v1/Broken/index.json"), "{\"a\": ").unwrap();
    std::os::unix::fs::symlink(&outside, tree.join("redfish/v1/Link/index.json")).unwrap();
    std::os::unix::fs::symlink(dir.path(), tree.join("redfish/v1/Up")).unwrap();
    let capture = Capture::read(&tree).unwrap();
    let read: Vec<_> = capture.documents.keys().map(String::as_str).collect();
    assert_eq!(read, ["/redfish/v1", "/redfish/v1/Broken"]);
    let findings = capture.check();
    let has = |is: fn(&Flaw) -> bool| findings.iter().filter(|finding| is(&finding.what)).count();
    assert_eq!(
        has(|flaw| matches!(flaw, Flaw::LeftOut(_))),
        2,
        "{findings:?}"
    );
    assert_eq!(has(|flaw| matches!(flaw, Flaw::BrokenJson(_))), 1);
    assert_eq!(has(|flaw| matches!(flaw, Flaw::Dangling(_))), 1);

    // A name in an archive that leads out of it.
    let tar = Command::new("tar")
        .args([
            "-cPf",
            "evil.tar",
            "--transform",
            "s,^evil,../../evil,",
            "tree/redfish/v1/index.json",
            "evil",
        ])
        .current_dir({
            std::fs::write(dir.path().join("evil"), "{}").unwrap();
            dir.path()
        })
        .status();
    assert!(tar.unwrap().success());
    let evil = Capture::read(dir.path().join("evil.tar")).unwrap();
    assert_eq!(evil.documents.len(), 1);
    assert_eq!(evil.findings.len(), 1, "{:?}", evil.findings);
    assert!(Capture::read(dir.path().join("secret.json")).is_err());
}

/// A machine as it is drawn by lot.
#[derive(Clone, Debug)]
struct Lot {
    serial: String,
    mac: [u8; 6],
    uuid: [u8; 16],
    address: [u8; 4],
    host: String,
    user: String,
    tag: String,
}

impl Lot {
    fn mac(&self) -> String {
        self.mac.map(|byte| format!("{byte:02X}")).join(":")
    }

    fn uuid(&self) -> String {
        let text = self.uuid.map(|byte| format!("{byte:02x}")).concat();
        [
            &text[..8],
            &text[8..12],
            &text[12..16],
            &text[16..20],
            &text[20..],
        ]
        .join("-")
    }

    fn address(&self) -> String {
        self.address.map(|byte| byte.to_string()).join(".")
    }

    fn secrets(&self) -> Vec<String> {
        let bare = self.mac().replace(':', "");
        vec![
            self.serial.clone(),
            self.mac(),
            bare,
            self.uuid(),
            self.uuid().replace('-', ""),
            self.address(),
            self.host.clone(),
            self.user.clone(),
            self.tag.clone(),
        ]
    }
}

fn lot() -> impl Strategy<Value = Lot> {
    let parts = (
        "[A-Z]{2}[0-9]{3}[A-Z0-9]{3,6}",
        any::<[u8; 6]>(),
        any::<[u8; 16]>(),
        (1..=254_u8, 0..=255_u8, 1..=254_u8),
        "[a-z]{4}[0-9]{2}-[a-z]{3}",
        "[a-z]{5}_[0-9]{4}",
        "Hall [0-9]{5} [A-Z]{4}",
    );
    parts.prop_map(|(serial, mut mac, uuid, (b, c, d), host, user, tag)| {
        mac[0] = 0x50;
        Lot {
            serial,
            mac,
            uuid,
            address: [10, b, c, d],
            host: format!("{host}.corp.lan"),
            user,
            tag,
        }
    })
}

fn tree(lots: &[Lot]) -> Capture {
    let mut documents = vec![(
        "/redfish/v1".to_owned(),
        json!({"@odata.id": "/redfish/v1", "Systems": {"@odata.id": "/redfish/v1/Systems"}}),
    )];
    let mut members = Vec::new();
    for (number, lot) in lots.iter().enumerate() {
        // The serial number and the MAC stand in URIs, as they do with some.
        let uri = format!("/redfish/v1/Systems/{}-{number}", lot.serial);
        let port = format!(
            "{uri}/Ports/{}",
            lot.mac().replace(':', "").to_ascii_lowercase()
        );
        members.push(json!({"@odata.id": uri}));
        documents.push((uri.clone(), json!({
            "@odata.id": uri, "@odata.type": "#ComputerSystem.v1_20_0.ComputerSystem", "SerialNumber": lot.serial, "UUID": lot.uuid(),
            "HostName": lot.host, "AssetTag": lot.tag, "Port": {"@odata.id": port}, "Other": lot.uuid().replace('-', ""),
            "Description": format!("{} at {} ({}), {} in {}", lot.serial, lot.mac().to_lowercase(), lot.address(), lot.host.to_uppercase(), lot.tag),
        })));
        documents.push((port.clone(), json!({
            "@odata.id": port, "MACAddress": lot.mac(), "Address": lot.address(), "UserName": lot.user,
            "Message": format!("ILO{}: login of {} from {}, urn:uuid:{}.", lot.serial, lot.user, lot.address(), lot.uuid()),
        })));
    }
    documents.push((
        "/redfish/v1/Systems".to_owned(),
        json!({"@odata.id": "/redfish/v1/Systems", "Members": members}),
    ));
    Capture::from_documents(documents)
}

/// The texts of a document in their order.
fn texts(value: &Value, all: &mut Vec<String>) {
    match value {
        Value::String(text) => all.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| texts(item, all)),
        Value::Object(members) => members.values().for_each(|item| texts(item, all)),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_secret_survives_what_was_equal_stays_equal_and_links_hold(lots in proptest::collection::vec(lot(), 1..5), key in any::<[u8; 32]>()) {
        let capture = tree(&lots);
        let new = anonymise(&capture, &key, anonymise::Options::default()).unwrap();
        prop_assert_eq!(&new, &anonymise(&capture, &key, anonymise::Options::default()).unwrap());
        for (file, bytes) in new.files() {
            let text = format!("{file}\n{}", String::from_utf8(bytes).unwrap()).to_lowercase();
            for secret in lots.iter().flat_map(Lot::secrets) {
                prop_assert!(!text.contains(&secret.to_lowercase()), "{} in {}:\n{}", secret, file, text);
            }
        }
        prop_assert_eq!(dangling(&new), []);
        prop_assert_eq!(new.documents.len(), capture.documents.len());
        // In the source a document is found by what its collection calls it; so it is here.
        let order = |capture: &Capture| {
            let root = capture.get("/redfish/v1/Systems").unwrap().value().unwrap()["Members"].clone();
            let mut all = Vec::new();
            for member in root.as_array().unwrap() {
                let system = capture.get(member["@odata.id"].as_str().unwrap()).unwrap().value().unwrap();
                texts(system, &mut all);
                texts(capture.get(system["Port"]["@odata.id"].as_str().unwrap()).unwrap().value().unwrap(), &mut all);
            }
            all
        };
        let (old, new) = (order(&capture), order(&new));
        prop_assert_eq!(old.len(), new.len());
        for (a, b) in old.iter().zip(&new) {
            prop_assert_eq!(a.len() == b.len() || a.contains('.'), true, "{} {}", a, b);
            for (c, d) in old.iter().zip(&new) {
                prop_assert_eq!(a == c, b == d, "{} {} {} {}", a, b, c, d);
            }
        }
    }
}

#[test]
fn certificates_and_keys_are_others_passwords_are_gone_and_names_can_be_kept() {
    let made = rcgen::generate_simple_self_signed(["bmc7.corp.example".to_owned()]).unwrap();
    let pem = made.cert.pem();
    let ssh = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAQQDLT7F0X9D5RbmmxvdoTzPMBCE94b6uycXbF0X9D5RbmmxvdoTzPMBCE94b6uyc comment";
    let capture = Capture::from_documents([(
        "/redfish/v1/C",
        json!({"CertificateString": pem, "SSHHostKey": ssh, "Password": "calvin17", "HostName": "rack12-bmc", "SerialNumber": "CN1234567",
            "Email": "jane.doe@corp.example.org", "FirmwareVersion": "21.80.16.95", "Netmask": "255.255.255.192", "UserName": "root"}),
    )]);
    let new = anonymise(&capture, &[1; 32], anonymise::Options::default()).unwrap();
    let value = new.get("/redfish/v1/C").unwrap().value().unwrap();
    let other = value["CertificateString"].as_str().unwrap();
    assert_ne!(other, pem);
    assert!(other.starts_with("-----BEGIN CERTIFICATE-----"));
    hawkfish_client::Client::builder("https://a.example")
        .ca_pem(other)
        .build()
        .unwrap();
    let key = value["SSHHostKey"].as_str().unwrap();
    assert!(
        key.starts_with("ssh-rsa AAAAB3NzaC1yc2E") && key != ssh,
        "{key}"
    );
    assert_eq!(value["Password"], Value::Null);
    assert_eq!(value["UserName"], "root");
    assert_eq!(value["FirmwareVersion"], "21.80.16.95");
    assert_eq!(value["Netmask"], "255.255.255.192");
    assert_ne!(value["HostName"], "rack12-bmc");
    let options = anonymise::Options { keep_names: true };
    let kept = anonymise(&capture, &[1; 32], options).unwrap();
    let value = kept.get("/redfish/v1/C").unwrap().value().unwrap();
    assert_eq!(value["HostName"], "rack12-bmc");
    assert_ne!(value["SerialNumber"], "CN1234567");
}

/// What a regular expression finds in all documents that are no schemas and no registries.
fn collected(capture: &Capture, pattern: &str) -> BTreeSet<String> {
    let pattern = Regex::new(pattern).unwrap();
    let words = Regex::new("(?i)/(JsonSchemas|Schemas|SchemaStore|Registr)").unwrap();
    let documents = capture
        .documents
        .iter()
        .filter(|(uri, _)| !words.is_match(uri));
    let mut all = BTreeSet::new();
    for value in documents.filter_map(|(_, document)| document.value()) {
        let text = serde_json::to_string(value).unwrap();
        for found in pattern.captures_iter(&text) {
            all.insert(found.get(1).unwrap().as_str().trim().to_lowercase());
        }
    }
    all
}

async fn of_a_real_bmc(name: &str, most_missing: usize) {
    let Some(dir) = part::variable("HAWKFISH_CAPTURES_DIR") else {
        return;
    };
    let source = Capture::read(std::path::Path::new(&dir).join(name)).unwrap();
    let options = Options {
        log_entries: usize::MAX,
        sleep: Arc::new(|_| Box::pin(async {})),
        ..Options::default()
    };
    let client = statically(&source);
    let recorded = walk(&client, &options, &mut Journal::none(), |_| {})
        .await
        .unwrap();
    let plain = |uri: &String| uri.to_ascii_lowercase();
    let read: BTreeSet<String> = recorded.documents.keys().map(plain).collect();
    let there: BTreeSet<String> = source.documents.keys().map(plain).collect();
    let missing: Vec<_> = there.difference(&read).collect();
    assert!(
        missing.len() <= most_missing,
        "{} of {}: {missing:?}",
        missing.len(),
        there.len()
    );
    assert_eq!(read.difference(&there).count(), 0);
    for (uri, document) in &recorded.documents {
        if let Some(known) = source.documents.get(uri) {
            assert_eq!(known.content, document.content, "{uri}");
        }
    }
    let new = anonymise(&recorded, &[9; 32], anonymise::Options::default()).unwrap();
    assert_eq!(new.documents.len(), recorded.documents.len());
    assert_eq!(dangling(&new).len(), dangling(&recorded).len());

    let mut secrets = collected(&source, r#"\b((?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2})\b"#);
    secrets.retain(|mac| {
        !mac.split(':').all(|byte| byte == "00") && !mac.split(':').all(|byte| byte == "ff")
    });
    let macs = secrets.len();
    secrets.extend(secrets.clone().iter().map(|mac| mac.replace(':', "")));
    secrets.extend(collected(
        &source,
        r#""(?:UUID|smbiosGUID|PlatformGUID)":"([0-9A-Fa-f-]{36})""#,
    ));
    secrets.extend(
        collected(
            &source,
            r#"\b((?:192\.168|10|172\.16)(?:\.\d{1,3}){2,3})\b"#,
        )
        .into_iter()
        .filter(|it| it.matches('.').count() == 3),
    );
    secrets.extend(collected(
        &source,
        r#""[A-Za-z.0-9]*(?:SerialNumber|ServiceTag)":"([^"]{7,})""#,
    ));
    assert!(macs > 5 && secrets.len() > 40, "{macs} {secrets:?}");
    for (file, bytes) in new.files() {
        let text = String::from_utf8(bytes).unwrap().to_lowercase();
        for secret in &secrets {
            let boundary = |at: usize| {
                !text
                    .as_bytes()
                    .get(at)
                    .is_some_and(u8::is_ascii_alphanumeric)
            };
            let found = text.match_indices(secret.as_str()).find(|(at, _)| {
                // A number may stand in another by chance.
                secret.len() > 10
                    || at.checked_sub(1).is_none_or(boundary) && boundary(at + secret.len())
            });
            assert!(found.is_none(), "{secret} in {file}");
        }
    }
}

#[tokio::test]
async fn nothing_of_a_real_hpe_is_left() {
    of_a_real_bmc("hpe.tar.xz", 0).await;
}

#[tokio::test]
async fn nothing_of_a_real_dell_is_left() {
    // One document stands where no link leads.
    of_a_real_bmc("dell.tar.xz", 1).await;
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

//! `hawkfish tree`: all that a service has, as a tree, as URIs, as documents, and as a folder that another simulator can show.

use std::collections::BTreeSet;

use hawkfish_sim::World;
use hawkfish_sim::capture::{Capture, Content};
use serde_json::{Value, json};
use wiremock::matchers::{any, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::rack::Rack;
use super::run::{bare, ran};

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_shown_as_a_tree_as_far_as_is_asked() {
    let rack = Rack::of(1).await;
    insta::assert_snapshot!("tree", rack.run(&["tree", "--depth", "1"]).await.done());
    let below = rack
        .run(&["tree", "/redfish/v1/AccountService/Roles"])
        .await
        .done();
    assert!(
        below.contains("  Administrator  Role  Administrator Role\n"),
        "{below}"
    );
    rack.run(&["tree", "/redfish/v1/Nothing"]).await.failed(4);
    let ran = rack.run(&["tree", "--at-most", "3", "--uris"]).await;
    assert_eq!(ran.out.lines().count(), 3);
    assert!(ran.err.contains("--at-most"), "{}", ran.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_saved_is_what_the_service_has() {
    let rack = Rack::of(1).await;
    let uris = rack.run(&["tree", "--uris"]).await.done();
    let uris: BTreeSet<&str> = uris.lines().map(|uri| uri.trim_end_matches('/')).collect();
    assert!(uris.len() > 60, "{uris:?}");
    let documents = rack.run(&["tree", "-o", "json"]).await.json();
    let names = documents.as_object().unwrap().keys();
    let names: BTreeSet<&str> = names.map(|uri| uri.trim_end_matches('/')).collect();
    // The session of each run is another one.
    let lasting = |set: &BTreeSet<&str>| -> Vec<String> {
        let all = set.iter().filter(|uri| !uri.contains("/Sessions/"));
        all.filter(|uri| !uri.contains("/Entries"))
            .map(|uri| (*uri).to_owned())
            .collect()
    };
    assert_eq!(lasting(&names), lasting(&uris));

    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().join("mockup");
    let save = ["tree", "--save", to.to_str().unwrap()];
    let saved = rack.run(&save).await.done();
    assert!(saved.contains("resources saved"), "{saved}");
    let capture = Capture::read(&to).unwrap();
    let kept: BTreeSet<&str> = capture.documents.keys().map(String::as_str).collect();
    assert_eq!(lasting(&kept), lasting(&uris));
    let system = &rack.members("/redfish/v1/Systems").await[0];
    let Content::Json(read) = &capture.get(system).unwrap().content else {
        panic!("not JSON");
    };
    assert_eq!(*read, rack.get(system).await);
    // And a simulator shows it again.
    let again = Rack::serving(World::builder().traced(false).capture(capture.clone())).await;
    assert_eq!(again.get(system).await["Name"], "sim-00001");
    // Nothing is written over.
    rack.run(&save).await.failed(2);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_uri_of_a_service_leads_out_of_the_folder() {
    let server = MockServer::start().await;
    let evil = [
        "/redfish/v1/../../../evil",
        "/redfish/v1/%2e%2e/%2e%2e/%2e%2e/evil",
        "/redfish/v1/..%2f..%2fevil",
        "/redfish/v1/a\\..\\..\\evil",
        "/redfish/v1/x/index.json",
        "/redfish/v1/\u{1b}[2J",
        "/redfish/v1//etc/passwd",
        "//evil.example/redfish/v1/x",
        "/redfish/v1/Systems?$skip=../../../evil",
    ];
    let links: Vec<Value> = evil.iter().map(|uri| json!({"@odata.id": uri})).collect();
    let root = json!({"@odata.id": "/redfish/v1/", "Name": "r", "Links": links});
    let answer = ResponseTemplate::new(200).set_body_json(root);
    Mock::given(path("/redfish/v1/"))
        .respond_with(answer)
        .mount(&server)
        .await;
    let answer = ResponseTemplate::new(200).set_body_json(json!({"Name": "evil"}));
    Mock::given(any())
        .respond_with(answer)
        .with_priority(10)
        .mount(&server)
        .await;

    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().join("deep/deeper/mockup");
    let mut command = bare();
    command.env("HAWKFISH_URL", server.uri());
    command.args(["tree", "--save", to.to_str().unwrap()]);
    let ran = ran(command).await;
    assert!(!ran.out.contains('\u{1b}') && !ran.err.contains('\u{1b}'));
    let mut folders = vec![dir.path().to_owned()];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            match entry.file_type().unwrap().is_dir() {
                true => folders.push(entry.path()),
                false => {
                    assert!(entry.path().starts_with(&to), "{}", entry.path().display());
                    assert_eq!(entry.file_name(), "index.json");
                    files += 1;
                }
            }
        }
    }
    assert!(files > 3, "{files}: {}", ran.err);
    assert!(!std::path::Path::new("/evil").exists());
}

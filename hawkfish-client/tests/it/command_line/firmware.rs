//! `hawkfish firmware`: what is installed, and that it is really another one afterwards.

use serde_json::{Value, json};
use tempfile::TempDir;
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::little::Little;
use super::rack::Rack;

/// A rack that keeps files, a folder with an image for its first machine, and the id of that machine's firmware.
async fn rack(version: &str) -> (Rack, TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let rack = Rack::with_files(2, &dir.path().join("service")).await;
    let listed = rack.run(&["firmware", "ls", "-o", "json"]).await.json();
    let first = listed.as_array().unwrap().iter();
    let mut first = first.filter(|item| item["Name"] == "Firmware of sim-00001");
    let item: Value = first.next().unwrap().clone();
    let image = json!({"HawkFishFirmware": 1, "Target": item["SoftwareId"], "Version": version});
    std::fs::write(dir.path().join("bios.bin"), image.to_string()).unwrap();
    (rack, dir, item["Id"].as_str().unwrap().to_owned())
}

async fn version(rack: &Rack, id: &str) -> Value {
    let uri = format!("/redfish/v1/UpdateService/FirmwareInventory/{id}");
    rack.get(&uri).await["Version"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn firmware_is_brought_from_a_file_and_is_another_one_afterwards() {
    let (rack, dir, id) = rack("S1-9.9.9").await;
    insta::assert_snapshot!("firmware_ls", rack.run(&["firmware", "ls"]).await.done());
    insta::assert_snapshot!(
        "firmware_show",
        rack.run(&["firmware", "show", &id]).await.done()
    );
    let image = dir.path().join("bios.bin");
    let image = image.to_str().unwrap();
    let update = [
        "firmware",
        "update",
        image,
        "--target",
        &id,
        "--apply",
        "immediate",
        "--within",
        "60",
    ];
    assert_eq!(
        rack.run(&update).await.done(),
        format!("{image}: installed\n")
    );
    assert_eq!(version(&rack, &id).await, "S1-9.9.9");
}

#[tokio::test(flavor = "multi_thread")]
async fn firmware_is_fetched_by_the_service_and_is_another_one_afterwards() {
    let (rack, dir, id) = rack("S1-9.9.8").await;
    let images = MockServer::start().await;
    let image = std::fs::read(dir.path().join("bios.bin")).unwrap();
    let answer = ResponseTemplate::new(200).set_body_bytes(image);
    Mock::given(path("/bios.bin"))
        .respond_with(answer)
        .mount(&images)
        .await;
    let uri = format!("{}/bios.bin", images.uri());
    let update = [
        "firmware",
        "update",
        &uri,
        "--target",
        "Firmware of sim-00001",
        "--apply",
        "Immediate",
    ];
    assert_eq!(
        rack.run(&update).await.done(),
        format!("{uri}: installed\n")
    );
    assert_eq!(version(&rack, &id).await, "S1-9.9.8");

    let gone = format!("{}/gone.bin", images.uri());
    let ran = rack
        .run(&["firmware", "update", &gone, "--target", &id])
        .await;
    let err = ran.failed(1);
    assert!(err.contains("404"), "{err}");
    assert_eq!(version(&rack, &id).await, "S1-9.9.8");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_that_cannot_be_is_not_begun() {
    let (rack, dir, id) = rack("S1-9.9.7").await;
    let before = version(&rack, &id).await;
    let image = dir.path().join("bios.bin");
    let image = image.to_str().unwrap();
    let update = async |more: &[&str]| {
        let arguments = [&["firmware", "update"], more].concat();
        rack.run(&arguments).await
    };
    update(&["/nowhere/bios.bin"]).await.failed(2);
    update(&[dir.path().to_str().unwrap()]).await.failed(2);
    update(&[image, "--target", "Toaster"]).await.failed(4);
    let err = update(&[image, "--apply", "Yesterday"]).await.failed(2);
    assert!(err.contains("Immediate, OnReset"), "{err}");
    // An image for other machines.
    std::fs::write(
        image,
        r#"{"HawkFishFirmware": 1, "Target": "Toaster", "Version": "1"}"#,
    )
    .unwrap();
    update(&[image, "--target", &id]).await.failed(1);
    assert_eq!(version(&rack, &id).await, before);

    let without = Rack::of(1).await;
    let err = without.run(&["firmware", "update", image]).await.failed(4);
    assert!(err.contains("no place to push a file to"), "{err}");
    let uri = ["firmware", "update", "http://images.example/bios.bin"];
    without.run(&uri).await.failed(4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_only_takes_a_file_as_it_is_gets_it_so_and_is_told_nothing_else() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "firmware").unwrap();
    let file = file.path().to_str().unwrap();
    let service = json!({"HttpPushUri": "/redfish/v1/push", "MaxImageSizeBytes": 8});
    let root = json!({"UpdateService": {"@odata.id": "/redfish/v1/U"}});
    let little = Little::of([("/", root), ("/U", service)]).await;
    let err = little
        .run(&["firmware", "update", file, "--apply", "OnReset"])
        .await
        .failed(2);
    assert!(err.contains("neither --target nor --apply"), "{err}");
    let uri = ["firmware", "update", "http://images.example/x.bin"];
    let err = little.run(&uri).await.failed(4);
    assert!(err.contains("no update from a URI"), "{err}");
    assert!(little.sent().is_empty());
    little.run(&["firmware", "update", file]).await.done();
    let sent = little.sent();
    assert_eq!(sent.len(), 1);
    assert_eq!(
        (sent[0].0.as_str(), sent[0].1.as_str()),
        ("POST", "/redfish/v1/push")
    );
    std::fs::write(file, "too much firmware").unwrap();
    let err = little.run(&["firmware", "update", file]).await.failed(2);
    assert!(err.contains("no more than 8"), "{err}");
    assert_eq!(little.sent().len(), 1);
}

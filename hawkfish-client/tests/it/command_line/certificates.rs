//! `hawkfish certificates`: asked for, signed by an authority, and shown by the service from then on.

use std::path::Path;
use std::process::Command;

use hawkfish_client::Client;
use hawkfish_sim::World;

use super::rack::Rack;
use super::run::{Ran, ran};

async fn rack(dir: &Path) -> Rack {
    let world = World::builder().seed(6).systems(1).start().await.unwrap();
    let at = ([127, 0, 0, 1], 0).into();
    let served = world.serve_with_certificate(at, dir).await.unwrap();
    Rack::at(world, served)
}

async fn run(rack: &Rack, arguments: &[&str]) -> Ran {
    let mut command = rack.hawkfish();
    command.env("HAWKFISH_INSECURE", "1").args(arguments);
    ran(command).await
}

/// Whether somebody who trusts only that authority gets an answer.
async fn is_trusted_by(rack: &Rack, authority: &[u8]) -> bool {
    let url = rack.url.replace("127.0.0.1", "localhost");
    let client = Client::builder(url).ca_pem(authority).build().unwrap();
    client.root().await.is_ok()
}

fn openssl(dir: &Path, arguments: &[&str]) {
    let output = Command::new("openssl")
        .current_dir(dir)
        .args(arguments)
        .output()
        .unwrap();
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_asked_for_signed_and_put_in_place() {
    if Command::new("openssl").arg("version").output().is_err() {
        return hawkfish_testing::part::skip("openssl");
    }
    let dir = tempfile::tempdir().unwrap();
    let rack = rack(dir.path()).await;
    let listed = run(&rack, &["certificates", "ls"]).await.done();
    assert_eq!(listed.lines().count(), 2, "{listed}");
    let shown = run(&rack, &["certificates", "show", "1", "-o", "json"])
        .await
        .json();
    let before = shown["Fingerprint"].clone();

    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let csr = [
        "certificates",
        "csr",
        "--common-name",
        "bmc.example",
        "--alternative-name",
        "localhost",
        "--alternative-name",
        "127.0.0.1",
        "--country",
        "DE",
        "--out",
        &at("request.pem"),
    ];
    run(&rack, &csr).await.done();
    // Nothing is written over.
    run(&rack, &csr).await.failed(2);

    let ca = [
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        "ca.key",
        "-out",
        "ca.pem",
        "-subj",
        "/CN=Authority",
        "-days",
        "2",
    ];
    openssl(dir.path(), &ca);
    std::fs::write(at("ext"), "subjectAltName=DNS:localhost,IP:127.0.0.1\n").unwrap();
    let sign = [
        "x509",
        "-req",
        "-in",
        "request.pem",
        "-CA",
        "ca.pem",
        "-CAkey",
        "ca.key",
        "-CAcreateserial",
        "-out",
        "signed.pem",
        "-days",
        "2",
        "-extfile",
        "ext",
    ];
    openssl(dir.path(), &sign);
    let authority = std::fs::read(at("ca.pem")).unwrap();
    assert!(!is_trusted_by(&rack, &authority).await);

    // What is no certificate, or holds more than that, is not sent.
    run(&rack, &["certificates", "replace", "1", &at("request.pem")])
        .await
        .failed(2);
    let both = [
        std::fs::read(at("signed.pem")).unwrap(),
        std::fs::read(at("ca.key")).unwrap(),
    ]
    .concat();
    std::fs::write(at("both.pem"), both).unwrap();
    let err = run(&rack, &["certificates", "replace", "1", &at("both.pem")])
        .await
        .failed(2);
    assert!(err.contains("private key"), "{err}");
    // Nor is one taken for which the service has no key.
    run(&rack, &["certificates", "replace", "1", &at("ca.pem")])
        .await
        .failed(1);
    assert!(!is_trusted_by(&rack, &authority).await);

    let replaced = run(&rack, &["certificates", "replace", "1", &at("signed.pem")])
        .await
        .done();
    assert_eq!(replaced, "1: replaced\n");
    assert!(is_trusted_by(&rack, &authority).await);
    let shown = run(&rack, &["certificates", "show", "1", "-o", "json"])
        .await
        .json();
    assert_ne!(shown["Fingerprint"], before);
    assert_eq!(shown["Issuer"]["CommonName"], "Authority");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_without_certificates_says_so() {
    let rack = Rack::of(1).await;
    let listed = rack.run(&["certificates", "ls", "-o", "json"]).await.json();
    assert_eq!(listed, serde_json::json!([]));
    rack.run(&["certificates", "show", "1"]).await.failed(4);
    let err = rack
        .run(&["certificates", "csr", "--common-name", "x"])
        .await
        .failed(4);
    assert!(err.contains("--collection"), "{err}");
}

//! Who is trusted to give images.

use serde_json::json;

use super::super::rack::Rack;
use super::{NAME, system};

#[tokio::test(flavor = "multi_thread")]
async fn authorities_of_image_servers_are_added_shown_and_taken_away() {
    let rack = Rack::of(1).await;
    let key = rcgen::KeyPair::generate().unwrap();
    let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    parameters
        .distinguished_name
        .push(rcgen::DnType::CommonName, "images of ours");
    let pem = parameters.self_signed(&key).unwrap().pem();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (good, with_key) = (
        file("ca.pem", &pem),
        file("key.pem", &(pem.clone() + &key.serialize_pem())),
    );
    let certificates = ["systems", "media", "certificates"];
    let run = async |more: &[&str]| rack.run(&[&certificates[..], more].concat()).await;
    for (path, says) in [
        (with_key.as_str(), "private key"),
        (&file("text", "hello"), "no certificate in PEM"),
        ("/nowhere/ca.pem", "/nowhere/ca.pem"),
    ] {
        let ran = run(&["add", NAME, path, "--slot", "Cd"]).await;
        assert_eq!(ran.code, 2, "{}", ran.err);
        assert!(ran.err.contains(says), "{}", ran.err);
    }
    let ran = run(&["add", NAME, &good]).await;
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("--slot Cd or Usb"), "{}", ran.err);
    let ran = run(&["add", NAME, &good, "--slot", "Cd"]).await;
    assert_eq!(
        (ran.code, ran.out.as_str()),
        (0, "sim-00001: certificate added\n"),
        "{}",
        ran.err
    );
    let collection = rack.get(&system("/VirtualMedia/Cd/Certificates")).await;
    let uri = collection["Members"][0]["@odata.id"]
        .as_str()
        .unwrap()
        .to_owned();
    let id = uri.rsplit('/').next().unwrap();
    assert_eq!(
        rack.get(&uri).await["CertificateString"]
            .as_str()
            .unwrap()
            .trim(),
        pem.trim()
    );
    let ran = run(&["ls", NAME, "--slot", "Cd"]).await;
    assert!(ran.out.contains("images of ours"), "{}{}", ran.out, ran.err);
    let ran = run(&["show", NAME, id, "--slot", "Cd"]).await;
    assert!(
        ran.out.contains("images of ours") && ran.out.contains("Valid until"),
        "{}{}",
        ran.out,
        ran.err
    );
    let ran = run(&["rm", NAME, id, "--slot", "Cd"]).await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    let collection = rack.get(&system("/VirtualMedia/Cd/Certificates")).await;
    assert_eq!(collection["Members"], json!([]));
    let ran = run(&["rm", NAME, id, "--slot", "Cd"]).await;
    assert_eq!(ran.code, 4, "{}", ran.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn whether_certificates_of_image_servers_matter_is_set_for_one_drive_or_all() {
    let rack = Rack::of(1).await;
    insta::assert_snapshot!("slots", rack.shows(&["systems", "media", "ls", NAME]).await);
    let verifies = async |slot: &str| {
        rack.get(&system(&format!("/VirtualMedia/{slot}"))).await["VerifyCertificate"].clone()
    };
    rack.shows(&[
        "systems", "media", "set", NAME, "--slot", "Usb", "--verify", "off",
    ])
    .await;
    assert_eq!(
        (verifies("Cd").await, verifies("Usb").await),
        (json!(true), json!(false))
    );
    rack.shows(&["systems", "media", "set", NAME, "--verify", "off"])
        .await;
    assert_eq!(
        (verifies("Cd").await, verifies("Usb").await),
        (json!(false), json!(false))
    );
}

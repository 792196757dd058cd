//! Captures on disk.

use std::process::Command;

use hawkfish_sim::capture::{Capture, Document, Error, Flaw};
use serde_json::json;

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

//! The OpenAPI document and the manual made of it.

use std::path::Path;
use std::process::Command;

use crate::door::Door;
use hawkfish_testing::part;

const URI: &str = "/redfish/v1/openapi.yaml";

#[tokio::test]
async fn the_document_that_is_checked_in_is_the_one_that_is_served() {
    let door = Door::open().await;
    let answer = door.read(URI).await;
    assert!(
        answer
            .header("content-type")
            .starts_with("application/yaml")
    );
    let served = String::from_utf8(answer.bytes.to_vec()).unwrap();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/openapi.yaml");
    if std::env::var_os("HAWKFISH_UPDATE").is_some() {
        std::fs::write(&file, &served).unwrap();
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    let differs = kept.lines().zip(served.lines()).position(|(a, b)| a != b);
    assert!(
        kept == served,
        "docs/openapi.yaml is not what is served, from line {:?} on; HAWKFISH_UPDATE=1 writes it anew",
        differs.map(|line| line + 1)
    );
}

#[tokio::test]
async fn the_document_is_a_valid_one() {
    let Some(python) = part::python() else {
        return;
    };
    let door = Door::open().await;
    let served = door.read(URI).await.bytes;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &served).unwrap();
    let script = "import sys, yaml\n\
        from openapi_spec_validator import validate\n\
        loader = getattr(yaml, 'CSafeLoader', yaml.SafeLoader)\n\
        spec = yaml.load(open(sys.argv[1]), loader)\n\
        assert spec['openapi'] == '3.1.0' and len(spec['paths']) > 50\n\
        validate(spec)\n";
    let ran = Command::new(&python)
        .args(["-c", script])
        .arg(file.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    if said.contains("No module named 'openapi_spec_validator'") {
        return part::skip("openapi_spec_validator");
    }
    assert!(ran.status.success(), "{said}");
}

#[tokio::test]
async fn the_manual_is_whole_by_itself_and_says_so_to_the_browser() {
    let door = Door::open().await;
    let page = door.read("/redfish/v1/docs").await;
    assert!(page.header("content-type").starts_with("text/html"));
    let policy = page.header("content-security-policy");
    for part in [
        "default-src 'none'",
        "script-src 'self'",
        "connect-src 'self'",
        "frame-ancestors 'none'",
    ] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!policy.contains("http") && !policy.contains('*') && !policy.contains("unsafe-eval"));
    let html = String::from_utf8(page.bytes.to_vec()).unwrap();
    let script_in_page = html.contains("<script>");
    assert!(!script_in_page, "the policy would not let it run");
    let mut files = 0;
    for (mark, kind) in [("src=\"", "text/javascript"), ("href=\"", "text/css")] {
        for rest in html.split(mark).skip(1) {
            let uri = rest.split('"').next().unwrap();
            assert!(uri.starts_with("/redfish/v1/docs/"), "{uri}");
            let file = door.read(uri).await;
            assert!(file.header("content-type").starts_with(kind), "{uri}");
            assert!(file.bytes.len() > 50, "{uri}");
            files += 1;
        }
    }
    assert_eq!(files, 3);
    let start = door.read("/redfish/v1/docs/start.js").await;
    assert!(
        String::from_utf8(start.bytes.to_vec())
            .unwrap()
            .contains(URI)
    );
    // A browser asks for name and password when it is told to.
    let stranger = door.send("GET", "/redfish/v1/docs").answer().await;
    stranger.refused(401, "AccessUnauthorized");
    assert!(stranger.header("www-authenticate").starts_with("Basic"));
}

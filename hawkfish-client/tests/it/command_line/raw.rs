//! `hawkfish raw`: any URI, with what a request can have.

use super::rack::Rack;
use super::run::on;
use crate::mock::Mock;

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_answer_is_shown_with_its_headers_and_without_a_body() {
    let rack = Rack::of(1).await;
    let head = rack.run(&["raw", "head", "/redfish/v1/"]).await.done();
    assert!(
        head.starts_with("200 OK\n") && head.contains("\nallow: GET, HEAD\n"),
        "{head}"
    );
    assert!(!head.contains('{'));
    let whole = rack.run(&["raw", "get", "-i", "/redfish/v1/"]).await.done();
    assert!(
        whole.contains("\netag: ") && whole.contains("\n\n{"),
        "{whole}"
    );
    let json = rack
        .run(&["raw", "get", "-i", "/redfish/v1/", "-o", "json"])
        .await
        .json();
    assert_eq!(json["Status"], 200);
    assert_eq!(json["Headers"]["odata-version"], "4.0");
    assert_eq!(json["Body"]["Id"], "RootService");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_reaches_the_service_as_it_is_meant() {
    let rack = Rack::of(3).await;
    let filter = [
        "raw",
        "get",
        "/redfish/v1/Systems",
        "-q",
        "$filter=Name eq 'sim-00002'",
        "--query",
        "$expand=.($levels=1)",
        "-q",
        "$select=Name,PowerState",
    ];
    let found = rack.run(&filter).await.json();
    assert_eq!(found["Members"].as_array().unwrap().len(), 1);
    assert_eq!(found["Members"][0]["Name"], "sim-00002");
    rack.run(&["raw", "get", "/redfish/v1/Systems", "-q", "$skip=what"])
        .await
        .failed(1);
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_are_sent_from_the_command_line_or_a_file() {
    let mock = Mock::new();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "X-One: 1\n\nX-Two: a: b\n").unwrap();
    let from = format!("@{}", file.path().display());
    let uri = "/redfish/v1/Machines/7";
    let (code, _, err) = on(
        &mock,
        &["raw", "get", uri, "-H", "Accept-Language: de", "-H", &from],
    )
    .await;
    assert_eq!((code, err.as_str()), (0, ""));
    {
        let inside = mock.inside();
        let asked = inside.asked.iter().find(|asked| asked.path == uri).unwrap();
        assert_eq!(asked.headers["accept-language"], "de");
        assert_eq!(asked.headers["x-one"], "1");
        assert_eq!(asked.headers["x-two"], "a: b");
    }
    let (code, _, err) = on(&mock, &["raw", "get", uri, "-H", "hunter2"]).await;
    assert_eq!(code, 2);
    assert!(!err.contains("hunter2"), "{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guarded_change_reads_the_tag_first_and_sends_it() {
    let rack = Rack::of(1).await;
    let system = &rack.members("/redfish/v1/Systems").await[0];
    let patch = [
        "raw",
        "patch",
        system,
        "-d",
        r#"{"AssetTag": "rack 7"}"#,
        "--guard",
    ];
    rack.run(&patch).await.done();
    assert_eq!(rack.get(system).await["AssetTag"], "rack 7");
    let old = [
        "raw",
        "patch",
        system,
        "-d",
        r#"{"AssetTag": "rack 8"}"#,
        "--if-match",
        "\"old\"",
    ];
    rack.run(&old).await.failed(5);
    assert_eq!(rack.get(system).await["AssetTag"], "rack 7");

    let mock = Mock::new();
    let uri = "/redfish/v1/Machines/7";
    let action = format!("{uri}/Actions/Go");
    let (code, _, err) = on(
        &mock,
        &[
            "raw",
            "post",
            &action,
            "-d",
            r#"{"ResetType": "On"}"#,
            "--guard",
        ],
    )
    .await;
    assert_eq!(code, 0, "{err}");
    let inside = mock.inside();
    let asked = inside
        .asked
        .iter()
        .find(|asked| asked.path == action)
        .unwrap();
    assert_eq!(asked.headers["if-match"], "\"1\"");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_made_and_deleted_is_made_and_deleted() {
    let rack = Rack::of(1).await;
    let roles = "/redfish/v1/AccountService/Roles";
    let post = [
        "raw",
        "post",
        roles,
        "-i",
        "-d",
        r#"{"RoleId": "Watcher", "AssignedPrivileges": ["Login"]}"#,
    ];
    let made = rack.run(&post).await.done();
    assert!(
        made.starts_with("201 Created\n") && made.contains("\nlocation: "),
        "{made}"
    );
    assert_eq!(rack.members(roles).await.len(), 4);
    let delete = ["raw", "delete", &format!("{roles}/Watcher")];
    rack.run(&delete).await.done();
    assert_eq!(rack.members(roles).await.len(), 3);
    rack.run(&["raw", "put", roles, "-d", "{}"]).await.failed(4);
}

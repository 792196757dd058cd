//! What a command says and with which code it ends when something goes wrong.

use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::json;
use wiremock::matchers::{method, path};
use wiremock::{Mock as Answer, MockServer, ResponseTemplate};

use super::rack::Rack;
use super::run::{Home, bare, hawkfish, on, ran};
use crate::mock::{Mock, PASSWORD};

/// A service that answers one URI with this.
async fn answering(answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    let root =
        json!({"@odata.id": "/redfish/v1/", "Systems": {"@odata.id": "/redfish/v1/Systems"}});
    Answer::given(path("/redfish/v1/"))
        .respond_with(ResponseTemplate::new(200).set_body_json(root))
        .mount(&server)
        .await;
    Answer::given(path("/redfish/v1/Systems"))
        .and(method("PATCH"))
        .respond_with(answer)
        .mount(&server)
        .await;
    server
}

/// A change of that URI: its code, and what it says.
async fn changed(answer: ResponseTemplate) -> (i32, String) {
    let server = answering(answer).await;
    let mut command = bare();
    command.env("HAWKFISH_URL", server.uri()).args([
        "raw",
        "patch",
        "/redfish/v1/Systems",
        "-d",
        "{}",
    ]);
    let ran = ran(command).await;
    assert_eq!(ran.out, "");
    (ran.code, ran.err)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_answer_has_its_exit_code_and_says_what_to_do() {
    let after =
        |status, seconds: &str| ResponseTemplate::new(status).insert_header("retry-after", seconds);
    let plain = ResponseTemplate::new;
    for (answer, code, words) in [
        (plain(500), 1, "hawkfish logs"),
        (plain(400), 1, "400"),
        (plain(401), 3, "hawkfish login --url http://127.0.0.1"),
        (plain(403), 3, "403"),
        (plain(404), 4, "`ls`"),
        (
            plain(405).insert_header("allow", "GET, HEAD"),
            4,
            "it takes GET, HEAD",
        ),
        (plain(409), 5, "`show`"),
        (plain(412), 5, "repeat the command"),
        (after(503, "7200"), 6, "Try again in 7200 s."),
        (after(429, "7200"), 6, "Try again in 7200 s."),
    ] {
        let (ended, err) = changed(answer).await;
        assert_eq!(ended, code, "{err}");
        assert!(err.contains(words), "{words}: {err}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_s_own_advice_and_the_properties_it_is_about_are_shown() {
    let message = json!({
        "MessageId": "Base.1.22.PropertyValueNotInList", "Message": "No.", "MessageSeverity": "Warning",
        "Resolution": "Choose another.", "RelatedProperties": ["#/Boot"],
    });
    let body =
        json!({"error": {"code": "x", "message": "No.", "@Message.ExtendedInfo": [message]}});
    let (code, err) = changed(ResponseTemplate::new(400).set_body_json(body)).await;
    assert_eq!(code, 1);
    assert!(
        err.contains("Choose another.") && err.contains("It is about #/Boot."),
        "{err}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_exit_code_says_what_went_wrong() {
    let mock = Mock::new();
    let (code, out, err) = on(&mock, &["systems", "ls"]).await;
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    let (code, _, _) = on(&mock, &["systems", "show", "nobody"]).await;
    assert_eq!(code, 4);
    let (code, _, _) = on(&mock, &["raw", "get", "/redfish/v1/nothing"]).await;
    assert_eq!(code, 4);
    let (code, _, _) = on(&mock, &["raw", "get", "https://elsewhere.example/"]).await;
    assert_eq!(code, 2);
    let (code, _, _) = on(&mock, &["systems", "explode"]).await;
    assert_eq!(code, 2);

    let mut wrong = hawkfish(&mock.listen().await);
    wrong
        .args(["systems", "ls"])
        .env("HAWKFISH_PASSWORD", "guess");
    let ended = ran(wrong).await;
    assert_eq!(ended.code, 3);
    let said = "does not take the password of admin from HAWKFISH_PASSWORD";
    assert!(ended.err.contains(said), "{}", ended.err);
    assert!(!ended.err.contains("guess"), "{}", ended.err);

    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let mut nobody = hawkfish(&url);
    nobody.args(["systems", "ls"]);
    let ended = ran(nobody).await;
    assert_eq!(ended.code, 6);
    assert!(ended.err.contains("Is the URL right"), "{}", ended.err);

    let mut unnamed = hawkfish("");
    unnamed.args(["systems", "ls"]).env_remove("HAWKFISH_URL");
    let ended = ran(unnamed).await;
    assert_eq!(ended.code, 2);
    assert!(ended.err.contains("--url"), "{}", ended.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_nobody_vouches_for_is_shown_with_the_ways_to_trust_it() {
    let (rack, sha256) = Rack::over_tls().await;
    let ran = rack.run(&["systems", "ls"]).await;
    assert_eq!(ran.code, 6);
    let shown = sha256.map(|byte| format!("{byte:02X}")).join(":");
    for words in [shown.as_str(), "hawkfish login", "--fingerprint", "--ca"] {
        assert!(ran.err.contains(words), "{words}: {}", ran.err);
    }
    let ran = rack.run(&["systems", "ls", "--fingerprint", &shown]).await;
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let other = "00".repeat(32);
    let ran = rack.run(&["systems", "ls", "--fingerprint", &other]).await;
    assert_eq!(ran.code, 6);
    assert!(
        ran.err.contains("somebody stands between") && ran.err.contains(&shown),
        "{}",
        ran.err
    );
    let ran = rack.run(&["systems", "ls", "--fingerprint", "ab"]).await;
    assert_eq!(ran.code, 2);
}

#[test]
fn help_and_the_manual_list_the_exit_codes() {
    for arguments in [["--help"], ["man"]] {
        let help = bare().args(arguments).output().unwrap();
        let text = String::from_utf8(help.stdout).unwrap();
        for line in [
            "0    done",
            "1    failed in another way",
            "2    the command line",
            "3    not logged in",
            "4    there is no such thing",
            "5    conflict",
            "6    unavailable",
            "130  interrupted",
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
    }
}

#[test]
fn help_shows_nothing_that_stands_in_the_environment() {
    for command in [
        &["--help"][..],
        &["login", "--help"],
        &["systems", "ls", "--help"],
    ] {
        let help = hawkfish("https://u:inside@bmc.example")
            .args(command)
            .output()
            .unwrap();
        let text = String::from_utf8(help.stdout).unwrap();
        assert!(
            !text.contains(PASSWORD) && !text.contains("inside"),
            "{text}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_with_a_password_in_it_is_refused_and_not_repeated() {
    let home = Home::new();
    for url in ["https://u:inside@bmc.example", "u:inside@bmc.example"] {
        let ran = home.run(&["systems", "ls", "--url", url]).await;
        assert_eq!(ran.code, 2);
        assert!(!ran.err.contains("inside"), "{}", ran.err);
    }
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_signal_ends_a_command_with_its_code_and_closes_the_session() {
    let mock = Mock::new();
    mock.inside().task_after = Some(u32::MAX);
    let url = mock.listen().await;
    for (signal, code) in [("-INT", 130), ("-TERM", 143)] {
        let mut command = hawkfish(&url);
        command
            .args(["tasks", "wait", "1"])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let waits = |path: &str| path.ends_with("/Tasks/1");
        let end = Instant::now() + Duration::from_secs(20);
        let before = mock.paths().len();
        while !mock.paths()[before..].iter().any(|path| waits(path)) {
            assert!(Instant::now() < end, "{:?}", mock.paths());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let sent = std::process::Command::new("kill")
            .args([signal, &child.id().to_string()])
            .status();
        assert!(sent.unwrap().success());
        let status = tokio::task::spawn_blocking(move || child.wait().unwrap());
        assert_eq!(status.await.unwrap().code(), Some(code));
        assert!(mock.inside().tokens.is_empty());
    }
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_has_seen_enough_ends_it_quietly() {
    let mock = Mock::new();
    let mut command = hawkfish(&mock.listen().await);
    // A pipe whose other end is closed already.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    command.args(["systems", "ls"]).stdout(writer);
    let ran = ran(command).await;
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert!(mock.inside().tokens.is_empty());
}

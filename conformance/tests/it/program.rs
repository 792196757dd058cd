//! The program, over a socket.

use std::process::{Command, Output};

use hawkfish_sim::{PASSWORD, USER, World};

async fn listen(world: &World) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = axum::Router::new().fallback_service(world.app().clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_conformance"));
    command
        .env("HAWKFISH_USERNAME", USER)
        .env("HAWKFISH_PASSWORD", PASSWORD);
    command
}

async fn run(mut command: Command) -> (i32, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_endpoint_is_reported_as_such_and_the_exit_code_is_0() {
    let world = World::builder().systems(2).start().await.unwrap();
    let mut command = program();
    command.arg(listen(&world).await).arg("--writes");
    let (code, out, err) = run(command).await;
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(out.contains("0 failed, 0 warned, 0 skipped"), "{out}");
}

#[tokio::test(flavor = "multi_thread")]
async fn json_and_junit_are_written_for_programs() {
    let world = World::builder().start().await.unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut command = program();
    command
        .arg(listen(&world).await)
        .args(["--json", "--only", "errors.", "--junit"])
        .arg(file.path());
    let (code, out, err) = run(command).await;
    assert_eq!(code, 0, "{out}{err}");
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["counts"]["failed"], 0);
    let junit = std::fs::read_to_string(file.path()).unwrap();
    let document = roxmltree::Document::parse(&junit).unwrap();
    let tests = document
        .descendants()
        .filter(|node| node.has_tag_name("testcase"))
        .count();
    assert_eq!(tests, report["cases"].as_array().unwrap().len());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_is_not_there_or_does_not_let_us_in_is_not_checked_and_the_exit_code_is_3()
{
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let mut command = program();
    command.arg(url);
    let (code, out, err) = run(command).await;
    assert_eq!((code, out.as_str()), (3, ""), "{err}");

    let world = World::builder().start().await.unwrap();
    let mut command = program();
    command
        .arg(listen(&world).await)
        .env("HAWKFISH_PASSWORD", "guess");
    let (code, out, err) = run(command).await;
    assert_eq!((code, out.as_str()), (3, ""), "{err}");
    assert!(!err.contains("guess"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_endpoint_is_reported_and_the_exit_code_is_1() {
    let root = r##"{"@odata.id": "/redfish/v1/", "@odata.type": "#ServiceRoot.v1_5_0.ServiceRoot", "Id": "RootService", "Name": "Root"}"##;
    let router = axum::Router::new().fallback(move || async move { root });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let mut command = program();
    command
        .arg(url)
        .env_remove("HAWKFISH_USERNAME")
        .env_remove("HAWKFISH_PASSWORD");
    let (code, out, _) = run(command).await;
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("FAIL  headers.odata-version"), "{out}");
}

#[test]
fn the_list_of_cases_names_each_with_its_section() {
    let output = program().arg("--list").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), conformance::cases::ALL.len());
    assert!(text.lines().all(|line| line.contains("[DSP0")), "{text}");
}

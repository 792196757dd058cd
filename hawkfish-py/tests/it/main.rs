//! Runs the tests of the Python package, which are in Python, against the simulator.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use hawkfish_sim::{PASSWORD, USER, World};
use hawkfish_testing::part;
use jiff::SignedDuration;

/// The script that does it, with the interpreter to do it with; none where that is missing, which is said aloud.
fn script() -> Option<Command> {
    let python = part::python()?;
    let mut script = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("test"));
    script
        .env("HAWKFISH_TEST_PYTHON", python)
        .stdin(Stdio::null());
    // What cargo tells its tests is not meant for the cargo that builds the wheel.
    for (name, _) in std::env::vars()
        .filter(|(name, _)| name.starts_with("CARGO_PKG") || name == "CARGO_MANIFEST_DIR")
    {
        script.env_remove(name);
    }
    Some(script)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_wheel_is_installed_in_each_interpreter_and_from_source_and_with_libvirt() {
    let Some(mut script) = script() else { return };
    let output = script.arg("--installs").output().unwrap();
    let (told, errors) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{told}\n{errors}");
    assert!(told.contains("works with hawkfish"), "{told}\n{errors}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wheel_is_built_typed_and_passes_its_tests() {
    let Some(mut tests) = script() else { return };
    let world = World::builder().systems(3).start().await.unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = axum::Router::new().fallback_service(world.app().clone());
    tokio::spawn(async move { axum::serve(listener, router).await });

    tests.env("HAWKFISH_TEST_SERVICE", format!("{url} {USER} {PASSWORD}"));
    let mut tests = tokio::task::spawn_blocking(move || tests.output().unwrap());
    // The clients of this world live in real time: its own goes along.
    let output = loop {
        match tokio::time::timeout(Duration::from_millis(20), &mut tests).await {
            Ok(output) => break output.unwrap(),
            Err(_still_running) => world.advance(SignedDuration::from_secs(1)).await.unwrap(),
        }
    };
    assert!(
        output.status.success(),
        "{}\n{}",
        text(&output.stdout),
        text(&output.stderr)
    );
    // Tests that skipped themselves have proved nothing.
    assert!(
        text(&output.stdout).contains(" passed") && !text(&output.stdout).contains("skipped"),
        "{}",
        text(&output.stdout)
    );
}

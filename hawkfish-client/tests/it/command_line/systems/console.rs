//! `systems console`.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use super::super::little::Little;
use super::super::run::ran;

/// A machine that says how its consoles are reached.
async fn new() -> Little {
    Little::with_system(
        json!({
            "SerialConsole": {
                "MaxConcurrentSessions": 1,
                "SSH": {"ServiceEnabled": true, "Port": 2200, "ConsoleEntryCommand": "console 1"},
                "Telnet": {"ServiceEnabled": false, "Port": 2300},
                "WebSocket": {"ConsoleURI": "wss://bmc.example/console/7", "Interactive": true}},
            "VirtualMediaConfig": {"ServiceEnabled": true, "Port": 5120},
            "GraphicalConsole": {"ServiceEnabled": true, "Port": 5900, "ConnectTypesSupported": ["KVMIP"]}}),
        [],
    )
    .await
}

/// An older one, of which only the manager speaks.
async fn old() -> Little {
    let at = |path: &str| json!({"@odata.id": format!("/redfish/v1{path}")});
    Little::with_system(
        json!({"Links": {"ManagedBy": [at("/M")]}}),
        [
            ("/M", json!({"Id": "1", "NetworkProtocol": at("/M/N"),
                "SerialConsole": {"ServiceEnabled": true, "ConnectTypesSupported": ["Telnet", "IPMI", "Oem"]},
                "CommandShell": {"ServiceEnabled": true, "ConnectTypesSupported": ["SSH"]}})),
            ("/M/N", json!({"SSH": {"ProtocolEnabled": true, "Port": 22}, "Telnet": {"ProtocolEnabled": true, "Port": 2023},
                "IPMI": {"ProtocolEnabled": false, "Port": 623}})),
        ],
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ways_to_a_console_are_shown_with_what_to_type() {
    let ran = new()
        .await
        .run(&[
            "systems",
            "console",
            "7",
            "--login",
            "op",
            "--host",
            "bmc.example",
        ])
        .await;
    insta::assert_snapshot!("of_the_machine", ran.out);
    let ran = old()
        .await
        .run(&["systems", "console", "7", "--host", "bmc.example"])
        .await;
    insta::assert_snapshot!("of_its_manager", ran.out);
    let ran = new()
        .await
        .run(&["-o", "json", "systems", "console", "7"])
        .await;
    let ways: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(ways[0]["How"], "ssh -p 2200 -t 127.0.0.1 'console 1'");
    assert_eq!(ways[2]["How"], "wss://bmc.example/console/7");
}

/// A folder with an `ssh` and a `telnet` that say what they were given, and end with 7.
fn programs() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["ssh", "telnet"] {
        let path = folder.path().join(name);
        let script = format!(
            "#!/bin/sh\necho {name} \"$#\" \"$@\" \"${{HAWKFISH_PASSWORD-none}}\"\nexit 7\n"
        );
        std::fs::write(&path, script).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn ssh_and_telnet_are_started_where_they_are_offered_and_their_end_is_the_end_of_the_command()
{
    let programs = programs();
    let connect = async |tree: &Little, more: &[&str]| {
        let mut command = tree.hawkfish();
        command
            .args([
                "systems",
                "console",
                "7",
                "--connect",
                "--host",
                "bmc.example",
            ])
            .args(more)
            .env("PATH", programs.path())
            .env("HAWKFISH_USERNAME", "admin")
            .env("HAWKFISH_PASSWORD", "sesame")
            .env("HAWKFISH_AUTH", "basic");
        ran(command).await
    };
    let (new, old) = (new().await, old().await);
    let ran = connect(&new, &["--login", "op"]).await;
    let line = "ssh 8 -p 2200 -l op -t -- bmc.example console 1 none\n";
    assert_eq!((ran.code, ran.out.as_str()), (7, line), "{}", ran.err);
    let ran = connect(&old, &[]).await;
    assert_eq!(
        (ran.code, ran.out.as_str()),
        (7, "telnet 2 bmc.example 2023 none\n"),
        "{}",
        ran.err
    );
    let ran = connect(&old, &["--shell"]).await;
    assert_eq!(
        (ran.code, ran.out.as_str()),
        (7, "ssh 4 -p 22 -- bmc.example none\n"),
        "{}",
        ran.err
    );
    let ran = connect(&new, &["--over", "telnet"]).await;
    assert_eq!((ran.code, ran.out.as_str()), (4, ""));
    assert!(ran.err.contains("by Telnet is switched off"), "{}", ran.err);
    let ran = connect(&old, &["--over", "ssh"]).await;
    assert_eq!(ran.code, 4);
    assert!(
        ran.err
            .contains("no serial console of 7 by SSH; there is Telnet, Oem"),
        "{}",
        ran.err
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_program_is_not_installed_that_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = new().await.hawkfish();
    command
        .args(["systems", "console", "7", "--connect"])
        .env("PATH", folder.path());
    let ran = ran(command).await;
    assert_eq!(ran.code, 4);
    assert!(ran.err.contains("cannot start ssh"), "{}", ran.err);
}

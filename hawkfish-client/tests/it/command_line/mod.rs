//! The program as a script or a person runs it. What it shows of a rack of simulated machines is in snapshots beside each module.

mod accounts;
mod captured;
mod certificates;
mod chassis;
mod child;
pub(crate) mod completions;
mod events;
mod failures;
mod firmware;
mod jobs;
mod little;
mod login;
mod logs;
mod managers;
mod output;
mod profiles;
pub(crate) mod rack;
mod raw;
mod registries;
mod replayed;
mod roles;
pub(crate) mod run;
mod sensors;
mod service;
mod sessions;
mod systems;
mod tasks;
mod telemetry;
mod terminal;
mod tree;

use self::run::{hawkfish, on, run};
use crate::mock::{Mock, PASSWORD, USER};

#[tokio::test(flavor = "multi_thread")]
async fn machines_are_listed_as_a_table_and_the_session_is_closed() {
    let mock = Mock::new();
    let (code, out, err) = on(&mock, &["systems", "ls"]).await;
    assert_eq!((code, err.as_str()), (0, ""));
    let words: Vec<Vec<&str>> = out
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(
        words,
        [
            vec!["ID", "NAME", "POWER", "STATE", "HEALTH", "MODEL"],
            vec!["7", "node", "Off", "Enabled", "OK"]
        ]
    );
    let inside = mock.inside();
    assert_eq!(inside.logins, 1);
    assert!(inside.tokens.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn json_is_what_the_service_said() {
    let mock = Mock::new();
    let (_, out, _) = on(&mock, &["systems", "ls", "-o", "json"]).await;
    let listed: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(listed[0]["@odata.id"], "/redfish/v1/Machines/7");
    let (_, out, _) = on(&mock, &["-o", "json", "systems", "show", "node"]).await;
    let shown: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(shown, listed[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_is_switched_on_and_a_second_time_is_a_conflict() {
    let mock = Mock::new();
    let (code, out, err) = on(&mock, &["systems", "power", "7", "on"]).await;
    assert_eq!((code, out.as_str(), err.as_str()), (0, "7: On\n", ""));
    assert_eq!(mock.inside().power, "On");
    let (code, out, err) = on(&mock, &["systems", "power", "7", "on"]).await;
    assert_eq!((code, out.as_str()), (5, ""));
    assert!(
        err.contains("It is in that state already.") && err.contains("Think again."),
        "{err}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_that_the_machine_does_not_take_is_not_sent() {
    let mock = Mock::new();
    let (code, _, err) = on(&mock, &["systems", "power", "7", "Nmi"]).await;
    assert_eq!(code, 2);
    assert!(err.contains("On, ForceOff"), "{err}");
    assert!(!mock.paths().iter().any(|path| path.ends_with("/Go")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_in_the_background_is_waited_for_unless_told_otherwise() {
    let mock = Mock::new();
    mock.inside().task_after = Some(2);
    let (code, out, _) = on(&mock, &["systems", "power", "7", "On"]).await;
    assert_eq!((code, out.as_str()), (0, "7: On\n"));
    mock.inside().task_after = Some(2);
    let (code, out, _) = on(&mock, &["systems", "power", "7", "ForceOff", "--no-wait"]).await;
    assert_eq!(
        (code, out.as_str()),
        (0, "goes on as /redfish/v1/TaskService/Tasks/1\n")
    );
    let (code, out, _) = on(&mock, &["tasks", "wait", "1"]).await;
    assert_eq!(code, 0);
    assert!(out.contains("Completed"), "{out}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_fails_fails_the_command() {
    let mock = Mock::new();
    {
        let mut inside = mock.inside();
        inside.task_after = Some(1);
        inside.task_fails = true;
    }
    let (code, _, err) = on(&mock, &["tasks", "wait", "1"]).await;
    assert_eq!(code, 1);
    assert!(err.contains("did not obey"), "{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn boot_is_overridden_once_for_good_and_no_more() {
    let mock = Mock::new();
    let (code, out, err) = on(
        &mock,
        &["systems", "boot", "7", "--target", "cd", "--mode", "uefi"],
    )
    .await;
    assert_eq!(
        (code, out.as_str(), err.as_str()),
        (0, "7: boots from cd once\n", "")
    );
    {
        let inside = mock.inside();
        assert_eq!(inside.boot["BootSourceOverrideTarget"], "Cd");
        assert_eq!(inside.boot["BootSourceOverrideEnabled"], "Once");
        assert_eq!(inside.boot["BootSourceOverrideMode"], "UEFI");
        let asked = inside
            .asked
            .iter()
            .find(|asked| asked.method == "PATCH")
            .unwrap();
        assert_eq!(asked.headers["if-match"], "\"1\"");
    }
    on(
        &mock,
        &["systems", "boot", "7", "--target", "Pxe", "--continuous"],
    )
    .await;
    assert_eq!(
        mock.inside().boot["BootSourceOverrideEnabled"],
        "Continuous"
    );
    on(&mock, &["systems", "boot", "7", "--disable"]).await;
    assert_eq!(mock.inside().boot["BootSourceOverrideEnabled"], "Disabled");
    let (_, out, _) = on(&mock, &["systems", "boot", "7"]).await;
    assert!(
        out.contains("Override") && out.contains("Disabled"),
        "{out}"
    );
    let (code, _, err) = on(&mock, &["systems", "boot", "7", "--target", "Tape"]).await;
    assert_eq!(code, 2, "{err}");
    let (code, _, _) = on(&mock, &["systems", "boot", "7", "--once"]).await;
    assert_eq!(code, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_goes_into_the_first_empty_drive_and_out_again() {
    let mock = Mock::new();
    let image = "http://images.example/a.iso";
    let mut command = hawkfish(&mock.listen().await);
    command
        .args(["systems", "media", "insert", "7", image])
        .env("HAWKFISH_IMAGE_USERNAME", "u")
        .env("HAWKFISH_IMAGE_PASSWORD", "p");
    let (code, out, err) = run(command).await;
    assert_eq!(
        (code, out, err.as_str()),
        (0, format!("7: Cd1 holds {image}\n"), "")
    );
    {
        let inside = mock.inside();
        let sent = &inside
            .asked
            .iter()
            .find(|asked| asked.path.ends_with("/In"))
            .unwrap()
            .body;
        assert_eq!(sent["UserName"], "u");
        assert_eq!(sent["WriteProtected"], true);
    }
    let (_, out, _) = on(&mock, &["systems", "media", "ls", "7"]).await;
    assert!(out.contains(image), "{out}");
    let (code, _, err) = on(&mock, &["systems", "media", "insert", "7", image]).await;
    assert_eq!(code, 4, "{err}");
    let (code, _, _) = on(&mock, &["systems", "media", "eject", "7"]).await;
    assert_eq!(code, 0);
    assert_eq!(mock.inside().image, None);
    let (code, _, _) = on(&mock, &["systems", "media", "eject", "7", "--slot", "Cd9"]).await;
    assert_eq!(code, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_and_tasks_are_listed() {
    let mock = Mock::new();
    mock.inside().task_after = Some(5);
    let (code, out, _) = on(&mock, &["sessions", "ls"]).await;
    assert_eq!(code, 0);
    assert!(out.contains("token-1") && out.contains(USER), "{out}");
    let (code, out, _) = on(&mock, &["tasks", "ls"]).await;
    assert_eq!(code, 0);
    assert!(out.contains("Running"), "{out}");
    let (code, out, _) = on(&mock, &["tasks", "show", "1"]).await;
    assert_eq!(code, 0);
    assert!(out.contains("/redfish/v1/TaskService/Tasks/1"), "{out}");
}

#[tokio::test(flavor = "multi_thread")]
async fn raw_reads_changes_and_deletes_any_uri_of_the_service() {
    let mock = Mock::new();
    let uri = "/redfish/v1/Machines/7";
    let (_, out, _) = on(&mock, &["raw", "get", uri]).await;
    let shown: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(shown["Id"], "7");
    let body = r#"{"Boot": {"BootSourceOverrideTarget": "Pxe"}}"#;
    let (code, _, err) = on(
        &mock,
        &["raw", "patch", uri, "-d", body, "--if-match", "\"old\""],
    )
    .await;
    assert_eq!(code, 5, "{err}");
    let (code, out, _) = on(
        &mock,
        &["raw", "patch", uri, "-d", body, "--if-match", "\"1\""],
    )
    .await;
    assert_eq!(code, 0);
    assert!(out.contains("\"Pxe\""), "{out}");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), r#"{"ResetType": "On"}"#).unwrap();
    let from_file = format!("@{}", file.path().display());
    let (code, out, _) = on(
        &mock,
        &[
            "raw",
            "post",
            &format!("{uri}/Actions/Go"),
            "-d",
            &from_file,
        ],
    )
    .await;
    assert_eq!((code, out.as_str()), (0, "done\n"));
    let (code, out, _) = on(&mock, &["raw", "delete", "/redfish/v1/Sessions/9"]).await;
    assert_eq!((code, out.as_str()), (0, "done\n"));
    let (code, _, _) = on(&mock, &["raw", "patch", uri, "-d", "{"]).await;
    assert_eq!(code, 2);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn credentials_come_from_a_file_that_only_its_owner_can_read() {
    use std::os::unix::fs::PermissionsExt as _;

    let mock = Mock::new();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("{USER}\n{PASSWORD}\n")).unwrap();
    for (mode, expected) in [(0o600, 0), (0o644, 2)] {
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).unwrap();
        let mut command = hawkfish(&mock.listen().await);
        command
            .args(["sessions", "ls", "--credentials-file"])
            .arg(file.path())
            .env_remove("HAWKFISH_USERNAME")
            .env_remove("HAWKFISH_PASSWORD");
        let (code, _, err) = run(command).await;
        assert_eq!(code, expected, "{mode:o}: {err}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_cannot_write_escape_sequences_to_the_terminal() {
    let mock = Mock::new();
    mock.inside().name = "a\u{1b}]0;owned\u{7}b".into();
    let (_, out, _) = on(&mock, &["systems", "ls"]).await;
    assert!(!out.contains('\u{1b}') && out.contains("owned"), "{out:?}");
}

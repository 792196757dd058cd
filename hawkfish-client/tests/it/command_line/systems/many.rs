//! `systems power` and `systems wait`, of one machine and of many.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::super::rack::Rack;
use super::super::run::{on, ran};
use super::{ID, NAME, system};
use crate::mock::Mock;

async fn states(rack: &Rack) -> Vec<Value> {
    let client = rack.world.client().unwrap();
    let mut states = Vec::new();
    for member in client.members("/redfish/v1/Systems").all().await.unwrap() {
        states.push(rack.get(&member.uri).await["PowerState"].clone());
    }
    states
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_in_a_row_are_switched_on_with_a_result_for_each() {
    let rack = Rack::of(3).await;
    let out = rack
        .shows(&["systems", "power", NAME, "sim-00003", "on"])
        .await;
    insta::assert_snapshot!(out, @r"
    ID         RESULT
    sim-00001  On
    sim-00003  On
    ");
    rack.seconds(120).await;
    assert_eq!(states(&rack).await, ["On", "Off", "On"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_machines_are_switched_on_and_those_that_are_on_are_left_alone_if_asked() {
    let rack = Rack::of(3).await;
    rack.shows(&["systems", "power", NAME, "on"]).await;
    rack.seconds(120).await;
    let out = rack
        .shows(&[
            "systems",
            "power",
            "--all",
            "on",
            "--if-needed",
            "-o",
            "json",
        ])
        .await;
    let told: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        told[0],
        json!({"Id": ID, "Done": true, "Result": "On already"})
    );
    assert_eq!(told[2]["Result"], "On");
    rack.seconds(120).await;
    assert_eq!(states(&rack).await, ["On", "On", "On"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_machine_that_cannot_fails_the_command_and_keeps_no_other_from_its_turn() {
    let rack = Rack::of(2).await;
    rack.shows(&["systems", "power", NAME, "on"]).await;
    rack.seconds(120).await;
    // What cannot be told anything because it is off.
    let ran = rack.run(&["systems", "power", "--all", "nmi"]).await;
    assert_eq!(ran.code, 5, "{}", ran.err);
    assert!(ran.err.contains("1 of 2 failed"), "{}", ran.err);
    assert!(ran.out.contains("409 Conflict"), "{}", ran.out);
    let ran = rack
        .run(&["systems", "power", "nobody", NAME, "off", "--force"])
        .await;
    assert_eq!(ran.code, 4, "{}", ran.err);
    rack.seconds(120).await;
    assert_eq!(states(&rack).await, ["Off", "Off"]);
    // What fails in two ways has no exit code of its own.
    let both = ["-o", "yaml", "systems", "power", "nobody", NAME, "Nmi"];
    let ran = rack.run(&both).await;
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(
        ran.out.contains("ExitCode: 5") && ran.out.contains("ExitCode: 4"),
        "{}",
        ran.out
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn off_asks_the_operating_system_unless_forced() {
    let rack = Rack::of(1).await;
    rack.shows(&["systems", "power", NAME, "on"]).await;
    rack.seconds(120).await;
    let out = rack
        .shows(&["systems", "power", NAME, "restart", "--force"])
        .await;
    assert_eq!(out, format!("{NAME}: ForceRestart\n"));
    rack.seconds(120).await;
    let out = rack.shows(&["systems", "power", NAME, "off"]).await;
    assert_eq!(out, format!("{NAME}: GracefulShutdown\n"));
    rack.seconds(120).await;
    assert_eq!(states(&rack).await, ["Off"]);
    let ran = rack
        .run(&["systems", "power", NAME, "Nmi", "--force"])
        .await;
    assert_eq!(ran.code, 2, "{}", ran.err);
    let ran = rack.run(&["systems", "power", NAME, "explode"]).await;
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("ForceOff"), "{}", ran.err);
    let ran = rack.run(&["systems", "power", "--all", NAME, "on"]).await;
    assert_eq!(ran.code, 2, "{}", ran.err);
    let ran = rack.run(&["systems", "power", "on"]).await;
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("--all"), "{}", ran.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_ends_when_the_machine_is_as_it_shall_be() {
    let rack = Rack::of(1).await;
    rack.shows(&["systems", "power", NAME, "on"]).await;
    let mut waiting = rack.hawkfish();
    waiting.args([
        "systems", "wait", NAME, "--power", "On", "--state", "enabled", "--within", "60",
    ]);
    let waiting = tokio::spawn(ran(waiting));
    tokio::time::sleep(Duration::from_millis(1200)).await;
    assert!(!waiting.is_finished());
    assert_ne!(rack.get(&system("")).await["PowerState"], "On");
    rack.seconds(120).await;
    let ended = waiting.await.unwrap();
    assert_eq!(
        (ended.code, ended.out.as_str()),
        (0, "sim-00001: On, Enabled\n"),
        "{}",
        ended.err
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_ends_with_its_time_and_says_how_it_still_is() {
    let rack = Rack::of(2).await;
    let began = Instant::now();
    let ran = rack
        .run(&["systems", "wait", NAME, "--power", "on", "--within", "1"])
        .await;
    assert!(began.elapsed() >= Duration::from_secs(1));
    assert_eq!((ran.code, ran.out.as_str()), (6, ""));
    assert!(
        ran.err.contains("sim-00001: still Off after 1 s"),
        "{}",
        ran.err
    );
    rack.shows(&["systems", "power", NAME, "on"]).await;
    rack.seconds(120).await;
    let ran = rack
        .run(&["systems", "wait", "--all", "--power", "on", "--within", "1"])
        .await;
    assert_eq!(ran.code, 6, "{}", ran.err);
    let words: Vec<Vec<&str>> = ran
        .out
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(words[1], [ID, "On"]);
    assert_eq!(words[2][1..], ["still", "Off", "after", "1", "s"]);
    let ran = rack
        .run(&["systems", "wait", "nobody", "--power", "on"])
        .await;
    assert_eq!(ran.code, 4, "{}", ran.err);
    let ran = rack
        .run(&["systems", "wait", NAME, "--power", "sideways"])
        .await;
    assert_eq!(ran.code, 2, "{}", ran.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn resets_of_all_in_the_background_are_waited_for_or_not() {
    let mock = Mock::new();
    mock.inside().task_after = Some(2);
    let (code, out, err) = on(&mock, &["systems", "power", "--all", "On", "--no-wait"]).await;
    assert_eq!(code, 0, "{err}");
    assert!(
        out.contains("7   goes on as /redfish/v1/TaskService/Tasks/1"),
        "{out}"
    );
    mock.inside().task_after = Some(2);
    let (code, out, err) = on(&mock, &["systems", "power", "--all", "off", "--force"]).await;
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("7   ForceOff"), "{out}");
    assert_eq!(mock.inside().power, "Off");
    // Each has its own time, and one that is not done fails them all.
    mock.inside().task_after = Some(10_000);
    let arguments = ["systems", "power", "--all", "On", "--within", "1"];
    let (code, out, err) = on(&mock, &arguments).await;
    assert_eq!(code, 6, "{err}");
    assert!(out.contains("not done in time"), "{out}");
    assert!(err.contains("1 of 1 failed"), "{err}");
}

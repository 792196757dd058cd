//! A watchdog that nobody feeds does what it is set to, and a reset by it is told as such.

use std::time::Duration;

use hawkfish_core::backend::sim::{Guest, OnPanic};
use jiff::SignedDuration;
use serde_json::json;

use crate::door::{Door, SYSTEMS};

/// A service with a machine whose guest arms its watchdog, and hangs on an interrupt.
async fn hanging() -> (Door, String) {
    let door = Door::open().await;
    let key = door.rack.key(0).unwrap();
    let guest = Guest {
        on_panic: OnPanic::Hang,
        watchdog: Some(Duration::from_secs(30)),
        ..Guest::default()
    };
    door.rack.set_guest(key, guest).unwrap();
    (door, format!("{SYSTEMS}/{key}"))
}

async fn pass(door: &Door, seconds: i64) {
    for _ in 0..seconds {
        door.clock.advance(SignedDuration::from_secs(1));
        door.app.hawkfish().tick().await.unwrap();
    }
}

async fn reset(door: &Door, system: &str, how: &str) {
    let uri = format!("{system}/Actions/ComputerSystem.Reset");
    let body = json!({"ResetType": how});
    let answer = door.send("POST", &uri).admin().json(&body).answer().await;
    assert_eq!(answer.status, 204, "{answer:?}");
}

#[tokio::test]
async fn a_watchdog_that_is_not_fed_resets_the_system_and_is_the_cause_of_that() {
    let (door, system) = hanging().await;
    reset(&door, &system, "PushPowerButton").await;
    pass(&door, 10).await;
    let up = door.read(&system).await.body;
    assert_eq!(up["LastResetCause"], "PowerButtonPress");
    assert_eq!(up["HostWatchdogTimer"]["FunctionEnabled"], true);
    assert_eq!(up["HostWatchdogTimer"]["TimeoutAction"], "ResetSystem");
    assert_eq!(up["HostWatchdogTimer"]["Status"]["State"], "Enabled");
    reset(&door, &system, "Nmi").await;
    pass(&door, 29).await;
    assert_eq!(
        door.read(&system).await.body["LastResetTime"],
        up["LastResetTime"]
    );
    pass(&door, 2).await;
    let bitten = door.read(&system).await.body;
    assert_eq!(bitten["PowerState"], "On");
    assert_ne!(bitten["LastResetTime"], up["LastResetTime"]);
    assert_eq!(bitten["LastResetCause"], "WatchdogExpiration");
    reset(&door, &system, "ForceRestart").await;
    assert_eq!(
        door.read(&system).await.body["LastResetCause"],
        "ManagementCommand"
    );
}

#[tokio::test]
async fn a_watchdog_does_what_it_was_last_set_to_also_while_the_system_runs() {
    let (door, system) = hanging().await;
    reset(&door, &system, "On").await;
    pass(&door, 10).await;
    let patch = async |body: serde_json::Value| {
        let body = json!({"HostWatchdogTimer": body});
        door.send("PATCH", &system)
            .admin()
            .json(&body)
            .answer()
            .await
    };
    let answer = patch(json!({"TimeoutAction": "PowerDown"})).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(
        answer.body["HostWatchdogTimer"]["TimeoutAction"],
        "PowerDown"
    );
    reset(&door, &system, "Nmi").await;
    pass(&door, 31).await;
    assert_eq!(door.read(&system).await.body["PowerState"], "Off");

    let answer = patch(json!({"FunctionEnabled": false})).await;
    let timer = &answer.body["HostWatchdogTimer"];
    assert_eq!(timer["FunctionEnabled"], false, "{answer:?}");
    assert_eq!(timer["TimeoutAction"], "None");
    reset(&door, &system, "On").await;
    pass(&door, 10).await;
    let up = door.read(&system).await.body;
    reset(&door, &system, "Nmi").await;
    pass(&door, 60).await;
    let hung = door.read(&system).await.body;
    assert_eq!(hung["PowerState"], "On");
    assert_eq!(hung["LastResetTime"], up["LastResetTime"]);

    patch(json!({"FunctionEnabled": true, "TimeoutAction": "None"}))
        .await
        .refused(400, "PropertyValueConflict");
    patch(json!({"TimeoutAction": "PowerCycle"}))
        .await
        .refused(400, "PropertyValueNotInList");
    let answer = patch(json!({"FunctionEnabled": true})).await;
    assert_eq!(
        answer.body["HostWatchdogTimer"]["TimeoutAction"],
        "ResetSystem"
    );
}

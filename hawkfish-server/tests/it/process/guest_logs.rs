//! The log of a real guest: what was done to it here, by others, and by itself is told apart, and told once.

use std::time::Duration;

use serde_json::{Value, json};

use super::client::Client;
use super::server::Server;
use hawkfish_testing::lab::Lab;

/// What stands in the log of the one system.
async fn told(client: &Client, system: &str) -> Vec<String> {
    let entries = client
        .read(&format!("{system}/LogServices/Event/Entries"))
        .await;
    let line = |entry: &Value| {
        let key = entry["MessageId"]
            .as_str()
            .unwrap()
            .rsplit('.')
            .next()
            .unwrap();
        let args: Vec<&str> = entry["MessageArgs"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        format!("{key}({})", args.join(", "))
    };
    entries["Members"]
        .as_array()
        .unwrap()
        .iter()
        .map(line)
        .collect()
}

/// Waits until something comes to stand at the end of the log, and for whatever echo may follow.
async fn ends(client: &Client, system: &str, last: &[&str]) {
    let began = std::time::Instant::now();
    loop {
        let lines = told(client, system).await;
        if lines.ends_with(&last.iter().map(ToString::to_string).collect::<Vec<_>>()) {
            break;
        }
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "{last:?} is not the end of {lines:#?}"
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn first_system(client: &Client) -> String {
    let systems = client.read("/redfish/v1/Systems").await;
    systems["Members"][0]["@odata.id"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_of_a_guest_tells_its_own_doing_ours_and_that_of_others_apart() {
    let Some(lab) = Lab::up() else { return };
    let guest = lab.define("told", &["--cdrom-empty", "--memory", "128"]);
    let mut server = Server::libvirt(lab.uri(), &[]);
    let client = server.client().await;
    let system = first_system(&client).await;
    let reset = async |how: &str| {
        let uri = format!("{system}/Actions/ComputerSystem.Reset");
        let answer = client.post(&uri, &json!({"ResetType": how})).await;
        answer.unwrap().good();
    };
    reset("On").await;
    ends(&client, &system, &["SystemPoweredOn(by a command)"]).await;
    guest.boots(&["TOLD"]).await;
    reset("ForceRestart").await;
    guest.boots(&["TOLD", "TOLD"]).await;
    ends(&client, &system, &["SystemReset(by a command)"]).await;
    // What follows upon a reset sooner counts as its echo.
    tokio::time::sleep(Duration::from_millis(2500)).await;
    lab.virsh(&["reset", "told"]);
    guest.boots(&["TOLD", "TOLD", "TOLD"]).await;
    ends(&client, &system, &["SystemReset(by its guest)"]).await;
    reset("Pause").await;
    lab.virsh(&["resume", "told"]);
    ends(
        &client,
        &system,
        &[
            "SystemPaused(by a command)",
            "SystemResumed(by somebody else than this service)",
        ],
    )
    .await;
    lab.virsh(&["destroy", "told"]);
    ends(
        &client,
        &system,
        &["SystemPoweredOff(by somebody else than this service)"],
    )
    .await;
    let boot =
        json!({"Boot": {"BootSourceOverrideTarget": "Cd", "BootSourceOverrideEnabled": "Once"}});
    client.patch(&system, &boot).await.unwrap().good();
    reset("On").await;
    ends(
        &client,
        &system,
        &[
            "BootSettingsChanged(override)",
            "SystemPoweredOn(by a command)",
            "BootOverrideUsed()",
        ],
    )
    .await;

    // What happened while nobody was there is told as just that, and what was told before is still there.
    let before = told(&client, &system).await;
    server.terminate();
    server.ended(Duration::from_secs(30)).await;
    lab.virsh(&["destroy", "told"]);
    server.start();
    let client = server.client().await;
    ends(
        &client,
        &system,
        &["SystemPoweredOff(while nobody was looking)"],
    )
    .await;
    let after = told(&client, &system).await;
    assert_eq!(after[..before.len()], before);
    assert_eq!(after.len(), before.len() + 1, "{after:#?}");
    assert_eq!(after.len(), 10, "something was told twice: {after:#?}");
}

//! What a real guest uses is what the service shows, and a job switches it off.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::server::Server;
use hawkfish_testing::lab::Lab;
use hawkfish_testing::until;

/// How long the boot of a guest, and what is sampled of it, may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_boots_shows_in_its_metrics_and_goes_off_at_the_time_of_a_job() {
    let Some(lab) = Lab::up() else { return };
    // The long boot of UEFI is work enough to be seen.
    lab.define("worker", &["--efi"]);
    let server = Server::libvirt(lab.uri(), &["--sample-interval", "1"]);
    let client = server.client().await;
    let system = client.members("/redfish/v1/Systems").await.remove(0);
    let chassis = system.replace("Systems", "Chassis");
    let metrics = format!("{system}/ProcessorSummary/ProcessorMetrics");
    assert_eq!(client.read(&metrics).await["BandwidthPercent"], Value::Null);

    let reset = format!("{system}/Actions/ComputerSystem.Reset");
    let on = json!({"ResetType": "On"});
    client.post(&reset, &on).await.unwrap().good();
    until("its processor is busy", PATIENCE, async || {
        let busy = client.read(&metrics).await["BandwidthPercent"].as_f64();
        busy.filter(|percent| *percent > 50.0)
    })
    .await;
    let drives = client.members(&format!("{chassis}/Drives")).await;
    until("its disk is read", PATIENCE, async || {
        let read = client.read(&format!("{}/Metrics", drives[0])).await;
        read["ReadIOKiBytes"].as_i64().filter(|kib| *kib > 0)
    })
    .await;
    until("it rests", PATIENCE, async || {
        let busy = client.read(&metrics).await["BandwidthPercent"].as_f64();
        busy.filter(|percent| *percent < 30.0)
    })
    .await;
    // What nothing measures is not made up.
    let power = client.read(&format!("{chassis}/Power")).await;
    assert!(power.get("PowerSupplies").is_none(), "{power}");
    let thermal = client.read(&format!("{chassis}/ThermalSubsystem")).await;
    assert!(thermal.get("Fans").is_none(), "{thermal}");

    let soon = Timestamp::now() + SignedDuration::from_secs(1);
    let job = json!({
        "Schedule": {"InitialStartTime": soon.to_string()},
        "Payload": {"TargetUri": reset, "JsonBody": "{\"ResetType\": \"ForceOff\"}"},
    });
    let jobs = "/redfish/v1/JobService/Jobs";
    let made = client.post(jobs, &job).await.unwrap().good();
    let job = made.headers["location"].to_str().unwrap().to_owned();
    until("the job is done", PATIENCE, async || {
        (client.read(&job).await["JobState"] == "Completed").then_some(())
    })
    .await;
    assert_eq!(lab.virsh(&["domstate", "worker"]).trim(), "shut off");
}

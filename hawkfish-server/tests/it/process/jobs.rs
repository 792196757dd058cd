//! A job outlives the process that took it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::server::Server;
use hawkfish_testing::until;

const JOBS: &str = "/redfish/v1/JobService/Jobs";

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_done_once_although_hawkfish_is_killed_before_its_time_and_after_it() {
    let mut server = Server::simulated(1, &[]);
    let client = server.client().await;
    let system = client.members("/redfish/v1/Systems").await.remove(0);
    let start = Timestamp::now() + SignedDuration::from_secs(4);
    let body = json!({
        "Schedule": {"InitialStartTime": start.to_string()},
        "Payload": {
            "TargetUri": format!("{system}/Actions/ComputerSystem.Reset"),
            "JsonBody": "{\"ResetType\": \"On\"}",
        },
    });
    let made = client.post(JOBS, &body).await.unwrap().good();
    let job = made.headers["location"].to_str().unwrap().to_owned();
    server.kill();
    server.start();

    let client = server.client().await;
    assert_eq!(client.read(&system).await["PowerState"], "Off");
    until("the job is done", Duration::from_secs(30), async || {
        let state = client.read(&job).await["JobState"].clone();
        (state == "Completed").then_some(())
    })
    .await;
    let done = client.read(&job).await;
    let began: Timestamp = done["StartTime"].as_str().unwrap().parse().unwrap();
    assert!(
        began.duration_since(start).abs() < SignedDuration::from_secs(5),
        "{done}"
    );
    assert_ne!(client.read(&system).await["PowerState"], "Off");
    let off = json!({"ResetType": "ForceOff"});
    let reset = format!("{system}/Actions/ComputerSystem.Reset");
    client.post(&reset, &off).await.unwrap().good();
    server.kill();
    server.start();

    let client = server.client().await;
    assert_eq!(client.read(&job).await["JobState"], "Completed");
    assert_eq!(client.read(&system).await["PowerState"], "Off");
}

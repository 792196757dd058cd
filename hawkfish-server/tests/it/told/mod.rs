//! What can be seen and changes is told: once, in order, and whoever hears of it finds it so already. What changes nothing tells nothing.

mod by_itself;
mod changes;
mod ear;

use hawkfish_server::catalog::Verb;
use hawkfish_server::resource;
use serde_json::json;

use self::ear::Ear;
use crate::door::Door;

/// Everything that can be asked to change something, as [`Ear::asked`] has it.
fn changing() -> Vec<(String, String)> {
    let mut all = Vec::new();
    for resource in resource::ALL {
        for verb in resource.verbs() {
            let method = match verb {
                Verb::Create => "POST",
                Verb::Patch => "PATCH",
                Verb::Delete => "DELETE",
                _ => continue,
            };
            all.push((method.to_owned(), resource.uri.to_owned()));
        }
        for action in resource.actions {
            all.push((action.name.to_owned(), resource.uri.to_owned()));
        }
    }
    all
}

/// What has a test of its own for what it tells, and what changes nothing.
const ELSEWHERE: &[&str] = &[
    "/redfish/v1/EventService",
    "/redfish/v1/JobService",
    "/redfish/v1/TaskService/Tasks",
    "/redfish/v1/TaskService/TaskMonitors",
    "/redfish/v1/CertificateService",
    "/redfish/v1/Managers/{system}/NetworkProtocol/HTTPS",
    "/redfish/v1/UpdateService",
    "/redfish/v1/Systems/{system}/BootImage",
    // The same as below systems.
    "/redfish/v1/Managers/{system}/VirtualMedia",
];

#[tokio::test]
async fn every_change_that_a_client_makes_is_told_once_and_is_made_when_it_is_told() {
    let door = Door::open().await;
    let mut ear = Ear::to(&door).await;
    ear.accounts().await;
    ear.sessions().await;
    ear.systems().await;
    ear.power().await;
    ear.firmware().await;
    ear.managers().await;
    ear.media().await;
    ear.volumes().await;
    ear.logs().await;
    ear.telemetry().await;
    let minutes = json!({"TaskAutoDeleteTimeoutMinutes": 77});
    ear.sets("TaskService", minutes, &["ResourceChanged TaskService"])
        .await;

    let mut missing = changing();
    missing.retain(|(_, uri)| !ELSEWHERE.iter().any(|elsewhere| uri.starts_with(elsewhere)));
    missing.retain(|asked| !ear.asked.contains(asked));
    if !missing.is_empty() {
        ear.faults
            .push(format!("nobody knows what these tell: {missing:#?}"));
    }
    ear.end();
}

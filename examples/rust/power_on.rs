//! Turns every machine of a Redfish service on, and waits until it is. Any service will do.
//!
//! Where it is and who asks comes from `HAWKFISH_URL`, `HAWKFISH_USERNAME`, `HAWKFISH_PASSWORD`, and `HAWKFISH_CA` where the service has a certificate of
//! its own.

#![expect(clippy::print_stdout, reason = "a program that has something to say")]

use std::env::var;
use std::time::Duration;

use hawkfish_client::{Client, Kind, link};
use serde_json::json;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut builder = Client::builder(var("HAWKFISH_URL")?)
        .session(var("HAWKFISH_USERNAME")?, var("HAWKFISH_PASSWORD")?);
    if let Ok(path) = var("HAWKFISH_CA") {
        builder = builder.ca_pem(std::fs::read(path)?);
    }
    let client = builder.build()?;

    let root = client.root().await?;
    let mut systems = client.members(link(&root.value, "/Systems").ok_or("no systems")?);
    while let Some(member) = systems.next().await? {
        let mut system = member.read(&client).await?;
        match client
            .action(
                &system.value,
                "ComputerSystem.Reset",
                &json!({"ResetType": "On"}),
            )
            .await
        {
            Ok(outcome) => drop(outcome.finish(Some(Duration::from_secs(120))).await?),
            // Some services take it amiss when it is on already.
            Err(error) if error.kind == Kind::Conflict => {}
            Err(error) => return Err(error.into()),
        }
        while system.value["PowerState"] != "On" {
            tokio::time::sleep(Duration::from_millis(500)).await;
            system = client.get_value(&system.uri).await?;
        }
        let name = system.value["Name"].as_str().unwrap_or(&system.uri);
        println!("{name} is on");
    }
    client.logout().await?;
    Ok(())
}

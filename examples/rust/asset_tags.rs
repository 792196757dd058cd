//! Puts a prefix before the asset tag of every machine of a Redfish service that has it not yet: `asset_tags rack-7/`.
//!
//! Where somebody else changes a machine at the same moment, it is read and decided anew, so that nothing of theirs is overwritten. Where the service is and who
//! asks comes from `HAWKFISH_URL`, `HAWKFISH_USERNAME`, `HAWKFISH_PASSWORD`, and `HAWKFISH_CA`.

#![expect(clippy::print_stdout, reason = "a program that has something to say")]

use std::env::{args, var};

use hawkfish_client::Client;
use serde_json::json;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let prefix = args().nth(1).ok_or("which prefix?")?;
    let mut builder = Client::builder(var("HAWKFISH_URL")?)
        .session(var("HAWKFISH_USERNAME")?, var("HAWKFISH_PASSWORD")?);
    if let Ok(path) = var("HAWKFISH_CA") {
        builder = builder.ca_pem(std::fs::read(path)?);
    }
    let client = builder.build()?;

    for system in client.systems().await? {
        let mut says = String::new();
        let outcome = client.update(system.uri(), |now| {
            let tag = now["AssetTag"].as_str().unwrap_or_default();
            if tag.starts_with(&prefix) {
                says = format!("has been {tag}");
                return Ok(None);
            }
            let tag = format!("{prefix}{tag}");
            says = format!("is {tag}");
            Ok(Some(json!({"AssetTag": tag})))
        });
        outcome.await?.finish(None).await?;
        println!("{} {says}", system.name);
    }
    client.logout().await?;
    Ok(())
}

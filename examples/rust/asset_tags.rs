//! Gives every machine of a Redfish service an asset tag, unless somebody gave it one before: `asset_tags PREFIX`.
//!
//! Where somebody else changes a machine at the same moment, it is read and decided anew, so that no tag is ever overwritten. Where the service is and who asks
//! comes from `HAWKFISH_URL`, `HAWKFISH_USERNAME`, `HAWKFISH_PASSWORD`, and `HAWKFISH_CA`.

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

    for (number, system) in client.systems().await?.into_iter().enumerate() {
        let tag = format!("{prefix}-{:03}", number + 1);
        let mut before = None;
        let outcome = client.update(system.uri(), |now| {
            // Some services show an empty tag where there is none.
            let has = now["AssetTag"].as_str().filter(|tag| !tag.is_empty());
            before = has.map(str::to_owned);
            Ok(before.is_none().then(|| json!({"AssetTag": tag})))
        });
        outcome.await?.finish(None).await?;
        match before {
            Some(before) => println!("{} has been {before}", system.name),
            None => println!("{} is {tag}", system.name),
        }
    }
    client.logout().await?;
    Ok(())
}

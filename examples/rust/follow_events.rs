//! Hears of a change in the two ways that Redfish has: by a stream of events, which is taken up again where it broke off, and by a receiver that the service
//! sends to. HawkFish signs what it sends; it must be let send to this machine (`--event-allow 127.0.0.1`).
//!
//! Where the service is and who asks comes from `HAWKFISH_URL`, `HAWKFISH_USERNAME`, `HAWKFISH_PASSWORD`, and `HAWKFISH_CA`.

#![expect(clippy::print_stdout, reason = "a program that has something to say")]

use std::env::var;

use hawkfish_client::events::{Event, Record};
use hawkfish_client::webhook::Receiver;
use hawkfish_client::{Client, Etag};
use serde_json::json;

const KEY: &str = "a key of ours";

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut builder = Client::builder(var("HAWKFISH_URL")?)
        .session(var("HAWKFISH_USERNAME")?, var("HAWKFISH_PASSWORD")?);
    if let Ok(path) = var("HAWKFISH_CA") {
        builder = builder.ca_pem(std::fs::read(path)?);
    }
    let client = builder.build()?;
    let system = client
        .systems()
        .await?
        .into_iter()
        .next()
        .ok_or("no system")?;

    let mut stream = client.events().open().await?;
    let mut receiver = Receiver::signed(KEY)
        .bind(([127, 0, 0, 1], 0).into())
        .await?;
    let events = client.event_service().await?;
    let destination = json!({
        "Destination": receiver.url(),
        "Protocol": "Redfish",
        "RegistryPrefixes": ["ResourceEvent"],
        "Oem": {"HawkFish": {"SigningKey": KEY}},
    });
    let subscribed = events.create("/Subscriptions", &destination).await?;
    let subscribed = subscribed.finish(None).await?;
    let subscription = subscribed.location().ok_or("no subscription")?.to_owned();

    // What both are to tell. Another tag than before, or nothing would change.
    let tag = match system.asset_tag.value().map(String::as_str) {
        Some("heard of") => "",
        _ => "heard of",
    };
    system.set_asset_tag(tag).await?.finish(None).await?;
    let told = loop {
        let event = stream.next().await.ok_or("the stream is over")??;
        if let Some(record) = of(&event, system.uri()) {
            println!("the stream tells {} of {}", record.key(), system.uri());
            break event;
        }
    };
    loop {
        let event = receiver.next().await.ok_or("the receiver is over")?;
        if let Some(record) = of(&event, system.uri()) {
            println!("the receiver is told {} of {}", record.key(), system.uri());
            break;
        }
    }
    client
        .delete(&subscription, None::<&Etag>)
        .await?
        .finish(None)
        .await?;

    // What happened while nobody listened is told by whoever goes on after the last event that was read.
    let last = told.id.clone().ok_or("the events have no numbers")?;
    drop(stream);
    system.set_asset_tag("").await?.finish(None).await?;
    system.set_asset_tag("missed").await?.finish(None).await?;
    let mut stream = client.events().from(last).open().await?;
    loop {
        let event = stream.next().await.ok_or("the stream is over")??;
        if let Some(record) = of(&event, system.uri()) {
            println!("the new stream tells {} of {}", record.key(), system.uri());
            break;
        }
    }
    drop(stream);
    client.logout().await?;
    Ok(())
}

/// The record that is about a resource.
fn of<'e>(event: &'e Event, uri: &str) -> Option<&'e Record> {
    let mut records = event.records.iter();
    records.find(|record| record.origin.as_deref() == Some(uri))
}

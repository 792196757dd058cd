//! A rack of two servers in this process, in a time that only moves when told: what a test of a Redfish client can look like.

#![expect(clippy::print_stdout, reason = "a program that has something to say")]

use hawkfish_client::{Client, Fetched, link};
use hawkfish_sim::World;
use jiff::SignedDuration;
use serde_json::{Value, json};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let world = World::builder().seed(42).systems(2).start().await?;
    let client = world.client()?;

    let system = first_system(&client).await?;
    let cd = first_slot(&client, &system.value).await?;
    let image = json!({"Image": "http://images.example/installer.iso"});
    client
        .action(&cd.value, "VirtualMedia.InsertMedia", &image)
        .await?
        .finish(None)
        .await?;
    let boot =
        json!({"Boot": {"BootSourceOverrideTarget": "Cd", "BootSourceOverrideEnabled": "Once"}});
    client
        .patch(&system.uri, system.etag.as_ref(), &boot)
        .await?;
    for reset in ["On", "ForceRestart"] {
        client
            .action(
                &system.value,
                "ComputerSystem.Reset",
                &json!({"ResetType": reset}),
            )
            .await?;
        // Ten minutes of its time, none of ours.
        world.advance(SignedDuration::from_mins(10)).await?;
    }

    // The first boot was from the CD, the second was not: `Once` is one boot.
    world.trace_consoles().await?;
    let trace = world.trace().to_string();
    let boots: Vec<&str> = trace
        .lines()
        .filter(|line| line.contains("HAWKFISH-BOOT"))
        .map(str::trim)
        .collect();
    println!("{}", boots.join("\n"));
    assert!(boots[0].contains("target=Cd image=http://images.example/installer.iso"));
    assert!(boots[1].contains("target=Hdd"));
    world.close().await?;
    Ok(())
}

async fn first_system(client: &Client) -> Result<Fetched<Value>, hawkfish_client::Error> {
    let root = client.root().await?;
    let systems = link(&root.value, "/Systems").expect("a service with machines has systems");
    let member = client.members(systems).next().await?;
    member.expect("a system").read(client).await
}

async fn first_slot(
    client: &Client,
    system: &Value,
) -> Result<Fetched<Value>, hawkfish_client::Error> {
    let slots = link(system, "/VirtualMedia").expect("the system has virtual media");
    let member = client.members(slots).next().await?;
    member.expect("a slot").read(client).await
}

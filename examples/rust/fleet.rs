//! What all machines of a Redfish service are, as a table. Any service will do; of one that can expand, all machines are read at once.
//!
//! Where it is and who asks comes from `HAWKFISH_URL`, `HAWKFISH_USERNAME`, `HAWKFISH_PASSWORD`, and `HAWKFISH_CA` where the service has a certificate of
//! its own.

#![expect(clippy::print_stdout, reason = "a program that has something to say")]

use std::env::var;

use hawkfish_client::Client;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut builder = Client::builder(var("HAWKFISH_URL")?)
        .session(var("HAWKFISH_USERNAME")?, var("HAWKFISH_PASSWORD")?);
    if let Ok(path) = var("HAWKFISH_CA") {
        builder = builder.ca_pem(std::fs::read(path)?);
    }
    let client = builder.build()?;

    println!("NAME       POWER  CPUS  GIB  DISKS  SERIAL NUMBER");
    for system in client.systems().await? {
        let power = system.power_state.value();
        let cpus = system.processor_summary.as_ref();
        let cpus = cpus.and_then(|cpus| cpus.count.value().copied());
        let memory = system.memory_summary.as_ref();
        let memory = memory.and_then(|memory| memory.total_system_memory_gib.value().copied());
        // A machine without storage is one without disks.
        let mut disks = 0;
        if system.storage.is_some() {
            for storage in system.storages().await? {
                disks += storage.disks().await?.len();
            }
        }
        println!(
            "{:<9}  {:<5}  {:>4}  {:>3}  {disks:>5}  {}",
            system.name,
            power.map_or("?", |power| power.as_str()),
            cpus.map_or("?".into(), |cpus| cpus.to_string()),
            memory.map_or("?".into(), |gib| gib.to_string()),
            system.serial_number.value().map_or("?", String::as_str),
        );
    }
    client.logout().await?;
    Ok(())
}

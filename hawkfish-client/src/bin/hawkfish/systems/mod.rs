//! `systems`: the machines. One file for each thing that can be done with one.

mod boot;
mod media;
mod power;

use clap::Subcommand;
use hawkfish_client::Client;

use crate::failure::Result;
use crate::find;
use crate::output::{Column, Output};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// All machines.
    Ls,
    /// One machine.
    Show {
        /// Its id, name or UUID.
        id: String,
    },
    /// Switches a machine on or off, or resets it.
    Power(power::Arguments),
    /// Shows what a machine boots from, or overrides it.
    Boot(boot::Arguments),
    /// CDs and USB sticks of a machine.
    #[command(subcommand)]
    Media(media::Command),
}

const COLUMNS: &[Column] = &[
    ("ID", &["/Id"]),
    ("NAME", &["/Name"]),
    ("POWER", &["/PowerState"]),
    ("STATE", &["/Status/State"]),
    ("HEALTH", &["/Status/HealthRollup", "/Status/Health"]),
    ("MODEL", &["/Model"]),
];

const ROWS: &[Column] = &[
    ("Id", &["/Id"]),
    ("Name", &["/Name"]),
    ("Description", &["/Description"]),
    ("UUID", &["/UUID"]),
    ("Host name", &["/HostName"]),
    ("Type", &["/SystemType"]),
    ("Manufacturer", &["/Manufacturer"]),
    ("Model", &["/Model"]),
    ("Serial number", &["/SerialNumber"]),
    ("Asset tag", &["/AssetTag"]),
    ("Power", &["/PowerState"]),
    ("State", &["/Status/State"]),
    ("Health", &["/Status/HealthRollup", "/Status/Health"]),
    ("Processors", &["/ProcessorSummary/Count"]),
    (
        "Logical processors",
        &["/ProcessorSummary/LogicalProcessorCount"],
    ),
    ("Memory (GiB)", &["/MemorySummary/TotalSystemMemoryGiB"]),
    ("Boot override", &["/Boot/BootSourceOverrideEnabled"]),
    ("Boot target", &["/Boot/BootSourceOverrideTarget"]),
    ("Boot mode", &["/Boot/BootSourceOverrideMode"]),
    ("URI", &["/@odata.id"]),
];

pub(crate) async fn run(client: &Client, output: &Output, command: &Command) -> Result<()> {
    match command {
        Command::Ls => {
            let collection = find::systems(client).await?;
            let systems = find::all(client, &collection).await?;
            let systems: Vec<_> = systems.into_iter().map(|system| system.value).collect();
            output.list(COLUMNS, &systems)
        }
        Command::Show { id } => output.one(ROWS, &find::system(client, id).await?.value),
        Command::Power(arguments) => power::run(client, output, arguments).await,
        Command::Boot(arguments) => boot::run(client, output, arguments).await,
        Command::Media(command) => media::run(client, output, command).await,
    }
}

//! `systems`: the machines. One file for each thing that can be done with one.

mod bios;
mod boot;
pub(crate) mod certificates;
mod console;
mod logs;
mod media;
pub(crate) mod nics;
pub(crate) mod parts;
mod power;
mod secure_boot;
pub(crate) mod sensors;
pub(crate) mod set;
mod several;
mod storage;
mod wait;

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
    /// Switches machines on or off, or resets them.
    Power(power::Arguments),
    /// Waits until machines are as they shall be.
    Wait(wait::Arguments),
    /// Shows what a machine boots from, overrides it, or changes the order.
    Boot(boot::Arguments),
    /// What a machine could boot from, in the order in which it is tried.
    BootOptions(boot::Options),
    /// CDs and USB sticks of a machine.
    #[command(subcommand)]
    Media(media::Command),
    /// Settings of the firmware.
    #[command(subcommand)]
    Bios(bios::Command),
    /// Whether UEFI starts only what is signed.
    #[command(subcommand)]
    SecureBoot(secure_boot::Command),
    /// Controllers, drives and volumes.
    #[command(subcommand)]
    Storage(storage::Command),
    /// Network interfaces.
    #[command(subcommand)]
    Nics(nics::Command),
    /// Processors.
    #[command(subcommand)]
    Processors(parts::Command),
    /// Memory modules.
    #[command(subcommand)]
    Memory(parts::Command),
    /// PCIe devices.
    #[command(subcommand)]
    Pcie(parts::Command),
    /// How to get to the consoles of a machine.
    Console(console::Arguments),
    /// What is measured in a machine.
    Sensors(sensors::Arguments),
    /// What a machine has logged.
    Logs(logs::Arguments),
    /// Asset tag, indicator, watchdog, and what else can be written of a machine.
    Set(set::Arguments),
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
    ("Indicator", &["/LocationIndicatorActive", "/IndicatorLED"]),
    ("Power returns", &["/PowerRestorePolicy"]),
    ("Watchdog", &["/HostWatchdogTimer/FunctionEnabled"]),
    ("Firmware", &["/BiosVersion"]),
    ("Boot progress", &["/BootProgress/LastState"]),
    ("Last reset", &["/LastResetTime"]),
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
        Command::BootOptions(arguments) => boot::options(client, output, arguments).await,
        Command::Wait(arguments) => wait::run(client, output, arguments).await,
        Command::Media(command) => media::run(client, output, command).await,
        Command::Bios(command) => bios::run(client, output, command).await,
        Command::SecureBoot(command) => secure_boot::run(client, output, command).await,
        Command::Storage(command) => storage::run(client, output, command).await,
        Command::Nics(command) => nics::run(client, output, command).await,
        Command::Processors(command) => {
            parts::run(client, output, &parts::PROCESSORS, command).await
        }
        Command::Memory(command) => parts::run(client, output, &parts::MEMORY, command).await,
        Command::Pcie(command) => parts::run(client, output, &parts::PCIE, command).await,
        Command::Console(arguments) => console::run(client, output, arguments).await,
        Command::Sensors(arguments) => sensors::run(client, output, arguments).await,
        Command::Logs(arguments) => logs::run(client, output, arguments).await,
        Command::Set(arguments) => set::run(client, output, arguments).await,
    }
}

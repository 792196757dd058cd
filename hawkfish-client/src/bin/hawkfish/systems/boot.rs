//! `systems boot`: what a machine boots from.

use clap::{ArgGroup, Args};
use hawkfish_client::Client;
use serde_json::{Map, Value, json};

use crate::failure::{Failure, Result};
use crate::find;
use crate::output::{Column, Output};
use crate::tasks::Waiting;

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("how").args(["once", "continuous", "disable"]))]
pub(crate) struct Arguments {
    /// Id, name or UUID of the machine.
    id: String,
    /// Boot from Pxe, Cd, Hdd, Usb, …
    #[arg(long, conflicts_with = "disable")]
    target: Option<String>,
    /// For the next boot only; so it is unless --continuous is given.
    #[arg(long, requires = "target")]
    once: bool,
    /// For every boot from now on.
    #[arg(long, requires = "target")]
    continuous: bool,
    /// As the machine itself is set up.
    #[arg(long)]
    disable: bool,
    /// UEFI or Legacy.
    #[arg(long)]
    mode: Option<String>,
    #[command(flatten)]
    waiting: Waiting,
}

const ROWS: &[Column] = &[
    ("Override", &["/Boot/BootSourceOverrideEnabled"]),
    ("Target", &["/Boot/BootSourceOverrideTarget"]),
    (
        "Targets",
        &["/Boot/BootSourceOverrideTarget@Redfish.AllowableValues"],
    ),
    ("Mode", &["/Boot/BootSourceOverrideMode"]),
    ("Boot order", &["/Boot/BootOrder"]),
];

pub(crate) async fn run(client: &Client, output: &Output, arguments: &Arguments) -> Result<()> {
    let system = find::system(client, &arguments.id).await?;
    let change = change(arguments, &system.value)?;
    if change.is_empty() {
        return output.one(ROWS, &system.value);
    }
    // Guarded by what was read: an override that somebody else has just set is not thrown away unseen.
    let outcome = client
        .patch(&system.uri, system.etag.as_ref(), &json!({"Boot": change}))
        .await?;
    let sentence = match arguments.target.as_deref() {
        Some(target) if arguments.continuous => format!("{}: boots from {target}", arguments.id),
        Some(target) => format!("{}: boots from {target} once", arguments.id),
        None if arguments.disable => format!("{}: boots as it is set up", arguments.id),
        None => format!("{}: boot mode set", arguments.id),
    };
    arguments.waiting.conclude(output, outcome, &sentence).await
}

fn change(arguments: &Arguments, system: &Value) -> Result<Map<String, Value>> {
    let mut change = Map::new();
    if let Some(target) = &arguments.target {
        let enabled = if arguments.continuous {
            "Continuous"
        } else {
            "Once"
        };
        let target = as_written(
            system,
            "/Boot/BootSourceOverrideTarget@Redfish.AllowableValues",
            target,
        )?;
        change.insert("BootSourceOverrideTarget".into(), target.into());
        change.insert("BootSourceOverrideEnabled".into(), enabled.into());
    }
    if arguments.disable {
        change.insert("BootSourceOverrideEnabled".into(), "Disabled".into());
    }
    if let Some(mode) = &arguments.mode {
        let mode = match mode.to_ascii_lowercase().as_str() {
            "uefi" => "UEFI",
            "legacy" | "bios" => "Legacy",
            _ => return Err(Failure::Usage(format!("{mode} is neither UEFI nor Legacy"))),
        };
        change.insert("BootSourceOverrideMode".into(), mode.into());
    }
    Ok(change)
}

/// The value as the machine writes it, whatever its case here.
fn as_written(system: &Value, allowed: &str, wanted: &str) -> Result<String> {
    let Some(Value::Array(allowed)) = system.pointer(allowed) else {
        return Ok(wanted.to_owned());
    };
    let mut allowed = allowed.iter().filter_map(Value::as_str);
    let all: Vec<&str> = allowed.by_ref().collect();
    all.iter()
        .find(|value| value.eq_ignore_ascii_case(wanted))
        .map(|value| (*value).to_owned())
        .ok_or_else(|| {
            Failure::Usage(format!(
                "the machine does not boot from {wanted}; it boots from {}",
                all.join(", ")
            ))
        })
}

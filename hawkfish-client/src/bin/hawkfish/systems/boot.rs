//! `systems boot`: what a machine boots from; `systems boot-options`: what it could.

use clap::{ArgGroup, Args};
use hawkfish_client::{Client, Fetched};
use serde_json::{Map, Value, json};

use super::parts;
use crate::change::as_written;
use crate::failure::{Failure, Result};
use crate::find;
use crate::output::{Column, Output, warn};
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
    /// The boot option or the UEFI device path that the target UefiBootNext or UefiTarget means.
    #[arg(long, value_name = "PATH", requires = "target")]
    uefi_target: Option<String>,
    /// Where the target UefiHttp finds what it boots; empty, and the network says.
    #[arg(long, value_name = "URI")]
    http_uri: Option<String>,
    /// The order in which boot options are tried, as they are named in boot-options, with commas between.
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "OPTION,…",
        conflicts_with = "first"
    )]
    order: Vec<String>,
    /// The boot option that is tried first; the others stay as they are.
    #[arg(long, value_name = "OPTION")]
    first: Option<String>,
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
    ("UEFI target", &["/Boot/UefiTargetBootSourceOverride"]),
    ("HTTP boot", &["/Boot/HttpBootUri"]),
    ("Mode", &["/Boot/BootSourceOverrideMode"]),
    ("Boot next", &["/Boot/BootNext"]),
    ("Boot order", &["/Boot/BootOrder"]),
];

pub(crate) async fn run(client: &Client, output: &Output, arguments: &Arguments) -> Result<()> {
    let system = find::system(client, &arguments.id).await?;
    let mut change = change(arguments, &system.value)?;
    let order = order(client, arguments, &system.value).await?;
    if change.is_empty() && order.is_empty() {
        return output.one(ROWS, &system.value);
    }
    let all = arguments.first.is_none();
    let mut tries = Vec::new();
    let outcome = client
        .update(&system.uri, |system| {
            if !order.is_empty() {
                tries.clone_from(&order);
                // What comes after the first is as it is now, and not as it was when we looked.
                let now = parts::texts(system, "/Boot/BootOrder").into_iter();
                tries.extend(now.filter(|one| !all && !order.contains(one)));
                change.insert("BootOrder".into(), tries.as_slice().into());
            }
            Ok(Some(json!({"Boot": change})))
        })
        .await?;
    let mut said = Vec::new();
    match arguments.target.as_deref() {
        Some(target) if arguments.continuous => said.push(format!("boots from {target}")),
        Some(target) => said.push(format!("boots from {target} once")),
        None if arguments.disable => said.push("boots as it is set up".to_owned()),
        None if arguments.mode.is_some() => said.push("boot mode set".to_owned()),
        None => {}
    }
    if !tries.is_empty() {
        said.push(format!("tries {}", tries.join(", ")));
    }
    if said.is_empty() {
        said.push("HTTP boot set".to_owned());
    }
    let sentence = format!("{}: {}", arguments.id, said.join("; "));
    let Some(answer) = arguments.waiting.answer(output, outcome).await? else {
        return Ok(());
    };
    output.done(&sentence, &answer)?;
    // Some services know no `Once` and do not say so; who installs a machine would have it installed again and again.
    if arguments.target.is_some() && !arguments.continuous {
        let now = client.get_value(&system.uri).await?.value;
        if parts::text(&now, "/Boot/BootSourceOverrideEnabled") == Some("Continuous") {
            warn(&format!(
                "{}: the service says that it boots so from now on, and not only once",
                arguments.id
            ));
        }
    }
    Ok(())
}

fn change(arguments: &Arguments, system: &Value) -> Result<Map<String, Value>> {
    let mut change = Map::new();
    if let Some(target) = &arguments.target {
        let enabled = if arguments.continuous {
            "Continuous"
        } else {
            "Once"
        };
        let allowed = "/Boot/BootSourceOverrideTarget@Redfish.AllowableValues";
        let target = as_written(&parts::texts(system, allowed), target, "target of a boot")?;
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
    if let Some(path) = &arguments.uefi_target {
        let next = arguments
            .target
            .as_ref()
            .is_some_and(|target| target.eq_ignore_ascii_case("UefiBootNext"));
        let property = if next {
            "BootNext"
        } else {
            "UefiTargetBootSourceOverride"
        };
        change.insert(property.into(), path.as_str().into());
    }
    if let Some(uri) = &arguments.http_uri {
        let uri = (!uri.is_empty()).then_some(uri.as_str());
        change.insert("HttpBootUri".into(), uri.into());
    }
    Ok(change)
}

/// The boot order that is asked for, or its beginning, in the references of the service; empty where none is.
async fn order(client: &Client, arguments: &Arguments, system: &Value) -> Result<Vec<String>> {
    if arguments.order.is_empty() && arguments.first.is_none() {
        return Ok(Vec::new());
    }
    if system.pointer("/Boot/BootOrder").is_none() {
        return Err(parts::none("boot order of this machine"));
    }
    let mut known = parts::texts(system, "/Boot/BootOrder@Redfish.AllowableValues");
    if known.is_empty() {
        known = parts::texts(system, "/Boot/BootOrder");
    }
    let options = parts::at(client, system, "/Boot/BootOptions").await?;
    let options = options.unwrap_or_default();
    let wanted = arguments.order.iter().chain(&arguments.first);
    let order: Vec<String> = wanted
        .map(|wanted| reference(&known, &options, wanted))
        .collect::<Result<_>>()?;
    let mut twice = order.clone();
    twice.sort_unstable();
    if let Some(twice) = twice.windows(2).find(|two| two[0] == two[1]) {
        return Err(Failure::Usage(format!("{} is named twice", twice[0])));
    }
    Ok(order)
}

/// The reference of a boot option, which may be called by its reference, its name or its alias.
fn reference(known: &[String], options: &[Fetched<Value>], wanted: &str) -> Result<String> {
    let same = |name: &str| name.eq_ignore_ascii_case(wanted);
    if let Some(found) = known.iter().find(|known| same(known)) {
        return Ok(found.clone());
    }
    let called = options.iter().filter(|option| {
        ["/BootOptionReference", "/Id", "/DisplayName", "/Alias"]
            .iter()
            .any(|place| parts::text(&option.value, place).is_some_and(same))
    });
    let found: Vec<&str> = called
        .filter_map(|option| parts::text(&option.value, "/BootOptionReference"))
        .collect();
    match found[..] {
        [one] => Ok(one.to_owned()),
        [] => Err(Failure::Usage(format!(
            "the machine has no boot option {wanted}, but {}",
            known.join(", ")
        ))),
        _ => Err(Failure::Usage(format!(
            "{wanted} may be {}; say which",
            found.join(" or ")
        ))),
    }
}

/// `systems boot-options`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Id, name or UUID of the machine.
    id: String,
    /// A boot option to use.
    #[arg(long, value_name = "OPTION")]
    enable: Vec<String>,
    /// A boot option to pass over.
    #[arg(long, value_name = "OPTION")]
    disable: Vec<String>,
    #[command(flatten)]
    waiting: Waiting,
}

const COLUMNS: &[Column] = &[
    ("PLACE", &["/·Place"]),
    ("OPTION", &["/BootOptionReference", "/Id"]),
    ("ENABLED", &["/BootOptionEnabled"]),
    ("ALIAS", &["/Alias"]),
    ("NAME", &["/DisplayName", "/Name"]),
    ("DEVICE", &["/UefiDevicePath"]),
];

pub(crate) async fn options(client: &Client, output: &Output, arguments: &Options) -> Result<()> {
    let system = find::system(client, &arguments.id).await?.value;
    let options = parts::need(
        client,
        &system,
        "/Boot/BootOptions",
        "boot options of this machine",
    )
    .await?;
    let wanted = arguments.enable.iter().map(|option| (option, true));
    let wanted = wanted.chain(arguments.disable.iter().map(|option| (option, false)));
    let known: Vec<String> = options
        .iter()
        .filter_map(|option| parts::text(&option.value, "/BootOptionReference"))
        .map(str::to_owned)
        .collect();
    // What is wrong with one of them is known before the first is changed.
    let mut changes = Vec::new();
    for (wanted, on) in wanted {
        let reference = reference(&known, &options, wanted)?;
        let option = options
            .iter()
            .find(|option| parts::text(&option.value, "/BootOptionReference") == Some(&reference))
            .ok_or_else(|| parts::none("such boot option"))?;
        changes.push((reference, option, on));
    }
    if changes.is_empty() {
        let order = parts::texts(&system, "/Boot/BootOrder");
        let place = |option: &Value| {
            let reference = parts::text(option, "/BootOptionReference")?;
            order.iter().position(|one| one == reference)
        };
        let mut options: Vec<Value> = options.into_iter().map(|option| option.value).collect();
        options.sort_by_key(|option| place(option).unwrap_or(usize::MAX));
        return parts::list(output, COLUMNS, options, |option| {
            let place = place(option).map(|place| place + 1);
            parts::with(option, [("·Place", place.into())])
        });
    }
    for (reference, option, on) in changes {
        let outcome = parts::amend(client, &option.uri, json!({"BootOptionEnabled": on})).await?;
        let use_of = if on { "is used" } else { "is passed over" };
        let sentence = format!("{}: {reference} {use_of}", arguments.id);
        arguments
            .waiting
            .conclude(output, outcome, &sentence)
            .await?;
    }
    Ok(())
}

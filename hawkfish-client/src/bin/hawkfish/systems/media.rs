//! `systems media`: what stands in a machine's drives.

use clap::{Args, Subcommand};
use hawkfish_client::{Client, Fetched, link};
use serde_json::{Map, Value, json};

use super::{certificates, parts};
use crate::failure::{Failure, Result};
use crate::find;
use crate::output::{Column, Output};
use crate::tasks::Waiting;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// The drives and what is in them.
    Ls {
        /// Id, name or UUID of the machine.
        id: String,
    },
    /// Puts an image in.
    Insert(Insert),
    /// Takes the image out.
    Eject(Eject),
    /// Whether the certificate of the server of images is looked at.
    Set(Set),
    /// The authorities that servers of images are trusted by.
    #[command(subcommand)]
    Certificates(certificates::Command),
}

#[derive(Debug, Args)]
pub(crate) struct Set {
    /// Id, name or UUID of the machine.
    id: String,
    /// The drive; all of them without it.
    #[arg(long)]
    slot: Option<String>,
    /// Whether an image comes only from a server whose certificate is trusted.
    #[arg(long, value_name = "on|off", value_parser = ["on", "off"], required = true)]
    verify: String,
    #[command(flatten)]
    waiting: Waiting,
}

#[derive(Debug, Args)]
pub(crate) struct Insert {
    /// Id, name or UUID of the machine.
    id: String,
    /// Where the service finds the image. User and password for it come from HAWKFISH_IMAGE_USERNAME and HAWKFISH_IMAGE_PASSWORD.
    image: String,
    /// The drive; without it the first empty one for the kind of media.
    #[arg(long)]
    slot: Option<String>,
    /// CD, DVD, USBStick, Floppy: to choose the drive by.
    #[arg(long, default_value = "CD")]
    kind: String,
    /// The machine may write to it.
    #[arg(long)]
    writable: bool,
    #[command(flatten)]
    waiting: Waiting,
}

#[derive(Debug, Args)]
pub(crate) struct Eject {
    /// Id, name or UUID of the machine.
    id: String,
    /// The drive; may be left out where only one is full.
    #[arg(long)]
    slot: Option<String>,
    #[command(flatten)]
    waiting: Waiting,
}

const COLUMNS: &[Column] = &[
    ("SLOT", &["/Id"]),
    ("TYPES", &["/MediaTypes"]),
    ("INSERTED", &["/Inserted"]),
    ("IMAGE", &["/Image", "/ImageName"]),
    ("VIA", &["/ConnectedVia"]),
    ("PROTECTED", &["/WriteProtected"]),
];

pub(crate) async fn run(client: &Client, output: &Output, command: &Command) -> Result<()> {
    match command {
        Command::Ls { id } => {
            let slots: Vec<Value> = slots(client, id)
                .await?
                .into_iter()
                .map(|slot| slot.value)
                .collect();
            output.list(COLUMNS, &slots)
        }
        Command::Insert(insert) => {
            let slots = slots(client, &insert.id).await?;
            let slot = match &insert.slot {
                Some(slot) => named(&slots, slot)?,
                None => slots
                    .iter()
                    .find(|slot| !full(slot) && takes(slot, &insert.kind))
                    .ok_or_else(|| {
                        Failure::NotFound(format!(
                            "{} has no empty drive for {}",
                            insert.id, insert.kind
                        ))
                    })?,
            };
            let mut parameters = Map::from_iter([
                ("Image".to_owned(), insert.image.clone().into()),
                ("Inserted".to_owned(), true.into()),
                ("WriteProtected".to_owned(), (!insert.writable).into()),
            ]);
            for (variable, parameter) in [
                ("HAWKFISH_IMAGE_USERNAME", "UserName"),
                ("HAWKFISH_IMAGE_PASSWORD", "Password"),
            ] {
                if let Ok(value) = std::env::var(variable) {
                    parameters.insert(parameter.to_owned(), value.into());
                }
            }
            let outcome = client
                .action(&slot.value, "VirtualMedia.InsertMedia", &parameters)
                .await?;
            let sentence = format!("{}: {} holds {}", insert.id, id(slot), insert.image);
            insert.waiting.conclude(output, outcome, &sentence).await
        }
        Command::Eject(eject) => {
            let slots = slots(client, &eject.id).await?;
            let slot = match &eject.slot {
                Some(slot) => named(&slots, slot)?,
                None => {
                    let mut full = slots.iter().filter(|slot| full(slot));
                    match (full.next(), full.next()) {
                        (Some(one), None) => one,
                        (None, _) => {
                            return Err(Failure::NotFound(format!(
                                "{}: all drives are empty",
                                eject.id
                            )));
                        }
                        (Some(_), Some(_)) => {
                            return Err(Failure::Usage(format!(
                                "{}: several drives are full; name one with --slot",
                                eject.id
                            )));
                        }
                    }
                }
            };
            let outcome = client
                .action(&slot.value, "VirtualMedia.EjectMedia", &json!({}))
                .await?;
            let sentence = format!("{}: {} is empty", eject.id, id(slot));
            eject.waiting.conclude(output, outcome, &sentence).await
        }
        Command::Set(set) => {
            let slots = slots(client, &set.id).await?;
            let chosen: Vec<&Fetched<Value>> = match &set.slot {
                Some(name) => vec![named(&slots, name)?],
                None => slots.iter().collect(),
            };
            let without = |slot: &&Fetched<Value>| slot.value.get("VerifyCertificate").is_none();
            if chosen.iter().any(without) {
                return Err(parts::none("way to look at certificates of image servers"));
            }
            let change = json!({"VerifyCertificate": set.verify == "on"});
            for slot in chosen {
                let outcome = parts::amend(client, &slot.uri, change.clone()).await?;
                let sentence = format!("{}: {} verifies: {}", set.id, id(slot), set.verify);
                set.waiting.conclude(output, outcome, &sentence).await?;
            }
            Ok(())
        }
        Command::Certificates(command) => {
            let of = command.of();
            let slots = slots(client, &of.id).await?;
            let slot = match (&of.slot, &slots[..]) {
                (Some(name), _) => named(&slots, name)?,
                (None, [one]) => one,
                (None, several) => {
                    let all: Vec<&str> = several.iter().map(id).collect();
                    return Err(Failure::Usage(format!(
                        "which drive? Say --slot {}",
                        all.join(" or ")
                    )));
                }
            };
            let what = "certificates of this drive";
            certificates::run(client, output, command, &slot.value, "/Certificates", what).await
        }
    }
}

/// The drives of a machine; older services have them on its manager.
async fn slots(client: &Client, system: &str) -> Result<Vec<Fetched<Value>>> {
    let system = find::system(client, system).await?.value;
    if let Some(collection) = link(&system, "/VirtualMedia") {
        return find::all(client, collection).await;
    }
    let manager = find::linked(
        &system,
        "/Links/ManagedBy/0",
        "virtual media for this machine",
    )?;
    let manager = client.get_value(manager).await?.value;
    let collection = find::linked(&manager, "/VirtualMedia", "virtual media for this machine")?;
    find::all(client, collection).await
}

fn id(slot: &Fetched<Value>) -> &str {
    slot.value
        .get("Id")
        .and_then(Value::as_str)
        .unwrap_or(&slot.uri)
}

fn named<'a>(slots: &'a [Fetched<Value>], name: &str) -> Result<&'a Fetched<Value>> {
    slots.iter().find(|slot| id(slot) == name).ok_or_else(|| {
        let all: Vec<&str> = slots.iter().map(id).collect();
        Failure::NotFound(format!("there is no drive {name}, but {}", all.join(", ")))
    })
}

fn full(slot: &Fetched<Value>) -> bool {
    slot.value.get("Inserted") == Some(&Value::Bool(true))
}

fn takes(slot: &Fetched<Value>, kind: &str) -> bool {
    let kinds = slot.value.get("MediaTypes").and_then(Value::as_array);
    kinds.into_iter().flatten().any(|have| {
        have.as_str()
            .is_some_and(|have| have.eq_ignore_ascii_case(kind))
    })
}

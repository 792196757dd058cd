//! `systems bios`: what the firmware of a machine is set to, and what it will be set to.

mod registry;

use clap::{Args, Subcommand};
use hawkfish_client::{Client, Fetched};
use serde_json::{Map, Value, json};

use self::registry::Registry;
use super::parts;
use crate::change;
use crate::failure::{Failure, Result};
use crate::find;
use crate::output::{Column, Format, Output, shown};
use crate::tasks::Waiting;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// All settings; those that wait for a reset with what they will be.
    Show {
        /// Id, name or UUID of the machine.
        id: String,
    },
    /// The values of some settings; of one, nothing but its value.
    Get {
        /// Id, name or UUID of the machine.
        id: String,
        /// Names of settings.
        #[arg(required = true)]
        name: Vec<String>,
    },
    /// What a setting is about and what it takes.
    Explain {
        /// Id, name or UUID of the machine.
        id: String,
        /// Names of settings; all of them without one.
        name: Vec<String>,
    },
    /// Changes settings; most are in force after the next reset.
    Set(Set),
    /// What waits for a reset.
    Pending {
        /// Id, name or UUID of the machine.
        id: String,
    },
    /// Sets everything to what it was as the machine was made.
    Reset {
        /// Id, name or UUID of the machine.
        id: String,
        #[command(flatten)]
        waiting: Waiting,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Set {
    /// Id, name or UUID of the machine.
    id: String,
    /// Settings and their values, `BootMode=Uefi`.
    #[arg(required = true, value_name = "NAME=VALUE")]
    change: Vec<String>,
    /// When: OnReset, Immediate, AtMaintenanceWindowStart, …; what the service takes.
    #[arg(long, value_name = "WHEN")]
    apply: Option<String>,
    /// When the time for it begins, such as 2030-01-31T02:00:00Z.
    #[arg(long, value_name = "TIME", requires = "apply")]
    window: Option<String>,
    /// How long that time is.
    #[arg(long, value_name = "SECONDS", requires = "window")]
    window_length: Option<u64>,
    #[command(flatten)]
    waiting: Waiting,
}

const COLUMNS: &[Column] = &[("NAME", &["/Name"]), ("VALUE", &["/Now"])];

const WITH_PENDING: &[Column] = &[
    ("NAME", &["/Name"]),
    ("VALUE", &["/Now"]),
    ("AFTER RESET", &["/ToCome"]),
];

/// The settings of a machine, as they are and as they will be.
struct Bios {
    now: Fetched<Value>,
    /// Where changes go; some services have but one resource for both.
    to_come: Option<Fetched<Value>>,
}

impl Bios {
    async fn of(client: &Client, id: &str) -> Result<Self> {
        let system = find::system(client, id).await?.value;
        let now = parts::one(
            client,
            &system,
            "/Bios",
            "firmware settings of this machine",
        )
        .await?;
        let to_come =
            parts::linked(client, &now.value, "/@Redfish.Settings/SettingsObject").await?;
        Ok(Self { now, to_come })
    }

    fn attributes(&self) -> Result<&Map<String, Value>> {
        let attributes = self.now.value.get("Attributes").and_then(Value::as_object);
        attributes.ok_or_else(|| parts::none("firmware settings of this machine"))
    }

    /// What a setting will be, where it is not what it is.
    fn pending(&self, name: &str) -> Option<&Value> {
        let to_come = &self.to_come.as_ref()?.value;
        let value = to_come.get("Attributes")?.get(name)?;
        let now = self.now.value.get("Attributes")?.get(name);
        (now != Some(value)).then_some(value)
    }

    /// When changes can be made; empty where the service does not say.
    fn apply_times(&self) -> Vec<String> {
        let here = parts::texts(&self.now.value, "/@Redfish.Settings/SupportedApplyTimes");
        match &self.to_come {
            Some(to_come) if here.is_empty() => parts::texts(
                &to_come.value,
                "/@Redfish.SettingsApplyTime/ApplyTime@Redfish.AllowableValues",
            ),
            _ => here,
        }
    }
}

pub(crate) async fn run(client: &Client, output: &Output, command: &Command) -> Result<()> {
    match command {
        Command::Show { id } => {
            let bios = Bios::of(client, id).await?;
            if output.format != Format::Table {
                return output.json(&bios.now.value);
            }
            let rows: Vec<Value> = bios
                .attributes()?
                .iter()
                .map(|(name, now)| json!({"Name": name, "Now": now, "ToCome": bios.pending(name)}))
                .collect();
            let waits = rows.iter().any(|row| !row["ToCome"].is_null());
            output.list(if waits { WITH_PENDING } else { COLUMNS }, &rows)
        }
        Command::Get { id, name } => get(client, output, id, name).await,
        Command::Explain { id, name } => {
            let bios = Bios::of(client, id).await?;
            let registry = Registry::of(client, &bios.now.value).await?;
            let registry =
                registry.ok_or_else(|| parts::none("registry of this machine's settings"))?;
            registry.explain(output, bios.attributes()?, name)
        }
        Command::Set(set) => change(client, output, set).await,
        Command::Pending { id } => {
            let bios = Bios::of(client, id).await?;
            if bios.to_come.is_none() {
                return Err(parts::none("settings of this machine that wait"));
            }
            let names = bios
                .to_come
                .iter()
                .filter_map(|to_come| to_come.value.get("Attributes").and_then(Value::as_object));
            let rows: Vec<Value> = names
                .flat_map(Map::keys)
                .filter_map(|name| {
                    let to_come = bios.pending(name)?;
                    let now = bios.now.value["Attributes"].get(name);
                    Some(json!({"Name": name, "Now": now, "ToCome": to_come}))
                })
                .collect();
            let to_defaults = bios.now.value.get("ResetBiosToDefaultsPending");
            if rows.is_empty() && output.format == Format::Table {
                return output.line(match to_defaults {
                    Some(Value::Bool(true)) => "all settings wait to be set as they were at first",
                    _ => "nothing waits",
                });
            }
            output.list(WITH_PENDING, &rows)
        }
        Command::Reset { id, waiting } => {
            let bios = Bios::of(client, id).await?;
            const ACTION: &str = "Bios.ResetBios";
            if hawkfish_client::action_target(&bios.now.value, ACTION).is_none() {
                return Err(parts::none(
                    "way to set this machine's settings as they were",
                ));
            }
            let outcome = client.action(&bios.now.value, ACTION, &json!({})).await?;
            let sentence = format!("{id}: settings as they were at first, with the next reset");
            waiting.conclude(output, outcome, &sentence).await
        }
    }
}

async fn get(client: &Client, output: &Output, id: &str, names: &[String]) -> Result<()> {
    let bios = Bios::of(client, id).await?;
    let attributes = bios.attributes()?;
    let found: Vec<(&String, &Value)> = names
        .iter()
        .map(|name| {
            let own = attributes.get_key_value(name);
            let found = own.or_else(|| {
                attributes
                    .iter()
                    .find(|(known, _)| known.eq_ignore_ascii_case(name))
            });
            found.ok_or_else(|| Failure::NotFound(format!("the machine has no setting {name}")))
        })
        .collect::<Result<_>>()?;
    if output.format != Format::Table {
        let found = found
            .into_iter()
            .map(|(name, value)| (name.clone(), value.clone()));
        return output.json(&Value::Object(found.collect()));
    }
    if let [(_, value)] = found[..] {
        return output.line(&shown(value));
    }
    let rows: Vec<Value> = found
        .iter()
        .map(|(name, value)| json!({"Name": name, "Now": value}))
        .collect();
    output.list(COLUMNS, &rows)
}

async fn change(client: &Client, output: &Output, set: &Set) -> Result<()> {
    let bios = Bios::of(client, &set.id).await?;
    let registry = Registry::of(client, &bios.now.value).await?;
    let attributes = bios.attributes()?;
    let mut changes = Map::new();
    for change in &set.change {
        let (name, value) = change
            .split_once('=')
            .ok_or_else(|| Failure::Usage(format!("{change}: write the name, =, and the value")))?;
        let (name, value) = match &registry {
            Some(registry) => registry.check(name, value)?,
            None => registry::guess(attributes, name, value)?,
        };
        if changes.insert(name.clone(), value).is_some() {
            return Err(Failure::Usage(format!("{name} is named twice")));
        }
    }
    let sentence = changes
        .iter()
        .map(|(name, value)| format!("{name} = {}", shown(value)))
        .collect::<Vec<_>>()
        .join(", ");
    let mut body = Map::from_iter([("Attributes".to_owned(), Value::Object(changes))]);
    let mut when = "after the next reset";
    if let Some(apply) = &set.apply {
        let apply = change::as_written(&bios.apply_times(), apply, "time to make the change")?;
        when = match apply.as_str() {
            "Immediate" => "at once",
            "OnReset" => "after the next reset",
            _ => "when its time has come",
        };
        let mut preferred = Map::from_iter([("ApplyTime".to_owned(), apply.into())]);
        if let Some(window) = &set.window {
            preferred.insert("MaintenanceWindowStartTime".into(), window.as_str().into());
        }
        if let Some(seconds) = set.window_length {
            preferred.insert("MaintenanceWindowDurationInSeconds".into(), seconds.into());
        }
        body.insert("@Redfish.SettingsApplyTime".into(), preferred.into());
    }
    let place = bios.to_come.as_ref().unwrap_or(&bios.now);
    if bios.to_come.is_none() {
        when = "";
    }
    // Guarded by what was read: what somebody else has just changed is not thrown away unseen.
    let outcome = parts::amend(client, &place.uri, body).await?;
    let sentence = format!("{}: {sentence} {when}", set.id);
    set.waiting
        .conclude(output, outcome, sentence.trim_end())
        .await
}

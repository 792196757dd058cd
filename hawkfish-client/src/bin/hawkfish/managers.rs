//! `managers`: the BMCs themselves.

use clap::{Args, Subcommand};
use hawkfish_client::{Client, Fetched, action_target};
use serde_json::{Map, Value, json};

use crate::change;
use crate::failure::{Failure, Result};
use crate::find;
use crate::output::{Column, Format, Output};
use crate::systems::{certificates, nics, parts, set};
use crate::tasks::Waiting;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// All managers.
    Ls,
    /// One manager.
    Show {
        /// Its id, name or UUID, or a machine of it.
        id: String,
    },
    /// Restarts it; the machine runs on.
    Reset {
        /// Its id, name or UUID, or a machine of it.
        id: String,
        /// ForceRestart or what else it takes; without it gracefully.
        reset: Option<String>,
        #[command(flatten)]
        waiting: Waiting,
    },
    /// Sets it to what it was as it was made.
    ResetToDefaults {
        /// Its id, name or UUID, or a machine of it.
        id: String,
        /// PreserveNetworkAndUsers, PreserveNetwork, ResetAll; what it takes.
        reset: String,
        #[command(flatten)]
        waiting: Waiting,
    },
    /// Its network interfaces.
    #[command(subcommand)]
    Network(nics::Command),
    /// The protocols that it speaks.
    #[command(subcommand)]
    Protocols(Protocols),
    /// Its clock.
    #[command(subcommand)]
    Time(Time),
    /// The certificates by which it is known over HTTPS.
    #[command(subcommand)]
    Certificates(Certificates),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Protocols {
    /// All of them.
    Show {
        /// Id, name or UUID of the manager, or a machine of it.
        id: String,
    },
    /// Switches protocols on or off, or sets their ports.
    Set {
        /// Id, name or UUID of the manager, or a machine of it.
        id: String,
        /// `ssh=on`, `ipmi=off`, `https=8443`.
        #[arg(required = true, value_name = "PROTOCOL=on|off|PORT")]
        change: Vec<String>,
        #[command(flatten)]
        waiting: Waiting,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Time {
    /// What it shows, and where it has it from.
    Show {
        /// Id, name or UUID of the manager, or a machine of it.
        id: String,
    },
    /// Sets the clock, or who tells it the time.
    Set(TimeSet),
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true).args(["time", "offset", "ntp", "servers"]))]
pub(crate) struct TimeSet {
    /// Id, name or UUID of the manager, or a machine of it.
    id: String,
    /// The time, such as 2030-01-31T02:00:00Z.
    #[arg(long)]
    time: Option<String>,
    /// How far its time is from UTC, such as +02:00.
    #[arg(long, allow_hyphen_values = true)]
    offset: Option<String>,
    /// Whether time servers are asked.
    #[arg(long, value_name = "on|off", value_parser = ["on", "off"])]
    ntp: Option<String>,
    /// Those time servers, with commas between.
    #[arg(long, value_delimiter = ',', value_name = "SERVER,…")]
    servers: Vec<String>,
    #[command(flatten)]
    waiting: Waiting,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Certificates {
    /// All of them.
    Ls {
        /// Id, name or UUID of the manager, or a machine of it.
        id: String,
    },
    /// One of them.
    Show {
        /// Id, name or UUID of the manager, or a machine of it.
        id: String,
        /// Its id.
        certificate: String,
    },
}

const COLUMNS: &[Column] = &[
    ("ID", &["/Id"]),
    ("NAME", &["/Name"]),
    ("TYPE", &["/ManagerType"]),
    ("FIRMWARE", &["/FirmwareVersion"]),
    ("STATE", &["/Status/State"]),
    ("HEALTH", &["/Status/Health"]),
    ("MODEL", &["/Model"]),
];

const ROWS: &[Column] = &[
    ("Id", &["/Id"]),
    ("Name", &["/Name"]),
    ("Type", &["/ManagerType"]),
    ("Manufacturer", &["/Manufacturer"]),
    ("Model", &["/Model"]),
    ("Firmware", &["/FirmwareVersion"]),
    ("UUID", &["/UUID"]),
    ("Serial number", &["/SerialNumber"]),
    ("Power", &["/PowerState"]),
    ("State", &["/Status/State"]),
    ("Health", &["/Status/Health"]),
    ("Time", &["/DateTime"]),
    ("Offset", &["/DateTimeLocalOffset"]),
    ("Last reset", &["/LastResetTime"]),
    ("Machines", &["/·Machines"]),
    ("Chassis", &["/·Chassis"]),
    ("URI", &["/@odata.id"]),
];

const PROTOCOLS: &[Column] = &[
    ("PROTOCOL", &["/Protocol"]),
    ("ENABLED", &["/ProtocolEnabled"]),
    ("PORT", &["/Port"]),
];

const TIME: &[Column] = &[
    ("Time", &["/DateTime"]),
    ("Offset", &["/DateTimeLocalOffset"]),
    ("Zone", &["/TimeZoneName"]),
    ("From", &["/DateTimeSource"]),
    ("Time servers", &["/NTP/NTPServers"]),
    ("Asks them", &["/NTP/ProtocolEnabled"]),
];

pub(crate) async fn run(client: &Client, output: &Output, command: &Command) -> Result<()> {
    match command {
        Command::Ls => {
            let collection = collection(client).await?;
            let managers = find::all(client, &collection).await?;
            let managers: Vec<Value> = managers.into_iter().map(|one| one.value).collect();
            output.list(COLUMNS, &managers)
        }
        Command::Show { id } => {
            let manager = manager(client, id).await?.value;
            match output.format {
                Format::Table => output.one(ROWS, &view(&manager)),
                _ => output.one(ROWS, &manager),
            }
        }
        Command::Reset { id, reset, waiting } => {
            let reset = Reset {
                action: "Manager.Reset",
                what: "way to reset this manager",
                wanted: reset.as_deref(),
            };
            reset.call(client, output, id, waiting).await
        }
        Command::ResetToDefaults { id, reset, waiting } => {
            let reset = Reset {
                action: "Manager.ResetToDefaults",
                what: "way to set this manager as it was at first",
                wanted: Some(reset),
            };
            reset.call(client, output, id, waiting).await
        }
        Command::Network(command) => {
            let manager = manager(client, command.id()).await?.value;
            let what = "network interfaces of this manager";
            nics::of(client, output, command, &manager, what).await
        }
        Command::Protocols(command) => protocols(client, output, command).await,
        Command::Time(command) => time(client, output, command).await,
        Command::Certificates(command) => {
            let (Certificates::Ls { id } | Certificates::Show { id, .. }) = command;
            let manager = manager(client, id).await?.value;
            let what = "certificates of this manager";
            let protocol = parts::one(client, &manager, "/NetworkProtocol", what)
                .await?
                .value;
            let own = protocol.pointer("/HTTPS/Certificates").is_some();
            // Where they stand today, and where a manager has those that are not of HTTPS.
            let (owner, pointer) = match own {
                true => (&protocol, "/HTTPS/Certificates"),
                false => (&manager, "/Certificates"),
            };
            let one = match command {
                Certificates::Ls { .. } => None,
                Certificates::Show { certificate, .. } => Some(certificate.as_str()),
            };
            certificates::look(client, output, owner, pointer, what, one).await
        }
    }
}

async fn collection(client: &Client) -> Result<String> {
    let root = client.root().await?.value;
    find::linked(&root, "/Managers", "managers").map(str::to_owned)
}

async fn manager(client: &Client, id: &str) -> Result<Fetched<Value>> {
    let collection = collection(client).await?;
    let names = ["Id", "Name", "UUID"];
    let found = find::member(client, &collection, id, &names, "manager").await;
    find::or_of_system(found, client, id, "/Links/ManagedBy/0").await
}

fn view(manager: &Value) -> Value {
    parts::with(
        manager,
        [
            (
                "·Machines",
                crate::chassis::ids(manager, "/Links/ManagerForServers"),
            ),
            (
                "·Chassis",
                crate::chassis::ids(manager, "/Links/ManagerForChassis"),
            ),
        ],
    )
}

/// One of the two actions that restart a manager.
struct Reset<'a> {
    action: &'static str,
    what: &'static str,
    /// Gracefully without it, where the manager can.
    wanted: Option<&'a str>,
}

impl Reset<'_> {
    async fn call(
        &self,
        client: &Client,
        output: &Output,
        id: &str,
        waiting: &Waiting,
    ) -> Result<()> {
        let manager = manager(client, id).await?.value;
        if action_target(&manager, self.action).is_none() {
            return Err(parts::none(self.what));
        }
        let allowed = parts::parameter(client, &manager, self.action, "ResetType").await?;
        let reset = match self.wanted {
            Some(wanted) => change::as_written(&allowed, wanted, "reset")?,
            None => {
                let graceful = allowed.iter().find(|one| *one == "GracefulRestart");
                let first = graceful.or(allowed.first()).cloned();
                first.unwrap_or_else(|| "GracefulRestart".to_owned())
            }
        };
        let outcome = client
            .action(&manager, self.action, &json!({"ResetType": reset}))
            .await?;
        waiting
            .conclude(output, outcome, &format!("{id}: {reset}"))
            .await
    }
}

async fn network_protocol(client: &Client, id: &str) -> Result<Fetched<Value>> {
    let manager = manager(client, id).await?.value;
    parts::one(
        client,
        &manager,
        "/NetworkProtocol",
        "protocols of this manager",
    )
    .await
}

/// What a protocol is in the resource: an object that can be switched.
fn is_protocol(value: &Value) -> bool {
    value.get("ProtocolEnabled").is_some()
}

async fn protocols(client: &Client, output: &Output, command: &Protocols) -> Result<()> {
    let (Protocols::Show { id } | Protocols::Set { id, .. }) = command;
    let found = network_protocol(client, id).await?;
    let all = found.value.as_object().into_iter().flatten();
    let all: Vec<(&String, &Value)> = all.filter(|(_, value)| is_protocol(value)).collect();
    match command {
        Protocols::Show { .. } => {
            if output.format != Format::Table {
                return output.json(&found.value);
            }
            let rows: Vec<Value> = all
                .iter()
                .map(|(name, value)| {
                    let mut row = (*value).clone();
                    row["Protocol"] = json!(name);
                    row
                })
                .collect();
            output.list(PROTOCOLS, &rows)
        }
        Protocols::Set {
            change, waiting, ..
        } => {
            let mut sent: Map<String, Value> = Map::new();
            for change in change {
                let wrong = || {
                    Failure::Usage(format!(
                        "{change}: write the protocol, =, and on, off or a port"
                    ))
                };
                let (name, value) = change.split_once('=').ok_or_else(wrong)?;
                let known = all
                    .iter()
                    .find(|(known, _)| known.eq_ignore_ascii_case(name));
                let (name, _) = known.ok_or_else(|| {
                    let names: Vec<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
                    Failure::NotFound(format!(
                        "the manager speaks no {name}, but {}",
                        names.join(", ")
                    ))
                })?;
                let (property, value) = match value.to_ascii_lowercase().as_str() {
                    "on" => ("ProtocolEnabled", json!(true)),
                    "off" => ("ProtocolEnabled", json!(false)),
                    port => {
                        let port: u16 = port.parse().map_err(|_| wrong())?;
                        ("Port", json!(port))
                    }
                };
                let protocol = sent.entry((*name).clone()).or_insert_with(|| json!({}));
                protocol[property] = value;
            }
            set::send(client, output, &found, &sent, id, waiting).await
        }
    }
}

async fn time(client: &Client, output: &Output, command: &Time) -> Result<()> {
    let id = match command {
        Time::Show { id } => id,
        Time::Set(set) => &set.id,
    };
    let manager = manager(client, id).await?;
    let protocol = parts::linked(client, &manager.value, "/NetworkProtocol").await?;
    match command {
        Time::Show { .. } => {
            let mut shown = Map::new();
            let names = [
                "DateTime",
                "DateTimeLocalOffset",
                "TimeZoneName",
                "DateTimeSource",
            ];
            for name in names {
                if let Some(value) = manager.value.get(name) {
                    shown.insert(name.to_owned(), value.clone());
                }
            }
            if let Some(ntp) = protocol.as_ref().and_then(|found| found.value.get("NTP")) {
                shown.insert("NTP".to_owned(), ntp.clone());
            }
            if shown.is_empty() {
                return Err(parts::none("clock of this manager"));
            }
            output.one(TIME, &shown.into())
        }
        Time::Set(set) => {
            let mut clock = Map::new();
            if let Some(time) = &set.time {
                clock.insert("DateTime".into(), time.as_str().into());
            }
            if let Some(offset) = &set.offset {
                clock.insert("DateTimeLocalOffset".into(), offset.as_str().into());
            }
            let mut ntp = Map::new();
            if let Some(word) = &set.ntp {
                ntp.insert("ProtocolEnabled".into(), (word == "on").into());
            }
            if !set.servers.is_empty() {
                ntp.insert("NTPServers".into(), set.servers.as_slice().into());
            }
            let told_by = match &protocol {
                _ if ntp.is_empty() => None,
                Some(found) if found.value.get("NTP").is_some() => Some(found),
                _ => return Err(parts::none("time servers of this manager")),
            };
            if let Some(found) = told_by {
                let change = Map::from_iter([("NTP".to_owned(), ntp.into())]);
                set::send(client, output, found, &change, id, &set.waiting).await?;
            }
            if !clock.is_empty() {
                if manager.value.get("DateTime").is_none() {
                    return Err(parts::none("clock of this manager"));
                }
                set::send(client, output, &manager, &clock, id, &set.waiting).await?;
            }
            Ok(())
        }
    }
}

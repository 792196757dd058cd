//! `systems storage`: controllers, drives and volumes.

use clap::{Args, Subcommand};
use hawkfish_client::{Client, Fetched, link};
use serde_json::{Map, Value, json};

use super::parts;
use crate::change;
use crate::failure::{Failure, Result};
use crate::find;
use crate::output::{Column, Format, Output};
use crate::tasks::Waiting;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// What holds the drives together, with how many there are.
    Ls {
        /// Id, name or UUID of the machine.
        id: String,
    },
    /// The controllers.
    Controllers {
        /// Id, name or UUID of the machine.
        id: String,
    },
    /// The drives, or one of them.
    Drives {
        /// Id, name or UUID of the machine.
        id: String,
        /// Id or name of a drive.
        drive: Option<String>,
    },
    /// Volumes.
    #[command(subcommand)]
    Volumes(Volumes),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Volumes {
    /// All of them.
    Ls {
        /// Id, name or UUID of the machine.
        id: String,
    },
    /// One of them.
    Show {
        /// Id, name or UUID of the machine.
        id: String,
        /// Id or name of the volume.
        volume: String,
    },
    /// Makes one.
    Create(Create),
    /// Changes one.
    Set(Set),
    /// Deletes one and what is on it.
    Rm {
        /// Id, name or UUID of the machine.
        id: String,
        /// Id or name of the volume.
        volume: String,
        #[command(flatten)]
        waiting: Waiting,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// Id, name or UUID of the machine.
    id: String,
    /// How large: bytes, or with a unit, 100GiB or 100GB; as large as can be where the service allows to leave it out.
    #[arg(long, value_parser = parts::bytes)]
    size: Option<u64>,
    /// Where; may be left out where only one storage has volumes.
    #[arg(long)]
    storage: Option<String>,
    /// Its name.
    #[arg(long)]
    name: Option<String>,
    /// None, RAID0, RAID1, RAID5, …
    #[arg(long)]
    raid: Option<String>,
    /// The drives that it lies on, with commas between.
    #[arg(long, value_delimiter = ',', value_name = "DRIVE,…")]
    drives: Vec<String>,
    /// When: Immediate, OnReset, …; what the service takes.
    #[arg(long, value_name = "WHEN")]
    apply: Option<String>,
    #[command(flatten)]
    waiting: Waiting,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").args(["size", "name"]).required(true).multiple(true))]
pub(crate) struct Set {
    /// Id, name or UUID of the machine.
    id: String,
    /// Id or name of the volume.
    volume: String,
    /// How large it shall be.
    #[arg(long, value_parser = parts::bytes)]
    size: Option<u64>,
    /// Its name.
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    waiting: Waiting,
}

const STORAGES: &[Column] = &[
    ("ID", &["/Id"]),
    ("NAME", &["/Name"]),
    ("DRIVES", &["/·Drives"]),
    ("VOLUMES", &["/·Volumes"]),
    ("STATE", &["/Status/State"]),
    ("HEALTH", &["/Status/HealthRollup", "/Status/Health"]),
];

const CONTROLLERS: &[Column] = &[
    ("STORAGE", &["/·Storage"]),
    ("ID", &["/Id", "/MemberId"]),
    ("NAME", &["/Name"]),
    ("MODEL", &["/Model"]),
    ("FIRMWARE", &["/FirmwareVersion"]),
    ("DEVICES", &["/SupportedDeviceProtocols"]),
    ("RAID", &["/SupportedRAIDTypes"]),
    ("HEALTH", &["/Status/Health"]),
];

const DRIVES: &[Column] = &[
    ("ID", &["/Id", "/Name"]),
    ("SIZE", &["/·Size"]),
    ("TYPE", &["/MediaType"]),
    ("PROTOCOL", &["/Protocol"]),
    ("MODEL", &["/Model"]),
    ("SERIAL NUMBER", &["/SerialNumber"]),
    ("STATE", &["/Status/State"]),
    ("HEALTH", &["/Status/Health"]),
];

const DRIVE: &[Column] = &[
    ("Id", &["/Id"]),
    ("Name", &["/Name"]),
    ("Size", &["/·Size"]),
    ("Type", &["/MediaType"]),
    ("Protocol", &["/Protocol"]),
    ("Manufacturer", &["/Manufacturer"]),
    ("Model", &["/Model"]),
    ("Serial number", &["/SerialNumber"]),
    ("Revision", &["/Revision"]),
    ("Speed (Gb/s)", &["/NegotiatedSpeedGbs", "/CapableSpeedGbs"]),
    ("Rotation (1/min)", &["/RotationSpeedRPM"]),
    ("Failure predicted", &["/FailurePredicted"]),
    ("Life left (%)", &["/PredictedMediaLifeLeftPercent"]),
    ("Encryption", &["/EncryptionStatus"]),
    ("Place", &["/PhysicalLocation/PartLocation/ServiceLabel"]),
    ("State", &["/Status/State"]),
    ("Health", &["/Status/Health"]),
    ("URI", &["/@odata.id"]),
];

const VOLUMES: &[Column] = &[
    ("ID", &["/Id"]),
    ("NAME", &["/DisplayName", "/Name"]),
    ("STORAGE", &["/·Storage"]),
    ("SIZE", &["/·Size"]),
    ("RAID", &["/RAIDType", "/VolumeType"]),
    ("STATE", &["/Status/State"]),
    ("HEALTH", &["/Status/Health"]),
];

const VOLUME: &[Column] = &[
    ("Id", &["/Id"]),
    ("Name", &["/DisplayName", "/Name"]),
    ("Storage", &["/·Storage"]),
    ("Size", &["/·Size"]),
    ("Bytes", &["/CapacityBytes"]),
    ("Block (bytes)", &["/BlockSizeBytes"]),
    ("RAID", &["/RAIDType", "/VolumeType"]),
    ("Drives", &["/·Drives"]),
    ("Identifier", &["/Identifiers/0/DurableName"]),
    ("State", &["/Status/State"]),
    ("Health", &["/Status/Health"]),
    ("URI", &["/@odata.id"]),
];

pub(crate) async fn run(client: &Client, output: &Output, command: &Command) -> Result<()> {
    match command {
        Command::Ls { id } => {
            let storages = values(storages(client, id).await?);
            if output.format != Format::Table {
                return output.list(STORAGES, &storages);
            }
            let mut rows = Vec::new();
            for storage in &storages {
                let drives = storage.get("Drives").and_then(Value::as_array);
                let volumes = match link(storage, "/Volumes") {
                    Some(uri) => Some(client.members(uri).all().await?.len()),
                    None => None,
                };
                rows.push(parts::with(
                    storage,
                    [
                        ("·Drives", drives.map(Vec::len).into()),
                        ("·Volumes", volumes.into()),
                    ],
                ));
            }
            output.list(STORAGES, &rows)
        }
        Command::Controllers { id } => {
            let mut controllers = Vec::new();
            for storage in storages(client, id).await? {
                // Once an array in the storage, now a collection beside it; some services still have both.
                let found = match parts::at(client, &storage.value, "/Controllers").await? {
                    Some(found) => Some(found),
                    None => parts::at(client, &storage.value, "/StorageControllers").await?,
                };
                for controller in values(found.unwrap_or_default()) {
                    // Its id is one only within its storage.
                    controllers.push(match output.format {
                        Format::Table => {
                            let of = parts::id(&storage).into();
                            parts::with(&controller, [("·Storage", of)])
                        }
                        _ => controller,
                    });
                }
            }
            output.list(CONTROLLERS, &controllers)
        }
        Command::Drives { id, drive } => {
            let drives = drives(client, &storages(client, id).await?).await?;
            match drive {
                None => parts::list(output, DRIVES, values(drives), sized),
                Some(name) => {
                    let drive = &parts::named(&drives, name, "drive")?.value;
                    match output.format {
                        Format::Table => output.one(DRIVE, &sized(drive)),
                        _ => output.one(DRIVE, drive),
                    }
                }
            }
        }
        Command::Volumes(command) => volumes(client, output, command).await,
    }
}

async fn volumes(client: &Client, output: &Output, command: &Volumes) -> Result<()> {
    match command {
        Volumes::Ls { id } => {
            let volumes = all_volumes(client, &storages(client, id).await?).await?;
            parts::list(output, VOLUMES, values(volumes), volume_view)
        }
        Volumes::Show { id, volume } => {
            let volumes = all_volumes(client, &storages(client, id).await?).await?;
            let volume = &parts::named(&volumes, volume, "volume")?.value;
            match output.format {
                Format::Table => output.one(VOLUME, &volume_view(volume)),
                _ => output.one(VOLUME, volume),
            }
        }
        Volumes::Create(create) => make(client, output, create).await,
        Volumes::Set(set) => {
            let volumes = all_volumes(client, &storages(client, &set.id).await?).await?;
            let volume = parts::named(&volumes, &set.volume, "volume")?;
            let mut change = Map::new();
            if let Some(size) = set.size {
                change.insert("CapacityBytes".into(), size.into());
            }
            if let Some(name) = &set.name {
                // The name that may be changed; older services only have the one that every resource has.
                let property = match volume.value.get("DisplayName") {
                    Some(_) => "DisplayName",
                    None => "Name",
                };
                change.insert(property.into(), name.as_str().into());
            }
            let outcome = parts::amend(client, &volume.uri, change).await?;
            let sentence = format!("{}: {} changed", set.id, parts::id(volume));
            set.waiting.conclude(output, outcome, &sentence).await
        }
        Volumes::Rm {
            id,
            volume,
            waiting,
        } => {
            let volumes = all_volumes(client, &storages(client, id).await?).await?;
            let volume = parts::named(&volumes, volume, "volume")?;
            let outcome = client.delete(&volume.uri, volume.etag.as_ref()).await?;
            let sentence = format!("{id}: {} is gone", parts::id(volume));
            waiting.conclude(output, outcome, &sentence).await
        }
    }
}

async fn make(client: &Client, output: &Output, create: &Create) -> Result<()> {
    let mut storages = storages(client, &create.id).await?;
    storages.retain(|storage| link(&storage.value, "/Volumes").is_some());
    let storage = match &create.storage {
        Some(name) => parts::named(&storages, name, "storage with volumes")?,
        None => match &storages[..] {
            [one] => one,
            [] => return Err(parts::none("storage with volumes in this machine")),
            several => {
                let all: Vec<&str> = several.iter().map(parts::id).collect();
                return Err(Failure::Usage(format!(
                    "which storage? Say --storage {}",
                    all.join(" or ")
                )));
            }
        },
    };
    let collection = find::linked(&storage.value, "/Volumes", "volumes here")?;
    let mut volume = Map::new();
    if let Some(size) = create.size {
        volume.insert("CapacityBytes".into(), size.into());
    }
    if let Some(name) = &create.name {
        volume.insert("Name".into(), name.as_str().into());
    }
    if let Some(raid) = &create.raid {
        let known = [
            "None", "RAID0", "RAID1", "RAID5", "RAID6", "RAID10", "RAID50", "RAID60",
        ];
        let known = known.iter().find(|known| known.eq_ignore_ascii_case(raid));
        let raid = known.copied().unwrap_or(raid);
        volume.insert("RAIDType".into(), raid.into());
    }
    if !create.drives.is_empty() {
        let here = drives(client, std::slice::from_ref(storage)).await?;
        let drives = create.drives.iter().map(|name| {
            let drive = parts::named(&here, name, "drive")?;
            Ok(json!({"@odata.id": drive.uri}))
        });
        let drives: Vec<Value> = drives.collect::<Result<_>>()?;
        volume.insert("Links".into(), json!({"Drives": drives}));
    }
    if let Some(apply) = &create.apply {
        let here = client.get_value(collection).await?.value;
        let allowed = parts::texts(&here, "/@Redfish.OperationApplyTimeSupport/SupportedValues");
        let apply = change::as_written(&allowed, apply, "time to make a volume")?;
        volume.insert("@Redfish.OperationApplyTime".into(), apply.into());
    }
    let outcome = client.post(collection, &volume).await?;
    let Some(answer) = create.waiting.answer(output, outcome).await? else {
        return Ok(());
    };
    let made = answer.location().map(find::id);
    let what = match made {
        Some(id) => format!("volume {id}"),
        None => "volume".to_owned(),
    };
    let sentence = format!("{}: {what} made on {}", create.id, parts::id(storage));
    output.done(&sentence, &answer)
}

async fn storages(client: &Client, id: &str) -> Result<Vec<Fetched<Value>>> {
    let system = find::system(client, id).await?.value;
    parts::need(client, &system, "/Storage", "storage of this machine").await
}

async fn drives(client: &Client, storages: &[Fetched<Value>]) -> Result<Vec<Fetched<Value>>> {
    let mut drives: Vec<Fetched<Value>> = Vec::new();
    for storage in storages {
        let found = parts::at(client, &storage.value, "/Drives").await?;
        for drive in found.unwrap_or_default() {
            // A drive may be reached by two controllers.
            if !drives.iter().any(|known| known.uri == drive.uri) {
                drives.push(drive);
            }
        }
    }
    Ok(drives)
}

async fn all_volumes(client: &Client, storages: &[Fetched<Value>]) -> Result<Vec<Fetched<Value>>> {
    let mut volumes = Vec::new();
    for storage in storages {
        let found = parts::at(client, &storage.value, "/Volumes").await?;
        volumes.extend(found.unwrap_or_default());
    }
    Ok(volumes)
}

fn values(parts: Vec<Fetched<Value>>) -> Vec<Value> {
    parts.into_iter().map(|part| part.value).collect()
}

fn sized(resource: &Value) -> Value {
    parts::with(
        resource,
        [("·Size", parts::size(resource.get("CapacityBytes")))],
    )
}

fn volume_view(volume: &Value) -> Value {
    let uri = parts::text(volume, "/@odata.id").unwrap_or_default();
    // `…/Storage/{storage}/Volumes/{volume}`: only to show where it lies.
    let storage = uri.rsplit('/').nth(2).unwrap_or_default();
    let drives = volume.pointer("/Links/Drives").and_then(Value::as_array);
    let drives = drives.into_iter().flatten();
    let drives: Vec<&str> = drives
        .filter_map(|drive| link(drive, ""))
        .map(find::id)
        .collect();
    parts::with(
        volume,
        [
            ("·Size", parts::size(volume.get("CapacityBytes"))),
            ("·Storage", storage.into()),
            ("·Drives", drives.into()),
        ],
    )
}

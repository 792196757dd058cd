//! Volumes: the disks of a system as what can be made, grown and deleted.
//!
//! Each disk of a virtual machine is a volume of its own, cut from the host's storage and not from other drives of the system: hence `RAIDType` is `None`, and each volume
//! has the one drive that it is.

use std::time::Duration;

use hawkfish_core::error::{Error, Invalid};
use hawkfish_core::id::SystemId;
use hawkfish_core::tasks::Task;
use hawkfish_core::volumes::NewVolume;
use hawkfish_redfish::model::volume::{Links, RAIDType, Volume, VolumeCreate, VolumePatch};
use hawkfish_redfish::model::{OdataId, Prop};
use http::StatusCode;
use serde_json::{Map, json};

use super::drive::identifiers;
use super::storage::{controller, drive, part_status, volume};
use crate::catalog::{Content, Outcome, Resource, Rq};
use crate::problem::Problem;

/// How long a volume may take before its request is answered with the task.
const PATIENCE: Duration = Duration::from_secs(20);
/// When something can be done: at once or not at all.
const IMMEDIATE: &[&str] = &["Immediate"];

/// The volumes on a controller.
pub(crate) const COLLECTION: Resource = Resource {
    uri: "/redfish/v1/Systems/{system}/Storage/{storage}/Volumes",
    entity: "VolumeCollection",
    member: "Volume",
    get: Some(|rq| Box::pin(list(rq))),
    create: Some(|rq| Box::pin(create(rq))),
    version: Some(|rq| Ok(rq.hf.system(&rq.ctx, &rq.id("system")?)?.generation)),
    ..Resource::NONE
};

/// A volume.
pub(crate) const RESOURCE: Resource = Resource {
    uri: "/redfish/v1/Systems/{system}/Storage/{storage}/Volumes/{volume}",
    entity: "Volume",
    get: Some(|rq| Box::pin(read(rq))),
    patch: Some(|rq| Box::pin(change(rq))),
    delete: Some(|rq| Box::pin(delete(rq))),
    version: Some(|rq| Ok(rq.hf.system(&rq.ctx, &rq.id("system")?)?.generation)),
    ..Resource::NONE
};

async fn list(rq: &Rq) -> Result<Content, Problem> {
    let system = rq.hf.system(&rq.ctx, &rq.id("system")?)?;
    let controller = controller(&system, rq.param("storage"))?;
    let disks = system.machine.storage.disks_on(&controller.id);
    let mut content = Content::collection(rq, "Volumes", disks.map(|d| d.id.as_str()));
    if system.capabilities.disks
        && let Content::Resource(body) = &mut content
    {
        body.insert(
            "@Redfish.OperationApplyTimeSupport".to_owned(),
            json!({
                "@odata.type": "#Settings.v1_3_3.OperationApplyTimeSupport",
                "SupportedValues": IMMEDIATE,
            }),
        );
    }
    Ok(content)
}

async fn read(rq: &Rq) -> Result<Content, Problem> {
    let system = rq.hf.system(&rq.ctx, &rq.id("system")?)?;
    let disk = system.machine.storage.disk(rq.param("volume"));
    let disk = disk
        .filter(|disk| disk.controller == rq.param("storage"))
        .ok_or_else(|| Error::not_found("Volume", rq.param("volume")))?;
    let id = system.id.as_str();
    let name = system.volume_name(disk);
    let owner = format!("{}/Controllers/{}", rq.above(2), disk.controller);
    Content::of(&Volume {
        odata_id: rq.uri().to_owned(),
        id: disk.id.clone(),
        name: name.map_or_else(|| format!("Volume {}", disk.id), str::to_owned),
        display_name: Prop::or_null(name.map(str::to_owned)),
        raid_type: Prop::Value(RAIDType::None),
        capacity_bytes: Prop::or_null(disk.bytes.and_then(|b| i64::try_from(b).ok())),
        block_size_bytes: Prop::Value(disk.block_bytes.into()),
        identifiers: identifiers(disk),
        status: Some(part_status(&system, disk.failed)),
        links: Some(Links {
            drives: Some(vec![drive(id, disk)]),
            controllers: Some(vec![OdataId::new(owner)]),
            ..Default::default()
        }),
        ..Default::default()
    })
}

async fn create(rq: &Rq) -> Result<Outcome, Problem> {
    let id: SystemId = rq.id("system")?;
    let system = rq.hf.system(&rq.ctx, &id)?;
    let storage = controller(&system, rq.param("storage"))?.id.clone();
    rq.apply_time(IMMEDIATE)?;
    let VolumeCreate {
        name,
        display_name,
        raid_type,
        capacity_bytes,
    } = rq.body()?;
    match raid_type {
        Prop::Absent | Prop::Null | Prop::Value(RAIDType::None) => {}
        Prop::Value(other) => {
            let error = Error::invalid(
                "/RAIDType",
                other.as_str(),
                Invalid::NotInList,
                "A volume here is a disk of its own.",
            );
            return Err(error.into());
        }
    }
    let Some(Some(bytes)) = capacity_bytes.change() else {
        let missing = Problem::base(
            StatusCode::BAD_REQUEST,
            "PropertyMissing",
            &["CapacityBytes"],
        );
        return Err(missing.related("/CapacityBytes"));
    };
    let sent = if name.is_some() {
        "/Name"
    } else {
        "/DisplayName"
    };
    let what = NewVolume {
        name: name.or_else(|| display_name.change().flatten()),
        bytes: bytes_of(bytes),
        request: Some(rq.payload()),
    };
    let task = rq
        .hf
        .make_volume(&rq.ctx, &id, &storage, what)
        .await
        .map_err(|error| Problem::from(error).about("/Name", sent))?;
    match super::task::ended(rq, &task.id, PATIENCE).await {
        Ok(ended) => outcome(rq, &*ended?),
        Err(_) => Ok(Outcome::Started(task.id.clone())),
    }
}

/// What is less than nothing is too little, too.
fn bytes_of(bytes: i64) -> u64 {
    u64::try_from(bytes).unwrap_or(0)
}

/// What the request is answered for which such a task was made, once it has ended.
pub(super) fn outcome(rq: &Rq, task: &Task) -> Result<Outcome, Problem> {
    if let Some(failure) = &task.failure {
        return Err(Error::from(failure).into());
    }
    Ok(match rq.hf.made_volume(task) {
        Some((system, disk)) => Outcome::Created {
            uri: volume(system.id.as_str(), &disk).odata_id,
            headers: Vec::new(),
            with: Map::new(),
        },
        // It was deleted, or it is gone already.
        None => Outcome::Done,
    })
}

async fn change(rq: &Rq) -> Result<Outcome, Problem> {
    let VolumePatch {
        display_name,
        capacity_bytes,
    } = rq.body()?;
    let null = |property: &'static str| {
        Error::invalid(
            property,
            "null",
            Invalid::NotInList,
            "A volume has a size and may have a name.",
        )
    };
    let bytes = match capacity_bytes {
        Prop::Absent => None,
        Prop::Null => return Err(null("/CapacityBytes").into()),
        Prop::Value(bytes) => Some(bytes_of(bytes)),
    };
    let name = match display_name {
        Prop::Absent => None,
        Prop::Null => return Err(null("/DisplayName").into()),
        Prop::Value(name) => Some(name),
    };
    rq.hf
        .change_volume(&rq.ctx, &rq.id("system")?, rq.param("volume"), bytes, name)
        .await?;
    Ok(Outcome::Done)
}

async fn delete(rq: &Rq) -> Result<Outcome, Problem> {
    let request = Some(rq.payload());
    let task = rq
        .hf
        .delete_volume(&rq.ctx, &rq.id("system")?, rq.param("volume"), request)
        .await?;
    match super::task::ended(rq, &task.id, PATIENCE).await {
        Ok(ended) => match &ended?.failure {
            None => Ok(Outcome::Done),
            Some(failure) => Err(Error::from(failure).into()),
        },
        Err(_) => Ok(Outcome::Started(task.id.clone())),
    }
}

//! What runs where, and in which version: firmware, software, and the images that were pushed.
//!
//! - `FirmwareInventory`: the firmware of each system and of its parts, and HawkFish, which is the firmware of the managers.
//! - `SoftwareInventory`: the hypervisors and what manages them.
//! - `LocalImageStore`: images to be booted.

use std::sync::Arc;

use hawkfish_core::error::Error;
use hawkfish_core::id::{ImageId, SystemId};
use hawkfish_core::inventory::{HostStatus, System};
use hawkfish_redfish::model::software_inventory::{Links, ReleaseType, SoftwareInventory};
use hawkfish_redfish::model::{OdataId, Prop};

use super::healthy;
use super::storage::part_status;
use crate::catalog::{Content, Outcome, Privileges, Resource, Rq};
use crate::problem::Problem;

/// `/redfish/v1/UpdateService/FirmwareInventory`
pub(crate) const FIRMWARE: &str = "/redfish/v1/UpdateService/FirmwareInventory";
/// `/redfish/v1/UpdateService/SoftwareInventory`
pub(crate) const SOFTWARE: &str = "/redfish/v1/UpdateService/SoftwareInventory";
/// `/redfish/v1/UpdateService/LocalImageStore`
pub(crate) const STORE: &str = "/redfish/v1/UpdateService/LocalImageStore";

/// HawkFish itself.
const BMC: &str = "BMC";
/// What the firmware of a system is called by: this and its id.
const BIOS: &str = "BIOS-";

/// The firmware inventory.
pub(crate) const FIRMWARE_COLLECTION: Resource = Resource {
    uri: FIRMWARE,
    entity: "SoftwareInventoryCollection",
    get: Some(|rq| {
        Box::pin(async move {
            let systems = rq.hf.inventory().ids(&rq.ctx);
            let bios = systems.iter().map(|id| format!("{BIOS}{id}"));
            let all = std::iter::once(BMC.to_owned()).chain(bios);
            let all = all.chain(of_parts(rq));
            Ok(Content::collection(rq, "Firmware inventory", all))
        })
    }),
    version: Some(|rq| Ok(rq.hf.inventory().membership())),
    privileges: Privileges::MANAGER,
    ..Resource::NONE
};

/// A firmware.
pub(crate) const FIRMWARE_MEMBER: Resource = Resource {
    uri: "/redfish/v1/UpdateService/FirmwareInventory/{software}",
    entity: "SoftwareInventory",
    get: Some(|rq| Box::pin(firmware(rq))),
    privileges: Privileges::MANAGER,
    ..Resource::NONE
};

/// The software inventory.
pub(crate) const SOFTWARE_COLLECTION: Resource = Resource {
    uri: SOFTWARE,
    entity: "SoftwareInventoryCollection",
    get: Some(|rq| {
        Box::pin(async move {
            let hosts = hosts(rq);
            let all = hosts.iter().flat_map(|host| programs(host).into_iter());
            Ok(Content::collection(
                rq,
                "Software inventory",
                all.map(|program| program.id),
            ))
        })
    }),
    privileges: Privileges::MANAGER,
    ..Resource::NONE
};

/// A software.
pub(crate) const SOFTWARE_MEMBER: Resource = Resource {
    uri: "/redfish/v1/UpdateService/SoftwareInventory/{software}",
    entity: "SoftwareInventory",
    get: Some(|rq| Box::pin(software(rq))),
    privileges: Privileges::MANAGER,
    ..Resource::NONE
};

/// The local image store.
pub(crate) const STORE_COLLECTION: Resource = Resource {
    uri: STORE,
    entity: "SoftwareInventoryCollection",
    get: Some(|rq| {
        Box::pin(async move {
            let images = rq.hf.images();
            Ok(Content::collection(
                rq,
                "Local image store",
                images.iter().map(|image| image.id.as_str()),
            ))
        })
    }),
    privileges: Privileges::COMPONENTS,
    ..Resource::NONE
};

/// An image.
pub(crate) const STORE_MEMBER: Resource = Resource {
    uri: "/redfish/v1/UpdateService/LocalImageStore/{software}",
    entity: "SoftwareInventory",
    get: Some(|rq| Box::pin(image(rq))),
    delete: Some(|rq| {
        Box::pin(async move {
            rq.hf.delete_image(&rq.id("software")?).await?;
            Ok(Outcome::Done)
        })
    }),
    privileges: Privileges::COMPONENTS,
    ..Resource::NONE
};

/// The URI of an image.
pub(super) fn image_uri(id: &ImageId) -> String {
    format!("{STORE}/{id}")
}

/// The system whose firmware stands at a URI, with or without a slash at the end; `None` for any other URI. A system itself may be named, too.
pub(super) fn system_of(uri: &str) -> Option<SystemId> {
    let uri = uri.strip_suffix('/').unwrap_or(uri);
    let id = match uri.strip_prefix(FIRMWARE) {
        Some(member) => member.strip_prefix('/')?.strip_prefix(BIOS)?,
        None => uri.strip_prefix("/redfish/v1/Systems/")?,
    };
    SystemId::parse(id).ok()
}

/// The URI of the firmware of a system.
#[must_use]
pub fn firmware_uri(system: &System) -> String {
    format!("{FIRMWARE}/{BIOS}{}", system.id)
}

/// What the firmware of the parts of all systems is called by, where there is any: the part and the system's id.
fn of_parts(rq: &Rq) -> Vec<String> {
    let has_any = |system: &Arc<System>| !system.machine.hardware.firmwares.is_empty();
    // Of most fleets none has, and that is known without looking at each.
    if !rq
        .hf
        .inventory()
        .each_kind(&rq.ctx)
        .any(|kind| has_any(&kind))
    {
        return Vec::new();
    }
    let systems = rq.hf.inventory().each(&rq.ctx);
    systems
        .flat_map(|system| {
            let firmwares = system.machine.hardware.firmwares.iter();
            let ids: Vec<String> = firmwares
                .map(|firmware| format!("{}-{}", firmware.part, system.id))
                .collect();
            ids
        })
        .collect()
}

/// The firmware of a part of a system.
fn of_part(rq: &Rq, id: &str, part: &str, system: &str) -> Result<Content, Problem> {
    let missing = || Error::not_found("SoftwareInventory", id);
    let system = SystemId::parse(system).map_err(|_| missing())?;
    let system = rq.hf.system(&rq.ctx, &system).map_err(|_| missing())?;
    let firmware = system
        .machine
        .hardware
        .firmware_of(part)
        .ok_or_else(missing)?;
    Content::of(&SoftwareInventory {
        odata_id: rq.uri().to_owned(),
        id: id.to_owned(),
        name: format!("{} of {}", firmware.name, system.machine.name),
        version: Prop::Value(firmware.version.clone()),
        manufacturer: Prop::or_null(firmware.manufacturer.clone()),
        software_id: Some(firmware.part.clone()),
        updateable: Prop::Value(false),
        status: Some(part_status(&system, false)),
        related_item: Some(vec![OdataId::new(match part {
            BMC => format!("/redfish/v1/Managers/{}", system.id),
            _ => format!("/redfish/v1/Systems/{}", system.id),
        })]),
        ..Default::default()
    })
}

async fn firmware(rq: &Rq) -> Result<Content, Problem> {
    let id = rq.param("software");
    let missing = || Error::not_found("SoftwareInventory", id);
    if id == BMC {
        return Content::of(&SoftwareInventory {
            odata_id: rq.uri().to_owned(),
            id: BMC.to_owned(),
            name: "HawkFish".to_owned(),
            description: Prop::Value("The firmware of every manager here.".to_owned()),
            version: Prop::Value(env!("CARGO_PKG_VERSION").to_owned()),
            software_id: Some("hawkfish".to_owned()),
            manufacturer: Prop::Value("HawkFish".to_owned()),
            updateable: Prop::Value(false),
            release_type: Prop::Value(ReleaseType::Production),
            status: Some(healthy()),
            ..Default::default()
        });
    }
    let Some(system) = id.strip_prefix(BIOS) else {
        let (part, system) = id.split_once('-').ok_or_else(missing)?;
        return of_part(rq, id, part, system);
    };
    let system = SystemId::parse(system).map_err(|_| missing())?;
    let system = rq.hf.system(&rq.ctx, &system).map_err(|_| missing())?;
    let identity = &system.machine.identity;
    Content::of(&SoftwareInventory {
        odata_id: rq.uri().to_owned(),
        id: id.to_owned(),
        name: format!("Firmware of {}", system.machine.name),
        // A hypervisor need not say which it is.
        version: Prop::or_null(identity.bios_version.clone()),
        // Of a simulated machine all is of one maker; a hypervisor does not say who made its firmware.
        manufacturer: match rq.hf.is_simulated(&system) {
            true => Prop::or_null(identity.manufacturer.clone()),
            false => Prop::Null,
        },
        software_id: identity.product.clone(),
        updateable: Prop::Value(system.can_update()),
        reset_required_on_update: match system.can_update() {
            true => Prop::Value(true),
            false => Prop::Absent,
        },
        status: Some(part_status(&system, false)),
        related_item: Some(vec![OdataId::new(format!(
            "/redfish/v1/Systems/{}",
            system.id
        ))]),
        ..Default::default()
    })
}

/// A program on a host.
struct Program {
    id: String,
    name: String,
    version: String,
}

/// What runs on a host, as far as it said.
fn programs(host: &HostStatus) -> Vec<Program> {
    let facts = &host.facts;
    let program = |what: &str, name: &str, version: &str| Program {
        id: format!("{}-{what}", host.id),
        name: name.to_owned(),
        version: version.to_owned(),
    };
    match facts.hypervisor.split_once(' ') {
        Some((name, version)) => vec![
            program("hypervisor", name, version),
            program("libvirt", "libvirt", &facts.version),
        ],
        // Nothing was said yet.
        None if facts.hypervisor.is_empty() => Vec::new(),
        None => vec![program("simulator", "HawkFish simulator", &facts.version)],
    }
}

/// The hosts of the systems that the caller's face shows.
fn hosts(rq: &Rq) -> Vec<HostStatus> {
    let mut hosts = rq.hf.hosts();
    if let Some(face) = rq.ctx.face() {
        let system = rq.hf.system(&rq.ctx, face).ok();
        hosts.retain(|host| system.as_ref().is_some_and(|system| system.host == host.id));
    }
    hosts
}

async fn software(rq: &Rq) -> Result<Content, Problem> {
    let id = rq.param("software");
    let hosts = hosts(rq);
    let mut all = hosts
        .iter()
        .flat_map(|host| programs(host).into_iter().map(move |p| (host, p)));
    let (host, program) = all
        .find(|(_, program)| program.id == id)
        .ok_or_else(|| Error::not_found("SoftwareInventory", id))?;
    Content::of(&SoftwareInventory {
        odata_id: rq.uri().to_owned(),
        id: program.id,
        name: program.name.clone(),
        description: Prop::Value(format!("{} on {}", program.name, host.facts.name)),
        version: Prop::Value(program.version),
        software_id: Some(program.name.to_ascii_lowercase().replace(' ', "-")),
        manufacturer: match program.name.starts_with("HawkFish") {
            true => Prop::Value("HawkFish".to_owned()),
            false => Prop::Null,
        },
        updateable: Prop::Value(false),
        status: Some(healthy()),
        ..Default::default()
    })
}

async fn image(rq: &Rq) -> Result<Content, Problem> {
    let image = rq.hf.image(&rq.id("software")?)?;
    let systems = rq.hf.inventory().each_altered(&rq.ctx);
    let holds = |system: &std::sync::Arc<System>| {
        system.media.values().any(|record| {
            record.transfer_protocol == hawkfish_core::media::TransferProtocol::Stored
                && record.image == image.id.as_str()
        })
    };
    let targets = systems
        .filter(holds)
        .map(|s| OdataId::new(format!("/redfish/v1/Systems/{}", s.id)))
        .collect();
    Content::of(&SoftwareInventory {
        odata_id: rq.uri().to_owned(),
        id: image.id.to_string(),
        name: image.name.clone(),
        software_id: Some(image.sha256.clone()),
        // Nobody said who made it.
        manufacturer: Prop::Null,
        size_bytes: Prop::or_absent(i64::try_from(image.bytes).ok()),
        status: Some(healthy()),
        links: Some(Links {
            active_targets: Some(targets),
        }),
        ..Default::default()
    })
}

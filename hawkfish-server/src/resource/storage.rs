//! Storage of a system: one resource for each controller, with what hangs on it.

use hawkfish_core::backend::{Bus, Controller, Disk};
use hawkfish_core::error::Error;
use hawkfish_core::inventory::System;
use hawkfish_redfish::model::protocol::Protocol;
use hawkfish_redfish::model::resource::{Health, Status};
use hawkfish_redfish::model::storage::{Links, Storage};
use hawkfish_redfish::model::{OdataId, Prop};

use super::computer_system::status;
use crate::catalog::{Content, Resource, Rq};
use crate::problem::Problem;

/// The storage of a system.
pub(crate) const COLLECTION: Resource = Resource {
    uri: "/redfish/v1/Systems/{system}/Storage",
    entity: "StorageCollection",
    get: Some(|rq| {
        Box::pin(async move {
            let system = rq.hf.system(&rq.ctx, &rq.id("system")?)?;
            let controllers = system.machine.storage.controllers.iter();
            Ok(Content::collection(
                rq,
                "Storage",
                controllers.map(|c| c.id.as_str()),
            ))
        })
    }),
    version: Some(|rq| Ok(rq.hf.system(&rq.ctx, &rq.id("system")?)?.generation)),
    ..Resource::NONE
};

/// A controller with what hangs on it.
pub(crate) const RESOURCE: Resource = Resource {
    uri: "/redfish/v1/Systems/{system}/Storage/{storage}",
    entity: "Storage",
    get: Some(|rq| Box::pin(read(rq))),
    version: Some(|rq| Ok(rq.hf.system(&rq.ctx, &rq.id("system")?)?.generation)),
    ..Resource::NONE
};

async fn read(rq: &Rq) -> Result<Content, Problem> {
    let system = rq.hf.system(&rq.ctx, &rq.id("system")?)?;
    let controller = controller(&system, rq.param("storage"))?;
    let id = system.id.as_str();
    let disks = || system.machine.storage.disks_on(&controller.id);
    let mut body = Content::of(&Storage {
        odata_id: rq.uri().to_owned(),
        id: controller.id.clone(),
        name: title(controller),
        drives: Some(disks().map(|disk| drive(id, disk)).collect()),
        volumes: Some(OdataId::new(format!("{}/Volumes", rq.uri()))),
        controllers: Some(OdataId::new(format!("{}/Controllers", rq.uri()))),
        status: Some(part_status(&system, disks().any(|disk| disk.failed))),
        links: Some(Links {
            enclosures: Some(vec![OdataId::new(format!("/redfish/v1/Chassis/{id}"))]),
            simple_storage: Some(OdataId::new(format!(
                "/redfish/v1/Systems/{id}/SimpleStorage/{}",
                controller.id
            ))),
            ..Default::default()
        }),
        ..Default::default()
    })?;
    if let Content::Resource(body) = &mut body {
        count(body, "Drives");
    }
    Ok(body)
}

/// How many there are of a list of links.
pub(super) fn count(body: &mut serde_json::Map<String, serde_json::Value>, name: &str) {
    let long = body.get(name).and_then(|list| Some(list.as_array()?.len()));
    if let Some(long) = long {
        body.insert(format!("{name}@odata.count"), long.into());
    }
}

/// The controller of that name.
pub(super) fn controller<'a>(system: &'a System, id: &str) -> Result<&'a Controller, Error> {
    let found = system.machine.storage.controller(id);
    found.ok_or_else(|| Error::not_found("Storage", id))
}

/// What a controller is called.
pub(super) fn title(controller: &Controller) -> String {
    let bus = match controller.bus {
        Bus::Virtio => "virtio",
        Bus::Scsi => "SCSI",
        Bus::Sata => "SATA",
        Bus::Ide => "IDE",
        Bus::Nvme => "NVMe",
        Bus::Usb => "USB",
        Bus::Sas => "SAS",
    };
    format!("{bus} storage")
}

/// How disks behind a bus are spoken to, in the words of Redfish, which has none for most of what virtual machines have.
pub(super) fn protocol(bus: Bus) -> Protocol {
    match bus {
        Bus::Sata => Protocol::SATA,
        Bus::Nvme => Protocol::NVMe,
        Bus::Usb => Protocol::USB,
        Bus::Sas => Protocol::SAS,
        Bus::Virtio | Bus::Scsi | Bus::Ide => Protocol::OEM,
    }
}

/// The status of something that a system has, and that may have failed by itself.
pub(super) fn part_status(system: &System, failed: bool) -> Status {
    let mut status = status(system);
    if system.reachable {
        status.health = Prop::Value(if failed { Health::Critical } else { Health::OK });
    }
    status
}

/// The link to a disk as a drive.
pub(super) fn drive(system: &str, disk: &Disk) -> OdataId {
    OdataId::new(format!("/redfish/v1/Chassis/{system}/Drives/{}", disk.id))
}

/// The link to a disk as a volume.
pub(super) fn volume(system: &str, disk: &Disk) -> OdataId {
    OdataId::new(format!(
        "/redfish/v1/Systems/{system}/Storage/{}/Volumes/{}",
        disk.controller, disk.id
    ))
}

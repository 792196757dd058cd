//! Drives: the disks of a system, in its chassis.

use hawkfish_core::backend::Disk;
use hawkfish_core::error::Error;
use hawkfish_redfish::model::drive::{Drive, Links, MediaType};
use hawkfish_redfish::model::resource::{DurableNameFormat, Identifier};
use hawkfish_redfish::model::{OdataId, Prop};

use super::storage::{part_status, protocol, volume};
use crate::catalog::{Content, Resource, Rq};
use crate::problem::Problem;

/// The drives in a chassis.
pub(crate) const COLLECTION: Resource = Resource {
    uri: "/redfish/v1/Chassis/{system}/Drives",
    entity: "DriveCollection",
    get: Some(|rq| {
        Box::pin(async move {
            let system = rq.hf.system(&rq.ctx, &rq.id("system")?)?;
            let disks = system.machine.storage.disks.iter();
            Ok(Content::collection(
                rq,
                "Drives",
                disks.map(|d| d.id.as_str()),
            ))
        })
    }),
    version: Some(|rq| Ok(rq.hf.system(&rq.ctx, &rq.id("system")?)?.generation)),
    ..Resource::NONE
};

/// A drive.
pub(crate) const RESOURCE: Resource = Resource {
    uri: "/redfish/v1/Chassis/{system}/Drives/{drive}",
    entity: "Drive",
    get: Some(|rq| Box::pin(read(rq))),
    version: Some(|rq| Ok(rq.hf.system(&rq.ctx, &rq.id("system")?)?.generation)),
    ..Resource::NONE
};

async fn read(rq: &Rq) -> Result<Content, Problem> {
    let system = rq.hf.system(&rq.ctx, &rq.id("system")?)?;
    let storage = &system.machine.storage;
    let disk = storage.disk(rq.param("drive"));
    let disk = disk.ok_or_else(|| Error::not_found("Drive", rq.param("drive")))?;
    let controller = storage.controller(&disk.controller);
    let id = system.id.as_str();
    Content::of(&Drive {
        odata_id: rq.uri().to_owned(),
        id: disk.id.clone(),
        name: format!("Drive {}", disk.id),
        model: Prop::or_absent(disk.model.as_deref().map(str::to_owned)),
        serial_number: Prop::or_absent(disk.serial.clone()),
        capacity_bytes: Prop::or_null(disk.bytes.and_then(|b| i64::try_from(b).ok())),
        block_size_bytes: Prop::Value(disk.block_bytes.into()),
        media_type: Prop::or_absent(disk.rotates.map(|rotates| match rotates {
            true => MediaType::HDD,
            false => MediaType::SSD,
        })),
        rotation_speed_rpm: Prop::or_absent(disk.rpm.map(f64::from)),
        protocol: Prop::or_absent(controller.map(|c| protocol(c.bus))),
        identifiers: identifiers(disk),
        metrics: Prop::Value(OdataId::new(format!("{}/Metrics", rq.uri()))),
        status: Some(part_status(&system, disk.failed)),
        links: Some(Links {
            chassis: Some(OdataId::new(format!("/redfish/v1/Chassis/{id}"))),
            storage: Some(OdataId::new(format!(
                "/redfish/v1/Systems/{id}/Storage/{}",
                disk.controller
            ))),
            volumes: Some(vec![volume(id, disk)]),
            ..Default::default()
        }),
        ..Default::default()
    })
}

/// The world-wide name of a disk.
pub(super) fn identifiers(disk: &Disk) -> Option<Vec<Identifier>> {
    let wwn = disk.wwn.as_ref()?;
    Some(vec![Identifier {
        durable_name: Prop::Value(wwn.clone()),
        durable_name_format: Prop::Value(DurableNameFormat::NAA),
    }])
}

//! Storage controllers: the device behind each storage.

use hawkfish_core::error::Error;
use hawkfish_redfish::model::Prop;
use hawkfish_redfish::model::protocol::Protocol;
use hawkfish_redfish::model::storage_controller::{Links, StorageController};
use hawkfish_redfish::model::volume::RAIDType;

use super::storage::{controller, part_status, protocol, title, volume};
use crate::catalog::{Content, Resource, Rq};
use crate::problem::Problem;

/// The controllers of a storage: one.
pub(crate) const COLLECTION: Resource = Resource {
    uri: "/redfish/v1/Systems/{system}/Storage/{storage}/Controllers",
    entity: "StorageControllerCollection",
    get: Some(|rq| {
        Box::pin(async move {
            let system = rq.hf.system(&rq.ctx, &rq.id("system")?)?;
            let controller = controller(&system, rq.param("storage"))?;
            Ok(Content::collection(rq, "Controllers", [&controller.id]))
        })
    }),
    version: Some(|rq| Ok(rq.hf.system(&rq.ctx, &rq.id("system")?)?.generation)),
    ..Resource::NONE
};

/// A controller.
pub(crate) const RESOURCE: Resource = Resource {
    uri: "/redfish/v1/Systems/{system}/Storage/{storage}/Controllers/{controller}",
    entity: "StorageController",
    get: Some(|rq| Box::pin(read(rq))),
    version: Some(|rq| Ok(rq.hf.system(&rq.ctx, &rq.id("system")?)?.generation)),
    ..Resource::NONE
};

async fn read(rq: &Rq) -> Result<Content, Problem> {
    let system = rq.hf.system(&rq.ctx, &rq.id("system")?)?;
    let controller = controller(&system, rq.param("storage"))?;
    if rq.param("controller") != controller.id {
        return Err(Error::not_found("StorageController", rq.param("controller")).into());
    }
    let disks = system.machine.storage.disks_on(&controller.id);
    Content::of(&StorageController {
        odata_id: rq.uri().to_owned(),
        id: controller.id.clone(),
        name: format!("Controller of {}", title(controller)),
        model: Prop::or_absent(controller.model.clone()),
        supported_controller_protocols: Some(vec![Protocol::PCIe]),
        supported_device_protocols: Some(vec![protocol(controller.bus)]),
        supported_raid_types: Some(vec![RAIDType::None]),
        status: Some(part_status(&system, false)),
        links: Some(Links {
            attached_volumes: Some(disks.map(|d| volume(system.id.as_str(), d)).collect()),
            ..Default::default()
        }),
        ..Default::default()
    })
}

//! Simple storage: what older clients read of a system's disks.

use hawkfish_redfish::model::simple_storage::{Device, Links, SimpleStorage};
use hawkfish_redfish::model::{OdataId, Prop};

use super::storage::{controller, part_status, title};
use crate::catalog::{Content, Resource, Rq};
use crate::problem::Problem;

/// The simple storage of a system.
pub(crate) const COLLECTION: Resource = Resource {
    uri: "/redfish/v1/Systems/{system}/SimpleStorage",
    entity: "SimpleStorageCollection",
    ..super::storage::COLLECTION
};

/// A controller and its disks.
pub(crate) const RESOURCE: Resource = Resource {
    uri: "/redfish/v1/Systems/{system}/SimpleStorage/{storage}",
    entity: "SimpleStorage",
    get: Some(|rq| Box::pin(read(rq))),
    version: Some(|rq| Ok(rq.hf.system(&rq.ctx, &rq.id("system")?)?.generation)),
    ..Resource::NONE
};

async fn read(rq: &Rq) -> Result<Content, Problem> {
    let system = rq.hf.system(&rq.ctx, &rq.id("system")?)?;
    let controller = controller(&system, rq.param("storage"))?;
    let id = system.id.as_str();
    let disks = || system.machine.storage.disks_on(&controller.id);
    Content::of(&SimpleStorage {
        odata_id: rq.uri().to_owned(),
        id: controller.id.clone(),
        name: title(controller),
        devices: Some(
            disks()
                .map(|disk| Device {
                    name: disk.id.clone(),
                    capacity_bytes: Prop::or_null(disk.bytes.and_then(|b| i64::try_from(b).ok())),
                    status: Some(part_status(&system, disk.failed)),
                    ..Default::default()
                })
                .collect(),
        ),
        status: Some(part_status(&system, disks().any(|disk| disk.failed))),
        links: Some(Links {
            chassis: Some(OdataId::new(format!("/redfish/v1/Chassis/{id}"))),
            storage: Some(OdataId::new(format!(
                "/redfish/v1/Systems/{id}/Storage/{}",
                controller.id
            ))),
            ..Default::default()
        }),
        ..Default::default()
    })
}

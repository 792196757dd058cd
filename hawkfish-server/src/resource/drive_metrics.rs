//! What goes to and comes from drives, since the start of their system.

use hawkfish_redfish::model::Prop;
use hawkfish_redfish::model::drive_metrics::DriveMetrics;

use super::measured::measured;
use super::parts;
use crate::catalog::{Content, Resource, Rq};
use crate::problem::Problem;

/// `/redfish/v1/Chassis/{system}/Drives/{drive}/Metrics`
pub(crate) const RESOURCE: Resource = Resource {
    uri: "/redfish/v1/Chassis/{system}/Drives/{drive}/Metrics",
    entity: "DriveMetrics",
    get: Some(|rq| Box::pin(read(rq))),
    clock_like: &["ReadIOKiBytes", "WriteIOKiBytes"],
    ..Resource::NONE
};

async fn read(rq: &Rq) -> Result<Content, Problem> {
    let (system, stats) = measured(rq)?;
    let id = rq.param("drive");
    let disk = system.machine.storage.disk(id);
    let disk = disk.ok_or_else(|| parts::missing("Drive", id))?;
    let traffic = stats.disks.iter().find(|known| known.id == disk.id);
    let kib = |bytes: u64| i64::try_from(bytes / 1024).unwrap_or(i64::MAX);
    Content::of(&DriveMetrics {
        odata_id: rq.uri().to_owned(),
        id: "Metrics".into(),
        name: format!("Metrics of drive {}", disk.id),
        read_io_kibytes: Prop::or_null(traffic.map(|traffic| kib(traffic.read_bytes))),
        write_io_kibytes: Prop::or_null(traffic.map(|traffic| kib(traffic.written_bytes))),
        ..Default::default()
    })
}

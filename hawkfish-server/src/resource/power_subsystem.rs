//! Where the power of a chassis comes from, as far as that is known: a virtual machine has no power supplies, and shows none.

use hawkfish_core::backend::{Place, Quantity};
use hawkfish_redfish::model::power_subsystem::{PowerAllocation, PowerSubsystem};
use hawkfish_redfish::model::{OdataId, Prop};

use super::measured::{all_status, measured};
use crate::catalog::{Content, Privileges, Resource, Rq};
use crate::problem::Problem;

/// `/redfish/v1/Chassis/{system}/PowerSubsystem`
pub(crate) const RESOURCE: Resource = Resource {
    uri: "/redfish/v1/Chassis/{system}/PowerSubsystem",
    entity: "PowerSubsystem",
    get: Some(|rq| Box::pin(read(rq))),
    privileges: Privileges::MANAGER,
    clock_like: &["Status"],
    ..Resource::NONE
};

async fn read(rq: &Rq) -> Result<Content, Problem> {
    let (system, stats) = measured(rq)?;
    let sensors = stats.sensors.iter().filter(|sensor| {
        sensor.place == Place::Supply
            || (sensor.place == Place::Chassis && sensor.quantity == Quantity::Power)
    });
    Content::of(&PowerSubsystem {
        odata_id: rq.uri().to_owned(),
        id: "PowerSubsystem".into(),
        name: "Power subsystem".into(),
        capacity_watts: Prop::or_null(stats.capacity_watts),
        allocation: stats.capacity_watts.map(|watts| PowerAllocation {
            allocated_watts: Prop::Value(watts),
            ..Default::default()
        }),
        power_supplies: (!stats.supplies.is_empty())
            .then(|| OdataId::new(format!("{}/PowerSupplies", rq.uri()))),
        status: Some(all_status(&system, sensors)),
        ..Default::default()
    })
}

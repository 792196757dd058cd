//! Fans, each known by the sensor of its speed.

use hawkfish_core::backend::{Quantity, Sensor};
use hawkfish_redfish::model::Prop;
use hawkfish_redfish::model::fan::Fan;
use hawkfish_redfish::model::physical_context::PhysicalContext;

use super::measured::{fan_excerpt, measured, sensor_status};
use super::parts;
use crate::catalog::{Content, Privileges, Resource, Rq};
use crate::problem::Problem;

/// The fans of a chassis.
pub(crate) const COLLECTION: Resource = Resource {
    uri: "/redfish/v1/Chassis/{system}/ThermalSubsystem/Fans",
    entity: "FanCollection",
    get: Some(|rq| {
        Box::pin(async move {
            let (_, stats) = measured(rq)?;
            let ids: Vec<&str> = stats.of(Quantity::FanSpeed).map(id).collect();
            if ids.is_empty() {
                return Err(parts::missing("FanCollection", "Fans"));
            }
            Ok(Content::collection(rq, "Fans", ids))
        })
    }),
    privileges: Privileges::MANAGER,
    ..Resource::NONE
};

/// A fan.
pub(crate) const RESOURCE: Resource = Resource {
    uri: "/redfish/v1/Chassis/{system}/ThermalSubsystem/Fans/{fan}",
    entity: "Fan",
    get: Some(|rq| Box::pin(read(rq))),
    privileges: Privileges::MANAGER,
    clock_like: &["SpeedPercent", "Status"],
    ..Resource::NONE
};

/// The name of a fan: that of its sensor without what it measures.
pub(super) fn id(sensor: &Sensor) -> &str {
    sensor.id.strip_suffix("Speed").unwrap_or(&sensor.id)
}

async fn read(rq: &Rq) -> Result<Content, Problem> {
    let (system, stats) = measured(rq)?;
    let wanted = rq.param("fan");
    let sensor = stats
        .of(Quantity::FanSpeed)
        .find(|sensor| id(sensor) == wanted)
        .ok_or_else(|| parts::missing("Fan", wanted))?;
    Content::of(&Fan {
        odata_id: rq.uri().to_owned(),
        id: wanted.to_owned(),
        name: sensor.name.clone(),
        physical_context: Some(PhysicalContext::Chassis),
        speed_percent: Prop::Value(fan_excerpt(&system, sensor)),
        status: Some(sensor_status(&system, sensor)),
        ..Default::default()
    })
}

//! Sensors: what is measured in and around a system, each once. Other resources copy from here.

use hawkfish_core::backend::Limits;
use hawkfish_redfish::model::Prop;
use hawkfish_redfish::model::sensor::{Sensor, Threshold, ThresholdActivation, Thresholds};

use super::measured::{context, implementation, measured, reading_type, sensor_status, units};
use super::{date_time, parts};
use crate::catalog::{Content, Resource, Rq};
use crate::problem::Problem;

/// The sensors of a chassis.
pub(crate) const COLLECTION: Resource = Resource {
    uri: "/redfish/v1/Chassis/{system}/Sensors",
    entity: "SensorCollection",
    get: Some(|rq| {
        Box::pin(async move {
            let (_, stats) = measured(rq)?;
            let ids = stats.sensors.iter().map(|sensor| sensor.id.as_str());
            Ok(Content::collection(rq, "Sensors", ids))
        })
    }),
    ..Resource::NONE
};

/// A sensor.
pub(crate) const RESOURCE: Resource = Resource {
    uri: "/redfish/v1/Chassis/{system}/Sensors/{sensor}",
    entity: "Sensor",
    get: Some(|rq| Box::pin(read(rq))),
    clock_like: &["Reading", "ReadingTime", "SpeedRPM", "Status"],
    ..Resource::NONE
};

async fn read(rq: &Rq) -> Result<Content, Problem> {
    let (system, stats) = measured(rq)?;
    let id = rq.param("sensor");
    let sensor = stats
        .sensor(id)
        .ok_or_else(|| parts::missing("Sensor", id))?;
    let (least, most) = sensor.range.unzip();
    Content::of(&Sensor {
        odata_id: rq.uri().to_owned(),
        id: sensor.id.clone(),
        name: sensor.name.clone(),
        reading_type: Prop::Value(reading_type(sensor.quantity)),
        reading: Prop::or_null(sensor.reading),
        reading_units: units(sensor.quantity).into(),
        reading_time: Prop::or_absent(sensor.reading.map(|_| date_time(stats.at))),
        reading_range_min: Prop::or_absent(least),
        reading_range_max: Prop::or_absent(most),
        physical_context: Prop::Value(context(sensor.place)),
        implementation: Prop::Value(implementation(sensor.origin)),
        sensor_reset_time: Prop::or_absent(sensor.since.map(date_time)),
        speed_rpm: Prop::or_absent(sensor.rpm),
        thresholds: thresholds(sensor.above, sensor.below),
        status: Some(sensor_status(&system, sensor)),
        ..Default::default()
    })
}

fn thresholds(above: Limits, below: Limits) -> Option<Thresholds> {
    if above == Limits::default() && below == Limits::default() {
        return None;
    }
    let one = |limit: Option<f64>, activation: ThresholdActivation| {
        limit.map(|limit| Threshold {
            reading: Prop::Value(limit),
            activation: Prop::Value(activation),
        })
    };
    let up = |limit| one(limit, ThresholdActivation::Increasing);
    let down = |limit| one(limit, ThresholdActivation::Decreasing);
    Some(Thresholds {
        upper_caution: up(above.caution),
        upper_critical: up(above.critical),
        upper_fatal: up(above.fatal),
        lower_caution: down(below.caution),
        lower_critical: down(below.critical),
        lower_fatal: down(below.fatal),
    })
}

//! What a chassis takes and how warm it is, in one place.

use hawkfish_core::backend::{Place, Quantity};
use hawkfish_redfish::model::Prop;
use hawkfish_redfish::model::environment_metrics::{
    EnvironmentMetrics, SensorEnergykWhExcerpt, SensorPowerExcerpt,
};

use super::date_time;
use super::measured::{excerpt, fan_array_excerpt, measured, sensor_uri};
use crate::catalog::{Content, Privileges, Resource, Rq};
use crate::problem::Problem;

/// `/redfish/v1/Chassis/{system}/EnvironmentMetrics`
pub(crate) const RESOURCE: Resource = Resource {
    uri: "/redfish/v1/Chassis/{system}/EnvironmentMetrics",
    entity: "EnvironmentMetrics",
    get: Some(|rq| Box::pin(read(rq))),
    privileges: Privileges::MANAGER,
    clock_like: &[
        "TemperatureCelsius",
        "AmbientTemperatureCelsius",
        "PowerWatts",
        "EnergykWh",
        "PowerLoadPercent",
        "FanSpeedsPercent",
    ],
    ..Resource::NONE
};

async fn read(rq: &Rq) -> Result<Content, Problem> {
    let (system, stats) = measured(rq)?;
    let power = stats.sensor_at(Place::Chassis, Quantity::Power);
    let energy = stats.sensor_at(Place::Chassis, Quantity::Energy);
    let fans: Vec<_> = stats.of(Quantity::FanSpeed).collect();
    let load = power
        .and_then(|sensor| sensor.reading)
        .zip(stats.capacity_watts)
        .map(|(watts, most)| (1000.0 * watts / most).round() / 10.0);
    Content::of(&EnvironmentMetrics {
        odata_id: rq.uri().to_owned(),
        id: "EnvironmentMetrics".into(),
        name: "Environment metrics".into(),
        temperature_celsius: excerpt(&system, stats.temperature()),
        ambient_temperature_celsius: excerpt(
            &system,
            stats.sensor_at(Place::Intake, Quantity::Temperature),
        ),
        power_watts: Prop::or_absent(power.map(|sensor| SensorPowerExcerpt {
            data_source_uri: Prop::Value(sensor_uri(&system, sensor)),
            reading: Prop::or_null(sensor.reading),
            ..Default::default()
        })),
        energyk_wh: Prop::or_absent(energy.map(|sensor| SensorEnergykWhExcerpt {
            data_source_uri: Prop::Value(sensor_uri(&system, sensor)),
            reading: Prop::or_null(sensor.reading),
            sensor_reset_time: Prop::or_absent(sensor.since.map(date_time)),
            ..Default::default()
        })),
        power_load_percent: Prop::or_absent(load.map(|load| {
            hawkfish_redfish::model::sensor::SensorExcerpt {
                reading: Prop::Value(load),
                ..Default::default()
            }
        })),
        fan_speeds_percent: (!fans.is_empty()).then(|| {
            fans.iter()
                .map(|fan| fan_array_excerpt(&system, fan))
                .collect()
        }),
        ..Default::default()
    })
}

//! How a chassis is cooled and how warm it is, as far as that is known: a virtual machine has no fans, and shows none.

use hawkfish_core::backend::{Place, Quantity};
use hawkfish_redfish::model::OdataId;
use hawkfish_redfish::model::thermal_metrics::{TemperatureSummary, ThermalMetrics};
use hawkfish_redfish::model::thermal_subsystem::ThermalSubsystem;

use super::measured::{all_status, excerpt, measured, temperature_excerpt};
use crate::catalog::{Content, Privileges, Resource, Rq};
use crate::problem::Problem;

/// `/redfish/v1/Chassis/{system}/ThermalSubsystem`
pub(crate) const RESOURCE: Resource = Resource {
    uri: "/redfish/v1/Chassis/{system}/ThermalSubsystem",
    entity: "ThermalSubsystem",
    get: Some(|rq| Box::pin(read(rq))),
    privileges: Privileges::MANAGER,
    clock_like: &["Status"],
    ..Resource::NONE
};

/// `/redfish/v1/Chassis/{system}/ThermalSubsystem/ThermalMetrics`
pub(crate) const METRICS: Resource = Resource {
    uri: "/redfish/v1/Chassis/{system}/ThermalSubsystem/ThermalMetrics",
    entity: "ThermalMetrics",
    get: Some(|rq| Box::pin(metrics(rq))),
    privileges: Privileges::MANAGER,
    clock_like: &["TemperatureSummaryCelsius", "TemperatureReadingsCelsius"],
    ..Resource::NONE
};

async fn read(rq: &Rq) -> Result<Content, Problem> {
    let (system, stats) = measured(rq)?;
    let has_fans = stats.of(Quantity::FanSpeed).next().is_some();
    let sensors = stats
        .of(Quantity::Temperature)
        .chain(stats.of(Quantity::FanSpeed));
    Content::of(&ThermalSubsystem {
        odata_id: rq.uri().to_owned(),
        id: "ThermalSubsystem".into(),
        name: "Thermal subsystem".into(),
        fans: has_fans.then(|| OdataId::new(format!("{}/Fans", rq.uri()))),
        thermal_metrics: Some(OdataId::new(format!("{}/ThermalMetrics", rq.uri()))),
        status: Some(all_status(&system, sensors)),
        ..Default::default()
    })
}

async fn metrics(rq: &Rq) -> Result<Content, Problem> {
    let (system, stats) = measured(rq)?;
    let at = |place| excerpt(&system, stats.sensor_at(place, Quantity::Temperature));
    let has_any = stats.of(Quantity::Temperature).next().is_some();
    Content::of(&ThermalMetrics {
        odata_id: rq.uri().to_owned(),
        id: "ThermalMetrics".into(),
        name: "Thermal metrics".into(),
        temperature_summary_celsius: has_any.then(|| TemperatureSummary {
            internal: at(Place::Board),
            intake: at(Place::Intake),
            exhaust: at(Place::Exhaust),
            ..Default::default()
        }),
        temperature_readings_celsius: Some(
            stats
                .of(Quantity::Temperature)
                .map(|sensor| temperature_excerpt(&system, sensor))
                .collect(),
        ),
        ..Default::default()
    })
}

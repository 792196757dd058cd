//! Temperatures and fans in one resource, as clients read them that do not know `ThermalSubsystem` yet (Redfish before 2020.4).
//!
//! It is there for every system, because such clients fail without it. They also look for the temperatures of the processor, of the air that comes in and of the board:
//! where nothing measures one of these, as in most virtual machines, it is listed with the state `Absent`, which says just that.

use hawkfish_core::backend::{Place, Quantity, Sensor};
use hawkfish_core::inventory::System;
use hawkfish_redfish::model::Prop;
use hawkfish_redfish::model::physical_context::PhysicalContext;
use hawkfish_redfish::model::resource::{State, Status};
use hawkfish_redfish::model::thermal::{Fan, ReadingUnits, Temperature, Thermal};

use super::measured::{all_status, chassis, context, measured, sensor_status};
use super::with_ids;
use crate::catalog::{Content, Privileges, Resource, Rq};
use crate::problem::Problem;

/// `/redfish/v1/Chassis/{system}/Thermal`
pub(crate) const RESOURCE: Resource = Resource {
    uri: "/redfish/v1/Chassis/{system}/Thermal",
    entity: "Thermal",
    get: Some(|rq| Box::pin(read(rq))),
    privileges: Privileges::MANAGER,
    clock_like: &["Temperatures", "Fans", "Status"],
    ..Resource::NONE
};

/// Where temperatures are looked for.
const USUAL: [(Place, &str); 3] = [
    (Place::Intake, "Intake temperature"),
    (Place::Cpu, "Processor temperature"),
    (Place::Board, "System board temperature"),
];

async fn read(rq: &Rq) -> Result<Content, Problem> {
    let (system, stats) = measured(rq)?;
    let mut temperatures: Vec<Temperature> = stats
        .of(Quantity::Temperature)
        .map(|sensor| temperature(&system, sensor))
        .collect();
    for (place, name) in USUAL {
        if stats.sensor_at(place, Quantity::Temperature).is_none() {
            temperatures.push(absent(place, name));
        }
    }
    for (n, temperature) in temperatures.iter_mut().enumerate() {
        temperature.member_id = Some(n.to_string());
    }
    let fans = (0..).zip(stats.of(Quantity::FanSpeed));
    let sensors = stats
        .of(Quantity::Temperature)
        .chain(stats.of(Quantity::FanSpeed));
    let model = Thermal {
        odata_id: rq.uri().to_owned(),
        id: "Thermal".into(),
        name: "Thermal".into(),
        temperatures: Some(temperatures),
        fans: Some(fans.map(|(n, sensor)| fan(&system, n, sensor)).collect()),
        status: Some(all_status(&system, sensors)),
        ..Default::default()
    };
    with_ids(rq, &model, &["Temperatures", "Fans"])
}

fn temperature(system: &System, sensor: &Sensor) -> Temperature {
    let (least, most) = sensor.range.unzip();
    Temperature {
        name: Prop::Value(sensor.name.clone()),
        reading_celsius: Prop::or_null(sensor.reading),
        upper_threshold_non_critical: Prop::or_absent(sensor.above.caution),
        upper_threshold_critical: Prop::or_absent(sensor.above.critical),
        upper_threshold_fatal: Prop::or_absent(sensor.above.fatal),
        min_reading_range_temp: Prop::or_absent(least),
        max_reading_range_temp: Prop::or_absent(most),
        physical_context: Some(context(sensor.place)),
        status: Some(sensor_status(system, sensor)),
        related_item: Some(vec![chassis(system)]),
        ..Default::default()
    }
}

fn absent(place: Place, name: &str) -> Temperature {
    Temperature {
        name: name.into(),
        reading_celsius: Prop::Null,
        physical_context: Some(context(place)),
        status: Some(Status {
            state: State::Absent.into(),
            ..Status::default()
        }),
        ..Default::default()
    }
}

fn fan(system: &System, n: usize, sensor: &Sensor) -> Fan {
    let whole = |value: f64| value.round() as i64;
    let (least, most) = sensor.range.unzip();
    Fan {
        member_id: Some(n.to_string()),
        name: Prop::Value(sensor.name.clone()),
        reading: Prop::or_null(sensor.reading.map(whole)),
        reading_units: Prop::Value(ReadingUnits::Percent),
        min_reading_range: Prop::or_absent(least.map(whole)),
        max_reading_range: Prop::or_absent(most.map(whole)),
        physical_context: Some(PhysicalContext::Fan),
        status: Some(sensor_status(system, sensor)),
        related_item: Some(vec![chassis(system)]),
        ..Default::default()
    }
}

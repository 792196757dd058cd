//! What resources that show measurements have in common.

use std::sync::Arc;

use hawkfish_core::backend::{Concern, Origin, Place, Quantity, Sensor, Stats};
use hawkfish_core::inventory::System;
use hawkfish_redfish::model::physical_context::PhysicalContext;
use hawkfish_redfish::model::resource::{Health, State, Status};
use hawkfish_redfish::model::sensor::{
    ImplementationType, ReadingType, SensorArrayExcerpt, SensorExcerpt, SensorFanArrayExcerpt,
    SensorFanExcerpt,
};
use hawkfish_redfish::model::{OdataId, Prop};

use super::{computer_system, parts};
use crate::catalog::Rq;
use crate::problem::Problem;

/// The system that the URI is about, and what is known of what it does. What is not known is not in it.
pub(super) fn measured(rq: &Rq) -> Result<(Arc<System>, Arc<Stats>), Problem> {
    let system = parts::system(rq)?;
    let stats = rq.hf.stats(&system).unwrap_or_default();
    Ok((system, stats))
}

/// Where a sensor is shown.
pub(super) fn sensor_uri(system: &System, sensor: &Sensor) -> String {
    format!("/redfish/v1/Chassis/{}/Sensors/{}", system.id, sensor.id)
}

/// A reference to the chassis of a system.
pub(super) fn chassis(system: &System) -> OdataId {
    parts::in_chassis(system, "")
}

/// How something does that is measured by that sensor.
pub(super) fn sensor_status(system: &System, sensor: &Sensor) -> Status {
    if !system.reachable {
        return computer_system::status(system);
    }
    let state = match sensor.reading {
        Some(_) => State::Enabled,
        None => State::UnavailableOffline,
    };
    Status {
        state: state.into(),
        health: health(sensor.concern()).into(),
        ..Status::default()
    }
}

pub(super) fn health(concern: Concern) -> Health {
    match concern {
        Concern::None => Health::OK,
        Concern::Caution => Health::Warning,
        Concern::Critical => Health::Critical,
    }
}

/// How the whole does of which these sensors measure parts.
pub(super) fn all_status<'a>(system: &System, sensors: impl Iterator<Item = &'a Sensor>) -> Status {
    if !system.reachable {
        return computer_system::status(system);
    }
    let worst = sensors.map(Sensor::concern).max();
    Status {
        state: State::Enabled.into(),
        health: health(worst.unwrap_or(Concern::None)).into(),
        ..Status::default()
    }
}

pub(super) fn context(place: Place) -> PhysicalContext {
    match place {
        Place::Intake => PhysicalContext::Intake,
        Place::Exhaust => PhysicalContext::Exhaust,
        Place::Cpu => PhysicalContext::CPU,
        Place::Memory => PhysicalContext::Memory,
        Place::Board => PhysicalContext::SystemBoard,
        Place::Fan => PhysicalContext::Fan,
        Place::Supply => PhysicalContext::PowerSupply,
        Place::Chassis => PhysicalContext::Chassis,
    }
}

pub(super) fn reading_type(quantity: Quantity) -> ReadingType {
    match quantity {
        Quantity::Temperature => ReadingType::Temperature,
        Quantity::Power => ReadingType::Power,
        Quantity::Energy => ReadingType::EnergykWh,
        Quantity::Voltage => ReadingType::Voltage,
        Quantity::Current => ReadingType::Current,
        Quantity::FanSpeed | Quantity::Percent => ReadingType::Percent,
    }
}

/// The unit of a quantity, in UCUM (DSP0268, Sensor).
pub(super) fn units(quantity: Quantity) -> &'static str {
    match quantity {
        Quantity::Temperature => "Cel",
        Quantity::Power => "W",
        Quantity::Energy => "kW.h",
        Quantity::Voltage => "V",
        Quantity::Current => "A",
        Quantity::FanSpeed | Quantity::Percent => "%",
    }
}

pub(super) fn implementation(origin: Origin) -> ImplementationType {
    match origin {
        Origin::Measured => ImplementationType::PhysicalSensor,
        Origin::Reported => ImplementationType::Reported,
        Origin::Synthesized => ImplementationType::Synthesized,
    }
}

/// A copy of a reading in another resource (DSP0266, "Excerpts"); absent where there is no such sensor.
pub(super) fn excerpt(system: &System, sensor: Option<&Sensor>) -> Prop<SensorExcerpt> {
    Prop::or_absent(sensor.map(|sensor| SensorExcerpt {
        data_source_uri: Prop::Value(sensor_uri(system, sensor)),
        reading: Prop::or_null(sensor.reading),
    }))
}

/// The same of one of several temperatures.
pub(super) fn temperature_excerpt(system: &System, sensor: &Sensor) -> SensorArrayExcerpt {
    SensorArrayExcerpt {
        data_source_uri: Prop::Value(sensor_uri(system, sensor)),
        device_name: Prop::Value(sensor.name.clone()),
        physical_context: Prop::Value(context(sensor.place)),
        reading: Prop::or_null(sensor.reading),
        ..SensorArrayExcerpt::default()
    }
}

/// The same of a fan.
pub(super) fn fan_excerpt(system: &System, sensor: &Sensor) -> SensorFanExcerpt {
    SensorFanExcerpt {
        data_source_uri: Prop::Value(sensor_uri(system, sensor)),
        reading: Prop::or_null(sensor.reading),
        speed_rpm: Prop::or_absent(sensor.rpm),
    }
}

/// The same of one of several fans.
pub(super) fn fan_array_excerpt(system: &System, sensor: &Sensor) -> SensorFanArrayExcerpt {
    SensorFanArrayExcerpt {
        data_source_uri: Prop::Value(sensor_uri(system, sensor)),
        device_name: Prop::Value(sensor.name.clone()),
        physical_context: Prop::Value(PhysicalContext::Fan),
        reading: Prop::or_null(sensor.reading),
        speed_rpm: Prop::or_absent(sensor.rpm),
        ..SensorFanArrayExcerpt::default()
    }
}

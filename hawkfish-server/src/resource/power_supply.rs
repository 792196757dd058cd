//! Power supplies, and what goes into and comes out of them.

use hawkfish_core::backend::{Sensor, Stats, Supply};
use hawkfish_core::inventory::System;
use hawkfish_redfish::model::circuit::NominalVoltageType;
use hawkfish_redfish::model::power_supply::{InputRange, LineStatus, PowerSupply, PowerSupplyType};
use hawkfish_redfish::model::power_supply_metrics::{
    PowerSupplyMetrics, SensorCurrentExcerpt, SensorPowerExcerpt, SensorVoltageExcerpt,
};
use hawkfish_redfish::model::{OdataId, Prop};

use super::measured::{all_status, measured, sensor_uri};
use super::parts;
use crate::catalog::{Content, Privileges, Resource, Rq};
use crate::problem::Problem;

/// The power supplies of a chassis.
pub(crate) const COLLECTION: Resource = Resource {
    uri: "/redfish/v1/Chassis/{system}/PowerSubsystem/PowerSupplies",
    entity: "PowerSupplyCollection",
    get: Some(|rq| {
        Box::pin(async move {
            let (_, stats) = measured(rq)?;
            if stats.supplies.is_empty() {
                return Err(parts::missing("PowerSupplyCollection", "PowerSupplies"));
            }
            let ids = stats.supplies.iter().map(|supply| supply.id.as_str());
            Ok(Content::collection(rq, "Power supplies", ids))
        })
    }),
    privileges: Privileges::MANAGER,
    ..Resource::NONE
};

/// A power supply.
pub(crate) const RESOURCE: Resource = Resource {
    uri: "/redfish/v1/Chassis/{system}/PowerSubsystem/PowerSupplies/{supply}",
    entity: "PowerSupply",
    get: Some(|rq| Box::pin(read(rq))),
    privileges: Privileges::MANAGER,
    clock_like: &["Status"],
    ..Resource::NONE
};

/// What goes through a power supply.
pub(crate) const METRICS: Resource = Resource {
    uri: "/redfish/v1/Chassis/{system}/PowerSubsystem/PowerSupplies/{supply}/Metrics",
    entity: "PowerSupplyMetrics",
    get: Some(|rq| Box::pin(metrics(rq))),
    privileges: Privileges::MANAGER,
    clock_like: &[
        "InputVoltage",
        "InputCurrentAmps",
        "InputPowerWatts",
        "OutputPowerWatts",
        "Status",
    ],
    ..Resource::NONE
};

fn named<'a>(stats: &'a Stats, rq: &Rq) -> Result<&'a Supply, Problem> {
    let id = rq.param("supply");
    let supply = stats.supplies.iter().find(|supply| supply.id == id);
    supply.ok_or_else(|| parts::missing("PowerSupply", id))
}

/// What is measured of it, by the end of the sensor's name.
fn sensor<'a>(stats: &'a Stats, supply: &Supply, what: &str) -> Option<&'a Sensor> {
    stats.sensor(&format!("PowerSupply{}{what}", supply.id))
}

fn sensors<'a>(stats: &'a Stats, supply: &Supply) -> impl Iterator<Item = &'a Sensor> {
    let all = ["InputVoltage", "InputCurrent", "InputPower", "OutputPower"];
    all.map(|what| sensor(stats, supply, what))
        .into_iter()
        .flatten()
}

/// Who made a power supply.
pub(super) fn maker(system: &System, supply: &Supply) -> Option<String> {
    let of_system = || system.machine.identity.manufacturer.clone();
    supply.manufacturer.clone().or_else(of_system)
}

async fn read(rq: &Rq) -> Result<Content, Problem> {
    let (system, stats) = measured(rq)?;
    let supply = named(&stats, rq)?;
    Content::of(&PowerSupply {
        odata_id: rq.uri().to_owned(),
        id: supply.id.clone(),
        name: supply.name.clone(),
        power_supply_type: Prop::Value(PowerSupplyType::AC),
        input_nominal_voltage_type: Prop::Value(NominalVoltageType::AC200To240V),
        power_capacity_watts: Prop::Value(supply.capacity_watts),
        manufacturer: Prop::or_absent(maker(&system, supply)),
        model: Prop::or_absent(supply.model.clone()),
        serial_number: Prop::or_absent(supply.serial.clone()),
        input_ranges: Some(vec![InputRange {
            nominal_voltage_type: Prop::Value(NominalVoltageType::AC200To240V),
            capacity_watts: Prop::Value(supply.capacity_watts),
        }]),
        line_input_status: Prop::Value(LineStatus::Normal),
        metrics: Some(OdataId::new(format!("{}/Metrics", rq.uri()))),
        status: Some(all_status(&system, sensors(&stats, supply))),
        ..Default::default()
    })
}

async fn metrics(rq: &Rq) -> Result<Content, Problem> {
    let (system, stats) = measured(rq)?;
    let supply = named(&stats, rq)?;
    let of = |what| sensor(&stats, supply, what);
    let uri = |sensor: &Sensor| Prop::Value(sensor_uri(&system, sensor));
    let power = |sensor: &Sensor| SensorPowerExcerpt {
        data_source_uri: uri(sensor),
        reading: Prop::or_null(sensor.reading),
        ..Default::default()
    };
    Content::of(&PowerSupplyMetrics {
        odata_id: rq.uri().to_owned(),
        id: "Metrics".into(),
        name: format!("Metrics of {}", supply.name.to_lowercase()),
        input_voltage: Prop::or_absent(of("InputVoltage").map(|sensor| SensorVoltageExcerpt {
            data_source_uri: uri(sensor),
            reading: Prop::or_null(sensor.reading),
            ..Default::default()
        })),
        input_current_amps: Prop::or_absent(of("InputCurrent").map(|sensor| {
            SensorCurrentExcerpt {
                data_source_uri: uri(sensor),
                reading: Prop::or_null(sensor.reading),
                ..Default::default()
            }
        })),
        input_power_watts: Prop::or_absent(of("InputPower").map(power)),
        output_power_watts: Prop::or_absent(of("OutputPower").map(power)),
        status: Some(all_status(&system, sensors(&stats, supply))),
        ..Default::default()
    })
}

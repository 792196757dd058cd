//! Power in one resource, as clients read it that do not know `PowerSubsystem` yet (Redfish before 2020.4).
//!
//! It is there for every system, because such clients fail without it. What is not known is null: of most virtual machines nothing is.

use hawkfish_core::backend::{Place, Quantity, Sensor, Stats, Supply};
use hawkfish_core::inventory::System;
use hawkfish_redfish::model::Prop;
use hawkfish_redfish::model::physical_context::PhysicalContext;
use hawkfish_redfish::model::power::{
    LineInputVoltageType, Power, PowerControl, PowerLimit, PowerLimitException, PowerSupply,
    PowerSupplyType, Voltage,
};

use super::measured::{all_status, chassis, context, measured, sensor_status};
use super::power_supply::maker;
use super::{parts, with_ids};
use crate::catalog::{Content, Privileges, Resource, Rq};
use crate::problem::Problem;

/// `/redfish/v1/Chassis/{system}/Power`
pub(crate) const RESOURCE: Resource = Resource {
    uri: "/redfish/v1/Chassis/{system}/Power",
    entity: "Power",
    get: Some(|rq| Box::pin(read(rq))),
    privileges: Privileges::MANAGER,
    clock_like: &["PowerControl", "Voltages", "PowerSupplies"],
    ..Resource::NONE
};

async fn read(rq: &Rq) -> Result<Content, Problem> {
    let (system, stats) = measured(rq)?;
    let has_supplies = !stats.supplies.is_empty();
    let supplies = (0..).zip(&stats.supplies);
    let model = Power {
        odata_id: rq.uri().to_owned(),
        id: "Power".into(),
        name: "Power".into(),
        power_control: Some(vec![control(&system, &stats)]),
        voltages: has_supplies.then(|| {
            let volts = (0..).zip(stats.of(Quantity::Voltage));
            volts
                .map(|(n, sensor)| voltage(&system, n, sensor))
                .collect()
        }),
        power_supplies: has_supplies.then(|| {
            supplies
                .map(|(n, one)| supply(&system, &stats, n, one))
                .collect()
        }),
        ..Default::default()
    };
    with_ids(rq, &model, &["PowerControl", "Voltages", "PowerSupplies"])
}

fn control(system: &System, stats: &Stats) -> PowerControl {
    let power = stats.sensor_at(Place::Chassis, Quantity::Power);
    PowerControl {
        member_id: Some("0".into()),
        name: "System power control".into(),
        power_consumed_watts: Prop::or_null(power.and_then(|sensor| sensor.reading)),
        power_capacity_watts: Prop::or_null(stats.capacity_watts),
        power_allocated_watts: Prop::or_absent(stats.capacity_watts),
        // Null says that power is not limited.
        power_limit: Some(PowerLimit {
            limit_in_watts: Prop::Null,
            limit_exception: Prop::Value(PowerLimitException::NoAction),
            ..Default::default()
        }),
        physical_context: Some(PhysicalContext::Chassis),
        status: Some(all_status(system, power.into_iter())),
        related_item: Some(vec![parts::in_system(system, ""), chassis(system)]),
        ..Default::default()
    }
}

fn voltage(system: &System, n: usize, sensor: &Sensor) -> Voltage {
    Voltage {
        member_id: Some(n.to_string()),
        name: Prop::Value(sensor.name.clone()),
        reading_volts: Prop::or_null(sensor.reading),
        upper_threshold_critical: Prop::or_absent(sensor.above.critical),
        lower_threshold_critical: Prop::or_absent(sensor.below.critical),
        physical_context: Some(context(sensor.place)),
        status: Some(sensor_status(system, sensor)),
        related_item: Some(vec![chassis(system)]),
        ..Default::default()
    }
}

fn supply(system: &System, stats: &Stats, n: usize, supply: &Supply) -> PowerSupply {
    let prefix = format!("PowerSupply{}", supply.id);
    let sensors = stats.sensors.iter();
    PowerSupply {
        member_id: Some(n.to_string()),
        name: Prop::Value(supply.name.clone()),
        power_supply_type: Prop::Value(PowerSupplyType::AC),
        line_input_voltage_type: Prop::Value(LineInputVoltageType::AC240V),
        line_input_voltage: Prop::Value(supply.input_volts),
        power_capacity_watts: Prop::Value(supply.capacity_watts),
        last_power_output_watts: Prop::Value(supply.output_watts),
        power_input_watts: Prop::Value(supply.input_watts),
        power_output_watts: Prop::Value(supply.output_watts),
        manufacturer: Prop::or_absent(maker(system, supply)),
        model: Prop::or_absent(supply.model.clone()),
        serial_number: Prop::or_absent(supply.serial.clone()),
        status: Some(all_status(
            system,
            sensors.filter(|sensor| sensor.id.starts_with(&prefix)),
        )),
        related_item: Some(vec![chassis(system)]),
        ..Default::default()
    }
}

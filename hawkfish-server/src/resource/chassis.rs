//! Chassis: one around each system, with the system's own identity.

use hawkfish_core::backend::Setup;
use hawkfish_core::systems::SystemChange;
use hawkfish_redfish::model::chassis::{Chassis, ChassisPatch, ChassisType, IndicatorLED, Links};
use hawkfish_redfish::model::computer_system;
use hawkfish_redfish::model::{OdataId, Prop};

use super::computer_system::{indicator, power_state, status};
use crate::catalog::{Content, Outcome, Resource, Rq};
use crate::problem::Problem;

/// The collection of chassis.
pub(crate) const COLLECTION: Resource = Resource {
    uri: "/redfish/v1/Chassis",
    entity: "ChassisCollection",
    get: Some(|rq| {
        Box::pin(async move {
            let systems = rq.hf.inventory().ids(&rq.ctx);
            Ok(Content::collection(
                rq,
                "Chassis",
                systems.iter().map(|id| id.as_str()),
            ))
        })
    }),
    version: Some(|rq| Ok(rq.hf.inventory().membership())),
    ..Resource::NONE
};

/// A chassis.
pub(crate) const RESOURCE: Resource = Resource {
    uri: "/redfish/v1/Chassis/{system}",
    entity: "Chassis",
    get: Some(|rq| Box::pin(read(rq))),
    patch: Some(|rq| Box::pin(change(rq))),
    version: Some(|rq| Ok(rq.hf.system(&rq.ctx, &rq.id("system")?)?.generation)),
    ..Resource::NONE
};

async fn read(rq: &Rq) -> Result<Content, Problem> {
    let system = rq.hf.system(&rq.ctx, &rq.id("system")?)?;
    let identity = &system.machine.identity;
    let id = system.id.as_str();
    Content::of(&Chassis {
        odata_id: rq.uri().to_owned(),
        id: id.to_owned(),
        name: format!("Chassis of {}", system.machine.name),
        // What SMBIOS says of a virtual machine's enclosure.
        chassis_type: Some(ChassisType::Other),
        manufacturer: Prop::or_absent(identity.manufacturer.clone()),
        model: Prop::or_absent(identity.product.clone()),
        sku: Prop::or_absent(identity.sku.clone()),
        serial_number: Prop::or_absent(identity.serial.clone()),
        asset_tag: Prop::Value(identity.asset_tag.clone().unwrap_or_default()),
        power_state: Prop::Value(power_state(system.machine.power)),
        indicator_led: Prop::Value(if system.indicator {
            IndicatorLED::Lit
        } else {
            IndicatorLED::Off
        }),
        indicator_led_allowable: vec![IndicatorLED::Lit, IndicatorLED::Off],
        location_indicator_active: Prop::Value(system.indicator),
        network_adapters: Some(OdataId::new(format!("{}/NetworkAdapters", rq.uri()))),
        pcie_devices: Some(OdataId::new(format!("{}/PCIeDevices", rq.uri()))),
        trusted_components: Some(OdataId::new(format!("{}/TrustedComponents", rq.uri()))),
        sensors: Some(OdataId::new(format!("{}/Sensors", rq.uri()))),
        environment_metrics: Some(OdataId::new(format!("{}/EnvironmentMetrics", rq.uri()))),
        power_subsystem: Some(OdataId::new(format!("{}/PowerSubsystem", rq.uri()))),
        thermal_subsystem: Some(OdataId::new(format!("{}/ThermalSubsystem", rq.uri()))),
        // Many clients still read these.
        power: Some(OdataId::new(format!("{}/Power", rq.uri()))),
        thermal: Some(OdataId::new(format!("{}/Thermal", rq.uri()))),
        status: Some(status(&system)),
        drives: Some(OdataId::new(format!("{}/Drives", rq.uri()))),
        links: Some(Links {
            computer_systems: Some(vec![OdataId::new(format!("/redfish/v1/Systems/{id}"))]),
            managed_by: Some(vec![OdataId::new(format!("/redfish/v1/Managers/{id}"))]),
            managers_in_chassis: Some(vec![OdataId::new(format!("/redfish/v1/Managers/{id}"))]),
            ..Default::default()
        }),
        ..Default::default()
    })
}

async fn change(rq: &Rq) -> Result<Outcome, Problem> {
    let ChassisPatch {
        asset_tag,
        indicator_led,
        location_indicator_active,
    } = rq.body()?;
    let led = indicator_led.map(|led| computer_system::IndicatorLED::from(led.as_str()));
    let indicator = indicator(&location_indicator_active, &led)?;
    let asset_tag = asset_tag.change().map(Option::unwrap_or_default);
    let setup = Setup {
        asset_tag,
        ..Setup::default()
    };
    rq.hf
        .update_system(
            &rq.ctx,
            &rq.id("system")?,
            SystemChange { setup, indicator },
        )
        .await?;
    Ok(Outcome::Done)
}

//! Managers: the BMC that HawkFish is for each system.

use hawkfish_redfish::model::manager::{Links, Manager, ManagerType};
use hawkfish_redfish::model::resource::{Health, PowerState, State, Status};
use hawkfish_redfish::model::{OdataId, Prop};
use uuid::Uuid;

use crate::catalog::{Content, Resource, Rq};
use crate::problem::Problem;

/// The collection of managers.
pub(crate) const COLLECTION: Resource = Resource {
    uri: "/redfish/v1/Managers",
    entity: "ManagerCollection",
    get: Some(|rq| {
        Box::pin(async move {
            let systems = rq.hf.systems(&rq.ctx);
            Ok(Content::collection(
                rq,
                "Managers",
                systems.iter().map(|s| s.id.as_str()),
            ))
        })
    }),
    version: Some(|rq| Ok(rq.hf.inventory().membership())),
    ..Resource::NONE
};

/// A manager.
pub(crate) const RESOURCE: Resource = Resource {
    uri: "/redfish/v1/Managers/{system}",
    entity: "Manager",
    get: Some(|rq| Box::pin(read(rq))),
    clock_like: &["DateTime"],
    ..Resource::NONE
};

async fn read(rq: &Rq) -> Result<Content, Problem> {
    let system = rq.hf.system(&rq.ctx, &rq.id("system")?)?;
    let id = system.id.as_str();
    let now = rq.hf.clock().now();
    Content::of(&Manager {
        odata_id: rq.uri().to_owned(),
        id: id.to_owned(),
        name: format!("BMC of {}", system.machine.name),
        manager_type: Some(ManagerType::BMC),
        // One of its own, and the same for as long as its system is the same.
        uuid: Prop::Value(Uuid::new_v5(&system.machine.key.0, b"manager").to_string()),
        service_entry_point_uuid: Prop::Value(rq.hf.uuid().to_string()),
        manufacturer: Prop::Value("HawkFish".to_owned()),
        model: Prop::Value("HawkFish".to_owned()),
        firmware_version: Prop::Value(env!("CARGO_PKG_VERSION").to_owned()),
        power_state: Prop::Value(PowerState::On),
        date_time: Prop::Value(now.round(jiff::Unit::Second).unwrap_or(now).to_string()),
        date_time_local_offset: Prop::Value("+00:00".to_owned()),
        status: Some(Status {
            state: Prop::Value(State::Enabled),
            health: Prop::Value(Health::OK),
            ..Default::default()
        }),
        virtual_media: Some(OdataId::new(format!("{}/VirtualMedia", rq.uri()))),
        links: Some(Links {
            manager_for_servers: Some(vec![OdataId::new(format!("/redfish/v1/Systems/{id}"))]),
            manager_for_chassis: Some(vec![OdataId::new(format!("/redfish/v1/Chassis/{id}"))]),
            manager_in_chassis: Some(OdataId::new(format!("/redfish/v1/Chassis/{id}"))),
            ..Default::default()
        }),
        ..Default::default()
    })
}

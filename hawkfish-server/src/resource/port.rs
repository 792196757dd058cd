//! Ports of network adapters: where cables go in.

use hawkfish_redfish::model::port::{
    EthernetProperties, LinkNetworkTechnology, LinkState, LinkStatus, Links, Port,
};
use hawkfish_redfish::model::protocol::Protocol;
use hawkfish_redfish::model::{OdataId, Prop};

use super::parts::{self, Adapter};
use crate::catalog::{Content, Resource, Rq};
use crate::problem::Problem;

/// The ports of a network adapter.
pub(crate) const COLLECTION: Resource = Resource {
    uri: "/redfish/v1/Chassis/{system}/NetworkAdapters/{adapter}/Ports",
    entity: "PortCollection",
    get: Some(|rq| {
        Box::pin(async move {
            let system = parts::system(rq)?;
            let adapter = Adapter::named(&system.machine.hardware, rq.param("adapter"))?;
            let ids = adapter.nics.iter().map(|nic| nic.name.as_str());
            Ok(Content::collection(rq, "Ports", ids))
        })
    }),
    version: Some(parts::version),
    ..Resource::NONE
};

/// A port of a network adapter.
pub(crate) const RESOURCE: Resource = Resource {
    uri: "/redfish/v1/Chassis/{system}/NetworkAdapters/{adapter}/Ports/{port}",
    entity: "Port",
    get: Some(|rq| Box::pin(read(rq))),
    version: Some(parts::version),
    ..Resource::NONE
};

async fn read(rq: &Rq) -> Result<Content, Problem> {
    let system = parts::system(rq)?;
    let adapter = Adapter::named(&system.machine.hardware, rq.param("adapter"))?;
    let nic = adapter.nic("Port", rq.param("port"))?;
    let is_up = nic.link_up && parts::is_powered(&system);
    let gbps = nic.mbps.map(|mbps| f64::from(mbps) / 1000.0);
    let interface = format!("/EthernetInterfaces/{}", nic.name);
    Content::of(&Port {
        odata_id: rq.uri().to_owned(),
        id: nic.name.clone(),
        name: format!("Port {}", nic.name),
        port_id: Prop::Value(nic.name.clone()),
        port_protocol: Prop::Value(Protocol::Ethernet),
        link_network_technology: Prop::Value(LinkNetworkTechnology::Ethernet),
        link_state: Some(match nic.link_up {
            true => LinkState::Enabled,
            false => LinkState::Disabled,
        }),
        link_status: Some(match (nic.link_up, is_up) {
            (true, true) => LinkStatus::LinkUp,
            (true, false) => LinkStatus::LinkDown,
            (false, _) => LinkStatus::NoLink,
        }),
        current_speed_gbps: Prop::or_absent(gbps.filter(|_| is_up)),
        max_speed_gbps: Prop::or_absent(gbps),
        ethernet: Prop::Value(EthernetProperties {
            associated_mac_addresses: Some(vec![nic.mac.clone()]),
        }),
        metrics: Prop::Value(OdataId::new(format!("{}/Metrics", rq.uri()))),
        status: Some(parts::status(&system, nic.link_up)),
        links: Some(Links {
            ethernet_interfaces: Some(vec![parts::in_system(&system, &interface)]),
            ..Default::default()
        }),
        ..Default::default()
    })
}

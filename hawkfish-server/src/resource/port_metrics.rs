//! What goes through the ports of network adapters, since the start of their system.

use hawkfish_core::backend::{NicStats, Stats};
use hawkfish_core::inventory::System;
use hawkfish_redfish::model::Prop;
use hawkfish_redfish::model::port_metrics::{Networking, PortMetrics};

use super::measured::measured;
use super::parts::Adapter;
use crate::catalog::{Content, Resource, Rq};
use crate::problem::Problem;

/// `/redfish/v1/Chassis/{system}/NetworkAdapters/{adapter}/Ports/{port}/Metrics`
pub(crate) const RESOURCE: Resource = Resource {
    uri: "/redfish/v1/Chassis/{system}/NetworkAdapters/{adapter}/Ports/{port}/Metrics",
    entity: "PortMetrics",
    get: Some(|rq| Box::pin(read(rq))),
    clock_like: &["RXBytes", "TXBytes", "RXErrors", "TXErrors", "Networking"],
    ..Resource::NONE
};

async fn read(rq: &Rq) -> Result<Content, Problem> {
    let (system, stats) = measured(rq)?;
    let adapter = Adapter::named(&system.machine.hardware, rq.param("adapter"))?;
    let nic = adapter.nic("Port", rq.param("port"))?;
    let traffic = traffic(&system, &stats, &nic.mac);
    let count = |of: fn(&NicStats) -> u64| {
        Prop::or_null(traffic.map(|traffic| i64::try_from(of(traffic)).unwrap_or(i64::MAX)))
    };
    Content::of(&PortMetrics {
        odata_id: rq.uri().to_owned(),
        id: "Metrics".into(),
        name: format!("Metrics of port {}", nic.name),
        rx_bytes: count(|nic| nic.received.bytes),
        tx_bytes: count(|nic| nic.sent.bytes),
        rx_errors: count(|nic| nic.received.errors),
        tx_errors: count(|nic| nic.sent.errors),
        networking: Some(Networking {
            rx_frames: count(|nic| nic.received.packets),
            tx_frames: count(|nic| nic.sent.packets),
            rx_discards: count(|nic| nic.received.drops),
            tx_discards: count(|nic| nic.sent.drops),
        }),
        ..Default::default()
    })
}

/// The traffic of the interface with that address, by the address or by its place among the others.
fn traffic<'a>(system: &System, stats: &'a Stats, mac: &str) -> Option<&'a NicStats> {
    let by_mac = stats
        .nics
        .iter()
        .find(|nic| nic.mac.as_deref() == Some(mac));
    by_mac.or_else(|| {
        let nics = &system.machine.hardware.nics;
        let place = nics.iter().position(|nic| nic.mac == mac)?;
        // Where some are missing, nobody knows which.
        let all_told = stats.nics.len() == nics.len();
        let told = stats.nics.get(place).filter(|_| all_told);
        told.filter(|nic| nic.mac.is_none())
    })
}

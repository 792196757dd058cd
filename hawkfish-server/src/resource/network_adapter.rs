//! Network adapters: the cards in a chassis. Interfaces that are functions of one PCI device are on one card.

use hawkfish_redfish::model::Prop;
use hawkfish_redfish::model::network_adapter::{
    ControllerCapabilities, ControllerLinks, Controllers, NetworkAdapter,
};

use super::parts::{self, Adapter};
use crate::catalog::{Content, Resource, Rq};
use crate::problem::Problem;

/// The network adapters of a chassis.
pub(crate) const COLLECTION: Resource = Resource {
    uri: "/redfish/v1/Chassis/{system}/NetworkAdapters",
    entity: "NetworkAdapterCollection",
    get: Some(|rq| {
        Box::pin(async move {
            let system = parts::system(rq)?;
            let adapters = Adapter::all(&system.machine.hardware);
            let ids = adapters.iter().map(Adapter::id);
            Ok(Content::collection(rq, "Network adapters", ids))
        })
    }),
    version: Some(parts::version),
    ..Resource::NONE
};

/// A network adapter.
pub(crate) const RESOURCE: Resource = Resource {
    uri: "/redfish/v1/Chassis/{system}/NetworkAdapters/{adapter}",
    entity: "NetworkAdapter",
    get: Some(|rq| Box::pin(read(rq))),
    version: Some(parts::version),
    ..Resource::NONE
};

async fn read(rq: &Rq) -> Result<Content, Problem> {
    let system = parts::system(rq)?;
    let adapter = Adapter::named(&system.machine.hardware, rq.param("adapter"))?;
    let first = adapter.nics[0];
    let count = i64::try_from(adapter.nics.len()).unwrap_or(i64::MAX);
    Content::of(&NetworkAdapter {
        odata_id: rq.uri().to_owned(),
        id: adapter.id().to_owned(),
        name: format!("Network adapter {}", adapter.id()),
        manufacturer: Prop::or_absent(first.manufacturer.as_deref().map(str::to_owned)),
        model: Prop::or_absent(first.model.as_deref().map(str::to_owned)),
        ports: Some(adapter.link(&system, "/Ports")),
        network_device_functions: Some(adapter.link(&system, "/NetworkDeviceFunctions")),
        controllers: Some(vec![Controllers {
            controller_capabilities: Some(ControllerCapabilities {
                network_port_count: Prop::Value(count),
                network_device_function_count: Prop::Value(count),
            }),
            links: Some(ControllerLinks {
                ports: Some(adapter.links(&system, "Ports")),
                network_device_functions: Some(adapter.links(&system, "NetworkDeviceFunctions")),
                pcie_devices: adapter.pcie_devices(&system),
                ..Default::default()
            }),
        }]),
        status: Some(parts::status(&system, true)),
        ..Default::default()
    })
}

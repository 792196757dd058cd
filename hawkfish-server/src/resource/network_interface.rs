//! Network interfaces: what a system has of the network adapters in its chassis.

use hawkfish_redfish::model::network_interface::{Links, NetworkInterface};

use super::parts::{self, Adapter};
use crate::catalog::{Content, Resource, Rq};
use crate::problem::Problem;

/// The network interfaces of a system.
pub(crate) const COLLECTION: Resource = Resource {
    uri: "/redfish/v1/Systems/{system}/NetworkInterfaces",
    entity: "NetworkInterfaceCollection",
    get: Some(|rq| {
        Box::pin(async move {
            let system = parts::system(rq)?;
            let adapters = Adapter::all(&system.machine.hardware);
            let ids = adapters.iter().map(Adapter::id);
            Ok(Content::collection(rq, "Network interfaces", ids))
        })
    }),
    version: Some(parts::version),
    ..Resource::NONE
};

/// A network interface of a system.
pub(crate) const RESOURCE: Resource = Resource {
    uri: "/redfish/v1/Systems/{system}/NetworkInterfaces/{adapter}",
    entity: "NetworkInterface",
    get: Some(|rq| Box::pin(read(rq))),
    version: Some(parts::version),
    ..Resource::NONE
};

async fn read(rq: &Rq) -> Result<Content, Problem> {
    let system = parts::system(rq)?;
    let adapter = Adapter::named(&system.machine.hardware, rq.param("adapter"))?;
    Content::of(&NetworkInterface {
        odata_id: rq.uri().to_owned(),
        id: adapter.id().to_owned(),
        name: format!("Network interface {}", adapter.id()),
        ports: Some(adapter.link(&system, "/Ports")),
        network_device_functions: Some(adapter.link(&system, "/NetworkDeviceFunctions")),
        status: Some(parts::status(&system, true)),
        links: Some(Links {
            network_adapter: Some(adapter.link(&system, "")),
            ..Default::default()
        }),
        ..Default::default()
    })
}

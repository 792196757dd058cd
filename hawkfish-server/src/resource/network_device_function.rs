//! Functions of network adapters: what a guest finds on its bus for each port.

use hawkfish_redfish::model::Prop;
use hawkfish_redfish::model::network_device_function::{
    Ethernet, Links, NetworkDeviceFunction, NetworkDeviceTechnology,
};

use super::ethernet_interface::vlan;
use super::parts::{self, Adapter};
use crate::catalog::{Content, Resource, Rq};
use crate::problem::Problem;

/// The functions of a network adapter.
pub(crate) const COLLECTION: Resource = Resource {
    uri: "/redfish/v1/Chassis/{system}/NetworkAdapters/{adapter}/NetworkDeviceFunctions",
    entity: "NetworkDeviceFunctionCollection",
    get: Some(|rq| {
        Box::pin(async move {
            let system = parts::system(rq)?;
            let adapter = Adapter::named(&system.machine.hardware, rq.param("adapter"))?;
            let ids = adapter.nics.iter().map(|nic| nic.name.as_str());
            Ok(Content::collection(rq, "Network device functions", ids))
        })
    }),
    version: Some(parts::version),
    ..Resource::NONE
};

/// A function of a network adapter.
pub(crate) const RESOURCE: Resource = Resource {
    uri: "/redfish/v1/Chassis/{system}/NetworkAdapters/{adapter}/NetworkDeviceFunctions/{function}",
    entity: "NetworkDeviceFunction",
    get: Some(|rq| Box::pin(read(rq))),
    version: Some(parts::version),
    ..Resource::NONE
};

async fn read(rq: &Rq) -> Result<Content, Problem> {
    let system = parts::system(rq)?;
    let adapter = Adapter::named(&system.machine.hardware, rq.param("adapter"))?;
    let nic = adapter.nic("NetworkDeviceFunction", rq.param("function"))?;
    let interface = format!("/EthernetInterfaces/{}", nic.name);
    Content::of(&NetworkDeviceFunction {
        odata_id: rq.uri().to_owned(),
        id: nic.name.clone(),
        name: format!("Network device function {}", nic.name),
        net_dev_func_type: Prop::Value(NetworkDeviceTechnology::Ethernet),
        net_dev_func_capabilities: Some(vec![NetworkDeviceTechnology::Ethernet]),
        device_enabled: Prop::Value(true),
        ethernet: Some(Ethernet {
            permanent_mac_address: Prop::Value(nic.mac.clone()),
            mac_address: Prop::Value(nic.mac.clone()),
            mtu_size: Prop::or_absent(nic.mtu.map(Into::into)),
            vlan: vlan(nic),
        }),
        status: Some(parts::status(&system, true)),
        links: Some(Links {
            pcie_function: nic
                .pci
                .filter(|at| system.machine.hardware.pci_device(*at).is_some())
                .map(|at| parts::in_chassis(&system, &parts::pcie_function_path(at))),
            physical_network_port_assignment: Some(
                adapter.link(&system, &format!("/Ports/{}", nic.name)),
            ),
            ethernet_interfaces: Some(vec![parts::in_system(&system, &interface)]),
            ..Default::default()
        }),
        ..Default::default()
    })
}

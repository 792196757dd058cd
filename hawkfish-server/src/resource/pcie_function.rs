//! PCIe functions: what each device on a system's bus does.

use hawkfish_core::backend::{PciDevice, PciKind};
use hawkfish_redfish::model::pcie_function::{DeviceClass, FunctionType, Links, PCIeFunction};
use hawkfish_redfish::model::{OdataId, Prop};

use super::parts::{self, Adapter};
use super::pcie_device::functions;
use crate::catalog::{Content, Resource, Rq};
use crate::problem::Problem;

/// The functions of a PCIe device.
pub(crate) const COLLECTION: Resource = Resource {
    uri: "/redfish/v1/Chassis/{system}/PCIeDevices/{device}/PCIeFunctions",
    entity: "PCIeFunctionCollection",
    get: Some(|rq| {
        Box::pin(async move {
            let system = parts::system(rq)?;
            let functions = functions(rq, &system)?;
            let ids = functions.iter().map(|f| f.address.function.to_string());
            Ok(Content::collection(rq, "PCIe functions", ids))
        })
    }),
    version: Some(parts::version),
    ..Resource::NONE
};

/// A PCIe function.
pub(crate) const RESOURCE: Resource = Resource {
    uri: "/redfish/v1/Chassis/{system}/PCIeDevices/{device}/PCIeFunctions/{function}",
    entity: "PCIeFunction",
    get: Some(|rq| Box::pin(read(rq))),
    version: Some(parts::version),
    ..Resource::NONE
};

async fn read(rq: &Rq) -> Result<Content, Problem> {
    let system = parts::system(rq)?;
    let id = rq.param("function");
    let function = functions(rq, &system)?
        .into_iter()
        .find(|function| function.address.function.to_string() == id)
        .ok_or_else(|| parts::missing("PCIeFunction", id))?;
    let at = function.address;
    let nics = &system.machine.hardware.nics;
    let nic = nics.iter().find(|nic| nic.pci == Some(at));
    let adapter = nic.and_then(|nic| Adapter::with(&system.machine.hardware, &nic.name));
    Content::of(&PCIeFunction {
        odata_id: rq.uri().to_owned(),
        id: id.to_owned(),
        name: function.name.to_string(),
        function_id: Prop::Value(at.function.into()),
        function_type: Some(FunctionType::Physical),
        device_class: device_class(function),
        vendor_id: Prop::or_absent(function.ids.map(|ids| format!("0x{:04X}", ids.vendor))),
        device_id: Prop::or_absent(function.ids.map(|ids| format!("0x{:04X}", ids.device))),
        class_code: Prop::or_absent(function.class.map(|class| format!("0x{class:06X}"))),
        device_number: Prop::Value(format!("0x{:02X}", at.slot)),
        function_number: Prop::Value(format!("0x{:X}", at.function)),
        enabled: Some(true),
        status: Some(parts::status(&system, true)),
        links: Some(Links {
            pcie_device: Some(OdataId::new(rq.above(2).to_owned())),
            ethernet_interfaces: nic.map(|nic| {
                let path = format!("/EthernetInterfaces/{}", nic.name);
                vec![parts::in_system(&system, &path)]
            }),
            network_device_functions: nic.zip(adapter).map(|(nic, adapter)| {
                let path = format!("/NetworkDeviceFunctions/{}", nic.name);
                vec![adapter.link(&system, &path)]
            }),
            ..Default::default()
        }),
        ..Default::default()
    })
}

/// By its class code, or else by what is known of it.
fn device_class(function: &PciDevice) -> Option<DeviceClass> {
    if let Some(class) = function.class {
        // The first byte of the class code, as PCI-SIG numbers it.
        return Some(match class >> 16 {
            0x00 => DeviceClass::UnclassifiedDevice,
            0x01 => DeviceClass::MassStorageController,
            0x02 => DeviceClass::NetworkController,
            0x03 => DeviceClass::DisplayController,
            0x04 => DeviceClass::MultimediaController,
            0x05 => DeviceClass::MemoryController,
            0x06 => DeviceClass::Bridge,
            0x07 => DeviceClass::CommunicationController,
            0x08 => DeviceClass::GenericSystemPeripheral,
            0x09 => DeviceClass::InputDeviceController,
            0x0c => DeviceClass::SerialBusController,
            _ => DeviceClass::Other,
        });
    }
    match function.kind {
        PciKind::Network => Some(DeviceClass::NetworkController),
        PciKind::Storage => Some(DeviceClass::MassStorageController),
        PciKind::Display => Some(DeviceClass::DisplayController),
        PciKind::SerialBus => Some(DeviceClass::SerialBusController),
        PciKind::Bridge => Some(DeviceClass::Bridge),
        PciKind::Communication => Some(DeviceClass::CommunicationController),
        PciKind::PassedThrough | PciKind::Other => None,
    }
}

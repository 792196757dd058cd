//! PCIe devices: what sits in each slot of a system's bus. A device of plain PCI is shown alike: Redfish has no other place for it.

use hawkfish_core::backend::PciDevice;
use hawkfish_core::inventory::System;
use hawkfish_redfish::model::pcie_device::{DeviceType, Links, PCIeDevice};
use hawkfish_redfish::model::{OdataId, Prop};

use super::parts::{self, Adapter};
use crate::catalog::{Content, Resource, Rq};
use crate::problem::Problem;

/// The PCIe devices in a chassis.
pub(crate) const COLLECTION: Resource = Resource {
    uri: "/redfish/v1/Chassis/{system}/PCIeDevices",
    entity: "PCIeDeviceCollection",
    get: Some(|rq| {
        Box::pin(async move {
            let system = parts::system(rq)?;
            let ids = ids(&system);
            Ok(Content::collection(rq, "PCIe devices", ids))
        })
    }),
    version: Some(parts::version),
    ..Resource::NONE
};

/// A PCIe device.
pub(crate) const RESOURCE: Resource = Resource {
    uri: "/redfish/v1/Chassis/{system}/PCIeDevices/{device}",
    entity: "PCIeDevice",
    get: Some(|rq| Box::pin(read(rq))),
    version: Some(parts::version),
    ..Resource::NONE
};

/// The names of all devices, in the order of their places.
fn ids(system: &System) -> Vec<String> {
    let functions = system.machine.hardware.pci.iter();
    let mut ids: Vec<String> = functions
        .map(|function| parts::pcie_device_id(function.address))
        .collect();
    ids.dedup();
    ids
}

/// Links to all devices.
pub(super) fn links(system: &System) -> Vec<OdataId> {
    let ids = ids(system).into_iter();
    ids.map(|id| parts::in_chassis(system, &format!("/PCIeDevices/{id}")))
        .collect()
}

/// The functions of the device that the URI is about; at least one.
pub(super) fn functions<'a>(rq: &Rq, system: &'a System) -> Result<Vec<&'a PciDevice>, Problem> {
    let id = rq.param("device");
    let all = system.machine.hardware.pci.iter();
    let found: Vec<_> = all
        .filter(|function| parts::pcie_device_id(function.address) == id)
        .collect();
    if found.is_empty() {
        return Err(parts::missing("PCIeDevice", id));
    }
    Ok(found)
}

async fn read(rq: &Rq) -> Result<Content, Problem> {
    let system = parts::system(rq)?;
    let functions = functions(rq, &system)?;
    let first = functions[0];
    let adapters = Adapter::all(&system.machine.hardware);
    let card = adapters.iter().map(|adapter| adapter.nics[0]).find(|nic| {
        nic.pci
            .is_some_and(|at| parts::slot(at) == parts::slot(first.address))
    });
    let text = |text: Option<&str>| Prop::or_absent(text.map(str::to_owned));
    Content::of(&PCIeDevice {
        odata_id: rq.uri().to_owned(),
        id: parts::pcie_device_id(first.address),
        name: first.name.to_string(),
        manufacturer: text(card.and_then(|nic| nic.manufacturer.as_deref())),
        model: text(card.and_then(|nic| nic.model.as_deref())),
        device_type: Some(match functions.len() {
            1 => DeviceType::SingleFunction,
            _ => DeviceType::MultiFunction,
        }),
        pcie_functions: Some(OdataId::new(format!("{}/PCIeFunctions", rq.uri()))),
        status: Some(parts::status(&system, true)),
        links: Some(Links {
            chassis: Some(vec![parts::in_chassis(&system, "")]),
            ..Default::default()
        }),
        ..Default::default()
    })
}

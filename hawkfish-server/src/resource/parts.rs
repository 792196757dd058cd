//! What resources of a system's parts have in common.

use std::sync::Arc;

use hawkfish_core::backend::{Hardware, Nic, PciAddress, Power};
use hawkfish_core::error::Error;
use hawkfish_core::inventory::System;
use hawkfish_redfish::model::OdataId;
use hawkfish_redfish::model::resource::{State, Status};

use super::{computer_system, healthy};
use crate::catalog::Rq;
use crate::problem::Problem;

/// The system that the URI is about.
pub(super) fn system(rq: &Rq) -> Result<Arc<System>, Problem> {
    Ok(rq.hf.system(&rq.ctx, &rq.id("system")?)?)
}

/// Changes with everything that is shown of a system and its parts.
pub(super) fn version(rq: &Rq) -> Result<u64, Problem> {
    Ok(system(rq)?.generation)
}

/// There is no such part.
pub(super) fn missing(kind: &'static str, id: &str) -> Problem {
    Error::not_found(kind, id).into()
}

/// How a part does: as long as its host answers it is there, whether or not its system runs.
pub(super) fn status(system: &System, enabled: bool) -> Status {
    if !system.reachable {
        return computer_system::status(system);
    }
    if enabled {
        return healthy();
    }
    Status {
        state: State::Disabled.into(),
        ..healthy()
    }
}

/// Whether anything can go over the wires of a system.
pub(super) fn is_powered(system: &System) -> bool {
    system.machine.power != Power::Off
}

/// A link to something of the system.
pub(super) fn in_system(system: &System, path: &str) -> OdataId {
    OdataId::new(format!("/redfish/v1/Systems/{}{path}", system.id))
}

/// A link to something of the chassis around the system.
pub(super) fn in_chassis(system: &System, path: &str) -> OdataId {
    OdataId::new(format!("/redfish/v1/Chassis/{}{path}", system.id))
}

/// A network adapter: interfaces of one make that are functions of one PCI device.
#[derive(Debug)]
pub(super) struct Adapter<'a> {
    /// Its ports, each with its function; at least one. The adapter is named after the first.
    pub nics: Vec<&'a Nic>,
}

impl<'a> Adapter<'a> {
    /// All network adapters of a machine.
    pub(super) fn all(hardware: &'a Hardware) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        for nic in &hardware.nics {
            let beside = |adapter: &&mut Self| {
                let first = adapter.nics[0];
                let slots = first.pci.zip(nic.pci);
                first.model == nic.model && slots.is_some_and(|(a, b)| slot(a) == slot(b))
            };
            match all.iter_mut().find(beside) {
                Some(adapter) => adapter.nics.push(nic),
                None => all.push(Self { nics: vec![nic] }),
            }
        }
        all
    }

    /// One of a machine's.
    pub(super) fn named(hardware: &'a Hardware, id: &str) -> Result<Self, Problem> {
        Self::all(hardware)
            .into_iter()
            .find(|adapter| adapter.id() == id)
            .ok_or_else(|| missing("NetworkAdapter", id))
    }

    /// The one with a network interface.
    pub(super) fn with(hardware: &'a Hardware, nic: &str) -> Option<Self> {
        Self::all(hardware)
            .into_iter()
            .find(|adapter| adapter.nics.iter().any(|known| known.name == nic))
    }

    /// Its name.
    pub(super) fn id(&self) -> &'a str {
        &self.nics[0].name
    }

    /// One of its interfaces.
    pub(super) fn nic(&self, kind: &'static str, id: &str) -> Result<&'a Nic, Problem> {
        let nic = self.nics.iter().find(|nic| nic.name == id);
        nic.copied().ok_or_else(|| missing(kind, id))
    }

    /// A link to something of it.
    pub(super) fn link(&self, system: &System, path: &str) -> OdataId {
        in_chassis(system, &format!("/NetworkAdapters/{}{path}", self.id()))
    }

    /// Links to something of it, for each interface.
    pub(super) fn links(&self, system: &System, collection: &str) -> Vec<OdataId> {
        let each = self.nics.iter();
        each.map(|nic| self.link(system, &format!("/{collection}/{}", nic.name)))
            .collect()
    }

    /// The PCI devices of which its interfaces are functions.
    pub(super) fn pcie_devices(&self, system: &System) -> Option<Vec<OdataId>> {
        let at = self.nics[0].pci?;
        Some(vec![in_chassis(system, &pcie_device_path(at))])
    }
}

/// What the functions of one device have in common.
pub(super) fn slot(at: PciAddress) -> (u16, u8, u8) {
    (at.domain, at.bus, at.slot)
}

/// The name of a PCI device: its place, `0000-05-00`.
pub(super) fn pcie_device_id(at: PciAddress) -> String {
    format!("{:04x}-{:02x}-{:02x}", at.domain, at.bus, at.slot)
}

/// The URI of a PCI device below its chassis.
pub(super) fn pcie_device_path(at: PciAddress) -> String {
    format!("/PCIeDevices/{}", pcie_device_id(at))
}

/// The URI of a PCI function below its chassis.
pub(super) fn pcie_function_path(at: PciAddress) -> String {
    format!("{}/PCIeFunctions/{}", pcie_device_path(at), at.function)
}

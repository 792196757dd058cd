//! The parts of a simulated machine: what all machines of its make have in common, and what is its own.

use std::borrow::Cow;
use std::sync::Arc;

use super::parts::FIRST_NIC_BUS;
use super::profile::Profile;
use crate::backend::{
    Hardware, MemoryModule, Nic, PciAddress, PciDevice, PciKind, Serial, UsbController, Video,
};

/// Most network interfaces that are looked at.
pub(super) const MOST_NICS: u8 = 16;

/// What all machines of a make have in common, held once.
#[derive(Debug)]
pub(super) struct Kit {
    modules: Arc<[MemoryModule]>,
    pci: Arc<[PciDevice]>,
    video: Arc<[Video]>,
    usb: Arc<[UsbController]>,
    nic_model: Arc<str>,
    nic_manufacturer: Arc<str>,
}

impl Kit {
    pub(super) fn of(profile: &Profile) -> Self {
        let mut pci = profile.parts.board.clone();
        pci.extend((0..nics(profile)).map(|n| PciDevice {
            address: place(profile, n),
            kind: PciKind::Network,
            name: Cow::Owned(profile.parts.nic.model.clone()),
            ids: Some(profile.parts.nic.ids),
            class: Some(0x02_00_00),
        }));
        pci.sort_by_key(|device| device.address);
        Self {
            modules: modules(profile).into(),
            pci: pci.into(),
            video: profile.parts.video.as_slice().into(),
            usb: profile.parts.usb.as_slice().into(),
            nic_model: profile.parts.nic.model.as_str().into(),
            nic_manufacturer: profile.parts.nic.manufacturer.as_str().into(),
        }
    }

    /// The parts of a machine of this make; `mac` gives the addresses of its network interfaces, `unplugged` which of them have no cable.
    pub(super) fn hardware(
        &self,
        profile: &Profile,
        mac: impl Fn(u8) -> String,
        unplugged: u16,
    ) -> Hardware {
        let parts = &profile.parts;
        Hardware {
            of_make: true,
            board: Some(profile.product.clone()),
            modules: Arc::clone(&self.modules),
            nics: (0..nics(profile))
                .map(|n| Nic {
                    name: format!("net{n}"),
                    mac: mac(n),
                    model: Some(Arc::clone(&self.nic_model)),
                    attachment: None,
                    vlan: None,
                    link_up: unplugged & (1 << n) == 0,
                    mtu: None,
                    pci: Some(place(profile, n)),
                    addresses: Vec::new(),
                    manufacturer: Some(Arc::clone(&self.nic_manufacturer)),
                    mbps: Some(parts.nic.mbps),
                    link_settable: true,
                })
                .collect(),
            pci: Arc::clone(&self.pci),
            video: Arc::clone(&self.video),
            displays: Vec::new(),
            serials: vec![Serial {
                port: 0,
                interactive: false,
            }],
            usb: Arc::clone(&self.usb),
            tpm: parts.tpm.clone(),
            watchdog: None,
            firmwares: Arc::clone(&parts.firmwares),
        }
    }
}

/// How many network interfaces a machine of this make has.
pub(super) fn nics(profile: &Profile) -> u8 {
    profile.nics.min(MOST_NICS)
}

/// The number of a network interface by its name.
pub(super) fn nic_number(profile: &Profile, name: &str) -> Option<u8> {
    (0..nics(profile)).find(|n| name.strip_prefix("net") == Some(n.to_string().as_str()))
}

fn place(profile: &Profile, nic: u8) -> PciAddress {
    let ports = profile.parts.nic.ports.clamp(1, 8);
    PciAddress {
        domain: 0,
        bus: FIRST_NIC_BUS + nic / ports,
        slot: 0,
        function: nic % ports,
    }
}

/// The memory in modules, as many in each socket; what cannot be shared evenly is in the first.
fn modules(profile: &Profile) -> Vec<MemoryModule> {
    let per_socket = profile.parts.modules_per_socket;
    let count = u64::from(profile.sockets) * u64::from(per_socket);
    if count == 0 {
        return Vec::new();
    }
    let each = profile.memory_kib / count;
    let mut rest = profile.memory_kib % count;
    (0..profile.sockets)
        .flat_map(|socket| (0..per_socket).map(move |slot| (socket, slot)))
        .map(|(socket, slot)| MemoryModule {
            name: format!("DIMM.{socket}.{slot}"),
            kib: each + std::mem::take(&mut rest),
            persistent: false,
            socket: Some(socket),
            make: Some(Arc::clone(&profile.parts.module)),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_hold_all_of_the_memory_and_machines_of_a_make_share_them() {
        for profile in Profile::all() {
            let kit = Kit::of(&profile);
            let a = kit.hardware(&profile, |n| format!("a{n}"), 0);
            let b = kit.hardware(&profile, |n| format!("b{n}"), 1);
            let sum: u64 = a.modules.iter().map(|module| module.kib).sum();
            assert_eq!(sum, profile.memory_kib, "{}", profile.product);
            assert!(Arc::ptr_eq(&a.modules, &b.modules) && Arc::ptr_eq(&a.pci, &b.pci));
            assert!(a.nics[0].link_up && !b.nics[0].link_up);
            // Each has a place of its own on the bus.
            assert!(a.pci.is_sorted_by(|a, b| a.address < b.address));
            for nic in &a.nics {
                let device = a.pci_device(nic.pci.unwrap()).unwrap();
                assert_eq!(device.kind, PciKind::Network);
            }
        }
    }

    #[test]
    fn what_a_make_knows_is_not_kept_for_each_machine() {
        let profile = Profile::large();
        let hardware = Kit::of(&profile).hardware(&profile, |n| format!("m{n}"), 0b10);
        let mut kept = Vec::new();
        let mut to = serde_json::Serializer::new(&mut kept);
        Hardware::keep(&Arc::new(hardware.clone()), &mut to).unwrap();
        let back: Hardware = serde_json::from_slice(&kept).unwrap();
        assert!(back.modules.is_empty() && back.pci.is_empty());
        assert_eq!(back.nics, hardware.nics);
        assert_eq!(back.tpm, hardware.tpm);
    }
}

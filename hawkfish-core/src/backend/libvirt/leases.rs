//! The addresses that networks of a host have given to its machines.
//!
//! libvirt tells of no lease, so a machine is asked about whenever it is looked at as a whole: after what happens to it, and in turn. What is asked is the network's list
//! of leases; neither the emulator nor the guest can hold up the answer.

use virt::domain::Domain;

use super::host::{Entry, Host};
use super::raw;
use crate::backend::{Machine, MachineKey};

impl Host {
    /// Asks for the leases of a machine that runs on a network of the host's. Returns whether they are not as they were.
    pub(super) fn note_leases(&self, domain: &Domain, key: MachineKey, entry: &Entry) -> bool {
        let nics = &entry.machine.hardware.nics;
        let is_of_network = |text: &String| text.starts_with("network ");
        let may_have = entry.live.is_some()
            && nics
                .iter()
                .any(|n| n.attachment.as_ref().is_some_and(is_of_network));
        let found = if may_have {
            raw::leases(domain).unwrap_or_else(|error| {
                tracing::debug!(machine = %key, error = error.message(), "no leases");
                Vec::new()
            })
        } else {
            Vec::new()
        };
        let mut picture = self.picture();
        let before = if found.is_empty() {
            picture.leases.remove(&key)
        } else {
            picture.leases.insert(key, found.clone())
        };
        before.unwrap_or_default() != found
    }

    /// Puts the leases of a machine where they belong.
    pub(super) fn add_leases(&self, key: MachineKey, machine: &mut Machine) {
        let picture = self.picture();
        let Some(leases) = picture.leases.get(&key) else {
            return;
        };
        let hardware = std::sync::Arc::make_mut(&mut machine.hardware);
        for nic in &mut hardware.nics {
            let own = leases.iter().filter(|(mac, _)| *mac == nic.mac);
            nic.addresses = own.map(|(_, address)| *address).collect();
        }
    }
}

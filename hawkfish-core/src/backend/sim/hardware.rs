//! The parts of a simulated machine, as its make has them.

use super::profile::Profile;
use crate::backend::{Hardware, Nic};

/// The parts of a machine of this make; `mac` gives the addresses of its network interfaces.
pub(super) fn of(profile: &Profile, mac: impl Fn(u8) -> String) -> Hardware {
    Hardware {
        board: Some(profile.product.clone()),
        nics: (0..profile.nics.min(16))
            .map(|n| Nic {
                name: format!("net{n}"),
                mac: mac(n),
                model: None,
                attachment: None,
                vlan: None,
                link_up: true,
                mtu: None,
                pci: None,
                addresses: Vec::new(),
            })
            .collect(),
        ..Hardware::default()
    }
}

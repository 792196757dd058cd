//! The storage of a simulated machine, as its make has it.

use super::profile::Profile;
use crate::backend::{Bus, Controller, Disk, Storage};

/// The storage of a machine of this make.
pub(super) fn of(profile: &Profile) -> Storage {
    const CONTROLLER: &str = "sata";
    Storage {
        controllers: vec![Controller {
            id: CONTROLLER.to_owned(),
            bus: Bus::Sata,
            model: None,
        }],
        disks: profile
            .disks
            .iter()
            .take(64)
            .map(|disk| Disk {
                id: disk.name.clone(),
                controller: CONTROLLER.to_owned(),
                bytes: Some(disk.bytes),
                allocated: None,
                serial: None,
                wwn: None,
                format: None,
                rotates: false,
                read_only: false,
                failed: false,
                ours: false,
            })
            .collect(),
    }
}

//! The storage of a machine: controllers, the drives on them, and where their data lie.

use serde::{Deserialize, Serialize};

/// Storage of a machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Storage {
    /// Controllers, in the order of the definition.
    pub controllers: Vec<Controller>,
    /// Disks; not the media in slots.
    pub disks: Vec<Disk>,
}

/// A bus by which disks are reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Bus {
    /// virtio-blk: each disk is a PCI device of its own.
    Virtio,
    /// SCSI.
    Scsi,
    /// SATA.
    Sata,
    /// IDE.
    Ide,
    /// `NVMe`.
    Nvme,
    /// USB.
    Usb,
}

/// A storage controller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Controller {
    /// Its name, which holds no character that a URI does not hold plainly: `scsi0`, `virtio`.
    pub id: String,
    /// The bus behind it.
    pub bus: Bus,
    /// Its model: `virtio-scsi`, `ich9-ahci`.
    pub model: Option<String>,
}

/// A disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disk {
    /// Its name, as the guest might name it: `vda`.
    pub id: String,
    /// The controller on which it hangs, an id of [`Storage::controllers`].
    pub controller: String,
    /// Its size as the guest sees it, bytes, where known.
    pub bytes: Option<u64>,
    /// What it takes of the host, bytes, where known.
    pub allocated: Option<u64>,
    /// Its serial number, where it has one.
    pub serial: Option<String>,
    /// Its world-wide name.
    pub wwn: Option<String>,
    /// How its data are kept: `qcow2`, `raw`.
    pub format: Option<String>,
    /// Whether the guest is told that it turns.
    pub rotates: bool,
    /// Whether the guest cannot write to it.
    pub read_only: bool,
    /// Whether reading or writing failed lately.
    pub failed: bool,
    /// Whether it was made through HawkFish, and so may be deleted through it.
    pub ours: bool,
}

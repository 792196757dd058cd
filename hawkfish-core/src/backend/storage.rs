//! The storage of a machine: controllers, the drives on them, and where their data lie.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::id::DiskToken;

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
    /// Serial attached SCSI.
    Sas,
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
    /// Its model, where it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<Arc<str>>,
    /// Its world-wide name.
    pub wwn: Option<String>,
    /// How its data are kept: `qcow2`, `raw`.
    pub format: Option<String>,
    /// Bytes of a block, as the guest sees it.
    #[serde(default = "usual_block")]
    pub block_bytes: u32,
    /// Whether it turns, where the guest is told.
    pub rotates: Option<bool>,
    /// How fast it turns, revolutions a minute, where it does and says so.
    #[serde(default)]
    pub rpm: Option<u32>,
    /// Whether the guest cannot write to it.
    pub read_only: bool,
    /// Whether reading or writing failed lately.
    pub failed: bool,
    /// Whether it was made through HawkFish, and so may be deleted through it. Its serial number is its token then.
    pub ours: bool,
}

/// Bytes of a block, where nothing else is said.
pub const USUAL_BLOCK: u32 = 512;

fn usual_block() -> u32 {
    USUAL_BLOCK
}

impl Storage {
    /// A controller.
    #[must_use]
    pub fn controller(&self, id: &str) -> Option<&Controller> {
        self.controllers.iter().find(|c| c.id == id)
    }

    /// A disk.
    #[must_use]
    pub fn disk(&self, id: &str) -> Option<&Disk> {
        self.disks.iter().find(|d| d.id == id)
    }

    /// The disks on a controller.
    pub fn disks_on<'a>(&'a self, controller: &'a str) -> impl Iterator<Item = &'a Disk> {
        self.disks
            .iter()
            .filter(move |d| d.controller == controller)
    }

    /// The disk that was made with that token.
    #[must_use]
    pub fn made(&self, token: &DiskToken) -> Option<&Disk> {
        self.disks
            .iter()
            .find(|d| d.token().as_ref() == Some(token))
    }
}

impl Disk {
    /// The token with which it was made, if it was made through HawkFish.
    #[must_use]
    pub fn token(&self) -> Option<DiskToken> {
        self.serial
            .as_deref()
            .filter(|_| self.ours)
            .and_then(|serial| DiskToken::parse(serial).ok())
    }
}

/// A disk to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDisk {
    /// Tells it from all others, and becomes its serial number: at most 20 characters.
    pub token: DiskToken,
    /// The controller to hang it on, an id of [`Storage::controllers`].
    pub controller: String,
    /// Its size, bytes; a multiple of [`USUAL_BLOCK`].
    pub bytes: u64,
}

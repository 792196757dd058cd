//! The storage of a machine: what its domain's XML tells of, put together with what libvirt knows of sizes and failures.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use xot::Node;

use super::firmware::Make;
use super::marker::VolumeNote;
use super::xml::Doc;
use crate::backend::{Bus, Controller, Disk, Storage, USUAL_BLOCK};

/// Storage as a document tells of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Told {
    storage: Arc<Storage>,
    /// What stands behind each disk, in their order.
    behind: Vec<Behind>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Behind {
    /// libvirt's name of the device; only of live domains.
    alias: Option<String>,
    /// File or block device, where it is one.
    path: Option<String>,
}

/// What libvirt knows of a disk beside what stands in the document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Block {
    pub path: Option<String>,
    pub bytes: Option<u64>,
    pub allocated: Option<u64>,
}

/// The same of all disks of a domain, by target.
pub(super) type Blocks = BTreeMap<String, Block>;

/// Buses that need a device of their own, which is a controller to people, too; the others are so many devices.
fn bus(name: Option<&str>, dev: &str) -> (Bus, &'static str) {
    match name {
        Some("scsi") => (Bus::Scsi, "scsi"),
        Some("sata") => (Bus::Sata, "sata"),
        Some("ide") => (Bus::Ide, "ide"),
        Some("usb") => (Bus::Usb, "usb"),
        Some("nvme") => (Bus::Nvme, "nvme"),
        None if dev.starts_with("hd") => (Bus::Ide, "ide"),
        None if dev.starts_with("sd") => (Bus::Scsi, "scsi"),
        _ => (Bus::Virtio, "virtio"),
    }
}

/// Reads the storage of a machine.
pub(super) fn read(doc: &Doc) -> Told {
    let mut storage = Storage::default();
    let mut behind = Vec::new();
    let Some(devices) = doc.path(&["devices"]) else {
        return Told::default();
    };
    // SCSI controllers are told apart, because each has disks of its own; they are there whether or not something hangs on them.
    for node in doc.children(devices, "controller") {
        if doc.attr(node, "type") == Some("scsi") {
            storage.controllers.push(Controller {
                id: format!("scsi{}", index(doc, node)),
                bus: Bus::Scsi,
                model: doc.attr(node, "model").map(str::to_owned),
            });
        }
    }
    for node in doc.children(devices, "disk") {
        if doc.attr(node, "device").is_some_and(|d| d != "disk") || is_medium(doc, node) {
            continue;
        }
        let Some(id) = doc.child_attr(node, "target", "dev") else {
            continue;
        };
        let (bus, name) = bus(doc.child_attr(node, "target", "bus"), id);
        let name = match bus {
            Bus::Scsi => {
                let number = doc.child_attr(node, "address", "controller");
                format!("scsi{}", number.and_then(plain_number).unwrap_or(0))
            }
            _ => name.to_owned(),
        };
        if storage.controller(&name).is_none() {
            storage.controllers.push(Controller {
                model: model(doc, devices, bus),
                id: name.clone(),
                bus,
            });
        }
        let rotation: Option<u32> = doc
            .child_attr(node, "target", "rotation_rate")
            .and_then(|rate| rate.parse().ok());
        storage.disks.push(Disk {
            id: id.to_owned(),
            controller: name,
            bytes: None,
            allocated: None,
            serial: doc.child_string(node, "serial"),
            model: None,
            wwn: doc.child_string(node, "wwn"),
            format: doc.child_attr(node, "driver", "type").map(str::to_owned),
            block_bytes: doc
                .child_attr(node, "blockio", "logical_block_size")
                .and_then(|size| size.parse().ok())
                .filter(|size| *size > 0)
                .unwrap_or(USUAL_BLOCK),
            // 1 is a disk that does not turn, by the standards that the guest goes by.
            rotates: rotation.map(|rate| rate > 1),
            rpm: rotation.filter(|rate| *rate > 1),
            read_only: doc.child(node, "readonly").is_some(),
            failed: false,
            ours: false,
        });
        behind.push(Behind {
            alias: doc.child_attr(node, "alias", "name").map(str::to_owned),
            path: path(doc, node).map(str::to_owned),
        });
    }
    // A PC takes disks of virtio whether or not it has any.
    let make = Make::of(doc);
    if (make.is_q35() || make.is_i440fx()) && storage.controller("virtio").is_none() {
        storage.controllers.push(Controller {
            id: "virtio".to_owned(),
            bus: Bus::Virtio,
            model: None,
        });
    }
    Told {
        storage: Arc::new(storage),
        behind,
    }
}

/// The USB stick of the slot for virtual media is no disk of the machine.
fn is_medium(doc: &Doc, disk: Node) -> bool {
    super::media::device(doc, "Usb") == Some(disk)
}

fn plain_number(text: &str) -> Option<u16> {
    text.parse().ok()
}

fn index(doc: &Doc, controller: Node) -> u16 {
    doc.attr(controller, "index")
        .and_then(plain_number)
        .unwrap_or(0)
}

fn model(doc: &Doc, devices: Node, bus: Bus) -> Option<String> {
    let wanted = match bus {
        Bus::Sata => "sata",
        Bus::Ide => "ide",
        Bus::Usb => "usb",
        Bus::Virtio | Bus::Scsi | Bus::Nvme | Bus::Sas => return None,
    };
    doc.children(devices, "controller")
        .find(|&node| doc.attr(node, "type") == Some(wanted))
        .and_then(|node| doc.attr(node, "model").map(str::to_owned))
}

/// The file or the block device of a disk.
pub(super) fn path(doc: &Doc, disk: Node) -> Option<&str> {
    let source = doc.child(disk, "source")?;
    doc.attr(source, "file").or(doc.attr(source, "dev"))
}

impl Told {
    /// What is made of it with what libvirt knows besides: sizes, the devices that failed (by alias), and the disks that HawkFish noted as its own.
    pub(super) fn with(
        &self,
        blocks: Option<&Blocks>,
        failed: Option<&BTreeSet<String>>,
        ours: &[VolumeNote],
    ) -> Arc<Storage> {
        if blocks.is_none() && failed.is_none() && ours.is_empty() {
            return Arc::clone(&self.storage);
        }
        let mut storage = Storage::clone(&self.storage);
        for (disk, behind) in storage.disks.iter_mut().zip(&self.behind) {
            let block = blocks
                .and_then(|blocks| blocks.get(&disk.id))
                .filter(|block| is_same(block, behind));
            if let Some(block) = block {
                disk.bytes = block.bytes;
                disk.allocated = block.allocated;
            }
            disk.failed = behind
                .alias
                .as_ref()
                .is_some_and(|alias| failed.is_some_and(|failed| failed.contains(alias)));
            // Somebody may have put another disk in its place.
            disk.ours = ours.iter().any(|note| {
                note.device == disk.id
                    && Some(&note.path) == behind.path.as_ref()
                    && Some(&note.token) == disk.serial.as_ref()
            });
        }
        Arc::new(storage)
    }

    /// Whether there is a disk that nobody asked libvirt about.
    pub(super) fn wants_sizes(&self, blocks: Option<&Blocks>) -> bool {
        let mut disks = self.storage.disks.iter().zip(&self.behind);
        disks.any(|(disk, behind)| {
            blocks
                .and_then(|blocks| blocks.get(&disk.id))
                .is_none_or(|block| !is_same(block, behind))
        })
    }
}

fn is_same(block: &Block, behind: &Behind) -> bool {
    block.path.is_none() || behind.path.is_none() || block.path == behind.path
}

/// Puts in the sizes that libvirt did not tell this time: of a machine that is just starting or stopping it names the disks alone.
pub(super) fn keep_sizes(known: Option<&Blocks>, now: &mut Blocks) {
    for (dev, block) in now {
        let known = known.and_then(|known| known.get(dev));
        if block.bytes.is_none()
            && let Some(known) = known.filter(|known| known.path == block.path)
        {
            (block.bytes, block.allocated) = (known.bytes, known.allocated);
        }
    }
}

/// Whether what libvirt says now is worth telling: how much a disk takes of the host changes with every write.
pub(super) fn differs(old: &Blocks, new: &Blocks) -> bool {
    const WORTH: u64 = 1 << 20;
    old.len() != new.len()
        || old.iter().any(|(dev, old)| {
            let Some(new) = new.get(dev) else { return true };
            let least = (new.bytes.unwrap_or(0) / 64).max(WORTH);
            let by = match (old.allocated, new.allocated) {
                (Some(old), Some(new)) => old.abs_diff(new) >= least,
                (old, new) => old != new,
            };
            by || old.bytes != new.bytes || old.path != new.path
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_that_is_not_told_this_time_stays_known_for_the_same_disk_alone() {
        let block = |path: &str, bytes| Block {
            path: Some(path.to_owned()),
            bytes,
            allocated: bytes,
        };
        let blocks = |block| Blocks::from([("vda".to_owned(), block)]);
        let known = blocks(block("/a", Some(5)));
        let mut now = blocks(block("/a", None));
        keep_sizes(Some(&known), &mut now);
        assert!(!differs(&known, &now));
        let mut other = blocks(block("/b", None));
        keep_sizes(Some(&known), &mut other);
        assert_eq!(other["vda"].bytes, None);
        let mut grown = blocks(block("/a", Some(7)));
        keep_sizes(Some(&known), &mut grown);
        assert_eq!(grown["vda"].bytes, Some(7));
    }
}

//! The storage of a machine that its domain's XML tells of.

use super::xml::Doc;
use crate::backend::{Bus, Controller, Disk, Storage};

/// Reads the storage of a machine.
pub(super) fn read(doc: &Doc) -> Storage {
    let mut storage = Storage::default();
    let Some(devices) = doc.path(&["devices"]) else {
        return storage;
    };
    for node in doc.elements(devices) {
        if doc.name(node) != "disk" || doc.attr(node, "device").is_some_and(|d| d != "disk") {
            continue;
        }
        let Some(id) = doc.child_attr(node, "target", "dev") else {
            continue;
        };
        let (bus, name) = match doc.child_attr(node, "target", "bus") {
            Some("scsi") => (Bus::Scsi, "scsi"),
            Some("sata") => (Bus::Sata, "sata"),
            Some("ide") => (Bus::Ide, "ide"),
            Some("usb") => (Bus::Usb, "usb"),
            _ => (Bus::Virtio, "virtio"),
        };
        if !storage.controllers.iter().any(|c| c.id == name) {
            storage.controllers.push(Controller {
                id: name.to_owned(),
                bus,
                model: None,
            });
        }
        storage.disks.push(Disk {
            id: id.to_owned(),
            controller: name.to_owned(),
            bytes: None,
            allocated: None,
            serial: doc
                .child(node, "serial")
                .and_then(|serial| doc.string(serial)),
            wwn: doc.child(node, "wwn").and_then(|wwn| doc.string(wwn)),
            format: doc.child_attr(node, "driver", "type").map(str::to_owned),
            rotates: false,
            read_only: doc.child(node, "readonly").is_some(),
            failed: false,
            ours: false,
        });
    }
    storage
}

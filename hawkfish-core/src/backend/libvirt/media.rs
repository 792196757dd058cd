//! Slots for virtual media in a domain's XML.
//!
//! Slot `Cd` is the domain's first CD-ROM drive; where there is none, one is added when a medium is inserted and taken out on ejection. Slot `Usb` is a
//! removable USB disk that comes and goes with its medium.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use xot::Node;

use super::device;
use super::firmware::Make;
use super::marker::{Marker, SlotNote};
use super::xml::Doc;
use crate::backend::{MediaKind, MediaSource, Medium, Slot};
use crate::error::{Error, Result};
use crate::id::SlotId;

/// The slots that there are, in this order.
pub(super) const SLOTS: [(&str, MediaKind); 2] = [("Cd", MediaKind::Cd), ("Usb", MediaKind::Usb)];

fn disks(doc: &Doc) -> Vec<Node> {
    doc.path(&["devices"])
        .map_or_else(Vec::new, |devices| doc.children(devices, "disk").collect())
}

fn dev(doc: &Doc, disk: Node) -> Option<&str> {
    doc.child_attr(disk, "target", "dev")
}

/// The device of a slot, if it is there.
pub(super) fn device(doc: &Doc, slot: &str) -> Option<Node> {
    let disks = disks(doc);
    match slot {
        "Cd" => disks
            .into_iter()
            .find(|&disk| doc.attr(disk, "device") == Some("cdrom")),
        _ => disks.into_iter().find(|&disk| {
            doc.attr(disk, "device").unwrap_or("disk") == "disk"
                && doc.child_attr(disk, "target", "bus") == Some("usb")
                && doc.child_attr(disk, "target", "removable") == Some("on")
        }),
    }
}

/// Its key among the devices to boot from.
pub(super) fn device_key(doc: &Doc, slot: &str) -> Option<String> {
    let node = device(doc, slot)?;
    device::all(doc)
        .into_iter()
        .find(|d| d.node == node)
        .map(|d| d.key)
}

fn has_usb(doc: &Doc) -> bool {
    doc.path(&["devices"]).is_some_and(|devices| {
        doc.children(devices, "controller")
            .any(|c| doc.attr(c, "type") == Some("usb") && doc.attr(c, "model") != Some("none"))
    })
}

/// Whether a slot can be used on this machine.
pub(super) fn has_slot(doc: &Doc, slot: &str) -> bool {
    match slot {
        "Cd" => {
            let make = Make::of(doc);
            device(doc, slot).is_some() || bus_of_new_cd(doc, &make, false).is_some()
        }
        _ => device(doc, slot).is_some() || has_usb(doc),
    }
}

/// All slots with what is in them.
pub(super) fn slots(doc: &Doc) -> Vec<Slot> {
    SLOTS
        .into_iter()
        .filter(|(id, _)| has_slot(doc, id))
        .map(|(id, kind)| Slot {
            id: SlotId::parse(id).expect("an identifier"),
            kind,
            medium: device(doc, id).and_then(|disk| medium(doc, disk)),
        })
        .collect()
}

fn medium(doc: &Doc, disk: Node) -> Option<Medium> {
    let source = doc.child(disk, "source")?;
    let attr = |name| doc.attr(source, name).filter(|text| !text.is_empty());
    let place = if let Some(path) = attr("file").or(attr("dev")).or(attr("dir")) {
        MediaSource::File(PathBuf::from(path))
    } else if let Some(protocol) = attr("protocol") {
        let host = doc.child(source, "host");
        let of_host = |name| host.and_then(|host| doc.attr(host, name));
        let name = attr("name").unwrap_or_default().trim_start_matches('/');
        let port = of_host("port").map_or_else(String::new, |port| format!(":{port}"));
        MediaSource::Uri(format!(
            "{protocol}://{}{port}/{name}",
            of_host("name").unwrap_or_default()
        ))
    } else if let (Some(pool), Some(volume)) = (attr("pool"), attr("volume")) {
        MediaSource::Uri(format!("volume://{pool}/{volume}"))
    } else {
        return None;
    };
    let is_cd = doc.attr(disk, "device") == Some("cdrom");
    Some(Medium {
        source: place,
        write_protected: is_cd || doc.child(disk, "readonly").is_some(),
    })
}

/// Which bus a new CD-ROM drive goes to. A running machine takes it only where it can be plugged in.
fn bus_of_new_cd(doc: &Doc, make: &Make, is_running: bool) -> Option<&'static str> {
    let devices = doc.path(&["devices"])?;
    let has_scsi = doc
        .children(devices, "controller")
        .any(|c| doc.attr(c, "type") == Some("scsi"));
    let on_bus = |bus: &str| {
        disks(doc)
            .into_iter()
            .filter(|&disk| doc.child_attr(disk, "target", "bus") == Some(bus))
            .count()
    };
    if !is_running {
        // The chipset has six SATA ports, or four IDE devices.
        if make.is_q35() && on_bus("sata") < 6 {
            return Some("sata");
        }
        if make.is_i440fx() && on_bus("ide") < 4 {
            return Some("ide");
        }
    }
    match (has_scsi, has_usb(doc)) {
        (true, _) => Some("scsi"),
        (false, true) => Some("usb"),
        _ => None,
    }
}

fn free_dev(bus: &str, taken: &BTreeSet<String>) -> Result<String> {
    let prefix = if bus == "ide" { "hd" } else { "sd" };
    ('a'..='z')
        .map(|letter| format!("{prefix}{letter}"))
        .find(|dev| !taken.contains(dev))
        .ok_or_else(|| Error::backend("The machine has no free place for a drive."))
}

/// Every disk target in use.
pub(super) fn devs(doc: &Doc) -> BTreeSet<String> {
    disks(doc)
        .into_iter()
        .filter_map(|disk| dev(doc, disk).map(str::to_owned))
        .collect()
}

/// How a medium gets into a running machine, or out of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Live {
    /// The drive is there: its medium is changed to that.
    Change(String),
    /// The device is plugged in.
    Attach(String),
    /// The device is unplugged.
    Detach(String),
}

fn write_medium(doc: &mut Doc, disk: Node, file: Option<&Path>) {
    doc.remove_children(disk, "backingStore");
    doc.remove_children(disk, "mirror");
    doc.remove_children(disk, "source");
    doc.set_attr(disk, "type", "file");
    // An image is what its bytes say, never what a format is guessed from (it could name files of the host).
    if let Some(driver) = doc.child(disk, "driver")
        && doc.attr(driver, "type").is_some()
        && file.is_some()
    {
        doc.set_attr(driver, "type", "raw");
    }
    if let Some(file) = file {
        let node = match doc.child(disk, "target") {
            Some(target) => doc.add_before(target, "source"),
            None => doc.add(disk, "source"),
        };
        doc.set_attr(node, "file", &file.to_string_lossy());
    }
}

fn new_disk(
    doc: &mut Doc,
    (device, bus, dev): (&str, &str, &str),
    file: &Path,
    is_readonly: bool,
) -> Result<Node> {
    let devices = doc
        .path(&["devices"])
        .ok_or_else(|| Error::backend("The machine has no devices."))?;
    let last = disks(doc).last().copied();
    let disk = match last {
        Some(last) => doc.add_after(last, "disk"),
        None => doc.add(devices, "disk"),
    };
    doc.set_attr(disk, "type", "file");
    doc.set_attr(disk, "device", device);
    doc.add_with(disk, "driver", &[("name", "qemu"), ("type", "raw")]);
    doc.add_with(disk, "source", &[("file", &file.to_string_lossy())]);
    let target = doc.add_with(disk, "target", &[("dev", dev), ("bus", bus)]);
    if bus == "usb" && device == "disk" {
        doc.set_attr(target, "removable", "on");
    }
    if is_readonly {
        doc.add(disk, "readonly");
    }
    Ok(disk)
}

/// Puts a file into a slot, in the persistent document and, if it runs, in the live one, from which what is to be done to the machine follows.
pub(super) fn insert(
    config: &mut Doc,
    live: Option<&mut Doc>,
    slot: &str,
    file: &Path,
    write_protected: bool,
) -> Result<Option<Live>> {
    let mut taken = devs(config);
    if let Some(live) = &live {
        taken.extend(devs(live));
    }
    let is_running = live.is_some();
    let make = Make::of(config);
    let present = device(config, slot)
        .filter(|_| slot == "Cd")
        .map(|disk| (disk, dev(config, disk).unwrap_or_default().to_owned()));
    let live_dev = live
        .as_ref()
        .and_then(|live| dev(live, device(live, slot)?).map(str::to_owned));
    let kind = if slot == "Cd" { "cdrom" } else { "disk" };
    let is_readonly = slot == "Cd" || write_protected;
    let new_bus = || {
        if slot != "Cd" {
            return has_usb(config).then_some("usb");
        }
        bus_of_new_cd(config, &make, is_running)
    };
    let unplugged = || {
        Error::unsupported(format!(
            "Inserting into slot {slot} of this machine while it runs, for want of a drive or a bus to plug one into"
        ))
    };

    let note = match &present {
        Some((disk, dev)) => {
            let unless = |usual: &str, value: Option<&str>| {
                value.filter(|value| *value != usual).map(str::to_owned)
            };
            let was_kind = unless("file", config.attr(*disk, "type"));
            let was_format = unless("raw", config.child_attr(*disk, "driver", "type"));
            write_medium(config, *disk, Some(file));
            (was_kind.is_some() || was_format.is_some()).then(|| SlotNote {
                id: slot.to_owned(),
                device: dev.clone(),
                added: false,
                kind: was_kind,
                format: was_format,
            })
        }
        None => {
            // A drive that only the running machine has is given to the definition too.
            let live_bus = live.as_ref().and_then(|live| {
                let bus = live.child_attr(device(live, slot)?, "target", "bus")?;
                BUSES.into_iter().find(|b| *b == bus)
            });
            let bus = live_bus
                .or_else(new_bus)
                .or_else(|| bus_of_new_cd(config, &make, false).filter(|_| slot == "Cd"))
                .ok_or_else(unplugged)?;
            let dev = match &live_dev {
                Some(dev) => dev.clone(),
                None => free_dev(bus, &taken)?,
            };
            new_disk(config, (kind, bus, &dev), file, is_readonly)?;
            Some(SlotNote {
                id: slot.to_owned(),
                device: dev,
                added: true,
                kind: None,
                format: None,
            })
        }
    };
    Marker::edit(config, |marker| {
        marker.slots.retain(|noted| noted.id != slot);
        marker.slots.extend(note);
    });

    let Some(live) = live else { return Ok(None) };
    if let Some(disk) = device(live, slot).filter(|_| slot == "Cd") {
        write_medium(live, disk, Some(file));
        return Ok(Some(Live::Change(live.element_text(disk))));
    }
    let (bus, dev) = match device(config, slot) {
        // The definition has a drive that the running machine has not: only one that can be plugged in comes to it.
        Some(disk) => (
            config
                .child_attr(disk, "target", "bus")
                .and_then(|bus| BUSES.into_iter().find(|b| *b == bus))
                .unwrap_or("usb"),
            config
                .child_attr(disk, "target", "dev")
                .unwrap_or_default()
                .to_owned(),
        ),
        None => return Err(unplugged()),
    };
    if !matches!(bus, "usb" | "scsi") {
        return Err(unplugged());
    }
    let disk = new_disk(live, (kind, bus, &dev), file, is_readonly)?;
    Ok(Some(Live::Attach(live.element_text(disk))))
}

const BUSES: [&str; 5] = ["usb", "scsi", "sata", "ide", "virtio"];

/// Takes the medium out of a slot, and the device too if HawkFish added it.
pub(super) fn eject(config: &mut Doc, live: Option<&mut Doc>, slot: &str) -> Option<Live> {
    let note = Marker::read(config).slot(slot).cloned();
    if let Some(disk) = device(config, slot) {
        let noted = note
            .as_ref()
            .filter(|note| dev(config, disk) == Some(&note.device));
        if slot == "Usb" || noted.is_some_and(|note| note.added) {
            config.remove(disk);
        } else {
            write_medium(config, disk, None);
            if let Some(kind) = noted.and_then(|note| note.kind.as_deref()) {
                config.set_attr(disk, "type", kind);
            }
            if let Some(format) = noted.and_then(|note| note.format.as_deref())
                && let Some(driver) = config.child(disk, "driver")
            {
                config.set_attr(driver, "type", format);
            }
        }
    }
    Marker::edit(config, |marker| {
        marker.slots.retain(|noted| noted.id != slot);
    });

    let live = live?;
    let disk = device(live, slot)?;
    let is_ours = note.is_some_and(|note| note.added && dev(live, disk) == Some(&note.device));
    let is_pluggable = matches!(live.child_attr(disk, "target", "bus"), Some("usb" | "scsi"));
    if is_pluggable && (slot == "Usb" || is_ours) {
        return Some(Live::Detach(live.element_text(disk)));
    }
    medium(live, disk)?;
    write_medium(live, disk, None);
    Some(Live::Change(live.element_text(disk)))
}

//! Disks that HawkFish makes: thin qcow2 files in a storage pool of the host, noted in the metadata of the domain that has them.
//!
//! The file is named after the token of the disk and nothing else. The token is noted nowhere before the file is there, and whoever wants a disk keeps it: after a crash
//! the same call is made again with the same token, and finds how far the last one came by looking for the file and the note.

use std::collections::BTreeSet;
use std::sync::Arc;

use virt::connect::Connect;
use virt::domain::Domain;
use virt::error::{Error as Virt, ErrorNumber};
use virt::storage_pool::StoragePool;
use virt::storage_vol::StorageVol;
use virt::sys;
use xot::Node;

use super::boot::{define, definition, running};
use super::host::Host;
use super::line::Line;
use super::look::is_active;
use super::marker::{Marker, VolumeNote};
use super::xml::Doc;
use super::{fault, media, order, storage};
use crate::backend::{Bus, Machine, MachineKey, NewDisk};
use crate::error::{Conflict, Error, ErrorKind, Result};
use crate::id::DiskToken;

/// The pool that is used where none is named.
const USUAL: &str = "default";

/// The name of the pool in which disks can be made: one that is there, active, and keeps files.
pub(super) fn pool(conn: &Connect, wanted: Option<&str>) -> Result<Option<String>, Virt> {
    let name = wanted.unwrap_or(USUAL);
    let pool = match StoragePool::lookup_by_name(conn, name) {
        Ok(pool) => pool,
        Err(error)
            if matches!(
                error.code(),
                ErrorNumber::NoStoragePool | ErrorNumber::NoSupport
            ) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    if !pool.is_active()? {
        return Ok(None);
    }
    let text = pool.get_xml_desc(0)?;
    let keeps_files = Doc::parse(&text)
        .is_ok_and(|doc| matches!(doc.attr(doc.top(), "type"), Some("dir" | "fs" | "netfs")));
    Ok(keeps_files.then(|| name.to_owned()))
}

/// The file of a disk.
fn file_name(token: &DiskToken) -> String {
    format!("hawkfish-{token}.qcow2")
}

/// The bus of a disk, libvirt's name of it, and what targets there begin with.
fn bus_words(bus: Bus) -> Option<(&'static str, &'static str)> {
    match bus {
        Bus::Virtio => Some(("virtio", "vd")),
        Bus::Scsi => Some(("scsi", "sd")),
        Bus::Sata => Some(("sata", "sd")),
        Bus::Usb => Some(("usb", "sd")),
        Bus::Ide | Bus::Nvme | Bus::Sas => None,
    }
}

/// A target that is free: `vdb`, …, `vdz`, `vdaa`, …
fn free_target(prefix: &str, taken: &BTreeSet<String>) -> Option<String> {
    let letters = || 'a'..='z';
    let one = letters().map(String::from);
    let two = letters().flat_map(|a| letters().map(move |b| format!("{a}{b}")));
    one.chain(two)
        .map(|letters| format!("{prefix}{letters}"))
        .find(|dev| !taken.contains(dev))
}

/// Writes a disk into a document, behind those that are there.
fn write(doc: &mut Doc, note: &VolumeNote, bus: Bus, unit: Option<&str>) -> Result<Node> {
    let devices = doc
        .path(&["devices"])
        .ok_or_else(|| Error::backend("The machine has no devices."))?;
    let (bus, _) = bus_words(bus).ok_or_else(|| Error::unsupported("A disk on this controller"))?;
    let last = doc.children(devices, "disk").last();
    let disk = match last {
        Some(last) => doc.add_after(last, "disk"),
        None => doc.add(devices, "disk"),
    };
    doc.set_attr(disk, "type", "file");
    doc.set_attr(disk, "device", "disk");
    let driver = [("name", "qemu"), ("type", "qcow2"), ("discard", "unmap")];
    doc.add_with(disk, "driver", &driver);
    doc.add_with(disk, "source", &[("file", &note.path)]);
    doc.add_with(disk, "target", &[("dev", &note.device), ("bus", bus)]);
    let serial = doc.add(disk, "serial");
    doc.set_string(serial, &note.token);
    if let Some(controller) = unit {
        // The unit is libvirt's to choose, but only where it is told nothing at all of the address; so the first free one is named.
        let number = (0..=255).find(|unit| !has_unit(doc, devices, controller, *unit));
        let number = number.unwrap_or(0).to_string();
        let address = [
            ("type", "drive"),
            ("controller", controller),
            ("bus", "0"),
            ("target", "0"),
            ("unit", &number),
        ];
        doc.add_with(disk, "address", &address);
    }
    Ok(disk)
}

fn has_unit(doc: &Doc, devices: Node, controller: &str, unit: u32) -> bool {
    let unit = unit.to_string();
    doc.children(devices, "disk").any(|disk| {
        doc.child_attr(disk, "target", "bus") == Some("scsi")
            && doc.child_attr(disk, "address", "controller") == Some(controller)
            && doc.child_attr(disk, "address", "unit") == Some(&unit)
    })
}

/// The disk in a document that was made with that note.
fn find(doc: &Doc, note: &VolumeNote) -> Option<Node> {
    let devices = doc.path(&["devices"])?;
    doc.children(devices, "disk").find(|&disk| {
        doc.child_attr(disk, "target", "dev") == Some(&note.device)
            && storage::path(doc, disk) == Some(&note.path)
    })
}

fn noted(doc: &Doc, token: &DiskToken) -> Option<VolumeNote> {
    let mut volumes = Marker::read(doc).volumes.into_iter();
    volumes.find(|note| note.token == token.as_str())
}

const DOING: &str = "make the disk";

/// The volume of a disk in a pool, if it is there.
fn volume(line: &Line, pool: &str, token: &DiskToken) -> Result<Option<StorageVol>, Virt> {
    let pool = match StoragePool::lookup_by_name(&line.conn, pool) {
        Err(error) if error.code() == ErrorNumber::NoStoragePool => return Ok(None),
        pool => pool?,
    };
    match StorageVol::lookup_by_name(&pool, &file_name(token)) {
        Err(error) if error.code() == ErrorNumber::NoStorageVolume => Ok(None),
        found => found.map(Some),
    }
}

fn create_volume(line: &Line, pool: &str, disk: &NewDisk) -> Result<StorageVol, Virt> {
    if let Some(there) = volume(line, pool, &disk.token)? {
        return Ok(there);
    }
    let mut doc = Doc::parse("<volume/>").expect("a document");
    let top = doc.top();
    let name = doc.add(top, "name");
    doc.set_string(name, &file_name(&disk.token));
    let capacity = doc.add_with(top, "capacity", &[("unit", "bytes")]);
    doc.set_string(capacity, &disk.bytes.to_string());
    let allocation = doc.add(top, "allocation");
    doc.set_string(allocation, "0");
    let target = doc.add(top, "target");
    doc.add_with(target, "format", &[("type", "qcow2")]);
    let pool = StoragePool::lookup_by_name(&line.conn, pool)?;
    StorageVol::create_xml(&pool, &doc.to_text(), 0)
}

impl Host {
    /// Makes a disk and gives it to a machine.
    pub(super) fn make_disk(
        &self,
        line: &Line,
        key: MachineKey,
        disk: &NewDisk,
    ) -> Result<Arc<Machine>> {
        let machine = self.look(line, key, &[])?;
        let controller = machine
            .storage
            .controller(&disk.controller)
            .cloned()
            .ok_or_else(|| Error::not_found("Storage", &disk.controller))?;
        let Some((_, prefix)) = bus_words(controller.bus) else {
            return Err(Error::unsupported("A new disk on this controller"));
        };
        let (domain, state) = self.find(line, key)?;
        self.want_persistent(&domain, key)?;
        let mut config = definition(&domain, key)?;
        let live = if is_active(state) {
            Some(running(&domain, key)?)
        } else {
            None
        };
        let is_pluggable = matches!(controller.bus, Bus::Virtio | Bus::Scsi | Bus::Usb);
        if live.is_some() && !is_pluggable {
            return Err(Error::conflict(
                Conflict::PowerOffRequired,
                "This controller takes no disk while the system runs.",
            ));
        }
        let before = config.to_text();
        let note = match noted(&config, &disk.token) {
            Some(note) => note,
            None => {
                let mut taken = media::devs(&config);
                taken.extend(live.iter().flat_map(media::devs));
                let device = free_target(prefix, &taken).ok_or_else(|| {
                    Error::conflict(Conflict::NotAllowed, "The controller has no place left.")
                })?;
                let pool = self.picture().pool.clone();
                let pool = pool.ok_or_else(|| Error::unsupported("Making disks"))?;
                let made = create_volume(line, &pool, disk).and_then(|made| made.get_path());
                let path = made.map_err(|error| fault::of(&error, DOING, key))?;
                VolumeNote {
                    token: disk.token.to_string(),
                    device,
                    pool,
                    path,
                }
            }
        };
        let unit = match controller.bus {
            Bus::Scsi => disk.controller.strip_prefix("scsi"),
            _ => None,
        };
        let rest = || {
            if find(&config, &note).is_none() {
                write(&mut config, &note, controller.bus, unit)?;
            }
            Marker::edit(&mut config, |marker| {
                marker.volumes.retain(|known| known.token != note.token);
                marker.volumes.push(note.clone());
            });
            order::renumber(&mut config);
            let after = config.to_text();
            if after != before {
                define(line, key, &after)?;
            }
            if let Some(mut live) = live
                && find(&live, &note).is_none()
            {
                let node = write(&mut live, &note, controller.bus, unit)?;
                let text = live.element_text(node);
                plug(&domain, key, &text)?;
            }
            self.size(&domain, key);
            let machine = self.look(line, key, &[])?;
            match machine.storage.made(&disk.token) {
                Some(_) => Ok(machine),
                None => Err(Error::backend(
                    "The hypervisor took the disk and does not show it.",
                )),
            }
        };
        rest().inspect_err(|error| {
            // Who does not answer is asked again; everything else is taken back.
            if matches!(error.kind(), ErrorKind::Unavailable { .. }) {
                return;
            }
            let _ = define(line, key, &before);
            if let Ok(Some(made)) = volume(line, &note.pool, &disk.token) {
                let _ = made.delete(0);
            }
            let _ = self.look(line, key, &[]);
        })
    }

    /// Takes a disk that HawkFish made from a machine, and deletes it.
    pub(super) fn delete_disk(
        &self,
        line: &Line,
        key: MachineKey,
        token: &DiskToken,
    ) -> Result<Arc<Machine>> {
        let doing = "delete the disk";
        let (domain, state) = self.find(line, key)?;
        let mut config = definition(&domain, key)?;
        let note = noted(&config, token);
        let pool = match &note {
            Some(note) => Some(note.pool.clone()),
            None => self.picture().pool.clone(),
        };
        if let Some(note) = &note {
            self.want_persistent(&domain, key)?;
            let live = if is_active(state) {
                Some(running(&domain, key)?)
            } else {
                None
            };
            if let Some(live) = live
                && let Some(disk) = find(&live, note)
            {
                unplug(&domain, key, &live.element_text(disk))?;
                if find(&running(&domain, key)?, note).is_some() {
                    return Err(Error::conflict(
                        Conflict::PowerOffRequired,
                        "The guest does not let go of the disk.",
                    ));
                }
            }
            if let Some(disk) = find(&config, note) {
                config.remove(disk);
            }
            Marker::edit(&mut config, |marker| {
                marker.volumes.retain(|known| known.token != note.token);
            });
            order::renumber(&mut config);
            define(line, key, &config.to_text())?;
        }
        // The definition does not name it any more. Should this be as far as we come, the same call with the same token goes on here.
        if let Some(pool) = pool
            && let Some(made) =
                volume(line, &pool, token).map_err(|error| fault::of(&error, doing, key))?
        {
            made.delete(0)
                .map_err(|error| fault::of(&error, doing, key))?;
        }
        self.look(line, key, &[])
    }

    /// Makes a disk that HawkFish made larger.
    pub(super) fn grow_disk(
        &self,
        line: &Line,
        key: MachineKey,
        token: &DiskToken,
        bytes: u64,
    ) -> Result<Arc<Machine>> {
        let doing = "make the disk larger";
        let missing = || Error::not_found("Volume", token.as_str());
        let (domain, state) = self.find(line, key)?;
        let note = noted(&definition(&domain, key)?, token).ok_or_else(missing)?;
        self.size(&domain, key);
        let machine = self.look(line, key, &[])?;
        let disk = machine.storage.made(token).ok_or_else(missing)?;
        if disk.bytes.is_some_and(|now| now >= bytes) {
            return Ok(machine);
        }
        let of = |error: &Virt| fault::of(error, doing, key);
        if is_active(state) {
            let flags = sys::VIR_DOMAIN_BLOCK_RESIZE_BYTES;
            domain
                .block_resize(&note.device, bytes, flags)
                .map_err(|error| of(&error))?;
        } else {
            let volume = volume(line, &note.pool, token).map_err(|error| of(&error))?;
            let volume = volume.ok_or_else(missing)?;
            volume.resize(bytes, 0).map_err(|error| of(&error))?;
        }
        self.size(&domain, key);
        self.look(line, key, &[])
    }
}

fn plug(domain: &Domain, key: MachineKey, text: &str) -> Result<()> {
    let plugged = domain.attach_device_flags(text, sys::VIR_DOMAIN_AFFECT_LIVE);
    plugged.map(drop).map_err(|error| {
        // Ports for plugging are made when a machine starts; what it has then is what there is.
        if error.message().contains("No more available PCI") {
            return Error::conflict(
                Conflict::PowerOffRequired,
                "The running system has no free port to plug a disk into.",
            )
            .caused_by(error);
        }
        fault::of(&error, "attach the disk", key)
    })
}

fn unplug(domain: &Domain, key: MachineKey, text: &str) -> Result<()> {
    domain
        .detach_device_flags(text, sys::VIR_DOMAIN_AFFECT_LIVE)
        .map(drop)
        .map_err(|error| fault::of(&error, "take the disk out of the running machine", key))
}

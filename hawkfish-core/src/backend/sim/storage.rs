//! The storage of a simulated machine: what its make has, and the disks that it was given.

use super::profile::Profile;
use crate::backend::{Bus, Controller, Disk, NewDisk, Storage, USUAL_BLOCK};
use crate::error::{Conflict, Error, Result};
use crate::id::DiskToken;

/// Most disks that a machine has: beyond that its controllers have no port.
const MOST: usize = 64;

/// A disk that a machine was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Made {
    pub token: DiskToken,
    /// Its place among the names `volume0`, `volume1`, …
    pub number: u16,
    pub bytes: u64,
    pub bus: Bus,
}

/// The storage of a machine of this make, whose serial number tells its disks from those of others.
pub(super) fn of(profile: &Profile, serial: &str, made: &[Made]) -> Storage {
    let built_in = (0_u32..)
        .zip(profile.disks.iter().take(MOST))
        .map(|(number, disk)| {
            let serial = format!("{serial}-D{number:02}");
            Disk {
                id: disk.name.clone(),
                wwn: Some(wwn(&serial)),
                serial: Some(serial),
                model: disk.model.clone(),
                rotates: Some(disk.rotates),
                rpm: disk.rpm.filter(|_| disk.rotates),
                ..plain(disk.bus, disk.bytes)
            }
        });
    let made = made.iter().map(|made| Disk {
        id: format!("volume{}", made.number),
        serial: Some(made.token.to_string()),
        wwn: Some(wwn(made.token.as_str())),
        ours: true,
        ..plain(made.bus, made.bytes)
    });
    Storage {
        controllers: buses(profile)
            .into_iter()
            .map(|bus| Controller {
                id: controller(bus).to_owned(),
                bus,
                model: (bus == Bus::Sata).then(|| "AHCI".to_owned()),
            })
            .collect(),
        disks: built_in.chain(made).collect(),
    }
}

/// The buses of a make, each with a controller: those of its disks, or SATA.
fn buses(profile: &Profile) -> Vec<Bus> {
    let mut buses = Vec::new();
    for disk in profile.disks.iter().take(MOST) {
        if !buses.contains(&disk.bus) {
            buses.push(disk.bus);
        }
    }
    if buses.is_empty() {
        buses.push(Bus::Sata);
    }
    buses
}

/// What the controller of a bus is called.
fn controller(bus: Bus) -> &'static str {
    match bus {
        Bus::Sata => "sata",
        Bus::Sas => "sas",
        Bus::Nvme => "nvme",
        Bus::Scsi => "scsi",
        Bus::Ide => "ide",
        Bus::Usb => "usb",
        Bus::Virtio => "virtio",
    }
}

fn plain(bus: Bus, bytes: u64) -> Disk {
    Disk {
        id: String::new(),
        controller: controller(bus).to_owned(),
        bytes: Some(bytes),
        allocated: None,
        serial: None,
        model: None,
        wwn: None,
        format: None,
        block_bytes: USUAL_BLOCK,
        rotates: Some(false),
        rpm: None,
        read_only: false,
        failed: false,
        ours: false,
    }
}

/// A name of type 3, "locally assigned", of the IEEE's world-wide names: made from the serial number by FNV-1a.
fn wwn(serial: &str) -> String {
    let hash = serial
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    format!("3{:015x}", hash >> 4)
}

/// The disks that a machine was given, as it was last seen.
pub(super) fn restored(seen: &Storage) -> Vec<Made> {
    let number = |id: &str| id.strip_prefix("volume")?.parse().ok();
    seen.disks
        .iter()
        .filter_map(|disk| {
            Some(Made {
                token: disk.token()?,
                number: number(&disk.id)?,
                bytes: disk.bytes?,
                bus: seen.controller(&disk.controller)?.bus,
            })
        })
        .collect()
}

/// Gives a machine a disk.
pub(super) fn make(made: &mut Vec<Made>, profile: &Profile, disk: &NewDisk) -> Result<()> {
    let bus = buses(profile)
        .into_iter()
        .find(|bus| controller(*bus) == disk.controller)
        .ok_or_else(|| Error::not_found("Storage", &disk.controller))?;
    if made.iter().any(|known| known.token == disk.token) {
        return Ok(());
    }
    if made.len() + profile.disks.len() >= MOST {
        return Err(Error::conflict(
            Conflict::NotAllowed,
            "The controller has no port left.",
        ));
    }
    let number = (0..)
        .find(|number| made.iter().all(|known| known.number != *number))
        .unwrap_or_default();
    made.push(Made {
        token: disk.token.clone(),
        number,
        bytes: disk.bytes,
        bus,
    });
    made.sort_by_key(|made| made.number);
    Ok(())
}

/// Makes a disk larger.
pub(super) fn grow(made: &mut [Made], token: &DiskToken, bytes: u64) -> Result<()> {
    let disk = made.iter_mut().find(|known| known.token == *token);
    let disk = disk.ok_or_else(|| Error::not_found("Volume", token.as_str()))?;
    disk.bytes = disk.bytes.max(bytes);
    Ok(())
}

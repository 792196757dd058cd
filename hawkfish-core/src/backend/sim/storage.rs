//! The storage of a simulated machine: what its make has, and the disks that it was given.

use super::profile::Profile;
use crate::backend::{Bus, Controller, Disk, NewDisk, Storage, USUAL_BLOCK};
use crate::error::{Conflict, Error, Result};
use crate::id::DiskToken;

/// The controller of every simulated machine.
const CONTROLLER: &str = "sata";
/// Most disks that a machine has: beyond that its controller has no port.
const MOST: usize = 64;

/// A disk that a machine was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Made {
    pub token: DiskToken,
    /// Its place among the names `volume0`, `volume1`, …
    pub number: u16,
    pub bytes: u64,
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
                ..plain(disk.bytes)
            }
        });
    let made = made.iter().map(|made| Disk {
        id: format!("volume{}", made.number),
        serial: Some(made.token.to_string()),
        wwn: Some(wwn(made.token.as_str())),
        ours: true,
        ..plain(made.bytes)
    });
    Storage {
        controllers: vec![Controller {
            id: CONTROLLER.to_owned(),
            bus: Bus::Sata,
            model: Some("AHCI".to_owned()),
        }],
        disks: built_in.chain(made).collect(),
    }
}

fn plain(bytes: u64) -> Disk {
    Disk {
        id: String::new(),
        controller: CONTROLLER.to_owned(),
        bytes: Some(bytes),
        allocated: None,
        serial: None,
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
            })
        })
        .collect()
}

/// Gives a machine a disk.
pub(super) fn make(made: &mut Vec<Made>, profile: &Profile, disk: &NewDisk) -> Result<()> {
    if disk.controller != CONTROLLER {
        return Err(Error::not_found("Storage", &disk.controller));
    }
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

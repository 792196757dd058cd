//! Disks of a make.

use hawkfish_core::backend::Bus;
use hawkfish_core::backend::sim::Disk;
use serde::{Deserialize, Serialize};

use super::super::{BadDescription, wrong};

const GIB: u64 = 1 << 30;

/// A disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiskMake {
    /// Its size.
    pub gib: u64,
    /// How it is spoken to; SATA unless said. Disks of one protocol are on one controller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Protocol>,
    /// Whether it turns; an SSD unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media: Option<Media>,
    /// How fast it turns, turns a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rpm: Option<u32>,
    /// What it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

/// How a disk is spoken to, in the words of Redfish.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "they say what they are")]
pub enum Protocol {
    #[serde(rename = "SATA")]
    Sata,
    #[serde(rename = "SAS")]
    Sas,
    #[serde(rename = "NVMe")]
    Nvme,
}

/// What a disk keeps its data on, in the words of Redfish.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Media {
    /// A disk that turns.
    #[serde(rename = "HDD")]
    Hdd,
    /// A disk that does not.
    #[serde(rename = "SSD")]
    Ssd,
}

/// The disks of a make.
pub(super) fn disks(disks: &[DiskMake], at: &str) -> Result<Vec<Disk>, BadDescription> {
    if disks.len() > 64 {
        return Err(wrong(at, "there are more than 64 disks"));
    }
    let disk = |(n, disk): (usize, &DiskMake)| {
        let rotates = disk.media == Some(Media::Hdd);
        let at = || format!("{at}, disk {n}");
        if disk.rpm.is_some() && !rotates {
            return Err(wrong(at(), "only an HDD has rpm"));
        }
        if disk.rpm.is_some_and(|rpm| !(1..=100_000).contains(&rpm)) {
            return Err(wrong(at(), "rpm is 1 to 100000"));
        }
        Ok(Disk {
            name: format!("disk{n}"),
            bytes: disk.gib.saturating_mul(GIB),
            bus: match disk.protocol {
                None | Some(Protocol::Sata) => Bus::Sata,
                Some(Protocol::Sas) => Bus::Sas,
                Some(Protocol::Nvme) => Bus::Nvme,
            },
            model: disk.model.as_deref().map(Into::into),
            rotates,
            rpm: disk.rpm,
        })
    };
    disks.iter().enumerate().map(disk).collect()
}

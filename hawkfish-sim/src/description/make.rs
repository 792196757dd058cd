//! Makes of server.

use std::collections::BTreeSet;
use std::sync::Arc;

use hawkfish_core::backend::BootMode;
use hawkfish_core::backend::sim::{Disk, Parts, Profile};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::{BadDescription, GuestMake, span, wrong};

const GIB: u64 = 1 << 30;

/// A make of server: what is said of it differs from its base.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(
    missing_docs,
    reason = "they are the fields of a Profile, which says what they mean"
)]
pub struct Make {
    /// The make that it is made from; `small` unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manufacturer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sku: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub firmware_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processor_model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sockets: Option<u32>,
    /// Cores of each socket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cores: Option<u32>,
    /// Threads of each core.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_gib: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disks: Option<Vec<DiskMake>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nics: Option<u8>,
    /// The network adapters on which they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nic: Option<NicMake>,
    /// Who made the processors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processor_manufacturer: Option<String>,
    /// Their highest clock rate, MHz.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processor_mhz: Option<u32>,
    /// How many memory modules belong to each socket; they share the memory evenly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modules_per_socket: Option<u32>,
    /// The memory modules.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module: Option<ModuleMake>,
    /// `Legacy`, `UEFI`: what it can be switched to; delivered with the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub firmware: Option<Vec<Firmware>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secure_boot: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub self_test: Option<SignedDuration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guest: Option<GuestMake>,
}

/// A make of network adapter: what is said of it differs from that of the base.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NicMake {
    /// Who made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manufacturer: Option<String>,
    /// What it is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// How fast each of its ports is, Mbit/s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mbps: Option<u32>,
    /// Ports of each adapter, 1 to 8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ports: Option<u8>,
}

/// A make of memory module: what is said of it differs from that of the base.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModuleMake {
    /// Who made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manufacturer: Option<String>,
    /// What it is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part_number: Option<String>,
    /// Its clock rate, MHz.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mhz: Option<u32>,
    /// Whether it corrects errors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ecc: Option<bool>,
}

impl Make {
    /// The parts of the make.
    fn parts(&self, base: Parts, at: &str) -> Result<Parts, BadDescription> {
        let within = |what: &str, number: Option<u32>, least: u32, most: u32| match number {
            Some(n) if !(least..=most).contains(&n) => {
                Err(wrong(at, format!("{what} is {least} to {most}")))
            }
            _ => Ok(()),
        };
        let (nic, module) = (self.nic.as_ref(), self.module.as_ref());
        within("processor_mhz", self.processor_mhz, 1, 100_000)?;
        within("modules_per_socket", self.modules_per_socket, 1, 64)?;
        within("nics", self.nics.map(u32::from), 0, 16)?;
        within("nic.mbps", nic.and_then(|nic| nic.mbps), 1, 10_000_000)?;
        let ports = nic.and_then(|nic| nic.ports);
        within("nic.ports", ports.map(u32::from), 1, 8)?;
        within(
            "module.mhz",
            module.and_then(|module| module.mhz),
            1,
            100_000,
        )?;
        if self.disks.as_ref().is_some_and(|disks| disks.len() > 64) {
            return Err(wrong(at, "there are more than 64 disks"));
        }
        let mut parts = base;
        let take = |from: Option<&String>, to: &mut String| {
            if let Some(from) = from {
                to.clone_from(from);
            }
        };
        take(
            self.processor_manufacturer.as_ref(),
            &mut parts.processor_manufacturer,
        );
        parts.processor_mhz = self.processor_mhz.unwrap_or(parts.processor_mhz);
        parts.modules_per_socket = self.modules_per_socket.unwrap_or(parts.modules_per_socket);
        if let Some(nic) = nic {
            take(nic.manufacturer.as_ref(), &mut parts.nic.manufacturer);
            take(nic.model.as_ref(), &mut parts.nic.model);
            parts.nic.mbps = nic.mbps.unwrap_or(parts.nic.mbps);
            parts.nic.ports = nic.ports.unwrap_or(parts.nic.ports);
        }
        if let Some(module) = module {
            let made = Arc::make_mut(&mut parts.module);
            take(module.manufacturer.as_ref(), &mut made.manufacturer);
            take(module.part_number.as_ref(), &mut made.part_number);
            made.mhz = module.mhz.unwrap_or(made.mhz);
            made.ecc = module.ecc.unwrap_or(made.ecc);
        }
        Ok(parts)
    }
}

/// A disk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiskMake {
    /// Its size.
    pub gib: u64,
}

/// A firmware.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Firmware {
    /// PC BIOS.
    Legacy,
    /// UEFI.
    #[serde(rename = "UEFI")]
    Uefi,
}

impl From<Firmware> for BootMode {
    fn from(firmware: Firmware) -> Self {
        match firmware {
            Firmware::Legacy => Self::Legacy,
            Firmware::Uefi => Self::Uefi,
        }
    }
}

impl Make {
    pub(super) fn over(&self, base: Profile, at: &str) -> Result<Profile, BadDescription> {
        let Self {
            base: _,
            manufacturer,
            product,
            version,
            sku,
            family,
            firmware_version,
            processor_model,
            sockets,
            cores,
            threads,
            memory_gib,
            disks,
            nics,
            firmware,
            secure_boot,
            self_test,
            guest,
            nic: _,
            processor_manufacturer: _,
            processor_mhz: _,
            modules_per_socket: _,
            module: _,
        } = self.clone();
        let parts = self.parts(base.parts, at)?;
        let counts = [sockets, cores, threads];
        if counts
            .iter()
            .any(|count| count.is_some_and(|n| !(1..=1024).contains(&n)))
        {
            return Err(wrong(at, "sockets, cores and threads are 1 to 1024"));
        }
        if memory_gib.is_some_and(|gib| !(1..=1 << 20).contains(&gib)) {
            return Err(wrong(at, "memory is 1 to 1,048,576 GiB"));
        }
        let modes: Option<BTreeSet<BootMode>> = firmware
            .as_ref()
            .map(|all| all.iter().copied().map(BootMode::from).collect());
        if modes.as_ref().is_some_and(BTreeSet::is_empty) {
            return Err(wrong(at, "a server has a firmware"));
        }
        let disks = disks.map(|disks| {
            let disk = |(n, disk): (usize, DiskMake)| Disk {
                name: format!("disk{n}"),
                bytes: disk.gib.saturating_mul(GIB),
            };
            disks.into_iter().enumerate().map(disk).collect()
        });
        let guest = match guest {
            Some(guest) => guest.over(base.guest, at)?,
            None => base.guest,
        };
        Ok(Profile {
            manufacturer: manufacturer.unwrap_or(base.manufacturer),
            product: product.unwrap_or(base.product),
            version: version.unwrap_or(base.version),
            sku: sku.unwrap_or(base.sku),
            family: family.unwrap_or(base.family),
            firmware_version: firmware_version.unwrap_or(base.firmware_version),
            processor_model: processor_model.unwrap_or(base.processor_model),
            arch: base.arch,
            sockets: sockets.unwrap_or(base.sockets),
            cores: cores.unwrap_or(base.cores),
            threads: threads.unwrap_or(base.threads),
            memory_kib: memory_gib.map_or(base.memory_kib, |gib| gib << 20),
            disks: disks.unwrap_or(base.disks),
            nics: nics.unwrap_or(base.nics),
            parts,
            mode: firmware
                .and_then(|all| all.last().copied())
                .map_or(base.mode, BootMode::from),
            modes: modes.unwrap_or(base.modes),
            secure_boot: secure_boot.unwrap_or(base.secure_boot),
            self_test: match self_test {
                Some(long) => span(at, long)?,
                None => base.self_test,
            },
            guest,
        })
    }
}

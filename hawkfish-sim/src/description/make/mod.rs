//! Makes of server.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hawkfish_core::backend::BootMode;
use hawkfish_core::backend::sim::{Parts, Profile};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::{BadDescription, GuestMake, span, wrong};

mod bios;
mod disk;
mod firmware;
mod sensor;
mod supply;

pub use bios::BiosValue;
pub use disk::{DiskMake, Media, Protocol};
pub use firmware::PartMake;
pub use sensor::{Measures, Place, SensorMake, Thresholds};
pub use supply::{FanMake, PowerMake, SupplyMake};

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
    /// Firmware settings that it is delivered with, by the names of their attributes in `Bios`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub bios: BTreeMap<String, BiosValue>,
    /// Firmware of its parts, shown in the firmware inventory beside that of the server itself.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts_firmware: Vec<PartMake>,
    /// Sensors that differ from those of the base, and further ones.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sensors: Vec<SensorMake>,
    /// What it takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub power: Option<PowerMake>,
    /// What gives it that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub power_supplies: Option<SupplyMake>,
    /// What cools it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fans: Option<FanMake>,
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
    /// What the addresses of its ports begin with: `ac:1f:6b`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac_prefix: Option<String>,
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
            if let Some(prefix) = &nic.mac_prefix {
                parts.nic.mac_prefix = Some(mac_prefix(prefix, at)?);
            }
        }
        if let Some(module) = module {
            let made = Arc::make_mut(&mut parts.module);
            take(module.manufacturer.as_ref(), &mut made.manufacturer);
            take(module.part_number.as_ref(), &mut made.part_number);
            made.mhz = module.mhz.unwrap_or(made.mhz);
            made.ecc = module.ecc.unwrap_or(made.ecc);
        }
        parts.firmwares = firmware::over(&self.parts_firmware, &parts.firmwares, at)?;
        parts.sensors = sensor::over(&self.sensors, &parts.sensors, at)?;
        if let Some(power) = &self.power {
            parts.power = power.over(&parts.power, at)?;
        }
        if let Some(supplies) = &self.power_supplies {
            parts.supply = supplies.over(&parts.supply, at)?;
        }
        if let Some(fans) = &self.fans {
            parts.fan = fans.over(&parts.fan, at)?;
        }
        Ok(parts)
    }
}

/// The first half of a MAC address.
fn mac_prefix(text: &str, at: &str) -> Result<[u8; 3], BadDescription> {
    let bad = || {
        wrong(
            at,
            format!("nic.mac_prefix is as \"ac:1f:6b\", not {text:?}"),
        )
    };
    let mut bytes = [0; 3];
    let parts: Vec<&str> = text.split(':').collect();
    if parts.len() != bytes.len() {
        return Err(bad());
    }
    for (byte, part) in bytes.iter_mut().zip(parts) {
        let is_hex = part.len() == 2 && part.bytes().all(|c| c.is_ascii_hexdigit());
        *byte = u8::from_str_radix(part, 16)
            .ok()
            .filter(|_| is_hex)
            .ok_or_else(bad)?;
    }
    if bytes[0] & 1 == 1 {
        return Err(wrong(at, "nic.mac_prefix is of a group, not of one port"));
    }
    if bytes[0] == 2 {
        // No two ports share an address, whichever makes they are of.
        return Err(wrong(
            at,
            "addresses that begin with 02 are those of makes without nic.mac_prefix",
        ));
    }
    Ok(bytes)
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
            bios,
            parts_firmware: _,
            sensors: _,
            power: _,
            power_supplies: _,
            fans: _,
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
        let guest = match guest {
            Some(guest) => guest.over(base.guest, at)?,
            None => base.guest,
        };
        let made = Profile {
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
            disks: match disks {
                Some(disks) => disk::disks(&disks, at)?,
                None => base.disks,
            },
            bios: bios::over(&bios, base.bios, at)?,
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
        };
        bios::check(&made, at)?;
        sensor::check(&made, at)?;
        supply::check(&made, at)?;
        Ok(made)
    }
}

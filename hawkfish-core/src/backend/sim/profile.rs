//! What simulated machines are made of, as data: the hardware that many of them share, and how their guests behave.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::parts::Parts;
use super::script::{Ending, Install, Line};
use super::{knobs, sensors};
use crate::backend::{BootMode, Bus, Knob, KnobValue, Takes};

const GIB: u64 = 1 << 30;
const GIB_IN_KIB: u64 = 1 << 20;

/// A make of server. Machines of one make share it.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// Manufacturer, as SMBIOS says it.
    pub manufacturer: String,
    /// Product name.
    pub product: String,
    /// Product version.
    pub version: String,
    /// Stock keeping unit.
    pub sku: String,
    /// Family.
    pub family: String,
    /// Version of the firmware.
    pub firmware_version: String,
    /// Model of the processors.
    pub processor_model: String,
    /// libvirt's name of the architecture.
    pub arch: String,
    /// Sockets, each with a processor.
    pub sockets: u32,
    /// Cores of each socket.
    pub cores: u32,
    /// Threads of each core.
    pub threads: u32,
    /// Memory, KiB.
    pub memory_kib: u64,
    /// Disks, the first of which may hold an operating system. At most 64 are looked at.
    pub disks: Vec<Disk>,
    /// Network interfaces. At most 16 are looked at.
    pub nics: u8,
    /// What it is built of.
    pub parts: Parts,
    /// Firmwares that it can be switched to.
    pub modes: BTreeSet<BootMode>,
    /// The firmware that it is delivered with.
    pub mode: BootMode,
    /// Secure boot, in force whenever it starts by UEFI.
    pub secure_boot: bool,
    /// Firmware settings that it is delivered with, where they are not the usual ones. Boot mode and secure boot are above, and not looked at here; nor is
    /// what it does not take.
    pub bios: BTreeMap<Knob, KnobValue>,
    /// How long it tests itself before it looks for something to boot.
    pub self_test: Duration,
    /// How its guests behave, unless a machine has one of its own.
    pub guest: Guest,
}

/// A disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    /// Its name: `disk0`.
    pub name: String,
    /// Its size, bytes.
    pub bytes: u64,
    /// How it is spoken to: all disks of one bus are on one controller. SATA, SAS and NVMe are.
    pub bus: Bus,
    /// What it is called, where it says so.
    pub model: Option<Arc<str>>,
    /// Whether it turns.
    pub rotates: bool,
    /// How fast, turns a minute, where it does and says so.
    pub rpm: Option<u32>,
}

/// How the operating system of a machine behaves, and what the world around it offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guest {
    /// From the firmware's choice to the login prompt.
    pub boots_in: Duration,
    /// From being asked to being down.
    pub shuts_down_in: Duration,
    /// Whether it is deaf to the power button and to requests to shut down or restart.
    pub ignores_acpi: bool,
    /// It resets itself so long after its login prompt.
    pub resets_itself_after: Option<Duration>,
    /// How often it does so after each cold start; once is usual.
    pub resets_itself_times: u32,
    /// What it does when it panics.
    pub on_panic: OnPanic,
    /// From the panic to what follows it.
    pub panics_for: Duration,
    /// After a panic it first writes its memory to disk, for so long.
    pub dumps_for: Option<Duration>,
    /// Whether it is deaf to a non-maskable interrupt, which otherwise makes it panic.
    pub ignores_nmi: bool,
    /// Its operating system arms the watchdog, which fires when it was not fed for so long: when the guest hangs.
    pub watchdog: Option<Duration>,
    /// Boots that do not end at the login prompt, by number: the first since the world began is 1.
    pub at_boots: BTreeMap<u32, Ending>,
    /// What it writes on the console by a script, besides what all guests do.
    pub says: Vec<Line>,
    /// What installs it.
    pub installs: Option<Install>,
    /// Whether its first disk holds an operating system from the beginning.
    pub disk_boots: bool,
    /// Whether something on its network answers PXE, and UEFI HTTP boot without an address.
    pub network_boots: bool,
}

/// What a guest does after a panic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnPanic {
    /// It restarts.
    Restart,
    /// It stops, and its machine is off and marked as crashed.
    Stop,
    /// It does nothing any more.
    Hang,
}

impl Default for Guest {
    fn default() -> Self {
        Self {
            boots_in: Duration::from_secs(5),
            shuts_down_in: Duration::from_secs(3),
            ignores_acpi: false,
            resets_itself_after: None,
            resets_itself_times: 1,
            on_panic: OnPanic::Restart,
            panics_for: Duration::from_secs(1),
            dumps_for: None,
            ignores_nmi: false,
            watchdog: None,
            at_boots: BTreeMap::new(),
            says: Vec::new(),
            installs: None,
            disk_boots: true,
            network_boots: true,
        }
    }
}

impl Default for Profile {
    fn default() -> Self {
        Self::small()
    }
}

impl Profile {
    /// Which values a firmware setting of this make takes, if it has that.
    #[must_use]
    pub fn takes(&self, knob: Knob) -> Option<Takes> {
        knobs::takes(self, knob)
    }

    /// What it takes at most, watts.
    #[must_use]
    pub fn most_watts(&self) -> f64 {
        sensors::watts(self).1
    }

    /// The ids of the sensors of this make, those of its power supplies among them.
    pub fn sensor_ids(&self) -> impl Iterator<Item = String> {
        sensors::ids(self)
    }

    /// The makes that a rack has when nothing else is said. Half of them can start a PC BIOS, all of them UEFI.
    #[must_use]
    pub fn all() -> Vec<Arc<Self>> {
        vec![
            Arc::new(Self::small()),
            Arc::new(Self::medium()),
            Arc::new(Self::large()),
            Arc::new(Self::dense()),
        ]
    }

    /// A small server: one socket, 32 GiB, one disk, two network interfaces, either firmware.
    #[must_use]
    pub fn small() -> Self {
        Self {
            manufacturer: "HawkFish".to_owned(),
            product: "Kestrel S1".to_owned(),
            version: "1.0".to_owned(),
            sku: "HF-S1-08".to_owned(),
            family: "Kestrel".to_owned(),
            firmware_version: "S1-1.8.2".to_owned(),
            processor_model: "HawkFish Simulated Processor 8C".to_owned(),
            arch: "x86_64".to_owned(),
            sockets: 1,
            cores: 8,
            threads: 2,
            memory_kib: 32 * GIB_IN_KIB,
            disks: disks(&[480 * GIB]),
            nics: 2,
            parts: Parts::small(),
            modes: BTreeSet::from([BootMode::Legacy, BootMode::Uefi]),
            mode: BootMode::Uefi,
            secure_boot: false,
            bios: BTreeMap::new(),
            self_test: Duration::from_secs(2),
            guest: Guest::default(),
        }
    }

    /// A medium server: two sockets, 128 GiB, two disks, UEFI alone with secure boot.
    #[must_use]
    pub fn medium() -> Self {
        Self {
            product: "Harrier M2".to_owned(),
            version: "2.1".to_owned(),
            sku: "HF-M2-32".to_owned(),
            family: "Harrier".to_owned(),
            firmware_version: "M2-2.4.0".to_owned(),
            processor_model: "HawkFish Simulated Processor 16C".to_owned(),
            sockets: 2,
            cores: 16,
            memory_kib: 128 * GIB_IN_KIB,
            disks: disks(&[480 * GIB, 1920 * GIB]),
            parts: Parts::medium(),
            modes: BTreeSet::from([BootMode::Uefi]),
            secure_boot: true,
            ..Self::small()
        }
    }

    /// A large server: four sockets, 1 TiB, four disks, four network interfaces, either firmware.
    #[must_use]
    pub fn large() -> Self {
        Self {
            product: "Osprey L4".to_owned(),
            version: "1.3".to_owned(),
            sku: "HF-L4-96".to_owned(),
            family: "Osprey".to_owned(),
            firmware_version: "L4-1.3.7".to_owned(),
            processor_model: "HawkFish Simulated Processor 24C".to_owned(),
            sockets: 4,
            cores: 24,
            memory_kib: 1024 * GIB_IN_KIB,
            disks: disks(&[960 * GIB, 960 * GIB, 3840 * GIB, 3840 * GIB]),
            nics: 4,
            parts: Parts::large(),
            self_test: Duration::from_secs(4),
            ..Self::small()
        }
    }

    /// A dense compute node: one big socket, one disk, one network interface, UEFI alone.
    #[must_use]
    pub fn dense() -> Self {
        Self {
            product: "Merlin D1".to_owned(),
            version: "3.0".to_owned(),
            sku: "HF-D1-64".to_owned(),
            family: "Merlin".to_owned(),
            firmware_version: "D1-3.0.1".to_owned(),
            processor_model: "HawkFish Simulated Processor 64C".to_owned(),
            cores: 64,
            threads: 1,
            memory_kib: 256 * GIB_IN_KIB,
            disks: disks(&[960 * GIB]),
            nics: 1,
            parts: Parts::dense(),
            modes: BTreeSet::from([BootMode::Uefi]),
            ..Self::small()
        }
    }
}

fn disks(sizes: &[u64]) -> Vec<Disk> {
    sizes
        .iter()
        .enumerate()
        .map(|(n, &bytes)| Disk {
            name: format!("disk{n}"),
            bytes,
            bus: Bus::Sata,
            model: None,
            rotates: false,
            rpm: None,
        })
        .collect()
}

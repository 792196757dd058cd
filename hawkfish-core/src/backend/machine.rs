//! A machine as its backend knows it: plain facts, without a word of Redfish JSON or of libvirt XML.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::firmware::{Firmware, Knob, KnobValue};
use super::hardware::Hardware;
use super::storage::Storage;
use crate::id::{BootOptionId, SlotId};

/// Names a machine on any host: its UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MachineKey(pub Uuid);

impl fmt::Display for MachineKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a backend knows of a machine at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Its UUID.
    pub key: MachineKey,
    /// Its name on the host. Any text: never part of a URI or a path.
    pub name: String,
    /// A title that its owner gave it.
    pub title: Option<String>,
    /// A description that its owner gave it.
    pub description: Option<String>,
    /// Whether it runs.
    pub power: Power,
    /// Whether it stopped because it failed (a guest panic, a crash of the emulator).
    pub crashed: bool,
    /// When it last started or was reset, where the backend saw it.
    pub last_reset: Option<Timestamp>,
    /// Processors.
    pub processors: Processors,
    /// Memory given to the machine, KiB.
    pub memory_kib: u64,
    /// What it says of itself in SMBIOS.
    pub identity: Identity,
    /// How it boots.
    pub boot: Boot,
    /// Its slots for virtual media, the CD first.
    pub slots: Vec<Slot>,
    /// Whether it starts with its host.
    pub autostart: bool,
    /// Its other parts.
    #[serde(default, serialize_with = "Hardware::keep")]
    pub hardware: Arc<Hardware>,
    /// Its disks.
    #[serde(default)]
    pub storage: Arc<Storage>,
    /// What its firmware is set to.
    #[serde(default)]
    pub firmware: Arc<Firmware>,
}

/// Whether a machine runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Power {
    /// It runs.
    On,
    /// It does not run.
    Off,
    /// Its processors are stopped; memory is kept.
    Paused,
    /// On its way to On.
    PoweringOn,
    /// On its way to Off.
    PoweringOff,
}

/// Processors of a machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Processors {
    /// Sockets.
    pub sockets: u32,
    /// Cores of each socket.
    pub cores: u32,
    /// Threads of each core.
    pub threads: u32,
    /// Virtual processors now present; at most the product of the above.
    pub online: u32,
    /// Model as the guest sees it, where known.
    pub model: Option<String>,
    /// Who made them, as the guest sees it, where known.
    #[serde(default)]
    pub manufacturer: Option<String>,
    /// Their highest clock rate, MHz, where known.
    #[serde(default)]
    pub max_mhz: Option<u32>,
    /// libvirt's name of the architecture: `x86_64`, `aarch64`.
    pub arch: String,
}

/// What a machine says of itself in SMBIOS; absent where nothing says so.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Manufacturer of the system.
    pub manufacturer: Option<String>,
    /// Product name.
    pub product: Option<String>,
    /// Product version.
    pub version: Option<String>,
    /// Serial number.
    pub serial: Option<String>,
    /// Stock keeping unit.
    pub sku: Option<String>,
    /// Family.
    pub family: Option<String>,
    /// Asset tag of the chassis.
    pub asset_tag: Option<String>,
    /// Firmware version.
    pub bios_version: Option<String>,
}

/// Which firmware starts a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum BootMode {
    /// PC BIOS.
    Legacy,
    /// UEFI.
    Uefi,
}

/// A kind of thing to boot from, in the words of Redfish's `BootSource`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum BootTarget {
    /// Network, by PXE.
    Pxe,
    /// The first disk.
    Hdd,
    /// The CD slot.
    Cd,
    /// The USB slot, or a USB disk.
    Usb,
    /// The firmware's set-up.
    BiosSetup,
    /// Network, by UEFI HTTP boot.
    UefiHttp,
}

/// A boot source that stands in front of the boot order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BootOverride {
    /// What to boot from.
    pub target: BootTarget,
    /// For exactly one boot; else until changed.
    pub once: bool,
}

/// How a machine boots.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Boot {
    /// The firmware in use.
    pub mode: BootMode,
    /// Firmwares that this machine could be switched to, the present one included.
    pub modes: BTreeSet<BootMode>,
    /// Secure boot in force; `None` where the firmware knows of none.
    pub secure: Option<bool>,
    /// What stands in front of the order now.
    pub over: Option<BootOverride>,
    /// Targets that an override may name on this machine now.
    pub targets: BTreeSet<BootTarget>,
    /// Everything that could be booted from, in the order in which it is tried, the disabled last.
    pub options: Vec<BootOption>,
    /// Where UEFI HTTP boot fetches from, if set.
    pub http_uri: Option<String>,
}

/// A device to boot from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BootOption {
    /// Stable for as long as the device is there: `Boot0000`, …
    pub id: BootOptionId,
    /// What it is, for people: `disk vda`, `network 52:54:00:…`.
    pub name: String,
    /// Its kind.
    pub target: BootTarget,
    /// Whether the boot order reaches it.
    pub enabled: bool,
}

/// What a slot can pose as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum MediaKind {
    /// A CD or DVD.
    Cd,
    /// A USB stick.
    Usb,
}

/// A slot for virtual media.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// `Cd` or `Usb`.
    pub id: SlotId,
    /// What it poses as.
    pub kind: MediaKind,
    /// What is in it.
    pub medium: Option<Medium>,
}

/// Something in a slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Medium {
    /// Where the backend has it from.
    pub source: MediaSource,
    /// Whether the guest is kept from writing to it.
    pub write_protected: bool,
}

/// Where a medium lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MediaSource {
    /// A file on the host.
    File(PathBuf),
    /// An image that the backend reads over the network by itself, without credentials in the text.
    Uri(String),
}

/// A wanted change to how a machine is set up. `None` leaves as is. It is made as one, or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Setup {
    /// The override; `Some(None)` takes it away.
    pub over: Option<Option<BootOverride>>,
    /// The firmware, from the next cold start on.
    pub mode: Option<BootMode>,
    /// The boot order: options that are to be tried, in that order; the rest are disabled.
    pub order: Option<Vec<BootOptionId>>,
    /// Where UEFI HTTP boot fetches from; `Some(None)` forgets it.
    pub http_uri: Option<Option<String>>,
    /// The asset tag; an empty text takes it away.
    pub asset_tag: Option<String>,
    /// Whether the machine starts with its host.
    pub autostart: Option<bool>,
    /// Cables of network interfaces to be plugged in (true) or unplugged, by the name of the interface: [`Nic::name`](super::Nic::name).
    pub nic_link: BTreeMap<String, bool>,
    /// Firmware settings.
    pub knobs: BTreeMap<Knob, KnobValue>,
}

impl Setup {
    /// Whether nothing is wanted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// One thing done to a machine's power. What Redfish calls a reset is a plan of such steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Step {
    /// Start it, from its saved memory if it was suspended.
    Start,
    /// Cut its power.
    ForceOff,
    /// Ask the guest to shut down.
    Shutdown,
    /// Ask the guest to restart.
    Restart,
    /// Reset it without asking.
    Reset,
    /// Press the power button of a running machine.
    PowerButton,
    /// Send a non-maskable interrupt.
    Nmi,
    /// Stop its processors.
    Pause,
    /// Let its processors go on.
    Resume,
    /// Write its memory to disk and switch it off.
    Suspend,
}

impl Step {
    /// Every step.
    pub const ALL: [Self; 10] = [
        Self::Start,
        Self::ForceOff,
        Self::Shutdown,
        Self::Restart,
        Self::Reset,
        Self::PowerButton,
        Self::Nmi,
        Self::Pause,
        Self::Resume,
        Self::Suspend,
    ];
}

/// A medium to insert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Insert {
    /// Where it lies. A backend takes only what its capabilities name.
    pub source: MediaSource,
    /// Keep the guest from writing to it. A CD always is.
    pub write_protected: bool,
}

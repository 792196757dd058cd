//! What a machine is made of, beside its processors, its memory in sum and its storage.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

/// Parts of a machine. What a backend does not know of is not in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Hardware {
    /// Whether its memory modules, PCI devices and controllers are those of its make: then many machines share them, and its backend knows them again without having been told.
    #[serde(skip)]
    pub of_make: bool,
    /// The board that is posed as: `pc-q35-7.2`.
    pub board: Option<String>,
    /// Memory modules, where the machine has any that the guest can tell apart.
    pub modules: Arc<[MemoryModule]>,
    /// Network interfaces, in the order of the definition.
    pub nics: Vec<Nic>,
    /// Devices on the PCI bus, ordered by address.
    pub pci: Arc<[PciDevice]>,
    /// Graphics adapters, as the guest sees them.
    pub video: Arc<[Video]>,
    /// Screens that can be looked at from outside.
    pub displays: Vec<Display>,
    /// Serial ports.
    pub serials: Vec<Serial>,
    /// Controllers of USB, by model.
    pub usb: Arc<[UsbController]>,
    /// A trusted platform module.
    pub tpm: Option<Tpm>,
    /// A watchdog.
    pub watchdog: Option<Watchdog>,
    /// Firmware of parts, beside that of the machine itself. It is of the make, and not kept.
    #[serde(skip)]
    pub firmwares: Arc<[PartFirmware]>,
}

/// The firmware of a part of a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartFirmware {
    /// What tells it from that of other parts: letters, digits and underscores. `BMC` is that of the machine's manager.
    pub part: String,
    /// Its name for people.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Who made it, where known.
    pub manufacturer: Option<String>,
}

impl Hardware {
    /// Writes what must be kept of a machine's parts, so that they can be shown while its backend does not answer.
    pub(super) fn keep<S: Serializer>(this: &Arc<Self>, to: S) -> Result<S::Ok, S::Error> {
        if !this.of_make {
            return this.serialize(to);
        }
        let own = Self {
            modules: Arc::default(),
            pci: Arc::default(),
            video: Arc::default(),
            usb: Arc::default(),
            ..Self::clone(this)
        };
        own.serialize(to)
    }

    /// Whether another's parts are [kept](Self::keep) as the same.
    pub(crate) fn is_kept_as(&self, other: &Self) -> bool {
        fn own<'a, T>(hardware: &Hardware, parts: &'a Arc<[T]>) -> &'a [T] {
            if hardware.of_make { &[] } else { parts }
        }
        let Self {
            of_make: _,
            board,
            modules,
            nics,
            pci,
            video,
            displays,
            serials,
            usb,
            tpm,
            watchdog,
            firmwares: _,
        } = self;
        *board == other.board
            && *nics == other.nics
            && *displays == other.displays
            && *serials == other.serials
            && *tpm == other.tpm
            && *watchdog == other.watchdog
            && *own(self, modules) == *own(other, &other.modules)
            && *own(self, pci) == *own(other, &other.pci)
            && *own(self, video) == *own(other, &other.video)
            && *own(self, usb) == *own(other, &other.usb)
    }

    /// The firmware of a part.
    #[must_use]
    pub fn firmware_of(&self, part: &str) -> Option<&PartFirmware> {
        self.firmwares.iter().find(|firmware| firmware.part == part)
    }

    /// A network interface, by its name.
    #[must_use]
    pub fn nic(&self, name: &str) -> Option<&Nic> {
        self.nics.iter().find(|nic| nic.name == name)
    }

    /// A device on the PCI bus, by its place.
    #[must_use]
    pub fn pci_device(&self, at: PciAddress) -> Option<&PciDevice> {
        self.pci.iter().find(|device| device.address == at)
    }

    /// Memory that keeps what is in it without power, KiB.
    #[must_use]
    pub fn persistent_kib(&self) -> u64 {
        let persistent = self.modules.iter().filter(|module| module.persistent);
        persistent.map(|module| module.kib).sum()
    }
}

/// A memory module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryModule {
    /// Its name: `dimm0`.
    pub name: String,
    /// Its size, KiB.
    pub kib: u64,
    /// Whether it keeps what is in it without power.
    pub persistent: bool,
    /// The socket of the processor to which it belongs, from 0, where known.
    #[serde(default)]
    pub socket: Option<u32>,
    /// What is known of its make; the same for many.
    #[serde(default)]
    pub make: Option<Arc<ModuleMake>>,
}

/// A make of memory module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleMake {
    /// Who made it.
    pub manufacturer: String,
    /// The maker's number of it.
    pub part_number: String,
    /// Its technology.
    pub technology: MemoryTechnology,
    /// How fast it is run, MHz.
    pub mhz: u32,
    /// Whether it corrects errors.
    pub ecc: bool,
    /// Lines of data, bits, without those for correction.
    pub data_bits: u32,
}

/// How the cells of a memory module are read and written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum MemoryTechnology {
    /// DDR4 SDRAM.
    Ddr4,
    /// DDR5 SDRAM.
    Ddr5,
}

/// A network interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nic {
    /// Its name in the definition: `net0`.
    pub name: String,
    /// Its hardware address, in lower case with colons.
    pub mac: String,
    /// Its model: `virtio`, `e1000e`.
    pub model: Option<Arc<str>>,
    /// What it is plugged into, for people: `network default`, `bridge br0`.
    pub attachment: Option<String>,
    /// The VLAN that it is tagged with.
    pub vlan: Option<u16>,
    /// Whether its cable is plugged in; while the machine runs also whether the link is up.
    pub link_up: bool,
    /// Largest packet, bytes, where set.
    pub mtu: Option<u32>,
    /// Its place on the PCI bus.
    pub pci: Option<PciAddress>,
    /// Addresses that its host has given to it by DHCP, where known.
    pub addresses: Vec<NicAddress>,
    /// Who made it, where known.
    #[serde(default)]
    pub manufacturer: Option<Arc<str>>,
    /// How fast it is as the guest sees it, Mbit/s, where known.
    #[serde(default)]
    pub mbps: Option<u32>,
    /// Whether its cable can be unplugged and plugged in by [`Setup::nic_link`](super::Setup::nic_link).
    #[serde(default)]
    pub link_settable: bool,
}

/// An address of a network interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NicAddress {
    /// The address.
    pub address: IpAddr,
    /// How many of its bits name the network.
    pub prefix: u8,
}

/// A place on the PCI bus. On libvirt, the number of a bus is that of its controller; what the guest's firmware calls it is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PciAddress {
    /// Domain.
    pub domain: u16,
    /// Bus.
    pub bus: u8,
    /// Slot.
    pub slot: u8,
    /// Function.
    pub function: u8,
}

/// What a PCI device is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum PciKind {
    /// Networks.
    Network,
    /// Storage.
    Storage,
    /// Pictures.
    Display,
    /// USB and serial buses.
    SerialBus,
    /// Bridges and ports.
    Bridge,
    /// Communication: serial lines, channels.
    Communication,
    /// A device of the host, given to the guest.
    PassedThrough,
    /// Anything else.
    Other,
}

/// A device on the PCI bus.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PciDevice {
    /// Where it sits.
    pub address: PciAddress,
    /// What it is for.
    pub kind: PciKind,
    /// What it is, for people: `virtio network interface`.
    pub name: Cow<'static, str>,
    /// Its PCI ids, where the backend knows them.
    pub ids: Option<PciIds>,
    /// Its class code (class, subclass, programming interface: `0x02_00_00`), where the backend knows it.
    #[serde(default)]
    pub class: Option<u32>,
}

/// Numbers by which a PCI device says what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PciIds {
    /// Vendor.
    pub vendor: u16,
    /// Device.
    pub device: u16,
}

/// A graphics adapter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Video {
    /// Its model: `virtio`, `qxl`, `vga`.
    pub model: String,
    /// Its memory, KiB.
    pub memory_kib: Option<u64>,
    /// Its place on the PCI bus.
    #[serde(default)]
    pub pci: Option<PciAddress>,
}

/// How a screen can be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum DisplayKind {
    /// VNC (RFC 6143).
    Vnc,
    /// SPICE.
    Spice,
}

/// A screen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Display {
    /// How it can be looked at.
    pub kind: DisplayKind,
    /// The TCP port, while it listens on one.
    pub port: Option<u16>,
}

/// A serial port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Serial {
    /// Its number.
    pub port: u32,
    /// Whether it can be talked to.
    pub interactive: bool,
}

/// A USB controller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsbController {
    /// Its name: `usb`.
    pub name: String,
    /// Its model: `qemu-xhci`.
    pub model: Option<String>,
    /// Its ports, where known.
    pub ports: Option<u32>,
    /// Its place on the PCI bus.
    #[serde(default)]
    pub pci: Option<PciAddress>,
}

/// A trusted platform module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tpm {
    /// How the guest sees it: `tpm-crb`, `tpm-tis`.
    pub model: String,
    /// The version of the specification, where known: `2.0`.
    pub version: Option<String>,
    /// Whether a program stands for it; else it is one of the host's.
    pub emulated: bool,
}

/// What a watchdog does when it is not fed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum WatchdogAction {
    /// Resets the machine.
    Reset,
    /// Switches it off.
    PowerOff,
    /// Asks the guest to shut down.
    Shutdown,
    /// Stops its processors.
    Pause,
    /// Sends a non-maskable interrupt.
    Nmi,
    /// Writes its memory to a file and goes on.
    Dump,
    /// Nothing but saying so.
    None,
}

/// A watchdog.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watchdog {
    /// Its model: `i6300esb`.
    pub model: String,
    /// What it does when it is not fed.
    pub action: WatchdogAction,
}

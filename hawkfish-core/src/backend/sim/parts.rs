//! What a make of server is built of, as data.

use std::borrow::Cow;
use std::sync::Arc;

use super::gauge::{self, FanMake, PowerMake, SensorMake, SupplyMake};
use crate::backend::{
    MemoryTechnology, ModuleMake, PartFirmware, PciAddress, PciDevice, PciIds, PciKind, Tpm,
    UsbController, Video,
};

/// Numbers under which no real vendor is known.
const VENDOR: u16 = 0xfeed;
/// The bus on which the first network adapter sits; each sits on one of its own.
pub(super) const FIRST_NIC_BUS: u8 = 0x20;

/// The parts of a make.
#[derive(Clone, Debug, PartialEq)]
pub struct Parts {
    /// Who made the processors.
    pub processor_manufacturer: String,
    /// The highest clock rate of the processors, MHz.
    pub processor_mhz: u32,
    /// How many memory modules belong to each socket. They share the memory of the machine evenly.
    pub modules_per_socket: u32,
    /// The make of the memory modules.
    pub module: Arc<ModuleMake>,
    /// The make of the network adapters.
    pub nic: NicMake,
    /// What is on the board, with its place on the PCI bus; the network adapters come to it on buses from 0x20 on.
    pub board: Vec<PciDevice>,
    /// What is measured in it, in the order in which it is shown; the sensors of the power supplies come to it.
    pub sensors: Arc<[SensorMake]>,
    /// What it takes.
    pub power: PowerMake,
    /// Its power supplies.
    pub supply: SupplyMake,
    /// Its fans.
    pub fan: FanMake,
    /// Firmware of its parts, beside that of the machine itself.
    pub firmwares: Arc<[PartFirmware]>,
    /// Graphics adapters.
    pub video: Vec<Video>,
    /// USB controllers.
    pub usb: Vec<UsbController>,
    /// The trusted platform module.
    pub tpm: Option<Tpm>,
}

/// A make of network adapter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NicMake {
    /// Who made it.
    pub manufacturer: String,
    /// What it is called.
    pub model: String,
    /// How fast each of its ports is, Mbit/s.
    pub mbps: u32,
    /// Ports of each adapter, at most 8.
    pub ports: u8,
    /// What the addresses of its ports begin with; locally administered ones, unless said.
    pub mac_prefix: Option<[u8; 3]>,
    /// Its PCI ids.
    pub ids: PciIds,
}

impl Parts {
    /// A small server's: DDR4, two ports of 10 Gbit/s, a trusted platform module.
    #[must_use]
    pub fn small() -> Self {
        Self {
            processor_manufacturer: "HawkFish".to_owned(),
            processor_mhz: 3600,
            modules_per_socket: 4,
            module: Arc::new(module("HF-R4-3200", MemoryTechnology::Ddr4, 3200)),
            nic: nic("Talon 2x10G", 10_000, 2, 0x0010),
            board: board(),
            sensors: gauge::usual(),
            power: PowerMake::default(),
            supply: SupplyMake::default(),
            fan: FanMake::default(),
            firmwares: Arc::default(),
            video: vec![Video {
                model: "Perch display adapter".to_owned(),
                memory_kib: Some(16 * 1024),
                pci: Some(at(3, 0)),
            }],
            usb: vec![UsbController {
                name: "usb0".to_owned(),
                model: Some("xHCI".to_owned()),
                ports: Some(8),
                pci: Some(at(0, 0x14)),
            }],
            tpm: Some(Tpm {
                model: "tpm-tis".to_owned(),
                version: Some("2.0".to_owned()),
                emulated: false,
            }),
        }
    }

    /// A medium server's: DDR5, two ports of 25 Gbit/s.
    #[must_use]
    pub fn medium() -> Self {
        Self {
            processor_mhz: 3200,
            modules_per_socket: 8,
            module: Arc::new(module("HF-R5-4800", MemoryTechnology::Ddr5, 4800)),
            nic: nic("Talon 2x25G", 25_000, 2, 0x0025),
            ..Self::small()
        }
    }

    /// A large server's: DDR5, ports of 25 Gbit/s in twos.
    #[must_use]
    pub fn large() -> Self {
        Self {
            processor_mhz: 2900,
            ..Self::medium()
        }
    }

    /// A dense node's: DDR5, one port of 100 Gbit/s.
    #[must_use]
    pub fn dense() -> Self {
        Self {
            processor_mhz: 2400,
            modules_per_socket: 12,
            nic: nic("Talon 1x100G", 100_000, 1, 0x0100),
            ..Self::medium()
        }
    }
}

fn module(part_number: &str, technology: MemoryTechnology, mhz: u32) -> ModuleMake {
    ModuleMake {
        manufacturer: "HawkFish".to_owned(),
        part_number: part_number.to_owned(),
        technology,
        mhz,
        ecc: true,
        data_bits: 64,
    }
}

fn nic(model: &str, mbps: u32, ports: u8, device: u16) -> NicMake {
    NicMake {
        manufacturer: "HawkFish".to_owned(),
        model: model.to_owned(),
        mbps,
        ports,
        mac_prefix: None,
        ids: PciIds {
            vendor: VENDOR,
            device,
        },
    }
}

fn at(bus: u8, slot: u8) -> PciAddress {
    PciAddress {
        domain: 0,
        bus,
        slot,
        function: 0,
    }
}

fn board() -> Vec<PciDevice> {
    let device = |address, kind, name: &'static str, device, class| PciDevice {
        address,
        kind,
        name: Cow::Borrowed(name),
        ids: Some(PciIds {
            vendor: VENDOR,
            device,
        }),
        class: Some(class),
    };
    vec![
        device(at(0, 0), PciKind::Bridge, "host bridge", 0x0001, 0x06_00_00),
        device(
            at(0, 0x14),
            PciKind::SerialBus,
            "USB 3 controller",
            0x0002,
            0x0c_03_30,
        ),
        device(
            at(0, 0x17),
            PciKind::Storage,
            "SATA controller",
            0x0003,
            0x01_06_01,
        ),
        device(
            at(3, 0),
            PciKind::Display,
            "display adapter",
            0x0004,
            0x03_00_00,
        ),
    ]
}

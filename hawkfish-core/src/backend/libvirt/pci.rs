//! The devices on a domain's PCI bus, and by which numbers QEMU's models of them say what they are.

use std::borrow::Cow;
use std::collections::BTreeMap;

use xot::Node;

use super::xml::Doc;
use crate::backend::{PciAddress, PciDevice, PciIds, PciKind};

/// What a device is.
struct What {
    kind: PciKind,
    name: Cow<'static, str>,
    ids: Option<PciIds>,
    class: Option<u32>,
}

/// All devices with a place on the PCI bus, ordered by it.
pub(super) fn read(doc: &Doc, devices: Node, board: Option<&str>) -> Vec<PciDevice> {
    let buses = buses(doc, devices);
    let mut found: Vec<PciDevice> = doc
        .elements(devices)
        .filter_map(|node| {
            let address = address(doc, node)?;
            let place = Place {
                is_port: buses.get(&address.bus).is_some_and(|model| {
                    matches!(*model, "pcie-root-port" | "pcie-switch-downstream-port")
                }),
                is_recent: board.is_none_or(knows_virtio_1),
            };
            let what = recognise(doc, node, place);
            Some(PciDevice {
                address,
                kind: what.kind,
                name: what.name,
                ids: what.ids,
                class: what.class,
            })
        })
        .collect();
    found.sort_by_key(|device| device.address);
    found.dedup_by_key(|device| device.address);
    found
}

/// The place of a device on the PCI bus.
pub(super) fn address(doc: &Doc, node: Node) -> Option<PciAddress> {
    let address = doc
        .children(node, "address")
        .find(|&address| doc.attr(address, "type") == Some("pci"))?;
    let number = |name| {
        let text = doc.attr(address, name).unwrap_or("0");
        match text.strip_prefix("0x") {
            Some(digits) => u16::from_str_radix(digits, 16).ok(),
            None => text.parse().ok(),
        }
    };
    Some(PciAddress {
        domain: number("domain")?,
        bus: number("bus")?.try_into().ok()?,
        slot: number("slot")?.try_into().ok()?,
        function: number("function")?.try_into().ok()?,
    })
}

/// What kind of controller stands behind each bus, by its number.
fn buses(doc: &Doc, devices: Node) -> BTreeMap<u8, &str> {
    doc.children(devices, "controller")
        .filter(|&node| doc.attr(node, "type") == Some("pci"))
        .filter_map(|node| {
            let index = doc.attr(node, "index")?.parse().ok()?;
            Some((index, doc.attr(node, "model")?))
        })
        .collect()
}

/// Where a device sits, as far as it decides what a virtio device poses as.
#[derive(Clone, Copy)]
struct Place {
    /// In a port of PCI Express, where virtio devices are of version 1 alone; elsewhere they can also be driven as older ones and say so.
    is_port: bool,
    is_recent: bool,
}

/// Boards before 2.7 kept virtio devices as they were before version 1.
fn knows_virtio_1(board: &str) -> bool {
    let Some((_, version)) = board.rsplit_once('-') else {
        return true;
    };
    let mut parts = version.split('.').map(str::parse::<u32>);
    match (parts.next(), parts.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= (2, 7),
        _ => true,
    }
}

fn ids(vendor: u16, device: u16) -> Option<PciIds> {
    Some(PciIds { vendor, device })
}

fn what(
    kind: PciKind,
    name: impl Into<Cow<'static, str>>,
    ids: Option<PciIds>,
    class: u32,
) -> What {
    What {
        kind,
        name: name.into(),
        ids,
        class: Some(class),
    }
}

fn unknown(kind: PciKind, name: impl Into<Cow<'static, str>>) -> What {
    What {
        kind,
        name: name.into(),
        ids: None,
        class: None,
    }
}

const NETWORK: u32 = 0x02_00_00;
const SCSI: u32 = 0x01_00_00;
const RAID: u32 = 0x01_04_00;
const BRIDGE: u32 = 0x06_04_00;
const HOST_BRIDGE: u32 = 0x06_00_00;
const UHCI: u32 = 0x0c_03_00;
const OHCI: u32 = 0x0c_03_10;
const EHCI: u32 = 0x0c_03_20;
const XHCI: u32 = 0x0c_03_30;
const VGA: u32 = 0x03_00_00;
const DISPLAY: u32 = 0x03_80_00;
const UNCLASSIFIED: u32 = 0x00_ff_00;
const COMMUNICATION: u32 = 0x07_80_00;
const PERIPHERAL: u32 = 0x08_80_00;

/// The numbers of a virtio device: `kind` counts in the virtio specification, `old` is the number before version 1, for kinds that there were then.
fn virtio(kind: u16, old: Option<u16>, model: Option<&str>, place: Place) -> Option<PciIds> {
    const VENDOR: u16 = 0x1af4;
    let modern = ids(VENDOR, 0x1040 + kind);
    match model {
        Some(model) if model.ends_with("-non-transitional") => modern,
        Some(model) if model.ends_with("-transitional") => ids(VENDOR, old?),
        _ if !place.is_recent => None,
        _ if place.is_port => modern,
        _ => ids(VENDOR, old?),
    }
}

/// The numbers of a virtio device of which there never was another version.
fn virtio_1(kind: u16) -> Option<PciIds> {
    ids(0x1af4, 0x1040 + kind)
}

fn recognise(doc: &Doc, node: Node, place: Place) -> What {
    use PciKind::{Communication, Other, PassedThrough, Storage};
    let model = doc.attr(node, "model");
    match doc.name(node) {
        "interface" => network(doc, node, place),
        "disk" => what(
            Storage,
            "virtio disk",
            virtio(2, Some(0x1001), model, place),
            SCSI,
        ),
        "controller" => controller(doc, node, place),
        "video" => video(doc, node),
        "sound" => sound(model),
        "hostdev" => unknown(PassedThrough, "device of the host"),
        "watchdog" => match model {
            Some("i6300esb") => what(Other, "i6300esb watchdog", ids(0x8086, 0x25ab), PERIPHERAL),
            _ => unknown(Other, "watchdog"),
        },
        "memballoon" => what(
            Other,
            "virtio memory balloon",
            virtio(5, Some(0x1002), model, place),
            UNCLASSIFIED,
        ),
        "rng" => what(
            Other,
            "virtio random number generator",
            virtio(4, Some(0x1005), model, place),
            UNCLASSIFIED,
        ),
        "filesystem" => unknown(Storage, "shared folder"),
        "vsock" => unknown(Communication, "virtio socket"),
        "serial" | "console" => match doc.child_attr(node, "target", "type") {
            Some("pci-serial") => what(
                Communication,
                "serial port",
                ids(0x1b36, 0x0002),
                0x07_00_02,
            ),
            _ => unknown(Communication, "serial port"),
        },
        "input" => {
            let (name, class) = match doc.attr(node, "type") {
                Some("keyboard") => ("virtio keyboard", 0x09_00_00),
                Some("mouse") => ("virtio mouse", 0x09_02_00),
                Some("tablet") => ("virtio tablet", 0x09_80_00),
                _ => return unknown(Other, "virtio input device"),
            };
            what(Other, name, virtio_1(18), class)
        }
        "panic" if model == Some("pvpanic") => {
            what(Other, "panic notifier", ids(0x1b36, 0x0011), PERIPHERAL)
        }
        "panic" => unknown(Other, "panic notifier"),
        "shmem" => unknown(Other, "shared memory"),
        "memory" => unknown(Other, "virtio memory"),
        "iommu" => unknown(Other, "virtio IOMMU"),
        "crypto" => unknown(Other, "virtio cryptography"),
        _ => unknown(Other, "device"),
    }
}

fn network(doc: &Doc, node: Node, place: Place) -> What {
    let network = |name, ids| what(PciKind::Network, name, ids, NETWORK);
    if doc.attr(node, "type") == Some("hostdev") {
        return unknown(PciKind::PassedThrough, "network interface of the host");
    }
    match doc.child_attr(node, "model", "type") {
        Some("e1000") => network("e1000 network interface", ids(0x8086, 0x100e)),
        Some("e1000e") => network("e1000e network interface", ids(0x8086, 0x10d3)),
        Some("rtl8139") => network("rtl8139 network interface", ids(0x10ec, 0x8139)),
        Some("ne2k_pci") => network("ne2k network interface", ids(0x10ec, 0x8029)),
        Some("pcnet") => network("pcnet network interface", ids(0x1022, 0x2000)),
        Some("vmxnet3") => network("vmxnet3 network interface", ids(0x15ad, 0x07b0)),
        Some(model) if model.starts_with("virtio") => network(
            "virtio network interface",
            virtio(1, Some(0x1000), Some(model), place),
        ),
        Some(model) => unknown(PciKind::Network, format!("{model} network interface")),
        None => unknown(PciKind::Network, "network interface"),
    }
}

fn controller(doc: &Doc, node: Node, place: Place) -> What {
    use PciKind::{Bridge, Communication, SerialBus, Storage};
    let model = doc.attr(node, "model");
    let usb = |name, ids, class| what(SerialBus, name, ids, class);
    match (doc.attr(node, "type").unwrap_or_default(), model) {
        ("pci", Some("pcie-root-port")) => {
            let chip = match doc.child_attr(node, "model", "name") {
                Some("ioh3420") => ids(0x8086, 0x3420),
                Some("pcie-root-port") => ids(0x1b36, 0x000c),
                _ => None,
            };
            what(Bridge, "PCI Express root port", chip, BRIDGE)
        }
        ("pci", Some("pcie-to-pci-bridge")) => what(
            Bridge,
            "PCI Express to PCI bridge",
            ids(0x1b36, 0x000e),
            BRIDGE,
        ),
        ("pci", Some("pci-bridge")) => what(Bridge, "PCI bridge", ids(0x1b36, 0x0001), BRIDGE),
        ("pci", Some("dmi-to-pci-bridge")) => {
            what(Bridge, "DMI to PCI bridge", ids(0x8086, 0x244e), BRIDGE)
        }
        ("pci", Some("pcie-switch-upstream-port")) => what(
            Bridge,
            "PCI Express switch, upstream",
            ids(0x104c, 0x8232),
            BRIDGE,
        ),
        ("pci", Some("pcie-switch-downstream-port")) => what(
            Bridge,
            "PCI Express switch, downstream",
            ids(0x104c, 0x8233),
            BRIDGE,
        ),
        ("pci", Some("pci-expander-bus")) => {
            what(Bridge, "PCI expander bus", ids(0x1b36, 0x0009), HOST_BRIDGE)
        }
        ("pci", Some("pcie-expander-bus")) => what(
            Bridge,
            "PCI Express expander bus",
            ids(0x1b36, 0x000b),
            HOST_BRIDGE,
        ),
        ("usb", Some("piix3-uhci")) => usb("USB 1 controller", ids(0x8086, 0x7020), UHCI),
        ("usb", Some("ich9-uhci1")) => usb("USB 1 controller", ids(0x8086, 0x2934), UHCI),
        ("usb", Some("ich9-uhci2")) => usb("USB 1 controller", ids(0x8086, 0x2935), UHCI),
        ("usb", Some("ich9-uhci3")) => usb("USB 1 controller", ids(0x8086, 0x2936), UHCI),
        ("usb", Some("pci-ohci")) => usb("USB 1 controller", ids(0x106b, 0x003f), OHCI),
        ("usb", Some("ehci")) => usb("USB 2 controller", ids(0x8086, 0x24cd), EHCI),
        ("usb", Some("ich9-ehci1")) => usb("USB 2 controller", ids(0x8086, 0x293a), EHCI),
        ("usb", Some("nec-xhci")) => usb("USB 3 controller", ids(0x1033, 0x0194), XHCI),
        ("usb", Some("qemu-xhci")) => usb("USB 3 controller", ids(0x1b36, 0x000d), XHCI),
        ("usb", _) => unknown(SerialBus, "USB controller"),
        // Only the chipset of q35 brings one by itself, and libvirt adds the same.
        ("sata", _) => what(Storage, "SATA controller", ids(0x8086, 0x2922), 0x01_06_01),
        ("ide", _) => unknown(Storage, "IDE controller"),
        ("nvme", _) => what(Storage, "NVMe controller", ids(0x1b36, 0x0010), 0x01_08_02),
        ("virtio-serial", _) => what(
            Communication,
            "virtio serial controller",
            virtio(3, Some(0x1003), model, place),
            COMMUNICATION,
        ),
        ("scsi", Some("lsilogic")) => what(
            Storage,
            "lsilogic SCSI controller",
            ids(0x1000, 0x0012),
            SCSI,
        ),
        ("scsi", Some("lsisas1068")) => what(
            Storage,
            "lsisas1068 SCSI controller",
            ids(0x1000, 0x0054),
            SCSI,
        ),
        ("scsi", Some("lsisas1078")) => what(
            Storage,
            "lsisas1078 SCSI controller",
            ids(0x1000, 0x0060),
            RAID,
        ),
        ("scsi", Some("vmpvscsi")) => what(
            Storage,
            "vmpvscsi SCSI controller",
            ids(0x15ad, 0x07c0),
            SCSI,
        ),
        ("scsi", Some(model)) if model.starts_with("virtio") => what(
            Storage,
            "virtio SCSI controller",
            virtio(8, Some(0x1004), Some(model), place),
            SCSI,
        ),
        ("scsi", _) => unknown(Storage, "SCSI controller"),
        ("pci", _) => unknown(Bridge, "PCI controller"),
        _ => unknown(PciKind::Other, "controller"),
    }
}

fn video(doc: &Doc, node: Node) -> What {
    let display = |name, ids, class| what(PciKind::Display, name, ids, class);
    let model = doc.child(node, "model");
    let of = |name| model.and_then(|model| doc.attr(model, name));
    let is_primary = of("primary") == Some("yes");
    match of("type") {
        Some("vga") => display("VGA adapter", ids(0x1234, 0x1111), VGA),
        Some("bochs") => display("bochs display adapter", ids(0x1234, 0x1111), DISPLAY),
        Some("cirrus") => display("cirrus VGA adapter", ids(0x1013, 0x00b8), VGA),
        Some("vmvga") => display("vmvga adapter", ids(0x15ad, 0x0405), VGA),
        Some("qxl") => {
            let class = if is_primary { VGA } else { DISPLAY };
            display("qxl display adapter", ids(0x1b36, 0x0100), class)
        }
        // The first one may pose as a VGA adapter besides, or may not.
        Some("virtio") if is_primary => What {
            class: None,
            ..display("virtio display adapter", virtio_1(16), DISPLAY)
        },
        Some("virtio") => display("virtio display adapter", virtio_1(16), DISPLAY),
        _ => unknown(PciKind::Display, "display adapter"),
    }
}

fn sound(model: Option<&str>) -> What {
    let sound = |name, ids, class| what(PciKind::Other, name, ids, class);
    match model {
        Some("ich6") => sound("ich6 sound", ids(0x8086, 0x2668), 0x04_03_00),
        Some("ich9") => sound("ich9 sound", ids(0x8086, 0x293e), 0x04_03_00),
        Some("ac97") => sound("ac97 sound", ids(0x8086, 0x2415), 0x04_01_00),
        Some("es1370") => sound("es1370 sound", ids(0x1274, 0x5000), 0x04_01_00),
        _ => unknown(PciKind::Other, "sound"),
    }
}

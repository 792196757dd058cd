//! The devices of a domain that a machine can boot from.

use std::collections::BTreeSet;

use xot::Node;

use super::xml::Doc;
use crate::backend::BootTarget;
use crate::id::BootOptionId;

/// A device that can stand in the boot order.
#[derive(Clone, Debug)]
pub(super) struct Device {
    pub node: Node,
    /// Tells it from the domain's others, for as long as it is there: `disk:vda`, `nic:52:54:00:…`.
    pub key: String,
    /// Its kind; `None` for what Redfish has no word for (a floppy drive): it keeps its place in the order, but cannot be named.
    pub target: Option<BootTarget>,
    /// For people.
    pub name: String,
    /// libvirt's alias, which is QEMU's id of it; only of live domains.
    pub alias: Option<String>,
    /// Its own `<boot order>`.
    pub order: Option<u32>,
}

/// All of them, in the order of the document.
pub(super) fn all(doc: &Doc) -> Vec<Device> {
    let Some(devices) = doc.path(&["devices"]) else {
        return Vec::new();
    };
    let mut found: Vec<Device> = doc
        .elements(devices)
        .filter_map(|node| {
            let (target, key, name) = recognise(doc, node)?;
            Some(Device {
                node,
                key,
                target,
                name,
                alias: doc.child_attr(node, "alias", "name").map(str::to_owned),
                order: doc
                    .child_attr(node, "boot", "order")
                    .and_then(|order| order.parse().ok()),
            })
        })
        .collect();
    // Two of one name (a MAC address given twice) are told apart by their order.
    let mut seen = BTreeSet::new();
    for device in &mut found {
        let plain = device.key.clone();
        let mut n = 1;
        while !seen.insert(device.key.clone()) {
            n += 1;
            device.key = format!("{plain}#{n}");
        }
    }
    found
}

fn recognise(doc: &Doc, node: Node) -> Option<(Option<BootTarget>, String, String)> {
    let has_order = doc.child(node, "boot").is_some();
    match doc.name(node) {
        "disk" => {
            let dev = doc.child_attr(node, "target", "dev")?;
            let usb = doc.child_attr(node, "target", "bus") == Some("usb");
            let (target, what) = match doc.attr(node, "device").unwrap_or("disk") {
                "cdrom" => (Some(BootTarget::Cd), "cd"),
                "floppy" => (None, "floppy"),
                _ if usb => (Some(BootTarget::Usb), "usb disk"),
                _ => (Some(BootTarget::Hdd), "disk"),
            };
            Some((target, format!("disk:{dev}"), format!("{what} {dev}")))
        }
        "interface" => {
            let mac = doc
                .child_attr(node, "mac", "address")
                .map_or_else(|| "?".to_owned(), str::to_ascii_lowercase);
            Some((
                Some(BootTarget::Pxe),
                format!("nic:{mac}"),
                format!("network {mac}"),
            ))
        }
        "hostdev" => {
            let kind = doc.attr(node, "type").unwrap_or_default();
            let target = match kind {
                "usb" => BootTarget::Usb,
                "scsi" | "scsi_host" => BootTarget::Hdd,
                // Whether it is a network card is not said; it is one if somebody boots from it.
                "pci" if has_order => BootTarget::Pxe,
                _ => return None,
            };
            let source = doc.child(node, "source")?;
            let place: Vec<String> = doc
                .elements(source)
                .flat_map(|part| doc.attrs(part))
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            let place = place.join(",");
            Some((
                Some(target),
                format!("hostdev:{kind}:{place}"),
                format!("host device {kind} {place}"),
            ))
        }
        "redirdev" if has_order => Some((
            Some(BootTarget::Usb),
            "redirdev".to_owned(),
            "redirected usb device".to_owned(),
        )),
        _ => None,
    }
}

/// Identifiers of boot options, one for each device. They follow from the device alone, so that they stay when others come and go: `Boot00xx` is a
/// disk by the letters of its target (`vda` is `Boot0000`), `Boot01xx` one whose target begins with `sd`, `Boot02xx` with `hd`; `Boot1xxx` is
/// a network card by its address; `Boot2xxx` is anything else.
pub(super) fn option_ids(devices: &[Device]) -> Vec<BootOptionId> {
    let mut taken = BTreeSet::new();
    devices
        .iter()
        .map(|device| {
            let mut number = number(&device.key);
            // Only hashed ones can clash.
            while !taken.insert(number) {
                number = number.wrapping_add(1);
            }
            BootOptionId::parse(&format!("Boot{number:04X}")).expect("letters and digits")
        })
        .collect()
}

fn number(key: &str) -> u16 {
    if let Some(dev) = key.strip_prefix("disk:") {
        for (range, prefix) in (0_u16..).zip(["vd", "sd", "hd", "fd", "xvd", "ubd"]) {
            if let Some(letters) = dev.strip_prefix(prefix)
                && let Some(index) = index(letters)
            {
                return (range << 8) | index;
            }
        }
    }
    let base = if key.starts_with("nic:") {
        0x1000
    } else {
        0x2000
    };
    base | (fnv(key.as_bytes()) & 0x0fff)
}

/// `a` is 0, `z` 25, `aa` 26.
fn index(letters: &str) -> Option<u16> {
    let mut index = 0_u16;
    if letters.is_empty() || letters.len() > 2 {
        return None;
    }
    for letter in letters.bytes() {
        if !letter.is_ascii_lowercase() {
            return None;
        }
        index = index * 26 + u16::from(letter - b'a') + 1;
    }
    (index <= 256).then(|| index - 1)
}

/// FNV-1a, folded: small, and the same on every machine and in every version.
fn fnv(bytes: &[u8]) -> u16 {
    let hash = bytes.iter().fold(0x811c_9dc5_u32, |hash, &byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    ((hash >> 16) ^ hash) as u16
}

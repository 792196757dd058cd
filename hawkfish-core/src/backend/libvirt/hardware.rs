//! The parts of a machine that its domain's XML tells of.

use super::xml::Doc;
use crate::backend::{Hardware, Nic};

/// Reads the parts of a machine.
pub(super) fn read(doc: &Doc) -> Hardware {
    Hardware {
        board: doc
            .path(&["os", "type"])
            .and_then(|node| doc.attr(node, "machine"))
            .map(str::to_owned),
        nics: nics(doc),
        ..Hardware::default()
    }
}

fn nics(doc: &Doc) -> Vec<Nic> {
    let Some(devices) = doc.path(&["devices"]) else {
        return Vec::new();
    };
    doc.elements(devices)
        .filter(|node| doc.name(*node) == "interface")
        .enumerate()
        .filter_map(|(place, node)| {
            Some(Nic {
                name: format!("net{place}"),
                mac: doc.child_attr(node, "mac", "address")?.to_ascii_lowercase(),
                model: doc.child_attr(node, "model", "type").map(str::to_owned),
                attachment: None,
                vlan: None,
                link_up: doc.child_attr(node, "link", "state") != Some("down"),
                mtu: doc
                    .child_attr(node, "mtu", "size")
                    .and_then(|size| size.parse().ok()),
                pci: None,
                addresses: Vec::new(),
            })
        })
        .collect()
}

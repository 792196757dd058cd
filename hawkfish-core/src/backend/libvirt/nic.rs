//! The network interfaces of a domain: reading them, and plugging their cables in and out.

use std::collections::BTreeMap;

use virt::domain::Domain;
use virt::sys;
use xot::Node;

use super::xml::Doc;
use super::{fault, pci};
use crate::backend::{MachineKey, Nic};
use crate::error::{Error, Invalid, Result};

/// All of them, in the order of the document.
pub(super) fn read(doc: &Doc, devices: Node) -> Vec<Nic> {
    nodes(doc, devices)
        .enumerate()
        .filter_map(|(place, node)| {
            let model = doc.child_attr(node, "model", "type");
            Some(Nic {
                name: format!("net{place}"),
                mac: mac(doc, node)?,
                model: model.map(Into::into),
                attachment: attachment(doc, node),
                vlan: vlan(doc, node),
                link_up: doc.child_attr(node, "link", "state") != Some("down"),
                mtu: doc
                    .child_attr(node, "mtu", "size")
                    .and_then(|size| size.parse().ok()),
                pci: pci::address(doc, node),
                addresses: Vec::new(),
                manufacturer: None,
                mbps: model.and_then(mbps),
                link_settable: is_settable(doc, node),
            })
        })
        .collect()
}

fn nodes(doc: &Doc, devices: Node) -> impl Iterator<Item = Node> + '_ {
    doc.elements(devices)
        .filter(|node| doc.name(*node) == "interface")
}

fn mac(doc: &Doc, node: Node) -> Option<String> {
    Some(doc.child_attr(node, "mac", "address")?.to_ascii_lowercase())
}

/// A card of the host's has a cable of its own.
fn is_settable(doc: &Doc, node: Node) -> bool {
    !matches!(doc.attr(node, "type"), Some("hostdev" | "vdpa") | None)
}

/// What QEMU's models tell the guest; one of virtio says nothing unless it is told.
fn mbps(model: &str) -> Option<u32> {
    match model {
        "e1000" | "e1000e" | "igb" => Some(1000),
        "rtl8139" => Some(100),
        "vmxnet3" => Some(10_000),
        _ => None,
    }
}

fn attachment(doc: &Doc, node: Node) -> Option<String> {
    let source = doc.child(node, "source");
    let of = |name| source.and_then(|source| doc.attr(source, name));
    let named = |kind: &str, name: Option<&str>| match name {
        Some(name) => format!("{kind} {name}"),
        None => kind.to_owned(),
    };
    Some(match doc.attr(node, "type")? {
        "network" => {
            let network = named("network", of("network"));
            match of("portgroup") {
                Some(group) => format!("{network}, port group {group}"),
                None => network,
            }
        }
        "bridge" => named("bridge", of("bridge")),
        "direct" => named("host interface", of("dev")),
        "user" => "user network of the host".to_owned(),
        "hostdev" => "host device".to_owned(),
        other => named(other, of("dev").or(of("path"))),
    })
}

/// The VLAN, where it is one alone.
fn vlan(doc: &Doc, node: Node) -> Option<u16> {
    let vlan = doc.child(node, "vlan")?;
    let mut tags = doc.children(vlan, "tag");
    let tag = tags.next()?;
    if tags.next().is_some() || doc.attr(vlan, "trunk") == Some("yes") {
        return None;
    }
    doc.attr(tag, "id")?.parse().ok()
}

/// The interface of a document that is one of a machine's: the one with its address, and of several such, the one in the same place among them.
fn find(doc: &Doc, nics: &[Nic], name: &str) -> Option<Node> {
    let place = nics.iter().position(|nic| nic.name == name)?;
    let address = &nics[place].mac;
    let before = nics[..place].iter().filter(|nic| nic.mac == *address);
    let devices = doc.path(&["devices"])?;
    nodes(doc, devices)
        .filter(|&node| mac(doc, node).as_ref() == Some(address))
        .nth(before.count())
}

/// Refuses what a machine's interfaces cannot take.
pub(super) fn check(nics: &[Nic], wanted: &BTreeMap<String, bool>) -> Result<()> {
    for (name, up) in wanted {
        let refused = |message: &'static str| {
            let value = up.to_string();
            Error::invalid("/InterfaceEnabled", value, Invalid::ReadOnly, message)
        };
        match nics.iter().find(|nic| nic.name == *name) {
            Some(nic) if nic.link_settable || nic.link_up == *up => {}
            Some(_) => {
                return Err(refused(
                    "The cable of this interface is not the hypervisor's.",
                ));
            }
            None => return Err(refused("This machine has no such network interface.")),
        }
    }
    Ok(())
}

/// Plugs cables in or out in a document. Returns the elements that are then not as they were; one that only the other document has is left out.
pub(super) fn set_links(doc: &mut Doc, nics: &[Nic], wanted: &BTreeMap<String, bool>) -> Vec<Node> {
    let mut changed = Vec::new();
    for (name, up) in wanted {
        let Some(node) = find(doc, nics, name) else {
            continue;
        };
        let is_up = doc.child_attr(node, "link", "state") != Some("down");
        if is_up == *up {
            continue;
        }
        if *up {
            doc.remove_children(node, "link");
        } else {
            let link = match doc.child(node, "link") {
                Some(link) => link,
                None => doc.add(node, "link"),
            };
            doc.set_attr(link, "state", "down");
        }
        changed.push(node);
    }
    changed
}

/// Plugs cables of a running machine in or out. `live` is its live document.
pub(super) fn set_live_links(
    domain: &Domain,
    key: MachineKey,
    mut live: Doc,
    nics: &[Nic],
    wanted: &BTreeMap<String, bool>,
) -> Result<()> {
    for node in set_links(&mut live, nics, wanted) {
        // Without the element, libvirt leaves the cable as it is.
        if live.child(node, "link").is_none() {
            live.add_with(node, "link", &[("state", "up")]);
        }
        let text = live.element_text(node);
        domain
            .update_device_flags(&text, sys::VIR_DOMAIN_AFFECT_LIVE)
            .map_err(|error| fault::of(&error, "plug the cable in or out", key))?;
    }
    Ok(())
}

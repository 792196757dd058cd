//! Boot order and boot override in a domain's XML.
//!
//! libvirt knows two ways, of which a domain uses one: classes in `<os>` (`<boot dev='hd'/>`, the first device of each), and a number on each device
//! (`<boot order='1'/>`). An override needs the second; what was there before is noted ([`Marker`]) and put back exactly.

use super::device::{self, Device};
use super::marker::{self, Marker, Over, Phase};
use super::xml::Doc;
use crate::backend::{BootOverride, BootTarget};
use crate::error::Result;

/// Keys of the devices in the order in which the firmware tries them, as the document stands: with the override, if there is one.
pub(super) fn effective(doc: &Doc) -> Vec<String> {
    let devices = device::all(doc);
    let own: Vec<(String, u32)> = devices
        .iter()
        .filter_map(|d| Some((d.key.clone(), d.order?)))
        .collect();
    let classes = doc.path(&["os"]).map_or_else(Vec::new, |os| {
        doc.children(os, "boot")
            .filter_map(|boot| doc.attr(boot, "dev").map(str::to_owned))
            .collect()
    });
    in_order(&devices, own, &classes)
}

/// The same without the override.
pub(super) fn normal(doc: &Doc) -> Vec<String> {
    let Some(over) = Marker::read(doc).over else {
        return effective(doc);
    };
    let attribute = |text: &str, name: &str| {
        let was = Doc::parse(text).ok()?;
        was.attr(was.top(), name).map(str::to_owned)
    };
    let devices = device::all(doc);
    let own = over
        .devices
        .iter()
        .filter(|(key, ..)| devices.iter().any(|d| d.key == *key))
        .filter_map(|(key, _, text)| Some((key.clone(), attribute(text, "order")?.parse().ok()?)))
        .collect();
    let classes: Vec<String> = over
        .os
        .iter()
        .filter_map(|(_, text)| attribute(text, "dev"))
        .collect();
    in_order(&devices, own, &classes)
}

fn in_order(devices: &[Device], mut own: Vec<(String, u32)>, classes: &[String]) -> Vec<String> {
    if !own.is_empty() {
        own.sort_by_key(|(_, order)| *order);
        return own.into_iter().map(|(key, _)| key).collect();
    }
    let default = ["hd".to_owned()];
    let classes = if classes.is_empty() {
        &default
    } else {
        classes
    };
    classes
        .iter()
        .filter_map(|class| {
            let is_of_class = |d: &&Device| match class.as_str() {
                "hd" => {
                    matches!(d.target, Some(BootTarget::Hdd | BootTarget::Usb))
                        && d.key.starts_with("disk:")
                }
                "cdrom" => d.target == Some(BootTarget::Cd),
                "network" => d.key.starts_with("nic:"),
                "fd" => d.target.is_none(),
                _ => false,
            };
            Some(devices.iter().find(is_of_class)?.key.clone())
        })
        .collect()
}

/// The order with an override in front. `first` is the device of the slot that the target stands for, if there is one.
fn overridden(doc: &Doc, target: BootTarget, first: Option<&str>) -> Vec<String> {
    let devices = device::all(doc);
    let normal = normal(doc);
    let is_meant = |key: &String| {
        devices
            .iter()
            .any(|d| d.key == *key && d.target == Some(target))
    };
    let mut order: Vec<String> = Vec::new();
    let wanted = first
        .map(str::to_owned)
        .into_iter()
        .chain(normal.iter().filter(|key| is_meant(key)).cloned())
        .chain(devices.iter().map(|d| d.key.clone()).filter(is_meant))
        .filter(is_meant)
        .collect::<Vec<_>>();
    for key in wanted.into_iter().chain(normal) {
        if !order.contains(&key) {
            order.push(key);
        }
    }
    order
}

/// Gives each device of `order` its place, and no other device one.
fn number(doc: &mut Doc, order: &[String]) {
    if let Some(os) = doc.path(&["os"]) {
        doc.remove_children(os, "boot");
    }
    for device in device::all(doc) {
        match order.iter().position(|key| *key == device.key) {
            Some(place) => {
                let boot = doc.child(device.node, "boot").unwrap_or_else(|| {
                    match doc.child(device.node, "target") {
                        Some(target) => doc.add_after(target, "boot"),
                        None => doc.add(device.node, "boot"),
                    }
                });
                doc.set_attr(boot, "order", &(place + 1).to_string());
            }
            None => doc.remove_children(device.node, "boot"),
        }
    }
}

/// Sets the override, in front of the order as it is without one.
pub(super) fn set_override(doc: &mut Doc, over: BootOverride, id: String) {
    let mut marker = Marker::read(doc);
    match &mut marker.over {
        Some(noted) => {
            noted.over = over;
            noted.id = id;
            noted.phase = Phase::Set;
        }
        None => {
            let os = doc.path(&["os"]).map_or_else(Vec::new, |os| {
                doc.children(os, "boot")
                    .map(|boot| (doc.place(boot), doc.element_text(boot)))
                    .collect()
            });
            let devices = device::all(doc)
                .into_iter()
                .filter_map(|device| {
                    let boot = doc.child(device.node, "boot")?;
                    Some((device.key, doc.place(boot), doc.element_text(boot)))
                })
                .collect();
            marker.over = Some(Over {
                over,
                id,
                phase: Phase::Set,
                os,
                devices,
            });
        }
    }
    marker.write(doc);
    renumber(doc);
}

/// Brings the order of the document in line with its override, after devices came or went. Does nothing without an override.
pub(super) fn renumber(doc: &mut Doc) {
    let marker = Marker::read(doc);
    let Some(noted) = &marker.over else { return };
    let slot = match noted.over.target {
        BootTarget::Cd => super::media::device_key(doc, "Cd"),
        BootTarget::Usb => super::media::device_key(doc, "Usb"),
        _ => None,
    };
    let order = overridden(doc, noted.over.target, slot.as_deref());
    number(doc, &order);
}

/// Takes the override away and puts back what was there before it.
pub(super) fn clear_override(doc: &mut Doc) -> Result<()> {
    let Some(noted) = Marker::edit(doc, |marker| marker.over.take()) else {
        return Ok(());
    };
    number(doc, &[]);
    if let Some(os) = doc.path(&["os"]) {
        marker::put_back(doc, os, &noted.os)?;
    }
    for device in device::all(doc) {
        for (key, place, text) in &noted.devices {
            if *key == device.key {
                doc.insert_text(device.node, *place, text)?;
            }
        }
    }
    Ok(())
}

/// Sets the order; an override stays in front of it.
pub(super) fn set_order(doc: &mut Doc, order: &[String]) -> Result<()> {
    let named: Vec<String> = normal(doc)
        .into_iter()
        .filter(|key| {
            device::all(doc)
                .iter()
                .any(|d| d.key == *key && d.target.is_some())
        })
        .collect();
    if named == order {
        return Ok(());
    }
    let noted = Marker::read(doc).over;
    clear_override(doc)?;
    // What cannot be named in an order stays behind what can.
    let mut all = order.to_vec();
    all.extend(normal(doc).into_iter().filter(|key| {
        device::all(doc)
            .iter()
            .any(|d| d.key == *key && d.target.is_none())
    }));
    number(doc, &all);
    if let Some(noted) = noted {
        set_override(doc, noted.over, noted.id);
    }
    Ok(())
}

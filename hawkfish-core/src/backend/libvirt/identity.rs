//! What a domain says of itself in SMBIOS.

use super::firmware::Make;
use super::xml::Doc;
use crate::backend::Identity;
use crate::error::{Conflict, Error, Invalid, Result};

/// Longest asset tag, in bytes; SMBIOS itself sets no bound that matters.
pub(super) const LONGEST_ASSET_TAG: usize = 255;

/// What `<smbios mode>` says: QEMU makes the tables up, the host's are shown, or `<sysinfo>` is.
fn source(doc: &Doc) -> Option<&str> {
    doc.attr(doc.path(&["os", "smbios"])?, "mode")
}

fn sysinfo(doc: &Doc) -> Option<xot::Node> {
    doc.children(doc.top(), "sysinfo")
        .find(|&node| doc.attr(node, "type") == Some("smbios"))
}

fn entry(doc: &Doc, group: &str, name: &str) -> Option<String> {
    let group = doc.child(sysinfo(doc)?, group)?;
    let entry = doc
        .children(group, "entry")
        .find(|&node| doc.attr(node, "name") == Some(name))?;
    doc.string(entry)
}

/// Reads it. What nothing says is what QEMU says by itself; where the host's own tables are shown, nothing is known.
pub(super) fn read(doc: &Doc, make: &Make, is_qemu: bool) -> Identity {
    let source = source(doc);
    let mut identity = if is_qemu && source != Some("host") {
        defaults(make)
    } else {
        Identity::default()
    };
    if source == Some("sysinfo") {
        let put = |value: &mut Option<String>, group, name| {
            if let Some(said) = entry(doc, group, name) {
                *value = Some(said);
            }
        };
        put(&mut identity.manufacturer, "system", "manufacturer");
        put(&mut identity.product, "system", "product");
        put(&mut identity.version, "system", "version");
        put(&mut identity.serial, "system", "serial");
        put(&mut identity.sku, "system", "sku");
        put(&mut identity.family, "system", "family");
        put(&mut identity.asset_tag, "chassis", "asset");
        put(&mut identity.bios_version, "bios", "version");
    }
    identity
}

fn defaults(make: &Make) -> Identity {
    let product = if make.is_q35() {
        "Standard PC (Q35 + ICH9, 2009)"
    } else if make.is_i440fx() {
        "Standard PC (i440FX + PIIX, 1996)"
    } else if make.machine == "virt" || make.machine.starts_with("virt-") {
        if make.domain == "kvm" {
            "KVM Virtual Machine"
        } else {
            "QEMU Virtual Machine"
        }
    } else {
        return Identity::default();
    };
    Identity {
        manufacturer: Some("QEMU".to_owned()),
        product: Some(product.to_owned()),
        // An alias such as `q35` is not what the guest sees.
        version: make.machine.contains('-').then(|| make.machine.clone()),
        ..Identity::default()
    }
}

/// Sets the asset tag, or takes it away if empty; all else that is said stays.
pub(super) fn set_asset_tag(doc: &mut Doc, tag: &str) -> Result<()> {
    if tag.len() > LONGEST_ASSET_TAG {
        let length = Invalid::Length {
            min: 0,
            max: LONGEST_ASSET_TAG as u32,
        };
        return Err(Error::invalid(
            "/AssetTag",
            tag,
            length,
            "The asset tag is too long.",
        ));
    }
    if tag.chars().any(char::is_control) || tag.trim() != tag {
        return Err(Error::invalid(
            "/AssetTag",
            tag,
            Invalid::Format,
            "The asset tag has control characters in it, or white space around it.",
        ));
    }
    if entry(doc, "chassis", "asset").as_deref().unwrap_or("") == tag
        && (tag.is_empty() || source(doc) == Some("sysinfo"))
    {
        return Ok(());
    }
    if tag.is_empty() {
        remove_asset_tag(doc);
        return Ok(());
    }
    if source(doc) == Some("host") {
        return Err(Error::conflict(
            Conflict::NotAllowed,
            "The machine shows its host's own identity, which has no place for an asset tag.",
        ));
    }
    let sysinfo = sysinfo(doc).unwrap_or_else(|| {
        let node = match doc.path(&["os"]) {
            Some(os) => doc.add_before(os, "sysinfo"),
            None => doc.add(doc.top(), "sysinfo"),
        };
        doc.set_attr(node, "type", "smbios");
        node
    });
    let chassis = doc.child(sysinfo, "chassis").unwrap_or_else(|| {
        // The schema wants the groups in this order.
        let before = ["baseBoard", "system", "bios"]
            .into_iter()
            .find_map(|name| doc.children(sysinfo, name).last());
        let first = doc.elements(sysinfo).next();
        match (before, first) {
            (Some(before), _) => doc.add_after(before, "chassis"),
            (None, Some(first)) => doc.add_before(first, "chassis"),
            (None, None) => doc.add(sysinfo, "chassis"),
        }
    });
    let present = doc
        .children(chassis, "entry")
        .find(|&node| doc.attr(node, "name") == Some("asset"));
    let entry = present.unwrap_or_else(|| doc.add_with(chassis, "entry", &[("name", "asset")]));
    doc.set_string(entry, tag);
    if let Some(os) = doc.path(&["os"]) {
        let smbios = match doc.child(os, "smbios") {
            Some(smbios) => smbios,
            None => doc.add(os, "smbios"),
        };
        doc.set_attr(smbios, "mode", "sysinfo");
    }
    Ok(())
}

fn remove_asset_tag(doc: &mut Doc) {
    let Some(sysinfo) = sysinfo(doc) else { return };
    let Some(chassis) = doc.child(sysinfo, "chassis") else {
        return;
    };
    let entries: Vec<_> = doc
        .children(chassis, "entry")
        .filter(|&node| doc.attr(node, "name") == Some("asset"))
        .collect();
    for entry in entries {
        doc.remove(entry);
    }
    if !doc.is_blank(chassis) {
        return;
    }
    doc.remove(chassis);
    if doc.is_blank(sysinfo) {
        doc.remove(sysinfo);
        // libvirt refuses to show what is not there.
        if let Some(smbios) = doc.path(&["os", "smbios"])
            && doc.attr(smbios, "mode") == Some("sysinfo")
        {
            doc.remove(smbios);
        }
    }
}

//! Which firmware starts a domain, and switching it.

use std::collections::BTreeSet;

use super::marker::{self, Firmware, Marker};
use super::xml::Doc;
use crate::backend::BootMode;
use crate::error::Result;

/// Children of `<os>` that say which firmware there is.
const ELEMENTS: [&str; 3] = ["firmware", "loader", "nvram"];

/// The firmware that a document names.
pub(super) fn mode(doc: &Doc) -> BootMode {
    let Some(os) = doc.path(&["os"]) else {
        return BootMode::Legacy;
    };
    let is_efi = match doc.attr(os, "firmware") {
        Some(auto) => auto == "efi",
        None => doc.child(os, "loader").is_some_and(|loader| {
            doc.attr(loader, "type") == Some("pflash")
                || doc.string(loader).is_some_and(|path| {
                    let path = path.to_ascii_lowercase();
                    ["ovmf", "edk2", "aavmf", "efi"]
                        .iter()
                        .any(|word| path.contains(word))
                })
        }),
    };
    if is_efi {
        BootMode::Uefi
    } else {
        BootMode::Legacy
    }
}

/// Whether secure boot is in force: the firmware can do it and has keys. `None` for a PC BIOS.
///
/// Where a domain names its firmware by files rather than by features, whether there are keys shows only in the name of the template that its
/// variables were made from: edk2's builders mark those as `.ms.`, `secboot`, `enrolled` or `snakeoil`.
pub(super) fn secure(doc: &Doc) -> Option<bool> {
    if mode(doc) == BootMode::Legacy {
        return None;
    }
    let os = doc.path(&["os"])?;
    let feature = |name: &str| {
        let features = doc.child(os, "firmware")?;
        doc.children(features, "feature")
            .find(|&f| doc.attr(f, "name") == Some(name))
            .map(|f| doc.attr(f, "enabled") == Some("yes"))
    };
    if let Some(keys) = feature("enrolled-keys") {
        return Some(keys && feature("secure-boot") != Some(false));
    }
    if feature("secure-boot") == Some(false) {
        return Some(false);
    }
    let can = doc.child_attr(os, "loader", "secure") == Some("yes");
    let has_keys = doc
        .child_attr(os, "nvram", "template")
        .is_some_and(|template| {
            let template = template.to_ascii_lowercase();
            [".ms.", "secboot", "enrolled", "snakeoil"]
                .iter()
                .any(|word| template.contains(word))
        });
    Some(can && has_keys)
}

/// What decides whether a host has UEFI for a domain: emulator, architecture, machine type and type of domain.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Make {
    pub emulator: Option<String>,
    pub arch: String,
    pub machine: String,
    pub domain: String,
}

impl Make {
    pub(super) fn of(doc: &Doc) -> Self {
        let os_type = doc.path(&["os", "type"]);
        let attr = |name| os_type.and_then(|node| doc.attr(node, name));
        Self {
            emulator: doc
                .path(&["devices", "emulator"])
                .and_then(|node| doc.string(node)),
            arch: attr("arch").unwrap_or_default().to_owned(),
            machine: attr("machine").unwrap_or_default().to_owned(),
            domain: doc.attr(doc.top(), "type").unwrap_or_default().to_owned(),
        }
    }

    pub(super) fn is_pc(&self) -> bool {
        matches!(self.arch.as_str(), "x86_64" | "i686")
    }

    /// Machine types of the ICH9 chipset, which have SATA and PCI Express.
    pub(super) fn is_q35(&self) -> bool {
        self.machine.contains("q35")
    }

    /// Machine types of the i440FX chipset, which have IDE.
    pub(super) fn is_i440fx(&self) -> bool {
        self.is_pc()
            && (self.machine == "pc"
                || self.machine.starts_with("pc-i440fx")
                || self.machine.starts_with("pc-0")
                || self.machine.starts_with("pc-1"))
    }
}

/// Firmwares that a domain can be switched to. Only PCs have two; `has_efi` says that the host has UEFI for this make.
pub(super) fn modes(doc: &Doc, make: &Make, has_efi: bool) -> BTreeSet<BootMode> {
    let mut modes = BTreeSet::from([mode(doc)]);
    let is_switchable = make.is_pc() && (make.is_q35() || make.is_i440fx());
    // Without ACPI, which not every guest bears, a PC has no UEFI.
    if is_switchable && doc.path(&["features", "acpi"]).is_some() {
        modes.insert(BootMode::Legacy);
        if has_efi {
            modes.insert(BootMode::Uefi);
        }
    }
    modes
}

/// Switches the firmware. What was said of the one in use is noted, and put back when it is switched to again.
pub(super) fn set_mode(doc: &mut Doc, wanted: BootMode) -> Result<()> {
    let now = mode(doc);
    let Some(os) = doc.path(&["os"]).filter(|_| now != wanted) else {
        return Ok(());
    };
    let noted = Marker::edit(doc, |marker| marker.firmware.take());
    let present: Vec<_> = doc
        .elements(os)
        .filter(|&node| ELEMENTS.contains(&doc.name(node)) && doc.namespace(node).is_empty())
        .collect();
    let was = Firmware {
        mode: now,
        auto: doc.attr(os, "firmware").map(str::to_owned),
        elements: present
            .iter()
            .map(|&node| (doc.place(node), doc.element_text(node)))
            .collect(),
    };
    for node in present {
        doc.remove(node);
    }
    doc.remove_attr(os, "firmware");
    match noted.filter(|noted| noted.mode == wanted) {
        Some(noted) => {
            if let Some(auto) = &noted.auto {
                doc.set_attr(os, "firmware", auto);
            }
            marker::put_back(doc, os, &noted.elements)?;
        }
        None => {
            if wanted == BootMode::Uefi {
                doc.set_attr(os, "firmware", "efi");
                let firmware = match doc.child(os, "type") {
                    Some(kind) => doc.add_after(kind, "firmware"),
                    None => doc.add(os, "firmware"),
                };
                let no = [("enabled", "no"), ("name", "secure-boot")];
                doc.add_with(firmware, "feature", &no);
            }
            Marker::edit(doc, |marker| marker.firmware = Some(was));
        }
    }
    Ok(())
}

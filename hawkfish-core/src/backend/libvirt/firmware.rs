//! Which firmware starts a domain, and switching it.

use std::collections::BTreeSet;

use xot::Node;

use super::marker::{self, Firmware, Marker};
use super::xml::Doc;
use crate::backend::BootMode;
use crate::error::{Error, Result};

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

/// Switches the firmware. What was said of it before HawkFish first switched is noted, and put back when it is switched to again.
pub(super) fn set_mode(doc: &mut Doc, wanted: BootMode) -> Result<()> {
    if mode(doc) == wanted {
        return Ok(());
    }
    switch(
        doc,
        |noted| noted.mode == wanted,
        |doc, os| {
            if wanted == BootMode::Uefi {
                choose(doc, os, false);
            }
        },
    )
}

/// Switches secure boot of a domain that starts by UEFI: to firmware that has it, with keys in it, or to one that has not.
///
/// Variables made for the one are of no use to the other, so each has its own; those of the other are kept for when it is switched back. `known` is where
/// those of what runs lie, or where libvirt would put them.
pub(super) fn set_secure(doc: &mut Doc, wanted: bool, known: Option<&str>) -> Result<()> {
    if secure(doc).unwrap_or(false) == wanted {
        return Ok(());
    }
    let own = doc
        .path(&["os", "nvram"])
        .and_then(|nvram| doc.string(nvram));
    let Some(path) = own
        .as_deref()
        .or(known)
        .map(|path| other_store(path, wanted))
    else {
        return Err(Error::unsupported(
            "Switching secure boot where the place of variables is not known",
        ));
    };
    switch(
        doc,
        |noted| noted.mode == BootMode::Uefi && noted.secure == wanted,
        |doc, os| {
            choose(doc, os, wanted);
            let firmware = doc.child(os, "firmware").expect("just chosen");
            let nvram = doc.add_after(firmware, "nvram");
            doc.set_string(nvram, &path);
        },
    )
}

/// The store of variables for the other state of secure boot: `x_VARS.fd` has keys or has not, beside it lies `x_VARS.secure.fd` or `x_VARS.plain.fd`.
fn other_store(path: &str, secure: bool) -> String {
    let (stem, end) = match path.rsplit_once('.') {
        Some((stem, end)) if !end.contains('/') => (stem, format!(".{end}")),
        _ => (path, String::new()),
    };
    let (ours, others) = if secure {
        (".secure", ".plain")
    } else {
        (".plain", ".secure")
    };
    match stem.strip_suffix(others) {
        Some(stem) => format!("{stem}{end}"),
        None => format!("{stem}{ours}{end}"),
    }
}

/// Where the system's libvirt puts variables of which nothing is said (`qemuDomainNVRAMPathFormat`).
pub(super) fn usual_nvram(doc: &Doc) -> Option<String> {
    let name = doc.child_string(doc.top(), "name")?;
    Some(format!("/var/lib/libvirt/qemu/nvram/{name}_VARS.fd"))
}

/// Where the variables of a domain that starts by UEFI lie.
pub(super) fn nvram(doc: &Doc) -> Option<String> {
    if mode(doc) == BootMode::Legacy {
        return None;
    }
    let said = doc.path(&["os", "nvram"]).and_then(|node| doc.string(node));
    said.or_else(|| usual_nvram(doc))
}

/// Lets libvirt choose a UEFI.
fn choose(doc: &mut Doc, os: Node, secure: bool) {
    doc.set_attr(os, "firmware", "efi");
    let firmware = match doc.child(os, "type") {
        Some(kind) => doc.add_after(kind, "firmware"),
        None => doc.add(os, "firmware"),
    };
    let enabled = if secure { "yes" } else { "no" };
    let mut feature = |name| {
        doc.add_with(firmware, "feature", &[("enabled", enabled), ("name", name)]);
    };
    feature("secure-boot");
    if secure {
        feature("enrolled-keys");
    }
}

/// Takes out what is said of the firmware, and puts in what was noted if it is what is wanted, or something new.
fn switch(
    doc: &mut Doc,
    is_wanted: impl Fn(&Firmware) -> bool,
    renew: impl FnOnce(&mut Doc, Node),
) -> Result<()> {
    let Some(os) = doc.path(&["os"]) else {
        return Ok(());
    };
    let noted = Marker::edit(doc, |marker| marker.firmware.take());
    let present: Vec<_> = doc
        .elements(os)
        .filter(|&node| ELEMENTS.contains(&doc.name(node)) && doc.namespace(node).is_empty())
        .collect();
    let was = Firmware {
        mode: mode(doc),
        secure: secure(doc).unwrap_or(false),
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
    match noted {
        Some(noted) if is_wanted(&noted) => {
            if let Some(auto) = &noted.auto {
                doc.set_attr(os, "firmware", auto);
            }
            marker::put_back(doc, os, &noted.elements)
        }
        noted => {
            renew(doc, os);
            // What there was at first, not what was in between.
            let first = noted.unwrap_or(was);
            Marker::edit(doc, |marker| marker.firmware = Some(first));
            Ok(())
        }
    }
}

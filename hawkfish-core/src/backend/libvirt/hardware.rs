//! The parts of a machine that its domain's XML tells of.

use xot::Node;

use super::xml::Doc;
use super::{facts, nic, pci};
use crate::backend::{
    Display, DisplayKind, Hardware, MemoryModule, Serial, Tpm, UsbController, Video, Watchdog,
    WatchdogAction,
};

/// Reads the parts of a machine.
pub(super) fn read(doc: &Doc) -> Hardware {
    let board = doc
        .path(&["os", "type"])
        .and_then(|node| doc.attr(node, "machine"));
    let mut hardware = Hardware {
        board: board.map(str::to_owned),
        ..Hardware::default()
    };
    let Some(devices) = doc.path(&["devices"]) else {
        return hardware;
    };
    // Only what runs has an id, and only what runs listens.
    let is_live = doc.attr(doc.top(), "id").is_some();
    let (mut modules, mut cards, mut usb) = (Vec::new(), Vec::new(), Vec::new());
    for node in doc.elements(devices) {
        match doc.name(node) {
            "memory" => modules.extend(module(doc, node, &modules)),
            "video" => cards.extend(video(doc, node)),
            "graphics" => hardware.displays.extend(display(doc, node, is_live)),
            "serial" => hardware.serials.push(serial(doc, node)),
            "controller" if doc.attr(node, "type") == Some("usb") => {
                usb.extend(usb_controller(doc, node));
            }
            "tpm" => hardware.tpm = hardware.tpm.or_else(|| tpm(doc, node)),
            "watchdog" => hardware.watchdog = hardware.watchdog.or_else(|| watchdog(doc, node)),
            _ => {}
        }
    }
    hardware.nics = nic::read(doc, devices);
    hardware.pci = pci::read(doc, devices, hardware.board.as_deref()).into();
    hardware.modules = modules.into();
    hardware.video = cards.into();
    hardware.usb = usb.into();
    hardware
}

/// A module that can be plugged in beside the memory that is on the board. `virtio-mem` and `virtio-pmem` are no modules.
fn module(doc: &Doc, node: Node, before: &[MemoryModule]) -> Option<MemoryModule> {
    let model = doc.attr(node, "model")?;
    if !matches!(model, "dimm" | "nvdimm") {
        return None;
    }
    let target = doc.child(node, "target")?;
    let number = before.iter().filter(|m| m.name.starts_with(model)).count();
    Some(MemoryModule {
        name: format!("{model}{number}"),
        kib: facts::kib(doc, doc.child(target, "size")?),
        persistent: model == "nvdimm",
        socket: None,
        make: None,
    })
}

fn video(doc: &Doc, node: Node) -> Option<Video> {
    let model = doc.child(node, "model")?;
    let name = doc.attr(model, "type").filter(|name| *name != "none")?;
    Some(Video {
        model: name.to_owned(),
        memory_kib: doc.attr(model, "vram").and_then(|kib| kib.parse().ok()),
        pci: pci::address(doc, node),
    })
}

fn display(doc: &Doc, node: Node, is_live: bool) -> Option<Display> {
    let kind = match doc.attr(node, "type")? {
        "vnc" => DisplayKind::Vnc,
        "spice" => DisplayKind::Spice,
        _ => return None,
    };
    let port = |name| doc.attr(node, name)?.parse().ok().filter(|port| *port != 0);
    Some(Display {
        kind,
        port: port("port").or_else(|| port("tlsPort")).filter(|_| is_live),
    })
}

fn serial(doc: &Doc, node: Node) -> Serial {
    let port = doc.child_attr(node, "target", "port");
    Serial {
        port: port.and_then(|port| port.parse().ok()).unwrap_or(0),
        interactive: matches!(
            doc.attr(node, "type"),
            Some("pty" | "unix" | "tcp" | "dev" | "pipe" | "spicevmc" | "nmdm")
        ),
    }
}

/// A controller of USB; not one that is a companion of another, for its slower devices.
fn usb_controller(doc: &Doc, node: Node) -> Option<UsbController> {
    let model = doc.attr(node, "model");
    if model == Some("none") || doc.child(node, "master").is_some() {
        return None;
    }
    let index: u32 = doc.attr(node, "index")?.parse().ok()?;
    Some(UsbController {
        name: format!("usb{index}"),
        model: model.map(str::to_owned),
        ports: doc.attr(node, "ports").and_then(|ports| ports.parse().ok()),
        pci: pci::address(doc, node),
    })
}

fn tpm(doc: &Doc, node: Node) -> Option<Tpm> {
    let backend = doc.child(node, "backend")?;
    let model = doc.attr(node, "model").unwrap_or("tpm-tis");
    let version = doc.attr(backend, "version").map(str::to_owned);
    Some(Tpm {
        // The command-response buffer came with 2.0, so a chip of the host's behind one is nothing older.
        version: version.or_else(|| (model == "tpm-crb").then(|| "2.0".to_owned())),
        model: model.to_owned(),
        emulated: doc.attr(backend, "type") == Some("emulator"),
    })
}

fn watchdog(doc: &Doc, node: Node) -> Option<Watchdog> {
    Some(Watchdog {
        model: doc.attr(node, "model")?.to_owned(),
        action: match doc.attr(node, "action").unwrap_or("reset") {
            "poweroff" => WatchdogAction::PowerOff,
            "shutdown" => WatchdogAction::Shutdown,
            "pause" => WatchdogAction::Pause,
            "inject-nmi" => WatchdogAction::Nmi,
            "dump" => WatchdogAction::Dump,
            "none" => WatchdogAction::None,
            _ => WatchdogAction::Reset,
        },
    })
}

#[cfg(test)]
mod tests;

//! What a domain's XML says, as facts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::firmware::{self, Make};
use super::knobs::{self, Offers};
use super::marker::Marker;
use super::xml::Doc;
use super::{device, hardware, identity, media, order, storage};
use crate::backend::{
    Boot, BootMode, BootOption, BootTarget, Hardware, Identity, Machine, MachineKey, Power,
    Processors, Slot, Storage,
};
use jiff::Timestamp;

/// Facts of one document: the definition of a domain, or the domain that runs.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Facts {
    pub name: String,
    title: Option<String>,
    description: Option<String>,
    processors: Processors,
    memory_kib: u64,
    identity: Identity,
    mode: BootMode,
    modes: BTreeSet<BootMode>,
    secure: Option<bool>,
    targets: BTreeSet<BootTarget>,
    options: Vec<BootOption>,
    pub marker: Marker,
    slots: Vec<Slot>,
    /// The order with the override, as keys of devices.
    pub effective: Vec<String>,
    pub console: Option<Console>,
    hardware: Arc<Hardware>,
    pub storage: storage::Told,
    pub knobs: Vec<knobs::Known>,
    /// Where its UEFI variables lie, if it has any: by its word, or by libvirt's own choice.
    pub nvram: Option<String>,
}

/// A file that holds what the guest writes to its first serial port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Console {
    pub path: String,
    /// What earlier runs wrote is still in it.
    pub keeps: bool,
}

/// What a document does not say but facts depend on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Surroundings {
    pub is_qemu: bool,
    pub offers: Offers,
}

impl Facts {
    pub(super) fn read(doc: &Doc, around: Surroundings) -> Self {
        let top = doc.top();
        let make = Make::of(doc);
        let devices = device::all(doc);
        let ids = device::option_ids(&devices);
        let normal = order::normal(doc);
        let direct_kernel = doc.path(&["os", "kernel"]).is_some();
        let place: BTreeMap<&str, usize> = normal
            .iter()
            .enumerate()
            .map(|(place, key)| (key.as_str(), place))
            .collect();
        let mut options: Vec<(usize, BootOption)> = devices
            .iter()
            .zip(ids)
            .filter_map(|(device, id)| {
                let place = place.get(device.key.as_str());
                let option = BootOption {
                    id,
                    name: device.name.clone(),
                    target: device.target?,
                    enabled: place.is_some(),
                };
                Some((place.copied().unwrap_or(usize::MAX), option))
            })
            .collect();
        options.sort_by_key(|(place, _)| *place);
        let slots = media::slots(doc);
        // A kernel given by the host is booted whatever the firmware's order says.
        let targets = if direct_kernel {
            BTreeSet::new()
        } else {
            devices
                .iter()
                .filter_map(|device| device.target)
                .chain(slots.iter().map(|slot| match slot.kind {
                    crate::backend::MediaKind::Cd => BootTarget::Cd,
                    crate::backend::MediaKind::Usb => BootTarget::Usb,
                }))
                .collect()
        };
        Self {
            name: doc.child_string(top, "name").unwrap_or_default(),
            title: doc.child_string(top, "title"),
            description: doc.child_string(top, "description"),
            processors: processors(doc, &make),
            memory_kib: memory_kib(doc),
            identity: identity::read(doc, &make, around.is_qemu),
            mode: firmware::mode(doc),
            modes: firmware::modes(doc, &make, around.offers.efi),
            secure: firmware::secure(doc),
            targets,
            options: options.into_iter().map(|(_, option)| option).collect(),
            marker: Marker::read(doc),
            slots,
            effective: order::effective(doc),
            console: console(doc),
            hardware: Arc::new(hardware::read(doc)),
            storage: storage::read(doc),
            knobs: knobs::read(doc, &make, around.offers),
            nvram: firmware::nvram(doc),
        }
    }

    /// Whether what runs may boot from something else at its next reset than its definition says.
    pub(super) fn is_out_of_order(&self, config: &Self) -> bool {
        self.marker.over.is_some()
            || config.marker.over.is_some()
            || self.effective != config.effective
    }
}

/// What is known of a domain besides its XML.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Condition {
    pub power: Power,
    pub crashed: bool,
    pub autostart: bool,
    pub last_reset: Option<Timestamp>,
}

/// A machine. What it is made of is told of what runs, if it runs; how it will start, of its definition.
pub(super) fn machine(
    key: MachineKey,
    config: &Facts,
    live: Option<&Facts>,
    condition: Condition,
    slots_of_live: bool,
    storage: Arc<Storage>,
) -> Machine {
    let now = live.unwrap_or(config);
    let slots = if slots_of_live { now } else { config };
    Machine {
        key,
        name: now.name.clone(),
        title: config.title.clone(),
        description: config.description.clone(),
        power: condition.power,
        crashed: condition.crashed,
        last_reset: condition.last_reset,
        processors: now.processors.clone(),
        memory_kib: now.memory_kib,
        identity: config.identity.clone(),
        boot: Boot {
            mode: now.mode,
            modes: config.modes.union(&now.modes).copied().collect(),
            secure: now.secure,
            over: config.marker.over.as_ref().map(|noted| noted.over),
            targets: config.targets.union(&now.targets).copied().collect(),
            options: config.options.clone(),
            http_uri: None,
        },
        slots: slots.slots.clone(),
        autostart: condition.autostart,
        hardware: Arc::clone(&now.hardware),
        storage,
        firmware: Arc::new(knobs::firmware(
            &config.knobs,
            live.map(|live| live.knobs.as_slice()),
        )),
    }
}

fn number(text: Option<&str>) -> Option<u32> {
    text?.trim().parse().ok()
}

fn processors(doc: &Doc, make: &Make) -> Processors {
    let vcpu = doc.path(&["vcpu"]);
    let most = vcpu
        .and_then(|node| number(doc.string(node).as_deref()))
        .unwrap_or(1);
    let online = vcpu
        .and_then(|node| number(doc.attr(node, "current")))
        .unwrap_or(most);
    let (sockets, cores, threads) = match doc.path(&["cpu", "topology"]) {
        Some(topology) => {
            let of = |name| number(doc.attr(topology, name)).unwrap_or(1);
            // Dies and clusters lie between sockets and cores; who counts cores counts all of them.
            (
                of("sockets"),
                of("dies") * of("clusters") * of("cores"),
                of("threads"),
            )
        }
        // Without a word, each processor is a socket of its own.
        None => (most, 1, 1),
    };
    Processors {
        sockets,
        cores,
        threads,
        online,
        model: doc
            .path(&["cpu", "model"])
            .and_then(|node| doc.string(node)),
        manufacturer: doc
            .path(&["cpu", "vendor"])
            .and_then(|node| doc.string(node)),
        max_mhz: None,
        arch: make.arch.clone(),
    }
}

fn memory_kib(doc: &Doc) -> u64 {
    doc.path(&["memory"]).map_or(0, |node| kib(doc, node))
}

/// An amount of memory, KiB.
pub(super) fn kib(doc: &Doc, node: xot::Node) -> u64 {
    let number: u64 = doc
        .string(node)
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    let bytes: u64 = match doc.attr(node, "unit").unwrap_or("KiB") {
        "b" | "bytes" => 1,
        "KB" => 1000,
        "MB" => 1_000_000,
        "M" | "MiB" => 1 << 20,
        "GB" => 1_000_000_000,
        "G" | "GiB" => 1 << 30,
        "TB" => 1_000_000_000_000,
        "T" | "TiB" => 1 << 40,
        _ => 1 << 10,
    };
    u64::try_from(u128::from(number) * u128::from(bytes) / 1024).unwrap_or(u64::MAX)
}

fn console(doc: &Doc) -> Option<Console> {
    let serial = doc.path(&["devices", "serial"])?;
    // Whatever else it is, libvirt can keep a copy in a file.
    let (node, path) = match doc.attr(serial, "type") {
        Some("file") => (doc.child(serial, "source")?, "path"),
        _ => (doc.child(serial, "log")?, "file"),
    };
    Some(Console {
        path: doc.attr(node, path)?.to_owned(),
        keeps: doc.attr(node, "append") == Some("on"),
    })
}

//! What HawkFish notes in a domain's own metadata, so that it needs no memory of its own to take its changes back.
//!
//! ```xml
//! <hawkfish:machine xmlns:hawkfish="https://hawkfish.dev/xmlns/libvirt/1">
//!   <hawkfish:override target="Cd" once="yes" id="1767225600000" phase="set">
//!     <hawkfish:os at="1">&lt;boot dev="hd"/&gt;</hawkfish:os>
//!     <hawkfish:device key="disk:vda" at="3">&lt;boot order="1"/&gt;</hawkfish:device>
//!   </hawkfish:override>
//!   <hawkfish:slot id="Cd" device="sdb" added="yes"/>
//!   <hawkfish:firmware mode="Legacy">…</hawkfish:firmware>
//!   <hawkfish:knob name="Hpet" was="Enabled"/>
//!   <hawkfish:volume token="hf…" device="vdb" pool="default" path="/var/lib/libvirt/images/hawkfish-hf….qcow2"/>
//! </hawkfish:machine>
//! ```
//!
//! What was there before is kept as escaped text, because libvirt puts every element of such a note into the note's own namespace
//! (`virDomainSetMetadata`).

use std::collections::BTreeMap;

use xot::Node;

use super::xml::Doc;
use crate::backend::{BootMode, BootOverride, BootTarget, Knob, KnobValue, Word};
use crate::error::Result;

/// Namespace of all that HawkFish writes into a domain.
pub(super) const NAMESPACE: &str = "https://hawkfish.dev/xmlns/libvirt/1";
pub(super) const PREFIX: &str = "hawkfish";
const NAME: &str = "machine";

/// All that is noted in a domain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Marker {
    pub over: Option<Over>,
    pub slots: Vec<SlotNote>,
    pub firmware: Option<Firmware>,
    /// Disks that HawkFish made.
    pub volumes: Vec<VolumeNote>,
    /// What firmware settings were before HawkFish changed them.
    pub knobs: BTreeMap<Knob, KnobValue>,
}

/// A disk that HawkFish made, and may therefore delete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct VolumeNote {
    /// Its token, which is its serial number.
    pub token: String,
    /// Target of the device, such as `vdb`.
    pub device: String,
    /// The pool in which it was made.
    pub pool: String,
    /// The file.
    pub path: String,
}

/// A boot override, and the boot elements that it replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Over {
    pub over: BootOverride,
    /// Tells this override from others of the same machine.
    pub id: String,
    pub phase: Phase,
    /// `<boot>` of `<os>`: place and text.
    pub os: Vec<(usize, String)>,
    /// `<boot>` of devices: key, place and text.
    pub devices: Vec<(String, usize, String)>,
}

/// How far an override for one boot has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It waits for a boot, or a live domain was started with it.
    Set,
    /// HawkFish is about to start the domain with it, stopped before its first instruction.
    Starting,
    /// Only in a live domain: it was started with it, and what comes next is as without it.
    Taken,
}

/// What was done to a slot for virtual media.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SlotNote {
    pub id: String,
    /// Target of the device, such as `sda`.
    pub device: String,
    /// HawkFish added the device, and takes it out again.
    pub added: bool,
    /// The device's `type` before a file was put into it, if it was not `file`.
    pub kind: Option<String>,
    /// The format before an image was put into it, if it was not `raw`.
    pub format: Option<String>,
}

/// The firmware set-up that was there before HawkFish changed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Firmware {
    pub mode: BootMode,
    /// With secure boot.
    pub secure: bool,
    /// `firmware` of `<os>`.
    pub auto: Option<String>,
    /// Elements of `<os>`: place and text.
    pub elements: Vec<(usize, String)>,
}

fn target_name(target: BootTarget) -> &'static str {
    match target {
        BootTarget::Pxe => "Pxe",
        BootTarget::Hdd => "Hdd",
        BootTarget::Cd => "Cd",
        BootTarget::Usb => "Usb",
        BootTarget::BiosSetup => "BiosSetup",
        BootTarget::UefiHttp => "UefiHttp",
    }
}

fn target(name: &str) -> Option<BootTarget> {
    [
        BootTarget::Pxe,
        BootTarget::Hdd,
        BootTarget::Cd,
        BootTarget::Usb,
        BootTarget::BiosSetup,
        BootTarget::UefiHttp,
    ]
    .into_iter()
    .find(|t| target_name(*t) == name)
}

fn knob_value(text: &str) -> Option<KnobValue> {
    let word = Word::from_name(text).map(KnobValue::Word);
    word.or_else(|| text.parse().ok().map(KnobValue::Number))
}

fn ours(doc: &Doc) -> Option<Node> {
    let metadata = doc.path(&["metadata"])?;
    doc.elements(metadata)
        .find(|&node| doc.namespace(node) == NAMESPACE && doc.name(node) == NAME)
}

fn noted(doc: &Doc, node: Node) -> (usize, String) {
    let place = doc
        .attr(node, "at")
        .and_then(|at| at.parse().ok())
        .unwrap_or(usize::MAX);
    (place, doc.string(node).unwrap_or_default())
}

impl Marker {
    /// What is noted; what a later version of HawkFish may have noted besides is not understood, and is lost by writing.
    pub(super) fn read(doc: &Doc) -> Self {
        let mut this = Self::default();
        let Some(top) = ours(doc) else { return this };
        for node in doc.elements(top) {
            let yes = |name| doc.attr(node, name) == Some("yes");
            match doc.name(node) {
                "override" => {
                    let Some(target) = doc.attr(node, "target").and_then(target) else {
                        continue;
                    };
                    let mut over = Over {
                        over: BootOverride {
                            target,
                            once: yes("once"),
                        },
                        id: doc.attr(node, "id").unwrap_or_default().to_owned(),
                        phase: match doc.attr(node, "phase") {
                            Some("starting") => Phase::Starting,
                            Some("taken") => Phase::Taken,
                            _ => Phase::Set,
                        },
                        os: Vec::new(),
                        devices: Vec::new(),
                    };
                    for was in doc.elements(node) {
                        let (place, text) = noted(doc, was);
                        match doc.name(was) {
                            "os" => over.os.push((place, text)),
                            "device" => {
                                let key = doc.attr(was, "key").unwrap_or_default().to_owned();
                                over.devices.push((key, place, text));
                            }
                            _ => {}
                        }
                    }
                    this.over = Some(over);
                }
                "slot" => this.slots.push(SlotNote {
                    id: doc.attr(node, "id").unwrap_or_default().to_owned(),
                    device: doc.attr(node, "device").unwrap_or_default().to_owned(),
                    added: yes("added"),
                    kind: doc.attr(node, "kind").map(str::to_owned),
                    format: doc.attr(node, "format").map(str::to_owned),
                }),
                "knob" => {
                    let knob = doc.attr(node, "name").and_then(Knob::from_name);
                    let was = doc.attr(node, "was").and_then(knob_value);
                    this.knobs.extend(knob.zip(was));
                }
                "volume" => {
                    let text = |name| doc.attr(node, name).unwrap_or_default().to_owned();
                    this.volumes.push(VolumeNote {
                        token: text("token"),
                        device: text("device"),
                        pool: text("pool"),
                        path: text("path"),
                    });
                }
                "firmware" => {
                    let mode = match doc.attr(node, "mode") {
                        Some("Uefi") => BootMode::Uefi,
                        _ => BootMode::Legacy,
                    };
                    this.firmware = Some(Firmware {
                        mode,
                        secure: yes("secure"),
                        auto: doc.attr(node, "auto").map(str::to_owned),
                        elements: doc.elements(node).map(|was| noted(doc, was)).collect(),
                    });
                }
                _ => {}
            }
        }
        this
    }

    /// Notes this and nothing else. A `<metadata>` that was only there for the note goes with it.
    pub(super) fn write(&self, doc: &mut Doc) {
        if let Some(old) = ours(doc) {
            doc.remove(old);
        }
        let metadata = doc.path(&["metadata"]);
        if *self == Self::default() {
            if let Some(metadata) = metadata.filter(|&node| doc.is_blank(node)) {
                doc.remove(metadata);
            }
            return;
        }
        let metadata = metadata.unwrap_or_else(|| {
            let name = ["description", "title", "genid", "uuid", "name"]
                .into_iter()
                .find_map(|name| doc.path(&[name]));
            match name {
                Some(node) => doc.add_after(node, "metadata"),
                None => doc.add(doc.top(), "metadata"),
            }
        });
        self.append(doc, metadata, NAMESPACE);
    }

    /// As a document of its own without a namespace, for `virDomainSetMetadata`, which adds the namespace.
    pub(super) fn to_metadata(&self) -> String {
        let mut doc = Doc::parse("<x/>").expect("a document");
        let top = doc.top();
        let node = self.append(&mut doc, top, "");
        doc.element_text(node)
    }

    fn append(&self, doc: &mut Doc, parent: Node, namespace: &str) -> Node {
        let add = |doc: &mut Doc, parent, name: &str, attrs: &[(&str, Option<&str>)]| {
            let node = if namespace.is_empty() {
                doc.add(parent, name)
            } else {
                doc.add_ns(parent, PREFIX, namespace, name)
            };
            for (name, value) in attrs {
                if let Some(value) = value {
                    doc.set_attr(node, name, value);
                }
            }
            node
        };
        let yes = |is: bool| is.then_some("yes");
        let top = add(doc, parent, NAME, &[]);
        if let Some(over) = &self.over {
            let phase = match over.phase {
                Phase::Set => None,
                Phase::Starting => Some("starting"),
                Phase::Taken => Some("taken"),
            };
            let node = add(
                doc,
                top,
                "override",
                &[
                    ("target", Some(target_name(over.over.target))),
                    ("once", yes(over.over.once)),
                    ("id", Some(&over.id)),
                    ("phase", phase),
                ],
            );
            for (place, text) in &over.os {
                let was = add(doc, node, "os", &[("at", Some(&place.to_string()))]);
                doc.set_string(was, text);
            }
            for (key, place, text) in &over.devices {
                let place = place.to_string();
                let attrs = [("key", Some(key.as_str())), ("at", Some(&place))];
                let was = add(doc, node, "device", &attrs);
                doc.set_string(was, text);
            }
        }
        for slot in &self.slots {
            let attrs = [
                ("id", Some(slot.id.as_str())),
                ("device", Some(&slot.device)),
                ("added", yes(slot.added)),
                ("kind", slot.kind.as_deref()),
                ("format", slot.format.as_deref()),
            ];
            add(doc, top, "slot", &attrs);
        }
        for volume in &self.volumes {
            let attrs = [
                ("token", Some(volume.token.as_str())),
                ("device", Some(&volume.device)),
                ("pool", Some(&volume.pool)),
                ("path", Some(&volume.path)),
            ];
            add(doc, top, "volume", &attrs);
        }
        for (knob, was) in &self.knobs {
            let was = was.to_string();
            let attrs = [("name", Some(knob.as_str())), ("was", Some(&was))];
            add(doc, top, "knob", &attrs);
        }
        if let Some(firmware) = &self.firmware {
            let mode = match firmware.mode {
                BootMode::Legacy => "Legacy",
                BootMode::Uefi => "Uefi",
            };
            let attrs = [
                ("mode", Some(mode)),
                ("secure", yes(firmware.secure)),
                ("auto", firmware.auto.as_deref()),
            ];
            let node = add(doc, top, "firmware", &attrs);
            for (place, text) in &firmware.elements {
                let was = add(doc, node, "os", &[("at", Some(&place.to_string()))]);
                doc.set_string(was, text);
            }
        }
        top
    }

    pub(super) fn slot(&self, id: &str) -> Option<&SlotNote> {
        self.slots.iter().find(|slot| slot.id == id)
    }

    /// Changes what is noted in a document.
    pub(super) fn edit<T>(doc: &mut Doc, edit: impl FnOnce(&mut Self) -> T) -> T {
        let mut marker = Self::read(doc);
        let done = edit(&mut marker);
        marker.write(doc);
        done
    }
}

/// Puts noted elements back into their parent, in the order of their places.
pub(super) fn put_back(doc: &mut Doc, parent: Node, elements: &[(usize, String)]) -> Result<()> {
    for (place, text) in elements {
        doc.insert_text(parent, *place, text)?;
    }
    Ok(())
}

//! Registries of firmware settings: what each setting is called, what it takes, what it is by default.
//!
//! Systems whose settings take the same values share a registry, which is named for what is in it.

use std::collections::BTreeMap;
use std::sync::Arc;

use hawkfish_core::backend::{Firmware, Knob, KnobValue, Setting, Takes, Word};
use hawkfish_core::inventory::System;
use hawkfish_redfish::model::Prop;
use hawkfish_redfish::model::attribute_registry as model;
use hawkfish_redfish::model::attribute_registry::{
    AttributeRegistry, AttributeType, AttributeValue, Menus, RegistryEntries,
};
use hawkfish_redfish::model::message_registry_file::{Location, MessageRegistryFile};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::catalog::{Content, Privileges, Resource, Rq};
use crate::problem::Problem;

/// A registry as a whole.
pub const RESOURCE: Resource = Resource {
    uri: "/redfish/v1/Registries/{registry}/{document}",
    entity: "AttributeRegistry",
    get: Some(|rq| Box::pin(read(rq))),
    privileges: Privileges::MANAGER,
    ..Resource::NONE
};

const VERSION: &str = "1.0.0";
const PREFIX: &str = "HawkFishBios";

/// The value of an attribute.
pub(super) fn json(value: KnobValue) -> Value {
    match value {
        KnobValue::Number(number) => number.into(),
        KnobValue::Word(word) => word.as_str().into(),
    }
}

/// The id of the registry that tells of these settings.
pub(super) fn id(firmware: &Firmware) -> String {
    let mut hash = Sha256::new();
    for setting in &firmware.settings {
        hash.update(format!(
            "{}={}:{:?};",
            setting.knob, setting.default, setting.takes
        ));
    }
    let digest = hash.finalize();
    let hex: String = digest[..4]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{PREFIX}{hex}")
}

/// Its name with its version, as a system refers to it.
pub(super) fn name(firmware: &Firmware) -> String {
    format!("{}.{VERSION}", id(firmware))
}

/// All registries that systems refer to which the caller may see, with one such system.
pub(super) fn all(rq: &Rq) -> BTreeMap<String, Arc<System>> {
    let mut kinds: Vec<Arc<System>> = Vec::new();
    let mut shapes = std::collections::BTreeSet::new();
    for system in rq.hf.inventory().each_kind(&rq.ctx) {
        let settings = &system.machine.firmware.settings;
        let shape: Vec<_> = settings
            .iter()
            .map(|s| (s.knob, s.default, s.takes))
            .collect();
        if !shape.is_empty() && shapes.insert(shape) {
            kinds.push(system);
        }
    }
    kinds
        .into_iter()
        .map(|system| (id(&system.machine.firmware), system))
        .collect()
}

/// Where a registry can be had, if there is one of that id.
pub(super) fn file(rq: &Rq, wanted: &str) -> Option<MessageRegistryFile> {
    if !wanted.starts_with(PREFIX) || !all(rq).contains_key(wanted) {
        return None;
    }
    Some(MessageRegistryFile {
        id: wanted.to_owned(),
        name: format!("{wanted} Attribute Registry File"),
        registry: Some(format!("{wanted}.{VERSION}")),
        languages: Some(vec!["en".into()]),
        location: Some(vec![Location {
            language: Some("en".into()),
            uri: Some(format!(
                "/redfish/v1/Registries/{wanted}/{wanted}.{VERSION}"
            )),
            ..Location::default()
        }]),
        ..MessageRegistryFile::default()
    })
}

async fn read(rq: &Rq) -> Result<Content, Problem> {
    let (registry, document) = (rq.param("registry"), rq.param("document"));
    let systems = all(rq);
    let system = systems
        .get(registry)
        .filter(|_| document.strip_prefix(registry) == Some(&format!(".{VERSION}")))
        .ok_or_else(|| Problem::missing(rq.uri()))?;
    let firmware = &system.machine.firmware;
    let attributes = firmware
        .settings
        .iter()
        .zip(1..)
        .map(|(s, place)| attribute(s, place));
    let menus = ["Boot", "Processor", "System"]
        .iter()
        .zip(1..)
        .map(|(name, place)| Menus {
            menu_name: Some((*name).to_owned()),
            display_name: Prop::Value((*name).to_owned()),
            display_order: Prop::Value(place),
            menu_path: Prop::Value(format!("./{name}")),
            ..Menus::default()
        });
    Content::of(&AttributeRegistry {
        id: document.to_owned(),
        name: "Firmware settings of a virtual machine".to_owned(),
        language: Some("en".to_owned()),
        registry_version: Some(VERSION.to_owned()),
        owning_entity: Some("HawkFish".to_owned()),
        registry_entries: Some(RegistryEntries {
            attributes: Some(attributes.collect()),
            menus: Some(menus.collect()),
        }),
        ..AttributeRegistry::default()
    })
}

fn attribute(setting: &Setting, place: i64) -> model::Attributes {
    let About { title, help, menu } = about(setting.knob);
    let (kind, values, bounds) = match setting.takes {
        Takes::Words(words) => {
            let values = words.iter().map(|word| AttributeValue {
                value_name: Some(word.as_str().to_owned()),
                value_display_name: Prop::Value(title_of(word).to_owned()),
            });
            (AttributeType::Enumeration, Some(values.collect()), None)
        }
        Takes::Numbers(least, most) => (AttributeType::Integer, None, Some((least, most))),
    };
    model::Attributes {
        attribute_name: Some(setting.knob.as_str().to_owned()),
        display_name: Prop::Value(title.to_owned()),
        help_text: Prop::Value(help.to_owned()),
        r#type: Some(kind),
        value: values,
        lower_bound: Prop::or_absent(bounds.map(|(least, _)| least)),
        upper_bound: Prop::or_absent(bounds.map(|(_, most)| most)),
        default_value: Prop::Value(json(setting.default)),
        display_order: Prop::Value(place),
        menu_path: Prop::Value(format!("./{menu}")),
        read_only: Prop::Value(setting.takes.is_fixed()),
        reset_required: Prop::Value(true),
        ..model::Attributes::default()
    }
}

struct About {
    title: &'static str,
    help: &'static str,
    menu: &'static str,
}

fn about(knob: Knob) -> About {
    let (menu, title, help) = match knob {
        Knob::BootMode => (
            "Boot",
            "Boot mode",
            "The firmware that starts the system. An operating system that was installed under the one may not start under the other.",
        ),
        Knob::SecureBoot => (
            "Boot",
            "Secure boot",
            "UEFI starts only what is signed by a key that it knows. Each state has UEFI variables of its own. Needs boot mode Uefi.",
        ),
        Knob::ProcessorsEnabled => (
            "Processor",
            "Enabled processors",
            "How many of the system's processors are given to the operating system.",
        ),
        Knob::NestedVirtualization => (
            "Processor",
            "Nested virtualization",
            "Whether the operating system can run virtual machines of its own with the processor's help. Auto leaves it to the processor's model.",
        ),
        Knob::Hpet => (
            "System",
            "High precision event timer",
            "Whether there is such a timer.",
        ),
        Knob::AcpiS3 => (
            "System",
            "Sleep with memory kept (ACPI S3)",
            "Whether the firmware offers that state of sleep. Auto leaves it to the hypervisor.",
        ),
        Knob::RealTimeClock => (
            "System",
            "Real-time clock",
            "Whether the clock starts with coordinated universal time or with the time of the host's place.",
        ),
        Knob::BootMenu => (
            "Boot",
            "Boot menu",
            "Whether the firmware offers a menu of devices to boot from.",
        ),
        Knob::BootMenuTimeout => (
            "Boot",
            "Boot menu time",
            "How long the firmware waits for a key, in milliseconds. 0 leaves it to the firmware. Needs the boot menu.",
        ),
        Knob::RebootTimeout => (
            "Boot",
            "Reboot when nothing boots",
            "After how many milliseconds a PC BIOS that found nothing to boot tries again; -1 is never. UEFI does not heed it.",
        ),
        Knob::SerialRedirection => (
            "Boot",
            "Serial redirection",
            "Whether a PC BIOS shows on the first serial port what it shows on the screen. UEFI always does.",
        ),
        Knob::WatchdogAction => (
            "System",
            "Watchdog action",
            "What happens when the operating system has armed the watchdog and feeds it no more.",
        ),
    };
    About { title, help, menu }
}

fn title_of(word: Word) -> &'static str {
    match word {
        Word::Auto => "Automatic",
        Word::Enabled => "Enabled",
        Word::Disabled => "Disabled",
        Word::Legacy => "PC BIOS",
        Word::Uefi => "UEFI",
        Word::Utc => "UTC",
        Word::LocalTime => "Local time",
        Word::None => "None",
        Word::Reset => "Reset",
        Word::PowerOff => "Power off",
        Word::Shutdown => "Shut down",
        Word::Pause => "Pause",
        Word::Nmi => "Non-maskable interrupt",
        Word::Dump => "Write memory to a file",
    }
}

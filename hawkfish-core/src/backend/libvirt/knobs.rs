//! Firmware settings, as what they are in a domain's XML.
//!
//! Each is an element or an attribute; where nothing is said, what QEMU then does is the value. Setting one to that value takes the element out again, so that a
//! machine whose settings are back at their defaults is defined as it was. What a setting was before HawkFish first changed it is noted in the domain's
//! metadata: it is the default to which the settings can be reset.

use std::collections::BTreeMap;

use xot::Node;

use super::firmware::{self, Make};
use super::marker::Marker;
use super::xml::Doc;
use crate::backend::{BootMode, Firmware, Knob, KnobValue, Setting, Takes, Word};
use crate::error::{Error, Invalid, Result};

/// What a host offers to domains of one make.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Offers {
    /// UEFI.
    pub efi: bool,
    /// UEFI with secure boot.
    pub secure: bool,
    /// The feature of a processor by which guests can run machines of their own: `svm` or `vmx`.
    pub nested: Option<&'static str>,
}

/// A setting, as one document tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub knob: Knob,
    pub value: KnobValue,
    pub default: KnobValue,
    pub takes: Takes,
}

const WATCHDOG: [(Word, &str); 7] = [
    (Word::None, "none"),
    (Word::Reset, "reset"),
    (Word::PowerOff, "poweroff"),
    (Word::Shutdown, "shutdown"),
    (Word::Pause, "pause"),
    (Word::Nmi, "inject-nmi"),
    (Word::Dump, "dump"),
];

/// Longest times that libvirt takes, milliseconds.
const LONGEST: i64 = 65_535;

fn mode_word(mode: BootMode) -> Word {
    match mode {
        BootMode::Legacy => Word::Legacy,
        BootMode::Uefi => Word::Uefi,
    }
}

/// The settings that a document tells of.
pub(super) fn read(doc: &Doc, make: &Make, offers: Offers) -> Vec<Known> {
    let marker = Marker::read(doc);
    let noted = |knob| match (knob, &marker.firmware) {
        (Knob::BootMode, Some(first)) => Some(KnobValue::Word(mode_word(first.mode))),
        (Knob::SecureBoot, Some(first)) => Some(KnobValue::switch(first.secure)),
        _ => marker.knobs.get(&knob).copied(),
    };
    Knob::ALL
        .iter()
        .filter_map(|&knob| {
            let (value, takes) = read_one(doc, make, offers, knob)?;
            Some(Known {
                knob,
                value,
                default: noted(knob).unwrap_or(value),
                takes,
            })
        })
        .collect()
}

fn read_one(doc: &Doc, make: &Make, offers: Offers, knob: Knob) -> Option<(KnobValue, Takes)> {
    use KnobValue::Number;
    if !make.is_q35() && !make.is_i440fx() {
        return None;
    }
    let modes = firmware::modes(doc, make, offers.efi);
    let word = |word| KnobValue::Word(word);
    Some(match knob {
        Knob::BootMode => {
            let takes = modes.iter().map(|mode| mode_word(*mode)).collect();
            (word(mode_word(firmware::mode(doc))), Takes::Words(takes))
        }
        Knob::SecureBoot => {
            let is_on = firmware::secure(doc) == Some(true);
            // The firmware that can do it keeps its keys in a part of memory that only it sees.
            let has_smm = doc
                .path(&["features", "smm"])
                .is_none_or(|smm| doc.attr(smm, "state") != Some("off"));
            let can = offers.secure && make.is_q35() && has_smm && modes.contains(&BootMode::Uefi);
            if !can && !is_on {
                return None;
            }
            (
                KnobValue::switch(is_on),
                if can {
                    Takes::switch()
                } else {
                    Takes::words(&[Word::Enabled])
                },
            )
        }
        Knob::ProcessorsEnabled => {
            let vcpu = doc.path(&["vcpu"])?;
            let most: i64 = doc.string(vcpu)?.parse().ok()?;
            let now = doc.attr(vcpu, "current").and_then(|n| n.parse().ok());
            if most < 2 {
                return None;
            }
            (Number(now.unwrap_or(most)), Takes::Numbers(1, most))
        }
        Knob::NestedVirtualization => {
            doc.path(&["cpu"])?;
            let feature = feature(doc, offers.nested?);
            let value = match feature.and_then(|f| doc.attr(f, "policy")) {
                Some("require" | "force") => Word::Enabled,
                Some("disable" | "forbid") => Word::Disabled,
                _ => Word::Auto,
            };
            let takes = Takes::words(&[Word::Auto, Word::Enabled, Word::Disabled]);
            (word(value), takes)
        }
        Knob::Hpet => {
            let present = timer(doc, "hpet").and_then(|t| doc.attr(t, "present"));
            (KnobValue::switch(present != Some("no")), Takes::switch())
        }
        Knob::AcpiS3 => {
            doc.path(&["features", "acpi"])?;
            let value = match doc
                .path(&["pm", "suspend-to-mem"])
                .and_then(|node| doc.attr(node, "enabled"))
            {
                Some("yes") => Word::Enabled,
                Some("no") => Word::Disabled,
                _ => Word::Auto,
            };
            let takes = Takes::words(&[Word::Auto, Word::Enabled, Word::Disabled]);
            (word(value), takes)
        }
        Knob::RealTimeClock => {
            let offset = doc.path(&["clock"]).and_then(|c| doc.attr(c, "offset"));
            let value = match offset {
                None | Some("utc") => Word::Utc,
                Some("localtime") => Word::LocalTime,
                // A clock that is neither is the owner's own business.
                Some(_) => return None,
            };
            (word(value), Takes::words(&[Word::Utc, Word::LocalTime]))
        }
        Knob::BootMenu => {
            let menu = doc.path(&["os", "bootmenu"]);
            let is_on = menu.is_some_and(|m| doc.attr(m, "enable") == Some("yes"));
            (KnobValue::switch(is_on), Takes::switch())
        }
        Knob::BootMenuTimeout => {
            let menu = doc.path(&["os", "bootmenu"]);
            let timeout = menu
                .filter(|m| doc.attr(*m, "enable") == Some("yes"))
                .and_then(|m| doc.attr(m, "timeout")?.parse().ok());
            (Number(timeout.unwrap_or(0)), Takes::Numbers(0, LONGEST))
        }
        Knob::RebootTimeout => {
            if !modes.contains(&BootMode::Legacy) {
                return None;
            }
            let timeout = bios(doc, "rebootTimeout").and_then(|t| t.parse().ok());
            (Number(timeout.unwrap_or(-1)), Takes::Numbers(-1, LONGEST))
        }
        Knob::SerialRedirection => {
            doc.path(&["devices", "serial"])?;
            if !modes.contains(&BootMode::Legacy) {
                return None;
            }
            let is_on = bios(doc, "useserial") == Some("yes");
            (KnobValue::switch(is_on), Takes::switch())
        }
        Knob::WatchdogAction => {
            let watchdog = doc.path(&["devices", "watchdog"])?;
            let action = doc.attr(watchdog, "action").unwrap_or("reset");
            let value = WATCHDOG.iter().find(|(_, name)| *name == action)?.0;
            let takes = WATCHDOG.iter().map(|(word, _)| *word).collect();
            (word(value), Takes::Words(takes))
        }
    })
}

fn feature(doc: &Doc, name: &str) -> Option<Node> {
    let cpu = doc.path(&["cpu"])?;
    doc.children(cpu, "feature")
        .find(|&f| doc.attr(f, "name") == Some(name))
}

fn timer(doc: &Doc, name: &str) -> Option<Node> {
    let clock = doc.path(&["clock"])?;
    doc.children(clock, "timer")
        .find(|&t| doc.attr(t, "name") == Some(name))
}

fn bios<'a>(doc: &'a Doc, name: &str) -> Option<&'a str> {
    doc.attr(doc.path(&["os", "bios"])?, name)
}

/// What the definition and what runs tell together.
pub(super) fn firmware(config: &[Known], live: Option<&[Known]>) -> Firmware {
    let now = |known: &Known| {
        let live = live?.iter().find(|live| live.knob == known.knob)?;
        let is_auto = known.value == KnobValue::Word(Word::Auto);
        match known.knob {
            // It is set in what runs, too.
            Knob::WatchdogAction => None,
            // What runs tells at length what its definition leaves open.
            Knob::NestedVirtualization if is_auto => None,
            _ => Some(live.value),
        }
    };
    Firmware {
        settings: config
            .iter()
            .map(|known| Setting {
                knob: known.knob,
                now: now(known).unwrap_or(known.value),
                next: known.value,
                default: known.default,
                takes: known.takes,
            })
            .collect(),
        keys: None,
    }
}

/// Sets what is wanted in a definition. `facts` are those of the definition as it is; `nvram` is where the variables of what runs lie, or would lie by
/// libvirt's own choice.
pub(super) fn edit(
    doc: &mut Doc,
    facts: &Firmware,
    wanted: &BTreeMap<Knob, KnobValue>,
    offers: Offers,
    nvram: Option<&str>,
) -> Result<()> {
    for (&knob, &value) in wanted {
        check(facts, knob, value)?;
    }
    let mut changed = Vec::new();
    // In the order of `Knob`, so the boot mode is there before secure boot, and the menu before its time.
    for (&knob, &value) in wanted {
        let setting = facts.setting(knob).expect("checked");
        // Of secure boot it counts what the boot mode has made of it.
        let before = match knob {
            Knob::SecureBoot => KnobValue::switch(firmware::secure(doc) == Some(true)),
            _ => setting.next,
        };
        if before != value {
            set(doc, knob, value, offers, nvram)?;
        }
        // What firmware there was is noted where it is switched.
        let is_noted = matches!(knob, Knob::BootMode | Knob::SecureBoot);
        if setting.next != value && !is_noted {
            changed.push((knob, setting.default, value));
        }
    }
    Marker::edit(doc, |marker| {
        for (knob, default, value) in changed {
            if value == default {
                marker.knobs.remove(&knob);
            } else {
                marker.knobs.insert(knob, default);
            }
        }
    });
    Ok(())
}

fn check(facts: &Firmware, knob: Knob, value: KnobValue) -> Result<()> {
    let pointer = format!("/Attributes/{knob}");
    let shown = value.to_string();
    match facts.setting(knob) {
        None => Err(Error::invalid(
            pointer,
            shown,
            Invalid::ReadOnly,
            "This machine does not have that setting.",
        )),
        Some(setting) if !setting.takes.allows(value) => Err(Error::invalid(
            pointer,
            shown,
            Invalid::NotInList,
            "The setting does not take that value on this machine.",
        )),
        Some(_) => Ok(()),
    }
}

fn set(
    doc: &mut Doc,
    knob: Knob,
    value: KnobValue,
    offers: Offers,
    nvram: Option<&str>,
) -> Result<()> {
    let is_on = value == KnobValue::Word(Word::Enabled);
    let yes_no = if is_on { "yes" } else { "no" };
    let number = match value {
        KnobValue::Number(number) => number,
        KnobValue::Word(_) => 0,
    };
    match knob {
        Knob::BootMode => {
            let mode = match value {
                KnobValue::Word(Word::Uefi) => BootMode::Uefi,
                _ => BootMode::Legacy,
            };
            firmware::set_mode(doc, mode)?;
        }
        Knob::SecureBoot => {
            if is_on && firmware::mode(doc) != BootMode::Uefi {
                return Err(Error::new(
                    crate::error::ErrorKind::PropertyConflict {
                        property: "/Attributes/SecureBoot".into(),
                        with: "/Attributes/BootMode".into(),
                    },
                    "Only UEFI knows secure boot.",
                ));
            }
            firmware::set_secure(doc, is_on, nvram)?;
        }
        Knob::ProcessorsEnabled => {
            let vcpu = element(doc, &["vcpu"]);
            let is_all = doc.string(vcpu).and_then(|all| all.parse().ok()) == Some(number);
            if is_all {
                doc.remove_attr(vcpu, "current");
            } else {
                doc.set_attr(vcpu, "current", &number.to_string());
            }
            // libvirt's own list of which they are, which it makes anew from the number.
            doc.remove_children(doc.top(), "vcpus");
        }
        Knob::NestedVirtualization => {
            let name = offers.nested.unwrap_or("vmx");
            if let Some(old) = feature(doc, name) {
                doc.remove(old);
            }
            let policy = match value {
                KnobValue::Word(Word::Enabled) => "require",
                KnobValue::Word(Word::Disabled) => "disable",
                _ => return Ok(()),
            };
            let cpu = element(doc, &["cpu"]);
            doc.add_with(cpu, "feature", &[("policy", policy), ("name", name)]);
        }
        Knob::Hpet => {
            let known = timer(doc, "hpet");
            let is_plain = |doc: &Doc, t| {
                doc.is_blank(t)
                    && doc
                        .attrs(t)
                        .iter()
                        .all(|(name, _)| matches!(*name, "name" | "present"))
            };
            match known {
                Some(timer) if is_on && is_plain(doc, timer) => doc.remove(timer),
                Some(timer) => doc.set_attr(timer, "present", yes_no),
                None if is_on => {}
                None => {
                    let clock = clock(doc);
                    doc.add_with(clock, "timer", &[("name", "hpet"), ("present", "no")]);
                }
            }
        }
        Knob::AcpiS3 => {
            let pm = element(doc, &["pm"]);
            doc.remove_children(pm, "suspend-to-mem");
            if value != KnobValue::Word(Word::Auto) {
                doc.add_with(pm, "suspend-to-mem", &[("enabled", yes_no)]);
            } else if doc.is_blank(pm) {
                doc.remove(pm);
            }
        }
        Knob::RealTimeClock => {
            let offset = match value {
                KnobValue::Word(Word::LocalTime) => "localtime",
                _ => "utc",
            };
            let clock = clock(doc);
            doc.set_attr(clock, "offset", offset);
        }
        Knob::BootMenu => {
            let os = element(doc, &["os"]);
            let menu = doc.child(os, "bootmenu");
            match menu {
                Some(menu) if is_on => doc.set_attr(menu, "enable", "yes"),
                Some(menu) => doc.remove(menu),
                None if is_on => {
                    doc.add_with(os, "bootmenu", &[("enable", "yes")]);
                }
                None => {}
            }
        }
        Knob::BootMenuTimeout => {
            let Some(menu) = doc.path(&["os", "bootmenu"]) else {
                if number == 0 {
                    return Ok(());
                }
                return Err(Error::new(
                    crate::error::ErrorKind::PropertyConflict {
                        property: "/Attributes/BootMenuTimeout".into(),
                        with: "/Attributes/BootMenu".into(),
                    },
                    "There is no menu that could wait.",
                ));
            };
            if number == 0 {
                doc.remove_attr(menu, "timeout");
            } else {
                doc.set_attr(menu, "timeout", &number.to_string());
            }
        }
        Knob::RebootTimeout => {
            let text = number.to_string();
            set_bios(doc, "rebootTimeout", (number >= 0).then_some(text.as_str()));
        }
        Knob::SerialRedirection => {
            set_bios(doc, "useserial", is_on.then_some("yes"));
        }
        Knob::WatchdogAction => {
            let name = WATCHDOG
                .iter()
                .find(|(word, _)| KnobValue::Word(*word) == value)
                .map_or("reset", |(_, name)| *name);
            if let Some(watchdog) = doc.path(&["devices", "watchdog"]) {
                doc.set_attr(watchdog, "action", name);
            }
        }
    }
    Ok(())
}

/// What QEMU calls an action of its watchdog; it does not know all that libvirt does.
pub(super) fn qemu_action(value: KnobValue) -> Option<&'static str> {
    WATCHDOG
        .iter()
        .find(|(word, _)| KnobValue::Word(*word) == value && *word != Word::Dump)
        .map(|(_, name)| *name)
}

fn clock(doc: &mut Doc) -> Node {
    let is_new = doc.path(&["clock"]).is_none();
    let clock = element(doc, &["clock"]);
    if is_new {
        doc.set_attr(clock, "offset", "utc");
    }
    clock
}

fn set_bios(doc: &mut Doc, name: &str, value: Option<&str>) {
    let bios = element(doc, &["os", "bios"]);
    match value {
        Some(value) => doc.set_attr(bios, name, value),
        None => doc.remove_attr(bios, name),
    }
    if doc.attrs(bios).is_empty() {
        doc.remove(bios);
    }
}

/// The element at that path, made if it is not there.
fn element(doc: &mut Doc, path: &[&str]) -> Node {
    let mut node = doc.top();
    for name in path {
        node = match doc.child(node, name) {
            Some(child) => child,
            None => doc.add(node, name),
        };
    }
    node
}

#[cfg(test)]
mod tests {
    use super::super::xml::canonical;
    use super::*;

    const OFFERS: Offers = Offers {
        efi: true,
        secure: true,
        nested: Some("svm"),
    };
    const NVRAM: &str = "/var/lib/libvirt/qemu/nvram/node_VARS.fd";

    fn domain(os: &str, more: &str) -> String {
        format!(
            "<domain type='qemu'><name>node</name><metadata><note xmlns='https://lab.example/note/1'>kept</note></metadata><memory>1</memory><vcpu placement='static'>4</vcpu>\
             <os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type>{os}</os><features><acpi/></features><cpu mode='custom'><model>qemu64</model></cpu>\
             <clock offset='utc'><timer name='rtc' tickpolicy='catchup'/></clock><devices><serial type='pty'/><watchdog model='i6300esb' action='none'/></devices>{more}</domain>"
        )
    }

    fn facts(doc: &Doc) -> Firmware {
        firmware(&read(doc, &Make::of(doc), OFFERS), None)
    }

    fn set_all(doc: &mut Doc, wanted: &[(Knob, KnobValue)]) -> Result<()> {
        let facts = facts(doc);
        let wanted = wanted.iter().copied().collect();
        edit(doc, &facts, &wanted, OFFERS, Some(NVRAM))
    }

    /// A value that each setting does not have at first.
    fn others(mode: Word) -> Vec<(Knob, KnobValue)> {
        use KnobValue::{Number, Word as W};
        vec![
            (Knob::BootMode, W(mode)),
            (Knob::ProcessorsEnabled, Number(3)),
            (Knob::NestedVirtualization, W(Word::Disabled)),
            (Knob::Hpet, W(Word::Disabled)),
            (Knob::AcpiS3, W(Word::Disabled)),
            (Knob::RealTimeClock, W(Word::LocalTime)),
            (Knob::BootMenu, W(Word::Enabled)),
            (Knob::BootMenuTimeout, Number(3000)),
            (Knob::RebootTimeout, Number(500)),
            (Knob::SerialRedirection, W(Word::Enabled)),
            (Knob::WatchdogAction, W(Word::PowerOff)),
        ]
    }

    #[test]
    fn every_setting_is_read_as_it_was_set_and_the_definition_is_as_before_when_all_are_back() {
        for (os, mode) in [
            ("<boot dev='hd'/>", Word::Uefi),
            (
                "<loader type='pflash' readonly='yes'>/usr/share/OVMF/OVMF_CODE_4M.fd</loader><nvram template='/usr/share/OVMF/OVMF_VARS_4M.fd'>/v/x_VARS.fd</nvram><boot dev='hd'/>",
                Word::Legacy,
            ),
        ] {
            let text = domain(os, "");
            let before = canonical::of(&text);
            let mut doc = Doc::parse(&text).unwrap();
            let first = facts(&doc);
            assert_eq!(first.settings.len(), Knob::ALL.len(), "{first:?}");
            let wanted = others(mode);
            set_all(&mut doc, &wanted).unwrap();
            let mut doc = Doc::parse(&doc.to_text()).unwrap();
            let now = facts(&doc);
            for (knob, value) in &wanted {
                let setting = now.setting(*knob).unwrap();
                assert_eq!(setting.next, *value, "{knob}");
                assert_eq!(
                    setting.default,
                    first.setting(*knob).unwrap().next,
                    "{knob}"
                );
                assert_ne!(setting.default, *value, "{knob}");
            }
            assert!(doc.to_text().contains("tickpolicy") && doc.to_text().contains("kept"));

            let back: Vec<_> = first.next().into_iter().collect();
            set_all(&mut doc, &back).unwrap();
            let after = doc.to_text();
            assert_eq!(canonical::of(&after), before);
        }
    }

    #[test]
    fn secure_boot_takes_other_firmware_and_other_variables_and_goes_back_to_those_of_before() {
        let text = domain(
            "<loader type='pflash' readonly='yes'>/usr/share/OVMF/OVMF_CODE_4M.fd</loader><nvram template='/usr/share/OVMF/OVMF_VARS_4M.fd'>/v/x_VARS.fd</nvram>",
            "",
        );
        let before = canonical::of(&text);
        let mut doc = Doc::parse(&text).unwrap();
        assert_eq!(firmware::secure(&doc), Some(false));
        set_all(&mut doc, &[(Knob::SecureBoot, KnobValue::switch(true))]).unwrap();
        let on = doc.to_text();
        assert_eq!(firmware::secure(&doc), Some(true), "{on}");
        assert!(
            on.contains("enrolled-keys") && on.contains("/v/x_VARS.secure.fd</nvram>"),
            "{on}"
        );
        assert!(!on.contains("<loader"), "{on}");
        set_all(&mut doc, &[(Knob::SecureBoot, KnobValue::switch(false))]).unwrap();
        assert_eq!(canonical::of(&doc.to_text()), before);
    }

    #[test]
    fn secure_boot_is_switched_together_with_the_boot_mode_and_forgotten_with_it() {
        let text = domain("<boot dev='hd'/>", "");
        let before = canonical::of(&text);
        let mut doc = Doc::parse(&text).unwrap();
        let on = KnobValue::switch(true);
        let refused = set_all(&mut doc, &[(Knob::SecureBoot, on)]).unwrap_err();
        assert!(refused.message().contains("UEFI"), "{refused:?}");

        let mut doc = Doc::parse(&text).unwrap();
        let uefi = KnobValue::Word(Word::Uefi);
        set_all(&mut doc, &[(Knob::BootMode, uefi), (Knob::SecureBoot, on)]).unwrap();
        assert_eq!(firmware::secure(&doc), Some(true));
        assert!(doc.to_text().contains("node_VARS.secure.fd"));
        let legacy = KnobValue::Word(Word::Legacy);
        let off = KnobValue::switch(false);
        set_all(
            &mut doc,
            &[(Knob::BootMode, legacy), (Knob::SecureBoot, off)],
        )
        .unwrap();
        assert_eq!(canonical::of(&doc.to_text()), before);
    }

    #[test]
    fn a_machine_tells_of_no_setting_that_it_cannot_have() {
        let bare = "<domain type='qemu'><name>n</name><vcpu>1</vcpu><os><type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type></os>\
                    <clock offset='variable' adjustment='7'/><devices/></domain>";
        let doc = Doc::parse(bare).unwrap();
        let known: Vec<Knob> = facts(&doc).settings.iter().map(|s| s.knob).collect();
        assert_eq!(
            known,
            [
                Knob::BootMode,
                Knob::Hpet,
                Knob::BootMenu,
                Knob::BootMenuTimeout,
                Knob::RebootTimeout
            ]
        );
        let arm = "<domain type='qemu'><name>n</name><vcpu>2</vcpu><os><type arch='aarch64' machine='virt'>hvm</type></os><devices/></domain>";
        assert_eq!(facts(&Doc::parse(arm).unwrap()), Firmware::default());
    }

    #[test]
    fn what_runs_tells_what_holds_now_and_the_definition_what_comes_next() {
        let mut doc = Doc::parse(&domain("<boot dev='hd'/>", "")).unwrap();
        let live = read(&doc, &Make::of(&doc), OFFERS);
        set_all(&mut doc, &others(Word::Uefi)).unwrap();
        let config = read(&doc, &Make::of(&doc), OFFERS);
        let firmware = firmware(&config, Some(&live));
        let hpet = firmware.setting(Knob::Hpet).unwrap();
        assert_eq!(
            (hpet.now, hpet.next),
            (KnobValue::switch(true), KnobValue::switch(false))
        );
        let watchdog = firmware.setting(Knob::WatchdogAction).unwrap();
        assert_eq!(watchdog.now, watchdog.next);
    }

    #[test]
    fn a_value_that_a_setting_does_not_take_changes_nothing() {
        let text = domain("<boot dev='hd'/>", "");
        let mut doc = Doc::parse(&text).unwrap();
        let wrong = [
            (Knob::Hpet, KnobValue::switch(false)),
            (Knob::ProcessorsEnabled, KnobValue::Number(5)),
        ];
        set_all(&mut doc, &wrong).unwrap_err();
        assert_eq!(canonical::of(&doc.to_text()), canonical::of(&text));
    }
}

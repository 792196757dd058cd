//! What is to become of firmware settings: pure, so that every case can be listed.
//!
//! Settings that belong together are kept together: without UEFI there is no secure boot, without a menu nothing waits for it. What follows from a wish is
//! done with it; a wish that contradicts another, or what would be, is refused.

use std::collections::BTreeMap;

use super::Bios;
use crate::backend::{Firmware, Knob, KnobValue, Takes, Word};
use crate::error::{Error, ErrorKind, Invalid, Result};

type Values = BTreeMap<Knob, KnobValue>;

const ON: KnobValue = KnobValue::Word(Word::Enabled);
const OFF: KnobValue = KnobValue::Word(Word::Disabled);
const LEGACY: KnobValue = KnobValue::Word(Word::Legacy);
const NO_TIME: KnobValue = KnobValue::Number(0);

/// What would hold if nothing further was wanted: as it is, or the defaults.
fn base(firmware: &Firmware, bios: &Bios) -> Values {
    let of = |setting: &crate::backend::Setting| {
        // A default that the machine no longer takes is none.
        if bios.to_defaults && setting.takes.allows(setting.default) {
            setting.default
        } else {
            setting.next
        }
    };
    let settings = firmware.settings.iter();
    settings.map(|s| (s.knob, of(s))).collect()
}

/// What will hold after the next reset through HawkFish.
pub(super) fn future(firmware: &Firmware, bios: &Bios) -> Values {
    let mut future = base(firmware, bios);
    for (knob, value) in &bios.pending {
        // The machine may have changed since it was wanted.
        let takes = firmware.setting(*knob).map(|setting| setting.takes);
        if takes.is_some_and(|takes| takes.allows(*value)) {
            future.insert(*knob, *value);
        }
    }
    future
}

/// What is to be set so that it does.
pub(super) fn changes(firmware: &Firmware, bios: &Bios) -> Values {
    let next = firmware.next();
    let future = future(firmware, bios);
    let mut changes: Values = future
        .iter()
        .filter(|(knob, value)| next.get(knob) != Some(value))
        .map(|(knob, value)| (*knob, *value))
        .collect();
    // A switch of firmware might bring along what the other one was set to.
    if changes.contains_key(&Knob::BootMode)
        && let Some(secure) = future.get(&Knob::SecureBoot)
    {
        changes.insert(Knob::SecureBoot, *secure);
    }
    changes
}

/// What waits when this is wanted, too.
///
/// # Errors
/// `Invalid` for the first setting that the machine does not have, cannot change, or that does not take the value; `PropertyConflict`.
pub(super) fn with(firmware: &Firmware, bios: &Bios, wanted: &Values) -> Result<Values> {
    for (knob, value) in wanted {
        check(firmware, *knob, *value)?;
    }
    let mut next = bios.clone();
    next.pending.extend(wanted);
    let after = future(firmware, &next);
    let is = |knob, value| after.get(&knob) == Some(&value);
    let asked = |knob| wanted.contains_key(&knob);

    if is(Knob::BootMode, LEGACY) && is(Knob::SecureBoot, ON) {
        if asked(Knob::SecureBoot) {
            let message = "Only UEFI knows secure boot.";
            return Err(between(Knob::SecureBoot, Knob::BootMode, message));
        }
        next.pending.insert(Knob::SecureBoot, OFF);
    }
    let waits = after
        .get(&Knob::BootMenuTimeout)
        .is_some_and(|t| *t != NO_TIME);
    if is(Knob::BootMenu, OFF) && waits {
        if asked(Knob::BootMenuTimeout) {
            let message = "There is no menu that could wait.";
            return Err(between(Knob::BootMenuTimeout, Knob::BootMenu, message));
        }
        next.pending.insert(Knob::BootMenuTimeout, NO_TIME);
    }
    // What would be so anyway need not be wanted.
    let base = base(firmware, bios);
    next.pending
        .retain(|knob, value| base.get(knob) != Some(value));
    Ok(next.pending)
}

fn check(firmware: &Firmware, knob: Knob, value: KnobValue) -> Result<()> {
    let setting = firmware.setting(knob);
    let (reason, message) = match setting {
        None => (Invalid::ReadOnly, "This system does not have that setting."),
        Some(setting) if setting.takes.allows(value) => return Ok(()),
        Some(setting) => match setting.takes {
            Takes::Numbers(..) => (Invalid::OutOfRange, "The setting takes no such number."),
            Takes::Words(_) => (Invalid::NotInList, "The setting does not take that value."),
        },
    };
    let pointer = format!("/Attributes/{knob}");
    Err(Error::invalid(pointer, value.to_string(), reason, message))
}

fn between(knob: Knob, with: Knob, message: &'static str) -> Error {
    Error::new(
        ErrorKind::PropertyConflict {
            property: format!("/Attributes/{knob}").into(),
            with: format!("/Attributes/{with}").into(),
        },
        message,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Setting;

    fn setting(knob: Knob, value: KnobValue, takes: Takes) -> Setting {
        Setting {
            knob,
            now: value,
            next: value,
            default: value,
            takes,
        }
    }

    fn machine(mode: Word, secure: bool) -> Firmware {
        let modes = Takes::words(&[Word::Legacy, Word::Uefi]);
        Firmware {
            settings: vec![
                setting(Knob::BootMode, KnobValue::Word(mode), modes),
                setting(Knob::SecureBoot, KnobValue::switch(secure), Takes::switch()),
                setting(Knob::Hpet, ON, Takes::switch()),
                setting(Knob::BootMenu, OFF, Takes::switch()),
                setting(Knob::BootMenuTimeout, NO_TIME, Takes::Numbers(0, 1000)),
            ],
            keys: None,
        }
    }

    fn waiting(firmware: &Firmware, wanted: &[(Knob, KnobValue)]) -> Result<Bios> {
        let wanted = wanted.iter().copied().collect();
        let pending = with(firmware, &Bios::default(), &wanted)?;
        Ok(Bios {
            pending,
            ..Bios::default()
        })
    }

    #[test]
    fn what_is_so_already_does_not_wait() {
        let firmware = machine(Word::Uefi, false);
        let bios = waiting(&firmware, &[(Knob::Hpet, ON)]).unwrap();
        assert_eq!(bios.pending, Values::new());
        let bios = waiting(&firmware, &[(Knob::Hpet, OFF)]).unwrap();
        assert_eq!(changes(&firmware, &bios), [(Knob::Hpet, OFF)].into());
        let back = with(&firmware, &bios, &[(Knob::Hpet, ON)].into()).unwrap();
        assert_eq!(back, Values::new());
    }

    #[test]
    fn a_pc_bios_has_no_secure_boot() {
        let firmware = machine(Word::Uefi, true);
        let bios = waiting(&firmware, &[(Knob::BootMode, LEGACY)]).unwrap();
        assert_eq!(bios.pending.get(&Knob::SecureBoot), Some(&OFF));
        let both = [(Knob::BootMode, LEGACY), (Knob::SecureBoot, ON)];
        let refused = waiting(&firmware, &both).unwrap_err();
        assert!(matches!(refused.kind(), ErrorKind::PropertyConflict { .. }));
        let refused = waiting(&machine(Word::Legacy, false), &[(Knob::SecureBoot, ON)]);
        assert!(refused.is_err());
    }

    #[test]
    fn a_switch_of_firmware_says_what_secure_boot_is_to_be() {
        let firmware = machine(Word::Legacy, false);
        let bios = waiting(&firmware, &[(Knob::BootMode, KnobValue::Word(Word::Uefi))]).unwrap();
        assert_eq!(changes(&firmware, &bios).get(&Knob::SecureBoot), Some(&OFF));
    }

    #[test]
    fn only_a_menu_waits() {
        let firmware = machine(Word::Uefi, false);
        let time = KnobValue::Number(500);
        assert!(waiting(&firmware, &[(Knob::BootMenuTimeout, time)]).is_err());
        let both = [(Knob::BootMenu, ON), (Knob::BootMenuTimeout, time)];
        let bios = waiting(&firmware, &both).unwrap();
        let less = with(&firmware, &bios, &[(Knob::BootMenu, OFF)].into()).unwrap();
        assert_eq!(less, Values::new(), "the time goes with the menu");
    }

    #[test]
    fn defaults_come_first_and_wishes_on_top_of_them() {
        let mut firmware = machine(Word::Uefi, false);
        firmware.settings[2].next = OFF;
        let bios = Bios {
            to_defaults: true,
            ..Bios::default()
        };
        assert_eq!(changes(&firmware, &bios), [(Knob::Hpet, ON)].into());
        let pending = with(&firmware, &bios, &[(Knob::Hpet, OFF)].into()).unwrap();
        let bios = Bios { pending, ..bios };
        assert_eq!(changes(&firmware, &bios), Values::new());
    }

    #[test]
    fn a_wish_that_cannot_be_is_named() {
        let firmware = machine(Word::Uefi, false);
        for (knob, value) in [
            (Knob::Hpet, KnobValue::Number(1)),
            (Knob::BootMenuTimeout, KnobValue::Number(1001)),
            (Knob::WatchdogAction, KnobValue::Word(Word::Reset)),
        ] {
            let error = waiting(&firmware, &[(knob, value)]).unwrap_err();
            match error.kind() {
                ErrorKind::Invalid { property, .. } => {
                    assert_eq!(property, &format!("/Attributes/{knob}"));
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

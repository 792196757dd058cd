//! Firmware settings of a simulated machine.
//!
//! What they do in this world: the boot mode and secure boot are those of the firmware; processors that are not enabled are not there; a boot menu makes the
//! self-test longer by its time; a PC BIOS that found nothing to boot tries again after its time; without redirection the serial console does not show what a PC
//! BIOS says; the watchdog does as it is set. The rest is only for a guest to see.

use std::collections::BTreeMap;
use std::time::Duration;

use super::boot::Config;
use super::keys;
use super::profile::Profile;
use crate::backend::{BootMode, Firmware, Keys, Knob, KnobValue, Setting, Takes, Word};
use crate::error::{Error, ErrorKind, Invalid, Result};

/// Settings that are not as delivered; the boot mode is not among them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Knobs {
    now: BTreeMap<Knob, KnobValue>,
    next: BTreeMap<Knob, KnobValue>,
}

impl Knobs {
    /// The machine has lost its memory: what comes next holds now.
    pub(super) fn settle(&mut self) {
        self.now.clone_from(&self.next);
    }

    fn set(&mut self, profile: &Profile, knob: Knob, value: KnobValue, cold: bool) {
        let is_default = delivered(profile, knob).is_some_and(|(default, _)| default == value);
        let at_once = cold || knob == Knob::WatchdogAction;
        for values in [
            Some(&mut self.next),
            Some(&mut self.now).filter(|_| at_once),
        ]
        .into_iter()
        .flatten()
        {
            if is_default {
                values.remove(&knob);
            } else {
                values.insert(knob, value);
            }
        }
    }
}

fn mode_word(mode: BootMode) -> KnobValue {
    KnobValue::Word(match mode {
        BootMode::Legacy => Word::Legacy,
        BootMode::Uefi => Word::Uefi,
    })
}

/// A setting as machines of this make are delivered, and what it takes.
fn delivered(profile: &Profile, knob: Knob) -> Option<(KnobValue, Takes)> {
    let (usual, takes) = usual(profile, knob)?;
    let is_own = |value: &KnobValue| {
        takes.allows(*value) && !matches!(knob, Knob::BootMode | Knob::SecureBoot)
    };
    let own = profile.bios.get(&knob).copied().filter(is_own);
    Some((own.unwrap_or(usual), takes))
}

/// What a setting takes, if machines of this make have it.
pub(super) fn takes(profile: &Profile, knob: Knob) -> Option<Takes> {
    usual(profile, knob).map(|(_, takes)| takes)
}

/// A setting as it is when a make says nothing of it, and what it takes.
fn usual(profile: &Profile, knob: Knob) -> Option<(KnobValue, Takes)> {
    let has = |mode| profile.mode == mode || profile.modes.contains(&mode);
    let legacy = has(BootMode::Legacy).then_some(());
    let on_off = |on| (KnobValue::switch(on), Takes::switch());
    Some(match knob {
        Knob::BootMode => {
            let modes = [BootMode::Legacy, BootMode::Uefi];
            let takes = modes.into_iter().filter(|mode| has(*mode));
            let takes = takes.filter_map(|mode| match mode_word(mode) {
                KnobValue::Word(word) => Some(word),
                KnobValue::Number(_) => None,
            });
            (mode_word(profile.mode), Takes::Words(takes.collect()))
        }
        Knob::SecureBoot => {
            has(BootMode::Uefi).then_some(())?;
            on_off(profile.secure_boot)
        }
        Knob::ProcessorsEnabled => {
            let all = i64::from(profile.sockets * profile.cores * profile.threads);
            (KnobValue::Number(all), Takes::Numbers(1, all))
        }
        Knob::NestedVirtualization => on_off(true),
        Knob::Hpet => on_off(true),
        Knob::AcpiS3 => on_off(false),
        Knob::RealTimeClock => (
            KnobValue::Word(Word::Utc),
            Takes::words(&[Word::Utc, Word::LocalTime]),
        ),
        Knob::BootMenu => on_off(false),
        Knob::BootMenuTimeout => (KnobValue::Number(0), Takes::Numbers(0, 65_535)),
        Knob::RebootTimeout => {
            legacy?;
            (KnobValue::Number(-1), Takes::Numbers(-1, 65_535))
        }
        Knob::SerialRedirection => {
            legacy?;
            on_off(true)
        }
        Knob::WatchdogAction => (
            KnobValue::Word(Word::Reset),
            Takes::words(&[
                Word::None,
                Word::Reset,
                Word::PowerOff,
                Word::Pause,
                Word::Nmi,
            ]),
        ),
    })
}

impl Config {
    fn knob(&self, profile: &Profile, knob: Knob, next: bool) -> Option<KnobValue> {
        let (default, _) = delivered(profile, knob)?;
        let mode = if next { self.next_mode } else { self.mode };
        let set = self
            .knobs()
            .map(|knobs| if next { &knobs.next } else { &knobs.now });
        let value = set
            .and_then(|set| set.get(&knob))
            .copied()
            .unwrap_or(default);
        Some(match knob {
            Knob::BootMode => mode_word(mode),
            // A PC BIOS knows of none.
            Knob::SecureBoot if mode == BootMode::Legacy => KnobValue::switch(false),
            _ => value,
        })
    }

    /// What holds now.
    pub(super) fn in_force(&self, profile: &Profile, knob: Knob) -> Option<KnobValue> {
        self.knob(profile, knob, false)
    }

    fn is_on(&self, profile: &Profile, knob: Knob) -> bool {
        self.in_force(profile, knob) == Some(KnobValue::switch(true))
    }

    fn milliseconds(&self, profile: &Profile, knob: Knob) -> Option<Duration> {
        match self.in_force(profile, knob) {
            Some(KnobValue::Number(number)) => {
                u64::try_from(number).ok().map(Duration::from_millis)
            }
            _ => None,
        }
    }

    /// Whether secure boot is in force.
    pub(super) fn secure(&self, profile: &Profile) -> bool {
        self.is_on(profile, Knob::SecureBoot)
    }

    /// How many processors the guest is given.
    pub(super) fn processors(&self, profile: &Profile) -> u32 {
        match self.in_force(profile, Knob::ProcessorsEnabled) {
            Some(KnobValue::Number(number)) => number.try_into().unwrap_or(1),
            _ => 1,
        }
    }

    /// How long the self-test takes, with the menu.
    pub(super) fn self_test(&self, profile: &Profile) -> Duration {
        let menu = self.is_on(profile, Knob::BootMenu);
        let menu = menu.then(|| self.milliseconds(profile, Knob::BootMenuTimeout));
        profile.self_test + menu.flatten().unwrap_or_default()
    }

    /// When a firmware that found nothing to boot tries again.
    pub(super) fn tries_again(&self, profile: &Profile) -> Option<Duration> {
        let is_legacy = self.mode == BootMode::Legacy;
        let after = self.milliseconds(profile, Knob::RebootTimeout);
        after.filter(|_| is_legacy)
    }

    /// What the watchdog does.
    pub(super) fn watchdog(&self, profile: &Profile) -> Word {
        match self.in_force(profile, Knob::WatchdogAction) {
            Some(KnobValue::Word(word)) => word,
            _ => Word::None,
        }
    }

    /// Whether the serial console shows what the firmware says.
    pub(super) fn firmware_speaks(&self, profile: &Profile) -> bool {
        self.mode == BootMode::Uefi || self.is_on(profile, Knob::SerialRedirection)
    }

    /// All settings.
    pub(super) fn settings(&self, profile: &Profile) -> Firmware {
        let settings = Knob::ALL.iter().filter_map(|&knob| {
            let (default, takes) = delivered(profile, knob)?;
            Some(Setting {
                knob,
                now: self.knob(profile, knob, false)?,
                next: self.knob(profile, knob, true)?,
                default,
                takes,
            })
        });
        Firmware {
            settings: settings.collect(),
            keys: None,
        }
    }

    /// Sets what is wanted. `cold`: the machine is off and its next start is a cold one.
    pub(super) fn set_knobs(
        &mut self,
        profile: &Profile,
        wanted: &BTreeMap<Knob, KnobValue>,
        cold: bool,
    ) -> Result<()> {
        for (&knob, &value) in wanted {
            let reason = match delivered(profile, knob) {
                None => Some(Invalid::ReadOnly),
                Some((_, takes)) => (!takes.allows(value)).then_some(Invalid::NotInList),
            };
            if let Some(reason) = reason {
                return Err(Error::invalid(
                    format!("/Attributes/{knob}"),
                    value.to_string(),
                    reason,
                    "This machine does not take that.",
                ));
            }
            if knob == Knob::BootMode {
                self.next_mode = match value {
                    KnobValue::Word(Word::Legacy) => BootMode::Legacy,
                    _ => BootMode::Uefi,
                };
                if cold {
                    self.mode = self.next_mode;
                }
            } else {
                self.knobs_mut().set(profile, knob, value, cold);
            }
        }
        let on = KnobValue::switch(true);
        let asked = wanted.get(&Knob::SecureBoot) == Some(&on);
        if asked && self.next_mode == BootMode::Legacy {
            return Err(between(
                Knob::SecureBoot,
                Knob::BootMode,
                "Only UEFI knows secure boot.",
            ));
        }
        let waits = wanted
            .get(&Knob::BootMenuTimeout)
            .is_some_and(|t| *t != KnobValue::Number(0));
        if waits && self.knob(profile, Knob::BootMenu, true) != Some(on) {
            return Err(between(
                Knob::BootMenuTimeout,
                Knob::BootMenu,
                "There is no menu that could wait.",
            ));
        }
        Ok(())
    }

    /// Settings as a machine was last seen with.
    pub(super) fn restore_knobs(&mut self, profile: &Profile, seen: &Firmware) {
        for setting in &seen.settings {
            let known = delivered(profile, setting.knob);
            let Some((_, takes)) = known.filter(|_| setting.knob != Knob::BootMode) else {
                continue;
            };
            // Of a PC BIOS it does not show what UEFI had.
            let hidden = setting.knob == Knob::SecureBoot && self.mode == BootMode::Legacy;
            for (value, cold) in [(setting.now, true), (setting.next, false)] {
                if takes.allows(value)
                    && !hidden
                    && Some(value) != self.knob(profile, setting.knob, true)
                {
                    self.knobs_mut().set(profile, setting.knob, value, cold);
                }
            }
        }
        let mode = seen.setting(Knob::BootMode).map(|setting| setting.next);
        for next in [BootMode::Legacy, BootMode::Uefi] {
            if mode == Some(mode_word(next))
                && (profile.modes.contains(&next) || profile.mode == next)
            {
                self.next_mode = next;
            }
        }
    }
}

/// The keys that machines of this make are delivered with, if they know secure boot.
pub(super) fn keys(profile: &Profile) -> Option<Keys> {
    delivered(profile, Knob::SecureBoot)?;
    Some(keys::delivered(profile))
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

//! Firmware settings with which a make is delivered.

use std::collections::BTreeMap;

use hawkfish_core::backend::sim::Profile;
use hawkfish_core::backend::{Knob, KnobValue, Takes, Word};
use serde::{Deserialize, Serialize};

use super::super::{BadDescription, wrong};

/// The value of a firmware setting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum BiosValue {
    /// A number.
    Number(i64),
    /// A word.
    Word(String),
}

/// The settings of a make, over those of its base.
pub(super) fn over(
    said: &BTreeMap<String, BiosValue>,
    mut settings: BTreeMap<Knob, KnobValue>,
    at: &str,
) -> Result<BTreeMap<Knob, KnobValue>, BadDescription> {
    for (name, value) in said {
        let at = || format!("{at}, bios {name:?}");
        let knob = Knob::from_name(name).ok_or_else(|| wrong(at(), "there is no such setting"))?;
        match knob {
            Knob::BootMode => return Err(wrong(at(), "the last of `firmware` says that")),
            Knob::SecureBoot => return Err(wrong(at(), "`secure_boot` says that")),
            _ => {}
        }
        let value = match value {
            BiosValue::Number(number) => KnobValue::Number(*number),
            BiosValue::Word(word) => KnobValue::Word(
                Word::from_name(word)
                    .ok_or_else(|| wrong(at(), format!("no setting takes {word:?}")))?,
            ),
        };
        settings.insert(knob, value);
    }
    Ok(settings)
}

/// Whether a make takes its settings.
pub(super) fn check(profile: &Profile, at: &str) -> Result<(), BadDescription> {
    for (knob, value) in &profile.bios {
        let at = || format!("{at}, bios {:?}", knob.as_str());
        let takes = profile.takes(*knob);
        let takes = takes.ok_or_else(|| wrong(at(), "this server has no such setting"))?;
        if !takes.allows(*value) {
            let what = match takes {
                Takes::Words(words) => {
                    let words: Vec<&str> = words.iter().map(Word::as_str).collect();
                    format!("it is one of {}", words.join(", "))
                }
                Takes::Numbers(least, most) => format!("it is {least} to {most}"),
            };
            return Err(wrong(at(), what));
        }
    }
    let value = |knob| profile.bios.get(&knob).copied();
    let waits = value(Knob::BootMenuTimeout).is_some_and(|time| time != KnobValue::Number(0));
    if waits && value(Knob::BootMenu) != Some(KnobValue::switch(true)) {
        return Err(wrong(
            format!("{at}, bios \"BootMenuTimeout\""),
            "there is no boot menu that could wait",
        ));
    }
    Ok(())
}

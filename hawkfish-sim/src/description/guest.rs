//! Guests, and what they do by a script.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hawkfish_core::backend::BootTarget;
use hawkfish_core::backend::sim::{AfterInstall, Ending, Guest, Install, Line, OnPanic};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::{BadDescription, span, wrong};

/// The longest line of a script, bytes.
const LONGEST_LINE: usize = 4096;
/// Most lines of a script.
const MOST_LINES: usize = 10_000;

/// What a guest does after a panic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Panic {
    /// It restarts.
    Restart,
    /// It stops.
    Stop,
    /// It hangs.
    Hang,
}

/// A line that a guest writes on its console.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Says {
    /// How long after the firmware has handed over.
    #[serde(default)]
    pub after: SignedDuration,
    /// What it says. `{name}` is the name of the system, `{serial}` its serial number, `{boot}` the number of the boot.
    pub print: String,
    /// At which boots, from 1; all unless said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub at_boot: Vec<u32>,
}

/// From where an installer can come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "they are what Redfish calls them")]
pub enum From {
    Cd,
    Usb,
    Pxe,
    UefiHttp,
}

/// What an installer does when it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// It resets the system.
    Restart,
    /// It powers it off.
    PowerOff,
}

/// An installer: a boot from one of `from` takes so long, and then there is a system on the first disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Installs {
    /// What starts it; `Cd` and `Pxe` unless said. A network sends away what it has installed; a medium installs again until it is taken out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Vec<From>>,
    /// How long it takes; a minute unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub takes: Option<SignedDuration>,
    /// Whether it ejects its medium; it does not unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ejects: Option<bool>,
    /// What comes then; a restart unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub then: Option<Then>,
    /// What it writes on the console.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub says: Vec<Says>,
}

/// How a guest behaves: what is said of it differs from how guests usually do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(
    missing_docs,
    reason = "they are the fields of a Guest, which says what they mean"
)]
pub struct GuestMake {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boots_in: Option<SignedDuration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shuts_down_in: Option<SignedDuration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignores_acpi: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resets_itself_after: Option<SignedDuration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resets_itself_times: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_panic: Option<Panic>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub panics_for: Option<SignedDuration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dumps_for: Option<SignedDuration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignores_nmi: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watchdog: Option<SignedDuration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk_boots: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_boots: Option<bool>,
    /// Boots, counted from 1, at which its kernel panics where the login prompt would come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub panics_at_boot: Option<Vec<u32>>,
    /// Boots at which it hangs there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hangs_at_boot: Option<Vec<u32>>,
    /// Boots at which it resets its system there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resets_at_boot: Option<Vec<u32>>,
    /// Boots at which it powers its system off there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub powers_off_at_boot: Option<Vec<u32>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub says: Option<Vec<Says>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub installs: Option<Installs>,
}

fn lines(says: &[Says], at: &str) -> Result<Vec<Line>, BadDescription> {
    if says.len() > MOST_LINES {
        return Err(wrong(at, format!("more than {MOST_LINES} lines")));
    }
    let line = |(number, says): (usize, &Says)| {
        let at = format!("{at}, line {number} of what it says");
        if says.print.len() > LONGEST_LINE {
            return Err(wrong(at, format!("longer than {LONGEST_LINE} bytes")));
        }
        if let Some(word) = unknown_word(&says.print) {
            let known = "{name}, {serial} and {boot}";
            return Err(wrong(at, format!("{{{word}}} is none of {known}")));
        }
        if says.at_boot.contains(&0) {
            return Err(wrong(at, "boots are counted from 1"));
        }
        Ok(Line {
            after: span(&at, says.after)?,
            text: says.print.as_str().into(),
            at_boots: says.at_boot.iter().copied().collect(),
        })
    };
    (1..).zip(says).map(line).collect()
}

/// A word in braces that stands for nothing.
fn unknown_word(text: &str) -> Option<&str> {
    text.split('{').skip(1).find_map(|rest| {
        let (word, _) = rest.split_once('}')?;
        let is_word = !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        (is_word && !matches!(word, "name" | "serial" | "boot")).then_some(word)
    })
}

impl Installs {
    fn read(&self, at: &str) -> Result<Install, BadDescription> {
        let usual = Install::default();
        let at = format!("{at}, installs");
        let from = self.from.as_ref().map(|from| {
            let target = |from: &From| match from {
                From::Cd => BootTarget::Cd,
                From::Usb => BootTarget::Usb,
                From::Pxe => BootTarget::Pxe,
                From::UefiHttp => BootTarget::UefiHttp,
            };
            from.iter().map(target).collect::<BTreeSet<_>>()
        });
        if from.as_ref().is_some_and(BTreeSet::is_empty) {
            return Err(wrong(at, "it comes from somewhere"));
        }
        Ok(Install {
            from: from.unwrap_or(usual.from),
            takes: match self.takes {
                Some(long) => span(&at, long)?,
                None => usual.takes,
            },
            ejects: self.ejects.unwrap_or(usual.ejects),
            then: match self.then {
                Some(Then::PowerOff) => AfterInstall::PowerOff,
                Some(Then::Restart) => AfterInstall::Restart,
                None => usual.then,
            },
            says: lines(&self.says, &at)?,
        })
    }
}

impl GuestMake {
    /// What is said of boots replaces what the base says, if anything is.
    fn at_boots(
        &self,
        base: BTreeMap<u32, Ending>,
        at: &str,
    ) -> Result<BTreeMap<u32, Ending>, BadDescription> {
        let said = [
            (&self.panics_at_boot, Ending::Panic),
            (&self.hangs_at_boot, Ending::Hang),
            (&self.resets_at_boot, Ending::Reset),
            (&self.powers_off_at_boot, Ending::PowerOff),
        ];
        if said.iter().all(|(boots, _)| boots.is_none()) {
            return Ok(base);
        }
        let mut at_boots = BTreeMap::new();
        for (boots, ending) in said {
            for boot in boots.iter().flatten() {
                if *boot == 0 {
                    return Err(wrong(at, "boots are counted from 1"));
                }
                if at_boots.insert(*boot, ending).is_some() {
                    return Err(wrong(at, format!("boot {boot} ends in two ways")));
                }
            }
        }
        Ok(at_boots)
    }

    pub(super) fn check(&self, at: &str) -> Result<(), BadDescription> {
        self.over(Guest::default(), at).map(drop)
    }

    pub(crate) fn over(&self, base: Guest, at: &str) -> Result<Guest, BadDescription> {
        let or = |long: Option<SignedDuration>, base: Duration| match long {
            Some(long) => span(at, long),
            None => Ok(base),
        };
        let some = |long: Option<SignedDuration>, base: Option<Duration>| match long {
            Some(long) => span(at, long).map(Some),
            None => Ok(base),
        };
        Ok(Guest {
            boots_in: or(self.boots_in, base.boots_in)?,
            shuts_down_in: or(self.shuts_down_in, base.shuts_down_in)?,
            ignores_acpi: self.ignores_acpi.unwrap_or(base.ignores_acpi),
            resets_itself_after: some(self.resets_itself_after, base.resets_itself_after)?,
            resets_itself_times: self.resets_itself_times.unwrap_or(base.resets_itself_times),
            on_panic: match self.on_panic {
                Some(Panic::Restart) => OnPanic::Restart,
                Some(Panic::Stop) => OnPanic::Stop,
                Some(Panic::Hang) => OnPanic::Hang,
                None => base.on_panic,
            },
            panics_for: or(self.panics_for, base.panics_for)?,
            dumps_for: some(self.dumps_for, base.dumps_for)?,
            ignores_nmi: self.ignores_nmi.unwrap_or(base.ignores_nmi),
            watchdog: some(self.watchdog, base.watchdog)?,
            at_boots: self.at_boots(base.at_boots, at)?,
            says: match &self.says {
                Some(says) => lines(says, at)?,
                None => base.says,
            },
            installs: match &self.installs {
                Some(installs) => Some(installs.read(at)?),
                None => base.installs,
            },
            disk_boots: self.disk_boots.unwrap_or(base.disk_boots),
            network_boots: self.network_boots.unwrap_or(base.network_boots),
        })
    }
}

//! A world in words: what it is made of, as TOML or JSON.
//!
//! ```toml
//! seed = 42
//! presets = ["busy-now-and-then"]
//!
//! [profile.tiny]
//! base = "small"
//! memory_gib = 4
//! disks = [{ gib = 20 }]
//! guest = { boots_in = "2s", on_panic = "stop" }
//!
//! [[rack]]
//! name = "lab"
//! systems = 3
//! profiles = ["tiny"]
//!
//! [[fault]]
//! name = "slow inventory"
//! when = { uri = "/redfish/v1/Systems/*", method = ["GET"] }
//! then = { delay = { uniform = { least = "1s", most = "3s" } } }
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use hawkfish_core::backend::sim::Profile;
use hawkfish_core::id::HostId;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::fault::{self, Rule};

mod face;
mod guest;
mod make;
mod rack;

pub use face::Faces;
pub(crate) use face::{Called, Template};
pub use guest::{From as InstallFrom, GuestMake, Installs, Panic, Says, Then as AfterInstall};
pub use make::{
    BiosValue, DiskMake, FanMake, Firmware, Make, Measures, Media, ModuleMake, NicMake, PartMake,
    Place, PowerMake, Protocol, SensorMake, SupplyMake, Thresholds,
};
pub use rack::Rack;
pub(crate) use rack::number;

/// Most systems of a world.
pub const MOST_SYSTEMS: usize = 1_000_000;

/// A description that makes no world.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {what}")]
pub struct BadDescription {
    /// Where: `rack "lab"`.
    pub at: String,
    /// What is wrong.
    pub what: String,
}

fn wrong(at: impl Into<String>, what: impl Into<String>) -> BadDescription {
    BadDescription {
        at: at.into(),
        what: what.into(),
    }
}

/// What a world is made of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Description {
    /// Decides everything that is left to chance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// The administrator's password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// What the clock shows at the beginning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub begins: Option<Timestamp>,
    /// Racks; one of the name `sim` with one system where there is none.
    #[serde(rename = "rack", skip_serializing_if = "Vec::is_empty")]
    pub racks: Vec<Rack>,
    /// Makes of server, by name. There are `small`, `medium`, `large` and `dense` before anything is said.
    #[serde(rename = "profile", skip_serializing_if = "BTreeMap::is_empty")]
    pub profiles: BTreeMap<String, Make>,
    /// Faults that have a name already: see [`fault::PRESETS`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub presets: Vec<String>,
    /// How the BMC of each system is reached as a service of its own; only as a part of the fleet unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub faces: Option<Faces>,
    /// Further faults.
    #[serde(rename = "fault", skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Rule>,
}

impl Description {
    /// Reads TOML.
    ///
    /// # Errors
    /// Where, and what is wrong.
    pub fn from_toml(text: &str) -> Result<Self, BadDescription> {
        let read: Self = toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start.min(text.len()));
            let line = text[..at].matches('\n').count() + 1;
            wrong(format!("line {line}"), error.message())
        })?;
        read.check()?;
        Ok(read)
    }

    /// Reads JSON.
    ///
    /// # Errors
    /// Where, and what is wrong.
    pub fn from_json(text: &str) -> Result<Self, BadDescription> {
        let read: Self = serde_json::from_str(text)
            .map_err(|error| wrong(format!("line {}", error.line()), error.to_string()))?;
        read.check()?;
        Ok(read)
    }

    /// Holds it against what can be.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), BadDescription> {
        let mut names = BTreeSet::new();
        for rack in &self.racks {
            let at = || format!("rack {:?}", rack.name);
            HostId::parse(&rack.name).map_err(|error| wrong(at(), error.message()))?;
            if !names.insert(&rack.name) {
                return Err(wrong(at(), "there are two of that name"));
            }
            for name in &rack.profiles {
                self.profile(name, &mut Vec::new())?;
            }
            let systems = 1..=rack.systems;
            for (name, guest) in &rack.guests {
                guest.check(&at())?;
                number(&rack.name, name)
                    .filter(|number| systems.contains(number))
                    .ok_or_else(|| wrong(at(), format!("it has no system {name:?}")))?;
            }
        }
        let systems: usize = self.racks.iter().map(|rack| rack.systems).sum();
        self.faces
            .as_ref()
            .map_or(Ok(()), |faces| faces.check(systems))?;
        if systems > MOST_SYSTEMS {
            return Err(wrong("racks", format!("more than {MOST_SYSTEMS} systems")));
        }
        for name in self.profiles.keys() {
            self.profile(name, &mut Vec::new())?;
        }
        for rule in self.all_faults()? {
            rule.check()
                .map_err(|bad| wrong(format!("fault {:?}", bad.rule), bad.what))?;
        }
        Ok(())
    }

    /// All faults: of the presets, and the further ones.
    ///
    /// # Errors
    /// A preset that there is not.
    pub fn all_faults(&self) -> Result<Vec<Rule>, BadDescription> {
        let mut all = Vec::new();
        for name in &self.presets {
            let preset = fault::preset(name)
                .ok_or_else(|| wrong("presets", format!("there is none called {name:?}")))?;
            all.extend(preset.rules());
        }
        all.extend(self.faults.iter().cloned());
        Ok(all)
    }

    /// The make of a name. `under` are the makes that are made from it.
    pub(crate) fn profile(
        &self,
        name: &str,
        under: &mut Vec<String>,
    ) -> Result<Profile, BadDescription> {
        let at = || format!("profile {name:?}");
        if under.iter().any(|below| below == name) {
            return Err(wrong(at(), "it is made from itself"));
        }
        let Some(make) = self.profiles.get(name) else {
            return Ok(match name {
                "small" => Profile::small(),
                "medium" => Profile::medium(),
                "large" => Profile::large(),
                "dense" => Profile::dense(),
                _ => return Err(wrong(at(), "there is none of that name")),
            });
        };
        under.push(name.to_owned());
        // A make called as one that there is anyway changes that.
        let base = match make.base.as_deref() {
            Some(base) if base != name => self.profile(base, under)?,
            _ if matches!(name, "small" | "medium" | "large" | "dense") => {
                Self::default().profile(name, &mut Vec::new())?
            }
            Some(_) => return Err(wrong(at(), "it is made from itself")),
            None => Profile::small(),
        };
        make.over(base, &at())
    }

    /// The makes of a rack.
    pub(crate) fn makes(&self, rack: &Rack) -> Result<Vec<Arc<Profile>>, BadDescription> {
        let make = |name: &String| self.profile(name, &mut Vec::new()).map(Arc::new);
        rack.profiles.iter().map(make).collect()
    }
}

fn span(at: &str, long: SignedDuration) -> Result<Duration, BadDescription> {
    Duration::try_from(long).map_err(|_| wrong(at, "a time is below zero"))
}

#[cfg(test)]
mod tests {
    use hawkfish_core::backend::BootMode;
    use hawkfish_core::backend::sim::OnPanic;

    use super::*;

    #[test]
    fn a_description_is_read_and_written_and_read_again() {
        let text = r#"
            seed = 42
            begins = "2026-06-01T00:00:00Z"
            presets = ["slow"]
            [profile.tiny]
            base = "dense"
            memory_gib = 4
            disks = [{ gib = 20 }, { gib = 40 }]
            firmware = ["UEFI", "Legacy"]
            guest = { boots_in = "2s", on_panic = "stop" }
            [[rack]]
            name = "lab"
            systems = 3
            profiles = ["tiny", "small"]
            guests = { lab-00002 = { ignores_acpi = true } }
            [[fault]]
            name = "late"
            when = { uri = "/redfish/v1/Systems/*", method = ["GET"], from = "1m" }
            then = { delay = { uniform = { least = "1s", most = "PT3S" } } }
        "#;
        let read = Description::from_toml(text).unwrap();
        let tiny = read.profile("tiny", &mut Vec::new()).unwrap();
        assert_eq!(tiny.memory_kib, 4 << 20);
        assert_eq!((tiny.cores, tiny.disks.len()), (64, 2));
        assert_eq!(tiny.mode, BootMode::Legacy);
        assert_eq!(tiny.guest.boots_in, Duration::from_secs(2));
        assert_eq!(tiny.guest.on_panic, OnPanic::Stop);
        assert_eq!(read.all_faults().unwrap().len(), 2);
        let json = serde_json::to_string(&read).unwrap();
        assert_eq!(Description::from_json(&json).unwrap(), read);
        let again = toml::to_string(&read).unwrap();
        assert_eq!(Description::from_toml(&again).unwrap(), read);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (text, place, what) in [
            ("sead = 1", "line 1", "sead"),
            ("\n\nseed = \"x\"", "line 3", "invalid type"),
            ("presets = [\"none\"]", "presets", "none"),
            ("[[rack]]\nname = \"a/b\"", "rack \"a/b\"", ""),
            (
                "[[rack]]\nname = \"a\"\n[[rack]]\nname = \"a\"",
                "rack \"a\"",
                "two",
            ),
            (
                "[[rack]]\nname = \"a\"\nprofiles = [\"x\"]",
                "profile \"x\"",
                "none",
            ),
            (
                "[profile.x]\nbase = \"y\"\n[profile.y]\nbase = \"x\"",
                "profile \"x\"",
                "itself",
            ),
            (
                "[profile.x]\nself_test = \"-1s\"",
                "profile \"x\"",
                "below zero",
            ),
            (
                "[[rack]]\nname = \"a\"\nguests = { a-00002 = {} }",
                "rack \"a\"",
                "a-00002",
            ),
            (
                "[[fault]]\nname = \"f\"\nwhen = { chance = 2.0 }\nthen = { damage = \"empty\" }",
                "fault \"f\"",
                "chance",
            ),
        ] {
            let error = Description::from_toml(text).unwrap_err();
            assert!(
                error.at.contains(place) && error.what.contains(what),
                "{text:?}: {error}"
            );
        }
    }
}

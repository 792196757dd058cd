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
//! then = { delay = { least = "1s", most = "3s" } }
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use hawkfish_core::backend::BootMode;
use hawkfish_core::backend::sim::{Disk, Guest, OnPanic, Profile};
use hawkfish_core::id::HostId;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::fault::{self, Rule};

/// Most systems of a world.
pub const MOST_SYSTEMS: usize = 1_000_000;

const GIB: u64 = 1 << 30;

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
    /// Further faults.
    #[serde(rename = "fault", skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Rule>,
}

/// A rack of servers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rack {
    /// Its name, of letters, digits, `-`, `_` and `.`; its servers are named after it: `lab-00001`.
    pub name: String,
    /// How many servers it holds.
    #[serde(default = "one")]
    pub systems: usize,
    /// Of what makes, in turn. All four that there are unless said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub profiles: Vec<String>,
    /// Servers with guests of their own, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub guests: BTreeMap<String, GuestMake>,
}

impl Rack {
    /// A rack of the makes that there are.
    #[must_use]
    pub fn new(name: impl Into<String>, systems: usize) -> Self {
        Self {
            name: name.into(),
            systems,
            profiles: Vec::new(),
            guests: BTreeMap::new(),
        }
    }
}

fn one() -> usize {
    1
}

/// A make of server: what is said of it differs from its base.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(
    missing_docs,
    reason = "they are the fields of a Profile, which says what they mean"
)]
pub struct Make {
    /// The make that it is made from; `small` unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manufacturer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sku: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub firmware_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processor_model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sockets: Option<u32>,
    /// Cores of each socket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cores: Option<u32>,
    /// Threads of each core.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_gib: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disks: Option<Vec<DiskMake>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nics: Option<u8>,
    /// `Legacy`, `UEFI`: what it can be switched to; delivered with the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub firmware: Option<Vec<Firmware>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secure_boot: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub self_test: Option<SignedDuration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guest: Option<GuestMake>,
}

/// A disk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiskMake {
    /// Its size.
    pub gib: u64,
}

/// A firmware.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Firmware {
    /// PC BIOS.
    Legacy,
    /// UEFI.
    #[serde(rename = "UEFI")]
    Uefi,
}

impl From<Firmware> for BootMode {
    fn from(firmware: Firmware) -> Self {
        match firmware {
            Firmware::Legacy => Self::Legacy,
            Firmware::Uefi => Self::Uefi,
        }
    }
}

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
    pub on_panic: Option<Panic>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub panics_for: Option<SignedDuration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watchdog: Option<SignedDuration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk_boots: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_boots: Option<bool>,
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

/// The number of a server in its rack, from its name.
pub(crate) fn number(rack: &str, name: &str) -> Option<usize> {
    let digits = name.strip_prefix(rack)?.strip_prefix('-')?;
    digits.parse().ok().filter(|number| *number > 0)
}

fn span(at: &str, long: SignedDuration) -> Result<Duration, BadDescription> {
    Duration::try_from(long).map_err(|_| wrong(at, "a time is below zero"))
}

impl Make {
    fn over(&self, base: Profile, at: &str) -> Result<Profile, BadDescription> {
        let Self {
            base: _,
            manufacturer,
            product,
            version,
            sku,
            family,
            firmware_version,
            processor_model,
            sockets,
            cores,
            threads,
            memory_gib,
            disks,
            nics,
            firmware,
            secure_boot,
            self_test,
            guest,
        } = self.clone();
        let counts = [sockets, cores, threads];
        if counts
            .iter()
            .any(|count| count.is_some_and(|n| !(1..=1024).contains(&n)))
        {
            return Err(wrong(at, "sockets, cores and threads are 1 to 1024"));
        }
        if memory_gib.is_some_and(|gib| !(1..=1 << 20).contains(&gib)) {
            return Err(wrong(at, "memory is 1 to 1,048,576 GiB"));
        }
        let modes: Option<BTreeSet<BootMode>> = firmware
            .as_ref()
            .map(|all| all.iter().copied().map(BootMode::from).collect());
        if modes.as_ref().is_some_and(BTreeSet::is_empty) {
            return Err(wrong(at, "a server has a firmware"));
        }
        let disks = disks.map(|disks| {
            let disk = |(n, disk): (usize, DiskMake)| Disk {
                name: format!("disk{n}"),
                bytes: disk.gib.saturating_mul(GIB),
            };
            disks.into_iter().enumerate().map(disk).collect()
        });
        let guest = match guest {
            Some(guest) => guest.over(base.guest, at)?,
            None => base.guest,
        };
        Ok(Profile {
            manufacturer: manufacturer.unwrap_or(base.manufacturer),
            product: product.unwrap_or(base.product),
            version: version.unwrap_or(base.version),
            sku: sku.unwrap_or(base.sku),
            family: family.unwrap_or(base.family),
            firmware_version: firmware_version.unwrap_or(base.firmware_version),
            processor_model: processor_model.unwrap_or(base.processor_model),
            arch: base.arch,
            sockets: sockets.unwrap_or(base.sockets),
            cores: cores.unwrap_or(base.cores),
            threads: threads.unwrap_or(base.threads),
            memory_kib: memory_gib.map_or(base.memory_kib, |gib| gib << 20),
            disks: disks.unwrap_or(base.disks),
            nics: nics.unwrap_or(base.nics),
            parts: base.parts,
            mode: firmware
                .and_then(|all| all.last().copied())
                .map_or(base.mode, BootMode::from),
            modes: modes.unwrap_or(base.modes),
            secure_boot: secure_boot.unwrap_or(base.secure_boot),
            self_test: match self_test {
                Some(long) => span(at, long)?,
                None => base.self_test,
            },
            guest,
        })
    }
}

impl GuestMake {
    fn check(&self, at: &str) -> Result<(), BadDescription> {
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
            on_panic: match self.on_panic {
                Some(Panic::Restart) => OnPanic::Restart,
                Some(Panic::Stop) => OnPanic::Stop,
                Some(Panic::Hang) => OnPanic::Hang,
                None => base.on_panic,
            },
            panics_for: or(self.panics_for, base.panics_for)?,
            watchdog: some(self.watchdog, base.watchdog)?,
            disk_boots: self.disk_boots.unwrap_or(base.disk_boots),
            network_boots: self.network_boots.unwrap_or(base.network_boots),
        })
    }
}

#[cfg(test)]
mod tests {
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
            then = { delay = { least = "1s", most = "PT3S" } }
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

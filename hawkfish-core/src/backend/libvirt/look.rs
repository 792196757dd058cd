//! Looking at machines: what of the picture is old, reading it anew, and telling what has changed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use virt::connect::Connect;
use virt::domain::Domain;
use virt::error::Error as Virt;
use virt::sys;

use super::event::Happening;
use super::facts::{self, Condition, Facts, Surroundings};
use super::firmware::Make;
use super::host::{Entry, Host};
use super::knobs::Offers;
use super::line::Line;
use super::raw::{self, State as DomainState};
use super::xml::Doc;
use super::{Driver, fault, varstore};
use crate::backend::{Cause, Change, Keys, Machine, MachineKey, Power};
use crate::error::{Error, ErrorKind, Result};

/// Definitions read again at each look, because some changes come without an event (autostart, `attach-device --config`).
const LOOKS_AT_ONCE: usize = 64;

impl Host {
    /// All domains, read from scratch, for as long as `go_on` says so.
    pub(super) fn list(
        &self,
        line: &Line,
        go_on: impl Fn() -> bool,
    ) -> Result<BTreeMap<MachineKey, Entry>> {
        let states = raw::states(&line.conn).map_err(|e| fault::unavailable(&e))?;
        let autostarts = autostarts(&line.conn).map_err(|e| fault::unavailable(&e))?;
        let mut entries = BTreeMap::new();
        for (domain, state) in states {
            let key = MachineKey(domain.get_uuid().map_err(|e| fault::unavailable(&e))?);
            let autostart = autostarts.contains(&key);
            if !go_on() {
                return Err(Error::unavailable("The listing was given up."));
            }
            let old = self.entry(key);
            match self.read(line, &domain, key, state, autostart, old.as_ref()) {
                Ok(entry) => {
                    entries.insert(key, entry);
                }
                Err(error) if matches!(error.kind(), ErrorKind::Unavailable { .. }) => {
                    return Err(error);
                }
                // It vanished while we looked, or is one that we cannot read; the others are not to suffer.
                Err(error) => tracing::warn!(machine = %key, ?error, "machine left out"),
            }
        }
        Ok(entries)
    }

    /// Machines whose state, autostart or being there is not as in the picture; with `also_some`, some more in turn.
    pub(super) fn stale(&self, line: &Line, also_some: bool) -> Result<Vec<MachineKey>, Virt> {
        let states = raw::states(&line.conn)?;
        let autostarts = autostarts(&line.conn)?;
        let mut seen = BTreeSet::new();
        let mut picture = self.picture();
        let mut stale = BTreeSet::new();
        for (domain, state) in &states {
            let key = MachineKey(domain.get_uuid()?);
            seen.insert(key);
            let is_known = picture.entries.get(&key).is_some_and(|entry| {
                entry.state == *state && entry.autostart == autostarts.contains(&key)
            });
            if !is_known {
                stale.insert(key);
            }
        }
        stale.extend(picture.entries.keys().filter(|key| !seen.contains(key)));
        if also_some {
            let after = picture.looked_up_to;
            let some: Vec<MachineKey> = picture
                .entries
                .keys()
                .filter(|key| after.is_none_or(|after| **key > after))
                .take(LOOKS_AT_ONCE)
                .copied()
                .collect();
            // Having come to the end, the next look begins anew.
            picture.looked_up_to = some.last().copied().filter(|_| some.len() == LOOKS_AT_ONCE);
            stale.extend(some);
        }
        Ok(stale.into_iter().collect())
    }

    /// Reads all of a domain. Makes up to three calls.
    fn read(
        &self,
        line: &Line,
        domain: &Domain,
        key: MachineKey,
        state: DomainState,
        autostart: bool,
        old: Option<&Entry>,
    ) -> Result<Entry> {
        let doing = "describe the machine";
        let of = |flags| {
            let text = domain
                .get_xml_desc(flags)
                .map_err(|error| fault::of(&error, doing, key))?;
            let doc = Doc::parse(&text)?;
            let around = self.surroundings(line, &Make::of(&doc));
            Ok::<_, Error>(Arc::new(Facts::read(&doc, around)))
        };
        let config = of(sys::VIR_DOMAIN_XML_INACTIVE)?;
        let live = if is_active(state) { Some(of(0)?) } else { None };
        Ok(self.entry_of(
            key,
            Parts {
                state,
                config,
                live,
                autostart,
                last_reset: old.and_then(|old| old.last_reset),
                console_from: old.and_then(|old| old.console_from),
            },
        ))
    }

    fn entry_of(&self, key: MachineKey, parts: Parts) -> Entry {
        let (power, crashed) = power(parts.state);
        let condition = Condition {
            power,
            crashed,
            autostart: parts.autostart,
            last_reset: parts.last_reset,
        };
        let storage = {
            let picture = self.picture();
            let told = &parts.live.as_ref().unwrap_or(&parts.config).storage;
            told.with(
                picture.blocks.get(&key),
                picture.failed.get(&key),
                &parts.config.marker.volumes,
            )
        };
        let mut machine = facts::machine(
            key,
            &parts.config,
            parts.live.as_deref(),
            condition,
            // libvirt's test driver takes no media into what runs; there, what is defined is what there is.
            self.driver() == Driver::Qemu,
            storage,
        );
        if parts.live.is_some() {
            self.add_leases(key, &mut machine);
        }
        if let Some(keys) = self.keys(key, &parts) {
            Arc::make_mut(&mut machine.firmware).keys = Some(keys);
        }
        Entry {
            state: parts.state,
            config: parts.config,
            live: parts.live,
            autostart: parts.autostart,
            last_reset: parts.last_reset,
            console_from: parts.console_from,
            machine: Arc::new(machine),
        }
    }

    pub(super) fn surroundings(&self, line: &Line, make: &Make) -> Surroundings {
        let driver = self.driver();
        let is_qemu = driver == Driver::Qemu;
        let with = |offers| Surroundings { is_qemu, offers };
        if !is_qemu || !make.is_pc() {
            // The test driver runs nothing, so every firmware is as good as any.
            let is_test = driver == Driver::Test;
            return with(Offers {
                efi: is_test,
                secure: is_test,
                nested: is_test.then_some("vmx"),
            });
        }
        if let Some(&offers) = self.picture().offers.get(make) {
            return with(offers);
        }
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let asked = line.conn.get_domain_capabilities(
            make.emulator.as_deref(),
            some(&make.arch).as_deref(),
            some(&make.machine).as_deref(),
            some(&make.domain).as_deref(),
            0,
        );
        let offers = match asked {
            Ok(text) => Doc::parse(&text).map_or_else(
                |_| Offers::default(),
                |doc| offered(&doc, make, self.settings.is_of_system()),
            ),
            Err(error) => {
                tracing::debug!(error = error.message(), ?make, "no domain capabilities");
                if fault::is_of_connection(&error) {
                    return with(Offers::default());
                }
                Offers::default()
            }
        };
        self.picture().offers.insert(make.clone(), offers);
        with(offers)
    }

    /// The keys in the UEFI variables of a machine, where these are files of ours to read. They are read again when they have changed.
    fn keys(&self, key: MachineKey, parts: &Parts) -> Option<Arc<Keys>> {
        if self.driver() != Driver::Qemu || !self.settings.is_local() {
            return None;
        }
        let facts = parts.live.as_ref().unwrap_or(&parts.config);
        let path = facts.nvram.as_deref()?;
        let written = std::fs::metadata(path).ok()?.modified().ok()?;
        if let Some((known, at, keys)) = self.picture().keys.get(&key)
            && (known.as_str(), *at) == (path, written)
        {
            return keys.clone();
        }
        let file = std::fs::read(path).ok()?;
        let keys = varstore::keys(&file).map(Arc::new);
        let seen = (path.to_owned(), written, keys.clone());
        self.picture().keys.insert(key, seen);
        keys
    }

    /// How a domain stands now. A domain that is not there any more leaves the picture.
    pub(super) fn find(&self, line: &Line, key: MachineKey) -> Result<(Domain, DomainState)> {
        let found = line.domain(key).and_then(|domain| {
            let state = domain.get_state()?;
            Ok((domain, state))
        });
        found.map_err(|error| {
            let error = fault::of(&error, "look at the machine", key);
            if matches!(error.kind(), ErrorKind::NotFound { .. }) {
                line.forget(key);
                let mut picture = self.picture();
                if picture.entries.remove(&key).is_some() {
                    self.tell(&mut picture, Change::Removed(key));
                }
            }
            error
        })
    }

    /// Looks at a machine, all of it, and tells what has changed.
    pub(super) fn look(
        &self,
        line: &Line,
        key: MachineKey,
        happenings: &[Happening],
    ) -> Result<Arc<Machine>> {
        let entry = self.read_anew(line, key)?;
        Ok(self.put(key, entry, happenings))
    }

    fn read_anew(&self, line: &Line, key: MachineKey) -> Result<Entry> {
        let (domain, state) = self.find(line, key)?;
        let autostart = domain.get_autostart().unwrap_or(false);
        let old = self.entry(key);
        let entry = self.read(line, &domain, key, state, autostart, old.as_ref())?;
        // What is off answers without its emulator, so it holds nobody up.
        if !is_active(state) && self.wants_sizes(key, &entry) {
            self.size(&domain, key);
            return self.read(line, &domain, key, state, autostart, old.as_ref());
        }
        if self.note_leases(&domain, key, &entry) {
            return Ok(self.entry_of(
                key,
                Parts {
                    state,
                    config: entry.config,
                    live: entry.live,
                    autostart,
                    last_reset: entry.last_reset,
                    console_from: entry.console_from,
                },
            ));
        }
        Ok(entry)
    }

    /// Looks at whether a machine runs, and takes the rest as known.
    pub(super) fn look_at_state(
        &self,
        line: &Line,
        key: MachineKey,
        happenings: &[Happening],
    ) -> Result<Arc<Machine>> {
        let (_, state) = self.find(line, key)?;
        match self.entry(key) {
            Some(old) if !is_active(state) || old.live.is_some() => {
                let live = old.live.filter(|_| is_active(state));
                let entry = self.entry_of(
                    key,
                    Parts {
                        state,
                        config: old.config,
                        live,
                        autostart: old.autostart,
                        last_reset: old.last_reset,
                        console_from: old.console_from,
                    },
                );
                Ok(self.put(key, entry, happenings))
            }
            _ => self.look(line, key, happenings),
        }
    }

    /// Puts a machine into the picture, and tells of it what happened, or that it is not as it was.
    fn put(&self, key: MachineKey, mut entry: Entry, happenings: &[Happening]) -> Arc<Machine> {
        let is_new_life = happenings
            .iter()
            .any(|h| matches!(h, Happening::Started | Happening::Reset));
        if is_new_life {
            entry.last_reset = Some(self.clock.now());
            let mut machine = (*entry.machine).clone();
            machine.last_reset = entry.last_reset;
            entry.machine = Arc::new(machine);
        }
        let machine = Arc::clone(&entry.machine);
        let mut picture = self.picture();
        let old = picture.entries.insert(key, entry);
        let differs = old.is_none_or(|old| *old.machine != *machine);
        let mut told = false;
        for happening in happenings.iter().filter(|h| h.is_worth_telling()) {
            told = true;
            let change = Change::Machine {
                machine: Arc::clone(&machine),
                cause: happening.cause(),
            };
            self.tell(&mut picture, change);
        }
        if differs && !told {
            let change = Change::Machine {
                machine: Arc::clone(&machine),
                cause: happenings.last().map_or(Cause::Verb, |h| h.cause()),
            };
            self.tell(&mut picture, change);
        }
        machine
    }

    /// Notes from where on the console of a machine is of its present run.
    pub(super) fn note_console(&self, key: MachineKey, from: Option<u64>) {
        if let Some(entry) = self.picture().entries.get_mut(&key) {
            entry.console_from = from;
        }
    }

    /// Looks at a machine after what happened to it, and keeps its boot override to one boot.
    pub(super) fn handle(self: &Arc<Self>, line: &Line, key: MachineKey) -> Result<Arc<Machine>> {
        let happenings = self.picture().pending.remove(&key).unwrap_or_default();
        let is_of_state_only = !happenings.is_empty()
            && happenings.iter().all(|h| {
                use Happening::{Paused, Reset, Resumed, Stopped, Watchdog};
                matches!(h, Paused | Resumed | Reset | Watchdog | Stopped(_))
            });
        let known = self.entry(key).filter(|_| is_of_state_only);
        let is_known = known.is_some();
        let entry = match known {
            Some(entry) => entry,
            None => self.read_anew(line, key)?,
        };
        if needs_settling(&entry) {
            match self.settle(line, key, &entry, &happenings) {
                Ok(false) => {}
                Ok(true) => return self.look(line, key, &happenings),
                Err(error) => {
                    tracing::warn!(machine = %key, ?error, "boot override not taken back");
                }
            }
        }
        if is_known {
            self.look_at_state(line, key, &happenings)
        } else {
            if self.wants_sizes(key, &entry) {
                self.size_later();
            }
            Ok(self.put(key, entry, &happenings))
        }
    }
}

struct Parts {
    state: DomainState,
    config: Arc<Facts>,
    live: Option<Arc<Facts>>,
    autostart: bool,
    last_reset: Option<Timestamp>,
    console_from: Option<u64>,
}

/// Whether the boot order of what runs has to be looked after.
pub(super) fn needs_settling(entry: &Entry) -> bool {
    entry
        .live
        .as_ref()
        .is_some_and(|live| live.marker.over.is_some() || entry.config.marker.over.is_some())
}

pub(super) fn is_active(state: DomainState) -> bool {
    state.0 != sys::VIR_DOMAIN_SHUTOFF
}

/// What a state of libvirt means, and whether the machine failed.
///
/// A guest that has put itself to sleep in memory (ACPI S3) is `Paused`: its processors stand still and [`crate::backend::Step::Resume`] wakes it.
pub(super) fn power((state, reason): DomainState) -> (Power, bool) {
    let reason = reason.cast_unsigned();
    match state {
        sys::VIR_DOMAIN_SHUTOFF => {
            let crashed = matches!(
                reason,
                sys::VIR_DOMAIN_SHUTOFF_CRASHED | sys::VIR_DOMAIN_SHUTOFF_FAILED
            );
            (Power::Off, crashed)
        }
        sys::VIR_DOMAIN_SHUTDOWN => (Power::PoweringOff, false),
        sys::VIR_DOMAIN_CRASHED => (Power::Paused, true),
        sys::VIR_DOMAIN_PMSUSPENDED => (Power::Paused, false),
        sys::VIR_DOMAIN_PAUSED => match reason {
            sys::VIR_DOMAIN_PAUSED_STARTING_UP => (Power::PoweringOn, false),
            sys::VIR_DOMAIN_PAUSED_SHUTTING_DOWN => (Power::PoweringOff, false),
            sys::VIR_DOMAIN_PAUSED_CRASHED => (Power::Paused, true),
            _ => (Power::Paused, false),
        },
        _ => (Power::On, false),
    }
}

fn autostarts(conn: &Connect) -> Result<BTreeSet<MachineKey>, Virt> {
    conn.list_all_domains(sys::VIR_CONNECT_LIST_DOMAINS_AUTOSTART)?
        .iter()
        .map(|domain| Ok(MachineKey(domain.get_uuid()?)))
        .collect()
}

/// What a host offers to domains of a make, by its domain capabilities.
fn offered(doc: &Doc, make: &Make, has_places: bool) -> Offers {
    let secure = doc.path(&["os", "loader"]).is_some_and(|loader| {
        doc.children(loader, "enum")
            .filter(|&e| doc.attr(e, "name") == Some("secure"))
            .flat_map(|e| doc.children(e, "value"))
            .any(|value| doc.string(value).as_deref() == Some("yes"))
    });
    let vendor = doc.path(&["cpu"]).and_then(|cpu| {
        let mut modes = doc.children(cpu, "mode");
        let model = modes.find(|&mode| doc.attr(mode, "name") == Some("host-model"))?;
        doc.child_string(model, "vendor")
    });
    let efi = says_efi(doc);
    Offers {
        efi,
        secure: efi && secure && has_places,
        nested: match vendor.as_deref() {
            // QEMU's own processor knows AMD's way whatever the host's is.
            _ if make.domain == "qemu" => Some("svm"),
            Some("AMD") => Some("svm"),
            Some("Intel") => Some("vmx"),
            _ => None,
        },
    }
}

fn says_efi(doc: &Doc) -> bool {
    let Some(os) = doc.path(&["os"]) else {
        return false;
    };
    doc.children(os, "enum")
        .filter(|&e| doc.attr(e, "name") == Some("firmware"))
        .flat_map(|e| doc.children(e, "value"))
        .any(|value| doc.string(value).as_deref() == Some("efi"))
}

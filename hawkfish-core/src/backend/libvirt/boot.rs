//! Keeping a boot override `once` to exactly one boot.
//!
//! An override lies in the definition of a domain, with a note of what it replaced. It is used up by the first boot after it was set:
//! - HawkFish starts the machine: it is started stopped, its live boot order set to the normal one (which counts from the *next* reset on, see
//!   [`super::live`]), the definition put back, and only then let go. A reset by the guest itself boots normally, whether HawkFish still runs or not.
//! - Somebody else starts it: the live domain carries the note, so HawkFish does the same as soon as it hears of the start, or when it
//!   comes back.
//! - It runs when the override is set: the live boot order is set to the override, so that any reset uses it. After the reset both are put back,
//!   as soon as the firmware is past resets of its own: SeaBIOS answers a reset of a running machine with one or two more before it boots, and
//!   only the last of them boots. It is past them when the machine's processors have worked for a moment since ([`FIRMWARE`]).
//!
//! What stays in a live domain after that is a note that it is used up: if the domain is saved to disk and restored, libvirt starts QEMU
//! with the boot order of the old start again, and it has to be put back once more.
//!
//! What nobody can see from outside is what happened while HawkFish was not running or not connected. So, as long as it is away: a guest that
//! somebody else started with an override, and that resets itself before HawkFish is back, uses it again; so does one that ran when the override
//! was set, or was reset less than [`FIRMWARE`] before; and a guest that was started and stopped by others meanwhile has not used it up.

use std::sync::Arc;
use std::time::Duration;

use virt::domain::Domain;
use virt::sys;

use super::event::Happening;
use super::host::{Entry, Host};
use super::line::Line;
use super::look::is_active;
use super::marker::{Marker, NAMESPACE, PREFIX, Phase};
use super::xml::Doc;
use super::{Driver, fault, live, order};
use crate::backend::MachineKey;
use crate::error::Result;

/// How long its processors work after a reset until the firmware is surely past resets of its own. SeaBIOS needs a few milliseconds for those,
/// and several hundred until it boots something.
const FIRMWARE: Duration = Duration::from_millis(200);
/// How often to see whether they have.
const GLANCE: Duration = Duration::from_millis(50);
/// After so many glances at a running machine they surely have: a firmware that waits for a key does not work.
const GLANCES: u32 = 60;

const DOING: &str = "change the machine's definition";

/// The definition of a domain as it will be when it next starts, with all that is needed to define it again.
pub(super) fn definition(domain: &Domain, key: MachineKey) -> Result<Doc> {
    let flags = sys::VIR_DOMAIN_XML_INACTIVE | sys::VIR_DOMAIN_XML_SECURE;
    let text = domain
        .get_xml_desc(flags)
        .map_err(|error| fault::of(&error, "read the machine's definition", key))?;
    Doc::parse(&text)
}

/// The domain as it runs.
pub(super) fn running(domain: &Domain, key: MachineKey) -> Result<Doc> {
    let text = domain
        .get_xml_desc(sys::VIR_DOMAIN_XML_SECURE)
        .map_err(|error| fault::of(&error, "describe the running machine", key))?;
    Doc::parse(&text)
}

/// Defines a domain anew, in one step.
pub(super) fn define(line: &Line, key: MachineKey, text: &str) -> Result<()> {
    let validated = Domain::define_xml_flags(&line.conn, text, sys::VIR_DOMAIN_DEFINE_VALIDATE);
    let defined = match validated {
        // libvirt's schema may lag behind what libvirt itself takes, or somebody forced something in; that is not ours to refuse.
        Err(error) if error.code() == virt::error::ErrorNumber::XmlInvalidSchema => {
            tracing::debug!(machine = %key, error = error.message(), "not valid by the schema");
            Domain::define_xml(&line.conn, text)
        }
        other => other,
    };
    defined
        .map(|_| ())
        .map_err(|error| fault::of(&error, DOING, key))
}

/// Lets a stopped machine go, unless somebody else has done so.
fn let_go(domain: &Domain) -> Result<(), virt::error::Error> {
    match domain.resume() {
        Err(_)
            if domain
                .get_state()
                .is_ok_and(|s| s.0 == sys::VIR_DOMAIN_RUNNING) =>
        {
            Ok(())
        }
        other => other.map(drop),
    }
}

/// Notes in a live domain that its override is used up.
fn note_taken(domain: &Domain, key: MachineKey, mut marker: Marker) -> Result<()> {
    let Some(over) = &mut marker.over else {
        return Ok(());
    };
    over.phase = Phase::Taken;
    domain
        .set_metadata(
            sys::VIR_DOMAIN_METADATA_ELEMENT as i32,
            Some(&marker.to_metadata()),
            Some(PREFIX),
            Some(NAMESPACE),
            sys::VIR_DOMAIN_AFFECT_LIVE,
        )
        .map(|_| ())
        .map_err(|error| fault::of(&error, "note a boot in the machine's metadata", key))
}

impl Host {
    /// Sees to it that what runs boots next as it should. Returns whether a definition was changed.
    pub(super) fn settle(
        self: &Arc<Self>,
        line: &Line,
        key: MachineKey,
        entry: &Entry,
        happenings: &[Happening],
    ) -> Result<bool> {
        let Some(live) = &entry.live else {
            return Ok(false);
        };
        let (domain, state) = self.find(line, key)?;
        let domain = &domain;
        if !is_active(state) {
            return Ok(false);
        }
        let set = entry.config.marker.over.as_ref();
        if let Some(over) = &live.marker.over
            && over.over.once
            && over.phase != Phase::Taken
        {
            self.take_back(line, domain, key, Some(&over.id))?;
            let is_ours_to_let_go = over.phase == Phase::Starting
                && state.0 == sys::VIR_DOMAIN_PAUSED
                && happenings.contains(&Happening::Met);
            if is_ours_to_let_go {
                tracing::info!(machine = %key, "letting go a machine whose start was cut short");
                let_go(domain).map_err(|error| fault::of(&error, "let the machine go", key))?;
            }
            return Ok(true);
        }
        let is_reset = happenings.contains(&Happening::Reset)
            || (state.0 == sys::VIR_DOMAIN_RUNNING && self.take_unfinished(key));
        if is_reset && let Some(over) = set.filter(|over| over.over.once) {
            self.take_back_after_firmware(key, over.id.clone());
        }
        let is_unknown = happenings
            .iter()
            .any(|h| matches!(h, Happening::Started | Happening::Met));
        if is_unknown && live.is_out_of_order(&entry.config) {
            // Read anew: what was known of it may be older than what somebody has just set.
            let order = order::effective(&definition(domain, key)?);
            self.bring_in_order(domain, key, &order)?;
        }
        Ok(false)
    }

    /// Takes an override back once the firmware that was reset has come to booting. A thread watches for that; no verb waits for it.
    pub(super) fn take_back_after_firmware(self: &Arc<Self>, key: MachineKey, id: String) {
        if !self.begin_watch(key) {
            // Somebody watches already, and has heard of this reset too.
            return;
        }
        let host = Arc::clone(self);
        self.submit(None, move |line| {
            let domain = line
                .domain(key)
                .map_err(|error| fault::of(&error, "look at the machine", key));
            let is_past = match &domain {
                Ok(domain) => host.watch_firmware(domain, key),
                Err(_) => false,
            };
            host.end_watch(key, !is_past);
            if is_past {
                host.take_back_later(key, id);
            }
            domain.map(drop)
        });
    }

    fn take_back_later(self: &Arc<Self>, key: MachineKey, id: String) {
        let host = Arc::clone(self);
        self.submit(Some(key), move |line| {
            let taken = host.find(line, key).and_then(|(domain, _)| {
                host.take_back(line, &domain, key, Some(&id))?;
                host.look(line, key, &[]).map(drop)
            });
            if let Err(error) = &taken {
                tracing::warn!(machine = %key, ?error, "boot override not taken back");
            }
            taken
        });
    }

    /// Whether the machine has worked for a moment since its last reset, or has stopped. Waits for that, but not for one that is paused.
    fn watch_firmware(&self, domain: &Domain, key: MachineKey) -> bool {
        let mut resets = self.resets(key);
        let mut worked_before = None;
        let mut glances = 0;
        while glances < GLANCES {
            if self.wait_for_reset(key, resets, GLANCE) {
                resets = self.resets(key);
                worked_before = None;
                glances = 0;
                continue;
            }
            glances += 1;
            let Ok(info) = domain.get_info() else {
                return false;
            };
            match info.state {
                sys::VIR_DOMAIN_RUNNING | sys::VIR_DOMAIN_BLOCKED => {}
                sys::VIR_DOMAIN_PAUSED if glances < GLANCES => continue,
                sys::VIR_DOMAIN_PAUSED => return false,
                _ => return true,
            }
            let before = *worked_before.get_or_insert(info.cpu_time);
            if Duration::from_nanos(info.cpu_time.saturating_sub(before)) >= FIRMWARE {
                return true;
            }
        }
        true
    }

    /// Lets the next reset of what runs try devices in that order.
    pub(super) fn bring_in_order(
        &self,
        domain: &Domain,
        key: MachineKey,
        order: &[String],
    ) -> Result<()> {
        if self.driver() != Driver::Qemu {
            return Ok(());
        }
        live::set_order(domain, key, &running(domain, key)?, order)
    }

    /// Takes an override back that was used up: of what runs, and in the definition, if it is still that one there.
    pub(super) fn take_back(
        &self,
        line: &Line,
        domain: &Domain,
        key: MachineKey,
        id: Option<&str>,
    ) -> Result<()> {
        let mut config = definition(domain, key)?;
        let is_there = Marker::read(&config)
            .over
            .is_some_and(|over| id.is_none_or(|id| over.id == id));
        if is_there {
            order::clear_override(&mut config)?;
        }
        let is_running = domain.get_state().is_ok_and(is_active) && self.driver() == Driver::Qemu;
        let live = if is_running {
            Some(running(domain, key)?)
        } else {
            None
        };
        if let Some(live) = &live {
            live::set_order(domain, key, live, &order::effective(&config))?;
        }
        if is_there {
            define(line, key, &config.to_text())?;
        }
        if let Some(live) = &live {
            note_taken(domain, key, Marker::read(live))?;
        }
        Ok(())
    }

    /// Starts a machine that is off, so that an override for one boot is used for this one only.
    pub(super) fn start(&self, line: &Line, domain: &Domain, key: MachineKey) -> Result<()> {
        let doing = "start the machine";
        let is_saved = domain.has_managed_save(0).unwrap_or(false);
        let entry = self.entry(key);
        let once = entry
            .as_ref()
            .and_then(|entry| entry.config.marker.over.as_ref())
            .filter(|over| over.over.once);
        let Some(over) = once.filter(|_| !is_saved) else {
            domain
                .create()
                .map_err(|error| fault::of(&error, doing, key))?;
            if is_saved {
                // QEMU starts with the boot order of when it was saved.
                let config = definition(domain, key)?;
                let live = running(domain, key)?;
                let is_ours = Marker::read(&live).over.is_some()
                    || order::effective(&live) != order::effective(&config);
                if is_ours && self.driver() == Driver::Qemu {
                    live::set_order(domain, key, &live, &order::effective(&config))?;
                }
            }
            return Ok(());
        };
        let id = over.id.clone();
        if self.driver() != Driver::Qemu {
            domain
                .create()
                .map_err(|error| fault::of(&error, doing, key))?;
            return self.take_back(line, domain, key, Some(&id));
        }
        // Should HawkFish end between here and there, it knows from this that the machine is to be let go.
        let mut config = definition(domain, key)?;
        let before = config.to_text();
        Marker::edit(&mut config, |marker| {
            if let Some(over) = &mut marker.over {
                over.phase = Phase::Starting;
            }
        });
        define(line, key, &config.to_text())?;
        let started = domain
            .create_with_flags(sys::VIR_DOMAIN_START_PAUSED)
            .map_err(|error| fault::of(&error, doing, key))
            .and_then(|_| {
                self.take_back(line, domain, key, Some(&id))?;
                let_go(domain).map_err(|error| fault::of(&error, doing, key))
            });
        if let Err(error) = started {
            // All or nothing. If even this fails the host is gone, and the note is followed when it is back.
            let _ = domain.destroy();
            let _ = define(line, key, &before);
            return Err(error);
        }
        Ok(())
    }
}

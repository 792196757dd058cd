//! What can go wrong with a simulated machine beside what its guest does: decided by whoever is handed in as [`Trouble`], done here, so that the machine is as it
//! seems.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::machine::{Event, Millis, millis};
use super::world::{World, timestamp};
use crate::backend::{
    Cause, Hindrance, Limits, Machine, MachineKey, MediaKind, Power, Quantity, Stats, Step, Work,
};
use crate::error::{Error, Invalid, Result};

/// A machine that something may go wrong with, now.
#[derive(Clone, Copy, Debug)]
pub struct Victim<'a> {
    /// Its key.
    pub key: MachineKey,
    /// Its name.
    pub name: &'a str,
    /// The time.
    pub now: Timestamp,
}

/// What goes wrong with a power step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misstep {
    /// It is taken for done, and nothing happens.
    Ignored,
    /// It is done so much later.
    Late(Duration),
    /// So long after it the power is as it was before.
    Bounces(Duration),
    /// It is done, and the machine shows its old power for so long.
    Lags(Duration),
}

/// What goes wrong with the choice of what to boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misboot {
    /// The override is not looked at; one for one boot is used up all the same.
    OverrideIgnored,
    /// An override for one boot stays.
    OverrideStays,
}

/// What goes wrong with a medium that was put in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mismount {
    /// It is shown as inserted, and the machine does not see it.
    Unseen,
    /// It is ejected so long after.
    Ejects(Duration),
}

/// What goes wrong with a firmware that was laid ready, at the reset that should put it to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misflash {
    /// The old one stays, and the new one is gone.
    KeepsOld,
    /// The old one is back so long after.
    RollsBack(Duration),
    /// The new one is in use only when the manager was restarted: [`Backend::manager_restarted`](crate::backend::Backend::manager_restarted).
    WaitsForManager,
}

/// Who decides what goes wrong. Asked while the rack is locked: nothing here may call its backend.
#[expect(unused_variables, reason = "they are what implementations look at")]
pub trait Trouble: Send + Sync + fmt::Debug {
    /// What stands in the way of a piece of work.
    fn hindrance(&self, of: &Victim<'_>, work: Work) -> Option<Hindrance> {
        None
    }

    /// What goes wrong with a power step.
    fn step(&self, of: &Victim<'_>, step: Step) -> Option<Misstep> {
        None
    }

    /// What goes wrong with the choice of what to boot.
    fn boot(&self, of: &Victim<'_>) -> Option<Misboot> {
        None
    }

    /// What goes wrong with a medium.
    fn mount(&self, of: &Victim<'_>, kind: MediaKind) -> Option<Mismount> {
        None
    }

    /// What goes wrong with a new firmware.
    fn flash(&self, of: &Victim<'_>) -> Option<Misflash> {
        None
    }
}

/// Something that happens to a machine by itself.
#[derive(Clone, Debug, PartialEq)]
pub enum Mishap {
    /// Its guest does nothing any more.
    GuestHangs,
    /// A disk fails, by its name: `disk0`.
    DiskFails(String),
    /// A failed disk is sound again.
    DiskMended(String),
    /// A sensor shows this, by its id: `CPU1Temperature`.
    SensorShows(String, f64),
    /// A fan stands still, by its number, from 1.
    FanFails(u32),
    /// Sensors and fans are as they should be.
    SensorsMended,
    /// The cable of a network interface is loose, or plugged in again, by the number of the interface, from 0.
    Link(u8, bool),
    /// Its power is cut, or comes, by no command.
    Power(bool),
}

/// Something to be done to a machine later.
#[derive(Clone, Debug)]
pub(super) enum Deed {
    Step(Step),
    Eject(MediaKind),
    Unveil,
    Flash(Box<str>),
}

/// How a machine differs from how it works.
#[derive(Debug, Default)]
pub(super) struct Ill {
    /// The power that it shows in place of its own.
    veil: Option<Power>,
    failed: BTreeSet<String>,
    sensors: BTreeMap<String, f64>,
    fans: BTreeSet<u32>,
    /// The firmware that waits for a restart of the manager.
    waits: Option<Box<str>>,
}

/// Troubles of a rack.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    pub(super) who: Option<Arc<dyn Trouble>>,
    ills: BTreeMap<u32, Ill>,
    later: BTreeMap<(Millis, u64), (u32, Deed)>,
    count: u64,
}

impl Troubles {
    pub(super) fn next_due(&self) -> Option<Millis> {
        self.later.first_key_value().map(|((at, _), _)| *at)
    }
}

impl World {
    /// Asks what goes wrong with a machine.
    pub(super) fn trouble<T>(
        &self,
        place: usize,
        ask: impl FnOnce(&dyn Trouble, &Victim<'_>) -> Option<T>,
    ) -> Option<T> {
        let who = self.troubles.who.as_deref()?;
        let (key, name) = self.named(place);
        let now = timestamp(self.now());
        let name = &name;
        ask(who, &Victim { key, name, now })
    }

    fn later(&mut self, place: usize, after: Duration, deed: Deed) {
        let troubles = &mut self.troubles;
        troubles.count += 1;
        let at = self.now() + millis(after);
        let troubles = &mut self.troubles;
        let number = troubles.count;
        troubles.later.insert((at, number), (place as u32, deed));
    }

    fn ill(&mut self, place: usize) -> &mut Ill {
        self.note_altered(place);
        self.troubles.ills.entry(place as u32).or_default()
    }

    /// Does the first of what was put off.
    pub(super) fn do_deed(&mut self) {
        let Some((_, (place, deed))) = self.troubles.later.pop_first() else {
            return;
        };
        let place = place as usize;
        match deed {
            Deed::Step(step) => {
                if self.refusal(place, step).is_none() {
                    self.event(place, Event::Step(step));
                }
            }
            Deed::Eject(kind) => {
                let ejected = self.configure(place, |config, _, _| {
                    config.set_medium(kind, None);
                    Ok(())
                });
                debug_assert!(ejected.is_ok(), "an empty slot can be");
            }
            Deed::Unveil => {
                self.ill(place).veil = None;
                self.tell(place, Cause::Changed);
            }
            Deed::Flash(version) => {
                self.set_firmware(place, &version);
                self.tell(place, Cause::Changed);
            }
        }
    }

    /// Takes a power step, as trouble lets it be taken.
    pub(super) fn step(&mut self, place: usize, step: Step) {
        let shown = self.power(place);
        match self.trouble(place, |who, of| who.step(of, step)) {
            None => self.event(place, Event::Step(step)),
            Some(Misstep::Ignored) => {}
            Some(Misstep::Late(after)) => self.later(place, after, Deed::Step(step)),
            Some(Misstep::Bounces(after)) => {
                self.event(place, Event::Step(step));
                let back = match step {
                    Step::Start => Some(Step::ForceOff),
                    Step::ForceOff => Some(Step::Start),
                    _ => None,
                };
                if let Some(back) = back {
                    self.later(place, after, Deed::Step(back));
                }
            }
            Some(Misstep::Lags(after)) => {
                self.ill(place).veil = Some(shown);
                self.event(place, Event::Step(step));
                self.later(place, after, Deed::Unveil);
            }
        }
    }

    /// A medium was put in.
    pub(super) fn mounted(&mut self, place: usize, kind: MediaKind) {
        match self.trouble(place, |who, of| who.mount(of, kind)) {
            None => {}
            Some(Mismount::Unseen) => self.hide_medium(place, kind),
            Some(Mismount::Ejects(after)) => self.later(place, after, Deed::Eject(kind)),
        }
    }

    /// A reset is to put a firmware to use: the one that was laid ready, in place of `old`.
    pub(super) fn flashes(&mut self, place: usize, old: &str, new: &str) -> bool {
        match self.trouble(place, |who, of| who.flash(of)) {
            None => true,
            Some(Misflash::KeepsOld) => false,
            Some(Misflash::RollsBack(after)) => {
                self.later(place, after, Deed::Flash(old.into()));
                true
            }
            Some(Misflash::WaitsForManager) => {
                self.ill(place).waits = Some(new.into());
                false
            }
        }
    }

    /// The manager of a machine was restarted: what waited for that is in use.
    pub(super) fn manager_restarted(&mut self, place: usize) {
        let ill = self.troubles.ills.get_mut(&(place as u32));
        if let Some(version) = ill.and_then(|ill| ill.waits.take()) {
            self.set_firmware(place, &version);
            self.tell(place, Cause::Changed);
        }
    }

    /// Something happens to a machine by itself.
    pub(super) fn mishap(&mut self, place: usize, mishap: Mishap) -> Result<()> {
        let none = |what: &'static str, name: &str| Err(Error::not_found(what, name));
        match mishap {
            Mishap::GuestHangs => self.event(place, Event::Hangs),
            Mishap::DiskFails(disk) => {
                if self.machine(place).storage.disk(&disk).is_none() {
                    return none("Drive", &disk);
                }
                if self.ill(place).failed.insert(disk) {
                    self.tell(place, Cause::IoError);
                }
            }
            Mishap::DiskMended(disk) => {
                if self.ill(place).failed.remove(&disk) {
                    self.tell(place, Cause::Changed);
                }
            }
            Mishap::SensorShows(id, reading) => {
                if !self.stats(place).sensors.iter().any(|one| one.id == id) {
                    return none("Sensor", &id);
                }
                if !reading.is_finite() {
                    return Err(Error::invalid(
                        "/Reading",
                        reading.to_string(),
                        Invalid::OutOfRange,
                        "A reading is a number.",
                    ));
                }
                self.ill(place).sensors.insert(id, reading);
            }
            Mishap::FanFails(number) => {
                let id = fan(number);
                if !self.stats(place).sensors.iter().any(|one| one.id == id) {
                    return none("Fan", &number.to_string());
                }
                self.ill(place).fans.insert(number);
            }
            Mishap::SensorsMended => {
                let ill = self.ill(place);
                ill.sensors.clear();
                ill.fans.clear();
            }
            Mishap::Link(nic, up) => {
                return self.configure(place, |config, profile, _| config.plug(profile, nic, up));
            }
            Mishap::Power(on) => {
                let step = if on { Step::Start } else { Step::ForceOff };
                if self.refusal(place, step).is_none() {
                    self.event(place, Event::Step(step));
                }
            }
        }
        Ok(())
    }

    /// A machine as it shows itself.
    pub(super) fn afflict(&self, place: usize, machine: &mut Machine) {
        let Some(ill) = self.troubles.ills.get(&(place as u32)) else {
            return;
        };
        if let Some(power) = ill.veil {
            machine.power = power;
        }
        if !ill.failed.is_empty() {
            let storage = Arc::make_mut(&mut machine.storage);
            for disk in &mut storage.disks {
                disk.failed = ill.failed.contains(&disk.id);
            }
        }
    }

    /// What is measured in a machine, as it shows itself.
    pub(super) fn afflict_stats(&self, place: usize, stats: &mut Stats) {
        let Some(ill) = self.troubles.ills.get(&(place as u32)) else {
            return;
        };
        for sensor in &mut stats.sensors {
            if let Some(reading) = ill.sensors.get(&sensor.id) {
                sensor.reading = Some(*reading);
            }
            let is_fan = sensor.quantity == Quantity::FanSpeed;
            if is_fan && ill.fans.iter().any(|number| fan(*number) == sensor.id) {
                sensor.reading = Some(0.0);
                sensor.rpm = Some(0.0);
                sensor.below = Limits {
                    critical: Some(5.0),
                    ..Limits::default()
                };
            }
        }
    }
}

fn fan(number: u32) -> String {
    format!("Fan{number}Speed")
}

//! All machines of a rack, what is due on them, and what has changed. Everything that happens goes through [`World::event`], in the order of
//! time; at one moment, in the order of the machines' keys.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;

use super::boot::Config;
use super::console::{Console, Speaker, What};
use super::machine::{Action, Event, Life, Millis, Moment};
use super::mould::Makes;
use super::profile::{Guest, Profile};
use super::script::GuestState;
use super::stats::{self, Measured};
use super::trouble::{Misboot, Troubles};
use crate::backend::{
    self, Cause, Change, HostFacts, MOST_CHANGES, Machine, MachineKey, MediaKind, Stats, Step,
};
use crate::error::{Conflict, Error, Result};

/// A machine: what cannot be worked out anew.
#[derive(Debug)]
struct Sim {
    key: MachineKey,
    /// Its number in the rack, from 0.
    number: u32,
    life: Life,
    config: Config,
    console: Console,
    guest: Option<Arc<Guest>>,
}

#[derive(Debug)]
pub(super) struct World {
    /// What its machines are made from.
    mould: Arc<Makes>,
    /// By key.
    sims: Vec<Sim>,
    /// Places in `sims`, by number.
    places: Vec<u32>,
    /// Machines that need not be as they were made, by their places.
    altered: BTreeSet<u32>,
    agenda: BTreeSet<(Millis, u32)>,
    now: Millis,
    changes: VecDeque<News>,
    /// What goes wrong with machines.
    pub(super) troubles: Troubles,
    /// Whether the rack has presented itself since it could last be reached.
    presented: bool,
    lost: bool,
}

/// Something to be told.
#[derive(Debug)]
enum News {
    Ready(Change),
    /// A machine as it was: what cannot be worked out anew. A whole fleet may change at one moment.
    Later {
        place: u32,
        life: Life,
        config: Box<Config>,
        cause: Cause,
    },
}

/// How many changes of machines are kept ready: the last of these is what a verb has done.
const READY: usize = 64;

/// The slots of every machine.
pub(super) const SLOTS: [(&str, MediaKind); 2] = [("Cd", MediaKind::Cd), ("Usb", MediaKind::Usb)];

impl World {
    pub(super) fn new(mould: Arc<Makes>, now: Millis) -> Self {
        let sims: Vec<Sim> = mould
            .machines()
            .map(|(key, number)| Sim {
                key,
                number,
                life: Life::default(),
                config: Config::new(mould.profile(number)),
                console: Console::default(),
                guest: None,
            })
            .collect();
        let mut places = vec![0; sims.len()];
        for (place, sim) in (0..).zip(&sims) {
            places[sim.number as usize] = place;
        }
        Self {
            mould,
            sims,
            places,
            altered: BTreeSet::new(),
            agenda: BTreeSet::new(),
            now,
            changes: VecDeque::new(),
            troubles: Troubles::default(),
            presented: false,
            lost: false,
        }
    }

    pub(super) fn key(&self, number: usize) -> Option<MachineKey> {
        let place = *self.places.get(number)?;
        Some(self.sims[place as usize].key)
    }

    fn profile(&self, sim: &Sim) -> &Arc<Profile> {
        self.mould.profile(sim.number)
    }

    /// Where the machine is in this world, if the world can be reached and knows it.
    pub(super) fn place(&self, key: MachineKey) -> Result<usize> {
        self.reach()?;
        self.sims
            .binary_search_by_key(&key, |sim| sim.key)
            .map_err(|_| Error::not_found("ComputerSystem", &key.to_string()))
    }

    pub(super) fn reach(&self) -> Result<()> {
        if self.lost {
            Err(Error::unavailable("The host does not answer."))
        } else {
            Ok(())
        }
    }

    /// Whether it is off with its memory kept.
    pub(super) fn is_suspended(&self, place: usize) -> bool {
        let life = &self.sims[place].life;
        life.power() == backend::Power::Off && !life.is_cold()
    }

    /// Why a machine cannot take a step now.
    pub(super) fn refusal(&self, place: usize, step: Step) -> Option<Conflict> {
        self.sims[place].life.refusal(step)
    }

    pub(super) fn set_guest(&mut self, place: usize, guest: Guest) {
        self.let_speak(place);
        self.sims[place].guest = Some(Arc::new(guest));
    }

    /// Changes how a machine is set up, and tells of it if it is then no longer as it was.
    pub(super) fn configure(
        &mut self,
        place: usize,
        change: impl FnOnce(&mut Config, &Profile, bool) -> Result<()>,
    ) -> Result<()> {
        let profile = Arc::clone(self.profile(&self.sims[place]));
        let sim = &mut self.sims[place];
        let before = sim.config.clone();
        change(&mut sim.config, &profile, sim.life.is_cold())?;
        if sim.config != before {
            self.altered.insert(place as u32);
            self.tell(place, Cause::Changed);
        }
        Ok(())
    }

    /// When something happens by itself.
    pub(super) fn next_due(&self) -> Option<Millis> {
        let by_itself = self.agenda.first().map(|(due, _)| *due);
        by_itself.into_iter().chain(self.troubles.next_due()).min()
    }

    /// Lets everything happen until `now`. Time never goes back here, whatever the clock does.
    pub(super) fn catch_up(&mut self, now: Millis) {
        while let Some(due) = self.next_due()
            && due <= now
        {
            self.now = self.now.max(due);
            match self.agenda.first() {
                Some(&(first, place)) if first == due => self.event(place as usize, Event::Due),
                _ => self.do_deed(),
            }
        }
        self.now = self.now.max(now);
    }

    /// What the guest of a machine says by its script until now is on the console.
    fn let_speak(&mut self, place: usize) {
        let profile = Arc::clone(self.profile(&self.sims[place]));
        let sim = &mut self.sims[place];
        let moment = moment(self.now, &profile, sim.guest.as_deref(), &sim.config);
        for (at, what) in sim.life.lines(&moment) {
            sim.console.say(at, sim.config.mode, what);
        }
    }

    pub(super) fn guest_state(&self, place: usize) -> GuestState {
        let sim = &self.sims[place];
        GuestState {
            phase: sim.life.phase(),
            boots: sim.life.boots,
            installed: sim.config.is_installed(),
        }
    }

    /// Something happens to a machine, now.
    pub(super) fn event(&mut self, place: usize, event: Event) {
        self.let_speak(place);
        let now = self.now;
        self.altered.insert(place as u32);
        let profile = Arc::clone(self.profile(&self.sims[place]));
        let sim = &mut self.sims[place];
        let own_guest = sim.guest.clone();
        let moment = moment(now, &profile, own_guest.as_deref(), &sim.config);
        let due_before = sim.life.due();
        let mut choose = false;
        let (life, actions) = sim.life.event(event, &moment);
        sim.life = life;
        for action in actions {
            if matches!(action, Action::LostMemory | Action::Say(What::Reset)) {
                self.take_firmware(place, &profile);
            }
            let sim = &mut self.sims[place];
            match action {
                Action::ClearConsole => sim.console.clear(now),
                Action::Say(what) => {
                    if !what.is_of_firmware() || sim.config.firmware_speaks(&profile) {
                        sim.console.say(now, sim.config.mode, what);
                    }
                }
                Action::LostMemory => sim.config.settle(),
                Action::Installed { ejects } => sim.config.installed(ejects),
                Action::ChooseBoot => choose = true,
                Action::Changed(cause) => self.tell(place, cause),
            }
        }
        if choose {
            let misboot = match self.sims[place].config.over {
                Some(_) => self.trouble(place, |who, of| who.boot(of)),
                None => None,
            };
            let sim = &mut self.sims[place];
            let over = sim.config.over;
            if misboot == Some(Misboot::OverrideIgnored) {
                sim.config.over = None;
            }
            let (config, console) = (&mut sim.config, &mut sim.console);
            let mode = config.mode;
            let is_heard = config.firmware_speaks(&profile);
            let mut in_setup = false;
            let bootable = config.choose(&profile, moment.guest, &mut |what| {
                in_setup |= matches!(what, What::Setup);
                if is_heard {
                    console.say(now, mode, what);
                }
            });
            let tries_again = config.tries_again(&profile).filter(|_| !in_setup);
            config.over = over;
            let used_override =
                over.is_some_and(|over| over.once) && misboot != Some(Misboot::OverrideStays);
            if used_override {
                config.over = None;
            }
            // The one event that follows from another: the time of its self-test is up, and this is what it does next.
            self.event(
                place,
                Event::Found {
                    bootable,
                    used_override,
                    tries_again,
                },
            );
        } else {
            self.reschedule(place, due_before);
        }
    }

    pub(super) fn tell(&mut self, place: usize, cause: Cause) {
        // Whoever has not yet listened hears first how everything is by then, this included.
        if self.lost || !self.presented {
            return;
        }
        self.push(place, cause);
    }

    fn push(&mut self, place: usize, cause: Cause) {
        let news = if self.changes.len() < READY {
            let machine = Arc::new(self.machine(place));
            News::Ready(Change::Machine { machine, cause })
        } else {
            let sim = &self.sims[place];
            News::Later {
                place: place as u32,
                life: sim.life,
                config: Box::new(sim.config.clone()),
                cause,
            }
        };
        self.changes.push_back(news);
    }

    /// Tells that the rack is there, and of every machine that is not as it was made.
    fn present(&mut self) {
        self.presented = true;
        self.changes.push_back(News::Ready(Change::Connected));
        let altered: Vec<u32> = self.altered.iter().copied().collect();
        for place in altered {
            self.push(place as usize, Cause::Seen);
        }
    }

    pub(super) fn has_changes(&self) -> bool {
        !self.changes.is_empty() || (!self.presented && !self.lost)
    }

    pub(super) fn drain(&mut self) -> Vec<Change> {
        if !self.presented && !self.lost {
            self.present();
        }
        let count = self.changes.len().min(MOST_CHANGES);
        let taken: Vec<News> = self.changes.drain(..count).collect();
        let told = taken.into_iter().map(|news| match news {
            News::Ready(change) => change,
            News::Later {
                place,
                life,
                config,
                cause,
            } => {
                let sim = &self.sims[place as usize];
                let mut machine = self.mould.shown(sim.key, sim.number, &life, &config);
                self.afflict(place as usize, &mut machine);
                Change::Machine {
                    machine: Arc::new(machine),
                    cause,
                }
            }
        });
        told.collect()
    }

    /// The machines that need not be as they were made, in order.
    pub(super) fn altered(&self) -> Vec<MachineKey> {
        let places = self.altered.iter();
        places.map(|place| self.sims[*place as usize].key).collect()
    }

    pub(super) fn machines(&self) -> Vec<Machine> {
        (0..self.sims.len())
            .map(|place| self.machine(place))
            .collect()
    }

    /// The machine as it is, which may just have been told: every change of it is.
    pub(super) fn shown(&self, place: usize) -> Machine {
        match self.changes.back() {
            Some(News::Ready(Change::Machine { machine, .. }))
                if machine.key == self.sims[place].key =>
            {
                Machine::clone(machine)
            }
            _ => self.machine(place),
        }
    }

    pub(super) fn machine(&self, place: usize) -> Machine {
        let sim = &self.sims[place];
        let mut machine = self
            .mould
            .shown(sim.key, sim.number, &sim.life, &sim.config);
        self.afflict(place, &mut machine);
        machine
    }

    /// Key and name of a machine.
    pub(super) fn named(&self, place: usize) -> (MachineKey, String) {
        let sim = &self.sims[place];
        (sim.key, self.mould.identity.name(sim.number))
    }

    pub(super) fn now(&self) -> Millis {
        self.now
    }

    pub(super) fn power(&self, place: usize) -> backend::Power {
        self.sims[place].life.power()
    }

    pub(super) fn note_altered(&mut self, place: usize) {
        self.altered.insert(place as u32);
    }

    /// Has a machine not see the medium in a slot that shows it.
    pub(super) fn hide_medium(&mut self, place: usize, kind: MediaKind) {
        self.sims[place].config.hide_medium(kind);
    }

    /// Puts a firmware to use, whatever was laid ready.
    pub(super) fn set_firmware(&mut self, place: usize, version: &str) {
        let profile = Arc::clone(self.profile(&self.sims[place]));
        self.note_altered(place);
        self.sims[place]
            .config
            .lay_firmware(&profile, version, true);
    }

    /// The machine is reset: what was laid ready is in use, if nothing goes wrong with that.
    fn take_firmware(&mut self, place: usize, profile: &Profile) {
        let config = &self.sims[place].config;
        let Some(new) = config.next_firmware().map(str::to_owned) else {
            return;
        };
        let old = config.firmware(profile).to_owned();
        let flashes = self.flashes(place, &old, &new);
        let config = &mut self.sims[place].config;
        match flashes {
            true => drop(config.take_firmware()),
            false => config.drop_firmware(),
        }
    }

    pub(super) fn stats(&self, place: usize) -> Stats {
        let sim = &self.sims[place];
        let profile = self.profile(sim);
        let mut stats = stats::of(&Measured {
            key: sim.key,
            number: sim.number,
            life: &sim.life,
            profile,
            guest: sim.guest.as_deref().unwrap_or(&profile.guest),
            identity: &self.mould.identity,
            now: self.now,
        });
        self.afflict_stats(place, &mut stats);
        stats
    }

    /// What was said from the number `since` on, and the number that comes next.
    pub(super) fn console_since(&mut self, place: usize, since: u64) -> (Vec<u8>, u64) {
        self.let_speak(place);
        let sim = &self.sims[place];
        let speaker = Speaker {
            name: &self.mould.identity.name(sim.number),
            serial: &self.mould.identity.serial(sim.number),
            profile: self.profile(sim),
            firmware: sim.config.firmware(self.profile(sim)),
            mac: &|nic| {
                let prefix = self.profile(sim).parts.nic.mac_prefix;
                self.mould.identity.mac(prefix, sim.number, nic)
            },
        };
        (sim.console.text(&speaker, since), sim.console.next())
    }

    pub(super) fn host(&self, name: &str) -> HostFacts {
        let mut cpus = 0_u32;
        let mut memory_kib = 0;
        for (profile, count) in self.mould.counts() {
            let each = profile.sockets * profile.cores * profile.threads;
            cpus = cpus.saturating_add(each.saturating_mul(count));
            memory_kib += profile.memory_kib * u64::from(count);
        }
        HostFacts {
            name: name.to_owned(),
            hypervisor: "simulator".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            cpus,
            memory_kib,
            arch: self.mould.profile(0).arch.clone(),
        }
    }

    pub(super) fn lose(&mut self, reason: String) {
        if !self.lost {
            self.lost = true;
            self.presented = false;
            self.changes.push_back(News::Ready(Change::Lost(reason)));
        }
    }

    pub(super) fn found(&mut self) {
        self.lost = false;
    }

    /// A machine goes on from where it was last seen. What it wrote to its console and what it was suspended with is gone.
    pub(super) fn restore(&mut self, seen: &Machine) {
        let Ok(place) = self.sims.binary_search_by_key(&seen.key, |sim| sim.key) else {
            return;
        };
        let now = self.now;
        self.altered.insert(place as u32);
        let profile = Arc::clone(self.profile(&self.sims[place]));
        let asset_tag = self.mould.identity.asset_tag(self.sims[place].number);
        let sim = &mut self.sims[place];
        let due_before = sim.life.due();
        sim.config = Config::restored(seen, &profile, &asset_tag);
        let moment = moment(now, &profile, sim.guest.as_deref(), &sim.config);
        sim.life = Life::restored(seen, &moment);
        sim.console.clear(now);
        self.reschedule(place, due_before);
    }

    fn reschedule(&mut self, place: usize, due_before: Option<Millis>) {
        let due = self.sims[place].life.due();
        if due != due_before {
            let place = place as u32;
            if let Some(due) = due_before {
                self.agenda.remove(&(due, place));
            }
            if let Some(due) = due {
                self.agenda.insert((due, place));
            }
        }
    }
}

fn moment<'a>(
    now: Millis,
    profile: &'a Profile,
    guest: Option<&'a Guest>,
    config: &Config,
) -> Moment<'a> {
    Moment {
        now,
        self_test: config.self_test(profile),
        watchdog: config.watchdog(profile),
        guest: guest.unwrap_or(&profile.guest),
    }
}

pub(super) fn timestamp(at: Millis) -> Timestamp {
    Timestamp::from_millisecond(at).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_that_nobody_touched_takes_less_than_256_bytes() {
        let world = World::new(Makes::new(1, "sim", 1000, 0, Profile::all()), 0);
        let shared = size_of::<World>();
        let each = size_of::<Sim>() + size_of::<u32>();
        assert!(each < 256, "{each} bytes for each, {shared} for all");
        // And nothing hangs on to it elsewhere.
        assert!(world.sims.iter().all(|sim| sim.guest.is_none()));
        assert!(world.agenda.is_empty() && world.changes.is_empty());
        assert_eq!(world.sims.capacity(), world.sims.len());
    }
}

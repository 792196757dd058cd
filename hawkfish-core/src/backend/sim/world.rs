//! All machines of a rack, what is due on them, and what has changed. Everything that happens goes through [`World::event`], in the order of
//! time; at one moment, in the order of the machines' keys.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;

use super::boot::Config;
use super::console::{Console, Speaker, What};
use super::hardware::Kit;
use super::identity::Identity;
use super::knobs;
use super::machine::{Action, Event, Life, Millis, Moment};
use super::profile::{Guest, Profile};
use super::script::GuestState;
use super::stats::{self, Measured};
use super::storage;
use crate::backend::{
    self, Cause, Change, Firmware, HostFacts, Machine, MachineKey, MediaKind, Processors, Slot,
    Stats, Step,
};
use crate::entropy::{Entropy as _, SeededEntropy};
use crate::error::{Conflict, Error, Result};
use crate::id::SlotId;

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
    identity: Identity,
    profiles: Vec<Arc<Profile>>,
    /// What machines of a profile have in common, by its place.
    kits: Vec<Kit>,
    /// Firmware settings as delivered, likewise.
    delivered: Vec<Arc<Firmware>>,
    /// By key.
    sims: Vec<Sim>,
    /// Places in `sims`, by number.
    places: Vec<u32>,
    agenda: BTreeSet<(Millis, u32)>,
    now: Millis,
    changes: VecDeque<Change>,
    /// Whether the rack has presented itself since it could last be reached.
    presented: bool,
    lost: bool,
}

/// The slots of every machine.
pub(super) const SLOTS: [(&str, MediaKind); 2] = [("Cd", MediaKind::Cd), ("Usb", MediaKind::Usb)];

impl World {
    pub(super) fn new(
        seed: u64,
        name: &str,
        systems: usize,
        profiles: Vec<Arc<Profile>>,
        now: Millis,
    ) -> Self {
        let keys = SeededEntropy::new(seed, &format!("sim/{name}/uuid"));
        let count = u32::try_from(systems).expect("fewer than 2^32 machines");
        let mut sims: Vec<Sim> = (0..count)
            .map(|number| Sim {
                key: MachineKey(keys.uuid()),
                number,
                life: Life::default(),
                config: Config::new(&profiles[number as usize % profiles.len()]),
                console: Console::default(),
                guest: None,
            })
            .collect();
        sims.sort_unstable_by_key(|sim| sim.key);
        let mut places = vec![0; systems];
        for (place, sim) in (0..).zip(&sims) {
            places[sim.number as usize] = place;
        }
        Self {
            identity: Identity::new(seed, name),
            delivered: profiles
                .iter()
                .map(|profile| {
                    Arc::new(Firmware {
                        keys: knobs::keys(profile).map(Arc::new),
                        ..Config::new(profile).settings(profile)
                    })
                })
                .collect(),
            kits: profiles.iter().map(|profile| Kit::of(profile)).collect(),
            profiles,
            sims,
            places,
            agenda: BTreeSet::new(),
            now,
            changes: VecDeque::new(),
            presented: false,
            lost: false,
        }
    }

    pub(super) fn key(&self, number: usize) -> Option<MachineKey> {
        let place = *self.places.get(number)?;
        Some(self.sims[place as usize].key)
    }

    fn profile(&self, sim: &Sim) -> &Arc<Profile> {
        &self.profiles[sim.number as usize % self.profiles.len()]
    }

    fn kit(&self, sim: &Sim) -> &Kit {
        &self.kits[sim.number as usize % self.kits.len()]
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
            self.tell(place, Cause::Changed);
        }
        Ok(())
    }

    /// When something happens by itself.
    pub(super) fn next_due(&self) -> Option<Millis> {
        self.agenda.first().map(|(due, _)| *due)
    }

    /// Lets everything happen until `now`. Time never goes back here, whatever the clock does.
    pub(super) fn catch_up(&mut self, now: Millis) {
        while let Some(&(due, place)) = self.agenda.first()
            && due <= now
        {
            self.now = self.now.max(due);
            self.event(place as usize, Event::Due);
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
        let profile = Arc::clone(self.profile(&self.sims[place]));
        let sim = &mut self.sims[place];
        let own_guest = sim.guest.clone();
        let moment = moment(now, &profile, own_guest.as_deref(), &sim.config);
        let due_before = sim.life.due();
        let mut choose = false;
        let (life, actions) = sim.life.event(event, &moment);
        sim.life = life;
        for action in actions {
            let sim = &mut self.sims[place];
            match action {
                Action::ClearConsole => sim.console.clear(now),
                Action::Say(what) => {
                    if matches!(what, What::Reset) {
                        sim.config.take_firmware();
                    }
                    if !what.is_of_firmware() || sim.config.firmware_speaks(&profile) {
                        sim.console.say(now, sim.config.mode, what);
                    }
                }
                Action::LostMemory => {
                    sim.config.settle();
                    sim.config.take_firmware();
                }
                Action::Installed { ejects } => sim.config.installed(ejects),
                Action::ChooseBoot => choose = true,
                Action::Changed(cause) => self.tell(place, cause),
            }
        }
        if choose {
            let sim = &mut self.sims[place];
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
            let used_override = config.over.is_some_and(|over| over.once);
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

    fn tell(&mut self, place: usize, cause: Cause) {
        // Whoever has not yet listened hears first how everything is by then, this included.
        if self.lost || !self.presented {
            return;
        }
        let machine = Arc::new(self.machine(place));
        self.changes.push_back(Change::Machine { machine, cause });
    }

    fn present(&mut self) {
        self.presented = true;
        self.changes.push_back(Change::Connected);
        for place in 0..self.sims.len() {
            let machine = Arc::new(self.machine(place));
            self.changes.push_back(Change::Machine {
                machine,
                cause: Cause::Seen,
            });
        }
    }

    pub(super) fn has_changes(&self) -> bool {
        !self.changes.is_empty() || (!self.presented && !self.lost)
    }

    pub(super) fn drain(&mut self) -> Vec<Change> {
        if !self.presented && !self.lost {
            self.present();
        }
        std::mem::take(&mut self.changes).into()
    }

    pub(super) fn machines(&self) -> Vec<Machine> {
        (0..self.sims.len())
            .map(|place| self.machine(place))
            .collect()
    }

    /// The machine as it is, which may just have been told: every change of it is.
    pub(super) fn shown(&self, place: usize) -> Machine {
        match self.changes.back() {
            Some(Change::Machine { machine, .. }) if machine.key == self.sims[place].key => {
                Machine::clone(machine)
            }
            _ => self.machine(place),
        }
    }

    pub(super) fn machine(&self, place: usize) -> Machine {
        let sim = &self.sims[place];
        let profile = self.profile(sim);
        let asset_tag = match sim.config.asset_tag() {
            Some("") => None,
            Some(tag) => Some(tag.to_owned()),
            None => Some(self.identity.asset_tag(sim.number)),
        };
        Machine {
            key: sim.key,
            name: self.identity.name(sim.number),
            title: None,
            description: None,
            power: sim.life.power(),
            crashed: sim.life.crashed,
            last_reset: sim.life.last_reset.map(timestamp),
            processors: Processors {
                sockets: profile.sockets,
                cores: profile.cores,
                threads: profile.threads,
                online: sim.config.processors(profile),
                model: Some(profile.processor_model.clone()),
                manufacturer: Some(profile.parts.processor_manufacturer.clone()),
                max_mhz: Some(profile.parts.processor_mhz),
                arch: profile.arch.clone(),
            },
            memory_kib: profile.memory_kib,
            identity: backend::Identity {
                manufacturer: Some(profile.manufacturer.clone()),
                product: Some(profile.product.clone()),
                version: Some(profile.version.clone()),
                serial: Some(self.identity.serial(sim.number)),
                sku: Some(profile.sku.clone()),
                family: Some(profile.family.clone()),
                asset_tag,
                bios_version: Some(sim.config.firmware(profile).to_owned()),
            },
            boot: sim
                .config
                .boot(profile, &|nic| self.identity.mac(sim.number, nic)),
            slots: SLOTS
                .into_iter()
                .map(|(id, kind)| Slot {
                    id: SlotId::parse(id).expect("an identifier"),
                    kind,
                    medium: sim.config.medium(kind).cloned(),
                })
                .collect(),
            autostart: sim.config.autostart,
            hardware: Arc::new(self.kit(sim).hardware(
                profile,
                |nic| self.identity.mac(sim.number, nic),
                sim.config.unplugged(),
            )),
            storage: Arc::new(storage::of(
                profile,
                &self.identity.serial(sim.number),
                sim.config.made(),
            )),
            firmware: if sim.config.is_as_delivered(profile) {
                Arc::clone(&self.delivered[sim.number as usize % self.delivered.len()])
            } else {
                let delivered = &self.delivered[sim.number as usize % self.delivered.len()];
                Arc::new(Firmware {
                    keys: delivered.keys.clone(),
                    ..sim.config.settings(profile)
                })
            },
        }
    }

    pub(super) fn stats(&self, place: usize) -> Stats {
        let sim = &self.sims[place];
        let profile = self.profile(sim);
        stats::of(&Measured {
            key: sim.key,
            number: sim.number,
            life: &sim.life,
            profile,
            guest: sim.guest.as_deref().unwrap_or(&profile.guest),
            identity: &self.identity,
            now: self.now,
        })
    }

    /// What was said from the number `since` on, and the number that comes next.
    pub(super) fn console_since(&mut self, place: usize, since: u64) -> (Vec<u8>, u64) {
        self.let_speak(place);
        let sim = &self.sims[place];
        let speaker = Speaker {
            name: &self.identity.name(sim.number),
            serial: &self.identity.serial(sim.number),
            profile: self.profile(sim),
            firmware: sim.config.firmware(self.profile(sim)),
            mac: &|nic| self.identity.mac(sim.number, nic),
        };
        (sim.console.text(&speaker, since), sim.console.next())
    }

    pub(super) fn host(&self, name: &str) -> HostFacts {
        let mut cpus = 0_u32;
        let mut memory_kib = 0;
        for sim in &self.sims {
            let profile = self.profile(sim);
            cpus = cpus.saturating_add(profile.sockets * profile.cores * profile.threads);
            memory_kib += profile.memory_kib;
        }
        HostFacts {
            name: name.to_owned(),
            hypervisor: "simulator".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            cpus,
            memory_kib,
            arch: self.profiles[0].arch.clone(),
        }
    }

    pub(super) fn lose(&mut self, reason: String) {
        if !self.lost {
            self.lost = true;
            self.presented = false;
            self.changes.push_back(Change::Lost(reason));
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
        let profile = Arc::clone(self.profile(&self.sims[place]));
        let asset_tag = self.identity.asset_tag(self.sims[place].number);
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
        let world = World::new(1, "sim", 1000, Profile::all(), 0);
        let shared = size_of::<World>();
        let each = size_of::<Sim>() + size_of::<u32>();
        assert!(each < 256, "{each} bytes for each, {shared} for all");
        // And nothing hangs on to it elsewhere.
        assert!(world.sims.iter().all(|sim| sim.guest.is_none()));
        assert!(world.agenda.is_empty() && world.changes.is_empty());
        assert_eq!(world.sims.capacity(), world.sims.len());
    }
}

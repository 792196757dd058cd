//! Where the systems are kept: as a whole, or, of machines that can be made anew, only what is different from how they came.
//!
//! ```text
//!                    asked for                       nobody asked for it while WARM others were
//!   as it came ────────────────────▶ whole ◀──────────────────────────────────────────────▶ packed, or as it came
//!   (no entry at all)                                asked for
//! ```
//!
//! A system of which more than how it runs is different, or with media, volumes or settings of its own, stays whole; so does every system of a host without a mould.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, RwLock};

use jiff::Timestamp;

use super::{System, system_id};
use crate::backend::{BootOverride, Capabilities, MachineKey, Mould, Power};
use crate::bios::Bios;
use crate::id::{HostId, ProjectId, SystemId};
use crate::systems::Lately;
use crate::systems::rows::is_same_base;

/// How many systems are kept whole that need not be: those that were asked for last.
pub(super) const WARM: usize = 1024;

/// All systems, by the keys of their machines, which is the order of their ids, too.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    known: BTreeMap<MachineKey, Known>,
    racks: BTreeMap<HostId, Rack>,
    /// Systems that were made whole lately, the oldest first.
    warm: VecDeque<MachineKey>,
}

/// The machines of a host that can be made anew.
#[derive(Clone, Debug)]
pub(super) struct Rack {
    pub(super) mould: Arc<dyn Mould>,
    pub(super) capabilities: Arc<Capabilities>,
    pub(super) reachable: bool,
    pub(super) seen: Timestamp,
    /// That of each of its systems that is as it came, and the least of those of others.
    pub(super) generation: u64,
}

#[derive(Debug)]
enum Known {
    Whole {
        system: Arc<System>,
        /// Whether it is among those that may be packed.
        warm: bool,
    },
    Packed(Box<Packed>),
}

/// What is different about a system from how its machine came.
#[derive(Debug)]
struct Packed {
    power: Power,
    crashed: bool,
    indicator: bool,
    last_reset: Option<Timestamp>,
    over: Option<BootOverride>,
    lately: Option<Box<Lately>>,
    seen: Timestamp,
    generation: u64,
}

impl Rack {
    /// A system whose machine is as it came.
    fn fresh(&self, host: &HostId, key: MachineKey) -> Option<System> {
        Some(System {
            id: system_id(key),
            host: host.clone(),
            project: ProjectId::default_project(),
            machine: Arc::new(self.mould.make(key)?),
            reachable: self.reachable,
            seen: self.seen,
            indicator: false,
            media: BTreeMap::new(),
            verify: BTreeMap::new(),
            volumes: BTreeMap::new(),
            bios: Arc::default(),
            lately: Lately::default(),
            capabilities: Arc::clone(&self.capabilities),
            generation: self.generation,
        })
    }

    /// The least that has to be kept of a system, where that is less than all of it. `None` within is nothing at all.
    fn packed(&self, system: &System) -> Option<Option<Packed>> {
        let System {
            id: _,
            host,
            project,
            machine,
            reachable,
            seen,
            indicator,
            media,
            verify,
            volumes,
            bios,
            lately,
            capabilities,
            generation,
        } = system;
        let is_plain = media.is_empty()
            && verify.is_empty()
            && volumes.is_empty()
            && *reachable == self.reachable
            && *capabilities == self.capabilities
            && **bios == Bios::default();
        if !is_plain {
            return None;
        }
        let fresh = self.fresh(host, machine.key)?;
        let made = &fresh.machine;
        if *project != fresh.project || made.slots != machine.slots || !is_same_base(made, machine)
        {
            return None;
        }
        let is_fresh = machine.power == made.power
            && machine.crashed == made.crashed
            && machine.last_reset == made.last_reset
            && machine.boot.over == made.boot.over
            && *lately == fresh.lately
            && !indicator;
        // One that was another meanwhile must not have a generation that it had before.
        if is_fresh && *generation <= self.generation {
            return Some(None);
        }
        Some(Some(Packed {
            power: machine.power,
            crashed: machine.crashed,
            indicator: *indicator,
            last_reset: machine.last_reset,
            over: machine.boot.over,
            lately: (*lately != fresh.lately).then(|| Box::new(lately.clone())),
            seen: *seen,
            generation: *generation,
        }))
    }

    fn unpacked(&self, host: &HostId, key: MachineKey, packed: &Packed) -> Option<System> {
        let mut system = self.fresh(host, key)?;
        let machine = Arc::make_mut(&mut system.machine);
        machine.power = packed.power;
        machine.crashed = packed.crashed;
        machine.last_reset = packed.last_reset;
        machine.boot.over = packed.over;
        system.indicator = packed.indicator;
        if let Some(lately) = &packed.lately {
            system.lately = Lately::clone(lately);
        }
        system.seen = packed.seen.max(self.seen);
        system.generation = packed.generation.max(self.generation);
        Some(system)
    }
}

impl Shelf {
    /// A system that is there as a whole.
    pub(super) fn whole(&self, key: MachineKey) -> Option<Arc<System>> {
        match self.known.get(&key)? {
            Known::Whole { system, .. } => Some(Arc::clone(system)),
            Known::Packed(_) => None,
        }
    }

    /// Whether a mould makes this machine.
    pub(super) fn can_make(&self, key: MachineKey) -> bool {
        self.rack_of(key).is_some()
    }

    fn rack_of(&self, key: MachineKey) -> Option<(&HostId, &Rack)> {
        self.racks.iter().find(|(_, rack)| rack.mould.has(key))
    }

    /// A system, made for this once where it is not there as a whole.
    pub(super) fn look(&self, key: MachineKey) -> Option<Arc<System>> {
        let made = || self.rack_of(key);
        match self.known.get(&key) {
            Some(Known::Whole { system, .. }) => Some(Arc::clone(system)),
            Some(Known::Packed(packed)) => {
                let (host, rack) = made()?;
                rack.unpacked(host, key, packed).map(Arc::new)
            }
            None => {
                let (host, rack) = made()?;
                rack.fresh(host, key).map(Arc::new)
            }
        }
    }

    /// A system, which is there as a whole afterwards.
    pub(super) fn unpack(
        &mut self,
        key: MachineKey,
        unstored: &RwLock<BTreeSet<SystemId>>,
    ) -> Option<Arc<System>> {
        let whole = self.whole(key);
        if whole.is_some() {
            return whole;
        }
        let system = self.look(key)?;
        self.put(Arc::clone(&system), unstored);
        Some(system)
    }

    /// Puts a system in, and returns the project of the one that was there.
    pub(super) fn put(
        &mut self,
        system: Arc<System>,
        unstored: &RwLock<BTreeSet<SystemId>>,
    ) -> Option<ProjectId> {
        let key = system.machine.key;
        let (old, was_warm) = match self.known.get(&key) {
            Some(Known::Whole { system, warm }) => (Some(system.project.clone()), *warm),
            Some(Known::Packed(_)) => (Some(ProjectId::default_project()), false),
            None => {
                let is_made = self.can_make(key);
                (is_made.then(ProjectId::default_project), false)
            }
        };
        let warm = was_warm
            || self
                .racks
                .get(&system.host)
                .is_some_and(|r| r.mould.has(key));
        self.known.insert(key, Known::Whole { system, warm });
        if warm && !was_warm {
            self.warm.push_back(key);
            while self.warm.len() > WARM {
                self.cool(unstored);
            }
        }
        old
    }

    /// Packs the system that was made whole first.
    fn cool(&mut self, unstored: &RwLock<BTreeSet<SystemId>>) {
        let Some(key) = self.warm.pop_front() else {
            return;
        };
        let Some(Known::Whole { system, warm }) = self.known.get_mut(&key) else {
            return;
        };
        *warm = false;
        // What the store may not have is not to be forgotten.
        if unstored.read().expect("inventory").contains(&system.id) {
            return;
        }
        let rack = self.racks.get(&system.host);
        match rack.and_then(|rack| rack.packed(system)) {
            Some(Some(packed)) => {
                self.known.insert(key, Known::Packed(Box::new(packed)));
            }
            Some(None) => {
                self.known.remove(&key);
            }
            None => {}
        }
    }

    /// Puts the machines of a mould in, or says how their host is by now. Whether they are new.
    pub(super) fn put_rack(
        &mut self,
        host: &HostId,
        rack: Rack,
        mut next: impl FnMut() -> u64,
    ) -> bool {
        for known in self.known.values_mut() {
            if let Known::Whole { system, .. } = known
                && system.host == *host
            {
                let mut new = System::clone(system);
                new.reachable = rack.reachable;
                new.capabilities = Arc::clone(&rack.capabilities);
                if rack.reachable {
                    new.seen = rack.seen;
                }
                new.generation = next();
                *system = Arc::new(new);
            }
        }
        let is_new = self.racks.insert(host.clone(), rack).is_none();
        if is_new {
            // Those that were there before can be packed from now on.
            let rack = &self.racks[host];
            for (key, known) in &mut self.known {
                if let Known::Whole { system, warm } = known
                    && !*warm
                    && system.host == *host
                    && rack.mould.has(*key)
                {
                    *warm = true;
                    self.warm.push_back(*key);
                }
            }
        }
        is_new
    }

    pub(super) fn rack(&self, host: &HostId) -> Option<Rack> {
        self.racks.get(host).cloned()
    }

    /// The keys of all systems in a project, or of all.
    pub(super) fn keys(&self, project: Option<&ProjectId>) -> Vec<MachineKey> {
        let is_in = |key: &MachineKey, known: Option<&Known>| match (project, known) {
            (None, _) => true,
            (Some(project), Some(Known::Whole { system, .. })) => system.project == *project,
            (Some(project), _) => {
                debug_assert!(self.can_make(*key));
                *project == ProjectId::default_project()
            }
        };
        let made = self.racks.values().flat_map(|rack| rack.mould.keys());
        let mut keys: Vec<MachineKey> = made.collect();
        keys.retain(|key| project.is_none() || is_in(key, self.known.get(key)));
        let known = self.known.iter();
        let known = known.filter(|(key, known)| is_in(key, Some(known)));
        keys.extend(known.map(|(key, _)| *key));
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    /// The first key of all.
    pub(super) fn first(&self) -> Option<MachineKey> {
        let made = self.racks.values().filter_map(|rack| rack.mould.first());
        made.chain(self.known.keys().next().copied()).min()
    }

    /// The keys of the systems that are not as they came.
    pub(super) fn altered(&self) -> Vec<MachineKey> {
        self.known.keys().copied().collect()
    }

    /// The keys of systems of which every other is like one.
    pub(super) fn kinds(&self) -> Vec<MachineKey> {
        let samples = self.racks.values().flat_map(|rack| rack.mould.samples());
        // What is packed differs only in how it runs.
        let whole = self.known.iter();
        let whole = whole.filter(|(_, known)| matches!(known, Known::Whole { .. }));
        let mut keys: Vec<MachineKey> = samples.chain(whole.map(|(key, _)| *key)).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    pub(super) fn of_host(&self, host: &HostId) -> Vec<MachineKey> {
        let made = self.racks.get(host).map(|rack| rack.mould.keys());
        let known = self.known.iter().filter(|(_, known)| match known {
            Known::Whole { system, .. } => system.host == *host,
            Known::Packed(_) => false,
        });
        let mut keys = made.unwrap_or_default();
        keys.extend(known.map(|(key, _)| *key));
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    pub(super) fn strays(&self, host: &HostId) -> Vec<MachineKey> {
        let Some(rack) = self.racks.get(host) else {
            return Vec::new();
        };
        let known = self.known.iter().filter(|(key, known)| match known {
            Known::Whole { system, .. } => system.host == *host && !rack.mould.has(**key),
            Known::Packed(_) => false,
        });
        known.map(|(key, _)| *key).collect()
    }

    pub(super) fn remove(&mut self, key: MachineKey) -> Option<Arc<System>> {
        match self.known.remove(&key)? {
            Known::Whole { system, .. } => Some(system),
            Known::Packed(_) => None,
        }
    }
}

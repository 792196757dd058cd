//! The one in-memory picture of every system. Reads come from it: no read waits for a hypervisor or for SQL.
//!
//! It is fed by what backends tell and by what verbs return, and it remembers what was last seen of a host that cannot be reached.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};

use jiff::Timestamp;

use crate::backend::{Capabilities, HostFacts, Machine, MachineKey};
use crate::bios::Bios;
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::id::{DiskToken, HostId, ProjectId, SlotId, SystemId};
use crate::media::MediaRecord;
use crate::systems::Lately;
use crate::systems::rows::is_same_base;

/// A machine as users see it.
#[derive(Clone, Debug, PartialEq)]
pub struct System {
    /// Stable over restarts and moves.
    pub id: SystemId,
    /// The host on which it lives.
    pub host: HostId,
    /// The project to which it belongs.
    pub project: ProjectId,
    /// What its backend last said of it.
    pub machine: Arc<Machine>,
    /// Whether its host answers; if not, everything here is as last seen.
    pub reachable: bool,
    /// When its backend last said so.
    pub seen: Timestamp,
    /// Whether its indicator is lit.
    pub indicator: bool,
    /// What was inserted by HawkFish, by slot; only what the backend still shows.
    pub media: BTreeMap<SlotId, MediaRecord>,
    /// Whether servers of images must prove who they are, by slot; true where not said.
    pub verify: BTreeMap<SlotId, bool>,
    /// What people call the disks that HawkFish made.
    pub volumes: BTreeMap<DiskToken, String>,
    /// What waits for its firmware.
    pub bios: Arc<Bios>,
    pub(crate) lately: Lately,
    /// What its backend can do.
    pub capabilities: Arc<Capabilities>,
    /// Grows with every change of anything here.
    pub generation: u64,
}

/// A host as users see it.
#[derive(Clone, Debug, PartialEq)]
pub struct HostStatus {
    /// The host.
    pub id: HostId,
    /// Whether it answers.
    pub reachable: bool,
    /// Why it does not.
    pub reason: Option<String>,
    /// What it said of itself when it last answered.
    pub facts: HostFacts,
}

/// The picture.
#[derive(Debug, Default)]
pub struct Inventory {
    systems: RwLock<BTreeMap<SystemId, Arc<System>>>,
    hosts: RwLock<BTreeMap<HostId, HostStatus>>,
    /// Systems that are to be started when they are off.
    to_restart: RwLock<BTreeSet<SystemId>>,
    /// Systems of which the store may not have what their machines are made of.
    unstored: RwLock<BTreeSet<SystemId>>,
    generation: AtomicU64,
    membership: AtomicU64,
    /// Wakes who waits for something in it.
    stirred: tokio::sync::Notify,
}

impl Inventory {
    /// The systems that `ctx` may see, ordered by id.
    #[must_use]
    pub fn systems(&self, ctx: &Ctx) -> Vec<Arc<System>> {
        let systems = self.systems.read().expect("inventory");
        systems
            .values()
            .filter(|s| visible(ctx, s))
            .cloned()
            .collect()
    }

    /// One system.
    ///
    /// # Errors
    /// `NotFound`, also for a system in a project that `ctx` may not see.
    pub fn system(&self, ctx: &Ctx, id: &SystemId) -> Result<Arc<System>> {
        let systems = self.systems.read().expect("inventory");
        systems
            .get(id)
            .filter(|s| visible(ctx, s))
            .cloned()
            .ok_or_else(|| Error::not_found("ComputerSystem", id.as_str()))
    }

    /// The hosts, ordered by id.
    #[must_use]
    pub fn hosts(&self) -> Vec<HostStatus> {
        self.hosts
            .read()
            .expect("inventory")
            .values()
            .cloned()
            .collect()
    }

    /// A number that changes with every change of any system.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// A number that changes when a system appears, disappears or changes its project.
    #[must_use]
    pub fn membership(&self) -> u64 {
        self.membership.load(Ordering::Acquire)
    }

    /// Puts a system into the picture.
    pub(crate) fn put(&self, mut system: System) -> Arc<System> {
        let mut systems = self.systems.write().expect("inventory");
        system.generation = self.next();
        let system = Arc::new(system);
        self.note_restart(&system);
        if systems
            .insert(system.id.clone(), Arc::clone(&system))
            .is_none_or(|old| old.project != system.project)
        {
            self.membership.fetch_add(1, Ordering::AcqRel);
        }
        system
    }

    /// Changes a system in the picture, and counts a generation only if something is different.
    pub(crate) fn update(
        &self,
        id: &SystemId,
        change: impl FnOnce(&mut System),
    ) -> Option<Arc<System>> {
        let mut systems = self.systems.write().expect("inventory");
        let slot = systems.get_mut(id)?;
        let mut next = System::clone(slot);
        change(&mut next);
        let seen = std::mem::replace(&mut next.seen, slot.seen);
        let differs = next != **slot;
        next.seen = seen;
        if differs {
            next.generation = self.next();
        }
        if !Arc::ptr_eq(&next.bios, &slot.bios) {
            self.note_restart(&next);
        }
        *slot = Arc::new(next);
        Some(Arc::clone(slot))
    }

    /// Systems that are to be started when they are off.
    pub(crate) fn to_restart(&self) -> Vec<SystemId> {
        let ids = self.to_restart.read().expect("inventory");
        ids.iter().cloned().collect()
    }

    pub(crate) fn has_to_restart(&self) -> bool {
        !self.to_restart.read().expect("inventory").is_empty()
    }

    fn note_restart(&self, system: &System) {
        let waits = system.bios.restart_until.is_some();
        let is_noted = self
            .to_restart
            .read()
            .expect("inventory")
            .contains(&system.id);
        if waits != is_noted {
            let mut ids = self.to_restart.write().expect("inventory");
            if waits {
                ids.insert(system.id.clone());
            } else {
                ids.remove(&system.id);
            }
        }
    }

    /// Whether what the machine of a system is made of may not be stored as it is shown.
    pub(crate) fn is_unstored(&self, id: &SystemId) -> bool {
        self.unstored.read().expect("inventory").contains(id)
    }

    /// Notes that what the machine of a system is made of is about to be stored.
    pub(crate) fn note_unstored(&self, id: &SystemId) {
        self.unstored.write().expect("inventory").insert(id.clone());
    }

    /// Notes that a machine was stored as a whole.
    pub(crate) fn note_stored(&self, id: &SystemId, machine: &Machine) {
        let shown = self.systems.read().expect("inventory").get(id).cloned();
        // It may be another by now, which is on its way into the store, or could not be stored.
        if shown.is_none_or(|shown| is_same_base(&shown.machine, machine)) {
            self.unstored.write().expect("inventory").remove(id);
        }
    }

    /// Takes a system out of the picture.
    pub(crate) fn remove(&self, id: &SystemId) -> Option<Arc<System>> {
        let gone = self.systems.write().expect("inventory").remove(id);
        if gone.is_some() {
            self.next();
            self.membership.fetch_add(1, Ordering::AcqRel);
        }
        gone
    }

    /// The systems of a host.
    pub(crate) fn of_host(&self, host: &HostId) -> Vec<Arc<System>> {
        self.systems
            .read()
            .expect("inventory")
            .values()
            .filter(|s| s.host == *host)
            .cloned()
            .collect()
    }

    /// Sets what is known of a host.
    pub(crate) fn set_host(&self, status: HostStatus) {
        self.hosts
            .write()
            .expect("inventory")
            .insert(status.id.clone(), status);
        self.next();
    }

    pub(crate) fn host(&self, id: &HostId) -> Option<HostStatus> {
        self.hosts.read().expect("inventory").get(id).cloned()
    }

    /// Returns when something is so, which may be at once.
    pub(crate) async fn until(&self, is_so: impl Fn() -> bool) {
        loop {
            let stirred = self.stirred.notified();
            let mut stirred = std::pin::pin!(stirred);
            // Listening before looking, so that what happens in between is not missed.
            stirred.as_mut().enable();
            if is_so() {
                return;
            }
            stirred.await;
        }
    }

    fn next(&self) -> u64 {
        // Whoever is woken looks once the lock that is held now is free again.
        self.stirred.notify_waiters();
        self.generation.fetch_add(1, Ordering::AcqRel) + 1
    }
}

fn visible(ctx: &Ctx, system: &System) -> bool {
    ctx.project.as_ref().is_none_or(|p| *p == system.project)
}

/// The id of the system that stands for a machine.
#[must_use]
pub fn system_id(key: MachineKey) -> SystemId {
    SystemId::parse(&key.to_string()).expect("a UUID is an identifier")
}

/// The machine for which a system stands.
///
/// # Errors
/// `NotFound` when the id is no UUID.
pub fn machine_key(id: &SystemId) -> Result<MachineKey> {
    id.as_str()
        .parse()
        .map(MachineKey)
        .map_err(|_| Error::not_found("ComputerSystem", id.as_str()))
}

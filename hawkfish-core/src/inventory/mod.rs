//! The one in-memory picture of every system. Reads come from it: no read waits for a hypervisor or for SQL.
//!
//! It is fed by what backends tell and by what verbs return, and it remembers what was last seen of a host that cannot be reached.
//!
//! Of a machine that its backend can work out anew ([`Mould`]) only what is different is kept once nobody has asked for it for a while; see `shelf`.

mod shelf;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};

use jiff::Timestamp;

use crate::backend::{Capabilities, HostFacts, Machine, MachineKey, Mould};
use crate::bios::Bios;
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::id::{DiskToken, HostId, ProjectId, SlotId, SystemId};
use crate::media::MediaRecord;
use crate::systems::Lately;
use crate::systems::rows::is_same_base;
use shelf::{Rack, Shelf};

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
    systems: RwLock<Shelf>,
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
    /// The systems that `ctx` may see, ordered by id: all at once, which for a large fleet takes a lot of memory. [`Inventory::each`] does not.
    #[must_use]
    pub fn systems(&self, ctx: &Ctx) -> Vec<Arc<System>> {
        self.each(ctx).collect()
    }

    /// The ids of the systems that `ctx` may see, in order.
    #[must_use]
    pub fn ids(&self, ctx: &Ctx) -> Vec<SystemId> {
        let keys = self.keys(ctx);
        keys.into_iter().map(system_id).collect()
    }

    /// A system, where there is one that `ctx` may see; for who goes through many of them.
    #[must_use]
    pub fn peek(&self, ctx: &Ctx, id: &SystemId) -> Option<Arc<System>> {
        let system = self.shelf().look(machine_key(id).ok()?)?;
        (system.id == *id && visible(ctx, &system)).then_some(system)
    }

    /// How many systems `ctx` may see.
    #[must_use]
    pub fn count(&self, ctx: &Ctx) -> usize {
        self.keys(ctx).len()
    }

    /// The first of the systems that `ctx` may see, by its id.
    #[must_use]
    pub fn first(&self, ctx: &Ctx) -> Option<SystemId> {
        if ctx.project.is_none() && ctx.face().is_none() {
            return self.shelf().first().map(system_id);
        }
        self.keys(ctx).first().copied().map(system_id)
    }

    /// The systems that `ctx` may see, ordered by id, one after the other. What changes meanwhile may show or not.
    pub fn each(&self, ctx: &Ctx) -> impl Iterator<Item = Arc<System>> {
        let keys = self.keys(ctx);
        keys.into_iter().filter_map(|key| self.shelf().look(key))
    }

    /// The systems that `ctx` may see and that are not as they came, ordered by id, one after the other.
    pub fn each_altered(&self, ctx: &Ctx) -> impl Iterator<Item = Arc<System>> {
        let keys = self.shelf().altered();
        let ctx = ctx.clone();
        keys.into_iter()
            .filter_map(|key| self.shelf().look(key))
            .filter(move |system| visible(&ctx, system))
    }

    /// Systems that `ctx` may see of which every other is like one, but for what tells machines apart, ordered by id.
    pub fn each_kind(&self, ctx: &Ctx) -> impl Iterator<Item = Arc<System>> {
        let keys = self.shelf().kinds();
        let ctx = ctx.clone();
        keys.into_iter()
            .filter_map(|key| self.shelf().look(key))
            .filter(move |system| visible(&ctx, system))
    }

    fn keys(&self, ctx: &Ctx) -> Vec<MachineKey> {
        if let Some(face) = ctx.face() {
            let one = self.system(ctx, face).ok();
            return one.iter().map(|system| system.machine.key).collect();
        }
        self.shelf().keys(ctx.project.as_ref())
    }

    fn shelf(&self) -> RwLockReadGuard<'_, Shelf> {
        self.systems.read().expect("inventory")
    }

    fn shelf_mut(&self) -> RwLockWriteGuard<'_, Shelf> {
        self.systems.write().expect("inventory")
    }

    /// One system.
    ///
    /// # Errors
    /// `NotFound`, also for a system in a project that `ctx` may not see.
    pub fn system(&self, ctx: &Ctx, id: &SystemId) -> Result<Arc<System>> {
        let there = || {
            let key = machine_key(id).ok()?;
            let whole = self.shelf().whole(key);
            let system = match whole {
                Some(system) => system,
                // Only a machine that can be made anew is not there as a whole.
                None if self.shelf().can_make(key) => {
                    self.shelf_mut().unpack(key, &self.unstored)?
                }
                None => return None,
            };
            // There is one way to write an id.
            (system.id == *id && visible(ctx, &system)).then_some(system)
        };
        there().ok_or_else(|| Error::not_found("ComputerSystem", id.as_str()))
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
        let mut shelf = self.shelf_mut();
        system.generation = self.next();
        let system = Arc::new(system);
        self.note_restart(&system);
        let old = shelf.put(Arc::clone(&system), &self.unstored);
        if old.is_none_or(|project| project != system.project) {
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
        let key = machine_key(id).ok()?;
        let mut shelf = self.shelf_mut();
        let old = shelf.unpack(key, &self.unstored)?;
        let mut next = System::clone(&old);
        change(&mut next);
        let seen = std::mem::replace(&mut next.seen, old.seen);
        let differs = next != *old;
        next.seen = seen;
        if differs {
            next.generation = self.next();
        }
        if !Arc::ptr_eq(&next.bios, &old.bios) {
            self.note_restart(&next);
        }
        let next = Arc::new(next);
        shelf.put(Arc::clone(&next), &self.unstored);
        Some(next)
    }

    /// Puts the machines of a host into the picture that can be made anew; or says anew whether the host answers.
    pub(crate) fn put_rack(
        &self,
        host: &HostId,
        mould: &Arc<dyn Mould>,
        capabilities: Arc<Capabilities>,
        reachable: bool,
        seen: Timestamp,
    ) {
        let mut shelf = self.shelf_mut();
        let rack = Rack {
            mould: Arc::clone(mould),
            capabilities,
            reachable,
            seen,
            generation: self.next(),
        };
        if shelf.put_rack(host, rack, || self.next()) {
            self.membership.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Notes that a host whose machines can be made anew does not answer.
    pub(crate) fn lose_rack(&self, host: &HostId) {
        let mut shelf = self.shelf_mut();
        if let Some(rack) = shelf.rack(host) {
            let generation = self.next();
            let lost = Rack {
                reachable: false,
                generation,
                ..rack
            };
            shelf.put_rack(host, lost, || self.next());
        }
    }

    /// Whether the machines of a host that can be made anew are in the picture as such that answer.
    pub(crate) fn has_rack(&self, host: &HostId) -> bool {
        self.shelf().rack(host).is_some_and(|rack| rack.reachable)
    }

    /// Whether the machines of a host that can be made anew are in the picture.
    pub(crate) fn knows_rack(&self, host: &HostId) -> bool {
        self.shelf().rack(host).is_some()
    }

    /// The systems of a host that its mould does not make.
    pub(crate) fn strays(&self, host: &HostId) -> Vec<SystemId> {
        let keys = self.shelf().strays(host);
        keys.into_iter().map(system_id).collect()
    }

    /// The ids of the systems of a host.
    pub(crate) fn ids_of_host(&self, host: &HostId) -> Vec<SystemId> {
        let keys = self.shelf().of_host(host);
        keys.into_iter().map(system_id).collect()
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
        let shown = machine_key(id).ok().and_then(|key| self.shelf().whole(key));
        // It may be another by now, which is on its way into the store, or could not be stored.
        if shown.is_none_or(|shown| is_same_base(&shown.machine, machine)) {
            self.unstored.write().expect("inventory").remove(id);
        }
    }

    /// Takes a system out of the picture; not one that its host's mould makes.
    pub(crate) fn remove(&self, id: &SystemId) -> Option<Arc<System>> {
        let gone = self.shelf_mut().remove(machine_key(id).ok()?);
        if gone.is_some() {
            self.next();
            self.membership.fetch_add(1, Ordering::AcqRel);
        }
        gone
    }

    /// The systems of a host.
    pub(crate) fn of_host(&self, host: &HostId) -> Vec<Arc<System>> {
        let keys = self.shelf().of_host(host);
        keys.into_iter()
            .filter_map(|key| self.shelf().look(key))
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
    ctx.project.as_ref().is_none_or(|p| *p == system.project) && ctx.faces(&system.id)
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

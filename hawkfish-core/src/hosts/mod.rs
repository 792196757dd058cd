//! The hosts on which systems live: what their backends tell becomes the picture.

mod made;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use arc_swap::ArcSwap;
use jiff::Timestamp;

use crate::app::HawkFish;
use crate::backend::{
    Backend, Capabilities, Cause, Change, HostFacts, MOST_CHANGES, Machine, MachineKey, Mould,
    Power,
};
use crate::bios;
use crate::ctx::Ctx;
use crate::db::{Later, Tx};
use crate::error::{Error, ErrorKind, Result};
use crate::events::{self, Subject};
use crate::id::{HostId, ProjectId, SystemId};
use crate::inventory::{HostStatus, System, system_id};
use crate::logs::{self, Doing, Event, LogId, What};
use crate::media;
use crate::systems::{Lately, ResetCause, rows};
use crate::volumes;

/// How often the picture is held against what a backend says, in case an event was lost.
pub(crate) const RECONCILE_EVERY: jiff::SignedDuration = jiff::SignedDuration::from_secs(60);

/// A host and the backend that stands for it.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) id: HostId,
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) capabilities: ArcSwap<Capabilities>,
    /// What its machines are made from, where they can be made anew.
    mould: Option<Arc<dyn Mould>>,
    /// One at a time turns what the backend tells into the picture, so that it stays in order.
    absorbing: tokio::sync::Mutex<()>,
    pub(crate) reconcile_at: std::sync::Mutex<Timestamp>,
    /// What HawkFish is doing to machines right now, so that what follows from it is not taken for somebody else's doing.
    doing: std::sync::Mutex<BTreeMap<MachineKey, Doing>>,
    /// Machines of which it was told that they were reset by what is being done to them: QEMU says so more than once.
    was_reset: std::sync::Mutex<std::collections::BTreeSet<MachineKey>>,
    /// Why machines are being started or reset right now, so that the reset is never seen without its cause.
    commanded: std::sync::Mutex<BTreeMap<MachineKey, ResetCause>>,
}

/// Holds what is being done to a machine until it is done.
#[derive(Debug)]
pub(crate) struct Busy(Arc<Host>, MachineKey);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.doing.lock().expect("doing").remove(&self.1);
        self.0.was_reset.lock().expect("resets").remove(&self.1);
        self.0.backend.attend(false);
    }
}

/// Holds why a machine is started or reset until that is done.
#[derive(Debug)]
pub(crate) struct Commanded(Arc<Host>, MachineKey);

impl Drop for Commanded {
    fn drop(&mut self) {
        self.0.commanded.lock().expect("commanded").remove(&self.1);
    }
}

/// What backends told, as one picture for each machine and as what happened on the way to it.
#[derive(Default)]
struct Heard {
    latest: BTreeMap<SystemId, (Machine, Power)>,
    told: Vec<Told>,
}

/// Something that happened, on its way to those who hear of it.
enum Told {
    /// To a system as a whole: it stands in its log, too.
    Whole(SystemId, What),
    /// To a part of a system.
    Part(Subject, What),
}

/// A machine that is not as it was known.
struct News {
    id: SystemId,
    machine: Arc<Machine>,
    /// Whether it was not known at all.
    is_fresh: bool,
    /// Whether more is to be stored of it than how it runs.
    is_whole: bool,
}

/// Tells what happened, as a part of the transaction.
fn tell(later: &mut Later, told: Vec<Told>, now: Timestamp) -> Result<()> {
    for told in told {
        match told {
            Told::Whole(id, what) => logs::tell_later(later, &LogId::System(id), what.at(now))?,
            Told::Part(about, what) => later.happened(about, what.at(now)),
        }
    }
    Ok(())
}

impl Host {
    pub(crate) fn new(id: HostId, backend: Arc<dyn Backend>) -> Self {
        let capabilities = ArcSwap::from_pointee(backend.capabilities());
        Self {
            id,
            mould: backend.mould(),
            backend,
            capabilities,
            was_reset: std::sync::Mutex::default(),
            absorbing: tokio::sync::Mutex::default(),
            reconcile_at: std::sync::Mutex::new(Timestamp::UNIX_EPOCH),
            doing: std::sync::Mutex::default(),
            commanded: std::sync::Mutex::default(),
        }
    }

    /// Notes why a machine is started or reset for as long as the answer is kept.
    pub(crate) fn command(self: &Arc<Self>, key: MachineKey, cause: ResetCause) -> Commanded {
        self.commanded.lock().expect("commanded").insert(key, cause);
        Commanded(Arc::clone(self), key)
    }

    fn commanded(&self, key: MachineKey) -> Option<ResetCause> {
        self.commanded.lock().expect("commanded").get(&key).copied()
    }

    /// Notes what is done to a machine for as long as the answer is kept. Only one thing is, because each system has a lock. What the backend tells meanwhile is
    /// looked at with what the verb returns.
    pub(crate) fn busy(self: &Arc<Self>, key: MachineKey, doing: Doing) -> Busy {
        self.backend.attend(true);
        self.doing.lock().expect("doing").insert(key, doing);
        Busy(Arc::clone(self), key)
    }

    fn doing(&self, key: MachineKey) -> Option<Doing> {
        self.doing.lock().expect("doing").get(&key).copied()
    }
}

impl HawkFish {
    /// The hosts and whether they answer.
    #[must_use]
    pub fn hosts(&self) -> Vec<HostStatus> {
        self.inner.inventory.hosts()
    }

    pub(crate) fn host(&self, id: &HostId) -> Result<Arc<Host>> {
        self.inner.hosts.get(id).cloned().ok_or_else(|| {
            Error::internal("A system lives on a host that is not configured.").with("host", id)
        })
    }

    /// Puts into the picture the systems that were there when HawkFish last ran, as last seen.
    pub(crate) async fn recall(&self) -> Result<()> {
        let (systems, states, mut slots, mut volumes, mut waiting) = self
            .store()
            .read(|conn| {
                Box::pin(async move {
                    let systems = rows::load(conn).await?;
                    let states = rows::load_states(conn).await?;
                    let slots = media::load(conn).await?;
                    let volumes = volumes::load(conn).await?;
                    let waiting = bios::rows::load(conn).await?;
                    Ok((systems, states, slots, volumes, waiting))
                })
            })
            .await?;
        self.recall_made().await?;
        let mut seen: BTreeMap<HostId, Vec<Machine>> = BTreeMap::new();
        for mut row in self.made_rows(states).chain(systems).filter(|r| r.present) {
            let Some(host) = self.inner.hosts.get(&row.host) else {
                continue;
            };
            let kept = slots.remove(&row.id).unwrap_or_default();
            let volumes = volumes.remove(&row.id).unwrap_or_default();
            let bios = waiting.remove(&row.id).unwrap_or_default();
            if let Some(mould) = &host.mould {
                made::complete(&**mould, &mut row.machine);
            }
            let seen = seen.entry(row.host.clone()).or_default();
            seen.push(row.machine.clone());
            if seen.len() >= MOST_CHANGES {
                host.backend.restore(seen);
                seen.clear();
            }
            self.inner.inventory.put(System {
                id: row.id,
                host: row.host,
                project: row.project,
                machine: Arc::new(row.machine),
                reachable: false,
                seen: row.seen,
                indicator: row.indicator,
                media: kept.media,
                verify: kept.verify,
                volumes,
                bios: Arc::new(bios),
                lately: Lately::default(),
                capabilities: host.capabilities.load_full(),
                generation: 0,
            });
        }
        self.recall_images().await?;
        self.recall_passing().await?;
        for host in self.inner.hosts.values() {
            host.backend
                .restore(seen.get(&host.id).map_or(&[], Vec::as_slice));
            self.inner.inventory.set_host(HostStatus {
                id: host.id.clone(),
                reachable: false,
                reason: Some("It has not answered yet.".to_owned()),
                facts: HostFacts::default(),
            });
        }
        Ok(())
    }

    /// Holds the picture of a host against what its backend says.
    pub(crate) async fn reconcile(&self, host: &Arc<Host>) -> Result<()> {
        *host.reconcile_at.lock().expect("reconcile") = self.clock().now() + RECONCILE_EVERY;
        let _order = host.absorbing.lock().await;
        if let Some(mould) = &host.mould {
            return self.reconcile_made(host, mould).await;
        }
        // Told before the listing: the listing is newer, but does not say what happened.
        let mut heard = Heard::default();
        for change in host.backend.drain_changes() {
            if let Change::Machine { machine, cause } = change {
                self.hear(host, &mut heard, Arc::unwrap_or_clone(machine), &cause);
            }
        }
        let listed = match host.backend.machines().await {
            Ok(machines) => machines,
            Err(error) => {
                if matches!(error.kind(), ErrorKind::Unavailable { .. }) {
                    self.lost(host, error.message()).await?;
                }
                return Err(error);
            }
        };
        self.answers(host, listed.len()).await?;
        // A storage pool, say, may have come or gone since.
        let capabilities = host.backend.capabilities();
        if **host.capabilities.load() != capabilities {
            let capabilities = Arc::new(capabilities);
            host.capabilities.store(Arc::clone(&capabilities));
            for system in self.inner.inventory.of_host(&host.id) {
                self.inner.inventory.update(&system.id, |s| {
                    s.capabilities = Arc::clone(&capabilities);
                });
            }
        }
        let ids: std::collections::BTreeSet<SystemId> =
            listed.iter().map(|m| system_id(m.key)).collect();
        for machine in listed {
            self.hear(host, &mut heard, machine, &Cause::Seen);
        }
        // What was told of before and is not listed is gone by now.
        heard.latest.retain(|id, _| ids.contains(id));
        self.take_in(host, heard).await?;
        self.back(host).await?;
        for system in self.inner.inventory.of_host(&host.id) {
            if !ids.contains(&system.id) {
                self.gone(&system.id).await?;
            }
        }
        Ok(())
    }

    /// Takes note that a host answers, which lists so many machines.
    async fn answers(&self, host: &Arc<Host>, listed: usize) -> Result<()> {
        let known = self.inner.inventory.host(&host.id);
        if known.is_none_or(|h| !h.reachable) {
            let facts = host.backend.host().await?;
            host.capabilities
                .store(Arc::new(host.backend.capabilities()));
            tracing::info!(host = %host.id, hypervisor = facts.hypervisor, systems = listed, "the host answers");
            self.inner.inventory.set_host(HostStatus {
                id: host.id.clone(),
                reachable: true,
                reason: None,
                facts,
            });
            // The next tick takes up what waited for this host.
            self.inner.resume.store(true, Ordering::Release);
        }
        Ok(())
    }

    /// Turns what a backend has told since the last time into the picture.
    pub(crate) async fn absorb(&self, host: &Arc<Host>) -> Result<()> {
        let reconnected = {
            let _order = host.absorbing.lock().await;
            let mut reconnected = false;
            while self.absorb_some(host, &mut reconnected).await? {}
            reconnected
        };
        if reconnected {
            self.reconcile(host).await?;
        }
        Ok(())
    }

    /// Turns some of what a backend has told into the picture; whether there may be more. Says what is known of the connection by then.
    async fn absorb_some(&self, host: &Arc<Host>, reconnected: &mut bool) -> Result<bool> {
        let changes = host.backend.drain_changes();
        let may_be_more = changes.len() >= MOST_CHANGES;
        let mut heard = Heard::default();
        for change in changes {
            match change {
                // They are looked at when the rack is put into the picture.
                Change::Machine { .. } if self.is_rack_to_come(host) => {}
                Change::Machine { machine, cause } => {
                    tracing::debug!(host = %host.id, machine = %machine.key, cause = ?cause, power = ?machine.power, "a machine changed");
                    self.hear(host, &mut heard, Arc::unwrap_or_clone(machine), &cause);
                }
                Change::Removed(key) => {
                    let id = system_id(key);
                    heard.latest.remove(&id);
                    // One that has moved to another host is not gone.
                    let known = self.inner.inventory.system(&Ctx::service(), &id);
                    if known.is_ok_and(|known| known.host == host.id) {
                        self.gone(&id).await?;
                    }
                }
                Change::Connected => *reconnected = true,
                Change::Lost(reason) => {
                    *reconnected = false;
                    self.lost(host, &reason).await?;
                }
            }
        }
        self.take_in(host, heard).await?;
        Ok(may_be_more)
    }

    /// Takes what a verb returned into the picture, after all that was told before it.
    pub(crate) async fn saw(&self, host: &Arc<Host>, machine: Machine) -> Result<()> {
        self.absorb(host).await?;
        // What was done may have something follow by time alone, sooner than `run` plans to look.
        self.replan();
        let _order = host.absorbing.lock().await;
        let mut heard = Heard::default();
        self.hear(host, &mut heard, machine, &Cause::Verb);
        self.take_in(host, heard).await
    }

    /// Puts a machine where it was in what was heard, and finds out what happened to it since.
    fn hear(&self, host: &Host, heard: &mut Heard, machine: Machine, cause: &Cause) {
        let id = system_id(machine.key);
        let system = self.inner.inventory.system(&Ctx::service(), &id).ok();
        let before = match heard.latest.remove(&id) {
            Some((before, power)) => Some((Arc::new(before), power)),
            None => system
                .as_ref()
                .map(|system| (Arc::clone(&system.machine), system.machine.power)),
        };
        let mut power = machine.power;
        if host.doing(machine.key) != Some(Doing::Power) {
            self.note_cause(&id, &machine, cause);
        }
        // Of what was never seen before, nothing has happened yet.
        if let Some((before, was)) = before {
            power = was;
            let doing = host.doing(machine.key);
            let mut told = logs::tale(
                &mut power,
                &before,
                &machine,
                cause,
                doing,
                system.as_deref(),
            );
            // One step resets a machine once.
            told.retain(|what| match what {
                What::Reset(logs::Why::Command) => {
                    host.was_reset.lock().expect("resets").insert(machine.key)
                }
                _ => true,
            });
            let parts = events::parts(&id, &before, &machine, &told);
            let told = told.into_iter().map(|what| Told::Whole(id.clone(), what));
            heard.told.extend(told);
            let parts = parts.into_iter();
            heard
                .told
                .extend(parts.map(|(about, what)| Told::Part(about, what)));
        }
        heard.latest.insert(id, (machine, power));
    }

    /// Machines as they are now: stored if they differ from what is known, with what happened to them, then shown.
    async fn take_in(&self, host: &Arc<Host>, heard: Heard) -> Result<()> {
        let Heard { latest, told } = heard;
        let now = self.clock().now();
        let service = Ctx::service();
        let inventory = &self.inner.inventory;
        // What was told just before the host was lost is as last seen, too.
        let known = inventory.host(&host.id);
        let reachable = known.is_some_and(|h| h.reachable);
        let mut news: Vec<News> = Vec::new();
        for (id, (machine, _)) in latest {
            let (is_fresh, is_whole) = match inventory.system(&service, &id) {
                Ok(known)
                    if known.reachable == reachable
                        && known.host == host.id
                        && *known.machine == machine =>
                {
                    continue;
                }
                Ok(known) => (
                    false,
                    known.host != host.id
                        || inventory.is_unstored(&id)
                        || !rows::is_same_base(&known.machine, &machine),
                ),
                Err(_) => (true, true),
            };
            if is_whole {
                inventory.note_unstored(&id);
            }
            news.push(News {
                id,
                machine: Arc::new(machine),
                is_fresh,
                is_whole,
            });
        }
        if news.is_empty() && told.is_empty() {
            return Ok(());
        }
        // A system that is known keeps showing changes at once; the store follows within this call.
        for new in news.iter().filter(|new| !new.is_fresh) {
            let commanded = host.commanded(new.machine.key);
            inventory.update(&new.id, |s| {
                if let Some(cause) = commanded
                    && s.machine.last_reset != new.machine.last_reset
                {
                    s.lately = Lately::commanded(cause, &new.machine);
                }
                s.machine = Arc::clone(&new.machine);
                s.host = host.id.clone();
                s.reachable = reachable;
                s.seen = now;
                s.capabilities = host.capabilities.load_full();
            });
        }
        if !news.iter().any(|new| new.is_whole) {
            let stored = self.store().later(move |later| {
                for new in &news {
                    rows::put_state(later, &new.id, &new.machine, now)?;
                }
                tell(later, told, now)
            });
            return stored.await;
        }
        // What an installation finds when it is made was there before it.
        let tells_of_new = !self.inner.is_first_look.load(Ordering::Acquire);
        let (hawkfish, host) = (self.clone(), Arc::clone(host));
        self.store()
            .write(move |tx: &mut Tx| {
                Box::pin(async move {
                    let project = ProjectId::default_project();
                    for new in &news {
                        let (id, machine) = (&new.id, &new.machine);
                        if new.is_whole {
                            rows::put(tx, id, &host.id, &project, machine, now).await?;
                        } else {
                            rows::put_state(tx.later(), id, machine, now)?;
                        }
                    }
                    tell(tx.later(), told, now)?;
                    for new in news {
                        let News { id, machine, .. } = new;
                        let hawkfish = hawkfish.clone();
                        if !new.is_fresh {
                            tx.after_commit(move || {
                                hawkfish.inner.inventory.note_stored(&id, &machine);
                            });
                            continue;
                        }
                        if tells_of_new {
                            for about in events::whole(&id) {
                                tx.happened(about, What::Created.at(now));
                            }
                        }
                        let (project, indicator) = rows::kept(tx, &id).await?;
                        let waiting = bios::rows::get(tx, &id).await?;
                        let host = Arc::clone(&host);
                        tx.after_commit(move || {
                            let inventory = &hawkfish.inner.inventory;
                            let system = inventory.put(System {
                                id,
                                host: host.id.clone(),
                                project,
                                machine,
                                reachable,
                                seen: now,
                                indicator,
                                media: BTreeMap::new(),
                                verify: BTreeMap::new(),
                                volumes: BTreeMap::new(),
                                bios: Arc::new(waiting),
                                lately: Lately::default(),
                                capabilities: host.capabilities.load_full(),
                                generation: 0,
                            });
                            inventory.note_stored(&system.id, &system.machine);
                        });
                    }
                    Ok(())
                })
            })
            .await
    }

    async fn gone(&self, id: &SystemId) -> Result<()> {
        if self.inner.inventory.remove(id).is_some() {
            tracing::info!(system = %id, "the system is gone");
            let (row, now) = (id.clone(), self.clock().now());
            self.store()
                .write(move |tx: &mut Tx| {
                    for about in events::whole(&row) {
                        tx.happened(about, What::Removed.at(now));
                    }
                    Box::pin(async move { rows::gone(tx, &row).await })
                })
                .await?;
        }
        Ok(())
    }

    async fn lost(&self, host: &Arc<Host>, reason: &str) -> Result<()> {
        let known = self.inner.inventory.host(&host.id);
        let was_reachable = known.as_ref().is_some_and(|h| h.reachable);
        let facts = known.map(|h| h.facts).unwrap_or_default();
        if was_reachable {
            tracing::warn!(host = %host.id, reason, "the host does not answer");
        }
        self.inner.inventory.set_host(HostStatus {
            id: host.id.clone(),
            reachable: false,
            reason: Some(reason.to_owned()),
            facts,
        });
        let systems = self.inner.inventory.ids_of_host(&host.id);
        match host.mould {
            Some(_) => self.inner.inventory.lose_rack(&host.id),
            None => {
                for id in &systems {
                    self.inner.inventory.update(id, |s| s.reachable = false);
                }
            }
        }
        if !was_reachable {
            return Ok(());
        }
        let host = host.id.clone();
        let logs = systems.into_iter().map(LogId::System);
        self.tell_all(logs.collect(), What::HostLost { host }).await
    }

    /// Tells those systems of a host whose logs say that it was lost, also before a restart, that it is back.
    async fn back(&self, host: &Arc<Host>) -> Result<()> {
        let is_here = |log: &LogId| match log {
            LogId::System(id) => {
                let system = self.inner.inventory.peek(&Ctx::service(), id);
                system.is_some_and(|system| system.host == host.id)
            }
            _ => false,
        };
        let logs = self.store().logs().that_say_lost().into_iter();
        let logs = logs.filter(is_here);
        let host = host.id.clone();
        self.tell_all(logs.collect(), What::HostBack { host }).await
    }

    async fn tell_all(&self, logs: Vec<LogId>, what: What) -> Result<()> {
        if logs.is_empty() {
            return Ok(());
        }
        let event = Event {
            at: self.clock().now(),
            what,
            by: None,
        };
        self.store()
            .write(move |tx: &mut Tx| {
                Box::pin(async move {
                    for log in logs {
                        logs::tell(tx, &log, event.clone()).await?;
                    }
                    Ok(())
                })
            })
            .await
    }
}

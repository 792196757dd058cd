//! The hosts on which systems live: what their backends tell becomes the picture.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use arc_swap::ArcSwap;
use jiff::Timestamp;

use crate::app::HawkFish;
use crate::backend::{Backend, Capabilities, Change, HostFacts, Machine};
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{HostId, ProjectId, SystemId};
use crate::inventory::{HostStatus, System, system_id};
use crate::media;
use crate::systems::rows;
use crate::volumes;

/// How often the picture is held against what a backend says, in case an event was lost.
pub(crate) const RECONCILE_EVERY: jiff::SignedDuration = jiff::SignedDuration::from_secs(60);

/// A host and the backend that stands for it.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) id: HostId,
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) capabilities: ArcSwap<Capabilities>,
    /// One at a time turns what the backend tells into the picture, so that it stays in order.
    absorbing: tokio::sync::Mutex<()>,
    pub(crate) reconcile_at: std::sync::Mutex<Timestamp>,
}

impl Host {
    pub(crate) fn new(id: HostId, backend: Arc<dyn Backend>) -> Self {
        let capabilities = ArcSwap::from_pointee(backend.capabilities());
        Self {
            id,
            backend,
            capabilities,
            absorbing: tokio::sync::Mutex::default(),
            reconcile_at: std::sync::Mutex::new(Timestamp::UNIX_EPOCH),
        }
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
        let (systems, mut slots, mut volumes) = self
            .store()
            .read(|conn| {
                Box::pin(async move {
                    let systems = rows::load(conn).await?;
                    let slots = media::load(conn).await?;
                    Ok((systems, slots, volumes::load(conn).await?))
                })
            })
            .await?;
        let mut seen: BTreeMap<HostId, Vec<Machine>> = BTreeMap::new();
        for row in systems.into_iter().filter(|r| r.present) {
            let Some(host) = self.inner.hosts.get(&row.host) else {
                continue;
            };
            let kept = slots.remove(&row.id).unwrap_or_default();
            let volumes = volumes.remove(&row.id).unwrap_or_default();
            seen.entry(row.host.clone())
                .or_default()
                .push(row.machine.clone());
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
                capabilities: host.capabilities.load_full(),
                generation: 0,
            });
        }
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
        // Told before the listing: the listing is newer.
        host.backend.drain_changes();
        let listed = match host.backend.machines().await {
            Ok(machines) => machines,
            Err(error) => {
                if matches!(error.kind(), ErrorKind::Unavailable { .. }) {
                    self.lost(host, error.message());
                }
                return Err(error);
            }
        };
        let known = self.inner.inventory.host(&host.id);
        if known.is_none_or(|h| !h.reachable) {
            let facts = host.backend.host().await?;
            host.capabilities
                .store(Arc::new(host.backend.capabilities()));
            tracing::info!(host = %host.id, hypervisor = facts.hypervisor, systems = listed.len(), "the host answers");
            self.inner.inventory.set_host(HostStatus {
                id: host.id.clone(),
                reachable: true,
                reason: None,
                facts,
            });
            // The next tick takes up what waited for this host.
            self.inner.resume.store(true, Ordering::Release);
        }
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
        self.take_in(host, listed).await?;
        for system in self.inner.inventory.of_host(&host.id) {
            if !ids.contains(&system.id) {
                self.gone(&system.id).await?;
            }
        }
        Ok(())
    }

    /// Turns what a backend has told since the last time into the picture.
    pub(crate) async fn absorb(&self, host: &Arc<Host>) -> Result<()> {
        let reconnected = {
            let _order = host.absorbing.lock().await;
            let mut latest: BTreeMap<SystemId, Machine> = BTreeMap::new();
            let mut reconnected = false;
            for change in host.backend.drain_changes() {
                match change {
                    Change::Machine { machine, cause } => {
                        tracing::debug!(host = %host.id, machine = %machine.key, cause = ?cause, power = ?machine.power, "a machine changed");
                        latest.insert(system_id(machine.key), Arc::unwrap_or_clone(machine));
                    }
                    Change::Removed(key) => {
                        latest.remove(&system_id(key));
                        self.gone(&system_id(key)).await?;
                    }
                    Change::Connected => reconnected = true,
                    Change::Lost(reason) => {
                        reconnected = false;
                        self.lost(host, &reason);
                    }
                }
            }
            self.take_in(host, latest.into_values().collect()).await?;
            reconnected
        };
        if reconnected {
            self.reconcile(host).await?;
        }
        Ok(())
    }

    /// Takes what a verb returned into the picture, after all that was told before it.
    pub(crate) async fn saw(&self, host: &Arc<Host>, machine: Machine) -> Result<()> {
        self.absorb(host).await?;
        // What was done may have something follow by time alone, sooner than `run` plans to look.
        self.inner.replan.notify_one();
        let _order = host.absorbing.lock().await;
        self.take_in(host, vec![machine]).await
    }

    /// Machines as they are now: stored if they differ from what is known, then shown.
    async fn take_in(&self, host: &Arc<Host>, machines: Vec<Machine>) -> Result<()> {
        let now = self.clock().now();
        let service = Ctx::service();
        // What was told just before the host was lost is as last seen, too.
        let known = self.inner.inventory.host(&host.id);
        let reachable = known.is_some_and(|h| h.reachable);
        let mut changed: Vec<Arc<Machine>> = Vec::new();
        for machine in machines {
            let id = system_id(machine.key);
            match self.inner.inventory.system(&service, &id) {
                Ok(known)
                    if known.reachable == reachable
                        && known.host == host.id
                        && *known.machine == machine => {}
                _ => changed.push(Arc::new(machine)),
            }
        }
        if changed.is_empty() {
            return Ok(());
        }
        // A system that is known keeps showing changes at once; the store follows within this call.
        for machine in &changed {
            let id = system_id(machine.key);
            self.inner.inventory.update(&id, |s| {
                s.machine = Arc::clone(machine);
                s.host = host.id.clone();
                s.reachable = reachable;
                s.seen = now;
                s.capabilities = host.capabilities.load_full();
            });
        }
        let fresh: Vec<SystemId> = changed
            .iter()
            .map(|m| system_id(m.key))
            .filter(|id| !self.inner.inventory.contains(id))
            .collect();
        let (rows, host_id) = (changed.clone(), host.id.clone());
        let stored = self
            .store()
            .write(move |tx: &mut Tx| {
                Box::pin(async move {
                    let project = ProjectId::default_project();
                    for machine in &rows {
                        rows::saw(
                            tx,
                            &system_id(machine.key),
                            &host_id,
                            &project,
                            machine,
                            now,
                        )
                        .await?;
                    }
                    let mut kept = BTreeMap::new();
                    for id in fresh {
                        kept.insert(id.clone(), rows::kept(tx, &id).await?);
                    }
                    Ok(kept)
                })
            })
            .await?;
        for machine in changed {
            let id = system_id(machine.key);
            // Known systems were changed above; a new one appears once it is stored.
            let Some((project, indicator)) = stored.get(&id).cloned() else {
                continue;
            };
            self.inner.inventory.put(System {
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
                capabilities: host.capabilities.load_full(),
                generation: 0,
            });
        }
        Ok(())
    }

    async fn gone(&self, id: &SystemId) -> Result<()> {
        if self.inner.inventory.remove(id).is_some() {
            tracing::info!(system = %id, "the system is gone");
            let row = id.clone();
            self.store()
                .write(move |tx: &mut Tx| Box::pin(async move { rows::gone(tx, &row).await }))
                .await?;
        }
        Ok(())
    }

    fn lost(&self, host: &Arc<Host>, reason: &str) {
        let facts = self
            .inner
            .inventory
            .host(&host.id)
            .map(|h| h.facts)
            .unwrap_or_default();
        if self
            .inner
            .inventory
            .host(&host.id)
            .is_some_and(|h| h.reachable)
        {
            tracing::warn!(host = %host.id, reason, "the host does not answer");
        }
        self.inner.inventory.set_host(HostStatus {
            id: host.id.clone(),
            reachable: false,
            reason: Some(reason.to_owned()),
            facts,
        });
        for system in self.inner.inventory.of_host(&host.id) {
            self.inner
                .inventory
                .update(&system.id, |s| s.reachable = false);
        }
    }
}

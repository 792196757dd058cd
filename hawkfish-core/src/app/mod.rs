//! HawkFish itself: what holds the rooms together, from start to end.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64};
use std::sync::{Arc, Mutex};

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::accounts::Accounts;
use crate::backend::Backend;
use crate::clock::{Clock, SystemClock};
use crate::ctx::Ctx;
use crate::db::Store;
use crate::entropy::{Entropy, OsEntropy};
use crate::error::{Error, Result};
use crate::hosts::Host;
use crate::id::{HostId, SystemId};
use crate::inventory::{Inventory, System};
use crate::jobs::Jobs;
use crate::manager::Managers;
use crate::media::{Authorities, Media, MediaSettings};
use crate::sessions::Sessions;
use crate::subscriptions::Room;
use crate::tasks::Tasks;
use crate::telemetry::Telemetry;

mod builder;
pub use builder::Builder;

/// The whole system. Clones are handles to the same one.
#[derive(Clone, Debug)]
pub struct HawkFish {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) store: Store,
    pub(crate) accounts: Accounts,
    pub(crate) sessions: Sessions,
    pub(crate) tasks: Tasks,
    pub(crate) telemetry: Telemetry,
    pub(crate) scheduled: Jobs,
    pub(crate) subscriptions: Room,
    pub(crate) inventory: Inventory,
    pub(crate) hosts: BTreeMap<HostId, Arc<Host>>,
    pub(crate) media: Arc<Media>,
    pub(crate) authorities: Arc<Authorities>,
    pub(crate) managers: Arc<Managers>,
    pub(crate) locks: Mutex<BTreeMap<SystemId, Arc<tokio::sync::Mutex<()>>>>,
    pub(crate) jobs: TaskTracker,
    /// Work that waits for its time.
    pub(crate) bustle: Arc<crate::tasks::Bustle>,
    pub(crate) closing: CancellationToken,
    /// Held by `tick`.
    pub(crate) turn: tokio::sync::Mutex<()>,
    /// Wakes `run`, to ask anew when something is due.
    pub(crate) replan: tokio::sync::Notify,
    /// When `run` looks next by itself, milliseconds since 1970.
    pub(crate) planned: AtomicI64,
    /// Whether a host has come back, so that interrupted tasks may be taken up.
    pub(crate) resume: AtomicBool,
    /// Whether this installation is only just being made, so that nothing that it finds is new.
    pub(crate) is_first_look: AtomicBool,
    pub(crate) uuid: uuid::Uuid,
}

impl HawkFish {
    /// Something to set up and start a HawkFish with.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The clock that this HawkFish was handed.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.inner.clock
    }

    /// The chance that this HawkFish was handed.
    #[must_use]
    pub fn entropy(&self) -> &Arc<dyn Entropy> {
        &self.inner.entropy
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// Accounts and roles.
    #[must_use]
    pub fn accounts(&self) -> &Accounts {
        &self.inner.accounts
    }

    /// Sessions.
    #[must_use]
    pub fn sessions(&self) -> &Sessions {
        &self.inner.sessions
    }

    /// Tasks.
    #[must_use]
    pub fn tasks(&self) -> &Tasks {
        &self.inner.tasks
    }

    /// What is reported, and when.
    #[must_use]
    pub fn telemetry(&self) -> &Telemetry {
        &self.inner.telemetry
    }

    /// What is done on a schedule.
    #[must_use]
    pub fn jobs(&self) -> &Jobs {
        &self.inner.scheduled
    }

    /// The picture of all systems.
    #[must_use]
    pub fn inventory(&self) -> &Inventory {
        &self.inner.inventory
    }

    /// The UUID of this installation; the same for the life of its store.
    #[must_use]
    pub fn uuid(&self) -> uuid::Uuid {
        self.inner.uuid
    }

    /// The systems that `ctx` may see, ordered by id. From memory.
    #[must_use]
    pub fn systems(&self, ctx: &Ctx) -> Vec<Arc<System>> {
        self.inner.inventory.systems(ctx)
    }

    /// One system, from memory.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn system(&self, ctx: &Ctx, id: &SystemId) -> Result<Arc<System>> {
        self.inner.inventory.system(ctx, id)
    }

    /// One change at a time for each system.
    pub(crate) async fn lock(&self, id: &SystemId) -> tokio::sync::OwnedMutexGuard<()> {
        let lock = {
            let mut locks = self.inner.locks.lock().expect("locks");
            // Locks that nobody holds or waits for are dropped, so that unknown ids do not pile up.
            if locks.len() > 1024 {
                locks.retain(|_, l| Arc::strong_count(l) > 1);
            }
            Arc::clone(locks.entry(id.clone()).or_default())
        };
        lock.lock_owned().await
    }

    /// Ends everything in order: background work stops where it can be taken up again, and all that was acknowledged is durable.
    ///
    /// # Errors
    /// A failing store.
    pub async fn close(&self) -> Result<()> {
        self.inner.closing.cancel();
        self.inner.subscriptions.close_streams();
        self.inner.jobs.close();
        self.inner.jobs.wait().await;
        self.subscriptions().flush().await?;
        self.inner.sessions.flush().await?;
        for host in self.inner.hosts.values() {
            host.backend.close().await;
        }
        self.inner.store.close().await;
        Ok(())
    }
}

//! What happens without being asked: [`HawkFish::tick`] does everything that is due, [`HawkFish::run`] is the loop around it.
//!
//! In production `run` loops; in a simulation whoever owns the clock moves it and ticks.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures::FutureExt;
use futures::future::select_all;
use jiff::Timestamp;

use crate::app::HawkFish;
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::hosts::Host;
use crate::{
    due, jobs, manager, media, sessions, subscriptions, systems, tasks, telemetry, update, volumes,
};

/// How long what nobody waits for may wait for a commit.
const SOON: jiff::SignedDuration = jiff::SignedDuration::from_secs(1);

/// How much due work one tick takes on.
const DUE_AT_ONCE: u32 = 256;

impl HawkFish {
    /// Lets everything happen that is due: timed changes of simulated machines, what backends have told, due work, and the now and then look at
    /// hosts whose picture may drift. The first error does not keep the rest from being done.
    ///
    /// # Errors
    /// The first thing that failed, after all was tried.
    pub async fn tick(&self) -> Result<()> {
        // The loop and whoever moves the clock may both come.
        let _turn = self.inner.turn.lock().await;
        let mut first: Option<Error> = None;
        let mut keep = |result: Result<()>| {
            if let Err(error) = result {
                first.get_or_insert(error);
            }
        };
        let now = self.clock().now();
        for host in self.inner.hosts.values() {
            host.backend.advance();
            keep(self.absorb(host).await);
            let due = *host.reconcile_at.lock().expect("reconcile") <= now;
            let reachable = self
                .inner
                .inventory
                .host(&host.id)
                .is_some_and(|h| h.reachable);
            if due && reachable && host.backend.drifts() {
                keep(self.reconcile(host).await);
            }
        }
        if self.inner.resume.swap(false, Ordering::AcqRel) {
            keep(self.resume().await);
        }
        keep(self.restart_those_off().await);
        keep(self.eject_passing().await);
        keep(self.work_off_due(now).await);
        self.subscriptions().look_all();
        // Last, so that what goes on then does not run beside what is done here.
        self.inner.bustle.release(now);
        first.map_or(Ok(()), Err)
    }

    /// When something will be due next, as far as is known now.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        let hosts = self.inner.hosts.values().flat_map(|host| {
            let look = host
                .backend
                .drifts()
                .then(|| *host.reconcile_at.lock().expect("reconcile"));
            [host.backend.next_due(), look]
        });
        let kept_back = self.subscriptions().next_kept_back();
        hosts
            .chain([self.store().next_due(), kept_back, self.inner.bustle.next()])
            .flatten()
            .min()
    }

    /// Has [`HawkFish::run`] look if something is due sooner than it knows of, or may follow from what was seen. Waking it costs more than most of what it is woken
    /// for.
    pub(crate) fn replan(&self) {
        let planned = self.inner.planned.load(Ordering::SeqCst);
        let is_sooner = self
            .next_due()
            .is_some_and(|due| due.as_millisecond() < planned);
        if is_sooner
            || self.inner.resume.load(Ordering::Acquire)
            || self.inner.inventory.has_to_restart()
            || self.inner.media.has_passing()
        {
            self.inner.replan.notify_one();
        }
    }

    /// Ticks whenever something is due or a backend has something to tell, until [`HawkFish::close`].
    pub async fn run(&self) {
        while !self.inner.closing.is_cancelled() {
            if let Err(error) = self.tick().await {
                tracing::warn!(error = ?error, "not everything that was due could be done");
            }
            let told = select_all(
                self.inner
                    .hosts
                    .values()
                    .map(|h| h.backend.changed())
                    .chain([futures::future::pending().boxed()]),
            );
            // Whoever has something follow sooner than this says so; anybody does until it is known.
            self.inner.planned.store(i64::MAX, Ordering::SeqCst);
            let next = self.next_due();
            let planned = next.map_or(i64::MAX, Timestamp::as_millisecond);
            self.inner.planned.store(planned, Ordering::SeqCst);
            let due = async {
                match next {
                    // What is overdue and failed is tried again, but not in a spin.
                    Some(at) => {
                        let soon = self.clock().now() + jiff::SignedDuration::from_millis(20);
                        self.clock().sleep_until(at.max(soon)).await;
                    }
                    None => futures::future::pending().await,
                }
            };
            tokio::select! {
                () = self.inner.closing.cancelled() => {}
                _ = told => {}
                () = due => {}
                () = self.inner.replan.notified() => {}
                () = self.inner.store.due().sooner() => {}
            }
        }
    }

    /// Starts [`HawkFish::run`] in the background.
    pub fn start_running(&self) {
        let hawkfish = self.clone();
        self.inner.jobs.spawn(async move { hawkfish.run().await });
        let hawkfish = self.clone();
        self.inner
            .jobs
            .spawn(async move { hawkfish.keep_soon().await });
        let hawkfish = self.clone();
        self.inner
            .jobs
            .spawn(async move { hawkfish.keep_delivering().await });
    }

    /// Has stored what nobody waits for and no other work took along, until [`HawkFish::close`].
    async fn keep_soon(&self) {
        let closing = &self.inner.closing;
        while closing
            .run_until_cancelled(self.store().has_soon())
            .await
            .is_some()
        {
            let at = self.clock().now() + SOON;
            if closing
                .run_until_cancelled(self.clock().sleep_until(at))
                .await
                .is_none()
            {
                return;
            }
            if let Err(error) = self.store().flush().await {
                tracing::warn!(?error, "what nobody waits for could not be stored");
            }
        }
    }

    /// Has events delivered when there are new ones, until [`HawkFish::close`].
    async fn keep_delivering(&self) {
        let closing = &self.inner.closing;
        let mut watch = self.events().watch();
        loop {
            // With nobody to deliver to, nobody is woken for each event.
            let woken = async {
                if self.inner.subscriptions.is_empty() {
                    self.inner.subscriptions.changed().await;
                    Ok(())
                } else {
                    watch.changed().await
                }
            };
            let Some(Ok(())) = closing.run_until_cancelled(woken).await else {
                break;
            };
            self.subscriptions().look_all();
        }
    }

    async fn work_off_due(&self, now: Timestamp) -> Result<()> {
        for row in due::take_due(self.store(), now, DUE_AT_ONCE).await? {
            match row.kind.as_str() {
                tasks::DUE_DELETE => self.tasks().on_due(&row).await?,
                manager::DUE_NTP | manager::DUE_BACK => self.on_manager_due(&row).await?,
                sessions::DUE_SWEEP => self.sessions().on_due(&row).await?,
                telemetry::DUE_COLLECT => self.on_report_due(&row).await?,
                jobs::DUE_RUN => self.on_job_due(&row).await?,
                subscriptions::DUE_RETRY | subscriptions::DUE_HEARTBEAT => {
                    self.subscriptions().on_due(&row).await?;
                }
                // Left by a newer HawkFish: it stays for when that is back.
                kind => tracing::error!(kind, "due work of a kind that nobody does"),
            }
        }
        Ok(())
    }

    /// Takes up the tasks that a crash interrupted, as far as the hosts they need answer; the rest wait until those do.
    pub(crate) async fn resume(&self) -> Result<()> {
        for task in self.inner.tasks.to_resume() {
            let system = task
                .subject
                .as_ref()
                .map(|id| self.system(&Ctx::service(), id));
            if matches!(&system, Some(Ok(system)) if !system.reachable) {
                continue;
            }
            tracing::info!(task = %task.id, kind = task.kind, "taking up a task after a restart");
            let result =
                match task.kind.as_str() {
                    media::INSERT => self.resume_insert(&task).await,
                    volumes::MAKE => self.resume_make(&task),
                    media::BOOT_IMAGE => self.resume_boot_image(&task),
                    update::UPDATE => self.resume_update(&task),
                    volumes::DELETE => self.resume_delete(&task),
                    systems::POWER_CYCLE => {
                        let handle = self.tasks().handle(&task.id);
                        handle.finish(self.resume_power_cycle(&task).await).await?;
                        Ok(())
                    }
                    kind => Err(Error::internal("Nobody knows how to go on with this task.")
                        .with("kind", kind)),
                };
            if let Err(error) = result {
                self.tasks().handle(&task.id).finish(Err(error)).await?;
            }
        }
        Ok(())
    }

    /// Holds the pictures of all hosts against what their backends say, now.
    ///
    /// # Errors
    /// The first host that failed, after all were tried.
    pub async fn refresh(&self) -> Result<()> {
        let mut first = Ok(());
        for host in self.inner.hosts.values() {
            let host: &Arc<Host> = host;
            first = first.and(self.reconcile(host).await);
        }
        first
    }
}

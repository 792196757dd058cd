//! The worker of a destination: takes what is next, has it carried, and says what came of it, until nothing is left.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::courier::{Parcel, Refusal};
use super::destination::Destination;
use super::machine::{Event as Occurrence, Life, Pin, Source};
use super::next::Batch;
use super::{Subscriptions, sign};
use crate::events::{Record, Telling};

/// How long what is under way is waited for when HawkFish ends.
const FAREWELL: Duration = Duration::from_secs(5);

/// How many new events are looked at before a worker is set on them.
const SKIMMED: usize = 64;

/// Says that the worker of a destination is gone, however it ended.
struct AtWork {
    of: Subscriptions,
    destination: Arc<Destination>,
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.destination.state().running = false;
        self.of.room().busy.send_modify(|busy| *busy -= 1);
    }
}

impl Subscriptions {
    /// Whether a worker would find something to do.
    fn has_work(&self, destination: &Destination) -> bool {
        let state = destination.state();
        let delivery = &state.delivery;
        // Of one that is gone nothing is left to be done, whatever waited for it.
        !destination.gone.is_cancelled()
            && !state.running
            && delivery.life == Life::Idle
            && (delivery.pin.is_some()
                || !delivery.notes.is_empty()
                || delivery.through < self.hf.store().events().last()
                || destination
                    .mailbox
                    .next()
                    .is_some_and(|at| at <= self.hf.clock().now())
                || !state.again.is_empty())
    }

    pub(super) fn may_deliver(&self) -> bool {
        self.settings().enabled
            && !self.hf.inner.closing.is_cancelled()
            && self.hf.store().events().telling().is_some()
    }

    /// Sets a worker on a destination, if it has none, is ready, and there is something to be sent.
    pub(super) fn look(&self, destination: &Arc<Destination>) {
        if !self.may_deliver() || !self.has_work(destination) {
            return;
        }
        {
            let mut state = destination.state();
            if state.running {
                return;
            }
            state.running = true;
        }
        self.room().busy.send_modify(|busy| *busy += 1);
        let at_work = AtWork {
            of: self.clone(),
            destination: destination.clone(),
        };
        self.hf.inner.jobs.spawn(async move {
            let well = at_work.of.work(&at_work.destination).await;
            let (of, destination) = (at_work.of.clone(), at_work.destination.clone());
            drop(at_work);
            if well {
                // What came after the last look and before the worker was gone. After a failure of the store, the next event or tick looks again.
                of.look(&destination);
            }
        });
    }

    /// Sets workers on all destinations that have something to do.
    pub(crate) fn look_all(&self) {
        if !self.may_deliver() {
            return;
        }
        self.meddle();
        for destination in self.room().destinations() {
            if !self.skim(&destination) {
                self.look(&destination);
            }
        }
    }

    /// Passes over what is new, if none of it is wanted: most destinations want little, and need no worker to find that.
    fn skim(&self, destination: &Arc<Destination>) -> bool {
        let Some(telling) = self.hf.store().events().telling() else {
            return false;
        };
        if destination.mailbox.next().is_some() {
            return false;
        }
        let Ok(_gate) = destination.gate.try_lock() else {
            return false;
        };
        let through = {
            let state = destination.state();
            let delivery = &state.delivery;
            let ready = !state.running && delivery.life == Life::Idle && delivery.pin.is_none();
            if !ready || !delivery.notes.is_empty() || !state.again.is_empty() {
                return false;
            }
            delivery.through
        };
        let new = self.hf.events().recent(through, SKIMMED);
        let (Some(new), Ok(name)) = (new, destination.name()) else {
            return false;
        };
        let facts = destination.facts();
        let mut passed = through;
        for told in &new {
            if self.wants(destination, &facts, &name, told, &**telling) {
                break;
            }
            passed = told.seq();
        }
        let far = self.far();
        let far = {
            let mut state = destination.state();
            state.delivery.pass(passed);
            state.delivery.through >= state.stored + far
        };
        if far {
            self.store_soon(destination);
        }
        passed >= self.hf.store().events().last()
    }

    /// Returns once no destination can be delivered to: all are up to date, wait for another try, or are suspended. For simulations and tests, whose time
    /// stands still meanwhile.
    pub async fn settle(&self) {
        let mut busy = self.room().busy.subscribe();
        loop {
            self.look_all();
            // The sender lives as long as the room.
            let _ = busy.wait_for(|busy| *busy == 0).await;
            let all = self.room().destinations();
            if !self.may_deliver() || !all.iter().any(|one| self.has_work(one)) {
                return;
            }
        }
    }

    /// False when the store failed.
    async fn work(&self, destination: &Arc<Destination>) -> bool {
        let Some(telling) = self.hf.store().events().telling().cloned() else {
            return false;
        };
        let mut ahead = VecDeque::new();
        while self.may_deliver() && !destination.gone.is_cancelled() {
            self.carry_kept_back(destination, &*telling).await;
            let next = self.next(destination, &*telling, &mut ahead).await;
            let batch = match next {
                Ok(Some(batch)) => batch,
                Ok(None) => return true,
                Err(error) => {
                    tracing::warn!(
                        subscription = destination.id,
                        ?error,
                        "nothing can be delivered now"
                    );
                    return false;
                }
            };
            let answer = self.carry(destination, &*telling, &batch).await;
            let interrupted = answer.is_none();
            let occurrence = match answer {
                Some(Ok(())) => Occurrence::Delivered(batch.told.len() as u64),
                Some(Err(refusal)) => Occurrence::Failed {
                    status: refusal.status,
                    reason: refusal.reason,
                    retry_after: refusal.retry_after,
                },
                None => Occurrence::Interrupted,
            };
            let result = {
                let _gate = destination.gate.lock().await;
                if destination.gone.is_cancelled() {
                    return true;
                }
                self.happen(destination, occurrence, &batch.told, None)
                    .await
            };
            if let Err(error) = result {
                tracing::warn!(
                    subscription = destination.id,
                    ?error,
                    "what came of a delivery could not be stored"
                );
                let mut state = destination.state();
                if state.delivery.life == Life::Sending {
                    state.delivery.life = Life::Idle;
                }
                return false;
            }
            if interrupted {
                return true;
            }
        }
        true
    }

    /// Has carried what was kept back and is to go now, each by itself. A service that loses count of what it sends does not look whether it arrives.
    async fn carry_kept_back(&self, destination: &Destination, telling: &dyn Telling) {
        let now = self.hf.clock().now();
        while let Some(told) = destination.mailbox.take(now) {
            let pin = Pin {
                source: Source::Letters,
                last: told.seq(),
            };
            let told = vec![told];
            if let Some(Err(refusal)) = self.carry(destination, telling, &Batch { pin, told }).await
            {
                let subscription = destination.id;
                tracing::debug!(subscription, ?refusal, "what was kept back did not arrive");
            }
        }
    }

    /// Has a batch carried: to the destination, or to the first of its backups that takes it. `None` when nobody waits for the answer any more.
    async fn carry(
        &self,
        destination: &Destination,
        telling: &dyn Telling,
        batch: &Batch,
    ) -> Option<Result<(), Refusal>> {
        let facts = destination.facts();
        let id = self.delivery_id(destination, batch);
        let records: Vec<&Record> = batch.told.iter().map(|one| one.record(telling)).collect();
        let mut body = telling.body(&id, facts.context.as_deref(), &records);
        if let Some(scope) = &facts.scope {
            body = telling.through(scope, body);
        }
        let mut headers = facts.headers.clone();
        let mut ours = |name: &str, value: &str| headers.push((name.to_owned(), value.to_owned()));
        ours("Content-Type", "application/json");
        ours("OData-Version", "4.0");
        ours("X-HawkFish-Delivery", &id);
        if let Some(secret) = &facts.secret {
            ours("X-HawkFish-Signature", &sign::signature(secret, &body));
        }
        let carry = async {
            let mut first = None;
            for url in [&facts.destination].into_iter().chain(&facts.backups) {
                let parcel = Parcel {
                    url: url.clone(),
                    verify_certificate: facts.verify_certificate,
                    headers: headers.clone(),
                    body: body.clone(),
                };
                match self.room().courier.carry(parcel).await {
                    Ok(()) => return Ok(()),
                    Err(refusal) => {
                        first.get_or_insert(refusal);
                    }
                }
            }
            first.map_or(Ok(()), Err)
        };
        let farewell = async {
            self.hf.inner.closing.cancelled().await;
            let _ = tokio::time::timeout(FAREWELL, std::future::pending::<()>()).await;
        };
        tokio::select! {
            biased;
            answer = carry => Some(answer),
            () = destination.gone.cancelled() => None,
            () = farewell => None,
        }
    }

    /// The same for each try of a batch, and for no other batch of any installation.
    fn delivery_id(&self, destination: &Destination, batch: &Batch) -> String {
        let first = batch.told.first().map_or(0, |told| told.seq());
        let (id, Pin { source, last }, count) = (destination.id, batch.pin, batch.told.len());
        let name = format!("{id} {source:?} {first} {last} {count}");
        Uuid::new_v5(&self.hf.inner.uuid, name.as_bytes()).to_string()
    }
}

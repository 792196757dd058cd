//! The worker of a destination: takes what is next, has it carried, and says what came of it, until nothing is left.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::Value as Json;
use uuid::Uuid;

use super::courier::{Parcel, Refusal};
use super::dead::{Change, Why};
use super::destination::{Destination, Facts};
use super::hears::hears;
use super::machine::{Action, Event as Occurrence, Life, Pin, Source};
use super::{DUE_HEARTBEAT, DUE_RETRY, Subscriptions, rows, rules, sign};
use crate::ctx::Ctx;
use crate::due::{self, Due};
use crate::error::Result;
use crate::events::{Format, Record, Subject, Telling, Told};
use crate::id::SubscriptionId;
use crate::logs::{Event, What};

/// How long what is under way is waited for when HawkFish ends.
const FAREWELL: Duration = Duration::from_secs(5);

/// How many new events are looked at before a worker is set on them.
const SKIMMED: usize = 64;

/// How many events are taken from the stream at once.
const CHUNK: usize = 256;

/// What goes into one request.
struct Batch {
    pin: Pin,
    told: Vec<Arc<Told>>,
}

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
        !state.running
            && delivery.life == Life::Idle
            && (delivery.pin.is_some()
                || !delivery.notes.is_empty()
                || delivery.through < self.hf.store().events().last()
                || !state.again.is_empty())
    }

    fn may_deliver(&self) -> bool {
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

    /// What is to be sent next, begun.
    async fn next(
        &self,
        destination: &Arc<Destination>,
        telling: &dyn Telling,
        ahead: &mut VecDeque<Arc<Told>>,
    ) -> Result<Option<Batch>> {
        let _gate = destination.gate.lock().await;
        let facts = destination.facts();
        loop {
            let pin = {
                let state = destination.state();
                let delivery = &state.delivery;
                if delivery.life != Life::Idle || destination.gone.is_cancelled() {
                    return Ok(None);
                }
                delivery.pin.or_else(|| {
                    let note = delivery.notes.last();
                    let note = note.map(|note| (Source::Notes, note.number));
                    let letter = || state.again.last().map(|seq| (Source::Letters, *seq));
                    let next = note.or_else(letter);
                    next.map(|(source, last)| Pin { source, last })
                })
            };
            let batch = match pin {
                Some(pin) if pin.source == Source::Notes => {
                    // Of reports there is one in a body, and a note is none.
                    let told = if facts.format == Format::Event {
                        Self::notes(destination, pin)
                    } else {
                        Vec::new()
                    };
                    Batch { pin, told }
                }
                Some(pin) if pin.source == Source::Letters => {
                    let pinned = destination.state().delivery.pin.is_some();
                    self.letters(destination, telling, pin, pinned)
                }
                pin => match self
                    .of_stream(destination, &facts, telling, ahead, pin)
                    .await?
                {
                    Some(batch) => batch,
                    // It found that events are gone: there is a note now, or nothing at all.
                    None if !destination.state().delivery.notes.is_empty() => continue,
                    None => return Ok(None),
                },
            };
            self.happen(destination, Occurrence::Begun(batch.pin), &[], None)
                .await?;
            if !batch.told.is_empty() {
                return Ok(Some(batch));
            }
            // What was begun is no longer wanted: a filter was changed, letters were dropped.
            self.happen(destination, Occurrence::Delivered(0), &[], None)
                .await?;
        }
    }

    fn notes(destination: &Destination, pin: Pin) -> Vec<Arc<Told>> {
        let state = destination.state();
        let notes = state.delivery.notes.iter();
        notes
            .filter(|note| note.number <= pin.last)
            .map(|note| Self::aside(note.at, note.what.clone()))
            .collect()
    }

    /// The first of the letters that are to be sent once more.
    fn letters(
        &self,
        destination: &Destination,
        telling: &dyn Telling,
        pin: Pin,
        pinned: bool,
    ) -> Batch {
        let letters: Vec<_> = {
            let state = destination.state();
            let again = state.again.range(..=pin.last);
            let letters = again.filter_map(|seq| state.dead.get(seq));
            letters.map(|letter| letter.told.clone()).collect()
        };
        let mut told: Vec<Arc<Told>> = Vec::new();
        let mut bytes = 0;
        for one in letters {
            if !pinned && !self.fits(&told, bytes, &one, telling) {
                break;
            }
            bytes += one.record(telling).json.len();
            told.push(one);
        }
        let last = told.last().map_or(pin.last, |told| told.seq());
        Batch {
            pin: Pin { last, ..pin },
            told,
        }
    }

    /// Whether another event goes into the same request.
    fn fits(
        &self,
        told: &[Arc<Told>],
        bytes: usize,
        one: &Arc<Told>,
        telling: &dyn Telling,
    ) -> bool {
        let settings = &self.room().settings;
        let record = one.record(telling);
        told.is_empty()
            || (record.format == Format::Event
                && told.len() < settings.batch
                && bytes + record.json.len() <= settings.batch_bytes)
    }

    /// The next events of the stream; what is of no interest is passed over. Who calls holds the gate.
    async fn of_stream(
        &self,
        destination: &Arc<Destination>,
        facts: &Facts,
        telling: &dyn Telling,
        ahead: &mut VecDeque<Arc<Told>>,
        pin: Option<Pin>,
    ) -> Result<Option<Batch>> {
        let events = self.hf.events();
        let name = destination.name()?;
        let mut told: Vec<Arc<Told>> = Vec::new();
        let mut bytes = 0;
        let mut at = destination.state().delivery.through;
        let most = pin.map_or(u64::MAX, |pin| pin.last);
        'more: while at < most {
            while ahead.front().is_some_and(|one| one.seq() <= at) {
                ahead.pop_front();
            }
            if ahead.front().is_none_or(|one| one.seq() != at + 1) {
                let newest = events.last();
                ahead.clear();
                ahead.extend(events.read(at, CHUNK).await?);
                // Asked after reading, so that what went meanwhile is missed.
                let first = events.first();
                let gone = match ahead.front() {
                    Some(front) => front.seq().min(first),
                    None => first,
                };
                if gone > at + 1 {
                    if told.is_empty() {
                        let lost = Occurrence::Lost(gone - 1);
                        self.happen(destination, lost, &[], None).await?;
                        return Ok(None);
                    }
                    break;
                }
                if ahead.is_empty() {
                    // What is there and cannot be read was told by a newer HawkFish.
                    let unreadable = newest.min(at + CHUNK as u64);
                    if unreadable <= at {
                        break;
                    }
                    at = unreadable;
                }
            }
            while let Some(one) = ahead.front() {
                if one.seq() > most {
                    break 'more;
                }
                if self.wants(destination, facts, &name, one, telling) {
                    if pin.is_none() && !self.fits(&told, bytes, one, telling) {
                        break 'more;
                    }
                    bytes += one.record(telling).json.len();
                    told.push(one.clone());
                }
                at = one.seq();
                ahead.pop_front();
            }
            if told.is_empty() && pin.is_none() {
                let passed = Occurrence::Passed(at);
                self.happen(destination, passed, &[], None).await?;
                tokio::task::yield_now().await;
            }
        }
        let last = match pin {
            // The rest of it is gone.
            Some(pin) => pin.last,
            None => at,
        };
        if told.is_empty() && pin.is_none() {
            return Ok(None);
        }
        let source = Source::Stream;
        Ok(Some(Batch {
            pin: Pin { source, last },
            told,
        }))
    }

    fn wants(
        &self,
        destination: &Destination,
        facts: &Facts,
        name: &SubscriptionId,
        told: &Told,
        telling: &dyn Telling,
    ) -> bool {
        let happened = told.happened();
        // That it was made is nothing new to it.
        let own = matches!(&happened.about, Subject::Subscription(id) if id == name)
            && happened.event.what == What::Created;
        let skipped = || {
            let state = destination.state();
            state.delivery.skips(happened.seq, happened.event.at)
        };
        let record = told.record(telling);
        !own && record.format == facts.format
            && facts.filter.takes(record)
            && !skipped()
            && hears(&self.hf, facts.project.as_ref(), happened)
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
        let body = telling.body(&id, facts.context.as_deref(), &records);
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

    /// Lets something happen to a destination, stored as the machine says. `told` is what it is about. Who calls holds its gate. `tells` goes into the stream
    /// where something is stored.
    pub(super) async fn happen(
        &self,
        destination: &Arc<Destination>,
        occurrence: Occurrence,
        told: &[Arc<Told>],
        tells: Option<Event>,
    ) -> Result<()> {
        let now = self.hf.clock().now();
        let (facts, service) = (destination.facts(), self.settings());
        let (before, new, actions) = {
            let state = destination.state();
            let before = state.delivery.life;
            let rules = rules(&facts, &service, now, &state.delivery);
            let (new, actions) = state.delivery.clone().event(&rules, occurrence);
            (before, new, actions)
        };
        if actions.contains(&Action::Terminate) {
            tracing::warn!(
                subscription = destination.id,
                "a subscription ends, because its destination takes nothing"
            );
            return self.remove(destination, What::Removed.at(now)).await;
        }
        if !actions.contains(&Action::Store) {
            let far = self.far();
            let far = {
                let mut state = destination.state();
                state.delivery = new;
                state.delivery.through >= state.stored + far
            };
            if far || actions.contains(&Action::StoreSoon) {
                self.store_soon(destination);
            }
            return Ok(());
        }
        let mut change = Change::default();
        let mut wake = None;
        let why = |attempts| Why {
            at: now,
            attempts,
            reason: new
                .failure
                .as_ref()
                .map_or_else(String::new, |failure| failure.reason.clone()),
        };
        for action in actions {
            let state = destination.state();
            match action {
                Action::WakeAt(at) => wake = Some(Some(at)),
                Action::WakeNever => wake = Some(None),
                Action::Bury { attempts, .. } => {
                    change = Change::bury(self.room(), &state, told, &why(attempts));
                }
                Action::Unbury { .. } => change = Change::unbury(told),
                Action::Rebury { attempts, .. } => {
                    change = Change::rebury(&state, told, &why(attempts));
                }
                Action::Store | Action::StoreSoon | Action::Look | Action::Terminate => {}
            }
        }
        let gave_up = before != Life::Suspended && new.life == Life::Suspended && tells.is_none();
        if gave_up {
            tracing::warn!(
                subscription = destination.id,
                "a subscription is suspended, because its destination takes nothing"
            );
        }
        let tells = tells.or_else(|| gave_up.then(|| What::Changed.at(now)));
        let (this, destination) = (self.clone(), destination.clone());
        self.hf
            .store()
            .write(move |tx| {
                Box::pin(async move {
                    let id = destination.name()?;
                    rows::put_delivery(tx, destination.id, &new).await?;
                    match wake {
                        Some(Some(at)) => {
                            due::put(tx, at, DUE_RETRY, id.as_str(), &Json::Null).await?;
                        }
                        Some(None) => due::remove(tx, DUE_RETRY, id.as_str()).await?,
                        None => {}
                    }
                    change.store(tx, destination.id).await?;
                    if let Some(event) = tells {
                        tx.happened(Subject::Subscription(id), event);
                    }
                    tx.after_commit(move || {
                        let mut state = destination.state();
                        state.stored = new.through;
                        state.delivery = new;
                        change.show(this.room(), &mut state);
                    });
                    Ok(())
                })
            })
            .await
    }

    /// Has it stored with the next commit how far a destination is: as it is then. Who calls holds its gate, so that nothing newer is stored before.
    fn store_soon(&self, destination: &Arc<Destination>) {
        if destination.dirty.swap(true, Ordering::AcqRel) {
            return;
        }
        let destination = destination.clone();
        self.hf.store().write_soon(move |tx| {
            Box::pin(async move {
                destination.dirty.store(false, Ordering::Release);
                let delivery = {
                    let mut state = destination.state();
                    state.stored = state.delivery.through;
                    state.delivery.clone()
                };
                rows::put_delivery(tx, destination.id, &delivery).await
            })
        });
    }

    /// How many events a destination passes over before that is stored: a crash must not make it seem to be further behind than is kept.
    fn far(&self) -> u64 {
        (self.hf.store().events().settings().kept / 8).max(1)
    }

    /// Stores how far all destinations are.
    ///
    /// # Errors
    /// `Internal` when the store fails.
    pub(crate) async fn flush(&self) -> Result<()> {
        let all = self.room().destinations();
        if all.is_empty() {
            return Ok(());
        }
        self.hf
            .store()
            .write(move |tx| {
                Box::pin(async move {
                    for one in all {
                        let delivery = one.state().delivery.clone();
                        rows::put_delivery(tx, one.id, &delivery).await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    /// Does what is due for a destination.
    pub(crate) async fn on_due(&self, row: &Due) -> Result<()> {
        let found =
            SubscriptionId::parse(&row.subject).and_then(|id| self.find(&Ctx::service(), &id));
        let Ok(destination) = found else {
            let (kind, subject) = (row.kind.clone(), row.subject.clone());
            return self
                .hf
                .store()
                .write(move |tx| Box::pin(async move { due::remove(tx, &kind, &subject).await }))
                .await;
        };
        {
            let _gate = destination.gate.lock().await;
            if row.kind == DUE_HEARTBEAT {
                self.heartbeat(&destination, row).await?;
            } else {
                self.happen(&destination, Occurrence::Due, &[], None)
                    .await?;
            }
        }
        self.look(&destination);
        Ok(())
    }

    /// Has a destination told that the service is there, and has the next time be due. One that takes nothing, or is to be told nothing, is not told.
    async fn heartbeat(&self, destination: &Arc<Destination>, row: &Due) -> Result<()> {
        let (now, facts) = (self.hf.clock().now(), destination.facts());
        let next = facts.heartbeat.map(|every| {
            let mut next = row.at + every;
            if next <= now {
                next = now + every;
            }
            next
        });
        let tells = {
            let state = destination.state();
            let waits = |note: &super::machine::Note| note.what == What::Heartbeat;
            facts.heartbeat.is_some()
                && self.may_deliver()
                && facts.format == Format::Event
                && matches!(state.delivery.life, Life::Idle | Life::Sending)
                && state.delivery.attempts == 0
                && !state.delivery.notes.iter().any(waits)
        };
        let subject = row.subject.clone();
        self.hf
            .store()
            .write(move |tx| {
                Box::pin(async move {
                    match next {
                        Some(at) => due::put(tx, at, DUE_HEARTBEAT, &subject, &Json::Null).await,
                        None => due::remove(tx, DUE_HEARTBEAT, &subject).await,
                    }
                })
            })
            .await?;
        if tells {
            let note = Occurrence::Noted(What::Heartbeat);
            self.happen(destination, note, &[], None).await?;
        }
        Ok(())
    }
}

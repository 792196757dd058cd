//! What clients do with subscriptions.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use jiff::SignedDuration;
use serde_json::Value as Json;

use super::destination::{Destination, Facts, State};
use super::machine::{Delivery, Event as Occurrence, Life};
use super::streams::PREFIX;
use super::{
    DUE_HEARTBEAT, DUE_RETRY, NewStream, NewSubscription, OpenStream, Room, SETTINGS,
    ServiceSettings, Subscription, SubscriptionChange, Subscriptions, check, rows,
};
use crate::ctx::Ctx;
use crate::db::{Tx, settings};
use crate::due;
use crate::error::{Conflict, Error, ErrorKind, Invalid, Result};
use crate::events::{Happened, Room as Place, Subject, TestEvent, Told};
use crate::id::{ProjectId, SubscriptionId, SystemId, number};
use crate::logs::{Client, Event, What};

fn missing(id: &SubscriptionId) -> Error {
    Error::not_found("EventDestination", id.as_str())
}

fn visible(ctx: &Ctx, project: Option<&ProjectId>, face: Option<&SystemId>) -> bool {
    (ctx.project.is_none() || ctx.project.as_ref() == project) && ctx.made_here(face)
}

fn name(name: &str) -> Result<()> {
    check::text("/Name", name)
}

impl Subscriptions {
    pub(super) fn room(&self) -> &Room {
        &self.hf.inner.subscriptions
    }

    pub(super) fn event(&self, ctx: &Ctx, what: What) -> Event {
        Event {
            by: Client::of(ctx),
            ..what.at(self.hf.clock().now())
        }
    }

    fn last(&self) -> u64 {
        self.hf.store().events().last()
    }

    /// All subscriptions that the caller may see: destinations by number, then open streams. From memory.
    #[must_use]
    pub fn list(&self, ctx: &Ctx) -> Vec<Arc<Subscription>> {
        let last = self.last();
        let room = self.room();
        let destinations = room.destinations().into_iter();
        let destinations = destinations.map(|one| one.shown(last));
        let streams = room.streams.all().into_iter().map(|one| one.shown(last));
        destinations
            .chain(streams)
            .filter_map(Result::ok)
            .filter(|one| visible(ctx, one.project.as_ref(), one.face.as_ref()))
            .map(Arc::new)
            .collect()
    }

    /// A subscription. From memory.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn get(&self, ctx: &Ctx, id: &SubscriptionId) -> Result<Arc<Subscription>> {
        let last = self.last();
        let shown = match id.as_str().strip_prefix(PREFIX) {
            Some(text) => number(text)
                .and_then(|number| self.room().streams.get(number))
                .ok_or_else(|| missing(id))?
                .shown(last)?,
            None => self.find(ctx, id)?.shown(last)?,
        };
        if visible(ctx, shown.project.as_ref(), shown.face.as_ref()) {
            Ok(Arc::new(shown))
        } else {
            Err(missing(id))
        }
    }

    /// A destination that the caller may see.
    pub(super) fn find(&self, ctx: &Ctx, id: &SubscriptionId) -> Result<Arc<Destination>> {
        number(id.as_str())
            .and_then(|number| self.room().destination(number))
            .filter(|one| {
                let facts = one.facts();
                let face = facts.scope.as_ref().map(|scope| &scope.system);
                visible(ctx, facts.project.as_ref(), face)
            })
            .ok_or_else(|| missing(id))
    }

    /// Makes a subscription: it hears of what happens from then on. It is durable when this returns.
    ///
    /// # Errors
    /// `Invalid` with a pointer into an `EventDestination`; `AddressRefused`; `LimitExceeded`; `Internal` when the store fails.
    pub async fn create(&self, ctx: &Ctx, new: NewSubscription) -> Result<Arc<Subscription>> {
        let room = self.room();
        check::destination(&room.policy, "/Destination", &new.destination)?;
        check::backups(&room.policy, &new.backups)?;
        check::filter(&new.filter)?;
        check::headers(&new.headers)?;
        new.name.as_deref().map_or(Ok(()), name)?;
        let context = new.context.as_deref();
        context.map_or(Ok(()), |text| check::text("/Context", text))?;
        new.secret.as_deref().map_or(Ok(()), check::secret)?;
        new.heartbeat.map_or(Ok(()), check::heartbeat)?;
        let _gate = room.gate.lock().await;
        let here = |one: &&Arc<Destination>| {
            let facts = one.facts();
            facts.scope.as_ref().map(|scope| &scope.system) == ctx.face()
        };
        if room.destinations().iter().filter(here).count() >= room.settings.most {
            return Err(Error::new(
                ErrorKind::LimitExceeded {
                    what: "subscriptions",
                },
                "There are too many subscriptions.",
            ));
        }
        let mut facts = Facts {
            name: new.name.unwrap_or_default(),
            destination: new.destination,
            context: new.context,
            filter: new.filter,
            format: new.format,
            headers: new.headers,
            secret: new.secret,
            retry: new.retry,
            verify_certificate: new.verify_certificate,
            heartbeat: new.heartbeat,
            backups: new.backups,
            project: ctx.project.clone(),
            scope: ctx.scope.clone(),
            owner: ctx.account().cloned(),
            made: self.hf.clock().now(),
            generation: 1,
            seed: self.hf.entropy().number(),
        };
        let (this, event) = (self.clone(), self.event(ctx, What::Created));
        let made = self
            .hf
            .store()
            .write(move |tx| {
                Box::pin(async move {
                    let number = tx.next_number("subscriptions").await?;
                    if facts.name.is_empty() {
                        facts.name = format!("Subscription {number}");
                    }
                    let delivery = Delivery {
                        through: this.last(),
                        ..Delivery::default()
                    };
                    rows::put(tx, number, &facts, &delivery).await?;
                    beat(tx, number, &facts, facts.made).await?;
                    let state = State {
                        stored: delivery.through,
                        delivery,
                        ..State::default()
                    };
                    let made = Arc::new(Destination::new(number, facts, state));
                    tx.happened(Subject::Subscription(made.name()?), event);
                    let shown = made.clone();
                    tx.after_commit(move || {
                        let room = this.room();
                        room.change(|all| {
                            all.insert(number, shown);
                        });
                    });
                    Ok(made)
                })
            })
            .await?;
        Ok(Arc::new(made.shown(self.last())?))
    }

    /// Changes a subscription. What waits to be tried again is tried at once, as the subscription is then.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` with a pointer into an `EventDestination`; `AddressRefused`; `Conflict::NotAllowed` for a stream; `Internal` when the store
    /// fails.
    pub async fn update(
        &self,
        ctx: &Ctx,
        id: &SubscriptionId,
        change: SubscriptionChange,
    ) -> Result<Arc<Subscription>> {
        let SubscriptionChange {
            name: new_name,
            context,
            filter,
            headers,
            secret,
            retry,
            verify_certificate,
            heartbeat,
            backups,
        } = change;
        let destination = self.destination(ctx, id)?;
        new_name.as_deref().map_or(Ok(()), name)?;
        let said = context.as_ref().and_then(Option::as_deref);
        said.map_or(Ok(()), |text| check::text("/Context", text))?;
        filter.as_ref().map_or(Ok(()), check::filter)?;
        headers.as_deref().map_or(Ok(()), check::headers)?;
        let key = secret.as_ref().and_then(Option::as_deref);
        key.map_or(Ok(()), check::secret)?;
        heartbeat.flatten().map_or(Ok(()), check::heartbeat)?;
        if let Some(backups) = &backups {
            check::backups(&self.room().policy, backups)?;
        }
        let gate = destination.gate.lock().await;
        alive(&destination, id)?;
        let mut facts = Facts::clone(&destination.facts());
        let beats_anew = heartbeat.is_some_and(|new| new != facts.heartbeat);
        facts.name = new_name.unwrap_or(facts.name);
        facts.context = context.unwrap_or(facts.context);
        facts.filter = filter.unwrap_or(facts.filter);
        facts.headers = headers.unwrap_or(facts.headers);
        facts.secret = secret.unwrap_or(facts.secret);
        facts.retry = retry.unwrap_or(facts.retry);
        facts.verify_certificate = verify_certificate.unwrap_or(facts.verify_certificate);
        facts.heartbeat = heartbeat.unwrap_or(facts.heartbeat);
        facts.backups = backups.unwrap_or(facts.backups);
        facts.generation += 1;
        let delivery = destination.state().delivery.clone();
        let event = self.event(ctx, What::Changed);
        let (changed, now) = (destination.clone(), self.hf.clock().now());
        self.hf
            .store()
            .write(move |tx| {
                Box::pin(async move {
                    rows::put(tx, changed.id, &facts, &delivery).await?;
                    if beats_anew {
                        beat(tx, changed.id, &facts, now).await?;
                    }
                    tx.happened(Subject::Subscription(changed.name()?), event);
                    tx.after_commit(move || changed.set_facts(Arc::new(facts)));
                    Ok(())
                })
            })
            .await?;
        // Perhaps that was what kept it from taking anything.
        if matches!(destination.state().delivery.life, Life::Waiting { .. }) {
            self.happen(&destination, Occurrence::Due, &[], None)
                .await?;
        }
        drop(gate);
        self.look(&destination);
        Ok(Arc::new(destination.shown(self.last())?))
    }

    /// Deletes a subscription with its dead letters, or ends a stream.
    ///
    /// # Errors
    /// `NotFound`; `Internal` when the store fails.
    pub async fn delete(&self, ctx: &Ctx, id: &SubscriptionId) -> Result<()> {
        if let Some(text) = id.as_str().strip_prefix(PREFIX) {
            self.get(ctx, id)?;
            if let Some(number) = number(text) {
                self.room().streams.close(number);
            }
            return Ok(());
        }
        let destination = self.find(ctx, id)?;
        let _gate = destination.gate.lock().await;
        alive(&destination, id)?;
        let event = self.event(ctx, What::Removed);
        self.remove(&destination, event).await
    }

    /// Takes a destination away. Who calls holds its gate.
    pub(super) async fn remove(&self, destination: &Arc<Destination>, event: Event) -> Result<()> {
        let (this, destination) = (self.clone(), destination.clone());
        self.hf
            .store()
            .write(move |tx| {
                Box::pin(async move {
                    let id = destination.name()?;
                    rows::delete(tx, destination.id).await?;
                    due::remove(tx, DUE_RETRY, id.as_str()).await?;
                    due::remove(tx, DUE_HEARTBEAT, id.as_str()).await?;
                    tx.happened(Subject::Subscription(id), event);
                    tx.after_commit(move || {
                        let room = this.room();
                        room.change(|all| {
                            all.remove(&destination.id);
                        });
                        let letters = std::mem::take(&mut destination.state().dead).len();
                        room.dead.fetch_sub(letters, Ordering::Relaxed);
                        destination.gone.cancel();
                    });
                    Ok(())
                })
            })
            .await
    }

    /// A destination that the caller may see, and not a stream.
    pub(super) fn destination(&self, ctx: &Ctx, id: &SubscriptionId) -> Result<Arc<Destination>> {
        if id.as_str().starts_with(PREFIX) {
            self.get(ctx, id)?;
            return Err(Error::conflict(
                Conflict::NotAllowed,
                "A stream can be ended, and nothing else.",
            ));
        }
        self.find(ctx, id)
    }

    /// Has nothing sent to a destination until it is resumed. What is under way still counts.
    ///
    /// # Errors
    /// `NotFound`; `Conflict::NotAllowed` for a stream; `Internal` when the store fails.
    pub async fn suspend(&self, ctx: &Ctx, id: &SubscriptionId) -> Result<Arc<Subscription>> {
        self.ask(ctx, id, Occurrence::SuspendAsked).await
    }

    /// Goes on with a destination: with all that is kept of what happened meanwhile; or, with `deliver_buffered`, with what is no older than that.
    ///
    /// # Errors
    /// `NotFound`; `Conflict::NotAllowed` for a stream; `Internal` when the store fails.
    pub async fn resume(
        &self,
        ctx: &Ctx,
        id: &SubscriptionId,
        deliver_buffered: Option<SignedDuration>,
    ) -> Result<Arc<Subscription>> {
        let occurrence = Occurrence::Resumed {
            last: self.last(),
            within: deliver_buffered.map(|within| within.max(SignedDuration::ZERO)),
        };
        self.ask(ctx, id, occurrence).await
    }

    async fn ask(
        &self,
        ctx: &Ctx,
        id: &SubscriptionId,
        occurrence: Occurrence,
    ) -> Result<Arc<Subscription>> {
        let destination = self.destination(ctx, id)?;
        {
            let _gate = destination.gate.lock().await;
            alive(&destination, id)?;
            let event = self.event(ctx, What::Changed);
            self.happen(&destination, occurrence, &[], Some(event))
                .await?;
        }
        self.look(&destination);
        Ok(Arc::new(destination.shown(self.last())?))
    }

    /// Sends a test to one destination alone (EventDestination has no such action; EventService's `TestEventSubscription` is this for all).
    ///
    /// # Errors
    /// `NotFound`; `Conflict::NotAllowed` for a stream, a suspended destination, or while nothing is delivered; `Internal` when the store fails.
    pub async fn test(&self, ctx: &Ctx, id: &SubscriptionId) -> Result<()> {
        let destination = self.destination(ctx, id)?;
        let refuse = |message| Err(Error::conflict(Conflict::NotAllowed, message));
        if !self.settings().enabled {
            return refuse("The service delivers nothing now.");
        }
        if destination.state().delivery.life == Life::Suspended {
            return refuse("The subscription is suspended.");
        }
        {
            let _gate = destination.gate.lock().await;
            alive(&destination, id)?;
            let test = Occurrence::Noted(What::Test(Box::default()));
            self.happen(&destination, test, &[], None).await?;
        }
        self.look(&destination);
        Ok(())
    }

    /// Puts a test into the stream: whoever wants to hear such an event hears it.
    ///
    /// # Errors
    /// `Conflict::NotAllowed` while nothing is delivered; `Internal` when the store fails.
    pub async fn submit_test(&self, ctx: &Ctx, test: TestEvent) -> Result<()> {
        if !self.settings().enabled {
            return Err(Error::conflict(
                Conflict::NotAllowed,
                "The service delivers nothing now.",
            ));
        }
        let test = TestEvent {
            face: ctx.face().cloned(),
            ..test
        };
        let event = self.event(ctx, What::Test(Box::new(test)));
        self.hf
            .store()
            .write(move |tx| {
                tx.happened(Subject::Service, event);
                Box::pin(async { Ok(()) })
            })
            .await
    }

    /// What is set for all subscriptions. From memory.
    #[must_use]
    pub fn settings(&self) -> ServiceSettings {
        self.room().service()
    }

    /// Sets what counts for all subscriptions. While nothing is delivered events wait, as long as they are kept, and streams are closed.
    ///
    /// # Errors
    /// `Invalid` at `/DeliveryRetryAttempts` or `/DeliveryRetryIntervalSeconds`; `Internal` when the store fails.
    pub async fn set_settings(&self, ctx: &Ctx, new: ServiceSettings) -> Result<()> {
        if !(1..=1_000).contains(&new.attempts) {
            return Err(Error::invalid(
                "/DeliveryRetryAttempts",
                new.attempts.to_string(),
                Invalid::OutOfRange,
                "1 to 1000 attempts can be made.",
            ));
        }
        let seconds = new.interval.as_secs();
        if !(1..=86_400).contains(&seconds) {
            return Err(Error::invalid(
                "/DeliveryRetryIntervalSeconds",
                seconds.to_string(),
                Invalid::OutOfRange,
                "The interval is 1 to 86400 seconds.",
            ));
        }
        {
            let _gate = self.room().gate.lock().await;
            let (this, event) = (self.clone(), self.event(ctx, What::Changed));
            self.hf
                .store()
                .write(move |tx| {
                    Box::pin(async move {
                        settings::put(tx, SETTINGS, &new).await?;
                        tx.happened(Subject::Room(Place::Events), event);
                        tx.after_commit(move || {
                            let room = this.room();
                            let mut service = room
                                .service
                                .write()
                                .unwrap_or_else(std::sync::PoisonError::into_inner);
                            *service = new;
                        });
                        Ok(())
                    })
                })
                .await?;
        }
        if new.enabled {
            self.look_all();
        } else {
            self.room().close_streams();
        }
        Ok(())
    }

    /// Opens a stream: it is shown as a subscription until it is dropped. Who opens it reads the events of [`HawkFish::events`](crate::app::HawkFish::events)
    /// itself, and ends when [`OpenStream::closed`] says so.
    ///
    /// # Errors
    /// `Invalid` with a pointer into an `EventDestination`; `LimitExceeded`; `Conflict::NotAllowed` while nothing is delivered.
    pub fn open(&self, ctx: &Ctx, new: NewStream) -> Result<OpenStream> {
        check::filter(&new.filter)?;
        let room = self.room();
        if !self.settings().enabled || self.hf.inner.closing.is_cancelled() {
            return Err(Error::conflict(
                Conflict::NotAllowed,
                "The service delivers nothing now.",
            ));
        }
        // What there is already is not for it, whatever becomes of that.
        self.meddle();
        let begins = (self.hf.clock().now(), self.hf.events().last());
        room.streams
            .add(ctx, new, begins, room.settings.most_streams)
    }

    /// Ends the streams that were opened at the face of a system, as a restart of its manager does; of `None` all of them.
    pub fn cut_streams(&self, face: Option<&SystemId>) {
        self.room().streams.cut(face);
    }

    /// Whether somebody may hear of an event: who is in a project, or at the face of a system, hears of nothing outside of it. From memory.
    #[must_use]
    pub fn hears(&self, ctx: &Ctx, happened: &Happened) -> bool {
        super::hears::hears(&self.hf, ctx.project.as_ref(), ctx.scope.as_ref(), happened)
    }

    /// Something that is told to one destination alone, and so has no place in the stream: number 0.
    pub(super) fn aside(at: jiff::Timestamp, what: What) -> Arc<Told> {
        Arc::new(Told::new(Happened {
            seq: 0,
            about: Subject::Service,
            event: what.at(at),
            entry: None,
        }))
    }
}

/// Somebody may have deleted it while we waited for the gate.
pub(super) fn alive(destination: &Destination, id: &SubscriptionId) -> Result<()> {
    if destination.gone.is_cancelled() {
        return Err(missing(id));
    }
    Ok(())
}

/// Has the next heartbeat be due, or none.
async fn beat(tx: &mut Tx, number: u64, facts: &Facts, now: jiff::Timestamp) -> Result<()> {
    let subject = number.to_string();
    match facts.heartbeat {
        Some(every) => due::put(tx, now + every, DUE_HEARTBEAT, &subject, &Json::Null).await,
        None => due::remove(tx, DUE_HEARTBEAT, &subject).await,
    }
}

//! What is to be sent next to a destination.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Subscriptions;
use super::destination::{Destination, Facts};
use super::hears::hears;
use super::machine::{Event as Occurrence, Life, Pin, Source};
use crate::error::Result;
use crate::events::{Format, Subject, Telling, Told};
use crate::id::SubscriptionId;
use crate::logs::What;

/// How many events are taken from the stream at once.
const CHUNK: usize = 256;

/// What goes into one request.
pub(super) struct Batch {
    pub(super) pin: Pin,
    pub(super) told: Vec<Arc<Told>>,
}

impl Subscriptions {
    /// What is to be sent next, begun.
    pub(super) async fn next(
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
                self.meddle();
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
                let plain = !destination.mailbox.is_aside(one.seq());
                if plain && self.wants(destination, facts, &name, one, telling) {
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
                destination.mailbox.forget(at);
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

    pub(super) fn wants(
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
            && hears(
                &self.hf,
                facts.project.as_ref(),
                facts.scope.as_ref(),
                happened,
            )
    }
}

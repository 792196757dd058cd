//! What goes wrong on the way to those who listen, where a simulation wants that: some events are lost, come twice, late, or in another order.
//!
//! The stream of events stays whole: what is decided in here is decided for each event and each listener, once, in the order of the stream and then of the
//! listeners, whoever asks first; so a simulation has the same things go wrong at each repetition. What is not to go the plain way is kept out of it, and
//! lies in the [`Mailbox`] of its listener until its time has come. Who asks the service itself (by the numbers of events, by `Last-Event-ID`) finds out what it missed.
//!
//! Without a [`Meddler`] none of this is there but a look at whether there is one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use jiff::{SignedDuration, Timestamp};

use super::Subscriptions;
use super::destination::Destination;
use super::hears::system_of;
use super::machine::Life;
use super::subscription::Kind;
use crate::ctx::Ctx;
use crate::events::{Record, Told};
use crate::id::SubscriptionId;
use crate::inventory::System;

/// How many events are looked at in one go.
const CHUNK: usize = 256;

/// An event on its way to one who listens.
#[derive(Clone, Copy, Debug)]
pub struct Errand<'a> {
    /// The subscription.
    pub to: &'a SubscriptionId,
    /// What kind of listener that is.
    pub kind: Kind,
    /// The system that the event has to do with.
    pub system: Option<&'a System>,
    /// The event.
    pub told: &'a Told,
    /// Its words.
    pub record: &'a Record,
}

/// What becomes of an event on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It never arrives.
    Lost,
    /// It arrives so many times more than once.
    Again(u32),
    /// It arrives so long after it happened.
    Late(SignedDuration),
    /// It waits for others, and goes with them in another order.
    Shuffled {
        /// With which others: the number of a group of this listener's.
        group: u64,
        /// How many they are.
        of: u32,
        /// Its place among them, from 0.
        place: u32,
        /// How long it waits for the others at most, from the first of them on.
        within: SignedDuration,
    },
}

/// Who decides what goes wrong.
pub trait Meddler: Send + Sync + fmt::Debug {
    /// Whether anything can go wrong now. Asked for each look at what is new.
    fn is_active(&self) -> bool;

    /// What becomes of an event that somebody is to have; `None` is that it arrives. Asked once for each event and listener.
    fn fate(&self, errand: &Errand<'_>) -> Option<Fate>;
}

/// Whether somebody is at it, and how far.
#[derive(Debug, Default)]
pub(super) struct Meddling {
    who: OnceLock<Arc<dyn Meddler>>,
    /// The last event that was decided on.
    through: Mutex<u64>,
}

/// What a listener gets another way than the plain one.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    /// Whether there ever was anything in it: for production there never is.
    used: AtomicBool,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    /// The events that do not go the plain way.
    aside: BTreeSet<u64>,
    /// What is to go, by when and in what order.
    letters: BTreeMap<(Timestamp, u64), Arc<Told>>,
    groups: BTreeMap<u64, Group>,
    count: u64,
}

#[derive(Debug)]
struct Group {
    until: Timestamp,
    of: u32,
    told: Vec<(u32, Arc<Told>)>,
}

impl Mailbox {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_unused(&self) -> bool {
        !self.used.load(Ordering::Acquire)
    }

    /// Puts an event where its fate wants it.
    fn put(&self, told: &Arc<Told>, fate: Fate) {
        self.used.store(true, Ordering::Release);
        let mut held = self.held();
        let at = told.happened().event.at;
        match fate {
            Fate::Lost => {
                held.aside.insert(told.seq());
            }
            Fate::Again(times) => {
                for _ in 0..times {
                    held.add(at, told.clone());
                }
            }
            Fate::Late(by) => {
                held.aside.insert(told.seq());
                held.add(at.checked_add(by).unwrap_or(Timestamp::MAX), told.clone());
            }
            Fate::Shuffled {
                group,
                of,
                place,
                within,
            } => {
                held.aside.insert(told.seq());
                let until = at.checked_add(within).unwrap_or(Timestamp::MAX);
                let told_so_far = held.groups.entry(group).or_insert_with(|| Group {
                    until,
                    of,
                    told: Vec::new(),
                });
                told_so_far.told.push((place, told.clone()));
                if told_so_far.told.len() >= told_so_far.of as usize {
                    held.close(group, at);
                }
            }
        }
    }

    /// Whether an event does not go the plain way.
    pub(super) fn is_aside(&self, seq: u64) -> bool {
        !self.is_unused() && self.held().aside.contains(&seq)
    }

    /// Forgets of what went which way up to a number.
    pub(super) fn forget(&self, through: u64) {
        if self.is_unused() {
            return;
        }
        let mut held = self.held();
        if !held.aside.is_empty() {
            held.aside = held.aside.split_off(&(through + 1));
        }
    }

    /// When something is to go next.
    pub(super) fn next(&self) -> Option<Timestamp> {
        if self.is_unused() {
            return None;
        }
        let held = self.held();
        let letter = held.letters.first_key_value().map(|((at, _), _)| *at);
        let groups = held.groups.values().map(|group| group.until);
        groups.chain(letter).min()
    }

    /// Takes the first that is to go by then.
    pub(super) fn take(&self, now: Timestamp) -> Option<Arc<Told>> {
        if self.is_unused() {
            return None;
        }
        let mut held = self.held();
        let due = |(number, group): (&u64, &Group)| (group.until <= now).then_some(*number);
        let over: Vec<u64> = held.groups.iter().filter_map(due).collect();
        for group in over {
            let until = held.groups[&group].until;
            held.close(group, until);
        }
        let first = held.letters.first_entry().filter(|one| one.key().0 <= now);
        first.map(|one| one.remove())
    }
}

impl Held {
    fn add(&mut self, at: Timestamp, told: Arc<Told>) {
        self.count += 1;
        self.letters.insert((at, self.count), told);
    }

    /// Those who waited for each other go.
    fn close(&mut self, group: u64, at: Timestamp) {
        let Some(mut group) = self.groups.remove(&group) else {
            return;
        };
        group.told.sort_by_key(|(place, _)| *place);
        for (_, told) in group.told {
            self.add(at, told);
        }
    }
}

impl Subscriptions {
    /// Hands in who decides what goes wrong on the way to those who listen; for simulations. Only the first counts.
    pub fn set_meddler(&self, meddler: Arc<dyn Meddler>) {
        let meddling = &self.room().meddling;
        *meddling.lock() = self.hf.events().last();
        let _ = meddling.who.set(meddler);
    }

    /// Has decided what becomes of all events that there are by now. Whoever sends any does so first; a simulation does so at moments that it chooses.
    pub fn meddle(&self) {
        let meddling = &self.room().meddling;
        let Some(meddler) = meddling.who.get() else {
            return;
        };
        let mut through = meddling.lock();
        let events = self.hf.events();
        let telling = events.telling().filter(|_| meddler.is_active());
        let Some(telling) = telling else {
            *through = events.last();
            return;
        };
        let destinations = self.room().destinations();
        let streams = self.room().streams.all();
        loop {
            let Some(new) = events.recent(*through, CHUNK) else {
                *through = events.last();
                return;
            };
            let Some(last) = new.last() else {
                return;
            };
            for told in &new {
                let record = told.record(&*telling);
                let system = system_of(&told.happened().about);
                let system =
                    system.and_then(|id| self.hf.inner.inventory.system(&Ctx::service(), id).ok());
                let fate = |to: &SubscriptionId, kind| {
                    meddler.fate(&Errand {
                        to,
                        kind,
                        system: system.as_deref(),
                        told,
                        record,
                    })
                };
                for one in &destinations {
                    let Ok(name) = one.name() else { continue };
                    let facts = one.facts();
                    let is_new = one.state().delivery.through < told.seq();
                    if is_new
                        && self.wants(one, &facts, &name, told, &*telling)
                        && let Some(fate) = fate(&name, Kind::Webhook)
                    {
                        one.mailbox.put(told, fate);
                    }
                }
                for one in &streams {
                    if one.is_to_have(&self.hf, told, record)
                        && let Ok(name) = one.name()
                        && let Some(fate) = fate(&name, Kind::Stream)
                    {
                        one.mailbox.put(told, fate);
                    }
                }
            }
            *through = last.seq();
        }
    }

    /// Whether anybody meddles now.
    #[must_use]
    pub fn is_meddled_with(&self) -> bool {
        let who = self.room().meddling.who.get();
        who.is_some_and(|meddler| meddler.is_active())
    }

    /// When something goes to a destination that was kept back. From memory.
    pub(crate) fn next_kept_back(&self) -> Option<Timestamp> {
        self.room().meddling.who.get()?;
        let all = self.room().destinations();
        // Who takes nothing now is woken for that, and takes this then.
        let takes = |one: &&Arc<Destination>| one.state().delivery.life == Life::Idle;
        let ready = all.iter().filter(|_| self.may_deliver()).filter(takes);
        ready.filter_map(|one| one.mailbox.next()).min()
    }
}

impl Meddling {
    fn lock(&self) -> MutexGuard<'_, u64> {
        self.through.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::{Happened, Subject};
    use crate::logs::What;

    fn told(seq: u64, second: i64) -> Arc<Told> {
        Arc::new(Told::new(Happened {
            seq,
            about: Subject::Service,
            event: What::Changed.at(at(second)),
            entry: None,
        }))
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn taken(mailbox: &Mailbox, second: i64) -> Vec<u64> {
        let all = std::iter::from_fn(|| mailbox.take(at(second)));
        all.map(|told| told.seq()).collect()
    }

    #[test]
    fn what_is_late_goes_when_its_time_has_come_and_not_the_plain_way() {
        let mailbox = Mailbox::default();
        mailbox.put(&told(1, 0), Fate::Late(SignedDuration::from_secs(5)));
        mailbox.put(&told(2, 1), Fate::Again(2));
        assert!(mailbox.is_aside(1) && !mailbox.is_aside(2));
        assert_eq!(mailbox.next(), Some(at(1)));
        assert_eq!(taken(&mailbox, 1), [2, 2]);
        assert_eq!(mailbox.next(), Some(at(5)));
        assert_eq!(taken(&mailbox, 4), [0_u64; 0]);
        assert_eq!(taken(&mailbox, 5), [1]);
        mailbox.forget(1);
        assert!(!mailbox.is_aside(1));
    }

    #[test]
    fn those_who_are_shuffled_go_together_or_when_they_have_waited_long_enough() {
        let mailbox = Mailbox::default();
        let put = |seq, second, group, place| {
            let fate = Fate::Shuffled {
                group,
                of: 3,
                place,
                within: SignedDuration::from_secs(10),
            };
            mailbox.put(&told(seq, second), fate);
        };
        put(1, 0, 1, 2);
        put(2, 1, 1, 0);
        assert_eq!(taken(&mailbox, 1), [0_u64; 0]);
        put(3, 2, 1, 1);
        assert_eq!(taken(&mailbox, 2), [2, 3, 1]);
        put(4, 3, 2, 1);
        put(5, 4, 2, 0);
        assert_eq!(mailbox.next(), Some(at(13)));
        assert_eq!(taken(&mailbox, 12), [0_u64; 0]);
        assert_eq!(taken(&mailbox, 13), [5, 4]);
    }
}

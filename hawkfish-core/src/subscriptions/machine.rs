//! The life of the deliveries to one destination, as a pure state machine: what is to be sent next, how often that was tried, and what becomes of it.
//!
//! ```text
//!                    Begun                 Delivered, or given up as dead letters
//!       made ──► Idle ─────► Sending ──────────────────────────────────► Idle
//!                 ▲             │ Failed, tries left
//!                 │     Due     ▼
//!                 ├───────── Waiting
//!                 │             │ Failed, no tries left, in `Sending`: by policy
//!                 │ Resumed     ▼
//!                 ├───────── Suspended ◄── SuspendAsked, from anywhere
//!                 │
//!                 └ ─ ─ ─ ─  Terminated: the subscription goes
//! ```
//!
//! What was begun keeps its bounds (a [`Pin`]) until it has arrived or is given up, over restarts as well: so a second try carries the same events under the same
//! delivery id. Whoever suspends a destination while something is under way still has the answer count.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::subscription::{LastFailure, Retry};
use crate::logs::What;

/// The longest time between two tries.
pub const MOST_BACKOFF: SignedDuration = SignedDuration::from_mins(10);

/// Most notes that wait for a destination.
const MOST_NOTES: usize = 8;

/// Where the deliveries to a destination are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Life {
    /// Ready for more.
    #[default]
    Idle,
    /// Something is under way.
    Sending,
    /// Something did not arrive and is tried again then.
    Waiting {
        /// When.
        until: Timestamp,
    },
    /// Nothing is sent.
    Suspended,
    /// It is over.
    Terminated,
}

/// Where something to be sent comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Source {
    /// What is for this destination alone.
    Notes,
    /// Dead letters that somebody wants to be sent once more.
    Letters,
    /// The stream of events.
    Stream,
}

/// What is to be sent, until it has arrived or is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pin {
    /// Where it comes from.
    pub(super) source: Source,
    /// The number of the last of it: of a note, of a letter, of an event.
    pub(super) last: u64,
}

/// Something that is told to this destination alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Note {
    pub(super) number: u64,
    pub(super) at: Timestamp,
    pub(super) what: What,
}

/// Events that a destination does not want any more: those up to `last` that are older than `before`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Skip {
    pub(super) before: Timestamp,
    pub(super) last: u64,
}

/// What is durable of the deliveries to a destination.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Delivery {
    /// The number of the last event that it is done with.
    pub(super) through: u64,
    pub(super) life: Life,
    /// How often what is pinned failed.
    pub(super) attempts: u32,
    pub(super) pin: Option<Pin>,
    pub(super) notes: Vec<Note>,
    /// How many notes there ever were.
    pub(super) noted: u64,
    pub(super) skip: Option<Skip>,
    pub(super) failure: Option<LastFailure>,
    pub(super) arrived: Option<Timestamp>,
    pub(super) delivered: u64,
    pub(super) lost: u64,
}

/// What can happen.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Event {
    /// Something is put on its way.
    Begun(Pin),
    /// It arrived: so many events.
    Delivered(u64),
    /// It did not.
    Failed {
        status: Option<u16>,
        reason: String,
        /// How long the receiver wants to be left alone.
        retry_after: Option<SignedDuration>,
    },
    /// Nobody waits for the answer any more.
    Interrupted,
    /// It is time to try again.
    Due,
    /// Somebody wants nothing to be sent.
    SuspendAsked,
    /// Somebody wants it to go on; the newest event is `last`. `within` says how old events may be that waited.
    Resumed {
        last: u64,
        within: Option<SignedDuration>,
    },
    /// There is something to tell it alone.
    Noted(What),
    /// Events up to there are of no interest to it.
    Passed(u64),
    /// Events up to there are gone.
    Lost(u64),
    /// HawkFish was started anew.
    Restarted,
}

/// What is to be done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Store what has changed, now.
    Store,
    /// Store what has changed with the next commit.
    StoreSoon,
    /// See whether there is something to send.
    Look,
    /// Have it be due then.
    WakeAt(Timestamp),
    /// It is not to be due.
    WakeNever,
    /// The events of the stream after `after` to `last` become dead letters.
    Bury {
        after: u64,
        last: u64,
        attempts: u32,
    },
    /// The letters up to `last` that were sent once more have arrived.
    Unbury { last: u64 },
    /// The letters up to `last` that were sent once more did not arrive.
    Rebury { last: u64, attempts: u32 },
    /// The subscription is to be deleted.
    Terminate,
}

/// What counts for a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rules {
    pub(super) now: Timestamp,
    pub(super) retry: Retry,
    /// How often something is tried.
    pub(super) attempts: u32,
    /// The time between the first two tries.
    pub(super) interval: SignedDuration,
    /// Chance.
    pub(super) jitter: u64,
}

impl Rules {
    /// The time until the next try after so many failures: it doubles to a bound, half of it by chance, and is no shorter than the receiver asks for.
    fn wait(&self, failures: u32, retry_after: Option<SignedDuration>) -> SignedDuration {
        let base = self.interval.max(SignedDuration::from_secs(1));
        let wait = if self.retry == Retry::RetryForever {
            base
        } else {
            let doubled = 1_i32 << failures.saturating_sub(1).min(16);
            let whole = base
                .checked_mul(doubled)
                .unwrap_or(MOST_BACKOFF)
                .min(MOST_BACKOFF);
            let half = u64::try_from(whole.as_millis() / 2).unwrap_or(1);
            let by_chance = self.jitter % (half + 1);
            SignedDuration::from_millis(i64::try_from(half + by_chance).unwrap_or(0))
        };
        // An operator may have set a longer interval than the bound.
        let bound = MOST_BACKOFF.max(base);
        wait.max(retry_after.unwrap_or_default()).min(bound)
    }

    fn exhausted(&self, failures: u32, status: Option<u16>) -> bool {
        match self.retry {
            Retry::RetryForever | Retry::RetryForeverWithBackoff => false,
            // 410 Gone: the receiver says that it will never be back.
            Retry::TerminateAfterRetries if status == Some(410) => true,
            Retry::DeadLetter | Retry::TerminateAfterRetries | Retry::SuspendRetries => {
                failures >= self.attempts
            }
        }
    }
}

impl Delivery {
    /// What becomes of it by an event, and what is to be done.
    pub(super) fn event(mut self, rules: &Rules, event: Event) -> (Self, Vec<Action>) {
        let actions = match event {
            Event::Begun(pin) => {
                self.pin = Some(pin);
                self.life = Life::Sending;
                vec![]
            }
            Event::Delivered(events) => self.delivered(rules, events),
            Event::Failed {
                status,
                reason,
                retry_after,
            } => {
                self.failure = Some(LastFailure {
                    at: rules.now,
                    status,
                    reason,
                });
                match self.life {
                    Life::Idle | Life::Sending if self.pin.is_some() => {
                        self.failed(rules, status, retry_after)
                    }
                    _ => vec![Action::StoreSoon],
                }
            }
            Event::Interrupted | Event::Restarted => {
                if self.life == Life::Sending {
                    self.life = Life::Idle;
                }
                vec![Action::StoreSoon]
            }
            Event::Due => match self.life {
                Life::Waiting { .. } => {
                    self.life = Life::Idle;
                    vec![Action::WakeNever, Action::Store, Action::Look]
                }
                _ => vec![Action::WakeNever, Action::Store],
            },
            Event::SuspendAsked => match self.life {
                Life::Suspended | Life::Terminated => vec![],
                _ => {
                    self.life = Life::Suspended;
                    self.attempts = 0;
                    vec![Action::WakeNever, Action::Store]
                }
            },
            Event::Resumed { last, within } => self.resumed(rules, last, within),
            Event::Noted(what) => {
                self.note(rules.now, what);
                vec![Action::Store, Action::Look]
            }
            Event::Passed(upto) => {
                self.pass(upto);
                vec![]
            }
            Event::Lost(upto) => {
                self.lost += upto.saturating_sub(self.through);
                self.pass(upto);
                if !self.notes.iter().any(|note| note.what == What::Missed) {
                    self.note(rules.now, What::Missed);
                }
                vec![Action::StoreSoon]
            }
        };
        (self, actions)
    }

    fn delivered(&mut self, rules: &Rules, events: u64) -> Vec<Action> {
        let hard = self.attempts > 0;
        self.attempts = 0;
        self.delivered += events;
        if events > 0 {
            self.arrived = Some(rules.now);
        }
        if self.life == Life::Sending {
            self.life = Life::Idle;
        }
        let mut actions = vec![if hard {
            Action::Store
        } else {
            Action::StoreSoon
        }];
        if let Some(pin) = self.pin.take() {
            match pin.source {
                Source::Stream => self.pass(pin.last),
                Source::Notes => self.notes.retain(|note| note.number > pin.last),
                Source::Letters => actions = vec![Action::Unbury { last: pin.last }, Action::Store],
            }
        }
        actions
    }

    fn failed(
        &mut self,
        rules: &Rules,
        status: Option<u16>,
        retry_after: Option<SignedDuration>,
    ) -> Vec<Action> {
        self.attempts += 1;
        if !rules.exhausted(self.attempts, status) {
            let until = rules.now + rules.wait(self.attempts, retry_after);
            self.life = Life::Waiting { until };
            return vec![Action::WakeAt(until), Action::Store];
        }
        match rules.retry {
            Retry::TerminateAfterRetries => {
                self.life = Life::Terminated;
                vec![Action::Terminate]
            }
            Retry::SuspendRetries => {
                self.life = Life::Suspended;
                self.attempts = 0;
                vec![Action::Store]
            }
            // The others are never at their end.
            Retry::DeadLetter | Retry::RetryForever | Retry::RetryForeverWithBackoff => {
                let attempts = std::mem::take(&mut self.attempts);
                self.life = Life::Idle;
                let Some(pin) = self.pin.take() else {
                    return vec![Action::Store];
                };
                let last = pin.last;
                let first = match pin.source {
                    Source::Stream => {
                        let after = self.through;
                        self.pass(last);
                        Action::Bury {
                            after,
                            last,
                            attempts,
                        }
                    }
                    Source::Letters => Action::Rebury { last, attempts },
                    Source::Notes => {
                        self.notes.retain(|note| note.number > last);
                        Action::Look
                    }
                };
                vec![first, Action::Store, Action::Look]
            }
        }
    }

    fn resumed(&mut self, rules: &Rules, last: u64, within: Option<SignedDuration>) -> Vec<Action> {
        if self.life != Life::Suspended {
            return vec![];
        }
        self.life = Life::Idle;
        self.attempts = 0;
        if let Some(within) = within {
            // What was begun may hold events that are too old now.
            self.pin = None;
            match rules.now.checked_sub(within) {
                _ if within.is_zero() => self.pass(last),
                Ok(before) => self.skip = Some(Skip { before, last }),
                // Older than time itself: nothing is.
                Err(_) => {}
            }
        }
        vec![Action::Store, Action::Look]
    }

    pub(super) fn pass(&mut self, upto: u64) {
        self.through = self.through.max(upto);
        if self.skip.is_some_and(|skip| skip.last <= self.through) {
            self.skip = None;
        }
    }

    fn note(&mut self, at: Timestamp, what: What) {
        if self.notes.len() >= MOST_NOTES {
            self.notes.remove(0);
        }
        self.noted += 1;
        self.notes.push(Note {
            number: self.noted,
            at,
            what,
        });
    }

    /// Whether an event of that number and time is too old to be sent.
    pub(super) fn skips(&self, seq: u64, at: Timestamp) -> bool {
        self.skip
            .is_some_and(|skip| seq <= skip.last && at < skip.before)
    }
}

#[cfg(test)]
mod tests;

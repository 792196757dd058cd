//! Dead letters: what a destination did not take, to be looked at, sent once more, or dropped.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use jiff::Timestamp;

use super::destination::{Destination, State};
use super::verbs::alive;
use super::{DeadLetter, Room, Subscriptions, rows};
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::{Error, Result};
use crate::events::Told;
use crate::id::SubscriptionId;

/// How many dead letters each destination may have, however many the others have.
const SPARE: usize = 100;

/// Why something is given up.
#[derive(Debug)]
pub(super) struct Why {
    pub(super) at: Timestamp,
    pub(super) attempts: u32,
    pub(super) reason: String,
}

/// What becomes of dead letters, worked out before it is stored.
#[derive(Debug, Default)]
pub(super) struct Change {
    put: Vec<Arc<DeadLetter>>,
    remove: Vec<u64>,
}

impl Change {
    /// These events are given up.
    pub(super) fn bury(room: &Room, state: &State, told: &[Arc<Told>], why: &Why) -> Self {
        let put: Vec<_> = told
            .iter()
            .map(|told| {
                Arc::new(DeadLetter {
                    seq: told.seq(),
                    at: why.at,
                    attempts: why.attempts,
                    reason: why.reason.clone(),
                    replaying: false,
                    told: told.clone(),
                })
            })
            .collect();
        let elsewhere = room
            .dead
            .load(Ordering::Relaxed)
            .saturating_sub(state.dead.len());
        let most = room
            .settings
            .most_dead_of_all
            .saturating_sub(elsewhere)
            .max(SPARE)
            .min(room.settings.most_dead)
            .max(1);
        let over = (state.dead.len() + put.len()).saturating_sub(most);
        let remove: Vec<u64> = state.dead.keys().take(over).copied().collect();
        let over = over - remove.len();
        Self {
            put: put.into_iter().skip(over).collect(),
            remove,
        }
    }

    /// These were sent once more, and did not arrive again.
    pub(super) fn rebury(state: &State, told: &[Arc<Told>], why: &Why) -> Self {
        let letters = told.iter().filter_map(|told| state.dead.get(&told.seq()));
        let put = letters.map(|letter| {
            Arc::new(DeadLetter {
                at: why.at,
                attempts: letter.attempts + why.attempts,
                reason: why.reason.clone(),
                replaying: false,
                ..DeadLetter::clone(letter)
            })
        });
        Self {
            put: put.collect(),
            remove: Vec::new(),
        }
    }

    /// These have arrived.
    pub(super) fn unbury(told: &[Arc<Told>]) -> Self {
        Self {
            put: Vec::new(),
            remove: told.iter().map(|told| told.seq()).collect(),
        }
    }

    pub(super) async fn store(&self, tx: &mut Tx, id: u64) -> Result<()> {
        if !self.remove.is_empty() {
            rows::delete_letters(tx, id, &self.remove).await?;
        }
        if !self.put.is_empty() {
            rows::put_letters(tx, id, &self.put).await?;
        }
        Ok(())
    }

    /// Shows it, once it is stored.
    pub(super) fn show(self, room: &Room, state: &mut State) {
        let State { dead, again, .. } = state;
        let before = dead.len();
        for seq in &self.remove {
            dead.remove(seq);
            again.remove(seq);
        }
        for letter in self.put {
            if letter.replaying {
                again.insert(letter.seq);
            } else {
                again.remove(&letter.seq);
            }
            dead.insert(letter.seq, letter);
        }
        // One of the two is zero.
        room.dead
            .fetch_add(dead.len().saturating_sub(before), Ordering::Relaxed);
        room.dead
            .fetch_sub(before.saturating_sub(dead.len()), Ordering::Relaxed);
    }
}

fn missing(seq: u64) -> Error {
    Error::not_found("LogEntry", &seq.to_string())
}

impl Subscriptions {
    /// The dead letters of a destination, the oldest event first; a stream has none. From memory.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn dead_letters(&self, ctx: &Ctx, id: &SubscriptionId) -> Result<Vec<Arc<DeadLetter>>> {
        match self.find(ctx, id) {
            Ok(destination) => Ok(destination.state().dead.values().cloned().collect()),
            Err(_) => self.get(ctx, id).map(|_| Vec::new()),
        }
    }

    /// A dead letter, by the place of its event in the stream. From memory.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn dead_letter(&self, ctx: &Ctx, id: &SubscriptionId, seq: u64) -> Result<Arc<DeadLetter>> {
        let destination = self.find(ctx, id)?;
        let letter = destination.state().dead.get(&seq).cloned();
        letter.ok_or_else(|| missing(seq))
    }

    /// Has a dead letter, or all of them, sent once more, with the tries of anything else. That it is to be is durable when this returns; it is gone once it has
    /// arrived.
    ///
    /// # Errors
    /// `NotFound`; `Internal` when the store fails.
    pub async fn replay(&self, ctx: &Ctx, id: &SubscriptionId, seq: Option<u64>) -> Result<()> {
        let destination = self.destination(ctx, id)?;
        let change = |letters: Vec<Arc<DeadLetter>>| Change {
            put: letters
                .iter()
                .filter(|letter| !letter.replaying)
                .map(|letter| {
                    Arc::new(DeadLetter {
                        replaying: true,
                        ..DeadLetter::clone(letter)
                    })
                })
                .collect(),
            remove: Vec::new(),
        };
        self.change_dead(&destination, id, seq, change).await?;
        self.look(&destination);
        Ok(())
    }

    /// Drops a dead letter, or all of them.
    ///
    /// # Errors
    /// `NotFound`; `Internal` when the store fails.
    pub async fn drop_dead(&self, ctx: &Ctx, id: &SubscriptionId, seq: Option<u64>) -> Result<()> {
        let destination = self.destination(ctx, id)?;
        let change = |letters: Vec<Arc<DeadLetter>>| Change {
            put: Vec::new(),
            remove: letters.iter().map(|letter| letter.seq).collect(),
        };
        self.change_dead(&destination, id, seq, change).await
    }

    async fn change_dead(
        &self,
        destination: &Arc<Destination>,
        id: &SubscriptionId,
        seq: Option<u64>,
        change: impl FnOnce(Vec<Arc<DeadLetter>>) -> Change,
    ) -> Result<()> {
        let _gate = destination.gate.lock().await;
        alive(destination, id)?;
        let letters = {
            let state = destination.state();
            match seq {
                Some(seq) => vec![state.dead.get(&seq).cloned().ok_or_else(|| missing(seq))?],
                None => state.dead.values().cloned().collect(),
            }
        };
        let change = change(letters);
        let (this, destination) = (self.clone(), destination.clone());
        self.hf
            .store()
            .write(move |tx| {
                Box::pin(async move {
                    change.store(tx, destination.id).await?;
                    tx.after_commit(move || {
                        change.show(this.room(), &mut destination.state());
                    });
                    Ok(())
                })
            })
            .await
    }
}

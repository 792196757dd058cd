//! What becomes of a destination by what happens to it: worked out, stored, shown. And what is due for it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::Value as Json;

use super::dead::{Change, Why};
use super::destination::Destination;
use super::machine::{Action, Event as Occurrence, Life};
use super::{DUE_HEARTBEAT, DUE_RETRY, Subscriptions, rows, rules};
use crate::ctx::Ctx;
use crate::due::{self, Due};
use crate::error::Result;
use crate::events::{Format, Subject, Told};
use crate::id::SubscriptionId;
use crate::logs::{Event, What};

impl Subscriptions {
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
    pub(super) fn store_soon(&self, destination: &Arc<Destination>) {
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
    pub(super) fn far(&self) -> u64 {
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

//! What happened: to systems, and through the service. The one place where a change becomes something to tell.
//!
//! A room that changes something says so with `tell`, in the transaction of the change: both are kept, or neither. What is told of something that is
//! no change of the store's, such as a request that was refused, goes in with `tell_soon`: it is shown at once and stored with the next commit, or within a
//! second, so that nobody waits for a second one.
//!
//! Logs are read from memory, where as much of them is kept as in the store. A log is bounded: when it is full, the oldest goes or the newest does not
//! come in, as the operator chose. Numbers of entries are never handed out twice, not even once the log is cleared.
//!
//! Not in here: words. Whoever shows an [`Event`] finds them.

mod event;
mod rows;
mod tale;
mod view;

use std::sync::Arc;

use jiff::Timestamp;

pub use self::event::{Ask, BootPart, Client, Event, LogId, What, Why};
pub(crate) use self::tale::{Doing, tale};
pub(crate) use self::view::View;
use crate::app::HawkFish;
use crate::ctx::Ctx;
use crate::db::{Later, Store, Tx};
use crate::error::{Error, Result};
use crate::events::Subject;

/// What the operator says about logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// Most entries of the log of a system, and of the audit log of its face.
    pub most_system: usize,
    /// Most entries of the audit log.
    pub most_audit: usize,
    /// Whether the oldest entry of a full log makes room for the newest; else a full log takes in nothing until it is cleared.
    pub wraps: bool,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self {
            most_system: 500,
            most_audit: 2_000,
            wraps: true,
        }
    }
}

impl LogSettings {
    fn most(&self, log: &LogId) -> usize {
        match log {
            LogId::System(_) | LogId::Face(_) => self.most_system,
            LogId::Audit => self.most_audit,
        }
    }
}

/// Something that stands in a log.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its number in the log.
    pub number: u64,
    /// What happened.
    pub event: Event,
    /// Whether somebody has seen to it.
    pub resolved: bool,
    /// When that was last said.
    pub modified: Option<Timestamp>,
}

/// How a log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogStatus {
    /// Whether it takes in anything.
    pub enabled: bool,
    /// Whether something was lost since it was last cleared, because it was full.
    pub overflowed: bool,
    /// Most entries.
    pub most: usize,
    /// Whether the oldest makes room for the newest.
    pub wraps: bool,
    /// Changes with every change of the log or of an entry.
    pub generation: u64,
}

/// Tells of something, as a part of the transaction in which it happens.
///
/// # Errors
/// `Internal` when SQLite fails.
pub(crate) async fn tell(tx: &mut Tx, log: &LogId, event: Event) -> Result<()> {
    tell_later(tx.later(), log, event)
}

/// As [`tell`], where the transaction needs no SQL.
pub(crate) fn tell_later(later: &mut Later, log: &LogId, event: Event) -> Result<()> {
    let place = later.logs().place(log);
    stream(later, log, &event, place.as_ref().map(|place| place.number));
    let Some(place) = place else {
        return Ok(());
    };
    place.rows(&event, |row| later.leave(&row))?;
    later.after_commit(move || place.fill(event));
    Ok(())
}

/// Tells of something that is no change of the store's: it is in the log when this returns, and in the store with the next commit.
pub(crate) fn tell_soon(store: &Store, log: &LogId, event: Event) {
    let view = store.logs();
    let _order = view.order();
    let log = log.clone();
    let Some(place) = view.place(&log) else {
        // The log takes in nothing; who listens hears of it all the same.
        store.later_soon(move |later| {
            stream(later, &log, &event, None);
            Ok(())
        });
        return;
    };
    let number = place.number;
    let mut rows = Vec::with_capacity(1);
    let left = place.rows(&event, |row| rows.push(row));
    place.fill(event.clone());
    store.later_soon(move |later| {
        stream(later, &log, &event, Some(number));
        rows.iter().for_each(|row| later.leave(row));
        left
    });
}

/// What goes into a log goes into the stream of events, too: but who asked for what is nobody's business but the log's.
fn stream(later: &mut Later, log: &LogId, event: &Event, number: Option<u64>) {
    let about = match (log, &event.what) {
        (_, What::Requested { .. } | What::LoggedIn { .. }) => return,
        (_, What::MediumInserted { slot, .. } | What::MediumEjected { slot }) => match log {
            LogId::System(system) => Subject::Slot {
                system: system.clone(),
                slot: slot.clone(),
            },
            LogId::Audit | LogId::Face(_) => Subject::Service,
        },
        (_, What::AccountLocked { account, .. }) => Subject::Account(account.clone()),
        (_, What::LoginRefused { account }) => match account {
            Some(account) => Subject::Account(account.clone()),
            None => Subject::Service,
        },
        (LogId::System(system), _) => Subject::System(system.clone()),
        (LogId::Audit | LogId::Face(_), _) => Subject::Service,
    };
    match number {
        Some(number) => later.happened_and_logged(about, event.clone(), (log.clone(), number)),
        None => later.happened(about, event.clone()),
    }
}

/// The logs. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Logs {
    store: Store,
    clock: Arc<dyn crate::clock::Clock>,
}

impl Logs {
    /// How a log is. One that nothing was ever told to is on and empty. From memory.
    #[must_use]
    pub fn status(&self, log: &LogId) -> LogStatus {
        self.store.logs().status(log)
    }

    /// What stands in a log, the oldest first. From memory.
    #[must_use]
    pub fn entries(&self, log: &LogId) -> Vec<Arc<Entry>> {
        self.store.logs().entries(log)
    }

    /// An entry. From memory.
    ///
    /// # Errors
    /// `NotFound`, also for one that has made room for another.
    pub fn entry(&self, log: &LogId, number: u64) -> Result<Arc<Entry>> {
        self.store
            .logs()
            .entry(log, number)
            .ok_or_else(|| Error::not_found("LogEntry", &number.to_string()))
    }

    /// Empties a log.
    ///
    /// # Errors
    /// `Internal` when the store fails.
    pub async fn clear(&self, ctx: &Ctx, log: &LogId) -> Result<()> {
        let view = Arc::clone(self.store.logs());
        let cleared = {
            // What got its number before this is with the store already, and goes; what gets one later stays.
            let _order = view.order();
            let row = view.cleared(log);
            let status = view.status(log);
            let holds = status.overflowed || !view.entries(log).is_empty();
            let (view, now) = (Arc::clone(&view), self.clock.now());
            self.store.write_settled(move |tx| {
                if holds {
                    tx.happened(Subject::Log(row.log.clone()), What::Changed.at(now));
                }
                Box::pin(async move {
                    rows::remove_below(tx, &row.log, row.first).await?;
                    rows::put_log(tx, &row).await?;
                    tx.after_commit(move || view.clear(&row));
                    Ok(())
                })
            })
        };
        cleared.await?;
        tracing::info!(%log, by = ?ctx.account(), "log cleared");
        Ok(())
    }

    /// Turns a log on or off. One that is off takes in nothing, and keeps what it has.
    ///
    /// # Errors
    /// `Internal` when the store fails.
    pub async fn enable(&self, ctx: &Ctx, log: &LogId, enabled: bool) -> Result<()> {
        let (view, id, now) = (Arc::clone(self.store.logs()), log.clone(), self.clock.now());
        self.store
            .write_settled(move |tx| {
                if view.status(&id).enabled != enabled {
                    tx.happened(Subject::Log(id.clone()), What::Changed.at(now));
                }
                Box::pin(async move {
                    rows::put_log(tx, &view.enabled(&id, enabled)).await?;
                    tx.after_commit(move || view.enable(&id, enabled));
                    Ok(())
                })
            })
            .await?;
        tracing::info!(%log, enabled, by = ?ctx.account(), "log turned on or off");
        Ok(())
    }

    /// Says of an entry whether somebody has seen to it.
    ///
    /// # Errors
    /// `NotFound`; `Internal` when the store fails.
    pub async fn resolve(
        &self,
        ctx: &Ctx,
        log: &LogId,
        number: u64,
        resolved: bool,
    ) -> Result<Arc<Entry>> {
        let old = self.entry(log, number)?;
        if old.resolved == resolved {
            return Ok(old);
        }
        let (view, id, now) = (Arc::clone(self.store.logs()), log.clone(), self.clock.now());
        self.store
            .write_settled(move |tx| {
                Box::pin(async move {
                    if !rows::put_resolved(tx, &id, number, resolved, now).await? {
                        return Err(Error::not_found("LogEntry", &number.to_string()));
                    }
                    let about = Subject::Entry {
                        log: id.clone(),
                        number,
                    };
                    tx.happened(about, What::Changed.at(now));
                    let new = Entry {
                        resolved,
                        modified: Some(now),
                        ..Entry::clone(&old)
                    };
                    tx.after_commit(move || view.replace(&id, new));
                    Ok(())
                })
            })
            .await?;
        tracing::info!(%log, entry = number, resolved, by = ?ctx.account(), "log entry marked");
        self.entry(log, number)
    }

    /// Tells of a request for a change, and how it was answered. `uri` is a path, and never holds a secret.
    pub fn requested(&self, ctx: &Ctx, method: &str, uri: &str, status: u16) {
        let event = Event {
            at: self.clock.now(),
            what: What::Requested {
                method: method.to_owned(),
                uri: uri.to_owned(),
                status,
            },
            by: Client::of(ctx),
        };
        tell_soon(&self.store, &LogId::audit(ctx.face()), event);
    }
}

impl HawkFish {
    /// The logs.
    #[must_use]
    pub fn logs(&self) -> Logs {
        Logs {
            store: self.store().clone(),
            clock: Arc::clone(self.clock()),
        }
    }
}

#[cfg(test)]
mod tests;

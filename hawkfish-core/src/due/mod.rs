//! What happens later: a row with an instant, so that no crash forgets it.
//!
//! A room puts a row in the transaction that makes it necessary, and takes it away in the transaction that has done it; between the two the row
//! is served again after a crash. There is one row of a kind for each subject: putting another moves it. Who serves the rows is `tick`; when to
//! do so next is known without SQL.

mod rows;

use std::collections::BTreeSet;
use std::sync::Mutex;

use jiff::Timestamp;
use serde_json::Value;
use sqlx::sqlite::SqliteConnection;
use tokio::sync::Notify;

use crate::db::{self, Store, Tx};
use crate::error::Result;

/// A row: something to be done at a moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Due {
    /// Its number, which also orders what is due at the same moment.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// What: a constant of the room that put it, such as `task.delete`.
    pub kind: String,
    /// To whom: an id of the room's.
    pub subject: String,
    /// What the room needs to know to do it.
    pub payload: Value,
}

/// When rows are due, in memory.
#[derive(Debug, Default)]
pub(crate) struct View {
    moments: Mutex<BTreeSet<(i64, i64)>>,
    sooner: Notify,
}

impl View {
    pub(crate) async fn load(conn: &mut SqliteConnection) -> Result<Self> {
        Ok(Self {
            moments: Mutex::new(rows::moments(conn).await?),
            sooner: Notify::new(),
        })
    }

    pub(crate) fn next(&self) -> Option<Timestamp> {
        let first = self.moments.lock().expect("due").first().map(|(at, _)| *at);
        // A row was put with a valid moment, so it is one.
        first.and_then(|at| db::from_ms(at).ok())
    }

    /// Returns when something has become due sooner than all that was known.
    pub(crate) async fn sooner(&self) {
        self.sooner.notified().await;
    }

    fn any_by(&self, now: Timestamp) -> bool {
        self.next().is_some_and(|at| at <= now)
    }

    fn change(&self, gone: Option<(i64, i64)>, new: Option<(i64, i64)>) {
        let mut set = self.moments.lock().expect("due");
        let first = set.first().copied();
        if let Some(gone) = gone {
            set.remove(&gone);
        }
        set.extend(new);
        if set
            .first()
            .is_some_and(|now| first.is_none_or(|before| *now < before))
        {
            self.sooner.notify_one();
        }
    }
}

/// Has `kind` happen to `subject` at `at`; where it was to happen already, it now happens at `at` and not before. Moments are kept to the
/// millisecond.
///
/// # Errors
/// `Internal` when SQLite fails.
pub async fn put(
    tx: &mut Tx,
    at: Timestamp,
    kind: &str,
    subject: &str,
    payload: &Value,
) -> Result<()> {
    let gone = rows::find(tx, kind, subject).await?;
    // Rounded up: a row is never served before its moment.
    let at_ms = db::to_ms(at) + i64::from(at.subsec_nanosecond() % 1_000_000 > 0);
    let id = rows::put(tx, at_ms, kind, subject, payload).await?;
    let view = tx.due().clone();
    tx.after_commit(move || view.change(gone, Some((at_ms, id))));
    Ok(())
}

/// Has `kind` happen to `subject` at `at`, unless it is to happen already: then nothing changes.
///
/// # Errors
/// `Internal` when SQLite fails.
pub async fn put_if_absent(
    tx: &mut Tx,
    at: Timestamp,
    kind: &str,
    subject: &str,
    payload: &Value,
) -> Result<()> {
    match rows::find(tx, kind, subject).await? {
        Some(_) => Ok(()),
        None => put(tx, at, kind, subject, payload).await,
    }
}

/// Has `kind` not happen to `subject` after all, or takes away the row once it is done. Nothing happens where there is no such row.
///
/// # Errors
/// `Internal` when SQLite fails.
pub async fn remove(tx: &mut Tx, kind: &str, subject: &str) -> Result<()> {
    if let Some(gone) = rows::find(tx, kind, subject).await? {
        rows::remove(tx, gone.1).await?;
        let view = tx.due().clone();
        tx.after_commit(move || view.change(Some(gone), None));
    }
    Ok(())
}

/// What is due by `now`, the earliest first, at most `most` rows. They stay until [`remove`]d or [`put`] to a later moment. No SQL where nothing is due.
///
/// # Errors
/// `Internal` when SQLite fails.
pub async fn take_due(store: &Store, now: Timestamp, most: u32) -> Result<Vec<Due>> {
    if !store.due().any_by(now) {
        return Ok(Vec::new());
    }
    let now = db::to_ms(now);
    store
        .read(move |conn| Box::pin(async move { rows::by(conn, now, most).await }))
        .await
}

#[cfg(test)]
mod tests;

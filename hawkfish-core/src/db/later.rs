//! What a piece of work leaves to the commit: rows that nothing else in its transaction reads. All those of a commit go in with one statement, whoever left them:
//! each statement costs a hand-over to SQLite's thread and back, which is most of what a small row costs.
//!
//! Where all the work of a commit leaves its rows, there is no other statement at all.

use std::sync::Arc;

use futures::TryStreamExt as _;
use sqlx::sqlite::{SqliteArguments, SqliteConnection};
use sqlx::{Arguments as _, Executor as _};

use crate::error::{Error, Result};
use crate::events::{self, Subject};
use crate::logs::Event;
use crate::{due, logs};

/// Puts in what was left: an array for each column of the view. (`json_each`, in the trigger behind it, is SQLite's; PostgreSQL has `json_array_elements`.)
macro_rules! put {
    ($before:literal, $after:literal) => {
        concat!(
            $before,
            "INSERT INTO hf_later (before, events, forgotten, entries, overflows, trims, states) VALUES ($1, $2, $3, $4, $5, $6, $7)",
            $after
        )
    };
}

/// The commit itself, where there was no other statement.
pub(super) const ALONE: Sql = Sql(put!("", ""), 1);
pub(super) const AND_COMMIT: Sql = Sql(put!("RELEASE work; ", "; COMMIT"), 3);
pub(super) const AND_GO_ON: Sql = Sql(put!("RELEASE work; ", "; SAVEPOINT work"), 3);

/// Statements that give no rows, and how many they are.
#[derive(Clone, Copy)]
pub(super) struct Sql(pub(super) &'static str, pub(super) usize);

impl Sql {
    /// Runs them. Waits for what each came to and no longer: to hear that there is nothing after the last would be one more hand-over.
    pub(super) async fn run(
        self,
        conn: &mut SqliteConnection,
        arguments: SqliteArguments<'static>,
    ) -> Result<()> {
        let query = sqlx::query_with(self.0, arguments);
        let mut results = conn.fetch_many(query);
        for _ in 0..self.1 {
            if results.try_next().await?.is_none() {
                return Err(Error::internal(
                    "SQLite ran fewer statements than it was given.",
                ));
            }
        }
        Ok(())
    }
}

/// A row that is left to the commit, as the JSON that it goes in as.
#[derive(Debug)]
pub(crate) enum Row {
    /// Of `hf_log_entries`: log, number, event.
    Entry(String),
    /// The name of a log that was full.
    Overflow(String),
    /// Of `hf_log_entries`, those that go: log, and the number below which they do.
    Trim(String),
    /// Of `hf_system_states`: system, state, when it was seen.
    State(String),
}

/// What was left, and what is to follow the commit.
#[derive(Default)]
pub(super) struct Left {
    pub(super) hooks: Vec<Box<dyn FnOnce() + Send>>,
    drafts: Vec<events::Draft>,
    entries: Array,
    overflows: Array,
    trims: Array,
    states: Array,
}

/// A JSON array on its way.
#[derive(Default)]
struct Array(String);

impl Array {
    fn push(&mut self, json: &str) {
        self.0.push(if self.0.is_empty() { '[' } else { ',' });
        self.0.push_str(json);
    }

    fn append(&mut self, other: &mut Self) {
        if self.0.is_empty() {
            std::mem::swap(&mut self.0, &mut other.0);
        } else if let Some(rest) = other.0.get(1..) {
            self.push(rest);
        }
        other.0.clear();
    }

    fn take(&mut self) -> Option<String> {
        (!self.0.is_empty()).then(|| {
            self.0.push(']');
            std::mem::take(&mut self.0)
        })
    }
}

impl Left {
    /// Takes over what another has.
    pub(super) fn append(&mut self, other: &mut Self) {
        self.hooks.append(&mut other.hooks);
        self.drafts.append(&mut other.drafts);
        self.entries.append(&mut other.entries);
        self.overflows.append(&mut other.overflows);
        self.trims.append(&mut other.trims);
        self.states.append(&mut other.states);
    }

    /// Whether there is nothing to be put in.
    pub(super) fn is_empty(&self) -> bool {
        self.drafts.is_empty()
            && [&self.entries, &self.overflows, &self.trims, &self.states]
                .iter()
                .all(|array| array.0.is_empty())
    }

    /// Puts everything in with one statement; the hooks stay. What was told has its place by then.
    pub(super) async fn put(
        &mut self,
        conn: &mut SqliteConnection,
        sql: Sql,
        stream: &events::Stream,
        placed: &mut events::Placed,
    ) -> Result<()> {
        let (before, text) = stream.place(std::mem::take(&mut self.drafts), placed)?;
        let forgotten = stream.forget(placed);
        let mut arguments = SqliteArguments::default();
        let add = || {
            arguments.add(before)?;
            arguments.add(text)?;
            arguments.add(forgotten)?;
            arguments.add(self.entries.take())?;
            arguments.add(self.overflows.take())?;
            arguments.add(self.trims.take())?;
            arguments.add(self.states.take())
        };
        add().map_err(sqlx::Error::Encode)?;
        sql.run(conn, arguments).await
    }
}

/// What a piece of work leaves to the commit, and what it knows without asking the database. Work that needs no more than this is handed in with
/// [`Store::later`](super::Store::later).
pub(crate) struct Later {
    pub(super) left: Left,
    pub(super) due: Arc<due::View>,
    pub(super) logs: Arc<logs::View>,
    pub(super) events: Arc<events::Stream>,
}

impl Later {
    /// As [`Tx::after_commit`](super::Tx::after_commit).
    pub(crate) fn after_commit(&mut self, hook: impl FnOnce() + Send + 'static) {
        self.left.hooks.push(Box::new(hook));
    }

    /// As [`Tx::happened`](super::Tx::happened).
    pub(crate) fn happened(&mut self, about: Subject, event: Event) {
        self.left.drafts.push(events::Draft {
            about,
            event,
            entry: None,
        });
    }

    /// As [`Later::happened`], of what an entry of a log tells as well.
    pub(crate) fn happened_and_logged(
        &mut self,
        about: Subject,
        event: Event,
        entry: (logs::LogId, u64),
    ) {
        self.left.drafts.push(events::Draft {
            about,
            event,
            entry: Some(entry),
        });
    }

    /// Leaves a row. Nothing sees it before the commit: who reads or changes such rows by SQL does so with [`Store::write_settled`](super::Store::write_settled).
    pub(crate) fn leave(&mut self, row: &Row) {
        let left = &mut self.left;
        match row {
            Row::Entry(json) => left.entries.push(json),
            Row::Overflow(json) => left.overflows.push(json),
            Row::Trim(json) => left.trims.push(json),
            Row::State(json) => left.states.push(json),
        }
    }

    /// The logs in memory.
    pub(crate) fn logs(&self) -> &Arc<logs::View> {
        &self.logs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_grow_by_values_and_by_one_another() {
        let array = |values: &[&str]| {
            let mut array = Array::default();
            values.iter().for_each(|value| array.push(value));
            array
        };
        assert_eq!(array(&[]).take(), None);
        for (a, b, both) in [
            (&["1"][..], &[][..], "[1]"),
            (&[], &["1", "[2]"], "[1,[2]]"),
            (&["1", "[2]"], &["[3]", "4"], "[1,[2],[3],4]"),
        ] {
            let (mut a, mut b) = (array(a), array(b));
            a.append(&mut b);
            assert_eq!(a.take().as_deref(), Some(both));
            assert_eq!(b.take(), None, "it is taken over");
            assert_eq!(a.take(), None, "it is taken once");
        }
    }
}

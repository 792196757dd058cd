//! The writer: a thread that owns the one connection that writes.
//!
//! A thread and not a task, because it hands over to SQLite's thread and back for each statement: parking and waking one thread is cheaper
//! than going through a scheduler, and a busy runtime cannot hold up the commits.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteArguments, SqliteConnection};
use tokio::sync::{mpsc, oneshot};

use super::Tx;
use super::fuse::Moment;
use super::later::{ALONE, AND_COMMIT, AND_GO_ON, Left, Sql};
use crate::error::{Error, Result};
use crate::events::Placed;

/// Most pieces of work in one commit: bounds the time that the first of them waits for its answer.
const MOST: usize = 1024;

const BEGIN: Sql = Sql("BEGIN IMMEDIATE; SAVEPOINT work", 2);
// Put together: one hand-over to SQLite's thread instead of two.
const GO_ON: Sql = Sql("RELEASE work; SAVEPOINT work", 2);
const UNDO: Sql = Sql("ROLLBACK TO work", 1);
const COMMIT: Sql = Sql("RELEASE work; COMMIT", 2);
const ROLLBACK: Sql = Sql("ROLLBACK", 1);

/// What a piece of work needs of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// Nothing: all that it has is left to the commit.
    Nothing,
    /// A transaction.
    Sql,
    /// A transaction in which there is all that was left to the commit before.
    Settled,
}

pub(super) enum Message {
    Work(Box<dyn Work>),
    /// Work that nobody waits for: it goes along with the next that somebody does wait for.
    Soon(Box<dyn Work>),
    Close,
}

/// A piece of work and who waits for it.
pub(super) trait Work: Send {
    /// What it needs.
    fn need(&self) -> Need;

    /// Does the work. False when it failed and is to be undone.
    fn run<'t>(&'t mut self, tx: &'t mut Tx) -> BoxFuture<'t, bool>;

    /// Answers who waits, once the commit succeeded or failed.
    fn answer(self: Box<Self>, committed: &Result<()>);
}

/// A [`Work`] that changes something.
pub(super) struct Write<T, F> {
    work: Option<F>,
    need: Need,
    result: Option<Result<T>>,
    reply: oneshot::Sender<Result<T>>,
}

impl<T, F> Write<T, F> {
    pub(super) fn new(work: F, need: Need, reply: oneshot::Sender<Result<T>>) -> Self {
        Self {
            work: Some(work),
            need,
            result: None,
            reply,
        }
    }
}

impl<T, F> Work for Write<T, F>
where
    T: Send + 'static,
    F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T>> + Send,
{
    fn need(&self) -> Need {
        self.need
    }

    fn run<'t>(&'t mut self, tx: &'t mut Tx) -> BoxFuture<'t, bool> {
        Box::pin(async move {
            let Some(work) = self.work.take() else {
                return false;
            };
            self.result = Some(catch(async move { work(tx).await }).await);
            matches!(self.result, Some(Ok(_)))
        })
    }

    fn answer(self: Box<Self>, committed: &Result<()>) {
        // The work's own error stands, whatever became of the others.
        let result = match (self.result, committed) {
            (Some(Ok(_)) | None, Err(e)) => Err(e.clone()),
            (Some(result), _) => result,
            (None, Ok(())) => Err(super::closed()),
        };
        // Who asked may have gone.
        let _ = self.reply.send(result);
    }
}

/// A [`Work`] that only reads, for a database that has no second connection.
pub(super) struct Query<T, F>(Write<T, F>);

impl<T, F> Query<T, F> {
    pub(super) fn new(work: F, reply: oneshot::Sender<Result<T>>) -> Self {
        Self(Write::new(work, Need::Settled, reply))
    }
}

impl<T, F> Work for Query<T, F>
where
    T: Send + 'static,
    F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T>> + Send,
{
    fn need(&self) -> Need {
        self.0.need
    }

    fn run<'t>(&'t mut self, tx: &'t mut Tx) -> BoxFuture<'t, bool> {
        Box::pin(async move {
            let Some(work) = self.0.work.take() else {
                return false;
            };
            self.0.result = Some(catch(async move { work(tx.conn()).await }).await);
            // It must change nothing, as it could not on a connection that only reads.
            false
        })
    }

    fn answer(self: Box<Self>, _committed: &Result<()>) {
        let result = self.0.result.unwrap_or_else(|| Err(super::closed()));
        let _ = self.0.reply.send(result);
    }
}

async fn catch<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    AssertUnwindSafe(work)
        .catch_unwind()
        .await
        .unwrap_or_else(|panic| {
            let what = panic
                .downcast_ref::<&str>()
                .map(|s| (*s).to_owned())
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_default();
            tracing::error!(panic = what, "work on the store panicked and was undone");
            Err(Error::internal("A piece of work on the store failed.").with("panic", what))
        })
}

/// Starts the writer; `ended` runs when it has closed the database.
pub(super) fn start(
    tx: Tx,
    waiting: mpsc::UnboundedReceiver<Message>,
    ended: impl FnOnce() + Send + 'static,
) -> Result<()> {
    std::thread::Builder::new()
        .name("hawkfish-writer".to_owned())
        .spawn(move || {
            futures::executor::block_on(run(tx, waiting));
            ended();
        })
        .map_err(|e| {
            Error::internal("The thread of the store's writer did not start.").caused_by(e)
        })?;
    Ok(())
}

async fn run(mut tx: Tx, mut waiting: mpsc::UnboundedReceiver<Message>) {
    let mut held: VecDeque<Box<dyn Work>> = VecDeque::new();
    loop {
        // Ends when told, or when the last handle of the store is gone.
        let more = match waiting.recv().await {
            Some(Message::Soon(work)) => {
                held.push_back(work);
                if held.len() < MOST {
                    continue;
                }
                true
            }
            Some(Message::Work(work)) => {
                held.push_back(work);
                true
            }
            Some(Message::Close) | None => false,
        };
        let open = match held.is_empty() {
            true => Ok(true),
            false => batch(&mut tx, &mut held, &mut waiting).await,
        };
        match open {
            Ok(open) if more && open => {}
            Ok(_) => break,
            Err(Dead) => return,
        }
    }
    waiting.close();
    let Tx { mut conn, .. } = tx;
    if let Err(error) = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
        .execute(&mut conn)
        .await
    {
        tracing::warn!(%error, "the log could not be folded into the database; it will be at the next start");
    }
    if let Err(error) = conn.close().await {
        tracing::warn!(%error, "the database did not close");
    }
}

/// The process has ended, as far as the store goes.
struct Dead;

impl Tx {
    fn burns(&self, at: Moment) -> Result<(), Dead> {
        match &self.fuse {
            Some(fuse) if fuse.burns(at) => Err(Dead),
            _ => Ok(()),
        }
    }
}

/// Does all that waits and commits once. False when it met the order to close.
async fn batch(
    tx: &mut Tx,
    held: &mut VecDeque<Box<dyn Work>>,
    waiting: &mut mpsc::UnboundedReceiver<Message>,
) -> Result<bool, Dead> {
    let mut done = Vec::new();
    let mut commit = Commit::default();
    let mut open = true;
    let mut result = Ok(());
    let mut next = held.pop_front();
    while let Some(mut work) = next.take() {
        result = commit.prepare(tx, work.need()).await;
        tx.burns(Moment::Begun)?;
        if result.is_ok() {
            let keep = work.run(tx).await;
            tx.burns(Moment::Worked)?;
            result = commit.take(tx, keep).await;
        }
        done.push(work);
        if result.is_err() {
            break;
        }
        next = held.pop_front();
        if next.is_none() && done.len() < MOST {
            match waiting.try_recv() {
                Ok(Message::Work(work) | Message::Soon(work)) => next = Some(work),
                Ok(Message::Close) => open = false,
                Err(_) => {}
            }
        }
    }
    // What was not even tried is answered as what failed.
    done.extend(held.drain(..));
    tx.burns(Moment::Committing)?;
    if result.is_ok() {
        result = commit.end(tx).await;
    }
    tx.burns(Moment::Committed)?;
    let events = Arc::clone(&tx.later.events);
    let Commit { left, placed, .. } = commit;
    if let Err(error) = &result {
        tracing::error!(
            ?error,
            works = done.len(),
            "a commit failed; its work is undone"
        );
        // SQLite may have undone the transaction by itself.
        let _ = control(tx, ROLLBACK).await;
        events.remember(placed);
    } else {
        for hook in left.hooks {
            if std::panic::catch_unwind(AssertUnwindSafe(hook)).is_err() {
                tracing::error!("what was to follow a commit panicked");
            }
        }
        // After the hooks: who hears of a change finds it made.
        events.publish(placed);
    }
    tx.burns(Moment::Shown)?;
    for work in done {
        work.answer(&result);
        tx.burns(Moment::Answered)?;
    }
    Ok(open)
}

/// A commit on its way.
#[derive(Default)]
struct Commit {
    /// Whether there is a transaction, with a savepoint in it.
    begun: bool,
    /// Whether something is in it that is to be kept, since that savepoint.
    dirty: bool,
    /// What was left by the work that is kept.
    left: Left,
    placed: Placed,
}

impl Commit {
    /// Gets the database ready for a piece of work.
    async fn prepare(&mut self, tx: &mut Tx, need: Need) -> Result<()> {
        if need == Need::Nothing {
            return Ok(());
        }
        if !self.begun {
            control(tx, BEGIN).await?;
            self.begun = true;
        }
        if need == Need::Settled && !self.left.is_empty() {
            self.put(tx, AND_GO_ON).await?;
            self.dirty = false;
        } else if std::mem::take(&mut self.dirty) {
            control(tx, GO_ON).await?;
        }
        tx.touched = false;
        Ok(())
    }

    /// Takes in what a piece of work has left, or undoes it.
    async fn take(&mut self, tx: &mut Tx, keep: bool) -> Result<()> {
        let touched = std::mem::take(&mut tx.touched);
        if keep {
            self.left.append(&mut tx.later.left);
            self.dirty |= touched;
            return Ok(());
        }
        tx.later.left = Left::default();
        if touched {
            control(tx, UNDO).await?;
        }
        Ok(())
    }

    /// Commits, if there is anything to be.
    async fn end(&mut self, tx: &mut Tx) -> Result<()> {
        match (self.begun, self.left.is_empty()) {
            (false, true) => return Ok(()),
            (false, false) => self.put(tx, ALONE).await?,
            (true, false) => self.put(tx, AND_COMMIT).await?,
            (true, true) => control(tx, COMMIT).await?,
        }
        tx.commits.fetch_add(1, Ordering::AcqRel);
        Ok(())
    }

    async fn put(&mut self, tx: &mut Tx, sql: Sql) -> Result<()> {
        let events = Arc::clone(&tx.later.events);
        self.left
            .put(&mut tx.conn, sql, &events, &mut self.placed)
            .await
    }
}

async fn control(tx: &mut Tx, sql: Sql) -> Result<()> {
    sql.run(&mut tx.conn, SqliteArguments::default()).await
}

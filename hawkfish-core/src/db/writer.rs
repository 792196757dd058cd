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
use sqlx::sqlite::SqliteConnection;
use tokio::sync::{mpsc, oneshot};

use super::Tx;
use crate::error::{Error, Result};
use crate::events::rows::insert;
use crate::events::{Draft, Told};

/// Most pieces of work in one commit: bounds the time that the first of them waits for its answer.
const MOST: usize = 1024;

const BEGIN: &str = "BEGIN IMMEDIATE; SAVEPOINT work";
// Keeping and undoing are put together with what follows: one hand-over to SQLite's thread instead of two.
const KEEP_NEXT: &str = "RELEASE work; SAVEPOINT work";
const UNDO_NEXT: &str = "ROLLBACK TO work; RELEASE work; SAVEPOINT work";
const KEEP_COMMIT: &str = "RELEASE work; COMMIT";
const UNDO_COMMIT: &str = "ROLLBACK TO work; RELEASE work; COMMIT";
const KEEP_TELL_COMMIT: &str = insert!("RELEASE work; ", "COMMIT");
const UNDO_TELL_COMMIT: &str = insert!("ROLLBACK TO work; RELEASE work; ", "COMMIT");

pub(super) enum Message {
    Work(Box<dyn Work>),
    /// Work that nobody waits for: it goes along with the next that somebody does wait for.
    Soon(Box<dyn Work>),
    Close,
}

/// A piece of work and who waits for it.
pub(super) trait Work: Send {
    /// Does the work. False when it failed and is to be undone.
    fn run<'t>(&'t mut self, tx: &'t mut Tx) -> BoxFuture<'t, bool>;

    /// Answers who waits, once the commit succeeded or failed.
    fn answer(self: Box<Self>, committed: &Result<()>);
}

/// A [`Work`] that changes something.
pub(super) struct Write<T, F> {
    work: Option<F>,
    result: Option<Result<T>>,
    reply: oneshot::Sender<Result<T>>,
}

impl<T, F> Write<T, F> {
    pub(super) fn new(work: F, reply: oneshot::Sender<Result<T>>) -> Self {
        Self {
            work: Some(work),
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
        Self(Write::new(work, reply))
    }
}

impl<T, F> Work for Query<T, F>
where
    T: Send + 'static,
    F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T>> + Send,
{
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
        let open = held.is_empty() || batch(&mut tx, &mut held, &mut waiting).await;
        if !(more && open) {
            break;
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

/// Does all that waits and commits once. False when it met the order to close.
async fn batch(
    tx: &mut Tx,
    held: &mut VecDeque<Box<dyn Work>>,
    waiting: &mut mpsc::UnboundedReceiver<Message>,
) -> bool {
    let mut done = Vec::new();
    let mut hooks = Vec::new();
    let mut drafts = Vec::new();
    let mut told = Vec::new();
    let mut open = true;
    let mut result = control(tx, BEGIN).await;
    let mut next = held.pop_front();
    while let Some(mut work) = next.take() {
        if result.is_ok() {
            let keep = work.run(tx).await;
            if keep {
                hooks.append(&mut tx.hooks);
                drafts.append(&mut tx.drafts);
            } else {
                tx.hooks.clear();
                tx.drafts.clear();
            }
            next = held.pop_front();
            if next.is_none() && done.len() + 1 < MOST {
                match waiting.try_recv() {
                    Ok(Message::Work(work) | Message::Soon(work)) => next = Some(work),
                    Ok(Message::Close) => open = false,
                    Err(_) => {}
                }
            }
            result = match (keep, next.is_some()) {
                (true, true) => control(tx, KEEP_NEXT).await,
                (false, true) => control(tx, UNDO_NEXT).await,
                (true, false) if drafts.is_empty() => control(tx, KEEP_COMMIT).await,
                (false, false) if drafts.is_empty() => control(tx, UNDO_COMMIT).await,
                (keep, false) => {
                    let sql = if keep {
                        KEEP_TELL_COMMIT
                    } else {
                        UNDO_TELL_COMMIT
                    };
                    let placed = tell(tx, sql, std::mem::take(&mut drafts)).await;
                    placed.map(|placed| told = placed)
                }
            };
        }
        done.push(work);
    }
    // What could not even begin is answered as what failed.
    done.extend(held.drain(..));
    if let Err(error) = &result {
        tracing::error!(
            ?error,
            works = done.len(),
            "a commit failed; its work is undone"
        );
        // SQLite may have undone the transaction by itself.
        let _ = control(tx, "ROLLBACK").await;
        hooks.clear();
        told.clear();
    } else {
        tx.commits.fetch_add(1, Ordering::AcqRel);
    }
    for hook in hooks {
        if std::panic::catch_unwind(AssertUnwindSafe(hook)).is_err() {
            tracing::error!("what was to follow a commit panicked");
        }
    }
    // After the hooks: who hears of a change finds it made.
    tx.events.publish(told);
    for work in done {
        work.answer(&result);
    }
    // Nobody waits for this.
    if let Err(error) = tx.events.clone().trim(&mut tx.conn).await {
        tracing::warn!(
            ?error,
            "old events could not be removed; that is tried again"
        );
    }
    open
}

/// Commits, with what the pieces of work tell.
async fn tell(tx: &mut Tx, sql: &'static str, drafts: Vec<Draft>) -> Result<Vec<Arc<Told>>> {
    let (before, text, placed) = tx.events.place(drafts)?;
    sqlx::query(sql)
        .bind(i64::try_from(before).unwrap_or(i64::MAX))
        .bind(text)
        .execute(&mut tx.conn)
        .await?;
    Ok(placed)
}

async fn control(tx: &mut Tx, sql: &'static str) -> Result<()> {
    sqlx::query(sql).execute(&mut tx.conn).await?;
    Ok(())
}

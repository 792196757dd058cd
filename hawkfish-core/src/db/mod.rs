//! The store: one SQLite database, one writer, and group commit.
//!
//! [`Store::write`] hands a piece of work to the writer. The writer takes all the work that waits, runs each piece in a savepoint of its own, commits
//! once, and only then answers all of them: what was answered survives a crash of the process and of the machine (`synchronous=FULL`), and a
//! disk that flushes a thousand times a second serves far more than a thousand writes.
//!
//! Rows that nothing else in their transaction reads are left to the commit (`Later`), which puts all of them in with one statement: what is told, entries of logs, and
//! how systems run. Work that does nothing else (`Store::later`) costs no statement of its own.
//!
//! Not in here: SQL. That is in the `rows.rs` of each room. Tables are named `hf_*`; times are integers, milliseconds since 1970; ids are
//! text; placeholders are `$1`. No transaction is held across anything but SQL.
//!
//! What rooms keep in memory beside their rows is changed by [`Tx::after_commit`]: in the order of the commits, before the writer is answered,
//! and not at all if the work failed.

#[doc(hidden)]
pub mod fuse;
pub(crate) mod later;
mod migrate;
mod owner;
mod readers;
pub mod settings;
mod writer;

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use jiff::Timestamp;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::sync::{Notify, mpsc, oneshot};

use crate::error::{Error, Result};
use crate::events::{self, Subject};
use crate::logs::Event;
use crate::{due, logs};
use fuse::Fuse;
pub(crate) use later::{Later, Row};
use owner::Ownership;
use readers::Readers;
use writer::{Message, Need, Query, Write};

/// The name of the database in the data directory.
pub const DATABASE: &str = "hawkfish.db";

/// How long SQLite waits for somebody else (a backup, a curious operator) who holds the database.
const BUSY: Duration = Duration::from_secs(10);

/// The database. Cheap to clone.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    jobs: mpsc::UnboundedSender<Message>,
    readers: Option<Readers>,
    due: Arc<due::View>,
    logs: Arc<logs::View>,
    events: Arc<events::Stream>,
    commits: Arc<AtomicU64>,
    soon: Notify,
    stopped: Mutex<Option<oneshot::Receiver<()>>>,
}

/// What a piece of work writes with: the savepoint that it runs in.
pub struct Tx {
    conn: SqliteConnection,
    /// Whether SQL was run since this was last set to false.
    touched: bool,
    later: Later,
    commits: Arc<AtomicU64>,
    fuse: Option<Arc<dyn Fuse>>,
}

impl Tx {
    /// The connection to run SQL on. `BEGIN`, `COMMIT` and the like are the writer's, not yours.
    pub fn conn(&mut self) -> &mut SqliteConnection {
        self.touched = true;
        &mut self.conn
    }

    /// Has `hook` run once this work is durable, in the order of the commits and before [`Store::write`] answers. It must be quick, and must
    /// not wait for anything. It does not run if the work fails.
    pub fn after_commit(&mut self, hook: impl FnOnce() + Send + 'static) {
        self.later.after_commit(hook);
    }

    /// Tells everybody who listens of something: it takes its place in the stream of events with the commit of this work, and not at all if the work fails.
    pub fn happened(&mut self, about: Subject, event: Event) {
        self.later.happened(about, event);
    }

    /// What goes in with the commit.
    pub(crate) fn later(&mut self) -> &mut Later {
        &mut self.later
    }

    /// The picture in memory of what is due.
    pub(crate) fn due(&self) -> &Arc<due::View> {
        &self.later.due
    }

    /// The next number of a sequence, from 1. A number is never handed out twice.
    pub(crate) async fn next_number(&mut self, sequence: &str) -> Result<u64> {
        let last: i64 = sqlx::query_scalar(
            "INSERT INTO hf_sequences (name, last) VALUES ($1, 1)
             ON CONFLICT (name) DO UPDATE SET last = hf_sequences.last + 1 RETURNING last",
        )
        .bind(sequence)
        .fetch_one(self.conn())
        .await?;
        u64::try_from(last).map_err(|e| Error::internal("A sequence is below zero.").caused_by(e))
    }
}

impl fmt::Debug for Tx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tx")
    }
}

impl Store {
    /// Opens the database in the directory `dir`, made (for its owner alone) where it is missing, and brings it up to date; or, without a
    /// directory, an empty one in memory that ends with the last handle.
    ///
    /// # Errors
    /// `Conflict::InUse` while another process has this directory; `Conflict::NotAllowed` when the database was made by a newer HawkFish;
    /// `Internal` when the file system or SQLite fails.
    pub async fn open(dir: Option<&Path>) -> Result<Self> {
        Self::open_with(dir, None).await
    }

    /// As [`Store::open`], with a way to die.
    pub(crate) async fn open_with(dir: Option<&Path>, fuse: Option<Arc<dyn Fuse>>) -> Result<Self> {
        let (options, ownership) = match dir {
            Some(dir) => {
                let ownership = Ownership::take(dir)?;
                let path = owner::database(dir)?;
                (file_options(&path), Some(ownership))
            }
            None => (SqliteConnectOptions::from_str("sqlite::memory:")?, None),
        };
        let options = options
            .foreign_keys(true)
            .busy_timeout(BUSY)
            .statement_cache_capacity(256)
            .disable_statement_logging();
        let failed = |e: sqlx::Error| {
            let e = Error::internal("The database could not be opened.").caused_by(e);
            dir.map_or(e.clone(), |dir| e.with("data_dir", dir.display()))
        };
        let mut conn = SqliteConnection::connect_with(
            &options
                .clone()
                .thread_name(|_| "hawkfish-sqlite".to_owned()),
        )
        .await
        .map_err(failed)?;
        migrate::run(&mut conn).await?;
        let due = Arc::new(due::View::load(&mut conn).await?);
        let logs = Arc::new(logs::View::load(&mut conn).await?);
        let events = Arc::new(events::Stream::load(&mut conn).await?);
        let readers = dir.map(|_| Readers::new(options.read_only(true).create_if_missing(false)));

        let (jobs, waiting) = mpsc::unbounded_channel();
        let (stop, stopped) = oneshot::channel();
        let tx = Tx {
            conn,
            touched: false,
            later: Later {
                left: later::Left::default(),
                due: due.clone(),
                logs: logs.clone(),
                events: events.clone(),
            },
            commits: Arc::default(),
            fuse,
        };
        let commits = Arc::clone(&tx.commits);
        writer::start(tx, waiting, move || {
            drop(ownership);
            // Nobody may be waiting.
            let _ = stop.send(());
        })?;
        Ok(Self(Arc::new(Inner {
            jobs,
            readers,
            due,
            logs,
            events,
            commits,
            soon: Notify::new(),
            stopped: Mutex::new(Some(stopped)),
        })))
    }

    /// Does a piece of work as one: all of it durable when this returns `Ok`, nothing of it otherwise. Work runs in the order in which it
    /// is handed in; it runs to its end even if the caller stops waiting. It must wait for nothing but SQL.
    ///
    /// # Errors
    /// What the work returns; `Internal` when it panics, when the commit fails, or after [`Store::close`].
    pub async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T>> + Send + 'static,
    {
        self.submit(work).await
    }

    /// Tells of something that is no change of the store's, durably.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub async fn tell(&self, about: Subject, event: Event) -> Result<()> {
        self.later(move |later| {
            later.happened(about, event);
            Ok(())
        })
        .await
    }

    /// As [`Store::write`], for work that runs SQL on rows that are [left](Later::leave) to the commit: those left before are in by then.
    pub(crate) fn write_settled<T, F>(
        &self,
        work: F,
    ) -> impl Future<Output = Result<T>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T>> + Send + 'static,
    {
        self.hand_in(work, Need::Settled)
    }

    /// As [`Store::write`], for work that needs no SQL: it costs no statement of its own.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub(crate) fn later<T, F>(&self, work: F) -> impl Future<Output = Result<T>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: FnOnce(&mut Later) -> Result<T> + Send + 'static,
    {
        self.hand_in(
            piece(move |tx: &mut Tx| {
                let done = work(&mut tx.later);
                Box::pin(async move { done })
            }),
            Need::Nothing,
        )
    }

    /// Hands in a piece of work at once, as [`Store::write`] does when it is first polled.
    pub(crate) fn submit<T, F>(&self, work: F) -> impl Future<Output = Result<T>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T>> + Send + 'static,
    {
        self.hand_in(work, Need::Sql)
    }

    fn hand_in<T, F>(
        &self,
        work: F,
        need: Need,
    ) -> impl Future<Output = Result<T>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T>> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let work = Message::Work(Box::new(Write::new(work, need, reply)));
        let sent = self.0.jobs.send(work).map_err(|_| closed());
        async move {
            sent?;
            answer.await.map_err(|_| closed())?
        }
    }

    /// Hands in a piece of work that nobody waits for. It is done in its turn, but makes no commit of its own: it goes along with the next work that
    /// somebody waits for, or with [`Store::flush`]. If it fails, the log says so.
    pub(crate) fn write_soon<F>(&self, work: F)
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<()>> + Send + 'static,
    {
        self.hand_in_soon(work, Need::Sql);
    }

    /// As [`Store::write_soon`], for work that needs no SQL.
    pub(crate) fn later_soon<F>(&self, work: F)
    where
        F: FnOnce(&mut Later) -> Result<()> + Send + 'static,
    {
        self.hand_in_soon(
            piece(move |tx: &mut Tx| {
                let done = work(&mut tx.later);
                Box::pin(async move { done })
            }),
            Need::Nothing,
        );
    }

    fn hand_in_soon<F>(&self, work: F, need: Need)
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<()>> + Send + 'static,
    {
        let (reply, _nobody) = oneshot::channel();
        let work = Write::new(
            piece(move |tx: &mut Tx| {
                Box::pin(async move {
                    let done = work(tx).await;
                    if let Err(error) = &done {
                        tracing::error!(
                            ?error,
                            "something that nobody waits for could not be stored"
                        );
                    }
                    done
                })
            }),
            need,
            reply,
        );
        // After the end there is nothing to be kept any more.
        let _ = self.0.jobs.send(Message::Soon(Box::new(work)));
        self.0.soon.notify_one();
    }

    /// Returns when something was handed in that nobody waits for.
    pub(crate) async fn has_soon(&self) {
        self.0.soon.notified().await;
    }

    /// Has everything stored that was handed in so far.
    ///
    /// # Errors
    /// `Internal` when the commit fails, or after [`Store::close`].
    pub async fn flush(&self) -> Result<()> {
        self.later(|_| Ok(())).await
    }

    /// Reads, beside the writer, what is committed.
    ///
    /// # Errors
    /// What the work returns; `Internal` when SQLite fails or after [`Store::close`].
    pub async fn read<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T>> + Send + 'static,
    {
        match &self.0.readers {
            Some(readers) => readers.read(work).await,
            // A database in memory is one connection, the writer's.
            None => {
                let (reply, answer) = oneshot::channel();
                self.0
                    .jobs
                    .send(Message::Work(Box::new(Query::new(work, reply))))
                    .map_err(|_| closed())?;
                answer.await.map_err(|_| closed())?
            }
        }
    }

    /// How many commits the writer has made since it began: counted before the hooks of a commit run, and before its work is answered.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.0.commits.load(Ordering::Acquire)
    }

    /// When the next thing is due, if anything is. From memory.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        self.0.due.next()
    }

    pub(crate) fn due(&self) -> &due::View {
        &self.0.due
    }

    pub(crate) fn logs(&self) -> &Arc<logs::View> {
        &self.0.logs
    }

    pub(crate) fn events(&self) -> &Arc<events::Stream> {
        &self.0.events
    }

    /// Ends the store: work handed in before is done and answered, the log is folded into the database, and the directory is free for
    /// another process. Work handed in later fails.
    pub async fn close(&self) {
        if let Some(readers) = &self.0.readers {
            readers.close().await;
        }
        let stopped = self.0.stopped.lock().expect("store").take();
        // Without a receiver the store is closed already; without a sender it is closed as well.
        let _ = self.0.jobs.send(Message::Close);
        if let Some(stopped) = stopped {
            let _ = stopped.await;
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Store")
    }
}

fn file_options(path: &PathBuf) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        // Folded into the database at a fourth of SQLite's own pace: it is mostly the same pages that change. After a burst it shrinks again.
        .pragma("wal_autocheckpoint", "4000")
        .pragma("journal_size_limit", "67108864")
}

/// So that the compiler knows for which transactions it is.
fn piece<T, F>(work: F) -> F
where
    F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T>> + Send + 'static,
{
    work
}

fn closed() -> Error {
    Error::internal("The store is closed.")
}

/// A moment as it is stored: milliseconds since 1970.
#[must_use]
pub fn to_ms(at: Timestamp) -> i64 {
    at.as_millisecond()
}

/// A stored moment.
///
/// # Errors
/// `Internal` when the number is no moment.
pub fn from_ms(ms: i64) -> Result<Timestamp> {
    Timestamp::from_millisecond(ms)
        .map_err(|e| Error::internal("A stored time is out of range.").caused_by(e))
}

#[cfg(test)]
mod tests;

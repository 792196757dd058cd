//! Tasks: work that outlives the request that asked for it, and a crash.
//!
//! A task is stored before the work begins and when it ends; how far it is in between is kept in memory alone, because it is worth nothing
//! after a crash. At a start, what was unfinished is either given to whoever can take it up again ([`Tasks::to_resume`]) or has failed, with a
//! reason. A task that has ended is deleted after a time that the operator sets.
//!
//! A task may have parts ([`Tasks::split`]): tasks that begin and end with the work on it, and with it are cancelled, deleted, and taken up again.
//!
//! Every change of state is told in the transaction that stores it. How far the work is makes no commit of its own, and is told in steps.
//!
//! Not in here: the work. The room that makes a task does it, and says how it goes through a [`TaskHandle`].

mod bustle;
mod entry;
mod failure;
mod handle;
mod life;
mod machine;
mod news;
mod parts;
mod rows;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clock::Clock;
use crate::ctx::Ctx;
use crate::db::{Store, settings};
use crate::due::{self, Due};
use crate::error::{Conflict, Error, ErrorKind, Invalid, Result};
use crate::id::{self, AccountId, ProjectId, SystemId, TaskId};
use crate::logs::Client;
use entry::Entry;

pub(crate) use bustle::Bustle;
pub use failure::Failure;
pub use handle::TaskHandle;
pub use machine::{Effect, Event, MOST_MESSAGES, TaskState};
pub use parts::{MOST_PARTS, NewPart};

/// The kind of the due row that deletes a task which has ended; its subject is the task.
pub const DUE_DELETE: &str = "task.delete";

/// Most unfinished tasks, and most ended ones that are kept: of these the oldest are deleted before their time.
pub const MOST: usize = 10_000;

/// How long a task is kept after its end, minutes, until an operator sets another time.
pub const AUTO_DELETE_MINUTES: u32 = 60;

/// The longest time that can be set, minutes: a week.
pub const MOST_AUTO_DELETE_MINUTES: u32 = 7 * 24 * 60;

const SETTINGS: &str = "tasks";

/// A task.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// Its number.
    pub id: TaskId,
    /// What it does, for people.
    pub name: String,
    /// What it does, for the room that made it.
    pub kind: String,
    /// The task of which it is a part.
    pub parent: Option<TaskId>,
    /// Its parts, in order.
    pub parts: Vec<TaskId>,
    /// The system that it works on.
    pub subject: Option<SystemId>,
    /// The project in which it was asked for.
    pub project: Option<ProjectId>,
    /// Who asked for it; `None` is HawkFish itself.
    pub owner: Option<AccountId>,
    /// Where it is in its life.
    pub state: TaskState,
    /// How far it is, 0 to 100.
    pub percent: u8,
    /// Whether it can be taken up again after a restart.
    pub resumable: bool,
    /// What is needed for that. No secrets.
    pub payload: Value,
    /// The request that asked for it.
    pub request: Option<RequestPayload>,
    /// What there is to say about it, the oldest first.
    pub messages: Vec<TaskMessage>,
    /// The system through whose face it was asked for; `None` is the face of the fleet.
    pub face: Option<SystemId>,
    /// When it was made.
    pub start: Timestamp,
    /// When it ended.
    pub end: Option<Timestamp>,
    /// Why it failed, or with what it ended when it was cancelled.
    pub failure: Option<Failure>,
    /// Grows with every change of any fact here.
    pub generation: u64,
}

/// Something said about a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskMessage {
    /// When.
    pub at: Timestamp,
    /// How bad it is.
    pub severity: Severity,
    /// A sentence.
    pub text: String,
}

/// How bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Severity {
    /// As it should be.
    Ok,
    /// Needs a look.
    Warning,
    /// Failed.
    Critical,
}

impl Severity {
    /// The name that Redfish gives it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warning => "Warning",
            Self::Critical => "Critical",
        }
    }
}

/// A request that asked for a task, as a task may show it: without headers, without passwords.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestPayload {
    /// The target.
    pub uri: String,
    /// The HTTP method.
    pub method: String,
    /// The body, with every password taken out.
    pub body: Option<Value>,
}

/// A task to be made.
#[derive(Clone, Debug, PartialEq)]
pub struct NewTask {
    /// What it does, for people.
    pub name: String,
    /// The system that it works on.
    pub subject: Option<SystemId>,
    /// What it does, for the room that makes it.
    pub kind: String,
    /// What is needed to take it up again. No secrets.
    pub payload: Value,
    /// The request that asked for it.
    pub request: Option<RequestPayload>,
    /// Whether it can be taken up again after a restart.
    pub resumable: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Settings {
    auto_delete_minutes: u32,
}

/// All tasks. Cheap to clone.
#[derive(Clone)]
pub struct Tasks(Arc<Inner>);

struct Inner {
    store: Store,
    clock: Arc<dyn Clock>,
    settings: Mutex<Settings>,
    entries: Arc<Entries>,
}

type Entries = RwLock<BTreeMap<u64, Arc<Entry>>>;

impl Tasks {
    /// The tasks of a store. What a restart interrupted is in [`Tasks::to_resume`] or has failed.
    ///
    /// # Errors
    /// `Internal` when the store fails.
    pub async fn open(store: &Store, clock: Arc<dyn Clock>) -> Result<Self> {
        let (settings, stored) = store
            .read(|conn| {
                Box::pin(async move {
                    let settings: Option<Settings> = settings::get(conn, SETTINGS).await?;
                    Ok((settings, rows::all(conn).await?))
                })
            })
            .await?;
        let settings = settings.unwrap_or(Settings {
            auto_delete_minutes: AUTO_DELETE_MINUTES,
        });
        let now = clock.now();
        let (entries, mut changed) = life::restarted(stored, now)?;
        if !changed.is_empty() {
            tracing::info!(tasks = changed.len(), "tasks were interrupted by a restart");
            // A task is told of after its parts.
            changed.sort_by_key(|(_, task)| {
                let own = number(&task.id).unwrap_or_default();
                let root = task.parent.as_ref().and_then(|id| number(id).ok());
                (root.unwrap_or(own), root.is_none(), own)
            });
            let delete_at = later(now, settings.auto_delete_minutes);
            store
                .write(move |tx| {
                    Box::pin(async move {
                        for (before, task) in &changed {
                            life::keep(tx, *before, task, now, None, delete_at).await?;
                        }
                        Ok(())
                    })
                })
                .await?;
        }
        Ok(Self(Arc::new(Inner {
            store: store.clone(),
            clock,
            settings: Mutex::new(settings),
            entries: Arc::new(RwLock::new(entries)),
        })))
    }

    /// Makes a task. It is durable when this returns.
    ///
    /// # Errors
    /// `LimitExceeded` when there are too many unfinished tasks; `Internal` when the store fails.
    pub async fn create(&self, ctx: &Ctx, new: NewTask) -> Result<Arc<Task>> {
        let unfinished =
            self.entries(|all| all.values().filter(|e| !e.task().state.ended()).count());
        if unfinished >= MOST {
            return Err(Error::new(
                ErrorKind::LimitExceeded { what: "tasks" },
                "There are too many unfinished tasks.",
            ));
        }
        let mut task = Task {
            // The number is known when the row is written.
            id: TaskId::parse("0")?,
            name: new.name,
            kind: new.kind,
            parent: None,
            parts: Vec::new(),
            subject: new.subject,
            project: ctx.project.clone(),
            owner: ctx.account().cloned(),
            face: ctx.face().cloned(),
            state: TaskState::New,
            percent: 0,
            resumable: new.resumable,
            payload: new.payload,
            request: new.request,
            messages: Vec::new(),
            start: self.0.clock.now(),
            end: None,
            failure: None,
            generation: 1,
        };
        let entries = self.0.entries.clone();
        self.0
            .store
            .write(move |tx| {
                Box::pin(async move {
                    let number = tx.next_number("tasks").await?;
                    task.id = TaskId::parse(&number.to_string())?;
                    rows::insert(tx, &task).await?;
                    let entry = Arc::new(Entry::new(task, false));
                    let task = entry.task();
                    tx.after_commit(move || {
                        entries
                            .write()
                            .unwrap_or_else(PoisonError::into_inner)
                            .insert(number, entry);
                    });
                    Ok(task)
                })
            })
            .await
    }

    /// All tasks that the caller may see, the oldest first, without those that are parts of others.
    #[must_use]
    pub fn list(&self, ctx: &Ctx) -> Vec<Arc<Task>> {
        self.entries(|all| {
            all.values()
                .map(|e| e.task())
                .filter(|t| t.parent.is_none() && visible(ctx, t))
                .collect()
        })
    }

    /// A task that is no part of another.
    ///
    /// # Errors
    /// `NotFound` when there is none, or when it belongs to a project that the caller may not see.
    pub fn get(&self, ctx: &Ctx, id: &TaskId) -> Result<Arc<Task>> {
        Ok(self.seen(ctx, id)?.task())
    }

    /// The handle of who works on a task, which begins with it. The handle of a task that is not there is that of a cancelled one: it tells
    /// to stop, and takes what is said to it without effect.
    #[must_use]
    pub fn handle(&self, id: &TaskId) -> TaskHandle {
        let entry = self.entry(id).ok();
        if let Some(entry) = &entry {
            self.start(entry);
        }
        TaskHandle::new(self.clone(), id.clone(), entry)
    }

    /// Waits until a task has ended, and gives it as it is then.
    ///
    /// # Errors
    /// `NotFound` when there is no such task, or when it is deleted before it ends.
    pub async fn finished(&self, id: &TaskId) -> Result<Arc<Task>> {
        // Only the receiver is held, so that the end of the task in memory ends the wait.
        let mut view = self.entry(id)?.view.subscribe();
        let task = view
            .wait_for(|task| task.state.ended())
            .await
            .map_err(|_| missing(id))?
            .clone();
        Ok(task)
    }

    /// Waits until a task has ended, or the work on it has to wait for so long that nobody should wait with it; and gives it as it is then.
    ///
    /// # Errors
    /// `NotFound` when there is no such task, or when it is deleted before it ends.
    pub async fn finished_or_held(&self, id: &TaskId) -> Result<Arc<Task>> {
        let entry = self.entry(id)?;
        let (mut view, held) = (entry.view.subscribe(), entry.held.clone());
        drop(entry);
        let is_over = |task: &Arc<Task>| task.state.ended() || held.load(Ordering::Acquire);
        let task = view.wait_for(is_over).await.map_err(|_| missing(id))?;
        Ok(task.clone())
    }

    /// Forgets a task and its parts, as a service does that loses count of what it does: the work goes on.
    ///
    /// # Errors
    /// `NotFound`; `Internal` when the store fails.
    pub async fn forget(&self, id: &TaskId) -> Result<()> {
        self.remove(id, None).await
    }

    /// Asks a task to stop, and its parts with it: one that nobody works on is `Cancelled` at once, another `Cancelling` until its work has ended.
    ///
    /// # Errors
    /// `NotFound`; `Conflict::NotAllowed` when it has ended; `Internal` when the store fails.
    pub async fn cancel(&self, ctx: &Ctx, id: &TaskId) -> Result<Arc<Task>> {
        let entry = self.seen(ctx, id)?;
        if entry.task().state.ended() {
            return Err(Error::conflict(
                Conflict::NotAllowed,
                "The task has ended already.",
            ));
        }
        self.apply(&entry, Event::CancelAsked, Client::of(ctx))
            .await
    }

    /// Deletes a task and its parts. One that has not ended is told to stop, and nothing is heard of it any more.
    ///
    /// # Errors
    /// `NotFound`; `Internal` when the store fails.
    pub async fn delete(&self, ctx: &Ctx, id: &TaskId) -> Result<()> {
        let entry = self.seen(ctx, id)?;
        self.remove(id, Client::of(ctx)).await?;
        entry.cancel.cancel();
        for part in self.parts_of(&entry.task()) {
            part.cancel.cancel();
        }
        Ok(())
    }

    /// The unfinished tasks of before the restart that can be taken up again, the oldest first.
    #[must_use]
    pub fn to_resume(&self) -> Vec<Arc<Task>> {
        self.entries(|all| {
            all.values()
                .map(|e| e.task())
                .filter(|t| t.parent.is_none() && t.state == TaskState::Interrupted)
                .collect()
        })
    }

    /// Whether a monitor has told the end of a task already.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn end_is_told(&self, ctx: &Ctx, id: &TaskId) -> Result<bool> {
        Ok(self.seen(ctx, id)?.told_end.load(Ordering::Acquire))
    }

    /// Notes that a monitor tells the end of a task. True for the first one, also over a restart.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn tell_end(&self, ctx: &Ctx, id: &TaskId) -> Result<bool> {
        let is_first = !self.seen(ctx, id)?.told_end.swap(true, Ordering::AcqRel);
        if is_first {
            let id = id.clone();
            self.0
                .store
                .write_soon(move |tx| Box::pin(async move { rows::put_told(tx, &id).await }));
        }
        Ok(is_first)
    }

    /// How long a task is kept after its end, minutes.
    #[must_use]
    pub fn auto_delete(&self) -> u32 {
        self.0
            .settings
            .lock()
            .expect("settings")
            .auto_delete_minutes
    }

    /// Sets how long tasks are kept after their end, 1 minute to a week; also those that have ended already.
    ///
    /// # Errors
    /// `Invalid` at `/TaskAutoDeleteTimeoutMinutes`; `Internal` when the store fails.
    pub async fn set_auto_delete(&self, ctx: &Ctx, minutes: u32) -> Result<()> {
        if !(1..=MOST_AUTO_DELETE_MINUTES).contains(&minutes) {
            return Err(Error::invalid(
                "/TaskAutoDeleteTimeoutMinutes",
                minutes.to_string(),
                Invalid::OutOfRange,
                format!("The time must be between 1 and {MOST_AUTO_DELETE_MINUTES} minutes."),
            ));
        }
        let ended: Vec<_> = self.entries(|all| {
            all.values()
                .filter_map(|e| {
                    let task = e.task();
                    let end = task.end.filter(|_| task.parent.is_none());
                    end.map(|end| (task.id.clone(), end))
                })
                .collect()
        });
        let new = Settings {
            auto_delete_minutes: minutes,
        };
        let inner = self.0.clone();
        let is_other = self.auto_delete() != minutes;
        self.0
            .store
            .write(move |tx| {
                Box::pin(async move {
                    settings::put(tx, SETTINGS, &new).await?;
                    if is_other {
                        let event = crate::logs::What::Changed.at(inner.clock.now());
                        let about = crate::events::Subject::Room(crate::events::Room::Tasks);
                        tx.happened(about, event);
                    }
                    for (id, end) in ended {
                        due::put(
                            tx,
                            later(end, minutes),
                            DUE_DELETE,
                            id.as_str(),
                            &Value::Null,
                        )
                        .await?;
                    }
                    tx.after_commit(move || *inner.settings.lock().expect("settings") = new);
                    Ok(())
                })
            })
            .await?;
        tracing::info!(minutes, by = ?ctx.account(), "time until tasks are deleted set");
        Ok(())
    }

    /// Does what a due row of kind [`DUE_DELETE`] asks for, and takes the row away.
    ///
    /// # Errors
    /// `Internal` when the store fails.
    pub async fn on_due(&self, due: &Due) -> Result<()> {
        match self.remove(&TaskId::parse(&due.subject)?, None).await {
            // Somebody was quicker, and the row goes all the same.
            Err(e) if matches!(e.kind(), ErrorKind::NotFound { .. }) => {
                let subject = due.subject.clone();
                self.0
                    .store
                    .write(move |tx| {
                        Box::pin(async move { due::remove(tx, DUE_DELETE, &subject).await })
                    })
                    .await
            }
            result => result,
        }
    }

    fn entries<T>(&self, look: impl FnOnce(&BTreeMap<u64, Arc<Entry>>) -> T) -> T {
        look(
            &self
                .0
                .entries
                .read()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    fn entry(&self, id: &TaskId) -> Result<Arc<Entry>> {
        let number = number(id)?;
        self.entries(|all| all.get(&number).cloned())
            .ok_or_else(|| missing(id))
    }

    fn seen(&self, ctx: &Ctx, id: &TaskId) -> Result<Arc<Entry>> {
        self.entry(id).and_then(|entry| {
            let task = entry.task();
            if task.parent.is_none() && visible(ctx, &task) {
                Ok(entry)
            } else {
                Err(missing(id))
            }
        })
    }
}

impl fmt::Debug for Tasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tasks")
    }
}

fn visible(ctx: &Ctx, task: &Task) -> bool {
    let about = task.subject.as_ref().or(task.face.as_ref());
    (ctx.project.is_none() || ctx.project == task.project)
        && (ctx.scope.is_none() || about == ctx.face())
}

fn missing(id: &TaskId) -> Error {
    Error::not_found("Task", id.as_str())
}

/// The number that a task's id is, written as HawkFish writes it.
fn number(id: &TaskId) -> Result<u64> {
    id::number(id.as_str()).ok_or_else(|| missing(id))
}

fn later(at: Timestamp, minutes: u32) -> Timestamp {
    at.checked_add(SignedDuration::from_mins(i64::from(minutes)))
        .unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;

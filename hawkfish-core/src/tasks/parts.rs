//! Parts of tasks.

use std::sync::{Arc, PoisonError};

use serde_json::Value;

use super::{Entry, MOST, Task, TaskState, Tasks, missing, number, rows};
use crate::ctx::Ctx;
use crate::error::{Conflict, Error, ErrorKind, Result};
use crate::id::{SystemId, TaskId};

/// Most parts of a task.
pub const MOST_PARTS: usize = 1_000;

/// A part of a task, to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPart {
    /// What it does, for people.
    pub name: String,
    /// The system that it works on.
    pub subject: Option<SystemId>,
}

impl Tasks {
    /// Divides a task into parts, and gives these in order; durable when this returns. A task that has parts, because this is not the first time that it is worked
    /// on, keeps those. From now on it is as far as its parts are on average, or further if whoever works on it says so.
    ///
    /// # Errors
    /// `NotFound`; `Conflict::NotAllowed` for a task that is to stop or has ended, or is a part itself; `LimitExceeded`; `Internal` when the store fails.
    pub async fn split(&self, id: &TaskId, parts: Vec<NewPart>) -> Result<Vec<Arc<Task>>> {
        let parent = self.entry(id)?;
        let gate = parent.gate.clone().lock_owned().await;
        let whole = parent.task();
        if !whole.parts.is_empty() {
            return Ok(self.parts_of(&whole).iter().map(|e| e.task()).collect());
        }
        let stops = whole.state == TaskState::Cancelling || whole.state.ended();
        if stops || whole.parent.is_some() {
            return Err(Error::conflict(
                Conflict::NotAllowed,
                "The task cannot be divided now.",
            ));
        }
        let unfinished =
            self.entries(|all| all.values().filter(|e| !e.task().state.ended()).count());
        if parts.len() > MOST_PARTS || unfinished + parts.len() > MOST {
            return Err(Error::new(
                ErrorKind::LimitExceeded { what: "tasks" },
                "There are too many unfinished tasks.",
            ));
        }
        let start = self.0.clock.now();
        let entries = self.0.entries.clone();
        let id = id.clone();
        self.0
            .store
            .write(move |tx| {
                Box::pin(async move {
                    if !rows::is_there(tx, &id).await? {
                        return Err(missing(&id));
                    }
                    let mut made = Vec::new();
                    for part in parts {
                        let number = tx.next_number("tasks").await?;
                        let task = Task {
                            id: TaskId::parse(&number.to_string())?,
                            name: part.name,
                            kind: whole.kind.clone(),
                            parent: Some(id.clone()),
                            parts: Vec::new(),
                            subject: part.subject,
                            project: whole.project.clone(),
                            owner: whole.owner.clone(),
                            face: whole.face.clone(),
                            state: TaskState::New,
                            percent: 0,
                            resumable: whole.resumable,
                            payload: Value::Null,
                            request: None,
                            messages: Vec::new(),
                            start,
                            end: None,
                            failure: None,
                            generation: 1,
                        };
                        rows::insert(tx, &task).await?;
                        made.push((number, Arc::new(Entry::new(task, false))));
                    }
                    let tasks: Vec<_> = made.iter().map(|(_, entry)| entry.task()).collect();
                    let ids = tasks.iter().map(|task| task.id.clone()).collect();
                    tx.after_commit(move || {
                        entries
                            .write()
                            .unwrap_or_else(PoisonError::into_inner)
                            .extend(made);
                        parent.view.send_modify(|task| {
                            let task = Arc::make_mut(task);
                            task.parts = ids;
                            task.generation += 1;
                        });
                        drop(gate);
                    });
                    Ok(tasks)
                })
            })
            .await
    }

    /// The parts of a task, in order.
    ///
    /// # Errors
    /// `NotFound` as [`Tasks::get`].
    pub fn parts(&self, ctx: &Ctx, id: &TaskId) -> Result<Vec<Arc<Task>>> {
        let whole = self.get(ctx, id)?;
        Ok(self.parts_of(&whole).iter().map(|e| e.task()).collect())
    }

    /// A part of a task.
    ///
    /// # Errors
    /// `NotFound` as [`Tasks::get`], and where the task has no such part.
    pub fn part(&self, ctx: &Ctx, id: &TaskId, part: &TaskId) -> Result<Arc<Task>> {
        let whole = self.get(ctx, id)?;
        let part = whole.parts.iter().find(|p| *p == part);
        let part = part.ok_or_else(|| Error::not_found("Task", id.as_str()))?;
        Ok(self.entry(part)?.task())
    }

    pub(super) fn parts_of(&self, whole: &Task) -> Vec<Arc<Entry>> {
        self.entries(|all| {
            let numbers = whole.parts.iter().filter_map(|id| number(id).ok());
            numbers.filter_map(|n| all.get(&n).cloned()).collect()
        })
    }

    /// Says how far a task is by its parts.
    pub(super) fn add_up(&self, whole: &TaskId) {
        let Ok(entry) = self.entry(whole) else {
            return;
        };
        let parts = self.parts_of(&entry.task());
        let done = |part: &Arc<Entry>| {
            let part = part.task();
            match part.state.ended() {
                true => 100,
                false => usize::from(part.percent),
            }
        };
        let sum: usize = parts.iter().map(done).sum();
        let percent = sum.checked_div(parts.len()).unwrap_or(0);
        self.get_on(&entry, u8::try_from(percent).unwrap_or(100), None);
    }
}

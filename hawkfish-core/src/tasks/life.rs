//! How changes of tasks are stored, told and shown.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use jiff::Timestamp;
use serde_json::Value;

use super::{
    DUE_DELETE, Effect, Entry, Event, MOST, Task, TaskState, Tasks, later, missing, news, number,
    rows,
};
use crate::db::Tx;
use crate::due;
use crate::error::{ErrorKind, Result};
use crate::events::{Subject, TaskNews};
use crate::id::TaskId;
use crate::logs::{self, Client, What};

/// Stored tasks as they are after a restart, and of those that it changed the state before. Parts are put to their tasks.
#[expect(clippy::type_complexity, reason = "it is taken apart at once")]
pub(super) fn restarted(
    stored: Vec<(Task, bool)>,
    now: Timestamp,
) -> Result<(BTreeMap<u64, Arc<Entry>>, Vec<(TaskState, Task)>)> {
    let mut parts: BTreeMap<TaskId, BTreeMap<u64, TaskId>> = BTreeMap::new();
    for (task, _) in &stored {
        if let Some(parent) = &task.parent {
            let of = parts.entry(parent.clone()).or_default();
            of.insert(number(&task.id)?, task.id.clone());
        }
    }
    let mut entries = BTreeMap::new();
    let mut changed = Vec::new();
    for (mut task, told) in stored {
        if let Some(parts) = parts.remove(&task.id) {
            task.parts = parts.into_values().collect();
        }
        let before = task.state;
        let (task, effects) = task.event(now, Event::Restarted);
        if effects.contains(&Effect::Store) {
            changed.push((before, task.clone()));
        }
        entries.insert(number(&task.id)?, Arc::new(Entry::new(task, told)));
    }
    Ok((entries, changed))
}

/// Stores a task that was in the state `before`, and tells what became of it.
pub(super) async fn keep(
    tx: &mut Tx,
    before: TaskState,
    task: &Task,
    at: Timestamp,
    by: Option<Client>,
    delete_at: Timestamp,
) -> Result<()> {
    if !rows::update(tx, task).await? {
        return Ok(());
    }
    if let Some(what) = task.news(before) {
        tx.happened(task.about(), logs::Event { at, what, by });
    }
    // Parts go with what they are parts of.
    if task.state.ended() && task.parent.is_none() {
        due::put(tx, delete_at, DUE_DELETE, task.id.as_str(), &Value::Null).await?;
    }
    Ok(())
}

impl Task {
    /// What events of it are about.
    pub(super) fn about(&self) -> Subject {
        match &self.parent {
            None => Subject::Task(self.id.clone()),
            Some(parent) => Subject::SubTask {
                task: parent.clone(),
                part: self.id.clone(),
            },
        }
    }
}

impl Tasks {
    /// Somebody begins to work on a task.
    pub(super) fn start(&self, entry: &Entry) {
        let at = self.0.clock.now();
        let Some((before, task)) = entry.happen(at, Event::Started) else {
            return;
        };
        let Some(what) = task.news(before) else {
            return;
        };
        self.0.store.write_soon(move |tx| {
            Box::pin(async move {
                if rows::start(tx, &task).await? {
                    tx.happened(task.about(), what.at(at));
                }
                Ok(())
            })
        });
    }

    /// The work on a task got on.
    pub(super) fn get_on(&self, entry: &Entry, percent: u8, message: Option<String>) {
        let at = self.0.clock.now();
        let event = Event::Progress { percent, message };
        let Some((_, task)) = entry.happen(at, event) else {
            return;
        };
        let told = entry.told_percent.load(Ordering::Acquire);
        let is_a_step = task.percent >= told.saturating_add(news::STEP);
        // Of several that see the same step one tells it.
        let tells = |from, to| {
            let swap = (Ordering::AcqRel, Ordering::Acquire);
            let told = &entry.told_percent;
            told.compare_exchange(from, to, swap.0, swap.1).is_ok()
        };
        if is_a_step && tells(told, task.percent) {
            let task = task.clone();
            self.0.store.write_soon(move |tx| {
                Box::pin(async move {
                    if rows::get_on(tx, &task).await? {
                        let what = What::Task(TaskNews::Progress(task.percent));
                        tx.happened(task.about(), what.at(at));
                    }
                    Ok(())
                })
            });
        }
        if let Some(parent) = &task.parent {
            self.add_up(parent);
        }
    }

    /// Lets `event` happen to a task, durably where the machine says so. What ends or stops it ends or stops its parts, too.
    pub(super) async fn apply(
        &self,
        entry: &Arc<Entry>,
        event: Event,
        by: Option<Client>,
    ) -> Result<Arc<Task>> {
        let gate = entry.gate.clone().lock_owned().await;
        let at = self.0.clock.now();
        let (_, effects) = Task::clone(&entry.task()).event(at, event.clone());
        let stops = matches!(event, Event::CancelAsked);
        if !effects.contains(&Effect::Store) {
            entry.happen(at, event);
            return Ok(entry.task());
        }
        let mut family = Vec::new();
        for part in self.parts_of(&entry.task()) {
            let gate = part.gate.clone().lock_owned().await;
            let event = match (&event, part.task().state) {
                // What was not even begun did not fail.
                (Event::Finished(Err(_)), TaskState::New) => Event::CancelAsked,
                _ => event.clone(),
            };
            family.push((part, event, gate));
        }
        family.push((entry.clone(), event, gate));
        let all: Vec<_> = family.iter().map(|(entry, _, _)| entry.clone()).collect();
        let delete_at = later(at, self.auto_delete());
        self.0
            .store
            .write(move |tx: &mut Tx| {
                Box::pin(async move {
                    for (entry, event, gate) in family {
                        // As it is by now: what the work said meanwhile is stored before this.
                        let before = entry.task();
                        let (next, effects) = Task::clone(&before).event(at, event.clone());
                        if effects.contains(&Effect::Store) {
                            keep(tx, before.state, &next, at, by.clone(), delete_at).await?;
                        }
                        tx.after_commit(move || {
                            entry.settle(at, event, next);
                            drop(gate);
                        });
                    }
                    Ok(())
                })
            })
            .await?;
        if stops {
            for one in all {
                one.cancel.cancel();
            }
        }
        let task = entry.task();
        if let Some(parent) = &task.parent {
            self.add_up(parent);
        }
        if task.state.ended() {
            self.trim().await?;
        }
        Ok(task)
    }

    /// Removes a task and its parts.
    pub(super) async fn remove(&self, id: &TaskId, by: Option<Client>) -> Result<()> {
        let at = self.0.clock.now();
        let (id, entries) = (id.clone(), self.0.entries.clone());
        self.0
            .store
            .write(move |tx| {
                Box::pin(async move {
                    let mut gone = Vec::new();
                    for id in rows::delete(tx, &id).await? {
                        gone.push((number(&id)?, id));
                    }
                    if gone.is_empty() {
                        return Err(missing(&id));
                    }
                    due::remove(tx, DUE_DELETE, id.as_str()).await?;
                    // The task itself has the lowest number, and goes last.
                    gone.sort_unstable_by_key(|one| std::cmp::Reverse(one.0));
                    for (_, one) in &gone {
                        let about = match *one == id {
                            true => Subject::Task(id.clone()),
                            false => Subject::SubTask {
                                task: id.clone(),
                                part: one.clone(),
                            },
                        };
                        let what = What::Task(TaskNews::Removed);
                        let by = by.clone();
                        tx.happened(about, logs::Event { at, what, by });
                    }
                    tx.after_commit(move || {
                        let mut entries = entries.write().unwrap_or_else(PoisonError::into_inner);
                        for (number, _) in gone {
                            entries.remove(&number);
                        }
                    });
                    Ok(())
                })
            })
            .await
    }

    /// Deletes the oldest ended tasks where there are too many.
    async fn trim(&self) -> Result<()> {
        let ended: Vec<_> = self.entries(|all| {
            if all.len() <= MOST {
                return Vec::new();
            }
            let mut ended: Vec<_> = all
                .values()
                .map(|e| e.task())
                .filter(|t| t.parent.is_none() && t.state.ended())
                .collect();
            ended.sort_by_key(|t| t.end);
            ended.into_iter().map(|t| t.id.clone()).collect()
        });
        for id in ended.iter().take(ended.len().saturating_sub(MOST)) {
            match self.remove(id, None).await {
                Err(e) if !matches!(e.kind(), ErrorKind::NotFound { .. }) => return Err(e),
                _ => {}
            }
        }
        Ok(())
    }
}

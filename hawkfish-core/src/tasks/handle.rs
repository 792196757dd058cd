//! How the work on a task is told.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{Entry, Event, Failure, Tasks, rows};
use crate::error::Result;
use crate::id::TaskId;

/// In the hands of who works on a task.
#[derive(Clone)]
pub struct TaskHandle {
    tasks: Tasks,
    id: TaskId,
    entry: Option<Arc<Entry>>,
}

impl TaskHandle {
    pub(super) fn new(tasks: Tasks, id: TaskId, entry: Option<Arc<Entry>>) -> Self {
        Self { tasks, id, entry }
    }

    /// The task.
    #[must_use]
    pub fn id(&self) -> &TaskId {
        &self.id
    }

    /// Says how far the work is, 0 to 100, and maybe something worth knowing. Kept in memory until the task ends, and told in steps.
    pub fn progress(&self, percent: u8, message: Option<&str>) {
        if let Some(entry) = &self.entry {
            let message = message.map(str::to_owned);
            self.tasks.get_on(entry, percent, message);
        }
    }

    /// Says that the work has to wait for long, so that nobody waits with it.
    pub(crate) fn hold(&self) {
        if let Some(entry) = &self.entry {
            entry.held.store(true, std::sync::atomic::Ordering::Release);
            entry.view.send_modify(|_| ());
        }
    }

    /// Says what somebody should look at, though the work goes on.
    pub fn warn(&self, text: &str) {
        if let Some(entry) = &self.entry {
            entry.happen(self.tasks.0.clock.now(), Event::Warned(text.to_owned()));
        }
    }

    /// Is cancelled when the work should stop.
    #[must_use]
    pub fn cancelled(&self) -> CancellationToken {
        match &self.entry {
            Some(entry) => entry.cancel.clone(),
            None => {
                let token = CancellationToken::new();
                token.cancel();
                token
            }
        }
    }

    /// Changes what is needed to take the task up again after a crash: durable when this returns. Where the task was deleted nothing happens.
    ///
    /// # Errors
    /// `Internal` when the store fails.
    pub async fn set_payload(&self, payload: Value) -> Result<()> {
        let Some(entry) = self.entry.clone() else {
            return Ok(());
        };
        let id = self.id.clone();
        self.tasks
            .0
            .store
            .write(move |tx| {
                Box::pin(async move {
                    rows::update_payload(tx, &id, &payload).await?;
                    tx.after_commit(move || {
                        entry
                            .view
                            .send_modify(|task| Arc::make_mut(task).payload = payload)
                    });
                    Ok(())
                })
            })
            .await
    }

    /// Says how the work ended: durable when this returns. The first end of a task counts.
    ///
    /// # Errors
    /// `Internal` when the store fails.
    pub async fn finish(&self, result: Result<()>) -> Result<()> {
        if let Some(entry) = &self.entry {
            let result = result.map_err(|e| Failure::from(&e));
            self.tasks
                .apply(entry, Event::Finished(result), None)
                .await?;
        }
        Ok(())
    }
}

impl fmt::Debug for TaskHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TaskHandle").field(&self.id).finish()
    }
}

//! What there is to tell of a task.

use super::{Severity, Task, TaskState};
use crate::events::TaskNews;
use crate::logs::What;

/// By how many percent a task must have got on before that is told.
pub(super) const STEP: u8 = 10;

impl Task {
    /// What there is to tell of a task that was as `before` and is as this one; how far it is is told apart.
    pub(super) fn news(&self, before: TaskState) -> Option<What> {
        use TaskState::{Cancelled, Cancelling, Completed, Exception, Interrupted, New, Running};
        if before == self.state {
            return None;
        }
        let warned = || self.messages.iter().any(|m| m.severity > Severity::Ok);
        Some(What::Task(match self.state {
            New => return None,
            Running if before == Interrupted => TaskNews::Resumed,
            Running => TaskNews::Started,
            Interrupted => TaskNews::Paused,
            Cancelling => return Some(What::Changed),
            Completed if warned() => TaskNews::CompletedWithWarning,
            Completed => TaskNews::Completed,
            Exception => TaskNews::Failed,
            Cancelled => TaskNews::Cancelled,
        }))
    }
}

//! The life of a task, without clock, store or work.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Failure, Severity, Task, TaskMessage};
use crate::error::Error;

/// Most messages that a task keeps; the oldest go first.
pub const MOST_MESSAGES: usize = 100;

/// The states of a task that HawkFish uses, of those that the Task schema has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum TaskState {
    /// Made, and not begun.
    New,
    /// At work.
    Running,
    /// Cut off by a restart, and about to be taken up again.
    Interrupted,
    /// At work, and asked to stop.
    Cancelling,
    /// Done.
    Completed,
    /// Failed.
    Exception,
    /// Stopped because somebody asked for it.
    Cancelled,
}

impl TaskState {
    /// Every state.
    pub const ALL: [Self; 7] = [
        Self::New,
        Self::Running,
        Self::Interrupted,
        Self::Cancelling,
        Self::Completed,
        Self::Exception,
        Self::Cancelled,
    ];

    /// Whether nothing follows.
    #[must_use]
    pub fn ended(self) -> bool {
        matches!(self, Self::Completed | Self::Exception | Self::Cancelled)
    }

    /// The name that Redfish gives it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "New",
            Self::Running => "Running",
            Self::Interrupted => "Interrupted",
            Self::Cancelling => "Cancelling",
            Self::Completed => "Completed",
            Self::Exception => "Exception",
            Self::Cancelled => "Cancelled",
        }
    }
}

/// What happens to a task.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Somebody begins to work on it.
    Started,
    /// The work gets on.
    Progress {
        /// How far it is, 0 to 100. It never goes back.
        percent: u8,
        /// Something worth knowing.
        message: Option<String>,
    },
    /// Something needs a look, though the work goes on.
    Warned(String),
    /// Somebody wants it to stop.
    CancelAsked,
    /// The work has ended.
    Finished(Result<(), Failure>),
    /// HawkFish starts, and nobody works on it any more.
    Restarted,
}

/// What follows from an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The task must be stored before anybody is told.
    Store,
    /// The work is to be told to stop.
    StopWork,
    /// The task has ended: who waits for it goes on, and its deletion can be put down.
    Ended,
}

/// ```text
///              ┌────────── Finished(Ok) ──────────────────────────────► Completed
///              │
///   New ─Started/Progress─► Running ──────── Finished(Err) ───────────► Exception
///    │                      │ ▲  │
///    │                      │ │  └ CancelAsked ► Cancelling ─ Finished(Ok) ► Completed
///    │            Restarted │ │ Started             │
///    │          (resumable) ▼ │                     ├ Finished(Err) ─────► Cancelled
///    │                   Interrupted                └ Restarted ─────────► Cancelled
///    │                        │
///    └──── CancelAsked ───────┴──────────────────────────────────────────► Cancelled
///
///   New, Running, Interrupted ─ Restarted (not resumable) ───────────────► Exception
///   New, Interrupted ─ Finished: as Running.     An ended task: nothing happens to it.
/// ```
impl Task {
    /// What becomes of the task when `event` happens at `at`, and what follows from it.
    #[must_use]
    pub fn event(self, at: Timestamp, event: Event) -> (Self, Vec<Effect>) {
        use TaskState::{Cancelled, Cancelling, Completed, Exception, Interrupted, New, Running};
        let state = self.state;
        if state.ended() {
            return (self, Vec::new());
        }
        match event {
            Event::Started => match state {
                New | Interrupted => (self.now(Running), Vec::new()),
                _ => (self, Vec::new()),
            },
            Event::Progress { percent, message } => {
                let state = if state == Cancelling {
                    Cancelling
                } else {
                    Running
                };
                let percent = percent.min(100).max(self.percent);
                if (state, percent, &message) == (self.state, self.percent, &None) {
                    return (self, Vec::new());
                }
                let mut next = self.now(state);
                next.percent = percent;
                if let Some(text) = message {
                    next.say(at, Severity::Ok, text);
                }
                (next, Vec::new())
            }
            Event::Warned(text) => {
                let mut next = self.now(state);
                next.say(at, Severity::Warning, text);
                (next, Vec::new())
            }
            Event::CancelAsked => match state {
                Cancelling => (self, Vec::new()),
                Running => (self.now(Cancelling), vec![Effect::Store, Effect::StopWork]),
                _ => (
                    self.end(at, Cancelled, None),
                    vec![Effect::Store, Effect::StopWork, Effect::Ended],
                ),
            },
            Event::Finished(result) => {
                let next = match result {
                    Ok(()) => {
                        let mut next = self.end(at, Completed, None);
                        next.percent = 100;
                        next
                    }
                    Err(failure) if state == Cancelling => self.end(at, Cancelled, Some(failure)),
                    Err(failure) => self.end(at, Exception, Some(failure)),
                };
                (next, vec![Effect::Store, Effect::Ended])
            }
            Event::Restarted if state == Cancelling => (
                self.end(at, Cancelled, None),
                vec![Effect::Store, Effect::Ended],
            ),
            Event::Restarted if self.resumable && state == Interrupted => (self, Vec::new()),
            Event::Restarted if self.resumable => (self.now(Interrupted), vec![Effect::Store]),
            Event::Restarted => {
                let failure = Failure::from(&Error::internal(
                    "HawkFish was restarted before the task was done, and it cannot be taken up again.",
                ));
                (
                    self.end(at, Exception, Some(failure)),
                    vec![Effect::Store, Effect::Ended],
                )
            }
        }
    }

    fn now(mut self, state: TaskState) -> Self {
        self.state = state;
        self.generation += 1;
        self
    }

    fn end(self, at: Timestamp, state: TaskState, failure: Option<Failure>) -> Self {
        let mut next = self.now(state);
        next.end = Some(at);
        match (state, &failure) {
            (TaskState::Cancelled, _) => {
                next.say(at, Severity::Warning, "The task was cancelled.".to_owned())
            }
            (_, Some(failure)) => next.say(at, Severity::Critical, failure.message.clone()),
            (_, None) => {}
        }
        next.failure = failure;
        next
    }

    fn say(&mut self, at: Timestamp, severity: Severity, text: String) {
        if self.messages.len() >= MOST_MESSAGES {
            self.messages.remove(0);
        }
        self.messages.push(TaskMessage { at, severity, text });
    }
}

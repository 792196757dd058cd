//! A task in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8};

use jiff::Timestamp;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Event, Task, TaskState};

pub(super) struct Entry {
    pub(super) view: watch::Sender<Arc<Task>>,
    /// Held from the decision to store a change until the change is in the view. A task's comes before those of its parts.
    pub(super) gate: Arc<tokio::sync::Mutex<()>>,
    pub(super) cancel: CancellationToken,
    /// How far it was when that was last told.
    pub(super) told_percent: AtomicU8,
    /// Whether its monitor has told its end.
    pub(super) told_end: AtomicBool,
    /// Whether the work has to wait for so long that nobody should wait with it.
    pub(super) held: Arc<AtomicBool>,
}

impl Entry {
    pub(super) fn new(task: Task, told_end: bool) -> Self {
        Self {
            told_percent: task.percent.into(),
            view: watch::Sender::new(Arc::new(task)),
            gate: Arc::default(),
            cancel: CancellationToken::new(),
            told_end: told_end.into(),
            held: Arc::default(),
        }
    }

    pub(super) fn task(&self) -> Arc<Task> {
        self.view.borrow().clone()
    }

    /// Lets `event` happen in memory. Where it changes something: the state before, and the task after.
    pub(super) fn happen(&self, at: Timestamp, event: Event) -> Option<(TaskState, Arc<Task>)> {
        let mut changed = None;
        self.view.send_if_modified(|task| {
            let (next, _) = Task::clone(task).event(at, event);
            if next != **task {
                let next = Arc::new(next);
                changed = Some((task.state, next.clone()));
                *task = next;
            }
            changed.is_some()
        });
        changed
    }

    /// Shows what is stored: `next`, which `event` has made. What the work said meanwhile stays, but for an end.
    pub(super) fn settle(&self, at: Timestamp, event: Event, mut next: Task) {
        if !next.state.ended() {
            self.happen(at, event);
            return;
        }
        self.view.send_modify(|task| {
            next.generation = next.generation.max(task.generation + 1);
            *task = Arc::new(next);
        });
    }
}

//! What there is to tell of a job.

use super::{Event, Job, JobState};
use crate::events::JobNews;
use crate::logs::What;

impl Job {
    /// What there is to tell of a job to which something happened in the state `before`.
    pub(super) fn news(&self, before: JobState, event: &Event) -> What {
        use JobState::{Cancelled, Completed, Exception, Pending, Running, Suspended};
        let result = match event {
            Event::Made => return What::Created,
            Event::Finished(result) => Some(result.is_ok()),
            // Whatever it was doing, nobody knows that it is done.
            Event::Restarted => Some(false),
            _ => None,
        };
        What::Job(match (result, before, self.state) {
            // One that recurs waits again after that.
            (Some(true), _, _) => JobNews::Completed,
            (Some(false), _, _) => JobNews::Failed,
            (None, Pending, Running) => JobNews::Started,
            (None, Pending, Suspended) => JobNews::Suspended,
            (None, Suspended, Pending) => JobNews::Resumed,
            (None, _, Cancelled) => JobNews::Cancelled,
            (None, _, Exception) => JobNews::Failed,
            // Of a schedule that came to its end.
            (None, _, Completed) => JobNews::Completed,
            (None, _, Pending | Running | Suspended) => return What::Changed,
        })
    }
}

//! The life of a job, without clock, store or work.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Job, Schedule};
use crate::tasks::{Severity, TaskMessage};

/// Most messages that a job keeps; the oldest go first.
pub const MOST_MESSAGES: usize = 50;

/// How late something may still be done, because HawkFish was not there. Cutting the power hours after it was wanted is worse than not at all.
pub const GRACE: SignedDuration = SignedDuration::from_mins(15);

/// The states of a job that HawkFish uses, of those that the Job schema has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum JobState {
    /// It waits for its time.
    Pending,
    /// It is at work.
    Running,
    /// Somebody has stopped it for a while.
    Suspended,
    /// All that was to be done is done.
    Completed,
    /// The last that was to be done failed.
    Exception,
    /// Somebody has stopped it for good.
    Cancelled,
}

impl JobState {
    /// Whether nothing follows.
    #[must_use]
    pub fn ended(self) -> bool {
        matches!(self, Self::Completed | Self::Exception | Self::Cancelled)
    }

    /// The name that Redfish gives it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Running => "Running",
            Self::Suspended => "Suspended",
            Self::Completed => "Completed",
            Self::Exception => "Exception",
            Self::Cancelled => "Cancelled",
        }
    }
}

/// What happens to a job.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// It is made.
    Made,
    /// The time that it was to happen has come.
    Due {
        /// When that was.
        planned: Timestamp,
    },
    /// What was to be done is done, or has failed for a reason.
    Finished(Result<(), String>),
    /// Somebody stops it for a while.
    SuspendAsked,
    /// Somebody lets it go on.
    ResumeAsked,
    /// Somebody stops it for good.
    CancelAsked,
    /// Somebody gives it another schedule.
    Rescheduled(Schedule),
    /// HawkFish starts, and nobody works on it any more.
    Restarted,
}

/// What follows from an event. All that is stored is stored as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The job must be stored.
    Store,
    /// It is due at [`Job::next`], or no more where there is none.
    Wake,
    /// The work is to be done, once the rest is stored.
    Run,
}

/// ```text
///            Due, in time                Finished(Ok), the last one
///   Pending ──────────────▶ Running ───────────────────────────────▶ Completed
///    │ ▲ │ ▲                 │ │ └── Finished(Err), the last one ──▶ Exception
///    │ │ │ └─ Finished ──────┘ │                                        ▲
///    │ │ │    Restarted        └──── Restarted, the last one ───────────┤
///    │ │ └── Due, too late, the last one ───────────────────────────────┘
///    │ └─ ResumeAsked ── Suspended
///    └──── SuspendAsked ────▶│
///   Pending, Running, Suspended ── CancelAsked ────────────────────▶ Cancelled
/// ```
/// That something is begun is stored before it is begun, and with it when it is due next: what a crash cuts off is not begun again.
impl Job {
    /// What becomes of the job when `event` happens at `at`, and what follows from it.
    #[must_use]
    pub fn event(mut self, at: Timestamp, event: Event) -> (Self, Vec<Action>) {
        use JobState::{Cancelled, Completed, Exception, Pending, Running, Suspended};
        const PLANNED: &[Action] = &[Action::Store, Action::Wake];
        if self.state.ended() {
            return (self, Vec::new());
        }
        self.generation += 1;
        match (event, self.state) {
            (Event::Made, _) => {
                // What should have begun already begins now.
                self.next = self.schedule.next(None, 0, self.made);
                (self, PLANNED.to_vec())
            }
            (Event::Due { planned }, Pending) => {
                if at.duration_since(planned) > GRACE {
                    self.say(
                        at,
                        Severity::Warning,
                        format!("What was due at {planned} was not done: HawkFish or the host was not there in time."),
                    );
                    self.next = self.schedule.next(Some(at), self.runs, self.made);
                    if self.next.is_none() {
                        self.end(at, Exception);
                    }
                    return (self, PLANNED.to_vec());
                }
                self.runs += 1;
                self.next = self.schedule.next(Some(at), self.runs, self.made);
                self.state = Running;
                self.started = Some(at);
                (self, vec![Action::Store, Action::Wake, Action::Run])
            }
            (Event::Due { planned }, _) => {
                self.next = self.schedule.next(Some(at), self.runs, self.made);
                if self.state == Running {
                    let text = format!(
                        "What was due at {planned} was left out: the last one still goes on."
                    );
                    self.say(at, Severity::Warning, text);
                }
                if self.state == Suspended {
                    self.next = None;
                }
                (self, PLANNED.to_vec())
            }
            (Event::Finished(result), Running) => {
                let failed = result.is_err();
                match result {
                    Ok(()) => {
                        let text = format!("Done, for the {} time.", ordinal(self.runs));
                        self.say(at, Severity::Ok, text);
                    }
                    Err(why) => {
                        self.failures += 1;
                        self.say(at, Severity::Critical, why);
                    }
                }
                match (self.next, failed) {
                    (Some(_), _) => self.state = Pending,
                    (None, false) => self.end(at, Completed),
                    (None, true) => self.end(at, Exception),
                }
                (self, vec![Action::Store])
            }
            (Event::SuspendAsked, Pending) => {
                self.state = Suspended;
                self.next = None;
                (self, PLANNED.to_vec())
            }
            (Event::ResumeAsked, Suspended) => {
                self.state = Pending;
                self.plan(at);
                (self, PLANNED.to_vec())
            }
            (Event::CancelAsked, _) => {
                self.next = None;
                self.say(at, Severity::Warning, "The job was cancelled.".to_owned());
                self.end(at, Cancelled);
                (self, PLANNED.to_vec())
            }
            (Event::Rescheduled(schedule), state) => {
                self.schedule = schedule;
                if state != Suspended {
                    self.plan(at);
                }
                (self, PLANNED.to_vec())
            }
            (Event::Restarted, Running) => {
                self.failures += 1;
                let text = "HawkFish was restarted while it was at work; whether all was done is not known.";
                self.say(at, Severity::Critical, text.to_owned());
                if self.next.is_some() {
                    self.state = Pending;
                } else {
                    self.end(at, Exception);
                }
                (self, vec![Action::Store])
            }
            (
                Event::Finished(_) | Event::SuspendAsked | Event::ResumeAsked | Event::Restarted,
                _,
            ) => {
                self.generation -= 1;
                (self, Vec::new())
            }
        }
    }

    /// When it happens next, from now on; nothing more to happen is the end of it.
    fn plan(&mut self, now: Timestamp) {
        let earlier = now
            .checked_sub(SignedDuration::from_millis(1))
            .unwrap_or(now);
        self.next = self.schedule.next(Some(earlier), self.runs, self.made);
        if self.next.is_none() && self.state != JobState::Running {
            self.end(now, JobState::Completed);
        }
    }

    fn end(&mut self, at: Timestamp, state: JobState) {
        self.state = state;
        self.ended = Some(at);
    }

    fn say(&mut self, at: Timestamp, severity: Severity, text: String) {
        if self.messages.len() >= MOST_MESSAGES {
            self.messages.remove(0);
        }
        self.messages.push(TaskMessage { at, severity, text });
    }
}

fn ordinal(number: u64) -> String {
    let ending = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{JobId, SystemId};
    use crate::jobs::Work;
    use crate::systems::ResetType;
    use crate::tasks::RequestPayload;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_900_000_000 + seconds).unwrap()
    }

    fn job(schedule: Schedule) -> Job {
        let job = Job {
            id: JobId::parse("1").unwrap(),
            name: "night".into(),
            work: Work::Reset {
                system: SystemId::parse("one").unwrap(),
                reset: ResetType::On,
            },
            request: RequestPayload {
                uri: "/".into(),
                method: "POST".into(),
                body: None,
            },
            schedule,
            owner: None,
            created_by: "admin".into(),
            project: None,
            state: JobState::Pending,
            runs: 0,
            failures: 0,
            next: None,
            messages: Vec::new(),
            made: at(0),
            started: None,
            ended: None,
            generation: 1,
        };
        let (job, actions) = job.event(at(0), Event::Made);
        assert_eq!(actions, [Action::Store, Action::Wake]);
        job
    }

    fn minutely() -> Schedule {
        Schedule::every(at(60), SignedDuration::from_secs(60))
    }

    #[test]
    fn a_job_that_is_done_once_is_completed_and_one_that_fails_is_an_exception() {
        for (result, state) in [
            (Ok(()), JobState::Completed),
            (Err("no".to_owned()), JobState::Exception),
        ] {
            let job = job(Schedule::once(at(10)));
            assert_eq!(job.next, Some(at(10)));
            let (job, actions) = job.event(at(10), Event::Due { planned: at(10) });
            assert_eq!(actions, [Action::Store, Action::Wake, Action::Run]);
            assert_eq!((job.state, job.next), (JobState::Running, None));
            let (job, _) = job.event(at(11), Event::Finished(result));
            assert_eq!((job.state, job.ended), (state, Some(at(11))));
            assert!(job.event(at(12), Event::CancelAsked).1.is_empty());
        }
    }

    #[test]
    fn a_job_that_recurs_waits_again_whether_or_not_it_succeeded() {
        let job = job(minutely());
        let (job, _) = job.event(at(60), Event::Due { planned: at(60) });
        assert_eq!(job.next, Some(at(120)));
        let (job, _) = job.event(at(61), Event::Finished(Err("no".into())));
        assert_eq!((job.state, job.failures), (JobState::Pending, 1));
        let (job, actions) = job.event(at(120), Event::Due { planned: at(120) });
        assert_eq!((job.runs, actions.len()), (2, 3));
    }

    #[test]
    fn what_a_crash_cut_off_is_not_begun_again() {
        let once = job(Schedule::once(at(10)));
        let (once, _) = once.event(at(10), Event::Due { planned: at(10) });
        let (once, actions) = once.event(at(20), Event::Restarted);
        assert_eq!(once.state, JobState::Exception);
        assert!(!actions.contains(&Action::Run));
        let again = job(minutely());
        let (again, _) = again.event(at(60), Event::Due { planned: at(60) });
        let (again, _) = again.event(at(70), Event::Restarted);
        assert_eq!(
            (again.state, again.next),
            (JobState::Pending, Some(at(120)))
        );
    }

    #[test]
    fn what_is_too_late_is_not_done_but_what_is_a_little_late_is() {
        let late = at(10) + GRACE;
        let (job_, actions) =
            job(Schedule::once(at(10))).event(late, Event::Due { planned: at(10) });
        assert!(actions.contains(&Action::Run), "{job_:?}");
        let later = late + SignedDuration::from_secs(1);
        let (job_, actions) =
            job(Schedule::once(at(10))).event(later, Event::Due { planned: at(10) });
        assert!(!actions.contains(&Action::Run));
        assert_eq!((job_.state, job_.runs), (JobState::Exception, 0));
    }

    #[test]
    fn a_suspended_job_does_nothing_until_it_is_resumed() {
        let (job, _) = job(minutely()).event(at(30), Event::SuspendAsked);
        assert_eq!((job.state, job.next), (JobState::Suspended, None));
        let (job, actions) = job.event(at(60), Event::Due { planned: at(60) });
        assert!(!actions.contains(&Action::Run));
        assert_eq!(job.next, None);
        let (job, _) = job.event(at(90), Event::ResumeAsked);
        assert_eq!((job.state, job.next), (JobState::Pending, Some(at(120))));
        let (job, _) = job.event(at(91), Event::CancelAsked);
        assert_eq!((job.state, job.next), (JobState::Cancelled, None));
    }
}

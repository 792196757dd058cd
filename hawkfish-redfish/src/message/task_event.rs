//! The registries TaskEvent and JobEvent: DMTF's keys, argument counts and severities; our words.

use super::Severity::{Critical, OK, Warning};
use super::registry::{Entry, Registry, entry, news};

/// What becomes of tasks.
pub const TASK_EVENT: Registry = Registry {
    prefix: "TaskEvent",
    version: "1.0",
    release: "1.0.5",
    entries: TASK,
};

/// What becomes of jobs.
pub const JOB_EVENT: Registry = Registry {
    prefix: "JobEvent",
    version: "1.1",
    release: "1.1.1",
    entries: JOB,
};

const READ_TASK: &str = "Read the task; its messages say why.";
const READ_JOB: &str = "Read the job; its messages say why.";

const TASK: &[Entry] = &[
    news("TaskStarted", OK, "Task %1 has begun."),
    news("TaskProgressChanged", OK, "Task %1 is %2 percent done."),
    news("TaskCompletedOK", OK, "Task %1 is done."),
    entry(
        "TaskCompletedWarning",
        Warning,
        "Task %1 is done, and has something to say.",
        READ_TASK,
    ),
    entry("TaskAborted", Critical, "Task %1 failed.", READ_TASK),
    entry(
        "TaskCancelled",
        Warning,
        "Task %1 was stopped on request.",
        "Start the operation again if it is still wanted.",
    ),
    news("TaskRemoved", Warning, "Task %1 was deleted."),
    news(
        "TaskPaused",
        Warning,
        "Task %1 stands still for now; it will be taken up again.",
    ),
    news("TaskResumed", OK, "Task %1 was taken up again."),
];

const JOB: &[Entry] = &[
    news("JobStarted", OK, "Job %1 has begun."),
    news("JobProgressChanged", OK, "Job %1 is %2 percent done."),
    news("JobCompletedOK", OK, "Job %1 is done."),
    entry("JobCompletedException", Warning, "Job %1 failed.", READ_JOB),
    entry(
        "JobCancelled",
        Warning,
        "Job %1 was stopped on request.",
        "Make the job again if it is still wanted.",
    ),
    news("JobRemoved", Warning, "Job %1 was deleted."),
    entry(
        "JobSuspended",
        Warning,
        "Job %1 stands still until somebody lets it go on.",
        "Resume the job when it is to go on.",
    ),
    news("JobResumed", OK, "Job %1 goes on."),
    news(
        "JobValidationBypassed",
        OK,
        "Job %1 was taken without being looked at first.",
    ),
    news("JobValidationStarted", OK, "Job %1 is being looked at."),
    news("JobValidatedOK", OK, "Job %1 can be done as it is."),
    entry(
        "JobValidateException",
        Warning,
        "Job %1 cannot be done as it is.",
        READ_JOB,
    ),
];

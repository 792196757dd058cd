//! What happened, and to what.

use serde::{Deserialize, Serialize};

use crate::id::{AccountId, JobId, ReportId, RoleId, SessionId, SlotId, SystemId, TaskId};
use crate::logs::{Event, LogId};

/// What an event is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Subject {
    /// The service as a whole.
    Service,
    /// A system.
    System(SystemId),
    /// The chassis of a system.
    Chassis(SystemId),
    /// The manager of a system.
    Manager(SystemId),
    /// A slot of a system for media.
    Slot {
        /// The system.
        system: SystemId,
        /// The slot.
        slot: SlotId,
    },
    /// A log.
    Log(LogId),
    /// An account.
    Account(AccountId),
    /// A role.
    Role(RoleId),
    /// A session.
    Session(SessionId),
    /// A task.
    Task(TaskId),
    /// A job.
    Job(JobId),
    /// What is to be reported.
    ReportDefinition(ReportId),
    /// A report.
    Report(ReportId),
}

/// Something that happened, as a draft: its place in the stream comes with the commit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Draft {
    pub(crate) about: Subject,
    pub(crate) event: Event,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) entry: Option<(LogId, u64)>,
}

/// Something that happened, at its place in the stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Happened {
    /// Its place: 1 for the first event of an installation, then one more for each, without a gap. Never given twice.
    pub seq: u64,
    /// What it is about.
    pub about: Subject,
    /// When, what, and by whom.
    pub event: Event,
    /// The log entry that tells the same, if there is one.
    pub entry: Option<(LogId, u64)>,
}

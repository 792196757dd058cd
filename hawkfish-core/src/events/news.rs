//! What there is to tell of things that have a life of their own, and of events that are only a test.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::SystemId;
use crate::tasks::Severity;

/// An event that says nothing but that events arrive. Whoever asks for one may say all of it; what is left out is found as for any other event.
/// The default says nothing of its own: a plain test.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TestEvent {
    /// `Registry.Major.Minor.Key`; a plain test where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// The system through whose face it was asked for: who listens at another face does not hear of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub face: Option<SystemId>,
    /// The text; that of the registry where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The arguments of the message.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// How bad it is; as the registry has it where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// What can be done about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolution: Option<String>,
    /// The URI of what it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// Its id; else its place in the stream is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// When it is said to have happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Timestamp>,
    /// The group of events that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<i64>,
    /// Its type in Redfish, `Alert` and the like.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_type: Option<String>,
    /// The user it is said to be of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

/// News of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TaskNews {
    /// It was begun.
    Started,
    /// It is that far, percent.
    Progress(u8),
    /// It was cut off, and will be taken up again.
    Paused,
    /// It was taken up again.
    Resumed,
    /// It has done what it should.
    Completed,
    /// It has done what it should, and somebody should look at what it says.
    CompletedWithWarning,
    /// It failed.
    Failed,
    /// Somebody stopped it.
    Cancelled,
    /// It was deleted.
    Removed,
}

/// News of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum JobNews {
    /// It was begun, once more where it repeats.
    Started,
    /// All that was to be done is done.
    Completed,
    /// What was to be done failed.
    Failed,
    /// Somebody stopped it for a while.
    Suspended,
    /// Somebody lets it go on.
    Resumed,
    /// Somebody stopped it for good.
    Cancelled,
    /// It was deleted.
    Removed,
}

/// How far the update of what the event is about has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum UpdateStep {
    /// The image is for it.
    TargetFound,
    /// The image is for nothing that is here.
    NoTarget,
    /// The image is laid into it.
    Transferring,
    /// It could not be laid into it.
    TransferFailed,
    /// The image is no image, or not one for it.
    VerificationFailed,
    /// It is being put to use.
    Applying,
    /// It could not be put to use.
    ApplyFailed,
    /// It waits for the next start.
    AwaitsStart,
    /// It is in use.
    Done,
    /// It was there already.
    SameVersion,
}

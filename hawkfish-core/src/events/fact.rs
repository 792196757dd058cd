//! What happened, and to what.

use serde::{Deserialize, Serialize};

use crate::id::{
    AccountId, ImageId, JobId, ReportId, RoleId, SessionId, SlotId, SubscriptionId, SystemId,
    TaskId,
};
use crate::logs::{Event, LogId};

/// What an event is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Subject {
    /// The service as a whole.
    Service,
    /// One of the rooms of the service, with what is set there.
    Room(Room),
    /// A system.
    System(SystemId),
    /// The chassis of a system.
    Chassis(SystemId),
    /// The manager of a system.
    Manager(SystemId),
    /// How the manager of a system is found on its network, and what it speaks there.
    Network(SystemId),
    /// The interface by which the manager of a system is on its network.
    ManagerInterface(SystemId),
    /// The certificate by which clients know the manager of a system.
    Certificate(SystemId),
    /// The firmware settings of a system that are in force.
    Bios(SystemId),
    /// The firmware settings of a system that wait for its next reset.
    BiosToCome(SystemId),
    /// Secure boot of a system.
    SecureBoot(SystemId),
    /// The firmware of a system, as what was installed.
    Firmware(SystemId),
    /// A network interface of a system.
    Nic {
        /// The system.
        system: SystemId,
        /// The interface: [`Nic::name`](crate::backend::Nic::name).
        nic: String,
    },
    /// A disk of a system.
    Volume {
        /// The system.
        system: SystemId,
        /// The controller on which it hangs.
        controller: String,
        /// The disk: [`Disk::id`](crate::backend::Disk::id).
        disk: String,
    },
    /// A drive of a system: a disk, as what could be held in a hand.
    Drive {
        /// The system.
        system: SystemId,
        /// The drive: [`Disk::id`](crate::backend::Disk::id).
        drive: String,
    },
    /// An image that was pushed into the store.
    Image(ImageId),
    /// An authority that servers of images for a slot may use.
    Authority {
        /// The system.
        system: SystemId,
        /// The slot.
        slot: SlotId,
        /// Its number.
        number: u64,
    },
    /// A slot of a system for media.
    Slot {
        /// The system.
        system: SystemId,
        /// The slot.
        slot: SlotId,
    },
    /// A log.
    Log(LogId),
    /// An entry of a log.
    Entry {
        /// The log.
        log: LogId,
        /// Its number.
        number: u64,
    },
    /// An account.
    Account(AccountId),
    /// A role.
    Role(RoleId),
    /// A session.
    Session(SessionId),
    /// A task.
    Task(TaskId),
    /// A part of a task.
    SubTask {
        /// The task.
        task: TaskId,
        /// The part, a task itself.
        part: TaskId,
    },
    /// A job.
    Job(JobId),
    /// What is to be reported.
    ReportDefinition(ReportId),
    /// A report.
    Report(ReportId),
    /// Where events are sent.
    Subscription(SubscriptionId),
}

/// A room of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Room {
    /// Accounts and roles.
    Accounts,
    /// Sessions.
    Sessions,
    /// Tasks.
    Tasks,
    /// Events.
    Events,
    /// Updates.
    Updates,
    /// Telemetry.
    Telemetry,
    /// Jobs.
    Jobs,
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

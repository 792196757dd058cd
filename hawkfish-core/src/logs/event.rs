//! What happened, as facts: no text for people, no Redfish. Whoever tells of it finds the words.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ctx::{Actor, Ctx};
use crate::events::{JobNews, TaskNews, TestEvent, UpdateStep};
use crate::id::{AccountId, HostId, SessionId, SlotId, SystemId};
use crate::tasks::Severity;
use crate::telemetry::Report;

/// A log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum LogId {
    /// What happened to a system.
    System(SystemId),
    /// Who changed what through the service, and who came in. There is one, as there is one set of accounts.
    Audit,
    /// The same of what was asked for through the face of a system.
    Face(SystemId),
}

impl LogId {
    /// The audit log of the face of a system, or of the fleet's.
    #[must_use]
    pub fn audit(face: Option<&SystemId>) -> Self {
        face.cloned().map_or(Self::Audit, Self::Face)
    }

    /// Its name in the store.
    pub(crate) fn key(&self) -> String {
        self.to_string()
    }

    /// The log of that name in the store.
    pub(crate) fn from_key(key: &str) -> Option<Self> {
        match key.split_once(':') {
            Some(("system", system)) => SystemId::parse(system).ok().map(Self::System),
            Some(("face", system)) => SystemId::parse(system).ok().map(Self::Face),
            _ => (key == "audit").then_some(Self::Audit),
        }
    }
}

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System(system) => write!(f, "system:{system}"),
            Self::Audit => f.write_str("audit"),
            Self::Face(system) => write!(f, "face:{system}"),
        }
    }
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: What,
    /// The client that had it happen, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Client>,
}

/// Who asked from outside.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// The user name; absent where nobody of that name is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<Arc<str>>,
    /// Where the request came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
}

impl Client {
    /// The client that asks; `None` for HawkFish itself.
    #[must_use]
    pub fn of(ctx: &Ctx) -> Option<Self> {
        let user = match &ctx.actor {
            Actor::Service => return None,
            Actor::Anonymous => None,
            Actor::Account { name, .. } => Some(Arc::clone(name)),
        };
        Some(Self {
            user,
            address: ctx.address,
        })
    }
}

/// Why the power of a system changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Why {
    /// HawkFish was told to, or did it as a part of what it was told.
    Command,
    /// Its guest did it by itself.
    Guest,
    /// Somebody did it beside HawkFish.
    Outside,
    /// Nobody saw it happen: it was found so.
    Unseen,
}

/// Something that a guest was asked for, and may do in its own time or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ask {
    /// To shut down.
    ShutDown,
    /// To restart.
    Restart,
    /// Its power button was pressed.
    PowerButton,
    /// It was sent a non-maskable interrupt.
    Interrupt,
}

/// A part of how a system boots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BootPart {
    /// What stands in front of the boot order.
    Override,
    /// The firmware.
    Mode,
    /// The boot order.
    Order,
    /// Where UEFI HTTP boot fetches from.
    HttpUri,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum What {
    /// A system was turned on.
    PoweredOn(Why),
    /// A system was turned off, or shut down.
    PoweredOff(Why),
    /// A system was reset.
    Reset(Why),
    /// The processors of a system were stopped.
    Paused(Why),
    /// The processors of a system go on.
    Resumed(Why),
    /// A system stopped because it failed.
    Crashed,
    /// The watchdog of a system fired.
    WatchdogFired,
    /// A disk of a system failed to read or write.
    DiskFailed,
    /// A guest was asked for something.
    Asked(Ask),
    /// A medium came into a slot.
    MediumInserted {
        /// The slot.
        slot: SlotId,
        /// What the medium is called.
        image: String,
    },
    /// A medium left a slot.
    MediumEjected {
        /// The slot.
        slot: SlotId,
    },
    /// How a system boots was changed.
    BootChanged(Vec<BootPart>),
    /// A system booted as its override for one boot said, which is over with that.
    OverrideUsed,
    /// The host of a system no longer answers.
    HostLost {
        /// The host.
        host: HostId,
    },
    /// The host of a system answers again.
    HostBack {
        /// The host.
        host: HostId,
    },
    /// Something new is there.
    Created,
    /// Something is not as it was, in a way that has no other name here.
    Changed,
    /// Something is no longer there.
    Removed,
    /// A part is as well as this.
    Health(Severity),
    /// A client asked for a change.
    Requested {
        /// The method.
        method: String,
        /// The path, without query.
        uri: String,
        /// The HTTP status of the answer.
        status: u16,
    },
    /// Somebody opened a session.
    LoggedIn {
        /// The session.
        session: SessionId,
    },
    /// Somebody was not let in: an unknown name, a wrong password, an account that is locked or disabled.
    LoginRefused {
        /// The account, where there is one of that name.
        account: Option<AccountId>,
    },
    /// Too many failures locked an account.
    AccountLocked {
        /// The account.
        account: AccountId,
        /// Its user name.
        name: Arc<str>,
    },
    /// Somebody wants to see whether events arrive.
    Test(Box<TestEvent>),
    /// A task came on.
    Task(TaskNews),
    /// A job came on.
    Job(JobNews),
    /// An update came on.
    Update {
        /// How far it is.
        step: UpdateStep,
        /// What the image is called: its version, or where it comes from.
        image: String,
    },
    /// A report was made.
    Report(Arc<Report>),
    /// A destination is told that the service is there. Never in the stream.
    Heartbeat,
    /// A destination is told that it missed events. Never in the stream.
    Missed,
}

impl What {
    /// That it happened, and when.
    #[must_use]
    pub fn at(self, at: Timestamp) -> Event {
        Event {
            at,
            what: self,
            by: None,
        }
    }
}

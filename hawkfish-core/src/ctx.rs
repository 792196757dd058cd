//! Who asks: always the first argument of a verb.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Invalid, Result};
use crate::id::{AccountId, ProjectId, RequestId, RoleId, SessionId, SystemId};

/// A privilege of DSP0266, "Redfish service operation-to-privilege mapping".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Privilege {
    /// Log in and read.
    Login,
    /// Configure the manager.
    ConfigureManager,
    /// Configure accounts.
    ConfigureUsers,
    /// Configure one's own account.
    ConfigureSelf,
    /// Configure systems and what belongs to them.
    ConfigureComponents,
}

impl Privilege {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 5] = [
        Self::Login,
        Self::ConfigureManager,
        Self::ConfigureUsers,
        Self::ConfigureSelf,
        Self::ConfigureComponents,
    ];

    /// The name that Redfish gives it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Login => "Login",
            Self::ConfigureManager => "ConfigureManager",
            Self::ConfigureUsers => "ConfigureUsers",
            Self::ConfigureSelf => "ConfigureSelf",
            Self::ConfigureComponents => "ConfigureComponents",
        }
    }
}

impl fmt::Display for Privilege {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Privilege {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|p| p.as_str() == text)
            .ok_or_else(|| {
                Error::invalid(
                    "/AssignedPrivileges",
                    text,
                    Invalid::NotInList,
                    "There is no such privilege.",
                )
            })
    }
}

/// Who is asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// Nobody that we know.
    Anonymous,
    /// HawkFish itself: due work, start-up.
    Service,
    /// An account, by session or by password.
    Account {
        /// The account.
        id: AccountId,
        /// Its user name, for audit and logs.
        name: Arc<str>,
        /// Its role.
        role: RoleId,
        /// The session, where one is used.
        session: Option<SessionId>,
    },
}

/// The face of one system: who asks through it sees that system, what belongs to it, and what all systems share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// The system.
    pub system: SystemId,
    /// What stands in front of the paths of URIs there, such as `/bmc/sim-00001`; empty where nothing does.
    pub prefix: Arc<str>,
}

impl Scope {
    /// The face of a system, with nothing in front of its paths.
    #[must_use]
    pub fn of(system: SystemId) -> Self {
        Self {
            system,
            prefix: Arc::from(""),
        }
    }
}

/// Who asks, with which rights, in which project, from where, as which request.
#[derive(Clone, Debug)]
pub struct Ctx {
    /// Who is asking.
    pub actor: Actor,
    /// What the actor may do.
    pub privileges: Arc<BTreeSet<Privilege>>,
    /// The project within which the actor is confined; `None` sees all.
    pub project: Option<ProjectId>,
    /// The face through which the actor asks, which confines it to one system; `None` is that of the fleet, which shows all.
    pub scope: Option<Arc<Scope>>,
    /// The address the request came from, where there is one.
    pub address: Option<IpAddr>,
    /// The request.
    pub request: RequestId,
}

impl Ctx {
    /// HawkFish itself, with every privilege.
    #[must_use]
    pub fn service() -> Self {
        Self {
            actor: Actor::Service,
            privileges: Arc::new(Privilege::ALL.into_iter().collect()),
            project: None,
            scope: None,
            address: None,
            request: RequestId::parse("service").expect("a constant identifier"),
        }
    }

    /// Nobody, with no privilege.
    #[must_use]
    pub fn anonymous(request: RequestId, address: Option<IpAddr>) -> Self {
        Self {
            actor: Actor::Anonymous,
            privileges: Arc::default(),
            project: None,
            scope: None,
            address,
            request,
        }
    }

    /// The system to whose face the actor is confined.
    #[must_use]
    pub fn face(&self) -> Option<&SystemId> {
        self.scope.as_ref().map(|scope| &scope.system)
    }

    /// Whether a system is there for the actor, as far as the face goes.
    #[must_use]
    pub fn faces(&self, system: &SystemId) -> bool {
        self.face().is_none_or(|face| face == system)
    }

    /// Whether what was made through `face` is there for the actor: at the fleet's face all is, at another what was made through that one.
    #[must_use]
    pub fn made_here(&self, face: Option<&SystemId>) -> bool {
        self.scope.is_none() || self.face() == face
    }

    /// Whether the actor holds `privilege`.
    #[must_use]
    pub fn has(&self, privilege: Privilege) -> bool {
        self.privileges.contains(&privilege)
    }

    /// The account that asks, if it is one.
    #[must_use]
    pub fn account(&self) -> Option<&AccountId> {
        match &self.actor {
            Actor::Account { id, .. } => Some(id),
            Actor::Anonymous | Actor::Service => None,
        }
    }

    /// The session in use, if there is one.
    #[must_use]
    pub fn session(&self) -> Option<&SessionId> {
        match &self.actor {
            Actor::Account { session, .. } => session.as_ref(),
            Actor::Anonymous | Actor::Service => None,
        }
    }
}

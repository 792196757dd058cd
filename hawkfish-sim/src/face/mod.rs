//! Faces: who a client talks to. The fleet shows all systems; a system's BMC has a face of its own, which shows that system alone.

mod plan;

use hawkfish_core::id::SystemId;
use hawkfish_server::face::Face as Shown;

pub use crate::description::Faces;
pub use plan::FaceAt;
pub(crate) use plan::{Asked, Plan};

/// Who a client talks to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Face {
    /// What it is called: the name of its system, or `fleet`.
    pub name: String,
    /// The system that it shows alone; `None` shows all.
    pub system: Option<SystemId>,
    /// How the service shows it.
    shown: Option<Shown>,
}

impl Face {
    /// The face that shows all systems.
    #[must_use]
    pub fn fleet() -> Self {
        Self {
            name: "fleet".to_owned(),
            system: None,
            shown: None,
        }
    }

    /// That of a system.
    pub(crate) fn of(name: impl Into<String>, shown: Shown) -> Self {
        Self {
            name: name.into(),
            system: Some(shown.scope().system.clone()),
            shown: Some(shown),
        }
    }

    /// How the service shows it; `None` for the fleet.
    pub(crate) fn shown(&self) -> Option<&Shown> {
        self.shown.as_ref()
    }

    /// The same where its URIs have something in front.
    pub(crate) fn prefixed(&self) -> Option<&Shown> {
        self.shown().filter(|shown| !shown.prefix().is_empty())
    }
}

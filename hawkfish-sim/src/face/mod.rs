//! Faces: who a client talks to. The fleet shows all systems; a system's BMC has a face of its own, which shows that system alone.

use hawkfish_core::id::SystemId;

/// Who a client talks to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Face {
    /// What it is called: the name of its system, or `fleet`.
    pub name: String,
    /// The system that it shows alone; `None` shows all.
    pub system: Option<SystemId>,
}

impl Face {
    /// The face that shows all systems.
    #[must_use]
    pub fn fleet() -> Self {
        Self {
            name: "fleet".to_owned(),
            system: None,
        }
    }
}

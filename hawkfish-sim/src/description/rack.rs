//! Racks.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::GuestMake;
use crate::replay::UnknownActions;

/// A rack of servers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rack {
    /// Its name, of letters, digits, `-`, `_` and `.`; its servers are named after it: `lab-00001`.
    pub name: String,
    /// How many servers it holds.
    #[serde(default = "one")]
    pub systems: usize,
    /// Of what makes, in turn. All four that there are unless said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub profiles: Vec<String>,
    /// Servers with guests of their own, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub guests: BTreeMap<String, GuestMake>,
    /// A capture, a folder or an archive, that each of its servers shows: see [`crate::capture`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capture: Option<PathBuf>,
    /// What becomes of actions of the capture that are not understood.
    #[serde(default, skip_serializing_if = "is_usual")]
    pub unknown_actions: UnknownActions,
}

impl Rack {
    /// A rack of the makes that there are.
    #[must_use]
    pub fn new(name: impl Into<String>, systems: usize) -> Self {
        Self {
            name: name.into(),
            systems,
            profiles: Vec::new(),
            guests: BTreeMap::new(),
            capture: None,
            unknown_actions: UnknownActions::Refuse,
        }
    }
}

fn is_usual(unknown: &UnknownActions) -> bool {
    *unknown == UnknownActions::Refuse
}

fn one() -> usize {
    1
}

/// The number of a server in its rack, from its name.
pub(crate) fn number(rack: &str, name: &str) -> Option<usize> {
    let digits = name.strip_prefix(rack)?.strip_prefix('-')?;
    digits.parse().ok().filter(|number| *number > 0)
}

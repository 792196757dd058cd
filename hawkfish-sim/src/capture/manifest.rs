//! `capture.json`: what the layout of folders cannot say.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Source, Unread};

/// What stands in the file.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Manifest {
    /// The version of this form.
    pub(super) format: u32,
    pub(super) source: Source,
    /// Files whose folders do not say their URI, or whose names do not say their type; by path.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) files: BTreeMap<String, Said>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) unread: Vec<Unread>,
}

/// What is said of a file.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Said {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content_type: Option<String>,
}

/// The only form that there is.
pub(super) const FORMAT: u32 = 1;

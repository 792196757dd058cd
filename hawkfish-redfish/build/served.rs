//! Reads the allow-list.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Schema name to what is served of it, in alphabetic order.
pub(crate) type Served = BTreeMap<String, Type>;

/// What is served of an entity or of a complex type.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Type {
    /// In the order in which they are written out. `Id`, `Name`, `Description` and `Oem` are
    /// there without being named. A complex type without a list is served whole.
    pub(crate) properties: Vec<String>,
    /// Which of them PATCH can change.
    pub(crate) writable: Vec<String>,
    /// Which of them may be given when a resource is created.
    pub(crate) create: Vec<String>,
    /// Which of them have `@Redfish.AllowableValues` beside them.
    pub(crate) allowable: Vec<String>,
    /// The actions of an entity, by their short names.
    pub(crate) actions: Vec<String>,
    /// What stands within its `Oem`: vendor to the schema of that vendor, whose type of the same name it is. The
    /// actions of that schema stand in `Actions/Oem`.
    pub(crate) oem: BTreeMap<String, String>,
    /// A collection: POST adds a member.
    pub(crate) insertable: bool,
    /// DELETE removes the resource.
    pub(crate) deletable: bool,
    /// The complex types of the schema, by name.
    pub(crate) types: BTreeMap<String, Type>,
}

pub(crate) fn read(path: &Path) -> Served {
    let text = fs::read_to_string(path).expect("served.toml can be read");
    toml::from_str(&text).unwrap_or_else(|error| panic!("served.toml: {error}"))
}

//! What was read, and the links in it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::quirks;
use crate::wire::Response;

/// An ETag as the service wrote it, quotes and `W/` included.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Etag(String);

impl Etag {
    /// The tag as it stands in the header.
    pub fn new(tag: impl Into<String>) -> Self {
        Self(tag.into())
    }

    /// The tag of an answer whose body was read: the header's, else the one in the body.
    pub(crate) fn of(response: &Response, body: &Value) -> Option<Self> {
        let forms = quirks::forms(&response.headers, body);
        forms.into_iter().next()
    }

    /// `*`: whatever it is, as long as it is there.
    pub fn any() -> Self {
        Self::new("*")
    }

    /// The tag as it stands in the header.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What was read, and from where.
#[derive(Debug, Clone, PartialEq)]
pub struct Fetched<T> {
    /// What stood there.
    pub value: T,
    /// Guards a change of it; not every service gives one.
    pub etag: Option<Etag>,
    /// The URI that answered.
    pub uri: String,
}

/// The link at a JSON pointer: its `@odata.id`. `link(&root, "/Systems")`, `link(&system, "/Links/ManagedBy/0")`.
pub fn link<'a>(resource: &'a Value, pointer: &str) -> Option<&'a str> {
    match resource.pointer(pointer)? {
        // Quirk `link_is_a_text`.
        Value::String(uri) => uri.starts_with('/').then_some(uri),
        found => found.get("@odata.id")?.as_str(),
    }
}

/// Where an action is called. The action is named as in the schema, `ComputerSystem.Reset`; one of a vendor's is looked for in `Actions/Oem`, too.
pub fn action_target<'a>(resource: &'a Value, action: &str) -> Option<&'a str> {
    let actions = resource.get("Actions")?;
    let key = format!("#{action}");
    let found = actions
        .get(&key)
        .or_else(|| actions.get("Oem")?.get(&key))?;
    found.get("target")?.as_str()
}

/// The actions of a resource, by their names: those of the standard, and those of `Oem`.
pub(crate) fn actions(resource: &Value) -> Vec<&str> {
    let actions = resource.get("Actions").and_then(Value::as_object);
    let oem = actions.and_then(|actions| actions.get("Oem")?.as_object());
    let names = actions.into_iter().chain(oem).flatten();
    names
        .filter_map(|(name, _)| name.strip_prefix('#'))
        .collect()
}

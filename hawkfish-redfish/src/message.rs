//! Redfish message objects: what was wrong, or went well, in a form that programs can act on.
//!
//! Ids, argument counts and severities are those of DMTF's `Base` registry; the words are our
//! own. What `Base` has no word for is in the registry `HawkFish`, which is served whole.

mod base;
mod hawkfish;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::LazyLock;

/// The release of DMTF's Base registry whose ids are used, as it stands in a MessageId.
pub const BASE_VERSION: &str = "1.22";

/// The release of our own registry, as it stands in a MessageId.
pub const HAWKFISH_VERSION: &str = "1.0";

/// How bad it is (`Resource.Health`, as `MessageSeverity` uses it).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub enum Severity {
    /// All is well.
    #[default]
    OK,
    /// Somebody should look at it.
    Warning,
    /// It did not work.
    Critical,
}

/// One message object (`Message.v1_x.Message`).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Message {
    /// `Registry.Major.Minor.Key`.
    #[serde(rename = "MessageId")]
    pub message_id: String,
    /// The text, arguments put in.
    #[serde(rename = "Message", default)]
    pub message: String,
    /// The arguments as strings.
    #[serde(rename = "MessageArgs", default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// How bad it is.
    #[serde(rename = "MessageSeverity", default)]
    pub severity: Severity,
    /// What whoever reads it can do.
    #[serde(
        rename = "Resolution",
        default,
        skip_serializing_if = "String::is_empty"
    )]
    pub resolution: String,
    /// JSON pointers to the properties meant, each beginning with `#/`.
    #[serde(
        rename = "RelatedProperties",
        default,
        skip_serializing_if = "Vec::is_empty"
    )]
    pub related_properties: Vec<String>,
}

impl Message {
    /// Adds a property that the message is about. `pointer` is a JSON pointer such as
    /// `/Boot/BootOrder`; it is shown as `#/Boot/BootOrder`.
    #[must_use]
    pub fn related(mut self, pointer: &str) -> Self {
        self.related_properties
            .push(format!("#{}", pointer.trim_start_matches('#')));
        self
    }

    /// The key alone: `PropertyUnknown` of `Base.1.22.PropertyUnknown`.
    pub fn key(&self) -> &str {
        self.message_id.rsplit('.').next().unwrap_or_default()
    }
}

/// As it stands in a resource, `Task.Messages` for one.
impl From<Message> for crate::model::message::Message {
    fn from(message: Message) -> Self {
        let some = |list: Vec<String>| Some(list).filter(|list| !list.is_empty());
        Self {
            message_id: Some(message.message_id),
            message: Some(message.message),
            message_args: some(message.args),
            message_severity: Some(message.severity.into()),
            resolution: Some(message.resolution).filter(|text| !text.is_empty()),
            related_properties: some(message.related_properties),
            ..Self::default()
        }
    }
}

impl From<Severity> for crate::model::resource::Health {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::OK => Self::OK,
            Severity::Warning => Self::Warning,
            Severity::Critical => Self::Critical,
        }
    }
}

/// What a registry says of one key.
struct Entry {
    key: &'static str,
    severity: Severity,
    /// `%1`, `%2`, … stand for the arguments; the highest one is their number.
    text: &'static str,
    resolution: &'static str,
}

impl Entry {
    fn args(&self) -> usize {
        (1..=9)
            .rev()
            .find(|n| self.text.contains(&format!("%{n}")))
            .unwrap_or(0)
    }

    fn message(&self, registry: &str, version: &str, args: &[&str]) -> Message {
        debug_assert_eq!(
            args.len(),
            self.args(),
            "arguments of {registry}.{}",
            self.key
        );
        Message {
            message_id: format!("{registry}.{version}.{}", self.key),
            message: fill(self.text, args),
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            severity: self.severity,
            resolution: self.resolution.to_owned(),
            related_properties: Vec::new(),
        }
    }
}

/// Puts the arguments in, in one pass: an argument that holds `%2` is not filled in again.
fn fill(text: &str, args: &[&str]) -> String {
    let mut out = String::with_capacity(text.len() + 32);
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        let digit = rest[at + 1..].chars().next().and_then(|c| c.to_digit(10));
        match digit.and_then(|n| args.get((n as usize).wrapping_sub(1))) {
            Some(arg) => {
                out.push_str(arg);
                rest = &rest[at + 2..];
            }
            None => {
                out.push('%');
                rest = &rest[at + 1..];
            }
        }
    }
    out.push_str(rest);
    out
}

/// A message of DMTF's Base registry, in our words.
///
/// A key that does not exist, or a wrong number of arguments, is a defect of the caller: debug
/// builds panic, release builds answer `InternalError`.
pub fn base(key: &str, args: &[&str]) -> Message {
    find(base::ENTRIES, "Base", BASE_VERSION, key, args)
}

/// A message of our own registry, `HawkFish`. The same rules as for [`base`].
pub fn hawkfish(key: &str, args: &[&str]) -> Message {
    find(hawkfish::ENTRIES, "HawkFish", HAWKFISH_VERSION, key, args)
}

fn find(entries: &[Entry], registry: &str, version: &str, key: &str, args: &[&str]) -> Message {
    match entries.iter().find(|entry| entry.key == key) {
        Some(entry) => entry.message(registry, version, args),
        None => {
            debug_assert!(false, "{registry} has no message {key}");
            base::INTERNAL_ERROR.message("Base", BASE_VERSION, &[])
        }
    }
}

/// The keys of the Base messages known here, with the number of arguments and the severity.
pub fn base_facts() -> impl Iterator<Item = (&'static str, usize, Severity)> {
    base::ENTRIES
        .iter()
        .map(|entry| (entry.key, entry.args(), entry.severity))
}

/// Our own registry as a MessageRegistry resource, without `@odata.id`.
pub fn hawkfish_registry() -> &'static Value {
    static REGISTRY: LazyLock<Value> = LazyLock::new(hawkfish::registry);
    &REGISTRY
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_message_shows_its_arguments_and_its_property() {
        let message = base(
            "PropertyValueNotInList",
            &["Moon", "BootSourceOverrideTarget"],
        )
        .related("/Boot/BootSourceOverrideTarget");
        let shown = serde_json::to_value(&message).unwrap();
        assert_eq!(shown["MessageId"], "Base.1.22.PropertyValueNotInList");
        assert_eq!(
            shown["MessageArgs"],
            serde_json::json!(["Moon", "BootSourceOverrideTarget"])
        );
        assert_eq!(shown["MessageSeverity"], "Warning");
        assert_eq!(
            shown["RelatedProperties"][0],
            "#/Boot/BootSourceOverrideTarget"
        );
        assert!(shown["Message"].as_str().unwrap().contains("Moon"));
        assert_eq!(message.key(), "PropertyValueNotInList");
    }

    #[test]
    fn a_message_within_a_resource_is_the_same_message() {
        let message = base("PropertyUnknown", &["Foo"]).related("/Foo");
        let within: crate::model::message::Message = message.clone().into();
        let read: Message = serde_json::from_value(serde_json::json!(within)).unwrap();
        assert_eq!(read, message);
    }

    #[test]
    fn an_argument_is_not_filled_in_again() {
        assert_eq!(fill("%1 and %2, 100%", &["%2", "b"]), "%2 and b, 100%");
    }

    #[test]
    fn no_key_stands_twice_and_every_entry_has_words() {
        for entries in [base::ENTRIES, hawkfish::ENTRIES] {
            let keys: BTreeSet<_> = entries.iter().map(|entry| entry.key).collect();
            assert_eq!(keys.len(), entries.len());
            for entry in entries {
                assert!(
                    entry.text.ends_with('.') && entry.resolution.ends_with('.'),
                    "{}",
                    entry.key
                );
                for n in 1..=entry.args() {
                    assert!(
                        entry.text.contains(&format!("%{n}")),
                        "{} lacks %{n}",
                        entry.key
                    );
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "has no message")]
    #[cfg(debug_assertions)]
    fn an_unknown_key_is_a_defect_of_the_caller() {
        base("NoSuchKey", &[]);
    }

    #[test]
    #[should_panic(expected = "arguments of Base.PropertyUnknown")]
    #[cfg(debug_assertions)]
    fn a_wrong_number_of_arguments_is_a_defect_of_the_caller() {
        base("PropertyUnknown", &[]);
    }

    #[test]
    fn our_registry_lists_every_message_of_ours() {
        let registry = hawkfish_registry();
        assert_eq!(registry["RegistryPrefix"], "HawkFish");
        let messages = registry["Messages"].as_object().unwrap();
        assert_eq!(messages.len(), hawkfish::ENTRIES.len());
        for entry in hawkfish::ENTRIES {
            let listed = &messages[entry.key];
            assert_eq!(listed["NumberOfArgs"], entry.args());
            let args = vec!["x"; entry.args()];
            let sent = hawkfish(entry.key, &args);
            assert_eq!(
                listed["MessageSeverity"],
                serde_json::to_value(sent.severity).unwrap()
            );
        }
    }
}

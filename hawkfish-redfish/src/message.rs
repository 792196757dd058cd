//! Redfish message objects: what was wrong, or went well, in a form that programs can act on.
//!
//! Ids, argument counts and severities are those of DMTF's `Base` registry; the words are our
//! own. What `Base` has no word for is in the registry `HawkFish`, which is served whole.

mod base;
mod hawkfish;
mod heartbeat_event;
mod power;
mod registry;
mod resource_event;
mod task_event;
mod update;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::LazyLock;

pub use heartbeat_event::HEARTBEAT_EVENT;
pub use power::POWER;
pub use registry::Registry;
pub use resource_event::RESOURCE_EVENT;
pub use task_event::{JOB_EVENT, TASK_EVENT};
pub use update::UPDATE;

/// The release of DMTF's Base registry whose ids are used, as it stands in a MessageId.
pub const BASE_VERSION: &str = "1.22";

/// The release of our own registry, as it stands in a MessageId.
pub const HAWKFISH_VERSION: &str = "1.0";

/// What requests are answered with.
pub const BASE: Registry = Registry {
    prefix: "Base",
    version: BASE_VERSION,
    release: "1.22.1",
    entries: base::ENTRIES,
};

/// What no registry of DMTF's has a word for.
pub const HAWKFISH: Registry = Registry {
    prefix: "HawkFish",
    version: HAWKFISH_VERSION,
    release: "1.0.0",
    entries: hawkfish::ENTRIES,
};

/// Every registry that messages come from.
pub const REGISTRIES: &[&Registry] = &[
    &BASE,
    &HAWKFISH,
    &HEARTBEAT_EVENT,
    &JOB_EVENT,
    &POWER,
    &RESOURCE_EVENT,
    &TASK_EVENT,
    &UPDATE,
];

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

/// A message of DMTF's Base registry, in our words.
///
/// A key that does not exist, or a wrong number of arguments, is a defect of the caller: debug
/// builds panic, release builds answer `InternalError`.
pub fn base(key: &str, args: &[&str]) -> Message {
    BASE.message(key, args)
}

/// A message of our own registry, `HawkFish`. The same rules as for [`base`].
pub fn hawkfish(key: &str, args: &[&str]) -> Message {
    HAWKFISH.message(key, args)
}

/// The keys of the Base messages known here, with the number of arguments and the severity.
pub fn base_facts() -> impl Iterator<Item = (&'static str, usize, Severity)> {
    BASE.facts()
}

/// Our own registry as a MessageRegistry resource, without `@odata.id`.
pub fn hawkfish_registry() -> &'static Value {
    static REGISTRY: LazyLock<Value> = LazyLock::new(hawkfish::registry);
    &REGISTRY
}

#[cfg(test)]
mod tests {
    use super::registry::fill;
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
        for entries in REGISTRIES.iter().map(|registry| registry.entries) {
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

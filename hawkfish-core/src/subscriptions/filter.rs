//! What a subscriber wants to hear. Pure.

use serde::{Deserialize, Serialize};

use crate::events::{Format, Record};

/// What a subscriber wants to hear; an empty list leaves nothing out (EventDestination, the properties of these names).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Filter {
    /// Only messages of these registries, or of `message_ids`.
    pub registry_prefixes: Vec<String>,
    /// No messages of these registries.
    pub exclude_registry_prefixes: Vec<String>,
    /// Only these messages, or those of `registry_prefixes`. Versions do not count; the key alone will do.
    pub message_ids: Vec<String>,
    /// None of these messages.
    pub exclude_message_ids: Vec<String>,
    /// Only about resources of these types.
    pub resource_types: Vec<String>,
    /// Only about what has one of these URIs.
    pub origins: Vec<String>,
    /// And about what lies below them.
    pub subordinate: bool,
    /// Only events of these types of before there were registries: `Alert` and the like.
    pub event_types: Vec<String>,
    /// Only this bad: `OK`, `Warning`, `Critical`.
    pub severities: Vec<String>,
    /// Only reports of the definitions with these URIs. Nothing else counts for a report.
    pub definitions: Vec<String>,
}

impl Filter {
    /// Whether that is wanted.
    #[must_use]
    pub fn takes(&self, record: &Record) -> bool {
        match record.format {
            Format::MetricReport => {
                let of = record.definition.as_deref();
                self.definitions.is_empty()
                    || of.is_some_and(|of| self.definitions.iter().any(|uri| same(uri, of)))
            }
            Format::Event => self.takes_event(record),
        }
    }

    fn takes_event(&self, record: &Record) -> bool {
        let (registry, key) = name(&record.message_id);
        let of = |prefixes: &[String]| prefixes.iter().any(|one| prefix(one) == registry);
        let is = |ids: &[String]| {
            ids.iter().any(|id| {
                let (wanted, wanted_key) = name(id);
                wanted_key == key && (wanted.is_empty() || wanted == registry)
            })
        };
        let all = self.registry_prefixes.is_empty() && self.message_ids.is_empty();
        (all || of(&self.registry_prefixes) || is(&self.message_ids))
            && !of(&self.exclude_registry_prefixes)
            && !is(&self.exclude_message_ids)
            && one_of(&self.event_types, Some(record.event_type))
            && one_of(&self.severities, Some(record.severity))
            && one_of(&self.resource_types, record.resource_type)
            && self.takes_origin(record.origin.as_deref())
    }

    fn takes_origin(&self, origin: Option<&str>) -> bool {
        if self.origins.is_empty() {
            return true;
        }
        origin.is_some_and(|origin| {
            self.origins
                .iter()
                .any(|uri| same(uri, origin) || (self.subordinate && below(uri, origin)))
        })
    }
}

fn one_of(list: &[String], value: Option<&str>) -> bool {
    list.is_empty() || value.is_some_and(|value| list.iter().any(|one| one == value))
}

/// Registry and key of a message's id: `Registry.1.0.Key`, `Registry.1.0.0.Key`, `Registry.Key`, or a key alone.
fn name(id: &str) -> (&str, &str) {
    match id.split_once('.') {
        Some((registry, rest)) => (registry, rest.rsplit('.').next().unwrap_or(rest)),
        None => ("", id),
    }
}

/// A registry's name without its version, which a client may have left at it.
fn prefix(text: &str) -> &str {
    text.split('.').next().unwrap_or(text)
}

fn plain(uri: &str) -> &str {
    uri.strip_suffix('/').unwrap_or(uri)
}

fn same(one: &str, other: &str) -> bool {
    plain(one) == plain(other)
}

fn below(above: &str, uri: &str) -> bool {
    uri.strip_prefix(plain(above))
        .is_some_and(|rest| rest.starts_with(['/', '#']))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn record(message_id: &str, origin: Option<&str>) -> Record {
        Record {
            format: Format::Event,
            message_id: message_id.to_owned(),
            severity: "OK",
            event_type: "ResourceUpdated",
            origin: origin.map(str::to_owned),
            resource_type: Some("ComputerSystem"),
            definition: None,
            json: Bytes::new(),
        }
    }

    fn list(items: &[&str]) -> Vec<String> {
        items.iter().map(|item| (*item).to_owned()).collect()
    }

    #[test]
    fn a_message_is_known_with_any_version_and_with_none() {
        let changed = record("ResourceEvent.1.4.ResourceChanged", None);
        for (id, takes) in [
            ("ResourceEvent.1.4.ResourceChanged", true),
            ("ResourceEvent.1.0.ResourceChanged", true),
            ("ResourceEvent.1.0.3.ResourceChanged", true),
            ("ResourceEvent.ResourceChanged", true),
            ("ResourceChanged", true),
            ("ResourceEvent.1.4.ResourceCreated", false),
            ("TaskEvent.1.4.ResourceChanged", false),
            ("ResourceEvent", false),
            ("", false),
        ] {
            let wants = Filter {
                message_ids: list(&[id]),
                ..Filter::default()
            };
            assert_eq!(wants.takes(&changed), takes, "{id}");
            let excludes = Filter {
                exclude_message_ids: list(&[id]),
                ..Filter::default()
            };
            assert_eq!(excludes.takes(&changed), !takes, "not {id}");
        }
    }

    #[test]
    fn registries_and_messages_add_to_each_other_and_what_is_excluded_is_out_whatever_else_is_said()
    {
        let filter = Filter {
            registry_prefixes: list(&["TaskEvent"]),
            message_ids: list(&["ResourceEvent.ResourceCreated", "TaskEvent.TaskStarted"]),
            exclude_message_ids: list(&["TaskEvent.1.0.TaskStarted"]),
            ..Filter::default()
        };
        for (id, takes) in [
            ("TaskEvent.1.0.TaskCompletedOK", true),
            ("TaskEvent.1.0.TaskStarted", false),
            ("ResourceEvent.1.4.ResourceCreated", true),
            ("ResourceEvent.1.4.ResourceRemoved", false),
        ] {
            assert_eq!(filter.takes(&record(id, None)), takes, "{id}");
        }
        let excluded = Filter {
            exclude_registry_prefixes: list(&["TaskEvent"]),
            ..filter
        };
        assert!(!excluded.takes(&record("TaskEvent.1.0.TaskCompletedOK", None)));
    }

    #[test]
    fn an_origin_takes_in_what_lies_below_it_only_where_that_is_asked_for() {
        let system = "/redfish/v1/Systems/1";
        let exact = Filter {
            origins: list(&["/redfish/v1/Systems/1/"]),
            ..Filter::default()
        };
        let below = Filter {
            subordinate: true,
            ..exact.clone()
        };
        for (origin, is, is_below) in [
            (Some(system), true, true),
            (Some("/redfish/v1/Systems/1/Bios"), false, true),
            (Some("/redfish/v1/Systems/1#/Boot"), false, true),
            (Some("/redfish/v1/Systems/10"), false, false),
            (Some("/redfish/v1/Systems"), false, false),
            (None, false, false),
        ] {
            let record = record("ResourceEvent.1.4.ResourceChanged", origin);
            assert_eq!(exact.takes(&record), is, "{origin:?}");
            assert_eq!(below.takes(&record), is_below, "{origin:?}");
        }
    }

    #[test]
    fn severity_and_types_narrow_what_is_heard() {
        let event = record("ResourceEvent.1.4.ResourceChanged", None);
        let only = |severities: &[&str], types: &[&str]| Filter {
            severities: list(severities),
            resource_types: list(types),
            ..Filter::default()
        };
        assert!(only(&["OK", "Critical"], &[]).takes(&event));
        assert!(!only(&["Critical"], &[]).takes(&event));
        let of_type = |name: &str| Filter {
            event_types: list(&["Alert", name]),
            ..Filter::default()
        };
        assert!(of_type("ResourceUpdated").takes(&event));
        assert!(!of_type("ResourceAdded").takes(&event));
        assert!(only(&[], &["Chassis", "ComputerSystem"]).takes(&event));
        assert!(!only(&[], &["Chassis"]).takes(&event));
        let of = |event_type: &str| Filter {
            event_types: list(&[event_type]),
            ..Filter::default()
        };
        assert!(of("ResourceUpdated").takes(&event));
        assert!(!of("Alert").takes(&event));
        let nobody = Record {
            resource_type: None,
            ..event
        };
        assert!(!only(&[], &["Chassis"]).takes(&nobody));
    }

    #[test]
    fn reports_are_chosen_by_their_definitions_alone() {
        let report = Record {
            format: Format::MetricReport,
            definition: Some(
                "/redfish/v1/TelemetryService/MetricReportDefinitions/Power".to_owned(),
            ),
            ..record("", None)
        };
        let of = |uri: &str| Filter {
            definitions: list(&[uri]),
            severities: list(&["Critical"]),
            ..Filter::default()
        };
        assert!(Filter::default().takes(&report));
        assert!(of("/redfish/v1/TelemetryService/MetricReportDefinitions/Power/").takes(&report));
        assert!(!of("/redfish/v1/TelemetryService/MetricReportDefinitions/Heat").takes(&report));
    }
}

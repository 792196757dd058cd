//! Which events are wanted: by the service's own filter where it has one, by our eyes where it has not.

use serde_json::Value;

use super::event::{Event, Record};
use crate::error::{Error, Kind};

/// What is to be told. Each list that is not empty must have the event in it; messages and registries are one list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Messages: with registry and version, without the version, or the key alone.
    pub messages: Vec<String>,
    /// Registries of messages, by their prefix: `ResourceEvent`.
    pub registries: Vec<String>,
    /// Types of resources: `ComputerSystem`.
    pub resource_types: Vec<String>,
    /// URIs of what it happens to.
    pub origins: Vec<String>,
    /// With what lies below the origins.
    pub subordinate: bool,
    /// Severities: `OK`, `Warning`, `Critical`.
    pub severities: Vec<String>,
    /// Events alone, or reports alone; as the service has it where nothing is said.
    pub format: Option<Format>,
}

/// What can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Events.
    Event,
    /// Reports of metrics.
    MetricReport,
}

impl Wanted {
    /// What of it the service can look at, as `$filter`; what is left for us. `service` is the event service.
    pub(super) fn split(&self, service: &Value) -> Result<(Option<String>, Self), Error> {
        let supported = service.get("SSEFilterPropertiesSupported");
        let knows = |name: &str| {
            supported
                .and_then(|them| them.get(name))
                .and_then(Value::as_bool)
                == Some(true)
        };
        let mut left = self.clone();
        let mut parts = Vec::new();
        let any = |pairs: &[(&str, &[String])]| -> String {
            let tests = pairs.iter().flat_map(|(name, values)| {
                values
                    .iter()
                    .map(move |value| format!("{name} eq {}", quoted(value)))
            });
            let tests: Vec<String> = tests.collect();
            match tests.as_slice() {
                [one] => one.clone(),
                _ => format!("({})", tests.join(" or ")),
            }
        };
        let has = |list: &[String]| !list.is_empty();
        // They are one list: both by the service, or both by us.
        let (messages, registries) = (has(&self.messages), has(&self.registries));
        if (messages || registries)
            && (!messages || knows("MessageId"))
            && (!registries || knows("RegistryPrefix"))
        {
            parts.push(any(&[
                ("MessageId", &self.messages),
                ("RegistryPrefix", &self.registries),
            ]));
            (left.messages, left.registries) = (Vec::new(), Vec::new());
        }
        if has(&self.resource_types) {
            if !knows("ResourceType") {
                return Err(Error::new(
                    Kind::Unsupported,
                    "the service cannot say of an event which type of resource it is about",
                ));
            }
            parts.push(any(&[("ResourceType", &self.resource_types)]));
            left.resource_types.clear();
        }
        if has(&self.origins)
            && knows("OriginResource")
            && (!self.subordinate || knows("SubordinateResources"))
        {
            parts.push(any(&[("OriginResource", &self.origins)]));
            if self.subordinate {
                parts.push("SubordinateResources eq true".to_owned());
            }
            left.origins.clear();
        }
        if let Some(format) = self.format
            && knows("EventFormatType")
        {
            let format = match format {
                Format::Event => "Event",
                Format::MetricReport => "MetricReport",
            };
            parts.push(format!("EventFormatType eq {}", quoted(format)));
            left.format = None;
        }
        Ok(((!parts.is_empty()).then(|| parts.join(" and ")), left))
    }

    /// Takes out what is not wanted; `None` where nothing is left. That events were lost is always told.
    pub(super) fn sift(&self, mut event: Event) -> Option<Event> {
        if event.report.is_some() {
            return (self.format != Some(Format::Event)).then_some(event);
        }
        let events = self.format != Some(Format::MetricReport);
        let before = event.records.len();
        event
            .records
            .retain(|record| record.is_loss() || (events && self.takes(record)));
        let nothing = event.records.is_empty() && (before > 0 || !events);
        (!nothing).then_some(event)
    }

    fn takes(&self, record: &Record) -> bool {
        let named = (self.messages.is_empty() && self.registries.is_empty())
            || self
                .messages
                .iter()
                .any(|wanted| is_message(wanted, record))
            || self
                .registries
                .iter()
                .any(|prefix| prefix == record.registry());
        let severity = self.severities.is_empty()
            || record.severity.as_ref().is_some_and(|severity| {
                self.severities
                    .iter()
                    .any(|wanted| wanted.eq_ignore_ascii_case(severity))
            });
        let origin = self.origins.is_empty()
            || record.origin.as_deref().is_some_and(|origin| {
                let origin = origin.trim_end_matches('/');
                self.origins.iter().any(|wanted| {
                    let rest = origin.strip_prefix(wanted.trim_end_matches('/'));
                    rest.is_some_and(|rest| {
                        rest.is_empty() || (self.subordinate && rest.starts_with(['/', '#']))
                    })
                })
            });
        named && severity && origin
    }
}

/// Whether that message is meant: the version is of no consequence.
fn is_message(wanted: &str, record: &Record) -> bool {
    let key = wanted.rsplit('.').next().unwrap_or(wanted);
    let registry = wanted.split_once('.').map(|(prefix, _)| prefix);
    key == record.key() && registry.is_none_or(|prefix| prefix == record.registry())
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn strings(texts: &[&str]) -> Vec<String> {
        texts.iter().map(ToString::to_string).collect()
    }

    fn told(records: Value) -> Event {
        Event::of(None, json!({"Events": records})).unwrap()
    }

    #[test]
    fn the_service_is_asked_for_what_it_can_tell_apart_and_the_rest_is_ours() {
        let wanted = Wanted {
            messages: strings(&["A.1.0.B"]),
            registries: strings(&["It's"]),
            origins: strings(&["/redfish/v1/Systems/1"]),
            subordinate: true,
            severities: strings(&["Critical"]),
            ..Wanted::default()
        };
        let all = json!({"SSEFilterPropertiesSupported": {"MessageId": true, "RegistryPrefix": true, "OriginResource": true, "SubordinateResources": true}});
        let (filter, left) = wanted.split(&all).unwrap();
        assert_eq!(
            filter.unwrap(),
            "(MessageId eq 'A.1.0.B' or RegistryPrefix eq 'It''s') and OriginResource eq '/redfish/v1/Systems/1' and SubordinateResources eq true"
        );
        assert_eq!(left.severities, ["Critical"]);
        assert!(left.messages.is_empty() && left.origins.is_empty());
        let (filter, left) = wanted
            .split(&json!({"SSEFilterPropertiesSupported": {"MessageId": true}}))
            .unwrap();
        assert_eq!((filter, left), (None, wanted));
    }

    #[test]
    fn what_neither_can_tell_apart_is_an_error() {
        let wanted = Wanted {
            resource_types: strings(&["Bios"]),
            ..Wanted::default()
        };
        assert_eq!(
            wanted.split(&json!({})).unwrap_err().kind,
            Kind::Unsupported
        );
    }

    #[test]
    fn events_are_sifted_one_by_one_and_a_loss_is_always_told() {
        let wanted = Wanted {
            messages: strings(&["ResourceEvent.1.0.ResourceChanged", "Reset"]),
            origins: strings(&["/redfish/v1/Systems/1/"]),
            subordinate: true,
            ..Wanted::default()
        };
        let event = told(json!([
            {"MessageId": "ResourceEvent.1.4.ResourceChanged", "OriginOfCondition": {"@odata.id": "/redfish/v1/Systems/1/Bios"}},
            {"MessageId": "ResourceEvent.1.4.ResourceChanged", "OriginOfCondition": {"@odata.id": "/redfish/v1/Systems/11"}},
            {"MessageId": "Other.1.0.ResourceChanged", "OriginOfCondition": {"@odata.id": "/redfish/v1/Systems/1"}},
            {"MessageId": "Other.1.0.Reset", "OriginOfCondition": {"@odata.id": "/redfish/v1/Systems/1"}},
        ]));
        let left = wanted.sift(event).unwrap();
        let keys: Vec<&str> = left.records.iter().map(Record::key).collect();
        assert_eq!(keys, ["ResourceChanged", "Reset"]);
        assert!(
            wanted
                .sift(told(json!([{"MessageId": "A.1.0.B"}])))
                .is_none()
        );
        assert!(
            wanted
                .sift(told(json!([{"MessageId": "Base.1.0.EventBufferExceeded"}])))
                .is_some()
        );
    }
}

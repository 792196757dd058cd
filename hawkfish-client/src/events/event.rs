//! What a service tells, however it comes: by a stream or to a receiver.

use serde_json::Value;

use crate::error::Error;

/// What came at once: events, or a report of metrics (DSP0266, "Eventing").
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Of a stream the number of the message, which [`super::Events::from`] takes; of a delivery to a receiver its id. Not every service has one.
    pub id: Option<String>,
    /// What the subscription was given to be told with each event.
    pub context: Option<String>,
    /// The events, in the order of the service; empty where it is a report.
    pub records: Vec<Record>,
    /// The report, where it is one (`MetricReport`).
    pub report: Option<Value>,
    /// All of it, as it came.
    pub value: Value,
}

/// One event (`EventRecord` of the schema `Event`).
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Tells it from others; of HawkFish its number in the stream of all events.
    pub event_id: Option<String>,
    /// What happened, as registry, version and key: `ResourceEvent.1.4.ResourceChanged`.
    pub message_id: String,
    /// The same in words, where the service says them.
    pub message: Option<String>,
    /// What stands in the words.
    pub args: Vec<String>,
    /// `OK`, `Warning` or `Critical`.
    pub severity: Option<String>,
    /// When, as the service writes it (RFC 3339 unless it is broken).
    pub timestamp: Option<String>,
    /// The URI of what it happened to.
    pub origin: Option<String>,
    /// The URI of its entry in a log.
    pub log_entry: Option<String>,
    /// The deprecated type: `Alert`, `StatusChange`, ….
    pub event_type: Option<String>,
    /// All of it, as it came.
    pub value: Value,
}

impl Event {
    /// Reads a body.
    ///
    /// # Errors
    /// [`crate::Kind::Protocol`] when it is neither events nor a report.
    pub fn of(id: Option<String>, value: Value) -> Result<Self, Error> {
        let kind = text(&value, "@odata.type").unwrap_or_default();
        let is_report = kind.starts_with("#MetricReport.")
            || (value.get("Events").is_none() && value.get("MetricValues").is_some());
        let records = match value.get("Events") {
            Some(Value::Array(list)) => list.iter().filter_map(Record::of).collect(),
            // A single one where a list belongs.
            Some(one @ Value::Object(_)) => Record::of(one).into_iter().collect(),
            _ if is_report => Vec::new(),
            // Without the envelope.
            _ => Record::of(&value).into_iter().collect::<Vec<_>>(),
        };
        if !is_report && records.is_empty() && value.get("Events").is_none() {
            return Err(Error::protocol(
                "what came is neither an event nor a report",
            ));
        }
        Ok(Self {
            id,
            context: text(&value, "Context"),
            records,
            report: is_report.then(|| value.clone()),
            value,
        })
    }

    /// Whether the service says that it has forgotten events that were to be told before this (`EventBufferExceeded`).
    pub fn is_loss(&self) -> bool {
        self.records.iter().any(Record::is_loss)
    }
}

impl Record {
    fn of(value: &Value) -> Option<Self> {
        let message_id = text(value, "MessageId").or_else(|| text(value, "MessageID"));
        let event_type = text(value, "EventType");
        if message_id.is_none() && event_type.is_none() && value.get("Message").is_none() {
            return None;
        }
        // A link, or its URI alone as in the first versions of the schema.
        let link = |name: &str| {
            let value = value.get(name)?;
            let uri = value.get("@odata.id").unwrap_or(value);
            uri.as_str().map(str::to_owned)
        };
        let args = value.get("MessageArgs").and_then(Value::as_array);
        let plain = |arg: &Value| arg.as_str().map_or_else(|| arg.to_string(), str::to_owned);
        Some(Self {
            event_id: text(value, "EventId"),
            message_id: message_id.unwrap_or_default(),
            message: text(value, "Message"),
            args: args.into_iter().flatten().map(plain).collect(),
            severity: text(value, "MessageSeverity").or_else(|| text(value, "Severity")),
            timestamp: text(value, "EventTimestamp"),
            origin: link("OriginOfCondition"),
            log_entry: link("LogEntry"),
            event_type,
            value: value.clone(),
        })
    }

    /// The last part of the message's id: `ResourceChanged`.
    pub fn key(&self) -> &str {
        let id = self.message_id.as_str();
        id.rsplit_once('.').map_or(id, |(_, key)| key)
    }

    /// The first part of the message's id: `ResourceEvent`; empty where it has none.
    pub fn registry(&self) -> &str {
        self.message_id
            .split_once('.')
            .map_or("", |(prefix, _)| prefix)
    }

    /// Whether it says that events are lost.
    pub fn is_loss(&self) -> bool {
        self.key() == "EventBufferExceeded"
    }
}

/// A text, or what some services write as a number.
fn text(value: &Value, name: &str) -> Option<String> {
    match value.get(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_is_read_in_each_shape_that_services_give_it() {
        let whole = json!({"@odata.type": "#Event.v1_13_0.Event", "Id": "4", "Context": "ours", "Events": [
            {"EventId": "4", "MessageId": "ResourceEvent.1.4.ResourceChanged", "MessageSeverity": "OK", "MessageArgs": ["a", 7],
                "OriginOfCondition": {"@odata.id": "/redfish/v1/Systems/1"}}]});
        let event = Event::of(Some("4".into()), whole).unwrap();
        assert_eq!(event.context.as_deref(), Some("ours"));
        let record = &event.records[0];
        assert_eq!(
            (record.registry(), record.key()),
            ("ResourceEvent", "ResourceChanged")
        );
        assert_eq!(record.origin.as_deref(), Some("/redfish/v1/Systems/1"));
        assert_eq!(record.args, ["a", "7"]);

        let old = json!({"Events": [{"EventID": 1, "EventId": 12, "EventType": "Alert", "Severity": "Warning",
            "OriginOfCondition": "/redfish/v1/Chassis/1", "Message": "Hot.", "MessageId": "iLOEvents.2.1.X"}]});
        let record = &Event::of(None, old).unwrap().records[0];
        assert_eq!(record.event_id.as_deref(), Some("12"));
        assert_eq!(record.severity.as_deref(), Some("Warning"));
        assert_eq!(record.origin.as_deref(), Some("/redfish/v1/Chassis/1"));

        let bare = json!({"MessageId": "Base.1.0.EventBufferExceeded"});
        assert!(Event::of(None, bare).unwrap().is_loss());
    }

    #[test]
    fn a_report_is_no_event_and_what_is_neither_is_an_error() {
        let report = json!({"@odata.type": "#MetricReport.v1_5_0.MetricReport", "Id": "Power", "MetricValues": []});
        let event = Event::of(None, report.clone()).unwrap();
        assert_eq!((event.records.len(), event.report), (0, Some(report)));
        for odd in [json!({}), json!([1]), json!("x"), json!({"Id": "1"})] {
            assert!(Event::of(None, odd).is_err());
        }
    }
}

//! What is said to a stream alone.

use bytes::Bytes;
use hawkfish_core::events::{Format, Record};
use hawkfish_redfish::message::base;
use jiff::Timestamp;
use serde_json::json;

/// That events were lost; `at` is the number that the stream goes on after.
pub(super) fn lost(at: u64, now: Timestamp) -> Record {
    let message = base("EventBufferExceeded", &[]);
    let record = json!({
        "MemberId": "0",
        "EventId": at.to_string(),
        "EventType": "Alert",
        "EventTimestamp": crate::resource::date_time(now),
        "MessageId": message.message_id,
        "Message": message.message,
        "Severity": message.severity,
        "MessageSeverity": message.severity,
        "Resolution": message.resolution,
    });
    Record {
        format: Format::Event,
        message_id: message.message_id,
        severity: "Warning",
        event_type: "Alert",
        origin: None,
        resource_type: None,
        definition: None,
        json: Bytes::from(record.to_string()),
    }
}

//! Events as JSON.
//!
//! The record of an event is rendered once; a body puts such records together as they are. In a body each record has its place in the array as `MemberId`, so
//! every record begins with one, which is that of the first place.

use bytes::Bytes;
use hawkfish_core::events::{Format, Happened, Record, TestEvent};
use hawkfish_core::logs::What;
use hawkfish_core::tasks::Severity as TaskSeverity;
use hawkfish_redfish::message::{Message, RESOURCE_EVENT, Registry, Severity};
use hawkfish_redfish::validate;
use jiff::Timestamp;
use serde::Serialize;

use super::Place;
use super::place::entry;
use super::words::{kind, kind_named, said};
use crate::app::Shared;
use crate::resource::{date_time, metric_report, metric_report_definition};

/// How every record begins.
const FIRST: &str = r#"{"MemberId":"0","#;

/// A member of `Event.Events` (`Event.v1_13_0.EventRecord`).
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct EventRecord<'a> {
    member_id: &'static str,
    /// Deprecated, and required all the same.
    event_type: &'a str,
    event_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_group_id: Option<i64>,
    event_timestamp: String,
    /// Deprecated, and what older clients read.
    severity: &'a str,
    message_severity: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    message: &'a str,
    message_id: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    message_args: &'a [String],
    #[serde(skip_serializing_if = "str::is_empty")]
    resolution: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin_of_condition: Option<Link<'a>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    origin_of_condition_unavailable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    log_entry: Option<Link<'a>>,
}

#[derive(Serialize)]
struct Link<'a> {
    #[serde(rename = "@odata.id")]
    uri: &'a str,
}

pub(super) fn record(service: Option<&Shared>, happened: &Happened) -> Record {
    let place = renamed(Place::of(&happened.about, service), service);
    match &happened.event.what {
        What::Report(report) => {
            let uri = metric_report::uri(&report.definition);
            let name = report.name.as_deref();
            let name = name.unwrap_or_else(|| report.definition.as_str());
            Record {
                format: Format::MetricReport,
                message_id: String::new(),
                severity: "OK",
                event_type: "MetricReport",
                resource_type: Some("MetricReport"),
                definition: Some(metric_report_definition::uri(&report.definition)),
                json: metric_report::sent(&uri, name, report),
                origin: Some(uri),
            }
        }
        What::Test(test) => tested(service, happened, test, place),
        what => {
            let message = said(service, happened, &place);
            let user = happened.event.by.as_ref().and_then(|by| by.user.as_deref());
            told(
                service,
                happened,
                &message,
                place,
                Beside {
                    event_type: kind(what),
                    user,
                    ..Beside::default()
                },
            )
        }
    }
}

/// The place as those call it who see the service's resources elsewhere.
fn renamed<'a>(place: Place<'a>, service: Option<&Shared>) -> Place<'a> {
    let rename = service.and_then(|service| service.rename.get());
    match (rename, &place.uri) {
        (Some(rename), Some(uri)) => Place {
            uri: (rename.0)(uri),
            ..place
        },
        _ => place,
    }
}

/// What a record holds beside its message.
#[derive(Default)]
struct Beside<'a> {
    event_type: &'static str,
    event_id: Option<&'a str>,
    group: Option<i64>,
    at: Option<Timestamp>,
    user: Option<&'a str>,
}

fn told(
    service: Option<&Shared>,
    happened: &Happened,
    message: &Message,
    place: Place<'_>,
    beside: Beside<'_>,
) -> Record {
    let seq = match happened.seq {
        // Told to one destination alone: it has no place, and is nobody's double.
        0 => {
            let key = message.message_id.rsplit('.').next().unwrap_or_default();
            format!("{key}-{}", happened.event.at.as_millisecond())
        }
        seq => seq.to_string(),
    };
    let severity = match message.severity {
        Severity::OK => "OK",
        Severity::Warning => "Warning",
        Severity::Critical => "Critical",
    };
    let at = beside.at.unwrap_or_else(|| {
        // A manager tells the time by its own clock, where that is known to be wrong.
        let of = place.system.zip(service);
        let at = happened.event.at;
        of.map_or(at, |(id, service)| service.hf.manager_stamp(id, at))
    });
    let log_entry = happened.entry.as_ref();
    let log_entry = log_entry.and_then(|(log, number)| entry(log, *number));
    let log_entry = match service.and_then(|service| service.rename.get()) {
        Some(rename) => log_entry.and_then(|uri| (rename.0)(&uri)),
        None => log_entry,
    };
    let record = EventRecord {
        member_id: "0",
        event_type: beside.event_type,
        event_id: beside.event_id.unwrap_or(&seq),
        event_group_id: beside.group,
        event_timestamp: date_time(at),
        severity,
        message_severity: severity,
        message: &message.message,
        message_id: &message.message_id,
        message_args: &message.args,
        resolution: &message.resolution,
        username: beside.user,
        origin_of_condition: place.uri.as_deref().map(|uri| Link { uri }),
        origin_of_condition_unavailable: matches!(happened.event.what, What::Removed),
        log_entry: log_entry.as_deref().map(|uri| Link { uri }),
    };
    let mut json = Vec::with_capacity(768);
    serde_json::to_writer(&mut json, &record).expect("strings and numbers become JSON");
    debug_assert!(json.starts_with(FIRST.as_bytes()));
    Record {
        format: Format::Event,
        message_id: message.message_id.clone(),
        severity,
        event_type: beside.event_type,
        resource_type: (!place.kind.is_empty()).then_some(place.kind),
        origin: place.uri,
        definition: None,
        json: json.into(),
    }
}

/// An event that somebody had sent: as they said, and as the registry says where they did not.
fn tested(
    service: Option<&Shared>,
    happened: &Happened,
    test: &TestEvent,
    place: Place<'_>,
) -> Record {
    let mut message = match &test.message_id {
        None => RESOURCE_EVENT.message("TestMessage", &[]),
        Some(id) => Registry::named(id, &test.args).unwrap_or_else(|| Message {
            message_id: id.clone(),
            ..Message::default()
        }),
    };
    if test.message_id.is_some() {
        message.args.clone_from(&test.args);
    }
    if let Some(text) = &test.message {
        message.message.clone_from(text);
    }
    if let Some(text) = &test.resolution {
        message.resolution.clone_from(text);
    }
    if let Some(severity) = test.severity {
        message.severity = match severity {
            TaskSeverity::Ok => Severity::OK,
            TaskSeverity::Warning => Severity::Warning,
            TaskSeverity::Critical => Severity::Critical,
        };
    }
    let place = match &test.origin {
        None => place,
        Some(uri) => Place {
            uri: Some(uri.clone()),
            kind: service.map_or("", |service| service.catalog.entity_at(uri)),
            system: None,
        },
    };
    let beside = Beside {
        event_type: test.event_type.as_deref().map_or("Other", kind_named),
        event_id: test.event_id.as_deref(),
        group: test.group,
        at: test.timestamp,
        user: test.user.as_deref(),
    };
    told(service, happened, &message, place, beside)
}

pub(super) fn body(id: &str, context: Option<&str>, records: &[&Record]) -> Bytes {
    let context = context.map(quoted);
    if let [report] = records
        && report.format == Format::MetricReport
    {
        let Some(context) = context else {
            return report.json.clone();
        };
        let whole = report.json.strip_suffix(b"}").unwrap_or(&report.json);
        return [whole, br#","Context":"#, context.as_bytes(), b"}"]
            .concat()
            .into();
    }
    let length: usize = records.iter().map(|record| record.json.len() + 8).sum();
    let mut out = Vec::with_capacity(length + 256);
    let mut put = |parts: &[&[u8]]| parts.iter().for_each(|part| out.extend_from_slice(part));
    let kind = validate::odata_type("Event").unwrap_or_default();
    let id = quoted(id);
    put(&[br#"{"@odata.type":""#, kind.as_bytes(), br#"","Id":"#]);
    put(&[id.as_bytes(), br#","Name":"Events""#]);
    if let Some(context) = &context {
        put(&[br#","Context":"#, context.as_bytes()]);
    }
    let count = records.len().to_string();
    put(&[
        br#","Events@odata.count":"#,
        count.as_bytes(),
        br#","Events":["#,
    ]);
    for (at, record) in records.iter().enumerate() {
        match record.json.strip_prefix(FIRST.as_bytes()) {
            Some(rest) if at > 0 => {
                let number = at.to_string();
                put(&[br#",{"MemberId":""#, number.as_bytes(), br#"","#, rest]);
            }
            _ if at > 0 => put(&[b",", &record.json]),
            _ => put(&[&record.json]),
        }
    }
    put(&[b"]}"]);
    out.into()
}

/// A text as JSON.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a text becomes JSON")
}

//! What stands in the logs. A collection carries its entries whole, because that is what clients of logs expect.

use std::collections::BTreeMap;

use hawkfish_core::error::{Error, Invalid};
use hawkfish_core::id;
use hawkfish_core::logs::{Entry, LogId};
use hawkfish_redfish::message::Severity;
use hawkfish_redfish::model::log_entry::{
    EventSeverity, Links, LogEntry, LogEntryPatch, LogEntryType, OriginatorTypes,
};
use hawkfish_redfish::model::{OdataId, Prop};
use serde_json::{Map, Value};

use super::date_time;
use super::log_service::log_of;
use crate::catalog::{Catalog, Content, Outcome, Privileges, Resource, Rq};
use crate::problem::Problem;
use crate::{respond, telling};

const COLLECTION: Resource = Resource {
    uri: "/redfish/v1/Systems/{system}/LogServices/Event/Entries",
    entity: "LogEntryCollection",
    get: Some(|rq| Box::pin(list(rq))),
    version: Some(|rq| Ok(rq.hf.logs().status(&log_of(rq)?).generation)),
    ..Resource::NONE
};

const ENTRY: Resource = Resource {
    uri: "/redfish/v1/Systems/{system}/LogServices/Event/Entries/{entry}",
    entity: "LogEntry",
    get: Some(|rq| Box::pin(read(rq))),
    patch: Some(|rq| Box::pin(change(rq))),
    ..Resource::NONE
};

/// What stands in the log of a system.
pub(crate) const SYSTEM_COLLECTION: Resource = COLLECTION;
/// An entry of the log of a system.
pub(crate) const SYSTEM: Resource = ENTRY;
/// What stands in the audit log.
pub(crate) const MANAGER_COLLECTION: Resource = Resource {
    uri: "/redfish/v1/Managers/{system}/LogServices/Audit/Entries",
    privileges: Privileges::MANAGER,
    // Whether what an entry is about is still there, the log does not know.
    version: None,
    ..COLLECTION
};
/// An entry of the audit log.
pub(crate) const MANAGER: Resource = Resource {
    uri: "/redfish/v1/Managers/{system}/LogServices/Audit/Entries/{entry}",
    privileges: Privileges::MANAGER,
    ..ENTRY
};

/// All that the way out needs to know of an entry.
const SHAPE: Resource = Resource {
    entity: "LogEntry",
    ..Resource::NONE
};

async fn list(rq: &Rq) -> Result<Content, Problem> {
    let log = log_of(rq)?;
    let entries = rq.hf.logs().entries(&log);
    let mut members: Vec<Value> = Vec::with_capacity(entries.len());
    let mut there = BTreeMap::new();
    for entry in entries {
        let uri = format!("{}/{}", rq.uri(), entry.number);
        let body = match Content::of(&model(rq, &log, &entry, &mut there).await)? {
            Content::Resource(body) => body,
            _ => Map::new(),
        };
        // As it is read by itself, with the tag that it has there.
        let whole = respond::render(&SHAPE, &uri, body, &rq.service.validated)?;
        let whole = serde_json::from_slice(&whole.bytes)
            .map_err(|error| Problem::internal(error.to_string()))?;
        members.push(whole);
    }
    Ok(Content::Resource(Map::from_iter([
        ("Name".to_owned(), "Log Entries".into()),
        ("Members@odata.count".to_owned(), members.len().into()),
        ("Members".to_owned(), members.into()),
    ])))
}

/// The number that stands in the URI.
fn number(rq: &Rq) -> Result<u64, Problem> {
    id::number(rq.param("entry")).ok_or_else(|| Problem::missing(rq.uri()))
}

async fn read(rq: &Rq) -> Result<Content, Problem> {
    let log = log_of(rq)?;
    let entry = rq.hf.logs().entry(&log, number(rq)?)?;
    Content::of(&model(rq, &log, &entry, &mut BTreeMap::new()).await)
}

async fn change(rq: &Rq) -> Result<Outcome, Problem> {
    let LogEntryPatch { resolved } = rq.body()?;
    let log = log_of(rq)?;
    match resolved {
        Prop::Absent => {}
        Prop::Null => {
            let why = "It is true or false.";
            return Err(Error::invalid("/Resolved", "null", Invalid::NotInList, why).into());
        }
        Prop::Value(resolved) => {
            let logs = rq.hf.logs();
            logs.resolve(&rq.ctx, &log, number(rq)?, resolved).await?;
        }
    }
    Ok(Outcome::Done)
}

/// An entry as a client sees it. `there` remembers which of the places that entries are about can be read.
async fn model(
    rq: &Rq,
    log: &LogId,
    entry: &Entry,
    there: &mut BTreeMap<String, bool>,
) -> LogEntry {
    let event = &entry.event;
    let message = telling::message(event);
    // The schema lets an entry be about a resource only.
    let origin = telling::origin(log, event).filter(|uri| !rq.service.catalog.is_collection(uri));
    let is_there = match &origin {
        None => false,
        // The system was asked for on the way here.
        Some(_) if matches!(log, LogId::System(_)) => true,
        Some(uri) => match there.get(uri) {
            Some(known) => *known,
            None => {
                let found = Catalog::read(&rq.service, &rq.ctx, uri).await.is_ok();
                there.insert(uri.clone(), found);
                found
            }
        },
    };
    let at = match log {
        LogId::System(id) => rq.hf.manager_stamp(id, event.at),
        _ => event.at,
    };
    let client = event.by.as_ref();
    let address = client.and_then(|client| client.address);
    LogEntry {
        id: entry.number.to_string(),
        name: format!("Log Entry {}", entry.number),
        entry_type: Some(LogEntryType::Event),
        severity: Prop::Value(match message.severity {
            Severity::OK => EventSeverity::OK,
            Severity::Warning => EventSeverity::Warning,
            Severity::Critical => EventSeverity::Critical,
        }),
        created: Some(date_time(at)),
        event_timestamp: Some(date_time(at)),
        message: Prop::Value(message.message),
        message_id: Some(message.message_id),
        message_args: Some(message.args),
        resolution: Some(message.resolution),
        resolved: Prop::Value(entry.resolved),
        modified: entry.modified.map(date_time),
        originator: address.map(|address| address.to_string()),
        originator_type: Some(match client {
            Some(_) => OriginatorTypes::Client,
            None => OriginatorTypes::Internal,
        }),
        username: Prop::or_absent(
            client
                .and_then(|client| client.user.as_deref())
                .map(Into::into),
        ),
        origin_of_condition_unavailable: Prop::or_absent(
            (origin.is_some() && !is_there).then_some(true),
        ),
        links: origin.filter(|_| is_there).map(|uri| Links {
            origin_of_condition: Some(OdataId::new(uri)),
            ..Links::default()
        }),
        ..LogEntry::default()
    }
}

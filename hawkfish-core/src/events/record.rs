//! What is said of an event, once it has words. Core has none: whoever serves clients hands them in.

use std::fmt;

use bytes::Bytes;

use super::Happened;
use crate::ctx::Scope;

/// In what form something is told.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub enum Format {
    /// As an event: a message of a registry.
    Event,
    /// As a report of metrics.
    MetricReport,
}

/// An event in words, and what destinations choose events by. The same for all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// In what form.
    pub format: Format,
    /// `Registry.Major.Minor.Key`; empty for a report.
    pub message_id: String,
    /// `OK`, `Warning` or `Critical`.
    pub severity: &'static str,
    /// What kind of event it is in the words of before there were registries: `Alert` and the like (`Event.EventType`).
    pub event_type: &'static str,
    /// The URI of what it is about, if that has one.
    pub origin: Option<String>,
    /// The type of what it is about, such as `ComputerSystem`.
    pub resource_type: Option<&'static str>,
    /// The URI of the definition of a report.
    pub definition: Option<String>,
    /// The JSON object: a member of `Event.Events`, or a whole report.
    pub json: Bytes,
}

/// Who finds the words.
pub trait Telling: Send + Sync + fmt::Debug {
    /// What is said of an event.
    fn record(&self, happened: &Happened) -> Record;

    /// The body that carries records to one destination. `id` is the body's id; `context` is what the destination asked to be called.
    /// All records are of one format; of reports there is one.
    fn body(&self, id: &str, context: Option<&str>, records: &[&Record]) -> Bytes;

    /// A body as a client hears it who listens through a face: with the URIs of that.
    fn through(&self, _scope: &Scope, body: Bytes) -> Bytes {
        body
    }
}

//! A subscription: who wants to hear what, and how it gets there. Plain values.

use std::fmt;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use url::Url;

use super::filter::Filter;
use crate::events::{Format, Told};
use crate::id::{AccountId, ProjectId, SubscriptionId, SystemId};
use crate::outgoing::redacted;

/// What becomes of events that a destination does not take, once they were tried as often as is said (EventDestination, `DeliveryRetryPolicy`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Retry {
    /// They become dead letters, and the next ones are sent. So it is where a client says nothing.
    #[default]
    DeadLetter,
    /// The subscription is deleted.
    TerminateAfterRetries,
    /// The subscription is suspended, and keeps them.
    SuspendRetries,
    /// They are tried for ever, at a constant interval.
    RetryForever,
    /// They are tried for ever, at intervals that grow to a bound.
    RetryForeverWithBackoff,
}

/// A subscription to be made.
#[derive(Clone, PartialEq)]
pub struct NewSubscription {
    /// Its name, for people.
    pub name: Option<String>,
    /// Where events are sent: `http` or `https`.
    pub destination: Url,
    /// What the destination wants to be called, in each body.
    pub context: Option<String>,
    /// What it wants to hear.
    pub filter: Filter,
    /// Events or reports.
    pub format: Format,
    /// Headers of each request, as name and value. Never read back.
    pub headers: Vec<(String, String)>,
    /// The key with which each body is signed. Never read back.
    pub secret: Option<String>,
    /// What becomes of what it does not take.
    pub retry: Retry,
    /// Check the certificate of the destination.
    pub verify_certificate: bool,
    /// How often it is told that the service is there.
    pub heartbeat: Option<SignedDuration>,
    /// Where events are sent while the destination does not take them: the first that does gets them.
    pub backups: Vec<Url>,
}

impl NewSubscription {
    /// A subscription to all events, with nothing else said.
    #[must_use]
    pub fn to(destination: Url) -> Self {
        Self {
            name: None,
            destination,
            context: None,
            filter: Filter::default(),
            format: Format::Event,
            headers: Vec::new(),
            secret: None,
            retry: Retry::default(),
            verify_certificate: true,
            heartbeat: None,
            backups: Vec::new(),
        }
    }
}

impl fmt::Debug for NewSubscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewSubscription")
            .field("destination", &redacted(&self.destination))
            .field("context", &self.context)
            .field("filter", &self.filter)
            .field("format", &self.format)
            .field("headers", &self.headers.len())
            .field("signed", &self.secret.is_some())
            .field("retry", &self.retry)
            .finish_non_exhaustive()
    }
}

/// What is to be changed of a subscription; what is `None` stays.
#[derive(Clone, Default, PartialEq)]
pub struct SubscriptionChange {
    /// Its name.
    pub name: Option<String>,
    /// What the destination wants to be called, if anything.
    pub context: Option<Option<String>>,
    /// What it wants to hear.
    pub filter: Option<Filter>,
    /// All headers of each request.
    pub headers: Option<Vec<(String, String)>>,
    /// The key with which each body is signed, if it is.
    pub secret: Option<Option<String>>,
    /// What becomes of what it does not take.
    pub retry: Option<Retry>,
    /// Check the certificate of the destination.
    pub verify_certificate: Option<bool>,
    /// How often it is told that the service is there, if at all.
    pub heartbeat: Option<Option<SignedDuration>>,
    /// Where events are sent while the destination does not take them.
    pub backups: Option<Vec<Url>>,
}

impl fmt::Debug for SubscriptionChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubscriptionChange")
            .field("name", &self.name)
            .field("context", &self.context)
            .field("filter", &self.filter)
            .field("headers", &self.headers.as_ref().map(Vec::len))
            .field("secret", &self.secret.as_ref().map(Option::is_some))
            .field("retry", &self.retry)
            .finish_non_exhaustive()
    }
}

/// How a subscriber hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Events are sent to it.
    Webhook,
    /// It holds a stream open; with that the subscription ends.
    Stream,
}

/// Why something did not arrive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastFailure {
    /// When.
    pub at: Timestamp,
    /// The HTTP status of the answer, if there was one.
    pub status: Option<u16>,
    /// In words, without secrets.
    pub reason: String,
}

/// A subscription as it may be shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Subscription {
    /// Its id: of a webhook a number that is never given twice, of a stream `stream-` and a number that is given once until a restart.
    pub id: SubscriptionId,
    /// How the subscriber hears.
    pub kind: Kind,
    /// Its name, for people.
    pub name: String,
    /// Where events are sent; `None` for a stream.
    pub destination: Option<Url>,
    /// What the destination wants to be called.
    pub context: Option<String>,
    /// What it wants to hear.
    pub filter: Filter,
    /// Events or reports.
    pub format: Format,
    /// How many headers each request carries. Neither names nor values are shown.
    pub headers: usize,
    /// Whether each body is signed.
    pub signed: bool,
    /// What becomes of what it does not take.
    pub retry: Retry,
    /// Whether the certificate of the destination is checked.
    pub verify_certificate: bool,
    /// How often it is told that the service is there.
    pub heartbeat: Option<SignedDuration>,
    /// Where events are sent while the destination does not take them.
    pub backups: Vec<Url>,
    /// Nothing is sent until it is resumed.
    pub suspended: bool,
    /// The number of the last event that it is done with.
    pub through: u64,
    /// How many events it has not come to yet, wanted or not.
    pub pending: u64,
    /// How often what is to be sent next was tried.
    pub attempts: u32,
    /// When that is tried again, if it waits for that.
    pub next_attempt: Option<Timestamp>,
    /// The last failure.
    pub last_failure: Option<LastFailure>,
    /// When something last arrived.
    pub last_delivered: Option<Timestamp>,
    /// How many events arrived.
    pub delivered: u64,
    /// How many events were gone before they could be sent.
    pub lost: u64,
    /// How many dead letters it has.
    pub dead: u64,
    /// When it was made.
    pub made: Timestamp,
    /// Grows with every change that a client makes.
    pub generation: u64,
    /// The project in which it was made: it hears of nothing else.
    pub project: Option<ProjectId>,
    /// The system through whose face it was made: it hears of nothing else. `None` is the face of the fleet.
    pub face: Option<SystemId>,
    /// Who made it.
    pub owner: Option<AccountId>,
}

/// An event that a destination did not take.
#[derive(Clone, Debug)]
pub struct DeadLetter {
    /// The place of the event in the stream.
    pub seq: u64,
    /// When it was given up.
    pub at: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
    /// Why it did not arrive.
    pub reason: String,
    /// Somebody asked for it to be sent once more, and it is to be.
    pub replaying: bool,
    /// The event.
    pub told: Arc<Told>,
}

/// What a client can set for all subscriptions (EventService).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceSettings {
    /// Whether anything is delivered; else events wait, and streams are closed.
    pub enabled: bool,
    /// How often what is to be sent is tried: `DeliveryRetryAttempts`.
    pub attempts: u32,
    /// The time between the first two tries: `DeliveryRetryIntervalSeconds`.
    pub interval: SignedDuration,
}

impl Default for ServiceSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            attempts: 5,
            interval: SignedDuration::from_secs(30),
        }
    }
}

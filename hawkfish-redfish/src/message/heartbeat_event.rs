//! The registry HeartbeatEvent: DMTF's keys, argument counts and severities; our words.

use super::Severity::OK;
use super::registry::{Entry, Registry, news};

/// That the service is there.
pub const HEARTBEAT_EVENT: Registry = Registry {
    prefix: "HeartbeatEvent",
    version: "1.1",
    release: "1.1.1",
    entries: ENTRIES,
};

const ENTRIES: &[Entry] = &[
    news(
        "RedfishServiceFunctional",
        OK,
        "The service is there and well.",
    ),
    news("RedfishServiceStarted", OK, "The service has started."),
    news(
        "RedfishServiceShuttingDown",
        OK,
        "The service is about to stop.",
    ),
];

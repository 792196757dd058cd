//! The registry ResourceEvent: DMTF's keys, argument counts and severities; our words.

use super::Severity::{Critical, OK, Warning};
use super::registry::{Entry, Registry, entry, news};

/// What becomes of resources.
pub const RESOURCE_EVENT: Registry = Registry {
    prefix: "ResourceEvent",
    version: "1.4",
    release: "1.4.3",
    entries: ENTRIES,
};

const ENTRIES: &[Entry] = &[
    news("ResourceCreated", OK, "A resource has come into being."),
    news("ResourceRemoved", OK, "A resource is no longer there."),
    news("ResourceChanged", OK, "A resource is not as it was."),
    entry(
        "URIForResourceChanged",
        OK,
        "A resource has another URI than before.",
        "Look for the resource in the collection that it belongs to.",
    ),
    entry(
        "ResourceErrorsDetected",
        Warning,
        "%1 has errors of the type %2.",
        "Look into the log of what the event is about.",
    ),
    news(
        "ResourceErrorsCorrected",
        OK,
        "%1 no longer has errors of the type %2.",
    ),
    entry(
        "ResourceErrorThresholdExceeded",
        Critical,
        "%1 is beyond its critical threshold of %2.",
        "See to what the event is about before it takes harm.",
    ),
    news(
        "ResourceErrorThresholdCleared",
        OK,
        "%1 is back within its critical threshold of %2.",
    ),
    entry(
        "ResourceWarningThresholdExceeded",
        Warning,
        "%1 is beyond its cautionary threshold of %2.",
        "Keep an eye on what the event is about.",
    ),
    news(
        "ResourceWarningThresholdCleared",
        OK,
        "%1 is back within its cautionary threshold of %2.",
    ),
    news(
        "ResourceStatusChangedOK",
        OK,
        "%1 is well again; its health is %2.",
    ),
    entry(
        "ResourceStatusChangedWarning",
        Warning,
        "%1 needs to be looked at; its health is %2.",
        "Read the resource and its log to see what is the matter.",
    ),
    entry(
        "ResourceStatusChangedCritical",
        Critical,
        "%1 is in a bad way; its health is %2.",
        "Read the resource and its log to see what is the matter.",
    ),
    news("ResourceStateChanged", OK, "The state of %1 is now %2."),
    news("ResourcePoweredOn", OK, "%1 is on."),
    news("ResourcePoweringOn", OK, "%1 is being turned on."),
    news("ResourcePoweredOff", OK, "%1 is off."),
    news("ResourcePoweringOff", OK, "%1 is being turned off."),
    news("ResourcePaused", OK, "%1 is paused."),
    news(
        "PropertyValueModifiedByClient",
        OK,
        "A client gave the property %1 the value %2.",
    ),
    entry(
        "ResourceVersionIncompatible",
        Warning,
        "The version of %1 does not go together with the rest.",
        "Install a version that does.",
    ),
    entry(
        "ResourceSelfTestFailed",
        Critical,
        "A self-test failed: %1.",
        "Have the part that failed looked at.",
    ),
    news("ResourceSelfTestCompleted", OK, "A self-test went well."),
    news(
        "TestMessage",
        OK,
        "This is a test: events arrive where this arrives.",
    ),
    news(
        "AggregationSourceDiscovered",
        OK,
        "Something that can be aggregated by %1 was found at %2.",
    ),
];

//! Our own registry: what the Base registry has no word for.

use super::{Entry, HAWKFISH_VERSION, Severity};
use serde_json::{Map, Value, json};

const fn entry(
    key: &'static str,
    severity: Severity,
    text: &'static str,
    resolution: &'static str,
) -> Entry {
    Entry {
        key,
        severity,
        text,
        resolution,
    }
}

pub(super) const ENTRIES: &[Entry] = &[
    entry(
        "MediaFetchFailed",
        Severity::Critical,
        "The image at %1 could not be fetched: %2.",
        "Check that the address is right and that the server that holds the image answers, then insert it again.",
    ),
    entry(
        "MediaTooLarge",
        Severity::Critical,
        "The image at %1 is larger than the %2 bytes allowed.",
        "Use a smaller image, or have the operator raise the limit.",
    ),
    entry(
        "MediaAttachFailed",
        Severity::Critical,
        "The image %1 could not be attached to the system: %2.",
        "Look up the reason in the log of the host, then insert the image again.",
    ),
    entry(
        "MediaEjectFailed",
        Severity::Critical,
        "The media could not be taken out of the system: %1.",
        "Look up the reason in the log of the host, then eject again.",
    ),
    entry(
        "MediaFetching",
        Severity::OK,
        "The image at %1 is being fetched.",
        "Nothing needs to be done.",
    ),
    entry(
        "MediaInserted",
        Severity::OK,
        "The image %1 is inserted.",
        "Nothing needs to be done.",
    ),
    entry(
        "AddressRefused",
        Severity::Critical,
        "The address %1 is refused by policy: %2.",
        "Use an address that the operator allows, or have the operator allow this one.",
    ),
    entry(
        "HostUnreachable",
        Severity::Critical,
        "The host %1 of this system cannot be reached.",
        "Wait until the host is reachable again and repeat the request.",
    ),
    entry(
        "StateLastSeen",
        Severity::Warning,
        "The host %1 cannot be reached; what is shown is what was last seen at %2.",
        "Nothing needs to be done; the state is read again as soon as the host is reachable.",
    ),
    entry(
        "Unsupported",
        Severity::Warning,
        "The backend of this system cannot do this: %1.",
        "Choose something that the system lists as supported.",
    ),
    entry(
        "BackendFailed",
        Severity::Critical,
        "The backend of this system refused the operation: %1.",
        "Look up the reason in the log of the host, then repeat the request.",
    ),
    entry(
        "TaskNote",
        Severity::OK,
        "The task says: %1.",
        "Nothing needs to be done.",
    ),
    entry(
        "TaskInterrupted",
        Severity::Critical,
        "The task was cut short by a restart of the service and could not be resumed.",
        "Start the operation again.",
    ),
    entry(
        "TaskCancelled",
        Severity::Warning,
        "The task was cancelled on request.",
        "Start the operation again if it is still wanted.",
    ),
    entry(
        "GuestDidNotShutDown",
        Severity::Warning,
        "The guest did not shut down within %1 seconds.",
        "Repeat the request, or use ForceOff.",
    ),
];

pub(super) fn registry() -> Value {
    let messages: Map<String, Value> = ENTRIES
        .iter()
        .map(|entry| {
            let mut listed = json!({
                "Description": entry.text.split(':').next().unwrap_or_default(),
                "Message": entry.text,
                // Deprecated, and required all the same.
                "Severity": entry.severity,
                "MessageSeverity": entry.severity,
                "NumberOfArgs": entry.args(),
                "Resolution": entry.resolution,
            });
            if entry.args() > 0 {
                listed["ParamTypes"] = vec!["string"; entry.args()].into();
            }
            (entry.key.to_owned(), listed)
        })
        .collect();
    json!({
        "@odata.type": crate::validate::odata_type("MessageRegistry"),
        "Id": format!("HawkFish.{HAWKFISH_VERSION}.0"),
        "Name": "HawkFish Message Registry",
        "Description": "The messages of HawkFish that DMTF's registries have no word for.",
        "Language": "en",
        "OwningEntity": "HawkFish",
        "RegistryPrefix": "HawkFish",
        "RegistryVersion": format!("{HAWKFISH_VERSION}.0"),
        "Messages": messages,
    })
}

//! Our own registry: what the Base registry has no word for.

use super::registry::{Entry, entry};
use super::{HAWKFISH_VERSION, Severity};
use serde_json::{Map, Value, json};

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
        "SettingsNotApplied",
        Severity::Warning,
        "The settings that wait could not be applied at the last reset, and go on waiting: %1.",
        "Correct or take back what is wanted, then reset the system again.",
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
    entry(
        "SystemPoweredOn",
        Severity::OK,
        "The system was turned on: %1.",
        "Nothing needs to be done.",
    ),
    entry(
        "SystemPoweredOff",
        Severity::OK,
        "The system was turned off: %1.",
        "Nothing needs to be done.",
    ),
    entry(
        "SystemReset",
        Severity::OK,
        "The system was reset: %1.",
        "Nothing needs to be done.",
    ),
    entry(
        "SystemPaused",
        Severity::OK,
        "The processors of the system were stopped: %1.",
        "Nothing needs to be done.",
    ),
    entry(
        "SystemResumed",
        Severity::OK,
        "The processors of the system go on: %1.",
        "Nothing needs to be done.",
    ),
    entry(
        "SystemCrashed",
        Severity::Critical,
        "The system stopped because it failed.",
        "Look up the reason in the log of the host and on the console of the guest, then turn the system on again.",
    ),
    entry(
        "WatchdogFired",
        Severity::Critical,
        "The watchdog of the system fired, because the guest no longer fed it.",
        "Look up on the console of the guest why it hangs.",
    ),
    entry(
        "DiskFailed",
        Severity::Critical,
        "A disk of the system failed to read or write.",
        "Look up the reason in the log of the host: often its storage is full or cannot be reached.",
    ),
    entry(
        "GuestAsked",
        Severity::OK,
        "The guest was asked for something: %1.",
        "Nothing needs to be done; the guest takes its own time.",
    ),
    entry(
        "MediumInserted",
        Severity::OK,
        "The medium %1 was inserted into %2.",
        "Nothing needs to be done.",
    ),
    entry(
        "MediumEjected",
        Severity::OK,
        "The medium in %1 was taken out.",
        "Nothing needs to be done.",
    ),
    entry(
        "BootSettingsChanged",
        Severity::OK,
        "How the system boots was changed: %1.",
        "Nothing needs to be done.",
    ),
    entry(
        "BootOverrideUsed",
        Severity::OK,
        "The system booted as its override for one boot said; from now on it boots as usual.",
        "Nothing needs to be done.",
    ),
    entry(
        "HostLost",
        Severity::Critical,
        "The host %1 of the system stopped answering.",
        "See to it that the host and its hypervisor run and can be reached.",
    ),
    entry(
        "HostBack",
        Severity::OK,
        "The host %1 of the system answers again.",
        "Nothing needs to be done.",
    ),
    entry(
        "ChangeMade",
        Severity::OK,
        "%1 asked for %2 of %3, which was answered with %4.",
        "Nothing needs to be done.",
    ),
    entry(
        "ChangeRefused",
        Severity::Warning,
        "%1 asked for %2 of %3, which was refused with %4.",
        "Nothing needs to be done, unless the request should not have been made or should have been granted.",
    ),
    entry(
        "LoggedIn",
        Severity::OK,
        "%1 opened a session from %2.",
        "Nothing needs to be done.",
    ),
    entry(
        "LoginRefused",
        Severity::Warning,
        "%1 was not let in from %2.",
        "If this happens often, find out who tries, and whether an account is at risk.",
    ),
    entry(
        "AccountLocked",
        Severity::Critical,
        "The account %1 was locked after too many failures to log in.",
        "Find out who tried, then unlock the account or wait until it unlocks itself.",
    ),
    entry(
        "DeliveryFailed",
        Severity::Warning,
        "Events do not arrive at %1: %2.",
        "See to it that the destination can be reached and takes what is sent to it.",
    ),
    entry(
        "EventsNotDelivered",
        Severity::Critical,
        "Events did not arrive: %1 are kept as dead letters, %2 were no longer kept when their turn came.",
        "Look at the dead letters, and replay or drop them; read the resources anew whose events were lost.",
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

//! From what happened to what is said of it: the one place where an event of core gets its message, and the URI that it is about.

use hawkfish_core::logs::{Ask, BootPart, Client, Event, LogId, What, Why};
use hawkfish_redfish::message::{Message, hawkfish};

/// What is said of an event.
#[must_use]
pub fn message(event: &Event) -> Message {
    match &event.what {
        What::PoweredOn(why) => hawkfish("SystemPoweredOn", &[cause(*why)]),
        What::PoweredOff(why) => hawkfish("SystemPoweredOff", &[cause(*why)]),
        What::Reset(why) => hawkfish("SystemReset", &[cause(*why)]),
        What::Paused(why) => hawkfish("SystemPaused", &[cause(*why)]),
        What::Resumed(why) => hawkfish("SystemResumed", &[cause(*why)]),
        What::Crashed => hawkfish("SystemCrashed", &[]),
        What::WatchdogFired => hawkfish("WatchdogFired", &[]),
        What::DiskFailed => hawkfish("DiskFailed", &[]),
        What::Asked(ask) => hawkfish(
            "GuestAsked",
            &[match ask {
                Ask::ShutDown => "to shut down",
                Ask::Restart => "to restart",
                Ask::PowerButton => "its power button was pressed",
                Ask::Interrupt => "it was sent a non-maskable interrupt",
            }],
        ),
        What::MediumInserted { slot, image } => hawkfish("MediumInserted", &[image, slot.as_str()]),
        What::MediumEjected { slot } => hawkfish("MediumEjected", &[slot.as_str()]),
        What::BootChanged(parts) => {
            let parts: Vec<&str> = parts.iter().map(|part| boot_part(*part)).collect();
            hawkfish("BootSettingsChanged", &[&parts.join(", ")])
        }
        What::OverrideUsed => hawkfish("BootOverrideUsed", &[]),
        What::HostLost { host } => hawkfish("HostLost", &[host.as_str()]),
        What::HostBack { host } => hawkfish("HostBack", &[host.as_str()]),
        What::Requested {
            method,
            uri,
            status,
        } => {
            let key = if *status < 400 {
                "ChangeMade"
            } else {
                "ChangeRefused"
            };
            hawkfish(key, &[&user(event), method, uri, &status.to_string()])
        }
        What::LoggedIn { .. } => hawkfish("LoggedIn", &[&user(event), &address(event)]),
        What::LoginRefused { .. } => hawkfish("LoginRefused", &[&user(event), &address(event)]),
        What::AccountLocked { name, .. } => hawkfish("AccountLocked", &[name]),
        // Core may come to tell of more than there are words for here.
        other => hawkfish("TaskNote", &[&format!("{other:?}")]),
    }
}

/// The URI that an event is about; it may no longer lead anywhere.
#[must_use]
pub fn origin(log: &LogId, event: &Event) -> Option<String> {
    match (&event.what, log) {
        (What::Requested { uri, .. }, _) => {
            let of = uri.split("/Actions/").next().unwrap_or(uri);
            Some(of.strip_suffix("/Members").unwrap_or(of).to_owned())
        }
        (What::LoggedIn { session }, _) => {
            Some(format!("{}/{session}", crate::resource::session::URI))
        }
        (What::LoginRefused { account }, _) => {
            let account = account.as_ref()?;
            Some(crate::resource::manager_account::uri(account.as_str()))
        }
        (What::AccountLocked { account, .. }, _) => {
            Some(crate::resource::manager_account::uri(account.as_str()))
        }
        (_, LogId::System(system)) => Some(format!("/redfish/v1/Systems/{system}")),
        (_, LogId::Audit) => None,
    }
}

fn cause(why: Why) -> &'static str {
    match why {
        Why::Command => "by a command",
        Why::Guest => "by its guest",
        Why::Outside => "by somebody else than this service",
        Why::Unseen => "while nobody was looking",
    }
}

fn boot_part(part: BootPart) -> &'static str {
    match part {
        BootPart::Override => "override",
        BootPart::Mode => "firmware",
        BootPart::Order => "order",
        BootPart::HttpUri => "HTTP boot URI",
    }
}

fn user(event: &Event) -> String {
    let user = event.by.as_ref().and_then(|by| by.user.as_deref());
    user.unwrap_or("somebody unknown").to_owned()
}

fn address(event: &Event) -> String {
    let address = event.by.as_ref().and_then(|by: &Client| by.address);
    address.map_or_else(|| "an unknown address".to_owned(), |a| a.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(what: What) -> Event {
        Event {
            at: "2026-01-01T00:00:00Z".parse().unwrap(),
            what,
            by: None,
        }
    }

    #[test]
    fn a_refused_change_is_told_apart_from_one_that_was_made() {
        let asked = |status| {
            let event = event(What::Requested {
                method: "POST".into(),
                uri: "/redfish/v1/Systems/1/Actions/ComputerSystem.Reset".into(),
                status,
            });
            assert_eq!(
                origin(&LogId::Audit, &event).as_deref(),
                Some("/redfish/v1/Systems/1")
            );
            message(&event).key().to_owned()
        };
        assert_eq!(
            [asked(204), asked(403)],
            ["ChangeMade".to_owned(), "ChangeRefused".to_owned()]
        );
    }
}

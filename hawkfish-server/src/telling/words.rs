//! The words for what happened, in a log and in the stream.

use hawkfish_core::ctx::Ctx;
use hawkfish_core::events::{Happened, JobNews, Subject, TaskNews, UpdateStep};
use hawkfish_core::logs::{Ask, BootPart, Client, Event, LogId, What, Why};
use hawkfish_core::tasks::Severity;
use hawkfish_redfish::message::{
    HEARTBEAT_EVENT, JOB_EVENT, Message, POWER, RESOURCE_EVENT, TASK_EVENT, UPDATE, base, hawkfish,
};

use super::Place;
use crate::app::Shared;

/// What is said of an event that goes to whoever listens: in DMTF's ids where they have one.
pub(super) fn said(service: Option<&Shared>, happened: &Happened, place: &Place<'_>) -> Message {
    let resource = |key: &str| RESOURCE_EVENT.message(key, &[]);
    let named = |key: &str| RESOURCE_EVENT.message(key, &[&name(service, place)]);
    let about = &happened.about;
    let chassis = |key: &str| POWER.message(key, &["Server", &name(service, place)]);
    match (&happened.event.what, about) {
        (What::PoweredOn(_), Subject::Chassis(_)) => chassis("ChassisPoweredOn"),
        (What::PoweredOff(_), Subject::Chassis(_)) => chassis("ChassisPoweredOff"),
        (What::PoweredOn(_), _) => named("ResourcePoweredOn"),
        (What::PoweredOff(_), _) => named("ResourcePoweredOff"),
        (What::Paused(_), _) => named("ResourcePaused"),
        (What::Created, _) => resource("ResourceCreated"),
        (What::Changed, _) => resource("ResourceChanged"),
        (What::Removed, _) => resource("ResourceRemoved"),
        (What::Health(health), _) => {
            let key = match health {
                Severity::Ok => "ResourceStatusChangedOK",
                Severity::Warning => "ResourceStatusChangedWarning",
                Severity::Critical => "ResourceStatusChangedCritical",
            };
            RESOURCE_EVENT.message(key, &[&name(service, place), health.as_str()])
        }
        (What::Task(news), Subject::Task(task) | Subject::SubTask { part: task, .. }) => {
            task_news(*news, task.as_str())
        }
        (What::Job(news), Subject::Job(job)) => {
            let key = match news {
                JobNews::Started => "JobStarted",
                JobNews::Completed => "JobCompletedOK",
                JobNews::Failed => "JobCompletedException",
                JobNews::Suspended => "JobSuspended",
                JobNews::Resumed => "JobResumed",
                JobNews::Cancelled => "JobCancelled",
                JobNews::Removed => "JobRemoved",
            };
            JOB_EVENT.message(key, &[job.as_str()])
        }
        (What::Update { step, image }, _) => {
            let target = place.uri.as_deref().unwrap_or_default();
            update_news(*step, image, target)
        }
        (What::Heartbeat, _) => HEARTBEAT_EVENT.message("RedfishServiceFunctional", &[]),
        (What::Missed, _) => base("EventBufferExceeded", &[]),
        _ => message(&happened.event),
    }
}

fn task_news(news: TaskNews, task: &str) -> Message {
    let key = match news {
        TaskNews::Started => "TaskStarted",
        TaskNews::Progress(percent) => {
            return TASK_EVENT.message("TaskProgressChanged", &[task, &percent.to_string()]);
        }
        TaskNews::Paused => "TaskPaused",
        TaskNews::Resumed => "TaskResumed",
        TaskNews::Completed => "TaskCompletedOK",
        TaskNews::CompletedWithWarning => "TaskCompletedWarning",
        TaskNews::Failed => "TaskAborted",
        TaskNews::Cancelled => "TaskCancelled",
        TaskNews::Removed => "TaskRemoved",
    };
    TASK_EVENT.message(key, &[task])
}

fn update_news(step: UpdateStep, image: &str, target: &str) -> Message {
    let key = match step {
        UpdateStep::NoTarget => return UPDATE.message("NoTargetsDetermined", &[image]),
        UpdateStep::TargetFound => return UPDATE.message("TargetDetermined", &[target, image]),
        UpdateStep::Done => return UPDATE.message("UpdateSuccessful", &[target, image]),
        UpdateStep::SameVersion => {
            return UPDATE.message("UpdateSkippedSameVersion", &[target, image]);
        }
        UpdateStep::Transferring => "TransferringToComponent",
        UpdateStep::TransferFailed => "TransferFailed",
        UpdateStep::VerificationFailed => "VerificationFailed",
        UpdateStep::Applying => "ApplyingOnComponent",
        UpdateStep::ApplyFailed => "ApplyFailed",
        UpdateStep::AwaitsStart => "AwaitToActivate",
    };
    UPDATE.message(key, &[image, target])
}

/// What people call what an event is about: the name of its system, and of what part of that, or else where it stands.
fn name(service: Option<&Shared>, place: &Place<'_>) -> String {
    let Some(id) = place.system else {
        return place.uri.clone().unwrap_or_default();
    };
    let system = service.and_then(|service| service.hf.system(&Ctx::service(), id).ok());
    let system = match &system {
        Some(system) => system.machine.name.as_str(),
        None => id.as_str(),
    };
    let uri = place.uri.as_deref().unwrap_or_default();
    match uri.rsplit('/').next() {
        Some(part) if !uri.ends_with(id.as_str()) => format!("{part} of {system}"),
        _ => system.to_owned(),
    }
}

/// What kind of event it is, in the words of before there were registries (`Event.EventType`).
pub(super) fn kind(what: &What) -> &'static str {
    match what {
        What::Created => "ResourceAdded",
        What::Changed | What::BootChanged(_) => "ResourceUpdated",
        What::Removed => "ResourceRemoved",
        What::Crashed
        | What::WatchdogFired
        | What::DiskFailed
        | What::HostLost { .. }
        | What::Health(Severity::Warning | Severity::Critical)
        | What::LoginRefused { .. }
        | What::AccountLocked { .. } => "Alert",
        What::Heartbeat | What::Missed | What::Test(_) => "Other",
        What::Report(_) => "MetricReport",
        _ => "StatusChange",
    }
}

/// The kind of that name.
pub(super) fn kind_named(name: &str) -> &'static str {
    let kinds = [
        "StatusChange",
        "ResourceUpdated",
        "ResourceAdded",
        "ResourceRemoved",
        "Alert",
        "MetricReport",
    ];
    kinds
        .into_iter()
        .find(|kind| *kind == name)
        .unwrap_or("Other")
}

/// What is said of an event in a log.
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
        (_, LogId::Audit | LogId::Face(_)) => None,
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

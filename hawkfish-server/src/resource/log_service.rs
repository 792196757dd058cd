//! Logs: what happened to a system, and what was done through the service.
//!
//! Each system has its own log of events. The audit log is one for the whole service, as accounts are, and every manager shows it; at the face of a system
//! its manager shows what was done there.

use hawkfish_core::error::{Error, Invalid};
use hawkfish_core::logs::LogId;
use hawkfish_redfish::model::Prop;
use hawkfish_redfish::model::log_service::{
    Actions, ClearLogAction, ClearLogParams, LogEntryTypes, LogPurpose, LogService,
    LogServicePatch, OverWritePolicy,
};
use hawkfish_redfish::model::resource::{State, Status};
use http::StatusCode;

use super::{date_time, healthy};
use crate::catalog::{Action, Catalog, Content, Outcome, Privileges, Resource, Rq};
use crate::problem::Problem;

/// The name of a system's log in its URI.
pub(crate) const EVENTS: &str = "Event";
/// The name of the audit log in its URI.
pub(crate) const AUDIT: &str = "Audit";

const COLLECTION: Resource = Resource {
    uri: "/redfish/v1/Systems/{system}/LogServices",
    entity: "LogServiceCollection",
    get: Some(|rq| {
        Box::pin(async move {
            rq.hf.system(&rq.ctx, &rq.id("system")?)?;
            let name = match is_audit(rq) {
                true => AUDIT,
                false => EVENTS,
            };
            Ok(Content::collection(rq, "Logs", [name]))
        })
    }),
    ..Resource::NONE
};

const SERVICE: Resource = Resource {
    uri: "/redfish/v1/Systems/{system}/LogServices/Event",
    entity: "LogService",
    get: Some(|rq| Box::pin(read(rq))),
    patch: Some(|rq| Box::pin(change(rq))),
    actions: &[Action {
        name: "LogService.ClearLog",
        run: |rq| Box::pin(clear(rq)),
        needs: None,
    }],
    clock_like: &["DateTime"],
    ..Resource::NONE
};

/// The logs of a system.
pub(crate) const SYSTEM_COLLECTION: Resource = COLLECTION;
/// The log of a system.
pub(crate) const SYSTEM: Resource = SERVICE;
/// The logs of a manager.
pub(crate) const MANAGER_COLLECTION: Resource = Resource {
    uri: "/redfish/v1/Managers/{system}/LogServices",
    privileges: Privileges::MANAGER,
    ..COLLECTION
};
/// The audit log, at a manager.
pub(crate) const MANAGER: Resource = Resource {
    uri: "/redfish/v1/Managers/{system}/LogServices/Audit",
    privileges: Privileges::MANAGER,
    ..SERVICE
};

fn is_audit(rq: &Rq) -> bool {
    rq.uri().starts_with("/redfish/v1/Managers/")
}

/// The log that a URI is of, if the caller may see the system above it.
pub(super) fn log_of(rq: &Rq) -> Result<LogId, Problem> {
    let system = rq.hf.system(&rq.ctx, &rq.id("system")?)?;
    Ok(match is_audit(rq) {
        true => LogId::audit(rq.ctx.face()),
        false => LogId::System(system.id.clone()),
    })
}

async fn read(rq: &Rq) -> Result<Content, Problem> {
    let log = log_of(rq)?;
    let status = rq.hf.logs().status(&log);
    let (id, name, purpose) = match log {
        LogId::System(_) => (EVENTS, "Event Log", LogPurpose::Operations),
        LogId::Audit | LogId::Face(_) => (AUDIT, "Audit Log", LogPurpose::Security),
    };
    Content::of(&LogService {
        id: id.to_owned(),
        name: name.to_owned(),
        service_enabled: status.enabled.into(),
        log_entry_type: LogEntryTypes::Event.into(),
        log_purposes: Some(vec![purpose]),
        max_number_of_records: i64::try_from(status.most).ok(),
        over_write_policy: Some(match status.wraps {
            true => OverWritePolicy::WrapsWhenFull,
            false => OverWritePolicy::NeverOverWrites,
        }),
        overflow: Some(status.overflowed),
        date_time: date_time(rq.hf.clock().now()).into(),
        date_time_local_offset: "+00:00".to_owned().into(),
        status: Some(match status.enabled {
            true => healthy(),
            false => Status {
                state: State::Disabled.into(),
                ..Status::default()
            },
        }),
        entries: Some(format!("{}/Entries", rq.uri()).into()),
        actions: Some(Actions {
            clear_log: Some(ClearLogAction {
                target: format!("{}/Actions/LogService.ClearLog", rq.uri()),
                ..ClearLogAction::default()
            }),
            ..Actions::default()
        }),
        ..LogService::default()
    })
}

async fn change(rq: &Rq) -> Result<Outcome, Problem> {
    let LogServicePatch { service_enabled } = rq.body()?;
    let log = log_of(rq)?;
    match service_enabled {
        Prop::Absent => {}
        Prop::Null => {
            let why = "It is true or false.";
            return Err(Error::invalid("/ServiceEnabled", "null", Invalid::NotInList, why).into());
        }
        Prop::Value(enabled) => rq.hf.logs().enable(&rq.ctx, &log, enabled).await?,
    }
    Ok(Outcome::Done)
}

/// Clears the log, if it is still as the caller last saw it, where the caller says how that was.
async fn clear(rq: &Rq) -> Result<Outcome, Problem> {
    let log = log_of(rq)?;
    let params: ClearLogParams = rq.body()?;
    if let Some(seen) = params.log_entries_e_tag {
        let entries = format!("{}/Entries", rq.uri());
        let now = Catalog::read(&rq.service, &rq.ctx, &entries).await?;
        if now.etag.as_bytes() != seen.trim_start_matches("W/").as_bytes() {
            let refused = Problem::base(StatusCode::PRECONDITION_FAILED, "PreconditionFailed", &[]);
            return Err(refused.related("/LogEntriesETag"));
        }
    }
    rq.hf.logs().clear(&rq.ctx, &log).await?;
    Ok(Outcome::Done)
}

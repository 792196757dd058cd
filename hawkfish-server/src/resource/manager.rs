//! Managers: the BMC that HawkFish is for each system.

use hawkfish_core::error::{Error, Invalid};
use hawkfish_core::inventory::System;
use hawkfish_core::manager::{ManagerChange, ManagerReset};
use hawkfish_redfish::model::manager::{
    Actions, DateTimeSource, Links, Manager, ManagerPatch, ManagerType, ResetAction, ResetParams,
    ResetToDefaultsAction, ResetToDefaultsParams, ResetToDefaultsType, ResetType,
};
use hawkfish_redfish::model::resource::{Health, PowerState, State, Status};
use hawkfish_redfish::model::{OdataId, Prop};
use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use uuid::Uuid;

use super::date_time;
use crate::catalog::{Action, Content, Outcome, Privileges, Resource, Rq};
use crate::problem::Problem;

/// The collection of managers.
pub(crate) const COLLECTION: Resource = Resource {
    uri: "/redfish/v1/Managers",
    entity: "ManagerCollection",
    get: Some(|rq| {
        Box::pin(async move {
            let systems = rq.hf.inventory().ids(&rq.ctx);
            Ok(Content::collection(
                rq,
                "Managers",
                systems.iter().map(|id| id.as_str()),
            ))
        })
    }),
    version: Some(|rq| Ok(rq.hf.inventory().membership())),
    privileges: Privileges::MANAGER,
    ..Resource::NONE
};

/// A manager.
pub(crate) const RESOURCE: Resource = Resource {
    uri: "/redfish/v1/Managers/{system}",
    entity: "Manager",
    get: Some(|rq| Box::pin(read(rq))),
    patch: Some(|rq| Box::pin(change(rq))),
    actions: &[
        Action {
            name: "Manager.Reset",
            run: |rq| Box::pin(reset(rq)),
            needs: None,
        },
        Action {
            name: "Manager.ResetToDefaults",
            run: |rq| Box::pin(reset_to_defaults(rq)),
            needs: None,
        },
    ],
    privileges: Privileges::MANAGER,
    clock_like: &["DateTime"],
    ..Resource::NONE
};

/// The UUID of the manager of a system.
pub(super) fn uuid(system: &System) -> Uuid {
    Uuid::new_v5(&system.machine.key.0, b"manager")
}

async fn read(rq: &Rq) -> Result<Content, Problem> {
    let system = rq.hf.system(&rq.ctx, &rq.id("system")?)?;
    let id = system.id.as_str();
    let manager = rq.hf.manager(&rq.ctx, &system.id)?;
    let now = manager.time(rq.hf.clock().now());
    let below = |name: &str| OdataId::new(format!("{}/{name}", rq.uri()));
    let action = |name: &str| format!("{}/Actions/{name}", rq.uri());
    Content::of(&Manager {
        odata_id: rq.uri().to_owned(),
        id: id.to_owned(),
        name: format!("BMC of {}", system.machine.name),
        manager_type: Some(ManagerType::BMC),
        // One of its own, and the same for as long as its system is the same.
        uuid: Prop::Value(uuid(&system).to_string()),
        // At its own face the service is the manager's.
        service_entry_point_uuid: Prop::Value(match rq.ctx.scope {
            None => rq.hf.uuid().to_string(),
            Some(_) => uuid(&system).to_string(),
        }),
        manufacturer: Prop::Value("HawkFish".to_owned()),
        model: Prop::Value("HawkFish".to_owned()),
        firmware_version: Prop::Value(match system.machine.hardware.firmware_of("BMC") {
            Some(own) => own.version.clone(),
            None => env!("CARGO_PKG_VERSION").to_owned(),
        }),
        power_state: Prop::Value(PowerState::On),
        date_time: Prop::Value(local_time(now, manager.local_offset_minutes)),
        date_time_local_offset: Prop::Value(local_offset(manager.local_offset_minutes)),
        date_time_source: Prop::Value(match manager.is_set_by_ntp() {
            true => DateTimeSource::NTP,
            false => DateTimeSource::RTC,
        }),
        // One that was never restarted by itself started with the service.
        last_reset_time: Some(date_time(
            manager.last_reset.unwrap_or_else(|| rq.service.started()),
        )),
        status: Some(Status {
            state: Prop::Value(State::Enabled),
            health: Prop::Value(Health::OK),
            ..Default::default()
        }),
        virtual_media: Some(below("VirtualMedia")),
        log_services: Some(below("LogServices")),
        network_protocol: Some(below("NetworkProtocol")),
        ethernet_interfaces: Some(below("EthernetInterfaces")),
        manager_diagnostic_data: Prop::Value(below("ManagerDiagnosticData")),
        security_policy: match rq.service.reach().https {
            Some(_) => Prop::Value(below("SecurityPolicy")),
            None => Prop::Absent,
        },
        actions: Some(Actions {
            reset: Some(ResetAction {
                target: action("Manager.Reset"),
                reset_type_allowable: vec![ResetType::GracefulRestart, ResetType::ForceRestart],
                ..Default::default()
            }),
            reset_to_defaults: Some(ResetToDefaultsAction {
                target: action("Manager.ResetToDefaults"),
                reset_type_allowable: vec![ResetToDefaultsType::PreserveNetworkAndUsers],
                ..Default::default()
            }),
            ..Default::default()
        }),
        links: Some(Links {
            manager_for_servers: Some(vec![OdataId::new(format!("/redfish/v1/Systems/{id}"))]),
            manager_for_chassis: Some(vec![OdataId::new(format!("/redfish/v1/Chassis/{id}"))]),
            manager_in_chassis: Some(OdataId::new(format!("/redfish/v1/Chassis/{id}"))),
            ..Default::default()
        }),
        ..Default::default()
    })
}

/// A moment in the local time that is so many minutes ahead of UTC.
fn local_time(at: Timestamp, minutes: i32) -> String {
    match Offset::from_seconds(minutes * 60) {
        Ok(offset) if minutes != 0 => at
            .to_zoned(TimeZone::fixed(offset))
            .strftime("%Y-%m-%dT%H:%M:%S%:z")
            .to_string(),
        _ => date_time(at),
    }
}

fn local_offset(minutes: i32) -> String {
    let sign = if minutes < 0 { '-' } else { '+' };
    let minutes = minutes.abs();
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

/// The minutes of an offset such as `-03:30`.
fn minutes(text: &str) -> Option<i32> {
    let (hours, minutes) = text.get(1..)?.split_once(':')?;
    let all = hours.parse::<u8>().ok()? as i32 * 60 + minutes.parse::<u8>().ok()? as i32;
    match text.as_bytes().first()? {
        b'+' => Some(all),
        b'-' => Some(-all),
        _ => None,
    }
}

/// A property that is true or false, where it is to be changed.
pub(super) fn flag(value: Prop<bool>, pointer: &'static str) -> Result<Option<bool>, Problem> {
    match value {
        Prop::Absent => Ok(None),
        Prop::Value(value) => Ok(Some(value)),
        Prop::Null => {
            let why = "It is true or false.";
            Err(Error::invalid(pointer, "null", Invalid::NotInList, why).into())
        }
    }
}

async fn change(rq: &Rq) -> Result<Outcome, Problem> {
    let ManagerPatch {
        date_time,
        date_time_local_offset,
    } = rq.body()?;
    let bad = |pointer: &'static str, value: Option<&String>, why: &'static str| {
        let value = value.map_or("null", String::as_str);
        Problem::from(Error::invalid(pointer, value, Invalid::Format, why))
    };
    let time = match date_time.change() {
        None => None,
        Some(text) => {
            let time = text
                .as_ref()
                .and_then(|text| text.parse::<Timestamp>().ok());
            let why = "It is a date and a time, with the offset from UTC.";
            Some(time.ok_or_else(|| bad("/DateTime", text.as_ref(), why))?)
        }
    };
    let local_offset_minutes = match date_time_local_offset.change() {
        None => None,
        Some(text) => {
            let minutes = text.as_ref().and_then(|text| minutes(text));
            let why = "It is hours and minutes ahead of UTC, such as +02:00.";
            Some(minutes.ok_or_else(|| bad("/DateTimeLocalOffset", text.as_ref(), why))?)
        }
    };
    let change = ManagerChange {
        time,
        local_offset_minutes,
        ..ManagerChange::default()
    };
    rq.hf
        .update_manager(&rq.ctx, &rq.id("system")?, change)
        .await?;
    Ok(Outcome::Done)
}

async fn reset(rq: &Rq) -> Result<Outcome, Problem> {
    let ResetParams { reset_type } = rq.body()?;
    let how = match reset_type {
        // Without a word, the gentler of the two.
        None | Some(ResetType::GracefulRestart) => ManagerReset::Graceful,
        Some(ResetType::ForceRestart) => ManagerReset::Force,
        Some(other) => {
            let why = "A manager is restarted, gracefully or by force.";
            let other = other.as_str();
            return Err(Error::invalid("/ResetType", other, Invalid::NotInList, why).into());
        }
    };
    rq.hf.reset_manager(&rq.ctx, &rq.id("system")?, how).await?;
    Ok(Outcome::Done)
}

async fn reset_to_defaults(rq: &Rq) -> Result<Outcome, Problem> {
    let ResetToDefaultsParams { reset_type } = rq.body()?;
    match reset_type {
        Some(ResetToDefaultsType::PreserveNetworkAndUsers) => {}
        other => {
            let reason = match other {
                Some(_) => Invalid::NotInList,
                None => Invalid::Missing,
            };
            let other = other.map_or_else(String::new, |kind| kind.as_str().to_owned());
            let why = "Network and users belong to the whole service and are kept.";
            return Err(Error::invalid("/ResetType", other, reason, why).into());
        }
    }
    rq.hf.default_manager(&rq.ctx, &rq.id("system")?).await?;
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_time_is_written_with_its_offset_and_read_back() {
        let at: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        for (text, written) in [
            ("+00:00", "2026-01-01T00:00:00Z"),
            ("+05:30", "2026-01-01T05:30:00+05:30"),
            ("-03:30", "2025-12-31T20:30:00-03:30"),
        ] {
            let minutes = minutes(text).unwrap();
            assert_eq!(local_offset(minutes), text);
            assert_eq!(local_time(at, minutes), written);
            assert_eq!(written.parse::<Timestamp>().unwrap(), at);
        }
        for bad in ["", "05:30", "+5", "x01:00", "+a:00", "\u{e4}1:00"] {
            assert_eq!(minutes(bad), None, "{bad}");
        }
    }
}

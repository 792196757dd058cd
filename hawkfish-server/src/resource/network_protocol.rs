//! What a manager speaks on its network: where, and whether.

use hawkfish_core::events::Subject;
use hawkfish_core::inventory::System;
use hawkfish_core::logs::What;
use hawkfish_core::manager::ntp;
use hawkfish_core::manager::{ManagerChange, interfaces};
use hawkfish_redfish::model::manager_network_protocol::{
    HTTPSProtocol, ManagerNetworkProtocol, ManagerNetworkProtocolPatch, NTPProtocol,
    NTPProtocolPatch, NotifyIPv6Scope, Protocol, SSDProtocol, SSDProtocolPatch,
};
use hawkfish_redfish::model::{OdataId, Prop};

use super::healthy;
use super::manager::flag;
use crate::catalog::{Content, Outcome, Privileges, Resource, Rq};
use crate::problem::Problem;
use crate::ssdp;

/// `/redfish/v1/Managers/{system}/NetworkProtocol`
pub(crate) const RESOURCE: Resource = Resource {
    uri: "/redfish/v1/Managers/{system}/NetworkProtocol",
    entity: "ManagerNetworkProtocol",
    get: Some(|rq| Box::pin(read(rq))),
    patch: Some(|rq| Box::pin(change(rq))),
    privileges: Privileges::MANAGER,
    ..Resource::NONE
};

/// The host name of a manager, and with its domain where that is known.
pub(super) fn names(rq: &Rq, system: &System) -> Result<(Option<String>, Option<String>), Problem> {
    if rq.hf.is_simulated(system) {
        let (manager, key) = (rq.hf.manager(&rq.ctx, &system.id)?, system.machine.key);
        return Ok((Some(manager.host_name(key)), Some(manager.fqdn(key))));
    }
    let Some(whole) = interfaces::host_name() else {
        return Ok((None, None));
    };
    Ok(match whole.split_once('.') {
        Some((name, _)) => (Some(name.to_owned()), Some(whole)),
        None => (Some(whole), None),
    })
}

async fn read(rq: &Rq) -> Result<Content, Problem> {
    let id = rq.id("system")?;
    let system = rq.hf.system(&rq.ctx, &id)?;
    let manager = rq.hf.manager(&rq.ctx, &id)?;
    let reach = rq.service.reach();
    let (host_name, fqdn) = names(rq, &system)?;
    let port = |at: Option<std::net::SocketAddr>| Prop::or_null(at.map(|at| at.port().into()));
    let certificates = || OdataId::new(format!("{}/HTTPS/Certificates", rq.uri()));
    Content::of(&ManagerNetworkProtocol {
        odata_id: rq.uri().to_owned(),
        id: "NetworkProtocol".to_owned(),
        name: "Network protocols".to_owned(),
        host_name: Prop::or_null(host_name),
        fqdn: Prop::or_null(fqdn),
        http: Some(Protocol {
            protocol_enabled: Prop::Value(reach.http.is_some()),
            port: port(reach.http),
        }),
        https: Some(HTTPSProtocol {
            protocol_enabled: Prop::Value(reach.https.is_some()),
            port: port(reach.https),
            certificates: reach.identity.as_ref().map(|_| certificates()),
        }),
        ssdp: reach.ssdp.map(|switch| SSDProtocol {
            protocol_enabled: Prop::Value(switch.is_on()),
            port: Prop::Value(ssdp::PORT.into()),
            notify_multicast_interval_seconds: Prop::Value(ssdp::AGAIN_SECONDS.into()),
            notify_ttl: Prop::Value(ssdp::HOPS.into()),
            // The group of that scope is the one that is used wherever the service listens on IPv6.
            notify_ipv6_scope: Prop::Value(NotifyIPv6Scope::Link),
        }),
        ntp: Some(NTPProtocol {
            protocol_enabled: Prop::Value(manager.ntp_enabled),
            port: Prop::Value(ntp::PORT.into()),
            ntp_servers: Some(
                manager
                    .ntp_servers
                    .iter()
                    .map(ToString::to_string)
                    .collect(),
            ),
        }),
        status: Some(healthy()),
        ..Default::default()
    })
}

async fn change(rq: &Rq) -> Result<Outcome, Problem> {
    let ManagerNetworkProtocolPatch { ntp, ssdp: found } = rq.body()?;
    let id = rq.id("system")?;
    let switch = match found {
        Some(SSDProtocolPatch { protocol_enabled }) => {
            flag(protocol_enabled, "/SSDP/ProtocolEnabled")?
        }
        None => None,
    };
    if let Some(NTPProtocolPatch {
        protocol_enabled,
        ntp_servers,
    }) = ntp
    {
        let change = ManagerChange {
            ntp_enabled: flag(protocol_enabled, "/NTP/ProtocolEnabled")?,
            ntp_servers: ntp_servers.map(|servers| servers.into_iter().flatten().collect()),
            ..ManagerChange::default()
        };
        rq.hf.update_manager(&rq.ctx, &id, change).await?;
    }
    if let (Some(on), Some(known)) = (switch, rq.service.reach().ssdp) {
        let is_other = known.is_on() != on;
        let kept = known.turn(on).await;
        kept.map_err(|error| Problem::internal(format!("not kept: {error}")))?;
        if is_other {
            rq.hf.tell(Subject::Network(id), What::Changed).await?;
        }
    }
    Ok(Outcome::Done)
}

//! The network interfaces of a manager: those by which the service is reached, or that of a simulated manager.

use std::net::IpAddr;

use hawkfish_core::error::{Error, Invalid};
use hawkfish_core::inventory::System;
use hawkfish_core::manager::interfaces::{self, Interface};
use hawkfish_core::manager::{ManagerChange, NamesChange};
use hawkfish_redfish::model::ethernet_interface::{
    EthernetInterface, EthernetInterfacePatch, LinkStatus, Links,
};
use hawkfish_redfish::model::ip_addresses::{
    AddressState, IPv4Address, IPv4AddressOrigin, IPv6Address, IPv6AddressOrigin,
};
use hawkfish_redfish::model::{OdataId, Prop};

use super::healthy;
use super::network_protocol::names;
use crate::catalog::{Content, Outcome, Privileges, Resource, Rq};
use crate::problem::Problem;

/// The interfaces of a manager.
pub(crate) const COLLECTION: Resource = Resource {
    uri: "/redfish/v1/Managers/{system}/EthernetInterfaces",
    entity: "EthernetInterfaceCollection",
    get: Some(|rq| {
        Box::pin(async move {
            let system = rq.hf.system(&rq.ctx, &rq.id("system")?)?;
            let all = all(rq, &system).await?;
            Ok(Content::collection(
                rq,
                "Ethernet interfaces",
                all.iter().map(id),
            ))
        })
    }),
    privileges: Privileges::MANAGER,
    ..Resource::NONE
};

/// An interface of a manager.
pub(crate) const RESOURCE: Resource = Resource {
    uri: "/redfish/v1/Managers/{system}/EthernetInterfaces/{interface}",
    entity: "EthernetInterface",
    get: Some(|rq| Box::pin(read(rq))),
    patch: Some(|rq| Box::pin(change(rq))),
    privileges: Privileges::MANAGER,
    ..Resource::NONE
};

async fn all(rq: &Rq, system: &System) -> Result<Vec<Interface>, Problem> {
    if rq.hf.is_simulated(system) {
        let manager = rq.hf.manager(&rq.ctx, &system.id)?;
        return Ok(vec![manager.interface(system.machine.key)]);
    }
    let reach = rq.service.reach();
    let listen = reach.https.or(reach.http).map(|at| at.ip());
    let found = tokio::task::spawn_blocking(move || interfaces::of_this_machine(listen)).await;
    match found {
        Ok(Ok(all)) => Ok(all),
        Ok(Err(error)) => Err(Problem::internal(format!("no interfaces: {error}"))),
        Err(error) => Err(Problem::internal(format!("no interfaces: {error}"))),
    }
}

/// The name of an interface as an id: what cannot stand in a URI is an underscore there.
pub(crate) fn id(interface: &Interface) -> String {
    let plain = |c: char| match c {
        c if c.is_ascii_alphanumeric() || c == '-' || c == '_' => c,
        '.' => '.',
        _ => '_',
    };
    interface.name.chars().map(plain).collect()
}

async fn read(rq: &Rq) -> Result<Content, Problem> {
    let system = rq.hf.system(&rq.ctx, &rq.id("system")?)?;
    let all = all(rq, &system).await?;
    let wanted = rq.param("interface");
    let interface = all.iter().find(|one| id(one) == wanted);
    let interface = interface.ok_or_else(|| Problem::missing(rq.uri()))?;
    let is_simulated = rq.hf.is_simulated(&system);
    let (host_name, fqdn) = names(rq, &system)?;
    let mut v4 = Vec::new();
    let mut v6 = Vec::new();
    for (address, prefix) in &interface.addresses {
        match address {
            IpAddr::V4(address) => v4.push(IPv4Address {
                address: Prop::Value(address.to_string()),
                subnet_mask: Prop::Value(mask(*prefix).to_string()),
                // How a real one got its address, only its own tools know.
                address_origin: match is_simulated {
                    true => Prop::Value(IPv4AddressOrigin::Static),
                    false => Prop::Absent,
                },
                gateway: Prop::or_absent(interface.gateway.map(|gateway| gateway.to_string())),
                ..Default::default()
            }),
            IpAddr::V6(address) => v6.push(IPv6Address {
                address: Prop::Value(address.to_string()),
                prefix_length: Prop::Value((*prefix).into()),
                address_origin: match address.is_unicast_link_local() {
                    true => Prop::Value(IPv6AddressOrigin::LinkLocal),
                    false => Prop::Absent,
                },
                address_state: match is_simulated {
                    true => Prop::Value(AddressState::Preferred),
                    false => Prop::Absent,
                },
                ..Default::default()
            }),
        }
    }
    let servers = interface.name_servers.iter();
    let name_servers: Vec<_> = servers.map(ToString::to_string).collect();
    let chassis = format!("/redfish/v1/Chassis/{}", system.id);
    Content::of(&EthernetInterface {
        odata_id: rq.uri().to_owned(),
        id: id(interface),
        name: format!("Interface {}", interface.name),
        interface_enabled: Prop::Value(interface.is_up != Some(false)),
        link_status: Prop::or_absent(interface.is_up.map(|up| match up {
            true => LinkStatus::LinkUp,
            false => LinkStatus::LinkDown,
        })),
        mac_address: Prop::or_absent(interface.mac.clone()),
        speed_mbps: Prop::or_absent(interface.speed_mbps.map(i64::from)),
        full_duplex: Prop::or_absent(interface.is_full_duplex),
        mtu_size: Prop::or_absent(interface.mtu.map(i64::from)),
        host_name: Prop::or_null(host_name),
        fqdn: Prop::or_null(fqdn),
        ipv6_enabled: Prop::Value(!v6.is_empty()),
        ipv4_addresses: Some(v4),
        ipv6_addresses: Some(v6),
        // Those of a real one may come from anywhere.
        static_name_servers: is_simulated.then(|| name_servers.clone()),
        name_servers: Some(name_servers),
        status: Some(healthy()),
        links: Some(Links {
            chassis: Some(OdataId::new(chassis)),
            ..Default::default()
        }),
        ..Default::default()
    })
}

async fn change(rq: &Rq) -> Result<Outcome, Problem> {
    let EthernetInterfacePatch {
        interface_enabled,
        host_name,
        fqdn,
        static_name_servers,
    } = rq.body()?;
    let id = rq.id("system")?;
    let refused = |pointer, value: &str, reason, why| {
        Problem::from(Error::invalid(pointer, value, reason, why))
    };
    if interface_enabled.change().is_some() {
        let why = "It is the one by which the manager is reached.";
        return Err(refused("/InterfaceEnabled", "", Invalid::ReadOnly, why));
    }
    let text = |wanted: Prop<String>, pointer| match wanted.change() {
        None => Ok(None),
        Some(Some(text)) => Ok(Some(text)),
        Some(None) => {
            let why = "A manager has a name.";
            Err(refused(pointer, "null", Invalid::Format, why))
        }
    };
    let names = NamesChange {
        host_name: text(host_name, "/HostName")?,
        fqdn: text(fqdn, "/FQDN")?,
        name_servers: static_name_servers.map(|servers| servers.into_iter().flatten().collect()),
    };
    let change = ManagerChange {
        names,
        ..ManagerChange::default()
    };
    rq.hf.update_manager(&rq.ctx, &id, change).await?;
    Ok(Outcome::Done)
}

fn mask(prefix: u8) -> std::net::Ipv4Addr {
    let bits = u32::MAX.checked_shl(32 - u32::from(prefix.min(32)));
    bits.unwrap_or(0).into()
}

#[cfg(test)]
mod tests {
    use super::mask;

    #[test]
    fn a_prefix_is_a_mask() {
        for (prefix, text) in [
            (0, "0.0.0.0"),
            (8, "255.0.0.0"),
            (22, "255.255.252.0"),
            (32, "255.255.255.255"),
        ] {
            assert_eq!(mask(prefix).to_string(), text);
        }
    }
}

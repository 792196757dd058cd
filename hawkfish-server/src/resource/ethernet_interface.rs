//! Ethernet interfaces of systems: what a guest sees as its network cards. Disabling one unplugs its cable.

use std::net::IpAddr;

use hawkfish_core::backend::{Nic, Setup};
use hawkfish_core::error::{Error, Invalid};
use hawkfish_core::inventory::System;
use hawkfish_core::systems::SystemChange;
use hawkfish_redfish::model::Prop;
use hawkfish_redfish::model::ethernet_interface::{
    EthernetDeviceType, EthernetInterface, EthernetInterfacePatch, LinkStatus, Links,
};
use hawkfish_redfish::model::ip_addresses::{
    IPv4Address, IPv4AddressOrigin, IPv6Address, IPv6AddressOrigin,
};
use hawkfish_redfish::model::v_lan_network_interface::VLAN;

use super::parts::{self, Adapter};
use crate::catalog::{Content, Outcome, Resource, Rq};
use crate::problem::Problem;

/// The Ethernet interfaces of a system.
pub(crate) const COLLECTION: Resource = Resource {
    uri: "/redfish/v1/Systems/{system}/EthernetInterfaces",
    entity: "EthernetInterfaceCollection",
    get: Some(|rq| {
        Box::pin(async move {
            let system = parts::system(rq)?;
            let nics = system.machine.hardware.nics.iter();
            let ids = nics.map(|nic| nic.name.as_str());
            Ok(Content::collection(rq, "Ethernet interfaces", ids))
        })
    }),
    version: Some(parts::version),
    ..Resource::NONE
};

/// An Ethernet interface of a system.
pub(crate) const RESOURCE: Resource = Resource {
    uri: "/redfish/v1/Systems/{system}/EthernetInterfaces/{nic}",
    entity: "EthernetInterface",
    get: Some(|rq| Box::pin(read(rq))),
    patch: Some(|rq| Box::pin(change(rq))),
    version: Some(parts::version),
    ..Resource::NONE
};

fn nic<'a>(rq: &Rq, system: &'a System) -> Result<&'a Nic, Problem> {
    let id = rq.param("nic");
    let nic = system.machine.hardware.nic(id);
    nic.ok_or_else(|| parts::missing("EthernetInterface", id))
}

fn is_settable(system: &System, nic: &Nic) -> bool {
    nic.link_settable && system.capabilities.nic_link
}

/// The VLAN of an interface.
pub(super) fn vlan(nic: &Nic) -> Option<VLAN> {
    nic.vlan.map(|id| VLAN {
        vlan_enable: Prop::Value(true),
        vlan_id: Prop::Value(id.into()),
        ..Default::default()
    })
}

async fn read(rq: &Rq) -> Result<Content, Problem> {
    let system = parts::system(rq)?;
    let nic = nic(rq, &system)?;
    let adapter = Adapter::with(&system.machine.hardware, &nic.name);
    let of_adapter = |collection: &str| {
        let path = format!("/{collection}/{}", nic.name);
        let adapter = adapter.as_ref()?;
        Some(vec![adapter.link(&system, &path)])
    };
    let (mut v4, mut v6) = (Vec::new(), Vec::new());
    for address in &nic.addresses {
        let address = match address {
            IpAddr::V4(address) => {
                v4.push(IPv4Address {
                    address: Prop::Value(address.to_string()),
                    address_origin: Prop::Value(IPv4AddressOrigin::DHCP),
                    ..Default::default()
                });
                continue;
            }
            IpAddr::V6(address) => address.to_string(),
        };
        v6.push(IPv6Address {
            address: Prop::Value(address),
            address_origin: Prop::Value(IPv6AddressOrigin::DHCPv6),
            ..Default::default()
        });
    }
    Content::of(&EthernetInterface {
        odata_id: rq.uri().to_owned(),
        id: nic.name.clone(),
        name: format!("Ethernet interface {}", nic.name),
        description: Prop::or_absent(nic.attachment.clone()),
        ethernet_interface_type: Prop::Value(EthernetDeviceType::Physical),
        interface_enabled: match is_settable(&system, nic) {
            true => Prop::Value(nic.link_up),
            false => Prop::Absent,
        },
        link_status: Prop::Value(match (nic.link_up, parts::is_powered(&system)) {
            (true, true) => LinkStatus::LinkUp,
            (true, false) => LinkStatus::LinkDown,
            (false, _) => LinkStatus::NoLink,
        }),
        permanent_mac_address: Prop::Value(nic.mac.clone()),
        mac_address: Prop::Value(nic.mac.clone()),
        speed_mbps: Prop::or_absent(nic.mbps.map(Into::into)),
        mtu_size: Prop::or_absent(nic.mtu.map(Into::into)),
        vlan: vlan(nic),
        ipv4_addresses: (!v4.is_empty()).then_some(v4),
        ipv6_addresses: (!v6.is_empty()).then_some(v6),
        status: Some(parts::status(&system, nic.link_up)),
        links: Some(Links {
            chassis: Some(parts::in_chassis(&system, "")),
            network_device_functions: of_adapter("NetworkDeviceFunctions"),
            ports: of_adapter("Ports"),
            ..Default::default()
        }),
        ..Default::default()
    })
}

async fn change(rq: &Rq) -> Result<Outcome, Problem> {
    const ENABLED: &str = "/InterfaceEnabled";
    let EthernetInterfacePatch { interface_enabled } = rq.body()?;
    let system = parts::system(rq)?;
    let nic = nic(rq, &system)?;
    let Some(wanted) = interface_enabled.change() else {
        return Ok(Outcome::Done);
    };
    let refused = |value: &str, why, message| Error::invalid(ENABLED, value, why, message);
    let Some(up) = wanted else {
        return Err(refused("null", Invalid::NotInList, "It is true or false.").into());
    };
    if !is_settable(&system, nic) {
        let message = "The cable of this interface cannot be unplugged from here.";
        return Err(refused(&up.to_string(), Invalid::ReadOnly, message).into());
    }
    let setup = Setup {
        nic_link: [(nic.name.clone(), up)].into(),
        ..Setup::default()
    };
    let change = SystemChange {
        setup,
        ..SystemChange::default()
    };
    rq.hf.update_system(&rq.ctx, &system.id, change).await?;
    Ok(Outcome::Done)
}

//! Ethernet interfaces of systems: what a guest sees as its network cards. Disabling one unplugs its cable.

use std::net::{IpAddr, Ipv4Addr};

use hawkfish_core::backend::{Nic, NicAddress, Setup};
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

fn mask(prefix: u8) -> Ipv4Addr {
    let bits = u32::MAX.checked_shl(32 - u32::from(prefix.min(32)));
    Ipv4Addr::from_bits(bits.unwrap_or(0))
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
    for NicAddress { address, prefix } in &nic.addresses {
        match address {
            IpAddr::V4(address) => v4.push(IPv4Address {
                address: Prop::Value(address.to_string()),
                subnet_mask: Prop::Value(mask(*prefix).to_string()),
                address_origin: Prop::Value(IPv4AddressOrigin::DHCP),
                gateway: Prop::Null,
                ..Default::default()
            }),
            IpAddr::V6(address) => v6.push(IPv6Address {
                address: Prop::Value(address.to_string()),
                prefix_length: Prop::Value((*prefix).into()),
                address_origin: Prop::Value(IPv6AddressOrigin::DHCPv6),
                address_state: Prop::Null,
                ..Default::default()
            }),
        }
    }
    Content::of(&EthernetInterface {
        odata_id: rq.uri().to_owned(),
        id: nic.name.clone(),
        name: format!("Ethernet interface {}", nic.name),
        description: Prop::or_absent(nic.attachment.clone()),
        ethernet_interface_type: Prop::Value(EthernetDeviceType::Physical),
        interface_enabled: Prop::Value(nic.link_up),
        link_status: Prop::Value(match (nic.link_up, parts::is_powered(&system)) {
            (true, true) => LinkStatus::LinkUp,
            (true, false) => LinkStatus::LinkDown,
            (false, _) => LinkStatus::NoLink,
        }),
        permanent_mac_address: Prop::Value(nic.mac.clone()),
        mac_address: Prop::Value(nic.mac.clone()),
        speed_mbps: Prop::or_null(nic.mbps.map(Into::into)),
        mtu_size: Prop::or_absent(nic.mtu.map(Into::into)),
        vlan: vlan(nic),
        // Null and nothing: the guest has them, and who is outside of it does not know them.
        host_name: Prop::Null,
        fqdn: Prop::Null,
        name_servers: Some(Vec::new()),
        ipv4_addresses: Some(v4),
        ipv6_addresses: Some(v6),
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
    let EthernetInterfacePatch {
        interface_enabled,
        host_name,
        fqdn,
        static_name_servers,
    } = rq.body()?;
    let of_the_guest = [
        (host_name.change().is_some(), "/HostName"),
        (fqdn.change().is_some(), "/FQDN"),
        (static_name_servers.is_some(), "/StaticNameServers"),
    ];
    if let Some((_, pointer)) = of_the_guest.into_iter().find(|(is_wanted, _)| *is_wanted) {
        let why = "Only the guest sets that.";
        return Err(Error::invalid(pointer, "", Invalid::ReadOnly, why).into());
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_a_mask() {
        let masks = [0, 8, 24, 32].map(|prefix| mask(prefix).to_string());
        let known = ["0.0.0.0", "255.0.0.0", "255.255.255.0", "255.255.255.255"];
        assert_eq!(masks, known);
    }
}

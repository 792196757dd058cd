//! `systems nics`: the network interfaces of a machine; those of managers are the same resource.

use std::net::{IpAddr, Ipv4Addr};

use clap::{Args, Subcommand};
use hawkfish_client::{Client, Fetched};
use serde_json::{Map, Value, json};

use super::parts;
use crate::failure::{Failure, Result};
use crate::find;
use crate::output::{Column, Format, Output};
use crate::tasks::Waiting;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// All interfaces.
    Ls {
        /// Id, name or UUID.
        id: String,
    },
    /// One interface.
    Show {
        /// Id, name or UUID.
        id: String,
        /// Id, name or MAC address of the interface.
        nic: String,
    },
    /// Changes what the service lets be changed of an interface.
    Set(Set),
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true)
    .args(["enable", "disable", "mtu", "mac", "address", "dhcp", "host_name", "fqdn", "dns", "vlan"]))]
pub(crate) struct Set {
    /// Id, name or UUID.
    id: String,
    /// Id, name or MAC address of the interface; may be left out where there is only one.
    nic: Option<String>,
    /// Use it.
    #[arg(long, conflicts_with = "disable")]
    enable: bool,
    /// Do not use it: the link goes down.
    #[arg(long)]
    disable: bool,
    /// Most bytes of a packet.
    #[arg(long, value_name = "BYTES")]
    mtu: Option<u32>,
    /// Its MAC address.
    #[arg(long)]
    mac: Option<String>,
    /// A fixed address with the length of its prefix, 192.0.2.7/24.
    #[arg(long, value_name = "ADDRESS/LENGTH", value_parser = address)]
    address: Option<(IpAddr, u8)>,
    /// The gateway of that network.
    #[arg(long, requires = "address")]
    gateway: Option<IpAddr>,
    /// Whether addresses of IPv4 come from a DHCP server.
    #[arg(long, value_name = "on|off", value_parser = ["on", "off"], conflicts_with = "address")]
    dhcp: Option<String>,
    /// Its host name.
    #[arg(long, value_name = "NAME")]
    host_name: Option<String>,
    /// Its whole name, with the domain.
    #[arg(long, value_name = "NAME")]
    fqdn: Option<String>,
    /// The name servers, with commas between.
    #[arg(long, value_delimiter = ',', value_name = "ADDRESS,…")]
    dns: Vec<IpAddr>,
    /// The VLAN that it is in; 0 is none.
    #[arg(long, value_parser = clap::value_parser!(u16).range(0..=4094))]
    vlan: Option<u16>,
    #[command(flatten)]
    waiting: Waiting,
}

const COLUMNS: &[Column] = &[
    ("ID", &["/Id"]),
    ("MAC", &["/MACAddress", "/PermanentMACAddress"]),
    ("ENABLED", &["/InterfaceEnabled"]),
    ("LINK", &["/LinkStatus"]),
    ("MBIT/S", &["/SpeedMbps"]),
    ("MTU", &["/MTUSize"]),
    ("ADDRESSES", &["/·Addresses"]),
    ("HEALTH", &["/Status/Health"]),
];

const ROWS: &[Column] = &[
    ("Id", &["/Id"]),
    ("Name", &["/Name"]),
    ("MAC", &["/MACAddress"]),
    ("Permanent MAC", &["/PermanentMACAddress"]),
    ("Enabled", &["/InterfaceEnabled"]),
    ("Link", &["/LinkStatus"]),
    ("Speed (Mbit/s)", &["/SpeedMbps"]),
    ("Full duplex", &["/FullDuplex"]),
    ("MTU", &["/MTUSize"]),
    ("VLAN", &["/·Vlan"]),
    ("Host name", &["/HostName"]),
    ("FQDN", &["/FQDN"]),
    ("DHCP", &["/DHCPv4/DHCPEnabled"]),
    ("Addresses", &["/·Addresses"]),
    ("Gateway", &["/·Gateway"]),
    ("Name servers", &["/NameServers"]),
    ("Fixed name servers", &["/StaticNameServers"]),
    ("State", &["/Status/State"]),
    ("Health", &["/Status/Health"]),
    ("URI", &["/@odata.id"]),
];

pub(crate) async fn run(client: &Client, output: &Output, command: &Command) -> Result<()> {
    let system = find::system(client, command.id()).await?.value;
    of(
        client,
        output,
        command,
        &system,
        "network interfaces of this machine",
    )
    .await
}

/// The interfaces of a machine or of a manager.
pub(crate) async fn of(
    client: &Client,
    output: &Output,
    command: &Command,
    owner: &Value,
    what: &str,
) -> Result<()> {
    let nics = parts::need(client, owner, "/EthernetInterfaces", what).await?;
    match command {
        Command::Ls { .. } => {
            let nics: Vec<Value> = nics.into_iter().map(|nic| nic.value).collect();
            parts::list(output, COLUMNS, nics, view)
        }
        Command::Show { nic, .. } => {
            let nic = &named(&nics, nic)?.value;
            match output.format {
                Format::Table => output.one(ROWS, &view(nic)),
                _ => output.one(ROWS, nic),
            }
        }
        Command::Set(set) => {
            let nic = match (&set.nic, &nics[..]) {
                (Some(name), _) => named(&nics, name)?,
                (None, [one]) => one,
                (None, []) => return Err(parts::none(what)),
                (None, several) => {
                    let all: Vec<&str> = several.iter().map(parts::id).collect();
                    return Err(Failure::Usage(format!(
                        "which interface? There are {}",
                        all.join(", ")
                    )));
                }
            };
            let change = set.change(&nic.value)?;
            let outcome = parts::amend(client, &nic.uri, change.clone()).await?;
            let mut names: Vec<&str> = change.keys().map(String::as_str).collect();
            names.sort_unstable();
            let sentence = format!("{}: {}: {} set", set.id, parts::id(nic), names.join(", "));
            set.waiting.conclude(output, outcome, &sentence).await
        }
    }
}

fn named<'a>(nics: &'a [Fetched<Value>], name: &str) -> Result<&'a Fetched<Value>> {
    let mac = |nic: &&Fetched<Value>| {
        let own = ["/MACAddress", "/PermanentMACAddress"];
        own.iter().any(|place| {
            parts::text(&nic.value, place).is_some_and(|mac| mac.eq_ignore_ascii_case(name))
        })
    };
    match nics.iter().find(mac) {
        Some(nic) => Ok(nic),
        None => parts::named(nics, name, "interface"),
    }
}

impl Command {
    /// Whose interfaces.
    pub(crate) fn id(&self) -> &str {
        match self {
            Self::Ls { id } | Self::Show { id, .. } | Self::Set(Set { id, .. }) => id,
        }
    }
}

impl Set {
    /// What is sent. What the interface does not show is not sent: it could only be refused.
    fn change(&self, nic: &Value) -> Result<Map<String, Value>> {
        let mut change = Map::new();
        let mut set = |name: &str, value: Value| {
            if nic.get(name).is_none() {
                return Err(parts::none(&format!("{name} of this interface")));
            }
            change.insert(name.to_owned(), value);
            Ok(())
        };
        if self.enable || self.disable {
            set("InterfaceEnabled", self.enable.into())?;
        }
        if let Some(mtu) = self.mtu {
            set("MTUSize", mtu.into())?;
        }
        if let Some(mac) = &self.mac {
            set("MACAddress", mac.as_str().into())?;
        }
        if let Some(name) = &self.host_name {
            set("HostName", name.as_str().into())?;
        }
        if let Some(name) = &self.fqdn {
            set("FQDN", name.as_str().into())?;
        }
        if !self.dns.is_empty() {
            let servers: Vec<String> = self.dns.iter().map(ToString::to_string).collect();
            set("StaticNameServers", servers.into())?;
        }
        if let Some(vlan) = self.vlan {
            let value = match vlan {
                0 => json!({"VLANEnable": false}),
                id => json!({"VLANEnable": true, "VLANId": id}),
            };
            set("VLAN", value)?;
        }
        let newer = |name: &str| nic.get(name).is_some();
        match &self.address {
            None => {}
            Some((IpAddr::V4(address), length)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(*length)).unwrap_or(0);
                let mut value = json!({
                    "Address": address,
                    "SubnetMask": Ipv4Addr::from(mask),
                });
                if let Some(gateway) = self.gateway {
                    value["Gateway"] = json!(gateway);
                }
                // What is fixed and what is in use were one list once.
                match newer("IPv4StaticAddresses") {
                    true => set("IPv4StaticAddresses", json!([value]))?,
                    false => {
                        value["AddressOrigin"] = json!("Static");
                        set("IPv4Addresses", json!([value]))?;
                    }
                }
                if newer("DHCPv4") {
                    set("DHCPv4", json!({"DHCPEnabled": false}))?;
                }
            }
            Some((IpAddr::V6(address), length)) => {
                let value = json!([{"Address": address, "PrefixLength": length}]);
                set("IPv6StaticAddresses", value)?;
                if let Some(gateway) = self.gateway {
                    set("IPv6StaticDefaultGateways", json!([{"Address": gateway}]))?;
                }
            }
        }
        if let Some(dhcp) = &self.dhcp {
            let on = dhcp == "on";
            match newer("DHCPv4") {
                true => set("DHCPv4", json!({"DHCPEnabled": on}))?,
                false if on => set("IPv4Addresses", json!([{"AddressOrigin": "DHCP"}]))?,
                false => return Err(parts::none("DHCPv4 of this interface")),
            }
        }
        Ok(change)
    }
}

fn address(text: &str) -> std::result::Result<(IpAddr, u8), String> {
    let (address, length) = text
        .split_once('/')
        .ok_or("an address with the length of its prefix, such as 192.0.2.7/24")?;
    let address: IpAddr = address.parse().map_err(|_| "no IP address")?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    match length.parse() {
        Ok(length) if length <= most => Ok((address, length)),
        _ => Err(format!("a prefix has up to {most} bits")),
    }
}

fn view(nic: &Value) -> Value {
    let mut addresses = Vec::new();
    let mut gateway = None;
    let list = |name: &str| {
        nic.get(name)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    };
    for address in list("IPv4Addresses") {
        let Some(own) = parts::text(address, "/Address").filter(|own| *own != "0.0.0.0") else {
            continue;
        };
        let mask = parts::text(address, "/SubnetMask");
        let mask: Option<Ipv4Addr> = mask.and_then(|mask| mask.parse().ok());
        addresses.push(match mask {
            Some(mask) => format!("{own}/{}", u32::from(mask).leading_ones()),
            None => own.to_owned(),
        });
        let at = parts::text(address, "/Gateway").filter(|at| *at != "0.0.0.0");
        gateway = gateway.or(at);
    }
    for address in list("IPv6Addresses") {
        let Some(own) = parts::text(address, "/Address").filter(|own| *own != "::") else {
            continue;
        };
        addresses.push(match address.get("PrefixLength").and_then(Value::as_u64) {
            Some(length) => format!("{own}/{length}"),
            None => own.to_owned(),
        });
    }
    let vlan = match nic.pointer("/VLAN/VLANEnable") {
        Some(Value::Bool(true)) => nic.pointer("/VLAN/VLANId").cloned(),
        _ => None,
    };
    parts::with(
        nic,
        [
            ("·Addresses", addresses.into()),
            ("·Gateway", gateway.into()),
            ("·Vlan", vlan.into()),
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_needs_its_prefix() {
        assert_eq!(address("192.0.2.7/24").unwrap().1, 24);
        assert!(address("192.0.2.7").is_err());
        assert!(address("192.0.2.7/33").is_err());
        assert!(address("2001:db8::1/64").is_ok());
    }

    #[test]
    fn addresses_are_shown_with_the_length_of_their_prefix() {
        let nic = json!({"IPv4Addresses": [{"Address": "10.1.2.3", "SubnetMask": "255.255.240.0", "Gateway": "10.1.0.1"}],
            "IPv6Addresses": [{"Address": "::"}, {"Address": "fe80::1", "PrefixLength": 64}], "VLAN": {"VLANEnable": false, "VLANId": 7}});
        let view = view(&nic);
        assert_eq!(view["·Addresses"], json!(["10.1.2.3/20", "fe80::1/64"]));
        assert_eq!(view["·Gateway"], json!("10.1.0.1"));
        assert_eq!(view["·Vlan"], Value::Null);
    }
}

//! The network interfaces through which a manager is reached: those of this machine; or of a simulated manager, one that follows from its machine.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use if_addrs::{IfAddr, IfOperStatus};
use sha2::{Digest as _, Sha256};

use crate::backend::MachineKey;

/// A network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its name: `eth0`.
    pub name: String,
    /// Its hardware address, six pairs of hexadecimal digits with colons between.
    pub mac: Option<String>,
    /// Largest packet, bytes.
    pub mtu: Option<u32>,
    /// Whether it is up; `None` where it does not tell, as a loopback interface.
    pub is_up: Option<bool>,
    /// Its speed, where it has one.
    pub speed_mbps: Option<u32>,
    /// Whether it sends and receives at once, where it says.
    pub is_full_duplex: Option<bool>,
    /// Its addresses, each with the length of its network prefix.
    pub addresses: Vec<(IpAddr, u8)>,
    /// The router to everywhere else, if it leads there.
    pub gateway: Option<Ipv4Addr>,
    /// The name servers of the machine.
    pub name_servers: Vec<IpAddr>,
}

/// The interfaces of this machine by which who listens on `listen` is reached: the one with that address, or all where it is every address or unknown.
/// It reads files of the kernel, so it is nothing for where others wait.
///
/// # Errors
/// What the operating system says.
pub fn of_this_machine(listen: Option<IpAddr>) -> io::Result<Vec<Interface>> {
    let mut found: BTreeMap<String, Interface> = BTreeMap::new();
    let listen = listen.filter(|address| !address.is_unspecified());
    let all = if_addrs::get_if_addrs()?;
    for one in &all {
        // What has no address of its own to be reached at is not how somebody comes here.
        let is_wanted = match listen {
            // All that begins with 127 is here, whether it was given to the interface or not.
            Some(address) if address.is_loopback() => one.is_loopback(),
            Some(address) => all.iter().any(|i| i.name == one.name && i.ip() == address),
            None => !one.is_loopback(),
        };
        if !is_wanted {
            continue;
        }
        let interface = found
            .entry(one.name.clone())
            .or_insert_with(|| described(&one.name, &one.oper_status));
        let prefix = match &one.addr {
            IfAddr::V4(v4) => v4.prefixlen,
            IfAddr::V6(v6) => v6.prefixlen,
        };
        interface.addresses.push((one.ip(), prefix));
    }
    if let Some(address @ IpAddr::V4(_)) = listen.filter(IpAddr::is_loopback)
        && let Some(interface) = found.values_mut().next()
        && !interface.addresses.iter().any(|known| known.0 == address)
    {
        interface.addresses.insert(0, (address, 8));
    }
    Ok(found.into_values().collect())
}

/// What the kernel's files say of an interface.
fn described(name: &str, status: &IfOperStatus) -> Interface {
    let folder = Path::new("/sys/class/net").join(name);
    let read = |file: &str| {
        let text = std::fs::read_to_string(folder.join(file)).ok()?;
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    };
    Interface {
        name: name.to_owned(),
        mac: read("address")
            // A loopback interface has none, and says so with zeros.
            .filter(|mac| mac.len() == 17 && mac != "00:00:00:00:00:00")
            .map(|mac| mac.to_ascii_uppercase()),
        mtu: read("mtu").and_then(|mtu| mtu.parse().ok()),
        is_up: match status {
            IfOperStatus::Up => Some(true),
            IfOperStatus::Unknown => None,
            _ => Some(false),
        },
        // Virtual interfaces say -1, or cannot be read.
        speed_mbps: read("speed").and_then(|speed| speed.parse().ok()),
        is_full_duplex: read("duplex").and_then(|duplex| match duplex.as_str() {
            "full" => Some(true),
            "half" => Some(false),
            _ => None,
        }),
        addresses: Vec::new(),
        gateway: std::fs::read_to_string("/proc/net/route")
            .ok()
            .and_then(|table| gateway(&table, name)),
        name_servers: std::fs::read_to_string("/etc/resolv.conf")
            .map(|text| name_servers(&text))
            .unwrap_or_default(),
    }
}

/// The gateway of the default route through an interface, from the kernel's table: names, then numbers in hexadecimal in the byte order of the machine.
fn gateway(table: &str, name: &str) -> Option<Ipv4Addr> {
    table.lines().skip(1).find_map(|line| {
        let mut fields = line.split_whitespace();
        let (interface, to, gateway) = (fields.next()?, fields.next()?, fields.next()?);
        let address = u32::from_str_radix(gateway, 16).ok()?;
        (interface == name && to == "00000000" && address != 0)
            .then(|| Ipv4Addr::from(address.to_ne_bytes()))
    })
}

fn name_servers(text: &str) -> Vec<IpAddr> {
    let server = |line: &str| line.strip_prefix("nameserver")?.trim().parse().ok();
    text.lines().filter_map(server).collect()
}

/// The name of this machine.
#[must_use]
pub fn host_name() -> Option<String> {
    let text = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    Some(text.trim().to_owned()).filter(|name| !name.is_empty())
}

/// The interface of the manager of a simulated machine. The same machine has always the same.
#[must_use]
pub fn simulated(key: MachineKey) -> Interface {
    let mut hash = Sha256::new();
    hash.update(b"manager interface");
    hash.update(key.0.as_bytes());
    let hash: [u8; 32] = hash.finalize().into();
    // Locally administered, not multicast.
    let mac = [0x02, 0x48, 0x46, hash[0], hash[1], hash[2]];
    let pairs = mac.map(|byte| format!("{byte:02X}"));
    let v6 = Ipv6Addr::from([
        0xfe,
        0x80,
        0,
        0,
        0,
        0,
        0,
        0,
        mac[0] ^ 0x02,
        mac[1],
        mac[2],
        0xff,
        0xfe,
        mac[3],
        mac[4],
        mac[5],
    ]);
    Interface {
        name: "eth0".to_owned(),
        mac: Some(pairs.join(":")),
        mtu: Some(1500),
        is_up: Some(true),
        speed_mbps: Some(1000),
        is_full_duplex: Some(true),
        // Neither the address of the network nor that of all in it.
        addresses: vec![
            (
                Ipv4Addr::new(10, hash[3], hash[4], hash[5].clamp(2, 254)).into(),
                8,
            ),
            (v6.into(), 64),
        ],
        gateway: Some(Ipv4Addr::new(10, 0, 0, 1)),
        name_servers: vec![Ipv4Addr::new(10, 0, 0, 2).into()],
    }
}

/// The host name of the manager of a simulated machine.
#[must_use]
pub fn simulated_host_name(key: MachineKey) -> String {
    let id = key.0.simple().to_string();
    format!("bmc-{}", &id[..8])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_route_is_found_in_the_kernels_table() {
        let gateway_of = u32::from_ne_bytes([192, 0, 2, 1]);
        let table = format!(
            "Iface\tDestination\tGateway\tFlags\nlo\t0000007F\t00000000\t0001\neth0\t00000000\t{gateway_of:08X}\t0003\n"
        );
        assert_eq!(gateway(&table, "eth0"), Some(Ipv4Addr::new(192, 0, 2, 1)));
        assert_eq!(gateway(&table, "lo"), None);
    }

    #[test]
    fn the_loopback_interface_is_there_for_who_listens_on_it() {
        let local = of_this_machine(Some(Ipv4Addr::LOCALHOST.into())).unwrap();
        assert_eq!(local.len(), 1, "{local:?}");
        assert!(
            local[0]
                .addresses
                .contains(&(Ipv4Addr::LOCALHOST.into(), 8))
        );
        assert_eq!(local[0].mac, None);
        let elsewhere = Ipv4Addr::new(127, 9, 8, 7);
        let local = of_this_machine(Some(elsewhere.into())).unwrap();
        assert_eq!(local[0].addresses[0], (elsewhere.into(), 8));
        let others = of_this_machine(None).unwrap();
        assert!(
            others.iter().all(|one| one.name != local[0].name),
            "{others:?}"
        );
    }
}

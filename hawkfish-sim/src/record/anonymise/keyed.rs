//! What stands in place of something: decided by a keyed hash, so that it is the same each time within one capture and nobody can go back without the key.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};

use hmac::{Hmac, Mac as _};
use sha2::Sha256;

/// The key, which is thrown away when the capture is made.
#[derive(Clone)]
pub(super) struct Key(pub(super) Vec<u8>);

impl Key {
    /// 32 bytes for a value of a kind; another number gives others.
    pub(super) fn hash(&self, kind: &str, value: &[u8], number: u32) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("a key of any length");
        mac.update(kind.as_bytes());
        mac.update(&[0]);
        mac.update(&number.to_be_bytes());
        mac.update(value);
        mac.finalize().into_bytes().into()
    }

    /// As many bytes as wanted.
    pub(super) fn stream(&self, kind: &str, value: &[u8], length: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut number = 0;
        while bytes.len() < length {
            bytes.extend(self.hash(kind, value, number));
            number += 1;
        }
        bytes.truncate(length);
        bytes
    }

    /// A text of the same length with digits for digits, letters for letters, and all else as it was.
    pub(super) fn shaped(&self, text: &str, number: u32) -> String {
        let lower = text.to_ascii_lowercase();
        let plain = || lower.bytes().filter(u8::is_ascii_alphanumeric);
        let is_hex = plain().count() >= 8
            && plain().all(|byte| byte.is_ascii_hexdigit())
            && plain().any(|byte| byte.is_ascii_digit());
        let letters = if is_hex { 6 } else { 26 };
        let stream = self.stream(&format!("text{number}"), lower.as_bytes(), text.len() * 2);
        let mut random = stream
            .chunks_exact(2)
            .map(|two| u16::from_be_bytes([two[0], two[1]]));
        let mut next = |of: u16| u8::try_from(random.next().unwrap_or(0) % of).unwrap_or(0);
        // A WWN says by its first digit of which kind it is.
        let is_wwn = is_hex && matches!(text.len(), 16 | 32);
        text.chars()
            .enumerate()
            .map(|(place, letter)| match letter {
                first if place == 0 && is_wwn => first,
                '0'..='9' => char::from(b'0' + next(10)),
                'a'..='z' => char::from(b'a' + next(letters)),
                'A'..='Z' => char::from(b'A' + next(letters)),
                // Letters of other alphabets tell as much.
                other if other.is_alphanumeric() => char::from(b'a' + next(26)),
                other => other,
            })
            .collect()
    }
}

/// What was found by shape in all documents.
#[derive(Default)]
pub(super) struct Found {
    pub(super) macs: BTreeSet<[u8; 6]>,
    pub(super) euis: BTreeSet<[u8; 8]>,
    pub(super) octets: BTreeSet<Vec<u8>>,
    pub(super) uuids: BTreeSet<[u8; 16]>,
    pub(super) v4: BTreeSet<Ipv4Addr>,
    pub(super) v6: BTreeSet<Ipv6Addr>,
}

impl Found {
    pub(super) fn octets(&mut self, value: &[u8]) {
        if let Ok(mac) = <[u8; 6]>::try_from(value) {
            self.macs.insert(mac);
        } else if let Ok(eui) = <[u8; 8]>::try_from(value) {
            self.eui(eui);
        } else {
            if let Some(mac) = duid_mac(value) {
                self.macs.insert(mac);
            }
            self.octets.insert(value.to_vec());
        }
    }

    pub(super) fn eui(&mut self, eui: [u8; 8]) {
        self.macs.extend(mac_in(eui));
        self.euis.insert(eui);
    }

    pub(super) fn v6(&mut self, address: Ipv6Addr) {
        self.macs.extend(mac_of(address));
        if let Some(address) = address.to_ipv4_mapped() {
            self.v4.insert(address);
        }
        self.v6.insert(address);
    }
}

/// What stands in place of what was found.
#[derive(Default)]
pub(super) struct Tables {
    pub(super) macs: BTreeMap<[u8; 6], [u8; 6]>,
    pub(super) euis: BTreeMap<[u8; 8], [u8; 8]>,
    pub(super) octets: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(super) uuids: BTreeMap<[u8; 16], [u8; 16]>,
    pub(super) v4: BTreeMap<Ipv4Addr, Ipv4Addr>,
    pub(super) v6: BTreeMap<Ipv6Addr, Ipv6Addr>,
}

impl Tables {
    pub(super) fn new(key: &Key, found: &Found) -> Self {
        let mut tables = Self {
            macs: distinct(
                &found.macs,
                |mac| is_blank(mac),
                |mac, number| {
                    let mut new = first(key.hash("mac", mac, number));
                    // Administered locally, of one machine.
                    new[0] = new[0] & 0xfc | 0x02;
                    new
                },
            ),
            ..Self::default()
        };
        let macs = tables.macs.clone();
        let mac = |mac: [u8; 6]| macs.get(&mac).copied().unwrap_or(mac);
        tables.euis = distinct(
            &found.euis,
            |eui| is_blank(eui),
            |eui, number| match mac_in(*eui) {
                Some(inner) if number == 0 => {
                    let new = mac(inner);
                    [
                        new[0], new[1], new[2], eui[3], eui[4], new[3], new[4], new[5],
                    ]
                }
                _ => {
                    let mut new: [u8; 8] = first(key.hash("eui", eui, number));
                    // Which kind of name it is.
                    new[0] = eui[0] & 0xf0 | new[0] & 0x0f;
                    new
                }
            },
        );
        tables.octets = distinct(
            &found.octets,
            |all| is_blank(all),
            |all, number| {
                let mut new = key.stream(&format!("octets{number}"), all, all.len());
                if let Some(inner) = duid_mac(all) {
                    let end = all.len() - 6;
                    new[..4].copy_from_slice(&all[..4]);
                    new[end..].copy_from_slice(&mac(inner));
                }
                new
            },
        );
        // All ways to write the same one go together.
        let canons = found.uuids.iter().map(|uuid| canon(*uuid).0).collect();
        let canons = distinct(
            &canons,
            |uuid| is_blank(uuid),
            |uuid, number| {
                let mut new: [u8; 16] = first(key.hash("uuid", uuid, number));
                // Version and variant, wherever the order of the bytes has put them.
                for place in 6..10 {
                    new[place] = uuid[place] & 0xf0 | new[place] & 0x0f;
                }
                new
            },
        );
        tables.uuids = found
            .uuids
            .iter()
            .map(|uuid| {
                let (canon, form) = canon(*uuid);
                let new = canons.get(&canon).copied().unwrap_or(canon);
                (*uuid, form.back(new))
            })
            .collect();
        tables.v4 = v4(key, &found.v4);
        let v4 = tables.v4.clone();
        tables.v6 = distinct(&found.v6, is_special_v6, |address, number| {
            if let Some(inner) = address.to_ipv4_mapped()
                && number == 0
            {
                return v4.get(&inner).copied().unwrap_or(inner).to_ipv6_mapped();
            }
            v6(key, *address, number, &mac)
        });
        tables
    }
}

/// A new value for each, never one that stands for another or that was there before.
fn distinct<T: Ord + Clone>(
    all: &BTreeSet<T>,
    keeps: impl Fn(&T) -> bool,
    make: impl Fn(&T, u32) -> T,
) -> BTreeMap<T, T> {
    let mut taken = BTreeSet::new();
    let mut map = BTreeMap::new();
    for one in all {
        if keeps(one) {
            map.insert(one.clone(), one.clone());
            continue;
        }
        let mut new = make(one, 0);
        for number in 1..100 {
            if !all.contains(&new) && taken.insert(new.clone()) {
                break;
            }
            new = make(one, number);
        }
        map.insert(one.clone(), new);
    }
    map
}

fn first<const N: usize>(hash: [u8; 32]) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&hash[..N]);
    bytes
}

/// All bytes zero, or all ones: nobody's.
pub(super) fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0) || bytes.iter().all(|byte| *byte == 0xff)
}

/// The MAC that an EUI-64 was made of.
fn mac_in(eui: [u8; 8]) -> Option<[u8; 6]> {
    let is_made = matches!([eui[3], eui[4]], [0xff, 0xfe | 0xff] | [0x03, 0x00]);
    let mac = [eui[0], eui[1], eui[2], eui[5], eui[6], eui[7]];
    (is_made && !is_blank(&eui) && !is_blank(&mac)).then_some(mac)
}

/// The MAC at the end of a DUID (RFC 8415, of the kinds that have one).
fn duid_mac(duid: &[u8]) -> Option<[u8; 6]> {
    let length = match duid {
        [0, 1, 0, 1, ..] => 14,
        [0, 3, 0, 1, ..] => 10,
        _ => return None,
    };
    (duid.len() == length).then(|| duid[length - 6..].try_into().ok())?
}

/// The MAC that an interface identifier of IPv6 was made of (RFC 4291, appendix A).
fn mac_of(address: Ipv6Addr) -> Option<[u8; 6]> {
    let bytes = address.octets();
    let is_made = bytes[11] == 0xff && bytes[12] == 0xfe;
    let mac = [
        bytes[8] ^ 2,
        bytes[9],
        bytes[10],
        bytes[13],
        bytes[14],
        bytes[15],
    ];
    is_made.then_some(mac)
}

/// How the bytes of a UUID stand: fields of the one half, of the other half, or all the other way round.
#[derive(Clone, Copy, Default)]
struct Form {
    head: bool,
    tail: bool,
    reversed: bool,
}

impl Form {
    fn to(self, mut uuid: [u8; 16]) -> [u8; 16] {
        self.halves(&mut uuid);
        if self.reversed {
            uuid.reverse();
        }
        uuid
    }

    fn back(self, mut uuid: [u8; 16]) -> [u8; 16] {
        if self.reversed {
            uuid.reverse();
        }
        self.halves(&mut uuid);
        uuid
    }

    /// SMBIOS has the first three fields the other way round.
    fn halves(self, uuid: &mut [u8; 16]) {
        if self.head {
            uuid[..4].reverse();
            uuid[4..6].reverse();
            uuid[6..8].reverse();
        }
        if self.tail {
            uuid[8..10].reverse();
            uuid[10..12].reverse();
            uuid[12..].reverse();
        }
    }
}

/// One of the ways to write a UUID, the same for all of them, and how this one differs from it.
fn canon(uuid: [u8; 16]) -> ([u8; 16], Form) {
    let mut best = (uuid, Form::default());
    for bits in 1..8_u8 {
        let form = Form {
            head: bits & 1 > 0,
            tail: bits & 2 > 0,
            reversed: bits & 4 > 0,
        };
        let other = form.to(uuid);
        if other < best.0 {
            best = (other, form);
        }
    }
    best
}

/// Addresses and masks that mean the same everywhere.
pub(super) fn is_special_v4(address: &Ipv4Addr) -> bool {
    let bits = address.to_bits();
    let is_mask = bits.leading_ones() >= 8 && bits.leading_ones() + bits.trailing_zeros() >= 32;
    address.is_unspecified()
        || address.is_loopback()
        || address.is_broadcast()
        || address.is_multicast()
        || address.is_link_local()
        || address.is_documentation()
        || address.octets()[0] == 0
        || is_mask
}

pub(super) fn is_special_v6(address: &Ipv6Addr) -> bool {
    let is_documentation = address.segments()[..2] == [0x2001, 0xdb8];
    let mapped = address.to_ipv4_mapped();
    address.is_unspecified()
        || address.is_loopback()
        || address.is_multicast()
        || is_documentation
        || mapped.is_some_and(|address| is_special_v4(&address))
        // A prefix, such as fe80::.
        || address.octets()[..8] == [0xfe, 0x80, 0, 0, 0, 0, 0, 0] && address.octets()[8..] == [0; 8]
}

/// Networks of 24 bits become others, those of RFC 5737 first; within one, whatever two addresses have in common at their beginnings they have in common afterwards.
fn v4(key: &Key, all: &BTreeSet<Ipv4Addr>) -> BTreeMap<Ipv4Addr, Ipv4Addr> {
    let mut map = BTreeMap::new();
    let mut networks: BTreeMap<[u8; 3], Vec<u8>> = BTreeMap::new();
    for address in all {
        if is_special_v4(address) {
            map.insert(*address, *address);
        } else {
            let [a, b, c, host] = address.octets();
            networks.entry([a, b, c]).or_default().push(host);
        }
    }
    let mut order: Vec<_> = networks.into_iter().collect();
    order.sort_by_key(|(network, _)| key.hash("v4", network, 0));
    // 198.18.0.0/15 is for measurements (RFC 2544), and never a machine's either.
    let documentation = [[192, 0, 2], [198, 51, 100], [203, 0, 113]].into_iter();
    let measurement = (0..=u16::from(u8::MAX)).flat_map(|c| {
        let c = u8::try_from(c).unwrap_or(0);
        [[198, 18, c], [198, 19, c]]
    });
    let rest = (0..=u16::MAX).map(|low| [10, low.to_be_bytes()[0], low.to_be_bytes()[1]]);
    let is_free = |network: &[u8; 3]| {
        !all.iter()
            .any(|address| address.octets()[..3] == *network && !is_special_v4(address))
    };
    let mut free = documentation.chain(measurement).chain(rest).filter(is_free);
    for (network, hosts) in order {
        let Some([a, b, c]) = free.next() else {
            break;
        };
        let map_host = |host: u8, number: u32| {
            let mut new = 0;
            for bit in (0..8).rev() {
                let begun = u16::from(host) >> (bit + 1);
                let flips = key.hash(
                    "host",
                    &[&network[..], &[bit], &begun.to_be_bytes()].concat(),
                    number,
                );
                new = new << 1 | (host >> bit & 1) ^ (flips[0] & 1);
            }
            new
        };
        // The ends of a network are no machines.
        let is_end = |host: u8| host == 0 || host == 255;
        let fits = |number: &u32| {
            hosts
                .iter()
                .all(|host| is_end(*host) || !is_end(map_host(*host, *number)))
        };
        let number = (0..256).find(fits).unwrap_or(0);
        for host in hosts {
            let new = if is_end(host) {
                host
            } else {
                map_host(host, number)
            };
            map.insert(
                Ipv4Addr::new(network[0], network[1], network[2], host),
                Ipv4Addr::new(a, b, c, new),
            );
        }
    }
    map
}

/// Networks of 48 and of 64 bits stay together, under RFC 3849's; what is made of a MAC is made of the new one.
fn v6(key: &Key, address: Ipv6Addr, number: u32, mac: &impl Fn([u8; 6]) -> [u8; 6]) -> Ipv6Addr {
    let bytes = address.octets();
    let mut new = [0; 16];
    if address.is_unicast_link_local() {
        new[..8].copy_from_slice(&bytes[..8]);
    } else {
        new[..4].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
        new[4..6].copy_from_slice(&key.hash("v6", &bytes[..6], number)[..2]);
        new[6..8].copy_from_slice(&key.hash("v6", &bytes[..8], number)[..2]);
    }
    let is_small = bytes[8..14] == [0; 6];
    match mac_of(address) {
        Some(inner) => {
            let inner = mac(inner);
            let made = [
                inner[0] ^ 2,
                inner[1],
                inner[2],
                0xff,
                0xfe,
                inner[3],
                inner[4],
                inner[5],
            ];
            new[8..].copy_from_slice(&made);
        }
        None if is_small && number == 0 && !address.is_unicast_link_local() => {
            new[8..].copy_from_slice(&bytes[8..])
        }
        None => new[8..].copy_from_slice(&key.hash("interface", &bytes, number)[..8]),
    }
    Ipv6Addr::from(new)
}

/// Bytes in the places of the digits of a text: its case, and what stands between them.
pub(super) fn restyled(text: &str, bytes: &[u8]) -> String {
    let is_upper = text.bytes().any(|byte| byte.is_ascii_uppercase());
    let mut digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    text.chars()
        .map(|letter| match letter.is_ascii_hexdigit() {
            true => {
                let digit = digits.next().unwrap_or(0);
                let letter = char::from_digit(u32::from(digit), 16).unwrap_or('0');
                if is_upper {
                    letter.to_ascii_uppercase()
                } else {
                    letter
                }
            }
            false => letter,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn swap(mut uuid: [u8; 16]) -> [u8; 16] {
        let form = Form {
            head: true,
            ..Form::default()
        };
        form.halves(&mut uuid);
        uuid
    }

    fn key() -> Key {
        Key(vec![7; 32])
    }

    #[test]
    fn ways_to_write_one_uuid_stay_ways_to_write_one_uuid() {
        let uuid: [u8; 16] = *b"\x4c\x4c\x45\x44\x00\x35\x34\x10\x80\x50\xc6\xc0\x4f\x31\x47\x33";
        let mut reversed = swap(uuid);
        reversed.reverse();
        let found = Found {
            uuids: [uuid, swap(uuid), reversed].into(),
            ..Found::default()
        };
        let tables = Tables::new(&key(), &found);
        let new = tables.uuids[&uuid];
        assert_ne!(new, uuid);
        assert_eq!(tables.uuids[&swap(uuid)], swap(new));
        let mut back = tables.uuids[&reversed];
        back.reverse();
        assert_eq!(back, swap(new));
        assert_eq!(new[6] >> 4, 3, "the version stays");
    }

    #[test]
    fn addresses_of_one_network_stay_in_one() {
        let of = |text: &str| text.parse::<Ipv4Addr>().unwrap();
        let all = [
            "10.1.2.129",
            "10.1.2.190",
            "10.1.2.3",
            "10.9.9.9",
            "255.255.255.192",
            "0.0.0.0",
        ];
        let map = v4(&key(), &all.map(of).into());
        let net = |text: &str, bits: u32| map[&of(text)].to_bits() >> (32 - bits);
        assert_eq!(net("10.1.2.129", 26), net("10.1.2.190", 26));
        assert_ne!(net("10.1.2.129", 26), net("10.1.2.3", 26));
        assert_eq!(net("10.1.2.129", 24), net("10.1.2.3", 24));
        assert_ne!(net("10.1.2.129", 24), net("10.9.9.9", 24));
        assert!(map[&of("10.9.9.9")].is_documentation());
        assert_eq!(map[&of("255.255.255.192")], of("255.255.255.192"));
        assert_eq!(map[&of("0.0.0.0")], of("0.0.0.0"));
    }

    #[test]
    fn what_is_made_of_a_mac_is_made_of_the_new_one() {
        let mac = [0x5c, 0xed, 0x8c, 0x34, 0xc2, 0x94];
        let address: Ipv6Addr = "fe80::5eed:8cff:fe34:c294".parse().unwrap();
        let mut found = Found::default();
        found.v6(address);
        found.octets(&mac);
        let tables = Tables::new(&key(), &found);
        assert_eq!(mac_of(tables.v6[&address]), Some(tables.macs[&mac]));
        assert!(tables.v6[&address].is_unicast_link_local());
        assert_eq!(tables.macs[&mac][0] & 3, 2, "administered locally");
    }
}

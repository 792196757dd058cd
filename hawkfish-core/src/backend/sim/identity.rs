//! What tells simulated machines apart, as a function of (seed, name of the rack, number of the machine).
//!
//! Worked out when asked for and stored nowhere. Numbers are shuffled rather than drawn, so that no two machines of a rack ever share a
//! serial number or a MAC address.

use crate::entropy::{Entropy as _, SeededEntropy};

/// The facts of one rack.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    rack: String,
    serials: Shuffle,
    macs: Shuffle,
    assets: Shuffle,
    /// For the addresses under a prefix of a maker: one for all racks of a seed.
    made: Shuffle,
    /// How many machines there are in the racks before it.
    first: u32,
    /// Second byte of every locally administered MAC address.
    oui: u8,
}

/// A one-to-one mapping of the numbers below `2^bits`.
#[derive(Clone, Copy, Debug)]
struct Shuffle {
    factor: u64,
    offset: u64,
    bits: u32,
}

impl Shuffle {
    fn new(entropy: &SeededEntropy, bits: u32) -> Self {
        Self {
            // Odd, so it has an inverse.
            factor: entropy.number() | 1,
            offset: entropy.number(),
            bits,
        }
    }

    fn of(&self, number: u32) -> u64 {
        let mask = (1 << self.bits) - 1;
        let mut x = u64::from(number);
        // Each step can be undone: multiplication by an odd number, addition, and mixing the upper half into the lower.
        for _ in 0..2 {
            x = x.wrapping_mul(self.factor).wrapping_add(self.offset) & mask;
            x ^= x >> (self.bits / 2);
        }
        x
    }
}

impl Identity {
    pub(super) fn new(seed: u64, rack: &str, first: u32) -> Self {
        let stream = |what: &str| SeededEntropy::new(seed, &format!("sim/{rack}/{what}"));
        let macs = stream("mac");
        Self {
            rack: rack.to_owned(),
            serials: Shuffle::new(&stream("serial"), 40),
            macs: Shuffle::new(&macs, 24),
            made: Shuffle::new(&SeededEntropy::new(seed, "sim/made mac"), 20),
            first,
            assets: Shuffle::new(&stream("asset"), 32),
            oui: macs.number().to_le_bytes()[0],
        }
    }

    pub(super) fn name(&self, number: u32) -> String {
        format!("{}-{:05}", self.rack, number + 1)
    }

    pub(super) fn serial(&self, number: u32) -> String {
        // Without 0, 1, I and O, which people misread.
        const LETTERS: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
        let mut rest = self.serials.of(number);
        let mut serial = String::from("HF");
        for _ in 0..8 {
            serial.push(char::from(LETTERS[(rest % 32) as usize]));
            rest /= 32;
        }
        serial
    }

    pub(super) fn asset_tag(&self, number: u32) -> String {
        format!("ASSET-{:010}", self.assets.of(number))
    }

    /// The address of a network interface, one of the first 16: under a prefix, or a locally administered one.
    pub(super) fn mac(&self, prefix: Option<[u8; 3]>, number: u32, nic: u8) -> String {
        if let Some([x, y, z]) = prefix {
            let machine = self.made.of(self.first.wrapping_add(number));
            let [_, _, _, _, _, a, b, c] = (machine << 4 | u64::from(nic & 15)).to_be_bytes();
            return format!("{x:02x}:{y:02x}:{z:02x}:{a:02x}:{b:02x}:{c:02x}");
        }
        let [_, _, _, _, _, a, b, c] = self.macs.of(number).to_be_bytes();
        let oui = self.oui;
        format!("02:{oui:02x}:{a:02x}:{b:02x}:{c:02x}:{nic:02x}")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_machines_share_a_serial_number_an_asset_tag_or_a_mac_address() {
        let identity = Identity::new(7, "sim", 0);
        let mut seen = HashSet::new();
        for number in 0..50_000 {
            assert!(seen.insert(identity.serial(number)));
            assert!(seen.insert(identity.asset_tag(number)));
            assert!(seen.insert(identity.mac(None, number, 0)));
        }
    }

    #[test]
    fn addresses_under_a_prefix_differ_between_racks_too() {
        let prefix = Some([0xac, 0x1f, 0x6b]);
        let mut seen = HashSet::new();
        for (rack, first) in [("a", 0), ("b", 30_000)] {
            let identity = Identity::new(7, rack, first);
            for number in 0..30_000 {
                for nic in [0, 15] {
                    let mac = identity.mac(prefix, number, nic);
                    assert!(mac.starts_with("ac:1f:6b:"));
                    assert!(seen.insert(mac));
                }
            }
        }
    }

    #[test]
    fn another_seed_or_another_rack_is_another_identity() {
        let serial = |seed, rack| Identity::new(seed, rack, 0).serial(0);
        assert_eq!(serial(1, "a"), serial(1, "a"));
        assert_ne!(serial(1, "a"), serial(2, "a"));
        assert_ne!(serial(1, "a"), serial(1, "b"));
    }
}

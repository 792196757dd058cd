//! Several machines from one capture: all but the first have serial numbers, UUIDs and MAC addresses of their own, the same again for the same seed.

use std::collections::BTreeMap;

use hawkfish_core::entropy::{Entropy as _, SeededEntropy};
use serde_json::Value;

use super::tree::Tree;

/// What is told apart, and what stands in its place.
#[derive(Clone, Debug, Default)]
pub(super) struct Varied {
    /// Longest first, so that none is taken apart by a part of it.
    pairs: Vec<(String, String)>,
}

/// Names of properties that tell machines and their parts apart.
const TELLING: &[&str] = &[
    "SerialNumber",
    "UUID",
    "MACAddress",
    "PermanentMACAddress",
    "ServiceTag",
    "NodeID",
];

/// Values that are shorter, or without a digit, could be words.
const SHORTEST: usize = 7;

impl Varied {
    /// As captured.
    pub(super) fn not() -> Self {
        Self::default()
    }

    /// Another machine: the `number`-th of a rack.
    pub(super) fn of(tree: &Tree, seed: u64, rack: &str, number: usize) -> Self {
        let mut found = BTreeMap::new();
        for (uri, document) in tree.all() {
            let of_machine = document.kind.as_deref().is_some_and(|kind| {
                !matches!(
                    kind,
                    "JsonSchemaFile" | "MessageRegistry" | "AttributeRegistry"
                )
            });
            if of_machine && let Some(value) = tree.value(uri) {
                collect(&value, &mut found);
            }
        }
        let entropy = SeededEntropy::new(seed, &format!("replay/{rack}/{number}"));
        let mut pairs = BTreeMap::new();
        for (text, is_mac) in found {
            let other = another(&text, is_mac, &entropy);
            if is_mac {
                let bare = |text: &str| text.replace([':', '-'], "");
                pairs.insert(bare(&text).to_lowercase(), bare(&other).to_lowercase());
                pairs.insert(bare(&text).to_uppercase(), bare(&other).to_uppercase());
            }
            pairs.insert(text.to_lowercase(), other.to_lowercase());
            pairs.insert(text.to_uppercase(), other.to_uppercase());
            pairs.insert(text, other);
        }
        let mut pairs: Vec<_> = pairs.into_iter().filter(|(from, to)| from != to).collect();
        // Of equal length in the order of their letters, for the same result each time.
        pairs.sort_by_key(|(from, _)| std::cmp::Reverse(from.len()));
        Self { pairs }
    }

    /// A text of the capture as this machine has it.
    pub(super) fn replica(&self, text: &str) -> String {
        let pairs = self.pairs.iter();
        pairs.fold(text.to_owned(), |text, (from, to)| replaced(text, from, to))
    }

    /// A text of this machine as the capture has it.
    pub(super) fn captured(&self, text: &str) -> String {
        let pairs = self.pairs.iter();
        pairs.fold(text.to_owned(), |text, (from, to)| replaced(text, to, from))
    }
}

fn replaced(text: String, from: &str, to: &str) -> String {
    match text.contains(from) {
        true => text.replace(from, to),
        false => text,
    }
}

fn collect(value: &Value, found: &mut BTreeMap<String, bool>) {
    match value {
        Value::Object(object) => {
            for (name, below) in object {
                match below {
                    Value::String(text) if TELLING.contains(&name.as_str()) => {
                        let text = text.trim();
                        let tells = text.len() >= SHORTEST
                            && text.bytes().any(|b| b.is_ascii_digit() && b != b'0')
                            && text
                                .bytes()
                                .all(|b| b.is_ascii_alphanumeric() || b"-:".contains(&b));
                        if tells {
                            found.insert(text.to_owned(), name.ends_with("MACAddress"));
                        }
                    }
                    _ => collect(below, found),
                }
            }
        }
        Value::Array(all) => all.iter().for_each(|one| collect(one, found)),
        _ => {}
    }
}

/// Another text of the same kind, digit for digit and letter for letter. Of a MAC address the maker stays.
fn another(text: &str, is_mac: bool, entropy: &SeededEntropy) -> String {
    let kept = if is_mac { 6 } else { 0 };
    let is_hex = is_mac || text.len() == 36 && text.matches('-').count() == 4;
    let mut at = 0;
    let each = text.chars().map(|letter| {
        if !letter.is_ascii_alphanumeric() {
            return letter;
        }
        at += 1;
        // The version and the variant of a UUID stay what they are.
        if at <= kept || is_hex && !is_mac && matches!(at, 13 | 17) {
            return letter;
        }
        let chance = entropy.number();
        let pick = |from: &[u8]| {
            let place = usize::try_from(chance % from.len() as u64).unwrap_or(0);
            char::from(from[place])
        };
        match letter {
            _ if is_hex && letter.is_ascii_lowercase() => pick(b"0123456789abcdef"),
            _ if is_hex => pick(b"0123456789ABCDEF"),
            '0'..='9' => pick(b"0123456789"),
            'a'..='z' => pick(b"abcdefghijkmnpqrstuvwxyz"),
            _ => pick(b"ABCDEFGHJKLMNPQRSTUVWXYZ"),
        }
    });
    each.collect()
}

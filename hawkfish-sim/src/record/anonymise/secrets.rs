//! What was found by the names of properties, and where it stands.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_ED25519, SerialNumber};

use super::keyed::{Key, Tables, is_blank};
use super::names::{
    Kind, is_placeholder, is_public_host, is_public_organisation, is_usual_label, is_usual_user,
};

/// How a secret is looked for in other texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// Not at all: it is replaced where it is the value of its property.
    Value,
    /// As a word of its own.
    Word,
    /// Anywhere.
    Anywhere,
}

#[derive(Debug)]
struct Pattern {
    old: String,
    new: String,
    what: &'static str,
    is_word: bool,
    /// Whether capital letters matter.
    is_exact: bool,
}

/// All secrets.
#[derive(Debug)]
pub(super) struct Secrets {
    pub(super) keep_names: bool,
    kinds: BTreeMap<String, Kind>,
    emails: BTreeSet<String>,
    /// Words of schemas, and names of properties.
    words: BTreeSet<String>,
    exact: BTreeMap<String, String>,
    patterns: Vec<Pattern>,
    search: Option<AhoCorasick>,
}

impl Secrets {
    pub(super) fn new(keep_names: bool) -> Self {
        Self {
            keep_names,
            kinds: BTreeMap::new(),
            emails: BTreeSet::new(),
            words: BTreeSet::new(),
            exact: BTreeMap::new(),
            patterns: Vec::new(),
            search: None,
        }
    }

    /// Takes in words that are no secrets.
    pub(super) fn words(&mut self, text: &str) {
        for word in text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_') {
            if (3..40).contains(&word.len()) && !self.words.contains(word) {
                self.words.insert(word.to_owned());
                self.words.insert(word.to_ascii_lowercase());
            }
        }
    }

    /// Takes in a secret.
    pub(super) fn add(&mut self, kind: Kind, text: &str) {
        let text = text.trim();
        if text.is_empty() || is_placeholder(text) || kind.is_name() && self.keep_names {
            return;
        }
        let is_usual = match kind {
            Kind::User => is_usual_user(text),
            Kind::Host => {
                is_usual_label(text)
                    || is_public_host(text)
                    || text.parse::<std::net::IpAddr>().is_ok()
            }
            Kind::Words => is_public_organisation(text),
            Kind::Session => text.len() < 8,
            Kind::Place => true,
            Kind::Serial | Kind::Key | Kind::Password => false,
        };
        if is_usual {
            return;
        }
        // What is a number of a factory somewhere is one everywhere.
        let kind = self.kinds.get(text).map_or(kind, |known| kind.min(*known));
        self.kinds.insert(text.to_owned(), kind);
        // A fully qualified name is known by its first part, too.
        if kind == Kind::Host
            && let Some((first, domain)) = text.split_once('.')
            && domain.contains(|c: char| c.is_ascii_alphabetic())
        {
            self.add(Kind::Host, first);
            if domain.contains('.') {
                self.add(Kind::Host, domain);
            }
        }
    }

    pub(super) fn email(&mut self, text: &str) {
        if !self.keep_names {
            self.emails.insert(text.to_owned());
        }
    }

    /// Decides what stands in place of what.
    pub(super) fn settle(&mut self, key: &Key, tables: &Tables) {
        let mut taken: BTreeSet<String> = self
            .kinds
            .keys()
            .map(|old| old.to_ascii_lowercase())
            .collect();
        let mut cases: BTreeMap<String, String> = BTreeMap::new();
        let kinds = std::mem::take(&mut self.kinds);
        let serials: Vec<(&String, Kind)> = kinds.iter().map(|(old, kind)| (old, *kind)).collect();
        // Numbers of factories first: hosts are named after them.
        for (old, kind) in serials.iter().filter(|(_, kind)| *kind != Kind::Host) {
            let new = match cases.get(&old.to_ascii_lowercase()) {
                // The same in other letters.
                Some(new) => recased(old, new),
                None => fresh(&mut taken, |number| key.shaped(old, number)),
            };
            cases
                .entry(old.to_ascii_lowercase())
                .or_insert_with(|| new.clone());
            self.exact.insert((*old).clone(), new.clone());
            self.pattern(old, new, *kind);
        }
        self.codes(&kinds);
        let tags: Vec<(String, String)> = (kinds.iter())
            .filter(|(old, kind)| **kind == Kind::Serial && old.len() >= 6)
            .map(|(old, _)| (old.to_ascii_lowercase(), self.exact[old].clone()))
            .collect();
        let mut labels = BTreeMap::new();
        for (old, kind) in serials.iter().filter(|(_, kind)| *kind == Kind::Host) {
            let new = host(old, key, &tags, &mut labels, &mut taken);
            self.exact.insert((*old).clone(), new.clone());
            self.pattern(old, new, *kind);
        }
        for old in std::mem::take(&mut self.emails) {
            if let Some((local, domain)) = old.split_once('@') {
                let domain = host(domain, key, &tags, &mut labels, &mut taken);
                let local = fresh(&mut taken, |number| key.shaped(local, number));
                self.push(
                    &old,
                    format!("{local}@{domain}"),
                    "an e-mail address",
                    Reach::Word,
                    false,
                );
            }
        }
        // What is known by shape may also be written without what is between.
        for (old, new) in &tables.macs {
            if !is_blank(old) {
                let (old, new) = (hex::encode(old), hex::encode(new));
                self.push(&old, new.clone(), "a MAC", Reach::Word, false);
                self.push(&dotted(&old), dotted(&new), "a MAC", Reach::Word, false);
            }
        }
        for (old, new) in &tables.uuids {
            if !is_blank(old) {
                self.push(
                    &hex::encode(old),
                    hex::encode(new),
                    "a UUID",
                    Reach::Word,
                    false,
                );
            }
        }
        let olds = self.patterns.iter().map(|pattern| pattern.old.as_str());
        let search = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .build(olds);
        self.search = Some(search.expect("as many patterns as a machine has parts"));
    }

    /// The service code of Dell is the service tag as a number of base 36.
    fn codes(&mut self, kinds: &BTreeMap<String, Kind>) {
        let tags: BTreeMap<u64, String> = (kinds.keys())
            .filter(|old| old.len() == 7)
            .filter_map(|old| {
                Some((
                    u64::from_str_radix(old, 36).ok()?,
                    self.exact.get(old)?.clone(),
                ))
            })
            .collect();
        for old in kinds.keys() {
            let number = old.parse::<u64>().ok().filter(|_| old.len() > 8);
            if let Some(tag) = number.and_then(|number| tags.get(&number))
                && let Ok(code) = u64::from_str_radix(tag, 36)
            {
                self.exact.insert(old.clone(), code.to_string());
                for pattern in &mut self.patterns {
                    if pattern.old == *old {
                        pattern.new = code.to_string();
                    }
                }
            }
        }
    }

    fn pattern(&mut self, old: &str, new: String, kind: Kind) {
        let reach = self.reach(old, kind);
        let (what, is_exact) = match kind {
            Kind::Serial => ("a serial number", false),
            Kind::Key | Kind::Password => ("a key", true),
            Kind::Host => ("a host", false),
            Kind::User => ("a user", true),
            Kind::Words | Kind::Place => ("words of the owner", true),
            Kind::Session => ("a session", true),
        };
        self.push(old, new, what, reach, is_exact);
    }

    fn push(&mut self, old: &str, new: String, what: &'static str, reach: Reach, is_exact: bool) {
        if reach != Reach::Value {
            self.patterns.push(Pattern {
                old: old.to_owned(),
                new,
                what,
                is_word: reach == Reach::Word,
                is_exact,
            });
        }
    }

    /// How far a secret can be told from other words.
    fn reach(&self, old: &str, kind: Kind) -> Reach {
        let count = |is: fn(&u8) -> bool| old.bytes().filter(is).count();
        let (digits, letters) = (count(u8::is_ascii_digit), count(u8::is_ascii_alphabetic));
        let length = digits + letters;
        let is_word = self.words.contains(old) || self.words.contains(&old.to_ascii_lowercase());
        match kind {
            _ if length < 5 => Reach::Value,
            _ if letters == 0 && length < 7 => Reach::Value,
            Kind::Serial | Kind::Key | Kind::Session | Kind::Password => match (digits, letters) {
                (0, _) if is_word => Reach::Value,
                (0, _) | (_, 0) => Reach::Word,
                _ if length >= 7 => Reach::Anywhere,
                _ if is_word => Reach::Value,
                _ => Reach::Word,
            },
            _ if is_word => Reach::Value,
            _ => Reach::Word,
        }
    }

    /// What stands in place of the value of a property. Spaces around it are no part of it.
    pub(super) fn exact(&self, text: &str) -> Option<String> {
        let plain = text.trim();
        let new = self.exact.get(plain)?;
        Some(text.replacen(plain, new, 1))
    }

    /// Where secrets stand in a text, and what stands there in place of them.
    pub(super) fn places(&self, text: &str) -> Vec<(Range<usize>, String)> {
        let mut places = Vec::new();
        self.matches(text, |range, pattern| {
            let shown = &text[range.clone()];
            let new = match shown == pattern.old {
                true => pattern.new.clone(),
                false => recased_from(shown, &pattern.old, &pattern.new),
            };
            places.push((range, new));
            true
        });
        places
    }

    /// What is left of the secrets in a text.
    pub(super) fn left(&self, text: &str) -> Option<&'static str> {
        let mut left = None;
        self.matches(text, |_, pattern| {
            left = Some(pattern.what);
            false
        });
        left
    }

    fn matches(&self, text: &str, mut show: impl FnMut(Range<usize>, &Pattern) -> bool) {
        let Some(search) = &self.search else {
            return;
        };
        let bytes = text.as_bytes();
        let is_part = |at: Option<usize>| {
            at.and_then(|at| bytes.get(at))
                .is_some_and(u8::is_ascii_alphanumeric)
        };
        for found in search.find_overlapping_iter(text) {
            let pattern = &self.patterns[found.pattern().as_usize()];
            let range = found.range();
            let is_within = is_part(range.start.checked_sub(1)) || is_part(Some(range.end));
            if pattern.is_word && is_within
                || pattern.is_exact && text[range.clone()] != pattern.old
            {
                continue;
            }
            if !show(range, pattern) {
                return;
            }
        }
    }
}

/// One that is not there yet.
fn fresh(taken: &mut BTreeSet<String>, make: impl Fn(u32) -> String) -> String {
    let mut new = make(0);
    for number in 1..1000 {
        if taken.insert(new.to_ascii_lowercase()) {
            break;
        }
        new = make(number);
    }
    new
}

/// The new one in the letters of the old one.
fn recased(old: &str, new: &str) -> String {
    let mut new = new.chars();
    old.chars()
        .map(|letter| {
            let new = new.next().unwrap_or(letter);
            if letter.is_ascii_lowercase() {
                new.to_ascii_lowercase()
            } else {
                new.to_ascii_uppercase()
            }
        })
        .collect()
}

/// As a text shows it, where it shows it in other letters than it was found in.
fn recased_from(shown: &str, old: &str, new: &str) -> String {
    let has = |is: fn(&u8) -> bool| shown.bytes().any(|byte| is(&byte));
    let (has_lower, has_upper) = (has(u8::is_ascii_lowercase), has(u8::is_ascii_uppercase));
    if !has_upper {
        return new.to_ascii_lowercase();
    }
    if !has_lower || old.len() != new.len() || shown.len() != new.len() || !new.is_ascii() {
        return new.to_ascii_uppercase();
    }
    let letters = shown.bytes().zip(old.bytes()).zip(new.bytes());
    let letters =
        letters.map(
            |((shown, old), new)| match (shown == old, shown.is_ascii_lowercase()) {
                (true, _) if !shown.is_ascii_digit() || !new.is_ascii_alphabetic() => new,
                (_, true) => new.to_ascii_lowercase(),
                _ if shown.is_ascii_uppercase() => new.to_ascii_uppercase(),
                _ => new,
            },
        );
    letters.map(char::from).collect()
}

/// `b07b.25d6.5182`
fn dotted(mac: &str) -> String {
    [&mac[..4], &mac[4..8], &mac[8..]].join(".")
}

/// A host or a domain, part by part: what parts have in common they have in common afterwards.
fn host(
    old: &str,
    key: &Key,
    tags: &[(String, String)],
    labels: &mut BTreeMap<String, String>,
    taken: &mut BTreeSet<String>,
) -> String {
    let parts: Vec<&str> = old.split('.').collect();
    let last = parts.len() - 1;
    let parts = parts.iter().enumerate().map(|(place, part)| {
        let lower = part.to_ascii_lowercase();
        if is_usual_label(part) && !(place == last && last > 0) {
            return (*part).to_owned();
        }
        // No domain that somebody has.
        if place == last && last > 0 {
            let is_private =
                is_usual_label(part) && !matches!(lower.as_str(), "com" | "net" | "org");
            return if is_private {
                (*part).to_owned()
            } else {
                "example".to_owned()
            };
        }
        // Named after its machine: `idrac-F54P1G3`.
        for (tag, new) in tags {
            if let Some(at) = lower.find(tag.as_str()) {
                let rest = [&lower[..at], &lower[at + tag.len()..]].concat();
                if is_usual_label(rest.trim_matches(['-', '_'])) {
                    let shown = &part[at..at + tag.len()];
                    let new = recased(&shown.chars().collect::<String>(), new);
                    return format!("{}{new}{}", &part[..at], &part[at + tag.len()..]);
                }
            }
        }
        let new = labels
            .entry(lower)
            .or_insert_with_key(|lower| fresh(taken, |number| key.shaped(lower, number)));
        recased(part, new)
    });
    parts.collect::<Vec<_>>().join(".")
}

/// Another key or certificate in place of one.
pub(super) fn blob(key: &Key, text: &str) -> String {
    if let Some((algorithm, coded)) = text.split_once(' ').filter(|_| !text.starts_with('-')) {
        return format!("{algorithm} {}", ssh(key, coded));
    }
    let is_certificate = text.starts_with("-----BEGIN CERTIFICATE-----");
    let made = is_certificate.then(|| certificate(key, text)).flatten();
    let made = made.unwrap_or_else(|| scrambled(key, text));
    match text.contains("\r\n") {
        true => made.replace("\r\n", "\n").replace('\n', "\r\n"),
        false => made.replace("\r\n", "\n"),
    }
}

/// The key of SSH: its algorithm stays, with the lengths of its parts.
fn ssh(key: &Key, coded: &str) -> String {
    let Ok(mut bytes) = STANDARD.decode(coded) else {
        return key.shaped(coded, 0);
    };
    let random = key.stream("ssh", coded.as_bytes(), bytes.len());
    let mut at = 0;
    let mut is_first = true;
    while let Some(length) = bytes.get(at..at + 4) {
        let length = length
            .iter()
            .fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte));
        let end = (at + 4).saturating_add(length).min(bytes.len());
        // The algorithm, its curve, and small exponents are no secrets.
        if !is_first && length > 16 {
            bytes[at + 4..end].copy_from_slice(&random[at + 4..end]);
        }
        is_first = false;
        at = end;
    }
    STANDARD.encode(bytes)
}

/// A certificate that can be read and tells nothing.
fn certificate(key: &Key, text: &str) -> Option<String> {
    let seed = key.hash("certificate", text.as_bytes(), 0);
    // RFC 8410: a private key of Ed25519 in PKCS #8. Its signatures are the same each time.
    let begin = [
        0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20,
    ];
    let pkcs8 = [&begin[..], &seed[..]].concat();
    let der = rustls::pki_types::PrivatePkcs8KeyDer::from(pkcs8);
    let pair = KeyPair::from_pkcs8_der_and_sign_algo(&der, &PKCS_ED25519).ok()?;
    let mut params = CertificateParams::new(Vec::new()).ok()?;
    params.serial_number = Some(SerialNumber::from_slice(
        &key.hash("certificate", text.as_bytes(), 1)[..8],
    ));
    params.distinguished_name = rcgen::DistinguishedName::new();
    (params.distinguished_name).push(DnType::CommonName, "replaced.example");
    Some(params.self_signed(&pair).ok()?.pem().trim_end().to_owned())
}

/// All between the lines at the ends in other letters.
fn scrambled(key: &Key, text: &str) -> String {
    let all = text
        .lines()
        .enumerate()
        .map(|(number, line)| match line.starts_with("-----") {
            true => line.to_owned(),
            false => key.shaped(line, u32::try_from(number).unwrap_or(0)),
        });
    all.collect::<Vec<_>>().join("\n")
}

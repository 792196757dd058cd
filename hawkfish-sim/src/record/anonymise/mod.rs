//! Replaces what tells one machine, its owner and its place from all others, the same way in all of a capture.
//!
//! - **What.** Serial numbers, service tags, WWNs and other identifiers, MACs (their makers' prefixes, too), UUIDs, IPv4 and IPv6 addresses, hosts and domains, users, e-mail addresses,
//!   asset tags, owners and places, SSH keys, certificates, licences, hashes of passwords, sessions. Passwords and coordinates are taken out.
//! - **How it is found.** By the names of properties (`names`), by shape (`shapes`), and whatever was found somewhere is replaced wherever it stands: in descriptions, log messages, URIs, headers.
//! - **By what.** A keyed hash with a key of the run decides (`keyed`): the same becomes the same, nobody can go back without the key, and the shape stays: length and kinds of letters, form of a UUID,
//!   a locally administered MAC, addresses that are for documentation, in the same networks as before.
//! - **Proof.** At the end all that would be written is searched for all that was found. If anything is left, there is no capture.
//!
//! What is too short or too common to be told from other words (a user `bob`, an asset tag `7`) is replaced where it is the value of its property, and nowhere else.

mod keyed;
mod names;
mod secrets;
mod shapes;

use std::collections::BTreeMap;
use std::ops::Range;

use percent_encoding::percent_decode_str;
use serde_json::Value;

use self::keyed::{Found, Key, Tables, restyled};
use self::names::{Kind, is_placeholder, is_private, is_public_host, kind_of};
use self::secrets::Secrets;
use self::shapes::{Shape, scan};
use crate::capture::{Capture, Content, Document, Unread};

/// What is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Names that people gave: of hosts, users, places, asset tags. Numbers that factories gave are replaced all the same.
    pub keep_names: bool,
}

/// Something that should have been replaced is still there. What it is is not said: this is shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} of the source would still stand in {file}; nothing is written")]
pub struct Survived {
    /// The kind of thing.
    pub what: String,
    /// The file that it would stand in.
    pub file: String,
}

/// Replaces all that tells whose machine it is. The key is to be made by chance for each run and thrown away.
///
/// # Errors
/// Something would survive.
pub fn anonymise(capture: &Capture, key: &[u8], options: Options) -> Result<Capture, Survived> {
    let mut survived = None;
    // What is made by hash may by chance be what is looked for: another hash then.
    for number in 0..3_u8 {
        let key = Key([key, &[number]].concat());
        let plan = Plan::new(capture, key, options);
        let new = plan.replaced(capture);
        match plan.prove(&new) {
            Ok(()) => return Ok(new),
            Err(error) => survived = Some(error),
        }
    }
    Err(survived.expect("three turns were taken"))
}

/// All that was found, and what stands in its place.
struct Plan {
    key: Key,
    tables: Tables,
    secrets: Secrets,
}

impl Plan {
    fn new(capture: &Capture, key: Key, options: Options) -> Self {
        let mut collecting = Collecting {
            secrets: Secrets::new(options.keep_names),
            found: Found::default(),
            versions: BTreeMap::new(),
            addresses: Vec::new(),
        };
        for (uri, document) in &capture.documents {
            collecting.document(uri, document);
        }
        for unread in &capture.unread {
            collecting.text("", &unread.uri);
        }
        let Collecting {
            mut secrets,
            mut found,
            versions,
            addresses,
        } = collecting;
        for (address, is_sure) in addresses {
            // Four numbers with dots between may as well be a version.
            if is_sure || !versions.contains_key(&address) {
                found.v4.insert(address);
            }
        }
        let tables = Tables::new(&key, &found);
        secrets.settle(&key, &tables);
        Self {
            key,
            tables,
            secrets,
        }
    }

    fn replaced(&self, capture: &Capture) -> Capture {
        let mut new = Capture {
            source: capture.source.clone(),
            ..Capture::default()
        };
        new.source.is_anonymised = Some(true);
        for (uri, document) in &capture.documents {
            let uri = self.text(uri);
            let headers = document.headers.iter();
            let headers = headers.map(|(name, value)| (name.clone(), self.text(value)));
            let content = match &document.content {
                Content::Json(value) => {
                    let mut value = value.clone();
                    self.value("", is_words(document), false, &mut value);
                    Content::Json(value)
                }
                Content::Bytes {
                    bytes,
                    content_type,
                } => match std::str::from_utf8(bytes) {
                    Ok(text) => Content::Bytes {
                        bytes: self.text(text).into(),
                        content_type: content_type.clone(),
                    },
                    Err(_) => {
                        new.unread.push(Unread {
                            uri,
                            status: None,
                            why: "not text, so nobody can say what it tells".to_owned(),
                        });
                        continue;
                    }
                },
            };
            let headers = headers.collect();
            new.documents.insert(uri, Document { content, headers });
        }
        for unread in &capture.unread {
            new.unread.push(Unread {
                uri: self.text(&unread.uri),
                ..unread.clone()
            });
        }
        new.unread.sort_by(|a, b| a.uri.cmp(&b.uri));
        new
    }

    fn value(&self, name: &str, is_words: bool, inside: bool, value: &mut Value) {
        match value {
            Value::Object(members) => {
                let old = std::mem::take(members);
                for (key, mut value) in old {
                    self.value(&key, is_words, inside || is_private(&key), &mut value);
                    // A name of a property may be a name of something, too.
                    members.insert(self.text(&key), value);
                }
            }
            Value::Array(items) => {
                for value in items {
                    self.value(name, is_words, inside, value);
                }
            }
            Value::String(text) => {
                let kind = (!is_words).then(|| kind_of(name, inside)).flatten();
                if kind == Some(Kind::Password) && !text.is_empty() && !is_placeholder(text) {
                    *value = Value::Null;
                    return;
                }
                let exact = kind.and_then(|_| self.secrets.exact(text));
                *text = exact.unwrap_or_else(|| self.text(text));
            }
            Value::Number(number) if !is_words => match kind_of(name, inside) {
                Some(Kind::Place) if !self.secrets.keep_names => *value = Value::Null,
                Some(Kind::Serial | Kind::Key) => {
                    let new = self.secrets.exact(&number.to_string());
                    if let Some(Ok(new)) = new.map(|new| new.parse::<serde_json::Number>()) {
                        *number = new;
                    }
                }
                _ => {}
            },
            _ => {}
        }
    }

    /// A text with all in it replaced.
    fn text(&self, text: &str) -> String {
        let mut places: Vec<(Range<usize>, String)> = self.secrets.places(text);
        scan(text, |range, shape| {
            if let Some(new) = self.shape(&text[range.clone()], &shape) {
                places.push((range, new));
            }
        });
        if places.is_empty() {
            return text.to_owned();
        }
        // The first one, and of those the longest.
        places.sort_by(|(a, _), (b, _)| a.start.cmp(&b.start).then(b.end.cmp(&a.end)));
        let mut new = String::with_capacity(text.len());
        let mut at = 0;
        for (range, with) in places {
            if range.start >= at {
                new.push_str(&text[at..range.start]);
                new.push_str(&with);
                at = range.end;
            }
        }
        new.push_str(&text[at..]);
        new
    }

    /// What stands in place of a shape; `None` where it is kept.
    fn shape(&self, text: &str, shape: &Shape) -> Option<String> {
        match shape {
            Shape::Uuid(uuid) => Some(restyled(text, self.tables.uuids.get(uuid)?)),
            Shape::Eui(eui) => Some(restyled(text, self.tables.euis.get(eui)?)),
            Shape::Octets(all) => {
                let new = match all.len() {
                    6 => self.tables.macs.get(&all[..]).map(|mac| mac.to_vec()),
                    8 => self.tables.euis.get(&all[..]).map(|eui| eui.to_vec()),
                    _ => self.tables.octets.get(all).cloned(),
                };
                Some(restyled(text, &new?))
            }
            Shape::V4(address) => Some(self.tables.v4.get(address)?.to_string()),
            Shape::V6(address) => {
                let new = self.tables.v6.get(address)?;
                if new == address {
                    return None;
                }
                let new = new.to_string();
                let is_upper = text.bytes().any(|byte| byte.is_ascii_uppercase());
                Some(if is_upper {
                    new.to_ascii_uppercase()
                } else {
                    new
                })
            }
            // By its words.
            Shape::Email => None,
            Shape::SshKey | Shape::Pem => Some(secrets::blob(&self.key, text)),
        }
    }

    /// Whether nothing is left.
    fn prove(&self, new: &Capture) -> Result<(), Survived> {
        for (file, bytes) in new.files() {
            let text = String::from_utf8_lossy(&bytes);
            let mut what = self.secrets.left(&text);
            what = what.or_else(|| self.secrets.left(&file));
            for text in [&*text, &file] {
                scan(text, |_, shape| {
                    if let Some(left) = self.is_left(&shape) {
                        what = Some(left);
                    }
                });
            }
            if let Some(what) = what {
                return Err(Survived {
                    what: what.to_owned(),
                    file: self.text(&file),
                });
            }
        }
        Ok(())
    }

    fn is_left(&self, shape: &Shape) -> Option<&'static str> {
        let tables = &self.tables;
        let (what, is_left) = match shape {
            Shape::Uuid(it) => ("a UUID", tables.uuids.get(it).is_some_and(|new| new != it)),
            Shape::Eui(it) => ("a GUID", tables.euis.get(it).is_some_and(|new| new != it)),
            Shape::V4(it) => ("an address", tables.v4.get(it).is_some_and(|new| new != it)),
            Shape::V6(it) => ("an address", tables.v6.get(it).is_some_and(|new| new != it)),
            Shape::Octets(all) => (
                "a MAC",
                match all.len() {
                    6 => tables
                        .macs
                        .get(&all[..])
                        .is_some_and(|new| new[..] != all[..]),
                    8 => tables
                        .euis
                        .get(&all[..])
                        .is_some_and(|new| new[..] != all[..]),
                    _ => tables.octets.get(all).is_some_and(|new| new != all),
                },
            ),
            Shape::Email | Shape::SshKey | Shape::Pem => return None,
        };
        is_left.then_some(what)
    }
}

/// A name of iSCSI or NVMe: when somebody had a domain, the domain, and what they called the machine.
fn is_qualified(text: &str) -> bool {
    (text.starts_with("iqn.") || text.starts_with("nqn.")) && text.contains(':')
}

/// Schemas and registries: they hold words, and no facts of a machine.
fn is_words(document: &Document) -> bool {
    match &document.content {
        Content::Bytes { .. } => true,
        Content::Json(value) => {
            value.get("$schema").is_some()
                || value.get("definitions").is_some()
                || document
                    .kind()
                    .is_some_and(|kind| kind.ends_with("Registry") || kind == "ActionInfo")
        }
    }
}

struct Collecting {
    secrets: Secrets,
    found: Found,
    /// Four numbers with dots between that are versions.
    versions: BTreeMap<std::net::Ipv4Addr, ()>,
    /// Four numbers with dots between, and whether they are sure to be addresses.
    addresses: Vec<(std::net::Ipv4Addr, bool)>,
}

impl Collecting {
    fn document(&mut self, uri: &str, document: &Document) {
        self.text("", uri);
        for value in document.headers.values() {
            self.text("", value);
        }
        let is_words = is_words(document);
        match &document.content {
            Content::Json(value) => {
                self.value("", is_words, false, value);
                if document.kind() == Some("Session") {
                    let id = uri.rsplit('/').next().unwrap_or_default();
                    self.secrets.add(Kind::Session, id);
                }
                // The service tag, where it is not named so.
                let is_machine = matches!(document.kind(), Some("ComputerSystem" | "Chassis"));
                let sku = value.get("SKU").and_then(Value::as_str).unwrap_or_default();
                let is_tag = sku.len() == 7
                    && sku
                        .bytes()
                        .all(|b| b.is_ascii_digit() || b.is_ascii_uppercase())
                    && sku.bytes().any(|b| b.is_ascii_digit());
                if is_machine && is_tag {
                    self.secrets.add(Kind::Serial, sku);
                }
            }
            Content::Bytes { bytes, .. } => {
                if let Ok(text) = std::str::from_utf8(bytes) {
                    self.secrets.words(text);
                }
            }
        }
    }

    fn value(&mut self, name: &str, is_words: bool, inside: bool, value: &Value) {
        match value {
            Value::Object(members) => {
                for (key, value) in members {
                    self.secrets.words(key);
                    if !is_words {
                        self.text("", key);
                    }
                    self.value(key, is_words, inside || is_private(key), value);
                }
            }
            Value::Array(items) => {
                for value in items {
                    self.value(name, is_words, inside, value);
                }
            }
            Value::String(text) => {
                if is_words || name == "@odata.type" {
                    self.secrets.words(text);
                } else {
                    self.fact(name, inside, text);
                    self.text(name, text);
                }
            }
            Value::Number(number) if !is_words => {
                if let Some(kind @ (Kind::Serial | Kind::Key)) = kind_of(name, inside) {
                    self.secrets.add(kind, &number.to_string());
                }
            }
            _ => {}
        }
    }

    /// The value of a property.
    fn fact(&mut self, name: &str, inside: bool, text: &str) {
        if let Some(kind) = kind_of(name, inside) {
            let mut is_shape = false;
            scan(text, |range, shape| {
                is_shape |= range == (0..text.len()) && shape != Shape::Email;
            });
            let is_pem = text.contains("-----BEGIN ");
            if !is_shape && !is_pem && !is_qualified(text) {
                match (kind, text.rsplit_once(':')) {
                    (Kind::Host, Some((host, port))) if port.parse::<u16>().is_ok() => {
                        self.secrets.add(kind, host);
                    }
                    (Kind::Host, _) if text.contains("://") => {}
                    (Kind::Host, _) if name.ends_with("CommonName") && text.contains(' ') => {
                        self.secrets.add(Kind::Words, text);
                    }
                    _ => self.secrets.add(kind, text),
                }
            }
        }
        // The tail of an iSCSI name tells the machine.
        if is_qualified(text)
            && let Some((_, tail)) = text.split_once(':')
        {
            let is_own = |part: &&str| part.len() >= 6 && part.bytes().any(|b| b.is_ascii_digit());
            let mut own = tail.split(['-', ':', '.']).filter(is_own).peekable();
            if own.peek().is_none() {
                self.secrets.add(Kind::Words, tail);
            }
            for part in own {
                self.secrets.add(Kind::Serial, part);
            }
        }
        self.url(text);
    }

    /// The host of a URL, and who would log in there.
    fn url(&mut self, text: &str) {
        for rest in text.split("://").skip(1) {
            let end = rest.find(|c: char| "/?#\"' <>,;".contains(c));
            let authority = &rest[..end.unwrap_or(rest.len())];
            let host = match authority.rsplit_once('@') {
                Some((who, host)) => {
                    for part in who.split(':') {
                        let part = percent_decode_str(part).decode_utf8_lossy();
                        self.secrets.add(Kind::Key, &part);
                    }
                    host
                }
                None => authority,
            };
            let host = host.split_once(':').map_or(host, |(host, _)| host);
            let is_host =
                host.contains(|c: char| c.is_ascii_alphabetic()) && !host.starts_with('[');
            if is_host && !is_public_host(host) {
                self.secrets.add(Kind::Host, host);
            }
        }
    }

    /// What a text shows by its shape.
    fn text(&mut self, name: &str, text: &str) {
        let last = name.rsplit('.').next().unwrap_or(name).to_ascii_lowercase();
        let is_version = ["version", "revision", "firmware", "build", "driver"]
            .iter()
            .any(|part| last.contains(part));
        // Of a kind of parts, and the same in every machine of a make.
        let is_class = matches!(&*last, "deviceclass" | "targets" | "softwareid" | "classid");
        scan(text, |range, shape| match shape {
            Shape::Uuid(_) if is_class => {}
            Shape::Uuid(uuid) => {
                self.found.uuids.insert(uuid);
            }
            Shape::Octets(all) => self.found.octets(&all),
            Shape::Eui(eui) => self.found.eui(eui),
            Shape::V6(address) => self.found.v6(address),
            Shape::V4(address) if is_version => {
                self.versions.insert(address, ());
            }
            Shape::V4(address) => {
                let is_all = range == (0..text.len());
                let about = [
                    "address", "from", "host", "server", "gateway", "dns", "ip ", "ip:",
                ];
                let is_about = is_all || {
                    let lower = text.to_ascii_lowercase();
                    about.iter().any(|word| lower.contains(word))
                        || text[..range.start].ends_with("://")
                };
                let is_sure = is_all
                    && ["addr", "ip", "gateway", "dns", "server", "host"]
                        .iter()
                        .any(|word| last.contains(word));
                if is_sure || is_about || address.is_private() {
                    self.addresses.push((address, is_sure));
                }
            }
            Shape::Email => {
                let email = &text[range];
                if let Some((_, domain)) = email.split_once('@')
                    && !is_public_host(domain)
                {
                    self.secrets.email(email);
                }
            }
            Shape::SshKey | Shape::Pem => {}
        });
    }
}

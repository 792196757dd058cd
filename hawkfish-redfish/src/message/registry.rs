//! A registry as a value: its ids, and its messages in our words.

use super::{Message, Severity};

/// A registry of messages: ids, numbers of arguments and severities of whoever publishes it, in our words.
#[derive(Debug)]
pub struct Registry {
    /// How its ids begin.
    pub prefix: &'static str,
    /// `Major.Minor`, as it stands in a MessageId.
    pub version: &'static str,
    /// The release that is meant, errata included; its publication is named by it.
    pub release: &'static str,
    pub(super) entries: &'static [Entry],
}

/// What a registry says of one key.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: &'static str,
    pub(super) severity: Severity,
    /// `%1`, `%2`, … stand for the arguments; the highest one is their number.
    pub(super) text: &'static str,
    pub(super) resolution: &'static str,
}

pub(super) const fn entry(
    key: &'static str,
    severity: Severity,
    text: &'static str,
    resolution: &'static str,
) -> Entry {
    Entry {
        key,
        severity,
        text,
        resolution,
    }
}

/// One that asks nothing of whoever reads it.
pub(super) const fn news(key: &'static str, severity: Severity, text: &'static str) -> Entry {
    entry(key, severity, text, NOTHING)
}

/// What there is to be done about good news.
pub(super) const NOTHING: &str = "Nothing needs to be done.";

impl Entry {
    pub(super) fn args(&self) -> usize {
        let placeholder = |pair: &[u8]| (pair[0] == b'%').then_some(pair[1]);
        let digits = self.text.as_bytes().windows(2).filter_map(placeholder);
        let digits = digits.filter(|digit| digit.is_ascii_digit() && *digit != b'0');
        digits
            .map(|digit| usize::from(digit - b'0'))
            .max()
            .unwrap_or(0)
    }

    pub(super) fn message(&self, registry: &str, version: &str, args: &[&str]) -> Message {
        debug_assert_eq!(
            args.len(),
            self.args(),
            "arguments of {registry}.{}",
            self.key
        );
        Message {
            message_id: [registry, ".", version, ".", self.key].concat(),
            message: fill(self.text, args),
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            severity: self.severity,
            resolution: self.resolution.to_owned(),
            related_properties: Vec::new(),
        }
    }
}

impl Registry {
    /// A message of the registry.
    ///
    /// A key that does not exist, or a wrong number of arguments, is a defect of the caller: debug
    /// builds panic, release builds answer `InternalError`.
    #[must_use]
    pub fn message(&self, key: &str, args: &[&str]) -> Message {
        match self.entry(key) {
            Some(entry) => entry.message(self.prefix, self.version, args),
            None => {
                debug_assert!(false, "{} has no message {key}", self.prefix);
                super::base::INTERNAL_ERROR.message("Base", super::BASE_VERSION, &[])
            }
        }
    }

    /// The message that somebody else's id names, whatever release of the registry it is of: as it is here, with as many of the
    /// arguments as it has, and empty ones where some are lacking. The id is theirs.
    #[must_use]
    pub fn named(message_id: &str, args: &[String]) -> Option<Message> {
        let (prefix, rest) = message_id.split_once('.')?;
        let key = rest.rsplit('.').next()?;
        let registry = super::REGISTRIES.iter().find(|one| one.prefix == prefix)?;
        let entry = registry.entry(key)?;
        let mut filled: Vec<&str> = args.iter().map(String::as_str).collect();
        filled.resize(entry.args(), "");
        let mut message = entry.message(prefix, registry.version, &filled);
        message_id.clone_into(&mut message.message_id);
        Some(message)
    }

    /// The keys that are known here, with the number of arguments and the severity.
    pub fn facts(&self) -> impl Iterator<Item = (&'static str, usize, Severity)> + use<> {
        let entries = self.entries.iter();
        entries.map(|entry| (entry.key, entry.args(), entry.severity))
    }

    fn entry(&self, key: &str) -> Option<&'static Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }
}

/// Puts the arguments in, in one pass: an argument that holds `%2` is not filled in again.
pub(super) fn fill(text: &str, args: &[&str]) -> String {
    let mut out = String::with_capacity(text.len() + 32);
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        let digit = rest[at + 1..].chars().next().and_then(|c| c.to_digit(10));
        match digit.and_then(|n| args.get((n as usize).wrapping_sub(1))) {
            Some(arg) => {
                out.push_str(arg);
                rest = &rest[at + 2..];
            }
            None => {
                out.push('%');
                rest = &rest[at + 1..];
            }
        }
    }
    out.push_str(rest);
    out
}

//! The tables that the build script made, read once.

use crate::table::{Table, Type};
use regex_lite::Regex;
use std::sync::{LazyLock, OnceLock};

struct Loaded {
    table: Table,
    patterns: Vec<Pattern>,
}

/// A pattern of strings.
pub(crate) enum Pattern {
    /// It says no more than how a string begins.
    Prefix(String),
    /// Compiled when it is first needed.
    Regex(OnceLock<Regex>, String),
}

impl Pattern {
    fn new(text: &str) -> Self {
        // DMTF's CSDL has a pattern of names of headers escaped twice, `^[^:\\s]+$` with both backslashes, which is about the letter s.
        let text = text.replace("\\\\", "\\");
        match prefix(&text) {
            Some(prefix) => Self::Prefix(prefix),
            None => Self::Regex(OnceLock::new(), text),
        }
    }

    pub(crate) fn is_match(&self, text: &str) -> bool {
        match self {
            Self::Prefix(prefix) => text.starts_with(prefix.as_str()),
            Self::Regex(regex, pattern) => regex
                .get_or_init(|| Regex::new(pattern).expect("the build script compiled it before"))
                .is_match(text),
        }
    }
}

/// The string that a pattern such as `^#Chassis\.` begins with, if it says nothing else.
fn prefix(pattern: &str) -> Option<String> {
    let mut prefix = String::new();
    let mut rest = pattern.strip_prefix('^')?.chars();
    while let Some(c) = rest.next() {
        match c {
            '\\' => prefix.push(rest.next().filter(char::is_ascii_punctuation)?),
            c if c.is_ascii_alphanumeric() || c == '#' || c == '_' => prefix.push(c),
            _ => return None,
        }
    }
    Some(prefix)
}

static LOADED: LazyLock<Loaded> = LazyLock::new(|| {
    let text = include_str!(concat!(env!("OUT_DIR"), "/table.json"));
    let mut table: Table = serde_json::from_str(text).expect("the build script wrote it");
    table.types.iter_mut().for_each(Type::index);
    let patterns = table
        .patterns
        .iter()
        .map(|pattern| Pattern::new(pattern))
        .collect();
    Loaded { table, patterns }
});

impl Table {
    /// The tables of what is served.
    pub(crate) fn get() -> &'static Self {
        &LOADED.table
    }

    /// A pattern of the tables of what is served.
    #[expect(
        clippy::unused_self,
        reason = "an index into patterns belongs to its table"
    )]
    pub(crate) fn pattern(&self, at: usize) -> &'static Pattern {
        &LOADED.patterns[at]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_that_was_escaped_twice_is_about_what_it_should_be() {
        let headers = Pattern::new("^[^:\\\\s]+$");
        assert!(headers.is_match("Host") && headers.is_match("X-Secrets"));
        assert!(!headers.is_match("X Y") && !headers.is_match("X:"));
    }

    #[test]
    fn a_pattern_that_is_only_a_beginning_is_known_as_one() {
        assert_eq!(prefix("^#Chassis\\."), Some("#Chassis.".to_owned()));
        for more in ["#Chassis", "^a.b", "^a$", "^\\d", "^(a|b)"] {
            assert_eq!(prefix(more), None, "{more}");
        }
    }

    #[test]
    fn every_property_is_found_by_its_name_and_no_other() {
        for ty in &Table::get().types {
            for property in &ty.properties {
                assert_eq!(ty.property(&property.name).unwrap().name, property.name);
                assert!(ty.property(&format!("{}x", property.name)).is_none());
            }
            assert!(ty.property("").is_none());
        }
    }
}

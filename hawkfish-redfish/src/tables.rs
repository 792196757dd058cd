//! The tables that the build script made, read once.

use crate::table::Table;
use regex_lite::Regex;
use std::sync::{LazyLock, OnceLock};

struct Loaded {
    table: Table,
    /// A pattern is compiled when it is first needed.
    patterns: Vec<OnceLock<Regex>>,
}

static LOADED: LazyLock<Loaded> = LazyLock::new(|| {
    let text = include_str!(concat!(env!("OUT_DIR"), "/table.json"));
    let table: Table = serde_json::from_str(text).expect("the build script wrote it");
    let patterns = table.patterns.iter().map(|_| OnceLock::new()).collect();
    Loaded { table, patterns }
});

impl Table {
    /// The tables of what is served.
    pub(crate) fn get() -> &'static Self {
        &LOADED.table
    }

    /// A pattern of the tables of what is served.
    pub(crate) fn pattern(&self, at: usize) -> &'static Regex {
        LOADED.patterns[at].get_or_init(|| {
            Regex::new(&self.patterns[at]).expect("the build script compiled it before")
        })
    }
}

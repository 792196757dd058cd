//! Rendered bodies, kept for as long as what they show has not changed.
//!
//! Two halves of a bounded size: what is asked for moves to the young half, and when that is full the old one is dropped. So what is read often
//! stays, and a walk of a hundred thousand machines does not fill the memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::Representation;

/// Bytes of bodies in each half.
const HALF: usize = 8 * 1024 * 1024;

#[derive(Debug, Default)]
pub(crate) struct Cache(Mutex<Halves>);

#[derive(Debug, Default)]
struct Halves {
    young: HashMap<Box<str>, Entry>,
    old: HashMap<Box<str>, Entry>,
    young_bytes: usize,
}

#[derive(Clone, Debug)]
struct Entry {
    version: u64,
    representation: Arc<Representation>,
}

impl Cache {
    /// What was rendered of `uri` when its facts were at `version`.
    pub(crate) fn get(&self, uri: &str, version: u64) -> Option<Arc<Representation>> {
        let mut halves = self.0.lock().expect("cache");
        if let Some(entry) = halves.young.get(uri) {
            return (entry.version == version).then(|| entry.representation.clone());
        }
        let (uri, entry) = halves.old.remove_entry(uri)?;
        if entry.version != version {
            return None;
        }
        let representation = entry.representation.clone();
        halves.insert(uri, entry);
        Some(representation)
    }

    /// Keeps what was rendered.
    pub(crate) fn put(&self, uri: &str, version: u64, representation: Arc<Representation>) {
        self.0.lock().expect("cache").insert(
            uri.into(),
            Entry {
                version,
                representation,
            },
        );
    }
}

impl Halves {
    fn insert(&mut self, uri: Box<str>, entry: Entry) {
        let name = uri.len();
        self.young_bytes += name + entry.representation.bytes.len();
        if let Some(before) = self.young.insert(uri, entry) {
            self.young_bytes -= name + before.representation.bytes.len();
        }
        if self.young_bytes > HALF {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
    }
}

//! From what happened to what is said of it: the one place where an event of core gets its message, its URI and its JSON.
//!
//! A log tells what happened in HawkFish's own words, which say why. An event that is sent says it with a message of DMTF's registries where they have one,
//! because that is what clients look for, and leads to the entry of the log.

mod place;
mod record;
mod words;

use std::sync::{Arc, Weak};

use bytes::Bytes;
use hawkfish_core::ctx::Scope;
use hawkfish_core::events::{Happened, Record, Telling};

pub use self::place::{Place, TYPES};
pub use self::words::{message, origin};
use crate::app::Shared;
use crate::face;

/// From the URI of something to what it is called elsewhere.
type Calls = Box<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// What URIs of the service are called elsewhere; `None` is what nobody there knows.
pub struct Rename(pub Calls);

impl std::fmt::Debug for Rename {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Rename")
    }
}

/// Who finds the words for the stream of events. It knows systems by their names as long as the service is there, and by their ids alone after that.
#[derive(Debug)]
pub struct Words {
    service: Weak<Shared>,
}

impl Words {
    /// The words of a service.
    #[must_use]
    pub fn of(service: &Arc<Shared>) -> Self {
        Self {
            service: Arc::downgrade(service),
        }
    }
}

impl Telling for Words {
    fn record(&self, happened: &Happened) -> Record {
        record::record(self.service.upgrade().as_deref(), happened)
    }

    fn body(&self, id: &str, context: Option<&str>, records: &[&Record]) -> Bytes {
        record::body(id, context, records)
    }

    fn through(&self, scope: &Scope, body: Bytes) -> Bytes {
        face::told(scope, body)
    }
}

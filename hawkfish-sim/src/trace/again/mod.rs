//! A trace, run again: the same world on this build, or another service; the same requests at the same times; and what is different then.

mod compare;
mod here;
mod map;
mod there;

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use serde::Serialize;
use serde_json::Value;

use self::compare::Comparing;
use super::Trace;
use super::entry::{Entry, Request, What};
use crate::description::Description;
use crate::fault::Pattern;

/// How a trace is run again.
#[derive(Clone, Debug, Default)]
pub struct Again {
    url: Option<String>,
    insecure: bool,
    ignore: Vec<Pattern>,
    all: bool,
    description: Option<Description>,
}

impl Again {
    /// In a world as it was, on this build, up to the first difference.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Against a service that runs there, in place of a world of one's own. Only requests are sent, one after the other without waiting: what there is of time in answers is not
    /// compared, and ids, tokens and URIs that the service gives are known by the places of those that were recorded.
    #[must_use]
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.url = Some(url.into());
        self
    }

    /// Whatever certificate that service shows.
    #[must_use]
    pub fn insecure(mut self, insecure: bool) -> Self {
        self.insecure = insecure;
        self
    }

    /// Leaves out differences at such places: JSON pointers (`/Members/*/Name`, `/**/Message`), `status`, `header:etag`, `console`.
    #[must_use]
    pub fn ignore(mut self, places: Pattern) -> Self {
        self.ignore.push(places);
        self
    }

    /// Whether to go on after the first difference.
    #[must_use]
    pub fn all(mut self, all: bool) -> Self {
        self.all = all;
        self
    }

    /// Makes a world of that in place of the one that was recorded.
    #[must_use]
    pub fn describe(mut self, description: Description) -> Self {
        self.description = Some(description);
        self
    }
}

/// A trace that cannot be run again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CannotRun {
    /// It does not say what its world was made of.
    #[error("the trace does not say what its world was made of: its first line is missing")]
    NoHeader,
    /// Its beginning is missing.
    #[error("the trace begins with entry {0}: what came before was not kept")]
    NoBeginning(u64),
    /// The world cannot be made, or does not go on.
    #[error(transparent)]
    World(Box<crate::world::Error>),
    /// The service cannot be reached.
    #[error(transparent)]
    Client(#[from] hawkfish_client::Error),
    /// The folder for the world's data.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// A face that the world does not have.
    #[error("entry {entry}: the world has no face {face:?}")]
    NoFace {
        /// The entry.
        entry: u64,
        /// The face.
        face: String,
    },
}

impl From<crate::world::Error> for CannotRun {
    fn from(error: crate::world::Error) -> Self {
        Self::World(Box::new(error))
    }
}

/// Something that is not as it was.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// The recorded entry that is different; of what is new, the one that it came after.
    pub entry: u64,
    /// What the entry is about: the request that it answers, or what happened.
    pub about: String,
    /// Where: a JSON pointer into the body or the event, `status`, `header:etag`, `body`; empty for all of it.
    pub place: String,
    /// What was there; `None` for nothing.
    pub was: Option<Value>,
    /// What is there now; `None` for nothing.
    pub is: Option<Value>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            entry,
            about,
            place,
            was,
            is,
        } = self;
        let shown = |value: &Option<Value>| match value {
            Some(value) => value.to_string(),
            None => "nothing".to_owned(),
        };
        writeln!(f, "entry {entry}: {about}")?;
        if !place.is_empty() {
            writeln!(f, "  at  {place}")?;
        }
        writeln!(f, "  was {}", shown(was))?;
        write!(f, "  is  {}", shown(is))
    }
}

/// What came of a request: an answer, or none and why.
pub(super) type Came = Result<(StatusCode, HeaderMap, Bytes), String>;

impl Trace {
    /// Runs it again, and tells what is different: nothing, the first difference, or all where [`Again::all`] is set.
    ///
    /// # Guarantees
    /// - A trace of a world whose clock stood, of one request after the other, is compared entry by entry, to the byte but for the order and the headers that say nothing of
    ///   the service (`Date`, `Content-Length`…).
    /// - Where its clock ran by itself, or requests overlapped, each request is sent at the time and in the order of its arrival, and met by faults that count requests as then.
    ///   Times in answers may be off by as much as the answer took; tags are not compared, nor is the place of events among answers, but their order for each resource.
    /// - What was done to the world other than by requests, its clock, its faults and its consoles is not in a trace, and not done again.
    ///
    /// # Errors
    /// It cannot be run.
    pub async fn run_again(&self, how: &Again) -> Result<Vec<Difference>, CannotRun> {
        let entries: Vec<&Entry> = self.entries().collect();
        if let Some(first) = entries.first().filter(|first| first.number != 1) {
            return Err(CannotRun::NoBeginning(first.number));
        }
        let mut found = match &how.url {
            Some(url) => there::run(&entries, url, how).await?,
            None => {
                let header = self.header().ok_or(CannotRun::NoHeader)?;
                here::run(header, &entries, how).await?
            }
        };
        if !how.all {
            found.truncate(1);
        }
        Ok(found)
    }
}

/// What a request is called.
fn called(number: u64, request: &Request) -> String {
    format!(
        "the answer to {} {} (entry {number})",
        request.method, request.uri
    )
}

/// The request that an entry answers.
fn asked<'a>(entries: &[&'a Entry], of: u64) -> Option<(u64, &'a Request)> {
    let at = entries.partition_point(|entry| entry.number < of);
    match &entries.get(at)?.what {
        What::Request(request) if entries[at].number == of => Some((of, request)),
        _ => None,
    }
}

/// Headers that the way of a request makes, not who asks.
fn is_of_the_way(name: &str) -> bool {
    matches!(
        name,
        "host" | "content-length" | "connection" | "transfer-encoding"
    )
}

/// A request to be sent, with what the service gives in place of what was recorded.
fn sent(comparing: &Comparing<'_>, request: &Request) -> (Method, String, HeaderMap, Bytes) {
    let map = &comparing.map;
    let mut headers = HeaderMap::new();
    for (name, value) in &request.headers {
        let value = map.header(value);
        headers.append(name, value);
    }
    (
        request.method.clone(),
        map.text(&request.uri),
        headers,
        map.body(&request.body),
    )
}

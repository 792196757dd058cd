//! Records what a Redfish service answers: a polite walk over all its links, to a [`Capture`].
//!
//! - Only GET is sent, besides the session that the client opens; no action, no other host. Who calls ends the session ([`hawkfish_client::Client::logout`]).
//! - One request at a time unless said, with pauses; a service that asks to wait (`Retry-After`) or is busy (429, 503) is left in peace for so long.
//! - What cannot be read is noted ([`Capture::unread`]), and the walk goes on.
//! - What was read stands in a [`Journal`] at once, so that a walk that broke off goes on where it was.
//!
//! What a walk gives holds all the serial numbers and addresses of the source: [`anonymise`] replaces them.

pub mod anonymise;
mod journal;
mod links;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt as _};
use globset::GlobMatcher;
use hawkfish_client::{Client, Kind, Request, Response};
use http::HeaderValue;
use http::header::{ACCEPT, CONTENT_TYPE};

use crate::capture::{Capture, Content, Document, HEADERS, Unread, follows_to, plain_uri};
pub use journal::{BadJournal, Journal, Read};

/// Where every walk begins, besides the service root: what DSP0266 has at fixed places.
const BEGINNINGS: &[&str] = &[
    "/redfish/v1/",
    "/redfish",
    "/redfish/v1/odata",
    "/redfish/v1/$metadata",
];

/// How often something is asked for at most.
const TRIES: u32 = 6;
/// The longest that is waited on one answer's word.
const LONGEST_WAIT: Duration = Duration::from_secs(300);
/// So many answers in a row that did not come: the service is gone.
const GONE: usize = 12;
/// Links deeper than this are a loop that grows.
const DEEPEST: usize = 40;
/// More pages of a collection than this are a loop that grows.
const MOST_PAGES: usize = 2_000;

/// How a walk waits. In the time of a world, or in that of the wall.
pub type Sleep = Arc<dyn Fn(Duration) -> BoxFuture<'static, ()> + Send + Sync>;

/// How a service is walked.
#[derive(Clone)]
pub struct Options {
    /// The shortest time between the beginnings of two requests.
    pub gap: Duration,
    /// Most requests at a time.
    pub parallel: usize,
    /// Most documents.
    pub most: usize,
    /// Most entries of one log.
    pub log_entries: usize,
    /// Most answers that we are not let in (401). Each may cost a session, because a client then logs in anew; without sessions there is no need for a bound.
    pub refusals: usize,
    /// Where there are some, only URIs that one of these fits are read. The service root always is.
    pub include: Vec<GlobMatcher>,
    /// URIs that one of these fits are not read.
    pub exclude: Vec<GlobMatcher>,
    /// How to wait.
    pub sleep: Sleep,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            gap: Duration::ZERO,
            parallel: 1,
            most: 100_000,
            log_entries: 200,
            refusals: usize::MAX,
            include: Vec::new(),
            exclude: Vec::new(),
            sleep: Arc::new(|how_long| Box::pin(tokio::time::sleep(how_long))),
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("gap", &self.gap)
            .field("parallel", &self.parallel)
            .field("most", &self.most)
            .field("log_entries", &self.log_entries)
            .finish_non_exhaustive()
    }
}

/// How far a walk is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Documents that were read.
    pub read: usize,
    /// URIs that could not be read.
    pub unread: usize,
    /// URIs that are known and not asked for yet.
    pub to_go: usize,
}

/// A walk that did not come to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The service does not let us in, or has no service root.
    #[error(transparent)]
    Client(#[from] hawkfish_client::Error),
    /// What was read cannot be kept.
    #[error(transparent)]
    Journal(#[from] BadJournal),
    /// The service ends our sessions, or does not want this user.
    #[error("{0} URIs were answered with 401; perhaps --auth basic, or another user, is let in")]
    NotLetIn(usize),
    /// The service was there and is not any more.
    #[error("{0} URIs in a row were not answered; the last error: {1}")]
    Gone(usize, String),
}

/// Walks a service. `show` is told how far it is, after each answer.
///
/// # Errors
/// A service that does not let us in or that stops to answer; a journal that cannot be written. What was read by then stands in the journal.
pub async fn walk(
    client: &Client,
    options: &Options,
    journal: &mut Journal,
    mut show: impl FnMut(Progress),
) -> Result<Capture, Error> {
    let mut walk = Walk::new(options);
    for beginning in BEGINNINGS {
        walk.meet(beginning);
    }
    for (uri, read) in journal.take() {
        walk.known.insert(uri.clone());
        walk.queue.retain(|asked| plain_uri(asked) != uri);
        walk.take(&uri, read);
    }
    login(client, options).await?;
    let mut under_way = FuturesUnordered::new();
    let (mut silent, mut refused) = (0, 0);
    loop {
        while under_way.len() < options.parallel.max(1) && walk.documents.len() < options.most {
            let Some(asked) = walk.queue.pop_front() else {
                break;
            };
            let is_first = walk.asked == 0;
            walk.asked += 1;
            under_way.push(async move {
                if !is_first && !options.gap.is_zero() {
                    (options.sleep)(options.gap).await;
                }
                let read = read(client, options, &asked).await;
                (asked, read)
            });
        }
        let Some((asked, read)) = under_way.next().await else {
            break;
        };
        let uri = plain_uri(&asked);
        silent = match &read {
            Read::Unread(Unread { status: None, .. }) => silent + 1,
            _ => 0,
        };
        if let Read::Unread(unread) = &read
            && silent >= GONE
        {
            return Err(Error::Gone(silent, unread.why.clone()));
        }
        if let Read::Unread(unread) = &read
            && unread.status == Some(401)
        {
            refused += 1;
            if refused > options.refusals {
                return Err(Error::NotLetIn(refused));
            }
        }
        journal.keep(&uri, &read)?;
        walk.take(&uri, read);
        show(Progress {
            read: walk.documents.len(),
            unread: walk.unread.len(),
            to_go: walk.queue.len() + under_way.len(),
        });
    }
    for asked in std::mem::take(&mut walk.queue) {
        walk.leave_out(plain_uri(&asked), "beyond the bound on documents");
    }
    Ok(walk.finish())
}

/// Opens the session; a service that is busy is asked again.
async fn login(client: &Client, options: &Options) -> Result<(), Error> {
    let mut tries = 0;
    loop {
        tries += 1;
        match client.login().await {
            Ok(()) => return Ok(()),
            Err(error) => match pause(&error.kind, tries) {
                Some(pause) if tries < TRIES => (options.sleep)(pause).await,
                _ => return Err(error.into()),
            },
        }
    }
}

/// How long to wait before the same is asked once more, where that makes sense.
fn pause(kind: &Kind, tries: u32) -> Option<Duration> {
    let own = Duration::from_secs(1 << tries.min(6));
    match kind {
        Kind::Unavailable { retry_after } => {
            // What the service says, and a moment where it says nothing.
            Some(retry_after.map_or(own, |said| said.min(LONGEST_WAIT)))
        }
        Kind::Transport => Some(own.min(Duration::from_secs(4))),
        _ => None,
    }
}

/// Asks for one URI, as often as it makes sense.
async fn read(client: &Client, options: &Options, uri: &str) -> Read {
    let mut tries = 0;
    loop {
        tries += 1;
        // Not all that there is is JSON, and a client that takes only JSON is refused the rest by some.
        let accept = HeaderValue::from_static("application/json, application/xml;q=0.9, */*;q=0.8");
        let request = Request::get(uri).header(ACCEPT, accept);
        let (kind, unread) = match client.call(request).await {
            Ok(response) => match document(&response) {
                Ok(document) => return Read::Document(document),
                // Cut off, or a page of the web server in front: the next answer may be whole.
                Err(why) => (
                    Kind::Transport,
                    Unread {
                        uri: plain_uri(uri),
                        status: Some(response.status.as_u16()),
                        why,
                    },
                ),
            },
            Err(error) => (
                error.kind,
                Unread {
                    uri: plain_uri(uri),
                    status: error.answered.as_ref().map(|said| said.status.as_u16()),
                    why: reason(&error),
                },
            ),
        };
        let most = match kind {
            Kind::Transport => TRIES / 2,
            _ => TRIES,
        };
        match pause(&kind, tries) {
            Some(pause) if tries < most => (options.sleep)(pause).await,
            _ => return Read::Unread(unread),
        }
    }
}

/// Why something could not be read, in words of our own: those of the service would have to be anonymised, too.
fn reason(error: &hawkfish_client::Error) -> String {
    let why = match error.kind {
        Kind::Unauthorized | Kind::Forbidden => "not allowed",
        Kind::NotFound => "not there",
        Kind::Unsupported => "not to be read",
        Kind::Unavailable { .. } => "busy, again and again",
        Kind::Transport => "no answer",
        Kind::Refused => "leads to another service",
        Kind::Service => "the service failed",
        _ => "refused",
    };
    why.to_owned()
}

/// What an answer holds.
fn document(response: &Response) -> Result<Document, String> {
    let content_type = response.header(CONTENT_TYPE).unwrap_or_default();
    let is_json = content_type.contains("json")
        || content_type.is_empty()
        || response.body.first().is_some_and(|byte| *byte == b'{');
    let content = match is_json {
        true => Content::Json(response.json().map_err(|_| "broken JSON".to_owned())?),
        false => Content::Bytes {
            bytes: response.body.clone(),
            content_type: content_type.to_owned(),
        },
    };
    let kept = HEADERS.iter().filter_map(|name| {
        let all = response.headers.get_all(*name).iter();
        let all: Vec<&str> = all.filter_map(|value| value.to_str().ok()).collect();
        (!all.is_empty()).then(|| ((*name).to_owned(), all.join(", ")))
    });
    Ok(Document {
        content,
        headers: kept.collect(),
    })
}

/// What is known while a service is walked.
struct Walk<'a> {
    options: &'a Options,
    /// What is to be read, as the service wrote it.
    queue: VecDeque<String>,
    /// What was met, whether it is read or not.
    known: BTreeSet<String>,
    /// Pages of collections, by the path of the collection.
    pages: BTreeMap<String, usize>,
    /// Entries of logs, by the path of the collection.
    entries: BTreeMap<String, usize>,
    documents: BTreeMap<String, Document>,
    unread: BTreeMap<String, Unread>,
    asked: usize,
}

impl<'a> Walk<'a> {
    fn new(options: &'a Options) -> Self {
        Self {
            options,
            queue: VecDeque::new(),
            known: BTreeSet::new(),
            pages: BTreeMap::new(),
            entries: BTreeMap::new(),
            documents: BTreeMap::new(),
            unread: BTreeMap::new(),
            asked: 0,
        }
    }

    /// A link.
    fn meet(&mut self, link: &str) {
        let Some(uri) = follows_to(link) else {
            return;
        };
        if !self.known.insert(uri.clone()) {
            return;
        }
        let options = self.options;
        let is_wanted = uri == "/redfish/v1"
            || (options.include.is_empty() || options.include.iter().any(|g| g.is_match(&uri)))
                && !options.exclude.iter().any(|glob| glob.is_match(&uri));
        if !is_wanted {
            return self.leave_out(uri, "not wanted");
        }
        if uri.split('/').count() > DEEPEST {
            return self.leave_out(uri, "too deep: a link that loops");
        }
        if let Some((path, _)) = uri.split_once('?') {
            let pages = self.pages.entry(path.to_owned()).or_default();
            *pages += 1;
            if *pages > MOST_PAGES {
                return self.leave_out(uri, "too many pages: a link that loops");
            }
        }
        let asked = link.split_once('#').map_or(link, |(before, _)| before);
        self.queue.push_back(asked.to_owned());
    }

    fn leave_out(&mut self, uri: String, why: &str) {
        let unread = Unread {
            uri: uri.clone(),
            status: None,
            why: why.to_owned(),
        };
        self.unread.insert(uri, unread);
    }

    /// What was read or could not be, and all it leads to.
    fn take(&mut self, uri: &str, read: Read) {
        let document = match read {
            Read::Document(document) => document,
            Read::Unread(unread) => {
                self.unread.insert(uri.to_owned(), unread);
                return;
            }
        };
        let found = links::of(&document);
        let is_log = document.kind() == Some("LogEntryCollection");
        let path = uri.split_once('?').map_or(uri, |(path, _)| path).to_owned();
        for link in found {
            let is_more = link.is_member || link.is_next;
            if is_log && is_more && !self.known.contains(&plain_uri(&link.to)) {
                let most = self.options.log_entries;
                let entries = self.entries.entry(path.clone()).or_default();
                *entries += usize::from(link.is_member);
                let is_beyond = match link.is_next {
                    true => *entries >= most,
                    false => *entries > most,
                };
                if is_beyond && let Some(uri) = follows_to(&link.to) {
                    self.known.insert(uri.clone());
                    self.leave_out(uri, "beyond the bound on entries of a log");
                    continue;
                }
            }
            self.meet(&link.to);
        }
        self.documents.insert(uri.to_owned(), document);
    }

    fn finish(self) -> Capture {
        let mut capture = Capture {
            documents: self.documents,
            unread: self.unread.into_values().collect(),
            ..Capture::default()
        };
        capture.source.recorded_by =
            Some(concat!("hawkfish-sim ", env!("CARGO_PKG_VERSION")).to_owned());
        capture.learn();
        capture
    }
}

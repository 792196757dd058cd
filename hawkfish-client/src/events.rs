//! The stream of events of a service (DSP0266, "Server-sent events"): opened, kept open, and taken up again where it broke.
//!
//! ```no_run
//! # async fn example(client: hawkfish_client::Client) -> Result<(), hawkfish_client::Error> {
//! let mut events = client.events().open().await?;
//! while let Some(event) = events.next().await {
//!     for record in event?.records {
//!         println!("{} {}", record.message_id, record.message.unwrap_or_default());
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Behavior
//! - The first connection is made by [`Events::open`], whose error is why there is none. From then on a connection that breaks is made again: after the wait
//!   that the service asks for (`retry:`), longer each time that it fails, for as long as [`Events::give_up_after`] allows, or for ever.
//! - It goes on after the last event that was read (`Last-Event-ID`), so that with a service that numbers its events each comes once, in order. What the
//!   service has forgotten meanwhile it says itself: [`Event::is_loss`]. Without numbers what happened during a break is not told; [`Turn::Back`] says so.
//! - An event that is sent twice (the same number, the same bytes) is told once.
//! - What cannot be better the next time ends the stream with an error: a log-in that is refused, a filter that is not understood, an answer that is no stream.
//! - An event that cannot be read, or is longer than [`Events::largest`], is an error in its place, and the stream goes on.
//! - To drop the stream closes its connection. It counts not among the requests of [`crate::Builder::at_most`].

mod event;
mod sse;
mod wanted;

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures::stream::{self, BoxStream, Stream, StreamExt as _};
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use serde_json::Value;

pub use self::event::{Event, Record};
use self::sse::{Frame, Parser};
pub use self::wanted::{Format, Wanted};
use crate::client::Client;
use crate::error::{Error, Kind};
use crate::transport::Chunks;
use crate::wire::Request;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// The wait before coming again, where the service does not say.
const RETRY: Duration = Duration::from_secs(2);
/// No wait doubles beyond this.
const RETRY_AT_MOST: Duration = Duration::from_secs(60);
/// No service is left alone for longer, whatever it asks for.
const RETRY_AFTER_AT_MOST: Duration = Duration::from_secs(300);
/// A service that gives signs of life is gone when there is none for so long.
const SILENCE: Duration = Duration::from_secs(60);
/// One that gives none may just have nothing to say; whether its machine is there is known below.
const LONG_SILENCE: Duration = Duration::from_secs(600);
/// A connection that lasted so long was one, whatever it said.
const LASTED: Duration = Duration::from_secs(30);
/// Most bytes of one event, unless said.
const LARGEST: usize = 16 << 20;
/// So many events are known again when they come twice.
const REMEMBERED: usize = 1024;

/// How the connection of a stream fares.
#[derive(Debug)]
pub enum Turn<'a> {
    /// It broke, or could not be made again.
    Broken {
        /// Why.
        why: &'a Error,
        /// When it is tried again, from now.
        again_in: Duration,
        /// How often in a row it has failed, this time included.
        failed: u32,
    },
    /// It is there again.
    Back {
        /// Whether the service was told where to go on. If not, what happened meanwhile is not told.
        resumed: bool,
    },
}

type Watcher = Arc<dyn Fn(&Turn<'_>) + Send + Sync>;

/// A stream of events that is about to be opened; see [`Client::events`].
#[derive(Clone)]
#[must_use = "nothing is asked before it is opened"]
pub struct Events {
    client: Client,
    uri: Option<String>,
    filter: Option<String>,
    wanted: Wanted,
    from: Option<String>,
    silence: Option<Duration>,
    wait: Option<Duration>,
    give_up_after: Option<Duration>,
    largest: usize,
    watcher: Option<Watcher>,
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events")
            .field("uri", &self.uri)
            .field("filter", &self.filter)
            .field("wanted", &self.wanted)
            .field("from", &self.from)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// The events of the service, as a stream that lasts. Nothing is sent before [`Events::open`].
    pub fn events(&self) -> Events {
        Events {
            client: self.clone(),
            uri: None,
            filter: None,
            wanted: Wanted::default(),
            from: None,
            silence: None,
            wait: None,
            give_up_after: None,
            largest: LARGEST,
            watcher: None,
        }
    }
}

impl Events {
    /// Only what this expression takes, in the words of DSP0266, "Server-sent events": `Severity eq 'Critical'`. It is sent as it is.
    pub fn filter(mut self, expression: impl Into<String>) -> Self {
        self.filter = Some(expression.into());
        self
    }

    /// Only these: by the service's filter as far as it has one, by looking at what comes for the rest.
    pub fn wanted(mut self, wanted: Wanted) -> Self {
        self.wanted = wanted;
        self
    }

    /// What followed this number, which is [`Event::id`] or [`EventStream::last_id`] of an earlier stream.
    pub fn from(mut self, last_id: impl Into<String>) -> Self {
        self.from = Some(last_id.into());
        self
    }

    /// From another URI than the one that the event service names.
    pub fn at(mut self, uri: impl Into<String>) -> Self {
        self.uri = Some(uri.into());
        self
    }

    /// How long nothing at all may come before the connection is given up: unless said, a minute where the service gives signs of life, and ten where not.
    pub fn silence(mut self, most: Duration) -> Self {
        self.silence = Some(most);
        self
    }

    /// The wait before a broken connection is made again, instead of what the service asks for.
    pub fn wait(mut self, wait: Duration) -> Self {
        self.wait = Some(wait);
        self
    }

    /// How long it is tried to come back, before the stream ends with the error.
    pub fn give_up_after(mut self, most: Duration) -> Self {
        self.give_up_after = Some(most);
        self
    }

    /// Most bytes of one event; 16 MiB unless said. That much memory a stream takes at most, some times over.
    pub fn largest(mut self, bytes: usize) -> Self {
        self.largest = bytes.max(64);
        self
    }

    /// Is told when the connection breaks and when it is back.
    pub fn on_turn(mut self, watcher: impl Fn(&Turn<'_>) + Send + Sync + 'static) -> Self {
        self.watcher = Some(Arc::new(watcher));
        self
    }

    /// Opens the stream. From here on nothing is missed, where the service numbers what it tells: [`Turn::Back`] says whether it could go on from a number.
    ///
    /// # Errors
    /// [`Kind::Unsupported`] for a service without a stream of events; the kind of the answer.
    pub async fn open(self) -> Result<EventStream, Error> {
        let (uri, left) = self.place().await?;
        let silence = self.silence;
        let mut reader = Reader {
            uri,
            left,
            client: self.client,
            parser: Parser::new(self.largest),
            largest: self.largest,
            ready: VecDeque::new(),
            body: None,
            last_id: self.from.unwrap_or_default(),
            told: Recent::default(),
            silence,
            gives_signs: false,
            wait: self.wait,
            retry: RETRY,
            give_up_after: self.give_up_after,
            failed: 0,
            since: None,
            again_at: None,
            opened: Instant::now(),
            watcher: self.watcher,
            is_over: false,
        };
        let last_id = Some(reader.last_id.clone()).filter(|id| !id.is_empty());
        reader.body = Some(reader.connect().await?);
        let steps = stream::unfold(reader, |mut reader| async move {
            let event = reader.next().await?;
            let step = (event, reader.last_id.clone(), reader.is_over);
            Some((step, reader))
        });
        Ok(EventStream {
            steps: steps.boxed(),
            last_id,
            is_over: false,
        })
    }

    /// Where it is opened, and what of the wishes is left for us.
    async fn place(&self) -> Result<(String, Wanted), Error> {
        let (uri, service) = match &self.uri {
            Some(uri) => (uri.clone(), Value::Null),
            None => {
                let none = || Error::new(Kind::Unsupported, "the service has no stream of events");
                let root = self.client.root().await?.value;
                let service = crate::resource::link(&root, "/EventService").ok_or_else(none)?;
                let service = self.client.get_value(service).await?.value;
                let uri = service.get("ServerSentEventUri").and_then(Value::as_str);
                (uri.ok_or_else(none)?.to_owned(), service)
            }
        };
        let (asked, left) = self.wanted.split(&service)?;
        let filter = match (&self.filter, asked) {
            (Some(said), Some(asked)) => Some(format!("({said}) and {asked}")),
            (said, asked) => said.clone().or(asked),
        };
        let Some(filter) = filter else {
            return Ok((uri, left));
        };
        let coded: String = url::form_urlencoded::byte_serialize(filter.as_bytes()).collect();
        // A space is `+` in a form, which not every service takes for one in a query.
        let coded = coded.replace('+', "%20");
        let mark = if uri.contains('?') { '&' } else { '?' };
        Ok((format!("{uri}{mark}$filter={coded}"), left))
    }
}

/// Events as they come: a [`Stream`] of `Result<Event, Error>`. After an error that ends it, it gives `None`.
pub struct EventStream {
    steps: BoxStream<'static, (Result<Event, Error>, String, bool)>,
    last_id: Option<String>,
    is_over: bool,
}

impl EventStream {
    /// The next event; `None` when the stream has come to its end, which it does only after an error or where the service says so (204).
    pub async fn next(&mut self) -> Option<Result<Event, Error>> {
        futures::StreamExt::next(self).await
    }

    /// The number after which a later stream goes on ([`Events::from`]): that of the last event that was given out.
    pub fn last_id(&self) -> Option<&str> {
        self.last_id.as_deref()
    }

    /// Whether it has come to its end, so that the error that was given out last is the reason and not that of a single event.
    pub fn is_over(&self) -> bool {
        self.is_over
    }
}

impl fmt::Debug for EventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream")
            .field("last_id", &self.last_id)
            .finish_non_exhaustive()
    }
}

impl Stream for EventStream {
    type Item = Result<Event, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let step = futures::ready!(this.steps.poll_next_unpin(cx));
        this.is_over |= step.is_none();
        Poll::Ready(step.map(|(event, last_id, is_over)| {
            this.is_over = is_over;
            this.last_id = Some(last_id).filter(|id| !id.is_empty());
            event
        }))
    }
}

/// The events that were told last, by number and bytes.
#[derive(Default)]
struct Recent {
    hasher: RandomState,
    order: VecDeque<u64>,
    all: HashSet<u64>,
}

impl Recent {
    /// Whether it is new.
    fn is_new(&mut self, id: &str, data: &str) -> bool {
        let hash = self.hasher.hash_one((id, data));
        if !self.all.insert(hash) {
            return false;
        }
        self.order.push_back(hash);
        if self.order.len() > REMEMBERED
            && let Some(old) = self.order.pop_front()
        {
            self.all.remove(&old);
        }
        true
    }
}

/// What holds a stream open.
struct Reader {
    client: Client,
    uri: String,
    left: Wanted,
    parser: Parser,
    largest: usize,
    ready: VecDeque<Frame>,
    body: Option<Chunks>,
    last_id: String,
    told: Recent,
    silence: Option<Duration>,
    gives_signs: bool,
    wait: Option<Duration>,
    retry: Duration,
    give_up_after: Option<Duration>,
    /// How often in a row there was no connection that brought anything.
    failed: u32,
    /// Since when.
    since: Option<Instant>,
    /// When it is tried again.
    again_at: Option<tokio::time::Instant>,
    opened: Instant,
    watcher: Option<Watcher>,
    is_over: bool,
}

impl Reader {
    async fn next(&mut self) -> Option<Result<Event, Error>> {
        while !self.is_over {
            if let Some(frame) = self.ready.pop_front() {
                if let Some(event) = self.read(frame) {
                    return Some(event);
                }
                continue;
            }
            let came = match &mut self.body {
                Some(body) => {
                    let silence = self.silence.unwrap_or(match self.gives_signs {
                        true => SILENCE,
                        false => LONG_SILENCE,
                    });
                    match tokio::time::timeout(silence, body.next()).await {
                        Ok(Some(Ok(bytes))) => {
                            self.parser.feed(&bytes, &mut self.ready);
                            continue;
                        }
                        Ok(Some(Err(error))) => error,
                        Ok(None) => lost("the service has ended the stream"),
                        Err(_) => lost(&format!("nothing came for {} s", silence.as_secs())),
                    }
                }
                None => {
                    if let Some(at) = self.again_at {
                        tokio::time::sleep_until(at).await;
                    }
                    match self.connect().await {
                        Ok(body) => {
                            self.body = Some(body);
                            self.turn(&Turn::Back {
                                resumed: !self.last_id.is_empty(),
                            });
                            continue;
                        }
                        Err(_) if self.is_over => return None,
                        Err(error) => error,
                    }
                }
            };
            if let Some(error) = self.broke(came) {
                self.is_over = true;
                return Some(Err(error));
            }
        }
        None
    }

    /// What a frame says to who listens, if anything.
    fn read(&mut self, frame: Frame) -> Option<Result<Event, Error>> {
        match frame {
            Frame::Alive => self.gives_signs = true,
            Frame::Retry(retry) => self.retry = retry,
            Frame::Id(id) => self.last_id = id,
            Frame::TooLong => {
                let text = format!(
                    "an event is longer than {} bytes and is passed over",
                    self.largest
                );
                return Some(Err(Error::protocol(text)));
            }
            Frame::Message { id, data } => {
                if let Some(id) = &id {
                    self.last_id.clone_from(id);
                    if !id.is_empty() && !self.told.is_new(id, &data) {
                        return None;
                    }
                }
                self.arrived();
                let event = serde_json::from_str(&data)
                    .map_err(|error| {
                        Error::protocol("an event of the stream is not JSON").caused_by(error)
                    })
                    .and_then(|value| Event::of(id.filter(|id| !id.is_empty()), value));
                return match event {
                    Ok(event) => self.left.sift(event).map(Ok),
                    Err(error) => Some(Err(error)),
                };
            }
        }
        None
    }

    /// A connection that brings something is one.
    fn arrived(&mut self) {
        (self.failed, self.since) = (0, None);
    }

    async fn connect(&mut self) -> Result<Chunks, Error> {
        self.parser = Parser::new(self.largest);
        let mut request = Request::get(&self.uri)
            .header(ACCEPT, HeaderValue::from_static("text/event-stream"))
            .header(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        if !self.last_id.is_empty() {
            let id = HeaderValue::from_bytes(self.last_id.as_bytes()).map_err(|error| {
                Error::protocol("the number of the last event cannot stand in a header")
                    .caused_by(error)
            })?;
            request = request.header(LAST_EVENT_ID, id);
        }
        let opened = self.client.open(request).await?;
        if opened.status == StatusCode::NO_CONTENT {
            // How a service says that nobody need come again (the HTML standard).
            self.is_over = true;
            return Err(Error::new(
                Kind::Unavailable { retry_after: None },
                "the service has no more events to tell",
            ));
        }
        let kind = opened.headers.get(CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let is_stream = kind
            .split(';')
            .next()
            .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("text/event-stream"));
        if !is_stream {
            let kind = if kind.is_empty() { "nothing" } else { kind };
            let (method, uri) = (Method::GET, opened.uri);
            return Err(Error::protocol(format!(
                "{method} {uri}: no stream of events, but {kind}"
            )));
        }
        self.opened = Instant::now();
        Ok(opened.body)
    }

    /// Sees to it that it is tried again; gives the error back where that makes no sense.
    fn broke(&mut self, error: Error) -> Option<Error> {
        if self.body.take().is_some() && self.opened.elapsed() >= LASTED {
            self.arrived();
        }
        let asked = match error.kind {
            Kind::Unavailable { retry_after } => retry_after,
            Kind::Transport | Kind::Service | Kind::TimedOut => None,
            _ => return Some(error),
        };
        let since = *self.since.get_or_insert_with(Instant::now);
        if self
            .give_up_after
            .is_some_and(|most| since.elapsed() >= most)
        {
            return Some(error);
        }
        self.failed = self.failed.saturating_add(1);
        let usual = self.wait.unwrap_or(self.retry);
        let doubled = 2_u32
            .checked_pow(self.failed - 1)
            .and_then(|times| usual.checked_mul(times))
            .unwrap_or(RETRY_AT_MOST)
            .min(RETRY_AT_MOST.max(usual));
        // A little chance, so that many who were cut off at once do not come back as one.
        let chance = RandomState::new().hash_one(0_u8) % 256;
        let wait = doubled + doubled.mul_f64(chance as f64 / 1024.0);
        let wait = asked.map_or(wait, |asked| wait.max(asked.min(RETRY_AFTER_AT_MOST)));
        self.again_at = Some(tokio::time::Instant::now() + wait);
        self.turn(&Turn::Broken {
            why: &error,
            again_in: wait,
            failed: self.failed,
        });
        None
    }

    fn turn(&self, turn: &Turn<'_>) {
        if let Some(watcher) = &self.watcher {
            watcher(turn);
        }
    }
}

fn lost(why: &str) -> Error {
    Error::new(
        Kind::Transport,
        format!("the stream of events broke: {why}"),
    )
}

//! A receiver of events: what a service sends to a destination is checked, told apart from what came before, and given out as [`Event`].
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use hawkfish_client::webhook::Receiver;
//!
//! let mut receiver = Receiver::signed("a key of ours").bind(([0, 0, 0, 0], 9000).into()).await?;
//! while let Some(event) = receiver.next().await {
//!     println!("{:?}", event.records);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Behavior
//! - HawkFish signs what it sends with the key of the subscription (`X-HawkFish-Signature`: HMAC with SHA-256 over the body); what is not signed so, or with
//!   another key, is answered 403. Signatures are compared in constant time. Other services sign nothing: they can be made to send a header that nobody else
//!   knows ([`Builder::header`]).
//! - A delivery that comes again (the same `X-HawkFish-Delivery`, the same id in what is signed, or the same bytes) is answered 204 and not given out, so that a
//!   service that did not get the answer is content, and who listens to the network gains nothing by sending it once more. What is older than
//!   [`Builder::most_age`] is answered 403: then what is remembered need not be without end.
//! - It is answered 204 once it stands in the queue. Where nobody takes from the queue, the service is told to come again (503), and keeps the order.
//! - [`Builder::service`] is the same as a [`tower::Service`], to stand in a server of one's own.

use std::collections::{HashSet, VecDeque};
use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::Stream;
use hmac::{Hmac, Mac as _};
use http::header::{ALLOW, HeaderName, HeaderValue, RETRY_AFTER};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, Semaphore, mpsc};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use crate::events::Event;

const SIGNATURE: HeaderName = HeaderName::from_static("x-hawkfish-signature");
const DELIVERY: HeaderName = HeaderName::from_static("x-hawkfish-delivery");
/// Most bytes of a delivery, unless said.
const LARGEST: usize = 16 << 20;
/// Deliveries that wait to be taken, unless said.
const QUEUE: usize = 256;
/// Deliveries that are known again.
const REMEMBERED: usize = 16 << 10;
/// How long a delivery waits for its place in the queue: services wait longer than that for an answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a delivery may take to come.
const WITHIN: Duration = Duration::from_secs(30);
/// Connections at once; a service needs one.
const CONNECTIONS: usize = 256;

/// Why something was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// It is at another path.
    Path,
    /// It is no POST.
    Method,
    /// The header of [`Builder::header`] is missing or another.
    Header,
    /// It is not signed.
    Unsigned,
    /// It is signed by somebody else, or was changed on its way.
    Signature,
    /// It is longer than [`Builder::largest`].
    TooLong,
    /// It broke off, or came too slowly.
    Broken,
    /// It is neither events nor a report.
    NoEvent,
    /// It is older than [`Builder::most_age`], or does not say how old it is.
    Old,
    /// Nobody takes what came before it.
    Busy,
}

impl Refusal {
    fn status(self) -> StatusCode {
        match self {
            Self::Path => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Header | Self::Unsigned | Self::Signature | Self::Old => StatusCode::FORBIDDEN,
            Self::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Broken | Self::NoEvent => StatusCode::BAD_REQUEST,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Path => "there is nothing at that path",
            Self::Method => "it is no POST",
            Self::Header => "it has not the header that was agreed",
            Self::Unsigned => "it is not signed",
            Self::Signature => "its signature is wrong",
            Self::TooLong => "it is too long",
            Self::Broken => "it did not come whole",
            Self::NoEvent => "it is neither events nor a report",
            Self::Old => "it is too old",
            Self::Busy => "what came before it is not taken",
        })
    }
}

type Watcher = Box<dyn Fn(Refusal) + Send + Sync>;

/// What a receiver is set up with.
#[must_use = "nothing is received before it is bound"]
pub struct Builder {
    keys: Vec<Vec<u8>>,
    header: Option<(HeaderName, HeaderValue)>,
    most_age: Option<Duration>,
    largest: usize,
    queue: usize,
    path: Option<String>,
    tls: Option<Arc<rustls::ServerConfig>>,
    watcher: Option<Watcher>,
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("keys", &self.keys.len())
            .field("path", &self.path)
            .field("most_age", &self.most_age)
            .field("is_tls", &self.tls.is_some())
            .finish_non_exhaustive()
    }
}

impl Builder {
    fn new() -> Self {
        Self {
            keys: Vec::new(),
            header: None,
            most_age: None,
            largest: LARGEST,
            queue: QUEUE,
            path: None,
            tls: None,
            watcher: None,
        }
    }

    /// Another key that is good as well, while the one is exchanged for the other. From the first on, what is not signed is refused.
    pub fn key(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.keys.push(key.into());
        self
    }

    /// Takes only what carries this header, which the subscription was given among its `HttpHeaders`.
    pub fn header(mut self, name: HeaderName, mut value: HeaderValue) -> Self {
        value.set_sensitive(true);
        self.header = Some((name, value));
        self
    }

    /// Takes only what tells of something that happened no longer ago. HawkFish delivers what a destination missed, however old it is: an age that is shorter
    /// than the longest outage makes dead letters of it.
    pub fn most_age(mut self, age: Duration) -> Self {
        self.most_age = Some(age);
        self
    }

    /// Most bytes of a delivery; 16 MiB unless said.
    pub fn largest(mut self, bytes: usize) -> Self {
        self.largest = bytes;
        self
    }

    /// How many deliveries wait to be taken, 256 unless said.
    pub fn queue(mut self, deliveries: usize) -> Self {
        self.queue = deliveries.clamp(1, Semaphore::MAX_PERMITS);
        self
    }

    /// Takes only what is sent to this path; unless said, any.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// By TLS, where it is bound to an address.
    pub fn tls(mut self, config: Arc<rustls::ServerConfig>) -> Self {
        self.tls = Some(config);
        self
    }

    /// Is told of each delivery that is not taken.
    pub fn on_refusal(mut self, watcher: impl Fn(Refusal) + Send + Sync + 'static) -> Self {
        self.watcher = Some(Box::new(watcher));
        self
    }

    /// The receiver as a service for a server of one's own, and what comes out of it.
    pub fn service(self) -> (Service, Deliveries) {
        let (out, deliveries) = mpsc::channel(self.queue);
        let service = Service(Arc::new(Inner {
            settings: self,
            state: Mutex::new(State::default()),
            out,
        }));
        (service, Deliveries(deliveries))
    }

    /// Receives at an address; port 0 is any free one.
    ///
    /// # Errors
    /// An address that cannot be had.
    pub async fn bind(mut self, at: SocketAddr) -> io::Result<Receiver> {
        let listener = TcpListener::bind(at).await?;
        let address = listener.local_addr()?;
        let tls = self.tls.take().map(TlsAcceptor::from);
        let is_tls = tls.is_some();
        let path = self.path.clone().unwrap_or_else(|| "/".to_owned());
        let (service, deliveries) = self.service();
        Ok(Receiver {
            address,
            is_tls,
            path,
            deliveries,
            task: tokio::spawn(serve(listener, tls, service)),
        })
    }
}

/// What was delivered, in the order in which it came: a [`Stream`] of [`Event`].
#[derive(Debug)]
pub struct Deliveries(mpsc::Receiver<Event>);

impl Deliveries {
    /// The next; `None` when the service behind it is gone.
    pub async fn next(&mut self) -> Option<Event> {
        self.0.recv().await
    }
}

impl Stream for Deliveries {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.get_mut().0.poll_recv(cx)
    }
}

/// A receiver at an address, until it is dropped: a [`Stream`] of [`Event`].
#[derive(Debug)]
pub struct Receiver {
    /// Where.
    pub address: SocketAddr,
    is_tls: bool,
    path: String,
    deliveries: Deliveries,
    task: JoinHandle<()>,
}

impl Receiver {
    /// A receiver of what is signed with this key: that of `Oem/HawkFish/SigningKey` of the subscription.
    pub fn signed(key: impl Into<Vec<u8>>) -> Builder {
        Builder::new().key(key)
    }

    /// A receiver of what anybody sends, unless a [`Builder::header`] is agreed: for services that sign nothing.
    pub fn unsigned() -> Builder {
        Builder::new()
    }

    /// The URL of it, as seen from this machine.
    pub fn url(&self) -> String {
        let scheme = if self.is_tls { "https" } else { "http" };
        format!("{scheme}://{}{}", self.address, self.path)
    }

    /// The next event.
    pub async fn next(&mut self) -> Option<Event> {
        self.deliveries.next().await
    }
}

impl Stream for Receiver {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        Pin::new(&mut self.get_mut().deliveries).poll_next(cx)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The receiver as a [`tower::Service`].
#[derive(Clone, Debug)]
pub struct Service(Arc<Inner>);

struct Inner {
    settings: Builder,
    /// Held while a delivery is looked at and put in the queue: what comes twice at once comes once.
    state: Mutex<State>,
    out: mpsc::Sender<Event>,
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.settings.fmt(f)
    }
}

/// What came before.
#[derive(Default)]
struct State {
    order: VecDeque<[u8; 32]>,
    known: HashSet<[u8; 32]>,
}

impl State {
    fn remember(&mut self, marks: Vec<[u8; 32]>) {
        for mark in marks {
            if self.known.insert(mark) {
                self.order.push_back(mark);
            }
        }
        while self.order.len() > REMEMBERED {
            if let Some(old) = self.order.pop_front() {
                self.known.remove(&old);
            }
        }
    }
}

fn mark(of: &str, bytes: &[u8]) -> [u8; 32] {
    Sha256::new()
        .chain_update(of)
        .chain_update(b"\0")
        .chain_update(bytes)
        .finalize()
        .into()
}

impl<B> tower::Service<Request<B>> for Service
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let inner = self.0.clone();
        Box::pin(async move {
            Ok(match inner.take(request).await {
                Ok(()) => answer(StatusCode::NO_CONTENT, Bytes::new()),
                Err(refusal) => {
                    if let Some(watcher) = &inner.settings.watcher {
                        watcher(refusal);
                    }
                    let mut answer = answer(refusal.status(), format!("{refusal}\n").into());
                    let set = match refusal {
                        Refusal::Method => Some((ALLOW, HeaderValue::from_static("POST"))),
                        Refusal::Busy => Some((RETRY_AFTER, HeaderValue::from_static("1"))),
                        _ => None,
                    };
                    answer.headers_mut().extend(set);
                    answer
                }
            })
        })
    }
}

fn answer(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    answer
}

impl Inner {
    async fn take<B>(&self, request: Request<B>) -> Result<(), Refusal>
    where
        B: http_body::Body + Send,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let set = &self.settings;
        let (parts, body) = request.into_parts();
        if set
            .path
            .as_ref()
            .is_some_and(|path| path != parts.uri.path())
        {
            return Err(Refusal::Path);
        }
        if parts.method != Method::POST {
            return Err(Refusal::Method);
        }
        if let Some((name, value)) = &set.header {
            let same = |sent: &HeaderValue| bool::from(sent.as_bytes().ct_eq(value.as_bytes()));
            only(&parts.headers, name)
                .filter(|sent| same(sent))
                .ok_or(Refusal::Header)?;
        }
        let body = Limited::new(body, set.largest).collect();
        let body = tokio::time::timeout(WITHIN, body)
            .await
            .map_err(|_| Refusal::Broken)?;
        let body = body.map_err(|error| match error.is::<LengthLimitError>() {
            true => Refusal::TooLong,
            false => Refusal::Broken,
        })?;
        let body = body.to_bytes();
        self.check(&parts.headers, &body)?;
        let value: Value = serde_json::from_slice(&body).map_err(|_| Refusal::NoEvent)?;
        let delivery = only(&parts.headers, &DELIVERY).and_then(|id| id.to_str().ok());
        let delivery = delivery.map(str::to_owned);
        let event = Event::of(delivery.clone(), value).map_err(|_| Refusal::NoEvent)?;
        if let Some(most) = set.most_age {
            let oldest = SystemTime::now().checked_sub(most);
            let happened = happened(&event).ok_or(Refusal::Old)?;
            if oldest.is_some_and(|oldest| happened < oldest) {
                return Err(Refusal::Old);
            }
        }
        let mut marks = Vec::new();
        marks.extend(delivery.map(|id| mark("delivery", id.as_bytes())));
        // The header is not signed, the body is: who sends it again cannot make it another by its header.
        if !set.keys.is_empty() {
            marks.push(mark("body", &body));
            let id = event.value.get("Id").and_then(Value::as_str);
            // The id of a report is its name.
            let id = id.filter(|_| event.report.is_none());
            marks.extend(id.map(|id| mark("delivery", id.as_bytes())));
        }
        let queue = async {
            let mut state = self.state.lock().await;
            if marks.iter().any(|mark| state.known.contains(mark)) {
                return Ok(());
            }
            let place = self.out.reserve().await.map_err(|_| Refusal::Busy)?;
            place.send(event);
            state.remember(marks);
            Ok(())
        };
        tokio::time::timeout(PATIENCE, queue)
            .await
            .unwrap_or(Err(Refusal::Busy))
    }

    /// Whether it comes from who has a key.
    fn check(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), Refusal> {
        if self.settings.keys.is_empty() {
            return Ok(());
        }
        if !headers.contains_key(SIGNATURE) {
            return Err(Refusal::Unsigned);
        }
        let sent = only(headers, &SIGNATURE).and_then(|value| value.to_str().ok());
        let sent = sent.and_then(|text| text.strip_prefix("sha256="));
        let sent = sent
            .and_then(|text| hex::decode(text).ok())
            .ok_or(Refusal::Signature)?;
        let mut good = false;
        for key in &self.settings.keys {
            let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|_| Refusal::Signature)?;
            mac.update(body);
            // In constant time.
            good |= mac.verify_slice(&sent).is_ok();
        }
        if good {
            Ok(())
        } else {
            Err(Refusal::Signature)
        }
    }
}

/// The value of a header that is there once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut all = headers.get_all(name).iter();
    all.next().filter(|_| all.next().is_none())
}

/// When the latest of it happened.
fn happened(event: &Event) -> Option<SystemTime> {
    let report = event
        .report
        .as_ref()
        .and_then(|report| report.get("Timestamp")?.as_str());
    let records = event
        .records
        .iter()
        .filter_map(|record| record.timestamp.as_deref());
    let times = records
        .chain(report)
        .filter_map(|text| text.parse::<jiff::Timestamp>().ok());
    times.max().map(SystemTime::from)
}

async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, service: Service) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    // They end with this.
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok(place) = places.clone().acquire_owned().await else {
            return;
        };
        let Ok((socket, _)) = listener.accept().await else {
            // Out of file descriptors, mostly: others end in the meantime.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let (tls, service) = (tls.clone(), service.clone());
        connections.spawn(async move {
            let _place = place;
            let service = TowerToHyperService::new(service);
            let mut server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
            server
                .http1()
                .timer(TokioTimer::new())
                .header_read_timeout(WITHIN);
            server.http2().timer(TokioTimer::new());
            // What becomes of a connection is the sender's to see.
            let _ = match tls {
                None => server.serve_connection(TokioIo::new(socket), service).await,
                Some(tls) => match tokio::time::timeout(WITHIN, tls.accept(socket)).await {
                    Ok(Ok(socket)) => server.serve_connection(TokioIo::new(socket), service).await,
                    _ => return,
                },
            };
        });
    }
}

//! Server-sent events: the stream of what happens, over an answer that does not end (DSP0266, "Server-sent events"; the HTML standard, "Server-sent events").
//!
//! `GET` of [`URI`] with `Accept: text/event-stream`. Each message has the number of its event as `id` and one `Event` (or `MetricReport`) as `data`. Who comes
//! again with the last number it has seen in `Last-Event-ID` gets what followed, or is told first that some of it is gone (`Base.EventBufferExceeded`).
//! `$filter` says what is wanted (`wanted.rs`). An open stream is a subscription: it stands among them, and ends when it is deleted there, when its account
//! may no longer log in, when the event service is turned off, and when the service ends. It does not end with the session that opened it (DSP0266, "Session
//! termination").
//!
//! `hub.rs` is the one task behind all streams, `block.rs` what it makes for them, `stream.rs` the body that each of them is.

mod block;
mod hub;
mod stream;
mod wanted;
mod words;

use std::sync::Arc;

use crate::HawkFish;
use axum::body::Body;
use bytes::Bytes;
use hawkfish_core::subscriptions::NewStream;
use hawkfish_redfish::query::Query;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use self::hub::Hub;
use self::stream::{Listener, Stream, exceeded};
use self::wanted::Wanted;
use crate::catalog::{Privileges, Resource, Rq};
use crate::problem::Problem;
use crate::serve::Hangup;

/// Where the stream is: `ServerSentEventUri` of the event service.
pub const URI: &str = "/redfish/v1/EventService/SSE";

/// [`URI`]
pub const STREAM: Resource = Resource {
    uri: URI,
    media_type: "text/event-stream",
    stream: Some(|rq, query, parts| Box::pin(open(rq, query, parts))),
    privileges: Privileges::MANAGER,
    ..Resource::NONE
};

/// The same under a shorter name.
pub const ALIAS: Resource = Resource {
    uri: "/events/stream",
    ..STREAM
};

/// What is answered where a stream opens.
const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream; charset=utf-8");
const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache");
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// A word to proxies of the nginx kind, which would wait for more.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
/// How long clients wait before they come again, milliseconds.
const RETRY: u32 = 2000;

/// All streams of a service.
#[derive(Debug)]
pub struct Streams(Arc<Hub>);

impl Streams {
    /// Streams of what happens there.
    #[must_use]
    pub fn of(hf: &HawkFish) -> Self {
        Self(Arc::new(Hub::new(hf)))
    }

    /// Ends them all, and opens no more.
    pub fn end(&self) {
        self.0.close();
    }
}

async fn open(rq: &Rq, query: &Query, parts: &Parts) -> Result<Response<Body>, Problem> {
    let other = Query {
        filter: None,
        ..query.clone()
    };
    if !other.is_empty() {
        let status = StatusCode::BAD_REQUEST;
        return Err(Problem::base(status, "QueryNotSupportedOnResource", &[]));
    }
    let wanted = Wanted::of(query.filter.as_ref())?;
    let hub = &rq.service.streams.0;
    let telling = hub.events.telling().filter(|_| !hub.is_closing());
    let Some(telling) = telling else {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        return Err(Problem::base(status, "ServiceShuttingDown", &[]));
    };
    if rq.head {
        return Ok(answer(Body::empty()));
    }
    let new = NewStream {
        filter: wanted.filter.clone(),
        format: wanted.format,
        // Something that tells this stream from all others (DSP0266).
        context: Some(rq.ctx.request.to_string()),
    };
    let open = rq.hf.subscriptions().open(&rq.ctx, new)?;
    let wanted = Arc::new(wanted);
    let takes = wanted.clone();
    open.set_takes(move |record| takes.takes(record));
    let mut stream = Stream {
        seat: hub.sit(parts.extensions.get::<Hangup>().cloned()),
        hub: hub.clone(),
        listener: Listener::of(&rq.hf, &rq.ctx),
        closed: Box::pin(open.closed()),
        open,
        wanted,
        at: 0,
        first: None,
        reading: None,
        sleeping: None,
        over: false,
    };
    let last = hub.events.last();
    let (from, lost) = begin(&parts.headers, last);
    stream.at = from;
    // The number comes first, so that who is cut off before the first event can come again as well.
    let mut first = format!("retry: {RETRY}\nid: {from}\n\n");
    if lost {
        exceeded(&mut first, &*telling, from, hub.clock.now());
    }
    stream.first = Some(Bytes::from(first));
    Ok(answer(Body::new(stream)))
}

/// After which event a stream begins, and whether the client is to hear that it has missed something.
fn begin(headers: &HeaderMap, last: u64) -> (u64, bool) {
    let Some(seen) = headers.get(LAST_EVENT_ID).filter(|id| !id.is_empty()) else {
        return (last, false);
    };
    let seen = seen.to_str().ok().and_then(|id| id.trim().parse().ok());
    match seen {
        Some(seen) if seen <= last => (seen, false),
        // It was told a number that this service never gave: what it missed nobody knows.
        _ => (last, true),
    }
}

fn answer(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, EVENT_STREAM);
    headers.insert(CACHE_CONTROL, NO_CACHE);
    headers.insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    response
}

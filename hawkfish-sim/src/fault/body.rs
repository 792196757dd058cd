//! What becomes of bodies on their way out.

use std::io::{self, Write as _};

use axum::body::Body;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::{StreamExt as _, stream};
use hawkfish_server::problem::Problem;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::BodyExt as _;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::effect::Asked;
use crate::world::World;

/// What becomes of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Damage {
    /// The connection ends in the middle of it: its length says more than there is.
    CutOff,
    /// Half of it comes, then nothing more; the connection stays open. Without a socket it breaks off, as nobody there is patient for ever.
    Stalled,
    /// It is whole as HTTP sees it, and ends in the middle as JSON sees it.
    Truncated,
    /// Nothing is left.
    Empty,
    /// A page of HTML, as web servers in front of a service that is not up give one.
    Html,
    /// A line of text.
    Text,
    /// Bytes that are no text.
    NotUtf8,
    /// The mark of byte order in front of it.
    Bom,
    /// An array where there should be an object.
    Array,
    /// The first property stands in it twice, with two values.
    DuplicateKey,
    /// Success, in the shape of an error: status 200 and an object `error` whose message says that all is well.
    SuccessAsError,
    /// Packed by gzip, whatever was asked for.
    Gzip,
}

/// How slowly a body comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trickle {
    /// So many bytes in each second of the world's time.
    pub bytes_per_second: u32,
}

impl Trickle {
    pub(super) fn check(&self) -> Result<(), String> {
        match self.bytes_per_second {
            0 => Err("bytes_per_second is 1 or more".to_owned()),
            _ => Ok(()),
        }
    }
}

/// In the extensions of an answer: how its body is sent, once it is known and traced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// So many bytes a second.
    Trickle(u32),
    /// Half, and no more.
    Stalls,
}

/// How often a second a piece of a body that trickles is sent.
const PIECES: u32 = 10;

impl Pace {
    /// The body, sent so.
    pub(crate) fn of(self, bytes: Bytes, world: &World, is_on_wire: bool) -> Body {
        match self {
            Self::Stalls => {
                let half = bytes.slice(..bytes.len() / 2);
                let ended = io::Error::from(io::ErrorKind::TimedOut);
                match is_on_wire {
                    false => breaking_off(half, axum::Error::new(ended)),
                    true => {
                        let begin = stream::once(async { Ok::<_, axum::Error>(half) });
                        Body::from_stream(begin.chain(stream::pending()))
                    }
                }
            }
            Self::Trickle(rate) => {
                // As often as that, unless it is less than a byte each time.
                let piece = rate.div_ceil(PIECES);
                let apart = SignedDuration::from_secs(piece.into()) / rate.try_into().unwrap_or(1);
                let world = world.clone();
                let pieces = stream::unfold((bytes, world), move |(mut left, world)| async move {
                    if left.is_empty() {
                        return None;
                    }
                    world.pass(apart).await;
                    let next = left.split_to(left.len().min(piece as usize));
                    Some((Ok::<_, axum::Error>(next), (left, world)))
                });
                Body::from_stream(pieces)
            }
        }
    }
}

impl Damage {
    pub(super) async fn done_to(self, response: Response<Body>, asked: &Asked) -> Response<Body> {
        let (mut parts, body) = response.into_parts();
        let whole = match body.collect().await {
            Ok(body) => body.to_bytes(),
            // The service's own bodies do not break.
            Err(_) => Bytes::new(),
        };
        let half = whole.slice(..whole.len() / 2);
        let mut kind = |kind| {
            let kind = HeaderValue::from_static(kind);
            parts.headers.insert(CONTENT_TYPE, kind);
        };
        let body = match self {
            Self::CutOff => {
                parts.headers.insert(CONTENT_LENGTH, whole.len().into());
                let end = io::Error::from(io::ErrorKind::ConnectionReset);
                let body = breaking_off(half, axum::Error::new(end));
                return Response::from_parts(parts, body);
            }
            Self::Stalled => {
                parts.extensions.insert(Pace::Stalls);
                whole
            }
            Self::Truncated => half,
            Self::Empty => Bytes::new(),
            Self::Html => {
                kind("text/html");
                Bytes::from_static(b"<html><body><h1>It works!</h1></body></html>")
            }
            Self::Text => {
                kind("text/plain");
                let reason = parts.status.canonical_reason().unwrap_or("Unknown");
                Bytes::from(format!("{reason}\n"))
            }
            Self::NotUtf8 => Bytes::from([b"\xff\xfe".as_slice(), &whole].concat()),
            Self::Bom => Bytes::from([b"\xef\xbb\xbf".as_slice(), &whole].concat()),
            Self::Array => Bytes::from([b"[".as_slice(), &whole, b"]"].concat()),
            Self::DuplicateKey => doubled(&whole),
            Self::SuccessAsError => {
                let said = Problem::base(StatusCode::OK, "Success", &[]);
                let said = said.into_response(asked.uri.path(), None);
                parts.status = StatusCode::OK;
                kind("application/json; charset=utf-8");
                let body = said.into_body().collect().await;
                body.map(|body| body.to_bytes()).unwrap_or_default()
            }
            Self::Gzip => {
                let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
                // Writing to memory does not fail.
                let packed = gzip.write_all(&whole).and_then(|()| gzip.finish());
                parts
                    .headers
                    .insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
                packed.map_or(whole, Bytes::from)
            }
        };
        parts.headers.insert(CONTENT_LENGTH, body.len().into());
        Response::from_parts(parts, Body::from(body))
    }
}

/// An object whose first property stands in it twice.
fn doubled(whole: &Bytes) -> Bytes {
    let object = serde_json::from_slice::<serde_json::Map<_, serde_json::Value>>(whole);
    let first = object.ok().and_then(|object| object.into_iter().next());
    let Some((name, _)) = first else {
        return whole.clone();
    };
    let twice = format!("{{{}:null,", serde_json::Value::from(name));
    // It begins with a brace, as it is an object.
    let rest = whole
        .iter()
        .position(|byte| *byte == b'{')
        .map_or(0, |at| at + 1);
    Bytes::from([twice.as_bytes(), &whole[rest..]].concat())
}

/// A body that breaks off after some bytes.
pub(crate) fn breaking_off(bytes: Bytes, error: axum::Error) -> Body {
    let end = async {
        // What came before is sent first.
        tokio::task::yield_now().await;
        Err(error)
    };
    let begin = stream::once(async { Ok(bytes) });
    Body::from_stream(begin.chain(stream::once(end)))
}

//! Answers made smaller for who can unpack them (RFC 9110, 8.4), and what that means for tags and lengths.

use axum::body::Body;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use tower::{ServiceExt as _, service_fn};
use tower_http::CompressionLevel;
use tower_http::compression::Compression;
use tower_http::compression::predicate::Predicate;

use super::Stage;
use crate::respond;

/// Answers of fewer bytes are sent as they are: packing them costs more than it saves.
const WORTH_IT: u64 = 1024;

/// Packs answers where the client says that it can unpack them.
///
/// A packed answer is another representation of the same thing, and a strong tag names only one. So its tag is weak: `W/"abc"` in place of `"abc"`. Either is
/// taken in `If-Match` and `If-None-Match`.
pub(super) fn pack(inner: impl Stage<Request<Body>>) -> impl Stage<Request<Body>> {
    service_fn(move |request: Request<Body>| {
        let inner = inner.clone();
        async move {
            let head = request.method() == Method::HEAD;
            let headers = request.headers();
            // What it has was packed, and would be again.
            let weak = said(headers, &ACCEPT_ENCODING, &["gzip", "zstd"])
                && said(headers, &IF_NONE_MATCH, &["W/"]);
            let mut response = if request.headers().contains_key(ACCEPT_ENCODING) {
                let packing = Compression::new(inner)
                    .gzip(true)
                    .zstd(true)
                    .quality(CompressionLevel::Fastest)
                    .compress_when(WorthIt);
                packing.oneshot(request).await?.map(Body::new)
            } else {
                let mut response = inner.oneshot(request).await?;
                if WorthIt.should_compress(&response) {
                    vary(&mut response);
                }
                response
            };
            let same = response.status() == StatusCode::NOT_MODIFIED;
            if same {
                vary(&mut response);
            }
            if response.headers().contains_key(CONTENT_ENCODING) || (same && weak) {
                weaken(&mut response);
            }
            if head {
                respond::behead(&mut response);
            }
            Ok(response)
        }
    })
}

/// Whether the header is there and has one of these words somewhere in it.
fn said(headers: &HeaderMap, name: &HeaderName, words: &[&str]) -> bool {
    let values = headers.get_all(name).iter();
    let mut values = values.filter_map(|value| value.to_str().ok());
    values.any(|value| words.iter().any(|word| value.contains(word)))
}

fn vary(response: &mut Response<Body>) {
    let value = HeaderValue::from_static("accept-encoding");
    response.headers_mut().append(VARY, value);
}

/// Makes the tag of an answer weak.
fn weaken(response: &mut Response<Body>) {
    let strong = response.headers().get(ETAG).map(HeaderValue::as_bytes);
    if let Some(strong) = strong.filter(|tag| !tag.starts_with(b"W/"))
        && let Ok(weak) = HeaderValue::from_bytes(&[b"W/", strong].concat())
    {
        response.headers_mut().insert(ETAG, weak);
    }
}

/// Text that is long enough, all of which is there: a stream of events must not wait for a packer to have enough of them.
#[derive(Clone, Copy, Debug)]
struct WorthIt;

impl Predicate for WorthIt {
    fn should_compress<B>(&self, response: &Response<B>) -> bool
    where
        B: hyper::body::Body,
    {
        let kind = response.headers().get(CONTENT_TYPE);
        let text = kind
            .and_then(|kind| kind.to_str().ok())
            .is_some_and(|kind| {
                kind.starts_with("application/json")
                    || kind.starts_with("application/xml")
                    || kind.starts_with("application/yaml")
                    || (kind.starts_with("text/") && !kind.starts_with("text/event-stream"))
            });
        let bytes = response.body().size_hint().exact();
        text && bytes.is_some_and(|bytes| bytes >= WORTH_IT)
    }
}

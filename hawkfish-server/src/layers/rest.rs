//! What is left of a request's body once it is answered.
//!
//! Who is refused for who they are or for where they went has a body on its way that nobody reads. It stands in front of the next request on the connection, so
//! hyper would close that; and a client that has just been answered takes it for open. So the rest is taken in when it is small, and otherwise the answer says that
//! the connection ends.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::header::{CONNECTION, EXPECT};
use http::{HeaderValue, Response, Version, request::Parts};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Frame, SizeHint};

/// The largest rest that is taken in, bytes.
const MOST: usize = 64 * 1024;
/// How long that may take.
const TIME: Duration = Duration::from_secs(2);

/// The body of a request, for two who hold it.
#[derive(Clone)]
pub(super) struct Shared(Arc<Mutex<Body>>);

impl hyper::body::Body for Shared {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut *self.0.lock().expect("body")).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.0.lock().expect("body").is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.lock().expect("body").size_hint()
    }
}

/// What may be left of a body.
pub(super) struct Rest {
    body: Shared,
    /// The client waits to be told to send it.
    waits: bool,
    one_by_one: bool,
}

impl Rest {
    /// The body to hand on, and a hold on what will be left of it; none where there is no body.
    pub(super) fn of(parts: &Parts, body: Body) -> (Body, Option<Self>) {
        if body.is_end_stream() {
            return (body, None);
        }
        let body = Shared(Arc::new(Mutex::new(body)));
        let rest = Self {
            body: body.clone(),
            waits: parts.headers.contains_key(EXPECT),
            // Later versions carry several requests side by side, and none stands in front of another.
            one_by_one: parts.version < Version::HTTP_2,
        };
        (Body::new(body), Some(rest))
    }

    /// Sees to the rest before the answer goes out.
    pub(super) async fn settle(self, response: &mut Response<Body>) {
        if !self.one_by_one || self.body.is_end_stream() {
            return;
        }
        let small = self.body.size_hint().lower() <= MOST as u64;
        let taken = small && !self.waits && self.take().await;
        if !taken {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(CONNECTION, close);
        }
    }

    async fn take(mut self) -> bool {
        let all = async {
            let mut taken = 0;
            while let Some(frame) = self.body.frame().await {
                let Ok(frame) = frame else { return false };
                taken += frame.data_ref().map_or(0, Bytes::len);
                if taken > MOST {
                    return false;
                }
            }
            true
        };
        tokio::time::timeout(TIME, all).await.unwrap_or(false)
    }
}

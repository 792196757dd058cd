//! A service that answers what a test says, and keeps what it was asked.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use hawkfish_client::{Builder, Client, Retry};
use http::{HeaderMap, Method, Request, Response};
use http_body_util::BodyExt as _;
use serde_json::Value;

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    /// Path and query.
    pub(crate) uri: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// How many came before.
    pub(crate) number: usize,
}

impl Seen {
    /// `GET /redfish/v1/x`.
    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.method, self.uri)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

#[derive(Clone)]
pub(crate) struct Script {
    seen: Arc<Mutex<Vec<Seen>>>,
    router: Router,
}

impl Script {
    pub(crate) fn new(
        answer: impl Fn(&Seen) -> Response<Body> + Clone + Send + Sync + 'static,
    ) -> Self {
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let kept = seen.clone();
        let router = Router::new().fallback(move |request: Request<Body>| {
            let (answer, kept) = (answer.clone(), kept.clone());
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect().await.unwrap().to_bytes();
                let asked = {
                    let mut kept = kept.lock().unwrap();
                    let asked = Seen {
                        method: parts.method,
                        uri: parts.uri.to_string(),
                        headers: parts.headers,
                        body,
                        number: kept.len(),
                    };
                    kept.push(asked.clone());
                    asked
                };
                let answer = answer(&asked);
                // As with a real one, others get their turn before the answer is there.
                tokio::task::yield_now().await;
                answer
            }
        });
        Self { seen, router }
    }

    /// A builder of a client without credentials straight into the service, which waits a few milliseconds where others wait longer.
    pub(crate) fn builder(&self) -> Builder {
        Client::builder("http://bmc.example")
            .retry(QUICK)
            .service::<_, Body>(self.router.clone())
    }

    pub(crate) fn client(&self) -> Client {
        self.builder().build().unwrap()
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.seen().iter().map(Seen::line).collect()
    }
}

pub(crate) const QUICK: Retry = Retry {
    attempts: 4,
    base: Duration::from_millis(2),
    most: Duration::from_millis(50),
};

pub(crate) fn answer(
    status: u16,
    headers: &[(&str, &str)],
    body: impl Into<Body>,
) -> Response<Body> {
    let mut answer = Response::builder().status(status);
    for (name, value) in headers {
        answer = answer.header(*name, *value);
    }
    answer.body(body.into()).unwrap()
}

pub(crate) fn json(status: u16, headers: &[(&str, &str)], body: &Value) -> Response<Body> {
    answer(status, headers, body.to_string())
}

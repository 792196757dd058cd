//! What a BMC showed when it was captured, and nothing else: GET answers what stands there, all other methods 405.

use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use hawkfish_sim::capture::{Capture, Content, plain_uri};
use http::header::{CONTENT_TYPE, ETAG};
use http::{Method, StatusCode};

use hawkfish_testing::part;

/// The captures of a vendor: `hpe`, `dell`. Without them the caller must return: the test is skipped, aloud.
pub(super) fn capture(vendor: &str) -> Option<Capture> {
    let file = part::captures()?.join(format!("{vendor}.tar.xz"));
    Some(Capture::read(Path::new(&file)).expect("a capture"))
}

/// Serves it on a port of loopback, for everybody; gives its URL.
pub(super) async fn serve(capture: Capture) -> String {
    let router = Router::new().fallback(answer).with_state(Arc::new(capture));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

async fn answer(State(capture): State<Arc<Capture>>, request: Request) -> Response {
    let Some(document) = capture.documents.get(&plain_uri(request.uri().path())) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    if request.method() != Method::GET {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let (kind, body) = match &document.content {
        Content::Json(value) => ("application/json", value.to_string().into()),
        Content::Bytes {
            bytes,
            content_type,
        } => (content_type.as_str(), bytes.clone()),
    };
    let etag = document
        .headers
        .get("etag")
        .map(|etag| [(ETAG, etag.clone())]);
    ([(CONTENT_TYPE, kind.to_owned())], etag, body).into_response()
}

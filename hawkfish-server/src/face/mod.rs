//! Faces: the service as the BMC of one system shows it.
//!
//! Through a face that system is there with what belongs to it, and nothing of others; that is core's doing ([`Scope`]) and the catalog's, for every resource alike.
//! A face may stand below a prefix (`/bmc/sim-00001/redfish/v1/`): then requests lose it on their way in, and all that goes out carries it, see `turn`. What
//! is stored never does, and ETags are those of the plain bodies.

mod turn;

use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use hawkfish_core::ctx::Scope;
use hawkfish_core::id::SystemId;
use http::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_LOCATION, CONTENT_TYPE, LINK,
    LOCATION,
};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Request, Response, Uri};
use http_body_util::BodyExt as _;
use hyper::body::Body as _;

use self::turn::{Turn, Turned};

/// Where all URIs of the service begin.
const ROOT: &str = "/redfish";

/// A prefix that no face can stand below.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a prefix is a path such as /bmc/sim-00001, of letters, digits, -, _, . and ~, without a slash at its end, and no part of it is `redfish`: {0:?} is none"
)]
pub struct BadPrefix(pub String);

/// The face of a system. Cheap to make, and to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Face(Arc<Scope>);

impl Face {
    /// The face of a system, at the root of its host.
    #[must_use]
    pub fn of(system: SystemId) -> Self {
        Self(Arc::new(Scope::of(system)))
    }

    /// The face of a system below a prefix, such as `/bmc/sim-00001`.
    ///
    /// # Errors
    /// A prefix that cannot be one.
    pub fn below(system: SystemId, prefix: &str) -> Result<Self, BadPrefix> {
        let is_good = |part: &str| {
            !matches!(part, "" | "." | ".." | "redfish")
                && part
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_.~".contains(&b))
        };
        let parts = prefix.strip_prefix('/').map(|rest| rest.split('/'));
        if !parts.is_some_and(|mut parts| parts.all(is_good)) {
            return Err(BadPrefix(prefix.to_owned()));
        }
        Ok(Self(Arc::new(Scope {
            system,
            prefix: prefix.into(),
        })))
    }

    /// What core knows of it.
    #[must_use]
    pub fn scope(&self) -> &Arc<Scope> {
        &self.0
    }

    /// What stands in front of its paths; empty where nothing does.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.0.prefix
    }

    /// A request to this face as the service takes it, without the prefix; `None` for one to a path that is not below it.
    #[must_use]
    pub fn enter(&self, request: Request<Body>) -> Option<Request<Body>> {
        if self.prefix().is_empty() {
            return Some(request);
        }
        let (mut parts, body) = request.into_parts();
        parts.uri = self.plain(&parts.uri)?;
        // What is packed cannot be turned.
        parts.headers.remove(ACCEPT_ENCODING);
        let kind = parts.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
        let has_links = kind.is_none_or(|kind| {
            let multipart = kind
                .get(..10)
                .is_some_and(|start| start.eq_ignore_ascii_case(b"multipart/"));
            multipart || is_text(kind)
        });
        if !has_links || body.is_end_stream() {
            return Some(Request::from_parts(parts, body));
        }
        parts.headers.remove(CONTENT_LENGTH);
        let body = Body::new(Turned::new(body, Turn::plain(self.prefix())));
        Some(Request::from_parts(parts, body))
    }

    fn plain(&self, uri: &Uri) -> Option<Uri> {
        let prefix = self.prefix();
        let path = uri.path().strip_prefix(prefix)?;
        if !path.is_empty() && !path.starts_with('/') {
            return None;
        }
        let mut whole = match path {
            "" => "/".to_owned(),
            path => path.to_owned(),
        };
        if let Some(query) = uri.query() {
            // URIs stand in it as they are, or with their slashes escaped.
            let escaped = |slash: &str| [prefix, ROOT].concat().replace('/', slash);
            let query = query
                .replace(&escaped("/"), ROOT)
                .replace(&escaped("%2F"), &ROOT.replace('/', "%2F"))
                .replace(&escaped("%2f"), &ROOT.replace('/', "%2f"));
            whole.push('?');
            whole.push_str(&query);
        }
        let mut parts = uri.clone().into_parts();
        parts.path_and_query = Some(PathAndQuery::try_from(whole).ok()?);
        Uri::from_parts(parts).ok()
    }

    /// An answer of the service as this face gives it, with the prefix.
    pub async fn leave(&self, response: Response<Body>) -> Response<Body> {
        if self.prefix().is_empty() {
            return response;
        }
        let (mut parts, body) = response.into_parts();
        for name in [LOCATION, CONTENT_LOCATION, LINK] {
            let all: Vec<HeaderValue> = parts.headers.get_all(&name).iter().cloned().collect();
            if all.is_empty() {
                continue;
            }
            parts.headers.remove(&name);
            for value in all {
                let turned = Turn::below(self.prefix()).all(value.as_bytes());
                parts
                    .headers
                    .append(&name, HeaderValue::try_from(&turned[..]).unwrap_or(value));
            }
        }
        if !turns(&parts.headers) {
            return Response::from_parts(parts, body);
        }
        if body.is_end_stream() {
            // Of an answer to HEAD, which tells the length of another body.
            parts.headers.remove(CONTENT_LENGTH);
            return Response::from_parts(parts, body);
        }
        let turn = Turn::below(self.prefix());
        if body.size_hint().exact().is_none() {
            parts.headers.remove(CONTENT_LENGTH);
            return Response::from_parts(parts, Body::new(Turned::new(body, turn)));
        }
        match body.collect().await {
            Ok(whole) => {
                let bytes = turn.all(&whole.to_bytes());
                if parts.headers.contains_key(CONTENT_LENGTH) {
                    parts.headers.insert(CONTENT_LENGTH, bytes.len().into());
                }
                Response::from_parts(parts, Body::from(bytes))
            }
            Err(error) => {
                let broken = futures::stream::once(async { Err::<Bytes, _>(error) });
                Response::from_parts(parts, Body::from_stream(broken))
            }
        }
    }
}

/// A body, such as that of an event, as it is told to who listens through a face.
#[must_use]
pub fn told(scope: &Scope, body: Bytes) -> Bytes {
    match &*scope.prefix {
        "" => body,
        prefix => Turn::below(prefix).all(&body),
    }
}

/// Whether the body that these headers are of may hold URIs.
fn turns(headers: &HeaderMap) -> bool {
    let packed = headers
        .get(CONTENT_ENCODING)
        .is_some_and(|coding| coding != "identity");
    let kind = headers.get(CONTENT_TYPE);
    !packed && kind.is_some_and(|kind| is_text(kind.as_bytes()))
}

fn is_text(kind: &[u8]) -> bool {
    let kind = String::from_utf8_lossy(kind).to_ascii_lowercase();
    kind.starts_with("text/")
        || ["json", "xml", "yaml", "javascript"]
            .iter()
            .any(|one| kind.contains(one))
}

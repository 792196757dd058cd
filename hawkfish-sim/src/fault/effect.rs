//! What a firing does to a request and to its answer.

use axum::body::Body;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::request::Parts;
use http::{HeaderMap, Method, Response, Uri};
use jiff::{SignedDuration, Timestamp};

use super::body::Pace;
use super::engine::Firing;
use super::etag::{Etag, Memory};
use super::rule::{HangUp, Then};

/// The connection was closed without an answer, because a rule says so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("fault {0:?}: the connection was closed")]
pub struct Broken(pub String);

/// What was asked for, as effects see it.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    /// What the client calls the service.
    pub(crate) host: String,
    pub(crate) scheme: &'static str,
    pub(crate) now: Timestamp,
    pub(crate) age: SignedDuration,
}

impl Asked {
    pub(crate) fn of(parts: &Parts, now: Timestamp, age: SignedDuration) -> Self {
        let said = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
        let host = said.or_else(|| parts.uri.authority().map(|authority| authority.as_str()));
        let peer = parts.extensions.get::<hawkfish_server::layers::Peer>();
        let is_tls = peer.is_some_and(|peer| peer.tls);
        Self {
            method: parts.method.clone(),
            uri: parts.uri.clone(),
            headers: parts.headers.clone(),
            host: host.unwrap_or("localhost").to_owned(),
            scheme: if is_tls { "https" } else { "http" },
            now,
            age,
        }
    }

    /// What tells a request from others: what is asked for, and who asks.
    pub(super) fn key(&self) -> String {
        let who = [AUTHORIZATION.as_str(), "x-auth-token"].map(|name| self.headers.get(name));
        format!("{} {who:?}", self.uri)
    }
}

/// What a firing makes of a request that the service has not seen: an answer in place of the service's, or none at all.
pub(crate) fn before(
    firing: &Firing,
    asked: &Asked,
    memory: &mut Memory,
) -> Result<Option<Response<Body>>, Broken> {
    Ok(match &firing.rule.then {
        Then::Answer(answer) => Some(answer.response(asked)),
        Then::Pretend(pretend) => Some(pretend.response()),
        Then::Redirect(redirect) => Some(redirect.response(asked)),
        Then::Etag(Etag::Unchanged) => Etag::unchanged(asked),
        Then::Cache(_) if asked.method == Method::GET => memory.kept(&firing.rule.name, asked),
        Then::HangUp(HangUp::Before) => return Err(Broken(firing.rule.name.clone())),
        _ => None,
    })
}

/// What a firing makes of an answer. Streams have no body that could be changed as a whole.
pub(crate) async fn after(
    firing: &Firing,
    mut response: Response<Body>,
    asked: &Asked,
    memory: impl FnOnce(&mut dyn FnMut(&mut Memory)),
) -> Result<Response<Body>, Broken> {
    let is_stream = is_stream(&response);
    Ok(match &firing.rule.then {
        Then::HangUp(HangUp::After) => return Err(Broken(firing.rule.name.clone())),
        Then::Headers(headers) => headers.done_to(response),
        Then::Location(location) => location.done_to(response, asked),
        _ if is_stream => response,
        Then::Damage(damage) => damage.done_to(response, asked).await,
        Then::Edit(edit) => edit.done_to(response).await,
        Then::Etag(etag) => etag.done_to(firing, response, asked, memory).await,
        Then::Cache(cache) => cache.take(firing, response, asked, memory).await,
        Then::Trickle(trickle) => {
            let pace = Pace::Trickle(trickle.bytes_per_second);
            response.extensions_mut().insert(pace);
            response
        }
        Then::Framing(framing) => {
            response.extensions_mut().insert(*framing);
            response
        }
        _ => response,
    })
}

/// Whether it has no end that could be waited for.
pub(crate) fn is_stream(response: &Response<Body>) -> bool {
    let kind = response.headers().get(CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"))
}

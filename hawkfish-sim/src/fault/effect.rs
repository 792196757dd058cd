//! What a firing does to a request and to its answer.

use axum::body::Body;
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use hawkfish_server::problem::Problem;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::BodyExt as _;

use super::engine::Firing;
use super::rule::{Answer, Damage, HangUp, Headers, Then};

/// The connection was closed without an answer, because a rule says so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("fault {0:?}: the connection was closed")]
pub struct Broken(pub String);

/// What a firing makes of a request that the service has not seen: an answer in place of the service's, or none at all.
pub(crate) fn before(firing: &Firing, path: &str) -> Result<Option<Response<Body>>, Broken> {
    let mut response = match &firing.rule.then {
        Then::Answer(answer) => refusal(answer, path),
        Then::Pretend(pretend) => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = status(pretend.status);
            response
        }
        Then::HangUp(HangUp::Before) => return Err(Broken(firing.rule.name.clone())),
        Then::HangUp(HangUp::After) | Then::Delay(_) | Then::Damage(_) | Then::Headers(_) => {
            return Ok(None);
        }
    };
    // As every answer of the service has them.
    let headers = response.headers_mut();
    headers.insert("odata-version", HeaderValue::from_static("4.0"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(Some(response))
}

/// What a firing makes of the service's answer.
pub(crate) async fn after(
    firing: &Firing,
    response: Response<Body>,
) -> Result<Response<Body>, Broken> {
    match &firing.rule.then {
        Then::HangUp(HangUp::After) => Err(Broken(firing.rule.name.clone())),
        Then::Damage(damage) => Ok(damaged(*damage, response).await),
        Then::Headers(headers) => Ok(reheaded(headers, response)),
        Then::Answer(_) | Then::Pretend(_) | Then::Delay(_) | Then::HangUp(HangUp::Before) => {
            Ok(response)
        }
    }
}

fn status(number: u16) -> StatusCode {
    // A rule is checked when it is put in.
    StatusCode::from_u16(number).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn refusal(answer: &Answer, path: &str) -> Response<Body> {
    let args: Vec<&str> = answer.args.iter().map(String::as_str).collect();
    let problem = Problem::base(status(answer.status), &answer.message, &args);
    let mut response = problem.into_response(path, None);
    if let Some(seconds) = answer.retry_after {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    response
}

async fn damaged(damage: Damage, response: Response<Body>) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    // The service's own bodies do not break.
    let whole = match body.collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => Bytes::new(),
    };
    let half = whole.slice(..whole.len() / 2);
    let body = match damage {
        Damage::CutOff => {
            parts.headers.insert(CONTENT_LENGTH, whole.len().into());
            let end = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
            let body = breaking_off(half, axum::Error::new(end));
            return Response::from_parts(parts, body);
        }
        Damage::Truncated => half,
        Damage::Empty => Bytes::new(),
        Damage::Html => {
            parts
                .headers
                .insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
            Bytes::from_static(b"<html><body><h1>It works!</h1></body></html>")
        }
        Damage::NotUtf8 => Bytes::from([b"\xff\xfe".as_slice(), &whole].concat()),
        Damage::Array => Bytes::from([b"[".as_slice(), &whole, b"]"].concat()),
    };
    parts.headers.insert(CONTENT_LENGTH, body.len().into());
    Response::from_parts(parts, Body::from(body))
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

fn reheaded(change: &Headers, mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    for name in &change.remove {
        headers.remove(name.as_str());
    }
    for (name, value) in &change.set {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.insert(name, value);
        }
    }
    response
}

//! A request whose answer does not end: its body is handed on as it comes.

use std::time::Duration;

use bytes::Bytes;
use futures::stream::StreamExt as _;
use http::header::{HeaderName, HeaderValue, LOCATION};
use http::{HeaderMap, Method, StatusCode};
use url::Url;

use super::send::prepare;
use super::{Client, X_AUTH_TOKEN};
use crate::error::Error;
use crate::transport::Chunks;
use crate::wire::{Request, Response};

const MAX_REDIRECTS: usize = 5;
/// Most bytes that are read of what is no stream but the reason why there is none.
const MAX_REASON: usize = 1 << 20;
/// How long that may take.
const REASON_WITHIN: Duration = Duration::from_secs(10);

/// An answer whose body comes as it comes.
pub struct Opened {
    /// The path that answered, after redirects.
    pub uri: String,
    /// The status: never one of an error.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body. To drop it closes the connection that it comes on.
    pub body: Chunks,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened")
            .field("uri", &self.uri)
            .field("status", &self.status)
            .field("headers", &self.headers)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Sends a request, once, and gives its answer as soon as the headers are there; a 4xx or 5xx is an error. It does not count among the requests that the
    /// client has under way, and the time that an answer may take is that to its headers.
    ///
    /// # Errors
    /// The kind of the answer, as of [`Client::call`].
    pub async fn open(&self, request: Request) -> Result<Opened, Error> {
        let mut url = self.resolve(&request.uri)?;
        for _ in 0..=MAX_REDIRECTS {
            let opened = self.open_at(&request, &url).await?;
            let follow = matches!(opened.status.as_u16(), 301..=303 | 307 | 308)
                && matches!(request.method, Method::GET | Method::HEAD)
                && !request.stay;
            let location = opened.headers.get(LOCATION).filter(|_| follow);
            let Some(location) = location else {
                return checked(opened, &request.method).await;
            };
            let location = String::from_utf8_lossy(location.as_bytes());
            let next = url.join(&location).map_err(|error| {
                Error::protocol(format!("{}: redirected to no URI", request.uri)).caused_by(error)
            })?;
            self.same_origin(&next)?;
            url = next;
        }
        Err(Error::protocol(format!(
            "{}: more than {MAX_REDIRECTS} redirects",
            request.uri
        )))
    }

    async fn open_at(&self, request: &Request, url: &Url) -> Result<Opened, Error> {
        if request.anonymous {
            return self.open_as(request, url, None).await;
        }
        let authorization = self.authorization().await?;
        let opened = self.open_as(request, url, authorization.as_ref()).await?;
        if opened.status == StatusCode::UNAUTHORIZED
            && let Some((name, token)) = authorization
            && name == X_AUTH_TOKEN
            && self.forget(&token)
        {
            drop(opened);
            let authorization = self.authorization().await?;
            return self.open_as(request, url, authorization.as_ref()).await;
        }
        Ok(opened)
    }

    async fn open_as(
        &self,
        request: &Request,
        url: &Url,
        authorization: Option<&(HeaderName, HeaderValue)>,
    ) -> Result<Opened, Error> {
        let sent: http::Request<Bytes> = prepare(request, url, authorization)?;
        let (parts, body) = self.inner.transport.open(sent).await?.into_parts();
        Ok(Opened {
            uri: url.path().to_owned(),
            status: parts.status,
            headers: parts.headers,
            body,
        })
    }
}

/// The answer itself, or the error that it is, with what the service says of it.
async fn checked(opened: Opened, method: &Method) -> Result<Opened, Error> {
    if opened.status.is_success() {
        return Ok(opened);
    }
    let mut said = Vec::new();
    let mut body = opened.body;
    let reading = async {
        while said.len() < MAX_REASON
            && let Some(Ok(piece)) = body.next().await
        {
            said.extend_from_slice(&piece);
        }
    };
    // What has come by then is what is said.
    let _ = tokio::time::timeout(REASON_WITHIN, reading).await;
    let response = Response {
        uri: opened.uri,
        status: opened.status,
        headers: opened.headers,
        body: said.into(),
    };
    let response = response.checked(method)?;
    Err(Error::protocol(format!(
        "{method} {}: {} was not expected",
        response.uri, response.status
    )))
}

//! A request on its way: where it may go, as whom, and what comes back.

use std::sync::atomic::Ordering;
use std::time::Instant;

use bytes::Bytes;
use http::header::{ACCEPT, HeaderName, HeaderValue, LOCATION, USER_AGENT};
use http::{Method, StatusCode};
use tracing::Instrument as _;
use url::Url;

use super::{Client, X_AUTH_TOKEN};
use crate::error::{Error, Kind};
use crate::quirks;
use crate::wire::{Request, Response};

const ODATA_VERSION: HeaderName = HeaderName::from_static("odata-version");
const MAX_REDIRECTS: usize = 5;
/// Sessions that are opened for one request at most: some services refuse a good one now and then.
const MAX_RENEWALS: u32 = 2;

impl Client {
    /// Sends a request and gives back the answer, whatever its status.
    ///
    /// # Errors
    /// Only where there is no answer, no session, or a redirect to another origin.
    pub async fn send(&self, request: Request) -> Result<Response, Error> {
        let mut url = self.resolve(&request.uri)?;
        for _ in 0..=MAX_REDIRECTS {
            let response = self.send_to(&request, &url).await?;
            let status = response.status.as_u16();
            if request.stay || !matches!(status, 301..=303 | 307 | 308) {
                return Ok(response);
            }
            let Some(location) = response.headers.get(LOCATION) else {
                return Ok(response);
            };
            let location = String::from_utf8_lossy(location.as_bytes());
            let next = url.join(&location).map_err(|error| {
                Error::protocol(format!("{}: redirected to no URI", request.uri)).caused_by(error)
            })?;
            let follow = matches!(request.method, Method::GET | Method::HEAD)
                || matches!(status, 307 | 308)
                // Quirk `redirect_to_slash`; 303 would say that it was acted upon.
                || (status != 303 && quirks::only_a_slash(&url, &next));
            if !follow {
                return Ok(response);
            }
            self.same_origin(&next)?;
            url = next;
        }
        Err(Error::protocol(format!(
            "{}: more than {MAX_REDIRECTS} redirects",
            request.uri
        )))
    }

    /// Sends a request; a 4xx or 5xx is an error.
    ///
    /// # Errors
    /// The kind of the answer.
    pub async fn call(&self, request: Request) -> Result<Response, Error> {
        let method = request.method.clone();
        self.send(request).await?.checked(&method)
    }

    async fn send_to(&self, request: &Request, url: &Url) -> Result<Response, Error> {
        if request.anonymous {
            return self.persist(request, url, None).await;
        }
        let mut renewals = 0;
        loop {
            let authorization = self.authorization().await?;
            let response = self.persist(request, url, authorization.as_ref()).await?;
            // The service has ended the session: it did nothing, so the request can be sent again.
            let ended = match authorization {
                Some((name, token)) if response.status == StatusCode::UNAUTHORIZED => {
                    name == X_AUTH_TOKEN && renewals < MAX_RENEWALS && self.forget(&token)
                }
                _ => false,
            };
            if !ended {
                return Ok(response);
            }
            renewals += 1;
        }
    }

    /// Sends it, and again where that is safe and may help.
    async fn persist(
        &self,
        request: &Request,
        url: &Url,
        authorization: Option<&(HeaderName, HeaderValue)>,
    ) -> Result<Response, Error> {
        // Neither query nor headers nor bodies: secrets stand in those.
        let span = tracing::debug_span!(
            "redfish request",
            number = self.inner.sent.fetch_add(1, Ordering::Relaxed),
            service = %self.inner.base.authority(),
            method = %request.method,
            path = url.path(),
        );
        let sending = async {
            let mut sent = 0;
            loop {
                let began = Instant::now();
                let came = self.transmit(request, url, authorization).await;
                sent += 1;
                let millis = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
                match &came {
                    Ok(answer) => {
                        tracing::debug!(status = answer.status.as_u16(), millis, "answered");
                    }
                    Err(error) => tracing::debug!(%error, millis, "not answered"),
                }
                let Some(pause) = self.inner.retry.pause(sent, request, &came) else {
                    return came;
                };
                tracing::info!(sent, pause = ?pause, "sending the request again after a pause");
                tokio::time::sleep(pause).await;
            }
        };
        sending.instrument(span).await
    }

    async fn transmit(
        &self,
        request: &Request,
        url: &Url,
        authorization: Option<&(HeaderName, HeaderValue)>,
    ) -> Result<Response, Error> {
        let sent = prepare(request, url, authorization)?;
        let _place = self.inner.limit.place().await;
        let (mut parts, body) = self.inner.transport.send(sent).await?.into_parts();
        let body = quirks::unpacked(&mut parts.headers, body);
        Ok(Response {
            uri: url.path().to_owned(),
            status: parts.status,
            headers: parts.headers,
            body,
        })
    }

    pub(crate) fn resolve(&self, uri: &str) -> Result<Url, Error> {
        let url = self.inner.base.join(uri).map_err(|error| {
            Error::new(Kind::Refused, format!("{uri}: no URI")).caused_by(error)
        })?;
        self.same_origin(&url)?;
        Ok(url)
    }

    pub(super) fn same_origin(&self, url: &Url) -> Result<(), Error> {
        if url.origin() == self.inner.base.origin() {
            return Ok(());
        }
        Err(Error::new(
            Kind::Refused,
            format!(
                "{} leads away from {}; if that is the service, name it instead",
                url.origin().ascii_serialization(),
                self.origin()
            ),
        ))
    }
}

/// The request as it goes over the wire.
pub(super) fn prepare(
    request: &Request,
    url: &Url,
    authorization: Option<&(HeaderName, HeaderValue)>,
) -> Result<http::Request<Bytes>, Error> {
    let mut sent = http::Request::new(request.body.clone());
    *sent.method_mut() = request.method.clone();
    *sent.uri_mut() = plain(url).parse().map_err(|error: http::uri::InvalidUri| {
        Error::new(Kind::Refused, format!("{}: no URI", request.uri)).caused_by(error)
    })?;
    let headers = sent.headers_mut();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(ODATA_VERSION, HeaderValue::from_static("4.0"));
    headers.insert(
        USER_AGENT,
        HeaderValue::from_static(concat!("hawkfish/", env!("CARGO_PKG_VERSION"))),
    );
    if let Some((name, value)) = authorization {
        headers.insert(name, value.clone());
    }
    for (name, value) in &request.headers {
        headers.insert(name, value.clone());
    }
    Ok(sent)
}

/// The URL as it is sent: a fragment stays with us.
fn plain(url: &Url) -> &str {
    let text = url.as_str();
    text.split_once('#').map_or(text, |(before, _)| before)
}

//! Over the network: HTTP/1.1 or 2, TLS by rustls.

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use futures::future::BoxFuture;
use futures::stream::{StreamExt as _, TryStreamExt as _};
use url::Host;

use super::{Chunks, MAX_BODY, Outgoing, Transport};
use crate::error::{Error, Kind};

/// Whom to believe that they are the service.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trust {
    pub(crate) ca_pem: Vec<Vec<u8>>,
    pub(crate) insecure: bool,
    /// SHA-256 of certificates; where there are some, no other is trusted.
    pub(crate) fingerprints: Vec<[u8; 32]>,
}

#[derive(Debug)]
pub(crate) struct Network {
    http: reqwest::Client,
    timeout: Duration,
}

/// Longer than anything is listened to: a stream has no end that could be late.
const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
/// A peer that is gone without a word is found out by this, also where a stream is silent by right.
const KEEPALIVE: Duration = Duration::from_secs(30);

impl Network {
    pub(crate) fn new(base: &url::Url, trust: &Trust, timeout: Duration) -> Result<Self, Error> {
        let mut builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(timeout.min(Duration::from_secs(10)))
            // BMCs close a connection that nobody uses after five seconds; a change sent at that moment would be lost, and nobody could tell whether it was made.
            .pool_idle_timeout(Duration::from_secs(4))
            .timeout(timeout)
            .tcp_keepalive(KEEPALIVE)
            .tcp_keepalive_interval(KEEPALIVE / 3)
            .tcp_keepalive_retries(3)
            .referer(false)
            .danger_accept_invalid_certs(trust.insecure);
        for pem in &trust.ca_pem {
            let wrong = |error| {
                Error::new(Kind::Refused, "the CA file holds no PEM certificate").caused_by(error)
            };
            let certificates = reqwest::Certificate::from_pem_bundle(pem).map_err(wrong)?;
            if certificates.is_empty() {
                return Err(Error::new(
                    Kind::Refused,
                    "the CA file holds no PEM certificate",
                ));
            }
            for certificate in certificates {
                builder = builder.add_root_certificate(certificate);
            }
        }
        if !trust.fingerprints.is_empty() {
            let wrong = |error| Error::new(Kind::Refused, "TLS cannot be set up").caused_by(error);
            builder = builder
                .use_preconfigured_tls(super::pinned::config(&trust.fingerprints).map_err(wrong)?);
        }
        if local(base) {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|error| {
            Error::new(Kind::Refused, "the network client cannot be set up").caused_by(error)
        })?;
        Ok(Self { http, timeout })
    }
}

/// What runs on this machine is not behind a proxy.
pub(super) fn local(base: &url::Url) -> bool {
    match base.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

impl Transport for Network {
    fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> BoxFuture<'_, Result<http::Response<Bytes>, Error>> {
        Box::pin(async move {
            let what = what(&request);
            let failed = |error| failed(&what, error);
            let request = reqwest::Request::try_from(request).map_err(failed)?;
            let response = self.http.execute(request).await.map_err(failed)?;
            whole(&what, response).await
        })
    }

    fn open(
        &self,
        request: http::Request<Bytes>,
    ) -> BoxFuture<'_, Result<http::Response<Chunks>, Error>> {
        Box::pin(async move {
            let what = what(&request);
            let mut request =
                reqwest::Request::try_from(request).map_err(|error| failed(&what, error))?;
            // The time of a request is that to its headers: its body has none.
            *request.timeout_mut() = Some(FOR_EVER);
            let opened = tokio::time::timeout(self.timeout, self.http.execute(request))
                .await
                .map_err(|_| {
                    Error::new(Kind::Transport, format!("{what}: no answer in time")).hopeless()
                })?;
            let mut response = opened.map_err(|error| failed(&what, error))?;
            let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
            let pieces = response.bytes_stream();
            let pieces = pieces.map_err(move |error| failed(&what, error)).boxed();
            let mut answer = http::Response::new(pieces);
            *answer.status_mut() = status;
            *answer.headers_mut() = headers;
            Ok(answer)
        })
    }

    fn upload(
        &self,
        request: http::Request<Outgoing>,
    ) -> BoxFuture<'_, Result<http::Response<Bytes>, Error>> {
        Box::pin(async move {
            let what = what(&request);
            let taken = Arc::new(Mutex::new(Instant::now()));
            let seen = taken.clone();
            let (parts, body) = request.into_parts();
            // A piece is asked for when there is room for it: the service takes what went before.
            let pieces = body.chunks.inspect(move |_| {
                *seen.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
            });
            let body = reqwest::Body::wrap_stream(pieces);
            let request = http::Request::from_parts(parts, body);
            let mut request =
                reqwest::Request::try_from(request).map_err(|error| failed(&what, error))?;
            *request.timeout_mut() = Some(FOR_EVER);
            let mut answer = pin!(async {
                let response = self.http.execute(request).await;
                whole(&what, response.map_err(|error| failed(&what, error))?).await
            });
            loop {
                let last = *taken.lock().unwrap_or_else(PoisonError::into_inner);
                let late = last + self.timeout;
                tokio::select! {
                    answer = &mut answer => return answer,
                    () = tokio::time::sleep_until(late.into()) => {}
                }
                if *taken.lock().unwrap_or_else(PoisonError::into_inner) == last {
                    let why = format!("{what}: no answer in time");
                    return Err(Error::new(Kind::Transport, why));
                }
            }
        })
    }
}

/// The whole answer, up to the bound.
async fn whole(
    what: &str,
    mut response: reqwest::Response,
) -> Result<http::Response<Bytes>, Error> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| failed(what, error))?
    {
        if body.len() + chunk.len() > MAX_BODY {
            return Err(Error::protocol(format!(
                "{what}: the answer is longer than {MAX_BODY} bytes"
            )));
        }
        body.extend_from_slice(&chunk);
    }
    let mut answer = http::Response::new(body.freeze());
    *answer.status_mut() = response.status();
    *answer.headers_mut() = std::mem::take(response.headers_mut());
    Ok(answer)
}

fn what<B>(request: &http::Request<B>) -> String {
    format!("{} {}", request.method(), request.uri().path())
}

fn failed(what: &str, error: reqwest::Error) -> Error {
    let how = if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "cannot connect"
    } else {
        "no whole answer"
    };
    let (late, unsent) = (error.is_timeout(), error.is_connect());
    let hopeless = late || distrusted(&error);
    let mut failed =
        Error::new(Kind::Transport, format!("{what}: {how}")).caused_by(error.without_url());
    if unsent {
        failed = failed.unsent();
    }
    match hopeless {
        true => failed.hopeless(),
        false => failed,
    }
}

/// Whether it is for TLS that it failed: that would be so the next time, too.
fn distrusted(error: &(dyn std::error::Error + 'static)) -> bool {
    if error.is::<rustls::Error>() {
        return true;
    }
    // What an error of I/O was made of it shows, but not as its source.
    let inside = error.downcast_ref::<std::io::Error>();
    match inside.and_then(std::io::Error::get_ref) {
        Some(inside) => distrusted(inside),
        None => error.source().is_some_and(distrusted),
    }
}

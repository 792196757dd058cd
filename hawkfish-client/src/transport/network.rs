//! Over the network: HTTP/1.1 or 2, TLS by rustls.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::future::BoxFuture;
use url::Host;

use super::{MAX_BODY, Transport};
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
}

impl Network {
    pub(crate) fn new(base: &url::Url, trust: &Trust, timeout: Duration) -> Result<Self, Error> {
        let mut builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(timeout.min(Duration::from_secs(10)))
            .timeout(timeout)
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
        // What runs on this machine is not behind a proxy.
        let local = match base.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        if local {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|error| {
            Error::new(Kind::Refused, "the network client cannot be set up").caused_by(error)
        })?;
        Ok(Self { http })
    }
}

impl Transport for Network {
    fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> BoxFuture<'_, Result<http::Response<Bytes>, Error>> {
        Box::pin(async move {
            let what = format!("{} {}", request.method(), request.uri().path());
            let failed = |error: reqwest::Error| {
                let how = if error.is_timeout() {
                    "no answer in time"
                } else if error.is_connect() {
                    "cannot connect"
                } else {
                    "no whole answer"
                };
                Error::new(Kind::Transport, format!("{what}: {how}")).caused_by(error.without_url())
            };
            let request = reqwest::Request::try_from(request).map_err(failed)?;
            let mut response = self.http.execute(request).await.map_err(failed)?;
            let mut body = BytesMut::new();
            while let Some(chunk) = response.chunk().await.map_err(failed)? {
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
        })
    }
}

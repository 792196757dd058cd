//! Straight into a service in the same process: no socket, no port, no TLS.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Mutex;

use bytes::{Buf as _, Bytes};
use futures::future::BoxFuture;
use futures::stream::StreamExt as _;
use http::HeaderValue;
use http::header::HOST;
use http_body_util::{BodyExt as _, Limited};
use tower::{Service, ServiceExt as _};

use super::{Chunks, MAX_BODY, Transport};
use crate::error::{Error, Kind};

/// A transport to any `tower` service that takes HTTP requests, such as an `axum::Router`.
///
/// The service sees what it would see behind an HTTP server: a URI without authority, and `Host`.
pub struct InProcess<S, B> {
    // A service is often `Send` but not `Sync`; it is only cloned under the lock, never called.
    service: Mutex<S>,
    body: PhantomData<fn() -> B>,
}

impl<S, B> InProcess<S, B> {
    /// A transport to `service`, which is cloned for each request.
    pub fn new(service: S) -> Self {
        Self {
            service: Mutex::new(service),
            body: PhantomData,
        }
    }
}

impl<S, B> fmt::Debug for InProcess<S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InProcess")
    }
}

impl<S, B, R> Transport for InProcess<S, B>
where
    S: Service<http::Request<B>, Response = http::Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: From<Bytes> + Send + 'static,
    R: http_body::Body + Send + 'static,
    R::Data: Send,
    R::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> BoxFuture<'_, Result<http::Response<Bytes>, Error>> {
        let what = what(&request);
        let asked = self.ask(request);
        Box::pin(async move {
            let (parts, body) = asked.await?.into_parts();
            let body = Limited::new(body, MAX_BODY)
                .collect()
                .await
                .map_err(|error| broken(&what).caused_by(error))?;
            Ok(http::Response::from_parts(parts, body.to_bytes()))
        })
    }

    fn open(
        &self,
        request: http::Request<Bytes>,
    ) -> BoxFuture<'_, Result<http::Response<Chunks>, Error>> {
        let what = what(&request);
        let asked = self.ask(request);
        Box::pin(async move {
            Ok(asked.await?.map(|body| {
                let pieces = body.into_data_stream().map(move |piece| match piece {
                    Ok(mut piece) => Ok(piece.copy_to_bytes(piece.remaining())),
                    Err(error) => Err(broken(&what).caused_by(error)),
                });
                pieces.boxed()
            }))
        })
    }
}

impl<S, B, R> InProcess<S, B>
where
    S: Service<http::Request<B>, Response = http::Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: From<Bytes> + Send + 'static,
    R: Send + 'static,
{
    /// The answer of the service, whose body nobody has read.
    fn ask(
        &self,
        request: http::Request<Bytes>,
    ) -> BoxFuture<'static, Result<http::Response<R>, Error>> {
        let service = self
            .service
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .clone();
        Box::pin(async move {
            let what = what(&request);
            let (mut parts, body) = request.into_parts();
            if let Some(authority) = parts.uri.authority()
                && let Ok(host) = HeaderValue::try_from(authority.as_str())
            {
                parts.headers.entry(HOST).or_insert(host);
            }
            let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
            parts.uri = path.parse().map_err(|error: http::uri::InvalidUri| {
                Error::new(Kind::Refused, format!("{what}: no URI")).caused_by(error)
            })?;
            service
                .oneshot(http::Request::from_parts(parts, B::from(body)))
                .await
                .map_err(|error| {
                    Error::new(Kind::Transport, format!("{what}: the service failed"))
                        .caused_by(error)
                })
        })
    }
}

fn what(request: &http::Request<Bytes>) -> String {
    format!("{} {}", request.method(), request.uri().path())
}

fn broken(what: &str) -> Error {
    Error::new(Kind::Transport, format!("{what}: no whole answer"))
}

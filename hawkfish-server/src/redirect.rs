//! Plain HTTP where encryption is meant: no more than the way to https.
//!
//! Nothing that was sent is looked at, credentials least of all: it came unprotected. The answer keeps the method (RFC 9110, 15.4.9), so that what the client wants
//! is asked again where it may be asked.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::header::{CACHE_CONTROL, CONNECTION, HOST, LOCATION};
use http::uri::Authority;
use http::{HeaderValue, Request, Response, StatusCode};
use hyper::rt::{Read, Write};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// How long a client may take to say what it wants, and to read the answer.
const TIME: Duration = Duration::from_secs(10);
/// Most connections at a time; others wait.
const MOST: usize = 64;

/// Sends whoever comes to `listener` to https on `port`, until `stop` is done.
pub async fn serve(listener: TcpListener, port: u16, stop: impl Future<Output = ()>) {
    let places = Arc::new(Semaphore::new(MOST));
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = tokio::select! {
            () = &mut stop => return,
            accepted = accept(&listener, &places) => accepted,
        };
        match accepted {
            Ok((stream, place)) => {
                tokio::spawn(async move {
                    let local = stream.local_addr();
                    if let Ok(local) = local {
                        let at = SocketAddr::new(local.ip(), port);
                        answer(TokioIo::new(stream), at, Port::Another).await;
                    }
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a plain connection was not accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(tokio::net::TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let place = places.clone().acquire_owned().await;
    let place = place.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, place))
}

/// Which port a client used that spoke plain HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Port {
    /// The one where TLS is spoken: what the client calls it is right.
    Tls,
    /// Another.
    Another,
}

/// Answers the one request of a connection. `https` is where TLS is spoken.
pub(crate) async fn answer<I>(io: I, https: SocketAddr, port: Port)
where
    I: Read + Write + Unpin + Send + 'static,
{
    let service = hyper::service::service_fn(move |request: Request<hyper::body::Incoming>| {
        let response = away(&request, https, port);
        async move { Ok::<_, Infallible>(response) }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(TIME)
        .keep_alive(false)
        .max_buf_size(16 * 1024)
        .serve_connection(io, service);
    // Whoever breaks off has no answer coming.
    let _ = tokio::time::timeout(TIME, serving).await;
}

fn away<B>(request: &Request<B>, https: SocketAddr, port: Port) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    match location(request, https, port) {
        Some(location) => {
            *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
            response.headers_mut().insert(LOCATION, location);
        }
        None => *response.status_mut() = StatusCode::BAD_REQUEST,
    }
    let headers = response.headers_mut();
    headers.insert("odata-version", HeaderValue::from_static("4.0"));
    // Who stops using TLS again is not to be haunted by this.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

fn location<B>(request: &Request<B>, https: SocketAddr, port: Port) -> Option<HeaderValue> {
    let named = match request.uri().authority() {
        Some(authority) => Some(authority.clone()),
        None => match request.headers().get(HOST) {
            Some(host) => Some(host.to_str().ok()?.parse::<Authority>().ok()?),
            None => None,
        },
    };
    let (host, said) = match &named {
        Some(name) if name.as_str().contains('@') => return None,
        Some(name) => (name.host().to_owned(), name.port_u16()),
        None => {
            let local = Authority::try_from(https.to_string()).ok()?;
            (local.host().to_owned(), Some(https.port()))
        }
    };
    let to = match port {
        Port::Tls => said,
        Port::Another => Some(https.port()),
    };
    let path = request
        .uri()
        .path_and_query()
        .map_or("/", |path| path.as_str());
    let path = if path.starts_with('/') { path } else { "/" };
    let location = match to {
        Some(port) if port != 443 => format!("https://{host}:{port}{path}"),
        _ => format!("https://{host}{path}"),
    };
    HeaderValue::try_from(location).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_to_https_keeps_host_path_and_query() {
        let to = |uri: &str, host: &str, https: &str, port| {
            let mut request = Request::get(uri);
            if !host.is_empty() {
                request = request.header(HOST, host);
            }
            let request = request.body(()).unwrap();
            location(&request, https.parse().unwrap(), port)
                .map(|value| value.to_str().unwrap().to_owned())
        };
        let (https, other) = ("127.0.0.1:8443", Port::Another);
        let path = "/redfish/v1/Systems?$top=1";
        assert_eq!(
            to(path, "bmc.example:8080", https, other).unwrap(),
            "https://bmc.example:8443/redfish/v1/Systems?$top=1"
        );
        assert_eq!(
            to(path, "bmc.example", "127.0.0.1:443", other).unwrap(),
            "https://bmc.example/redfish/v1/Systems?$top=1"
        );
        // Something between may have given the port another number.
        assert_eq!(
            to("/", "bmc.example:9000", https, Port::Tls).unwrap(),
            "https://bmc.example:9000/"
        );
        assert_eq!(
            to("/", "", "[::1]:8443", other).unwrap(),
            "https://[::1]:8443/"
        );
        assert_eq!(
            to("/", "[::1]:80", https, other).unwrap(),
            "https://[::1]:8443/"
        );
        for bad in ["me@bmc.example", "bmc example", "/"] {
            assert_eq!(to("/", bad, https, other), None, "{bad}");
        }
    }
}

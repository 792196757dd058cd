//! On a socket: accepting connections, TLS, bounds, and a graceful end.

mod porter;
mod shape;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use http::header::CONNECTION;
use http::{HeaderValue, Request, Response, Version};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tower::ServiceExt as _;

use self::porter::{Everybody, mute};
use self::shape::{Said, Shaped};
use crate::app::App;
use crate::layers::{Certified, Peer};
use crate::redirect::{self, Port};

pub use self::porter::{Admission, Entry as Admitted, Porter};

/// How long a client may take to say what it wants.
const HEADER_TIME: Duration = Duration::from_secs(30);
/// How long a handshake may take.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
/// How long requests may take to end once the service is told to.
const DRAIN_TIME: Duration = Duration::from_secs(20);
/// Most bytes of a request's head.
const HEAD_BYTES: usize = 64 * 1024;

/// In the extensions of an answer: it is not sent, and the connection is closed instead.
#[derive(Clone, Copy, Debug)]
pub struct Close;

/// In the extensions of an answer: these bytes are written to the connection in its place, then it is closed. Only where HTTP/1 is spoken; another connection is
/// closed at once.
#[derive(Clone, Debug)]
pub struct Raw(pub Bytes);

/// Bounds of the socket.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Most connections at a time; others wait.
    pub max_connections: usize,
}

/// Ends a connection, whatever it is at. The socket puts it into the extensions of each request.
#[derive(Clone, Debug, Default)]
pub struct Hangup(Arc<Notify>);

impl Hangup {
    /// Ends it now.
    pub fn now(&self) {
        self.0.notify_one();
    }
}

/// Serves `app` on `listener` until `stop` is done, then lets the requests under way come to their end.
///
/// # Errors
/// None for what a client does; only a listener that is broken for good.
pub async fn serve(
    app: App,
    listener: TcpListener,
    tls: Option<Arc<rustls::ServerConfig>>,
    bounds: Bounds,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    serve_behind(app, listener, tls, bounds, Arc::new(Everybody), stop).await
}

/// As [`serve`], with a porter who looks at each connection first. For simulations of services that misbehave.
///
/// # Errors
/// As [`serve`].
pub async fn serve_behind(
    app: App,
    listener: TcpListener,
    tls: Option<Arc<rustls::ServerConfig>>,
    bounds: Bounds,
    porter: Arc<dyn Porter>,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let opening = Opening {
        listener,
        app,
        porter,
    };
    serve_all(vec![opening], tls, bounds, stop).await
}

/// A listener, and what answers there.
#[derive(Debug)]
pub struct Opening {
    /// Where connections come.
    pub listener: TcpListener,
    /// What they are answered by.
    pub app: App,
    /// Who looks at them first.
    pub porter: Arc<dyn Porter>,
}

/// As [`serve_behind`], on many listeners with one loop: one that nobody comes to costs its socket and little else. All of them are of one service.
///
/// # Errors
/// As [`serve`].
pub async fn serve_all(
    openings: Vec<Opening>,
    tls: Option<Arc<rustls::ServerConfig>>,
    bounds: Bounds,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let acceptor = tls.map(TlsAcceptor::from);
    let mut waiting: FuturesUnordered<_> = openings.iter().map(next).collect();
    let places = Arc::new(Semaphore::new(bounds.max_connections));
    let server = Arc::new(server());
    let graceful = GracefulShutdown::new();
    // Nothing is ever sent; that the sender is gone says that it is over for who has not asked for anything yet.
    let (open, closing) = watch::channel(());
    let mut stop = std::pin::pin!(stop);
    loop {
        let place = tokio::select! {
            () = &mut stop => break,
            place = places.clone().acquire_owned() => place.map_err(io::Error::other)?,
        };
        let accepted = tokio::select! {
            () = &mut stop => break,
            Some(accepted) = waiting.next() => accepted,
            else => break,
        };
        let (opening, accepted) = accepted;
        waiting.push(next(opening));
        let Opening { app, porter, .. } = opening;
        let (stream, client) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, or a client that was gone before it was let in: neither ends the service.
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Admission { entry, tls, kept } = porter.admit(client);
        // TLS or not is the listener's; whose certificate it is, the porter's.
        let acceptor = acceptor
            .as_ref()
            .map(|usual| tls.map_or_else(|| usual.clone(), TlsAcceptor::from));
        let app = app.clone();
        let hangup = Hangup::default();
        let (server, watcher) = (server.clone(), graceful.watcher());
        let closing = closing.clone();
        tokio::spawn(async move {
            let cut = hangup.clone();
            let ends = Ends {
                watcher,
                closing,
                hangup,
            };
            let served = connection(app, stream, client, acceptor, &server, entry, ends);
            let served = tokio::select! {
                served = served => served,
                () = cut.0.notified() => Err("it was cut".into()),
            };
            if let Err(error) = served {
                tracing::debug!(%client, %error, "a connection ended badly");
            }
            drop((place, kept));
        });
    }
    drop(waiting);
    // They would go on for ever.
    if let Some(opening) = openings.first() {
        opening.app.end_streams();
    }
    drop(openings);
    drop(open);
    if tokio::time::timeout(DRAIN_TIME, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("some requests did not end in time");
    }
    Ok(())
}

async fn next(opening: &Opening) -> (&Opening, io::Result<(TcpStream, SocketAddr)>) {
    (opening, opening.listener.accept().await)
}

fn server() -> auto::Builder<TokioExecutor> {
    let mut server = auto::Builder::new(TokioExecutor::new());
    server
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .max_buf_size(HEAD_BYTES);
    server
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(HEAD_BYTES as u32)
        .max_concurrent_streams(128)
        .keep_alive_interval(Duration::from_secs(30));
    server
}

/// How a connection comes to its end before its client wants it to.
struct Ends {
    /// Once its requests are answered.
    watcher: hyper_util::server::graceful::Watcher,
    /// Before it has asked for anything.
    closing: watch::Receiver<()>,
    /// At once.
    hangup: Hangup,
}

async fn connection(
    app: App,
    stream: TcpStream,
    client: SocketAddr,
    acceptor: Option<TlsAcceptor>,
    server: &auto::Builder<TokioExecutor>,
    entry: Admitted,
    ends: Ends,
) -> Result<(), axum::BoxError> {
    let Ends {
        watcher,
        mut closing,
        hangup,
    } = ends;
    stream.set_nodelay(true)?;
    match entry {
        Admitted::Served => {}
        Admitted::Reset => return Ok(stream.set_zero_linger()?),
        Admitted::Mute { after } => {
            tokio::select! {
                () = mute(stream, acceptor, after) => {}
                _ = closing.changed() => {}
            }
            return Ok(());
        }
    }
    let peer = Peer {
        address: client.ip().to_canonical(),
        tls: acceptor.is_some(),
    };
    let Some(acceptor) = acceptor else {
        let (stream, service) = speaking(app, stream, peer, None, hangup);
        let serving = server.serve_connection(TokioIo::new(stream), service);
        return watcher.watch(serving.into_owned()).await;
    };
    let mut first = [0];
    let handshake = async {
        // A TLS client says hello with a record of type 22; a letter is somebody who speaks plain HTTP.
        let read = stream.peek(&mut first).await?;
        if read == 1 && first[0].is_ascii_uppercase() {
            let https = stream.local_addr()?;
            redirect::answer(TokioIo::new(stream), https, Port::Tls).await;
            return Ok(None);
        }
        acceptor.accept(stream).await.map(Some)
    };
    let shaken = tokio::select! {
        shaken = tokio::time::timeout(HANDSHAKE_TIME, handshake) => shaken??,
        _ = closing.changed() => None,
    };
    match shaken {
        None => Ok(()),
        Some(stream) => {
            let certified = certified(&app, &stream);
            let (stream, service) = speaking(app, stream, peer, certified, hangup);
            let serving = server.serve_connection(TokioIo::new(stream), service);
            watcher.watch(serving.into_owned()).await
        }
    }
}

/// The service, told who is at the other end of the connection; and the connection, told when the service has been asked for something.
fn speaking<S>(
    app: App,
    stream: S,
    peer: Peer,
    certified: Option<Certified>,
    hangup: Hangup,
) -> (
    Shaped<S>,
    TowerToHyperService<
        impl Clone
        + tower::Service<
            Request<Incoming>,
            Response = Response<Body>,
            Error = io::Error,
            Future: Send,
        >,
    >,
) {
    let asked = Arc::new(AtomicBool::new(false));
    let said = Said::default();
    let stream = Shaped::new(stream, asked.clone(), said.clone());
    let is_http1 = Arc::new(AtomicBool::new(true));
    let speaks = is_http1.clone();
    let service = app.map_request(move |mut request: Request<Incoming>| {
        asked.store(true, Ordering::Relaxed);
        speaks.store(request.version() < Version::HTTP_2, Ordering::Relaxed);
        request.extensions_mut().insert(peer);
        request.extensions_mut().insert(hangup.clone());
        if let Some(certified) = &certified {
            request.extensions_mut().insert(certified.clone());
        }
        request
    });
    let service = service
        .map_err(|never: Infallible| -> io::Error { match never {} })
        .map_result(move |answer: io::Result<Response<Body>>| {
            let answer = answer?;
            if answer.extensions().get::<Close>().is_some() {
                return Err(io::Error::other("closed in place of an answer"));
            }
            let Some(Raw(bytes)) = answer.extensions().get::<Raw>() else {
                return Ok(answer);
            };
            if !is_http1.load(Ordering::Relaxed) {
                return Err(io::Error::other("no bytes of HTTP/1 in place of an answer"));
            }
            said.say(bytes.clone());
            let mut instead = Response::new(Body::empty());
            let close = HeaderValue::from_static("close");
            instead.headers_mut().insert(CONNECTION, close);
            Ok(instead)
        });
    (stream, TowerToHyperService::new(service))
}

/// Whose certificate the client has shown.
fn certified(app: &App, stream: &TlsStream<TcpStream>) -> Option<Certified> {
    let certificates = app.options().client_certificates.as_ref()?;
    let (_, connection) = stream.get_ref();
    let shown = connection.peer_certificates()?.first()?;
    let name = certificates.name_in.of(shown);
    if name.is_none() {
        tracing::info!("a client's certificate is good but holds no user name");
    }
    name.map(Certified)
}

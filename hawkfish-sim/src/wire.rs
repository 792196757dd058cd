//! A world on sockets.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::body::Body;
use hawkfish_server::App;
use hawkfish_server::app::Reach;
use hawkfish_server::serve::{Bounds, Close, Opening, serve_all};
use hawkfish_server::settings::TlsChoice;
use hawkfish_server::tls::{self, Identity};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::control;
use crate::face::{Asked, Face, FaceAt, Faces};
use crate::fault::{Broken, Door};
use crate::gate::Bmc;
use crate::trace::Control;
use crate::world::World;

/// Most connections of a world.
const CONNECTIONS: usize = 16_384;

fn closing(answered: Result<Response<Body>, Broken>) -> Response<Body> {
    answered.unwrap_or_else(|_broken| {
        let mut close = Response::new(Body::empty());
        close.extensions_mut().insert(Close);
        close
    })
}

/// The answer where no BMC is.
fn nobody() -> Response<Body> {
    let mut response = Response::new(Body::from("There is no BMC of that name.\n"));
    *response.status_mut() = StatusCode::NOT_FOUND;
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, text);
    response
}

/// Why the port of a face cannot be had.
fn refused(error: &io::Error, ip: IpAddr, port: u16, place: usize, count: usize) -> io::Error {
    /// EMFILE of Linux and of every other Unix.
    const TOO_MANY_FILES: i32 = 24;
    let port = match port {
        0 => "a free port".to_owned(),
        port => format!("port {port}"),
    };
    let mut why = format!(
        "{port} at {ip} cannot be had for face {} of {count}: {error}",
        place + 1
    );
    if error.raw_os_error() == Some(TOO_MANY_FILES) {
        why.push_str(&format!(
            "; each face takes an open file, and each connection another: allow more than {} (ulimit -n), or have faces by host or prefix",
            count + 64
        ));
    }
    io::Error::new(error.kind(), why)
}

/// A world that is served. It is served until this is dropped.
#[derive(Debug)]
pub struct Served {
    /// Where.
    pub address: SocketAddr,
    is_tls: bool,
    /// The world, where its service is served.
    world: Option<World>,
    end: watch::Sender<()>,
    task: Option<JoinHandle<io::Result<()>>>,
}

impl Served {
    /// The URL, without a slash at its end.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.is_tls { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// The face of each system, in the order of racks and systems; none where the description makes none.
    pub fn faces(&self) -> impl Iterator<Item = FaceAt> + '_ {
        let world = self.world.as_ref();
        let count = world.map_or(0, World::face_count);
        (0..count).filter_map(move |place| world?.faces(place, 1).pop())
    }

    /// The URL of the face of a system, by its name, without a slash at its end.
    #[must_use]
    pub fn face_url(&self, name: &str) -> Option<String> {
        self.faces().find(|face| face.name == name)?.url
    }

    /// Ends it: requests under way are finished.
    ///
    /// # Errors
    /// A listener that broke.
    pub async fn end(mut self) -> io::Result<()> {
        self.end.send_replace(());
        match self.task.take() {
            Some(task) => task.await.map_err(io::Error::other)?,
            None => Ok(()),
        }
    }
}

impl World {
    /// The service with its faults, for sockets: a connection that a fault closes is closed.
    pub(crate) fn front(&self) -> App {
        let (world, fleet) = (self.clone(), self.bmc());
        self.app().clone().behind(move |request| {
            let (world, fleet) = (world.clone(), fleet.clone());
            Box::pin(async move {
                match world.asked(request) {
                    (Asked::Fleet, request) => closing(fleet.answer(request).await),
                    (Asked::Face(face), request) => {
                        closing(Bmc::new(world, face).answer(request).await)
                    }
                    (Asked::Nobody, _) => nobody(),
                }
            })
        })
    }

    /// The same for the port of the system at a place.
    fn front_at(&self, place: usize) -> App {
        let world = self.clone();
        self.app().clone().behind(move |request| {
            let world = world.clone();
            Box::pin(async move {
                match world.face_at(place) {
                    Some(face) => closing(Bmc::new(world, Arc::new(face)).answer(request).await),
                    None => nobody(),
                }
            })
        })
    }

    /// A listener for each system, where each has a port of its own.
    async fn port_listeners(&self, ip: IpAddr) -> io::Result<Vec<TcpListener>> {
        let Some(Faces::Port { first_port }) = self.plan().faces else {
            return Ok(Vec::new());
        };
        let count = self.face_count();
        let mut all = Vec::with_capacity(count);
        for place in 0..count {
            let port = match first_port {
                0 => 0,
                first => first.saturating_add(u16::try_from(place).unwrap_or(u16::MAX)),
            };
            let listener = TcpListener::bind((ip, port)).await;
            all.push(listener.map_err(|error| refused(&error, ip, port, place, count))?);
        }
        Ok(all)
    }

    /// Has the service tell where it is served.
    pub(crate) fn tell_served(&self, at: SocketAddr, tls: bool, identity: Option<Arc<Identity>>) {
        self.app().reached(Reach {
            https: tls.then_some(at),
            http: (!tls).then_some(at),
            identity,
            ..Reach::default()
        });
        self.traced(|trace| trace.control(self.now(), Control::Served { at, tls }));
    }

    /// Serves this world by plain HTTP at `at`; port 0 is any free one.
    ///
    /// # Errors
    /// An address that cannot be had.
    pub async fn serve(&self, at: SocketAddr) -> io::Result<Served> {
        self.serve_with(at, None).await
    }

    /// Serves this world at `at`, by TLS where a configuration is given.
    ///
    /// # Errors
    /// An address that cannot be had.
    pub async fn serve_with(
        &self,
        at: SocketAddr,
        tls: Option<Arc<rustls::ServerConfig>>,
    ) -> io::Result<Served> {
        self.serve_as(at, tls, None).await
    }

    async fn serve_as(
        &self,
        at: SocketAddr,
        tls: Option<Arc<rustls::ServerConfig>>,
        identity: Option<Arc<Identity>>,
    ) -> io::Result<Served> {
        let listener = TcpListener::bind(at).await?;
        let address = listener.local_addr()?;
        self.tell_served(address, tls.is_some(), identity);
        let bounds = Bounds {
            max_connections: CONNECTIONS,
        };
        let (end, mut ending) = watch::channel(());
        let is_tls = tls.is_some();
        let opening = |listener, app, face| Opening {
            listener,
            app,
            porter: Arc::new(Door::new(self.clone(), Arc::new(face), tls.clone())),
        };
        let mut openings = vec![opening(listener, self.front(), Face::fleet())];
        let mut ports = Vec::new();
        for (place, listener) in self
            .port_listeners(address.ip())
            .await?
            .into_iter()
            .enumerate()
        {
            ports.push(listener.local_addr()?.port());
            if let Some(face) = self.face_at(place) {
                openings.push(opening(listener, self.front_at(place), face));
            }
        }
        self.plan().serve(address, tls.is_some(), ports);
        let task = tokio::spawn(async move {
            let stop = async move {
                // Also when nobody is left to say so.
                let _ = ending.changed().await;
            };
            serve_all(openings, tls, bounds, stop).await
        });
        Ok(Served {
            address,
            is_tls,
            world: Some(self.clone()),
            end,
            task: Some(task),
        })
    }

    /// Serves this world by TLS as production does: with a certificate that it signs itself and keeps in `dir`, which is told of by the service and can be
    /// replaced there. Its key is left to chance.
    ///
    /// # Errors
    /// An address that cannot be had, a folder that cannot be written.
    pub async fn serve_with_certificate(
        &self,
        at: SocketAddr,
        dir: &std::path::Path,
    ) -> io::Result<Served> {
        let tls = tls::load(&TlsChoice::SelfSigned, dir, at.ip())?
            .ok_or_else(|| io::Error::other("no certificate was made"))?;
        self.serve_as(at, Some(tls.config), Some(tls.identity))
            .await
    }

    /// Serves the control of this world at `at` for whoever has the token: see [`crate::control`].
    ///
    /// # Errors
    /// An address that cannot be had.
    pub async fn serve_control(
        &self,
        at: SocketAddr,
        token: impl Into<String>,
    ) -> io::Result<Served> {
        let listener = TcpListener::bind(at).await?;
        let address = listener.local_addr()?;
        let router = control::router(self.clone(), token);
        let (end, mut ending) = watch::channel(());
        let task = tokio::spawn(async move {
            let stop = async move {
                let _ = ending.changed().await;
            };
            axum::serve(listener, router)
                .with_graceful_shutdown(stop)
                .await
        });
        Ok(Served {
            address,
            is_tls: false,
            world: None,
            end,
            task: Some(task),
        })
    }
}

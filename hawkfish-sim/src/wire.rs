//! A world on sockets.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use hawkfish_server::App;
use hawkfish_server::app::Reach;
use hawkfish_server::serve::{Bounds, Close, serve};
use http::Response;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::control;
use crate::world::World;

/// Most connections of a world.
const CONNECTIONS: usize = 16_384;

/// A world that is served. It is served until this is dropped.
#[derive(Debug)]
pub struct Served {
    /// Where.
    pub address: SocketAddr,
    end: watch::Sender<()>,
    task: Option<JoinHandle<io::Result<()>>>,
}

impl Served {
    /// The URL, without a slash at its end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
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
        let bmc = self.bmc();
        self.app().clone().behind(move |request| {
            let bmc = bmc.clone();
            Box::pin(async move {
                match bmc.answer(request).await {
                    Ok(response) => response,
                    Err(_broken) => {
                        let mut close = Response::new(Body::empty());
                        close.extensions_mut().insert(Close);
                        close
                    }
                }
            })
        })
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
        let listener = TcpListener::bind(at).await?;
        let address = listener.local_addr()?;
        self.app().reached(Reach {
            https: tls.is_some().then_some(address),
            http: tls.is_none().then_some(address),
            ..Reach::default()
        });
        let bounds = Bounds {
            max_connections: CONNECTIONS,
        };
        let (end, mut ending) = watch::channel(());
        let app = self.front();
        let task = tokio::spawn(async move {
            let stop = async move {
                // Also when nobody is left to say so.
                let _ = ending.changed().await;
            };
            serve(app, listener, tls, bounds, stop).await
        });
        Ok(Served {
            address,
            end,
            task: Some(task),
        })
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
            end,
            task: Some(task),
        })
    }
}

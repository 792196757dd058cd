//! From settings to a service on its sockets: the one way to start, of the program and of whoever embeds it.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hawkfish_core::accounts::FirstAdmin;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::app::{App, Reach};
use crate::assemble::{Assembled, Machines, assemble};
use crate::banner::Banner;
use crate::serve::{Bounds, serve};
use crate::settings::Settings;
use crate::ssdp::{self, Place, Switch};
use crate::tls::{self, Tls};
use crate::{HawkFish, redirect};

/// Why a service does not start, or did not end well.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// An address that cannot be had.
    #[error("cannot listen on {at}: {reason}")]
    Listen {
        /// Which.
        at: SocketAddr,
        /// Why.
        reason: io::Error,
    },
    /// Core could not do something: a store that cannot be opened, a password that is too weak.
    #[error(transparent)]
    Core(#[from] hawkfish_core::Error),
    /// A file that cannot be read or written, a listener that broke.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A service that is ready: its addresses are taken, its machines are known, and work in the background is begun. Requests are answered by [`Service::run`].
#[derive(Debug)]
pub struct Service {
    /// Where it listens.
    pub listen: SocketAddr,
    /// What runs the machines.
    pub machines: Machines,
    /// What became of the first account.
    pub admin: FirstAdmin,
    app: App,
    listener: TcpListener,
    plain: Option<TcpListener>,
    tls: Option<Tls>,
    ssdp: Arc<Switch>,
    data_dir: PathBuf,
    bounds: Bounds,
}

async fn bound(at: SocketAddr) -> Result<TcpListener, StartError> {
    let listener = TcpListener::bind(at).await;
    listener.map_err(|reason| StartError::Listen { at, reason })
}

impl Service {
    /// Makes it ready. Where that fails, nothing of it is left.
    ///
    /// # Errors
    /// An address that cannot be had, and as [`assemble`].
    pub async fn start(settings: &Settings) -> Result<Self, StartError> {
        // First of all, so that two services do not work on one port's behalf.
        let listener = bound(settings.listen).await?;
        let listen = listener.local_addr()?;
        let plain = match settings.door.http_redirect {
            Some(at) => Some(bound(at).await?),
            None => None,
        };
        let Assembled {
            app,
            machines,
            admin,
        } = assemble(settings).await?;
        match encryption(settings, listen.ip()) {
            Ok((tls, ssdp)) => Ok(Self {
                listen,
                machines,
                admin,
                app,
                listener,
                plain,
                tls,
                ssdp,
                data_dir: settings.data_dir.clone(),
                bounds: Bounds {
                    max_connections: settings.max_connections,
                },
            }),
            Err(error) => {
                app.hawkfish().close().await?;
                Err(error.into())
            }
        }
    }

    /// The system behind it.
    #[must_use]
    pub fn hawkfish(&self) -> &HawkFish {
        self.app.hawkfish()
    }

    /// The certificate to pin, where it is encrypted.
    #[must_use]
    pub fn certificate(&self) -> Option<&Path> {
        self.tls.as_ref().map(|tls| tls.certificate.as_path())
    }

    /// The password of the first account, where it was made up now.
    #[must_use]
    pub fn made_password(&self) -> Option<&str> {
        match &self.admin {
            FirstAdmin::Made { generated } => generated.as_deref(),
            FirstAdmin::Kept => None,
        }
    }

    /// What there is to tell of it.
    #[must_use]
    pub fn banner(&self) -> Banner<'_> {
        Banner {
            listen: self.listen,
            certificate: self.certificate(),
            machines: &self.machines,
            admin: &self.admin,
            data_dir: &self.data_dir,
        }
    }

    /// Answers requests until `stop` is done, lets those under way come to their end, and ends everything in order.
    ///
    /// # Errors
    /// A listener that broke, a store that fails.
    pub async fn run(
        self,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), StartError> {
        let Self {
            listen,
            app,
            listener,
            plain,
            tls,
            ssdp,
            bounds,
            ..
        } = self;
        app.reached(Reach {
            https: tls.as_ref().map(|_| listen),
            http: match &plain {
                Some(plain) => Some(plain.local_addr()?),
                None => tls.is_none().then_some(listen),
            },
            ssdp: Some(ssdp.clone()),
            asks_clients: app.options().client_certificates.is_some(),
            identity: tls.as_ref().map(|tls| tls.identity.clone()),
        });
        let hf = app.hawkfish().clone();
        let (end, ending) = watch::channel(false);
        tokio::spawn(async move {
            stop.await;
            tracing::info!("ending: no new connections, requests under way are finished");
            end.send_replace(true);
        });
        let ended = || {
            let mut ending = ending.clone();
            async move {
                // Without anybody to say so it ends, too.
                let _ = ending.wait_for(|end| *end).await;
            }
        };
        let mut beside = JoinSet::new();
        if let Some(plain) = plain {
            beside.spawn(redirect::serve(plain, listen.port(), ended()));
        }
        let known = ssdp::Service {
            uuid: hf.uuid(),
            listen,
            tls: tls.is_some(),
        };
        beside.spawn(ssdp::run(ssdp, Place::of(listen.ip()), known, ended()));
        let served = serve(app, listener, tls.map(|tls| tls.config), bounds, ended()).await;
        beside.join_all().await;
        hf.close().await?;
        Ok(served?)
    }
}

fn encryption(settings: &Settings, listen: IpAddr) -> io::Result<(Option<Tls>, Arc<Switch>)> {
    let tls = tls::load(&settings.tls, &settings.data_dir, listen)?;
    let tls = match (tls, &settings.door.clients) {
        (Some(tls), Some(clients)) => Some(tls.asking(&clients.read()?)?),
        (tls, _) => tls,
    };
    let ssdp = Switch::open(&settings.data_dir, settings.door.ssdp)?;
    Ok((tls, Arc::new(ssdp)))
}

//! The service on a socket with TLS, and clients of flesh and blood.

use std::net::SocketAddr;
use std::path::PathBuf;

use hawkfish_server::app::ClientCertificates;
use hawkfish_server::serve::{Bounds, serve};
use hawkfish_server::settings::TlsChoice;
use hawkfish_server::tls;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::door::Door;

/// A service that listens until this is dropped.
pub(crate) struct Listening {
    pub(crate) door: Door,
    pub(crate) address: SocketAddr,
    certificate: PathBuf,
    _stop: oneshot::Sender<()>,
    _dir: tempfile::TempDir,
}

impl Listening {
    pub(crate) async fn start(door: Door) -> Self {
        Self::start_asking(door, None).await
    }

    /// Also asks for certificates of clients.
    pub(crate) async fn start_asking(door: Door, clients: Option<&ClientCertificates>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let tls = tls::load(&TlsChoice::SelfSigned, dir.path(), address.ip());
        let mut tls = tls.unwrap().unwrap();
        if let Some(clients) = clients {
            tls = tls.asking(clients).unwrap();
        }
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async {
            let _ = stopped.await;
        };
        let bounds = Bounds {
            max_connections: 20,
        };
        let app = door.app.clone();
        tokio::spawn(serve(app, listener, Some(tls.config), bounds, stopped));
        Self {
            door,
            address,
            certificate: tls.certificate,
            _stop: stop,
            _dir: dir,
        }
    }

    /// A client that trusts the service.
    pub(crate) fn client(&self) -> reqwest::ClientBuilder {
        let pem = std::fs::read(&self.certificate).unwrap();
        let certificate = reqwest::Certificate::from_pem(&pem).unwrap();
        reqwest::Client::builder()
            .use_rustls_tls()
            .tls_built_in_root_certs(false)
            .add_root_certificate(certificate)
    }

    /// A URL of the service.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.address)
    }
}

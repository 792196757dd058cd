//! Which certificate a service shows, before anybody trusts it: what a person is asked about on first use.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use sha2::{Digest as _, Sha256};
use url::Url;

use super::network::local;
use crate::error::{Error, Kind};

/// The certificate that a service shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// As it was sent.
    pub der: Vec<u8>,
    /// What [`crate::Builder::fingerprint`] takes.
    pub sha256: [u8; 32],
}

impl Certificate {
    /// Asks for it. The handshake is broken off when it has come, and nothing of HTTP is sent.
    ///
    /// # Errors
    /// [`Kind::Refused`] for a URL that is not `https`; [`Kind::Transport`] where nobody shows one.
    pub async fn of(url: &str, timeout: Duration) -> Result<Self, Error> {
        let refused = |why: &str| Error::new(Kind::Refused, why.to_owned());
        let url = Url::parse(url).map_err(|error| refused("no URL").caused_by(error))?;
        if url.scheme() != "https" {
            return Err(refused("only https has certificates"));
        }
        let shown = Arc::new(Shown::default());
        let wrong = |error| Error::new(Kind::Refused, "TLS cannot be set up").caused_by(error);
        let config = ClientConfig::builder_with_provider(shown.provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(wrong)?
            .dangerous()
            .with_custom_certificate_verifier(shown.clone())
            .with_no_client_auth();
        let mut builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(timeout)
            .use_preconfigured_tls(config);
        if local(&url) {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|error| {
            Error::new(Kind::Refused, "the network client cannot be set up").caused_by(error)
        })?;
        let failed = http.get(url).send().await.err();
        let der = shown
            .der
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        match (der, failed) {
            (Some(der), _) => Ok(Self {
                sha256: Sha256::digest(&der).into(),
                der,
            }),
            (None, Some(error)) => Err(Error::new(
                Kind::Transport,
                "the service shows no certificate",
            )
            .caused_by(error.without_url())),
            (None, None) => Err(Error::new(
                Kind::Transport,
                "the service shows no certificate",
            )),
        }
    }
}

/// Looks at the certificate and trusts none.
#[derive(Debug)]
struct Shown {
    der: Mutex<Option<Vec<u8>>>,
    provider: Arc<CryptoProvider>,
}

impl Default for Shown {
    fn default() -> Self {
        Self {
            der: Mutex::new(None),
            provider: Arc::new(rustls::crypto::ring::default_provider()),
        }
    }
}

impl ServerCertVerifier for Shown {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        *self.der.lock().unwrap_or_else(PoisonError::into_inner) = Some(end_entity.to_vec());
        Err(rustls::Error::General("only looked at".into()))
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("only looked at".into()))
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("only looked at".into()))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}

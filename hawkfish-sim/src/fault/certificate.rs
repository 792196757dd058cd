//! Certificates of a world: an authority of its own, and what it signs.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::ResolvesServerCert;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use sha2::{Digest as _, Sha256};

use super::wire::Certificate;

const DAY: i64 = 86_400;

/// TLS of a world.
#[derive(Clone, Debug)]
pub struct Tls {
    /// What rustls needs.
    pub config: Arc<ServerConfig>,
    /// The certificate of the world's authority, PEM: who trusts it trusts the world, but for its faults.
    pub authority: String,
    /// The SHA-256 of the certificate that is shown, for who trusts that one alone.
    pub fingerprint: [u8; 32],
}

/// The authority of a world, and the names that it signs for.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    names: Vec<String>,
}

impl Authority {
    pub(crate) fn new(names: &[String]) -> io::Result<Self> {
        let mut all: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into();
        for name in names {
            if !all.contains(name) {
                all.push(name.clone());
            }
        }
        Ok(Self {
            issuer: issuer("HawkFish simulator")?,
            names: all,
        })
    }

    pub(crate) fn names(&mut self, names: &[String]) {
        for name in names {
            if !self.names.contains(name) {
                self.names.push(name.clone());
            }
        }
    }

    /// TLS with the right certificate.
    pub(crate) fn tls(&self) -> io::Result<Tls> {
        let shown = key(&self.issuer, &self.names, |_| ())?;
        let fingerprint = Sha256::digest(&shown.cert[0]).into();
        let shown = Arc::new(SingleCertAndKey::from(shown));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(hawkfish_server::tls::VERSIONS)
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_cert_resolver(shown);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Tls {
            config: Arc::new(config),
            authority: self.issuer.as_ref().pem(),
            fingerprint,
        })
    }

    /// A wrong certificate. `now` is that of the world.
    pub(crate) fn wrong(
        &self,
        which: Certificate,
        now: Timestamp,
    ) -> io::Result<Arc<dyn ResolvesServerCert>> {
        let (world, machine) = (now.as_second(), Timestamp::now().as_second());
        let lasting = |from: i64, until: i64| {
            move |params: &mut CertificateParams| {
                let at = |second: i64| {
                    let second = u64::try_from(second).unwrap_or(0);
                    rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(second)
                };
                (params.not_before, params.not_after) = (at(from), at(until));
            }
        };
        match which {
            Certificate::Expired => {
                let ended = world.min(machine) - DAY;
                signed(&self.issuer, &self.names, lasting(ended - 365 * DAY, ended))
            }
            Certificate::NotYetValid => {
                let begins = world.max(machine) + DAY;
                signed(
                    &self.issuer,
                    &self.names,
                    lasting(begins, begins + 365 * DAY),
                )
            }
            Certificate::AnotherName => {
                let other = ["another-name.invalid".to_owned()];
                signed(&self.issuer, &other, |_| ())
            }
            Certificate::UnknownIssuer => signed(&issuer("Nobody")?, &self.names, |_| ()),
        }
    }
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority")
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}

fn issuer(name: &str) -> io::Result<CertifiedIssuer<'static, KeyPair>> {
    let mut params = CertificateParams::new(Vec::new()).map_err(io::Error::other)?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate().map_err(io::Error::other)?;
    CertifiedIssuer::self_signed(params, key).map_err(io::Error::other)
}

fn signed(
    issuer: &CertifiedIssuer<'static, KeyPair>,
    names: &[String],
    change: impl FnOnce(&mut CertificateParams),
) -> io::Result<Arc<dyn ResolvesServerCert>> {
    Ok(Arc::new(SingleCertAndKey::from(key(
        issuer, names, change,
    )?)))
}

fn key(
    issuer: &CertifiedIssuer<'static, KeyPair>,
    names: &[String],
    change: impl FnOnce(&mut CertificateParams),
) -> io::Result<CertifiedKey> {
    let mut params = CertificateParams::new(names).map_err(io::Error::other)?;
    params
        .distinguished_name
        .push(DnType::CommonName, "HawkFish");
    params.is_ca = IsCa::ExplicitNoCa;
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    change(&mut params);
    let key = KeyPair::generate().map_err(io::Error::other)?;
    let signed = params.signed_by(&key, issuer).map_err(io::Error::other)?;
    let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let key = rustls::crypto::ring::sign::any_supported_type(&der).map_err(io::Error::other)?;
    Ok(CertifiedKey::new(vec![signed.der().clone()], key))
}

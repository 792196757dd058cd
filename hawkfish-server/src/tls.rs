//! Encryption: rustls with ring, TLS 1.2 and later, HTTP/2 where the client knows it.

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;

use crate::app::ClientCertificates;
use crate::settings::TlsChoice;

mod client;
mod identity;
mod request;

pub use client::{ClientAuthorities, NameIn};
pub use identity::{Identity, InUse};
pub use request::{KeyKind, Request};

/// Name of the certificate in the data directory.
const CERT: &str = "tls-cert.pem";
/// Name of its key.
const KEY: &str = "tls-key.pem";

/// The versions of TLS that are spoken.
pub const VERSIONS: &[&rustls::SupportedProtocolVersion] =
    &[&rustls::version::TLS13, &rustls::version::TLS12];

/// Ready for connections.
#[derive(Clone, Debug)]
pub struct Tls {
    /// What rustls needs.
    pub config: Arc<ServerConfig>,
    /// Where the certificate lies, for clients to pin.
    pub certificate: PathBuf,
    /// The certificate in use, which can be replaced.
    pub identity: Arc<Identity>,
}

/// What the operator chose; `None` is no encryption.
///
/// # Errors
/// Files that cannot be read or written, or do not hold what they should.
pub fn load(choice: &TlsChoice, data_dir: &Path, listen: IpAddr) -> io::Result<Option<Tls>> {
    let (cert, key) = match choice {
        TlsChoice::Off => return Ok(None),
        TlsChoice::Files { cert, key } => (cert.clone(), key.clone()),
        TlsChoice::SelfSigned => {
            let (cert, key) = (data_dir.join(CERT), data_dir.join(KEY));
            if !key.exists() || !is_for(&cert, listen) {
                make(&cert, &key, listen)?;
            }
            (cert, key)
        }
    };
    let is_generated = *choice == TlsChoice::SelfSigned;
    let identity = Identity::open(data_dir, &cert, &key, is_generated)?;
    Ok(Some(Tls {
        config: config(identity.clone(), WebPkiClientVerifier::no_client_auth())?,
        certificate: identity.in_use().path.clone(),
        identity,
    }))
}

impl Tls {
    /// The same, and asking clients for their certificates.
    ///
    /// # Errors
    /// Certificates that are none of authorities.
    pub fn asking(self, clients: &ClientCertificates) -> io::Result<Self> {
        Ok(Self {
            config: config(self.identity.clone(), client::verifier(clients)?)?,
            ..self
        })
    }
}

/// Whether there is a certificate that names the address. One made when the service listened elsewhere may not.
fn is_for(cert: &Path, listen: IpAddr) -> bool {
    let Ok(der) = CertificateDer::from_pem_file(cert) else {
        return false;
    };
    let Ok(parsed) = rustls::server::ParsedCertificate::try_from(&der) else {
        return false;
    };
    let name = if listen.is_unspecified() {
        ServerName::try_from("localhost").expect("a name")
    } else {
        ServerName::IpAddress(listen.into())
    };
    rustls::client::verify_server_name(&parsed, &name).is_ok()
}

fn config(
    identity: Arc<Identity>,
    clients: Arc<dyn ClientCertVerifier>,
) -> io::Result<Arc<ServerConfig>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(VERSIONS)
        .map_err(io::Error::other)?
        .with_client_cert_verifier(clients)
        .with_cert_resolver(identity);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Makes a certificate for this machine's names, and a key that only its owner can read.
fn make(cert: &Path, key: &Path, listen: IpAddr) -> io::Result<()> {
    let mut names = vec![
        "localhost".to_owned(),
        "127.0.0.1".to_owned(),
        "::1".to_owned(),
    ];
    if let Ok(host) = std::fs::read_to_string("/proc/sys/kernel/hostname") {
        let host = host.trim();
        let fits = host
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.');
        if fits && !host.is_empty() && host != "localhost" {
            names.push(host.to_owned());
        }
    }
    // Also for another loopback address than the usual two; otherwise it would be made anew at each start.
    if !listen.is_unspecified() && !names.contains(&listen.to_string()) {
        names.push(listen.to_string());
    }
    let mut params = rcgen::CertificateParams::new(names).map_err(io::Error::other)?;
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, "HawkFish");
    params
        .distinguished_name
        .push(rcgen::DnType::OrganizationName, "HawkFish (self-signed)");
    // Clients pin it as it is; some refuse a server whose certificate could sign others.
    params.is_ca = rcgen::IsCa::ExplicitNoCa;
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![rcgen::KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    let pair = rcgen::KeyPair::generate().map_err(io::Error::other)?;
    let signed = params.self_signed(&pair).map_err(io::Error::other)?;
    write_new(key, pair.serialize_pem().as_bytes(), 0o600)?;
    write_new(cert, signed.pem().as_bytes(), 0o644)
}

/// Writes a file as a whole or not at all.
fn write_new(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let part = path.with_extension("part");
    match std::fs::remove_file(&part) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&part)?;
    file.write_all(content)?;
    file.sync_all()?;
    std::fs::rename(&part, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_certificate_of_its_own_is_made_once_and_its_key_is_private() {
        let dir = tempfile::tempdir().unwrap();
        let made = |listen: &str| {
            load(&TlsChoice::SelfSigned, dir.path(), listen.parse().unwrap()).unwrap();
            std::fs::read(dir.path().join(CERT)).unwrap()
        };
        let first = made("127.0.0.1");
        assert_eq!(made("127.0.0.1"), first);
        let mode = std::fs::metadata(dir.path().join(KEY))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_certificate_is_made_anew_when_the_service_moves_to_an_address_that_it_does_not_name() {
        let dir = tempfile::tempdir().unwrap();
        let made = |listen: &str| {
            load(&TlsChoice::SelfSigned, dir.path(), listen.parse().unwrap()).unwrap();
            std::fs::read(dir.path().join(CERT)).unwrap()
        };
        let first = made("127.0.0.1");
        assert_eq!(made("0.0.0.0"), first);
        let moved = made("192.0.2.7");
        assert_ne!(moved, first);
        assert_eq!(made("192.0.2.7"), moved);
        let loopback = made("127.0.0.2");
        assert_ne!(loopback, moved);
        assert_eq!(made("127.0.0.2"), loopback);
    }

    #[test]
    fn files_that_hold_no_certificate_are_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let cert = dir.path().join("c.pem");
        std::fs::write(&cert, "nothing").unwrap();
        let choice = TlsChoice::Files {
            cert: cert.clone(),
            key: cert,
        };
        let error = load(&choice, dir.path(), "127.0.0.1".parse().unwrap()).unwrap_err();
        assert!(error.to_string().contains("c.pem"), "{error}");
    }
}

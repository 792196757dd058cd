//! Who the service is to those who connect: the certificate in use and its key, which can be replaced while it runs.
//!
//! What is installed over the network lies in one file, [`INSTALLED`], so that a crash never leaves a certificate beside the key of another. It
//! counts for as long as the operator's own choice stays what it was when it was installed: whoever spoke last is obeyed, also after a restart.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use hawkfish_core::certificates::{Bundle, Facts, pem};
use hawkfish_core::error::{Conflict, Error, Invalid, Result};
use jiff::Timestamp;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::request::{KeyKind, Request};

/// The certificate that was installed, with its key.
const INSTALLED: &str = "tls-installed.json";
/// The same certificate without the key, for clients to pin.
const SHOWN: &str = "tls-installed-cert.pem";
/// The key of the last signing request.
const REQUESTED: &str = "tls-request-key.pem";

/// The certificate in use.
pub struct InUse {
    /// The certificate and those that vouch for it, DER.
    pub chain: Vec<CertificateDer<'static>>,
    /// What stands in it.
    pub facts: Facts,
    /// Where it lies without its key.
    pub path: PathBuf,
    /// Its key, PEM.
    key: String,
    certified: Arc<CertifiedKey>,
}

impl InUse {
    /// The chain as PEM.
    #[must_use]
    pub fn pem(&self) -> String {
        let blocks = self.chain.iter().map(|der| pem("CERTIFICATE", der));
        blocks.collect()
    }
}

impl fmt::Debug for InUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InUse")
            .field("fingerprint", &self.facts.fingerprint)
            .finish_non_exhaustive()
    }
}

/// What is stored of an installed certificate.
#[derive(Serialize, Deserialize)]
struct Stored {
    /// What the operator had chosen when it was installed.
    instead_of: String,
    /// PEM.
    chain: String,
    /// PEM.
    key: String,
}

/// The identity of the service.
#[derive(Debug)]
pub struct Identity {
    folder: PathBuf,
    /// Tells the operator's choices apart.
    choice: String,
    now: ArcSwap<InUse>,
    /// One change at a time.
    changing: tokio::sync::Mutex<()>,
}

impl Identity {
    /// The identity that was installed in `folder`, if it still counts, else the operator's files.
    ///
    /// # Errors
    /// Files that cannot be read, or do not hold what they should.
    pub(super) fn open(
        folder: &Path,
        cert: &Path,
        key: &Path,
        is_generated: bool,
    ) -> io::Result<Arc<Self>> {
        let choice = if is_generated {
            "self-signed".to_owned()
        } else {
            let text = std::fs::read(cert).map_err(|error| unreadable(cert, &error))?;
            hex(&Sha256::digest(text))
        };
        let now = match installed(folder, &choice)? {
            Some(now) => now,
            None => of_files(cert, key)?,
        };
        Ok(Arc::new(Self {
            folder: folder.to_owned(),
            choice,
            now: ArcSwap::from_pointee(now),
            changing: tokio::sync::Mutex::default(),
        }))
    }

    /// The certificate in use.
    #[must_use]
    pub fn in_use(&self) -> Arc<InUse> {
        self.now.load_full()
    }

    /// Makes a key and asks, in its name, for a certificate (PKCS #10, PEM). The key is kept for the certificate to come; that of an earlier request is
    /// forgotten.
    ///
    /// # Errors
    /// `Invalid` where the request cannot be written with such a value; `Internal` when the key cannot be kept.
    pub async fn request(&self, request: Request, kind: KeyKind) -> Result<String> {
        let _order = self.changing.lock().await;
        let path = self.folder.join(REQUESTED);
        blocking(move || {
            let pair = kind.generate()?;
            let text = request.sign(&pair)?;
            super::write_new(&path, pair.serialize_pem().as_bytes(), 0o600).map_err(not_kept)?;
            Ok(text)
        })
        .await
    }

    /// Asks for another certificate for the key in use (PKCS #10, PEM).
    ///
    /// # Errors
    /// `Invalid` where the request cannot be written with such a value; `Conflict` when the key in use cannot sign requests.
    pub async fn request_again(&self, request: Request) -> Result<String> {
        let key = self.in_use().key.clone();
        blocking(move || {
            let pair = rcgen::KeyPair::from_pem(&key).map_err(|error| {
                Error::conflict(
                    Conflict::NotAllowed,
                    "The key in use is of a kind that cannot sign a request.",
                )
                .caused_by(error)
            })?;
            request.sign(&pair)
        })
        .await
    }

    /// Puts a certificate to use, for all connections from now on and after a restart. Its key is the one that comes with it, that of the last request,
    /// or the one in use.
    ///
    /// # Errors
    /// `Invalid` at `/CertificateString` when the text is not what it should be, when there is no key for the certificate, or when it has ended
    /// by `now`; `Internal` when it cannot be kept. Nothing is changed then.
    pub async fn install(&self, text: String, may_be_chain: bool, now: Timestamp) -> Result<()> {
        let _order = self.changing.lock().await;
        let (folder, choice) = (self.folder.clone(), self.choice.clone());
        let old = self.in_use();
        let new = blocking(move || {
            let bundle = Bundle::of_pem(&text)?;
            if bundle.certificates.len() > 1 && !may_be_chain {
                return Err(refused("There are several certificates in it."));
            }
            let facts = check_chain(&bundle.certificates, now)?;
            let requested = std::fs::read_to_string(folder.join(REQUESTED)).ok();
            let keys = match &bundle.key {
                Some(own) => vec![own.clone()],
                None => requested.into_iter().chain([old.key.clone()]).collect(),
            };
            let chain: Vec<CertificateDer<'static>> =
                bundle.certificates.into_iter().map(Into::into).collect();
            let (key, certified) = keys
                .into_iter()
                .find_map(|key| Some((certify(&chain, &key)?, key)))
                .map(|(certified, key)| (key, certified))
                .ok_or_else(|| {
                    refused(
                        "It belongs neither to the key of the last signing request nor to the one in use.",
                    )
                })?;
            let new = InUse {
                chain,
                facts,
                path: folder.join(SHOWN),
                key,
                certified,
            };
            let stored = Stored {
                instead_of: choice,
                chain: new.pem(),
                key: new.key.clone(),
            };
            let stored = serde_json::to_vec(&stored)?;
            super::write_new(&folder.join(INSTALLED), &stored, 0o600).map_err(not_kept)?;
            // From here on it counts: what follows only shows it, and tidies up.
            if let Err(error) = super::write_new(&new.path, new.pem().as_bytes(), 0o644) {
                tracing::warn!(%error, "the installed certificate could not be written out for clients");
            }
            if std::fs::read_to_string(folder.join(REQUESTED)).is_ok_and(|key| key == new.key) {
                let _ = std::fs::remove_file(folder.join(REQUESTED));
            }
            Ok(new)
        })
        .await?;
        tracing::info!(
            subject = new.facts.subject.text,
            fingerprint = new.facts.fingerprint,
            "another certificate is in use"
        );
        self.now.store(Arc::new(new));
        Ok(())
    }
}

impl ResolvesServerCert for Identity {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.now.load().certified.clone())
    }
}

/// What was installed instead of that choice, if anything.
fn installed(folder: &Path, choice: &str) -> io::Result<Option<InUse>> {
    let path = folder.join(INSTALLED);
    let text = match std::fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        text => text.map_err(|error| unreadable(&path, &error))?,
    };
    let stored: Stored = serde_json::from_slice(&text).map_err(|e| unreadable(&path, &e))?;
    if stored.instead_of != choice {
        tracing::info!("the operator has chosen another certificate since one was installed");
        return Ok(None);
    }
    let shown = folder.join(SHOWN);
    super::write_new(&shown, stored.chain.as_bytes(), 0o644)?;
    in_use(&stored.chain, stored.key, shown)
        .map(Some)
        .map_err(|why| unreadable(&path, &why))
}

fn of_files(cert: &Path, key: &Path) -> io::Result<InUse> {
    let chain = std::fs::read_to_string(cert).map_err(|error| unreadable(cert, &error))?;
    let secret = std::fs::read_to_string(key).map_err(|error| unreadable(key, &error))?;
    in_use(&chain, secret, cert.to_owned()).map_err(|why| unreadable(cert, &why))
}

fn in_use(chain: &str, key: String, path: PathBuf) -> Result<InUse> {
    let bundle = Bundle::of_pem(chain)?;
    let facts = Facts::of(&bundle.certificates[0])?;
    let chain: Vec<CertificateDer<'static>> =
        bundle.certificates.into_iter().map(Into::into).collect();
    let certified =
        certify(&chain, &key).ok_or_else(|| refused("The key beside it is not its own."))?;
    Ok(InUse {
        chain,
        facts,
        path,
        key,
        certified,
    })
}

/// The certificate with its key; nothing where they do not belong together.
fn certify(chain: &[CertificateDer<'static>], key: &str) -> Option<Arc<CertifiedKey>> {
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).ok()?;
    let provider = rustls::crypto::ring::default_provider();
    // This looks whether they do.
    let certified = CertifiedKey::from_der(chain.to_vec(), key, &provider).ok()?;
    Some(Arc::new(certified))
}

/// Whether each certificate was signed in the name of the next, and the first one still counts.
fn check_chain(chain: &[Vec<u8>], now: Timestamp) -> Result<Facts> {
    let mut all = Vec::new();
    for der in chain {
        all.push(Facts::of(der)?);
    }
    for pair in all.windows(2) {
        if pair[0].issuer.text != pair[1].subject.text {
            return Err(refused(
                "In a chain, each certificate is followed by that of its issuer.",
            ));
        }
    }
    let first = all.swap_remove(0);
    if first.not_after < now {
        return Err(refused("It has ended."));
    }
    rustls::server::ParsedCertificate::try_from(&CertificateDer::from(chain[0].as_slice()))
        .map_err(|error| refused("It cannot be used for TLS.").caused_by(error))?;
    Ok(first)
}

fn refused(why: &'static str) -> Error {
    // It may come with its key, so nothing of it is repeated.
    Error::invalid("/CertificateString", "PEM text", Invalid::Format, why)
}

fn not_kept(error: io::Error) -> Error {
    Error::internal("The data directory cannot be written to.").caused_by(error)
}

fn unreadable(path: &Path, why: &dyn fmt::Display) -> io::Error {
    io::Error::other(format!("{}: {why}", path.display()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        Error::internal("Work on a certificate was broken off.").caused_by(error)
    })?
}

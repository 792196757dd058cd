//! Who a client is, by the certificate that it shows (mutual TLS).
//!
//! rustls verifies that an authority of the operator's has signed it and that the client has its key. What is left is the user name in it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use x509_parser::der_parser::asn1_rs::{Any, FromDer as _};
use x509_parser::der_parser::oid;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::X509Certificate;

use crate::app::ClientCertificates;

/// Where in a certificate the user name stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameIn {
    /// The common name of its subject.
    CommonName,
    /// The user principal name among its alternative names, the whole of it: `name@domain`.
    UserPrincipalName,
}

/// Whose certificates tell who a client is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientAuthorities {
    /// PEM files with the certificates of authorities.
    pub files: Vec<PathBuf>,
    /// Whether clients may do without.
    pub optional: bool,
    /// Where the user name stands.
    pub name_in: NameIn,
}

impl ClientAuthorities {
    /// Reads the files.
    ///
    /// # Errors
    /// One that cannot be read or holds no certificate.
    pub fn read(&self) -> io::Result<ClientCertificates> {
        let mut authorities = Vec::new();
        for file in &self.files {
            authorities.extend(certificates(file)?);
        }
        Ok(ClientCertificates {
            authorities: authorities.into(),
            name_in: self.name_in,
            optional: self.optional,
        })
    }
}

pub(super) fn verifier(clients: &ClientCertificates) -> io::Result<Arc<dyn ClientCertVerifier>> {
    let mut roots = RootCertStore::empty();
    for authority in clients.authorities.iter() {
        let added = roots.add(authority.clone());
        added.map_err(|error| io::Error::other(format!("an authority of clients: {error}")))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    if clients.optional {
        verifier = verifier.allow_unauthenticated();
    }
    verifier.build().map_err(io::Error::other)
}

fn certificates(file: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    let found: Vec<_> = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect)
        .map_err(|error| in_file(file, &error))?;
    if found.is_empty() {
        return Err(in_file(file, &"there is no certificate in it"));
    }
    Ok(found)
}

fn in_file(file: &Path, why: &dyn std::fmt::Display) -> io::Error {
    io::Error::other(format!("{}: {why}", file.display()))
}

/// `msUPN`, by which Active Directory knows a user.
const PRINCIPAL: x509_parser::der_parser::Oid<'static> = oid!(1.3.6.1.4.1.311.20.2.3);

impl NameIn {
    /// The user name in a certificate, if there is one and only one.
    pub(crate) fn of(self, certificate: &CertificateDer<'_>) -> Option<Arc<str>> {
        let (_, parsed) =
            <X509Certificate<'_> as x509_parser::prelude::FromDer<_>>::from_der(certificate)
                .ok()?;
        let names: Vec<String> = match self {
            Self::CommonName => {
                let names = parsed.subject().iter_common_name();
                names
                    .map(|name| name.as_str().ok().map(str::to_owned))
                    .collect::<Option<_>>()?
            }
            Self::UserPrincipalName => {
                let names = parsed.subject_alternative_name().ok().flatten()?;
                let names = names.value.general_names.iter();
                names
                    .filter_map(|name| match name {
                        GeneralName::OtherName(kind, value) if *kind == PRINCIPAL => Some(value),
                        _ => None,
                    })
                    .map(|value| principal(value))
                    .collect::<Option<_>>()?
            }
        };
        // Two names are no name: which of them counts would be for an attacker to guess.
        match names.as_slice() {
            [name] if !name.is_empty() => Some(name.as_str().into()),
            _ => None,
        }
    }
}

/// A text within an explicit tag.
fn principal(value: &[u8]) -> Option<String> {
    let (_, tagged) = Any::from_der(value).ok()?;
    let (_, text) = Any::from_der(tagged.data).ok()?;
    text.as_str().ok().map(str::to_owned)
}

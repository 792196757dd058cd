//! What stands in an X.509 certificate (RFC 5280), as plain facts; and certificates out of PEM text (RFC 7468).
//!
//! Not in here: whether a certificate is to be trusted. Who connects decides that.

use std::net::IpAddr;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::objects::{oid_registry, oid2sn};
use x509_parser::pem::Pem;
use x509_parser::prelude::FromDer as _;
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

use crate::error::{Error, Invalid, Result};

/// The facts of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Whose it is.
    pub subject: Name,
    /// Who signed it.
    pub issuer: Name,
    /// From when it counts.
    pub not_before: Timestamp,
    /// Until when it counts.
    pub not_after: Timestamp,
    /// Its serial number: pairs of hexadecimal digits, with colons between.
    pub serial: String,
    /// The SHA-256 of its DER: pairs of hexadecimal digits, with colons between.
    pub fingerprint: String,
    /// How it was signed, such as `ecdsa-with-SHA256`; dotted where the algorithm has no name here.
    pub signature_algorithm: String,
    /// What its key may be used for; empty where it does not say.
    pub usages: Vec<Usage>,
    /// Whether it may sign others.
    pub is_authority: bool,
    /// Other names of the subject: host names, addresses, mail addresses, URIs.
    pub alternative_names: Vec<String>,
}

/// A distinguished name. What it does not have is `None` or empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Name {
    /// The whole, as people write it: `C=DE, O=Example, CN=bmc`.
    pub text: String,
    /// Common names, the first one first.
    pub common_names: Vec<String>,
    /// Organization.
    pub organization: Option<String>,
    /// Organizational units, the first one first.
    pub units: Vec<String>,
    /// City or locality.
    pub city: Option<String>,
    /// State, province or region.
    pub state: Option<String>,
    /// Country, two letters.
    pub country: Option<String>,
    /// Mail address.
    pub email: Option<String>,
    /// Domain components, in the order of the name.
    pub domain_components: Vec<String>,
}

/// What a key may be used for (RFC 5280, 4.2.1.3 and 4.2.1.12).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    missing_docs,
    reason = "the words of RFC 5280, which are explained there"
)]
pub enum Usage {
    DigitalSignature,
    NonRepudiation,
    KeyEncipherment,
    DataEncipherment,
    KeyAgreement,
    KeyCertSign,
    CrlSigning,
    EncipherOnly,
    DecipherOnly,
    ServerAuthentication,
    ClientAuthentication,
    CodeSigning,
    EmailProtection,
    Timestamping,
    OcspSigning,
}

/// What was found in a PEM text.
#[derive(Clone, Debug, Default)]
pub struct Bundle {
    /// Certificates, DER, in their order.
    pub certificates: Vec<Vec<u8>>,
    /// The first private key, as PEM of its own.
    pub key: Option<String>,
}

impl Facts {
    /// The facts of a certificate, DER.
    ///
    /// # Errors
    /// `Invalid` at `/CertificateString` when it is no certificate.
    pub fn of(der: &[u8]) -> Result<Self> {
        let (rest, parsed) = X509Certificate::from_der(der)
            .map_err(|error| malformed("It is not an X.509 certificate.").caused_by(error))?;
        if !rest.is_empty() {
            return Err(malformed(
                "Something follows the certificate that does not belong to it.",
            ));
        }
        let moment = |time: x509_parser::time::ASN1Time| {
            Timestamp::from_second(time.timestamp())
                .map_err(|error| malformed("Its dates are out of range.").caused_by(error))
        };
        let algorithm = &parsed.signature_algorithm.algorithm;
        Ok(Self {
            subject: name(parsed.subject()),
            issuer: name(parsed.issuer()),
            not_before: moment(parsed.validity().not_before)?,
            not_after: moment(parsed.validity().not_after)?,
            serial: colons(parsed.raw_serial()),
            fingerprint: colons(&Sha256::digest(der)),
            signature_algorithm: oid2sn(algorithm, oid_registry())
                .map_or_else(|_| algorithm.to_id_string(), str::to_owned),
            usages: usages(&parsed),
            is_authority: parsed.is_ca(),
            alternative_names: alternative_names(&parsed),
        })
    }
}

impl Bundle {
    /// What stands in a PEM text.
    ///
    /// # Errors
    /// `Invalid` at `/CertificateString` when the text is no PEM, or holds no certificate.
    pub fn of_pem(text: &str) -> Result<Self> {
        let mut found = Self::default();
        for block in Pem::iter_from_buffer(text.as_bytes()) {
            let block = block.map_err(|error| malformed("It is not PEM text.").caused_by(error))?;
            match block.label.as_str() {
                "CERTIFICATE" => found.certificates.push(block.contents),
                label if label.ends_with("PRIVATE KEY") && found.key.is_none() => {
                    found.key = Some(pem(label, &block.contents));
                }
                _ => {}
            }
        }
        if found.certificates.is_empty() {
            return Err(malformed("There is no certificate in it."));
        }
        Ok(found)
    }

    /// The one certificate of a PEM text, DER.
    ///
    /// # Errors
    /// `Invalid` at `/CertificateString` when the text is no PEM, or holds none or several, or what it holds is no certificate.
    pub fn one_of_pem(text: &str) -> Result<(Vec<u8>, Facts)> {
        let mut found = Self::of_pem(text)?.certificates;
        match (found.pop(), found.is_empty()) {
            (Some(der), true) => {
                let facts = Facts::of(&der)?;
                Ok((der, facts))
            }
            _ => Err(malformed("There are several certificates in it.")),
        }
    }
}

/// DER as PEM with that label.
#[must_use]
pub fn pem(label: &str, der: &[u8]) -> String {
    use base64::Engine as _;
    let encoded = base64::engine::general_purpose::STANDARD.encode(der);
    let mut out = format!("-----BEGIN {label}-----\n");
    for line in encoded.as_bytes().chunks(64) {
        out.extend(line.iter().map(|b| char::from(*b)));
        out.push('\n');
    }
    out.push_str(&format!("-----END {label}-----\n"));
    out
}

/// What is not the certificate that it should be.
pub(crate) fn malformed(why: &'static str) -> Error {
    // A certificate may come with its key, so nothing of it is repeated.
    Error::invalid("/CertificateString", "PEM text", Invalid::Format, why)
}

fn colons(bytes: &[u8]) -> String {
    let pairs: Vec<String> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    pairs.join(":")
}

fn name(name: &X509Name<'_>) -> Name {
    fn all<'a>(values: impl Iterator<Item = &'a AttributeTypeAndValue<'a>>) -> Vec<String> {
        values
            .filter_map(|value| value.as_str().ok().map(str::to_owned))
            .collect()
    }
    fn first<'a>(values: impl Iterator<Item = &'a AttributeTypeAndValue<'a>>) -> Option<String> {
        all(values).into_iter().next()
    }
    Name {
        text: name.to_string(),
        common_names: all(name.iter_common_name()),
        organization: first(name.iter_organization()),
        units: all(name.iter_organizational_unit()),
        city: first(name.iter_locality()),
        state: first(name.iter_state_or_province()),
        country: first(name.iter_country()),
        email: first(name.iter_email()),
        domain_components: all(name.iter_by_oid(&x509_parser::oid_registry::OID_DOMAIN_COMPONENT)),
    }
}

fn usages(certificate: &X509Certificate<'_>) -> Vec<Usage> {
    let mut found = Vec::new();
    // What cannot be read of an extension tells nothing.
    if let Ok(Some(usage)) = certificate.key_usage() {
        let usage = usage.value;
        for (is, word) in [
            (usage.digital_signature(), Usage::DigitalSignature),
            (usage.non_repudiation(), Usage::NonRepudiation),
            (usage.key_encipherment(), Usage::KeyEncipherment),
            (usage.data_encipherment(), Usage::DataEncipherment),
            (usage.key_agreement(), Usage::KeyAgreement),
            (usage.key_cert_sign(), Usage::KeyCertSign),
            (usage.crl_sign(), Usage::CrlSigning),
            (usage.encipher_only(), Usage::EncipherOnly),
            (usage.decipher_only(), Usage::DecipherOnly),
        ] {
            found.extend(is.then_some(word));
        }
    }
    if let Ok(Some(usage)) = certificate.extended_key_usage() {
        let usage = usage.value;
        for (is, word) in [
            (usage.server_auth, Usage::ServerAuthentication),
            (usage.client_auth, Usage::ClientAuthentication),
            (usage.code_signing, Usage::CodeSigning),
            (usage.email_protection, Usage::EmailProtection),
            (usage.time_stamping, Usage::Timestamping),
            (usage.ocsp_signing, Usage::OcspSigning),
        ] {
            found.extend(is.then_some(word));
        }
    }
    found
}

fn alternative_names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(names)) = certificate.subject_alternative_name() else {
        return Vec::new();
    };
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(text) | GeneralName::RFC822Name(text) | GeneralName::URI(text) => {
            Some((*text).to_owned())
        }
        GeneralName::IPAddress(bytes) => address(bytes).map(|address| address.to_string()),
        _ => None,
    };
    names.value.general_names.iter().filter_map(name).collect()
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
        _ => None,
    }
}

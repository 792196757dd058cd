//! Signing requests (PKCS #10, RFC 2986): who a certificate is asked for, and for what.

use hawkfish_core::certificates::{Facts, Usage};
use hawkfish_core::error::{Error, Invalid, Result};
use rcgen::{
    Attribute, CertificateParams, DnType, DnValue, ExtendedKeyUsagePurpose, KeyPair,
    KeyUsagePurpose, SanType,
};

/// The attributes of PKCS #9 (RFC 2985) that a request can have.
const CHALLENGE_PASSWORD: &[u64] = &[1, 2, 840, 113_549, 1, 9, 7];
const UNSTRUCTURED_NAME: &[u64] = &[1, 2, 840, 113_549, 1, 9, 2];
/// And of names (RFC 4519 and RFC 2985).
const EMAIL: &[u64] = &[1, 2, 840, 113_549, 1, 9, 1];
const SURNAME: &[u64] = &[2, 5, 4, 4];
const GIVEN_NAME: &[u64] = &[2, 5, 4, 42];
const INITIALS: &[u64] = &[2, 5, 4, 43];

/// What a key is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyKind {
    /// ECDSA on the curve NIST P-256.
    #[default]
    P256,
    /// ECDSA on the curve NIST P-384.
    P384,
}

impl KeyKind {
    /// The algorithm, as Redfish calls it.
    pub const ALGORITHM: &'static str = "TPM_ALG_ECDSA";
    /// The curves, as Redfish calls them, with the bits of their keys.
    pub const CURVES: [(&'static str, i64, Self); 2] = [
        ("TPM_ECC_NIST_P256", 256, Self::P256),
        ("TPM_ECC_NIST_P384", 384, Self::P384),
    ];

    /// What a caller asks for.
    ///
    /// # Errors
    /// `Invalid` at `/KeyPairAlgorithm`, `/KeyCurveId` or `/KeyBitLength`.
    pub fn asked(algorithm: Option<&str>, curve: Option<&str>, bits: Option<i64>) -> Result<Self> {
        if let Some(other) = algorithm.filter(|name| *name != Self::ALGORITHM) {
            let why = "Keys are made for ECDSA.";
            return Err(Error::invalid(
                "/KeyPairAlgorithm",
                other,
                Invalid::NotInList,
                why,
            ));
        }
        let of_curve =
            match curve {
                None => None,
                Some(name) => {
                    let known = Self::CURVES.iter().find(|known| known.0 == name);
                    let why = "There are no keys on that curve here.";
                    Some(known.ok_or_else(|| {
                        Error::invalid("/KeyCurveId", name, Invalid::NotInList, why)
                    })?)
                }
            };
        let of_bits = match bits {
            None => None,
            Some(bits) => {
                let known = Self::CURVES.iter().find(|known| known.1 == bits);
                let fits = known.filter(|known| of_curve.is_none_or(|curve| curve.1 == known.1));
                let why = "There are no keys of that length on the curve.";
                Some(fits.ok_or_else(|| {
                    Error::invalid("/KeyBitLength", bits.to_string(), Invalid::OutOfRange, why)
                })?)
            }
        };
        Ok(of_curve
            .or(of_bits)
            .map_or_else(Self::default, |known| known.2))
    }

    pub(super) fn generate(self) -> Result<KeyPair> {
        let algorithm = match self {
            Self::P256 => &rcgen::PKCS_ECDSA_P256_SHA256,
            Self::P384 => &rcgen::PKCS_ECDSA_P384_SHA384,
        };
        KeyPair::generate_for(algorithm)
            .map_err(|error| Error::internal("A key could not be made.").caused_by(error))
    }
}

/// Who a certificate is asked for, and for what.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Common name; without alternative names, it is the one alternative name as well, because clients look nowhere else.
    pub common_name: Option<String>,
    /// Host names and addresses.
    pub alternative_names: Vec<String>,
    /// Organization.
    pub organization: Option<String>,
    /// Organizational unit.
    pub unit: Option<String>,
    /// City or locality.
    pub city: Option<String>,
    /// State, province or region.
    pub state: Option<String>,
    /// Country, two letters.
    pub country: Option<String>,
    /// Mail address.
    pub email: Option<String>,
    /// Surname.
    pub surname: Option<String>,
    /// Given name.
    pub given_name: Option<String>,
    /// Initials.
    pub initials: Option<String>,
    /// For what; empty is what a server needs.
    pub usages: Vec<Usage>,
    /// A password to revoke the certificate with.
    pub challenge_password: Option<String>,
    /// A name without structure.
    pub unstructured_name: Option<String>,
}

impl Request {
    /// A request in the name that a certificate has.
    #[must_use]
    pub fn like(facts: &Facts) -> Self {
        let subject = &facts.subject;
        Self {
            common_name: subject.common_names.first().cloned(),
            alternative_names: facts.alternative_names.clone(),
            organization: subject.organization.clone(),
            unit: subject.units.first().cloned(),
            city: subject.city.clone(),
            state: subject.state.clone(),
            country: subject.country.clone(),
            email: subject.email.clone(),
            usages: facts.usages.clone(),
            ..Self::default()
        }
    }

    pub(super) fn sign(&self, pair: &KeyPair) -> Result<String> {
        let mut params = CertificateParams::default();
        params.subject_alt_names = self.names()?;
        let mut name = rcgen::DistinguishedName::new();
        let mut part = |kind: DnType, text: &Option<String>, property: &'static str| {
            let Some(text) = text.as_deref().filter(|text| !text.is_empty()) else {
                return Ok(());
            };
            name.push(kind, text_value(text, property)?);
            Ok::<(), Error>(())
        };
        part(DnType::CountryName, &self.country, "/Country")?;
        part(DnType::StateOrProvinceName, &self.state, "/State")?;
        part(DnType::LocalityName, &self.city, "/City")?;
        part(
            DnType::OrganizationName,
            &self.organization,
            "/Organization",
        )?;
        part(
            DnType::OrganizationalUnitName,
            &self.unit,
            "/OrganizationalUnit",
        )?;
        part(DnType::CommonName, &self.common_name, "/CommonName")?;
        let custom = |oid: &[u64]| DnType::CustomDnType(oid.to_vec());
        part(custom(SURNAME), &self.surname, "/Surname")?;
        part(custom(GIVEN_NAME), &self.given_name, "/GivenName")?;
        part(custom(INITIALS), &self.initials, "/Initials")?;
        part(custom(EMAIL), &self.email, "/Email")?;
        params.distinguished_name = name;
        let server = [Usage::DigitalSignature, Usage::ServerAuthentication];
        let usages = match self.usages.as_slice() {
            [] => &server[..],
            some => some,
        };
        for usage in usages {
            match purpose(*usage) {
                Purpose::Key(purpose) => params.key_usages.push(purpose),
                Purpose::Extended(purpose) => params.extended_key_usages.push(purpose),
            }
        }
        let mut attributes = Vec::new();
        for (oid, text, property) in [
            (
                CHALLENGE_PASSWORD,
                &self.challenge_password,
                "/ChallengePassword",
            ),
            (
                UNSTRUCTURED_NAME,
                &self.unstructured_name,
                "/UnstructuredName",
            ),
        ] {
            if let Some(text) = text {
                let values = set_of_one_text(text, property)?;
                attributes.push(Attribute { oid, values });
            }
        }
        let signed = params
            .serialize_request_with_attributes(pair, attributes)
            .map_err(unwritable)?;
        signed.pem().map_err(unwritable)
    }

    fn names(&self) -> Result<Vec<SanType>> {
        let mut names = self.alternative_names.clone();
        let looks_like_host = |name: &&String| {
            name.parse::<std::net::IpAddr>().is_ok()
                || (name
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-.*".contains(&b))
                    && !name.is_empty())
        };
        if names.is_empty() {
            names.extend(self.common_name.as_ref().filter(looks_like_host).cloned());
        }
        let san = |(at, name): (usize, &String)| {
            if let Ok(address) = name.parse() {
                return Ok(SanType::IpAddress(address));
            }
            let text = || {
                name.as_str().try_into().map_err(|error: rcgen::Error| {
                    Error::invalid(
                        format!("/AlternativeNames/{at}"),
                        name.clone(),
                        Invalid::Format,
                        "A name in a certificate is ASCII.",
                    )
                    .caused_by(error)
                })
            };
            Ok(match name {
                mail if mail.contains('@') => SanType::Rfc822Name(text()?),
                uri if uri.contains("://") => SanType::URI(text()?),
                _ => SanType::DnsName(text()?),
            })
        };
        names.iter().enumerate().map(san).collect()
    }
}

/// Text of a name as its kind wants it: a country in printable characters, a mail address in ASCII, all else in UTF-8.
fn text_value(text: &str, property: &'static str) -> Result<DnValue> {
    let bad = |why| Error::invalid(property, text, Invalid::Format, why);
    if text.len() > 1024 {
        return Err(bad("It is too long for a name."));
    }
    match property {
        "/Country" if text.len() == 2 && text.bytes().all(|b| b.is_ascii_alphabetic()) => {
            let text = text.to_ascii_uppercase();
            let text = text.as_str().try_into();
            text.map(DnValue::PrintableString)
                .map_err(|_| bad("A country is two letters."))
        }
        "/Country" => Err(bad("A country is two letters.")),
        "/Email" => text
            .try_into()
            .map(DnValue::Ia5String)
            .map_err(|_| bad("A mail address in a certificate is ASCII.")),
        _ => Ok(DnValue::Utf8String(text.to_owned())),
    }
}

enum Purpose {
    Key(KeyUsagePurpose),
    Extended(ExtendedKeyUsagePurpose),
}

fn purpose(usage: Usage) -> Purpose {
    use Purpose::{Extended, Key};
    match usage {
        Usage::DigitalSignature => Key(KeyUsagePurpose::DigitalSignature),
        Usage::NonRepudiation => Key(KeyUsagePurpose::ContentCommitment),
        Usage::KeyEncipherment => Key(KeyUsagePurpose::KeyEncipherment),
        Usage::DataEncipherment => Key(KeyUsagePurpose::DataEncipherment),
        Usage::KeyAgreement => Key(KeyUsagePurpose::KeyAgreement),
        Usage::KeyCertSign => Key(KeyUsagePurpose::KeyCertSign),
        Usage::CrlSigning => Key(KeyUsagePurpose::CrlSign),
        Usage::EncipherOnly => Key(KeyUsagePurpose::EncipherOnly),
        Usage::DecipherOnly => Key(KeyUsagePurpose::DecipherOnly),
        Usage::ServerAuthentication => Extended(ExtendedKeyUsagePurpose::ServerAuth),
        Usage::ClientAuthentication => Extended(ExtendedKeyUsagePurpose::ClientAuth),
        Usage::CodeSigning => Extended(ExtendedKeyUsagePurpose::CodeSigning),
        Usage::EmailProtection => Extended(ExtendedKeyUsagePurpose::EmailProtection),
        Usage::Timestamping => Extended(ExtendedKeyUsagePurpose::TimeStamping),
        Usage::OcspSigning => Extended(ExtendedKeyUsagePurpose::OcspSigning),
    }
}

/// A SET of one UTF8String, DER.
fn set_of_one_text(text: &str, property: &'static str) -> Result<Vec<u8>> {
    // So short that its length is one byte, also around it.
    match u8::try_from(text.len()) {
        Ok(length @ 1..=120) => {
            let mut out = vec![0x31, length + 2, 0x0c, length];
            out.extend_from_slice(text.as_bytes());
            Ok(out)
        }
        _ => Err(Error::invalid(
            property,
            "******",
            Invalid::Length { min: 1, max: 120 },
            "It has 1 to 120 bytes.",
        )),
    }
}

fn unwritable(error: rcgen::Error) -> Error {
    Error::internal("The signing request could not be written.").caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_of_the_curve_or_the_length_asked_for_and_never_of_two() {
        let asked = |algorithm, curve, bits| KeyKind::asked(algorithm, curve, bits);
        assert_eq!(asked(None, None, None).unwrap(), KeyKind::P256);
        assert_eq!(
            asked(Some("TPM_ALG_ECDSA"), None, Some(384)).unwrap(),
            KeyKind::P384
        );
        assert_eq!(
            asked(None, Some("TPM_ECC_NIST_P384"), None).unwrap(),
            KeyKind::P384
        );
        assert!(asked(None, Some("TPM_ECC_NIST_P384"), Some(256)).is_err());
        assert!(asked(Some("TPM_ALG_RSA"), None, Some(2048)).is_err());
    }
}

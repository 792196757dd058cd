//! The databases of secure boot: whose certificates, and which programs, its firmware trusts and which it does not. They are shown as they are, and cannot be changed.

use std::sync::Arc;

use hawkfish_core::backend::{Key, KeyKind, Keys};
use hawkfish_core::certificates::{Facts, Name, pem};
use hawkfish_core::inventory::System;
use hawkfish_redfish::model::certificate::{Certificate, CertificateType, Identifier};
use hawkfish_redfish::model::secure_boot_database::SecureBootDatabase;
use hawkfish_redfish::model::signature::{Signature, SignatureTypeRegistry};
use hawkfish_redfish::model::{OdataId, Prop};

use super::date_time;
use crate::catalog::{Content, Resource, Rq, Version};
use crate::problem::Problem;

macro_rules! at {
    ($($below:literal)?) => {
        concat!("/redfish/v1/Systems/{system}/SecureBoot/SecureBootDatabases", $($below)?)
    };
}

const VERSION: Option<Version> = Some(|rq| Ok(system(rq)?.generation));

/// The databases of a system.
pub const COLLECTION: Resource = Resource {
    uri: at!(),
    entity: "SecureBootDatabaseCollection",
    get: Some(|rq| {
        Box::pin(async move {
            let keys = keys(rq)?;
            Ok(Content::collection(
                rq,
                "Secure boot databases",
                keys.databases.keys(),
            ))
        })
    }),
    version: VERSION,
    ..Resource::NONE
};

/// A database.
pub const RESOURCE: Resource = Resource {
    uri: at!("/{database}"),
    entity: "SecureBootDatabase",
    get: Some(|rq| Box::pin(read(rq))),
    version: VERSION,
    ..Resource::NONE
};

/// The certificates in a database.
pub const CERTIFICATES: Resource = Resource {
    uri: at!("/{database}/Certificates"),
    entity: "CertificateCollection",
    get: Some(|rq| {
        Box::pin(async move { Ok(Content::collection(rq, "Certificates", ids(rq, true)?)) })
    }),
    version: VERSION,
    ..Resource::NONE
};

/// A certificate in a database.
pub const CERTIFICATE: Resource = Resource {
    uri: at!("/{database}/Certificates/{entry}"),
    entity: "Certificate",
    get: Some(|rq| Box::pin(read_certificate(rq))),
    version: VERSION,
    ..Resource::NONE
};

/// What else is in a database.
pub const SIGNATURES: Resource = Resource {
    uri: at!("/{database}/Signatures"),
    entity: "SignatureCollection",
    get: Some(|rq| {
        Box::pin(async move { Ok(Content::collection(rq, "Signatures", ids(rq, false)?)) })
    }),
    version: VERSION,
    ..Resource::NONE
};

/// Something in a database that is no certificate.
pub const SIGNATURE: Resource = Resource {
    uri: at!("/{database}/Signatures/{entry}"),
    entity: "Signature",
    get: Some(|rq| Box::pin(read_signature(rq))),
    version: VERSION,
    ..Resource::NONE
};

fn system(rq: &Rq) -> Result<Arc<System>, Problem> {
    Ok(rq.hf.system(&rq.ctx, &rq.id("system")?)?)
}

fn keys(rq: &Rq) -> Result<Arc<Keys>, Problem> {
    let system = system(rq)?;
    let keys = system.machine.firmware.keys.clone();
    keys.filter(|_| super::secure_boot::is_there(&system))
        .ok_or_else(|| Problem::missing(rq.uri()))
}

/// What of a database is a certificate, or is not; each is numbered from 1.
fn entries(rq: &Rq, certificates: bool) -> Result<Vec<Key>, Problem> {
    let keys = keys(rq)?;
    let database = keys.databases.get(rq.param("database"));
    let database = database.ok_or_else(|| Problem::missing(rq.uri()))?;
    let wanted = database.iter();
    let wanted = wanted.filter(|key| (key.kind == KeyKind::X509) == certificates);
    Ok(wanted.cloned().collect())
}

fn ids(rq: &Rq, certificates: bool) -> Result<Vec<String>, Problem> {
    let count = entries(rq, certificates)?.len();
    Ok((1..=count).map(|number| number.to_string()).collect())
}

fn entry(rq: &Rq, certificates: bool) -> Result<Key, Problem> {
    let missing = || Problem::missing(rq.uri());
    let text = rq.param("entry");
    let number: usize = text.parse().map_err(|_| missing())?;
    let place = number.checked_sub(1).filter(|_| number.to_string() == text);
    let mut entries = entries(rq, certificates)?;
    match place {
        Some(place) if place < entries.len() => Ok(entries.swap_remove(place)),
        _ => Err(missing()),
    }
}

async fn read(rq: &Rq) -> Result<Content, Problem> {
    entries(rq, true)?;
    let name = rq.param("database");
    let about = match name {
        "PK" => "Whose machine it is: who may change the key exchange keys.",
        "KEK" => "Key exchange keys: who may change what is trusted and what is not.",
        "db" => "What is trusted.",
        "dbx" => "What is not trusted, whoever else says so.",
        _ => "What is taken when keys are reset.",
    };
    Content::of(&SecureBootDatabase {
        id: name.to_owned(),
        name: format!("Secure boot database {name}"),
        description: Prop::Value(about.to_owned()),
        database_id: Some(name.to_owned()),
        certificates: Some(OdataId::new(format!("{}/Certificates", rq.uri()))),
        signatures: Some(OdataId::new(format!("{}/Signatures", rq.uri()))),
        ..SecureBootDatabase::default()
    })
}

async fn read_certificate(rq: &Rq) -> Result<Content, Problem> {
    let key = entry(rq, true)?;
    // What firmware holds need not be well made; then it is shown, and nothing said of it.
    let facts = Facts::of(&key.data).ok();
    let facts = facts.as_ref();
    Content::of(&Certificate {
        id: rq.param("entry").to_owned(),
        name: format!(
            "Certificate {} of {}",
            rq.param("entry"),
            rq.param("database")
        ),
        certificate_string: Prop::Value(pem("CERTIFICATE", &key.data)),
        certificate_type: Prop::Value(CertificateType::PEM),
        uefi_signature_owner: Prop::Value(key.owner.to_string()),
        subject: facts.map(|facts| identifier(&facts.subject)),
        issuer: facts.map(|facts| identifier(&facts.issuer)),
        valid_not_before: facts.map(|facts| date_time(facts.not_before)),
        valid_not_after: facts.map(|facts| date_time(facts.not_after)),
        ..Certificate::default()
    })
}

fn identifier(name: &Name) -> Identifier {
    Identifier {
        common_name: name.common_names.first().cloned(),
        organization: name.organization.clone(),
        ..Identifier::default()
    }
}

async fn read_signature(rq: &Rq) -> Result<Content, Problem> {
    let key = entry(rq, false)?;
    // Named as the UEFI specification names the types of signatures.
    let kind = match key.kind {
        KeyKind::X509 => "EFI_CERT_X509_GUID".to_owned(),
        KeyKind::Sha256 => "EFI_CERT_SHA256_GUID".to_owned(),
        KeyKind::Rsa2048 => "EFI_CERT_RSA2048_GUID".to_owned(),
        KeyKind::Other(other) => other.to_string(),
    };
    let hex: String = key.data.iter().map(|byte| format!("{byte:02x}")).collect();
    Content::of(&Signature {
        id: rq.param("entry").to_owned(),
        name: format!(
            "Signature {} of {}",
            rq.param("entry"),
            rq.param("database")
        ),
        signature_type_registry: Prop::Value(SignatureTypeRegistry::UEFI),
        signature_type: Prop::Value(kind),
        signature_string: Prop::Value(hex),
        uefi_signature_owner: Prop::Value(key.owner.to_string()),
        ..Signature::default()
    })
}

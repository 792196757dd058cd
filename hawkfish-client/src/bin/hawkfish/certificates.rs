//! `certificates`: what the service shows that it is, and asks others to show.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use hawkfish_client::{Client, Fetched, Kind, link};
use serde_json::{Map, Value, json};

use crate::change::{conclude, text_in};
use crate::failure::{Failure, Result};
use crate::find;
use crate::output::{Column, Output};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// All certificates that the service tells of.
    Ls,
    /// One certificate.
    Show {
        /// Its id or URI.
        certificate: String,
    },
    /// Has the service make a key and ask for a certificate of it: prints the request, for an authority to sign.
    Csr(Box<Csr>),
    /// Puts another certificate in the place of one.
    Replace(Replace),
}

#[derive(Debug, Args)]
pub(crate) struct Csr {
    /// The name that clients call the service by.
    #[arg(long, value_name = "NAME")]
    common_name: String,
    /// Further names and addresses; may be given more than once.
    #[arg(long = "alternative-name", value_name = "NAME")]
    alternative_names: Vec<String>,
    /// The organisation.
    #[arg(long)]
    organization: Option<String>,
    /// The part of the organisation.
    #[arg(long)]
    organizational_unit: Option<String>,
    /// The city.
    #[arg(long)]
    city: Option<String>,
    /// The state or province.
    #[arg(long)]
    state: Option<String>,
    /// The country, in two letters.
    #[arg(long)]
    country: Option<String>,
    /// The address to write to.
    #[arg(long)]
    email: Option<String>,
    /// The kind of key, such as TPM_ALG_ECDSA or TPM_ALG_RSA.
    #[arg(long, value_name = "ALGORITHM")]
    key_algorithm: Option<String>,
    /// The curve of the key, such as TPM_ECC_NIST_P384.
    #[arg(long, value_name = "CURVE")]
    key_curve: Option<String>,
    /// The length of the key, of those kinds that have several.
    #[arg(long, value_name = "BITS")]
    key_bits: Option<u32>,
    /// The collection that the certificate is to stand in, a URI; without it that of a manager's HTTPS.
    #[arg(long, value_name = "URI")]
    collection: Option<String>,
    /// Whose HTTPS it is, where there are several managers: id or name.
    #[arg(long, conflicts_with = "collection")]
    manager: Option<String>,
    /// Writes the request to this file, which must not be there yet.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Replace {
    /// Id or URI of the certificate that goes.
    certificate: String,
    /// The certificate that comes, as PEM; those that signed it may follow in the same file.
    file: PathBuf,
}

const COLUMNS: &[Column] = &[
    ("ID", &["/Id"]),
    ("FOR", &["/Subject/CommonName"]),
    ("BY", &["/Issuer/CommonName"]),
    ("FROM", &["/ValidNotBefore"]),
    ("UNTIL", &["/ValidNotAfter"]),
    ("URI", &["/@odata.id"]),
];

const ROWS: &[Column] = &[
    ("Id", &["/Id"]),
    ("Name", &["/Name"]),
    ("For", &["/Subject/CommonName"]),
    ("Also for", &["/Subject/AlternativeNames"]),
    ("Organisation", &["/Subject/Organization"]),
    ("By", &["/Issuer/CommonName"]),
    ("By organisation", &["/Issuer/Organization"]),
    ("From", &["/ValidNotBefore"]),
    ("Until", &["/ValidNotAfter"]),
    ("Usage", &["/KeyUsage"]),
    ("Serial number", &["/SerialNumber"]),
    ("Fingerprint", &["/Fingerprint"]),
    ("Fingerprint by", &["/FingerprintHashAlgorithm"]),
    ("Signed by", &["/SignatureAlgorithm"]),
    ("Kind", &["/CertificateType"]),
    ("URI", &["/@odata.id"]),
];

pub(crate) async fn run(client: &Client, output: &Output, command: &Command) -> Result<()> {
    match command {
        Command::Ls => output.list(COLUMNS, &find::values(all(client).await?)),
        Command::Show { certificate } => output.one(ROWS, &named(client, certificate).await?.value),
        Command::Csr(csr) => self::csr(client, output, csr).await,
        Command::Replace(replace) => self::replace(client, output, replace).await,
    }
}

async fn service(client: &Client) -> Result<Value> {
    Ok(
        find::service(client, "/CertificateService", "service for certificates")
            .await?
            .value,
    )
}

/// All that the service tells of in one place; where that is empty, those of its managers' HTTPS.
async fn all(client: &Client) -> Result<Vec<Fetched<Value>>> {
    let mut found = Vec::new();
    let service = service(client).await?;
    if let Some(locations) = link(&service, "/CertificateLocations") {
        let locations = client.get_value(locations).await?.value;
        let links = locations.pointer("/Links/Certificates");
        let links = links.and_then(Value::as_array).into_iter().flatten();
        for link in links.filter_map(|link| find::text(link, "/@odata.id")) {
            found.push(client.get_value(link).await?);
        }
    }
    if found.is_empty() {
        for collection in collections(client, None).await? {
            found.extend(find::all(client, &collection).await?);
        }
    }
    Ok(found)
}

async fn named(client: &Client, name: &str) -> Result<Fetched<Value>> {
    if name.starts_with('/') {
        return Ok(client.get_value(name).await?);
    }
    let mut found = all(client).await?;
    found
        .retain(|have| find::text(&have.value, "/Id") == Some(name) || find::id(&have.uri) == name);
    match found.len() {
        0 => Err(Failure::NotFound(format!("there is no certificate {name}"))),
        1 => Ok(found.remove(0)),
        several => Err(Failure::Usage(format!(
            "{several} certificates are called {name}; use the URI"
        ))),
    }
}

/// The collections of certificates of managers' HTTPS.
async fn collections(client: &Client, manager: Option<&str>) -> Result<Vec<String>> {
    let root = client.root().await?.value;
    let Some(managers) = link(&root, "/Managers") else {
        return Ok(Vec::new());
    };
    let managers = match manager {
        Some(name) => {
            vec![find::member(client, managers, name, &["Id", "Name"], "manager").await?]
        }
        None => find::all(client, managers).await?,
    };
    let mut collections = Vec::new();
    for manager in managers {
        let Some(protocol) = link(&manager.value, "/NetworkProtocol") else {
            continue;
        };
        let protocol = match client.get_value(protocol).await {
            Ok(protocol) => protocol.value,
            Err(error) if error.kind == Kind::NotFound => continue,
            Err(error) => return Err(error.into()),
        };
        if let Some(collection) = link(&protocol, "/HTTPS/Certificates")
            && !collections.iter().any(|have| have == collection)
        {
            collections.push(collection.to_owned());
        }
    }
    Ok(collections)
}

async fn csr(client: &Client, output: &Output, csr: &Csr) -> Result<()> {
    let service = service(client).await?;
    let collection = match &csr.collection {
        Some(collection) => collection.clone(),
        None => {
            let mut collections = collections(client, csr.manager.as_deref()).await?;
            match collections.len() {
                0 => {
                    return Err(Failure::NotFound(
                        "the service has no certificates of HTTPS; name the --collection".into(),
                    ));
                }
                1 => collections.remove(0),
                _ => {
                    return Err(Failure::Usage(format!(
                        "there are several managers with certificates of HTTPS; name the --manager, or the --collection: {}",
                        collections.join(", ")
                    )));
                }
            }
        }
    };
    let mut parameters = Map::from_iter([
        (
            "CommonName".to_owned(),
            Value::from(csr.common_name.clone()),
        ),
        (
            "CertificateCollection".to_owned(),
            json!({"@odata.id": collection}),
        ),
    ]);
    if !csr.alternative_names.is_empty() {
        parameters.insert(
            "AlternativeNames".into(),
            csr.alternative_names.clone().into(),
        );
    }
    for (name, value) in [
        ("Organization", &csr.organization),
        ("OrganizationalUnit", &csr.organizational_unit),
        ("City", &csr.city),
        ("State", &csr.state),
        ("Country", &csr.country),
        ("Email", &csr.email),
        ("KeyPairAlgorithm", &csr.key_algorithm),
        ("KeyCurveId", &csr.key_curve),
    ] {
        if let Some(value) = value {
            parameters.insert(name.to_owned(), value.clone().into());
        }
    }
    if let Some(bits) = csr.key_bits {
        parameters.insert("KeyBitLength".into(), bits.into());
    }
    // Before the service makes a key, since the one that it made last is gone by that.
    let file = csr.out.as_deref().map(New::at).transpose()?;
    let outcome = client
        .action(&service, "CertificateService.GenerateCSR", &parameters)
        .await?;
    let answer = outcome.finish(None).await?.json()?;
    let Some(request) = find::text(&answer, "/CSRString") else {
        return Err(Failure::NotFound(
            "the service has made a request but does not show it".into(),
        ));
    };
    match file {
        Some(file) => output.line(&format!("{}: written", file.write(request)?)),
        None => match output.format {
            crate::output::Format::Table => {
                for line in request.lines() {
                    output.line(line)?;
                }
                Ok(())
            }
            _ => output.json(&answer),
        },
    }
}

/// A file that was not there before; gone again unless something was written.
#[derive(Debug)]
struct New {
    path: PathBuf,
    file: Option<File>,
}

impl New {
    fn at(path: &Path) -> Result<Self> {
        let file = File::create_new(path)
            .map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))?;
        Ok(Self {
            path: path.to_owned(),
            file: Some(file),
        })
    }

    /// Where it was written.
    fn write(mut self, text: &str) -> Result<String> {
        let path = self.path.display().to_string();
        if let Some(file) = &mut self.file {
            file.write_all(text.as_bytes())
                .map_err(|error| Failure::Usage(format!("{path}: {error}")))?;
        }
        self.file = None;
        Ok(path)
    }
}

impl Drop for New {
    fn drop(&mut self) {
        if self.file.is_some() {
            // Nobody misses what is empty.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

async fn replace(client: &Client, output: &Output, replace: &Replace) -> Result<()> {
    let pem = text_in(&replace.file)?;
    let wrong = |why: &str| Failure::Usage(format!("{}: {why}", replace.file.display()));
    let kind = match pem.matches("-----BEGIN CERTIFICATE-----").count() {
        0 => return Err(wrong("holds no certificate as PEM")),
        1 => "PEM",
        _ => "PEMchain",
    };
    if pem.contains("PRIVATE KEY-----") {
        return Err(wrong(
            "holds a private key, too; it belongs nowhere, and the service has its own (certificates csr)",
        ));
    }
    let service = service(client).await?;
    let certificate = named(client, &replace.certificate).await?;
    let parameters = json!({
        "CertificateString": pem,
        "CertificateType": kind,
        "CertificateUri": {"@odata.id": certificate.uri},
    });
    let outcome = client
        .action(
            &service,
            "CertificateService.ReplaceCertificate",
            &parameters,
        )
        .await?;
    conclude(
        output,
        outcome,
        &format!("{}: replaced", replace.certificate),
    )
    .await
}

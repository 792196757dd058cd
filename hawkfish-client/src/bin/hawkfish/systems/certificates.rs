//! Certificates of a drive of virtual media, of a manager: the same resource everywhere.

use std::path::PathBuf;

use clap::Subcommand;
use hawkfish_client::Client;
use serde_json::{Value, json};

use super::parts;
use crate::failure::{Failure, Result};
use crate::find;
use crate::output::{Column, Format, Output};
use crate::tasks::Waiting;

/// What can be done with the certificates of something.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// All certificates.
    Ls {
        #[command(flatten)]
        of: Of,
    },
    /// One certificate; its PEM with -o json.
    Show {
        #[command(flatten)]
        of: Of,
        /// Its id.
        certificate: String,
    },
    /// Adds one.
    Add {
        #[command(flatten)]
        of: Of,
        /// A PEM file.
        file: PathBuf,
        #[command(flatten)]
        waiting: Waiting,
    },
    /// Takes one away.
    Rm {
        #[command(flatten)]
        of: Of,
        /// Its id.
        certificate: String,
        #[command(flatten)]
        waiting: Waiting,
    },
}

/// Whose certificates.
#[derive(Debug, clap::Args)]
pub(crate) struct Of {
    /// Id, name or UUID.
    pub(crate) id: String,
    /// The drive; of a machine with one drive it may be left out.
    #[arg(long)]
    pub(crate) slot: Option<String>,
}

const COLUMNS: &[Column] = &[
    ("ID", &["/Id"]),
    ("SUBJECT", &["/·Subject"]),
    ("ISSUER", &["/·Issuer"]),
    ("VALID UNTIL", &["/ValidNotAfter"]),
    ("TYPE", &["/CertificateType"]),
];

const ROWS: &[Column] = &[
    ("Id", &["/Id"]),
    ("Name", &["/Name"]),
    ("Subject", &["/·Subject"]),
    ("Issuer", &["/·Issuer"]),
    ("Valid from", &["/ValidNotBefore"]),
    ("Valid until", &["/ValidNotAfter"]),
    ("Serial number", &["/SerialNumber"]),
    ("Fingerprint", &["/Fingerprint"]),
    ("Used for", &["/KeyUsage"]),
    ("Type", &["/CertificateType"]),
    ("URI", &["/@odata.id"]),
];

impl Command {
    pub(crate) fn of(&self) -> &Of {
        match self {
            Self::Ls { of }
            | Self::Show { of, .. }
            | Self::Add { of, .. }
            | Self::Rm { of, .. } => of,
        }
    }
}

/// The certificates at a pointer of what owns them.
pub(crate) async fn run(
    client: &Client,
    output: &Output,
    command: &Command,
    owner: &Value,
    pointer: &str,
    what: &str,
) -> Result<()> {
    let id = &command.of().id;
    match command {
        Command::Ls { .. } => look(client, output, owner, pointer, what, None).await,
        Command::Show { certificate, .. } => {
            look(client, output, owner, pointer, what, Some(certificate)).await
        }
        Command::Add { file, waiting, .. } => {
            let pem = std::fs::read_to_string(file)
                .map_err(|error| Failure::Usage(format!("{}: {error}", file.display())))?;
            if !pem.contains("-----BEGIN CERTIFICATE-----") {
                return Err(Failure::Usage(format!(
                    "{}: no certificate in PEM",
                    file.display()
                )));
            }
            if pem.contains("PRIVATE KEY-----") {
                return Err(Failure::Usage(format!(
                    "{}: there is a private key in it, which would be given away",
                    file.display()
                )));
            }
            let collection = find::linked(owner, pointer, what)?;
            let outcome = client
                .post(
                    collection,
                    &json!({"CertificateString": pem, "CertificateType": "PEM"}),
                )
                .await?;
            waiting
                .conclude(output, outcome, &format!("{id}: certificate added"))
                .await
        }
        Command::Rm {
            certificate,
            waiting,
            ..
        } => {
            let certificates = parts::need(client, owner, pointer, what).await?;
            let found = parts::named(&certificates, certificate, "certificate")?;
            let outcome = client.delete(&found.uri, found.etag.as_ref()).await?;
            let sentence = format!("{id}: certificate {} is gone", parts::id(found));
            waiting.conclude(output, outcome, &sentence).await
        }
    }
}

/// Prints all of them, or the one of that id.
pub(crate) async fn look(
    client: &Client,
    output: &Output,
    owner: &Value,
    pointer: &str,
    what: &str,
    one: Option<&str>,
) -> Result<()> {
    let certificates = parts::need(client, owner, pointer, what).await?;
    let Some(id) = one else {
        let all: Vec<Value> = certificates.into_iter().map(|one| one.value).collect();
        return parts::list(output, COLUMNS, all, view);
    };
    let found = &parts::named(&certificates, id, "certificate")?.value;
    match output.format {
        Format::Table => output.one(ROWS, &view(found)),
        _ => output.one(ROWS, found),
    }
}

fn view(certificate: &Value) -> Value {
    let whole = |pointer: &str| {
        let of = certificate.pointer(pointer)?;
        let common = parts::text(of, "/CommonName").filter(|name| !name.is_empty());
        common
            .or_else(|| parts::text(of, "/Organization"))
            .or_else(|| of.as_str())
    };
    parts::with(
        certificate,
        [
            ("·Subject", whole("/Subject").into()),
            ("·Issuer", whole("/Issuer").into()),
        ],
    )
}

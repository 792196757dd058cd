//! `systems secure-boot`: whether UEFI starts only what is signed, and by whom.

use clap::Subcommand;
use hawkfish_client::{Client, action_target};
use serde_json::{Value, json};

use super::parts;
use crate::change;
use crate::failure::Result;
use crate::find;
use crate::output::{Column, Format, Output};
use crate::tasks::Waiting;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Whether it is on.
    Show {
        /// Id, name or UUID of the machine.
        id: String,
    },
    /// Switches it on, from the next start on.
    On(Switch),
    /// Switches it off, from the next start on.
    Off(Switch),
    /// The keys that are trusted and not trusted.
    Databases {
        /// Id, name or UUID of the machine.
        id: String,
    },
    /// Sets keys as they were or takes them away.
    ResetKeys {
        /// Id, name or UUID of the machine.
        id: String,
        /// ResetAllKeysToDefault, DeleteAllKeys, DeletePK, …; what the service takes.
        what: String,
        /// Of this database only.
        #[arg(long)]
        database: Option<String>,
        #[command(flatten)]
        waiting: Waiting,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct Switch {
    /// Id, name or UUID of the machine.
    id: String,
    #[command(flatten)]
    waiting: Waiting,
}

const ROWS: &[Column] = &[
    ("Enabled", &["/SecureBootEnable"]),
    ("This start", &["/SecureBootCurrentBoot"]),
    ("Mode", &["/SecureBootMode"]),
    ("URI", &["/@odata.id"]),
];

const DATABASES: &[Column] = &[
    ("ID", &["/DatabaseId", "/Id"]),
    ("CERTIFICATES", &["/·Certificates"]),
    ("SIGNATURES", &["/·Signatures"]),
    ("NAME", &["/Name"]),
];

pub(crate) async fn run(client: &Client, output: &Output, command: &Command) -> Result<()> {
    let id = match command {
        Command::Show { id } | Command::Databases { id } | Command::ResetKeys { id, .. } => id,
        Command::On(switch) | Command::Off(switch) => &switch.id,
    };
    let system = find::system(client, id).await?.value;
    let secure = parts::one(
        client,
        &system,
        "/SecureBoot",
        "secure boot of this machine",
    )
    .await?;
    match command {
        Command::Show { .. } => output.one(ROWS, &secure.value),
        Command::On(switch) | Command::Off(switch) => {
            let on = matches!(command, Command::On(_));
            let outcome =
                parts::amend(client, &secure.uri, json!({"SecureBootEnable": on})).await?;
            let word = if on { "on" } else { "off" };
            let sentence = format!("{id}: secure boot {word} from the next start on");
            switch.waiting.conclude(output, outcome, &sentence).await
        }
        Command::Databases { .. } => {
            let databases = databases(client, &secure.value).await?;
            let databases: Vec<Value> = databases.into_iter().map(|found| found.value).collect();
            if output.format != Format::Table {
                return output.list(DATABASES, &databases);
            }
            let mut rows = Vec::new();
            for database in databases {
                let mut counted = Vec::new();
                for (name, pointer) in [
                    ("·Certificates", "/Certificates"),
                    ("·Signatures", "/Signatures"),
                ] {
                    let collection = hawkfish_client::link(&database, pointer);
                    let count = match collection {
                        Some(uri) => client.members(uri).all().await?.len().into(),
                        None => Value::Null,
                    };
                    counted.push((name, count));
                }
                rows.push(parts::with(&database, counted));
            }
            output.list(DATABASES, &rows)
        }
        Command::ResetKeys {
            what,
            database,
            waiting,
            ..
        } => {
            let (place, action, of) = match database {
                None => (secure, "SecureBoot.ResetKeys", String::new()),
                Some(name) => {
                    let databases = databases(client, &secure.value).await?;
                    let found = parts::named(&databases, name, "database")?.clone();
                    (found, "SecureBootDatabase.ResetKeys", format!(" of {name}"))
                }
            };
            if action_target(&place.value, action).is_none() {
                return Err(parts::none("way to reset keys here"));
            }
            let allowed = parts::parameter(client, &place.value, action, "ResetKeysType").await?;
            let what = change::as_written(&allowed, what, "reset of keys")?;
            let outcome = client
                .action(&place.value, action, &json!({"ResetKeysType": what}))
                .await?;
            let sentence = format!("{id}: {what}{of}");
            waiting.conclude(output, outcome, &sentence).await
        }
    }
}

async fn databases(
    client: &Client,
    secure: &Value,
) -> Result<Vec<hawkfish_client::Fetched<Value>>> {
    parts::need(
        client,
        secure,
        "/SecureBootDatabases",
        "databases of keys of this machine",
    )
    .await
}

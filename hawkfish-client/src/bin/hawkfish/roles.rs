//! `roles`: what accounts may do.

use clap::{Args, Subcommand};
use hawkfish_client::{Client, Fetched};
use serde_json::{Map, Value};

use crate::change::conclude;
use crate::failure::Result;
use crate::find;
use crate::output::{Column, Output};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// All roles.
    Ls,
    /// One role.
    Show {
        /// Its id.
        role: String,
    },
    /// Makes a role.
    Add(Add),
    /// Removes a role.
    Rm {
        /// Its id.
        role: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Add {
    /// Its id.
    role: String,
    /// What it may: Login, ConfigureSelf, ConfigureComponents, ConfigureUsers, ConfigureManager; may be given more than once.
    #[arg(short, long = "privilege", required = true)]
    privileges: Vec<String>,
    /// What it may of the vendor's own; may be given more than once.
    #[arg(long = "oem-privilege")]
    oem_privileges: Vec<String>,
}

const COLUMNS: &[Column] = &[
    ("ID", &["/Id"]),
    ("NAME", &["/Name"]),
    ("PREDEFINED", &["/IsPredefined"]),
    ("PRIVILEGES", &["/AssignedPrivileges"]),
];

const ROWS: &[Column] = &[
    ("Id", &["/Id"]),
    ("Name", &["/Name"]),
    ("Description", &["/Description"]),
    ("Predefined", &["/IsPredefined"]),
    ("Restricted", &["/Restricted"]),
    ("Privileges", &["/AssignedPrivileges"]),
    ("Vendor's privileges", &["/OemPrivileges"]),
    ("URI", &["/@odata.id"]),
];

pub(crate) async fn run(client: &Client, output: &Output, command: &Command) -> Result<()> {
    let service = find::service(client, "/AccountService", "roles").await?;
    let collection = find::linked(&service.value, "/Roles", "roles")?;
    match command {
        Command::Ls => {
            let roles = find::values(find::all(client, collection).await?);
            output.list(COLUMNS, &roles)
        }
        Command::Show { role } => output.one(ROWS, &named(client, collection, role).await?.value),
        Command::Add(add) => {
            let mut body = Map::from_iter([
                ("RoleId".to_owned(), Value::from(add.role.clone())),
                (
                    "AssignedPrivileges".to_owned(),
                    add.privileges.clone().into(),
                ),
            ]);
            if !add.oem_privileges.is_empty() {
                body.insert("OemPrivileges".into(), add.oem_privileges.clone().into());
            }
            let outcome = client.post(collection, &body).await?;
            conclude(output, outcome, &format!("{}: added", add.role)).await
        }
        Command::Rm { role } => {
            let found = named(client, collection, role).await?;
            let outcome = client.delete(&found.uri, found.etag.as_ref()).await?;
            conclude(output, outcome, &format!("{role}: removed")).await
        }
    }
}

async fn named(client: &Client, collection: &str, role: &str) -> Result<Fetched<Value>> {
    find::member(client, collection, role, &["Id", "RoleId"], "role").await
}

//! `accounts`: who can log in.

mod passwd;
mod secret;

use clap::{Args, Subcommand};
use hawkfish_client::{Client, Fetched, Kind, link};
use serde_json::{Map, Value, json};

use self::secret::NewPassword;
use crate::change::{as_written, conclude};
use crate::failure::{Failure, Result};
use crate::find;
use crate::output::{Column, Output};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// All accounts.
    Ls {
        /// Also slots of the service that hold no account.
        #[arg(long)]
        all: bool,
    },
    /// One account.
    Show(Named),
    /// Makes an account.
    Add(Add),
    /// Changes the name or the role of an account.
    Set(Set),
    /// Lets an account log in.
    Enable(Named),
    /// Keeps an account from logging in.
    Disable(Named),
    /// Lets an account log in again that was locked after wrong passwords.
    Unlock(Named),
    /// Removes an account.
    Rm(Named),
    /// Sets the password of an account, one's own if none is named; also where the service wants another one before anything else.
    Passwd {
        /// Its id or user name.
        account: Option<String>,
        #[command(flatten)]
        password: NewPassword,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Named {
    /// Its id or user name.
    account: String,
}

#[derive(Debug, Args)]
pub(crate) struct Add {
    /// The user name.
    name: String,
    /// Administrator, Operator, ReadOnly, or another role of the service.
    #[arg(long)]
    role: String,
    /// It cannot log in before it is enabled.
    #[arg(long)]
    disabled: bool,
    /// It can do nothing before its password was changed.
    #[arg(long)]
    must_change: bool,
    #[command(flatten)]
    password: NewPassword,
}

#[derive(Debug, Args)]
pub(crate) struct Set {
    /// Its id or user name.
    account: String,
    /// Another user name.
    #[arg(long, required_unless_present = "role")]
    name: Option<String>,
    /// Another role.
    #[arg(long)]
    role: Option<String>,
}

const COLUMNS: &[Column] = &[
    ("ID", &["/Id"]),
    ("USER", &["/UserName"]),
    ("ROLE", &["/RoleId"]),
    ("ENABLED", &["/Enabled"]),
    ("LOCKED", &["/Locked"]),
    ("MUST CHANGE", &["/PasswordChangeRequired"]),
];

const ROWS: &[Column] = &[
    ("Id", &["/Id"]),
    ("User", &["/UserName"]),
    ("Role", &["/RoleId"]),
    ("Enabled", &["/Enabled"]),
    ("Locked", &["/Locked"]),
    ("Must change password", &["/PasswordChangeRequired"]),
    ("Password expires", &["/PasswordExpiration"]),
    ("Account expires", &["/AccountExpiration"]),
    ("For", &["/AccountTypes"]),
    ("Email", &["/EmailAddress"]),
    ("URI", &["/@odata.id"]),
];

pub(crate) async fn run(client: &Client, output: &Output, command: &Command) -> Result<()> {
    match command {
        Command::Ls { all } => {
            let service = service(client).await?;
            let collection = find::linked(&service, "/Accounts", "accounts")?;
            let mut accounts = find::values(find::all(client, collection).await?);
            // Some services have a fixed number of slots, most of them empty.
            accounts.retain(|account| *all || !is_empty(account));
            output.list(COLUMNS, &accounts)
        }
        Command::Show(named) => output.one(ROWS, &account(client, &named.account).await?.value),
        Command::Add(add) => create(client, output, add).await,
        Command::Set(set) => {
            let account = account(client, &set.account).await?;
            let mut change = Map::new();
            let mut said = Vec::new();
            if let Some(name) = &set.name {
                change.insert("UserName".into(), name.clone().into());
                said.push(format!("is called {name}"));
            }
            if let Some(wanted) = &set.role {
                let role = role(client, &service(client).await?, wanted).await?;
                said.push(format!("is {role}"));
                change.insert("RoleId".into(), role.into());
            }
            let sentence = format!("{}: {}", set.account, said.join(" and "));
            patch(client, output, &account, &change.into(), &sentence).await
        }
        Command::Enable(named) => set(client, output, named, "Enabled", true, "enabled").await,
        Command::Disable(named) => set(client, output, named, "Enabled", false, "disabled").await,
        Command::Unlock(named) => set(client, output, named, "Locked", false, "unlocked").await,
        Command::Rm(named) => remove(client, output, &named.account).await,
        Command::Passwd { account, password } => {
            passwd::run(client, output, account.as_deref(), password).await
        }
    }
}

async fn service(client: &Client) -> Result<Value> {
    Ok(find::service(client, "/AccountService", "accounts")
        .await?
        .value)
}

async fn account(client: &Client, name: &str) -> Result<Fetched<Value>> {
    let service = service(client).await?;
    let collection = find::linked(&service, "/Accounts", "accounts")?;
    find::member(client, collection, name, &["Id", "UserName"], "account").await
}

fn is_empty(account: &Value) -> bool {
    account.get("UserName").and_then(Value::as_str) == Some("")
}

async fn patch(
    client: &Client,
    output: &Output,
    account: &Fetched<Value>,
    change: &Value,
    sentence: &str,
) -> Result<()> {
    let outcome = client
        .patch(&account.uri, account.etag.as_ref(), change)
        .await?;
    conclude(output, outcome, sentence).await
}

async fn set(
    client: &Client,
    output: &Output,
    named: &Named,
    property: &str,
    value: bool,
    said: &str,
) -> Result<()> {
    let account = account(client, &named.account).await?;
    if account.value.get(property).is_none() {
        return Err(Failure::NotFound(format!(
            "{}: this service has no {property} of accounts",
            named.account
        )));
    }
    let sentence = format!("{}: {said}", named.account);
    patch(
        client,
        output,
        &account,
        &json!({property: value}),
        &sentence,
    )
    .await
}

/// The role as the service writes it.
async fn role(client: &Client, service: &Value, wanted: &str) -> Result<String> {
    let Some(roles) = link(service, "/Roles") else {
        return Ok(wanted.to_owned());
    };
    let members = client.members(roles).all().await?;
    let known: Vec<String> = members.iter().map(|role| role.id().to_owned()).collect();
    as_written(&known, wanted, "role")
}

async fn create(client: &Client, output: &Output, add: &Add) -> Result<()> {
    let service = service(client).await?;
    let collection = find::linked(&service, "/Accounts", "accounts")?;
    let role = role(client, &service, &add.role).await?;
    let password = add.password.read(&add.name).await?;
    let mut body = Map::from_iter([
        ("UserName".to_owned(), add.name.clone().into()),
        ("Password".to_owned(), password.into()),
        ("RoleId".to_owned(), role.into()),
    ]);
    if add.disabled {
        body.insert("Enabled".into(), false.into());
    }
    if add.must_change {
        body.insert("PasswordChangeRequired".into(), true.into());
    }
    let sentence = format!("{}: added", add.name);
    match client.post(collection, &body).await {
        Ok(outcome) => conclude(output, outcome, &sentence).await,
        // Where accounts are slots that are always there, an empty one is filled.
        Err(error) if error.kind == Kind::Unsupported => {
            let slots = find::all(client, collection).await?;
            // The first slot is nobody's by the rules of IPMI.
            let empty = slots.iter().find(|slot| {
                is_empty(&slot.value) && slot.value.get("Id").and_then(Value::as_str) != Some("1")
            });
            let Some(slot) = empty else {
                return Err(error.into());
            };
            body.insert("Enabled".into(), (!add.disabled).into());
            patch(client, output, slot, &body.into(), &sentence).await
        }
        Err(error) => Err(error.into()),
    }
}

async fn remove(client: &Client, output: &Output, name: &str) -> Result<()> {
    let account = account(client, name).await?;
    let sentence = format!("{name}: removed");
    match client.delete(&account.uri, account.etag.as_ref()).await {
        Ok(outcome) => conclude(output, outcome, &sentence).await,
        // A slot cannot go, but it can be emptied.
        Err(error) if error.kind == Kind::Unsupported => {
            let emptied = json!({"Enabled": false, "UserName": ""});
            match client
                .patch(&account.uri, account.etag.as_ref(), &emptied)
                .await
            {
                Ok(outcome) => conclude(output, outcome, &sentence).await,
                Err(_) => Err(error.into()),
            }
        }
        Err(error) => Err(error.into()),
    }
}

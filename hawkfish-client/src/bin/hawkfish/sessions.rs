//! `sessions`: who is logged in.

use clap::{Args, Subcommand};
use hawkfish_client::{Client, Kind};
use serde_json::Value;

use crate::failure::{Failure, Result};
use crate::find;
use crate::output::{Column, Output};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// All sessions; one of them is that of this command.
    Ls,
    /// Ends sessions.
    Rm(Rm),
}

#[derive(Debug, Args)]
pub(crate) struct Rm {
    /// Their ids.
    #[arg(value_name = "ID", required_unless_present = "mine_not")]
    ids: Vec<String>,
    /// All but that of this command.
    #[arg(long, conflicts_with = "ids")]
    mine_not: bool,
    /// With --mine-not: only those of this user.
    #[arg(long, value_name = "NAME", requires = "mine_not")]
    of: Option<String>,
}

const COLUMNS: &[Column] = &[
    ("ID", &["/Id"]),
    ("USER", &["/UserName"]),
    ("FROM", &["/ClientOriginIPAddress"]),
    ("SINCE", &["/CreatedTime"]),
];

pub(crate) async fn run(client: &Client, output: &Output, command: &Command) -> Result<()> {
    let root = client.root().await?.value;
    let collection = find::linked(&root, "/Links/Sessions", "sessions")?;
    match command {
        Command::Ls => {
            let sessions = find::values(find::all(client, collection).await?);
            output.list(COLUMNS, &sessions)
        }
        Command::Rm(rm) if rm.mine_not => others(client, output, collection, rm).await,
        Command::Rm(rm) => {
            let (mut failed, mut code) = (0, 0);
            for id in &rm.ids {
                match end(client, collection, id).await {
                    Ok(()) => output.line(&format!("{id}: ended"))?,
                    Err(failure) => {
                        // What is left is still to be done.
                        crate::output::warn(&failure.to_string());
                        failed += 1;
                        code = failure.exit_code();
                    }
                }
            }
            match failed {
                0 => Ok(()),
                failed => Err(Failure::Several {
                    failed,
                    of: rm.ids.len(),
                    code,
                }),
            }
        }
    }
}

async fn end(client: &Client, collection: &str, id: &str) -> Result<()> {
    let session = find::member(client, collection, id, &["Id"], "session").await?;
    client
        .delete(&session.uri, None)
        .await?
        .finish(None)
        .await?;
    Ok(())
}

async fn others(client: &Client, output: &Output, collection: &str, rm: &Rm) -> Result<()> {
    client.login().await?;
    let ours = client.session().and_then(|session| session.uri);
    let ours = ours.as_deref().map(find::id);
    let mut ended = 0;
    for session in find::all(client, collection).await? {
        let user = session.value.get("UserName").and_then(Value::as_str);
        if ours == Some(find::id(&session.uri))
            || rm.of.as_deref().is_some_and(|wanted| user != Some(wanted))
        {
            continue;
        }
        match client.delete(&session.uri, None).await {
            Ok(outcome) => {
                outcome.finish(None).await?;
                ended += 1;
            }
            // It has ended by itself meanwhile.
            Err(error) if error.kind == Kind::NotFound => {}
            Err(error) => return Err(Failure::from(error)),
        }
    }
    output.line(&format!("{ended} sessions ended"))
}

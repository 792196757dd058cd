//! `sessions`: who is logged in.

use clap::Subcommand;
use hawkfish_client::Client;

use crate::failure::Result;
use crate::find;
use crate::output::{Column, Output};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// All sessions; one of them is that of this command.
    Ls,
}

const COLUMNS: &[Column] = &[
    ("ID", &["/Id"]),
    ("USER", &["/UserName"]),
    ("FROM", &["/ClientOriginIPAddress"]),
    ("SINCE", &["/CreatedTime"]),
];

pub(crate) async fn run(client: &Client, output: &Output, command: &Command) -> Result<()> {
    match command {
        Command::Ls => {
            let root = client.root().await?.value;
            let collection = find::linked(&root, "/Links/Sessions", "sessions")?;
            let sessions = find::all(client, collection).await?;
            let sessions: Vec<_> = sessions.into_iter().map(|session| session.value).collect();
            output.list(COLUMNS, &sessions)
        }
    }
}

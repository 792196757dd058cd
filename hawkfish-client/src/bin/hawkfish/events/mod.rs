//! `events`: what happens, as it happens, and who is told of it.

mod dead_letters;
mod listen;
mod subscriptions;
mod tell;
mod wanted;
mod watch;

use clap::Subcommand;
use hawkfish_client::Client;
use serde_json::Value;

use crate::failure::Result;
use crate::find;
use crate::output::Output;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Tells what happens, as it happens, until Ctrl-C (exit code 130); comes back by itself when the connection breaks.
    Watch(watch::Arguments),
    /// Has the service send its events here, and tells them; the subscription goes when this ends.
    Listen(listen::Arguments),
    /// Who is told.
    #[command(subcommand)]
    Subscriptions(subscriptions::Command),
    /// What could not be delivered; only HawkFish keeps that.
    #[command(subcommand)]
    DeadLetters(dead_letters::Command),
}

pub(crate) async fn run(client: &Client, output: &Output, command: &Command) -> Result<()> {
    match command {
        Command::Watch(arguments) => watch::run(client, output, arguments).await,
        Command::Listen(arguments) => listen::run(client, output, arguments).await,
        Command::Subscriptions(command) => subscriptions::run(client, output, command).await,
        Command::DeadLetters(command) => dead_letters::run(client, output, command).await,
    }
}

/// The event service.
async fn service(client: &Client) -> Result<Value> {
    let service = find::service(client, "/EventService", "events").await?;
    Ok(service.value)
}

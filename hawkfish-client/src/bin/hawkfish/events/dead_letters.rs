//! `events dead-letters`: what HawkFish could not deliver. It is HawkFish's own; Redfish has no word for it.

use clap::{Args, Subcommand};
use hawkfish_client::{Client, Fetched};
use serde_json::{Value, json};

use super::subscriptions::subscription;
use crate::change::conclude;
use crate::failure::{Failure, Result};
use crate::find;
use crate::output::{Column, Output};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// All of a subscription, the oldest first.
    Ls(Of),
    /// One of them.
    Show {
        #[command(flatten)]
        of: Of,
        /// Its id.
        letter: String,
    },
    /// Sends one, or all, once more; each is gone when it has arrived.
    Replay {
        #[command(flatten)]
        of: Of,
        #[command(flatten)]
        which: Which,
    },
    /// Forgets one, or all.
    Rm {
        #[command(flatten)]
        of: Of,
        #[command(flatten)]
        which: Which,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Of {
    /// Id or context of the subscription.
    subscription: String,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Which {
    /// Its id.
    letter: Option<String>,
    /// All of them.
    #[arg(long)]
    all: bool,
}

const COLUMNS: &[Column] = &[
    ("ID", &["/Id"]),
    ("MESSAGE", &["/MessageId", "/EventFormatType"]),
    ("SEVERITY", &["/MessageSeverity"]),
    ("ABOUT", &["/OriginOfCondition/@odata.id"]),
    ("TRIED", &["/Attempts"]),
    ("GIVEN UP", &["/GivenUpTime"]),
    ("WHY", &["/Reason"]),
];

const ROWS: &[Column] = &[
    ("Id", &["/Id"]),
    ("Format", &["/EventFormatType"]),
    ("Event", &["/EventId"]),
    ("Happened", &["/EventTimestamp"]),
    ("Message", &["/MessageId"]),
    ("Says", &["/Message"]),
    ("Severity", &["/MessageSeverity"]),
    ("About", &["/OriginOfCondition/@odata.id"]),
    ("Tried", &["/Attempts"]),
    ("Given up", &["/GivenUpTime"]),
    ("Why", &["/Reason"]),
    ("Waits to be sent again", &["/ReplayRequested"]),
    ("URI", &["/@odata.id"]),
];

pub(super) async fn run(client: &Client, output: &Output, command: &Command) -> Result<()> {
    match command {
        Command::Ls(of) => {
            let found = subscription(client, &of.subscription).await?;
            let letters = find::all(client, of.letters(&found)?).await?;
            output.list(COLUMNS, &find::values(letters))
        }
        Command::Show { of, letter } => {
            let found = subscription(client, &of.subscription).await?;
            output.one(ROWS, &one(client, of.letters(&found)?, letter).await?.value)
        }
        Command::Replay { of, which } => {
            let found = subscription(client, &of.subscription).await?;
            let (outcome, what) = match &which.letter {
                Some(letter) => {
                    let letter = one(client, of.letters(&found)?, letter).await?.value;
                    let action = "HawkFishDeadLetter.Replay";
                    let outcome = client.action(&letter, action, &json!({})).await?;
                    (outcome, "it is on its way again")
                }
                None => {
                    of.letters(&found)?;
                    let action = "HawkFishEventDestination.ReplayDeadLetters";
                    let outcome = client.action(&found.value, action, &json!({})).await?;
                    (outcome, "they are on their way again")
                }
            };
            conclude(output, outcome, &format!("{}: {what}", of.subscription)).await
        }
        Command::Rm { of, which } => {
            let found = subscription(client, &of.subscription).await?;
            let (outcome, what) = match &which.letter {
                Some(letter) => {
                    let letter = one(client, of.letters(&found)?, letter).await?;
                    (client.delete(&letter.uri, None).await?, "it is forgotten")
                }
                None => {
                    of.letters(&found)?;
                    let action = "HawkFishEventDestination.DropDeadLetters";
                    let outcome = client.action(&found.value, action, &json!({})).await?;
                    (outcome, "all are forgotten")
                }
            };
            conclude(output, outcome, &format!("{}: {what}", of.subscription)).await
        }
    }
}

impl Of {
    fn letters<'a>(&self, found: &'a Fetched<Value>) -> Result<&'a str> {
        hawkfish_client::link(&found.value, "/Oem/HawkFish/DeadLetters").ok_or_else(|| {
            Failure::NotFound(format!(
                "the service keeps no dead letters of subscription {}: only HawkFish does, and not of streams",
                self.subscription
            ))
        })
    }
}

async fn one(client: &Client, letters: &str, id: &str) -> Result<Fetched<Value>> {
    find::member(client, letters, id, &["Id", "EventId"], "dead letter").await
}

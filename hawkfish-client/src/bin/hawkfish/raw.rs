//! `raw`: any URI of the service.

use std::io::Read as _;

use clap::{Args, Subcommand};
use hawkfish_client::{Client, Etag, Request};
use http::HeaderValue;
use http::header::ACCEPT;
use serde_json::Value;

use crate::failure::{Failure, Result};
use crate::output::Output;
use crate::tasks::Waiting;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Reads it.
    Get {
        /// A path of the service.
        uri: String,
    },
    /// Changes it.
    Patch(Change),
    /// Creates a member of it, or calls an action.
    Post {
        #[command(flatten)]
        body: Body,
        #[command(flatten)]
        waiting: Waiting,
    },
    /// Deletes it.
    Delete {
        /// A path of the service.
        uri: String,
        /// Only if it has this ETag.
        #[arg(long, value_name = "ETAG")]
        if_match: Option<String>,
        #[command(flatten)]
        waiting: Waiting,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Body {
    /// A path of the service.
    uri: String,
    /// The body: JSON, @FILE, or @- for standard input. A password belongs in a file, not here.
    #[arg(short, long, default_value = "{}")]
    data: String,
}

#[derive(Debug, Args)]
pub(crate) struct Change {
    #[command(flatten)]
    body: Body,
    /// Only if it has this ETag.
    #[arg(long, value_name = "ETAG")]
    if_match: Option<String>,
    #[command(flatten)]
    waiting: Waiting,
}

pub(crate) async fn run(client: &Client, output: &Output, command: &Command) -> Result<()> {
    let (outcome, waiting) = match command {
        Command::Get { uri } => {
            // Not everything is JSON: $metadata is XML.
            let accept = HeaderValue::from_static("application/json, */*;q=0.5");
            let answer = client
                .call(Request::get(uri).header(ACCEPT, accept))
                .await?;
            return output.raw(&answer);
        }
        Command::Patch(change) => {
            let etag = change.if_match.as_ref().map(Etag::new);
            let body = &change.body;
            let outcome = client
                .patch(&body.uri, etag.as_ref(), &body.read()?)
                .await?;
            (outcome, &change.waiting)
        }
        Command::Post { body, waiting } => (client.post(&body.uri, &body.read()?).await?, waiting),
        Command::Delete {
            uri,
            if_match,
            waiting,
        } => {
            let etag = if_match.as_ref().map(Etag::new);
            (client.delete(uri, etag.as_ref()).await?, waiting)
        }
    };
    match waiting.answer(output, outcome).await? {
        Some(answer) if answer.body.is_empty() => output.done("done", &answer),
        Some(answer) => output.raw(&answer),
        None => Ok(()),
    }
}

impl Body {
    fn read(&self) -> Result<Value> {
        let wrong =
            |what: &str, error: &dyn std::fmt::Display| Failure::Usage(format!("{what}: {error}"));
        let text = match self.data.strip_prefix('@') {
            None => self.data.clone(),
            Some("-") => {
                let mut text = String::new();
                std::io::stdin()
                    .read_to_string(&mut text)
                    .map_err(|error| wrong("standard input", &error))?;
                text
            }
            Some(file) => std::fs::read_to_string(file).map_err(|error| wrong(file, &error))?,
        };
        serde_json::from_str(&text).map_err(|error| wrong("the body is not JSON", &error))
    }
}

//! `events subscriptions`: who is told of what happens.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use hawkfish_client::{Client, Fetched, Outcome};
use serde_json::{Map, Value, json};

use super::wanted::Choice;
use crate::change::{conclude, text_in};
use crate::failure::{Failure, Result};
use crate::find;
use crate::output::{Column, Output};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// All subscriptions, open streams among them.
    Ls,
    /// One subscription, and how its deliveries go.
    Show(Named),
    /// Has the service send its events to a URL.
    Add(Add),
    /// Ends subscriptions.
    Rm {
        /// Their ids.
        #[arg(required = true)]
        ids: Vec<String>,
    },
    /// Has the service send an event that only shows that events arrive.
    Test(Test),
    /// Sends nothing more for now; what happens is kept.
    Suspend(Named),
    /// Sends again, and first what was kept.
    Resume {
        #[command(flatten)]
        named: Named,
        /// Of what was kept only what is no older than this, as an ISO 8601 duration such as PT1H.
        #[arg(long, value_name = "DURATION")]
        no_older_than: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Named {
    /// Its id or context.
    pub(super) id: String,
}

#[derive(Debug, Args)]
pub(crate) struct Add {
    /// Where to send events.
    destination: String,
    #[command(flatten)]
    choice: Choice,
    /// A text that comes with each event, and tells this subscription from others.
    #[arg(long)]
    context: Option<String>,
    /// What becomes of the subscription when the destination does not answer.
    #[arg(long, value_enum)]
    retry: Option<Unanswered>,
    /// Check the certificate of the destination.
    #[arg(long)]
    verify: bool,
    /// A file with headers to send along, a line each: `Name: value`. Not an option of its own, because such headers are secrets.
    #[arg(long, value_name = "FILE")]
    headers_file: Option<PathBuf>,
    /// HawkFish only: a file with the key to sign deliveries with, in its first line.
    #[arg(long, value_name = "FILE")]
    signing_key_file: Option<PathBuf>,
    /// An event every so many minutes also where nothing happens.
    #[arg(long, value_name = "MINUTES")]
    heartbeat: Option<u32>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Unanswered {
    /// It ends after the attempts of the service.
    TerminateAfterRetries,
    /// It is suspended after them.
    SuspendRetries,
    /// It is tried again for ever.
    RetryForever,
    /// The same, in longer and longer intervals.
    RetryForeverWithBackoff,
}

impl Unanswered {
    fn word(self) -> &'static str {
        match self {
            Self::TerminateAfterRetries => "TerminateAfterRetries",
            Self::SuspendRetries => "SuspendRetries",
            Self::RetryForever => "RetryForever",
            Self::RetryForeverWithBackoff => "RetryForeverWithBackoff",
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Test {
    /// The event has this message, and goes to whoever wants such; if not said, the service's own test event goes to all.
    #[arg(long, value_name = "ID")]
    message: Option<String>,
    /// Its text.
    #[arg(long, requires = "message")]
    text: Option<String>,
    /// Its severity.
    #[arg(long, requires = "message", ignore_case = true, value_parser = ["OK", "Warning", "Critical"])]
    severity: Option<String>,
    /// The URI of what it is about.
    #[arg(long, requires = "message", value_name = "URI")]
    origin: Option<String>,
}

const COLUMNS: &[Column] = &[
    ("ID", &["/Id"]),
    ("TYPE", &["/SubscriptionType"]),
    ("DESTINATION", &["/Destination"]),
    ("FORMAT", &["/EventFormatType"]),
    ("STATE", &["/Status/State"]),
    ("HEALTH", &["/Status/Health"]),
    ("CONTEXT", &["/Context"]),
];

/// What is HawkFish's own stands at its end, and is not shown where it is not.
const ROWS: &[Column] = &[
    ("Id", &["/Id"]),
    ("Type", &["/SubscriptionType"]),
    ("Destination", &["/Destination"]),
    ("Backups", &["/BackupDestinations"]),
    ("Context", &["/Context"]),
    ("Format", &["/EventFormatType"]),
    ("Messages", &["/MessageIds"]),
    ("Registries", &["/RegistryPrefixes"]),
    ("Types", &["/ResourceTypes"]),
    ("Severities", &["/Severities"]),
    ("About", &["/OriginResources/0/@odata.id"]),
    ("And below", &["/SubordinateResources"]),
    ("Retry", &["/DeliveryRetryPolicy"]),
    ("Checks certificate", &["/VerifyCertificate"]),
    ("Heartbeat (min)", &["/HeartbeatIntervalMinutes"]),
    ("State", &["/Status/State"]),
    ("Health", &["/Status/Health"]),
    ("Says", &["/Status/Conditions/0/Message"]),
    ("Signed (HawkFish)", &["/Oem/HawkFish/IsSigned"]),
    ("Delivered (HawkFish)", &["/Oem/HawkFish/DeliveredCount"]),
    ("Pending (HawkFish)", &["/Oem/HawkFish/PendingCount"]),
    ("Lost (HawkFish)", &["/Oem/HawkFish/LostCount"]),
    (
        "Dead letters (HawkFish)",
        &["/Oem/HawkFish/DeadLetterCount"],
    ),
    (
        "Next attempt (HawkFish)",
        &["/Oem/HawkFish/NextAttemptTime"],
    ),
    (
        "Last failure (HawkFish)",
        &["/Oem/HawkFish/LastFailure/Message"],
    ),
    ("URI", &["/@odata.id"]),
];

pub(super) async fn run(client: &Client, output: &Output, command: &Command) -> Result<()> {
    match command {
        Command::Ls => {
            let service = super::service(client).await?;
            let all = find::all(client, collection(&service)?).await?;
            output.list(COLUMNS, &find::values(all))
        }
        Command::Show(named) => output.one(ROWS, &subscription(client, &named.id).await?.value),
        Command::Add(add) => {
            let made = subscribe(client, add.body()?).await?;
            let shown = client.get_value(&made).await?;
            let id = find::text(&shown.value, "/Id").unwrap_or_else(|| find::id(&made));
            match output.format {
                crate::output::Format::Table => {
                    output.line(&format!("{}: told as subscription {id}", add.destination))
                }
                _ => output.json(&shown.value),
            }
        }
        Command::Rm { ids } => {
            for id in ids {
                let found = subscription(client, id).await?;
                let outcome = client.delete(&found.uri, None).await?;
                conclude(output, outcome, &format!("{id}: ended")).await?;
            }
            Ok(())
        }
        Command::Test(test) => {
            let outcome = test.send(client).await?;
            conclude(output, outcome, "a test event is on its way").await
        }
        Command::Suspend(named) => {
            let action = "EventDestination.SuspendSubscription";
            let outcome = call(client, &named.id, action, &json!({})).await?;
            conclude(output, outcome, &format!("{}: suspended", named.id)).await
        }
        Command::Resume {
            named,
            no_older_than,
        } => {
            let mut body = Map::new();
            if let Some(age) = no_older_than {
                body.insert("DeliverBufferedEventDuration".into(), age.clone().into());
            }
            let action = "EventDestination.ResumeSubscription";
            let outcome = call(client, &named.id, action, &body.into()).await?;
            conclude(output, outcome, &format!("{}: resumed", named.id)).await
        }
    }
}

async fn call(client: &Client, id: &str, action: &str, body: &Value) -> Result<Outcome> {
    let found = subscription(client, id).await?;
    Ok(client.action(&found.value, action, body).await?)
}

fn collection(service: &Value) -> Result<&str> {
    find::linked(service, "/Subscriptions", "subscriptions")
}

/// A subscription by its id or context.
pub(super) async fn subscription(client: &Client, id: &str) -> Result<Fetched<Value>> {
    let service = super::service(client).await?;
    find::member(
        client,
        collection(&service)?,
        id,
        &["Id", "Context"],
        "subscription",
    )
    .await
}

/// Subscribes, and gives the URI of the subscription.
pub(super) async fn subscribe(client: &Client, body: Value) -> Result<String> {
    let service = super::service(client).await?;
    let made = client
        .post(collection(&service)?, &body)
        .await?
        .finish(None)
        .await?;
    let in_body = || {
        let body = made.json().ok()?;
        find::text(&body, "/@odata.id").map(str::to_owned)
    };
    let uri = made.location().map(str::to_owned).or_else(in_body);
    uri.ok_or_else(|| {
        Failure::NotFound("the service did not say where the new subscription stands".into())
    })
}

impl Add {
    fn body(&self) -> Result<Value> {
        let mut body = body(&self.destination, self.context.as_deref(), &self.choice);
        if let Some(retry) = self.retry {
            body.insert("DeliveryRetryPolicy".into(), retry.word().into());
        }
        if self.verify {
            body.insert("VerifyCertificate".into(), true.into());
        }
        if let Some(file) = &self.headers_file {
            let headers = headers(&text_in(file)?).map_err(|line| {
                Failure::Usage(format!(
                    "{}: line {line} is no `Name: value`",
                    file.display()
                ))
            })?;
            body.insert("HttpHeaders".into(), json!([headers]));
        }
        if let Some(file) = &self.signing_key_file {
            let text = text_in(file)?;
            let key = text
                .lines()
                .next()
                .filter(|key| !key.is_empty())
                .ok_or_else(|| {
                    Failure::Usage(format!("{}: there is no key in it", file.display()))
                })?;
            body.insert("Oem".into(), json!({"HawkFish": {"SigningKey": key}}));
        }
        if let Some(minutes) = self.heartbeat {
            body.insert("SendHeartbeat".into(), true.into());
            body.insert("HeartbeatIntervalMinutes".into(), minutes.into());
        }
        Ok(body.into())
    }
}

/// What every subscription says. Some services want a context, so there is always one.
pub(super) fn body(
    destination: &str,
    context: Option<&str>,
    choice: &Choice,
) -> Map<String, Value> {
    let mut body = choice.properties();
    body.insert("Destination".into(), destination.into());
    body.insert("Protocol".into(), "Redfish".into());
    body.insert("Context".into(), context.unwrap_or("hawkfish").into());
    body
}

/// Lines of `Name: value`; else the number of the line that is none.
fn headers(text: &str) -> std::result::Result<Map<String, Value>, usize> {
    let lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(at, line)| {
            let (name, value) = line.split_once(':').ok_or(at + 1)?;
            Ok((name.trim().to_owned(), value.trim().into()))
        })
        .collect()
}

impl Test {
    async fn send(&self, client: &Client) -> Result<Outcome> {
        let service = super::service(client).await?;
        let action = "EventService.TestEventSubscription";
        let Some(message) = &self.message else {
            return Ok(client.action(&service, action, &json!({})).await?);
        };
        let mut body = Map::from_iter([("MessageId".to_owned(), message.clone().into())]);
        let more = [
            ("Message", &self.text),
            ("Severity", &self.severity),
            ("OriginOfCondition", &self.origin),
        ];
        for (name, value) in more {
            if let Some(value) = value {
                body.insert(name.to_owned(), value.clone().into());
            }
        }
        Ok(client
            .action(&service, "EventService.SubmitTestEvent", &body)
            .await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_line_by_line_and_a_line_that_is_none_is_named() {
        let read = headers("Authorization: Bearer a:b\n\nX-A:1\n").unwrap();
        assert_eq!(read["Authorization"], "Bearer a:b");
        assert_eq!(read["X-A"], "1");
        assert_eq!(headers("X: 1\nnonsense"), Err(2));
    }
}

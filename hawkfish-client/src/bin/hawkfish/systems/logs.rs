//! `systems logs`: what a machine has logged.

use clap::Args;
use hawkfish_client::{Client, Fetched};
use serde_json::Value;

use super::parts;
use crate::failure::{Failure, Result};
use crate::find;
use crate::output::{Column, Output};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Id, name or UUID of the machine.
    id: String,
    /// The log; without it the only one, or which there are.
    log: Option<String>,
    /// Only so many entries, the newest.
    #[arg(long, value_name = "ENTRIES")]
    last: Option<usize>,
}

const LOGS: &[Column] = &[
    ("ID", &["/Id"]),
    ("NAME", &["/Name"]),
    ("ENABLED", &["/ServiceEnabled"]),
    ("MOST ENTRIES", &["/MaxNumberOfRecords"]),
    ("WHEN FULL", &["/OverWritePolicy"]),
    ("HEALTH", &["/Status/Health"]),
];

const ENTRIES: &[Column] = &[
    ("TIME", &["/Created", "/EventTimestamp"]),
    ("SEVERITY", &["/Severity"]),
    ("MESSAGE", &["/Message", "/MessageId", "/Name"]),
];

pub(crate) async fn run(client: &Client, output: &Output, arguments: &Arguments) -> Result<()> {
    let system = find::system(client, &arguments.id).await?.value;
    let logs = logs(client, &system).await?;
    let log = match (&arguments.log, &logs[..]) {
        (Some(name), _) => parts::named(&logs, name, "log")?,
        (None, [one]) => one,
        (None, _) if arguments.last.is_some() => {
            return Err(Failure::Usage(
                "which log? Name it behind the machine".into(),
            ));
        }
        (None, _) => {
            let logs: Vec<Value> = logs.into_iter().map(|log| log.value).collect();
            return output.list(LOGS, &logs);
        }
    };
    let entries = parts::need(client, &log.value, "/Entries", "entries of this log").await?;
    let mut entries: Vec<Value> = entries.into_iter().map(|entry| entry.value).collect();
    // Some services have the newest first. Times of RFC 3339 from one clock are in order as texts; where there are none the order stays.
    entries.sort_by(|a, b| {
        let time = |entry| {
            parts::text(entry, "/Created")
                .unwrap_or_default()
                .to_owned()
        };
        time(a).cmp(&time(b))
    });
    if let Some(last) = arguments.last {
        entries.drain(..entries.len().saturating_sub(last));
    }
    output.list(ENTRIES, &entries)
}

/// The logs of a machine; some services have them all with its manager.
async fn logs(client: &Client, system: &Value) -> Result<Vec<Fetched<Value>>> {
    if let Some(logs) = parts::at(client, system, "/LogServices").await?
        && !logs.is_empty()
    {
        return Ok(logs);
    }
    let what = "logs of this machine";
    let manager = parts::one(client, system, "/Links/ManagedBy/0", what).await?;
    parts::need(client, &manager.value, "/LogServices", what).await
}

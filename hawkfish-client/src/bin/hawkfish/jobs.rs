//! `jobs`: what the service does by itself, at a time.

use clap::{Args, Subcommand};
use hawkfish_client::{Client, Fetched};
use serde_json::{Map, Value, json};

use crate::change::{conclude, json_of};
use crate::failure::Result;
use crate::find;
use crate::output::{Column, Output};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// All jobs.
    Ls,
    /// One job.
    Show {
        /// Its id or name.
        job: String,
    },
    /// Has the service send a request to itself, at a time.
    Add(Add),
    /// Keeps a job from being done.
    Cancel {
        /// Its id or name.
        job: String,
    },
    /// Removes a job.
    Rm {
        /// Its id or name.
        job: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Add {
    /// What is to be called: a path of the service, such as the target of an action.
    uri: String,
    /// The body: JSON, @FILE, or @- for standard input.
    #[arg(short, long, default_value = "{}")]
    data: String,
    /// POST, PATCH, DELETE, …
    #[arg(long, default_value = "POST")]
    method: String,
    /// What to call it.
    #[arg(long)]
    name: Option<String>,
    /// When, such as 2026-01-31T12:00:00Z; at once without it.
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// And again after each of these durations, such as P1D or PT15M.
    #[arg(long, value_name = "DURATION")]
    every: Option<String>,
    /// So many times in all.
    #[arg(long, value_name = "N", requires = "every")]
    times: Option<u32>,
}

const COLUMNS: &[Column] = &[
    ("ID", &["/Id"]),
    ("NAME", &["/Name"]),
    ("STATE", &["/JobState"]),
    ("%", &["/PercentComplete"]),
    ("STARTS", &["/StartTime"]),
    ("EVERY", &["/Schedule/RecurrenceInterval"]),
    ("ENDED", &["/EndTime"]),
];

const ROWS: &[Column] = &[
    ("Id", &["/Id"]),
    ("Name", &["/Name"]),
    ("Type", &["/JobType"]),
    ("State", &["/JobState"]),
    ("Status", &["/JobStatus"]),
    ("Done (%)", &["/PercentComplete"]),
    ("Made", &["/CreationTime"]),
    ("By", &["/CreatedBy"]),
    ("Starts", &["/StartTime"]),
    ("First", &["/Schedule/InitialStartTime"]),
    ("Every", &["/Schedule/RecurrenceInterval"]),
    ("Times", &["/Schedule/MaxOccurrences"]),
    ("Ended", &["/EndTime"]),
    ("Calls", &["/Payload/TargetUri"]),
    ("With", &["/Payload/JsonBody"]),
    ("Says", &["/Messages/0/Message"]),
    ("URI", &["/@odata.id"]),
];

pub(crate) async fn run(client: &Client, output: &Output, command: &Command) -> Result<()> {
    let service = find::service(client, "/JobService", "jobs").await?.value;
    let collection = find::linked(&service, "/Jobs", "jobs")?;
    match command {
        Command::Ls => {
            let jobs = find::values(find::all(client, collection).await?);
            output.list(COLUMNS, &jobs)
        }
        Command::Show { job } => output.one(ROWS, &named(client, collection, job).await?.value),
        Command::Add(add) => self::add(client, output, collection, add).await,
        Command::Cancel { job } => {
            let found = named(client, collection, job).await?.value;
            let outcome = client.action(&found, "Job.Cancel", &json!({})).await?;
            conclude(output, outcome, &format!("{job}: cancelled")).await
        }
        Command::Rm { job } => {
            let found = named(client, collection, job).await?;
            let outcome = client.delete(&found.uri, found.etag.as_ref()).await?;
            conclude(output, outcome, &format!("{job}: removed")).await
        }
    }
}

async fn named(client: &Client, collection: &str, job: &str) -> Result<Fetched<Value>> {
    find::member(client, collection, job, &["Id", "Name"], "job").await
}

async fn add(client: &Client, output: &Output, collection: &str, add: &Add) -> Result<()> {
    let mut schedule = Map::new();
    if let Some(at) = &add.at {
        schedule.insert("InitialStartTime".into(), at.clone().into());
    }
    if let Some(every) = &add.every {
        schedule.insert("RecurrenceInterval".into(), every.clone().into());
    }
    if let Some(times) = add.times {
        schedule.insert("MaxOccurrences".into(), times.into());
    }
    let mut body = Map::from_iter([(
        "Payload".to_owned(),
        json!({
            "TargetUri": add.uri,
            "HttpOperation": add.method.to_ascii_uppercase(),
            "JsonBody": json_of(&add.data)?.to_string(),
        }),
    )]);
    if let Some(name) = &add.name {
        body.insert("Name".into(), name.clone().into());
    }
    if !schedule.is_empty() {
        body.insert("Schedule".into(), schedule.into());
    }
    let answer = client.post(collection, &body).await?.finish(None).await?;
    let made = answer.location().map(find::id).unwrap_or("it");
    output.done(&format!("{made}: added"), &answer)
}

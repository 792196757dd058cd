//! `tasks`: work that goes on, and waiting for it.

use std::time::Duration;

use clap::{Args, Subcommand};
use hawkfish_client::{Client, Fetched, Outcome, Response, Task};
use serde_json::Value;

use crate::failure::Result;
use crate::find;
use crate::output::{Column, Output};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// All tasks.
    Ls,
    /// One task.
    Show {
        /// Its id.
        id: String,
    },
    /// Waits until a task has ended; fails if it failed.
    Wait {
        /// Its id.
        id: String,
        /// Most seconds to wait.
        #[arg(long, value_name = "SECONDS")]
        within: Option<u64>,
    },
}

/// Whether a command waits for the work that it started.
#[derive(Debug, Args)]
pub(crate) struct Waiting {
    /// If the service does it in the background, print the task and do not wait for it.
    #[arg(long)]
    pub(crate) no_wait: bool,
    /// Most seconds to wait for work in the background.
    #[arg(long, value_name = "SECONDS", conflicts_with = "no_wait")]
    within: Option<u64>,
}

impl Waiting {
    /// How long to wait; `None` is as long as it takes.
    pub(crate) fn limit(&self) -> Option<Duration> {
        self.within.map(Duration::from_secs)
    }

    pub(crate) async fn conclude(
        &self,
        output: &Output,
        outcome: Outcome,
        sentence: &str,
    ) -> Result<()> {
        match self.answer(output, outcome).await? {
            Some(answer) => output.done(sentence, &answer),
            None => Ok(()),
        }
    }

    /// The answer when it is done; `None` when it is not waited for, which has then been printed.
    pub(crate) async fn answer(
        &self,
        output: &Output,
        outcome: Outcome,
    ) -> Result<Option<Response>> {
        match outcome {
            Outcome::Started(task) if self.no_wait => output.started(&task).map(|()| None),
            outcome => {
                let limit = self.within.map(Duration::from_secs);
                Ok(Some(outcome.finish(limit).await?))
            }
        }
    }
}

const COLUMNS: &[Column] = &[
    ("ID", &["/Id"]),
    ("NAME", &["/Name"]),
    ("STATE", &["/TaskState"]),
    ("%", &["/PercentComplete"]),
    ("STARTED", &["/StartTime"]),
    ("ENDED", &["/EndTime"]),
];

const ROWS: &[Column] = &[
    ("Id", &["/Id"]),
    ("Name", &["/Name"]),
    ("State", &["/TaskState"]),
    ("Status", &["/TaskStatus"]),
    ("Done (%)", &["/PercentComplete"]),
    ("Started", &["/StartTime"]),
    ("Ended", &["/EndTime"]),
    ("For", &["/Payload/TargetUri"]),
    ("Says", &["/Messages/0/Message"]),
    ("URI", &["/@odata.id"]),
];

pub(crate) async fn run(client: &Client, output: &Output, command: &Command) -> Result<()> {
    let root = client.root().await?.value;
    let service = find::linked(&root, "/Tasks", "tasks")?;
    let service = client.get_value(service).await?.value;
    let collection = find::linked(&service, "/Tasks", "tasks")?;
    match command {
        Command::Ls => {
            let tasks = find::all(client, collection).await?;
            let tasks: Vec<Value> = tasks.into_iter().map(|task| task.value).collect();
            output.list(COLUMNS, &tasks)
        }
        Command::Show { id } => output.one(ROWS, &task(client, collection, id).await?.value),
        Command::Wait { id, within } => {
            let task = task(client, collection, id).await?;
            Task::at(client, &task.uri)
                .wait(within.map(Duration::from_secs))
                .await?;
            output.one(ROWS, &client.get_value(&task.uri).await?.value)
        }
    }
}

async fn task(client: &Client, collection: &str, id: &str) -> Result<Fetched<Value>> {
    find::member(client, collection, id, &["Id"], "task").await
}

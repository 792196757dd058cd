//! `tasks`: work that goes on, and waiting for it.

use std::time::Duration;

use clap::{Args, Subcommand};
use hawkfish_client::{Client, Error, Fetched, Kind, Outcome, Progress, Response, Task};
use serde_json::Value;

use crate::change::conclude;
use crate::failure::{Failure, Result};
use crate::find;
use crate::output::{Column, Format, Output};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// All tasks.
    Ls {
        /// Only those that have not ended.
        #[arg(long)]
        running: bool,
    },
    /// One task, and what it says.
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
    /// Tells how a task goes, a line for each change, until it has ended; fails if it failed.
    Watch {
        /// Its id.
        id: String,
    },
    /// Ends the work of a task before it is done.
    Cancel {
        /// Its id.
        id: String,
        /// Most seconds to wait for its end.
        #[arg(long, value_name = "SECONDS", default_value_t = 30)]
        within: u64,
    },
    /// Removes tasks that have ended.
    Rm {
        /// Their ids.
        #[arg(required = true)]
        ids: Vec<String>,
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
            Outcome::Started(task) => Ok(Some(finish(output, task, self.limit()).await?)),
            Outcome::Done(answer) => Ok(Some(answer)),
        }
    }
}

/// Waits for the end, and shows meanwhile how far it is.
async fn finish(output: &Output, task: Task, limit: Option<Duration>) -> Result<Response> {
    let shown = task.uri.as_deref().unwrap_or(&task.monitor);
    let bar = output.progress(&format!("task {}", find::id(shown)));
    let monitor = task.monitor.clone();
    let mut steps = task.progress();
    let end = async {
        while let Some(step) = steps.next().await {
            let step = step?;
            bar.percent(step.percent(), &step.state().unwrap_or_default());
            if let Progress::Done(answer) = step {
                return Ok(answer);
            }
        }
        Err(Failure::NotFound(format!("{monitor}: no end")))
    };
    let Some(limit) = limit else {
        return end.await;
    };
    let late = || {
        Failure::Client(Error::new(
            Kind::TimedOut,
            format!("{monitor}: not done in time; it goes on"),
        ))
    };
    tokio::time::timeout(limit, end)
        .await
        .unwrap_or_else(|_| Err(late()))
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
        Command::Ls { running } => {
            let mut tasks = find::values(find::all(client, collection).await?);
            tasks.retain(|task| !running || !has_ended(task));
            output.list(COLUMNS, &tasks)
        }
        Command::Show { id } => {
            let task = task(client, collection, id).await?.value;
            output.one(ROWS, &task)?;
            let said = task.get("Messages").and_then(Value::as_array);
            match said {
                Some(said) if output.format == Format::Table && said.len() > 1 => {
                    output.list(MESSAGES, said)
                }
                _ => Ok(()),
            }
        }
        Command::Wait { id, within } => {
            let task = task(client, collection, id).await?;
            let limit = within.map(Duration::from_secs);
            finish(output, Task::at(client, &task.uri), limit).await?;
            output.one(ROWS, &client.get_value(&task.uri).await?.value)
        }
        Command::Watch { id } => watch(client, output, &task(client, collection, id).await?).await,
        Command::Cancel { id, within } => {
            let task = task(client, collection, id).await?;
            cancel(client, output, id, &task, Duration::from_secs(*within)).await
        }
        Command::Rm { ids } => {
            for id in ids {
                let task = task(client, collection, id).await?;
                if !has_ended(&task.value) {
                    return Err(Failure::Conflict(format!(
                        "task {id} goes on; cancel it first"
                    )));
                }
                let outcome = client.delete(&task.uri, None).await?;
                conclude(output, outcome, &format!("task {id} is removed")).await?;
            }
            Ok(())
        }
    }
}

const MESSAGES: &[Column] = &[
    ("MESSAGE", &["/MessageId"]),
    ("SEVERITY", &["/MessageSeverity", "/Severity"]),
    ("SAYS", &["/Message"]),
];

/// Whether the work is over, in the words of DMTF's schema.
fn has_ended(task: &Value) -> bool {
    let state = find::text(task, "/TaskState").unwrap_or_default();
    matches!(state, "Completed" | "Exception" | "Killed" | "Cancelled")
}

/// A line for each change.
async fn watch(client: &Client, output: &Output, task: &Fetched<Value>) -> Result<()> {
    let id = find::called(task);
    let mut steps = Task::at(client, &task.uri).progress();
    let mut told = String::new();
    while let Some(step) = steps.next().await {
        let (shown, ended) = match step {
            Ok(step) => (step.task().unwrap_or_default(), Ok(())),
            // Its end is told like all else before it fails us.
            Err(error) if error.kind == Kind::TaskFailed => {
                (client.get_value(&task.uri).await?.value, Err(error))
            }
            Err(error) => return Err(error.into()),
        };
        let state = find::text(&shown, "/TaskState").unwrap_or("Running");
        let percent = shown
            .get("PercentComplete")
            .filter(|percent| !percent.is_null());
        let percent = percent.map_or_else(String::new, |percent| format!("  {percent} %"));
        let said = shown.get("Messages").and_then(Value::as_array);
        let said = said.and_then(|said| find::text(said.last()?, "/Message"));
        let said = said.map_or_else(String::new, |said| format!("  {said}"));
        let line = format!("{id}  {state}{percent}{said}");
        if line != told {
            output.each(&line, &shown)?;
            told = line;
        }
        ended?;
    }
    Ok(())
}

async fn cancel(
    client: &Client,
    output: &Output,
    id: &str,
    task: &Fetched<Value>,
    within: Duration,
) -> Result<()> {
    if has_ended(&task.value) {
        let state = find::text(&task.value, "/TaskState").unwrap_or_default();
        let text = format!("task {id} has ended already: {state}");
        return Err(Failure::Conflict(text));
    }
    // By the monitor, as DSP0266 has it; a task that names none is asked itself.
    let monitor = find::text(&task.value, "/TaskMonitor").unwrap_or(&task.uri);
    let mut work = Task::at(client, monitor);
    work.uri = Some(task.uri.clone());
    let asked = work.cancel().await?;
    // That it was asked is not that it has ended.
    let end = finish(output, Task::at(client, &task.uri), Some(within)).await;
    match end {
        // Some services take a task away when it is cancelled.
        Err(Failure::Client(error)) if error.kind == Kind::NotFound => {
            conclude(output, asked, &format!("task {id} is cancelled and gone")).await
        }
        Err(Failure::Client(error)) if error.kind != Kind::TaskFailed => Err(error.into()),
        Err(Failure::Client(_)) | Ok(_) => {
            let now = client.get_value(&task.uri).await?.value;
            let state = find::text(&now, "/TaskState").unwrap_or_default();
            match state {
                "Cancelled" | "Killed" if output.format == Format::Table => {
                    output.line(&format!("task {id}: {state}"))
                }
                "Cancelled" | "Killed" => output.one(ROWS, &now),
                _ => Err(Failure::Conflict(format!(
                    "task {id} came to its end before it was cancelled: {state}"
                ))),
            }
        }
        Err(other) => Err(other),
    }
}

async fn task(client: &Client, collection: &str, id: &str) -> Result<Fetched<Value>> {
    find::member(client, collection, id, &["Id"], "task").await
}

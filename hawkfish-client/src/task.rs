//! Changes that take longer than an answer (DSP0266, "Asynchronous operations").

use std::time::{Duration, Instant};

use http::{Method, StatusCode};
use serde_json::Value;

use crate::client::Client;
use crate::error::{Answered, Error, Kind};
use crate::message;
use crate::quirks::{self, Life};
use crate::wire::Response;

/// How long to wait where the service does not say.
const POLL_AFTER: Duration = Duration::from_secs(1);
/// A service that says "at once" is not asked without pause.
const POLL_AT_LEAST: Duration = Duration::from_millis(20);
/// A service that asks for more is asked again after this.
const POLL_AT_MOST: Duration = Duration::from_secs(60);

/// How a change goes.
#[derive(Debug)]
pub enum Outcome {
    /// It is done.
    Done(Response),
    /// It goes on; the service has it as a task.
    Started(Task),
}

impl Outcome {
    pub(crate) fn of(client: &Client, response: Response) -> Result<Self, Error> {
        Ok(match Task::of(client, &response) {
            Some(task) => Self::Started(task),
            None => Self::Done(response),
        })
    }

    /// The answer to the change, when it is done. Without `limit` it waits as long as it takes.
    ///
    /// # Errors
    /// As [`Task::wait`].
    pub async fn finish(self, limit: Option<Duration>) -> Result<Response, Error> {
        match self {
            Self::Done(response) => Ok(response),
            Self::Started(task) => task.wait(limit).await,
        }
    }
}

/// How far a task is.
#[derive(Debug)]
pub enum Progress {
    /// Still at work.
    Running {
        /// The task, where the service shows it.
        task: Option<Value>,
        /// When to ask again.
        poll_after: Duration,
    },
    /// At its end: the answer that the change itself would have had, or the task where the service has nothing else to show.
    Done(Response),
}

/// Work that goes on in the service.
#[derive(Debug, Clone)]
pub struct Task {
    /// Where it is watched: the task monitor, or the task itself.
    pub monitor: String,
    /// The task resource, where the service named it.
    pub uri: Option<String>,
    client: Client,
    poll_after: Duration,
}

impl Task {
    /// The task watched at `uri`: a task monitor, or a task.
    pub fn at(client: &Client, uri: impl Into<String>) -> Self {
        Self {
            monitor: uri.into(),
            uri: None,
            client: client.clone(),
            poll_after: Duration::ZERO,
        }
    }

    /// The work that an answer speaks of; `None` where it is done with it.
    fn of(client: &Client, response: &Response) -> Option<Self> {
        let accepted = response.status == StatusCode::ACCEPTED;
        let body = response.json().ok().filter(|_| accepted);
        let monitor = quirks::monitor(client.base(), accepted, &response.headers, body.as_ref())?;
        let uri = body
            .as_ref()
            .and_then(|body| quirks::here(client.base(), body.get("@odata.id")?.as_str()?))
            // Some show what is being changed, and not the task.
            .filter(|uri| *uri != response.uri);
        Some(Self {
            monitor,
            uri,
            client: client.clone(),
            poll_after: poll_after(response),
        })
    }

    /// Asks once.
    ///
    /// # Errors
    /// The error with which the work ended: that of the change, or [`Kind::TaskFailed`] with the messages of the task.
    pub async fn poll(&mut self) -> Result<Progress, Error> {
        let response = match self.client.fetch(&self.monitor).await {
            Ok(response) => response,
            // A monitor may be gone once its end was told; the task still knows how it went.
            Err(error) if error.kind == Kind::NotFound => match self.uri.take() {
                Some(uri) if uri != self.monitor => {
                    self.monitor = uri;
                    self.client.fetch(&self.monitor).await?
                }
                _ => return Err(error),
            },
            Err(error) => return Err(error),
        };
        self.poll_after = poll_after(&response);
        let body = response.json().ok().filter(Value::is_object);
        let state = body
            .as_ref()
            .filter(|body| quirks::is_task(body))
            .map(quirks::life);
        let running = response.status == StatusCode::ACCEPTED;
        match state {
            _ if running => Ok(Progress::Running {
                task: body,
                poll_after: self.poll_after,
            }),
            Some(Life::Running) => Ok(Progress::Running {
                task: body,
                poll_after: self.poll_after,
            }),
            Some(Life::Failed(state)) => Err(failed(&response, &body.unwrap_or_default(), &state)),
            Some(Life::Done) | None => Ok(Progress::Done(response)),
        }
    }

    /// Asks until the end. Without `limit` it waits as long as it takes.
    ///
    /// # Errors
    /// As [`Task::poll`]; [`Kind::TimedOut`] when `limit` is over, the work goes on then.
    pub async fn wait(mut self, limit: Option<Duration>) -> Result<Response, Error> {
        let end = limit.and_then(|limit| Instant::now().checked_add(limit));
        let mut pause = self.poll_after;
        loop {
            if let Some(end) = end {
                let left = end.saturating_duration_since(Instant::now());
                if left <= pause {
                    tokio::time::sleep(left).await;
                    return Err(Error::new(
                        Kind::TimedOut,
                        format!("{}: not done in time; it goes on", self.monitor),
                    ));
                }
            }
            tokio::time::sleep(pause).await;
            match self.poll().await? {
                Progress::Done(response) => return Ok(response),
                Progress::Running { poll_after, .. } => pause = poll_after.max(POLL_AT_LEAST),
            }
        }
    }
}

fn poll_after(response: &Response) -> Duration {
    response
        .retry_after()
        .unwrap_or(POLL_AFTER)
        .min(POLL_AT_MOST)
}

fn failed(response: &Response, task: &Value, state: &str) -> Error {
    let messages = task
        .get("Messages")
        .map(message::of_list)
        .unwrap_or_default();
    let why = message::summary(&messages).unwrap_or_else(|| "the task does not say why".into());
    let mut error = Error::new(
        Kind::TaskFailed,
        format!("{}: ended as {state}: {why}", response.uri),
    );
    error.answered = Some(Box::new(Answered {
        method: Method::GET,
        uri: response.uri.clone(),
        status: response.status,
        messages,
    }));
    error
}

//! Changes that take longer than an answer (DSP0266, "Asynchronous operations").

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures::stream::{self, BoxStream, Stream, StreamExt as _};
use hawkfish_redfish::message::Message;
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
/// How long a service may be out of reach while its task is waited for.
const PATIENCE: Duration = Duration::from_secs(120);

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

impl Progress {
    /// The task or job, where the service shows it.
    pub fn task(&self) -> Option<Value> {
        match self {
            Self::Running { task, .. } => task.clone(),
            Self::Done(response) => response.json().ok().filter(quirks::is_task),
        }
    }

    /// How much is done, 0 to 100, where the service says so.
    pub fn percent(&self) -> Option<u64> {
        match (self, self.task()) {
            (_, Some(task)) => percent(&task),
            (Self::Done(_), None) => Some(100),
            (Self::Running { .. }, None) => None,
        }
    }

    /// The state in the words of the service: `Running`, `Completed`, ….
    pub fn state(&self) -> Option<String> {
        let task = self.task()?;
        let states = ["TaskState", "JobState"].iter();
        states
            .filter_map(|name| task.get(*name)?.as_str())
            .find(|state| !state.is_empty())
            .map(str::to_owned)
    }

    /// What the service says of the work so far, in its order.
    pub fn messages(&self) -> Vec<Message> {
        let task = self.task();
        task.as_ref().map(messages).unwrap_or_default()
    }
}

/// How far a task or job is; some services write it as text.
fn percent(task: &Value) -> Option<u64> {
    let percent = match task.get("PercentComplete")? {
        Value::String(text) => text.trim().trim_end_matches('%').trim().parse().ok()?,
        number => number.as_f64()?,
    };
    // Of what is beyond the ends nothing is known but that.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it was put between 0 and 100"
    )]
    let whole = percent.clamp(0.0, 100.0) as u64;
    percent.is_finite().then_some(whole)
}

/// The messages of a task; of a job without a list, its one.
fn messages(task: &Value) -> Vec<Message> {
    let list = task
        .get("Messages")
        .map(message::of_list)
        .unwrap_or_default();
    match list.is_empty() {
        true if task.get("Message").is_some_and(Value::is_string) => message::of_list(task),
        _ => list,
    }
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
    patience: Duration,
    /// The service has shown it.
    was_seen: bool,
}

impl Task {
    /// The task watched at `uri`: a task monitor, or a task.
    pub fn at(client: &Client, uri: impl Into<String>) -> Self {
        Self {
            monitor: uri.into(),
            uri: None,
            client: client.clone(),
            poll_after: Duration::ZERO,
            patience: PATIENCE,
            was_seen: false,
        }
    }

    /// How long the service may be out of reach while the task is waited for, two minutes unless said: a manager restarts when its firmware is replaced.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
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
            patience: PATIENCE,
            was_seen: false,
        })
    }

    /// Asks once.
    ///
    /// # Errors
    /// The error with which the work ended: that of the change, or [`Kind::TaskFailed`] with the messages of the task. [`Kind::NotFound`] when neither monitor
    /// nor task is there any more, so that nobody knows how it ended.
    pub async fn poll(&mut self) -> Result<Progress, Error> {
        let response = match self.client.fetch(&self.monitor).await {
            Ok(response) => response,
            // A monitor may be gone once its end was told; the task still knows how it went.
            Err(error) if error.kind == Kind::NotFound => match self.uri.take() {
                Some(uri) if uri != self.monitor => {
                    self.monitor = uri;
                    let fetched = self.client.fetch(&self.monitor).await;
                    fetched.map_err(|error| self.gone(error))?
                }
                _ => return Err(self.gone(error)),
            },
            Err(error) => return Err(error),
        };
        self.was_seen = true;
        self.poll_after = poll_after(&response);
        let body = response.json().ok().filter(Value::is_object);
        let shown = body.as_ref().filter(|body| quirks::is_task(body));
        if self.uri.is_none()
            && let Some(uri) = shown.and_then(|task| task.get("@odata.id")?.as_str())
        {
            self.uri = quirks::here(self.client.base(), uri).filter(|uri| *uri != self.monitor);
        }
        let state = shown.map(quirks::life);
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

    fn gone(&self, mut error: Error) -> Error {
        if self.was_seen {
            error.text = format!("{}: it is gone, and did not say how it ended", self.monitor);
        }
        error
    }

    /// Asks until the end. Without `limit` it waits as long as it takes.
    ///
    /// # Errors
    /// As [`Task::poll`]; [`Kind::TimedOut`] when `limit` is over, the work goes on then.
    pub async fn wait(mut self, limit: Option<Duration>) -> Result<Response, Error> {
        let end = limit.and_then(|limit| Instant::now().checked_add(limit));
        loop {
            if let Progress::Done(response) = self.step(end).await? {
                return Ok(response);
            }
        }
    }

    /// How it goes, from question to question, until its end: [`Progress::Done`], or the error with which it ended. Between the questions it waits as long as the
    /// service asks for.
    pub fn progress(self) -> ProgressStream {
        let steps = stream::unfold(Some(self), |task| async move {
            let mut task = task?;
            let step = task.step(None).await;
            let goes_on = matches!(step, Ok(Progress::Running { .. }));
            Some((step, goes_on.then_some(task)))
        });
        ProgressStream {
            steps: steps.boxed(),
        }
    }

    /// Asks the service to end the work (DSP0266, "Asynchronous operations": DELETE of the monitor). That it is asked is not that it has ended: [`Task::wait`] tells.
    ///
    /// # Errors
    /// The kind of the answer; [`Kind::Unsupported`] where the service cannot.
    pub async fn cancel(&self) -> Result<Outcome, Error> {
        let refused = match self.client.delete(&self.monitor, None).await {
            Err(error) if matches!(error.kind, Kind::NotFound | Kind::Unsupported) => error,
            done => return done,
        };
        match &self.uri {
            Some(uri) if *uri != self.monitor => self.client.delete(uri, None).await,
            _ => Err(refused),
        }
    }

    /// Waits as long as it is to be waited, then asks; a service that cannot be reached meanwhile is asked again while patience lasts.
    async fn step(&mut self, end: Option<Instant>) -> Result<Progress, Error> {
        let pause = match self.was_seen {
            true => self.poll_after.max(POLL_AT_LEAST),
            false => self.poll_after,
        };
        self.pause(pause, end).await?;
        let mut trouble: Option<(Instant, Error)> = None;
        loop {
            let error = match self.poll().await {
                Err(error) => error,
                progress => return progress,
            };
            let again = match error.kind {
                Kind::Unavailable { retry_after } => retry_after.unwrap_or(POLL_AFTER),
                Kind::Transport if !error.is_hopeless() => POLL_AFTER,
                // What was lost may have been the end, which a monitor tells once.
                Kind::NotFound => return Err(trouble.map_or(error, |(_, before)| before)),
                _ => return Err(error),
            };
            let since = trouble
                .as_ref()
                .map_or_else(Instant::now, |(since, _)| *since);
            if since.elapsed() >= self.patience {
                return Err(error);
            }
            trouble = Some((since, error));
            self.pause(again.min(POLL_AT_MOST).min(self.patience), end)
                .await?;
        }
    }

    async fn pause(&self, pause: Duration, end: Option<Instant>) -> Result<(), Error> {
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
        Ok(())
    }
}

/// How a task goes: a [`Stream`] of `Result<Progress, Error>`, whose last is the end.
pub struct ProgressStream {
    steps: BoxStream<'static, Result<Progress, Error>>,
}

impl ProgressStream {
    /// How it goes next; `None` after the end.
    pub async fn next(&mut self) -> Option<Result<Progress, Error>> {
        self.steps.next().await
    }
}

impl fmt::Debug for ProgressStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProgressStream")
    }
}

impl Stream for ProgressStream {
    type Item = Result<Progress, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().steps.poll_next_unpin(cx)
    }
}

fn poll_after(response: &Response) -> Duration {
    response
        .retry_after()
        .unwrap_or(POLL_AFTER)
        .min(POLL_AT_MOST)
}

fn failed(response: &Response, task: &Value, state: &str) -> Error {
    let messages = messages(task);
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

//! Work that goes on in the service.

use std::sync::Arc;

use futures::stream;
use hawkfish_client::{Error, Progress, Response};
use pyo3::prelude::*;
use serde_json::Value;
use tokio::sync::Mutex;

use crate::call::{Call, Flow};
use crate::client::{answer, seconds};

/// A task, or what was done at once.
#[derive(Clone)]
enum State {
    Running(Box<hawkfish_client::Task>),
    Done(Response),
}

/// Work that was begun.
#[pyclass(frozen, module = "hawkfish._native")]
pub(crate) struct Task {
    uri: Option<String>,
    state: Arc<Mutex<State>>,
}

impl Task {
    /// One that goes on.
    pub(crate) fn at(task: hawkfish_client::Task) -> Self {
        Self {
            uri: Some(task.uri.clone().unwrap_or_else(|| task.monitor.clone())),
            state: Arc::new(Mutex::new(State::Running(Box::new(task)))),
        }
    }

    /// One that was done when it was asked for.
    pub(crate) fn done(response: Response) -> Self {
        Self {
            uri: None,
            state: Arc::new(Mutex::new(State::Done(response))),
        }
    }
}

#[pymethods]
impl Task {
    /// Where it stands; nowhere, where it was done at once.
    #[getter]
    fn uri(&self) -> Option<&str> {
        self.uri.as_deref()
    }

    /// What the change was answered with in the end.
    fn wait(&self, limit: Option<f64>) -> PyResult<Call> {
        let limit = limit.map(seconds).transpose()?;
        let state = Arc::clone(&self.state);
        Ok(Call::of(async move {
            let now = state.lock().await.clone();
            let response = match now {
                State::Done(response) => response,
                State::Running(task) => {
                    let response = task.wait(limit).await?;
                    *state.lock().await = State::Done(response.clone());
                    response
                }
            };
            answer(response)
        }))
    }

    /// The task as the service shows it, each time that it is asked, until it is done.
    fn progress(&self) -> Flow {
        let state = Arc::clone(&self.state);
        Flow::of(stream::try_unfold(state, |state| async move {
            loop {
                let mut now = state.lock().await;
                let State::Running(task) = &mut *now else {
                    return Ok::<_, Error>(None);
                };
                let (shown, after) = match task.poll().await? {
                    Progress::Running { task, poll_after } => (task, poll_after),
                    Progress::Done(response) => {
                        *now = State::Done(response);
                        return Ok(None);
                    }
                };
                drop(now);
                tokio::time::sleep(after.max(AT_LEAST)).await;
                if let Some(shown) = shown.filter(Value::is_object) {
                    return Ok(Some((shown, state)));
                }
            }
        }))
    }
}

/// A service that says "at once" is not asked without pause.
const AT_LEAST: std::time::Duration = std::time::Duration::from_millis(20);

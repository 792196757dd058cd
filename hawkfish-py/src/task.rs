//! Work that goes on in the service.

use std::sync::Arc;

use futures::StreamExt as _;
use futures::stream;
use hawkfish_client::{Error, Progress, Response};
use pyo3::prelude::*;
use serde_json::Value;
use tokio::sync::Mutex;

use crate::call::{Call, Flow, Plain};
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
        let shown = stream::once(async move {
            let now = state.lock().await.clone();
            let State::Running(task) = now else {
                return stream::empty().boxed();
            };
            let steps = task.progress().filter_map(move |step| {
                let state = Arc::clone(&state);
                async move {
                    let step = match step {
                        Ok(step) => step,
                        Err(error) => return Some(Err(error)),
                    };
                    let shown = step.task().filter(Value::is_object);
                    if let Progress::Done(response) = step {
                        *state.lock().await = State::Done(response);
                    }
                    Some(Ok::<_, Error>(shown?))
                }
            });
            steps.boxed()
        });
        Flow::of(shown.flatten())
    }

    /// Asks the service to end the work; false where there is nothing to end any more.
    fn cancel(&self) -> Call {
        let state = Arc::clone(&self.state);
        Call::of(async move {
            let now = state.lock().await.clone();
            let State::Running(task) = now else {
                return Ok(Plain(false));
            };
            task.cancel().await?.finish(None).await?;
            Ok::<_, Error>(Plain(true))
        })
    }
}

//! The client. Each method gives a [`Call`], which a thread waits for or an event loop awaits.

use std::path::PathBuf;
use std::time::Duration;

use futures::StreamExt as _;
use hawkfish_client::events::{Event, Wanted};
use hawkfish_client::{
    Error, Etag, Fetched, Missed, Outcome, Response, Retry, SessionInfo, Upload, Visited,
};
use pyo3::IntoPyObjectExt as _;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use serde::Deserialize;
use serde_json::Value;

use crate::call::{Call, Flow, Gives, Object, Plain};
use crate::errors::exception;
use crate::task::Task;

/// A client of one service, of one process.
#[pyclass(frozen, module = "hawkfish._native")]
pub(crate) struct Client {
    client: hawkfish_client::Client,
    process: u32,
}

/// How a client is set up.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Setup {
    url: String,
    credentials: Option<(String, String)>,
    basic: bool,
    token: Option<String>,
    ca: Option<String>,
    fingerprints: Vec<[u8; 32]>,
    insecure: bool,
    timeout: f64,
    attempts: u32,
    at_most: usize,
}

impl Client {
    /// The client, if it belongs to this process.
    fn own(&self) -> PyResult<hawkfish_client::Client> {
        // Its connections are shared with the parent: two processes would talk into one another.
        if self.process == std::process::id() {
            return Ok(self.client.clone());
        }
        Err(PyRuntimeError::new_err(
            "this client was made before the process forked; make a new one in the child",
        ))
    }

    fn begun(
        &self,
        method: &str,
        uri: String,
        etag: Option<String>,
        body: Option<&[u8]>,
    ) -> PyResult<impl Future<Output = Result<Outcome, Error>> + Send + 'static> {
        let etag = etag.map(Etag::new);
        let body = body.map(json).transpose()?.unwrap_or_default();
        let verb = match method {
            "PATCH" => Verb::Patch,
            "POST" => Verb::Post,
            "DELETE" => Verb::Delete,
            _ => return Err(wrong(format!("{method} changes nothing"))),
        };
        let client = self.own()?;
        Ok(async move {
            match verb {
                Verb::Patch => client.patch(&uri, etag.as_ref(), &body).await,
                Verb::Post => client.post(&uri, &body).await,
                Verb::Delete => client.delete(&uri, etag.as_ref()).await,
            }
        })
    }

    fn called(
        &self,
        resource: &[u8],
        name: String,
        parameters: &[u8],
    ) -> PyResult<impl Future<Output = Result<Outcome, Error>> + Send + 'static> {
        let (resource, parameters) = (json(resource)?, json(parameters)?);
        let client = self.own()?;
        Ok(async move { client.action(&resource, &name, &parameters).await })
    }
}

#[pymethods]
impl Client {
    #[new]
    fn new(py: Python<'_>, setup: &[u8]) -> PyResult<Self> {
        let setup: Setup = serde_json::from_slice(setup).map_err(wrong)?;
        let mut builder = hawkfish_client::Client::builder(setup.url)
            .timeout(seconds(setup.timeout)?)
            .at_most(setup.at_most)
            .retry(Retry {
                attempts: setup.attempts,
                ..Retry::default()
            });
        if let Some((user, password)) = setup.credentials {
            builder = match setup.basic {
                true => builder.basic(user, password),
                false => builder.session(user, password),
            };
        }
        if let Some(token) = setup.token {
            builder = builder.token(SessionInfo { token, uri: None });
        }
        if let Some(ca) = setup.ca {
            builder = builder.ca_pem(ca);
        }
        for fingerprint in setup.fingerprints {
            builder = builder.fingerprint(fingerprint);
        }
        if setup.insecure {
            builder = builder.insecure();
        }
        let client = builder.build().map_err(|error| exception(py, &error))?;
        Ok(Self {
            client,
            process: std::process::id(),
        })
    }

    /// The token of the session that is open.
    #[getter]
    fn token(&self) -> Option<String> {
        self.client.session().map(|session| session.token)
    }

    fn root(&self) -> PyResult<Call> {
        let client = self.own()?;
        Ok(Call::of(async move {
            Ok::<_, Error>(read(client.root().await?))
        }))
    }

    fn get(&self, uri: String) -> PyResult<Call> {
        let client = self.own()?;
        Ok(Call::of(async move {
            Ok::<_, Error>(read(client.get_value(&uri).await?))
        }))
    }

    /// All members of a collection, read; of those properties, where some are named.
    fn resources(&self, uri: &str, select: Vec<String>) -> PyResult<Call> {
        let resources = self.own()?.resources(uri).select(select);
        Ok(Call::of(async move {
            let found = resources.await?;
            Ok::<_, Error>(found.into_iter().map(read).collect::<Vec<_>>())
        }))
    }

    /// Along every link, but for those that have one of `without` in them.
    fn walk(
        &self,
        from: &str,
        at_most: Option<usize>,
        depth: Option<usize>,
        documents: bool,
        without: Vec<String>,
    ) -> PyResult<Flow> {
        let mut walk = self.own()?.walk(from);
        if let Some(at_most) = at_most {
            walk = walk.at_most(at_most);
        }
        if let Some(depth) = depth {
            walk = walk.depth(depth);
        }
        if documents {
            walk = walk.documents();
        }
        if !without.is_empty() {
            walk = walk.follow_if(move |uri| !without.iter().any(|part| uri.contains(part)));
        }
        Ok(Flow::of(walk.map(Ok::<_, Error>)))
    }

    /// What is told from now on, or from after a number on.
    fn events(
        &self,
        wanted: &[u8],
        filter: Option<String>,
        from: Option<String>,
    ) -> PyResult<Call> {
        let wanted: Want = serde_json::from_slice(wanted).map_err(wrong)?;
        let mut events = self.own()?.events().wanted(wanted.into());
        if let Some(filter) = filter {
            events = events.filter(filter);
        }
        if let Some(from) = from {
            events = events.from(from);
        }
        Ok(Call::of(async move {
            Ok::<_, Error>(Plain(Flow::of(events.open().await?)))
        }))
    }

    /// Sends a file: as a form where there are parameters, else as it is.
    fn upload(&self, uri: String, file: PathBuf, parameters: Option<&[u8]>) -> PyResult<Call> {
        let upload = match parameters {
            Some(parameters) => Upload::form(file, json(parameters)?),
            None => Upload::plain(file),
        };
        let client = self.own()?;
        Ok(Call::of(async move {
            started(client.upload(&uri, &upload, |_, _| {}).await?)
        }))
    }

    /// A task that the service has.
    fn task(&self, uri: String) -> PyResult<Task> {
        Ok(Task::at(hawkfish_client::Task::at(&self.own()?, uri)))
    }

    fn members(&self, uri: String) -> PyResult<Call> {
        let client = self.own()?;
        Ok(Call::of(async move {
            let members = client.members(&uri).all().await?;
            let uris: Vec<String> = members.into_iter().map(|member| member.uri).collect();
            Ok::<_, Error>(Plain(uris))
        }))
    }

    fn change(
        &self,
        method: &str,
        uri: String,
        etag: Option<String>,
        body: Option<&[u8]>,
        wait: Option<f64>,
    ) -> PyResult<Call> {
        let limit = wait.map(seconds).transpose()?;
        let outcome = self.begun(method, uri, etag, body)?;
        Ok(Call::of(async move {
            answer(outcome.await?.finish(limit).await?)
        }))
    }

    fn action(
        &self,
        resource: &[u8],
        name: String,
        parameters: &[u8],
        wait: Option<f64>,
    ) -> PyResult<Call> {
        let limit = wait.map(seconds).transpose()?;
        let outcome = self.called(resource, name, parameters)?;
        Ok(Call::of(async move {
            answer(outcome.await?.finish(limit).await?)
        }))
    }

    /// As `change`, and not waited for.
    fn start_change(
        &self,
        method: &str,
        uri: String,
        etag: Option<String>,
        body: Option<&[u8]>,
    ) -> PyResult<Call> {
        let outcome = self.begun(method, uri, etag, body)?;
        Ok(Call::of(async move { started(outcome.await?) }))
    }

    /// As `action`, and not waited for.
    fn start_action(&self, resource: &[u8], name: String, parameters: &[u8]) -> PyResult<Call> {
        let outcome = self.called(resource, name, parameters)?;
        Ok(Call::of(async move { started(outcome.await?) }))
    }

    fn logout(&self) -> PyResult<Call> {
        let client = self.own()?;
        Ok(Call::of(async move { client.logout().await }))
    }
}

/// How something is changed.
enum Verb {
    Patch,
    Post,
    Delete,
}

/// A resource with its tag in it: where the service has that in the header alone, a change is to be guarded all the same.
fn read(found: Fetched<Value>) -> Object {
    let mut value = found.value;
    if let (Some(resource), Some(etag)) = (value.as_object_mut(), found.etag) {
        resource
            .entry("@odata.etag")
            .or_insert_with(|| etag.as_str().into());
    }
    Object(value, found.uri)
}

/// What a change was answered with; nothing where there is no body.
pub(crate) fn answer(response: Response) -> Result<Option<Object>, Error> {
    if response.body.is_empty() {
        return Ok(None);
    }
    Ok(Some(Object(response.json()?, response.uri)))
}

/// Work that goes on, or what it was answered with where it is done.
fn started(outcome: Outcome) -> Result<Plain<Task>, Error> {
    Ok(Plain(match outcome {
        Outcome::Started(task) => Task::at(task),
        Outcome::Done(response) => Task::done(response),
    }))
}

/// What a walk came to: where, from where, how far, what, and why not.
impl Gives for Result<Visited, Missed> {
    fn given(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        match self {
            Ok(visited) => {
                let at = (visited.uri.clone(), visited.from.clone(), visited.depth);
                let resource = read(visited.into()).given(py)?;
                (at.0, at.1, at.2, resource, py.None()).into_py_any(py)
            }
            Err(missed) => {
                let why = exception(py, &missed.error).into_value(py);
                let at = (missed.uri, missed.from, missed.depth);
                (at.0, at.1, at.2, py.None(), why).into_py_any(py)
            }
        }
    }
}

/// Its number, its records, its report, and whether some were lost before it.
impl Gives for Event {
    fn given(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let lost = self.is_loss();
        let records = self.records.into_iter().map(|record| record.value);
        let records = Value::Array(records.collect()).given(py)?;
        (self.id, records, self.report.given(py)?, lost).into_py_any(py)
    }
}

/// What is to be told.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Want {
    messages: Vec<String>,
    registries: Vec<String>,
    resource_types: Vec<String>,
    origins: Vec<String>,
    subordinate: bool,
    severities: Vec<String>,
}

impl From<Want> for Wanted {
    fn from(want: Want) -> Self {
        Self {
            messages: want.messages,
            registries: want.registries,
            resource_types: want.resource_types,
            origins: want.origins,
            subordinate: want.subordinate,
            severities: want.severities,
            ..Self::default()
        }
    }
}

fn json(bytes: &[u8]) -> PyResult<Value> {
    serde_json::from_slice(bytes).map_err(wrong)
}

fn wrong(error: impl ToString) -> PyErr {
    PyValueError::new_err(error.to_string())
}

/// A length of time in Python's seconds.
pub(crate) fn seconds(seconds: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(seconds)
        .map_err(|_| wrong(format!("{seconds} is no length of time")))
}

//! The client, blocking and for asyncio: each call is one future, which a thread waits for or an event loop.

use std::time::Duration;

use hawkfish_client::{Error, Etag};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use serde_json::Value;

use crate::errors::exception;
use crate::runtime::{self, wait};

type Done<T> = Result<T, Error>;

/// What both clients have.
struct Inner {
    client: hawkfish_client::Client,
    process: u32,
}

/// What goes with a request that changes something.
struct Change {
    method: String,
    uri: String,
    etag: Option<Etag>,
    body: Value,
    limit: Option<Duration>,
}

impl Change {
    fn new(
        method: &str,
        uri: &str,
        etag: Option<&str>,
        body: Option<&[u8]>,
        limit: Option<f64>,
    ) -> PyResult<Self> {
        if !matches!(method, "PATCH" | "POST" | "DELETE") {
            return Err(PyValueError::new_err(format!("{method} changes nothing")));
        }
        Ok(Self {
            method: method.to_owned(),
            uri: uri.to_owned(),
            etag: etag.map(Etag::new),
            body: body.map(json).transpose()?.unwrap_or_default(),
            limit: limit.map(seconds).transpose()?,
        })
    }
}

impl Inner {
    fn new(
        py: Python<'_>,
        url: &str,
        credentials: Option<(String, String)>,
        basic: bool,
        ca: Option<&[u8]>,
        insecure: bool,
        timeout: f64,
    ) -> PyResult<Self> {
        let mut builder = hawkfish_client::Client::builder(url).timeout(seconds(timeout)?);
        if let Some((user, password)) = credentials {
            builder = match basic {
                true => builder.basic(user, password),
                false => builder.session(user, password),
            };
        }
        if let Some(ca) = ca {
            builder = builder.ca_pem(ca);
        }
        if insecure {
            builder = builder.insecure();
        }
        let client = builder.build().map_err(|error| exception(py, &error))?;
        Ok(Self {
            client,
            process: std::process::id(),
        })
    }

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
}

async fn root(client: hawkfish_client::Client) -> Done<Vec<u8>> {
    Ok(client.root().await?.value.to_string().into_bytes())
}

async fn get(client: hawkfish_client::Client, uri: String) -> Done<Vec<u8>> {
    let found = client.get_value(&uri).await?;
    let mut value = found.value;
    // Where the service has the tag in the header alone, a change is to be guarded all the same.
    if let (Some(resource), Some(etag)) = (value.as_object_mut(), found.etag) {
        resource
            .entry("@odata.etag")
            .or_insert_with(|| etag.as_str().into());
    }
    Ok(value.to_string().into_bytes())
}

async fn members(client: hawkfish_client::Client, uri: String) -> Done<Vec<String>> {
    let members = client.members(&uri).all().await?;
    Ok(members.into_iter().map(|member| member.uri).collect())
}

async fn change(client: hawkfish_client::Client, change: Change) -> Done<Vec<u8>> {
    let Change {
        method,
        uri,
        etag,
        body,
        limit,
    } = change;
    let outcome = match method.as_str() {
        "PATCH" => client.patch(&uri, etag.as_ref(), &body).await?,
        "POST" => client.post(&uri, &body).await?,
        _ => client.delete(&uri, etag.as_ref()).await?,
    };
    Ok(outcome.finish(limit).await?.body.to_vec())
}

async fn action(
    client: hawkfish_client::Client,
    resource: Value,
    action: String,
    parameters: Value,
    limit: Option<Duration>,
) -> Done<Vec<u8>> {
    let outcome = client.action(&resource, &action, &parameters).await?;
    Ok(outcome.finish(limit).await?.body.to_vec())
}

/// Blocks the thread that calls, and lets others run.
#[pyclass(frozen, module = "hawkfish._native")]
pub(crate) struct Client(Inner);

#[pymethods]
impl Client {
    #[new]
    fn new(
        py: Python<'_>,
        url: &str,
        credentials: Option<(String, String)>,
        basic: bool,
        ca: Option<&[u8]>,
        insecure: bool,
        timeout: f64,
    ) -> PyResult<Self> {
        Inner::new(py, url, credentials, basic, ca, insecure, timeout).map(Self)
    }

    fn root<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        bytes(py, root(self.0.own()?))
    }

    fn get<'py>(&self, py: Python<'py>, uri: &str) -> PyResult<Bound<'py, PyBytes>> {
        bytes(py, get(self.0.own()?, uri.to_owned()))
    }

    fn members(&self, py: Python<'_>, uri: &str) -> PyResult<Vec<String>> {
        block(py, members(self.0.own()?, uri.to_owned()))
    }

    fn change<'py>(
        &self,
        py: Python<'py>,
        method: &str,
        uri: &str,
        etag: Option<&str>,
        body: Option<&[u8]>,
        wait: Option<f64>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let what = Change::new(method, uri, etag, body, wait)?;
        bytes(py, change(self.0.own()?, what))
    }

    fn action<'py>(
        &self,
        py: Python<'py>,
        resource: &[u8],
        name: &str,
        parameters: &[u8],
        wait: Option<f64>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let (resource, parameters) = (json(resource)?, json(parameters)?);
        let limit = wait.map(seconds).transpose()?;
        let client = self.0.own()?;
        bytes(
            py,
            action(client, resource, name.to_owned(), parameters, limit),
        )
    }

    fn logout(&self, py: Python<'_>) -> PyResult<()> {
        let client = self.0.own()?;
        block(py, async move { client.logout().await })
    }
}

/// Gives awaitables of the event loop that runs.
#[pyclass(frozen, module = "hawkfish._native")]
pub(crate) struct AsyncClient(Inner);

#[pymethods]
impl AsyncClient {
    #[new]
    fn new(
        py: Python<'_>,
        url: &str,
        credentials: Option<(String, String)>,
        basic: bool,
        ca: Option<&[u8]>,
        insecure: bool,
        timeout: f64,
    ) -> PyResult<Self> {
        Inner::new(py, url, credentials, basic, ca, insecure, timeout).map(Self)
    }

    fn root<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        later(py, root(self.0.own()?), Bytes)
    }

    fn get<'py>(&self, py: Python<'py>, uri: &str) -> PyResult<Bound<'py, PyAny>> {
        later(py, get(self.0.own()?, uri.to_owned()), Bytes)
    }

    fn members<'py>(&self, py: Python<'py>, uri: &str) -> PyResult<Bound<'py, PyAny>> {
        later(py, members(self.0.own()?, uri.to_owned()), |uris| uris)
    }

    fn change<'py>(
        &self,
        py: Python<'py>,
        method: &str,
        uri: &str,
        etag: Option<&str>,
        body: Option<&[u8]>,
        wait: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let what = Change::new(method, uri, etag, body, wait)?;
        later(py, change(self.0.own()?, what), Bytes)
    }

    fn action<'py>(
        &self,
        py: Python<'py>,
        resource: &[u8],
        name: &str,
        parameters: &[u8],
        wait: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (resource, parameters) = (json(resource)?, json(parameters)?);
        let limit = wait.map(seconds).transpose()?;
        let done = action(self.0.own()?, resource, name.to_owned(), parameters, limit);
        later(py, done, Bytes)
    }

    fn logout<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let client = self.0.own()?;
        later(py, async move { client.logout().await }, |()| ())
    }
}

/// Becomes `bytes`, once Python has a moment for it.
struct Bytes(Vec<u8>);

impl<'py> IntoPyObject<'py> for Bytes {
    type Target = PyBytes;
    type Output = Bound<'py, PyBytes>;
    type Error = std::convert::Infallible;

    fn into_pyobject(self, py: Python<'py>) -> Result<Self::Output, Self::Error> {
        Ok(PyBytes::new(py, &self.0))
    }
}

fn block<T: Send>(py: Python<'_>, future: impl Future<Output = Done<T>> + Send) -> PyResult<T> {
    wait(py, future)?.map_err(|error| exception(py, &error))
}

fn bytes<'py>(
    py: Python<'py>,
    future: impl Future<Output = Done<Vec<u8>>> + Send,
) -> PyResult<Bound<'py, PyBytes>> {
    Ok(PyBytes::new(py, &block(py, future)?))
}

fn later<'py, T, P>(
    py: Python<'py>,
    future: impl Future<Output = Done<T>> + Send + 'static,
    into: impl FnOnce(T) -> P + Send + 'static,
) -> PyResult<Bound<'py, PyAny>>
where
    P: for<'any> IntoPyObject<'any> + Send + 'static,
{
    runtime::future(py, async move {
        match future.await {
            Ok(value) => Ok(into(value)),
            Err(error) => Err(Python::attach(|py| exception(py, &error))),
        }
    })
}

fn json(bytes: &[u8]) -> PyResult<Value> {
    serde_json::from_slice(bytes).map_err(|error| PyValueError::new_err(error.to_string()))
}

fn seconds(seconds: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(seconds)
        .map_err(|_| PyValueError::new_err(format!("{seconds} is no length of time")))
}

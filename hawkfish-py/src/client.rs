//! The client, blocking.

use std::time::Duration;

use hawkfish_client::{Error, Etag, Outcome, Response};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use serde_json::Value;

use crate::errors::exception;
use crate::runtime::wait;

#[pyclass(frozen, module = "hawkfish._native")]
pub(crate) struct Client {
    client: hawkfish_client::Client,
    process: u32,
}

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

    fn root<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let found = self.run(py, self.client.root())?;
        Ok(PyBytes::new(py, found.value.to_string().as_bytes()))
    }

    fn get<'py>(&self, py: Python<'py>, uri: &str) -> PyResult<Bound<'py, PyBytes>> {
        let found = self.run(py, self.client.get_value(uri))?;
        let mut value = found.value;
        // Where the service has the tag in the header alone, a change is to be guarded all the same.
        if let (Some(resource), Some(etag)) = (value.as_object_mut(), found.etag) {
            resource
                .entry("@odata.etag")
                .or_insert_with(|| etag.as_str().into());
        }
        Ok(PyBytes::new(py, value.to_string().as_bytes()))
    }

    fn members(&self, py: Python<'_>, uri: &str) -> PyResult<Vec<String>> {
        let members = self.run(py, self.client.members(uri).all())?;
        Ok(members.into_iter().map(|member| member.uri).collect())
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
        let etag = etag.map(Etag::new);
        let body = body.map(json).transpose()?.unwrap_or_default();
        let limit = wait.map(seconds).transpose()?;
        let client = &self.client;
        let answer = match method {
            "PATCH" => self.run(py, async {
                done(client.patch(uri, etag.as_ref(), &body).await?, limit).await
            }),
            "POST" => self.run(py, async {
                done(client.post(uri, &body).await?, limit).await
            }),
            "DELETE" => self.run(py, async {
                done(client.delete(uri, etag.as_ref()).await?, limit).await
            }),
            other => Err(PyValueError::new_err(format!("{other} changes nothing"))),
        };
        Ok(PyBytes::new(py, &answer?.body))
    }

    fn action<'py>(
        &self,
        py: Python<'py>,
        resource: &[u8],
        action: &str,
        parameters: &[u8],
        wait: Option<f64>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let (resource, parameters) = (json(resource)?, json(parameters)?);
        let limit = wait.map(seconds).transpose()?;
        let client = &self.client;
        let answer = self.run(py, async {
            done(client.action(&resource, action, &parameters).await?, limit).await
        })?;
        Ok(PyBytes::new(py, &answer.body))
    }

    fn logout(&self, py: Python<'_>) -> PyResult<()> {
        self.run(py, self.client.logout())
    }
}

impl Client {
    fn run<T: Send>(
        &self,
        py: Python<'_>,
        future: impl Future<Output = Result<T, Error>> + Send,
    ) -> PyResult<T> {
        // Its connections are shared with the parent: two processes would talk into one another.
        if self.process != std::process::id() {
            return Err(PyRuntimeError::new_err(
                "this client was made before the process forked; make a new one in the child",
            ));
        }
        wait(py, future)?.map_err(|error| exception(py, &error))
    }
}

async fn done(outcome: Outcome, limit: Option<Duration>) -> Result<Response, Error> {
    outcome.finish(limit).await
}

fn json(bytes: &[u8]) -> PyResult<Value> {
    serde_json::from_slice(bytes).map_err(|error| PyValueError::new_err(error.to_string()))
}

fn seconds(seconds: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(seconds)
        .map_err(|_| PyValueError::new_err(format!("{seconds} is no length of time")))
}

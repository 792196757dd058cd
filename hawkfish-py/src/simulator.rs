//! Simulated BMCs in this process.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

use hawkfish_sim::fault::Rule;
use hawkfish_sim::{Description, Error, Served, World};
use jiff::SignedDuration;
use pyo3::exceptions::{PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::runtime::{self, wait};

#[pyclass(frozen, module = "hawkfish._native")]
pub(crate) struct Simulator {
    world: World,
    address: SocketAddr,
    // Taken when it is closed.
    served: Mutex<Option<Served>>,
    process: u32,
}

#[pymethods]
impl Simulator {
    #[new]
    fn new(
        py: Python<'_>,
        description: &[u8],
        systems: usize,
        speed: f64,
        listen: &str,
        traced: bool,
    ) -> PyResult<Self> {
        let text = std::str::from_utf8(description).map_err(value_error)?;
        let description = Description::from_json(text).map_err(value_error)?;
        let listen: SocketAddr = listen.parse().map_err(value_error)?;
        if !(0.0..=hawkfish_sim::clock::MOST_SPEED).contains(&speed) {
            return Err(value_error("a speed is 0 to 1,000,000"));
        }
        let (world, served) = wait(py, async {
            let world = World::builder()
                .systems(systems)
                .describe(description)
                .traced(traced)
                .reported(traced);
            let world = world.start().await.map_err(|error| failed(&error))?;
            if speed > 0.0 {
                world.clock().set_speed(speed);
                world.start_running();
            }
            let served = world.serve(listen).await;
            let served = served.map_err(|error| {
                PyOSError::new_err(format!("cannot listen on {listen}: {error}"))
            })?;
            PyResult::Ok((world, served))
        })??;
        Ok(Self {
            address: served.address,
            world,
            served: Mutex::new(Some(served)),
            process: std::process::id(),
        })
    }

    #[getter]
    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The time in the world, RFC 3339.
    #[getter]
    fn now(&self) -> String {
        self.world.now().to_string()
    }

    fn advance(&self, py: Python<'_>, seconds: f64) -> PyResult<()> {
        let by = span(seconds)?;
        self.run(py, self.world.advance(by))
    }

    fn advance_async<'py>(&self, py: Python<'py>, seconds: f64) -> PyResult<Bound<'py, PyAny>> {
        self.own()?;
        let (world, by) = (self.world.clone(), span(seconds)?);
        runtime::future(py, async move {
            world.advance(by).await.map_err(|error| failed(&error))
        })
    }

    fn put_fault(&self, rule: &[u8]) -> PyResult<()> {
        self.own()?;
        let rule: Rule = serde_json::from_slice(rule).map_err(value_error)?;
        self.world.set_fault(rule).map_err(value_error)
    }

    fn put_preset(&self, name: &str) -> PyResult<Vec<String>> {
        self.own()?;
        let preset = hawkfish_sim::fault::preset(name)
            .ok_or_else(|| value_error(format!("there is no fault called {name:?}")))?;
        let mut names = Vec::new();
        for rule in preset.rules() {
            names.push(rule.name.clone());
            self.world.set_fault(rule).map_err(value_error)?;
        }
        Ok(names)
    }

    fn clear_fault(&self, name: &str) -> PyResult<bool> {
        self.own()?;
        Ok(self.world.clear_fault(name))
    }

    fn fired(&self, name: &str) -> Option<u64> {
        self.world.fired(name)
    }

    fn trace<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.world.trace().to_string().as_bytes())
    }

    fn report<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let report = serde_json::to_vec(&self.world.report());
        let report = report.map_err(|error| PyRuntimeError::new_err(error.to_string()))?;
        Ok(PyBytes::new(py, &report))
    }

    /// Ends it; true if it was not ended before.
    fn close(&self, py: Python<'_>) -> PyResult<bool> {
        match self.taken() {
            Some(served) => wait(py, end(self.world.clone(), served))?.map(|()| true),
            None => Ok(false),
        }
    }

    fn close_async<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let (world, served) = (self.world.clone(), self.taken());
        runtime::future(py, async move {
            match served {
                Some(served) => end(world, served).await.map(|()| true),
                None => Ok(false),
            }
        })
    }
}

async fn end(world: World, served: Served) -> PyResult<()> {
    let ended = served.end().await;
    ended.map_err(|error| PyOSError::new_err(error.to_string()))?;
    world.close().await.map_err(|error| failed(&error))
}

impl Simulator {
    fn own(&self) -> PyResult<()> {
        if self.process == std::process::id() {
            return Ok(());
        }
        Err(PyRuntimeError::new_err(
            "this simulator was made before the process forked and lives in the parent; reach it by its url, or make a new one in the child",
        ))
    }

    /// What is to be ended, if that is still to be done, and by this process.
    fn taken(&self) -> Option<Served> {
        let mut served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
        let served = served.take()?;
        if self.process == std::process::id() {
            return Some(served);
        }
        // It lives on in the parent; what is here has no threads that could end it.
        std::mem::forget(served);
        None
    }

    fn run<T: Send>(
        &self,
        py: Python<'_>,
        future: impl Future<Output = Result<T, Error>> + Send,
    ) -> PyResult<T> {
        self.own()?;
        wait(py, future)?.map_err(|error| failed(&error))
    }
}

fn span(seconds: f64) -> PyResult<SignedDuration> {
    let span = SignedDuration::try_from_secs_f64(seconds).map_err(value_error)?;
    if span.is_negative() {
        return Err(value_error("time does not go back"));
    }
    Ok(span)
}

fn failed(error: &Error) -> PyErr {
    match error {
        Error::Fault(_) | Error::Description(_) => value_error(error),
        _ => PyRuntimeError::new_err(error.to_string()),
    }
}

fn value_error(error: impl ToString) -> PyErr {
    PyValueError::new_err(error.to_string())
}

/// Name and meaning of each fault that has a name.
#[pyfunction]
pub(crate) fn presets() -> Vec<(&'static str, &'static str)> {
    hawkfish_sim::fault::PRESETS
        .iter()
        .map(|preset| (preset.name, preset.about))
        .collect()
}

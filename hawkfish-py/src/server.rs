//! The server of HawkFish in this process, started as its program starts.

use std::sync::{Mutex, PoisonError};

use hawkfish_core::error::ErrorKind;
use hawkfish_server::settings::{Settings, SettingsError};
use hawkfish_server::start::{Service, StartError};
use pyo3::exceptions::{PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::call::{Call, Failure, Plain};
use crate::errors::named;

impl Failure for StartError {
    fn raised(self, py: Python<'_>) -> PyErr {
        let text = self.to_string();
        match self {
            Self::Listen { .. } | Self::Io(_) => PyOSError::new_err(text),
            Self::Core(error) => match error.kind() {
                ErrorKind::Unsupported { .. } => named(py, "Unsupported", &text),
                ErrorKind::Conflict(_) => named(py, "Conflict", &text),
                ErrorKind::Invalid { .. } => PyValueError::new_err(text),
                _ => PyRuntimeError::new_err(text),
            },
            _ => PyRuntimeError::new_err(text),
        }
    }
}

struct Running {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), StartError>>,
}

/// A service that runs until it is closed, or nobody has this any more.
#[pyclass(frozen, module = "hawkfish._native")]
pub(crate) struct Server {
    url: String,
    certificate: Option<String>,
    password: Option<String>,
    machines: Vec<String>,
    running: Mutex<Option<Running>>,
    process: u32,
}

#[pymethods]
impl Server {
    #[getter]
    fn url(&self) -> &str {
        &self.url
    }

    /// Where the certificate lies.
    #[getter]
    fn certificate(&self) -> Option<&str> {
        self.certificate.as_deref()
    }

    /// The password of the first account, where one was made up.
    #[getter]
    fn password(&self) -> Option<&str> {
        self.password.as_deref()
    }

    /// What runs the machines, in words.
    #[getter]
    fn machines(&self) -> Vec<String> {
        self.machines.clone()
    }

    /// Ends it; true if it was not ended before.
    fn close(&self) -> Call {
        let running = self
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let is_ours = self.process == std::process::id();
        Call::of(async move {
            let Some(running) = running else {
                return Ok(Plain(false));
            };
            if !is_ours {
                // It lives on in the parent; what is here has no threads that could end it.
                std::mem::forget(running);
                return Ok(Plain(false));
            }
            let _ = running.stop.send(());
            match running.task.await {
                Ok(ended) => ended.map(|()| Plain(true)),
                Err(error) => Err(StartError::Io(std::io::Error::other(error))),
            }
        })
    }
}

/// Starts the service that these flags of `hawkfish-server` say.
#[pyfunction]
pub(crate) fn serve(py: Python<'_>, flags: Vec<String>) -> PyResult<Call> {
    let program = std::iter::once("hawkfish.serve".to_owned());
    // Nothing of the environment: who calls says what is to be.
    let settings = Settings::read(program.chain(flags), []).map_err(|error| match error {
        SettingsError::Flags(error) => PyValueError::new_err(error.to_string()),
        error => PyValueError::new_err(error.to_string()),
    })?;
    if settings.backend == hawkfish_server::settings::BackendChoice::Libvirt
        && !cfg!(feature = "libvirt")
    {
        return Err(named(
            py,
            "Unsupported",
            "this wheel was built without libvirt; build one with it: pip install . --config-settings=build-args=--features=libvirt",
        ));
    }
    Ok(Call::of(async move {
        let service = Service::start(&settings).await?;
        let (stop, stopped) = oneshot::channel();
        let mut server = Server {
            url: service.banner().base(),
            certificate: service.certificate().map(|path| path.display().to_string()),
            password: service.made_password().map(str::to_owned),
            machines: service.banner().machines(),
            running: Mutex::default(),
            process: std::process::id(),
        };
        let task = tokio::spawn(service.run(async move {
            // Without anybody to say so it ends, too.
            let _ = stopped.await;
        }));
        server.running = Mutex::new(Some(Running { stop, task }));
        Ok::<_, StartError>(Plain(server))
    }))
}

//! A call of Python's on its way: begun by the thread that waits for it, or by the event loop that awaits it.
//!
//! Each method of a native class gives one, so that there is one such method and not two: `client.get(uri).wait()` and `await client.get(uri)` are the same
//! future. Nothing happens before either.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use futures::{Stream, StreamExt as _};
use pyo3::IntoPyObjectExt as _;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use serde_json::Value;

use crate::errors::named;
use crate::runtime::{self, Give, Work};

/// What can go wrong, as an exception.
pub(crate) trait Failure: Send + 'static {
    /// The exception.
    fn raised(self, py: Python<'_>) -> PyErr;
}

impl Failure for PyErr {
    fn raised(self, _py: Python<'_>) -> PyErr {
        self
    }
}

/// What Python gets.
pub(crate) trait Gives: Send + 'static {
    /// As Python's.
    fn given(self, py: Python<'_>) -> PyResult<Py<PyAny>>;
}

/// Whatever pyo3 makes Python's.
pub(crate) struct Plain<T>(pub(crate) T);

impl<T: for<'py> IntoPyObject<'py> + Send + 'static> Gives for Plain<T> {
    fn given(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.0.into_py_any(py)
    }
}

impl Gives for () {
    fn given(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Ok(py.None())
    }
}

impl Gives for Value {
    fn given(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        loads(py, &self.to_string())
    }
}

/// One resource after another.
impl Gives for Vec<Object> {
    fn given(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let given: PyResult<Vec<_>> = self.into_iter().map(|one| one.given(py)).collect();
        given?.into_py_any(py)
    }
}

/// A resource, and where it was read: it must be what Python is told that it is.
pub(crate) struct Object(pub(crate) Value, pub(crate) String);

impl Gives for Object {
    fn given(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let Self(value, uri) = self;
        if value.is_object() {
            return value.given(py);
        }
        let text = format!("{uri}: the answer is no JSON object");
        Err(named(py, "ProtocolError", &text))
    }
}

impl<T: Gives> Gives for Option<T> {
    fn given(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.map_or_else(|| Ok(py.None()), |some| some.given(py))
    }
}

/// Reads JSON with Python's own `json`, which makes its objects faster than we could from here.
pub(crate) fn loads(py: Python<'_>, text: &str) -> PyResult<Py<PyAny>> {
    static LOADS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    LOADS
        .import(py, "json", "loads")?
        .call1((text,))
        .map(Bound::unbind)
}

/// A call of Python's on its way.
#[pyclass(frozen, module = "hawkfish._native")]
pub(crate) struct Call(Mutex<Option<Work>>);

impl Call {
    /// One that is done when `future` is.
    pub(crate) fn of<T: Gives, E: Failure>(
        future: impl Future<Output = Result<T, E>> + Send + 'static,
    ) -> Self {
        let work: Work = Box::pin(async move {
            let done = future.await;
            let give: Give = Box::new(move |py| match done {
                Ok(value) => value.given(py),
                Err(error) => Err(error.raised(py)),
            });
            give
        });
        Self(Mutex::new(Some(work)))
    }

    fn take(&self) -> PyResult<Work> {
        let mut work = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        work.take()
            .ok_or_else(|| PyRuntimeError::new_err("a call is made once"))
    }
}

#[pymethods]
impl Call {
    /// Blocks the thread that calls, and lets others run.
    fn wait(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let work = self.take()?;
        runtime::wait(py, work)?(py)
    }

    /// Leaves the event loop free meanwhile. Cancelling drops the future.
    fn __await__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        runtime::later(py, self.take()?)?.call_method0("__await__")
    }
}

type Source = Pin<Box<dyn Stream<Item = Give> + Send>>;

/// One thing after another, each of them a call; `None` is the end.
#[pyclass(frozen, module = "hawkfish._native")]
pub(crate) struct Flow(Arc<tokio::sync::Mutex<Option<Source>>>);

impl Flow {
    /// What `stream` has.
    pub(crate) fn of<T: Gives, E: Failure>(
        stream: impl Stream<Item = Result<T, E>> + Send + 'static,
    ) -> Self {
        let source = stream.map(|done| -> Give {
            Box::new(move |py| match done {
                Ok(value) => value.given(py),
                Err(error) => Err(error.raised(py)),
            })
        });
        Self(Arc::new(tokio::sync::Mutex::new(Some(Box::pin(source)))))
    }
}

#[pymethods]
impl Flow {
    fn next(&self) -> Call {
        let source = Arc::clone(&self.0);
        let work: Work = Box::pin(async move {
            let mut source = source.lock().await;
            let next = match &mut *source {
                Some(source) => source.next().await,
                None => None,
            };
            next.unwrap_or_else(|| Box::new(|py| Ok(py.None())))
        });
        Call(Mutex::new(Some(work)))
    }

    /// Ends it; who waits for the next is waited for.
    fn close(&self) -> Call {
        let source = Arc::clone(&self.0);
        Call::of(async move {
            *source.lock().await = None;
            Ok::<(), PyErr>(())
        })
    }
}

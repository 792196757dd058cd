//! From a kind of error to the exception of that kind, which is written in Python.

use hawkfish_client::{Error, Kind};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::call::{Failure, loads};

impl Failure for Error {
    fn raised(self, py: Python<'_>) -> PyErr {
        exception(py, &self)
    }
}

pub(crate) fn exception(py: Python<'_>, error: &Error) -> PyErr {
    raise(py, error).unwrap_or_else(|failed| failed)
}

/// An exception of the package by its name, with nothing but words.
pub(crate) fn named(py: Python<'_>, name: &str, text: &str) -> PyErr {
    let made = || {
        let class = py.import("hawkfish._errors")?.getattr(name)?;
        class.call1((text,))
    };
    made().map_or_else(|failed| failed, PyErr::from_value)
}

fn raise(py: Python<'_>, error: &Error) -> PyResult<PyErr> {
    let (name, retry_after) = match error.kind {
        Kind::Unauthorized => ("Unauthorized", None),
        Kind::Forbidden => ("Forbidden", None),
        Kind::NotFound => ("NotFound", None),
        Kind::Unsupported => ("Unsupported", None),
        Kind::Conflict => ("Conflict", None),
        Kind::PreconditionFailed => ("PreconditionFailed", None),
        Kind::Unavailable { retry_after } => ("Unavailable", retry_after),
        Kind::Service => ("ServiceError", None),
        Kind::TaskFailed => ("TaskFailed", None),
        Kind::TimedOut => ("TimedOut", None),
        Kind::Protocol => ("ProtocolError", None),
        Kind::Transport => ("TransportError", None),
        Kind::Refused => ("Refused", None),
        Kind::BadRequest => ("BadRequest", None),
        // A kind that is younger than this list.
        _ => ("Error", None),
    };
    let arguments = PyDict::new(py);
    arguments.set_item("text", error.to_string())?;
    let status = error
        .answered
        .as_ref()
        .map(|answered| answered.status.as_u16());
    arguments.set_item("status", status)?;
    let messages = serde_json::to_string(error.messages()).unwrap_or_default();
    arguments.set_item("messages", loads(py, &messages)?)?;
    arguments.set_item("retry_after", retry_after.map(|after| after.as_secs_f64()))?;
    let class = py.import("hawkfish._errors")?.getattr(name)?;
    Ok(PyErr::from_value(class.call((), Some(&arguments))?))
}

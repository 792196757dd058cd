//! A resource against the schema.

use hawkfish_client::redfish::validate::{Problem, odata_type, parse_strict, response};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

#[pyfunction]
pub(crate) fn validate(
    py: Python<'_>,
    entity: &str,
    body: &[u8],
) -> PyResult<Vec<(String, &'static str, String)>> {
    if odata_type(entity).is_none() {
        return Err(PyValueError::new_err(format!(
            "there is no entity {entity}"
        )));
    }
    let body =
        parse_strict(body).map_err(|problem| PyValueError::new_err(problem.message().message))?;
    let findings = py.detach(|| response(entity, &body));
    Ok(findings
        .into_iter()
        .map(|finding| {
            let text = finding.message().message;
            (finding.pointer, word(&finding.problem), text)
        })
        .collect())
}

fn word(problem: &Problem) -> &'static str {
    match problem {
        Problem::Unknown => "unknown",
        Problem::NotWritable => "not-writable",
        Problem::Type { .. } => "type",
        Problem::NotInList { .. } => "not-in-list",
        Problem::Format { .. } => "format",
        Problem::OutOfRange { .. } => "out-of-range",
        Problem::TooLong { .. } => "too-long",
        Problem::TooShort { .. } => "too-short",
        Problem::ArrayTooLong { .. } => "array-too-long",
        Problem::ArrayTooShort { .. } => "array-too-short",
        Problem::Missing => "missing",
        Problem::Duplicate => "duplicate",
    }
}

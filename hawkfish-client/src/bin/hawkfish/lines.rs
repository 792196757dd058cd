//! Lists whose lines are worked out from what the service said.

use serde_json::Value;

use crate::failure::Result;
use crate::output::{Column, Format, Output};

/// People see what was worked out, programs what the service said.
pub(crate) fn list(
    output: &Output,
    columns: &[Column],
    shown: &[Value],
    said: &[Value],
) -> Result<()> {
    match output.format {
        Format::Table => output.list(columns, shown),
        _ => output.list(columns, said),
    }
}

/// The same for one thing.
pub(crate) fn one(output: &Output, rows: &[Column], shown: &Value, said: &Value) -> Result<()> {
    match output.format {
        Format::Table => output.one(rows, shown),
        _ => output.one(rows, said),
    }
}

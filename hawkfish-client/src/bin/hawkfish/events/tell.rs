//! Events as they are printed: a line for each, for people; what the service said, for programs.

use hawkfish_client::Event;
use serde_json::Value;

use crate::failure::Result;
use crate::output::{Format, Meaning, Output, warn};

/// Prints what came.
pub(super) fn tell(output: &Output, event: &Event) -> Result<()> {
    if let Some(report) = &event.report {
        return match output.format {
            Format::Table => output.line(&line_of(report)),
            _ => output.each("", report),
        };
    }
    for record in &event.records {
        if record.is_loss() {
            warn("events were lost: the service had forgotten them before they could be told");
        }
        if output.format != Format::Table {
            output.each("", &record.value)?;
            continue;
        }
        let severity = record.severity.as_deref().unwrap_or("-");
        let meaning = Meaning::of("/Severity", severity);
        let mut line = format!(
            "{}  {}  {}",
            output.paint(
                record.timestamp.as_deref().unwrap_or("-"),
                Some(Meaning::Quiet)
            ),
            output.paint(&format!("{severity:<8}"), meaning),
            output.paint(&record.message_id, None),
        );
        for part in [record.origin.as_deref(), record.message.as_deref()]
            .into_iter()
            .flatten()
        {
            line.push_str("  ");
            line.push_str(&output.paint(part, None));
        }
        line.push('\n');
        output.text(&line)?;
    }
    Ok(())
}

/// A report in a line: when, which, and how much is in it.
fn line_of(report: &Value) -> String {
    let text = |name: &str| report.get(name).and_then(Value::as_str).unwrap_or("-");
    let values = report.get("MetricValues").and_then(Value::as_array);
    let id = report.get("Id").or_else(|| report.get("Name"));
    let id = id.and_then(Value::as_str).unwrap_or("-");
    format!(
        "{}  report    {id}  {} values",
        text("Timestamp"),
        values.map_or(0, Vec::len)
    )
}

//! A trace as text.

use std::fmt::Write as _;

use http::HeaderMap;

use super::entry::{Entry, What};

/// All of them.
pub(super) fn render<'a>(entries: impl Iterator<Item = &'a Entry>) -> String {
    let mut out = String::new();
    for entry in entries {
        // Writing to a text does not fail.
        let _ = one(&mut out, entry);
    }
    out
}

/// What happened, in a line.
pub(super) fn one(out: &mut String, entry: &Entry) -> std::fmt::Result {
    let at = entry.at;
    match &entry.what {
        What::Request(request) => {
            let face = entry.face.as_deref();
            let face = face.map_or_else(String::new, |face| format!("({face}) "));
            writeln!(out, "[{at}] {face}> {} {}", request.method, request.uri)?;
            message(out, &request.headers, &request.body)
        }
        What::Response(response) => {
            writeln!(out, "[{at}] < {}", response.status)?;
            message(out, &response.headers, &response.body)
        }
        What::Broken { why, .. } => writeln!(out, "[{at}] < none: {why}"),
        What::Fault { rule, firing } => {
            writeln!(out, "[{at}] ! fault {rule:?} for the {firing}. time")
        }
        What::Advanced { to, .. } => writeln!(out, "[{at}] time goes on to {to}"),
        What::State(state) => {
            let about = state.origin.as_deref().unwrap_or("nothing that has a URI");
            let message = match state.message.as_str() {
                "" => "a report",
                message => message,
            };
            writeln!(out, "[{at}] * {}: {message} of {about}", state.seq)?;
            body(out, &state.record)
        }
        What::Console { system, text } => {
            writeln!(out, "console of {system}: {} bytes", text.len())?;
            for line in String::from_utf8_lossy(text).lines() {
                writeln!(out, "  {line}")?;
            }
            Ok(())
        }
        What::Control(control) => {
            let control = serde_json::to_string(control).unwrap_or_default();
            writeln!(out, "[{at}] # {control}")
        }
    }
}

fn message(out: &mut String, headers: &HeaderMap, content: &[u8]) -> std::fmt::Result {
    let mut headers: Vec<(&str, String)> = headers
        .iter()
        .map(|(name, value)| {
            (
                name.as_str(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        })
        .collect();
    headers.sort();
    for (name, value) in headers {
        writeln!(out, "  {name}: {value}")?;
    }
    body(out, content)
}

fn body(out: &mut String, content: &[u8]) -> std::fmt::Result {
    if content.is_empty() {
        return Ok(());
    }
    writeln!(out, "  {}", String::from_utf8_lossy(content))
}

//! What is printed: tables for people, JSON for programs.

use std::io::Write as _;

use clap::ValueEnum;
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use serde_json::Value;

use crate::failure::{Failure, Result};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Columns, one line for each thing.
    Table,
    /// What the service said; an array where several things are listed.
    Json,
}

#[derive(Debug)]
pub(crate) struct Output {
    format: Format,
}

/// A column: its head, and the JSON pointers of which the first that is there is shown.
pub(crate) type Column = (&'static str, &'static [&'static str]);

impl Output {
    pub(crate) fn new(format: Format) -> Self {
        Self { format }
    }

    /// Several resources, one line each.
    pub(crate) fn list(&self, columns: &[Column], resources: &[Value]) -> Result<()> {
        if self.format == Format::Json {
            return self.json(&Value::from(resources));
        }
        let mut table = Table::new();
        table.load_preset(NOTHING);
        table.set_header(columns.iter().map(|(head, _)| *head));
        for resource in resources {
            table.add_row(columns.iter().map(|(_, pointers)| cell(resource, pointers)));
        }
        self.table(&table)
    }

    /// One resource, one line for each of its properties that is there.
    pub(crate) fn one(&self, rows: &[Column], resource: &Value) -> Result<()> {
        if self.format == Format::Json {
            return self.json(resource);
        }
        let mut table = Table::new();
        table.load_preset(NOTHING);
        for (head, pointers) in rows {
            let text = cell(resource, pointers);
            if !text.is_empty() {
                table.add_row([(*head).to_owned(), text]);
            }
        }
        self.table(&table)
    }

    /// What a change came to: a sentence, or the service's own answer where it gave one.
    pub(crate) fn done(&self, sentence: &str, answer: &hawkfish_client::Response) -> Result<()> {
        match self.format {
            Format::Table => self.line(sentence),
            Format::Json if answer.body.is_empty() => Ok(()),
            Format::Json => self.raw(answer),
        }
    }

    /// Work that was started and is not waited for.
    pub(crate) fn started(&self, task: &hawkfish_client::Task) -> Result<()> {
        let uri = task.uri.as_deref().unwrap_or(&task.monitor);
        match self.format {
            Format::Table => self.line(&format!("goes on as {uri}")),
            Format::Json => {
                self.json(&serde_json::json!({"Task": uri, "TaskMonitor": task.monitor}))
            }
        }
    }

    /// An answer as it is; JSON is made readable.
    pub(crate) fn raw(&self, answer: &hawkfish_client::Response) -> Result<()> {
        match answer.json() {
            Ok(value) => self.json(&value),
            Err(_) => {
                let mut out = std::io::stdout().lock();
                out.write_all(&answer.body)?;
                Ok(out.flush()?)
            }
        }
    }

    pub(crate) fn line(&self, text: &str) -> Result<()> {
        Ok(writeln!(std::io::stdout().lock(), "{}", plain(text))?)
    }

    fn json(&self, value: &Value) -> Result<()> {
        Ok(writeln!(std::io::stdout().lock(), "{value:#}")?)
    }

    fn table(&self, table: &Table) -> Result<()> {
        let mut out = std::io::stdout().lock();
        for line in table.lines() {
            writeln!(out, "{}", line.trim())?;
        }
        Ok(())
    }
}

fn cell(resource: &Value, pointers: &[&str]) -> String {
    let found = pointers
        .iter()
        .find_map(|pointer| resource.pointer(pointer).filter(|value| !value.is_null()));
    match found {
        None => String::new(),
        Some(Value::String(text)) => plain(text),
        Some(Value::Bool(true)) => "yes".into(),
        Some(Value::Bool(false)) => "no".into(),
        Some(Value::Array(list)) => {
            let items: Vec<String> = list.iter().map(|item| cell(item, &[""])).collect();
            items.join(", ")
        }
        Some(other) => plain(&other.to_string()),
    }
}

/// Text of a service, safe for a terminal: whoever names a machine does not control the reader's screen.
pub(crate) fn plain(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\t' | '\n' | '\r' => ' ',
            c if c.is_control() => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// Says on stderr why it failed and what to do.
pub(crate) fn complain(failure: &Failure) {
    warn(&failure.to_string());
    let mut err = std::io::stderr().lock();
    for line in failure.advice() {
        // Where even stderr is closed, nobody is left to be told.
        let _ = writeln!(err, "  {}", plain(&line));
    }
}

pub(crate) fn warn(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "hawkfish: {}", plain(text));
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_name_cannot_send_escape_sequences_to_the_terminal() {
        assert_eq!(plain("a\u{1b}[31mb\nc"), "a\u{fffd}[31mb c");
    }

    #[test]
    fn a_cell_shows_the_first_property_that_is_there_and_not_null() {
        let system = json!({"A": null, "B": [1, "x"], "C": true});
        assert_eq!(cell(&system, &["/A", "/B"]), "1, x");
        assert_eq!(cell(&system, &["/C"]), "yes");
        assert_eq!(cell(&system, &["/D"]), "");
    }
}

//! What is printed: tables for people, JSON and YAML for programs. The one way to standard output.
//!
//! ```text
//! list      several resources, a line each          one      one resource, a line for each property
//! json      a value of our own                       raw      an answer as it is
//! done      what a change came to                    started  work that is not waited for
//! line      a sentence                               each     one of a stream, as it comes
//! text      lines of our own making                  progress, transfer   how far it is, on standard error
//! ```

mod look;
mod progress;
mod table;
mod watch;

use std::io::{IsTerminal as _, Write as _};
use std::sync::{Mutex, MutexGuard, PoisonError};

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, ValueEnum};
use serde::Deserialize;
use serde_json::Value;

use self::look::Look;
pub(crate) use self::look::{Color, Meaning};
pub(crate) use self::progress::Progress;
use self::table::Cell;
pub(crate) use self::watch::watch;
use crate::failure::{Failure, Result};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    /// Columns, one line for each thing.
    Table,
    /// What the service said; an array where several things are listed.
    Json,
    /// The same as YAML.
    Yaml,
}

impl Format {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Json => "json",
            Self::Yaml => "yaml",
        }
    }
}

/// The options that every command has.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct Style {
    /// How to print; a table unless the profile says otherwise.
    #[arg(short, long, global = true, value_enum, env = "HAWKFISH_OUTPUT")]
    pub(crate) output: Option<Format>,
    /// The columns of a list: names in its head, or JSON pointers such as /Status/Health, with commas between.
    #[arg(
        long,
        global = true,
        value_name = "COLUMN,…",
        value_delimiter = ',',
        hide_short_help = true
    )]
    columns: Option<Vec<String>>,
    /// No line of names above a list.
    #[arg(long, global = true, hide_short_help = true)]
    no_headers: bool,
    /// When to use colours.
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        hide_short_help = true
    )]
    color: Color,
}

impl Style {
    /// What was said on the command line itself.
    pub(crate) fn output_option(&self, given: &ArgMatches) -> Option<Format> {
        let said = given.value_source("output") == Some(ValueSource::CommandLine);
        self.output.filter(|_| said)
    }
}

#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) format: Format,
    look: Look,
    columns: Option<Vec<String>>,
    headers: bool,
    /// While it watches: what one pass has printed.
    kept: Mutex<Option<Vec<u8>>>,
}

/// A column: its head, and the JSON pointers of which the first that is there is shown.
pub(crate) type Column = (&'static str, &'static [&'static str]);

impl Output {
    pub(crate) fn new(style: &Style, format: Format) -> Self {
        Self {
            format,
            look: Look::of(style.color),
            columns: style.columns.clone(),
            headers: !style.no_headers,
            kept: Mutex::new(None),
        }
    }

    /// Several resources, one line each.
    pub(crate) fn list(&self, columns: &[Column], resources: &[Value]) -> Result<()> {
        if self.format != Format::Table {
            return self.json(&Value::from(resources));
        }
        let columns = self.chosen(columns)?;
        let heads = columns.iter().map(|(head, _)| Cell {
            text: (*head).to_owned(),
            meaning: Some(Meaning::Heading),
        });
        let rows = resources.iter().map(|resource| {
            columns
                .iter()
                .map(|(_, pointers)| cell(resource, pointers))
                .collect()
        });
        self.write(&table::grid(
            self.headers.then(|| heads.collect()),
            rows.collect(),
            self.look,
        ))
    }

    /// One resource, one line for each of its properties that is there.
    pub(crate) fn one(&self, rows: &[Column], resource: &Value) -> Result<()> {
        if self.format != Format::Table {
            return self.json(resource);
        }
        let rows = rows.iter().filter_map(|(head, pointers)| {
            let cell = cell(resource, pointers);
            (!cell.text.is_empty()).then(|| ((*head).to_owned(), cell))
        });
        self.write(&table::pairs(rows.collect(), self.look))
    }

    /// What a change came to: a sentence, or the service's own answer where it gave one.
    pub(crate) fn done(&self, sentence: &str, answer: &hawkfish_client::Response) -> Result<()> {
        match self.format {
            Format::Table => self.line(sentence),
            _ if answer.body.is_empty() => Ok(()),
            _ => self.raw(answer),
        }
    }

    /// Work that was started and is not waited for.
    pub(crate) fn started(&self, task: &hawkfish_client::Task) -> Result<()> {
        let uri = task.uri.as_deref().unwrap_or(&task.monitor);
        match self.format {
            Format::Table => self.line(&format!("goes on as {uri}")),
            _ => self.json(&serde_json::json!({"Task": uri, "TaskMonitor": task.monitor})),
        }
    }

    /// An answer as it is; JSON is made readable.
    pub(crate) fn raw(&self, answer: &hawkfish_client::Response) -> Result<()> {
        match answer.json() {
            Ok(value) => self.json(&value),
            Err(_) => self.bytes(&answer.body),
        }
    }

    /// A sentence for a person; also where JSON was asked for, so it is for what has nothing else to show.
    pub(crate) fn line(&self, text: &str) -> Result<()> {
        self.write(&format!("{}\n", plain(text)))
    }

    /// A value, whatever it is: YAML where that was asked for, else JSON.
    pub(crate) fn json(&self, value: &Value) -> Result<()> {
        let text = match self.format {
            Format::Yaml => yaml(value)?,
            // One document in a line, where several follow one another.
            Format::Json if self.watching() => format!("{value}\n"),
            _ => format!("{value:#}\n"),
        };
        self.write(&text)
    }

    /// One of a stream, as it comes: a line for people, a line of JSON, or a document of YAML.
    pub(crate) fn each(&self, line: &str, value: &Value) -> Result<()> {
        match self.format {
            Format::Table => self.line(line),
            Format::Json => self.write(&format!("{value}\n")),
            Format::Yaml => self.write(&format!("---\n{}", yaml(value)?)),
        }
    }

    /// As they are: what is not text of a service but a file of it.
    pub(crate) fn bytes(&self, bytes: &[u8]) -> Result<()> {
        if let Some(kept) = &mut *self.kept() {
            kept.extend_from_slice(bytes);
            return Ok(());
        }
        let mut out = std::io::stdout().lock();
        out.write_all(bytes)?;
        Ok(out.flush()?)
    }

    /// Text in the colour of what it means, for a `line` of one's own making (which is then written by [`Output::text`]).
    pub(crate) fn paint(&self, text: &str, meaning: Option<Meaning>) -> String {
        self.look.paint(&plain(text), meaning)
    }

    /// Text with lines and colours of our own; what comes from a service has gone through [`plain`] or [`Output::paint`].
    pub(crate) fn text(&self, text: &str) -> Result<()> {
        self.write(text)
    }

    /// How far a task is: nothing unless standard error is a terminal.
    pub(crate) fn progress(&self, what: &str) -> Progress {
        match self.watching() {
            true => Progress::none(),
            false => Progress::of_work(what),
        }
    }

    /// How far an upload is, in bytes.
    pub(crate) fn transfer(&self, what: &str, total: Option<u64>) -> Progress {
        match self.watching() {
            true => Progress::none(),
            false => Progress::of_bytes(what, total),
        }
    }

    fn watching(&self) -> bool {
        self.kept().is_some()
    }

    fn kept(&self) -> MutexGuard<'_, Option<Vec<u8>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, text: &str) -> Result<()> {
        self.bytes(text.as_bytes())
    }

    /// The columns that were asked for, of those that there are.
    fn chosen<'a>(&'a self, columns: &'a [Column]) -> Result<Vec<(&'a str, Vec<&'a str>)>> {
        let Some(wanted) = &self.columns else {
            return Ok(columns
                .iter()
                .map(|(head, pointers)| (*head, pointers.to_vec()))
                .collect());
        };
        wanted
            .iter()
            .map(|wanted| {
                if wanted.starts_with('/') {
                    return Ok((wanted.as_str(), vec![wanted.as_str()]));
                }
                let found = columns
                    .iter()
                    .find(|(head, _)| head.eq_ignore_ascii_case(wanted));
                let (head, pointers) = found.ok_or_else(|| {
                    let all: Vec<&str> = columns.iter().map(|(head, _)| *head).collect();
                    Failure::Usage(format!(
                        "there is no column {wanted}, but {}, and any JSON pointer such as /Name",
                        all.join(", ")
                    ))
                })?;
                Ok((*head, pointers.to_vec()))
            })
            .collect()
    }
}

fn yaml(value: &Value) -> Result<String> {
    let mut text = serde_saphyr::to_string(value)
        .map_err(|error| Failure::Output(std::io::Error::other(error.to_string())))?;
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}

fn cell(resource: &Value, pointers: &[&str]) -> Cell {
    let found = pointers.iter().find_map(|pointer| {
        let value = resource.pointer(pointer).filter(|value| !value.is_null())?;
        Some((pointer, value))
    });
    let Some((pointer, value)) = found else {
        return Cell {
            text: String::new(),
            meaning: None,
        };
    };
    let text = shown(value);
    let meaning = Meaning::of(pointer, &text);
    Cell { text, meaning }
}

/// A value as a person reads it.
pub(crate) fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => plain(text),
        Value::Bool(true) => "yes".into(),
        Value::Bool(false) => "no".into(),
        Value::Array(list) => {
            let items: Vec<String> = list.iter().map(shown).collect();
            items.join(", ")
        }
        other => plain(&other.to_string()),
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
pub(crate) fn complain(failure: &Failure, advice: &[String]) {
    warn(&failure.to_string());
    let mut err = std::io::stderr().lock();
    for line in advice {
        // Where even stderr is closed, nobody is left to be told.
        let _ = writeln!(err, "  {}", plain(line));
    }
}

pub(crate) fn warn(text: &str) {
    let mut err = std::io::stderr().lock();
    let _ = match look::colours(Color::Auto, err.is_terminal()) {
        true => writeln!(err, "\u{1b}[1;31mhawkfish:\u{1b}[0m {}", plain(text)),
        false => writeln!(err, "hawkfish: {}", plain(text)),
    };
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
        assert_eq!(cell(&system, &["/A", "/B"]).text, "1, x");
        assert_eq!(cell(&system, &["/C"]).text, "yes");
        assert_eq!(cell(&system, &["/D"]).text, "");
    }
}

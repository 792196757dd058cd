//! What happened in a world, in order, as data: requests and answers, faults that fired, time that went on, events of the service, what guests wrote, and what was done to the world from outside.
//!
//! A [`Trace`] is a list of [`Entry`]s. As text ([`std::fmt::Display`]) it is for people and for comparisons byte by byte; as JSON lines ([`Trace::lines`], [`Trace::read`]) it loses
//! nothing, and can be run again on another build ([`Trace::run_again`]).
//!
//! # Order
//! Entries have the order in which things came to the gate: a request when its body is read, an answer when it is whole. Events of the service are taken at fixed points, so that
//! their place does not depend on threads: before a request, after an answer, and after each step of time.

mod again;
mod entry;
mod line;
mod log;
mod secrets;
mod text;

use std::collections::VecDeque;
use std::fmt;
use std::io::{BufRead, Write};
use std::path::Path;
use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use again::{Again, CannotRun, Difference};
pub use entry::{Control, Entry, Request, Response, State, What};
pub(crate) use log::{Exchange, InFlight, Keep, Log, Recorder, Sink};

use crate::description::Description;

/// The version of the format of JSON lines.
const FORMAT: u32 = 1;

/// What a world was made of: the first line of a trace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The version of the format.
    pub hawkfish_trace: u32,
    /// The version of the simulator that wrote it.
    pub build: String,
    /// The seed.
    pub seed: u64,
    /// What the clock showed at the beginning.
    pub begins: Timestamp,
    /// Whether the database lay on disk, where images can be pushed to.
    pub on_disk: bool,
    /// What became of tokens and passwords.
    pub secrets: Secrets,
    /// The whole description of the world, with its racks, its seed and its password.
    pub description: Description,
}

impl Header {
    pub(crate) fn of(description: Description, begins: Timestamp, on_disk: bool) -> Self {
        Self {
            hawkfish_trace: FORMAT,
            build: env!("CARGO_PKG_VERSION").to_owned(),
            seed: description.seed.unwrap_or(0),
            begins,
            on_disk,
            secrets: Secrets::Keep,
            description,
        }
    }
}

/// What becomes of tokens and passwords in a trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Secrets {
    /// They stay.
    Keep,
    /// Each is replaced by a name, the same each time: `token-1`, `password-2`.
    #[default]
    Hide,
}

/// A file that is no trace.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BadTrace {
    /// It cannot be read.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// A line says something else.
    #[error("line {line}: {what}")]
    Line {
        /// Its number, from 1.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
}

/// Everything that happened in a world, in order. Clones share their entries.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    header: Option<Arc<Header>>,
    entries: VecDeque<Arc<Entry>>,
    text: OnceLock<String>,
}

impl PartialEq for Trace {
    fn eq(&self, other: &Self) -> bool {
        self.header == other.header && self.entries == other.entries
    }
}

impl Trace {
    pub(crate) fn of(header: Option<Arc<Header>>, entries: VecDeque<Arc<Entry>>) -> Self {
        Self {
            header,
            entries,
            text: OnceLock::new(),
        }
    }

    /// What the world was made of; `None` where that was left out.
    #[must_use]
    pub fn header(&self) -> Option<&Header> {
        self.header.as_deref()
    }

    /// The entries, in order. Where only the last were kept, the first of them has a number above 1.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = &Entry> {
        self.entries.iter().map(|entry| &**entry)
    }

    /// The text, which is compared byte by byte.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.text.get_or_init(|| text::render(self.entries()))
    }

    /// The same with every token and password replaced by a name.
    #[must_use]
    pub fn hidden(&self) -> Self {
        let mut hider = secrets::Hider::default();
        let header = self.header.as_deref().map(|header| hider.header(header));
        let entries = self.entries.iter();
        let entries = entries.map(|entry| Arc::new(hider.entry(entry))).collect();
        Self::of(header.map(Arc::new), entries)
    }

    /// Writes it as JSON lines.
    ///
    /// # Errors
    /// What `out` says.
    pub fn lines(&self, out: &mut impl Write) -> std::io::Result<()> {
        if let Some(header) = &self.header {
            writeln!(out, "{}", serde_json::to_string(&**header)?)?;
        }
        for entry in self.entries() {
            writeln!(out, "{}", line::write(entry)?)?;
        }
        Ok(())
    }

    /// Reads JSON lines. A last line that breaks off, as that of a program that was killed may, is left out.
    ///
    /// # Errors
    /// What cannot be read, and the first line that says something else.
    pub fn read_lines(mut lines: impl BufRead) -> Result<Self, BadTrace> {
        let (mut header, mut entries) = (None, VecDeque::new());
        let mut text = String::new();
        for number in 1.. {
            text.clear();
            if lines.read_line(&mut text)? == 0 {
                break;
            }
            let is_whole = text.ends_with('\n');
            let wrong = |what: String| BadTrace::Line { line: number, what };
            if number == 1 && text.contains("\"hawkfish_trace\"") {
                let read: Header =
                    serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
                if read.hawkfish_trace != FORMAT {
                    return Err(wrong(format!(
                        "the format {} is not known, {FORMAT} is",
                        read.hawkfish_trace
                    )));
                }
                header = Some(Arc::new(read));
                continue;
            }
            match line::read(&text) {
                Ok(entry) => entries.push_back(Arc::new(entry)),
                Err(_) if !is_whole => break,
                Err(error) => return Err(wrong(error.to_string())),
            }
        }
        Ok(Self::of(header, entries))
    }

    /// Reads a file of JSON lines.
    ///
    /// # Errors
    /// As [`Trace::read_lines`].
    pub fn read(file: impl AsRef<Path>) -> Result<Self, BadTrace> {
        let file = std::fs::File::open(file)?;
        Self::read_lines(std::io::BufReader::new(file))
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

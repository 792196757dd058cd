//! The commands, each in a file of its own.

use std::io::Write as _;
use std::path::Path;

use hawkfish_sim::Description;

pub(crate) mod capture;
pub(crate) mod check;
pub(crate) mod faults;
pub(crate) mod record;
pub(crate) mod replay;
pub(crate) mod replay_trace;
pub(crate) mod report;
pub(crate) mod serve;

/// What went wrong, for people.
pub(crate) type Error = Box<dyn std::error::Error>;

/// The end of the program with a code of its own, and why.
#[derive(Debug)]
pub(crate) struct Exit(pub(crate) u8, pub(crate) String);

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.1)
    }
}

impl std::error::Error for Exit {}

/// Prints.
pub(crate) fn say(text: &str) -> Result<(), Error> {
    let mut out = std::io::stdout();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// Reads a description.
pub(crate) fn read(file: &Path) -> Result<Description, Error> {
    let shown = file.display();
    let text = std::fs::read_to_string(file).map_err(|error| format!("{shown}: {error}"))?;
    let read = match file.extension().is_some_and(|end| end == "json") {
        true => Description::from_json(&text),
        false => Description::from_toml(&text),
    };
    Ok(read.map_err(|error| format!("{shown}: {error}"))?)
}

//! The commands, each in a file of its own.

use std::io::Write as _;
use std::path::Path;

use hawkfish_sim::Description;

pub(crate) mod capture;
pub(crate) mod check;
pub(crate) mod faults;
pub(crate) mod replay;
pub(crate) mod record;
pub(crate) mod serve;

/// What went wrong, for people.
pub(crate) type Error = Box<dyn std::error::Error>;

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

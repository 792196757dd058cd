//! DMTF's own validators, from PyPI, against the running program: none of them may find a fault.
//!
//! What a validator did not look at is listed with the reason, so that it is seen when it looks at less.

mod profiles;
mod protocol;
mod service;
mod use_cases;

use std::path::Path;
use std::process::Command;

use super::server::{PASSWORD, Server, USER};

/// A validator that is to speak to `server`.
fn run(python: &Path, program: &str, server: &Server) -> Command {
    speaking(server.beside(&python.with_file_name(program)), server)
}

/// The same of a program that is begun already.
fn speaking(mut command: Command, server: &Server) -> Command {
    command
        .args(["--rhost", &server.url()])
        .args(["--user", USER, "--password", PASSWORD]);
    if let Some(certificate) = server.certificate() {
        command.env("REQUESTS_CA_BUNDLE", certificate);
    }
    command
}

/// What stands in the logs (files with that ending) of a validator that writes them into a folder named after the time.
fn log_in(reports: &Path) -> String {
    let runs = std::fs::read_dir(reports).expect("the validator reports");
    let files = runs.flat_map(|run| std::fs::read_dir(run.unwrap().path()).unwrap());
    let log = files.map(|file| file.unwrap().path());
    let log = log.filter(|file| file.extension().is_some_and(|end| end == "log"));
    log.map(|log| std::fs::read_to_string(log).unwrap())
        .collect()
}

/// The counts that these programs print in a table: passed, warned, failed, not tested.
fn table(said: &str) -> [usize; 4] {
    let row = said.lines().rev().find_map(|line| {
        let cells = line.trim().strip_prefix('|')?.strip_suffix('|')?;
        // Numbers may be coloured: what is between an escape and its `m` is no digit of theirs.
        let cells = cells.split('|').map(|cell| plain(cell).trim().parse().ok());
        cells.collect::<Option<Vec<usize>>>()
    });
    row.and_then(|row| row.try_into().ok())
        .unwrap_or_else(|| panic!("no table of counts: {said}"))
}

/// Text without the codes that colour it.
fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut parts = text.split("\u{1b}[");
    out.push_str(parts.next().unwrap_or_default());
    for part in parts {
        out.push_str(part.split_once('m').map_or("", |(_, rest)| rest));
    }
    out
}

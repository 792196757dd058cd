//! What clients did, told at the end of `hawkfish-sim serve`.

use std::path::PathBuf;

use clap::Args;
use hawkfish_sim::report::{Policy, Report};

use super::{Error, Exit};

/// The exit code where something is not let pass.
const VIOLATED: u8 = 3;

/// What is told of clients at the end.
#[derive(Debug, Args)]
pub(crate) struct Reporting {
    /// Where to write what clients did, as JSON.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Where to write it as JUnit's XML.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// What is not let pass, with commas between: `sessions`, `subscriptions`, `streams`, `tasks` (all four: `leaks`), `deprecated`, `mistakes`, `overwrites`, `retry-after`,
    /// `polling`, `churn`, `basic`; `all`. The exit code is 3 then.
    #[arg(long, value_name = "CHECKS")]
    fail_on: Option<Policy>,
}

impl Reporting {
    /// Whether anything is.
    pub(crate) fn is_wanted(&self) -> bool {
        self.report.is_some() || self.junit.is_some() || self.fail_on.is_some()
    }

    /// Writes what is wanted.
    ///
    /// # Errors
    /// Files that cannot be written; what is not let pass.
    pub(crate) fn judge(&self, report: &Report) -> Result<(), Error> {
        let policy = self.fail_on.clone().unwrap_or_default();
        let cannot = |file: &PathBuf, error| format!("{}: {error}", file.display());
        if let Some(file) = &self.report {
            let text = serde_json::to_string_pretty(report)?;
            std::fs::write(file, text + "\n").map_err(|error| cannot(file, error))?;
        }
        if let Some(file) = &self.junit {
            std::fs::write(file, report.junit(&policy)).map_err(|error| cannot(file, error))?;
        }
        let found = report.violations(&policy);
        if found.is_empty() {
            return Ok(());
        }
        let lines: Vec<String> = found.iter().map(|one| format!("\n  {one}")).collect();
        let what = format!("clients did what is not let pass:{}", lines.concat());
        Err(Exit(VIOLATED, what).into())
    }
}

//! `hawkfish-sim replay` of a trace: it is run again, and what is different is told.

use std::path::{Path, PathBuf};

use clap::Args;
use hawkfish_sim::fault::Pattern;
use hawkfish_sim::trace::{Again, Trace};

use super::{Error, Exit, read, say};

/// The exit code where something is different.
const DIFFERENT: u8 = 1;

/// How a trace is run again.
#[derive(Debug, Args)]
#[command(next_help_heading = "Running a trace (*.jsonl) again")]
pub(crate) struct Running {
    /// Send the requests of the trace to the service there, in place of making its world again.
    #[arg(long)]
    url: Option<String>,
    /// Whatever certificate that service shows.
    #[arg(long, requires = "url")]
    insecure: bool,
    /// Leave out differences at such places: JSON pointers with `*` and `**`, `status`, `header:etag`; may be given more than once.
    #[arg(long, value_name = "PLACES")]
    ignore: Vec<String>,
    /// Tell all differences, not only the first.
    #[arg(long)]
    all: bool,
    /// Make a world of this description in place of the one in the trace.
    #[arg(long, value_name = "FILE", conflicts_with = "url")]
    world: Option<PathBuf>,
}

/// Whether a file is a trace, by its name.
pub(crate) fn is_trace(file: &Path) -> bool {
    file.extension().is_some_and(|end| end == "jsonl")
}

pub(crate) async fn run(file: &Path, how: Running) -> Result<(), Error> {
    let shown = file.display();
    let trace = Trace::read(file).map_err(|error| format!("{shown}: {error}"))?;
    let mut again = Again::new().all(how.all).insecure(how.insecure);
    if let Some(url) = how.url {
        again = again.url(url);
    }
    for places in how.ignore {
        again = again.ignore(Pattern::new(&places)?);
    }
    if let Some(file) = &how.world {
        again = again.describe(read(file)?);
    }
    let found = trace.run_again(&again).await?;
    if found.is_empty() {
        let count = trace.entries().len();
        return say(&format!("{count} entries, no difference\n"));
    }
    for difference in &found {
        say(&format!("{difference}\n"))?;
    }
    let count = match found.len() {
        1 => "1 difference".to_owned(),
        count => format!("{count} differences"),
    };
    Err(Exit(DIFFERENT, count).into())
}

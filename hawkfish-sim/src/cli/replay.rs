//! `hawkfish-sim replay`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use hawkfish_sim::Description;
use hawkfish_sim::description::Rack;
use hawkfish_sim::replay::UnknownActions;

use super::Error;
use super::replay_trace::{self, Running};
use super::serve::{How, run};

#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// A capture: a folder, or an archive of one, that `record` or DMTF's mockup creator made. Or a trace, `*.jsonl`.
    path: PathBuf,
    /// How many machines show it, each with a state of its own; all but the first have other serial numbers and addresses.
    #[arg(long, default_value_t = 1)]
    systems: usize,
    /// What becomes of actions that are not understood.
    #[arg(long, value_enum, default_value_t = Unknown::Refuse)]
    unknown_actions: Unknown,
    #[command(flatten)]
    running: Running,
    #[command(flatten)]
    how: How,
}

/// What becomes of actions that are not understood.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Unknown {
    /// They are answered with 501.
    Refuse,
    /// They are answered as if they had been done.
    Accept,
}

pub(crate) async fn replay(what: Replay) -> Result<(), Error> {
    if replay_trace::is_trace(&what.path) {
        return replay_trace::run(&what.path, what.running).await;
    }
    let mut rack = Rack::new("sim", what.systems);
    rack.capture = Some(what.path);
    rack.unknown_actions = match what.unknown_actions {
        Unknown::Refuse => UnknownActions::Refuse,
        Unknown::Accept => UnknownActions::Accept,
    };
    let description = Description {
        racks: vec![rack],
        ..Description::default()
    };
    run(description, what.how).await
}

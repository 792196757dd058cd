//! `hawkfish-sim`: simulated BMCs on a socket.

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod cli;

use cli::Error;
use cli::capture::OfCaptures;
use cli::check::OfWorlds;
use cli::record::Record;
use cli::replay::Replay;
use cli::serve::Serve;

/// Simulated BMCs for tests of Redfish clients.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve a world.
    Serve(Box<Serve>),
    /// Serve what was captured of a BMC, with state; or run a trace (`*.jsonl`) again, and tell what is different.
    Replay(Box<Replay>),
    /// Record what a Redfish service answers, without what tells whose it is.
    Record(Box<Record>),
    /// Captures.
    #[command(subcommand)]
    Capture(OfCaptures),
    /// Descriptions of worlds.
    #[command(subcommand)]
    World(OfWorlds),
    /// List the faults that have a name.
    Faults,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let done = match runtime {
        Ok(runtime) => runtime.block_on(run(cli.command)),
        Err(error) => Err(error.into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // There is nowhere else to say it.
            let _ = writeln!(std::io::stderr(), "hawkfish-sim: {error}");
            match error.downcast_ref::<cli::Exit>() {
                Some(exit) => ExitCode::from(exit.0),
                None => ExitCode::FAILURE,
            }
        }
    }
}

async fn run(command: Command) -> Result<(), Error> {
    match command {
        Command::Serve(what) => cli::serve::serve(*what).await,
        Command::Replay(what) => cli::replay::replay(*what).await,
        Command::Record(what) => cli::record::record(*what).await,
        Command::Capture(what) => cli::capture::run(what),
        Command::World(what) => cli::check::run(what),
        Command::Faults => cli::faults::run(),
    }
}

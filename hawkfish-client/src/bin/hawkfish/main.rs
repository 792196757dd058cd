//! `hawkfish`: a Redfish service from the command line.
//!
//! One file per group of commands; each finds its way by the links of the service, as any other client would.

mod connect;
mod failure;
mod find;
mod output;
mod raw;
mod sessions;
mod systems;
mod tasks;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::connect::Connection;
use crate::failure::Failure;
use crate::output::{Format, Output};

/// Look at and control machines through any Redfish service.
///
/// User and password are taken from HAWKFISH_USERNAME and HAWKFISH_PASSWORD, or from a file (--credentials-file); never from the command line,
/// where every other user of the machine could read them.
#[derive(Debug, Parser)]
#[command(name = "hawkfish", version, after_help = EXIT_CODES, subcommand_required = true, arg_required_else_help = true)]
struct Arguments {
    #[command(flatten)]
    connection: Connection,
    /// How to print.
    #[arg(short, long, global = true, value_enum, default_value_t = Format::Table)]
    output: Format,
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed in another way than these; also a task that ended in failure
  2  the command line is wrong
  3  not logged in, or not allowed
  4  there is no such thing
  5  conflict: in a state that forbids it, or changed by somebody else meanwhile
  6  unavailable: no connection, no answer in time, or the service asks to come later";

#[derive(Debug, Subcommand)]
enum Command {
    /// The machines.
    #[command(subcommand)]
    Systems(systems::Command),
    /// Work that goes on in the service.
    #[command(subcommand)]
    Tasks(tasks::Command),
    /// Who is logged in.
    #[command(subcommand)]
    Sessions(sessions::Command),
    /// Any URI of the service, as it is.
    #[command(subcommand)]
    Raw(raw::Command),
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let output = Output::new(arguments.output);
    match run(&arguments, &output).await {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read us has seen enough (`hawkfish systems ls | head`).
        Err(Failure::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(failure) => {
            output::complain(&failure);
            ExitCode::from(failure.exit_code())
        }
    }
}

async fn run(arguments: &Arguments, output: &Output) -> Result<(), Failure> {
    let client = arguments.connection.client()?;
    let done = match &arguments.command {
        Command::Systems(command) => systems::run(&client, output, command).await,
        Command::Tasks(command) => tasks::run(&client, output, command).await,
        Command::Sessions(command) => sessions::run(&client, output, command).await,
        Command::Raw(command) => raw::run(&client, output, command).await,
    };
    // A session left open counts against the service's limit. That it could not be closed does not undo what was done.
    if let Err(error) = client.logout().await {
        output::warn(&format!("could not log out: {error}"));
    }
    done
}

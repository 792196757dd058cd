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
use std::time::Duration;

use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use hawkfish_client::Client;

use crate::connect::Connection;
use crate::failure::Failure;
use crate::output::{Format, Output, Style};

/// Look at and control machines through any Redfish service.
///
/// User and password are taken from HAWKFISH_USERNAME and HAWKFISH_PASSWORD, or from a file (--credentials-file); never from the command line,
/// where every other user of the machine could read them.
#[derive(Debug, Parser)]
#[command(name = "hawkfish", version, after_help = EXIT_CODES, subcommand_required = true, arg_required_else_help = true)]
struct Arguments {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    style: Style,
    /// Do it again every so many seconds and show what it has come to; 2 if not said. For commands that only read.
    #[arg(
        long,
        global = true,
        value_name = "SECONDS",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "2",
        value_parser = seconds,
        help_heading = "Output"
    )]
    watch: Option<Duration>,
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

/// The last words of commands that only read, and so can be watched.
const READS: &[&str] = &[
    "ls",
    "show",
    "get",
    "sensors",
    "processors",
    "memory",
    "nics",
    "pending",
];

#[tokio::main]
async fn main() -> ExitCode {
    let matches = Arguments::command().get_matches();
    let arguments = match Arguments::from_arg_matches(&matches) {
        Ok(arguments) => arguments,
        Err(error) => error.format(&mut Arguments::command()).exit(),
    };
    let output = Output::new(
        &arguments.style,
        arguments.style.output.unwrap_or(Format::Table),
    );
    match run(&arguments, &matches, &output).await {
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

async fn run(arguments: &Arguments, matches: &ArgMatches, output: &Output) -> Result<(), Failure> {
    if arguments.watch.is_some() && !reads(matches) {
        return Err(Failure::Usage(format!(
            "--watch is for commands that only read: {}",
            READS.join(", ")
        )));
    }
    let client = arguments.connection.client()?;
    let done = match arguments.watch {
        None => dispatch(&client, output, &arguments.command).await,
        Some(every) => {
            let pass = async || dispatch(&client, output, &arguments.command).await;
            output::watch(output, every, pass).await
        }
    };
    // A session left open counts against the service's limit. That it could not be closed does not undo what was done.
    if let Err(error) = client.logout().await {
        output::warn(&format!("could not log out: {error}"));
    }
    done
}

async fn dispatch(client: &Client, output: &Output, command: &Command) -> Result<(), Failure> {
    match command {
        Command::Systems(command) => systems::run(client, output, command).await,
        Command::Tasks(command) => tasks::run(client, output, command).await,
        Command::Sessions(command) => sessions::run(client, output, command).await,
        Command::Raw(command) => raw::run(client, output, command).await,
    }
}

/// Whether the innermost command is one that changes nothing.
fn reads(matches: &ArgMatches) -> bool {
    let mut inner = matches;
    let mut last = "";
    while let Some((name, deeper)) = inner.subcommand() {
        last = name;
        inner = deeper;
    }
    READS.contains(&last)
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(every) if every >= Duration::from_millis(100) => Ok(every),
        _ => Err("at least 0.1".to_owned()),
    }
}

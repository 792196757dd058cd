//! `hawkfish`: a Redfish service from the command line.
//!
//! One file per group of commands; each finds its way by the links of the service, as any other client would.

mod accounts;
mod certificates;
mod change;
mod chassis;
mod completions;
mod connect;
mod events;
mod failure;
mod find;
mod firmware;
mod jobs;
mod lines;
mod login;
mod logs;
mod managers;
mod output;
mod profiles;
mod raw;
mod registries;
mod roles;
mod sensors;
mod service;
mod sessions;
mod systems;
mod tasks;
mod telemetry;
mod tree;

use std::process::ExitCode;
use std::time::Duration;

use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use hawkfish_client::Client;

use crate::connect::config::File;
use crate::connect::{Connection, Setup, Who};
use crate::failure::Failure;
use crate::output::{Format, Output, Style};

/// Look at and control machines through any Redfish service.
///
/// Passwords come from `hawkfish login`, which asks for them, from HAWKFISH_PASSWORD or from a file (--credentials-file); never from the command line,
/// where every other user of the machine could read them.
#[derive(Debug, Parser)]
#[command(name = "hawkfish", version, after_help = EXIT_CODES, after_long_help = AFTER, max_term_width = 120, subcommand_required = true, arg_required_else_help = true)]
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

macro_rules! exit_codes {
    () => {
        "\
Exit codes:
  0    done
  1    failed in another way than these; also a task that ended in failure
  2    the command line or the configuration is wrong; nothing was sent
  3    not logged in, or not allowed
  4    there is no such thing, or the service cannot do it
  5    conflict: in a state that forbids it, or changed by somebody else meanwhile
  6    unavailable: no connection, no answer in time, or the service asks to come later
  130  interrupted by Ctrl-C (143: by SIGTERM)"
    };
}

const EXIT_CODES: &str = exit_codes!();

const AFTER: &str = concat!(
    exit_codes!(),
    "

Which service, and as whom:
  An option says more than the environment, the environment more than a profile; a profile named by --profile says more than the environment.
  Passwords are looked for in this order: the file of --credentials-file, HAWKFISH_PASSWORD, a session left open by `hawkfish login`,
  the keyring. What is kept for one service is never sent to another.

Files:
  $XDG_CONFIG_HOME/hawkfish/config.toml (or HAWKFISH_CONFIG)   profiles, and what login has learned; no secrets
  $XDG_RUNTIME_DIR/hawkfish/                                   sessions left open by login, for their owner only

Environment:
  HAWKFISH_URL, _PROFILE, _USERNAME, _PASSWORD, _CREDENTIALS_FILE, _AUTH, _CA, _FINGERPRINT, _INSECURE, _TIMEOUT, _OUTPUT, _CONFIG
  NO_COLOR, CLICOLOR, CLICOLOR_FORCE"
);

#[derive(Debug, Subcommand)]
enum Command {
    /// Logs in at a service, and keeps the session or the password for the commands after.
    Login(login::Arguments),
    /// Closes the session that login has left open, and forgets the password that it has saved.
    Logout,
    /// Services by names of your own, in the configuration file.
    #[command(subcommand)]
    Profiles(profiles::Command),
    /// The machines.
    #[command(subcommand)]
    Systems(systems::Command),
    /// What machines stand in: power, fans, temperatures.
    #[command(subcommand)]
    Chassis(chassis::Command),
    /// The BMCs themselves: network, clock, protocols, certificates.
    #[command(subcommand)]
    Managers(managers::Command),
    /// Work that goes on in the service.
    #[command(subcommand)]
    Tasks(tasks::Command),
    /// What happens, and who is told of it.
    #[command(subcommand)]
    Events(events::Command),
    /// Who is logged in.
    #[command(subcommand)]
    Sessions(sessions::Command),
    /// Who can log in.
    #[command(subcommand)]
    Accounts(accounts::Command),
    /// What accounts may do.
    #[command(subcommand)]
    Roles(roles::Command),
    /// What happened.
    #[command(subcommand)]
    Logs(logs::Command),
    /// What is measured in chassis.
    #[command(subcommand)]
    Sensors(sensors::Command),
    /// What is measured over time.
    #[command(subcommand)]
    Telemetry(telemetry::Command),
    /// What is installed, and updates of it.
    #[command(subcommand)]
    Firmware(firmware::Command),
    /// What the service does by itself, at a time.
    #[command(subcommand)]
    Jobs(jobs::Command),
    /// Certificates of the service.
    #[command(subcommand)]
    Certificates(certificates::Command),
    /// What messages mean.
    #[command(subcommand)]
    Registries(registries::Command),
    /// All that the service has.
    Tree(tree::Arguments),
    /// The service itself: what it is and can do, and what time it is there.
    #[command(subcommand)]
    Service(service::Command),
    /// Any URI of the service, as it is.
    #[command(subcommand)]
    Raw(raw::Command),
    /// Prints what makes a shell complete this command line: for bash, `source <(hawkfish completions bash)`.
    Completions(completions::Completions),
    /// The manual, as pages for man.
    Man(completions::Man),
}

/// The last words of commands that only read, and so can be watched.
const READS: &[&str] = &[
    "ls",
    "show",
    "get",
    "features",
    "versions",
    "clock",
    "sensors",
    "pending",
    "drives",
    "controllers",
    "databases",
    "thermal",
];

fn main() -> ExitCode {
    // Before anything is started: `--version` and a mistake are answered at once.
    let matches = Arguments::command().get_matches();
    let arguments = match Arguments::from_arg_matches(&matches) {
        Ok(arguments) => arguments,
        Err(error) => error.format(&mut Arguments::command()).exit(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let ended = match runtime {
        Ok(runtime) => {
            let ended = runtime.block_on(run(&arguments, &matches));
            // A thread that waits for a key or for the keyring is not waited for.
            runtime.shutdown_background();
            ended
        }
        Err(error) => Err((Failure::Output(error), Vec::new())),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read us has seen enough (`hawkfish systems ls | head`).
        Err((Failure::Output(error), _)) if error.kind() == std::io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err((failure @ Failure::Interrupted(_), _)) => ExitCode::from(failure.exit_code()),
        Err((failure, advice)) => {
            output::complain(&failure, &advice);
            ExitCode::from(failure.exit_code())
        }
    }
}

/// Runs the command; a failure comes with what to do about it.
async fn run(arguments: &Arguments, given: &ArgMatches) -> Result<(), (Failure, Vec<String>)> {
    let mut setup = None;
    let mut who = None;
    match prepared(arguments, given, &mut setup, &mut who).await {
        Ok(()) => Ok(()),
        Err(failure) => {
            let mut advice = failure.advice();
            if let Some(setup) = &setup {
                advice.extend(setup.advice(&failure, who.as_ref()).await);
            }
            Err((failure, advice))
        }
    }
}

async fn prepared(
    arguments: &Arguments,
    given: &ArgMatches,
    known: &mut Option<Setup>,
    asks: &mut Option<Who>,
) -> Result<(), Failure> {
    let (name, given) = innermost(given);
    let plain = Output::new(
        &arguments.style,
        arguments.style.output.unwrap_or(Format::Table),
    );
    // What needs no configuration works also where that is broken.
    match &arguments.command {
        Command::Completions(shell) => {
            return completions::completions(&plain, Arguments::command(), shell);
        }
        Command::Man(man) => return completions::man(&plain, Arguments::command(), man),
        _ => {}
    }
    let mut file = File::read()?;
    let connection = &arguments.connection;
    if let Command::Profiles(command) = &arguments.command {
        let style = &arguments.style;
        return profiles::run(connection, style, given, &mut file, &plain, command);
    }
    let output = Output::new(
        &arguments.style,
        connection.format(given, &arguments.style, &file)?,
    );
    if arguments.watch.is_some() && !READS.contains(&name) {
        return Err(Failure::Usage(format!(
            "--watch is for commands that only read: {}",
            READS.join(", ")
        )));
    }
    let setup = known.insert(connection.setup(given, &file)?);
    match &arguments.command {
        Command::Login(login) => {
            return interruptible(login::login(setup, &mut file, &output, login)).await;
        }
        Command::Logout => return interruptible(login::logout(setup, &mut file, &output)).await,
        _ => {}
    }
    let who = asks.insert(interruptible(setup.who()).await?);
    let client = setup.client(who)?;
    let done = match arguments.watch {
        // What it has made at the service it takes away itself, whatever ends it.
        None if matches!(
            &arguments.command,
            Command::Events(events::Command::Listen(_))
        ) =>
        {
            dispatch(&client, &output, &arguments.command).await
        }
        None => interruptible(dispatch(&client, &output, &arguments.command)).await,
        Some(every) => {
            let pass = async || dispatch(&client, &output, &arguments.command).await;
            // Ctrl-C is its end, and no interruption.
            tokio::select! {
                done = output::watch(&output, every, pass) => done,
                () = terminated() => Err(Failure::Interrupted(143)),
            }
        }
    };
    // A session left open counts against the service's limit. That it could not be closed does not undo what was done.
    let logout = async {
        match tokio::time::timeout(LOGOUT_WITHIN, client.logout()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => output::warn(&format!("could not log out: {error}")),
            Err(_) => output::warn("could not log out: no answer"),
        }
        Ok(())
    };
    interruptible(logout).await.and(done)
}

/// How long the end of a session is waited for.
const LOGOUT_WITHIN: Duration = Duration::from_secs(5);

/// Ends with Ctrl-C or SIGTERM as shells expect, and not in the middle of a line, a bar or a prompt: what is under way is dropped, which cleans up.
async fn interruptible<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::select! {
        done = work => done,
        _ = tokio::signal::ctrl_c() => Err(Failure::Interrupted(130)),
        () = terminated() => Err(Failure::Interrupted(143)),
    }
}

/// Until somebody asks us to end.
async fn terminated() {
    #[cfg(unix)]
    if let Ok(mut signal) =
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
    {
        signal.recv().await;
        return;
    }
    std::future::pending().await
}

async fn dispatch(client: &Client, output: &Output, command: &Command) -> Result<(), Failure> {
    match command {
        Command::Systems(command) => systems::run(client, output, command).await,
        Command::Chassis(command) => chassis::run(client, output, command).await,
        Command::Managers(command) => managers::run(client, output, command).await,
        Command::Tasks(command) => tasks::run(client, output, command).await,
        Command::Events(command) => events::run(client, output, command).await,
        Command::Sessions(command) => sessions::run(client, output, command).await,
        Command::Accounts(command) => accounts::run(client, output, command).await,
        Command::Roles(command) => roles::run(client, output, command).await,
        Command::Logs(command) => logs::run(client, output, command).await,
        Command::Sensors(command) => sensors::run(client, output, command).await,
        Command::Telemetry(command) => telemetry::run(client, output, command).await,
        Command::Firmware(command) => firmware::run(client, output, command).await,
        Command::Jobs(command) => jobs::run(client, output, command).await,
        Command::Certificates(command) => certificates::run(client, output, command).await,
        Command::Registries(command) => registries::run(client, output, command).await,
        Command::Tree(command) => tree::run(client, output, command).await,
        Command::Service(command) => service::run(client, output, command).await,
        Command::Raw(command) => raw::run(client, output, command).await,
        // These ask no service; see `prepared`.
        Command::Login(_)
        | Command::Logout
        | Command::Profiles(_)
        | Command::Completions(_)
        | Command::Man(_) => Ok(()),
    }
}

/// The innermost command: its name, and the options as it sees them.
fn innermost(matches: &ArgMatches) -> (&str, &ArgMatches) {
    let mut innermost = ("", matches);
    while let Some((name, deeper)) = innermost.1.subcommand() {
        innermost = (name, deeper);
    }
    innermost
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(every) if every >= Duration::from_millis(100) => Ok(every),
        _ => Err("at least 0.1".to_owned()),
    }
}

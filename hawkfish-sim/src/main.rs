//! `hawkfish-sim`: simulated BMCs on a socket.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand};
use hawkfish_core::entropy::{Entropy as _, OsEntropy};
use hawkfish_server::settings::TlsChoice;
use hawkfish_server::tls;
use hawkfish_sim::description::Rack;
use hawkfish_sim::{Description, PASSWORD, USER, World};
use tokio::signal::unix::{SignalKind, signal};

type Error = Box<dyn std::error::Error>;

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
    /// Descriptions of worlds.
    #[command(subcommand)]
    World(OfWorlds),
    /// List the faults that have a name.
    Faults,
}

#[derive(Debug, Subcommand)]
enum OfWorlds {
    /// Hold a description against what can be, and say what it makes.
    Check {
        /// A file of TOML, or of JSON where its name ends so.
        file: PathBuf,
    },
}

#[derive(Debug, Args)]
struct Serve {
    /// Where to listen; port 0 is any free one.
    #[arg(long, default_value = "127.0.0.1:8000")]
    listen: SocketAddr,
    /// The description of the world, TOML or JSON.
    #[arg(long)]
    world: Option<PathBuf>,
    /// Decides all that is left to chance; by chance unless said here or in the description.
    #[arg(long)]
    seed: Option<u64>,
    /// How many systems, where no rack is described.
    #[arg(long, default_value_t = 4)]
    systems: usize,
    /// The administrator's password.
    #[arg(long, env = "HAWKFISH_SIM_PASSWORD", hide_env_values = true)]
    password: Option<String>,
    /// A fault that has a name; may be given more than once.
    #[arg(long = "fault", value_name = "PRESET")]
    faults: Vec<String>,
    /// How time goes: `real`, `virtual` (only when the control moves it), `x10` (ten times as fast).
    #[arg(long, default_value = "real")]
    time: Time,
    /// Speak TLS, with a certificate made for the occasion.
    #[arg(long)]
    tls: bool,
    /// Where the control listens; nowhere unless said.
    #[arg(long)]
    control: Option<SocketAddr>,
    /// The token of the control; made by chance and printed unless said.
    #[arg(long, env = "HAWKFISH_SIM_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Where to write, at the end, what went over the wire.
    #[arg(long)]
    trace: Option<PathBuf>,
}

/// How time goes.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Time(f64);

impl FromStr for Time {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let speed = match text {
            "real" => 1.0,
            "virtual" => 0.0,
            _ => text
                .strip_prefix('x')
                .and_then(|times| times.parse().ok())
                .ok_or("real, virtual, or x and a number")?,
        };
        if (0.0..=hawkfish_sim::clock::MOST_SPEED).contains(&speed) {
            Ok(Self(speed))
        } else {
            Err("a speed is 0 to 1,000,000".to_owned())
        }
    }
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
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> Result<(), Error> {
    match command {
        Command::Serve(what) => serve(*what).await,
        Command::World(OfWorlds::Check { file }) => {
            let description = read(&file)?;
            let systems: usize = description.racks.iter().map(|rack| rack.systems).sum();
            let (racks, faults) = (description.racks.len(), description.all_faults()?.len());
            say(&format!(
                "{racks} racks, {systems} systems, {faults} faults\n"
            ))
        }
        Command::Faults => {
            let mut text = String::new();
            for preset in hawkfish_sim::fault::PRESETS {
                text.push_str(&format!("{:24} {}\n", preset.name, preset.about));
            }
            say(&text)
        }
    }
}

fn say(text: &str) -> Result<(), Error> {
    let mut out = std::io::stdout();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

fn read(file: &Path) -> Result<Description, Error> {
    let shown = file.display();
    let text = std::fs::read_to_string(file).map_err(|error| format!("{shown}: {error}"))?;
    let read = match file.extension().is_some_and(|end| end == "json") {
        true => Description::from_json(&text),
        false => Description::from_toml(&text),
    };
    Ok(read.map_err(|error| format!("{shown}: {error}"))?)
}

async fn serve(what: Serve) -> Result<(), Error> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut description = match &what.world {
        Some(file) => read(file)?,
        None => Description::default(),
    };
    let seed = what.seed.or(description.seed);
    // A number that is short enough to be said again.
    let seed = seed.unwrap_or_else(|| OsEntropy.number() % 1_000_000);
    description.seed = Some(seed);
    if description.racks.is_empty() {
        description.racks.push(Rack::new("sim", what.systems));
    }
    let password = what.password.or(description.password.take());
    let password = password.unwrap_or_else(|| PASSWORD.to_owned());
    description.password = Some(password.clone());
    description.presets.extend(what.faults);
    let dir = tempfile::tempdir()?;
    let tls = match what.tls {
        true => tls::load(&TlsChoice::SelfSigned, dir.path(), what.listen.ip())?,
        false => None,
    };
    let world = World::builder()
        .describe(description)
        .traced(what.trace.is_some())
        .start()
        .await?;
    world.clock().set_speed(what.time.0);
    world.start_running();
    let scheme = if tls.is_some() { "https" } else { "http" };
    let served = world
        .serve_with(what.listen, tls.map(|tls| tls.config))
        .await;
    let served = served.map_err(|error| format!("cannot listen on {}: {error}", what.listen))?;
    let mut text = format!(
        "url       {scheme}://{}/redfish/v1/\nuser      {USER}\npassword  {password}\nseed      {seed}\n",
        served.address
    );
    let control = match what.control {
        Some(at) => {
            let token = what.token.unwrap_or_else(|| OsEntropy.password());
            let control = world.serve_control(at, token.clone()).await;
            let control = control.map_err(|error| format!("cannot listen on {at}: {error}"))?;
            text.push_str(&format!("control   {}\ntoken     {token}\n", control.url()));
            Some(control)
        }
        None => None,
    };
    say(&text)?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    served.end().await?;
    if let Some(control) = control {
        control.end().await?;
    }
    if let Some(file) = what.trace {
        std::fs::write(file, world.trace().as_str())?;
    }
    world.close().await?;
    Ok(())
}

//! `hawkfish-sim serve`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum};
use hawkfish_core::entropy::{Entropy as _, OsEntropy};
use hawkfish_sim::description::Rack;
use hawkfish_sim::trace::Secrets;
use hawkfish_sim::{Description, Faces, PASSWORD, USER, World};
use tokio::signal::unix::{SignalKind, signal};

use super::report::Reporting;
use super::{Error, read, say};

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The description of the world, TOML or JSON.
    #[arg(long)]
    world: Option<PathBuf>,
    /// How many systems, where no rack is described.
    #[arg(long, default_value_t = 4)]
    systems: usize,
    #[command(flatten)]
    how: How,
}

/// How a world is served, whatever it is made of.
#[derive(Debug, Args)]
pub(crate) struct How {
    /// Where to listen; port 0 is any free one.
    #[arg(long, default_value = "127.0.0.1:8000")]
    listen: SocketAddr,
    /// Decides all that is left to chance; by chance unless said here or in the description.
    #[arg(long)]
    seed: Option<u64>,
    /// The administrator's password.
    #[arg(long, env = "HAWKFISH_SIM_PASSWORD", hide_env_values = true)]
    password: Option<String>,
    /// A fault that has a name; may be given more than once.
    #[arg(long = "fault", value_name = "PRESET")]
    faults: Vec<String>,
    /// Have the BMC of each system be a service of its own too: `prefix`, `host` or `port`; with a template behind a colon, `prefix:/bmc/{name}`,
    /// `host:{name}.bmc.example`, or the first port, `port:9001`.
    #[arg(long)]
    faces: Option<Faces>,
    /// How time goes: `real`, `virtual` (only when the control moves it), `x10` (ten times as fast).
    #[arg(long, default_value = "real")]
    time: Time,
    /// Speak TLS, with a certificate made for the occasion.
    #[arg(long)]
    tls: bool,
    /// Where to write the certificate of the authority that made it, PEM, for clients to trust.
    #[arg(long, requires = "tls", value_name = "FILE")]
    tls_ca: Option<PathBuf>,
    /// Where the control listens; nowhere unless said.
    #[arg(long)]
    control: Option<SocketAddr>,
    /// The token of the control; made by chance and printed unless said.
    #[arg(long, env = "HAWKFISH_SIM_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Where to write what happens as it happens: JSON lines, which `replay` runs again; text, at the end, where the name ends in `.txt`.
    #[arg(long)]
    trace: Option<PathBuf>,
    /// What becomes of tokens and passwords in the trace.
    #[arg(long, value_enum, default_value_t = TraceSecrets::Hide)]
    trace_secrets: TraceSecrets,
    #[command(flatten)]
    report: Reporting,
}

/// What becomes of tokens and passwords.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum TraceSecrets {
    /// They stay.
    Keep,
    /// Each is replaced by a name.
    Hide,
}

/// How many of the last entries of the trace the control shows.
const SHOWN: usize = 10_000;

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

pub(crate) async fn serve(what: Serve) -> Result<(), Error> {
    let mut description = match &what.world {
        Some(file) => read(file)?,
        None => Description::default(),
    };
    if description.racks.is_empty() {
        description.racks.push(Rack::new("sim", what.systems));
    }
    run(description, what.how).await
}

/// Serves what is described.
pub(crate) async fn run(mut description: Description, what: How) -> Result<(), Error> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let seed = what.seed.or(description.seed);
    // A number that is short enough to be said again.
    let seed = seed.unwrap_or_else(|| OsEntropy.number() % 1_000_000);
    description.seed = Some(seed);
    let password = what.password.or(description.password.take());
    let password = password.unwrap_or_else(|| PASSWORD.to_owned());
    description.password = Some(password.clone());
    description.presets.extend(what.faults);
    if what.faces.is_some() {
        description.faces = what.faces;
    }
    let is_text = |file: &PathBuf| file.extension().is_some_and(|end| end == "txt");
    let secrets = match what.trace_secrets {
        TraceSecrets::Keep => Secrets::Keep,
        TraceSecrets::Hide => Secrets::Hide,
    };
    let text_trace = what.trace.clone().filter(is_text);
    let mut builder = World::builder()
        .describe(description)
        .traced(text_trace.is_some())
        .reported(what.report.is_wanted() || what.control.is_some());
    if let Some(file) = what.trace.filter(|file| !is_text(file)) {
        builder = builder.trace_to(file, secrets);
    }
    if text_trace.is_none() && what.control.is_some() {
        builder = builder.traced_last(SHOWN);
    }
    let world = builder.start().await?;
    let tls = match what.tls {
        true => Some(world.tls(&[what.listen.ip().to_string()])?),
        false => None,
    };
    world.set_speed(what.time.0);
    world.start_running();
    if let (Some(file), Some(tls)) = (&what.tls_ca, &tls) {
        std::fs::write(file, &tls.authority)
            .map_err(|error| format!("{}: {error}", file.display()))?;
    }
    let scheme = if tls.is_some() { "https" } else { "http" };
    let served = world
        .serve_with(what.listen, tls.map(|tls| tls.config))
        .await;
    let served = served.map_err(|error| format!("cannot listen on {}: {error}", what.listen))?;
    let mut text = format!(
        "url       {scheme}://{}/redfish/v1/\nuser      {USER}\npassword  {password}\nseed      {seed}\n",
        served.address
    );
    if let Some(first) = served.faces().next() {
        let url = first.url.unwrap_or_default();
        let count = world.face_count();
        text.push_str(&format!(
            "faces     {count}, the first at {url}/redfish/v1/\n"
        ));
    }
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
    // Before all that is open is closed.
    let report = world.report();
    served.end().await?;
    if let Some(control) = control {
        control.end().await?;
    }
    if let Some(file) = text_trace {
        let trace = world.trace();
        let trace = match secrets {
            Secrets::Keep => trace,
            Secrets::Hide => trace.hidden(),
        };
        std::fs::write(file, trace.as_str())?;
    }
    if let Some(error) = world.trace_broke() {
        return Err(format!("the trace ends early: {error}").into());
    }
    let judged = what.report.judge(&report);
    world.close().await?;
    judged
}

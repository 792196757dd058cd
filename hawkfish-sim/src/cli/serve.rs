//! `hawkfish-sim serve`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use hawkfish_core::entropy::{Entropy as _, OsEntropy};
use hawkfish_server::settings::TlsChoice;
use hawkfish_server::tls;
use hawkfish_sim::description::Rack;
use hawkfish_sim::{Description, PASSWORD, USER, World};
use tokio::signal::unix::{SignalKind, signal};

use super::{Error, read, say};

#[derive(Debug, Args)]
pub(crate) struct Serve {
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

pub(crate) async fn serve(what: Serve) -> Result<(), Error> {
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

//! `systems wait`: until machines are as they shall be.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use clap::Args;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use hawkfish_client::Client;
use serde_json::Value;

use super::parts;
use super::several::{self, Machine, Told};
use crate::failure::{Failure, Result};
use crate::find;
use crate::output::Output;

/// Requests under way at once.
const AT_ONCE: usize = 8;

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("until").args(["power", "health", "state", "boot"]).required(true).multiple(true))]
pub(crate) struct Arguments {
    /// Ids, names or UUIDs of machines.
    #[arg(required_unless_present = "all")]
    id: Vec<String>,
    /// All machines of the service.
    #[arg(long, conflicts_with = "id")]
    all: bool,
    /// Until it is On, Off, Paused, PoweringOn or PoweringOff.
    #[arg(long, value_name = "STATE", ignore_case = true, value_parser = ["On", "Off", "Paused", "PoweringOn", "PoweringOff"])]
    power: Option<String>,
    /// Until its health is OK, Warning or Critical.
    #[arg(long, ignore_case = true, value_parser = ["OK", "Warning", "Critical"])]
    health: Option<String>,
    /// Until its Status says so: Enabled, StandbyOffline, Starting, …
    #[arg(long)]
    state: Option<String>,
    /// Until its start has come so far: SystemHardwareInitializationComplete, OSBootStarted, OSRunning, …
    #[arg(long, value_name = "PROGRESS")]
    boot: Option<String>,
    /// Most seconds to wait.
    #[arg(long, value_name = "SECONDS")]
    within: Option<u64>,
    /// Seconds between two looks.
    #[arg(long, value_name = "SECONDS", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=3600))]
    every: u64,
}

pub(crate) async fn run(client: &Client, output: &Output, arguments: &Arguments) -> Result<()> {
    let end = arguments
        .within
        .and_then(|seconds| Instant::now().checked_add(Duration::from_secs(seconds)));
    let machines = match arguments.all {
        true => several::all(client).await?,
        false => several::named(client, &arguments.id).await?,
    };
    let mut told: Vec<Option<Told>> = machines.iter().map(|_| None).collect();
    let mut latest: Vec<Option<Value>> = Vec::new();
    for (number, (id, machine)) in machines.iter().enumerate() {
        match machine {
            Ok(machine) => latest.push(Some(machine.value.clone())),
            Err(failure) => {
                latest.push(None);
                let result = Err(several::again(failure));
                told[number] = Some(Told {
                    id: id.clone(),
                    result,
                });
            }
        }
    }
    loop {
        for ((told, machine), (id, _)) in told.iter_mut().zip(&latest).zip(&machines) {
            if told.is_none()
                && let Some(machine) = machine
                && let Some(result) = arguments.looks(id, machine)
            {
                *told = Some(Told {
                    id: id.clone(),
                    result,
                });
            }
        }
        if told.iter().all(Option::is_some) {
            break;
        }
        let mut pause = Duration::from_secs(arguments.every);
        if let Some(end) = end {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            pause = pause.min(left);
        }
        tokio::time::sleep(pause).await;
        latest = match arguments.all {
            true => again(client, &machines).await?,
            false => one_by_one(client, &machines, &told).await?,
        };
    }
    let told = told
        .into_iter()
        .zip(&latest)
        .zip(&machines)
        .map(|((told, machine), (id, _))| {
            told.unwrap_or_else(|| Told {
                id: id.clone(),
                result: Err(arguments.late(machine.as_ref())),
            })
        });
    let mut told: Vec<Told> = told.collect();
    match (&told[..], arguments.all) {
        ([_], false) => {
            let Told { id, result } = told.remove(0);
            match result {
                Err(Failure::Late(why)) => Err(Failure::Late(format!("{id}: {why}"))),
                result => output.line(&format!("{id}: {}", result?)),
            }
        }
        _ => several::report(output, &told),
    }
}

/// All machines once more, with as few requests as the service allows.
async fn again(client: &Client, machines: &[Machine]) -> Result<Vec<Option<Value>>> {
    let collection = find::systems(client).await?;
    let read = find::all(client, &collection).await?.into_iter();
    let mut read: HashMap<String, Value> = read.map(|one| (one.uri, one.value)).collect();
    let known = machines.iter().map(|(_, machine)| machine.as_ref().ok());
    Ok(known.map(|machine| read.remove(&machine?.uri)).collect())
}

/// Those that are not yet as they shall be.
async fn one_by_one(
    client: &Client,
    machines: &[Machine],
    told: &[Option<Told>],
) -> Result<Vec<Option<Value>>> {
    let read = machines
        .iter()
        .zip(told)
        .map(|((_, machine), told)| async move {
            match (machine, told) {
                (Ok(machine), None) => Ok(Some(client.get_value(&machine.uri).await?.value)),
                _ => Ok::<_, Failure>(None),
            }
        });
    let read: Vec<_> = read.collect();
    stream::iter(read).buffered(AT_ONCE).try_collect().await
}

impl Arguments {
    fn conditions(&self) -> impl Iterator<Item = (&'static [&'static str], &str)> {
        const PLACES: [&[&str]; 4] = [
            &["/PowerState"],
            &["/Status/HealthRollup", "/Status/Health"],
            &["/Status/State"],
            &["/BootProgress/LastState"],
        ];
        let wanted = [&self.power, &self.health, &self.state, &self.boot];
        PLACES
            .into_iter()
            .zip(wanted)
            .filter_map(|(place, wanted)| Some((place, wanted.as_deref()?)))
    }

    /// What it came to; `None` where it is still to be waited for.
    fn looks(&self, id: &str, machine: &Value) -> Option<Result<String>> {
        let mut is = Vec::new();
        for (places, wanted) in self.conditions() {
            let known = places.iter().any(|place| machine.pointer(place).is_some());
            if !known {
                let name = places[0].trim_start_matches('/');
                return Some(Err(Failure::NotFound(format!(
                    "the service has no {name} of {id}"
                ))));
            }
            let now = now(machine, places).filter(|now| now.eq_ignore_ascii_case(wanted))?;
            is.push(now);
        }
        Some(Ok(is.join(", ")))
    }

    fn late(&self, machine: Option<&Value>) -> Failure {
        let machine = machine.cloned().unwrap_or_default();
        let is: Vec<&str> = self
            .conditions()
            .map(|(places, _)| now(&machine, places).unwrap_or("unknown"))
            .collect();
        Failure::Late(format!(
            "still {} after {} s",
            is.join(", "),
            self.within.unwrap_or_default()
        ))
    }
}

fn now<'a>(machine: &'a Value, places: &[&str]) -> Option<&'a str> {
    places.iter().find_map(|place| parts::text(machine, place))
}

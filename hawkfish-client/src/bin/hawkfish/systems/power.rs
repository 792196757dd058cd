//! `systems power`: resets, of one machine or of many.

use clap::Args;
use hawkfish_client::{Client, Fetched, Outcome};
use serde_json::{Value, json};

use super::parts;
use super::several::{self, AtOnce};
use crate::change;
use crate::failure::{Failure, Result};
use crate::find;
use crate::output::Output;
use crate::tasks::Waiting;

const ACTION: &str = "ComputerSystem.Reset";

#[derive(Debug, Args)]
#[command(
    override_usage = "hawkfish systems power [OPTIONS] <ID>... <RESET>\n       hawkfish systems power [OPTIONS] --all <RESET>"
)]
pub(crate) struct Arguments {
    /// Ids, names or UUIDs of machines, and last what to do: on, off, restart, cycle, or a ResetType that the machine takes, such as ForceOff or Nmi.
    #[arg(required = true, value_name = "ID... RESET")]
    words: Vec<String>,
    /// All machines of the service.
    #[arg(long)]
    all: bool,
    /// Do not ask the operating system: off is ForceOff, restart is ForceRestart, on is ForceOn.
    #[arg(long)]
    force: bool,
    /// Leave machines alone that are on or off already, as they shall be.
    #[arg(long)]
    if_needed: bool,
    #[command(flatten)]
    at_once: AtOnce,
    #[command(flatten)]
    waiting: Waiting,
}

pub(crate) async fn run(client: &Client, output: &Output, arguments: &Arguments) -> Result<()> {
    let (reset, ids) = arguments
        .words
        .split_last()
        .ok_or_else(|| Failure::Usage("say what to do".into()))?;
    let reset = wanted(reset, arguments.force)?;
    match ids {
        [] if !arguments.all => Err(Failure::Usage(format!(
            "{reset} which machines? Name them before it, or say --all"
        ))),
        [_, ..] if arguments.all => Err(Failure::Usage("either name machines or say --all".into())),
        [id] => {
            let system = find::system(client, id).await?;
            match start(client, arguments, &system.value, reset).await? {
                Begun::Nothing(state) => output.line(&format!("{id}: {state} already")),
                Begun::Reset(reset, outcome) => {
                    let sentence = format!("{id}: {reset}");
                    arguments.waiting.conclude(output, outcome, &sentence).await
                }
            }
        }
        ids => {
            let machines = match ids {
                [] => several::all(client).await?,
                ids => several::named(client, ids).await?,
            };
            let told = arguments
                .at_once
                .each(&machines, |_, machine| {
                    turn(client, arguments, machine, reset)
                })
                .await;
            several::report(output, &told)
        }
    }
}

async fn turn(
    client: &Client,
    arguments: &Arguments,
    machine: &Fetched<Value>,
    reset: &str,
) -> Result<String> {
    match start(client, arguments, &machine.value, reset).await? {
        Begun::Nothing(state) => Ok(format!("{state} already")),
        Begun::Reset(_, Outcome::Started(task)) if arguments.waiting.no_wait => {
            let uri = task.uri.as_deref().unwrap_or(&task.monitor);
            Ok(format!("goes on as {uri}"))
        }
        Begun::Reset(reset, outcome) => {
            outcome.finish(arguments.waiting.limit()).await?;
            Ok(reset)
        }
    }
}

enum Begun {
    /// It is in that state already.
    Nothing(&'static str),
    Reset(String, Outcome),
}

async fn start(
    client: &Client,
    arguments: &Arguments,
    system: &Value,
    reset: &str,
) -> Result<Begun> {
    let state = match reset {
        "On" | "ForceOn" => Some("On"),
        "ForceOff" | "GracefulShutdown" => Some("Off"),
        _ => None,
    };
    if let Some(state) = state
        && arguments.if_needed
        && parts::text(system, "/PowerState") == Some(state)
    {
        return Ok(Begun::Nothing(state));
    }
    let allowed = parts::parameter(client, system, ACTION, "ResetType").await?;
    let reset = change::as_written(&allowed, reset, "reset")?;
    let outcome = client
        .action(system, ACTION, &json!({"ResetType": reset}))
        .await?;
    Ok(Begun::Reset(reset, outcome))
}

/// The reset that a word of every day means; any other is the service's own.
fn wanted(word: &str, force: bool) -> Result<&str> {
    let word = match (word.to_ascii_lowercase().as_str(), force) {
        ("on", false) => "On",
        ("on", true) => "ForceOn",
        ("off", false) => "GracefulShutdown",
        ("off", true) => "ForceOff",
        ("restart" | "reboot", false) => "GracefulRestart",
        ("restart" | "reboot", true) => "ForceRestart",
        ("cycle", false) => "PowerCycle",
        (_, false) => word,
        (_, true) => {
            return Err(Failure::Usage(format!(
                "--force goes with on, off and restart; {word} says itself how it is done"
            )));
        }
    };
    Ok(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_every_day_ask_the_operating_system_unless_forced() {
        assert_eq!(wanted("off", false).unwrap(), "GracefulShutdown");
        assert_eq!(wanted("Off", true).unwrap(), "ForceOff");
        assert_eq!(wanted("Nmi", false).unwrap(), "Nmi");
        assert!(wanted("Nmi", true).is_err());
    }
}

//! `systems power`: resets.

use clap::Args;
use hawkfish_client::{Client, link};
use serde_json::{Value, json};

use crate::failure::{Failure, Result};
use crate::find;
use crate::output::Output;
use crate::tasks::Waiting;

const ACTION: &str = "ComputerSystem.Reset";

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Id, name or UUID of the machine.
    id: String,
    /// On, ForceOff, GracefulShutdown, ForceRestart, …: what the machine takes; upper and lower case do not matter.
    reset: String,
    #[command(flatten)]
    waiting: Waiting,
}

pub(crate) async fn run(client: &Client, output: &Output, arguments: &Arguments) -> Result<()> {
    let system = find::system(client, &arguments.id).await?.value;
    let reset = choose(&allowed(client, &system).await?, &arguments.reset)?;
    let outcome = client
        .action(&system, ACTION, &json!({"ResetType": reset}))
        .await?;
    let sentence = format!("{}: {reset}", arguments.id);
    arguments.waiting.conclude(output, outcome, &sentence).await
}

/// What the machine takes; empty when it does not say.
async fn allowed(client: &Client, system: &Value) -> Result<Vec<String>> {
    let strings = |value: Option<&Value>| -> Vec<String> {
        let list = value.and_then(Value::as_array).into_iter().flatten();
        list.filter_map(|item| item.as_str().map(str::to_owned))
            .collect()
    };
    let Some(action) = system.pointer("/Actions/#ComputerSystem.Reset") else {
        return Ok(Vec::new());
    };
    let here = strings(action.get("ResetType@Redfish.AllowableValues"));
    if !here.is_empty() {
        return Ok(here);
    }
    let info = action.get("@Redfish.ActionInfo");
    let uri = info.and_then(|info| info.as_str().or_else(|| link(info, "")));
    let Some(uri) = uri else {
        return Ok(Vec::new());
    };
    let info = client.get_value(uri).await?.value;
    let parameters = info
        .get("Parameters")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let reset = parameters
        .into_iter()
        .find(|parameter| parameter.get("Name").and_then(Value::as_str) == Some("ResetType"));
    Ok(strings(
        reset.and_then(|reset| reset.get("AllowableValues")),
    ))
}

fn choose(allowed: &[String], wanted: &str) -> Result<String> {
    if allowed.is_empty() {
        return Ok(wanted.to_owned());
    }
    let found = allowed
        .iter()
        .find(|value| value.eq_ignore_ascii_case(wanted));
    found.cloned().ok_or_else(|| {
        Failure::Usage(format!(
            "{wanted} is not what the machine takes; it takes {}",
            allowed.join(", ")
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reset_is_found_without_regard_to_case_and_sent_as_the_machine_writes_it() {
        let allowed = ["On".to_owned(), "ForceOff".to_owned()];
        assert_eq!(choose(&allowed, "forceoff").unwrap(), "ForceOff");
        assert_eq!(choose(&allowed, "Explode").unwrap_err().exit_code(), 2);
    }

    #[test]
    fn where_the_machine_does_not_say_what_it_takes_the_word_is_sent_as_it_is() {
        assert_eq!(choose(&[], "On").unwrap(), "On");
    }
}

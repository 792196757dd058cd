//! `systems set`: what can be written of a machine itself; `chassis set` is the same of a chassis.

use clap::Args;
use hawkfish_client::{Client, Fetched};
use serde_json::{Map, Value, json};

use super::parts;
use crate::change;
use crate::failure::Result;
use crate::find;
use crate::output::Output;
use crate::tasks::Waiting;

/// What machines and chassis have alike.
#[derive(Debug, Args)]
pub(crate) struct Mark {
    /// The tag by which its owner knows it; empty for none.
    #[arg(long, value_name = "TEXT")]
    pub(crate) asset_tag: Option<String>,
    /// The light by which it is found in the rack.
    #[arg(long, value_name = "on|off", value_parser = ["on", "off"])]
    pub(crate) indicator: Option<String>,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true)
    .args(["asset_tag", "indicator", "power_restore", "watchdog", "watchdog_action", "host_name"]))]
pub(crate) struct Arguments {
    /// Id, name or UUID of the machine.
    id: String,
    #[command(flatten)]
    mark: Mark,
    /// What it does when the power comes back: AlwaysOn, AlwaysOff, LastState.
    #[arg(long, value_name = "POLICY")]
    power_restore: Option<String>,
    /// Whether something is done when the operating system feeds the watchdog no more.
    #[arg(long, value_name = "on|off", value_parser = ["on", "off"])]
    watchdog: Option<String>,
    /// What is done then: None, ResetSystem, PowerDown, PowerCycle.
    #[arg(long, value_name = "ACTION")]
    watchdog_action: Option<String>,
    /// The host name that the service shows.
    #[arg(long, value_name = "NAME")]
    host_name: Option<String>,
    #[command(flatten)]
    waiting: Waiting,
}

pub(crate) async fn run(client: &Client, output: &Output, arguments: &Arguments) -> Result<()> {
    let system = find::system(client, &arguments.id).await?;
    let mut change = arguments.mark.change(&system.value)?;
    if let Some(policy) = &arguments.power_restore {
        has(&system.value, "/PowerRestorePolicy")?;
        let allowed = parts::texts(&system.value, "/PowerRestorePolicy@Redfish.AllowableValues");
        let policy = change::as_written(&allowed, policy, "policy")?;
        change.insert("PowerRestorePolicy".into(), policy.into());
    }
    let mut watchdog = Map::new();
    if let Some(word) = &arguments.watchdog {
        has(&system.value, "/HostWatchdogTimer/FunctionEnabled")?;
        watchdog.insert("FunctionEnabled".into(), (word == "on").into());
    }
    if let Some(action) = &arguments.watchdog_action {
        has(&system.value, "/HostWatchdogTimer/TimeoutAction")?;
        let allowed = parts::texts(
            &system.value,
            "/HostWatchdogTimer/TimeoutAction@Redfish.AllowableValues",
        );
        let action = change::as_written(&allowed, action, "watchdog action")?;
        watchdog.insert("TimeoutAction".into(), action.into());
    }
    if !watchdog.is_empty() {
        change.insert("HostWatchdogTimer".into(), watchdog.into());
    }
    if let Some(name) = &arguments.host_name {
        has(&system.value, "/HostName")?;
        change.insert("HostName".into(), name.as_str().into());
    }
    send(
        client,
        output,
        &system,
        &change,
        &arguments.id,
        &arguments.waiting,
    )
    .await
}

impl Mark {
    pub(crate) fn change(&self, resource: &Value) -> Result<Map<String, Value>> {
        let mut change = Map::new();
        if let Some(tag) = &self.asset_tag {
            has(resource, "/AssetTag")?;
            change.insert("AssetTag".into(), tag.as_str().into());
        }
        if let Some(word) = &self.indicator {
            let on = word == "on";
            // The newer property, where it is there, says nothing of what the light looks like.
            if resource.get("LocationIndicatorActive").is_some() {
                change.insert("LocationIndicatorActive".into(), on.into());
            } else {
                has(resource, "/IndicatorLED")?;
                let allowed = parts::texts(resource, "/IndicatorLED@Redfish.AllowableValues");
                // Older services have it blink, as only a light that blinks is seen among many.
                let blinks = allowed.is_empty() || allowed.iter().any(|one| one == "Blinking");
                let value = match (on, blinks) {
                    (true, true) => "Blinking",
                    (true, false) => "Lit",
                    (false, _) => "Off",
                };
                change.insert("IndicatorLED".into(), json!(value));
            }
        }
        Ok(change)
    }
}

fn has(resource: &Value, pointer: &str) -> Result<()> {
    match resource.pointer(pointer) {
        Some(_) => Ok(()),
        None => Err(parts::none(&format!(
            "{} here",
            pointer.trim_start_matches('/')
        ))),
    }
}

/// Sends the change and says what it was.
pub(crate) async fn send(
    client: &Client,
    output: &Output,
    resource: &Fetched<Value>,
    change: &Map<String, Value>,
    id: &str,
    waiting: &Waiting,
) -> Result<()> {
    let outcome = parts::amend(client, &resource.uri, change.clone()).await?;
    let mut names: Vec<&str> = change.keys().map(String::as_str).collect();
    names.sort_unstable();
    let sentence = format!("{id}: {} set", names.join(", "));
    waiting.conclude(output, outcome, &sentence).await
}

//! What is changed of a machine that runs: its boot order, and its watchdog.
//!
//! QEMU hands its firmware the boot order when the machine is reset (`bootorder` of fw_cfg), made from the property `bootindex` of each device as it is at
//! that moment. Setting `bootindex` while it runs therefore leaves the present boot alone and decides the next one, whoever causes it. libvirt has no
//! call for that, so it goes through its monitor (`virDomainQemuMonitorCommand`), which marks the domain as tainted in libvirt's log.

use serde_json::{Value, json};
use virt::domain::Domain;

use super::device;
use super::fault;
use super::knobs;
use super::xml::Doc;
use crate::backend::{KnobValue, MachineKey};
use crate::error::{Conflict, Error, Result};

fn ask(domain: &Domain, key: MachineKey, command: &Value) -> Result<Result<Value, String>> {
    let answer = domain
        .qemu_monitor_command(&command.to_string(), 0)
        .map_err(|error| fault::of(&error, "change the boot order of the running machine", key))?;
    let answer: Value = serde_json::from_str(&answer)?;
    Ok(match answer.get("error") {
        Some(error) => Err(error["desc"]
            .as_str()
            .unwrap_or("no reason given")
            .to_owned()),
        None => Ok(answer["return"].clone()),
    })
}

/// How often to try again when somebody else changes the order at the same time.
const ATTEMPTS: usize = 10;

/// Lets the next reset of a running machine try devices in that order. `live` is its live document, `order` has keys of devices.
pub(super) fn set_order(
    domain: &Domain,
    key: MachineKey,
    live: &Doc,
    order: &[String],
) -> Result<()> {
    let wanted: Vec<(String, i64)> = device::all(live)
        .into_iter()
        .filter_map(|d| {
            let place = order.iter().position(|key| *key == d.key);
            let index = place.and_then(|place| i64::try_from(place + 1).ok());
            Some((d.alias?, index.unwrap_or(-1)))
        })
        .collect();
    let property = |alias: &str| json!({"path": format!("/machine/peripheral/{alias}"), "property": "bootindex"});
    let get = |alias: &str| {
        let command = json!({"execute": "qom-get", "arguments": property(alias)});
        ask(domain, key, &command)
    };
    let set = |alias: &str, index: i64| {
        let mut arguments = property(alias);
        arguments["value"] = index.into();
        ask(
            domain,
            key,
            &json!({"execute": "qom-set", "arguments": arguments}),
        )
    };
    let mut refusal = None;
    for _ in 0..ATTEMPTS {
        let mut wrong = Vec::new();
        for (alias, index) in &wanted {
            match get(alias)? {
                Ok(now) if now.as_i64() == Some(*index) => {}
                Ok(_) => wrong.push((alias, *index)),
                // A device that knows no order is not to have one.
                Err(_) if *index < 0 => {}
                Err(why) => return Err(refused(alias, &why)),
            }
        }
        if wrong.is_empty() {
            return Ok(());
        }
        // No two devices may have one index even for a moment, so all are cleared before any is set.
        let cleared = wrong.iter().map(|(alias, _)| (alias, -1));
        let given = wrong.iter().map(|(alias, index)| (alias, *index));
        for (alias, index) in cleared.chain(given.filter(|(_, index)| *index >= 0)) {
            if let Err(why) = set(alias, index)? {
                refusal = Some(refused(alias, &why));
            }
        }
    }
    Err(refusal.unwrap_or_else(|| refused("any", "it is changed by somebody else all the time")))
}

/// Sets what happens when the watchdog of a running machine is not fed.
pub(super) fn set_watchdog(domain: &Domain, key: MachineKey, action: KnobValue) -> Result<()> {
    let Some(action) = knobs::qemu_action(action) else {
        return Err(Error::conflict(
            Conflict::PowerOffRequired,
            "The watchdog takes that action only while the machine is off.",
        ));
    };
    let command = json!({"execute": "watchdog-set-action", "arguments": {"action": action}});
    ask(domain, key, &command)?.map(drop).map_err(|why| {
        Error::backend("The hypervisor could not change what the watchdog does.")
            .with("action", action)
            .with("reason", why)
    })
}

fn refused(alias: &str, why: &str) -> Error {
    Error::backend("The hypervisor could not change the boot order of the running machine.")
        .with("device", alias)
        .with("reason", why)
}

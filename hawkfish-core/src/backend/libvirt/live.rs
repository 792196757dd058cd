//! The boot order of a machine that runs.
//!
//! QEMU hands its firmware the boot order when the machine is reset (`bootorder` of fw_cfg), made from the property `bootindex` of each device as it is at
//! that moment. Setting `bootindex` while it runs therefore leaves the present boot alone and decides the next one, whoever causes it. libvirt has no
//! call for that, so it goes through its monitor (`virDomainQemuMonitorCommand`), which marks the domain as tainted in libvirt's log.

use serde_json::{Value, json};
use virt::domain::Domain;

use super::device;
use super::fault;
use super::xml::Doc;
use crate::backend::MachineKey;
use crate::error::{Error, Result};

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

/// Lets the next reset of a running machine try devices in that order. `live` is its live document, `order` has keys of devices.
pub(super) fn set_order(
    domain: &Domain,
    key: MachineKey,
    live: &Doc,
    order: &[String],
) -> Result<()> {
    let devices: Vec<(String, Option<usize>)> = device::all(live)
        .into_iter()
        .filter_map(|d| {
            let place = order.iter().position(|key| *key == d.key);
            Some((d.alias?, place.map(|place| place + 1)))
        })
        .collect();
    let set = |alias: &str, index: Option<usize>| {
        let value = index.map_or(-1, |index| i64::try_from(index).unwrap_or(i64::MAX));
        let command = json!({
            "execute": "qom-set",
            "arguments": {"path": format!("/machine/peripheral/{alias}"), "property": "bootindex", "value": value},
        });
        ask(domain, key, &command)
    };
    // No two devices may have one index even for a moment, so all are cleared before any is set.
    for (alias, wanted) in &devices {
        if let Err(why) = set(alias, None)?
            && wanted.is_some()
        {
            return Err(refused(alias, &why));
        }
    }
    for (alias, wanted) in &devices {
        if wanted.is_some()
            && let Err(why) = set(alias, *wanted)?
        {
            return Err(refused(alias, &why));
        }
    }
    Ok(())
}

fn refused(alias: &str, why: &str) -> Error {
    Error::backend("The hypervisor could not change the boot order of the running machine.")
        .with("device", alias)
        .with("reason", why)
}

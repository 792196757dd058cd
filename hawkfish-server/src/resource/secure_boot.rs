//! Secure boot of a system that starts by UEFI.

use std::sync::Arc;

use hawkfish_core::backend::{BootMode, Knob, KnobValue, Power, Word};
use hawkfish_core::bios::ApplyTime;
use hawkfish_core::error::{Conflict, Error, Invalid};
use hawkfish_core::inventory::System;
use hawkfish_redfish::model::secure_boot::{
    SecureBoot, SecureBootCurrentBootType, SecureBootModeType, SecureBootPatch,
};
use hawkfish_redfish::model::{OdataId, Prop};

use crate::catalog::{Content, Outcome, Resource, Rq};
use crate::problem::Problem;

/// `/redfish/v1/Systems/{system}/SecureBoot`
pub const RESOURCE: Resource = Resource {
    uri: "/redfish/v1/Systems/{system}/SecureBoot",
    entity: "SecureBoot",
    get: Some(|rq| Box::pin(read(rq))),
    patch: Some(|rq| Box::pin(change(rq))),
    version: Some(|rq| Ok(rq.hf.system(&rq.ctx, &rq.id("system")?)?.generation)),
    ..Resource::NONE
};

/// Whether the system can have it at all.
pub(super) fn is_there(system: &System) -> bool {
    system.machine.firmware.setting(Knob::SecureBoot).is_some()
}

fn found(rq: &Rq) -> Result<Arc<System>, Problem> {
    let system = rq.hf.system(&rq.ctx, &rq.id("system")?)?;
    if !is_there(&system) {
        return Err(Problem::missing(rq.uri()));
    }
    Ok(system)
}

async fn read(rq: &Rq) -> Result<Content, Problem> {
    let system = found(rq)?;
    let to_come = system.settings_to_come();
    let is_on = KnobValue::Word(Word::Enabled);
    let boot = &system.machine.boot;
    let keys = system.machine.firmware.keys.as_ref();
    let platform = keys.and_then(|keys| keys.databases.get("PK"));
    let has_owner = platform.is_some_and(|keys| !keys.is_empty());
    // Of a system that is off, no boot is current; what its last one was is not known.
    let runs = system.machine.power != Power::Off;
    let current = runs.then_some(match boot.secure {
        Some(true) => SecureBootCurrentBootType::Enabled,
        Some(false) | None => SecureBootCurrentBootType::Disabled,
    });
    Content::of(&SecureBoot {
        id: "SecureBoot".to_owned(),
        name: "UEFI Secure Boot".to_owned(),
        secure_boot_enable: Prop::Value(to_come.get(&Knob::SecureBoot) == Some(&is_on)),
        secure_boot_current_boot: Prop::or_null(current),
        // A platform key makes a machine somebody's. Whether a firmware whose keys cannot be read has one shows only where it asks for signatures.
        secure_boot_mode: if boot.secure == Some(true) || has_owner {
            Prop::Value(SecureBootModeType::UserMode)
        } else {
            Prop::Absent
        },
        secure_boot_databases: (system.machine.firmware.keys.is_some())
            .then(|| OdataId::new(format!("{}/SecureBootDatabases", rq.uri()))),
        ..SecureBoot::default()
    })
}

async fn change(rq: &Rq) -> Result<Outcome, Problem> {
    let system = found(rq)?;
    let SecureBootPatch { secure_boot_enable } = rq.body()?;
    let Some(wanted) = secure_boot_enable.change() else {
        return Ok(Outcome::Done);
    };
    let wanted = wanted.ok_or_else(|| {
        let message = "It is true or false.";
        Error::invalid("/SecureBootEnable", "null", Invalid::NotInList, message)
    })?;
    let to_come = system.settings_to_come();
    let mode = to_come.get(&Knob::BootMode);
    let is_legacy = match mode {
        Some(mode) => *mode == KnobValue::Word(Word::Legacy),
        None => system.machine.boot.mode == BootMode::Legacy,
    };
    if wanted && is_legacy {
        let message = "The system will not start by UEFI.";
        return Err(Error::conflict(Conflict::NotAllowed, message).into());
    }
    // Whoever starts a system that is off then finds it so.
    let when = if system.machine.power == Power::Off && system.reachable {
        ApplyTime::Immediate
    } else {
        ApplyTime::OnReset
    };
    let knobs = [(Knob::SecureBoot, KnobValue::switch(wanted))].into();
    rq.hf
        .set_firmware(&rq.ctx, &system.id, knobs, when)
        .await
        .map_err(|error| {
            Problem::from(error).about("/Attributes/SecureBoot", "/SecureBootEnable")
        })?;
    Ok(Outcome::Done)
}

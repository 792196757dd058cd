//! Boot options: what a system can boot from, one by one. `Boot/BootOrder` names them.

use hawkfish_core::backend::BootTarget;
use hawkfish_core::error::{Error, Invalid};
use hawkfish_core::id::{BootOptionId, SystemId};
use hawkfish_redfish::model::Prop;
use hawkfish_redfish::model::boot_option::{BootOption, BootOptionPatch};

use super::computer_system::source;
use crate::catalog::{Content, Outcome, Resource, Rq};
use crate::problem::Problem;

/// The boot options of a system.
pub(crate) const COLLECTION: Resource = Resource {
    uri: "/redfish/v1/Systems/{system}/BootOptions",
    entity: "BootOptionCollection",
    get: Some(|rq| {
        Box::pin(async move {
            let system = rq.hf.system(&rq.ctx, &rq.id("system")?)?;
            let options = system.machine.boot.options.iter();
            Ok(Content::collection(
                rq,
                "Boot options",
                options.map(|o| o.id.as_str()),
            ))
        })
    }),
    version: Some(|rq| Ok(rq.hf.system(&rq.ctx, &rq.id("system")?)?.generation)),
    ..Resource::NONE
};

/// A boot option.
pub(crate) const RESOURCE: Resource = Resource {
    uri: "/redfish/v1/Systems/{system}/BootOptions/{option}",
    entity: "BootOption",
    get: Some(|rq| Box::pin(read(rq))),
    patch: Some(|rq| Box::pin(change(rq))),
    version: Some(|rq| Ok(rq.hf.system(&rq.ctx, &rq.id("system")?)?.generation)),
    ..Resource::NONE
};

async fn read(rq: &Rq) -> Result<Content, Problem> {
    let system = rq.hf.system(&rq.ctx, &rq.id("system")?)?;
    let id: BootOptionId = rq.id("option")?;
    let option = system.machine.boot.options.iter().find(|o| o.id == id);
    let option = option.ok_or_else(|| Error::not_found("BootOption", id.as_str()))?;
    Content::of(&BootOption {
        odata_id: rq.uri().to_owned(),
        id: id.to_string(),
        name: option.name.clone(),
        boot_option_reference: id.to_string().into(),
        display_name: Prop::Value(option.name.clone()),
        boot_option_enabled: Prop::Value(option.enabled),
        alias: match option.target {
            // Redfish has no alias for these two among those that a boot order may name.
            BootTarget::BiosSetup | BootTarget::UefiHttp => Prop::Null,
            target => Prop::Value(source(target)),
        },
        ..Default::default()
    })
}

/// Enabling puts an option at the end of the boot order, disabling takes it out.
async fn change(rq: &Rq) -> Result<Outcome, Problem> {
    let (system, id): (SystemId, BootOptionId) = (rq.id("system")?, rq.id("option")?);
    let BootOptionPatch {
        boot_option_enabled,
    } = rq.body()?;
    let Some(enabled) = boot_option_enabled.change() else {
        return Ok(Outcome::Done);
    };
    let enabled = enabled.ok_or_else(|| {
        let message = "It is true or false.";
        Error::invalid("/BootOptionEnabled", "null", Invalid::NotInList, message)
    })?;
    rq.hf
        .enable_boot_option(&rq.ctx, &system, &id, enabled)
        .await?;
    Ok(Outcome::Done)
}

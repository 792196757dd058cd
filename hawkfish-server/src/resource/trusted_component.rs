//! Trusted components: the trusted platform module of a system.

use hawkfish_core::backend::Tpm;
use hawkfish_core::inventory::System;
use hawkfish_redfish::model::trusted_component::{Links, TrustedComponent, TrustedComponentType};
use hawkfish_redfish::model::{OdataId, Prop};

use super::parts;
use crate::catalog::{Content, Privileges, Resource, Rq};
use crate::problem::Problem;

/// The one trusted component that a system may have.
const ID: &str = "TPM";

/// The trusted components of a chassis.
pub(crate) const COLLECTION: Resource = Resource {
    uri: "/redfish/v1/Chassis/{system}/TrustedComponents",
    entity: "TrustedComponentCollection",
    get: Some(|rq| {
        Box::pin(async move {
            let system = parts::system(rq)?;
            let ids = tpm(&system).map(|_| ID);
            Ok(Content::collection(rq, "Trusted components", ids))
        })
    }),
    version: Some(parts::version),
    privileges: Privileges::MANAGER,
    ..Resource::NONE
};

/// A trusted component.
pub(crate) const RESOURCE: Resource = Resource {
    uri: "/redfish/v1/Chassis/{system}/TrustedComponents/{component}",
    entity: "TrustedComponent",
    get: Some(|rq| Box::pin(read(rq))),
    version: Some(parts::version),
    privileges: Privileges::MANAGER,
    ..Resource::NONE
};

fn tpm(system: &System) -> Option<&Tpm> {
    system.machine.hardware.tpm.as_ref()
}

/// Links to the trusted components of a system.
pub(super) fn links(system: &System) -> Option<Vec<OdataId>> {
    tpm(system).map(|_| {
        vec![parts::in_chassis(
            system,
            &format!("/TrustedComponents/{ID}"),
        )]
    })
}

async fn read(rq: &Rq) -> Result<Content, Problem> {
    let system = parts::system(rq)?;
    let id = rq.param("component");
    let tpm = tpm(&system).filter(|_| id == ID);
    let tpm = tpm.ok_or_else(|| parts::missing("TrustedComponent", id))?;
    Content::of(&TrustedComponent {
        odata_id: rq.uri().to_owned(),
        id: ID.to_owned(),
        name: match &tpm.version {
            Some(version) => format!("Trusted platform module, version {version}"),
            None => "Trusted platform module".to_owned(),
        },
        // It stands by itself on the bus of the system, also where a program plays it.
        trusted_component_type: Some(TrustedComponentType::Discrete),
        model: Prop::Value(tpm.model.clone()),
        status: Some(parts::status(&system, true)),
        links: Some(Links {
            components_protected: Some(vec![parts::in_system(&system, "")]),
            ..Default::default()
        }),
        ..Default::default()
    })
}

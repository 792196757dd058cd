//! Authorities that servers of images may use, for one slot: under the slot of the system, and under that of its manager, which is the same.

use hawkfish_core::id::{SlotId, SystemId};
use hawkfish_core::media::Authority;
use hawkfish_redfish::model::certificate::{
    Certificate, CertificateCreate, CertificateType, CertificateUsageType,
};
use serde_json::Map;
use std::sync::Arc;

use super::certificate;
use crate::catalog::{Content, Outcome, Privileges, Resource, Rq};
use crate::problem::Problem;
use hawkfish_core::error::{Error, Invalid};

const COLLECTION: Resource = Resource {
    uri: "/redfish/v1/Systems/{system}/VirtualMedia/{slot}/Certificates",
    entity: "CertificateCollection",
    member: "Certificate",
    get: Some(|rq| {
        Box::pin(async move {
            let all = all(rq)?;
            Ok(Content::collection(
                rq,
                "Authorities of image servers",
                all.iter().map(|one| one.id.to_string()),
            ))
        })
    }),
    create: Some(|rq| Box::pin(create(rq))),
    privileges: Privileges::CERTIFICATES,
    ..Resource::NONE
};

const RESOURCE: Resource = Resource {
    uri: "/redfish/v1/Systems/{system}/VirtualMedia/{slot}/Certificates/{certificate}",
    entity: "Certificate",
    get: Some(|rq| Box::pin(read(rq))),
    delete: Some(|rq| Box::pin(delete(rq))),
    privileges: Privileges::CERTIFICATES,
    ..Resource::NONE
};

/// The authorities of a slot of a system.
pub(crate) const SYSTEM_COLLECTION: Resource = COLLECTION;
/// An authority of a slot of a system.
pub(crate) const SYSTEM: Resource = RESOURCE;
/// The authorities of a slot of a manager.
pub(crate) const MANAGER_COLLECTION: Resource = Resource {
    uri: "/redfish/v1/Managers/{system}/VirtualMedia/{slot}/Certificates",
    ..COLLECTION
};
/// An authority of a slot of a manager.
pub(crate) const MANAGER: Resource = Resource {
    uri: "/redfish/v1/Managers/{system}/VirtualMedia/{slot}/Certificates/{certificate}",
    ..RESOURCE
};

/// The URI of an authority of a slot of a system.
pub(super) fn uri(system: &SystemId, slot: &SlotId, number: u64) -> String {
    format!("/redfish/v1/Systems/{system}/VirtualMedia/{slot}/Certificates/{number}")
}

fn all(rq: &Rq) -> Result<Vec<Arc<Authority>>, Problem> {
    let (system, slot): (SystemId, SlotId) = (rq.id("system")?, rq.id("slot")?);
    Ok(rq.hf.media_authorities(&rq.ctx, &system, &slot)?)
}

fn one(rq: &Rq) -> Result<Arc<Authority>, Problem> {
    let all = all(rq)?;
    let wanted = rq.param("certificate");
    let found = all.into_iter().find(|one| one.id.to_string() == wanted);
    found.ok_or_else(|| Problem::missing(rq.uri()))
}

async fn read(rq: &Rq) -> Result<Content, Problem> {
    let authority = one(rq)?;
    Content::of(&Certificate {
        odata_id: rq.uri().to_owned(),
        id: authority.id.to_string(),
        name: "Authority of image servers".to_owned(),
        certificate_usage_types: Some(vec![CertificateUsageType::Web]),
        ..certificate::of_der(&authority.der)?
    })
}

async fn create(rq: &Rq) -> Result<Outcome, Problem> {
    let CertificateCreate {
        certificate_string,
        certificate_type,
    } = rq.body()?;
    if let Some(other) = certificate_type
        .value()
        .filter(|kind| **kind != CertificateType::PEM)
    {
        let why = "Certificates come one by one, as PEM.";
        let other = other.as_str();
        return Err(Error::invalid("/CertificateType", other, Invalid::NotInList, why).into());
    }
    let (system, slot): (SystemId, SlotId) = (rq.id("system")?, rq.id("slot")?);
    let authority = rq
        .hf
        .add_media_authority(&rq.ctx, &system, &slot, &certificate_string)
        .await?;
    Ok(Outcome::Created {
        uri: format!("{}/{}", rq.uri(), authority.id),
        headers: Vec::new(),
        with: Map::new(),
    })
}

async fn delete(rq: &Rq) -> Result<Outcome, Problem> {
    let authority = one(rq)?;
    let (system, slot): (SystemId, SlotId) = (rq.id("system")?, rq.id("slot")?);
    rq.hf
        .remove_media_authority(&rq.ctx, &system, &slot, authority.id)
        .await?;
    Ok(Outcome::Done)
}

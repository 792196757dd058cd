//! Virtual media of a system, under the system and under its manager: the same slots, where old and new clients look for them.

use std::time::Duration;

use hawkfish_core::backend::MediaKind;
use hawkfish_core::error::{Error, Invalid};
use hawkfish_core::id::{SlotId, SystemId};
use hawkfish_core::media::{InsertMedia, TransferProtocol};
use hawkfish_core::tasks::Task;
use hawkfish_redfish::model::virtual_media::{
    Actions, ConnectedVia, EjectMediaAction, InsertMediaAction, InsertMediaParams, MediaType,
    TransferMethod, TransferProtocolType, VirtualMedia, VirtualMediaPatch,
};
use hawkfish_redfish::model::{OdataId, Prop};

use super::computer_system::status;
use crate::catalog::{Action, Content, Outcome, Resource, Rq};
use crate::problem::Problem;

/// How long an insertion may take before its request is answered with the task. Many clients take anything but an error for "inserted", so
/// waiting for a download spares them a boot from an empty slot.
const PATIENCE: Duration = Duration::from_secs(45);

const COLLECTION: Resource = Resource {
    uri: "/redfish/v1/Systems/{system}/VirtualMedia",
    entity: "VirtualMediaCollection",
    get: Some(|rq| {
        Box::pin(async move {
            let system = rq.hf.system(&rq.ctx, &rq.id("system")?)?;
            let slots = system.machine.slots.iter();
            Ok(Content::collection(
                rq,
                "Virtual media",
                slots.map(|s| s.id.as_str()),
            ))
        })
    }),
    version: Some(|rq| Ok(rq.hf.system(&rq.ctx, &rq.id("system")?)?.generation)),
    ..Resource::NONE
};

const RESOURCE: Resource = Resource {
    uri: "/redfish/v1/Systems/{system}/VirtualMedia/{slot}",
    entity: "VirtualMedia",
    get: Some(|rq| Box::pin(read(rq))),
    patch: Some(|rq| Box::pin(change(rq))),
    actions: &[
        Action {
            name: "VirtualMedia.InsertMedia",
            run: |rq| Box::pin(insert(rq)),
            needs: None,
        },
        Action {
            name: "VirtualMedia.EjectMedia",
            run: |rq| Box::pin(eject(rq)),
            needs: None,
        },
    ],
    version: Some(|rq| Ok(rq.hf.system(&rq.ctx, &rq.id("system")?)?.generation)),
    ..Resource::NONE
};

/// The slots of a system.
pub(crate) const SYSTEM_COLLECTION: Resource = COLLECTION;
/// A slot of a system.
pub(crate) const SYSTEM: Resource = RESOURCE;
/// The slots of a manager.
pub(crate) const MANAGER_COLLECTION: Resource = Resource {
    uri: "/redfish/v1/Managers/{system}/VirtualMedia",
    ..COLLECTION
};
/// A slot of a manager.
pub(crate) const MANAGER: Resource = Resource {
    uri: "/redfish/v1/Managers/{system}/VirtualMedia/{slot}",
    ..RESOURCE
};

async fn read(rq: &Rq) -> Result<Content, Problem> {
    let system = rq.hf.system(&rq.ctx, &rq.id("system")?)?;
    let id: SlotId = rq.id("slot")?;
    let slot = system.machine.slots.iter().find(|s| s.id == id);
    let slot = slot.ok_or_else(|| Error::not_found("VirtualMedia", id.as_str()))?;
    let inserted = system.inserted(&id);
    let record = inserted.as_ref().and_then(|i| i.record);
    let method = match system.capabilities.media_by_uri {
        true => TransferMethod::Stream,
        false => TransferMethod::Upload,
    };
    let protocols = [TransferProtocolType::HTTP, TransferProtocolType::HTTPS];
    Content::of(&VirtualMedia {
        odata_id: rq.uri().to_owned(),
        id: id.to_string(),
        name: match slot.kind {
            MediaKind::Cd => "Virtual CD".to_owned(),
            MediaKind::Usb => "Virtual USB stick".to_owned(),
        },
        media_types: Some(match slot.kind {
            MediaKind::Cd => vec![MediaType::CD, MediaType::DVD],
            MediaKind::Usb => vec![MediaType::USBStick],
        }),
        // What somebody else put in has no URL that we know of.
        image: Prop::or_null(record.map(|r| match r.transfer_protocol {
            TransferProtocol::Stored => format!("{}/{}", super::software_inventory::STORE, r.image),
            _ => r.image.clone(),
        })),
        image_name: Prop::or_null(record.map(|r| r.image_name.clone())),
        inserted: Prop::Value(inserted.is_some()),
        write_protected: Prop::Value(match &inserted {
            Some(inserted) => inserted.medium.write_protected,
            None => slot.kind == MediaKind::Cd,
        }),
        connected_via: Prop::Value(match (&inserted, record) {
            (None, _) => ConnectedVia::NotConnected,
            (Some(_), Some(_)) => ConnectedVia::URI,
            (Some(_), None) => ConnectedVia::Oem,
        }),
        transfer_method: Prop::or_null(record.map(|_| method.clone())),
        transfer_protocol_type: Prop::or_null(record.map(|r| match r.transfer_protocol {
            TransferProtocol::Http => TransferProtocolType::HTTP,
            TransferProtocol::Https => TransferProtocolType::HTTPS,
            TransferProtocol::File | TransferProtocol::Stored => TransferProtocolType::OEM,
        })),
        user_name: Prop::or_null(record.and_then(|r| r.user_name.clone())),
        password: Prop::Null,
        verify_certificate: Prop::Value(system.verify.get(&id).copied().unwrap_or(true)),
        status: Some(status(&system)),
        certificates: Some(OdataId::new(format!("{}/Certificates", rq.uri()))),
        actions: Some(Actions {
            insert_media: Some(InsertMediaAction {
                target: format!("{}/Actions/VirtualMedia.InsertMedia", rq.uri()),
                transfer_protocol_type_allowable: protocols.to_vec(),
                transfer_method_allowable: vec![method],
                ..Default::default()
            }),
            eject_media: Some(EjectMediaAction {
                target: format!("{}/Actions/VirtualMedia.EjectMedia", rq.uri()),
                ..Default::default()
            }),
            ..Default::default()
        }),
        ..Default::default()
    })
}

async fn change(rq: &Rq) -> Result<Outcome, Problem> {
    let VirtualMediaPatch { verify_certificate } = rq.body()?;
    match verify_certificate {
        Prop::Absent => {}
        Prop::Null => {
            let error = Error::invalid(
                "/VerifyCertificate",
                "null",
                Invalid::NotInList,
                "It is true or false.",
            );
            return Err(error.into());
        }
        Prop::Value(verify) => {
            rq.hf
                .set_media_verification(&rq.ctx, &rq.id("system")?, &rq.id("slot")?, verify)
                .await?;
        }
    }
    Ok(Outcome::Done)
}

async fn insert(rq: &Rq) -> Result<Outcome, Problem> {
    let (system, slot): (SystemId, SlotId) = (rq.id("system")?, rq.id("slot")?);
    let params: InsertMediaParams = rq.body()?;
    let refuse = |property: &'static str, value: &str, why: &'static str| {
        Problem::from(Error::invalid(property, value, Invalid::NotInList, why))
    };
    if params.inserted == Some(false) {
        return Err(refuse(
            "/Inserted",
            "false",
            "An image that is fetched is inserted.",
        ));
    }
    let by_uri = rq.hf.system(&rq.ctx, &system)?.capabilities.media_by_uri;
    match (&params.transfer_method, by_uri) {
        (None, _)
        | (Some(TransferMethod::Stream), true)
        | (Some(TransferMethod::Upload), false) => {}
        (Some(other), _) => {
            return Err(refuse(
                "/TransferMethod",
                other.as_str(),
                "Images do not reach this system that way.",
            ));
        }
    }
    let transfer_protocol = match &params.transfer_protocol_type {
        None => None,
        Some(TransferProtocolType::HTTP) => Some(TransferProtocol::Http),
        Some(TransferProtocolType::HTTPS) => Some(TransferProtocol::Https),
        Some(other) => {
            return Err(refuse(
                "/TransferProtocolType",
                other.as_str(),
                "Images are fetched by HTTP or HTTPS.",
            ));
        }
    };
    let what = InsertMedia {
        image: params.image,
        write_protected: params.write_protected.unwrap_or(true),
        user_name: params.user_name,
        password: params.password,
        transfer_protocol,
        request: Some(rq.payload()),
    };
    let task = rq.hf.insert_media(&rq.ctx, &system, &slot, what).await?;
    match super::task::ended(rq, &task.id, PATIENCE).await {
        Ok(ended) => outcome(&*ended?),
        Err(_) => Ok(Outcome::Started(task.id.clone())),
    }
}

fn outcome(task: &Task) -> Result<Outcome, Problem> {
    match &task.failure {
        None => Ok(Outcome::Done),
        Some(failure) => Err(Error::from(failure).into()),
    }
}

async fn eject(rq: &Rq) -> Result<Outcome, Problem> {
    rq.hf
        .eject_media(&rq.ctx, &rq.id("system")?, &rq.id("slot")?)
        .await?;
    Ok(Outcome::Done)
}

//! The update service: what is installed, and how firmware is replaced.
//!
//! Where no host lets HawkFish replace firmware, nothing of that is offered: then this only leads to the inventories.

use std::time::Duration;

use axum::body::Body;
use hawkfish_core::error::{Error, Invalid};
use hawkfish_core::id::SystemId;
use hawkfish_core::update::{Source, Update};
use hawkfish_redfish::model::OdataId;
use hawkfish_redfish::model::Prop;
use hawkfish_redfish::model::update_service::{
    Actions, SimpleUpdateAction, SimpleUpdateParams, SupportedUpdateImageFormatType,
    TransferProtocolType, UpdateService,
};
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value, json};
use url::Url;

use super::healthy;
use super::software_inventory::{FIRMWARE, SOFTWARE, STORE, system_of};
use crate::catalog::{Action, Content, Outcome, Privileges, Resource, Rq, apply_time};
use crate::problem::Problem;
use crate::upload;

const URI: &str = "/redfish/v1/UpdateService";
const PUSH_URI: &str = "/redfish/v1/UpdateService/MultipartUpload";
const SIMPLE_UPDATE: &str = "UpdateService.SimpleUpdate";
/// When an update can be put to use.
const TIMES: &[&str] = &["Immediate", "OnReset"];
/// An update that is through so soon is answered as done.
const PATIENCE: Duration = Duration::from_millis(250);

/// `/redfish/v1/UpdateService`
pub(crate) const RESOURCE: Resource = Resource {
    uri: URI,
    entity: "UpdateService",
    get: Some(|rq| Box::pin(read(rq))),
    actions: &[Action {
        name: SIMPLE_UPDATE,
        run: |rq| Box::pin(simple_update(rq)),
        // Firmware of systems is theirs.
        needs: Some(Privileges::COMPONENTS.post),
    }],
    privileges: Privileges::MANAGER,
    ..Resource::NONE
};

/// Where firmware images are pushed.
pub(crate) const PUSH: Resource = Resource {
    uri: PUSH_URI,
    upload: Some(|rq, headers, body| Box::pin(push(rq, headers, body))),
    privileges: Privileges::COMPONENTS,
    ..Resource::NONE
};

async fn read(rq: &Rq) -> Result<Content, Problem> {
    let can = rq.hf.can_update();
    let bytes = |bytes: u64| Prop::or_absent(i64::try_from(bytes).ok());
    let mut content = Content::of(&UpdateService {
        odata_id: rq.uri().to_owned(),
        id: "UpdateService".into(),
        name: "Update Service".into(),
        service_enabled: Prop::Value(true),
        multipart_http_push_uri: can.then(|| PUSH_URI.to_owned()),
        max_image_size_bytes: match can {
            true => bytes(rq.hf.most_update_bytes()),
            false => Prop::Absent,
        },
        verify_remote_server_certificate: match can {
            true => Prop::Value(true),
            false => Prop::Absent,
        },
        supported_update_image_formats: can
            .then(|| vec![SupportedUpdateImageFormatType::VendorDefined]),
        local_image_store_total_capacity_bytes: match rq.hf.can_store() {
            true => bytes(rq.hf.image_store_bytes()),
            false => Prop::Absent,
        },
        status: Some(healthy()),
        firmware_inventory: Some(OdataId::new(FIRMWARE)),
        software_inventory: Some(OdataId::new(SOFTWARE)),
        local_image_store: Some(OdataId::new(STORE)),
        actions: Some(Actions {
            simple_update: can.then(|| SimpleUpdateAction {
                target: format!("{URI}/Actions/{SIMPLE_UPDATE}"),
                transfer_protocol_allowable: vec![
                    TransferProtocolType::HTTP,
                    TransferProtocolType::HTTPS,
                ],
                ..Default::default()
            }),
            ..Default::default()
        }),
        ..Default::default()
    })?;
    if let Content::Resource(body) = &mut content {
        let actions = &mut body["Actions"];
        if can {
            actions[format!("#{SIMPLE_UPDATE}")]["@Redfish.OperationApplyTimeSupport"] = json!({
                "@odata.type": "#Settings.v1_3_3.OperationApplyTimeSupport",
                "SupportedValues": TIMES,
            });
        } else {
            // Not offered here, although the catalog knows it.
            actions[format!("#{SIMPLE_UPDATE}")] = Value::Null;
        }
    }
    Ok(content)
}

/// The systems that are named by the URIs of their firmware, or by their own.
fn systems(targets: &[String], pointer: &str) -> Result<Vec<SystemId>, Problem> {
    let each = targets.iter().enumerate().map(|(at, uri)| {
        system_of(uri).ok_or_else(|| {
            let error = Error::invalid(
                format!("{pointer}/{at}"),
                uri.chars().take(200).collect::<String>(),
                Invalid::NotInList,
                "There is no firmware that can be updated.",
            );
            Problem::from(error)
        })
    });
    each.collect()
}

fn not_offered() -> Problem {
    Problem::base(
        StatusCode::BAD_REQUEST,
        "ActionNotSupported",
        &[SIMPLE_UPDATE],
    )
}

async fn simple_update(rq: &Rq) -> Result<Outcome, Problem> {
    if !rq.hf.can_update() {
        return Err(not_offered());
    }
    let when = rq.apply_time(TIMES)?;
    let params: SimpleUpdateParams = rq.body()?;
    let refuse = |property: &'static str, value: &str| {
        Problem::from(Error::invalid(
            property,
            value,
            Invalid::NotInList,
            "That is not done here.",
        ))
    };
    for (property, asked) in [
        ("/Stage", params.stage),
        ("/LocalImage", params.local_image),
    ] {
        if asked == Some(true) {
            return Err(refuse(property, "true"));
        }
    }
    if params.exclude_targets.is_some_and(|all| !all.is_empty()) {
        return Err(refuse("/ExcludeTargets", "[...]"));
    }
    // Without a scheme the protocol says it (DSP0268, SimpleUpdate).
    let text = match (&params.transfer_protocol, params.image_uri.contains("://")) {
        (Some(protocol), false) => {
            format!(
                "{}://{}",
                protocol.as_str().to_ascii_lowercase(),
                params.image_uri
            )
        }
        _ => params.image_uri.clone(),
    };
    let url = Url::parse(&text).map_err(|_| {
        Problem::from(Error::invalid(
            "/ImageURI",
            params.image_uri.chars().take(200).collect::<String>(),
            Invalid::Format,
            "The image must be an absolute URL.",
        ))
    })?;
    if let Some(protocol) = &params.transfer_protocol
        && !protocol.as_str().eq_ignore_ascii_case(url.scheme())
    {
        return Err(refuse("/TransferProtocol", protocol.as_str()));
    }
    let targets = systems(&params.targets.unwrap_or_default(), "/Targets")?;
    let update = Update {
        source: Source::Fetch {
            url,
            user_name: params.username,
            password: params.password,
        },
        systems: targets,
        immediate: when == Some("Immediate"),
        request: Some(rq.payload()),
    };
    start(rq, update).await
}

async fn push(rq: &Rq, headers: &HeaderMap, body: Body) -> Result<Outcome, Problem> {
    if !rq.hf.can_update() {
        return Err(Problem::missing(rq.uri()));
    }
    let most = rq.hf.most_update_bytes();
    let pushed = upload::multipart(rq, headers, body, most, "firmware").await?;
    let Some(said) = pushed.parameters else {
        let part = upload::PARAMETERS;
        let missing = Problem::base(StatusCode::BAD_REQUEST, "PropertyMissing", &[part]);
        return Err(missing.related(&format!("/{part}")));
    };
    let when = apply_time(&said, TIMES)?;
    let update = Update {
        source: Source::Pushed(pushed.file),
        systems: parameters(&said)?,
        immediate: when == Some("Immediate"),
        request: Some(rq.payload()),
    };
    start(rq, update).await
}

/// The targets that `UpdateParameters` names.
fn parameters(said: &Map<String, Value>) -> Result<Vec<SystemId>, Problem> {
    let wrong = |key: &str, name: &str, value: &Value| {
        let shown: String = value.to_string().chars().take(64).collect();
        let args = match key {
            "PropertyUnknown" => vec![name],
            _ => vec![shown.as_str(), name],
        };
        Problem::base(StatusCode::BAD_REQUEST, key, &args)
            .related(&format!("/{}/{name}", upload::PARAMETERS))
    };
    let mut targets = Vec::new();
    for (name, value) in said.iter().filter(|(name, _)| !name.contains('@')) {
        match (name.as_str(), value) {
            ("Targets", Value::Array(all)) => {
                for uri in all {
                    let uri = uri
                        .as_str()
                        .ok_or_else(|| wrong("PropertyValueTypeError", name, uri))?;
                    targets.push(uri.to_owned());
                }
            }
            // What is not wanted need not be known.
            ("ForceUpdate" | "Stage" | "LocalImage", Value::Bool(false)) => {}
            ("ForceUpdate" | "Stage" | "LocalImage", Value::Bool(true)) => {
                return Err(wrong("PropertyValueNotInList", name, value));
            }
            ("Targets" | "ForceUpdate" | "Stage" | "LocalImage", _) => {
                return Err(wrong("PropertyValueTypeError", name, value));
            }
            _ => return Err(wrong("PropertyUnknown", name, value)),
        }
    }
    systems(&targets, "/UpdateParameters/Targets")
}

async fn start(rq: &Rq, update: Update) -> Result<Outcome, Problem> {
    let task = rq.hf.update_firmware(&rq.ctx, update).await?;
    // What fails at once is told at once; an update itself is always a task to be followed.
    if let Ok(ended) = super::task::ended(rq, &task.id, PATIENCE).await
        && let Some(failure) = &ended?.failure
    {
        return Err(Error::from(failure).into());
    }
    Ok(Outcome::Started(task.id.clone()))
}

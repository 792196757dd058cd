//! The service root: where every client begins.

use hawkfish_redfish::model::service_root::{
    Expand, Links, ProtocolFeaturesSupported, ServiceRoot,
};
use hawkfish_redfish::query::MAX_LEVELS;

use super::manager;
use crate::catalog::{Content, Privileges, Resource, Rq, Verb};
use crate::problem::Problem;

/// The URI as it is shown; the one without the slash leads here, too.
pub const URI: &str = "/redfish/v1/";

/// `/redfish/v1/`
pub const RESOURCE: Resource = Resource {
    uri: "/redfish/v1",
    entity: "ServiceRoot",
    get: Some(|rq| Box::pin(read(rq))),
    open: &[Verb::Get],
    privileges: Privileges::MANAGER,
    version: Some(|_| Ok(0)),
    ..Resource::NONE
};

async fn read(rq: &Rq) -> Result<Content, Problem> {
    Content::of(&model(rq)?)
}

/// The service root as it is here.
pub(crate) fn model(rq: &Rq) -> Result<ServiceRoot, Problem> {
    let face = rq.ctx.face();
    let face = face.map(|id| rq.hf.system(&rq.ctx, id)).transpose()?;
    let at = |below: &str| Some(format!("{URI}{below}").into());
    let uuid = face.as_deref().map_or_else(|| rq.hf.uuid(), manager::uuid);
    Ok(ServiceRoot {
        odata_id: URI.into(),
        id: "RootService".into(),
        name: face.map_or_else(
            || "HawkFish".to_owned(),
            |system| system.machine.name.clone(),
        ),
        redfish_version: Some("1.22.0".into()),
        uuid: uuid.to_string().into(),
        vendor: "HawkFish".into(),
        product: "HawkFish".into(),
        protocol_features_supported: Some(ProtocolFeaturesSupported {
            excerpt_query: Some(true),
            expand_query: Some(Expand {
                expand_all: Some(true),
                levels: Some(true),
                max_levels: Some(MAX_LEVELS.into()),
                links: Some(true),
                no_links: Some(true),
            }),
            filter_query: Some(true),
            include_origin_of_condition_query: Some(true),
            multiple_http_requests: Some(true),
            only_member_query: Some(true),
            select_query: Some(true),
            top_skip_query: Some(true),
            ..ProtocolFeaturesSupported::default()
        }),
        systems: at("Systems"),
        chassis: at("Chassis"),
        managers: at("Managers"),
        session_service: at("SessionService"),
        account_service: at("AccountService"),
        certificate_service: at("CertificateService"),
        tasks: at("TaskService"),
        event_service: at("EventService"),
        job_service: at("JobService"),
        telemetry_service: at("TelemetryService"),
        update_service: at("UpdateService"),
        registries: at("Registries"),
        json_schemas: at("JsonSchemas"),
        links: Some(Links {
            sessions: Some("/redfish/v1/SessionService/Sessions".into()),
            ..Links::default()
        }),
        ..ServiceRoot::default()
    })
}

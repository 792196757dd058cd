//! The session service: whether sessions can be opened, and how long they last unused.

use hawkfish_redfish::model::session_service::{SessionService, SessionServicePatch};

use super::{healthy, session};
use crate::catalog::{Content, Outcome, Privileges, Resource, Rq};
use crate::problem::Problem;

/// `/redfish/v1/SessionService`
pub const RESOURCE: Resource = Resource {
    uri: "/redfish/v1/SessionService",
    entity: "SessionService",
    get: Some(|rq| Box::pin(read(rq))),
    patch: Some(|rq| Box::pin(change(rq))),
    privileges: Privileges::MANAGER,
    ..Resource::NONE
};

async fn read(rq: &Rq) -> Result<Content, Problem> {
    let policy = rq.hf.sessions().policy();
    Content::of(&SessionService {
        id: "SessionService".into(),
        name: "Session Service".into(),
        service_enabled: policy.enabled.into(),
        session_timeout: Some(policy.timeout.into()),
        status: Some(healthy()),
        sessions: Some(session::URI.into()),
        ..SessionService::default()
    })
}

async fn change(rq: &Rq) -> Result<Outcome, Problem> {
    let patch: SessionServicePatch = rq.body()?;
    // What is outside of 32 bits is outside of the range, too.
    let seconds = patch
        .session_timeout
        .map(|s| u32::try_from(s).unwrap_or(u32::MAX));
    let enabled = patch
        .service_enabled
        .change()
        .map(Option::unwrap_or_default);
    rq.hf
        .sessions()
        .set_policy(&rq.ctx, seconds, enabled)
        .await?;
    Ok(Outcome::Done)
}

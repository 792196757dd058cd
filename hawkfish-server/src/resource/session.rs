//! Sessions: a log-in that lasts, and its token.

use hawkfish_core::ctx::Privilege;
use hawkfish_core::sessions::Session;
use hawkfish_redfish::message::base;
use hawkfish_redfish::model::session::{self as model, SessionCreate, SessionTypes};
use http::HeaderValue;
use serde_json::{Map, json};

use super::{date_time, manager_account};
use crate::catalog::{Content, Outcome, Privileges, Resource, Rq, Verb};
use crate::layers::X_AUTH_TOKEN;
use crate::problem::Problem;

/// The URI of the collection.
pub const URI: &str = "/redfish/v1/SessionService/Sessions";

/// `/redfish/v1/SessionService/Sessions`
pub const COLLECTION: Resource = Resource {
    uri: URI,
    entity: "SessionCollection",
    member: "Session",
    get: Some(|rq| Box::pin(list(rq))),
    create: Some(|rq| Box::pin(log_in(rq))),
    privileges: Privileges {
        post: &[Privilege::Login],
        ..Privileges::MANAGER
    },
    // Nobody has a session before the first one.
    open: &[Verb::Create],
    no_store: true,
    ..Resource::NONE
};

/// `/redfish/v1/SessionService/Sessions/{session}`
pub const RESOURCE: Resource = Resource {
    uri: "/redfish/v1/SessionService/Sessions/{session}",
    entity: "Session",
    get: Some(|rq| Box::pin(read(rq))),
    delete: Some(|rq| Box::pin(log_out(rq))),
    privileges: Privileges {
        get: &[Privilege::ConfigureManager, Privilege::ConfigureSelf],
        patch: &[Privilege::ConfigureManager],
        post: &[Privilege::ConfigureManager],
        delete: &[Privilege::ConfigureManager, Privilege::ConfigureSelf],
    },
    own: Some(is_own),
    before_password_change: true,
    no_store: true,
    ..Resource::NONE
};

/// A session is one's own when one's account opened it.
fn is_own(rq: &Rq) -> bool {
    let session = rq
        .param("session")
        .parse()
        .and_then(|id| rq.hf.sessions().get(&rq.ctx, &id));
    session.is_ok_and(|session| rq.ctx.account() == Some(&session.account))
}

async fn list(rq: &Rq) -> Result<Content, Problem> {
    let sessions = rq.hf.sessions().list(&rq.ctx);
    Ok(Content::collection(
        rq,
        "Sessions",
        sessions.iter().map(|session| &session.id),
    ))
}

async fn read(rq: &Rq) -> Result<Content, Problem> {
    let session = rq.hf.sessions().get(&rq.ctx, &rq.id("session")?)?;
    Content::of(&model(rq, &session))
}

fn model(rq: &Rq, session: &Session) -> model::Session {
    let account = rq.hf.accounts().get(&session.account).ok();
    model::Session {
        id: session.id.to_string(),
        name: "User Session".into(),
        user_name: (*session.user).into(),
        password: hawkfish_redfish::model::Prop::Null,
        session_type: SessionTypes::Redfish.into(),
        roles: account.map(|account| vec![account.role.to_string()]),
        client_origin_ip_address: hawkfish_redfish::model::Prop::or_absent(
            session.address.map(|address| address.to_string()),
        ),
        created_time: date_time(session.created).into(),
        ..model::Session::default()
    }
}

async fn log_in(rq: &Rq) -> Result<Outcome, Problem> {
    let wanted: SessionCreate = rq.body()?;
    let (session, token) = rq
        .hf
        .sessions()
        .login(&rq.ctx, &wanted.user_name, &wanted.password, rq.ctx.address)
        .await?;
    let mut token = HeaderValue::try_from(token.as_str())
        .map_err(|error| Problem::internal(error.to_string()))?;
    token.set_sensitive(true);
    let account = rq.hf.accounts().get(&session.account)?;
    let mut with = Map::new();
    if account.password_change_required {
        let uri = manager_account::uri(account.id.as_str());
        let message = base("PasswordChangeRequired", &[&uri]);
        with.insert("@Message.ExtendedInfo".into(), json!([message]));
    }
    Ok(Outcome::Created {
        uri: format!("{}/{}", URI, session.id),
        headers: vec![(X_AUTH_TOKEN, token)],
        with,
    })
}

async fn log_out(rq: &Rq) -> Result<Outcome, Problem> {
    rq.hf.sessions().delete(&rq.ctx, &rq.id("session")?).await?;
    Ok(Outcome::Done)
}

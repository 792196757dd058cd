//! Logging in when first needed, renewing what the service has ended, logging out.

use http::Method;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use serde_json::json;

use super::auth::{Credentials, Session, basic};
use super::{Client, X_AUTH_TOKEN};
use crate::error::{Error, Kind};
use crate::resource::link;
use crate::wire::Request;

impl Client {
    /// Opens the session now and not with the first request. Without session credentials there is nothing to do.
    ///
    /// # Errors
    /// [`Kind::Unauthorized`] when the service does not accept them.
    pub async fn login(&self) -> Result<(), Error> {
        self.authorization().await.map(drop)
    }

    /// Closes the session, if there is one.
    ///
    /// # Errors
    /// The kind of the answer; [`Kind::Protocol`] when the service never said where its session stands.
    pub async fn logout(&self) -> Result<(), Error> {
        let Some(session) = self.inner.session.lock().await.take() else {
            return Ok(());
        };
        let uri = session.uri.ok_or_else(|| {
            Error::protocol("the service did not say where the session stands; it ends by itself")
        })?;
        let request = Request::new(Method::DELETE, uri)
            .anonymous()
            .header(X_AUTH_TOKEN, session.token);
        match self.call(request).await {
            // It had ended already.
            Err(error) if error.kind == Kind::Unauthorized => Ok(()),
            other => other.map(drop),
        }
    }

    pub(super) async fn authorization(&self) -> Result<Option<(HeaderName, HeaderValue)>, Error> {
        match &self.inner.credentials {
            Credentials::None => Ok(None),
            Credentials::Basic { user, password } => {
                Ok(Some((AUTHORIZATION, basic(user, password))))
            }
            Credentials::Session { user, password } => {
                let mut session = self.inner.session.lock().await;
                let token = match &*session {
                    Some(session) => session.token.clone(),
                    None => session
                        .insert(self.open_session(user, password).await?)
                        .token
                        .clone(),
                };
                Ok(Some((X_AUTH_TOKEN, token)))
            }
        }
    }

    pub(super) async fn forget(&self, token: &HeaderValue) {
        let mut session = self.inner.session.lock().await;
        // Another request may have renewed it already.
        if session.as_ref().is_some_and(|held| held.token == *token) {
            *session = None;
        }
    }

    async fn open_session(&self, user: &str, password: &str) -> Result<Session, Error> {
        // Boxed: a log-in sends requests, and each of those may look for a log-in.
        let root = Box::pin(self.root()).await?;
        let sessions = link(&root.value, "/Links/Sessions")
            .ok_or_else(|| Error::protocol("the service root has no Links/Sessions"))?;
        let request = Request::new(Method::POST, sessions)
            .anonymous()
            .json(&json!({"UserName": user, "Password": password}))?;
        let response = Box::pin(self.call(request)).await?;
        let mut token = response
            .headers
            .get(X_AUTH_TOKEN)
            .cloned()
            .ok_or_else(|| Error::protocol("the new session has no X-Auth-Token"))?;
        token.set_sensitive(true);
        let body_uri = || {
            response
                .json()
                .ok()
                .and_then(|body| Some(body.get("@odata.id")?.as_str()?.to_owned()))
        };
        // Behind a gateway a Location may name an address inside; then the body says where the session stands.
        let uri = response
            .location()
            .map(str::to_owned)
            .filter(|uri| self.resolve(uri).is_ok())
            .or_else(body_uri)
            .filter(|uri| self.resolve(uri).is_ok());
        Ok(Session { token, uri })
    }
}

//! Logging in when first needed, renewing what the service has ended, logging out.

use std::sync::atomic::Ordering;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use http::Method;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use serde_json::json;

use super::auth::{Credentials, Session, SessionInfo, basic};
use super::send::prepare;
use super::{Client, Inner, X_AUTH_TOKEN};
use crate::error::{Error, Kind};
use crate::quirks;
use crate::wire::Request;

/// How long a session may take to close when nobody waits for it.
const CLOSES_WITHIN: Duration = Duration::from_secs(5);

impl Client {
    /// Opens the session now and not with the first request. Without session credentials there is nothing to do.
    ///
    /// # Errors
    /// [`Kind::Unauthorized`] when the service does not accept them.
    pub async fn login(&self) -> Result<(), Error> {
        self.authorization().await.map(drop)
    }

    /// The session that is open, to go on with it later or elsewhere ([`super::Builder::token`]).
    pub fn session(&self) -> Option<SessionInfo> {
        let held = self.inner.held();
        let session = held.as_ref()?;
        Some(SessionInfo {
            token: String::from_utf8_lossy(session.token.as_bytes()).into_owned(),
            uri: session.uri.clone(),
        })
    }

    /// Leaves the session open when this client goes, for whoever goes on with it.
    pub fn keep_session(&self) {
        if let Some(session) = self.inner.held().as_mut() {
            session.given = true;
        }
    }

    /// Closes the session that this client opened, if there is one. One that was given to it stays.
    ///
    /// # Errors
    /// The kind of the answer; [`Kind::Protocol`] when the service never said where its session stands.
    pub async fn logout(&self) -> Result<(), Error> {
        let ours = self.inner.held().take_if(|session| !session.given);
        match ours {
            Some(session) => self.close(session).await,
            None => Ok(()),
        }
    }

    /// Closes the session, whoever opened it.
    ///
    /// # Errors
    /// As [`Client::logout`].
    pub async fn end_session(&self) -> Result<(), Error> {
        let session = self.inner.held().take();
        match session {
            Some(session) => self.close(session).await,
            None => Ok(()),
        }
    }

    async fn close(&self, session: Session) -> Result<(), Error> {
        let uri = session.uri.ok_or_else(|| {
            Error::protocol("the service did not say where the session stands; it ends by itself")
        })?;
        match self.call(closing(uri, session.token)).await {
            // It had ended already.
            Err(error) if matches!(error.kind, Kind::Unauthorized | Kind::NotFound) => Ok(()),
            other => other.map(drop),
        }
    }

    /// Whether there is a way to say who asks.
    pub(super) fn has_credentials(&self) -> bool {
        !matches!(self.inner.credentials, Credentials::None) || self.inner.token().is_some()
    }

    pub(super) async fn authorization(&self) -> Result<Option<(HeaderName, HeaderValue)>, Error> {
        if let Some(token) = self.inner.token() {
            return Ok(Some((X_AUTH_TOKEN, token)));
        }
        match &self.inner.credentials {
            Credentials::None => Ok(None),
            Credentials::Basic { user, password } => {
                Ok(Some((AUTHORIZATION, basic(user, password))))
            }
            Credentials::Session { user, password } => {
                let by_password = || Ok(Some((AUTHORIZATION, basic(user, password))));
                let _one = self.inner.login.lock().await;
                // Another request may have opened it while this one waited.
                if let Some(token) = self.inner.token() {
                    return Ok(Some((X_AUTH_TOKEN, token)));
                }
                if self.inner.sessionless.load(Ordering::Relaxed) {
                    return by_password();
                }
                let Some(session) = self.open_session(user, password).await? else {
                    self.inner.sessionless.store(true, Ordering::Relaxed);
                    return by_password();
                };
                let token = session.token.clone();
                *self.inner.held() = Some(session);
                Ok(Some((X_AUTH_TOKEN, token)))
            }
        }
    }

    /// The service does not know this session any more. Whether there is another way to say who asks.
    pub(super) fn forget(&self, token: &HeaderValue) -> bool {
        if matches!(self.inner.credentials, Credentials::None) {
            return false;
        }
        // Another request may have renewed it already.
        let ended = self.inner.held().take_if(|held| held.token == *token);
        if let Some(session) = ended {
            // It may have been refused by mistake, and would keep one of few places.
            self.inner.close_behind(session);
        }
        true
    }

    /// A new session; `None` where the service has no sessions at all.
    async fn open_session(&self, user: &str, password: &str) -> Result<Option<Session>, Error> {
        // Boxed: a log-in sends requests, and each of those may look for a log-in.
        let mut root_is_read = true;
        if self.learnt().sessions().is_none() {
            match Box::pin(self.anonymous_root()).await {
                Ok(_) => {}
                // Quirk `root_wants_login`.
                Err(error) if error.kind == Kind::Unauthorized => root_is_read = false,
                Err(error) => return Err(error),
            }
        }
        let listed = self.learnt().sessions();
        // Quirk `root_without_sessions`.
        let sessions = listed.unwrap_or(quirks::SESSIONS);
        let request = Request::new(Method::POST, sessions)
            .anonymous()
            .json(&json!({"UserName": user, "Password": password}))?;
        let response = match Box::pin(self.call(request)).await {
            Err(error) if root_is_read && quirks::no_sessions(listed, &error) => {
                return Ok(None);
            }
            answer => answer?,
        };
        let mut token = response
            .headers
            .get(X_AUTH_TOKEN)
            .cloned()
            .ok_or_else(|| Error::protocol("the new session has no X-Auth-Token"))?;
        token.set_sensitive(true);
        // Quirk `location_missing`.
        let body_uri = || {
            quirks::here(
                self.base(),
                response.json().ok()?.get("@odata.id")?.as_str()?,
            )
        };
        let uri = quirks::location(self.base(), &response.headers).or_else(body_uri);
        Ok(Some(Session {
            token,
            uri,
            given: false,
        }))
    }
}

impl Inner {
    fn held(&self) -> MutexGuard<'_, Option<Session>> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn token(&self) -> Option<HeaderValue> {
        Some(self.held().as_ref()?.token.clone())
    }
}

fn closing(uri: String, token: HeaderValue) -> Request {
    let mut request = Request::new(Method::DELETE, uri)
        .anonymous()
        .header(X_AUTH_TOKEN, token);
    // Closing it twice closes it.
    request.again = true;
    request
}

impl Drop for Inner {
    fn drop(&mut self) {
        let ours = self.held().take();
        if let Some(session) = ours {
            self.close_behind(session);
        }
    }
}

impl Inner {
    /// Closes a session of ours without anybody who waits for it.
    fn close_behind(&self, session: Session) {
        let Some(uri) = session.uri.filter(|_| !session.given) else {
            return;
        };
        let token = session.token;
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let Ok(url) = self.base.join(&uri) else {
            return;
        };
        // Where it leads was looked at when the session was opened.
        let Ok(request) = prepare(&closing(uri, token), &url, None) else {
            return;
        };
        let transport = self.transport.clone();
        runtime.spawn(async move {
            // Nobody is left to be told.
            let _ = tokio::time::timeout(CLOSES_WITHIN, transport.send(request)).await;
        });
    }
}

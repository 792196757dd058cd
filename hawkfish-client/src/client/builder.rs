//! What a client is set up with.

use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::HeaderValue;
use url::Url;

use super::auth::{Credentials, Session, SessionInfo};
use super::{Client, Inner};
use crate::error::{Error, Kind};
use crate::features::Learnt;
use crate::limit::Limit;
use crate::retry::Retry;
use crate::transport::{InProcess, Network, Transport, Trust};

/// Sets up a [`Client`].
#[derive(Debug)]
pub struct Builder {
    url: String,
    credentials: Credentials,
    token: Option<SessionInfo>,
    trust: Trust,
    timeout: Duration,
    retry: Retry,
    at_most: usize,
    unguarded: bool,
    transport: Option<Arc<dyn Transport>>,
}

impl Builder {
    pub(super) fn new(url: String) -> Self {
        Self {
            url,
            credentials: Credentials::None,
            token: None,
            trust: Trust::default(),
            timeout: Duration::from_secs(60),
            retry: Retry::default(),
            at_most: Limit::USUAL,
            unguarded: false,
            transport: None,
        }
    }

    /// Log in with a session, when first needed; a session that the service has ended is renewed once.
    #[must_use]
    pub fn session(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.credentials = Credentials::Session {
            user: user.into(),
            password: password.into(),
        };
        self
    }

    /// Send user and password with each request.
    #[must_use]
    pub fn basic(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.credentials = Credentials::Basic {
            user: user.into(),
            password: password.into(),
        };
        self
    }

    /// Go on with a session that is there already ([`Client::session`]). It is closed by [`Client::end_session`] only: others may go on with it, too.
    ///
    /// With [`Builder::session`] or [`Builder::basic`] beside it those credentials are for when the service has ended the session; without,
    /// requests are [`Kind::Unauthorized`] from then on.
    #[must_use]
    pub fn token(mut self, session: SessionInfo) -> Self {
        self.token = Some(session);
        self
    }

    /// Trust what these certificates (PEM, one or several) have signed, besides what is publicly trusted.
    #[must_use]
    pub fn ca_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.trust.ca_pem.push(pem.into());
        self
    }

    /// Trust any certificate: whoever stands between reads and changes everything.
    #[must_use]
    pub fn insecure(mut self) -> Self {
        self.trust.insecure = true;
        self
    }

    /// Trust the certificate whose SHA-256 this is, whoever signed it, and no certificate that is not named so.
    #[must_use]
    pub fn fingerprint(mut self, sha256: [u8; 32]) -> Self {
        self.trust.fingerprints.push(sha256);
        self
    }

    /// How long one answer may take; 60 s if not said.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// When a request is sent again, if not as [`Retry::default`] has it. What may have been acted upon is never sent again.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// How many requests may be under way at once, of all clones together; 8 if not said, and at least one. Others wait, first come first served. Streams do not count.
    #[must_use]
    pub fn at_most(mut self, requests: usize) -> Self {
        self.at_most = requests;
        self
    }

    /// Let [`Client::update`] send a change without `If-Match` where a service refuses the very tags that it gives, in whatever form. Off if not said:
    /// who turns it on may overwrite what somebody else changes at that moment.
    #[must_use]
    pub fn unguarded(mut self) -> Self {
        self.unguarded = true;
        self
    }

    /// Over a transport of one's own instead of the network.
    #[must_use]
    pub fn transport(mut self, transport: impl Transport) -> Self {
        self.transport = Some(Arc::new(transport));
        self
    }

    /// Straight into a service in this process, such as an `axum::Router`; the URL only names it.
    #[must_use]
    pub fn service<S, B>(self, service: S) -> Self
    where
        InProcess<S, B>: Transport,
    {
        self.transport(InProcess::<S, B>::new(service))
    }

    /// The client. Nothing is sent yet.
    ///
    /// # Errors
    /// [`Kind::Refused`] for a URL that is not `http` or `https`, or that holds credentials, for a CA that is no PEM, and for a token that cannot stand in a header.
    pub fn build(self) -> Result<Client, Error> {
        let refused = |why: &str| Error::new(Kind::Refused, format!("{}: {why}", self.url));
        let base = Url::parse(&self.url).map_err(|error| refused("no URL").caused_by(error))?;
        if !matches!(base.scheme(), "http" | "https") || base.host().is_none() {
            return Err(refused("neither http nor https"));
        }
        if !base.username().is_empty() || base.password().is_some() {
            // Not shown: what is refused here would stand in logs.
            return Err(Error::new(
                Kind::Refused,
                "the URL holds credentials; give them separately",
            ));
        }
        let session = self.token.map(given).transpose()?;
        let transport = match self.transport {
            Some(transport) => transport,
            None => Arc::new(Network::new(&base, &self.trust, self.timeout)?),
        };
        Ok(Client {
            inner: Arc::new(Inner {
                transport,
                base,
                learnt: Learnt::default(),
                credentials: self.credentials,
                session: Mutex::new(session),
                login: tokio::sync::Mutex::new(()),
                sessionless: AtomicBool::new(false),
                retry: self.retry,
                limit: Limit::new(self.at_most),
                unguarded: self.unguarded,
                sent: AtomicU64::new(0),
            }),
        })
    }
}

fn given(session: SessionInfo) -> Result<Session, Error> {
    // The token itself is not shown.
    let mut token = HeaderValue::try_from(session.token)
        .map_err(|_| Error::new(Kind::Refused, "the token cannot stand in a header"))?;
    token.set_sensitive(true);
    Ok(Session {
        token,
        uri: session.uri,
        given: true,
    })
}

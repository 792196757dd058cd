//! Who asks.

use std::fmt;

use base64::Engine as _;
use http::HeaderValue;

/// How a client says who it is.
#[derive(Clone)]
pub(crate) enum Credentials {
    None,
    Basic { user: String, password: String },
    Session { user: String, password: String },
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Basic { user, .. } => write!(f, "Basic({user})"),
            Self::Session { user, .. } => write!(f, "Session({user})"),
        }
    }
}

/// A session of the service.
#[derive(Clone)]
pub(crate) struct Session {
    pub(crate) token: HeaderValue,
    /// Where it is closed; a service that does not say cannot be logged out of.
    pub(crate) uri: Option<String>,
    /// It was there before this client, and others may go on with it.
    pub(crate) given: bool,
}

/// A session as it can be kept, to go on with it later ([`crate::Builder::token`]).
#[derive(Clone, PartialEq, Eq)]
pub struct SessionInfo {
    /// What stands in `X-Auth-Token`: who has it is the user, so it is as secret as a password.
    pub token: String,
    /// Where the session stands, and is closed; not every service says.
    pub uri: Option<String>,
}

impl fmt::Debug for SessionInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionInfo({:?})", self.uri)
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session({:?})", self.uri)
    }
}

/// The value of `Authorization` for Basic (RFC 7617, in UTF-8).
pub fn basic(user: &str, password: &str) -> HeaderValue {
    let coded = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
    let mut value = HeaderValue::try_from(format!("Basic {coded}"))
        .unwrap_or_else(|_| unreachable!("base64 is plain ASCII"));
    value.set_sensitive(true);
    value
}

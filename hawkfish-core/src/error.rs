//! One error: a kind to act on, a message to show, a context to log.
//!
//! It becomes HTTP last, in the server. Core says what is the matter in its own words.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A result of core.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What is the matter, for the caller to act on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// There is no such thing, or the caller may not know of it.
    NotFound {
        /// The type, in the words of Redfish: `ComputerSystem`, `Task`.
        what: &'static str,
        /// What was asked for.
        id: String,
    },
    /// A thing of that name exists already.
    AlreadyExists {
        /// The type, in the words of Redfish.
        what: &'static str,
        /// The property that clashes.
        property: &'static str,
        /// Its value.
        value: String,
    },
    /// A value that cannot be taken. `property` is a JSON pointer into what the caller sent, such as `/Boot/BootOrder`.
    Invalid {
        /// JSON pointer to the property.
        property: Cow<'static, str>,
        /// The value as text; never a secret.
        value: String,
        /// Why it cannot be taken.
        reason: Invalid,
    },
    /// Two properties that exclude each other.
    PropertyConflict {
        /// JSON pointer to the one.
        property: Cow<'static, str>,
        /// JSON pointer to the other.
        with: Cow<'static, str>,
    },
    /// The thing is in a state in which this cannot be done now.
    Conflict(Conflict),
    /// The backend, or this machine, cannot do it at all.
    Unsupported {
        /// What cannot be done, as a noun: `Suspend`, `boot target UefiHttp`.
        what: String,
    },
    /// An outgoing address that policy does not allow.
    AddressRefused {
        /// The address as the caller gave it, without credentials.
        uri: String,
    },
    /// Something outside (a web server with an image) failed.
    Upstream {
        /// The address, without credentials.
        uri: String,
    },
    /// A host cannot be reached now; try again.
    Unavailable {
        /// When to ask again.
        retry_after: Duration,
    },
    /// Who asks is not known: no credentials, or wrong ones.
    Unauthenticated,
    /// Who asks is known and may not do this.
    Forbidden,
    /// The account must change its password before it does anything else.
    PasswordChangeRequired {
        /// The account.
        account: crate::id::AccountId,
    },
    /// The sessions that the service can hold are in use.
    SessionLimit,
    /// A quota or bound of the service is reached.
    LimitExceeded {
        /// What there is no more of.
        what: &'static str,
    },
    /// The backend tried and failed.
    Backend,
    /// The store failed, or an invariant of HawkFish does not hold.
    Internal,
}

/// Why a value cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Invalid {
    /// Not one of the values that this system takes.
    NotInList,
    /// Not written as it should be.
    Format,
    /// Outside the allowed range.
    OutOfRange,
    /// Too long or too short, or too weak a password.
    Length {
        /// Fewest characters.
        min: u32,
        /// Most characters.
        max: u32,
    },
    /// Needed and absent.
    Missing,
    /// Cannot be changed.
    ReadOnly,
}

/// Why something cannot be done now.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Conflict {
    /// The system must be on.
    PowerOnRequired,
    /// The system must be off.
    PowerOffRequired,
    /// Somebody else is at work on it.
    InUse,
    /// It holds something already: a slot with a medium.
    Occupied,
    /// It holds nothing: an empty slot.
    Empty,
    /// The state does not allow it, for another reason that the message gives.
    NotAllowed,
}

/// An error of core.
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    message: Cow<'static, str>,
    context: Vec<(&'static str, String)>,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of that kind, with a message for whoever reads it: a sentence without secrets.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            context: Vec::new(),
            source: None,
        }))
    }

    /// There is no `what` known as `id`.
    #[must_use]
    pub fn not_found(what: &'static str, id: &str) -> Self {
        let shown: String = id.chars().take(crate::id::MAX_LEN).collect();
        Self::new(
            ErrorKind::NotFound { what, id: shown },
            format!("There is no such {what}."),
        )
    }

    /// The value of a property cannot be taken. `property` is a JSON pointer.
    pub fn invalid(
        property: impl Into<Cow<'static, str>>,
        value: impl Into<String>,
        reason: Invalid,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::new(
            ErrorKind::Invalid {
                property: property.into(),
                value: value.into(),
                reason,
            },
            message,
        )
    }

    /// The state of the thing does not allow it.
    pub fn conflict(conflict: Conflict, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Conflict(conflict), message)
    }

    /// It cannot be done here at all.
    pub fn unsupported(what: impl Into<String>) -> Self {
        let what = what.into();
        let message = format!("{what} is not supported here.");
        Self::new(ErrorKind::Unsupported { what }, message)
    }

    /// A host cannot be reached now.
    pub fn unavailable(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(
            ErrorKind::Unavailable {
                retry_after: Duration::from_secs(5),
            },
            message,
        )
    }

    /// The backend tried and failed.
    pub fn backend(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Backend, message)
    }

    /// HawkFish itself failed.
    pub fn internal(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }

    /// Adds a fact for the log.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl fmt::Display) -> Self {
        self.0.context.push((key, value.to_string()));
        self
    }

    /// Adds the error that caused this one, for the log.
    #[must_use]
    pub fn caused_by(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.0.source = Some(Arc::new(source));
        self
    }

    /// What is the matter.
    #[must_use]
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// The sentence to show.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Facts for the log.
    #[must_use]
    pub fn context(&self) -> &[(&'static str, String)] {
        &self.0.context
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.0.kind, self.0.message)?;
        for (key, value) in &self.0.context {
            write!(f, " {key}={value}")?;
        }
        if let Some(source) = &self.0.source {
            write!(f, " (caused by {source})")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|s| s as _)
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::internal("The store failed.").caused_by(error)
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::internal("A stored value could not be read.").caused_by(error)
    }
}

//! An error that can be stored, so that a monitor asked much later answers as the operation would have.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{Conflict, Error, ErrorKind, Invalid};
use crate::id::AccountId;

/// Why a task failed: the kind and the message of the [`Error`]; its context went to the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The kind of the error.
    kind: Kind,
    /// The sentence to show.
    pub message: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Kind {
    NotFound {
        what: String,
        id: String,
    },
    AlreadyExists {
        what: String,
        property: String,
        value: String,
    },
    Invalid {
        property: String,
        value: String,
        reason: Reason,
    },
    PropertyConflict {
        property: String,
        with: String,
    },
    Conflict(State),
    Unsupported {
        what: String,
    },
    AddressRefused {
        uri: String,
    },
    Upstream {
        uri: String,
    },
    Unavailable {
        retry_after_ms: u64,
    },
    Unauthenticated,
    Forbidden,
    PasswordChangeRequired {
        account: AccountId,
    },
    SessionLimit,
    LimitExceeded {
        what: String,
    },
    Backend,
    Internal,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Reason {
    NotInList,
    Format,
    OutOfRange,
    Length { min: u32, max: u32 },
    Missing,
    ReadOnly,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum State {
    PowerOnRequired,
    PowerOffRequired,
    InUse,
    Occupied,
    Empty,
    NotAllowed,
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        let kind = match error.kind() {
            ErrorKind::NotFound { what, id } => Kind::NotFound {
                what: (*what).to_owned(),
                id: id.clone(),
            },
            ErrorKind::AlreadyExists {
                what,
                property,
                value,
            } => Kind::AlreadyExists {
                what: (*what).to_owned(),
                property: (*property).to_owned(),
                value: value.clone(),
            },
            ErrorKind::Invalid {
                property,
                value,
                reason,
            } => Kind::Invalid {
                property: property.to_string(),
                value: value.clone(),
                reason: match reason {
                    Invalid::NotInList => Reason::NotInList,
                    Invalid::Format => Reason::Format,
                    Invalid::OutOfRange => Reason::OutOfRange,
                    Invalid::Length { min, max } => Reason::Length {
                        min: *min,
                        max: *max,
                    },
                    Invalid::Missing => Reason::Missing,
                    Invalid::ReadOnly => Reason::ReadOnly,
                },
            },
            ErrorKind::PropertyConflict { property, with } => Kind::PropertyConflict {
                property: property.to_string(),
                with: with.to_string(),
            },
            ErrorKind::Conflict(conflict) => Kind::Conflict(match conflict {
                Conflict::PowerOnRequired => State::PowerOnRequired,
                Conflict::PowerOffRequired => State::PowerOffRequired,
                Conflict::InUse => State::InUse,
                Conflict::Occupied => State::Occupied,
                Conflict::Empty => State::Empty,
                Conflict::NotAllowed => State::NotAllowed,
            }),
            ErrorKind::Unsupported { what } => Kind::Unsupported { what: what.clone() },
            ErrorKind::AddressRefused { uri } => Kind::AddressRefused { uri: uri.clone() },
            ErrorKind::Upstream { uri } => Kind::Upstream { uri: uri.clone() },
            ErrorKind::Unavailable { retry_after } => Kind::Unavailable {
                retry_after_ms: u64::try_from(retry_after.as_millis()).unwrap_or(u64::MAX),
            },
            ErrorKind::Unauthenticated => Kind::Unauthenticated,
            ErrorKind::Forbidden => Kind::Forbidden,
            ErrorKind::PasswordChangeRequired { account } => Kind::PasswordChangeRequired {
                account: account.clone(),
            },
            ErrorKind::SessionLimit => Kind::SessionLimit,
            ErrorKind::LimitExceeded { what } => Kind::LimitExceeded {
                what: (*what).to_owned(),
            },
            ErrorKind::Backend => Kind::Backend,
            ErrorKind::Internal => Kind::Internal,
        };
        Self {
            kind,
            message: error.message().to_owned(),
        }
    }
}

impl From<&Failure> for Error {
    fn from(failure: &Failure) -> Self {
        let kind = match &failure.kind {
            Kind::NotFound { what, id } => ErrorKind::NotFound {
                what: word(what),
                id: id.clone(),
            },
            Kind::AlreadyExists {
                what,
                property,
                value,
            } => ErrorKind::AlreadyExists {
                what: word(what),
                property: word(property),
                value: value.clone(),
            },
            Kind::Invalid {
                property,
                value,
                reason,
            } => ErrorKind::Invalid {
                property: property.clone().into(),
                value: value.clone(),
                reason: match reason {
                    Reason::NotInList => Invalid::NotInList,
                    Reason::Format => Invalid::Format,
                    Reason::OutOfRange => Invalid::OutOfRange,
                    Reason::Length { min, max } => Invalid::Length {
                        min: *min,
                        max: *max,
                    },
                    Reason::Missing => Invalid::Missing,
                    Reason::ReadOnly => Invalid::ReadOnly,
                },
            },
            Kind::PropertyConflict { property, with } => ErrorKind::PropertyConflict {
                property: property.clone().into(),
                with: with.clone().into(),
            },
            Kind::Conflict(state) => ErrorKind::Conflict(match state {
                State::PowerOnRequired => Conflict::PowerOnRequired,
                State::PowerOffRequired => Conflict::PowerOffRequired,
                State::InUse => Conflict::InUse,
                State::Occupied => Conflict::Occupied,
                State::Empty => Conflict::Empty,
                State::NotAllowed => Conflict::NotAllowed,
            }),
            Kind::Unsupported { what } => ErrorKind::Unsupported { what: what.clone() },
            Kind::AddressRefused { uri } => ErrorKind::AddressRefused { uri: uri.clone() },
            Kind::Upstream { uri } => ErrorKind::Upstream { uri: uri.clone() },
            Kind::Unavailable { retry_after_ms } => ErrorKind::Unavailable {
                retry_after: Duration::from_millis(*retry_after_ms),
            },
            Kind::Unauthenticated => ErrorKind::Unauthenticated,
            Kind::Forbidden => ErrorKind::Forbidden,
            Kind::PasswordChangeRequired { account } => ErrorKind::PasswordChangeRequired {
                account: account.clone(),
            },
            Kind::SessionLimit => ErrorKind::SessionLimit,
            Kind::LimitExceeded { what } => ErrorKind::LimitExceeded { what: word(what) },
            Kind::Backend => ErrorKind::Backend,
            Kind::Internal => ErrorKind::Internal,
        };
        Self::new(kind, failure.message.clone())
    }
}

/// The constant that a stored word once was. Errors carry constants of the program, so there are few of them, and each is kept once.
fn word(text: &str) -> &'static str {
    static WORDS: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut words = WORDS.lock().expect("words");
    if let Some(known) = words.get(text) {
        return known;
    }
    let new: &'static str = Box::leak(text.to_owned().into_boxed_str());
    words.insert(new);
    new
}

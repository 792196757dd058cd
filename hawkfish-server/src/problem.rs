//! From what is the matter to an HTTP answer: the only place where an error of core gets a status and a Redfish message.

use axum::body::Body;
use hawkfish_core::ctx::Ctx;
use hawkfish_core::error::{Conflict, Error, ErrorKind, Invalid};
use hawkfish_redfish::error::RedfishError;
use hawkfish_redfish::message::{Message, base, hawkfish};
use hawkfish_redfish::validate::Finding;
use http::header::RETRY_AFTER;
use http::{HeaderName, HeaderValue, Response, StatusCode};

use crate::respond;

/// Why a request is not carried out. It becomes an answer last, when the URI and the action it was about are known.
#[derive(Debug)]
pub struct Problem(Box<Inner>);

#[derive(Debug)]
struct Inner {
    cause: Cause,
    related: Vec<String>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

#[derive(Debug)]
enum Cause {
    Core(Error),
    Findings(Vec<Finding>),
    Said(StatusCode, Vec<Message>),
    Missing(String),
    Internal(String),
}

impl Problem {
    fn new(cause: Cause) -> Self {
        Self(Box::new(Inner {
            cause,
            related: Vec::new(),
            headers: Vec::new(),
        }))
    }

    /// A problem in the words of DMTF's Base registry.
    #[must_use]
    pub fn base(status: StatusCode, key: &str, args: &[&str]) -> Self {
        Self::messages(status, vec![base(key, args)])
    }

    /// A problem in messages that are ready to be sent.
    #[must_use]
    pub fn messages(status: StatusCode, messages: Vec<Message>) -> Self {
        Self::new(Cause::Said(status, messages))
    }

    /// What the schema finds wrong with a body: 400 with one message for each.
    #[must_use]
    pub fn findings(findings: Vec<Finding>) -> Self {
        Self::new(Cause::Findings(findings))
    }

    /// There is nothing at that URI: 404.
    #[must_use]
    pub fn missing(uri: &str) -> Self {
        Self::new(Cause::Missing(uri.to_owned()))
    }

    /// HawkFish itself is at fault: 500. `why` goes to the log only.
    pub fn internal(why: impl Into<String>) -> Self {
        Self::new(Cause::Internal(why.into()))
    }

    /// The caller must change the password first: 403.
    #[must_use]
    pub fn password_change(ctx: &Ctx) -> Self {
        let account = ctx.account().map_or("", |account| account.as_str());
        let uri = crate::resource::manager_account::uri(account);
        Self::base(StatusCode::FORBIDDEN, "PasswordChangeRequired", &[&uri])
    }

    /// Adds a property that it is about, as a JSON pointer: `/Boot/BootOrder`.
    #[must_use]
    pub fn related(mut self, pointer: &str) -> Self {
        self.0.related.push(pointer.to_owned());
        self
    }

    /// Moves an error of core from the property that core knows to the one that the caller sent.
    #[must_use]
    pub fn about(mut self, property: &str, sent: &'static str) -> Self {
        if let Cause::Core(error) = &self.0.cause
            && let ErrorKind::Invalid {
                property: known,
                value,
                reason,
            } = error.kind()
            && known == property
        {
            let moved = Error::invalid(
                sent,
                value.clone(),
                reason.clone(),
                error.message().to_owned(),
            );
            self.0.cause = Cause::Core(moved);
        }
        self
    }

    /// Adds a header to the answer.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    /// The answer to a request for `uri`, within the action of that name.
    #[must_use]
    pub fn into_response(self, uri: &str, action: Option<&str>) -> Response<Body> {
        let Inner {
            cause,
            related,
            mut headers,
        } = *self.0;
        let (status, mut messages) = match cause {
            Cause::Said(status, messages) => (status, messages),
            Cause::Missing(uri) => (
                StatusCode::NOT_FOUND,
                vec![base("ResourceMissingAtURI", &[&uri])],
            ),
            Cause::Findings(findings) => {
                let messages = findings.iter().map(|finding| match action {
                    Some(action) => finding.action_message(action),
                    None => finding.message(),
                });
                (StatusCode::BAD_REQUEST, messages.collect())
            }
            Cause::Internal(why) => {
                tracing::error!(uri, why, "a request failed inside");
                (
                    StatusCode::INTERNAL_SERVER_ERROR,
                    vec![base("InternalError", &[])],
                )
            }
            Cause::Core(error) => {
                log(&error, uri);
                let (status, message) = spoken(&error, uri, action);
                if let Some(seconds) = retry_after(&error) {
                    headers.push((RETRY_AFTER, seconds.into()));
                }
                (status, vec![message])
            }
        };
        for pointer in related {
            messages = messages.into_iter().map(|m| m.related(&pointer)).collect();
        }
        let mut response = respond::error(status, RedfishError::new(messages));
        for (name, value) in headers {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self::new(Cause::Core(error))
    }
}

/// What is nobody's fault but ours or the host's is worth a line in the log.
fn log(error: &Error, uri: &str) {
    match error.kind() {
        ErrorKind::Internal => tracing::error!(uri, ?error, "a request failed inside"),
        ErrorKind::Backend | ErrorKind::Unavailable { .. } | ErrorKind::Upstream { .. } => {
            tracing::warn!(uri, ?error, "a request failed outside");
        }
        _ => tracing::debug!(uri, ?error, "a request was refused"),
    }
}

fn retry_after(error: &Error) -> Option<u64> {
    match error.kind() {
        ErrorKind::Unavailable { retry_after } => Some(retry_after.as_secs().max(1)),
        ErrorKind::SessionLimit => Some(60),
        _ => None,
    }
}

fn spoken(error: &Error, uri: &str, action: Option<&str>) -> (StatusCode, Message) {
    let said = error.message();
    match error.kind() {
        ErrorKind::NotFound { .. } => (StatusCode::NOT_FOUND, base("ResourceMissingAtURI", &[uri])),
        ErrorKind::AlreadyExists {
            what,
            property,
            value,
        } => (
            StatusCode::CONFLICT,
            base("ResourceAlreadyExists", &[what, property, value])
                .related(&format!("/{property}")),
        ),
        ErrorKind::Invalid {
            property,
            value,
            reason,
        } => (
            StatusCode::BAD_REQUEST,
            detailed(invalid(property, value, reason, action), said),
        ),
        ErrorKind::PropertyConflict { property, with } => {
            let message = match action {
                Some(_) => base(
                    "ActionParameterValueConflict",
                    &[name(property), name(with)],
                ),
                None => base("PropertyValueConflict", &[name(property), name(with)]),
            };
            let message = message.related(property).related(with);
            (StatusCode::BAD_REQUEST, detailed(message, said))
        }
        ErrorKind::Conflict(conflict) => (
            StatusCode::CONFLICT,
            detailed(in_conflict(conflict, uri), said),
        ),
        ErrorKind::Unsupported { what } => (
            StatusCode::NOT_IMPLEMENTED,
            hawkfish("Unsupported", &[what]),
        ),
        ErrorKind::AddressRefused { uri } => (
            StatusCode::BAD_REQUEST,
            hawkfish("AddressRefused", &[uri, bare(said)]),
        ),
        ErrorKind::Upstream { uri } => (
            StatusCode::BAD_GATEWAY,
            hawkfish("MediaFetchFailed", &[uri, bare(said)]),
        ),
        ErrorKind::Unavailable { retry_after } => {
            let seconds = retry_after.as_secs().max(1).to_string();
            (
                StatusCode::SERVICE_UNAVAILABLE,
                detailed(base("ServiceTemporarilyUnavailable", &[&seconds]), said),
            )
        }
        ErrorKind::Unauthenticated => (StatusCode::UNAUTHORIZED, base("AccessUnauthorized", &[])),
        ErrorKind::Forbidden => (StatusCode::FORBIDDEN, base("InsufficientPrivilege", &[])),
        ErrorKind::PasswordChangeRequired { account } => {
            let uri = crate::resource::manager_account::uri(account.as_str());
            (
                StatusCode::FORBIDDEN,
                base("PasswordChangeRequired", &[&uri]),
            )
        }
        ErrorKind::SessionLimit => (
            StatusCode::SERVICE_UNAVAILABLE,
            base("SessionLimitExceeded", &[]),
        ),
        ErrorKind::LimitExceeded { .. } => (
            StatusCode::INSUFFICIENT_STORAGE,
            detailed(base("CreateLimitReachedForResource", &[]), said),
        ),
        ErrorKind::Backend => (
            StatusCode::INTERNAL_SERVER_ERROR,
            hawkfish("BackendFailed", &[bare(said)]),
        ),
        ErrorKind::Internal | _ => (
            StatusCode::INTERNAL_SERVER_ERROR,
            base("InternalError", &[]),
        ),
    }
}

fn invalid(property: &str, value: &str, reason: &Invalid, action: Option<&str>) -> Message {
    let name = name(property);
    let secret = name.contains("Password");
    let value = if respond::is_secret(name) {
        "******"
    } else {
        value
    };
    let message = match (reason, action) {
        (Invalid::NotInList, None) => base("PropertyValueNotInList", &[value, name]),
        (Invalid::NotInList, Some(action)) => {
            base("ActionParameterValueNotInList", &[value, name, action])
        }
        (Invalid::Format, None) => base("PropertyValueFormatError", &[value, name]),
        (Invalid::Format, Some(action)) => {
            base("ActionParameterValueFormatError", &[value, name, action])
        }
        (Invalid::OutOfRange, None) => base("PropertyValueOutOfRange", &[value, name]),
        (Invalid::OutOfRange, Some(action)) => {
            base("ActionParameterValueOutOfRange", &[value, name, action])
        }
        (Invalid::Length { .. }, _) if secret => base("PasswordIncorrectLength", &[]),
        (Invalid::Length { min, max }, _) => {
            if u32::try_from(value.chars().count()).is_ok_and(|length| length < *min) {
                base("StringValueTooShort", &[value, &min.to_string()])
            } else {
                base("StringValueTooLong", &[value, &max.to_string()])
            }
        }
        (Invalid::Missing, None) => base("PropertyMissing", &[name]),
        (Invalid::Missing, Some(action)) => base("ActionParameterMissing", &[action, name]),
        (Invalid::ReadOnly, None) => base("PropertyNotWritable", &[name]),
        (Invalid::ReadOnly, Some(action)) => base("ActionParameterNotSupported", &[name, action]),
        (_, None) => base("PropertyValueError", &[name]),
        (_, Some(action)) => base("ActionParameterValueError", &[name, action]),
    };
    message.related(property)
}

fn in_conflict(conflict: &Conflict, uri: &str) -> Message {
    match conflict {
        Conflict::PowerOnRequired => base("ChassisPowerStateOnRequired", &[uri]),
        Conflict::PowerOffRequired => base("ChassisPowerStateOffRequired", &[uri]),
        Conflict::InUse | Conflict::Occupied => base("ResourceInUse", &[]),
        _ => base("OperationNotAllowed", &[]),
    }
}

/// The name of a property: the last of its pointer that is no index.
fn name(pointer: &str) -> &str {
    pointer
        .rsplit('/')
        .find(|part| !part.is_empty() && !part.bytes().all(|b| b.is_ascii_digit()))
        .unwrap_or(pointer)
}

/// A sentence as a part of another.
fn bare(sentence: &str) -> &str {
    sentence.trim_end_matches('.')
}

/// The registry's sentence, and what core has to add.
fn detailed(mut message: Message, said: &str) -> Message {
    if !said.is_empty() {
        message.message.push(' ');
        message.message.push_str(said);
    }
    message
}

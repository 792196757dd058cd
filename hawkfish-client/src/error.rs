//! What can go wrong: a kind to act on, a text to show, and what the service answered.

use std::fmt;
use std::time::Duration;

use hawkfish_redfish::message::Message;
use http::{Method, StatusCode};

use crate::message;
use crate::quirks;
use crate::wire::Response;

/// Why a call failed.
#[derive(Debug)]
pub struct Error {
    /// What to do about it.
    pub kind: Kind,
    /// One line to show.
    pub text: String,
    /// What the service answered, if it did.
    pub answered: Option<Box<Answered>>,
    /// What lies below.
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
    unsent: bool,
    hopeless: bool,
}

/// An answer that was a failure.
#[derive(Debug)]
pub struct Answered {
    /// What was asked.
    pub method: Method,
    /// Of which URI.
    pub uri: String,
    /// The status of the answer.
    pub status: StatusCode,
    /// The messages of the service, in its order; empty when it sent none.
    pub messages: Vec<Message>,
}

/// What a program can tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// 400 and every other 4xx without a kind of its own: the request itself is wrong.
    BadRequest,
    /// 401: no credentials, or wrong ones.
    Unauthorized,
    /// 403: who asks may not.
    Forbidden,
    /// 404 or 410.
    NotFound,
    /// 405, 501, or an action that the resource does not list.
    Unsupported,
    /// 409.
    Conflict,
    /// 412 or 428: the resource has changed since it was read, or wants an ETag.
    PreconditionFailed,
    /// 429 or 503: later perhaps.
    Unavailable {
        /// When to try again, if the service said.
        retry_after: Option<Duration>,
    },
    /// Every other 5xx: the service failed.
    Service,
    /// The task came to its end and its work had failed.
    TaskFailed,
    /// It was not done in the time that the caller gave.
    TimedOut,
    /// The answer is not Redfish.
    Protocol,
    /// No answer came: no connection, TLS not trusted, connection lost.
    Transport,
    /// Nothing was sent: the URI leads to another origin, or the client was set up wrongly.
    Refused,
}

impl Error {
    /// An error of one's own: of a [`crate::Transport`] that one has written, or of a decision in [`crate::Client::update`].
    pub fn new(kind: Kind, text: impl Into<String>) -> Self {
        Self {
            kind,
            text: text.into(),
            answered: None,
            source: None,
            unsent: false,
            hopeless: false,
        }
    }

    /// Says of a [`Kind::Transport`] that nothing of the request has left: whatever it was, it can be sent again.
    #[must_use]
    pub fn unsent(mut self) -> Self {
        self.unsent = true;
        self
    }

    /// Says of a [`Kind::Transport`] that it would be the same the next time.
    #[must_use]
    pub fn hopeless(mut self) -> Self {
        self.hopeless = true;
        self
    }

    /// Whether nothing of the request has left, so that the service cannot have acted upon it. `false` where that is not known.
    pub fn is_unsent(&self) -> bool {
        self.unsent
    }

    /// With what more there is to say.
    pub(crate) fn but(mut self, more: impl fmt::Display) -> Self {
        self.text = format!("{}; {more}", self.text);
        self
    }

    pub(crate) fn is_hopeless(&self) -> bool {
        self.hopeless
    }

    pub(crate) fn protocol(text: impl Into<String>) -> Self {
        Self::new(Kind::Protocol, text)
    }

    /// With what lies below.
    #[must_use]
    pub fn caused_by(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The error of an answer with a 4xx or 5xx.
    pub(crate) fn of_response(method: &Method, response: &Response) -> Self {
        let status = response.status;
        let kind = match status.as_u16() {
            401 => Kind::Unauthorized,
            403 => Kind::Forbidden,
            404 | 410 => Kind::NotFound,
            405 | 501 => Kind::Unsupported,
            409 => Kind::Conflict,
            412 | 428 => Kind::PreconditionFailed,
            429 | 503 => Kind::Unavailable {
                retry_after: response.retry_after(),
            },
            400..=499 => Kind::BadRequest,
            _ => Kind::Service,
        };
        let messages = message::of_error(&response.body);
        let kind = match status.is_success() {
            // Quirk `error_as_success`.
            true => quirks::kind_of(&messages),
            false => kind,
        };
        let mut what =
            message::summary(&messages).unwrap_or_else(|| "no message of the service".into());
        if let Some(allow) = response.headers.get(http::header::ALLOW)
            && status == StatusCode::METHOD_NOT_ALLOWED
        {
            let allow = String::from_utf8_lossy(allow.as_bytes());
            what = format!("{what} (it takes {allow})");
        }
        Self {
            answered: Some(Box::new(Answered {
                method: method.clone(),
                uri: response.uri.clone(),
                status,
                messages,
            })),
            ..Self::new(kind, format!("{method} {}: {status}: {what}", response.uri))
        }
    }

    /// The messages of the service; empty when it sent none.
    pub fn messages(&self) -> &[Message] {
        self.answered
            .as_ref()
            .map_or(&[], |answered| &answered.messages)
    }
}

impl Error {
    /// What to do about it, a sentence each: what the service says first (`Resolution` of its messages), then what follows from the kind. Never empty.
    pub fn advice(&self) -> Vec<String> {
        let mut advice = self.resolutions();
        advice.push(self.kind_advice());
        advice
    }

    /// What the service says to do about it: the resolution of each message that has one, each once.
    pub fn resolutions(&self) -> Vec<String> {
        let mut resolutions: Vec<String> = Vec::new();
        for message in self.messages() {
            let resolution = message.resolution.trim();
            // "None" and "None." are what the registries have where there is nothing to do.
            let says = !resolution.is_empty()
                && !resolution.trim_matches('.').eq_ignore_ascii_case("none");
            if says && !resolutions.iter().any(|known| known == resolution) {
                resolutions.push(resolution.to_owned());
            }
        }
        resolutions
    }

    fn kind_advice(&self) -> String {
        match self.kind {
            Kind::BadRequest => "Change the request: the messages of the service say what is wrong with it.",
            Kind::Unauthorized => "Give a user name and a password that the service knows, or log in again.",
            Kind::Forbidden => "Ask as somebody whose role allows it.",
            Kind::NotFound => "Read the collection again: what is there may have changed.",
            Kind::Unsupported => "Look at Actions and Allow of the resource for what the service offers.",
            Kind::Conflict => "Look at the state of the resource: it does not allow this now.",
            Kind::PreconditionFailed => {
                "Read the resource again and decide anew; `Client::update` does both."
            }
            Kind::Unavailable {
                retry_after: Some(after),
            } => return format!("Try again in {} s.", after.as_secs().max(1)),
            Kind::Unavailable { retry_after: None } => "Try again later.",
            Kind::Service => "Look into the log of the service, or update its firmware.",
            Kind::TaskFailed => "Look at the messages of the task.",
            Kind::TimedOut => "Wait longer, or look at the task later: the work goes on.",
            Kind::Protocol => {
                "See that the URL is that of a Redfish service; if it is, its answer is broken."
            }
            Kind::Transport if self.unsent => {
                "See that the address is right, the service runs, and its certificate is trusted. Nothing was sent."
            }
            Kind::Transport => {
                "Look whether the change was made before sending it again: the answer was lost."
            }
            Kind::Refused => "Change the call: nothing was sent.",
        }
        .to_owned()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        // The chain below says what the network or the TLS library found; without it "cannot reach" helps nobody.
        let mut below = self
            .source
            .as_deref()
            .map(|source| source as &dyn std::error::Error);
        while let Some(error) = below {
            write!(f, ": {error}")?;
            below = error.source();
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

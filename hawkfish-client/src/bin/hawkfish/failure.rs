//! Why a command failed, and the exit code that says so to scripts.

use std::fmt;

use hawkfish_client::{Error, Kind};

#[derive(Debug)]
pub(crate) enum Failure {
    /// What was asked for makes no sense.
    Usage(String),
    /// There is no such thing.
    NotFound(String),
    /// It is there already.
    Conflict(String),
    /// Who asks is known, but not by what to prove it.
    Unknown(String),
    /// The service, or the way there.
    Client(Error),
    /// Of several things some failed; each has been told.
    Several { failed: usize, of: usize, code: u8 },
    /// It was not so in the time that there was.
    Late(String),
    /// Another program that was started ended so.
    Ended(u8),
    /// By Ctrl-C or a signal; the exit code that shells expect then.
    Interrupted(u8),
    /// Our own standard output.
    Output(std::io::Error),
}

impl Failure {
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Unknown(_) => 3,
            Self::NotFound(_) => 4,
            Self::Conflict(_) => 5,
            Self::Late(_) => 6,
            Self::Several { code, .. } | Self::Ended(code) | Self::Interrupted(code) => *code,
            Self::Output(_) => 1,
            Self::Client(error) => match error.kind {
                Kind::Refused => 2,
                Kind::Unauthorized | Kind::Forbidden => 3,
                Kind::NotFound | Kind::Unsupported => 4,
                Kind::Conflict | Kind::PreconditionFailed => 5,
                Kind::Unavailable { .. } | Kind::Transport | Kind::TimedOut => 6,
                _ => 1,
            },
        }
    }

    /// What to do about it, where we know.
    pub(crate) fn advice(&self) -> Vec<String> {
        let Self::Client(error) = self else {
            return Vec::new();
        };
        let mut advice = error.resolutions();
        let about: Vec<&str> = error
            .messages()
            .iter()
            .flat_map(|message| &message.related_properties)
            .map(String::as_str)
            .collect();
        if !about.is_empty() {
            advice.push(format!("It is about {}.", about.join(", ")));
        }
        let ours = match error.kind {
            Kind::NotFound => Some("See what there is with `ls` in place of this command.".into()),
            Kind::Conflict => Some("See in what state it is with `show`.".into()),
            Kind::PreconditionFailed => {
                Some("It has changed meanwhile: look at it again, then repeat the command.".into())
            }
            Kind::Unavailable {
                retry_after: Some(after),
            } => Some(format!("Try again in {} s.", after.as_secs())),
            Kind::Unavailable { retry_after: None } => Some("Try again later.".into()),
            Kind::Service => Some("The service has failed; `hawkfish logs` may say why.".into()),
            Kind::TimedOut => Some(
                "Wait for it with `hawkfish tasks wait`, or give it more time with --within.".into(),
            ),
            Kind::Protocol => Some(
                "Is this the URL of a Redfish service? `hawkfish raw get /redfish/v1/` shows what it says."
                    .into(),
            ),
            Kind::Transport => match error.to_string() {
                text if text.contains("no answer in time") => {
                    Some("Give it more time with --timeout.".into())
                }
                text if text.contains("cannot connect") && !text.contains("certificate") => {
                    Some("Is the URL right, and does a service listen there?".into())
                }
                _ => None,
            },
            _ => None,
        };
        // Where the service itself says what to do, it knows better.
        if advice.is_empty()
            || matches!(
                error.kind,
                Kind::PreconditionFailed | Kind::Unavailable { .. }
            )
        {
            advice.extend(ours);
        }
        let mut messages = error.messages().iter();
        if messages.any(|message| message.key() == "PasswordChangeRequired") {
            advice.push("Set another password with `hawkfish accounts passwd`.".into());
        }
        advice.dedup();
        advice
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(text)
            | Self::NotFound(text)
            | Self::Conflict(text)
            | Self::Unknown(text) => f.write_str(text),
            Self::Late(text) => f.write_str(text),
            Self::Interrupted(_) => f.write_str("interrupted"),
            Self::Client(error) => error.fmt(f),
            Self::Several { failed, of, .. } => write!(f, "{failed} of {of} failed"),
            Self::Ended(code) => write!(f, "the program that was started ended with {code}"),
            Self::Output(error) => write!(f, "cannot write the result: {error}"),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Client(error)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Output(error)
    }
}

pub(crate) type Result<T> = std::result::Result<T, Failure>;

//! Why a command failed, and the exit code that says so to scripts.

use std::fmt;

use hawkfish_client::{Error, Kind};

#[derive(Debug)]
pub(crate) enum Failure {
    /// What was asked for makes no sense.
    Usage(String),
    /// There is no such thing.
    NotFound(String),
    /// The service, or the way there.
    Client(Error),
    /// Of several things some failed; each has been told.
    Several { failed: usize, of: usize, code: u8 },
    /// Another program that was started ended so.
    Ended(u8),
    /// Our own standard output.
    Output(std::io::Error),
}

impl Failure {
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::NotFound(_) => 4,
            Self::Several { code, .. } | Self::Ended(code) => *code,
            Self::Output(_) => 1,
            Self::Client(error) => match error.kind {
                Kind::Refused => 2,
                Kind::Unauthorized | Kind::Forbidden => 3,
                Kind::NotFound => 4,
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
        let mut advice: Vec<String> = error
            .messages()
            .iter()
            .map(|message| message.resolution.clone())
            .filter(|resolution| !resolution.is_empty() && resolution != "None")
            .collect();
        match error.kind {
            Kind::Unauthorized => advice.push(
                "Set HAWKFISH_USERNAME and HAWKFISH_PASSWORD, or name a --credentials-file.".into(),
            ),
            Kind::Transport if error.to_string().contains("certificate") => advice.push(
                "Name the certificate that the service uses with --ca FILE, or, where nobody can listen, use --insecure."
                    .into(),
            ),
            Kind::Unavailable {
                retry_after: Some(after),
            } => advice.push(format!("Try again in {} s.", after.as_secs())),
            _ => {}
        }
        advice.dedup();
        advice
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(text) | Self::NotFound(text) => f.write_str(text),
            Self::Client(error) => error.fmt(f),
            Self::Several { failed, of, .. } => write!(f, "{failed} of {of} failed"),
            Self::Ended(code) => write!(f, "it ended with {code}"),
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

//! What is looked for, and what is not let pass.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What a client can do that it should not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Check {
    /// Leave sessions open.
    Sessions,
    /// Leave subscriptions behind.
    Subscriptions,
    /// Leave streams of events open.
    Streams,
    /// Start tasks and never look at them.
    Tasks,
    /// Use what the schemas deprecate: resources, URIs, actions, properties.
    Deprecated,
    /// Send what cannot be understood: no JSON, properties that there are not, values of another type, methods that are not taken.
    Mistakes,
    /// Write without `If-Match` what was refused with 412.
    Overwrites,
    /// Ask again before the time that `Retry-After` said.
    RetryAfter,
    /// Ask for the same too often.
    Polling,
    /// Log in anew for each request.
    Churn,
    /// Send name and password with requests, where there are sessions.
    Basic,
}

/// How bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Services suffer from it.
    Error,
    /// It works here, and will not everywhere.
    Warning,
    /// It could be better.
    Note,
}

impl Check {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Sessions,
        Self::Subscriptions,
        Self::Streams,
        Self::Tasks,
        Self::Deprecated,
        Self::Mistakes,
        Self::Overwrites,
        Self::RetryAfter,
        Self::Polling,
        Self::Churn,
        Self::Basic,
    ];

    /// What is left behind: `leaks`.
    pub const LEAKS: [Self; 4] = [
        Self::Sessions,
        Self::Subscriptions,
        Self::Streams,
        Self::Tasks,
    ];

    /// Its name, `retry-after`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sessions => "sessions",
            Self::Subscriptions => "subscriptions",
            Self::Streams => "streams",
            Self::Tasks => "tasks",
            Self::Deprecated => "deprecated",
            Self::Mistakes => "mistakes",
            Self::Overwrites => "overwrites",
            Self::RetryAfter => "retry-after",
            Self::Polling => "polling",
            Self::Churn => "churn",
            Self::Basic => "basic",
        }
    }

    /// What a client does that it finds nothing of.
    #[must_use]
    pub fn about(self) -> &'static str {
        match self {
            Self::Sessions => "sessions are ended",
            Self::Subscriptions => "subscriptions are removed",
            Self::Streams => "streams of events are closed",
            Self::Tasks => "tasks that were started are looked at",
            Self::Deprecated => "nothing deprecated is used",
            Self::Mistakes => "requests can be understood",
            Self::Overwrites => "what changed meanwhile is not overwritten",
            Self::RetryAfter => "Retry-After is waited for",
            Self::Polling => "nothing is asked for too often",
            Self::Churn => "sessions are used more than once",
            Self::Basic => "sessions are used in place of Basic authentication",
        }
    }

    /// How bad what it finds is.
    #[must_use]
    pub fn severity(self) -> Severity {
        match self {
            Self::Sessions | Self::Subscriptions | Self::Mistakes | Self::Overwrites => {
                Severity::Error
            }
            Self::Streams
            | Self::Tasks
            | Self::Deprecated
            | Self::RetryAfter
            | Self::Polling
            | Self::Churn => Severity::Warning,
            Self::Basic => Severity::Note,
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is not let pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy(BTreeSet<Check>);

impl Policy {
    /// These are not.
    #[must_use]
    pub fn of(checks: &[Check]) -> Self {
        Self(checks.iter().copied().collect())
    }

    /// Whether what such a check finds is not.
    #[must_use]
    pub fn fails(&self, check: Check) -> bool {
        self.0.contains(&check)
    }
}

/// A check that there is not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no check {0:?}; there are {names}, leaks for the first four, and all", names = Check::ALL.map(Check::as_str).join(", "))]
pub struct BadPolicy(pub String);

impl FromStr for Policy {
    type Err = BadPolicy;

    /// Reads names of checks with commas between them; `leaks` stands for all that is left behind, `all` for all.
    fn from_str(text: &str) -> Result<Self, BadPolicy> {
        let mut checks = BTreeSet::new();
        for name in text.split(',').map(str::trim) {
            match name {
                "all" => checks.extend(Check::ALL),
                "leaks" => checks.extend(Check::LEAKS),
                name => {
                    let known = Check::ALL.into_iter().find(|check| check.as_str() == name);
                    checks.insert(known.ok_or_else(|| BadPolicy(name.to_owned()))?);
                }
            }
        }
        Ok(Self(checks))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_read_by_names_and_by_groups() {
        let policy: Policy = "leaks, retry-after".parse().unwrap();
        let mut wanted = Check::LEAKS.to_vec();
        wanted.push(Check::RetryAfter);
        assert_eq!(policy, Policy::of(&wanted));
        assert_eq!("all".parse(), Ok(Policy::of(&Check::ALL)));
        let error = "session".parse::<Policy>().unwrap_err();
        assert!(
            error
                .to_string()
                .contains("\"session\"; there are sessions,")
        );
        for check in Check::ALL {
            let text = serde_json::to_string(&check).unwrap();
            assert_eq!(text, format!("\"{check}\""));
        }
    }
}

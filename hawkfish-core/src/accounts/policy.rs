//! What is asked of passwords and of those who try them.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Invalid, Result};

/// The highest number that a maximum password length can be set to.
pub const MOST_PASSWORD_LENGTH: u32 = 1024;

/// What the account service asks of all accounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AccountPolicy {
    /// Fewest characters of a password.
    pub min_password_length: u32,
    /// Most characters of a password.
    pub max_password_length: u32,
    /// Failures that lock an account; 0 locks none.
    pub lockout_threshold: u32,
    /// How long it is locked, seconds; 0 locks none. Without effect while `lockout_counter_reset` is off.
    pub lockout_duration: u32,
    /// How long after the last failure all are forgotten, seconds; not longer than `lockout_duration`.
    pub lockout_reset_after: u32,
    /// Whether time forgets failures and opens locks; else only an administrator does.
    pub lockout_counter_reset: bool,
    /// Whether a request may bring name and password instead of a token.
    pub basic_auth: BasicAuth,
    /// Grows with every change.
    pub generation: u64,
}

impl Default for AccountPolicy {
    fn default() -> Self {
        Self {
            min_password_length: 8,
            max_password_length: 128,
            lockout_threshold: 5,
            lockout_duration: 300,
            lockout_reset_after: 60,
            lockout_counter_reset: true,
            basic_auth: BasicAuth::Enabled,
            generation: 1,
        }
    }
}

/// Whether HTTP Basic authentication is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BasicAuth {
    /// It is, and `WWW-Authenticate` says so.
    Enabled,
    /// It is, and nothing says so.
    Unadvertised,
    /// It is not.
    Disabled,
}

impl BasicAuth {
    /// The name that Redfish gives it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enabled => "Enabled",
            Self::Unadvertised => "Unadvertised",
            Self::Disabled => "Disabled",
        }
    }
}

/// A wanted change to the policy. It is made as one, or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyChange {
    /// See [`AccountPolicy::min_password_length`].
    pub min_password_length: Option<u32>,
    /// See [`AccountPolicy::max_password_length`].
    pub max_password_length: Option<u32>,
    /// See [`AccountPolicy::lockout_threshold`].
    pub lockout_threshold: Option<u32>,
    /// See [`AccountPolicy::lockout_duration`].
    pub lockout_duration: Option<u32>,
    /// See [`AccountPolicy::lockout_reset_after`].
    pub lockout_reset_after: Option<u32>,
    /// See [`AccountPolicy::lockout_counter_reset`].
    pub lockout_counter_reset: Option<bool>,
    /// See [`AccountPolicy::basic_auth`].
    pub basic_auth: Option<BasicAuth>,
}

impl AccountPolicy {
    /// Whether failures can lock an account.
    #[must_use]
    pub fn locks(&self) -> bool {
        self.lockout_threshold > 0 && (self.lockout_duration > 0 || !self.lockout_counter_reset)
    }

    /// The policy after `change`.
    pub(super) fn changed(&self, change: &PolicyChange) -> Result<Self> {
        let next = Self {
            min_password_length: change
                .min_password_length
                .unwrap_or(self.min_password_length),
            max_password_length: change
                .max_password_length
                .unwrap_or(self.max_password_length),
            lockout_threshold: change.lockout_threshold.unwrap_or(self.lockout_threshold),
            lockout_duration: change.lockout_duration.unwrap_or(self.lockout_duration),
            lockout_reset_after: change
                .lockout_reset_after
                .unwrap_or(self.lockout_reset_after),
            lockout_counter_reset: change
                .lockout_counter_reset
                .unwrap_or(self.lockout_counter_reset),
            basic_auth: change.basic_auth.unwrap_or(self.basic_auth),
            generation: self.generation,
        };
        let out = |property: &'static str, value: u32, message: &'static str| {
            Err(Error::invalid(
                property,
                value.to_string(),
                Invalid::OutOfRange,
                message,
            ))
        };
        if next.max_password_length == 0 || next.max_password_length > MOST_PASSWORD_LENGTH {
            return out(
                "/MaxPasswordLength",
                next.max_password_length,
                "The longest password must have 1 to 1024 characters.",
            );
        }
        if !(1..=next.max_password_length).contains(&next.min_password_length) {
            // Blame what was sent.
            return if change.min_password_length.is_none() {
                out(
                    "/MaxPasswordLength",
                    next.max_password_length,
                    "The longest password cannot be shorter than the shortest.",
                )
            } else {
                out(
                    "/MinPasswordLength",
                    next.min_password_length,
                    "The shortest password must have at least 1 character and cannot be longer than the longest.",
                )
            };
        }
        if next.lockout_reset_after > next.lockout_duration && next.lockout_duration > 0 {
            return if change.lockout_reset_after.is_none() && change.lockout_duration.is_some() {
                out(
                    "/AccountLockoutDuration",
                    next.lockout_duration,
                    "An account cannot be locked for less time than it takes to forget a failure (AccountLockoutCounterResetAfter).",
                )
            } else {
                out(
                    "/AccountLockoutCounterResetAfter",
                    next.lockout_reset_after,
                    "Failures cannot be remembered for longer than an account is locked (AccountLockoutDuration).",
                )
            };
        }
        Ok(if next == *self {
            next
        } else {
            Self {
                generation: self.generation + 1,
                ..next
            }
        })
    }

    /// Checks a password for a user.
    pub(super) fn check_password(&self, user: &str, password: &str) -> Result<()> {
        let (min, max) = (self.min_password_length, self.max_password_length);
        let refuse =
            |reason, message: String| Err(Error::invalid("/Password", "", reason, message));
        if !(min as usize..=max as usize).contains(&password.chars().count()) {
            return refuse(
                Invalid::Length { min, max },
                format!("A password must have {min} to {max} characters."),
            );
        }
        if password.chars().any(char::is_control) {
            return refuse(
                Invalid::Format,
                "A password cannot contain control characters.".to_owned(),
            );
        }
        if password.to_lowercase() == user.to_lowercase() {
            return refuse(
                Invalid::Format,
                "A password cannot be the user name.".to_owned(),
            );
        }
        Ok(())
    }
}

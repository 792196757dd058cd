//! Guests.

use std::time::Duration;

use hawkfish_core::backend::sim::{Guest, OnPanic};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::{BadDescription, span};

/// What a guest does after a panic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Panic {
    /// It restarts.
    Restart,
    /// It stops.
    Stop,
    /// It hangs.
    Hang,
}

/// How a guest behaves: what is said of it differs from how guests usually do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(
    missing_docs,
    reason = "they are the fields of a Guest, which says what they mean"
)]
pub struct GuestMake {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boots_in: Option<SignedDuration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shuts_down_in: Option<SignedDuration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignores_acpi: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resets_itself_after: Option<SignedDuration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_panic: Option<Panic>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub panics_for: Option<SignedDuration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watchdog: Option<SignedDuration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk_boots: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_boots: Option<bool>,
}

impl GuestMake {
    pub(super) fn check(&self, at: &str) -> Result<(), BadDescription> {
        self.over(Guest::default(), at).map(drop)
    }

    pub(crate) fn over(&self, base: Guest, at: &str) -> Result<Guest, BadDescription> {
        let or = |long: Option<SignedDuration>, base: Duration| match long {
            Some(long) => span(at, long),
            None => Ok(base),
        };
        let some = |long: Option<SignedDuration>, base: Option<Duration>| match long {
            Some(long) => span(at, long).map(Some),
            None => Ok(base),
        };
        Ok(Guest {
            boots_in: or(self.boots_in, base.boots_in)?,
            shuts_down_in: or(self.shuts_down_in, base.shuts_down_in)?,
            ignores_acpi: self.ignores_acpi.unwrap_or(base.ignores_acpi),
            resets_itself_after: some(self.resets_itself_after, base.resets_itself_after)?,
            on_panic: match self.on_panic {
                Some(Panic::Restart) => OnPanic::Restart,
                Some(Panic::Stop) => OnPanic::Stop,
                Some(Panic::Hang) => OnPanic::Hang,
                None => base.on_panic,
            },
            panics_for: or(self.panics_for, base.panics_for)?,
            watchdog: some(self.watchdog, base.watchdog)?,
            disk_boots: self.disk_boots.unwrap_or(base.disk_boots),
            network_boots: self.network_boots.unwrap_or(base.network_boots),
        })
    }
}

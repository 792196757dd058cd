//! Why a system was last reset, as far as it is known: from what HawkFish was told to do, and from what its host tells.

use jiff::{SignedDuration, Timestamp};

use crate::app::HawkFish;
use crate::backend::{Cause, Machine};
use crate::ctx::Ctx;
use crate::id::SystemId;
use crate::inventory::System;

/// Why a system was last started or reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResetCause {
    /// Its power button was pressed.
    PowerButton,
    /// HawkFish was told to.
    Command,
    /// Its watchdog was not fed.
    Watchdog,
    /// Its guest did it, or somebody else.
    Unknown,
}

/// What happened to a system lately. Nothing is known from before HawkFish was started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lately {
    cause: Option<ResetCause>,
    /// The reset for which that is the cause.
    at: Option<Timestamp>,
    /// Its watchdog fired.
    barked: Option<Timestamp>,
    /// Its guest was asked to restart.
    asked: Option<Timestamp>,
}

/// Firmware answers a reset with resets of its own, which have the same cause.
const ONE_RESET: SignedDuration = SignedDuration::from_secs(5);
/// How long a watchdog takes from firing to what it does.
const BITES_WITHIN: SignedDuration = SignedDuration::from_secs(60);
/// How long a guest takes from being asked to restarting.
const RESTARTS_WITHIN: SignedDuration = SignedDuration::from_mins(15);

fn within(since: Option<Timestamp>, now: Timestamp, limit: SignedDuration) -> bool {
    since.is_some_and(|since| now.duration_since(since) <= limit)
}

impl System {
    /// Why it was last started or reset, where that is known.
    #[must_use]
    pub fn last_reset_cause(&self) -> Option<ResetCause> {
        // A reset of which nobody heard is not explained by one before.
        let is_last = match (self.lately.at, self.machine.last_reset) {
            (Some(at), Some(last)) => last.duration_since(at) <= ONE_RESET,
            _ => false,
        };
        self.lately.cause.filter(|_| is_last)
    }
}

impl Lately {
    /// HawkFish itself has started or reset a machine, which is now as it is.
    pub(crate) fn commanded(cause: ResetCause, machine: &Machine) -> Self {
        Self {
            cause: Some(cause),
            at: machine.last_reset,
            ..Self::default()
        }
    }

    /// Something happened without being told to by HawkFish.
    fn happened(&mut self, cause: &Cause, last_reset: Option<Timestamp>, now: Timestamp) {
        match cause {
            Cause::Watchdog => self.barked = Some(now),
            Cause::Reset | Cause::Started => {
                let Some(at) = last_reset else { return };
                let is_same = within(self.at, at, ONE_RESET) && self.barked.is_none();
                if is_same {
                    return;
                }
                self.cause = Some(if within(self.barked, now, BITES_WITHIN) {
                    ResetCause::Watchdog
                } else if within(self.asked, now, RESTARTS_WITHIN) {
                    ResetCause::Command
                } else {
                    ResetCause::Unknown
                });
                (self.at, self.barked, self.asked) = (Some(at), None, None);
            }
            _ => {}
        }
    }
}

impl HawkFish {
    /// Takes note of what a host tells of a machine.
    pub(crate) fn note_cause(&self, id: &SystemId, machine: &Machine, cause: &Cause) {
        if matches!(cause, Cause::Watchdog | Cause::Reset | Cause::Started) {
            let now = self.clock().now();
            self.inner
                .inventory
                .update(id, |s| s.lately.happened(cause, machine.last_reset, now));
        }
    }

    /// Takes note that HawkFish itself has started or reset a system.
    pub(crate) fn note_command(&self, id: &SystemId, cause: ResetCause) {
        let Ok(system) = self.system(&Ctx::service(), id) else {
            return;
        };
        // Mostly it was seen with its cause.
        if system.lately != Lately::commanded(cause, &system.machine) {
            self.inner.inventory.update(id, |s| {
                s.lately = Lately::commanded(cause, &s.machine);
            });
        }
    }

    /// Takes note that a guest was asked to restart.
    pub(crate) fn note_asked(&self, id: &SystemId) {
        let now = self.clock().now();
        self.inner
            .inventory
            .update(id, |s| s.lately.asked = Some(now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[test]
    fn a_watchdog_explains_the_reset_that_follows_it_and_those_of_the_firmware_after_it() {
        let mut lately = Lately::default();
        lately.happened(&Cause::Watchdog, Some(at(1)), at(100));
        lately.happened(&Cause::Reset, Some(at(101)), at(101));
        assert_eq!(lately.cause, Some(ResetCause::Watchdog));
        lately.happened(&Cause::Reset, Some(at(102)), at(102));
        assert_eq!(lately.cause, Some(ResetCause::Watchdog));
        lately.happened(&Cause::Reset, Some(at(200)), at(200));
        assert_eq!(lately.cause, Some(ResetCause::Unknown));
    }

    #[test]
    fn a_guest_that_was_asked_restarts_by_command() {
        let mut lately = Lately {
            asked: Some(at(10)),
            ..Lately::default()
        };
        lately.happened(&Cause::Reset, Some(at(20)), at(20));
        assert_eq!(lately.cause, Some(ResetCause::Command));
        lately.happened(&Cause::Reset, Some(at(60)), at(60));
        assert_eq!(lately.cause, Some(ResetCause::Unknown));
    }
}

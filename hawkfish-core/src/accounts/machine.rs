//! When an account is locked, without clock or store.

use jiff::{SignedDuration, Timestamp};

use super::AccountPolicy;

/// How often somebody failed to log in as an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lockout {
    /// Failures that count.
    pub failures: u32,
    /// The last of them.
    pub last_failure: Option<Timestamp>,
    /// Whether the last one locked the account. Whether it still is, is asked with [`Lockout::locked`].
    pub tripped: bool,
}

/// What happens to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// A wrong password.
    Failed,
    /// The right one.
    Succeeded,
    /// An administrator unlocks the account.
    Unlocked,
}

/// ```text
///           Failed, below the threshold
///             ┌──┐
///             │  ▼
///   open(0) ─► open(n) ── Failed, at the threshold ──► locked ── Failed, Succeeded: nothing counts
///      ▲         │                                        │
///      └─────────┴── Succeeded                            │
///      ├─────────┴── `lockout_reset_after` since the last │
///      └────────────── Unlocked, or `lockout_duration` ───┘
/// ```
/// The times count only while `lockout_counter_reset` is on. A threshold or a duration of 0 locks nobody.
impl Lockout {
    /// What becomes of it when `attempt` happens at `now`.
    #[must_use]
    pub fn event(self, policy: &AccountPolicy, now: Timestamp, attempt: Attempt) -> Self {
        if attempt == Attempt::Unlocked {
            return Self::default();
        }
        if self.locked(policy, now) {
            return self;
        }
        match attempt {
            Attempt::Failed => {
                let failures = self.counted(policy, now).saturating_add(1);
                let tripped = policy.locks() && failures >= policy.lockout_threshold;
                Self {
                    failures,
                    last_failure: Some(now),
                    tripped,
                }
            }
            Attempt::Succeeded | Attempt::Unlocked => Self::default(),
        }
    }

    /// Whether the account is locked at `now`.
    #[must_use]
    pub fn locked(&self, policy: &AccountPolicy, now: Timestamp) -> bool {
        self.tripped
            && policy.locks()
            && !(policy.lockout_counter_reset && self.past(now, policy.lockout_duration))
    }

    /// The failures that still count at `now`, where the account is not locked.
    fn counted(&self, policy: &AccountPolicy, now: Timestamp) -> u32 {
        let over = policy.lockout_counter_reset && self.past(now, policy.lockout_reset_after);
        if self.tripped || over {
            0
        } else {
            self.failures
        }
    }

    fn past(&self, now: Timestamp, secs: u32) -> bool {
        self.last_failure.is_none_or(|last| {
            now.duration_since(last) >= SignedDuration::from_secs(i64::from(secs))
        })
    }
}

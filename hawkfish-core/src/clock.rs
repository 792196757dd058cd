//! Time, handed in. Core never reads the wall clock itself.

use std::fmt;
use std::sync::Mutex;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

/// The time of a system of machines: the wall clock, or a clock that only moves when told.
#[async_trait]
pub trait Clock: fmt::Debug + Send + Sync {
    /// The current moment.
    fn now(&self) -> Timestamp;

    /// Returns when [`Clock::now`] has reached `at`; at once where it already has.
    async fn sleep_until(&self, at: Timestamp);
}

/// The wall clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(
            clippy::disallowed_methods,
            reason = "the one place that reads the wall clock"
        )]
        Timestamp::now()
    }

    async fn sleep_until(&self, at: Timestamp) {
        // The wall clock may be set while we wait, so ask again after each nap.
        while let Ok(wait) = std::time::Duration::try_from(at.duration_since(self.now())) {
            if wait.is_zero() {
                return;
            }
            #[expect(
                clippy::disallowed_methods,
                reason = "the one place that waits for the wall clock"
            )]
            tokio::time::sleep(wait.min(std::time::Duration::from_secs(60))).await;
        }
    }
}

/// A clock that stands still until it is advanced.
#[derive(Debug)]
pub struct ManualClock {
    now: Mutex<Timestamp>,
    moved: watch::Sender<()>,
}

impl ManualClock {
    /// A clock standing at `start`.
    #[must_use]
    pub fn new(start: Timestamp) -> Self {
        Self {
            now: Mutex::new(start),
            moved: watch::channel(()).0,
        }
    }

    /// Moves the clock to `at` and wakes who waits for it; never moves it back.
    pub fn set(&self, at: Timestamp) {
        {
            let mut now = self.now.lock().expect("clock");
            *now = at.max(*now);
        }
        self.moved.send_replace(());
    }

    /// Moves the clock on by `by`.
    pub fn advance(&self, by: SignedDuration) {
        self.set(self.now() + by);
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.now.lock().expect("clock")
    }

    async fn sleep_until(&self, at: Timestamp) {
        let mut moved = self.moved.subscribe();
        while self.now() < at {
            if moved.changed().await.is_err() {
                return;
            }
        }
    }
}

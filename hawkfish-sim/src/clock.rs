//! The clock of a world: it stands still until it is moved, or goes on by itself at any speed.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use hawkfish_core::clock::Clock;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

/// The fastest that a clock goes by itself.
pub const MOST_SPEED: f64 = 1_000_000.0;

/// A clock that can be moved, slowed down, sped up and stopped.
///
/// # Behavior
/// - At speed 0 it shows exactly what it was set to: nothing of the time outside gets in.
/// - It never goes back.
#[derive(Debug)]
pub struct WorldClock {
    state: Mutex<State>,
    moved: watch::Sender<()>,
}

#[derive(Clone, Copy, Debug)]
struct State {
    /// What it showed…
    shown: Timestamp,
    /// …then.
    then: Instant,
    speed: f64,
    /// How fast it went before it was frozen.
    frozen_at: Option<f64>,
}

impl State {
    fn now(&self) -> Timestamp {
        if self.speed == 0.0 {
            return self.shown;
        }
        let passed = self.then.elapsed().as_secs_f64() * self.speed;
        let passed = SignedDuration::try_from_secs_f64(passed).unwrap_or(SignedDuration::MAX);
        self.shown.checked_add(passed).unwrap_or(Timestamp::MAX)
    }
}

impl WorldClock {
    /// A clock that shows `start` and stands still.
    #[must_use]
    pub fn new(start: Timestamp) -> Self {
        Self {
            state: Mutex::new(State {
                shown: start,
                then: Instant::now(),
                speed: 0.0,
                frozen_at: None,
            }),
            moved: watch::channel(()).0,
        }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        {
            let mut state = self.state.lock().expect("clock");
            state.shown = state.now();
            state.then = Instant::now();
            change(&mut state);
        }
        self.moved.send_replace(());
    }

    /// Moves it to `at`, and wakes who waits for that; never back.
    pub fn set(&self, at: Timestamp) {
        self.change(|state| state.shown = state.shown.max(at));
    }

    /// How fast it goes by itself: 0 is not at all, 1 as all clocks do.
    #[must_use]
    pub fn speed(&self) -> f64 {
        self.state.lock().expect("clock").speed
    }

    /// Keeps in mind how fast it went.
    pub(crate) fn remember(&self, speed: f64) {
        self.state.lock().expect("clock").frozen_at = Some(speed);
    }

    /// What was kept in mind, once.
    pub(crate) fn remembered(&self) -> Option<f64> {
        self.state.lock().expect("clock").frozen_at.take()
    }

    /// Sets how fast it goes by itself, 0 to [`MOST_SPEED`]; what is no such number is taken for the nearest that is.
    pub fn set_speed(&self, speed: f64) {
        let speed = if speed.is_nan() { 0.0 } else { speed };
        self.change(|state| state.speed = speed.clamp(0.0, MOST_SPEED));
    }
}

#[async_trait]
impl Clock for WorldClock {
    fn now(&self) -> Timestamp {
        self.state.lock().expect("clock").now()
    }

    async fn sleep_until(&self, at: Timestamp) {
        let mut moved = self.moved.subscribe();
        loop {
            let state = *self.state.lock().expect("clock");
            let left = at.duration_since(state.now());
            if left <= SignedDuration::ZERO {
                return;
            }
            let passes = async {
                if state.speed == 0.0 {
                    return std::future::pending().await;
                }
                let outside = left.as_secs_f64() / state.speed;
                // Rounded up, and looked at again: never early.
                let outside = Duration::try_from_secs_f64(outside).unwrap_or(Duration::MAX);
                let bound = Duration::from_secs(60);
                tokio::time::sleep(outside.min(bound) + Duration::from_micros(1)).await;
            };
            tokio::select! {
                () = passes => {}
                changed = moved.changed() => if changed.is_err() {
                    return;
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock() -> WorldClock {
        WorldClock::new("2026-01-01T00:00:00Z".parse().unwrap())
    }

    #[test]
    fn a_clock_that_stands_shows_what_it_was_set_to() {
        let clock = clock();
        let at: Timestamp = "2026-01-01T00:00:05Z".parse().unwrap();
        clock.set(at);
        assert_eq!(clock.now(), at);
        clock.set("2025-01-01T00:00:00Z".parse().unwrap());
        assert_eq!(clock.now(), at, "it went back");
    }

    #[tokio::test]
    async fn who_waits_is_woken_by_a_move_and_by_speed() {
        let clock = std::sync::Arc::new(clock());
        let hour = clock.now() + SignedDuration::from_hours(1);
        let waits = tokio::spawn({
            let clock = clock.clone();
            async move { clock.sleep_until(hour).await }
        });
        tokio::task::yield_now().await;
        assert!(!waits.is_finished());
        clock.set(hour);
        waits.await.unwrap();
        // A hundred days in a moment.
        clock.set_speed(MOST_SPEED);
        clock
            .sleep_until(hour + SignedDuration::from_hours(24))
            .await;
        assert!(clock.now() >= hour + SignedDuration::from_hours(24));
        clock.set_speed(f64::NAN);
        assert_eq!(clock.speed(), 0.0);
        let stands = clock.now();
        assert_eq!(clock.now(), stands);
    }
}

//! The program itself, as a process: with clients from elsewhere, with real guests, and with ends that nobody announced.
//!
//! What these tests need from outside comes by the variables that `scripts/test` describes. What is missing is said aloud, and a failure where
//! `HAWKFISH_TEST_REQUIRE=1` is set.

mod client;
mod crash;
mod drain;
mod event_clients;
mod events_crash;
#[cfg(feature = "libvirt")]
mod images;
mod jobs;
mod network;
pub(crate) mod part;
mod server;
mod sse;
mod validators;

#[cfg(feature = "libvirt")]
mod bmc;
mod browser;
#[cfg(feature = "libvirt")]
mod domain;
#[cfg(feature = "libvirt")]
mod guest;
#[cfg(feature = "libvirt")]
mod guest_events;
#[cfg(feature = "libvirt")]
mod guest_firmware;
#[cfg(feature = "libvirt")]
mod guest_hardware;
#[cfg(feature = "libvirt")]
mod guest_logs;
#[cfg(feature = "libvirt")]
mod guest_media;
#[cfg(feature = "libvirt")]
mod guest_metrics;
#[cfg(feature = "libvirt")]
mod guest_storage;
#[cfg(feature = "libvirt")]
mod lab;
#[cfg(feature = "libvirt")]
mod outage;

use std::time::{Duration, Instant};

/// Asks again and again until there is an answer, for as long as `limit`.
///
/// # Panics
/// When the time is up, with what was waited for.
async fn until<T>(what: &str, limit: Duration, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + limit;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < end, "not within {limit:?}: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

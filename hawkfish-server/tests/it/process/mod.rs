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
mod outage;

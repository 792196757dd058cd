//! The whole of HawkFish as an async Rust API: machines of real and simulated hosts as systems that can be switched, booted and fed media, by
//! accounts with roles, through tasks that survive a crash.
//!
//! Not in here: HTTP, and Redfish JSON. The server turns those into calls of [`app::HawkFish`].

pub mod accounts;
pub mod app;
pub mod backend;
pub mod bios;
pub mod certificates;
pub mod clock;
pub mod ctx;
pub mod db;
pub mod due;
pub mod entropy;
pub mod error;
pub mod events;
pub mod hosts;
pub mod id;
pub mod inventory;
pub mod jobs;
pub mod logs;
pub mod manager;
pub mod media;
pub mod outgoing;
mod run;
pub mod sessions;
pub mod subscriptions;
pub mod systems;
pub mod tasks;
pub mod telemetry;
pub mod update;
pub mod volumes;

pub use error::{Error, ErrorKind, Result};

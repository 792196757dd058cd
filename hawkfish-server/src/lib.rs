//! The Redfish service of HawkFish: from HTTP to [`HawkFish`] and back.
//!
//! A request goes in through the door ([`layers`]), is looked up in the [`catalog`], handled by a [`resource`], and goes out through [`respond`];
//! what goes wrong becomes an answer in [`problem`]. [`App`] is all of that as a value, without a socket; [`serve`] puts it on one.

pub mod app;
pub mod assemble;
pub mod banner;
pub mod catalog;
pub mod events;
pub mod face;
pub mod layers;
pub mod problem;
pub mod redirect;
pub mod resource;
pub mod respond;
pub mod serve;
pub mod settings;
pub mod ssdp;
pub mod start;
pub mod telling;
pub mod tls;
mod upload;

pub use app::{App, Options};
pub use hawkfish_core::app::HawkFish;

//! Faults: how a simulated BMC misbehaves, as data.
//!
//! A [`Rule`] says when ([`When`]: which system, which URI, which calls of those, with what chance, in which stretch of time) and what then ([`Then`]). Rules stand in
//! a list; each request is held against all of them, in order. A rule's chance comes from a stream of its own, made of the world's seed and the rule's
//! name: so another rule, put in before it, does not change when it fires.
//!
//! ```toml
//! [[fault]]
//! name = "busy"
//! when = { uri = "/redfish/v1/Systems/**", method = ["GET"], chance = 0.2, from = "1m", until = "5m" }
//! then = { answer = { status = 503, message = "ServiceTemporarilyUnavailable", args = ["5"], retry_after = 5 } }
//! ```

mod effect;
mod engine;
mod preset;
mod rule;
mod when;

pub use effect::Broken;
pub(crate) use effect::{after, before, breaking_off};
pub use engine::{Encounter, Engine, Firing};
pub use preset::{PRESETS, Preset, preset};
pub use rule::{Answer, BadRule, Damage, Delay, HangUp, Headers, Pretend, Rule, Then};
pub use when::{Calls, Method, Pattern, When};

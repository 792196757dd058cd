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

mod answer;
mod bmc;
mod body;
mod certificate;
mod edit;
mod effect;
mod engine;
mod etag;
mod headers;
mod ill;
mod latency;
mod machine;
mod preset;
mod rule;
mod told;
mod when;
mod wire;
mod work;

pub use answer::{Aim, Answer, Pretend, Redirect, RetryForm};
pub(crate) use bmc::{Absent, Nobody, busy};
pub use bmc::{Away, Bmc, Clock, Reboot};
pub use body::{Damage, Trickle};
pub(crate) use body::{Pace, breaking_off};
pub(crate) use certificate::Authority;
pub use certificate::Tls;
pub use edit::{Change, Edit};
pub use effect::Broken;
pub(crate) use effect::{Asked, after, before, is_stream};
pub use engine::{Arrival, Encounter, Engine, Firing};
pub(crate) use etag::Memory;
pub use etag::{Cache, Etag};
pub use hawkfish_core::backend::Work;
pub use headers::{Headers, Location, Query};
pub(crate) use ill::Ill;
pub use latency::Delay;
pub use machine::{Command, Firmware, Machine, Media, Override, Power};
pub use preset::{PRESETS, Preset, preset};
pub use rule::{BadRule, HangUp, Place, Rule, Then};
pub use told::{Events, Listener, Reordered};
pub use when::{Calls, Method, Pattern, Rate, When};
pub(crate) use wire::Door;
pub use wire::{Certificate, Connection, Framing};
pub use work::{Fails, Percent, Task};

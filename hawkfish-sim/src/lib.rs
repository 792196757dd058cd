//! The deterministic BMC simulator, as a library for tests of Redfish clients: the production service of HawkFish on simulated machines, in process,
//! in a time that only moves when told.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let world = hawkfish_sim::World::builder().seed(42).systems(3).start().await?;
//! let client = world.client()?;
//! let root = client.root().await?;
//! world.advance(jiff::SignedDuration::from_secs(60)).await?;
//! println!("{}", world.trace());
//! # Ok(()) }
//! ```
//!
//! The same seed, the same requests and the same advances of time give the same [`Trace`], to the byte.

pub mod capture;
pub mod clock;
pub mod control;
pub mod description;
pub mod face;
pub mod fault;
mod front;
mod gate;
pub mod record;
pub mod replay;
pub mod report;
pub mod time;
pub mod trace;
mod wire;
mod world;

pub use description::Description;
pub use face::{Face, FaceAt, Faces};
pub use gate::Bmc;
pub use hawkfish_core::backend::sim::{GuestState, Phase};
pub use trace::Trace;
pub use wire::Served;
pub use world::{Builder, Error, PASSWORD, USER, World};

/// What the guide shows of Rust, run as tests.
#[cfg(doctest)]
#[doc = include_str!("../../docs/simulator.md")]
pub struct Guide;

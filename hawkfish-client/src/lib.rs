//! A client for Redfish services, HawkFish or another.
//!
//! ```no_run
//! # async fn example() -> Result<(), hawkfish_client::Error> {
//! use hawkfish_client::{Client, link};
//!
//! let client = Client::builder("https://bmc.example").session("admin", "secret").build()?;
//! let root = client.root().await?;
//! let mut systems = client.members(link(&root.value, "/Systems").expect("every service with machines has systems"));
//! while let Some(member) = systems.next().await? {
//!     let system = member.read(&client).await?;
//!     client.action(&system.value, "ComputerSystem.Reset", &serde_json::json!({"ResetType": "On"})).await?.finish(None).await?;
//! }
//! client.logout().await?;
//! # Ok(())
//! # }
//! ```
//!
//! - [`Client`] reads, changes and calls; [`Fetched`] is what it read, with the [`Etag`] that guards a change.
//! - [`typed`] has machines, accounts, logs and so on as types with verbs.
//! - [`Outcome`] says whether a change is done or goes on as a [`Task`].
//! - [`Members`] walks a collection over all its pages, [`Resources`] reads its members, [`Walk`] everything that links lead to.
//! - [`Client::events`] is the stream of what happens, which lasts.
//! - [`Error`] has a [`Kind`] to act on and the messages of the service.
//! - [`Transport`] carries requests: over TLS, or straight into a service in the same process.
//!
//! URIs are those that the service gave, in its links. One that leads to another origin (scheme, host, port) is refused before anything is sent,
//! a redirect there is not followed, and so no other origin ever sees the credentials.

mod client;
mod collection;
mod error;
pub mod events;
mod expand;
mod features;
mod limit;
mod message;
pub mod quirks;
mod resource;
mod retry;
mod task;
pub mod transport;
pub mod typed;
mod update;
mod walk;
#[cfg(feature = "webhook")]
pub mod webhook;
mod wire;

pub use hawkfish_redfish as redfish;

pub use self::{
    client::{
        Builder, Client, auth::SessionInfo, auth::basic as basic_authorization, open::Opened,
        upload::Upload,
    },
    collection::{Member, Members},
    error::{Answered, Error, Kind},
    events::{Event, EventStream, Events},
    expand::Resources,
    features::{Expands, Features},
    resource::{Etag, Fetched, action_target, link},
    retry::Retry,
    task::{Outcome, Progress, ProgressStream, Task},
    transport::Transport,
    walk::{Missed, Visited, Walk},
    wire::{Request, Response},
};

/// Where every service begins (DSP0266, "Service root request").
pub const SERVICE_ROOT: &str = "/redfish/v1/";

/// What the guide shows, run as tests.
#[cfg(doctest)]
#[doc = include_str!("../../docs/client.md")]
pub struct Guide;

/// What the README shows.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;

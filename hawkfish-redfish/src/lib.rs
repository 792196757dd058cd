//! The words of Redfish: models, validation, messages. No I/O.
//!
//! - [`model`]: typed resources, patch types, action parameters and enumerations.
//! - [`validate`]: a body or a representation against what is served.
//! - [`message`] and [`error`]: message objects and the error body that carries them.
//! - [`metadata`]: the OData `$metadata` document and JSON Schemas.
//!
//! What is served is said once, in `served.toml`; the facts about it come from DMTF's CSDL.

pub mod error;
pub mod message;
pub mod metadata;
pub mod model;
pub mod validate;

mod table;
mod tables;

//! The words of Redfish: models, validation, messages. No I/O.
//!
//! - [`model`]: typed resources, patch types, action parameters and enumerations.
//! - [`validate`]: a body or a representation against what is served.
//! - [`message`] and [`error`]: message objects and the error body that carries them.
//! - [`query`]: `$filter`, `$select`, `$expand` and the other query parameters.
//! - [`metadata`]: the OData `$metadata` document and JSON Schemas.
//! - [`deprecated`]: what clients are asked not to use any more.
//! - [`schema`]: what DMTF's schemas say of resources that are not served here.
//!
//! What is served is said once, in `served.toml`; the facts about it come from DMTF's CSDL.
//!
//! ```
//! use hawkfish_redfish::{error::RedfishError, model::computer_system::ComputerSystemPatch, validate};
//!
//! let body = validate::parse_strict(br#"{"AssetTag": null, "UUID": "x"}"#).unwrap();
//! let findings = validate::patch("ComputerSystem", body.as_object().unwrap());
//! let messages: Vec<_> = findings.iter().map(|finding| finding.message()).collect();
//! assert_eq!(messages[0].message_id, "Base.1.22.PropertyNotWritable");
//! assert_eq!(messages[0].related_properties, ["#/UUID"]);
//! let answer = RedfishError::from(messages);
//! assert_eq!(answer.error.extended_info.len(), 1);
//!
//! let patch: ComputerSystemPatch = serde_json::from_value(body).unwrap();
//! assert_eq!(patch.asset_tag.change(), Some(None)); // null clears it
//! ```

pub mod deprecated;
pub mod error;
pub mod message;
pub mod metadata;
pub mod model;
pub mod query;
pub mod schema;
pub mod validate;

mod table;
mod tables;

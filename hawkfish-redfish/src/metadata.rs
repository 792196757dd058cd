//! The OData `$metadata` document and JSON Schemas of what is served.

use serde_json::Value;

/// The `$metadata` document (CSDL, XML).
pub fn document() -> &'static str {
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>"
}

/// The JSON Schema (2020-12) of an entity, with only what is served.
pub fn json_schema(_entity: &str) -> Option<&'static Value> {
    None
}

//! The OData `$metadata` document and JSON Schemas of what is served.

mod action_info;
mod json_schema;
mod yaml;

use crate::table::Table;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// The `$metadata` document (CSDL, XML; DSP0266, "OData $metadata").
///
/// It refers to the public schema of every namespace that something served comes from; the entity
/// container stands in its first Schema.
pub fn document() -> &'static str {
    include_str!(concat!(env!("OUT_DIR"), "/metadata.xml"))
}

/// The JSON Schema (2020-12) of an entity or of an extension, with only what is served; it needs no other file.
pub fn json_schema(entity: &str) -> Option<&'static Value> {
    static SCHEMAS: LazyLock<BTreeMap<&'static str, Value>> = LazyLock::new(|| {
        let entities = crate::validate::entities()
            .filter_map(|name| Some((name, json_schema::of(crate::validate::entity(name)?))));
        let extensions = Table::get()
            .extensions
            .iter()
            .map(|one| (one.name.as_str(), json_schema::of_extension(one)));
        entities.chain(extensions).collect()
    });
    SCHEMAS.get(entity)
}

/// The schemas whose objects stand within the `Oem` of something, each with the `@odata.type` of that object.
pub fn extensions() -> impl Iterator<Item = (&'static str, String)> {
    let table = Table::get();
    table.extensions.iter().map(|one| {
        let ty = &table.types[one.ty].name;
        (one.name.as_str(), format!("#{ty}"))
    })
}

/// Our own schemas (CSDL, XML), whole, by the names of their files: `HawkFishDeadLetter_v1.xml`. The `$metadata` document refers to them at
/// `/redfish/v1/schemas/` and that name.
pub fn schema_files() -> &'static [(&'static str, &'static str)] {
    const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/own.rs"));
    FILES
}

/// Whether a schema is ours, not DMTF's.
pub fn is_own(schema: &str) -> bool {
    let is = |file: &str| file.strip_suffix("_v1.xml") == Some(schema);
    schema_files().iter().any(|(file, _)| is(file))
}

/// Everything that is served and everything that can be sent, as the schemas of one OpenAPI 3.1 document: an entity by its name, what a PATCH or a POST sends
/// by that and `Patch` or `Create` (`BiosPatch`), what an action takes by its name and `Parameters` (`ComputerSystem.ResetParameters`).
pub fn components() -> Map<String, Value> {
    json_schema::components()
}

/// A value as YAML 1.2.
pub fn yaml(value: &Value) -> String {
    yaml::of(value)
}

/// The parameters of an action, named `ComputerSystem.Reset`, as `ActionInfo` lists them: with the values that the schema allows, of which a resource may
/// allow only some. `None` where the entity has no such action.
pub fn parameters(entity: &str, action: &str) -> Option<Vec<Map<String, Value>>> {
    action_info::of(entity, action)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_entity_container_stands_in_the_first_schema() {
        let document = document();
        let schema = document.find("<Schema ").unwrap();
        let container = document.find("<EntityContainer ").unwrap();
        assert!(schema < container && document.matches("<Schema ").count() == 1);
    }

    #[test]
    fn every_type_served_is_included_with_its_version() {
        for entity in crate::validate::entities() {
            let ty = crate::validate::odata_type(entity).unwrap();
            let namespace = ty.trim_start_matches('#').rsplit_once('.').unwrap().0;
            let include = format!("<edmx:Include Namespace=\"{namespace}\"/>");
            assert!(document().contains(&include), "{namespace}");
            let from = match is_own(entity) {
                true => "/redfish/v1/schemas",
                false => "http://redfish.dmtf.org/schemas/v1",
            };
            let reference = format!("{from}/{entity}_v1.xml");
            assert!(document().contains(&reference), "{reference}");
        }
        assert!(document().contains("Namespace=\"RedfishExtensions.v1_0_0\" Alias=\"Redfish\""));
    }

    #[test]
    fn a_json_schema_refers_only_to_itself() {
        for entity in crate::validate::entities() {
            let schema = json_schema(entity).unwrap();
            let text = schema.to_string();
            for reference in text.split("\"$ref\":\"").skip(1) {
                let name = reference.split('"').next().unwrap();
                let name = name.strip_prefix("#/$defs/").unwrap();
                assert!(schema["$defs"].get(name).is_some(), "{entity}: {name}");
            }
        }
        assert!(json_schema("NoSuchEntity").is_none());
    }
}

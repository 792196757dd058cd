//! What clients are asked not to use any more: facts of the schemas (`Redfish.Revisions`, `Redfish.DeprecatedUris`), of what is served.
//!
//! ```
//! use hawkfish_redfish::deprecated;
//!
//! let body = serde_json::json!({"IndicatorLED": "Lit", "AssetTag": "rack 7"});
//! let written = deprecated::written("ComputerSystem", &body);
//! assert_eq!((written[0].pointer.as_str(), written[0].since), ("/IndicatorLED", Some("1.13.0")));
//! assert_eq!(written.len(), 1);
//! ```

use serde_json::Value;

use crate::table::{Kind, Table};

/// A property or parameter that should not be written any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Where it stands in the body: a JSON pointer. Elements of arrays are not told apart.
    pub pointer: String,
    /// The version of the schema that says so, `1.13.0`; `None` where it names none.
    pub since: Option<&'static str>,
}

fn since(deprecated: &'static Option<String>) -> Option<Option<&'static str>> {
    let version = deprecated.as_deref()?;
    Some((!version.is_empty()).then_some(version))
}

/// Whether a resource of that schema, `Power`, should not be used any more; if so, since which version where that is known.
#[must_use]
pub fn resource(entity: &str) -> Option<Option<&'static str>> {
    let mut entities = Table::get().entities.iter();
    since(&entities.find(|known| known.name == entity)?.deprecated)
}

/// Whether an action, `ComputerSystem.Reset`, should not be called any more; if so, since which version where that is known.
#[must_use]
pub fn action(name: &str) -> Option<Option<&'static str>> {
    let mut all = Table::get()
        .entities
        .iter()
        .flat_map(|known| &known.actions);
    since(&all.find(|known| known.name == name)?.deprecated)
}

/// The schema of what stands at a path, if it should not be looked for there any more.
#[must_use]
pub fn uri(path: &str) -> Option<&'static str> {
    let path = path.trim_end_matches('/');
    let mut entities = Table::get().entities.iter();
    let found = entities.find(|known| known.deprecated_uris.iter().any(|uri| fits(uri, path)));
    found.map(|known| known.name.as_str())
}

fn fits(template: &str, path: &str) -> bool {
    let (mut template, mut path) = (template.trim_end_matches('/').split('/'), path.split('/'));
    loop {
        match (template.next(), path.next()) {
            (None, None) => return true,
            (Some(wanted), Some(found)) => {
                let is_any = wanted.starts_with('{') && !found.is_empty();
                if !is_any && wanted != found {
                    return false;
                }
            }
            _ => return false,
        }
    }
}

/// What of the body of a PATCH, or of the POST that makes one, should not be written any more.
#[must_use]
pub fn written(entity: &str, body: &Value) -> Vec<Written> {
    let mut entities = Table::get().entities.iter();
    let found = entities.find(|known| known.name == entity);
    found.map_or_else(Vec::new, |known| walk(known.ty, body))
}

/// What of the parameters of an action should not be given any more.
#[must_use]
pub fn given(action: &str, body: &Value) -> Vec<Written> {
    let mut all = Table::get()
        .entities
        .iter()
        .flat_map(|known| &known.actions);
    let found = all.find(|known| known.name == action);
    found.map_or_else(Vec::new, |known| walk(known.params, body))
}

fn walk(ty: usize, body: &Value) -> Vec<Written> {
    let mut found = Vec::new();
    look(ty, body, &mut String::new(), &mut found);
    found
}

fn look(ty: usize, value: &Value, at: &mut String, found: &mut Vec<Written>) {
    match value {
        Value::Object(members) => {
            for (name, below) in members {
                let Some(property) = Table::get().types[ty].property(name) else {
                    continue;
                };
                let length = at.len();
                at.push('/');
                at.push_str(name);
                if let Some(since) = since(&property.deprecated)
                    && !found.iter().any(|known| known.pointer == *at)
                {
                    let pointer = at.clone();
                    found.push(Written { pointer, since });
                }
                if let Kind::Object(below_ty) = property.kind {
                    look(below_ty, below, at, found);
                }
                at.truncate(length);
            }
        }
        Value::Array(elements) => {
            for element in elements {
                look(ty, element, at, found);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_template_fits_a_path_segment_by_segment() {
        let template = "/redfish/v1/Systems/{ComputerSystemId}/Storage/{StorageId}";
        assert!(fits(template, "/redfish/v1/Systems/a/Storage/b"));
        for other in [
            "/redfish/v1/Systems/a/Storage",
            "/redfish/v1/Systems/a/Storage/b/c",
            "/redfish/v1/Systems//Storage/b",
            "/redfish/v1/Chassis/a/Storage/b",
        ] {
            assert!(!fits(template, other), "{other}");
        }
    }

    #[test]
    fn what_the_schemas_deprecate_is_known_and_nothing_else() {
        assert_eq!(resource("ComputerSystem"), None);
        assert_eq!(action("ComputerSystem.Reset"), None);
        assert_eq!(uri("/redfish/v1/Systems/a"), None);
        let boot = json!({"Boot": {"BootSourceOverrideTarget": "Pxe"}});
        assert_eq!(written("ComputerSystem", &boot), []);
        assert_eq!(written("NoSuchThing", &boot), []);
        // Some of what is served is deprecated, each with its version.
        let table = Table::get();
        let named = |deprecated: &'static Option<String>| since(deprecated).is_some();
        let properties = table.types.iter().flat_map(|ty| &ty.properties);
        assert!(properties.filter(|p| named(&p.deprecated)).count() > 10);
        assert!(table.entities.iter().any(|e| !e.deprecated_uris.is_empty()));
    }
}

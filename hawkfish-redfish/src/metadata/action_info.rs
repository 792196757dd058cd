//! What the parameters of an action are, from the validation tables.

use crate::table::{Flags, Kind, Property, Table};
use serde_json::{Map, Value};

/// One `ActionInfo.Parameters` object for each parameter.
pub(super) fn of(entity: &str, action: &str) -> Option<Vec<Map<String, Value>>> {
    let entity = crate::validate::entity(entity)?;
    let action = entity.actions.iter().find(|known| known.name == action)?;
    let parameters = &Table::get().types[action.params].properties;
    Some(parameters.iter().map(parameter).collect())
}

fn parameter(parameter: &Property) -> Map<String, Value> {
    let table = Table::get();
    let array = parameter.flags.has(Flags::ARRAY);
    let (one, many) = match parameter.kind {
        Kind::Bool => ("Boolean", "ObjectArray"),
        Kind::Int | Kind::Decimal => ("Number", "NumberArray"),
        Kind::Str
        | Kind::Uri
        | Kind::DateTime
        | Kind::Guid
        | Kind::Duration
        | Kind::Primitive
        | Kind::Enum(_) => ("String", "StringArray"),
        Kind::Map | Kind::Link | Kind::Object(_) => ("Object", "ObjectArray"),
    };
    let mut out = Map::new();
    let mut put = |name: &str, value: Value| out.insert(name.to_owned(), value);
    put("Name", parameter.name.as_str().into());
    put("Required", parameter.flags.has(Flags::REQUIRED).into());
    put("DataType", if array { many } else { one }.into());
    match parameter.kind {
        Kind::Object(at) => {
            put(
                "ObjectDataType",
                format!("#{}", table.types[at].name).into(),
            );
        }
        Kind::Enum(at) => {
            put("AllowableValues", table.enums[at].clone().into());
        }
        _ => {}
    }
    if let Some(pattern) = parameter.pattern {
        put("AllowablePattern", table.patterns[pattern].as_str().into());
    }
    for (name, bound) in [
        ("MinimumValue", parameter.min),
        ("MaximumValue", parameter.max),
    ] {
        if let Some(bound) = bound {
            put(name, super::json_schema::whole(bound));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_parameter_is_told_with_its_type_and_whether_it_is_needed() {
        let reset = of("ComputerSystem", "ComputerSystem.Reset").unwrap();
        let kind = reset.iter().find(|p| p["Name"] == "ResetType").unwrap();
        assert_eq!(kind["DataType"], "String");
        assert!(
            kind["AllowableValues"]
                .as_array()
                .unwrap()
                .contains(&json!("ForceOff"))
        );
        let insert = of("VirtualMedia", "VirtualMedia.InsertMedia").unwrap();
        let named = |name: &str| insert.iter().find(|p| p["Name"] == name).unwrap();
        assert_eq!(named("Image")["Required"], true);
        assert_eq!(named("UserName")["Required"], false);
        assert_eq!(named("Inserted")["DataType"], "Boolean");
        assert!(of("ComputerSystem", "ComputerSystem.NoSuchAction").is_none());
    }
}

//! Writes JSON Schemas from the validation tables, so that the two say the same.

use crate::table::{Entity, Flags, Kind, Property, Table};
use serde_json::{Map, Value, json};

/// Names of annotations that any object may carry.
const ANNOTATION: &str =
    "^([A-Za-z_][A-Za-z0-9_]*)?@(odata|Redfish|Message)\\.[A-Za-z_][A-Za-z0-9_]*$";

pub(super) fn of(entity: &Entity) -> Value {
    let mut writer = Writer {
        table: Table::get(),
        definitions: Map::new(),
    };
    let root = writer.object(entity.ty);
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": entity.odata_type,
    });
    let members = schema.as_object_mut().expect("it is an object");
    members.extend(root);
    members.insert("$defs".to_owned(), Value::Object(writer.definitions));
    schema
}

struct Writer {
    table: &'static Table,
    definitions: Map<String, Value>,
}

impl Writer {
    fn object(&mut self, at: usize) -> Map<String, Value> {
        let ty = &self.table.types[at];
        let mut properties = Map::new();
        for property in &ty.properties {
            properties.insert(property.name.clone(), self.property(property));
        }
        let mut patterns = Map::new();
        patterns.insert(ANNOTATION.to_owned(), json!(true));
        for (pattern, kind) in &ty.dynamic {
            let value = self.value(*kind, None);
            patterns.insert(self.table.patterns[*pattern].clone(), value);
        }
        let needed = ty
            .properties
            .iter()
            .filter(|property| property.flags.has(Flags::REQUIRED));
        let required: Vec<&str> = needed.map(|property| property.name.as_str()).collect();
        let mut schema = Map::new();
        schema.insert("type".to_owned(), json!("object"));
        schema.insert("properties".to_owned(), Value::Object(properties));
        schema.insert("patternProperties".to_owned(), Value::Object(patterns));
        schema.insert("additionalProperties".to_owned(), json!(ty.open));
        if !required.is_empty() {
            schema.insert("required".to_owned(), json!(required));
        }
        schema
    }

    fn property(&mut self, property: &Property) -> Value {
        let flags = property.flags;
        let mut schema = self.value(property.kind, Some(property));
        if flags.has(Flags::SECRET) && property.name.contains("Password") {
            schema = json!({"type": "null"});
        } else if flags.has(Flags::NULLABLE) {
            schema = nullable(schema);
        }
        if flags.has(Flags::ARRAY) {
            schema = json!({"type": "array", "items": schema});
        }
        if !flags.has(Flags::WRITABLE)
            && !matches!(property.kind, Kind::Object(at) if self.table.types[at].writable)
            && let Some(schema) = schema.as_object_mut()
        {
            schema.insert("readOnly".to_owned(), json!(true));
        }
        schema
    }

    fn value(&mut self, kind: Kind, property: Option<&Property>) -> Value {
        let mut schema = match kind {
            Kind::Bool => json!({"type": "boolean"}),
            Kind::Int => json!({"type": "integer"}),
            Kind::Decimal => json!({"type": "number"}),
            Kind::Str => json!({"type": "string"}),
            Kind::Uri => json!({"type": "string", "format": "uri-reference"}),
            Kind::DateTime => json!({"type": "string", "format": "date-time"}),
            Kind::Guid => json!({"type": "string", "format": "uuid"}),
            Kind::Duration => json!({
                "type": "string",
                "pattern": "^-?P(?:\\d+D)?(?:T(?:\\d+H)?(?:\\d+M)?(?:\\d+(?:\\.\\d+)?S)?)?$",
                "allOf": [{"pattern": "\\d[DHMS]$"}],
            }),
            Kind::Primitive => json!({"type": ["string", "number", "boolean"]}),
            Kind::Map => json!({"type": "object"}),
            Kind::Link => self.link(),
            Kind::Enum(at) => json!({"type": "string", "enum": self.table.enums[at]}),
            Kind::Object(at) => self.reference(at),
        };
        let members = schema.as_object_mut().expect("it is an object");
        if let Some(property) = property {
            if let Some(pattern) = property.pattern {
                members.insert("pattern".to_owned(), json!(self.table.patterns[pattern]));
            }
            for (name, bound) in [("minimum", property.min), ("maximum", property.max)] {
                if let Some(bound) = bound {
                    members.insert(name.to_owned(), whole(bound));
                }
            }
        }
        schema
    }

    fn reference(&mut self, at: usize) -> Value {
        let name = self.table.types[at].name.clone();
        if !self.definitions.contains_key(&name) {
            // Its place is taken first: a type may hold itself.
            self.definitions.insert(name.clone(), Value::Null);
            let object = Value::Object(self.object(at));
            self.definitions.insert(name.clone(), object);
        }
        json!({"$ref": format!("#/$defs/{name}")})
    }

    /// A reference to a resource, or the resource itself once expanded.
    fn link(&mut self) -> Value {
        if !self.definitions.contains_key("idRef") {
            let id_ref = json!({
                "type": "object",
                "properties": {"@odata.id": {"type": "string", "format": "uri-reference"}},
                "required": ["@odata.id"],
                "if": {"not": {"required": ["@odata.type"]}},
                "then": {
                    "properties": {"@odata.id": true},
                    "patternProperties": {ANNOTATION: true},
                    "additionalProperties": false,
                },
            });
            self.definitions.insert("idRef".to_owned(), id_ref);
        }
        json!({"$ref": "#/$defs/idRef"})
    }
}

fn nullable(mut schema: Value) -> Value {
    let Some(members) = schema.as_object_mut() else {
        return schema;
    };
    if let Some(Value::Array(values)) = members.get_mut("enum") {
        values.push(Value::Null);
    }
    match members.get_mut("type") {
        Some(ty @ Value::String(_)) => {
            *ty = json!([ty, "null"]);
            schema
        }
        Some(Value::Array(types)) => {
            types.push(json!("null"));
            schema
        }
        _ => json!({"anyOf": [schema, {"type": "null"}]}),
    }
}

/// 5 rather than 5.0.
pub(super) fn whole(bound: f64) -> Value {
    if bound.fract() == 0.0 && bound.abs() < 9e15 {
        // It is whole and small enough: nothing is lost.
        json!(bound as i64)
    } else {
        json!(bound)
    }
}

//! Writes JSON Schemas from the validation tables, so that the two say the same.

use crate::table::{Entity, Extension, Flags, Kind, Property, Table};
use serde_json::{Map, Value, json};

/// Names of annotations that any object may carry.
const ANNOTATION: &str =
    "^([A-Za-z_][A-Za-z0-9_]*)?@(odata|Redfish|Message)\\.[A-Za-z_][A-Za-z0-9_]*$";

pub(super) fn of(entity: &Entity) -> Value {
    document(&entity.odata_type, entity.ty)
}

/// The object of a vendor within an `Oem`.
pub(super) fn of_extension(extension: &Extension) -> Value {
    let name = &Table::get().types[extension.ty].name;
    document(&format!("#{name}"), extension.ty)
}

fn document(title: &str, ty: usize) -> Value {
    let mut writer = Writer {
        table: Table::get(),
        definitions: Map::new(),
        place: "#/$defs/",
        view: View::Answer,
    };
    let root = writer.object(ty);
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
    });
    let members = schema.as_object_mut().expect("it is an object");
    members.extend(root);
    members.insert("$defs".to_owned(), Value::Object(writer.definitions));
    schema
}

/// All that is served and all that can be sent, as schemas that refer to each other within one OpenAPI document: an entity by its name, what changes or
/// creates it by that and `Patch` or `Create`, what an action takes by the name of the action and `Parameters`.
pub(super) fn components() -> Map<String, Value> {
    let table = Table::get();
    let mut writer = Writer {
        table,
        definitions: Map::new(),
        place: "#/components/schemas/",
        view: View::Answer,
    };
    for name in crate::validate::entities() {
        let Some(entity) = crate::validate::entity(name) else {
            continue;
        };
        let mut root = writer.viewed(View::Answer, entity.ty);
        root.insert("title".to_owned(), json!(entity.odata_type));
        writer.definitions.insert(name.to_owned(), root.into());
        if entity.capabilities[1] {
            let patch = writer.viewed(View::Patch, entity.ty);
            writer
                .definitions
                .insert(format!("{name}Patch"), patch.into());
        }
        if table.types[entity.ty].creatable {
            let create = writer.viewed(View::Create, entity.ty);
            writer
                .definitions
                .insert(format!("{name}Create"), create.into());
        }
        for action in &entity.actions {
            let parameters = writer.viewed(View::Input, action.params);
            let name = format!("{}Parameters", action.name);
            writer.definitions.insert(name, parameters.into());
        }
    }
    writer.definitions
}

/// What a type is looked at for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum View {
    /// What is answered.
    Answer,
    /// What changes it: what cannot be written is not there, and nothing is needed.
    Patch,
    /// What creates it.
    Create,
    /// What an action takes, and whatever stands within what is sent whole.
    Input,
}

struct Writer {
    table: &'static Table,
    definitions: Map<String, Value>,
    /// What a reference to a definition begins with.
    place: &'static str,
    view: View,
}

impl Writer {
    fn viewed(&mut self, view: View, at: usize) -> Map<String, Value> {
        self.view = view;
        self.object(at)
    }

    /// Whether a property is there at all, as the type is looked at.
    fn is_in(&self, property: &Property) -> bool {
        match self.view {
            View::Answer | View::Input => true,
            View::Create => {
                property.flags.has(Flags::CREATE)
                    || matches!(property.kind, Kind::Object(at) if self.table.types[at].creatable)
            }
            View::Patch => {
                property.flags.has(Flags::WRITABLE)
                    || matches!(property.kind, Kind::Object(at) if self.table.types[at].writable)
            }
        }
    }

    fn is_needed(&self, property: &Property) -> bool {
        match self.view {
            View::Answer | View::Input => property.flags.has(Flags::REQUIRED),
            View::Create => property.flags.has(Flags::REQUIRED_ON_CREATE),
            View::Patch => false,
        }
    }

    fn object(&mut self, at: usize) -> Map<String, Value> {
        let ty = &self.table.types[at];
        let mut properties = Map::new();
        for property in ty.properties.iter().filter(|one| self.is_in(one)) {
            properties.insert(property.name.clone(), Value::Null);
        }
        for property in &ty.properties {
            if properties.contains_key(&property.name) {
                properties[&property.name] = self.property(property);
            }
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
            .filter(|property| self.is_needed(property));
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
        let answered = self.view == View::Answer;
        let removed = self.view == View::Patch && flags.has(Flags::ARRAY);
        // An optional parameter may be null, as if it were not given.
        let left_out = self.view == View::Input && !flags.has(Flags::REQUIRED);
        let secret = flags.has(Flags::SECRET) && property.name.contains("Password");
        if answered && (secret || flags.has(Flags::WRITE_ONLY)) {
            schema = json!({"type": "null"});
        } else if flags.has(Flags::NULLABLE) || removed || left_out {
            schema = nullable(schema);
        }
        if flags.has(Flags::ARRAY) {
            schema = json!({"type": "array", "items": schema});
        }
        // Members that stand in their collection whole are changed where they are.
        let is_whole = property.name != "Members";
        if answered
            && !flags.has(Flags::WRITABLE)
            && !matches!(property.kind, Kind::Object(at) if is_whole && self.table.types[at].writable)
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
            if let Some(length) = property.max_length {
                members.insert("maxLength".to_owned(), json!(length));
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
        let outer = self.view;
        // What is given to create something, or to an action, is given whole.
        let (view, suffix) = match outer {
            View::Answer => (View::Answer, ""),
            View::Patch => (View::Patch, ".Patch"),
            View::Create if self.table.types[at].creatable => (View::Create, ".Create"),
            View::Create | View::Input => (View::Input, ".Input"),
        };
        let name = format!("{}{suffix}", self.table.types[at].name);
        if !self.definitions.contains_key(&name) {
            // Its place is taken first: a type may hold itself.
            self.definitions.insert(name.clone(), Value::Null);
            let object = Value::Object(self.viewed(view, at));
            self.definitions.insert(name.clone(), object);
            self.view = outer;
        }
        json!({"$ref": format!("{}{name}", self.place)})
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
        json!({"$ref": format!("{}idRef", self.place)})
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

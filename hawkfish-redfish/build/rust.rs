//! Writes the Rust types.

use crate::ir::{Enum, Ir, Property, Role, Type};
use crate::names::{field, snake, variant};
use crate::table::{Flags, Kind};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) fn emit(ir: &Ir) -> String {
    let mut modules: BTreeMap<String, String> = BTreeMap::new();
    for item in &ir.enums {
        modules
            .entry(snake(&item.schema))
            .or_default()
            .push_str(&enumeration(item));
    }
    for ty in &ir.types {
        let module = modules.entry(snake(&ty.schema)).or_default();
        let name = &ty.name;
        match ty.role {
            Role::Params => module.push_str(&structure(ir, ty, name, Use::Params)),
            Role::Action => module.push_str(&structure(ir, ty, name, Use::Read)),
            _ => {
                module.push_str(&structure(ir, ty, name, Use::Read));
                if writable(ir, ty) {
                    module.push_str(&structure(ir, ty, &format!("{name}Patch"), Use::Patch));
                }
                if creatable(ir, ty) {
                    module.push_str(&structure(ir, ty, &format!("{name}Create"), Use::Create));
                }
            }
        }
    }
    let mut out = String::new();
    for (name, body) in &modules {
        let lent: String = lent(ir, name)
            .iter()
            .map(|path| format!("    pub use super::{path};\n"))
            .collect();
        out.push_str(&format!(
            "/// The schema's types, newest version.\npub mod {name} {{\n    \
             use crate::model::support::*;\n{lent}\n{body}}}\n"
        ));
    }
    out
}

/// Types of other schemas that this module uses. They are re-exported, so that whoever fills in a
/// resource finds all of it in one module.
fn lent(ir: &Ir, module: &str) -> Vec<String> {
    let own = |schema: &str| snake(schema) == module;
    let mut names: BTreeSet<&str> = BTreeSet::new();
    names.extend(
        ir.types
            .iter()
            .filter(|ty| own(&ty.schema))
            .map(|ty| ty.name.as_str()),
    );
    names.extend(
        ir.enums
            .iter()
            .filter(|item| own(&item.schema))
            .map(|item| item.name.as_str()),
    );
    let mut paths = Vec::new();
    for property in ir
        .types
        .iter()
        .filter(|ty| own(&ty.schema))
        .flat_map(|ty| &ty.properties)
    {
        let (schema, name) = match property.kind {
            Kind::Enum(at) => (&ir.enums[at].schema, &ir.enums[at].name),
            Kind::Object(at) => (&ir.types[at].schema, &ir.types[at].name),
            _ => continue,
        };
        if !own(schema) && names.insert(name) {
            paths.push(format!("{}::{name}", snake(schema)));
        }
    }
    paths.sort();
    paths
}

fn enumeration(item: &Enum) -> String {
    let members: String = item
        .members
        .iter()
        .map(|(name, text)| {
            format!(
                "{}            {} = {name:?},\n",
                doc("            ", text, name),
                variant(name)
            )
        })
        .collect();
    format!(
        "    redfish_enum! {{\n{}        pub enum {} {{\n{members}        }}\n    }}\n\n",
        doc("        ", &item.doc, &item.full),
        item.name
    )
}

/// Which of the structs of a type it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Read,
    Patch,
    Create,
    Params,
}

struct Field {
    doc: String,
    json: String,
    name: String,
    ty: String,
    /// Further serde attributes.
    serde: &'static str,
}

fn structure(ir: &Ir, ty: &Type, name: &str, usage: Use) -> String {
    let entity = usage == Use::Read && matches!(ty.role, Role::Entity | Role::Collection);
    let extension = usage == Use::Read && ty.role == Role::Extension;
    let mut fields = head();
    fields.retain(|field| entity || (extension && field.name == "odata_type"));
    for property in &ty.properties {
        fields.extend(property_fields(ir, ty, property, usage));
    }
    if usage == Use::Read && ty.role == Role::Action {
        fields.push(option(
            "@Redfish.ActionInfo",
            "action_info",
            "String",
            "Where the parameters are described.",
        ));
    }
    let about = match usage {
        Use::Read | Use::Params => doc("    ", &ty.doc, &ty.full),
        Use::Patch => doc(
            "    ",
            &format!("What PATCH can change of `{}`.", ty.name),
            "",
        ),
        Use::Create => doc("    ", &format!("What creates a `{}`.", ty.name), ""),
    };
    let typed = entity || extension;
    let default = if typed { "" } else { "Default, " };
    let mut out = format!(
        "{about}    #[derive(Debug, Clone, {default}PartialEq, Serialize, Deserialize)]\n    \
         pub struct {name} {{\n"
    );
    for field in &fields {
        out.push_str(&format!(
            "{}        #[serde(rename = {:?}, {})]\n        pub {}: {},\n",
            field.doc, field.json, field.serde, field.name, field.ty
        ));
    }
    for (at, (_, kind)) in ty.dynamic.iter().enumerate().take(usize::from(
        usage == Use::Read || (usage == Use::Patch && ty.dynamic_writable),
    )) {
        debug_assert_eq!(at, 0);
        out.push_str(&format!(
            "        /// Further properties by name.\n        #[serde(flatten)]\n        \
             pub entries: std::collections::BTreeMap<String, {}>,\n",
            plain(ir, ty, *kind)
        ));
    }
    out.push_str("    }\n\n");
    if typed {
        let defaults: String = fields
            .iter()
            .map(|field| match field.name.as_str() {
                "odata_type" => "odata_type: Self::ODATA_TYPE.to_owned(), ".to_owned(),
                name => format!("{name}: Default::default(), "),
            })
            .collect();
        out.push_str(&format!(
            "    impl {name} {{\n        /// `@odata.type` of the version that this struct is of.\n        \
             pub const ODATA_TYPE: &str = \"#{}\";\n    }}\n\n    impl Default for {name} {{\n        \
             fn default() -> Self {{\n            Self {{ {defaults} }}\n        }}\n    }}\n\n",
            ty.full
        ));
    }
    out
}

const SKIP_NONE: &str = "default, skip_serializing_if = \"Option::is_none\"";
const SKIP_ABSENT: &str = "default, skip_serializing_if = \"Prop::is_absent\"";
const SKIP_EMPTY: &str = "default, skip_serializing_if = \"Vec::is_empty\"";
const LENIENT_VEC: &str =
    "default, skip_serializing_if = \"Option::is_none\", deserialize_with = \"some_items\"";
const LENIENT_MEMBERS: &str = "default, deserialize_with = \"items\"";
const LENIENT_STRING: &str = "default, deserialize_with = \"text\"";

fn head() -> Vec<Field> {
    let string = |json: &str, name: &str, about: &str| Field {
        doc: doc("        ", about, ""),
        json: json.to_owned(),
        name: name.to_owned(),
        ty: "String".to_owned(),
        serde: LENIENT_STRING,
    };
    vec![
        string("@odata.id", "odata_id", "The URI of the resource."),
        string("@odata.type", "odata_type", "Its type and version."),
        option("@odata.etag", "odata_etag", "String", "Its ETag."),
    ]
}

fn option(json: &str, name: &str, ty: &str, about: &str) -> Field {
    Field {
        doc: doc("        ", about, ""),
        json: json.to_owned(),
        name: name.to_owned(),
        ty: format!("Option<{ty}>"),
        serde: SKIP_NONE,
    }
}

fn property_fields(ir: &Ir, ty: &Type, property: &Property, usage: Use) -> Vec<Field> {
    let flags = property.flags;
    let reaches = |flag| matches!(property.kind, Kind::Object(at) if ir.reaches(at, flag));
    let (below, given) = (reaches(Flags::WRITABLE), reaches(Flags::CREATE));
    let wanted = match usage {
        Use::Read | Use::Params => true,
        Use::Patch => below || flags.has(Flags::WRITABLE),
        Use::Create => given || flags.has(Flags::CREATE),
    };
    if !wanted {
        return Vec::new();
    }
    let mut item = plain(ir, ty, property.kind);
    if usage == Use::Patch && below {
        item.push_str("Patch");
    }
    if usage == Use::Create && given {
        item.push_str("Create");
    }
    let name = match property.name.as_str() {
        "Members@odata.count" => "members_odata_count".to_owned(),
        "Members@odata.nextLink" => "members_odata_next_link".to_owned(),
        name => field(
            name.trim_start_matches('#')
                .rsplit('.')
                .next()
                .unwrap_or(name),
        ),
    };
    let needed = match usage {
        Use::Read => {
            flags.has(Flags::REQUIRED)
                && (name == "id" || name == "name" || ty.role == Role::Action)
        }
        Use::Patch => false,
        Use::Create => flags.has(Flags::REQUIRED_ON_CREATE),
        Use::Params => flags.has(Flags::REQUIRED),
    };
    let array = flags.has(Flags::ARRAY);
    let (field_ty, serde) =
        if usage == Use::Read && ty.role == Role::Collection && name == "members" {
            (format!("Vec<{item}>"), LENIENT_MEMBERS)
        } else if name == "members_odata_count" {
            ("u64".to_owned(), "default")
        } else if usage == Use::Read && ty.role == Role::Action && property.allowable {
            let mut allowable = allowable(&item, &property.name, &name);
            allowable.doc = doc("        ", "The values that can be sent now.", "");
            return vec![allowable];
        } else if array && usage == Use::Patch {
            (format!("Option<Vec<Option<{item}>>>"), SKIP_NONE)
        } else if array {
            (format!("Option<Vec<{item}>>"), LENIENT_VEC)
        } else if needed && item == "String" {
            (item.clone(), LENIENT_STRING)
        } else if flags.has(Flags::NULLABLE) {
            (format!("Prop<{item}>"), SKIP_ABSENT)
        } else {
            (format!("Option<{item}>"), SKIP_NONE)
        };
    let mut fields = vec![Field {
        doc: doc("        ", &property.doc, &property.name),
        json: property.name.clone(),
        name: name.clone(),
        ty: field_ty,
        serde,
    }];
    if usage == Use::Read && property.allowable {
        fields.push(allowable(&item, &property.name, &name));
    }
    fields
}

fn allowable(item: &str, json: &str, name: &str) -> Field {
    Field {
        doc: doc(
            "        ",
            &format!("The values that `{json}` can be set to now."),
            "",
        ),
        json: format!("{json}@Redfish.AllowableValues"),
        name: format!("{}_allowable", name.trim_start_matches("r#")),
        ty: format!("Vec<{item}>"),
        serde: SKIP_EMPTY,
    }
}

/// The type of one value.
fn plain(ir: &Ir, within: &Type, kind: Kind) -> String {
    let path = |schema: &str, name: &str| {
        if schema == within.schema {
            name.to_owned()
        } else {
            format!("super::{}::{name}", snake(schema))
        }
    };
    match kind {
        Kind::Bool => "bool".to_owned(),
        Kind::Int => "i64".to_owned(),
        Kind::Decimal => "f64".to_owned(),
        Kind::Str | Kind::Uri | Kind::DateTime | Kind::Guid | Kind::Duration => "String".to_owned(),
        Kind::Primitive => "serde_json::Value".to_owned(),
        Kind::Map => "Oem".to_owned(),
        Kind::Link => "OdataId".to_owned(),
        Kind::Enum(at) => path(&ir.enums[at].schema, &ir.enums[at].name),
        Kind::Object(at) => path(&ir.types[at].schema, &ir.types[at].name),
    }
}

/// Something in it may be given to create it, at any depth.
fn creatable(ir: &Ir, ty: &Type) -> bool {
    ty.properties.iter().any(|property| {
        property.flags.has(Flags::CREATE)
            || matches!(property.kind, Kind::Object(at) if ir.reaches(at, Flags::CREATE))
    })
}

fn writable(ir: &Ir, ty: &Type) -> bool {
    ty.dynamic_writable
        || ty.properties.iter().any(|property| {
            property.flags.has(Flags::WRITABLE)
                || matches!(property.kind, Kind::Object(at) if ir.reaches(at, Flags::WRITABLE))
        })
}

/// A documentation comment of one line, made safe for rustdoc.
fn doc(indent: &str, text: &str, fallback: &str) -> String {
    let text = if text.is_empty() {
        format!("`{fallback}`.")
    } else {
        text.to_owned()
    };
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let text = text
        .replace('[', "\\[")
        .replace(']', "\\]")
        .replace('<', "\\<")
        .replace('>', "\\>");
    format!("{indent}/// {text}\n")
}

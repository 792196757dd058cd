//! Writes what DMTF's schemas say of every resource that there is, served or not: which properties, of what type, and which of them a client may write.
//! Only the newest version of each is looked at; what an older one has is in the newer too.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Serialize;

use crate::csdl::{Csdl, file_name, schema_of, split};

/// A property: name, kind, flags, and what the kind leads to (a type or an enumeration).
#[derive(Serialize)]
struct Property(String, char, u8, usize);

/// As `src/schema.rs` reads it.
#[derive(Default, Serialize)]
struct Written {
    resources: BTreeMap<String, usize>,
    types: Vec<Vec<Property>>,
    enums: Vec<Vec<String>>,
}

struct Walk<'a> {
    csdl: &'a mut Csdl,
    dir: &'a Path,
    out: Written,
    /// By its name in any version.
    types: BTreeMap<String, usize>,
    enums: BTreeMap<String, usize>,
}

pub(crate) fn emit(csdl: &mut Csdl, dir: &Path) -> String {
    let mut names: Vec<String> = fs::read_dir(dir)
        .expect("DMTF's schemas can be listed")
        .filter_map(|entry| {
            let name = entry.ok()?.file_name().into_string().ok()?;
            name.strip_suffix("_v1.xml").map(str::to_owned)
        })
        .filter(|name| !name.ends_with("Collection") && name != "RedfishExtensions")
        .collect();
    names.sort();
    let mut walk = Walk {
        csdl,
        dir,
        out: Written::default(),
        types: BTreeMap::new(),
        enums: BTreeMap::new(),
    };
    for name in names {
        let full = format!("{name}.{name}");
        if !walk.csdl.schema(&name).contains(&name) {
            continue;
        }
        if walk.csdl.ty(&full).is_some_and(|ty| ty.is_entity) {
            let at = walk.ty(&full);
            walk.out.resources.insert(name, at);
        }
    }
    serde_json::to_string(&walk.out).expect("tables are plain data")
}

impl Walk<'_> {
    fn ty(&mut self, full: &str) -> usize {
        if let Some(at) = self.types.get(full) {
            return *at;
        }
        let newest = self.csdl.newest(full);
        if let Some(at) = self.types.get(&newest).copied() {
            self.types.insert(full.to_owned(), at);
            return at;
        }
        let at = self.out.types.len();
        self.out.types.push(Vec::new());
        self.types.insert(newest.clone(), at);
        self.types.insert(full.to_owned(), at);
        let mut found = BTreeMap::new();
        for base in self.csdl.chain(&newest) {
            let known = schema_of(&base) == "Odata" || schema_of(&base) == "Resource";
            let def = self.csdl.ty(&base).expect("the chain holds types").clone();
            for property in def.properties {
                // The nearest to the top is the one that holds; `Resource` says no more than what all have.
                if found.contains_key(&property.name) && known {
                    continue;
                }
                let permission = property.annotations.get("OData.Permissions");
                let is_writable = permission.is_some_and(|said| said.contains("Write"));
                let (kind, to) = match property.navigation {
                    true => ('l', 0),
                    false => self.kind(&property.ty),
                };
                let flags = u8::from(is_writable)
                    | u8::from(property.collection) << 1
                    | u8::from(property.nullable) << 2;
                let name = property.name.clone();
                found
                    .entry(name)
                    .or_insert(Property(property.name, kind, flags, to));
            }
        }
        self.out.types[at] = found.into_values().collect();
        at
    }

    fn kind(&mut self, full: &str) -> (char, usize) {
        match full {
            "Edm.Boolean" => return ('b', 0),
            "Edm.Int16" | "Edm.Int32" | "Edm.Int64" => return ('i', 0),
            "Edm.Decimal" | "Edm.Double" | "Edm.Single" => return ('n', 0),
            "Edm.DateTimeOffset" => return ('t', 0),
            _ if full.starts_with("Edm.") => {
                return match full {
                    "Edm.PrimitiveType" | "Edm.Primitive" => ('p', 0),
                    _ => ('s', 0),
                };
            }
            _ => {}
        }
        let (namespace, name) = split(full);
        let schema = schema_of(namespace);
        // What is of other bodies than DMTF is not looked into.
        let is_there = self.dir.join(file_name(schema)).exists();
        if !is_there
            || !self
                .csdl
                .schema(schema)
                .iter()
                .any(|known| known == namespace)
        {
            return ('x', 0);
        }
        let found = self.csdl.namespace(namespace);
        if let Some(listed) = found.enums.get(name) {
            let key = format!("{schema}.{name}");
            if let Some(at) = self.enums.get(&key) {
                return ('e', *at);
            }
            let members = listed.members.iter().map(|m| m.0.clone()).collect();
            let mut newest: Vec<String> = members;
            // A newer version of the enumeration may have more.
            for other in self.csdl.schema(schema) {
                if let Some(listed) = self.csdl.namespace(&other).enums.get(name) {
                    for (member, _) in &listed.members {
                        if !newest.contains(member) {
                            newest.push(member.clone());
                        }
                    }
                }
            }
            let at = self.out.enums.len();
            self.enums.insert(key, at);
            self.out.enums.push(newest);
            return ('e', at);
        }
        if let Some((under, _)) = found.typedefs.get(name) {
            let under = under.clone();
            return self.kind(&under);
        }
        if found.types.contains_key(name) {
            return ('o', self.ty(full));
        }
        ('x', 0)
    }
}

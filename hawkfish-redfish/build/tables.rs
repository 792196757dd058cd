//! Writes the validation tables.

use crate::ir::{Ir, Role};
use crate::table::{Action, Entity, Extension, Flags, Kind, Property, Table, Type};

pub(crate) fn emit(ir: &Ir) -> String {
    let mut table = Table {
        enums: ir
            .enums
            .iter()
            .map(|e| e.members.iter().map(|m| m.0.clone()).collect())
            .collect(),
        ..Table::default()
    };
    for (at, ty) in ir.types.iter().enumerate() {
        let dynamic = ty
            .dynamic
            .iter()
            .map(|(p, kind)| (intern(&mut table, p), *kind))
            .collect();
        let mut properties: Vec<Property> = ty
            .annotations
            .iter()
            .chain(&ty.properties)
            // The allowable values of a parameter stand in the action as an annotation.
            .filter(|property| !(ty.role == Role::Action && property.allowable))
            .map(|property| Property {
                name: property.name.clone(),
                kind: property.kind,
                flags: property.flags,
                pattern: property.pattern.as_deref().map(|p| intern(&mut table, p)),
                min: property.min,
                max: property.max,
                max_length: property.max_length,
                deprecated: property.deprecated.clone(),
            })
            .collect();
        properties.sort_by(|a, b| a.name.cmp(&b.name));
        table.types.push(Type {
            name: ty.full.clone(),
            properties,
            dynamic,
            open: ty.open,
            writable: ir.reaches(at, Flags::WRITABLE),
            creatable: ir.reaches(at, Flags::CREATE),
            ..Type::default()
        });
    }
    for entity in &ir.entities {
        let full = &ir.types[entity.ty].full;
        table.entities.push(Entity {
            name: entity.name.clone(),
            odata_type: format!("#{full}"),
            described_by: if ir.own.contains(&entity.name) {
                format!("/redfish/v1/JsonSchemas/{}/Document", entity.namespace)
            } else {
                let namespace = &entity.namespace;
                format!("http://redfish.dmtf.org/schemas/v1/{namespace}.json")
            },
            ty: entity.ty,
            member: entity.member.clone(),
            actions: entity
                .actions
                .iter()
                .map(|action| Action {
                    name: action.name.clone(),
                    params: action.params,
                    deprecated: action.deprecated.clone(),
                })
                .collect(),
            capabilities: entity.capabilities,
            deprecated: entity.deprecated.clone(),
            deprecated_uris: entity.deprecated_uris.clone(),
        });
    }
    for (schema, ty) in &ir.extensions {
        table.extensions.push(Extension {
            name: schema.clone(),
            ty: *ty,
        });
    }
    debug_assert!(table.types.iter().all(|ty| {
        ty.properties
            .iter()
            .all(|p| !matches!(p.kind, Kind::Object(o) if o >= table.types.len()))
    }));
    serde_json::to_string(&table).expect("a table is plain data")
}

/// A pattern is compiled when it is first needed; here it is seen to that it can be.
fn intern(table: &mut Table, pattern: &str) -> usize {
    if let Err(error) = regex_lite::Regex::new(pattern) {
        panic!("the pattern {pattern} cannot be used: {error}");
    }
    table
        .patterns
        .iter()
        .position(|known| known == pattern)
        .unwrap_or_else(|| {
            table.patterns.push(pattern.to_owned());
            table.patterns.len() - 1
        })
}

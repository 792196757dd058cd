//! Schemas of what is served: where DMTF publishes them, and with only what is served here.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use bytes::Bytes;
use hawkfish_redfish::model::json_schema_file::{JsonSchemaFile, Location};
use hawkfish_redfish::{metadata, validate};

use crate::catalog::{Content, Privileges, Resource, Rq};
use crate::problem::Problem;

/// `/redfish/v1/JsonSchemas`
pub const COLLECTION: Resource = Resource {
    uri: "/redfish/v1/JsonSchemas",
    entity: "JsonSchemaFileCollection",
    get: Some(|rq| Box::pin(list(rq))),
    privileges: Privileges::MANAGER,
    version: Some(|_| Ok(0)),
    ..Resource::NONE
};

/// `/redfish/v1/JsonSchemas/{schema}`
pub const FILE: Resource = Resource {
    uri: "/redfish/v1/JsonSchemas/{schema}",
    entity: "JsonSchemaFile",
    get: Some(|rq| Box::pin(read(rq))),
    privileges: Privileges::MANAGER,
    ..Resource::NONE
};

/// `/redfish/v1/JsonSchemas/{schema}/Document`: what is served here of a schema.
pub const DOCUMENT: Resource = Resource {
    uri: "/redfish/v1/JsonSchemas/{schema}/Document",
    get: Some(|rq| Box::pin(document(rq))),
    privileges: Privileges::MANAGER,
    ..Resource::NONE
};

/// A schema that something served is made by.
struct Schema {
    entity: &'static str,
    /// `#ComputerSystem.v1_28_0.ComputerSystem`.
    of: String,
    /// Namespace and version: `ComputerSystem.v1_28_0`.
    id: String,
}

static SCHEMAS: LazyLock<Vec<Schema>> = LazyLock::new(|| {
    let entities = super::ALL.iter().map(|resource| resource.entity);
    let mut all: BTreeMap<&'static str, String> = entities
        .chain([super::action_info::ENTITY])
        .filter_map(|entity| Some((entity, validate::odata_type(entity)?.to_owned())))
        .collect();
    // What is within the `Oem` of a resource is no resource, and has its schema all the same.
    all.extend(metadata::extensions());
    all.into_iter()
        .filter_map(|(entity, of)| {
            let (namespace, _) = of.trim_start_matches('#').rsplit_once('.')?;
            let id = namespace.to_owned();
            Some(Schema { entity, of, id })
        })
        .collect()
});

fn find(rq: &Rq) -> Result<&'static Schema, Problem> {
    let wanted = rq.param("schema");
    let found = SCHEMAS.iter().find(|schema| schema.id == wanted);
    found.ok_or_else(|| Problem::missing(rq.uri()))
}

async fn list(rq: &Rq) -> Result<Content, Problem> {
    Ok(Content::collection(
        rq,
        "Schemas",
        SCHEMAS.iter().map(|schema| &schema.id),
    ))
}

async fn read(rq: &Rq) -> Result<Content, Problem> {
    let schema = find(rq)?;
    Content::of(&JsonSchemaFile {
        id: schema.id.clone(),
        name: format!("{} Schema File", schema.entity),
        schema: Some(schema.of.clone()),
        languages: Some(vec!["en".into()]),
        location: Some(vec![Location {
            language: Some("en".into()),
            uri: Some(format!("{}/Document", rq.uri())),
            // Our own are published here and nowhere else.
            publication_uri: validate::describedby(schema.entity)
                .filter(|_| !metadata::is_own(schema.entity))
                .map(Into::into),
            ..Location::default()
        }]),
        ..JsonSchemaFile::default()
    })
}

async fn document(rq: &Rq) -> Result<Content, Problem> {
    let schema = find(rq)?;
    let document =
        metadata::json_schema(schema.entity).ok_or_else(|| Problem::missing(rq.uri()))?;
    Ok(Content::Document(Bytes::from(document.to_string())))
}

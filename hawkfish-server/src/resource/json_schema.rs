//! Schemas of what is served: where DMTF publishes them, and with only what is served here.

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
    /// Namespace and version: `ComputerSystem.v1_28_0`.
    id: String,
}

static SCHEMAS: LazyLock<Vec<Schema>> = LazyLock::new(|| {
    super::ALL
        .iter()
        .map(|resource| resource.entity)
        .chain([super::action_info::ENTITY])
        .filter(|entity| !entity.is_empty())
        .collect::<std::collections::BTreeSet<_>>()
        .into_iter()
        .filter_map(|entity| {
            let (namespace, _) = validate::odata_type(entity)?
                .trim_start_matches('#')
                .rsplit_once('.')?;
            Some(Schema {
                entity,
                id: namespace.to_owned(),
            })
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
        schema: validate::odata_type(schema.entity).map(Into::into),
        languages: Some(vec!["en".into()]),
        location: Some(vec![Location {
            language: Some("en".into()),
            uri: Some(format!("{}/Document", rq.uri())),
            publication_uri: validate::describedby(schema.entity).map(Into::into),
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

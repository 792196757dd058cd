//! The OpenAPI 3.1 document of everything that is served, made from the catalog: so it cannot tell of anything else.
//!
//! It takes a log-in. DSP0266 lists what must be readable by anybody, and this is not on that list; and it tells a stranger more about the service than
//! the root does. A browser asks for name and password by itself.

use std::collections::BTreeSet;

use bytes::Bytes;
use hawkfish_redfish::{metadata, validate};
use serde_json::{Map, Value, json};

use crate::catalog::{AnyOf, Content, Privileges, Resource, Verb};

/// Where it stands (DSP0266, "Redfish-defined URIs").
pub const URI: &str = "/redfish/v1/openapi.yaml";

/// `/redfish/v1/openapi.yaml`
pub const RESOURCE: Resource = Resource {
    uri: URI,
    get: Some(|rq| {
        Box::pin(async move {
            let served: Vec<_> = rq.service.catalog.resources().collect();
            let text = metadata::yaml(&document(&served));
            Ok(Content::Document(Bytes::from(text)))
        })
    }),
    media_type: "application/yaml",
    privileges: Privileges::MANAGER,
    version: Some(|_| Ok(0)),
    ..Resource::NONE
};

fn reference(kind: &str, name: &str) -> Value {
    json!({"$ref": format!("#/components/{kind}/{name}")})
}

/// The document of these resources.
fn document(served: &[&'static Resource]) -> Value {
    let mut paths = Map::new();
    let mut sorted = served.to_vec();
    sorted.sort_by_key(|resource| resource.uri);
    for resource in &sorted {
        paths.insert(resource.uri.to_owned(), path(resource));
        for action in resource.actions {
            let uri = action.target(resource.entity, resource.uri);
            let mut item = parameters(resource.uri);
            item.insert("post".to_owned(), act(resource, action));
            paths.insert(uri, item.into());
        }
    }
    let tags: BTreeSet<&str> = sorted.iter().map(|one| tag(one.uri)).collect();
    let tags: Vec<Value> = tags.into_iter().map(|name| json!({"name": name})).collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "HawkFish",
            "summary": "A Redfish service for virtual machines",
            "description": "Everything that this HawkFish serves. Which privileges an operation takes stands in x-privileges: one of them is enough.",
            "version": env!("CARGO_PKG_VERSION"),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"Session": []}, {"Basic": []}],
        "tags": tags,
        "paths": paths,
        "components": components(),
    })
}

/// What a path is about, for a reader of the whole.
fn tag(uri: &str) -> &str {
    match uri.split('/').nth(3) {
        Some(part) if part.starts_with(|c: char| c.is_ascii_uppercase()) => part,
        _ => "Service",
    }
}

/// A name for an operation that no other has.
fn name(verb: &str, uri: &str) -> String {
    let parts = uri.split('/').skip(1);
    let parts = parts.map(|part| part.trim_matches(['{', '}', '$']).replace(['.', '-'], "_"));
    std::iter::once(verb.to_owned())
        .chain(parts)
        .collect::<Vec<_>>()
        .join("_")
}

/// What a resource is called where it is told of.
fn called(resource: &Resource) -> &str {
    match resource.entity {
        "" => resource.uri.rsplit('/').next().unwrap_or_default(),
        entity => entity,
    }
}

fn parameters(uri: &str) -> Map<String, Value> {
    let variables = uri
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let listed: Vec<Value> = variables
        .map(|name| {
            json!({
                "name": name,
                "in": "path",
                "required": true,
                "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-][A-Za-z0-9._-]*$", "maxLength": 128},
            })
        })
        .collect();
    match listed.is_empty() {
        true => Map::new(),
        false => Map::from_iter([("parameters".to_owned(), listed.into())]),
    }
}

fn path(resource: &Resource) -> Value {
    let mut item = parameters(resource.uri);
    for verb in resource.verbs() {
        match verb {
            Verb::Get => {
                item.insert("get".to_owned(), read(resource, true));
                item.insert("head".to_owned(), read(resource, false));
            }
            Verb::Patch => {
                item.insert("patch".to_owned(), change(resource));
            }
            Verb::Create => {
                item.insert("post".to_owned(), create(resource));
            }
            Verb::Delete => {
                item.insert("delete".to_owned(), delete(resource));
            }
            _ => {}
        }
    }
    item.into()
}

/// What all operations have.
fn operation(resource: &Resource, id: String, summary: String, needs: AnyOf, open: bool) -> Value {
    let mut out = json!({
        "operationId": id,
        "summary": summary,
        "tags": [tag(resource.uri)],
    });
    if open {
        out["security"] = json!([]);
    }
    let needs: Vec<&str> = needs.iter().map(|privilege| privilege.as_str()).collect();
    out["x-privileges"] = needs.into();
    out
}

fn body(schema: Option<Value>, needed: bool) -> Value {
    json!({
        "required": needed,
        "content": {"application/json": {"schema": schema.unwrap_or_else(|| json!({"type": "object"}))}},
    })
}

/// The schema of that name, if the schemas of what is served have one.
fn schema(name: &str) -> Option<Value> {
    static NAMES: std::sync::LazyLock<BTreeSet<String>> = std::sync::LazyLock::new(|| {
        metadata::components()
            .into_iter()
            .map(|(name, _)| name)
            .collect()
    });
    NAMES.contains(name).then(|| reference("schemas", name))
}

/// What a GET of it gives.
fn content(resource: &Resource) -> Value {
    let of = match (resource.entity, resource.media_type) {
        ("", "application/json") => json!({}),
        ("", _) => json!({"type": "string"}),
        (entity, _) => schema(entity).unwrap_or_else(|| json!({"type": "object"})),
    };
    json!({(resource.media_type): {"schema": of}})
}

fn tagged() -> Value {
    json!({"ETag": reference("headers", "ETag")})
}

fn failing(responses: &mut Value, codes: &[&str]) {
    for code in codes {
        responses[*code] = reference("responses", "Error");
    }
    responses["default"] = reference("responses", "Error");
}

fn read(resource: &Resource, whole: bool) -> Value {
    let (verb, what) = match whole {
        true => ("get", "Read"),
        false => ("head", "Read only the headers of"),
    };
    let open = resource.open.contains(&Verb::Get);
    let mut out = operation(
        resource,
        name(verb, resource.uri),
        format!("{what} {}", called(resource)),
        resource.privileges.get,
        open,
    );
    let mut asked = vec![reference("parameters", "IfNoneMatch")];
    if whole && !resource.entity.is_empty() {
        let mut names = vec!["Expand", "Select"];
        if resource.entity.ends_with("Collection") {
            names.extend(["Filter", "Top", "Skip", "Only"]);
        }
        asked.extend(names.into_iter().map(|name| reference("parameters", name)));
    }
    out["parameters"] = asked.into();
    let mut responses = json!({
        "200": {"description": "As it is now.", "headers": tagged()},
        "304": {"description": "It is as the client knows it."},
    });
    if whole {
        responses["200"]["content"] = content(resource);
    }
    let codes: &[&str] = if open {
        &["404"]
    } else {
        &["401", "403", "404"]
    };
    failing(&mut responses, codes);
    out["responses"] = responses;
    out
}

fn change(resource: &Resource) -> Value {
    let open = resource.open.contains(&Verb::Patch);
    let mut out = operation(
        resource,
        name("patch", resource.uri),
        format!("Change {}", called(resource)),
        resource.privileges.patch,
        open,
    );
    if !resource.overrides.is_empty() {
        let overrides = resource.overrides.iter().map(|one| {
            let needs: Vec<&str> = one
                .needs
                .iter()
                .map(|privilege| privilege.as_str())
                .collect();
            (one.property.to_owned(), Value::from(needs))
        });
        out["x-property-privileges"] = Value::Object(overrides.collect());
    }
    out["parameters"] = json!([reference("parameters", "IfMatch")]);
    out["requestBody"] = body(schema(&format!("{}Patch", resource.entity)), true);
    let mut responses = json!({
        "200": {"description": "As it is now that it is changed.", "headers": tagged(), "content": content(resource)},
        "202": reference("responses", "Started"),
        "204": {"description": "It is changed."},
    });
    failing(&mut responses, &["400", "401", "403", "404", "412"]);
    out["responses"] = responses;
    out
}

/// What is pushed: a file, and before it what is to be done with it.
fn pushed() -> Value {
    json!({
        "required": true,
        "content": {"multipart/form-data": {"schema": {
            "type": "object",
            "required": [crate::upload::FILE],
            "properties": {
                (crate::upload::PARAMETERS): {"type": "object"},
                (crate::upload::FILE): {"type": "string", "format": "binary"},
            },
        }}},
    })
}

fn create(resource: &Resource) -> Value {
    let open = resource.open.contains(&Verb::Create);
    let mut out = operation(
        resource,
        name("post", resource.uri),
        format!(
            "Create {}",
            if resource.member.is_empty() {
                called(resource)
            } else {
                resource.member
            }
        ),
        resource.privileges.post,
        open,
    );
    out["requestBody"] = match resource.upload {
        Some(_) => pushed(),
        None => body(schema(&format!("{}Create", resource.member)), true),
    };
    let mut made = json!({
        "description": "It is made.",
        "headers": {"ETag": reference("headers", "ETag"), "Location": reference("headers", "Location")},
    });
    if let Some(schema) = schema(resource.member) {
        made["content"] = json!({"application/json": {"schema": schema}});
    }
    if resource.member == "Session" {
        made["headers"]["X-Auth-Token"] = json!({
            "description": "The token of the session. It is told only this once.",
            "schema": {"type": "string"},
        });
    }
    let mut responses = json!({"201": made, "202": reference("responses", "Started")});
    failing(&mut responses, &["400", "401", "403", "404", "409"]);
    out["responses"] = responses;
    out
}

fn delete(resource: &Resource) -> Value {
    let mut out = operation(
        resource,
        name("delete", resource.uri),
        format!("Delete {}", called(resource)),
        resource.privileges.delete,
        resource.open.contains(&Verb::Delete),
    );
    out["parameters"] = json!([reference("parameters", "IfMatch")]);
    let mut responses = json!({
        "200": {"description": "It is gone; this is what it was."},
        "202": reference("responses", "Started"),
        "204": {"description": "It is gone."},
    });
    failing(&mut responses, &["401", "403", "404", "412"]);
    out["responses"] = responses;
    out
}

fn act(resource: &Resource, action: &crate::catalog::Action) -> Value {
    let uri = action.target(resource.entity, resource.uri);
    let mut out = operation(
        resource,
        name("post", &uri),
        format!("Call {}", action.name),
        action.needs.unwrap_or(resource.privileges.post),
        false,
    );
    let parameters = metadata::parameters(resource.entity, action.name).unwrap_or_default();
    let needed = parameters.iter().any(|one| one["Required"] == true);
    let name = validate::action_name(resource.entity, action.name).unwrap_or(action.name);
    out["requestBody"] = body(schema(&format!("{name}Parameters")), needed);
    let mut responses = json!({
        "200": {"description": "It is done, and there is something to tell.", "content": {"application/json": {"schema": {}}}},
        "202": reference("responses", "Started"),
        "204": {"description": "It is done."},
    });
    failing(&mut responses, &["400", "401", "403", "404", "409", "412"]);
    out["responses"] = responses;
    out
}

fn components() -> Value {
    let mut schemas = metadata::components();
    let message = json!({
        "type": "object",
        "properties": {
            "@odata.type": {"type": "string"},
            "MessageId": {"type": "string"},
            "Message": {"type": "string"},
            "MessageArgs": {"type": "array", "items": {"type": "string"}},
            "MessageSeverity": {"type": "string", "enum": ["OK", "Warning", "Critical"]},
            "Severity": {"type": "string"},
            "Resolution": {"type": "string"},
            "RelatedProperties": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["MessageId"],
    });
    let error = json!({
        "type": "object",
        "properties": {
            "error": {
                "type": "object",
                "properties": {
                    "code": {"type": "string"},
                    "message": {"type": "string"},
                    "@Message.ExtendedInfo": {"type": "array", "minItems": 1, "items": message},
                },
                "required": ["code", "message", "@Message.ExtendedInfo"],
            },
        },
        "required": ["error"],
    });
    schemas.insert("RedfishError".to_owned(), error);
    schemas.sort_keys();
    let query = |name: &str, about: &str, schema: Value| json!({"name": name, "in": "query", "description": about, "schema": schema});
    let header = |name: &str, about: &str| json!({"name": name, "in": "header", "description": about, "schema": {"type": "string"}});
    let count = json!({"type": "integer", "minimum": 0});
    json!({
        "schemas": schemas,
        "responses": {
            "Error": {
                "description": "It was refused, or failed; the messages say why.",
                "content": {"application/json": {"schema": reference("schemas", "RedfishError")}},
            },
            "Started": {
                "description": "It goes on as a task. Location is its monitor.",
                "headers": {"Location": reference("headers", "Location"), "Retry-After": {"schema": {"type": "string"}}},
                "content": {"application/json": {"schema": reference("schemas", "Task")}},
            },
        },
        "parameters": {
            "Expand": query("$expand", "Bring in what is linked: . what is below, ~ what is related, * both", json!({"type": "string", "pattern": "^[.~*](\\(\\$levels=[0-9]+\\))?$"})),
            "Select": query("$select", "Only these properties", json!({"type": "string"})),
            "Filter": query("$filter", "Only members that are so", json!({"type": "string"})),
            "Top": query("$top", "So many members at most", count.clone()),
            "Skip": query("$skip", "Not the first so many members", count),
            "Only": {"name": "only", "in": "query", "description": "The member in place of its collection, where it is the only one", "allowEmptyValue": true, "schema": {"type": "string", "maxLength": 0}},
            "IfMatch": header("If-Match", "The ETag of what is to be changed"),
            "IfNoneMatch": header("If-None-Match", "The ETag of what the client has"),
        },
        "headers": {
            "ETag": {"description": "Names this very state of it.", "schema": {"type": "string"}},
            "Location": {"description": "Where it stands.", "schema": {"type": "string", "format": "uri-reference"}},
        },
        "securitySchemes": {
            "Basic": {"type": "http", "scheme": "basic"},
            "Session": {"type": "apiKey", "in": "header", "name": "X-Auth-Token", "description": "The token of a session"},
        },
    })
}

#[cfg(test)]
mod tests;

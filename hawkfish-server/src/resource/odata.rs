//! What OData clients ask for: the service document and `$metadata` (DSP0266, "OData").

use bytes::Bytes;
use hawkfish_redfish::metadata;
use serde_json::{Map, Value, json};

use crate::catalog::{Content, Privileges, Resource, Rq, Verb};
use crate::problem::Problem;
use crate::resource::service_root;

/// `/redfish/v1/odata`
pub const SERVICE_DOCUMENT: Resource = Resource {
    uri: "/redfish/v1/odata",
    get: Some(|rq| Box::pin(service_document(rq))),
    open: &[Verb::Get],
    ..Resource::NONE
};

/// `/redfish/v1/$metadata`
pub const METADATA: Resource = Resource {
    uri: "/redfish/v1/$metadata",
    media_type: "application/xml",
    get: Some(|rq| Box::pin(metadata(rq))),
    open: &[Verb::Get],
    ..Resource::NONE
};

/// `/redfish/v1/schemas/{file}`: our own schemas, to which `$metadata` refers.
pub const SCHEMA: Resource = Resource {
    uri: "/redfish/v1/schemas/{file}",
    media_type: "application/xml",
    get: Some(|rq| Box::pin(schema(rq))),
    privileges: Privileges::MANAGER,
    ..Resource::NONE
};

async fn schema(rq: &Rq) -> Result<Content, Problem> {
    let wanted = rq.param("file");
    let found = metadata::schema_files()
        .iter()
        .find(|(name, _)| *name == wanted);
    let (_, text) = found.ok_or_else(|| Problem::missing(rq.uri()))?;
    Ok(Content::Document(Bytes::from_static(text.as_bytes())))
}

async fn metadata(_: &Rq) -> Result<Content, Problem> {
    Ok(Content::Document(Bytes::from_static(
        metadata::document().as_bytes(),
    )))
}

async fn service_document(rq: &Rq) -> Result<Content, Problem> {
    let root = serde_json::to_value(service_root::model(rq)?)
        .map_err(|error| Problem::internal(error.to_string()))?;
    let singleton = |name: &str, url: &str| json!({"name": name, "kind": "Singleton", "url": url});
    let mut listed = vec![singleton("Service", service_root::URI)];
    links(root.as_object().unwrap_or(&Map::new()), &mut |name, url| {
        listed.push(singleton(name, url));
    });
    let document = json!({
        "@odata.context": "/redfish/v1/$metadata",
        "value": listed,
    });
    Ok(Content::Document(document.to_string().into()))
}

/// What the service root leads to, also below its `Links`.
fn links(of: &Map<String, Value>, found: &mut impl FnMut(&str, &str)) {
    for (name, value) in of {
        match value.get("@odata.id").and_then(Value::as_str) {
            Some(url) => found(name, url),
            None if name == "Links" => {
                if let Some(below) = value.as_object() {
                    links(below, found);
                }
            }
            None => {}
        }
    }
}

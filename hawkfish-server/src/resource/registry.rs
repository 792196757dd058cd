//! Message registries: DMTF's by where they are published, our own as a whole.

use hawkfish_redfish::message::{REGISTRIES, hawkfish_registry};
use hawkfish_redfish::model::message_registry_file::{Location, MessageRegistryFile};
use serde_json::Value;

use super::attribute_registry;
use crate::catalog::{Content, Privileges, Resource, Rq};
use crate::problem::Problem;

/// `/redfish/v1/Registries`
pub const COLLECTION: Resource = Resource {
    uri: "/redfish/v1/Registries",
    entity: "MessageRegistryFileCollection",
    get: Some(|rq| Box::pin(list(rq))),
    privileges: Privileges::MANAGER,
    version: Some(|rq| Ok(rq.hf.inventory().generation())),
    ..Resource::NONE
};

/// `/redfish/v1/Registries/{registry}`
pub const FILE: Resource = Resource {
    uri: "/redfish/v1/Registries/{registry}",
    entity: "MessageRegistryFile",
    get: Some(|rq| Box::pin(read(rq))),
    privileges: Privileges::MANAGER,
    ..Resource::NONE
};

/// Where our own registry stands as a whole.
const DOCUMENT: &str = "/redfish/v1/Registries/HawkFish/HawkFish.1.0.0";

/// Our own registry.
pub const HAWKFISH: Resource = Resource {
    uri: DOCUMENT,
    entity: "MessageRegistry",
    get: Some(|rq| Box::pin(hawkfish(rq))),
    privileges: Privileges::MANAGER,
    version: Some(|_| Ok(0)),
    ..Resource::NONE
};

async fn list(rq: &Rq) -> Result<Content, Problem> {
    Ok(Content::collection(
        rq,
        "Registries",
        REGISTRIES
            .iter()
            .map(|registry| registry.prefix.to_owned())
            .chain(attribute_registry::all(rq).into_keys()),
    ))
}

async fn read(rq: &Rq) -> Result<Content, Problem> {
    let wanted = rq.param("registry");
    if let Some(file) = attribute_registry::file(rq, wanted) {
        return Content::of(&file);
    }
    let Some(registry) = REGISTRIES.iter().find(|registry| registry.prefix == wanted) else {
        return Err(Problem::missing(rq.uri()));
    };
    let ours = registry.prefix == "HawkFish";
    let (id, version, release) = (registry.prefix, registry.version, registry.release);
    Content::of(&MessageRegistryFile {
        id: id.into(),
        name: format!("{id} Message Registry File"),
        registry: Some(format!("{id}.{version}")),
        languages: Some(vec!["en".into()]),
        location: Some(vec![Location {
            language: Some("en".into()),
            uri: ours.then(|| DOCUMENT.into()),
            publication_uri: (!ours)
                .then(|| format!("https://redfish.dmtf.org/registries/{id}.{release}.json")),
            ..Location::default()
        }]),
        ..MessageRegistryFile::default()
    })
}

async fn hawkfish(_: &Rq) -> Result<Content, Problem> {
    match hawkfish_registry() {
        Value::Object(registry) => Ok(Content::Resource(registry.clone())),
        _ => Err(Problem::internal("our registry is no object")),
    }
}

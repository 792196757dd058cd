//! The privilege registry: the catalog's own table of who may do what, which the catalog enforces, as a client can read it (DSP0266, "Privilege
//! model"; DSP0268, PrivilegeRegistry).
//!
//! There is no other table: what stands here is read off the resources that are served. An entity that is served at places with different rules, such
//! as the logs of systems and those of managers, has the rules of the managers, and `SubordinateOverrides` for the other places. An action that others
//! may call than may POST stands among the `PropertyOverrides` under its short name.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::catalog::{AnyOf, Content, Privileges, Resource, Verb};

/// Where it stands.
pub const URI: &str = "/redfish/v1/AccountService/PrivilegeMap";

/// `/redfish/v1/AccountService/PrivilegeMap`
pub const RESOURCE: Resource = Resource {
    uri: URI,
    entity: "PrivilegeRegistry",
    get: Some(|rq| {
        Box::pin(async move {
            let served: Vec<_> = rq.service.catalog.resources().collect();
            Ok(Content::Resource(table(&served)))
        })
    }),
    privileges: Privileges::MANAGER,
    version: Some(|_| Ok(0)),
    ..Resource::NONE
};

/// Nobody needs to be known.
const NO_AUTH: &str = "NoAuth";

/// The registry of these resources.
fn table(served: &[&'static Resource]) -> Map<String, Value> {
    let mut entities: BTreeMap<&str, Vec<&'static Resource>> = BTreeMap::new();
    for resource in served.iter().filter(|one| !one.entity.is_empty()) {
        entities.entry(resource.entity).or_default().push(resource);
    }
    let mappings: Vec<Value> = entities
        .into_iter()
        .map(|(entity, places)| mapping(served, entity, &places))
        .collect();
    let used = hawkfish_core::ctx::Privilege::ALL.map(|privilege| privilege.as_str());
    let used: Vec<&str> = used.into_iter().chain([NO_AUTH]).collect();
    let registry = json!({
        "Id": "PrivilegeMap",
        "Name": "Privilege Map",
        "Description": "Which privileges a request to each kind of resource takes; any one of those listed is enough.",
        "PrivilegesUsed": used,
        "OEMPrivilegesUsed": [],
        "Mappings": mappings,
    });
    match registry {
        Value::Object(registry) => registry,
        _ => Map::new(),
    }
}

fn mapping(served: &[&'static Resource], entity: &str, places: &[&'static Resource]) -> Value {
    let manager = operations(&Resource {
        privileges: Privileges::MANAGER,
        ..Resource::NONE
    });
    let all: Vec<Value> = places.iter().map(|place| operations(place)).collect();
    let base = all.iter().find(|one| **one == manager).unwrap_or(&all[0]);
    let mut mapping = json!({"Entity": entity, "OperationMap": base});

    let mut subordinate: Vec<Value> = Vec::new();
    for (place, operations) in places.iter().zip(&all) {
        let one = json!({"Targets": above(served, place), "OperationMap": operations});
        if operations != base && !subordinate.contains(&one) {
            subordinate.push(one);
        }
    }
    if !subordinate.is_empty() {
        mapping["SubordinateOverrides"] = subordinate.into();
    }

    let mut properties: Vec<Value> = Vec::new();
    for place in places {
        let patched = place.overrides.iter().map(|property| {
            json!({"Targets": [property.property], "OperationMap": {"PATCH": any_of(property.needs)}})
        });
        let called = place.actions.iter().filter_map(|action| {
            let (_, name) = action.name.split_once('.')?;
            Some(json!({"Targets": [name], "OperationMap": {"POST": any_of(action.needs?)}}))
        });
        for one in patched.chain(called) {
            if !properties.contains(&one) {
                properties.push(one);
            }
        }
    }
    if !properties.is_empty() {
        mapping["PropertyOverrides"] = properties.into();
    }
    mapping
}

/// The entities that a place is below, from the outside in, beginning with a resource that is neither the root nor a collection below it.
fn above(served: &[&'static Resource], place: &Resource) -> Vec<&'static str> {
    let ends = place.uri.match_indices('/').map(|(at, _)| at).skip(1);
    ends.filter_map(|at| {
        let above = &place.uri[..at];
        served.iter().find(|one| one.uri == above)
    })
    .map(|one| one.entity)
    .filter(|entity| !entity.is_empty() && *entity != "ServiceRoot")
    .skip_while(|entity| entity.ends_with("Collection"))
    .collect()
}

fn operations(of: &Resource) -> Value {
    let Privileges {
        get,
        patch,
        post,
        delete,
    } = of.privileges;
    let open = |needs: AnyOf, verb: Verb| {
        let mut any = any_of(needs);
        if of.open.contains(&verb) {
            any.push(json!({"Privilege": [NO_AUTH]}));
        }
        any
    };
    json!({
        "GET": open(get, Verb::Get),
        "HEAD": open(get, Verb::Get),
        "PATCH": open(patch, Verb::Patch),
        "PUT": open(patch, Verb::Patch),
        "POST": open(post, Verb::Create),
        "DELETE": open(delete, Verb::Delete),
    })
}

fn any_of(needs: AnyOf) -> Vec<Value> {
    needs
        .iter()
        .map(|privilege| json!({"Privilege": [privilege.as_str()]}))
        .collect()
}

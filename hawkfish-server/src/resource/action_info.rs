//! What each action takes, for clients that ask before they call (DSP0266, "ActionInfo").
//!
//! The catalog makes one for every action that is served, at `<resource>/<action>ActionInfo`, and names it beside the action's target. The parameters come
//! from the schema, the values that are allowed now from what the resource shows.

use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex};

use hawkfish_redfish::metadata;
use serde_json::{Map, Value, json};

use crate::catalog::{Catalog, Content, Privileges, Resource, Rq};
use crate::problem::Problem;

/// The entity of all of them.
pub(crate) const ENTITY: &str = "ActionInfo";

/// Where an action of what stands at `uri` is described.
#[must_use]
pub fn uri(uri: &str, action: &str) -> String {
    let short = action.rsplit('.').next().unwrap_or(action);
    format!("{uri}/{short}ActionInfo")
}

/// The descriptions of the actions of a resource. They are made once in a process, because a resource is named by a reference that lasts.
pub(crate) fn of(resource: &'static Resource) -> Vec<&'static Resource> {
    type Made = BTreeMap<(usize, &'static str), &'static Resource>;
    static MADE: LazyLock<Mutex<Made>> = LazyLock::new(Mutex::default);
    let mut made = MADE.lock().expect("action infos");
    let place = std::ptr::from_ref(resource) as usize;
    resource
        .actions
        .iter()
        .map(|action| {
            *made.entry((place, action.name)).or_insert_with(|| {
                Box::leak(Box::new(Resource {
                    uri: String::leak(uri(resource.uri, action.name)),
                    entity: ENTITY,
                    get: Some(|rq| Box::pin(read(rq))),
                    // It shows something of the resource, so it is for those who may see that.
                    privileges: Privileges {
                        get: resource.privileges.get,
                        ..Privileges::MANAGER
                    },
                    own: resource.own,
                    version: resource.version,
                    ..Resource::NONE
                }))
            })
        })
        .collect()
}

async fn read(rq: &Rq) -> Result<Content, Problem> {
    let of = rq.above(1);
    let missing = || Problem::missing(rq.uri());
    let (_, id) = rq.uri().rsplit_once('/').ok_or_else(missing)?;
    let catalog = &rq.service.catalog;
    let route = catalog.find(of).ok_or_else(missing)?;
    let resource = catalog.entry(&route).resource;
    let action = resource
        .actions
        .iter()
        .find(|action| uri(of, action.name) == rq.uri())
        .ok_or_else(missing)?;
    let now = Catalog::read(&rq.service, &rq.ctx, of).await?;
    let now: Value =
        serde_json::from_slice(&now.bytes).map_err(|error| Problem::internal(error.to_string()))?;
    let shown = action.shown(resource.entity, &now);
    // An action that is not offered has nothing to be told of.
    if shown.is_null() {
        return Err(missing());
    }
    let mut parameters = metadata::parameters(resource.entity, action.name)
        .ok_or_else(|| Problem::internal(format!("the schema has no action {}", action.name)))?;
    for parameter in &mut parameters {
        let name = parameter["Name"].as_str().unwrap_or_default();
        if let Some(values) = shown.get(format!("{name}@Redfish.AllowableValues")) {
            parameter.insert("AllowableValues".to_owned(), values.clone());
        }
    }
    let (_, short) = action.name.split_once('.').unwrap_or(("", action.name));
    Ok(Content::Resource(Map::from_iter([
        ("Id".to_owned(), id.into()),
        ("Name".to_owned(), format!("{short} Action Info").into()),
        ("Parameters".to_owned(), json!(parameters)),
    ])))
}

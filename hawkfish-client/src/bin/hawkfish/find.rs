//! From what a person types to a resource: always by the links of the service, never by building a URI.

use hawkfish_client::{Client, Fetched, link};
use serde_json::Value;

use crate::failure::{Failure, Result};

/// The URI that stands at a pointer of a resource.
pub(crate) fn linked<'a>(resource: &'a Value, pointer: &str, what: &str) -> Result<&'a str> {
    link(resource, pointer).ok_or_else(|| Failure::NotFound(format!("the service has no {what}")))
}

/// A service that the root leads to.
pub(crate) async fn service(client: &Client, pointer: &str, what: &str) -> Result<Fetched<Value>> {
    let root = client.root().await?.value;
    Ok(client.get_value(linked(&root, pointer, what)?).await?)
}

/// What stands at a pointer.
pub(crate) fn there<'a>(resource: &'a Value, pointer: &str, what: &str) -> Result<&'a Value> {
    resource
        .pointer(pointer)
        .ok_or_else(|| Failure::NotFound(format!("the service has no {what}")))
}

/// The text that stands at a pointer.
pub(crate) fn text<'a>(resource: &'a Value, pointer: &str) -> Option<&'a str> {
    resource.pointer(pointer).and_then(Value::as_str)
}

/// The last part of a URI, by which people call what stands there.
pub(crate) fn id(uri: &str) -> &str {
    let path = uri.trim_end_matches('/');
    path.rsplit('/').next().unwrap_or(path)
}

/// What people call something: its id, or its name where the id is a UUID, which nobody remembers.
pub(crate) fn called(resource: &Fetched<Value>) -> &str {
    let id = text(&resource.value, "/Id").unwrap_or_else(|| id(&resource.uri));
    let groups: Vec<usize> = id.split('-').map(str::len).collect();
    match groups == [8, 4, 4, 4, 12] {
        true => text(&resource.value, "/Name").unwrap_or(id),
        false => id,
    }
}

/// What was read, without where and when.
pub(crate) fn values(fetched: Vec<Fetched<Value>>) -> Vec<Value> {
    fetched.into_iter().map(|fetched| fetched.value).collect()
}

/// All members of a collection, in its order.
pub(crate) async fn all(client: &Client, collection: &str) -> Result<Vec<Fetched<Value>>> {
    Ok(client.resources(collection).await?)
}

/// The member with this id: the last part of its URI, else whatever property of `names` says so.
pub(crate) async fn member(
    client: &Client,
    collection: &str,
    id: &str,
    names: &[&str],
    what: &str,
) -> Result<Fetched<Value>> {
    let members = client.members(collection).all().await?;
    if let Some(member) = members.into_iter().find(|member| member.id() == id) {
        return Ok(client.get_value(&member.uri).await?);
    }
    let mut found = all(client, collection).await?;
    found.retain(|member| {
        names
            .iter()
            .any(|name| member.value.get(*name).and_then(Value::as_str) == Some(id))
    });
    match found.len() {
        0 => Err(Failure::NotFound(format!("there is no {what} {id}"))),
        1 => Ok(found.remove(0)),
        several => Err(Failure::Usage(format!(
            "{several} {what}s are called {id}; use the id"
        ))),
    }
}

/// The collection of systems.
pub(crate) async fn systems(client: &Client) -> Result<String> {
    let root = client.root().await?.value;
    linked(&root, "/Systems", "systems").map(str::to_owned)
}

/// A system by its id, name or UUID.
pub(crate) async fn system(client: &Client, id: &str) -> Result<Fetched<Value>> {
    let collection = systems(client).await?;
    member(
        client,
        &collection,
        id,
        &["Id", "Name", "HostName", "UUID"],
        "system",
    )
    .await
}

/// What was not found by an id of its own, found by what people call the machine that it belongs to: the first that a link of the system leads to.
pub(crate) async fn or_of_system(
    found: Result<Fetched<Value>>,
    client: &Client,
    id: &str,
    pointer: &str,
) -> Result<Fetched<Value>> {
    let Err(Failure::NotFound(missing)) = found else {
        return found;
    };
    let system = match system(client, id).await {
        Err(Failure::NotFound(_)) => return Err(Failure::NotFound(missing)),
        system => system?,
    };
    match link(&system.value, pointer) {
        Some(uri) => Ok(client.get_value(uri).await?),
        None => Err(Failure::NotFound(missing)),
    }
}

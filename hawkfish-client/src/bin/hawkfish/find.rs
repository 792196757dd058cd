//! From what a person types to a resource: always by the links of the service, never by building a URI.

use hawkfish_client::{Client, Fetched, link};
use serde_json::Value;

use crate::failure::{Failure, Result};

/// The URI that stands at a pointer of a resource.
pub(crate) fn linked<'a>(resource: &'a Value, pointer: &str, what: &str) -> Result<&'a str> {
    link(resource, pointer).ok_or_else(|| Failure::NotFound(format!("the service has no {what}")))
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

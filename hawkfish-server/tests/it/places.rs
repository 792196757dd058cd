//! A service in which everything is there that can be, and where: a real URI for each template of the catalog.

use std::collections::{BTreeMap, BTreeSet};

use hawkfish_server::catalog::Resource;
use hawkfish_server::resource;
use serde_json::{Value, json};

use crate::door::{ADMIN, Door};

/// Every template that is served, those of action descriptions included, with what stands there; of a description, the resource that it describes.
pub(crate) fn templates() -> Vec<(String, &'static Resource)> {
    let mut all = Vec::new();
    for resource in resource::ALL {
        all.push((resource.uri.to_owned(), *resource));
        for action in resource.actions {
            all.push((
                resource::action_info::uri(resource.uri, action.name),
                *resource,
            ));
        }
    }
    all
}

/// Whether a path is an instance of a template.
pub(crate) fn is_like(path: &str, template: &str) -> bool {
    let (a, b): (Vec<_>, Vec<_>) = (path.split('/').collect(), template.split('/').collect());
    a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| a == b || b.starts_with('{'))
}

/// Every URI that something leads to from the root.
pub(crate) async fn crawl(door: &Door) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let mut open = BTreeSet::from(["/redfish/v1".to_owned()]);
    while let Some(uri) = open.pop_first() {
        let answer = door.send("GET", &uri).admin().answer().await;
        if answer.status == 200 {
            links(&answer.body, &mut open);
        }
        seen.insert(uri);
        open.retain(|uri| !seen.contains(uri));
    }
    seen
}

fn links(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value.as_str() {
                    Some(uri)
                        if name == "@odata.id"
                            || name == "@Redfish.ActionInfo"
                            || (name == "Uri" && uri.starts_with('/')) =>
                    {
                        let uri = uri.split('#').next().unwrap_or_default();
                        found.insert(uri.trim_end_matches('/').to_owned());
                    }
                    _ => links(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| links(item, found)),
        _ => {}
    }
}

/// Sees to it that there is a session and a task, and finds an instance of each template: the last one, so that of accounts and sessions it is not
/// the first administrator's own. Where nothing leads to a template there is a made-up one, unless `real` says that one must be there.
pub(crate) async fn instances(
    door: &Door,
    real: impl Fn(&str) -> bool,
) -> BTreeMap<String, String> {
    door.furnish().await;
    door.account("bystander", "ReadOnly").await;
    assert_eq!(door.log_in(ADMIN.0, ADMIN.1).await.status, 201);
    let bystander = crate::door::password("bystander");
    assert_eq!(door.log_in("bystander", &bystander).await.status, 201);
    let insert = format!(
        "{}/VirtualMedia/Cd/Actions/VirtualMedia.InsertMedia",
        door.system(0)
    );
    let body = json!({"Image": "http://images.example/installer.iso"});
    let inserted = door
        .send("POST", &insert)
        .admin()
        .json(&body)
        .answer()
        .await;
    assert_eq!(inserted.status, 204, "{inserted:?}");

    let reset = format!("{}/Actions/ComputerSystem.Reset", door.system(0));
    let on = json!({"ResetType": "On"});
    let answer = door.send("POST", &reset).admin().json(&on).answer().await;
    assert_eq!(answer.status, 204, "{answer:?}");

    crate::dead_letters::leave(door, 1).await;

    let seen = crawl(door).await;
    templates()
        .into_iter()
        .map(|(template, _)| {
            let found = seen.iter().rev().find(|uri| is_like(uri, &template));
            assert!(
                found.is_some() || !real(&template),
                "nothing leads to {template}"
            );
            let made_up = || {
                let part =
                    |part: &'_ str| if part.starts_with('{') { "1" } else { part }.to_owned();
                template.split('/').map(part).collect::<Vec<_>>().join("/")
            };
            (template.clone(), found.cloned().unwrap_or_else(made_up))
        })
        .collect()
}

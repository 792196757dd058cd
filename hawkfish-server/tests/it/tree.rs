//! The tree as a whole: everything that is linked is there, is what it says, and is as its schema says (which the service enforces in tests).

use std::collections::{BTreeMap, BTreeSet};

use hawkfish_redfish::validate;
use hawkfish_server::tls::{ClientAuthorities, NameIn};
use hawkfish_server::{Options, resource};
use serde_json::Value;

use crate::client_certificate::Authority;

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
                        found.insert(uri.to_owned());
                    }
                    _ => links(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| links(item, found)),
        _ => {}
    }
}

#[tokio::test]
async fn every_link_leads_to_what_it_says() {
    let authority = tempfile::tempdir().unwrap();
    let clients = ClientAuthorities {
        files: vec![Authority::new("clients").write(authority.path())],
        optional: true,
        name_in: NameIn::CommonName,
    };
    let options = Options {
        client_certificates: Some(clients.read().unwrap()),
        ..Options::default()
    };
    let (door, _folder) = crate::update::open_with(options).await;
    door.furnish().await;
    // So that something lies in its image store.
    let uri = format!("{}/BootImage", door.system(1));
    let image = [("UpdateFile", Some("a.iso"), b"bytes".as_slice())];
    let pushed = crate::update::push(&door, &uri, &image).await;
    assert_eq!(pushed.status, 201);
    let session = door
        .log_in(crate::door::ADMIN.0, crate::door::ADMIN.1)
        .await;
    assert_eq!(session.status, 201);
    // So that something stands in its log.
    let reset = format!("{}/Actions/ComputerSystem.Reset", door.system(0));
    let on = serde_json::json!({"ResetType": "On"});
    let answer = door.send("POST", &reset).admin().json(&on).answer().await;
    assert_eq!(answer.status, 204);
    // So that something could not be delivered.
    crate::dead_letters::leave(&door, 1).await;
    let job = serde_json::json!({
        "Schedule": {"InitialStartTime": "2026-01-02T00:00:00Z"},
        "Payload": {
            "TargetUri": format!("{}/Actions/ComputerSystem.Reset", door.system(0)),
            "JsonBody": "{\"ResetType\": \"On\"}",
        },
    });
    let jobs = "/redfish/v1/JobService/Jobs";
    let job = door.send("POST", jobs).admin().json(&job).answer().await;
    assert_eq!(job.status, 201);
    let mut seen: BTreeMap<String, Value> = BTreeMap::new();
    let mut open = BTreeSet::from(["/redfish/v1/".to_owned()]);
    while let Some(uri) = open.pop_first() {
        let (path, fragment) = uri.split_once('#').unwrap_or((&uri, ""));
        if !seen.contains_key(path) {
            let answer = door.read(path).await;
            links(&answer.body, &mut open);
            if let Some(id) = answer.body.get("@odata.id") {
                assert_eq!(id, path);
            }
            if let Some(id) = answer.body.get("Id").filter(|_| path != "/redfish/v1/") {
                assert_eq!(
                    Some(id.as_str().unwrap()),
                    path.rsplit('/').next(),
                    "{path}"
                );
            }
            seen.insert(path.to_owned(), answer.body);
        }
        assert!(seen[path].pointer(fragment).is_some(), "{uri}");
        open.retain(|uri| !seen.contains_key(uri));
    }
    // Each resource of the list is reached, save those that no resource links to.
    let hidden = [
        "/redfish",
        "/redfish/v1",
        "/redfish/v1/odata",
        "/redfish/v1/$metadata",
        "/redfish/v1/schemas/{file}",
        "/redfish/v1/openapi.yaml",
        "/redfish/v1/docs",
        "/redfish/v1/docs/start.js",
        "/redfish/v1/docs/swagger-ui-bundle.js",
        "/redfish/v1/docs/swagger-ui.css",
        "/redfish/v1/TaskService/Tasks/{task}",
        "/redfish/v1/TaskService/TaskMonitors/{task}",
    ];
    for resource in resource::ALL
        .iter()
        // What can only be pushed to is no resource to be linked.
        .filter(|resource| resource.get.is_some() && !hidden.contains(&resource.uri))
    {
        let like = |uri: &String| {
            let (a, b): (Vec<_>, Vec<_>) =
                (uri.split('/').collect(), resource.uri.split('/').collect());
            a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| a == b || b.starts_with('{'))
        };
        assert!(seen.keys().any(like), "nothing leads to {}", resource.uri);
    }
}

#[tokio::test]
async fn the_list_agrees_with_what_is_said_to_be_served() {
    for resource in resource::ALL
        .iter()
        .filter(|resource| !resource.entity.is_empty())
    {
        let entity = resource.entity;
        let said =
            validate::capabilities(entity).unwrap_or_else(|| panic!("{entity} is not served"));
        // One schema may stand at several places, and what stands at one of them can go.
        let mut places = resource::ALL.iter().filter(|r| r.entity == entity);
        let deletes = places.any(|place| place.delete.is_some());
        assert_eq!(said.deletable, deletes, "{entity}");
        let mut places = resource::ALL.iter().filter(|r| r.entity == entity);
        let takes = places.any(|place| place.create.is_some());
        assert_eq!(said.insertable, takes, "{entity}");
        for action in resource.actions {
            assert_eq!(
                validate::action_name(entity, action.name),
                Some(action.name),
                "{entity}"
            );
        }
    }
}

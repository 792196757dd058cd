//! Every action is described, and the description is true.

use hawkfish_redfish::validate;
use hawkfish_server::resource;
use serde_json::{Value, json};

use crate::door::Door;
use crate::places::instances;

#[tokio::test]
async fn every_action_that_is_shown_leads_to_a_description_of_its_parameters() {
    let door = Door::open().await;
    let entity = |template: &str| {
        let found = resource::ALL.iter().find(|one| one.uri == template);
        found.map_or("", |one| one.entity)
    };
    let actions = |template: &str| {
        let found = resource::ALL.iter().find(|one| one.uri == template);
        found.map_or(&[][..], |one| one.actions)
    };
    let needed = |template: &str| !actions(template).is_empty() && !nothing_here(template);
    let places = instances(&door, needed).await;
    let mut seen = 0;
    for (template, uri) in places
        .iter()
        .filter(|(template, _)| !nothing_here(template))
    {
        for action in actions(template) {
            let body = door.read(uri).await.body;
            let shown = action.shown(entity(template), &body).clone();
            if shown.is_null() {
                // What is not offered here is not described either.
                let uri = resource::action_info::uri(uri, action.name);
                let answer = door.send("GET", &uri).admin().answer().await;
                answer.refused(404, "ResourceMissingAtURI");
                continue;
            }
            let described = shown["@Redfish.ActionInfo"]
                .as_str()
                .unwrap_or_else(|| panic!("{uri}: {shown}"));
            let info = door.read(described).await.body;
            assert_eq!(info["Id"], described.rsplit('/').next().unwrap());
            let parameters = info["Parameters"].as_array().unwrap();
            for parameter in parameters {
                let name = parameter["Name"].as_str().unwrap();
                if let Some(allowed) = shown.get(format!("{name}@Redfish.AllowableValues")) {
                    assert_eq!(&parameter["AllowableValues"], allowed, "{described} {name}");
                }
                for value in parameter["AllowableValues"]
                    .as_array()
                    .into_iter()
                    .flatten()
                {
                    assert_eq!(
                        trouble(template, action.name, name, &json!(value)),
                        None,
                        "{described}"
                    );
                }
                let needed = parameter["Required"].as_bool().unwrap();
                let missing = findings(template, action.name, &json!({}));
                assert_eq!(
                    missing.iter().any(|one| one.name == name),
                    needed,
                    "{described} {name}"
                );
            }
            seen += 1;
        }
    }
    assert!(seen >= 4, "{seen}");
}

/// Without a socket there is no certificate that could be replaced, and nobody made a job.
fn nothing_here(template: &str) -> bool {
    template.ends_with("/HTTPS/Certificates/{certificate}") || template.ends_with("/Jobs/{job}")
}

fn findings(template: &str, action: &str, body: &Value) -> Vec<validate::Finding> {
    let entity = resource::ALL
        .iter()
        .find(|one| one.uri == template)
        .unwrap()
        .entity;
    validate::action(entity, action, body.as_object().unwrap()).unwrap()
}

/// What the schema has against a value of a parameter.
fn trouble(template: &str, action: &str, name: &str, value: &Value) -> Option<validate::Problem> {
    let of = |body: Value| {
        let found = findings(template, action, &body).into_iter();
        found
            .filter(|one| one.name == name)
            .map(|one| one.problem)
            .next()
    };
    // A parameter may be a list, too.
    of(json!({name: value})).and(of(json!({name: [value]})))
}

#[tokio::test]
async fn a_description_shows_what_the_resource_allows_now_and_to_whom_it_shows_itself() {
    let door = Door::open().await;
    let system = door.system(0);
    let info = door.read(&format!("{system}/ResetActionInfo")).await.body;
    let shown = door.read(&system).await.body;
    let kind = info["Parameters"]
        .as_array()
        .unwrap()
        .iter()
        .find(|p| p["Name"] == "ResetType")
        .unwrap()
        .clone();
    assert_eq!(
        kind["AllowableValues"],
        shown["Actions"]["#ComputerSystem.Reset"]["ResetType@Redfish.AllowableValues"]
    );
    // The schema knows more kinds of reset than a virtual machine has.
    assert!(
        !kind["AllowableValues"]
            .as_array()
            .unwrap()
            .contains(&json!("FullPowerCycle"))
    );
    let missing = "/redfish/v1/Systems/nobody/ResetActionInfo";
    door.send("GET", missing)
        .admin()
        .answer()
        .await
        .refused(404, "ResourceMissingAtURI");
    door.send("GET", &format!("{system}/NapActionInfo"))
        .admin()
        .answer()
        .await
        .refused(404, "ResourceMissingAtURI");
    let own = door.account("ann", "ReadOnly").await;
    door.account("ben", "ReadOnly").await;
    let described = format!("{own}/ChangePasswordActionInfo");
    assert_eq!(
        door.send("GET", &described)
            .user("ann")
            .answer()
            .await
            .status,
        200
    );
    door.send("GET", &described)
        .user("ben")
        .answer()
        .await
        .refused(403, "InsufficientPrivilege");
}

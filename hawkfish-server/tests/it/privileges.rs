//! The privilege registry that is served is the one that is enforced.

use std::collections::{BTreeMap, BTreeSet};

use hawkfish_server::catalog::{Resource, Verb};
use hawkfish_server::resource;
use serde_json::{Value, json};

use crate::door::{Door, ROLES, password};
use crate::places::{instances, templates};
use hawkfish_testing::part;

const TABLE: &str = "/redfish/v1/AccountService/PrivilegeMap";

/// Where one of these sets of privileges is enough.
type AnyOf = BTreeSet<BTreeSet<String>>;

fn any_of(listed: &Value) -> AnyOf {
    let all = listed.as_array().unwrap_or_else(|| panic!("{listed}"));
    all.iter()
        .map(|one| serde_json::from_value(one["Privilege"].clone()).unwrap())
        .collect()
}

/// The entities above a template, as `SubordinateOverrides` names them.
fn above(template: &str) -> Vec<&'static str> {
    let ends = template.match_indices('/').map(|(at, _)| at).skip(1);
    ends.filter_map(|at| resource::ALL.iter().find(|one| one.uri == &template[..at]))
        .map(|one| one.entity)
        .filter(|entity| !entity.is_empty() && *entity != "ServiceRoot")
        .skip_while(|entity| entity.ends_with("Collection"))
        .collect()
}

/// What the table that was served asks for.
fn asked(table: &Value, entity: &str, template: &str, operation: &str, of: &str) -> Option<AnyOf> {
    let mappings = table["Mappings"].as_array().unwrap();
    let mapping = mappings.iter().find(|one| one["Entity"] == entity)?;
    let overrides = |name: &str| mapping[name].as_array().into_iter().flatten();
    for one in overrides("PropertyOverrides") {
        let named = one["Targets"].as_array().unwrap().contains(&json!(of));
        if named && let Some(listed) = one["OperationMap"].get(operation) {
            return Some(any_of(listed));
        }
    }
    let place = json!(above(template));
    for one in overrides("SubordinateOverrides") {
        if one["Targets"] == place
            && let Some(listed) = one["OperationMap"].get(operation)
        {
            return Some(any_of(listed));
        }
    }
    Some(any_of(&mapping["OperationMap"][operation]))
}

/// A method and a place: what the table calls it, and of which action it is.
struct Try {
    method: &'static str,
    operation: &'static str,
    uri: String,
    action: &'static str,
    open: bool,
}

fn tries(resource: &Resource, template: &str, uri: &str) -> Vec<Try> {
    let one = |method, operation, verb| Try {
        method,
        operation,
        uri: uri.to_owned(),
        action: "",
        open: resource.open.contains(&verb),
    };
    if resource.uri != template {
        return vec![one("GET", "GET", Verb::Get), one("HEAD", "HEAD", Verb::Get)];
    }
    let mut all = Vec::new();
    for verb in resource.verbs() {
        match verb {
            Verb::Get => {
                all.push(one("GET", "GET", verb));
                all.push(one("HEAD", "HEAD", verb));
            }
            Verb::Patch => all.push(one("PATCH", "PATCH", verb)),
            Verb::Create => all.push(one("POST", "POST", verb)),
            Verb::Delete => all.push(one("DELETE", "DELETE", verb)),
            _ => {}
        }
    }
    all.extend(resource.actions.iter().map(|action| Try {
        method: "POST",
        operation: "POST",
        uri: action.target(resource.entity, uri),
        action: action.name.split_once('.').unwrap().1,
        open: false,
    }));
    all
}

#[tokio::test]
async fn every_resource_answers_everybody_as_the_table_says_that_is_served() {
    let door = Door::open().await;
    let roles = ["ReadOnly", "Operator", "Administrator"];
    let mut privileges: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for role in roles {
        door.account(&format!("a {role}"), role).await;
        let shown = door.read(&format!("{ROLES}/{role}")).await.body;
        let assigned = serde_json::from_value(shown["AssignedPrivileges"].clone()).unwrap();
        privileges.insert(role, assigned);
    }
    let places = instances(&door, |_| false).await;
    let table = door.read(TABLE).await.body;
    let (mut let_in, mut refused) = (0, 0);
    let mut wrong = Vec::new();
    for (template, resource) in templates() {
        let entity = match template == resource.uri {
            true => resource.entity,
            false => "ActionInfo",
        };
        if entity.is_empty() {
            continue;
        }
        for one in tries(resource, &template, &places[&template]) {
            let needs = asked(&table, entity, &template, one.operation, one.action)
                .unwrap_or_else(|| panic!("{entity} is not in the table"));
            let nobody = BTreeSet::from(["NoAuth".to_owned()]);
            assert_eq!(
                needs.contains(&nobody),
                one.open,
                "{} {template}",
                one.method
            );
            let what = format!("{} {}", one.method, one.uri);
            // Who gets past the check fails at the next one, so that nothing is changed.
            let send = || {
                let sending = door
                    .send(one.method, &one.uri)
                    .header("if-match", "\"no such tag\"");
                match one.method {
                    "GET" | "HEAD" | "DELETE" => sending,
                    _ => sending.json(&json!({})),
                }
            };
            let answer = send().answer().await;
            assert_eq!(
                answer.status == 401,
                !one.open,
                "nobody: {what}: {answer:?}"
            );
            for role in roles {
                // What is here is nobody's own of these.
                let mut has = privileges[role].clone();
                has.remove("ConfigureSelf");
                let expected = one.open || needs.iter().any(|all| all.is_subset(&has));
                let answer = send().user(&format!("a {role}")).answer().await;
                let status = answer.status.as_u16();
                if status == 401 || (status != 403) != expected || status == 500 {
                    wrong.push(format!(
                        "{role}: {what}: {status}, but allowed is {expected}"
                    ));
                }
                match expected {
                    true => let_in += 1,
                    false => refused += 1,
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(let_in > 150 && refused > 50, "{let_in} {refused}");
}

#[tokio::test]
async fn what_is_ones_own_is_open_to_oneself_as_the_table_says() {
    let door = Door::open().await;
    let own = door.account("ann", "ReadOnly").await;
    let other = door.account("ben", "ReadOnly").await;
    let table = door.read(TABLE).await.body;
    let mapping = |entity: &str| {
        let all = table["Mappings"].as_array().unwrap();
        all.iter()
            .find(|one| one["Entity"] == entity)
            .unwrap()
            .clone()
    };
    let self_too = |listed: &Value| any_of(listed).contains(&["ConfigureSelf".to_owned()].into());
    let account = mapping("ManagerAccount");
    assert!(self_too(&account["OperationMap"]["GET"]));
    assert!(!self_too(&account["OperationMap"]["PATCH"]));
    let password_rule = &account["PropertyOverrides"][0];
    assert_eq!(password_rule["Targets"], json!(["Password"]));
    assert!(self_too(&password_rule["OperationMap"]["PATCH"]));
    let change = asked(&table, "ManagerAccount", &own, "POST", "ChangePassword").unwrap();
    assert!(change.contains(&["ConfigureSelf".to_owned()].into()));

    door.send("GET", &own).user("ann").answer().await.ok();
    let refused = door.send("GET", &other).user("ann").answer().await;
    refused.refused(403, "InsufficientPrivilege");
    for (property, uri, allowed) in [
        ("Password", &own, true),
        ("Password", &other, false),
        ("RoleId", &own, false),
    ] {
        let body =
            json!({property: if property == "RoleId" { "Operator" } else { "a fresh secret" }});
        let answer = door
            .send("PATCH", uri)
            .user("ann")
            .json(&body)
            .answer()
            .await;
        assert_eq!(
            answer.status == 200,
            allowed,
            "{property} {uri}: {answer:?}"
        );
        assert_eq!(
            answer.status == 403,
            !allowed,
            "{property} {uri}: {answer:?}"
        );
        if allowed {
            let back = json!({"Password": password("ann")});
            let sending = door.send("PATCH", uri).admin().json(&back);
            sending.answer().await.ok();
        }
    }

    let session = door.log_in("ann", &password("ann")).await;
    let uri = session.header("location").to_owned();
    assert!(self_too(&mapping("Session")["OperationMap"]["DELETE"]));
    let refused = door.send("DELETE", &uri).user("ben").answer().await;
    refused.refused(403, "InsufficientPrivilege");
    assert_eq!(
        door.send("DELETE", &uri).user("ann").answer().await.status,
        204
    );
}

#[tokio::test]
async fn a_role_made_by_hand_may_what_its_privileges_allow() {
    let door = Door::open().await;
    let body = json!({"RoleId": "Keeper", "AssignedPrivileges": ["Login", "ConfigureUsers"]});
    let made = door.send("POST", ROLES).admin().json(&body).answer().await;
    assert_eq!(made.status, 201, "{made:?}");
    door.account("kim", "Keeper").await;
    let table = door.read(TABLE).await.body;
    let held = BTreeSet::from(["Login".to_owned(), "ConfigureUsers".to_owned()]);
    for (entity, uri) in [
        ("AccountService", "/redfish/v1/AccountService".to_owned()),
        ("ComputerSystem", door.system(0)),
        ("SessionService", "/redfish/v1/SessionService".to_owned()),
    ] {
        let needs = asked(&table, entity, &uri, "PATCH", "").unwrap();
        let allowed = needs.iter().any(|all| all.is_subset(&held));
        let sending = door.send("PATCH", &uri).user("kim").json(&json!({}));
        let answer = sending.answer().await;
        assert_eq!(answer.status != 403, allowed, "{entity}: {answer:?}");
    }
}

/// Where ours is not DMTF's, and why.
const DIFFERENCES: &[(&str, &str, &str)] = &[
    (
        "ManagerAccount",
        "HEAD",
        "a HEAD tells what a GET tells, so it takes what a GET takes",
    ),
    (
        "SessionCollection",
        "POST",
        "the specification opens it to everybody; the table says so with NoAuth",
    ),
    (
        "VirtualMedia",
        "*",
        "a medium belongs to a system: who runs systems may boot them from an image",
    ),
    ("VirtualMediaCollection", "*", "as VirtualMedia"),
    (
        "ActionInfo",
        "*",
        "it shows something of its resource, so it is for those who may read that",
    ),
    (
        "Certificate",
        "*",
        "what secure boot trusts belongs to a system, and who runs systems sets it",
    ),
    ("CertificateCollection", "*", "as Certificate"),
    (
        "UpdateService",
        "*",
        "it is set for all systems together, which is more than to run one",
    ),
];

#[tokio::test]
async fn the_table_is_dmtfs_but_for_the_differences_that_are_explained() {
    let Some(dir) = part::dmtf() else {
        return;
    };
    let theirs = dmtf(&dir);
    let door = Door::open().await;
    let table = door.read(TABLE).await.body;
    let mut compared = 0;
    let mut used = BTreeSet::new();
    let mut unexplained = Vec::new();
    let mut compare = |what: (&str, &str), ours: &AnyOf, expected: &AnyOf| {
        compared += 1;
        if ours == expected {
            return;
        }
        let (entity, operation) = what;
        let known = DIFFERENCES
            .iter()
            .find(|(e, o, _)| *e == entity && (*o == "*" || *o == operation));
        match known {
            Some((entity, operation, _)) => drop(used.insert((*entity, *operation))),
            None => unexplained.push(format!("{entity} {operation}: {ours:?}, not {expected:?}")),
        }
    };
    for (template, resource) in templates() {
        let entity = match template == resource.uri {
            true => resource.entity,
            false => "ActionInfo",
        };
        for operation in ["GET", "HEAD", "PATCH", "PUT", "POST", "DELETE"] {
            let asked = |table: &Value| asked(table, entity, &template, operation, "");
            if let (Some(ours), Some(expected)) = (asked(&table), asked(&theirs)) {
                compare((entity, operation), &ours, &expected);
            }
        }
    }
    unexplained.sort();
    unexplained.dedup();
    assert!(unexplained.is_empty(), "{unexplained:#?}");
    assert!(compared > 100, "{compared}");
    assert_eq!(
        used.len(),
        DIFFERENCES.len(),
        "a difference is no longer there: {used:?}"
    );
}

/// DMTF's newest privilege registry, from its archive in that folder.
fn dmtf(dir: &std::path::Path) -> Value {
    let to = tempfile::tempdir().unwrap();
    let archives = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    for archive in archives.filter(|path| path.to_string_lossy().contains("registries")) {
        let mut tar = std::process::Command::new("tar");
        let tar = tar.arg("-xJf").arg(&archive).arg("-C").arg(to.path());
        assert!(tar.status().expect("tar is installed").success());
    }
    let files = std::fs::read_dir(to.path().join("registries")).unwrap();
    let newest = files
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().ends_with("_PrivilegeRegistry.json"))
        .max()
        .expect("a privilege registry is in the archive");
    serde_json::from_slice(&std::fs::read(newest).unwrap()).unwrap()
}

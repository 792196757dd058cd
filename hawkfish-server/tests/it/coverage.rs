//! Every resource × method: who gets in, and who does not. It walks the list of all resources, so it covers what does not exist yet.

use hawkfish_server::catalog::{Resource, Verb};
use hawkfish_server::resource;
use serde_json::json;

use crate::door::{Door, SYSTEMS, password};

/// What anybody may do, written out, so that opening something by mistake fails.
const OPEN: &[(&str, &str)] = &[
    ("GET", "/redfish"),
    ("HEAD", "/redfish"),
    ("GET", "/redfish/v1"),
    ("HEAD", "/redfish/v1"),
    ("GET", "/redfish/v1/odata"),
    ("HEAD", "/redfish/v1/odata"),
    ("GET", "/redfish/v1/$metadata"),
    ("HEAD", "/redfish/v1/$metadata"),
    ("POST", "/redfish/v1/SessionService/Sessions"),
    ("POST", "/redfish/v1/SessionService/Sessions/Members"),
];

const METHODS: &[&str] = &["GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS"];

/// A template with something in its variables, whether or not it is there.
fn filled(template: &str) -> String {
    let part = |segment: &str| {
        if segment.starts_with('{') {
            "1".to_owned()
        } else {
            segment.to_owned()
        }
    };
    template.split('/').map(part).collect::<Vec<_>>().join("/")
}

fn places(resource: &Resource) -> Vec<String> {
    let uri = filled(resource.uri);
    let actions = resource
        .actions
        .iter()
        .map(|action| action.target(resource.entity, &uri));
    let mut all: Vec<String> = actions.collect();
    all.push(format!("{uri}/Members"));
    all.push(uri);
    all
}

#[tokio::test]
async fn without_credentials_nothing_is_open_but_what_the_specification_opens() {
    let door = Door::open().await;
    let mut seen = Vec::new();
    for resource in resource::ALL {
        for uri in places(resource) {
            for method in METHODS {
                let answer = door.send(method, &uri).answer().await;
                let open = OPEN.contains(&(*method, uri.as_str()));
                assert_eq!(answer.status != 401, open, "{method} {uri}: {answer:?}");
                if open {
                    seen.push((*method, uri.clone()));
                }
            }
        }
    }
    assert_eq!(seen.len(), OPEN.len(), "something open is no longer there");
}

#[tokio::test]
async fn what_is_not_there_is_unknown_only_to_those_who_may_come_in() {
    let door = Door::open().await;
    for uri in [
        "/redfish/v1/Nothing",
        "/",
        "/favicon.ico",
        "/redfish/v2/",
        "/redfish/v1/Systems/1/2/3",
    ] {
        door.send("GET", uri)
            .answer()
            .await
            .refused(401, "AccessUnauthorized");
        door.send("GET", uri)
            .admin()
            .answer()
            .await
            .refused(404, "ResourceMissingAtURI");
    }
}

#[tokio::test]
async fn a_method_that_a_resource_lacks_is_405_with_allow() {
    let door = Door::open().await;
    for resource in resource::ALL {
        let uri = filled(resource.uri);
        let verbs: Vec<Verb> = resource.verbs().collect();
        for (method, verb) in [
            ("POST", Some(Verb::Create)),
            ("PATCH", Some(Verb::Patch)),
            ("DELETE", Some(Verb::Delete)),
            ("PUT", None),
            ("OPTIONS", None),
            ("TRACE", None),
            ("BREW", None),
        ] {
            if verb.is_some_and(|verb| verbs.contains(&verb)) {
                continue;
            }
            let answer = door.send(method, &uri).admin().answer().await;
            answer.refused(405, "OperationNotAllowed");
            let allow: Vec<&str> = answer.header("allow").split(", ").collect();
            assert_eq!(
                allow.contains(&"PATCH"),
                verbs.contains(&Verb::Patch),
                "{uri}"
            );
            assert_eq!(
                allow.contains(&"POST"),
                verbs.contains(&Verb::Create),
                "{uri}"
            );
            assert_eq!(
                allow.contains(&"DELETE"),
                verbs.contains(&Verb::Delete),
                "{uri}"
            );
            // Where files are pushed there is nothing to read.
            let reads = verbs.contains(&Verb::Get);
            assert_eq!(allow.contains(&"GET"), reads, "{uri}");
            assert_eq!(allow.contains(&"HEAD"), reads, "{uri}");
        }
        for action in resource.actions {
            let answer = door
                .send("GET", &action.target(resource.entity, &uri))
                .admin()
                .answer()
                .await;
            answer.refused(405, "OperationNotAllowed");
            assert_eq!(answer.header("allow"), "POST");
        }
    }
}

#[tokio::test]
async fn who_may_only_read_changes_nothing() {
    let door = Door::open().await;
    door.account("reader", "ReadOnly").await;
    for resource in resource::ALL {
        for (method, verb) in [
            ("PATCH", Verb::Patch),
            ("POST", Verb::Create),
            ("DELETE", Verb::Delete),
        ] {
            if !resource.verbs().any(|known| known == verb) || resource.open.contains(&verb) {
                continue;
            }
            let answer = door
                .send(method, &filled(resource.uri))
                .user("reader")
                .json(&json!({"a": 1}))
                .answer()
                .await;
            answer.refused(403, "InsufficientPrivilege");
        }
        for action in resource.actions {
            let uri = action.target(resource.entity, &filled(resource.uri));
            let answer = door
                .send("POST", &uri)
                .user("reader")
                .json(&json!({}))
                .answer()
                .await;
            answer.refused(403, "InsufficientPrivilege");
        }
    }
}

#[tokio::test]
async fn an_operator_runs_systems_but_no_accounts() {
    let door = Door::open().await;
    door.account("op", "Operator").await;
    let system = door.system(0);
    let answer = door
        .send("PATCH", &system)
        .user("op")
        .json(&json!({"AssetTag": "rack 7"}))
        .answer()
        .await;
    assert_eq!(
        (answer.status.as_u16(), &answer.body["AssetTag"]),
        (200, &json!("rack 7"))
    );
    let body = json!({"UserName": "eve", "Password": "long enough", "RoleId": "Administrator"});
    let refused = door
        .send("POST", crate::door::ACCOUNTS)
        .user("op")
        .json(&body)
        .answer()
        .await;
    refused.refused(403, "InsufficientPrivilege");
    let policy = json!({"MinPasswordLength": 1});
    let refused = door
        .send("PATCH", "/redfish/v1/AccountService")
        .user("op")
        .json(&policy)
        .answer()
        .await;
    refused.refused(403, "InsufficientPrivilege");
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_name_look_the_same() {
    let door = Door::open().await;
    door.account("op", "Operator").await;
    let wrong = door
        .send("GET", SYSTEMS)
        .basic("op", "wrong password")
        .answer()
        .await;
    let unknown = door
        .send("GET", SYSTEMS)
        .basic("nobody", &password("op"))
        .answer()
        .await;
    assert_eq!((wrong.status, wrong.body), (unknown.status, unknown.body));
    for malformed in [
        "Basic",
        "Basic !!!",
        "Basic b3A=",
        "Bearer x",
        "Digest x",
        "",
    ] {
        let answer = door
            .send("GET", SYSTEMS)
            .header("authorization", malformed)
            .answer()
            .await;
        answer.refused(401, "AccessUnauthorized");
    }
}

//! Bodies of requests against their schema: all or nothing, and every finding told.

use serde_json::json;

use crate::door::{ACCOUNTS, Answer, Door, ROLES, SESSIONS};

async fn patch(door: &Door, uri: &str, body: &str) -> Answer {
    door.send("PATCH", uri)
        .admin()
        .header("content-type", "application/json")
        .raw(body.to_owned())
        .answer()
        .await
}

#[tokio::test]
async fn a_body_that_is_no_object_is_refused_for_what_it_is() {
    let door = Door::open().await;
    let uri = door.system(0);
    for (body, key) in [
        ("", "EmptyJSON"),
        ("  \n", "EmptyJSON"),
        ("{", "MalformedJSON"),
        ("{\"a\": 1,}", "MalformedJSON"),
        ("nonsense", "MalformedJSON"),
        ("[1]", "UnrecognizedRequestBody"),
        ("\"x\"", "UnrecognizedRequestBody"),
        ("null", "UnrecognizedRequestBody"),
        (
            "{\"AssetTag\": \"a\", \"AssetTag\": \"b\"}",
            "PropertyDuplicate",
        ),
        ("{}", "NoOperation"),
        (
            "{\"@odata.id\": \"/x\", \"@odata.etag\": \"y\"}",
            "NoOperation",
        ),
    ] {
        patch(&door, &uri, body).await.refused(400, key);
    }
    let deep = format!("{}{}", "{\"a\":".repeat(5000), "}".repeat(5000));
    patch(&door, &uri, &deep)
        .await
        .refused(400, "MalformedJSON");
}

#[tokio::test]
async fn one_bad_property_refuses_all_and_every_one_is_named() {
    let door = Door::open().await;
    let uri = door.system(0);
    let before = door.read(&uri).await;
    let body = json!({
        "AssetTag": "new",
        "Nonsense": 1,
        "PowerState": "On",
        "LocationIndicatorActive": "yes",
        "Boot": {"BootSourceOverrideTarget": "Moon", "BootSourceOverrideEnabled": "Once"},
    });
    let answer = patch(&door, &uri, &body.to_string()).await;
    assert_eq!(answer.status, 400);
    let found: Vec<_> = answer.related().into_iter().zip(answer.keys()).collect();
    for wanted in [
        ("#/Nonsense", "PropertyUnknown"),
        ("#/PowerState", "PropertyNotWritable"),
        ("#/LocationIndicatorActive", "PropertyValueTypeError"),
        ("#/Boot/BootSourceOverrideTarget", "PropertyValueNotInList"),
    ] {
        assert!(found.contains(&wanted), "{wanted:?} in {found:?}");
    }
    assert_eq!(found.len(), 4, "{found:?}");
    assert_eq!(door.read(&uri).await.bytes, before.bytes);
}

#[tokio::test]
async fn a_value_that_is_not_offered_here_and_now_is_refused() {
    let door = Door::open().await;
    let uri = door.system(0);
    let system = door.read(&uri).await;
    let offered =
        system.body["Boot"]["BootSourceOverrideTarget@Redfish.AllowableValues"].to_string();
    let target = ["Floppy", "SDCard", "Utilities", "Diags"]
        .into_iter()
        .find(|t| !offered.contains(t))
        .unwrap();
    let body = json!({"Boot": {"BootSourceOverrideTarget": target}});
    let refused = patch(&door, &uri, &body.to_string()).await;
    refused.refused(400, "PropertyValueNotInList");
    assert_eq!(refused.related(), ["#/Boot/BootSourceOverrideTarget"]);
}

#[tokio::test]
async fn what_a_resource_does_not_show_cannot_be_changed() {
    let door = Door::open().await;
    let shown = door.read("/redfish/v1/AccountService").await;
    assert!(shown.body.get("EnforcePasswordHistoryCount").is_none());
    let refused = patch(
        &door,
        "/redfish/v1/AccountService",
        "{\"EnforcePasswordHistoryCount\": 3}",
    )
    .await;
    refused.refused(400, "PropertyNotWritable");
}

#[tokio::test]
async fn annotations_are_passed_over() {
    let door = Door::open().await;
    let body = json!({"@odata.id": "/x", "@odata.type": "#X.X", "AssetTag": "tag", "AssetTag@Redfish.Note": "x"});
    let answer = patch(&door, &door.system(0), &body.to_string()).await;
    assert_eq!(answer.body["AssetTag"], "tag", "{answer:?}");
}

#[tokio::test]
async fn creating_without_what_is_required_names_it() {
    let door = Door::open().await;
    let made = door
        .send("POST", ACCOUNTS)
        .admin()
        .json(&json!({"UserName": "x"}))
        .answer()
        .await;
    assert_eq!(made.status, 400);
    let mut missing = made.related();
    missing.sort_unstable();
    assert_eq!(missing, ["#/Password", "#/RoleId"]);
    let made = door
        .send("POST", ROLES)
        .admin()
        .json(&json!({"AssignedPrivileges": ["Login"]}))
        .answer()
        .await;
    made.refused(400, "PropertyMissing");
    assert_eq!(made.related(), ["#/RoleId"]);
}

#[tokio::test]
async fn parameters_of_an_action_are_checked_and_named() {
    let door = Door::open().await;
    let reset = format!("{}/Actions/ComputerSystem.Reset", door.system(0));
    for (body, key, related) in [
        (
            json!({"ResetType": "Sideways"}),
            "ActionParameterValueNotInList",
            "#/ResetType",
        ),
        (
            json!({"ResetType": 7}),
            "ActionParameterValueTypeError",
            "#/ResetType",
        ),
        (
            json!({"ResetType": "On", "Gently": true}),
            "ActionParameterUnknown",
            "#/Gently",
        ),
    ] {
        let answer = door.send("POST", &reset).admin().json(&body).answer().await;
        answer.refused(400, key);
        assert_eq!(answer.related(), [related]);
    }
    let unknown = format!("{}/Actions/ComputerSystem.Fly", door.system(0));
    door.send("POST", &unknown)
        .admin()
        .json(&json!({}))
        .answer()
        .await
        .refused(400, "ActionNotSupported");
    let nowhere = "/redfish/v1/Systems/none/Actions/ComputerSystem.Fly";
    door.send("POST", nowhere)
        .admin()
        .json(&json!({}))
        .answer()
        .await
        .refused(404, "ResourceMissingAtURI");
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_whether_announced_or_not() {
    let door = Door::open().await;
    let large = format!("{{\"UserName\": \"{}\"}}", "x".repeat(2 * 1024 * 1024));
    let streamed = axum::body::Body::from_stream(futures::stream::iter(
        large
            .clone()
            .into_bytes()
            .chunks(60_000)
            .map(|c| Ok::<_, std::io::Error>(c.to_vec()))
            .collect::<Vec<_>>(),
    ));
    let answer = door
        .send("POST", SESSIONS)
        .header("content-type", "application/json")
        .raw(streamed)
        .answer()
        .await;
    answer.refused(413, "PayloadTooLarge");
    let length = large.len().to_string();
    let announced = door
        .send("POST", SESSIONS)
        .header("content-length", &length)
        .raw(large)
        .answer()
        .await;
    announced.refused(413, "PayloadTooLarge");
}

#[tokio::test]
async fn a_body_on_get_is_passed_over() {
    let door = Door::open().await;
    let answer = door
        .send("GET", &door.system(0))
        .admin()
        .header("content-type", "text/plain")
        .raw("{ nonsense")
        .answer()
        .await;
    assert_eq!(answer.status, 200);
}

//! Paths and query strings.

use serde_json::json;

use crate::door::{ACCOUNTS, Door, SYSTEMS};

#[tokio::test]
async fn the_open_documents_are_as_the_specification_says() {
    let door = Door::open().await;
    let versions = door.send("GET", "/redfish").answer().await;
    assert_eq!(versions.body, json!({"v1": "/redfish/v1/"}));
    for uri in ["/redfish/v1", "/redfish/v1/"] {
        let root = door.send("GET", uri).answer().await;
        assert_eq!(root.body["@odata.id"], "/redfish/v1/");
        assert_eq!(
            root.body["Links"]["Sessions"]["@odata.id"],
            crate::door::SESSIONS
        );
    }
    let service = door.send("GET", "/redfish/v1/odata").answer().await;
    assert_eq!(service.body["@odata.context"], "/redfish/v1/$metadata");
    let listed = service.body["value"].as_array().unwrap();
    assert!(listed.iter().any(|one| one["name"] == "Systems"
        && one["kind"] == "Singleton"
        && one["url"] == SYSTEMS));
    let metadata = door.send("GET", "/redfish/v1/$metadata").answer().await;
    assert!(metadata.bytes.starts_with(b"<?xml"));
    let escaped = door.send("GET", "/redfish/v1/%24metadata").answer().await;
    assert_eq!(escaped.bytes, metadata.bytes);
}

#[tokio::test]
async fn a_slash_at_the_end_changes_nothing() {
    let door = Door::open().await;
    for uri in [
        SYSTEMS.to_owned(),
        door.system(0),
        ACCOUNTS.to_owned(),
        format!("{ACCOUNTS}/1"),
    ] {
        let plain = door.read(&uri).await;
        let slashed = door.read(&format!("{uri}/")).await;
        assert_eq!(plain.bytes, slashed.bytes);
    }
    let reset = format!("{}/Actions/ComputerSystem.Reset/", door.system(0));
    let answer = door
        .send("POST", &reset)
        .admin()
        .json(&json!({"ResetType": "On"}))
        .answer()
        .await;
    assert_eq!(answer.status, 204, "{answer:?}");
}

#[tokio::test]
async fn names_are_case_sensitive() {
    let door = Door::open().await;
    for uri in ["/redfish/v1/systems", "/Redfish/v1", "/redfish/V1/"] {
        door.send("GET", uri)
            .admin()
            .answer()
            .await
            .refused(404, "ResourceMissingAtURI");
    }
    let sent = door
        .send("PATCH", &door.system(0))
        .admin()
        .json(&json!({"assettag": "x"}))
        .answer()
        .await;
    sent.refused(400, "PropertyUnknown");
}

#[tokio::test]
async fn a_literal_does_not_hide_a_member_of_the_same_name() {
    let door = Door::open().await;
    let file = door.read("/redfish/v1/Registries/HawkFish").await;
    let uri = file.body["Location"][0]["Uri"].as_str().unwrap().to_owned();
    let registry = door.read(&uri).await;
    assert_eq!(registry.body["RegistryPrefix"], "HawkFish");
    assert!(uri.ends_with(registry.body["Id"].as_str().unwrap()));
}

#[tokio::test]
async fn ids_that_could_climb_lead_nowhere() {
    let door = Door::open().await;
    for id in [
        "../../x",
        "..",
        ".",
        "%2e%2e",
        "..%2f..%2fetc%2fpasswd",
        "%00",
        "a%20b",
        "%3Cx%3E",
        "x%2Fy",
        "%C3%A4",
        &"x".repeat(129),
        "1;a=b",
        "1'--",
    ] {
        let uri = format!("{SYSTEMS}/{id}");
        for method in ["GET", "HEAD", "PATCH"] {
            let answer = door
                .send(method, &uri)
                .admin()
                .json(&json!({"AssetTag": "x"}))
                .answer()
                .await;
            assert_eq!(answer.status, 404, "{method} {uri}");
        }
        let answer = door
            .send("DELETE", &format!("{ACCOUNTS}/{id}"))
            .admin()
            .answer()
            .await;
        assert_eq!(answer.status, 404, "{id}");
    }
}

#[tokio::test]
async fn a_query_that_is_not_supported_is_told_apart_from_one_that_means_nothing() {
    let door = Door::open().await;
    for query in ["$foo", "%24Expand=*", "$expand=.&$foo=1", "a=b&$count=true"] {
        let answer = door
            .send("GET", &format!("{SYSTEMS}?{query}"))
            .admin()
            .answer()
            .await;
        answer.refused(501, "QueryParameterUnsupported");
    }
    for query in ["", "foo=bar", "rpp=20", "a&b&c"] {
        let answer = door
            .send("GET", &format!("{SYSTEMS}?{query}"))
            .admin()
            .answer()
            .await;
        assert_eq!(answer.status, 200, "{query}");
    }
    let patch = door
        .send("PATCH", &format!("{}?$select=Name", door.system(0)))
        .admin();
    patch
        .json(&json!({"AssetTag": "x"}))
        .answer()
        .await
        .refused(400, "QueryNotSupportedOnOperation");
}

#[tokio::test]
async fn a_path_that_is_too_long_is_refused() {
    let door = Door::open().await;
    let answer = door
        .send("GET", &format!("{SYSTEMS}/{}", "x".repeat(5000)))
        .admin()
        .answer()
        .await;
    answer.refused(414, "InvalidURI");
}

#[tokio::test]
async fn members_of_a_collection_take_a_post_as_the_collection_does() {
    let door = Door::open().await;
    let body = json!({"UserName": "ann", "Password": "long enough", "RoleId": "ReadOnly"});
    let made = door
        .send("POST", &format!("{ACCOUNTS}/Members"))
        .admin()
        .json(&body)
        .answer()
        .await;
    assert_eq!(made.status, 201);
    let get = door
        .send("GET", &format!("{ACCOUNTS}/Members"))
        .admin()
        .answer()
        .await;
    get.refused(405, "OperationNotAllowed");
    assert_eq!(get.header("allow"), "POST");
}

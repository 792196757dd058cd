//! Headers of requests and answers (DSP0266, "Protocol details").

use serde_json::json;

use crate::door::{Door, SYSTEMS};

#[tokio::test]
async fn every_resource_says_what_it_is_and_what_can_be_done() {
    let door = Door::open().await;
    let answer = door.read(&door.system(0)).await;
    assert_eq!(
        answer.header("content-type"),
        "application/json; charset=utf-8"
    );
    assert_eq!(answer.header("allow"), "GET, HEAD, PATCH");
    assert_eq!(answer.header("cache-control"), "no-cache");
    let kind = answer.body["@odata.type"].as_str().unwrap();
    let version = kind.trim_start_matches('#').split('.').nth(1).unwrap();
    let link = answer.header("link");
    assert!(
        link.contains(version) && link.ends_with("; rel=describedby"),
        "{link}"
    );
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let door = Door::open().await;
    for uri in [
        door.system(0),
        SYSTEMS.to_owned(),
        "/redfish/v1/$metadata".to_owned(),
    ] {
        let get = door.read(&uri).await;
        let head = door.send("HEAD", &uri).admin().answer().await;
        assert_eq!(head.status, 200);
        assert_eq!(head.header("content-length"), get.bytes.len().to_string());
        for name in ["etag", "allow", "content-type", "cache-control"] {
            assert_eq!(head.header(name), get.header(name), "{uri} {name}");
        }
    }
    let missing = door
        .send("HEAD", "/redfish/v1/Systems/none")
        .admin()
        .answer()
        .await;
    assert_eq!(missing.status, 404);
}

#[tokio::test]
async fn another_version_of_odata_is_refused() {
    let door = Door::open().await;
    for (version, status) in [
        ("4.0", 200),
        (" 4.0 ", 200),
        ("4.1", 412),
        ("5.0", 412),
        ("", 412),
    ] {
        let answer = door
            .send("GET", "/redfish/v1/")
            .header("odata-version", version)
            .answer()
            .await;
        assert_eq!(answer.status, status, "{version:?}");
    }
}

#[tokio::test]
async fn what_the_client_cannot_read_is_not_sent() {
    let door = Door::open().await;
    for (accept, status) in [
        ("*/*", 200),
        ("application/json", 200),
        ("text/html, application/json;q=0.5", 200),
        ("text/html", 406),
        ("application/xml", 406),
    ] {
        let answer = door
            .send("GET", "/redfish/v1/")
            .header("accept", accept)
            .answer()
            .await;
        assert_eq!(answer.status, status, "{accept}");
    }
    let metadata = door
        .send("GET", "/redfish/v1/$metadata")
        .header("accept", "application/xml")
        .answer()
        .await;
    assert_eq!(
        metadata.header("content-type"),
        "application/xml; charset=utf-8"
    );
    let json = door
        .send("GET", "/redfish/v1/$metadata")
        .header("accept", "application/json")
        .answer()
        .await;
    json.refused(406, "HeaderInvalid");
}

#[tokio::test]
async fn only_json_is_taken() {
    let door = Door::open().await;
    let body = json!({"AssetTag": "x"}).to_string();
    for (kind, status) in [
        ("application/json", 200),
        ("application/json; charset=UTF-8", 200),
        ("Application/JSON;odata.metadata=minimal", 200),
        ("application/xml", 415),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("application/json; charset=latin1", 415),
        ("", 415),
    ] {
        let sent = door
            .send("PATCH", &door.system(0))
            .admin()
            .header("content-type", kind);
        assert_eq!(
            sent.raw(body.clone()).answer().await.status,
            status,
            "{kind}"
        );
    }
    let untold = door
        .send("PATCH", &door.system(0))
        .admin()
        .raw(body)
        .answer()
        .await;
    assert_eq!(untold.status, 200);
}

#[tokio::test]
async fn credentials_come_before_all_other_headers() {
    let door = Door::open().await;
    fn wrong(sending: crate::door::Sending<'_>) -> crate::door::Sending<'_> {
        sending
            .header("odata-version", "9")
            .header("accept", "text/html")
            .header("if-none-match", "*")
    }
    let refused = wrong(door.send("GET", &door.system(0))).answer();
    refused.await.refused(401, "AccessUnauthorized");
    // And no such URI comes before them, too.
    let refused = wrong(door.send("GET", "/redfish/v1/Nothing").admin()).answer();
    refused.await.refused(404, "ResourceMissingAtURI");
}

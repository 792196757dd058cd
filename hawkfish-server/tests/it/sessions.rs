//! Sessions, from the first log-in to the last (DSP0266, "Redfish session management").

use jiff::SignedDuration;
use serde_json::json;

use crate::door::{ADMIN, Door, SESSIONS, SYSTEMS, password};

#[tokio::test]
async fn a_log_in_gives_a_token_a_location_and_the_session() {
    let door = Door::open().await;
    let made = door.log_in(ADMIN.0, ADMIN.1).await;
    assert_eq!(made.status, 201);
    let (token, uri) = (
        made.header("x-auth-token").to_owned(),
        made.header("location").to_owned(),
    );
    assert!(token.len() >= 22);
    assert_eq!(made.header("cache-control"), "no-store");
    assert_eq!(made.body["@odata.id"], uri.as_str());
    assert_eq!(made.body["Id"], uri.rsplit('/').next().unwrap());
    assert_eq!(
        (&made.body["UserName"], &made.body["Password"]),
        (&json!("admin"), &json!(null))
    );
    assert!(!made.body.to_string().contains(&token));
    let read = door.send("GET", SYSTEMS).token(&token).answer().await;
    assert_eq!(read.status, 200);
    let list = door.read(SESSIONS).await;
    assert_eq!(list.body["Members"], json!([{"@odata.id": uri}]));
    let out = door.send("DELETE", &uri).token(&token).answer().await;
    assert_eq!(out.status, 204);
    door.send("GET", SYSTEMS)
        .token(&token)
        .answer()
        .await
        .refused(401, "AccessUnauthorized");
}

#[tokio::test]
async fn wrong_credentials_give_no_session() {
    let door = Door::open().await;
    for (name, secret) in [
        ("admin", "wrong"),
        ("nobody", "x"),
        ("", ""),
        ("ADMIN", ADMIN.1),
    ] {
        let refused = door.log_in(name, secret).await;
        refused.refused(401, "AccessUnauthorized");
        assert!(!refused.headers.contains_key("x-auth-token"));
    }
    assert_eq!(door.read(SESSIONS).await.body["Members@odata.count"], 0);
}

#[tokio::test]
async fn an_old_token_does_not_stand_in_the_way_of_a_new_session() {
    let door = Door::open().await;
    let body = json!({"UserName": ADMIN.0, "Password": ADMIN.1});
    let made = door
        .send("POST", SESSIONS)
        .token("long gone")
        .json(&body)
        .answer()
        .await;
    assert_eq!(made.status, 201);
    let root = door
        .send("GET", "/redfish/v1/")
        .token("long gone")
        .answer()
        .await;
    assert_eq!(root.status, 200);
}

#[tokio::test]
async fn one_may_end_ones_own_session_and_no_other() {
    let door = Door::open().await;
    door.account("reader", "ReadOnly").await;
    door.account("other", "ReadOnly").await;
    let own = door.log_in("reader", &password("reader")).await;
    let (token, own) = (
        own.header("x-auth-token").to_owned(),
        own.header("location").to_owned(),
    );
    let foreign = door
        .log_in("other", &password("other"))
        .await
        .header("location")
        .to_owned();
    for method in ["GET", "DELETE"] {
        let refused = door.send(method, &foreign).token(&token).answer().await;
        refused.refused(403, "InsufficientPrivilege");
    }
    assert_eq!(
        door.send("GET", &own).token(&token).answer().await.status,
        200
    );
    assert_eq!(
        door.send("DELETE", &own)
            .token(&token)
            .answer()
            .await
            .status,
        204
    );
    assert_eq!(
        door.send("DELETE", &foreign).admin().answer().await.status,
        204
    );
    door.send("DELETE", &foreign)
        .admin()
        .answer()
        .await
        .refused(404, "ResourceMissingAtURI");
}

#[tokio::test]
async fn a_session_ends_when_it_is_not_used() {
    let door = Door::open().await;
    let set = door
        .send("PATCH", "/redfish/v1/SessionService")
        .admin()
        .json(&json!({"SessionTimeout": 60}))
        .answer()
        .await;
    assert_eq!(set.body["SessionTimeout"], 60, "{set:?}");
    let token = door
        .log_in(ADMIN.0, ADMIN.1)
        .await
        .header("x-auth-token")
        .to_owned();
    for _ in 0..3 {
        door.clock.advance(SignedDuration::from_secs(40));
        assert_eq!(
            door.send("GET", SYSTEMS)
                .token(&token)
                .answer()
                .await
                .status,
            200
        );
    }
    door.clock.advance(SignedDuration::from_secs(61));
    door.send("GET", SYSTEMS)
        .token(&token)
        .answer()
        .await
        .refused(401, "AccessUnauthorized");
}

#[tokio::test]
async fn a_time_out_outside_its_range_is_refused() {
    let door = Door::open().await;
    for seconds in [
        json!(0),
        json!(29),
        json!(86401),
        json!(-1),
        json!(1i64 << 40),
    ] {
        let body = json!({"SessionTimeout": seconds});
        let answer = door
            .send("PATCH", "/redfish/v1/SessionService")
            .admin()
            .json(&body)
            .answer()
            .await;
        answer.refused(400, "PropertyValueOutOfRange");
        assert_eq!(answer.related(), ["#/SessionTimeout"]);
    }
}

#[tokio::test]
async fn there_are_only_so_many_sessions() {
    let door = Door::open().await;
    for _ in 0..20 {
        assert_eq!(door.log_in(ADMIN.0, ADMIN.1).await.status, 201);
    }
    let refused = door.log_in(ADMIN.0, ADMIN.1).await;
    refused.refused(503, "SessionLimitExceeded");
    assert!(refused.headers.contains_key("retry-after"));
}

#[tokio::test]
async fn a_service_that_is_off_makes_no_sessions_and_takes_none() {
    let door = Door::open().await;
    let token = door
        .log_in(ADMIN.0, ADMIN.1)
        .await
        .header("x-auth-token")
        .to_owned();
    let off = json!({"ServiceEnabled": false});
    let off = door
        .send("PATCH", "/redfish/v1/SessionService")
        .admin()
        .json(&off)
        .answer()
        .await;
    assert_eq!(off.body["ServiceEnabled"], false);
    door.send("GET", SYSTEMS)
        .token(&token)
        .answer()
        .await
        .refused(401, "AccessUnauthorized");
    let refused = door.log_in(ADMIN.0, ADMIN.1).await;
    assert_eq!(refused.status, 409);
}

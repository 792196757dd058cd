//! Where the operator wants changes to name what they were made for: 428.

use hawkfish_server::Options;
use serde_json::json;

use crate::door::{ACCOUNTS, Door, SESSIONS, SYSTEMS};

async fn strict() -> Door {
    Door::open_with(Options {
        require_if_match: true,
        ..Options::default()
    })
    .await
}

#[tokio::test]
async fn a_change_must_say_what_it_was_made_for() {
    let door = strict().await;
    let uri = door.system(0);
    let tag = json!({"AssetTag": "x"});
    let blind = door.send("PATCH", &uri).admin().json(&tag).answer().await;
    blind.refused(428, "PreconditionRequired");
    assert_ne!(door.read(&uri).await.body["AssetTag"], "x");

    let seen = door.read(&uri).await.header("etag").to_owned();
    for tags in [seen.as_str(), "*"] {
        let sent = door.send("PATCH", &uri).admin().header("if-match", tags);
        assert_eq!(sent.json(&tag).answer().await.status, 200, "{tags}");
    }
    let stale = door.send("PATCH", &uri).admin().header("if-match", &seen);
    let stale = stale.json(&tag).answer().await;
    stale.refused(412, "PreconditionFailed");
}

#[tokio::test]
async fn a_removal_must_say_it_too_and_what_makes_something_new_need_not() {
    let door = strict().await;
    let account = door.account("somebody", "ReadOnly").await;
    let gone = door.send("DELETE", &account).admin().answer().await;
    gone.refused(428, "PreconditionRequired");
    let tag = door.read(&account).await.header("etag").to_owned();
    let gone = door.send("DELETE", &account).admin();
    let gone = gone.header("if-match", &tag).answer().await;
    assert_eq!(gone.status, 204);

    let reset = format!("{}/Actions/ComputerSystem.Reset", door.system(0));
    let on = json!({"ResetType": "On"});
    let on = door.send("POST", &reset).admin().json(&on).answer().await;
    assert_eq!(on.status, 204);
    let (name, password) = crate::door::ADMIN;
    assert_eq!(door.log_in(name, password).await.status, 201);
}

#[tokio::test]
async fn what_is_not_there_or_not_theirs_comes_first() {
    let door = strict().await;
    let missing = format!("{SYSTEMS}/none");
    let missing = door.send("PATCH", &missing).admin().json(&json!({}));
    missing.answer().await.refused(404, "ResourceMissingAtURI");
    let nobody = door.send("PATCH", &door.system(0)).json(&json!({}));
    nobody.answer().await.refused(401, "AccessUnauthorized");
    for uri in [SESSIONS, ACCOUNTS] {
        let refused = door.send("PATCH", uri).admin().json(&json!({}));
        assert_eq!(refused.answer().await.status, 405, "{uri}");
    }
}

#[tokio::test]
async fn otherwise_nobody_must() {
    let door = Door::open().await;
    let sent = door.send("PATCH", &door.system(0)).admin();
    let answer = sent.json(&json!({"AssetTag": "x"})).answer().await;
    assert_eq!(answer.status, 200);
}

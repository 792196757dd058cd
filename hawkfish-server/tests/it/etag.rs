//! The life of an ETag (DSP0266, "ETags"; RFC 9110, 13).

use hawkfish_server::resource;
use jiff::SignedDuration;
use serde_json::json;

use crate::door::{ACCOUNTS, Door};

#[tokio::test]
async fn it_stays_while_nothing_changes_and_changes_with_every_change() {
    let door = Door::open().await;
    let uri = door.system(0);
    let first = door.read(&uri).await.header("etag").to_owned();
    assert!(first.starts_with('"') && first.ends_with('"') && first.len() > 10);
    assert_eq!(door.read(&uri).await.header("etag"), first);
    let mut seen = vec![first];
    for tag in ["a", "b", "c"] {
        let changed = door
            .send("PATCH", &uri)
            .admin()
            .json(&json!({"AssetTag": tag}))
            .answer()
            .await;
        assert_eq!(changed.body["AssetTag"], tag);
        let etag = changed.header("etag").to_owned();
        assert_eq!(door.read(&uri).await.header("etag"), etag);
        assert!(!seen.contains(&etag));
        seen.push(etag);
    }
}

#[tokio::test]
async fn time_alone_does_not_change_it() {
    let door = Door::open().await;
    let uri = "/redfish/v1/TaskService";
    let before = door.read(uri).await;
    door.clock.advance(SignedDuration::from_secs(5));
    let after = door.read(uri).await;
    assert_ne!(before.body["DateTime"], after.body["DateTime"]);
    assert_eq!(before.header("etag"), after.header("etag"));
}

#[tokio::test]
async fn what_the_client_has_already_is_not_sent_again() {
    let door = Door::open().await;
    let uri = door.system(0);
    let etag = door.read(&uri).await.header("etag").to_owned();
    for tags in [
        etag.clone(),
        format!("\"x\", {etag}"),
        format!("W/{etag}"),
        "*".to_owned(),
    ] {
        let same = door
            .send("GET", &uri)
            .admin()
            .header("if-none-match", &tags)
            .answer()
            .await;
        assert_eq!(same.status, 304, "{tags}");
        assert_eq!(same.header("etag"), etag);
    }
    let other = door
        .send("GET", &uri)
        .admin()
        .header("if-none-match", "\"x\"")
        .answer()
        .await;
    assert_eq!(other.status, 200);
}

#[tokio::test]
async fn a_change_for_another_state_is_refused_and_changes_nothing() {
    let door = Door::open().await;
    let uri = door.system(0);
    let etag = door.read(&uri).await.header("etag").to_owned();
    let patch = |tag: &str, value: &str| {
        door.send("PATCH", &uri)
            .admin()
            .header("if-match", tag)
            .json(&json!({"AssetTag": value}))
            .answer()
    };
    assert_eq!(patch(&etag, "one").await.status, 200);
    patch(&etag, "two").await.refused(412, "PreconditionFailed");
    assert_eq!(door.read(&uri).await.body["AssetTag"], "one");
    assert_eq!(patch("*", "three").await.status, 200);
    let gone = door
        .send("DELETE", &format!("{ACCOUNTS}/1"))
        .admin()
        .header("if-match", "\"x\"")
        .answer()
        .await;
    gone.refused(412, "PreconditionFailed");
    let reset = format!("{uri}/Actions/ComputerSystem.Reset");
    let reset = door
        .send("POST", &reset)
        .admin()
        .header("if-match", &etag)
        .json(&json!({"ResetType": "On"}));
    reset.answer().await.refused(412, "PreconditionFailed");
}

#[tokio::test]
async fn of_many_who_saw_the_same_state_one_wins() {
    let door = Door::open().await;
    let uri = door.system(0);
    let etag = door.read(&uri).await.header("etag").to_owned();
    let writers = (0..16).map(|n| {
        let body = json!({"AssetTag": format!("writer {n}")});
        door.send("PATCH", &uri)
            .admin()
            .header("if-match", &etag)
            .json(&body)
            .answer()
    });
    let answers = futures::future::join_all(writers).await;
    let won: Vec<_> = answers
        .iter()
        .filter(|answer| answer.status == 200)
        .collect();
    assert_eq!(won.len(), 1);
    assert!(
        answers
            .iter()
            .all(|answer| matches!(answer.status.as_u16(), 200 | 412))
    );
    assert_eq!(
        door.read(&uri).await.body["AssetTag"],
        won[0].body["AssetTag"]
    );
}

#[tokio::test]
async fn everything_that_stands_alone_has_one() {
    let door = Door::open().await;
    for resource in resource::ALL
        .iter()
        .filter(|resource| !resource.uri.contains('{') && resource.get.is_some())
    {
        assert!(
            door.read(resource.uri).await.headers.contains_key("etag"),
            "{}",
            resource.uri
        );
    }
}

//! `hawkfish sessions`: who is logged in, and who is no more.

use hawkfish_client::{Client, Kind};
use hawkfish_sim::{PASSWORD, USER};

use super::rack::Rack;

const SESSIONS: &str = "/redfish/v1/SessionService/Sessions";

/// A session that is not opened again once it was ended.
async fn opened(rack: &Rack) -> (Client, String) {
    let first = Client::builder(&rack.url)
        .session(USER, PASSWORD)
        .build()
        .unwrap();
    first.login().await.unwrap();
    let session = first.session().unwrap();
    let uri = session.uri.clone().unwrap();
    first.keep_session();
    let client = Client::builder(&rack.url).token(session).build().unwrap();
    client.get_value(SESSIONS).await.unwrap();
    (client, uri)
}

async fn is_open(client: &Client) -> bool {
    match client.get_value(SESSIONS).await {
        Ok(_) => true,
        Err(error) => {
            assert_eq!(error.kind, Kind::Unauthorized, "{error}");
            false
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_ended_by_its_id() {
    let rack = Rack::of(1).await;
    let (one, uri) = opened(&rack).await;
    let (other, _) = opened(&rack).await;
    insta::assert_snapshot!("sessions_ls", rack.run(&["sessions", "ls"]).await.done());
    let id = uri.rsplit('/').next().unwrap();
    assert_eq!(
        rack.run(&["sessions", "rm", id]).await.done(),
        format!("{id}: ended\n")
    );
    assert!(!is_open(&one).await);
    assert!(is_open(&other).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_sessions_those_that_are_there_are_ended() {
    let rack = Rack::of(1).await;
    let (one, uri) = opened(&rack).await;
    let id = uri.rsplit('/').next().unwrap();
    let ran = rack.run(&["sessions", "rm", "none", id]).await;
    assert_eq!((ran.code, ran.out), (4, format!("{id}: ended\n")));
    assert!(ran.err.contains("there is no session none"), "{}", ran.err);
    assert!(!is_open(&one).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_sessions_but_ones_own_are_ended() {
    let rack = Rack::of(1).await;
    let (one, _) = opened(&rack).await;
    let (other, _) = opened(&rack).await;
    let none = ["sessions", "rm", "--mine-not", "--of", "nobody"];
    assert_eq!(rack.run(&none).await.done(), "0 sessions ended\n");
    assert!(is_open(&one).await);
    let all = ["sessions", "rm", "--mine-not"];
    assert_eq!(rack.run(&all).await.done(), "2 sessions ended\n");
    assert!(!is_open(&one).await && !is_open(&other).await);
    // Nor is that of the command left open.
    assert_eq!(rack.members(SESSIONS).await.len(), 0);
    rack.run(&["sessions", "rm"]).await.failed(2);
}

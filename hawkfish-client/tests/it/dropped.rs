//! Sessions that outlive a client, and those that do not.

use std::time::Duration;

use hawkfish_client::{Client, Kind, SessionInfo};

use crate::mock::{Mock, PASSWORD, USER};

const SYSTEM: &str = "/redfish/v1/Machines/7";

async fn until(mut done: impl FnMut() -> bool) -> bool {
    for _ in 0..1000 {
        if done() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    false
}

#[tokio::test]
async fn the_last_clone_that_goes_closes_the_session() {
    let mock = Mock::new();
    let client = mock.client();
    client.get_value(SYSTEM).await.unwrap();
    let clone = client.clone();
    drop(client);
    clone.get_value(SYSTEM).await.unwrap();
    assert_eq!(mock.inside().tokens.len(), 1);
    drop(clone);
    assert!(until(|| mock.inside().tokens.is_empty()).await);
    let last = mock.paths().pop().unwrap();
    assert_eq!(last, "DELETE /redfish/v1/Sessions/1");
}

#[tokio::test]
async fn a_client_that_has_logged_out_or_never_logged_in_asks_nothing_when_it_goes() {
    let mock = Mock::new();
    drop(mock.client());
    let client = mock.client();
    client.login().await.unwrap();
    client.logout().await.unwrap();
    let before = mock.paths().len();
    drop(client);
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(mock.paths().len(), before);
}

#[test]
fn a_client_that_goes_outside_of_a_runtime_leaves_its_session_and_does_not_panic() {
    let mock = Mock::new();
    let client = mock.client();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(client.login()).unwrap();
    drop(runtime);
    drop(client);
    assert_eq!(mock.inside().tokens.len(), 1);
}

#[test]
fn a_client_that_goes_does_not_keep_its_runtime_alive() {
    // A service that never answers a DELETE, over a socket.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let began = std::time::Instant::now();
    runtime.block_on(async {
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let given = SessionInfo {
            token: "t".into(),
            uri: Some("/redfish/v1/Sessions/1".into()),
        };
        let url = format!("http://{}", silent.local_addr().unwrap());
        let client = Client::builder(url).token(given).build().unwrap();
        client.keep_session();
        drop(client);
        let mock = Mock::new();
        let client = mock.client();
        client.login().await.unwrap();
        drop(client);
    });
    drop(runtime);
    assert!(began.elapsed() < Duration::from_secs(4));
}

#[tokio::test]
async fn a_session_can_be_gone_on_with_elsewhere() {
    let mock = Mock::new();
    let first = mock.client();
    assert_eq!(first.session(), None);
    first.login().await.unwrap();
    first.keep_session();
    let kept = first.session().unwrap();
    assert_eq!(kept.uri.as_deref(), Some("/redfish/v1/Sessions/1"));
    drop(first);
    let second = mock.builder().token(kept).build().unwrap();
    second.get_value(SYSTEM).await.unwrap();
    second.logout().await.unwrap();
    drop(second);
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(mock.inside().tokens.len(), 1, "it was not ours to close");
    assert_eq!(mock.inside().logins, 1);
}

#[tokio::test]
async fn a_session_that_was_given_is_closed_when_that_is_asked_for() {
    let mock = Mock::new();
    let first = mock.client();
    first.login().await.unwrap();
    let kept = first.session().unwrap();
    first.keep_session();
    let second = mock.builder().token(kept).build().unwrap();
    second.end_session().await.unwrap();
    assert!(mock.inside().tokens.is_empty());
    assert_eq!(second.session(), None);
}

#[tokio::test]
async fn a_token_that_has_ended_is_unauthorized_without_a_password_and_renewed_with_one() {
    let mock = Mock::new();
    let ended = SessionInfo {
        token: "token-of-yesterday".into(),
        uri: None,
    };
    let client = mock.builder().token(ended.clone()).build().unwrap();
    for _ in 0..2 {
        let error = client.get_value(SYSTEM).await.unwrap_err();
        assert_eq!(error.kind, Kind::Unauthorized);
    }
    assert_eq!(mock.inside().logins, 0);

    let builder = mock.builder().token(ended.clone()).session(USER, PASSWORD);
    let client = builder.build().unwrap();
    client.get_value(SYSTEM).await.unwrap();
    assert_eq!(mock.inside().logins, 1);
    client.logout().await.unwrap();
    assert!(mock.inside().tokens.is_empty(), "that one was ours");

    let builder = mock.builder().token(ended).basic(USER, PASSWORD);
    builder.build().unwrap().get_value(SYSTEM).await.unwrap();
    assert_eq!(mock.inside().logins, 1);
}

#[tokio::test]
async fn a_token_shows_nowhere_and_must_be_one() {
    let mock = Mock::new();
    let session = SessionInfo {
        token: "geheim".into(),
        uri: None,
    };
    let builder = mock.builder().token(session.clone());
    assert!(!format!("{builder:?} {session:?}").contains("geheim"));
    let client = builder.build().unwrap();
    assert!(!format!("{client:?}").contains("geheim"));
    let broken = SessionInfo {
        token: "geheim\n".into(),
        uri: None,
    };
    let error = mock.builder().token(broken).build().unwrap_err();
    assert_eq!(error.kind, Kind::Refused);
    assert!(!format!("{error:?}").contains("geheim"), "{error:?}");
}

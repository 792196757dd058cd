use futures::future::join_all;
use hawkfish_client::Kind;

use crate::mock::{Mock, PASSWORD, USER};

const SYSTEM: &str = "/redfish/v1/Machines/7";

#[tokio::test]
async fn a_session_opens_with_the_first_request_and_closes_at_logout() {
    let mock = Mock::new();
    let client = mock.client();
    assert_eq!(mock.inside().logins, 0);
    client.get_value(SYSTEM).await.unwrap();
    client.get_value(SYSTEM).await.unwrap();
    assert_eq!(mock.inside().logins, 1);
    client.logout().await.unwrap();
    assert!(mock.inside().tokens.is_empty());
}

#[tokio::test]
async fn the_place_of_sessions_is_that_which_the_root_names() {
    let mock = Mock::new();
    mock.client().login().await.unwrap();
    assert_eq!(
        mock.paths(),
        ["GET /redfish/v1/", "POST /redfish/v1/Sessions"]
    );
}

#[tokio::test]
async fn many_requests_at_once_open_one_session() {
    let mock = Mock::new();
    let client = mock.client();
    for result in join_all((0..50).map(|_| client.get_value(SYSTEM))).await {
        result.unwrap();
    }
    assert_eq!(mock.inside().logins, 1);
}

#[tokio::test]
async fn a_session_that_the_service_has_ended_is_renewed() {
    let mock = Mock::new();
    let client = mock.client();
    client.get_value(SYSTEM).await.unwrap();
    mock.inside().tokens.clear();
    for result in join_all((0..20).map(|_| client.get_value(SYSTEM))).await {
        result.unwrap();
    }
    assert_eq!(mock.inside().logins, 2);
}

#[tokio::test]
async fn logging_out_of_a_session_that_has_ended_is_no_error() {
    let mock = Mock::new();
    let client = mock.client();
    client.login().await.unwrap();
    mock.inside().tokens.clear();
    client.logout().await.unwrap();
    client.logout().await.unwrap();
}

#[tokio::test]
async fn a_wrong_password_is_unauthorized_and_is_tried_once() {
    let mock = Mock::new();
    let client = mock.builder().session(USER, "guess").build().unwrap();
    let error = client.get_value(SYSTEM).await.unwrap_err();
    assert_eq!(error.kind, Kind::Unauthorized);
    assert_eq!(error.messages()[0].key(), "ResourceAtUriUnauthorized");
    let posts = mock
        .paths()
        .iter()
        .filter(|path| path.starts_with("POST"))
        .count();
    assert_eq!(posts, 1);
}

#[tokio::test]
async fn basic_credentials_go_with_each_request_and_open_no_session() {
    let mock = Mock::new();
    let client = mock.builder().basic(USER, PASSWORD).build().unwrap();
    client.get_value(SYSTEM).await.unwrap();
    client.login().await.unwrap();
    client.logout().await.unwrap();
    assert_eq!(mock.inside().logins, 0);
}

#[tokio::test]
async fn neither_password_nor_token_shows_when_a_client_is_printed() {
    let mock = Mock::new();
    let client = mock.client();
    client.login().await.unwrap();
    let basic = mock.builder().basic(USER, PASSWORD);
    for shown in [format!("{client:?}"), format!("{basic:?}")] {
        assert!(shown.contains(USER), "{shown}");
        assert!(
            !shown.contains(PASSWORD) && !shown.contains("token-1"),
            "{shown}"
        );
    }
}

/// Quirk `no_sessions`, as sushy-tools has it.
#[tokio::test]
async fn where_there_are_no_sessions_user_and_password_go_with_each_request() {
    use wiremock::matchers::{basic_auth, method, path};
    use wiremock::{Mock, MockServer, ResponseTemplate};

    let service = MockServer::start().await;
    let root = serde_json::json!({"@odata.id": "/redfish/v1/", "Systems": {"@odata.id": SYSTEM}});
    Mock::given(path("/redfish/v1/"))
        .respond_with(ResponseTemplate::new(200).set_body_json(root))
        .mount(&service)
        .await;
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(401))
        .expect(2)
        .mount(&service)
        .await;
    Mock::given(path(SYSTEM))
        .and(basic_auth(USER, PASSWORD))
        .respond_with(ResponseTemplate::new(200).set_body_json(serde_json::json!({"Id": "7"})))
        .expect(2)
        .mount(&service)
        .await;
    Mock::given(path(SYSTEM))
        .respond_with(ResponseTemplate::new(401))
        .mount(&service)
        .await;
    let client = hawkfish_client::Client::builder(service.uri())
        .session(USER, PASSWORD)
        .build()
        .unwrap();
    client.login().await.unwrap();
    assert_eq!(client.session(), None);
    client.get_value(SYSTEM).await.unwrap();
    client.get_value(SYSTEM).await.unwrap();
    client.logout().await.unwrap();
    let wrong = hawkfish_client::Client::builder(service.uri())
        .session(USER, "another")
        .build()
        .unwrap();
    // Nobody is let in for lack of sessions.
    let refused = wrong.get_value(SYSTEM).await.unwrap_err();
    assert_eq!(refused.kind, Kind::Unauthorized);
}

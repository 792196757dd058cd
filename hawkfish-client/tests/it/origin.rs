//! What may be asked, and where credentials may go.

use hawkfish_client::{Client, Kind, Request};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

async fn two() -> (MockServer, MockServer, Client) {
    let (ours, other) = (MockServer::start().await, MockServer::start().await);
    let client = Client::builder(ours.uri()).basic("u", "p").build().unwrap();
    (ours, other, client)
}

async fn redirects(server: &MockServer, from: &str, to: &str, status: u16) {
    Mock::given(path(from))
        .respond_with(ResponseTemplate::new(status).insert_header("location", to))
        .mount(server)
        .await;
}

async fn nothing_asked(server: &MockServer) -> bool {
    server.received_requests().await.unwrap().is_empty()
}

#[tokio::test]
async fn a_link_to_another_origin_is_refused_before_anything_is_sent() {
    let (ours, other, client) = two().await;
    let elsewhere = other.uri();
    let authority = elsewhere.strip_prefix("http://").unwrap().to_owned();
    for uri in [
        format!("{elsewhere}/redfish/v1/Systems"),
        format!("//{authority}/redfish/v1"),
        format!("/\\{authority}/redfish/v1"),
        format!("\\\\{authority}/"),
        ours.uri().replace("http:", "https:"),
        "file:///etc/passwd".to_owned(),
        "data:,x".to_owned(),
    ] {
        let error = client.get_value(&uri).await.unwrap_err();
        assert_eq!(error.kind, Kind::Refused, "{uri}: {error}");
    }
    assert!(nothing_asked(&ours).await && nothing_asked(&other).await);
}

#[tokio::test]
async fn a_redirect_to_another_origin_is_not_followed() {
    let (ours, other, client) = two().await;
    for status in [301, 302, 303, 307, 308] {
        let from = format!("/{status}");
        redirects(&ours, &from, &format!("{}/x", other.uri()), status).await;
        let error = client.get_value(&from).await.unwrap_err();
        assert_eq!(error.kind, Kind::Refused, "{status}: {error}");
    }
    assert!(nothing_asked(&other).await);
}

#[tokio::test]
async fn a_redirect_within_the_service_is_followed_with_credentials() {
    let (ours, _other, client) = two().await;
    redirects(&ours, "/redfish/v1", "/redfish/v1/", 308).await;
    Mock::given(method("GET"))
        .and(path("/redfish/v1/"))
        .and(wiremock::matchers::header("authorization", "Basic dTpw"))
        .respond_with(ResponseTemplate::new(200).set_body_json(serde_json::json!({"Id": "Root"})))
        .mount(&ours)
        .await;
    let found = client.get_value("/redfish/v1").await.unwrap();
    assert_eq!(found.value["Id"], "Root");
    assert_eq!(found.uri, "/redfish/v1/");
    let stayed = client
        .send(Request::get("/redfish/v1").stay())
        .await
        .unwrap();
    assert_eq!(stayed.status, 308);
}

#[tokio::test]
async fn a_change_is_not_sent_again_where_the_redirect_would_make_it_a_get() {
    let (ours, _other, client) = two().await;
    redirects(&ours, "/old", "/new", 302).await;
    let error = client
        .post("/old", &serde_json::json!({}))
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::Protocol);
    assert_eq!(ours.received_requests().await.unwrap().len(), 1);
}

#[tokio::test]
async fn redirects_in_a_circle_come_to_an_end() {
    let (ours, _other, client) = two().await;
    redirects(&ours, "/a", "/b", 307).await;
    redirects(&ours, "/b", "/a", 307).await;
    let error = client.get_value("/a").await.unwrap_err();
    assert_eq!(error.kind, Kind::Protocol);
}

#[test]
fn a_url_with_credentials_or_of_another_kind_is_refused_and_not_repeated() {
    let error = Client::builder("https://u:geheim@bmc.example")
        .build()
        .unwrap_err();
    assert_eq!(error.kind, Kind::Refused);
    assert!(!error.to_string().contains("geheim"));
    for url in ["ftp://bmc.example", "bmc.example", "unix:/run/x", ""] {
        assert_eq!(
            Client::builder(url).build().unwrap_err().kind,
            Kind::Refused,
            "{url}"
        );
    }
}

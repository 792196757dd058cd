use hawkfish_client::{Client, Kind};
use serde_json::{Value, json};
use wiremock::matchers::{path, query_param, query_param_is_missing};
use wiremock::{Mock, MockServer, ResponseTemplate};

async fn serve(server: &MockServer, skip: Option<&str>, body: Value) {
    let mock = Mock::given(path("/C"));
    let mock = match skip {
        Some(skip) => mock.and(query_param("$skip", skip)),
        None => mock.and(query_param_is_missing("$skip")),
    };
    let answer = ResponseTemplate::new(200).set_body_json(body);
    mock.respond_with(answer).mount(server).await;
}

fn member(id: u32) -> Value {
    json!({"@odata.id": format!("/C/{id}")})
}

async fn all(server: &MockServer) -> Result<Vec<hawkfish_client::Member>, hawkfish_client::Error> {
    let client = Client::builder(server.uri()).build().unwrap();
    client.members("/C").all().await
}

#[tokio::test]
async fn members_are_found_on_all_pages_in_order() {
    let server = MockServer::start().await;
    serve(
        &server,
        None,
        json!({"Members": [member(1), member(2)], "Members@odata.nextLink": "/C?$skip=2"}),
    )
    .await;
    serve(
        &server,
        Some("2"),
        json!({"Members": [member(3)], "Members@odata.nextLink": "/C?$skip=3"}),
    )
    .await;
    serve(&server, Some("3"), json!({"Members": [member(4)]})).await;
    let ids: Vec<String> = all(&server)
        .await
        .unwrap()
        .iter()
        .map(|member| member.id().to_owned())
        .collect();
    assert_eq!(ids, ["1", "2", "3", "4"]);
}

#[tokio::test]
async fn pages_in_a_circle_are_an_error_and_no_endless_walk() {
    let server = MockServer::start().await;
    serve(
        &server,
        None,
        json!({"Members": [member(1)], "Members@odata.nextLink": "/C?$skip=1"}),
    )
    .await;
    serve(
        &server,
        Some("1"),
        json!({"Members": [member(2)], "Members@odata.nextLink": "/C?$skip=1"}),
    )
    .await;
    assert_eq!(all(&server).await.unwrap_err().kind, Kind::Protocol);
}

#[tokio::test]
async fn a_member_that_came_whole_is_not_read_again() {
    let server = MockServer::start().await;
    let whole = json!({"@odata.id": "/C/1", "@odata.etag": "\"t\"", "Name": "one"});
    serve(&server, None, json!({"Members": [whole]})).await;
    let client = Client::builder(server.uri()).build().unwrap();
    let member = client.members("/C").next().await.unwrap().unwrap();
    let read = member.read(&client).await.unwrap();
    assert_eq!(read.value["Name"], "one");
    assert_eq!(read.etag.unwrap().as_str(), "\"t\"");
    assert_eq!(server.received_requests().await.unwrap().len(), 1);
}

#[tokio::test]
async fn null_for_no_members_is_read_as_none() {
    let server = MockServer::start().await;
    serve(&server, None, json!({"Members": null})).await;
    assert!(all(&server).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_member_without_a_uri_is_a_protocol_error() {
    let server = MockServer::start().await;
    serve(&server, None, json!({"Members": [{"Name": "lost"}]})).await;
    assert_eq!(all(&server).await.unwrap_err().kind, Kind::Protocol);
}

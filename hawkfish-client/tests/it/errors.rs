use std::time::Duration;

use hawkfish_client::{Client, Kind, Retry};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

async fn asked(answer: ResponseTemplate) -> hawkfish_client::Error {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(answer).mount(&server).await;
    let client = Client::builder(server.uri()).retry(Retry::none());
    let client = client.build().unwrap();
    client.get_value("/redfish/v1/x").await.unwrap_err()
}

#[tokio::test]
async fn each_status_has_its_kind() {
    for (status, kind) in [
        (400, Kind::BadRequest),
        (401, Kind::Unauthorized),
        (403, Kind::Forbidden),
        (404, Kind::NotFound),
        (405, Kind::Unsupported),
        (409, Kind::Conflict),
        (412, Kind::PreconditionFailed),
        (415, Kind::BadRequest),
        (428, Kind::PreconditionFailed),
        (500, Kind::Service),
        (501, Kind::Unsupported),
        (502, Kind::Service),
        (503, Kind::Unavailable { retry_after: None }),
    ] {
        let error = asked(ResponseTemplate::new(status)).await;
        assert_eq!(error.kind, kind, "{status}");
        assert_eq!(error.answered.unwrap().status, status);
    }
}

#[tokio::test]
async fn an_error_carries_the_messages_of_the_service_and_shows_them() {
    let body = serde_json::json!({"error": {"code": "Base.1.22.GeneralError", "message": "See below.", "@Message.ExtendedInfo": [
        {"MessageId": "Base.1.22.PropertyUnknown", "Message": "There is no Foo.", "MessageArgs": ["Foo"], "RelatedProperties": ["#/Foo"]},
        {"MessageId": "Base.1.22.PropertyNotWritable", "Message": "Id stays.", "MessageArgs": ["Id"]}]}});
    let error = asked(ResponseTemplate::new(400).set_body_json(body)).await;
    assert_eq!(error.messages().len(), 2);
    assert_eq!(error.messages()[0].related_properties, ["#/Foo"]);
    let shown = error.to_string();
    assert!(
        shown.contains("There is no Foo. Id stays.") && shown.contains("/redfish/v1/x"),
        "{shown}"
    );
}

#[tokio::test]
async fn unavailable_says_when_to_come_back_in_seconds_or_by_date() {
    let seconds = asked(ResponseTemplate::new(503).insert_header("retry-after", "7")).await;
    assert_eq!(
        seconds.kind,
        Kind::Unavailable {
            retry_after: Some(Duration::from_secs(7))
        }
    );
    let past = "Sun, 06 Nov 1994 08:49:37 GMT";
    let date = asked(ResponseTemplate::new(503).insert_header("retry-after", past)).await;
    assert_eq!(
        date.kind,
        Kind::Unavailable {
            retry_after: Some(Duration::ZERO)
        }
    );
}

#[tokio::test]
async fn an_error_page_that_is_no_redfish_is_an_error_all_the_same() {
    let error = asked(ResponseTemplate::new(502).set_body_string("<h1>Bad gateway</h1>")).await;
    assert_eq!(error.kind, Kind::Service);
    assert!(error.messages().is_empty());
}

#[tokio::test]
async fn an_answer_that_is_not_json_is_a_protocol_error() {
    let error = asked(ResponseTemplate::new(200).set_body_string("<h1>Welcome</h1>")).await;
    assert_eq!(error.kind, Kind::Protocol);
}

#[tokio::test]
async fn a_value_of_another_shape_than_the_type_is_a_protocol_error() {
    #[derive(Debug, serde::Deserialize)]
    #[expect(dead_code, reason = "only whether it can be read matters")]
    struct Named {
        #[serde(rename = "Name")]
        name: String,
    }
    let server = MockServer::start().await;
    let body = serde_json::json!({"Name": {"First": "a"}});
    Mock::given(any())
        .respond_with(ResponseTemplate::new(200).set_body_json(body))
        .mount(&server)
        .await;
    let client = Client::builder(server.uri()).build().unwrap();
    let error = client.get::<Named>("/x").await.unwrap_err();
    assert_eq!(error.kind, Kind::Protocol);
}

#[tokio::test]
async fn where_nobody_listens_it_is_a_transport_error_that_says_why() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = Client::builder(url)
        .build()
        .unwrap()
        .root()
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::Transport);
    assert!(error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn an_answer_that_does_not_come_in_time_is_a_transport_error() {
    let server = MockServer::start().await;
    let slow = ResponseTemplate::new(200).set_delay(Duration::from_secs(60));
    Mock::given(any()).respond_with(slow).mount(&server).await;
    let client = Client::builder(server.uri())
        .timeout(Duration::from_millis(100))
        .build()
        .unwrap();
    let error = client.root().await.unwrap_err();
    assert_eq!(error.kind, Kind::Transport);
    assert!(error.to_string().contains("in time"), "{error}");
}

#[tokio::test]
async fn every_error_says_what_to_do_first_what_the_service_advises() {
    let body = serde_json::json!({"error": {"code": "Base.1.22.GeneralError", "message": "See below.", "@Message.ExtendedInfo": [
        {"MessageId": "Base.1.22.PropertyUnknown", "Message": "There is no Foo.", "Resolution": "Leave Foo out."},
        {"MessageId": "Base.1.22.PropertyUnknown", "Message": "There is no Bar.", "Resolution": "Leave Foo out."},
        {"MessageId": "Base.1.22.Success", "Message": "Well.", "Resolution": "None."}]}});
    for status in [400, 401, 403, 404, 405, 409, 412, 500, 503] {
        let error = asked(ResponseTemplate::new(status).set_body_json(&body)).await;
        let advice = error.advice();
        assert_eq!(advice.len(), 2, "{status}: {advice:?}");
        assert_eq!(advice[0], "Leave Foo out.");
    }
    let later = ResponseTemplate::new(503).insert_header("retry-after", "90");
    assert_eq!(asked(later).await.advice(), ["Try again in 90 s."]);
    let refused = Client::builder("ftp://x").build().unwrap_err();
    assert!(refused.advice()[0].contains("nothing was sent"));
}

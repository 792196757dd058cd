//! HTTP/2, for clients that know it.

use http::Version;
use serde_json::{Value, json};

use crate::door::{ADMIN, Door, SESSIONS, SYSTEMS};
use crate::listening::Listening;

#[tokio::test]
async fn who_knows_http_2_speaks_it_and_who_does_not_need_not() {
    let listening = Listening::start(Door::open().await).await;
    let new = listening.client().build().unwrap();
    let old = listening.client().http1_only().build().unwrap();
    for (client, version) in [(new, Version::HTTP_2), (old, Version::HTTP_11)] {
        let answer = client.get(listening.url("/redfish/v1/")).send().await;
        let answer = answer.unwrap();
        assert_eq!((answer.version(), answer.status().as_u16()), (version, 200));
        assert_eq!(answer.headers()["odata-version"], "4.0");
        assert!(answer.headers().contains_key("strict-transport-security"));
    }
}

#[tokio::test]
async fn many_requests_share_one_connection_and_a_session() {
    let listening = Listening::start(Door::open().await).await;
    let client = listening.client().http2_prior_knowledge().build().unwrap();
    let body = json!({"UserName": ADMIN.0, "Password": ADMIN.1});
    let made = client.post(listening.url(SESSIONS)).json(&body).send();
    let made = made.await.unwrap();
    assert_eq!(made.status(), 201);
    let token = made.headers()["x-auth-token"].clone();
    let reads = (0..50).map(|_| {
        let read = client.get(listening.url(SYSTEMS));
        read.header("x-auth-token", token.clone()).send()
    });
    for answer in futures::future::join_all(reads).await {
        let answer = answer.unwrap();
        assert_eq!(
            (answer.version(), answer.status().as_u16()),
            (Version::HTTP_2, 200)
        );
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["Members@odata.count"], 2);
    }
}

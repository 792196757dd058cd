//! Streams of events against the running program: what a crash leaves to be heard, and how it ends.

use std::time::{Duration, Instant};

use serde_json::json;

use super::client::Client;
use super::server::{PASSWORD, Server, USER};
use crate::sse::{Message, Messages, SSE};

/// Longer than anything takes here.
const LIMIT: Duration = Duration::from_secs(30);

/// A stream of a running program.
pub(crate) struct Stream {
    response: reqwest::Response,
    messages: Messages,
}

impl Stream {
    pub(crate) async fn open(server: &Server, last: Option<u64>) -> Self {
        let mut http = reqwest::Client::builder().no_proxy();
        if let Some(certificate) = server.certificate() {
            let pem = std::fs::read(certificate).unwrap();
            http = http
                .tls_built_in_root_certs(false)
                .add_root_certificate(reqwest::Certificate::from_pem(&pem).unwrap());
        }
        let mut request = http
            .build()
            .unwrap()
            .get(format!("{}{SSE}", server.url()))
            .basic_auth(USER, Some(PASSWORD))
            .header("accept", "text/event-stream");
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), 200);
        Self {
            response,
            messages: Messages::default(),
        }
    }

    /// What comes next; `None` when it ended in order.
    async fn next(&mut self) -> Option<Message> {
        self.next_within(LIMIT).await
    }

    /// The same, where it may take its time.
    pub(crate) async fn next_within(&mut self, limit: Duration) -> Option<Message> {
        loop {
            if let Some(message) = self.messages.next() {
                return Some(message);
            }
            let chunk = tokio::time::timeout(limit, self.response.chunk()).await;
            match chunk.expect("in time") {
                Ok(Some(bytes)) => self.messages.add(&bytes),
                Ok(None) => return None,
                Err(error) => panic!("cut off: {error}"),
            }
        }
    }

    /// The number that it begins after.
    pub(crate) async fn first(&mut self) -> u64 {
        let first = self.next().await.expect("a beginning");
        assert_eq!(first.data, None);
        first.id.expect("a number")
    }
}

async fn tag(client: &Client, system: &str, tag: &str) {
    let change = json!({"AssetTag": tag});
    client.patch(system, &change).await.unwrap().good();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_listened_before_a_crash_hears_after_it_all_that_was_answered() {
    let mut server = Server::simulated(2, &[]);
    let client = server.client().await;
    let system = client.members("/redfish/v1/Systems").await.remove(0);
    let mut stream = Stream::open(&server, None).await;
    let before = stream.first().await;
    tag(&client, &system, "heard").await;
    let heard = stream.next().await.unwrap();
    assert_eq!(heard.id, Some(before + 1));
    drop(stream);
    // Answered, and heard by nobody.
    for number in 0..20 {
        tag(&client, &system, &format!("unheard {number}")).await;
    }
    server.kill();
    server.start();
    let mut again = Stream::open(&server, heard.id).await;
    assert_eq!(again.first().await, before + 1);
    let mut changes = 0;
    let mut at = before + 1;
    while changes < 20 {
        let message = again.next().await.expect("more");
        assert_eq!(message.id, Some(at + 1), "{message:?}");
        at += 1;
        let origin = &message.event()["OriginOfCondition"]["@odata.id"];
        if message.key() == "ResourceChanged" && origin.as_str() == Some(system.as_str()) {
            changes += 1;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_ends_at_once_although_streams_are_open_and_they_end_in_order() {
    let mut server = Server::simulated(1, &[]);
    let mut streams = Vec::new();
    for _ in 0..3 {
        let mut stream = Stream::open(&server, None).await;
        stream.first().await;
        streams.push(stream);
    }
    let began = Instant::now();
    server.terminate();
    for mut stream in streams {
        while stream.next().await.is_some() {}
    }
    assert!(server.ended(LIMIT).await.success());
    let took = began.elapsed();
    assert!(took < Duration::from_secs(5), "it took {took:?}");
}

//! What is sent again, and what never is.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::BoxFuture;
use hawkfish_client::{Client, Error, Kind, Request, Retry, Transport};
use http::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::script::{QUICK, Script, answer, json};

/// Answers with each of these, and then with the last one always.
fn in_turn(turns: &'static [(u16, &'static [(&'static str, &'static str)])]) -> Script {
    Script::new(move |asked| {
        let (status, headers) = turns[asked.number.min(turns.len() - 1)];
        json(status, headers, &json!({"Id": "x", "Name": "x"}))
    })
}

#[tokio::test]
async fn a_read_is_asked_again_until_the_service_is_back() {
    let script = in_turn(&[(503, &[]), (502, &[]), (504, &[]), (200, &[])]);
    script.client().get_value("/x").await.unwrap();
    assert_eq!(script.seen().len(), 4);
}

#[tokio::test]
async fn a_read_is_given_up_after_so_many_times_with_what_came_last() {
    let script = in_turn(&[(503, &[])]);
    let error = script.client().get_value("/x").await.unwrap_err();
    assert_eq!(error.kind, Kind::Unavailable { retry_after: None });
    assert_eq!(script.seen().len(), QUICK.attempts as usize);
}

#[tokio::test]
async fn a_change_is_sent_again_whole_where_the_service_says_when_to_come_back() {
    for status in [503, 429] {
        let script = Script::new(move |asked| match asked.number {
            0 => answer(status, &[("retry-after", "0")], ""),
            _ => answer(204, &[], ""),
        });
        let body = json!({"AssetTag": "a"});
        script.client().patch("/x", None, &body).await.unwrap();
        let seen = script.seen();
        assert_eq!(seen.len(), 2, "{status}");
        assert!(seen.iter().all(|asked| asked.json() == body));
    }
}

#[tokio::test]
async fn a_change_that_may_have_been_made_is_never_sent_again() {
    for status in [500, 502, 503, 504] {
        let script = Script::new(move |_| answer(status, &[], ""));
        let client = script.client();
        client.post("/x", &json!({})).await.unwrap_err();
        client.patch("/x", None, &json!({})).await.unwrap_err();
        client.delete("/x", None).await.unwrap_err();
        assert_eq!(
            script.lines(),
            ["POST /x", "PATCH /x", "DELETE /x"],
            "{status}"
        );
    }
}

#[tokio::test]
async fn a_service_that_wants_more_time_than_there_is_is_not_waited_for() {
    let script = in_turn(&[(503, &[("retry-after", "60")])]);
    let began = Instant::now();
    let error = script.client().get_value("/x").await.unwrap_err();
    let after = Some(Duration::from_secs(60));
    assert_eq!(error.kind, Kind::Unavailable { retry_after: after });
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(script.seen().len(), 1);
}

#[tokio::test]
async fn the_wait_is_as_long_as_the_service_says() {
    let script = in_turn(&[(503, &[("retry-after", "0.2")]), (200, &[])]);
    let retry = Retry {
        most: Duration::from_secs(1),
        ..QUICK
    };
    let client = script.builder().retry(retry).build().unwrap();
    let began = Instant::now();
    client.get_value("/x").await.unwrap();
    assert!(began.elapsed() >= Duration::from_millis(200));
}

#[tokio::test]
async fn a_client_told_to_sends_everything_once() {
    let script = in_turn(&[(503, &[("retry-after", "0")])]);
    let client = script.builder().retry(Retry::none()).build().unwrap();
    client.get_value("/x").await.unwrap_err();
    assert_eq!(script.seen().len(), 1);
}

/// Fails so many times before it answers.
#[derive(Debug)]
struct Fails {
    times: usize,
    unsent: bool,
    asked: Arc<AtomicUsize>,
}

impl Transport for Fails {
    fn send(&self, _: http::Request<Bytes>) -> BoxFuture<'_, Result<http::Response<Bytes>, Error>> {
        let failed = self.asked.fetch_add(1, Ordering::Relaxed) < self.times;
        let error = Error::new(Kind::Transport, "no");
        let came = match (failed, self.unsent) {
            (false, _) => Ok(http::Response::new(Bytes::from_static(b"{}"))),
            (true, true) => Err(error.unsent()),
            (true, false) => Err(error),
        };
        Box::pin(async move { came })
    }
}

fn failing(times: usize, unsent: bool) -> (Client, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let transport = Fails {
        times,
        unsent,
        asked: asked.clone(),
    };
    let client = Client::builder("http://bmc.example")
        .retry(QUICK)
        .transport(transport)
        .build()
        .unwrap();
    (client, asked)
}

#[tokio::test]
async fn where_nothing_was_sent_anything_is_sent_again_and_where_it_was_lost_only_reads() {
    for (method, unsent, times) in [
        (Method::GET, true, 2),
        (Method::GET, false, 2),
        (Method::POST, true, 2),
        (Method::POST, false, 1),
        (Method::DELETE, false, 1),
    ] {
        let (client, asked) = failing(1, unsent);
        let came = client.send(Request::new(method.clone(), "/x")).await;
        assert_eq!(came.is_ok(), times == 2, "{method} {unsent}");
        assert_eq!(asked.load(Ordering::Relaxed), times, "{method} {unsent}");
    }
}

#[tokio::test]
async fn a_connection_that_breaks_in_the_middle_is_a_read_again_and_a_change_once() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let served = Arc::new(AtomicUsize::new(0));
    let count = served.clone();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = [0; 2048];
            let read = stream.read(&mut asked).await.unwrap_or_default();
            if read == 0 {
                continue;
            }
            let first = count.fetch_add(1, Ordering::Relaxed) == 0;
            let get = asked.starts_with(b"GET");
            let text: &[u8] = match !first && get {
                true => b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}",
                false => b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 20\r\n\r\n{",
            };
            // Nobody may be left to hear it.
            let _ = stream.write_all(text).await;
        }
    });
    let client = Client::builder(url).retry(QUICK).build().unwrap();
    client.get_value("/x").await.unwrap();
    assert_eq!(served.load(Ordering::Relaxed), 2);
    let error = client.post("/x", &json!({})).await.unwrap_err();
    assert_eq!(error.kind, Kind::Transport);
    assert!(!error.is_unsent());
    assert_eq!(served.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn where_nobody_listens_nothing_was_sent() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let client = Client::builder(url).retry(QUICK).build().unwrap();
    let error = client.post("/x", &json!({})).await.unwrap_err();
    assert_eq!(error.kind, Kind::Transport);
    assert!(error.is_unsent());
}

#[tokio::test]
async fn an_answer_that_does_not_come_in_time_is_not_waited_for_again() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let client = Client::builder(url)
        .timeout(Duration::from_millis(200))
        .retry(QUICK)
        .build()
        .unwrap();
    let began = Instant::now();
    client.get_value("/x").await.unwrap_err();
    assert!(
        began.elapsed() < Duration::from_millis(400),
        "it was asked again"
    );
}

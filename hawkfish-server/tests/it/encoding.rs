//! Packed answers: what is in them, and what their tags are worth.

use std::io::Read as _;

use axum::body::Body;
use flate2::read::GzDecoder;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use crate::door::{ADMIN, Answer, Door, SYSTEMS};

async fn get(door: &Door, uri: &str, encoding: &str) -> Answer {
    let sent = door.send("GET", uri).admin();
    sent.header("accept-encoding", encoding).answer().await
}

fn unpacked(answer: &Answer) -> Vec<u8> {
    match answer.header("content-encoding") {
        "gzip" => {
            let mut out = Vec::new();
            GzDecoder::new(&*answer.bytes)
                .read_to_end(&mut out)
                .unwrap();
            out
        }
        "zstd" => zstd::decode_all(&*answer.bytes).unwrap(),
        other => panic!("{other}"),
    }
}

fn varies(answer: &Answer) -> bool {
    let all = answer.headers.get_all("vary");
    all.iter().any(|name| name == "accept-encoding")
}

#[tokio::test]
async fn a_long_answer_is_packed_as_the_client_likes_it() {
    let door = Door::open().await;
    let uri = door.system(0);
    let plain = door.read(&uri).await;
    assert!(plain.bytes.len() > 1024 && varies(&plain));
    assert!(!plain.headers.contains_key("content-encoding"));
    for (wanted, given) in [
        ("gzip", "gzip"),
        ("zstd", "zstd"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip;q=1.0, zstd;q=0.5", "gzip"),
        ("gzip, deflate", "gzip"),
    ] {
        let packed = get(&door, &uri, wanted).await;
        assert_eq!(packed.header("content-encoding"), given, "{wanted}");
        assert!(varies(&packed));
        assert!(packed.bytes.len() < plain.bytes.len());
        assert_eq!(unpacked(&packed), plain.bytes, "{wanted}");
        assert_eq!(packed.header("content-type"), plain.header("content-type"));
    }
    for wanted in ["identity", "br", "deflate", "gzip;q=0", ""] {
        let same = get(&door, &uri, wanted).await;
        assert!(!same.headers.contains_key("content-encoding"), "{wanted}");
        assert_eq!(same.bytes, plain.bytes);
        assert_eq!(same.header("etag"), plain.header("etag"));
        assert!(varies(&same));
    }
}

#[tokio::test]
async fn a_short_answer_is_sent_as_it_is() {
    let door = Door::open().await;
    let answer = get(&door, SYSTEMS, "gzip, zstd").await;
    assert!(answer.bytes.len() < 1024);
    assert!(!answer.headers.contains_key("content-encoding"));
    assert_eq!(answer.body["Members@odata.count"], 2);
    assert!(!answer.header("etag").starts_with("W/"));
}

#[tokio::test]
async fn the_tag_of_a_packed_answer_is_weak_and_taken_wherever_a_tag_is() {
    let door = Door::open().await;
    let uri = door.system(0);
    let strong = door.read(&uri).await.header("etag").to_owned();
    let packed = get(&door, &uri, "gzip").await;
    let weak = packed.header("etag").to_owned();
    assert_eq!(weak, format!("W/{strong}"));
    let body: Value = serde_json::from_slice(&unpacked(&packed)).unwrap();
    assert_eq!(body["@odata.etag"], strong);

    for (tag, encoding, told) in [
        (&weak, "gzip", &weak),
        (&strong, "gzip", &strong),
        (&weak, "identity", &strong),
    ] {
        let again = door.send("GET", &uri).admin();
        let again = again
            .header("if-none-match", tag)
            .header("accept-encoding", encoding);
        let again = again.answer().await;
        assert_eq!(again.status, 304);
        // As it would be told if it had nothing.
        assert_eq!(again.header("etag"), told);
        assert!(varies(&again));
    }

    let change = |tag: String, value: &str| {
        let sent = door.send("PATCH", &uri).admin().header("if-match", &tag);
        sent.header("accept-encoding", "zstd")
            .json(&json!({"AssetTag": value}))
            .answer()
    };
    let changed = change(weak.clone(), "one").await;
    assert_eq!(changed.status, 200);
    let next = changed.header("etag").to_owned();
    assert!(next.starts_with("W/") && next != weak);
    assert_eq!(change(weak, "two").await.status, 412);
    assert_eq!(change(strong, "two").await.status, 412);
    assert_eq!(change(next, "two").await.status, 200);
}

#[tokio::test]
async fn head_tells_of_the_packed_answer_what_get_does() {
    let door = Door::open().await;
    let uri = door.system(0);
    let get = get(&door, &uri, "gzip").await;
    let head = door.send("HEAD", &uri).admin();
    let head = head.header("accept-encoding", "gzip").answer().await;
    for name in ["etag", "content-encoding", "content-type", "vary"] {
        assert_eq!(head.header(name), get.header(name), "{name}");
    }
    // It is not known before it is packed.
    assert!(!head.headers.contains_key("content-length"));
}

#[tokio::test]
async fn what_goes_wrong_can_be_unpacked_as_well() {
    let door = Door::open().await;
    let long = format!("{SYSTEMS}/{}", "x".repeat(1500));
    let nobody = http::Request::get(long).header("accept-encoding", "gzip");
    let nobody = nobody.header("x-auth-token", "none");
    let refused = door.app.answer(nobody.body(Body::empty()).unwrap()).await;
    // Too short to be packed.
    assert_eq!(refused.status(), 401);
    assert!(!refused.headers().contains_key("content-encoding"));

    let (name, password) = ADMIN;
    let made = door.log_in(name, password).await;
    let long = format!("{SYSTEMS}/{}", "x".repeat(1500));
    let missing = http::Request::get(long).header("accept-encoding", "gzip");
    let missing = missing.header("x-auth-token", made.header("x-auth-token"));
    let missing = door.app.answer(missing.body(Body::empty()).unwrap()).await;
    assert_eq!(missing.status(), 404);
    assert_eq!(missing.headers()["content-encoding"], "gzip");
    let packed = missing.into_body().collect().await.unwrap().to_bytes();
    let body: Value = serde_json::from_reader(GzDecoder::new(&*packed)).unwrap();
    assert!(body["error"]["@Message.ExtendedInfo"].is_array());
}

#[tokio::test]
async fn a_packed_request_is_not_taken_for_a_malformed_one() {
    let door = Door::open().await;
    let sent = door.send("PATCH", &door.system(0)).admin();
    let sent = sent.header("content-encoding", "gzip");
    let answer = sent.json(&json!({"AssetTag": "x"})).answer().await;
    answer.refused(415, "HeaderInvalid");
    assert_eq!(answer.header("accept-encoding"), "identity");
}

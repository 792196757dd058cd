//! Captured trees with state: one of our own, and those of real BMCs where `HAWKFISH_CAPTURES_DIR` names a folder with them.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hawkfish_sim::capture::{Capture, Content};
use hawkfish_sim::description::Rack;
use hawkfish_sim::replay::UnknownActions;
use hawkfish_sim::{Description, PASSWORD, USER, World};
use http::{Request, Response, StatusCode};
use jiff::SignedDuration;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use hawkfish_testing::part;

mod own;
mod random;
mod small;
mod vendors;

/// A client of a world, by name and password or by a token.
struct Client<'w> {
    world: &'w World,
    token: Option<String>,
}

impl<'w> Client<'w> {
    fn of(world: &'w World) -> Self {
        Self { world, token: None }
    }

    async fn send(&self, method: &str, uri: &str, body: Option<&Value>) -> Response<Bytes> {
        let mut request = Request::builder().method(method).uri(uri);
        request = match &self.token {
            Some(token) => request.header("x-auth-token", token),
            None => {
                let basic = STANDARD.encode(format!("{USER}:{PASSWORD}"));
                request.header("authorization", format!("Basic {basic}"))
            }
        };
        let body = body.map_or_else(Bytes::new, |body| body.to_string().into());
        let request = request.header("content-type", "application/json");
        self.world.call(request.body(body).unwrap()).await
    }

    async fn get(&self, uri: &str) -> Value {
        let answer = self.send("GET", uri, None).await;
        assert_eq!(answer.status(), StatusCode::OK, "{uri}: {}", text(&answer));
        json_of(&answer)
    }

    async fn patch(&self, uri: &str, body: Value) -> (StatusCode, Value) {
        let answer = self.send("PATCH", uri, Some(&body)).await;
        (answer.status(), json_of(&answer))
    }

    async fn post(&self, uri: &str, body: Value) -> Response<Bytes> {
        self.send("POST", uri, Some(&body)).await
    }

    async fn done(&self, uri: &str, body: Value) {
        let answer = self.post(uri, body).await;
        assert!(answer.status().is_success(), "{uri}: {}", text(&answer));
    }
}

fn text(answer: &Response<Bytes>) -> String {
    format!(
        "{} {}",
        answer.status(),
        String::from_utf8_lossy(answer.body())
    )
}

fn json_of(answer: &Response<Bytes>) -> Value {
    serde_json::from_slice(answer.body()).unwrap_or(Value::Null)
}

/// The message ids of an error.
fn keys(error: &Value) -> Vec<String> {
    let all = error["error"]["@Message.ExtendedInfo"].as_array();
    let keys = all
        .into_iter()
        .flatten()
        .filter_map(|m| m["MessageId"].as_str());
    keys.map(|id| id.rsplit('.').next().unwrap_or(id).to_owned())
        .collect()
}

async fn seconds(world: &World, seconds: i64) {
    world
        .advance(SignedDuration::from_secs(seconds))
        .await
        .unwrap();
}

//! Control of a world over the wire: its time, its faults, its trace. A listener of its own, with a token of its own.
//!
//! | request | what it does |
//! |---|---|
//! | `GET /time` | `{"now": …, "age_seconds": …, "speed": …}` |
//! | `POST /time` `{"advance": "5m"}` | time goes on by so much; all that is due on the way has happened when this is answered |
//! | `POST /time` `{"speed": 10}` | time goes on by itself; 0 stops it |
//! | `POST /time/freeze`, `/time/thaw`, `/time/step`, `/time/until` | time stands still, goes on, goes on until something is so: see [`crate::time`] |
//! | `GET /systems/{system}`, `GET /consoles/{system}` | how far a system is, and what it has said: see [`crate::time`] |
//! | `GET /faults` | the rules, and how often each has fired |
//! | `PUT /faults` a rule | puts it at the end of the list, or in the place of the one of that name |
//! | `PUT /faults/presets/{name}` | puts the rules of a preset |
//! | `DELETE /faults/{name}` | takes a rule away |
//! | `GET /faces?from=0&most=100` | `{"count": …, "faces": [{"name": …, "system": …, "url": …}, …]}`: where the BMC of each system is, at most 1,000 at a time |
//! | `GET /trace` | what happened so far, as text: of a world that `hawkfish-sim` serves the last 10,000 entries |
//! | `GET /trace?lines` | the same as JSON lines, with names in place of tokens and passwords |
//! | `GET /report` | what clients did: [`crate::report::Report`] |
//! | `POST /report/reset` | begins that anew; what is there now is not held against who comes after |
//!
//! Each request carries `Authorization: Bearer <token>`.

use axum::Router;
use axum::extract::{Path, Query, RawQuery, Request, State};
use axum::http::StatusCode;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{delete, get, post, put};
use bytes::Bytes;
use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::json;

use crate::fault::{self, Rule};
use crate::world::World;

/// The control of a world, for whoever has the token.
pub fn router(world: World, token: impl Into<String>) -> Router {
    let token = format!("Bearer {}", token.into());
    Router::new()
        .route("/time", get(time).post(set_time))
        .route("/faults", get(faults).put(put_fault))
        .route("/faults/presets/{name}", put(put_preset))
        .route("/faults/{name}", delete(clear_fault))
        .route("/faces", get(faces))
        .merge(crate::time::routes())
        .route("/trace", get(trace))
        .route("/report", get(report))
        .route("/report/reset", post(reset_report))
        .layer(axum::middleware::from_fn(
            move |request: Request, next: Next| {
                let said = request.headers().get(AUTHORIZATION);
                let is_allowed = said.is_some_and(|said| said.as_bytes() == token.as_bytes());
                async move {
                    match is_allowed {
                        true => next.run(request).await,
                        false => refusal(StatusCode::UNAUTHORIZED, "the token is missing or wrong"),
                    }
                }
            },
        ))
        .with_state(world)
}

fn refusal(status: StatusCode, why: impl std::fmt::Display) -> Response {
    (status, axum::Json(json!({"error": why.to_string()}))).into_response()
}

/// A wanted change of time.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
enum Change {
    Advance(SignedDuration),
    Speed(f64),
}

async fn time(State(world): State<World>) -> Response {
    let shown = json!({
        "now": world.now(),
        "age_seconds": world.age().as_secs_f64(),
        "speed": world.clock().speed(),
    });
    axum::Json(shown).into_response()
}

async fn set_time(State(world): State<World>, body: Bytes) -> Response {
    match serde_json::from_slice(&body) {
        Ok(Change::Advance(by)) if by.is_negative() => {
            return refusal(StatusCode::BAD_REQUEST, "time does not go back");
        }
        Ok(Change::Advance(by)) => {
            if let Err(error) = world.advance(by).await {
                return refusal(StatusCode::INTERNAL_SERVER_ERROR, error);
            }
        }
        Ok(Change::Speed(speed)) => {
            if !(0.0..=crate::clock::MOST_SPEED).contains(&speed) {
                return refusal(StatusCode::BAD_REQUEST, "a speed is 0 to 1,000,000");
            }
            world.set_speed(speed);
        }
        Err(error) => return refusal(StatusCode::BAD_REQUEST, error),
    }
    time(State(world)).await
}

async fn faults(State(world): State<World>) -> Response {
    let all: Vec<_> = world.faults(|engine| {
        let shown =
            |(rule, fired): (&std::sync::Arc<Rule>, u64)| json!({"rule": **rule, "fired": fired});
        engine.rules().map(shown).collect()
    });
    axum::Json(json!({"faults": all})).into_response()
}

async fn put_fault(State(world): State<World>, body: Bytes) -> Response {
    let rule: Rule = match serde_json::from_slice(&body) {
        Ok(rule) => rule,
        Err(error) => return refusal(StatusCode::BAD_REQUEST, error),
    };
    match world.set_fault(rule) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => refusal(StatusCode::BAD_REQUEST, error),
    }
}

async fn put_preset(State(world): State<World>, Path(name): Path<String>) -> Response {
    let Some(preset) = fault::preset(&name) else {
        return refusal(
            StatusCode::NOT_FOUND,
            format!("there is no preset {name:?}"),
        );
    };
    for rule in preset.rules() {
        if let Err(error) = world.set_fault(rule) {
            return refusal(StatusCode::BAD_REQUEST, error);
        }
    }
    StatusCode::NO_CONTENT.into_response()
}

async fn clear_fault(State(world): State<World>, Path(name): Path<String>) -> Response {
    match world.clear_fault(&name) {
        true => StatusCode::NO_CONTENT.into_response(),
        false => refusal(StatusCode::NOT_FOUND, format!("there is no fault {name:?}")),
    }
}

/// A part of a list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Page {
    from: usize,
    most: usize,
}

impl Default for Page {
    fn default() -> Self {
        Self { from: 0, most: 100 }
    }
}

async fn faces(State(world): State<World>, Query(page): Query<Page>) -> Response {
    let faces = world.faces(page.from, page.most.min(1_000));
    axum::Json(json!({"count": world.face_count(), "faces": faces})).into_response()
}

async fn trace(State(world): State<World>, RawQuery(query): RawQuery) -> Response {
    if query.as_deref() != Some("lines") {
        return world.trace().to_string().into_response();
    }
    let mut lines = Vec::new();
    match world.trace().hidden().lines(&mut lines) {
        Ok(()) => ([(CONTENT_TYPE, "application/x-ndjson")], lines).into_response(),
        Err(error) => refusal(StatusCode::INTERNAL_SERVER_ERROR, error),
    }
}

async fn report(State(world): State<World>) -> Response {
    axum::Json(world.report()).into_response()
}

async fn reset_report(State(world): State<World>) -> Response {
    world.reset_report();
    StatusCode::NO_CONTENT.into_response()
}

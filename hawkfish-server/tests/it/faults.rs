//! Faults of the service itself: they become answers, and harm nobody else.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use hawkfish_server::catalog::{Content, Outcome, Resource, Verb};
use hawkfish_server::problem::Problem;
use hawkfish_server::respond::Validation;
use hawkfish_server::{App, Options};
use serde_json::{Map, json};
use tokio::sync::Notify;

use crate::door::Door;

static CHANGES: AtomicU32 = AtomicU32::new(0);
static GO_ON: Notify = Notify::const_new();

const ANYBODY: Resource = Resource {
    open: &[Verb::Get, Verb::Create, Verb::Act],
    ..Resource::NONE
};

const PANICS: Resource = Resource {
    uri: "/panics",
    get: Some(|_| Box::pin(async { panic!("a read that fails") })),
    create: Some(|_| Box::pin(async { panic!("a change that fails") })),
    member: "Role",
    ..ANYBODY
};

const WAITS: Resource = Resource {
    uri: "/waits",
    get: Some(|_| Box::pin(std::future::pending())),
    create: Some(|_| {
        Box::pin(async {
            GO_ON.notified().await;
            CHANGES.fetch_add(1, Ordering::SeqCst);
            Ok(Outcome::Done)
        })
    }),
    member: "Role",
    ..ANYBODY
};

const LIES: Resource = Resource {
    uri: "/lies",
    entity: "Role",
    get: Some(|_| {
        Box::pin(async {
            let body = json!({"Id": "lies", "Name": "x", "IsPredefined": "perhaps", "Moon": 1});
            Ok(Content::Resource(
                body.as_object().cloned().unwrap_or_default(),
            ))
        })
    }),
    ..ANYBODY
};

const FAILS: Resource = Resource {
    uri: "/fails",
    get: Some(|_| Box::pin(async { Err(Problem::internal("a secret of the house")) })),
    create: Some(|_| Box::pin(async { Ok(Outcome::Answer(Map::new())) })),
    member: "Role",
    ..ANYBODY
};

static RESOURCES: [&Resource; 4] = [&PANICS, &WAITS, &LIES, &FAILS];

async fn faulty(options: Options) -> Door {
    let door = Door::open().await;
    let app = App::serving(door.app.hawkfish().clone(), options, &RESOURCES);
    Door { app, ..door }
}

fn role() -> serde_json::Value {
    json!({"RoleId": "x"})
}

#[tokio::test]
async fn a_panic_is_an_answer_like_any_other() {
    let door = faulty(Options::default()).await;
    for _ in 0..3 {
        door.send("GET", "/panics")
            .answer()
            .await
            .refused(500, "InternalError");
        door.send("POST", "/panics")
            .json(&role())
            .answer()
            .await
            .refused(500, "InternalError");
    }
    // The lock that the failed change held is free again.
    door.send("POST", "/panics")
        .json(&role())
        .answer()
        .await
        .refused(500, "InternalError");
}

#[tokio::test]
async fn a_fault_tells_the_client_nothing_of_the_inside() {
    let door = faulty(Options::default()).await;
    let answer = door.send("GET", "/fails").answer().await;
    answer.refused(500, "InternalError");
    assert!(!answer.body.to_string().contains("secret"));
}

#[tokio::test]
async fn time_runs_out_for_the_client_but_a_change_is_carried_to_its_end() {
    let time_limit = Duration::from_millis(50);
    let door = faulty(Options {
        time_limit,
        ..Options::default()
    })
    .await;
    let late = door.send("GET", "/waits").answer().await;
    late.refused(503, "OperationTimeout");
    assert!(late.headers.contains_key("retry-after"));
    let late = door.send("POST", "/waits").json(&role()).answer().await;
    late.refused(503, "OperationTimeout");
    assert_eq!(CHANGES.load(Ordering::SeqCst), 0);
    GO_ON.notify_one();
    while CHANGES.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_answer_that_is_not_as_its_schema_says_is_kept_back_only_where_that_is_enforced() {
    let door = faulty(Options {
        validation: Validation::Enforce,
        ..Options::default()
    })
    .await;
    door.send("GET", "/lies")
        .answer()
        .await
        .refused(500, "InternalError");
    for validation in [Validation::Log, Validation::Off] {
        let door = faulty(Options {
            validation,
            ..Options::default()
        })
        .await;
        let answer = door.send("GET", "/lies").answer().await;
        assert_eq!(
            (answer.status.as_u16(), &answer.body["IsPredefined"]),
            (200, &json!("perhaps"))
        );
    }
}

//! What is sent to whom, and what it carries.

use std::collections::BTreeSet;

use hawkfish_core::clock::Clock as _;
use hawkfish_core::ctx::Ctx;
use hawkfish_core::events::Format;
use hawkfish_core::jobs::Schedule;
use hawkfish_core::subscriptions::{Filter, NewSubscription, SubscriptionChange};
use hawkfish_core::telemetry::{Metric, NewDefinition, Set, Update, Wanted, When};
use jiff::SignedDuration;
use sha2::{Digest as _, Sha256};

use crate::post::{Answer, Desk, at};

/// HMAC (RFC 2104) by hand.
fn hmac(key: &[u8], message: &[u8]) -> String {
    let mut block = [0_u8; 64];
    if key.len() > 64 {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let pad = |with: u8| block.map(|byte| byte ^ with).to_vec();
    let inner = Sha256::digest([pad(0x36), message.to_vec()].concat());
    hex::encode(Sha256::digest([pad(0x5c), inner.to_vec()].concat()))
}

#[tokio::test]
async fn a_body_is_signed_with_the_key_and_carries_what_the_client_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let desk = Desk::start(dir.path()).await;
    let key = "a key that is longer than one block of the hash, which is sixty-four bytes long";
    let mut new = at("a.example");
    new.secret = Some(key.to_owned());
    new.context = Some("rack 7".to_owned());
    new.headers = vec![("Authorization".to_owned(), "Bearer hunter2".to_owned())];
    assert!(!format!("{new:?}").contains("hunter2") && !format!("{new:?}").contains("longer than"));
    let id = desk.subscribe(new).await;
    // Secrets survive a restart.
    let desk = desk.restart(dir.path()).await;
    desk.tell("a").await;
    desk.settle().await;
    let carried = desk.post.carried().remove(0);
    let expected = format!("sha256={}", hmac(key.as_bytes(), &carried.raw));
    assert_eq!(
        carried.header("X-HawkFish-Signature"),
        Some(expected.as_str())
    );
    assert_eq!(carried.header("Authorization"), Some("Bearer hunter2"));
    assert_eq!(carried.header("Content-Type"), Some("application/json"));
    assert_eq!(carried.header("OData-Version"), Some("4.0"));
    assert_eq!(carried.body["Id"], carried.delivery());
    assert_eq!(carried.body["Context"], "rack 7");
    let shown = format!("{:?} {:?}", desk.shown(&id), desk.hf);
    assert!(!shown.contains("hunter2") && !shown.contains("longer than"));

    // Taken away, and another.
    let change = SubscriptionChange {
        secret: Some(None),
        headers: Some(vec![]),
        context: Some(None),
        ..SubscriptionChange::default()
    };
    desk.hf
        .subscriptions()
        .update(&Ctx::service(), &id, change)
        .await
        .unwrap();
    desk.tell("a").await;
    desk.settle().await;
    let carried = desk.post.carried().remove(1);
    assert_eq!(carried.header("X-HawkFish-Signature"), None);
    assert_eq!(carried.header("Authorization"), None);
    assert!(carried.body["Context"].is_null());
}

#[tokio::test]
async fn each_destination_hears_what_it_asked_for_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let desk = Desk::start(dir.path()).await;
    let only_b = Filter {
        origins: vec!["/redfish/v1/Systems/b".to_owned()],
        ..Filter::default()
    };
    let id = desk
        .subscribe(NewSubscription {
            filter: only_b,
            ..at("b.example")
        })
        .await;
    desk.subscribe(at("all.example")).await;
    let (a, b) = (desk.tell("a").await, desk.tell("b").await);
    desk.settle().await;
    assert_eq!(desk.post.events_of("b.example"), [b]);
    assert_eq!(desk.post.events_of("all.example"), [a, b]);
    assert_eq!(desk.shown(&id).pending, 0);
    // From now on something else.
    let none = Filter {
        message_ids: vec!["ResourceEvent.ResourceRemoved".to_owned()],
        ..Filter::default()
    };
    let change = SubscriptionChange {
        filter: Some(none),
        ..SubscriptionChange::default()
    };
    desk.hf
        .subscriptions()
        .update(&Ctx::service(), &id, change)
        .await
        .unwrap();
    desk.tell("b").await;
    desk.settle().await;
    assert_eq!(desk.post.events_of("b.example"), [b]);
}

#[tokio::test]
async fn heartbeats_come_at_their_interval_to_those_who_asked_and_take_events() {
    let dir = tempfile::tempdir().unwrap();
    let desk = Desk::start(dir.path()).await;
    let heartbeat = Some(SignedDuration::from_mins(2));
    let id = desk
        .subscribe(NewSubscription {
            heartbeat,
            ..at("a.example")
        })
        .await;
    desk.subscribe(at("b.example")).await;
    desk.pass(650).await;
    let desk = desk.restart(dir.path()).await;
    desk.pass(70).await;
    let carried = desk.post.carried();
    assert!(carried.iter().all(|c| c.host == "a.example"));
    assert!(
        carried
            .iter()
            .all(|c| c.messages() == ["RedfishServiceFunctional"])
    );
    assert_eq!(carried.len(), 6);
    let ids: BTreeSet<&str> = carried.iter().map(|c| c.delivery()).collect();
    assert_eq!(ids.len(), 6);
    // One that takes nothing is not flooded with them later.
    desk.post.says(|_| Answer::Refuse(500));
    desk.tell("a").await;
    desk.pass(400).await;
    desk.post.says(|_| Answer::Take);
    let before = desk.post.taken().len();
    desk.pass(119).await;
    assert!(desk.post.taken().len() <= before + 2);
    let change = SubscriptionChange {
        heartbeat: Some(None),
        ..SubscriptionChange::default()
    };
    desk.hf
        .subscriptions()
        .update(&Ctx::service(), &id, change)
        .await
        .unwrap();
    let before = desk.post.carried().len();
    desk.pass(3_600).await;
    assert_eq!(desk.post.carried().len(), before);
}

#[tokio::test]
async fn a_test_goes_to_one_destination_alone_and_has_no_place_in_the_stream() {
    let dir = tempfile::tempdir().unwrap();
    let desk = Desk::start(dir.path()).await;
    let id = desk.subscribe(at("a.example")).await;
    desk.subscribe(at("b.example")).await;
    let last = desk.hf.events().last();
    desk.hf
        .subscriptions()
        .test(&Ctx::service(), &id)
        .await
        .unwrap();
    desk.settle().await;
    let carried = desk.post.carried();
    assert_eq!(carried.len(), 1);
    assert_eq!(
        (carried[0].host.as_str(), carried[0].messages()),
        ("a.example", vec!["TestMessage".to_owned()])
    );
    assert_eq!(desk.hf.events().last(), last);
    desk.hf
        .subscriptions()
        .suspend(&Ctx::service(), &id)
        .await
        .unwrap();
    assert!(
        desk.hf
            .subscriptions()
            .test(&Ctx::service(), &id)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn reports_go_to_who_asked_for_reports_one_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let desk = Desk::start(dir.path()).await;
    let wanted = Wanted {
        metric: Metric::PowerConsumption,
        systems: Set::All,
        instances: Set::All,
    };
    let every = Schedule::every(desk.clock.now(), SignedDuration::from_secs(10));
    let new = NewDefinition {
        id: None,
        name: None,
        description: None,
        when: When::Periodic(every),
        enabled: true,
        update: Update::Overwrite,
        suppress_repeated: false,
        wanted: vec![wanted],
        words: serde_json::Value::Null,
    };
    let telemetry = desk.hf.telemetry();
    telemetry.define(&Ctx::service(), new).await.unwrap();
    // Nobody wants to hear of them: the stream is not filled with them.
    let before = desk.hf.events().last();
    desk.pass(30).await;
    assert_eq!(desk.hf.events().last(), before);

    desk.subscribe(at("events.example")).await;
    let reports = NewSubscription {
        format: Format::MetricReport,
        filter: Filter::default(),
        ..at("reports.example")
    };
    let id = desk.subscribe(reports).await;
    let (ctx, subscriptions) = (Ctx::service(), desk.hf.subscriptions());
    subscriptions.suspend(&ctx, &id).await.unwrap();
    desk.pass(30).await;
    subscriptions.resume(&ctx, &id, None).await.unwrap();
    desk.settle().await;
    let carried = desk.post.carried();
    assert!(carried.iter().all(|c| c.host == "reports.example"));
    let sizes: Vec<usize> = carried.iter().map(|c| c.events().len()).collect();
    assert_eq!(sizes, [1, 1, 1]);
}

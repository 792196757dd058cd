//! Subscriptions: made, changed, shown without secrets, kept over restarts, bounded.

use std::sync::Arc;

use hawkfish_core::ctx::Ctx;
use hawkfish_core::error::{Conflict, ErrorKind, Result};
use hawkfish_core::events::Format;
use hawkfish_core::id::{ProjectId, SubscriptionId};
use hawkfish_core::outgoing::Policy;
use hawkfish_core::subscriptions::{
    Filter, Kind, NewStream, NewSubscription, Retry, ServiceSettings, SubscriptionChange,
    SubscriptionSettings,
};
use jiff::SignedDuration;
use url::Url;

use crate::post::{Desk, at};

fn pointer<T>(result: Result<T>) -> String {
    match result.err().unwrap().kind() {
        ErrorKind::Invalid { property, .. } => property.to_string(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_was_said_of_a_subscription_is_shown_and_survives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let desk = Desk::start(dir.path()).await;
    let ctx = Ctx::service();
    let mut new = at("a.example");
    new.name = Some("Pager".to_owned());
    new.context = Some("rack".to_owned());
    new.headers = vec![("X-Token".to_owned(), "hunter2".to_owned())];
    new.secret = Some("key".to_owned());
    new.retry = Retry::SuspendRetries;
    new.verify_certificate = false;
    new.heartbeat = Some(SignedDuration::from_mins(5));
    new.backups = vec!["https://b.example/".parse().unwrap()];
    let one = desk.subscribe(new).await;
    let two = desk.subscribe(at("c.example")).await;
    assert_eq!((one.as_str(), two.as_str()), ("1", "2"));
    let shown = desk.shown(&one);
    assert_eq!(shown.kind, Kind::Webhook);
    assert_eq!(shown.name, "Pager");
    assert_eq!(
        shown.destination.as_ref().unwrap().as_str(),
        "https://a.example/events"
    );
    assert_eq!((shown.headers, shown.signed), (1, true));
    assert_eq!(desk.shown(&two).name, "Subscription 2");

    let change = SubscriptionChange {
        context: Some(Some("other".to_owned())),
        retry: Some(Retry::RetryForever),
        ..SubscriptionChange::default()
    };
    let changed = desk
        .hf
        .subscriptions()
        .update(&ctx, &one, change)
        .await
        .unwrap();
    assert_eq!(changed.context.as_deref(), Some("other"));
    assert_eq!(
        (changed.retry, changed.generation),
        (Retry::RetryForever, 2)
    );
    assert_eq!(changed.backups, shown.backups);

    desk.hf.subscriptions().delete(&ctx, &two).await.unwrap();
    let again = desk
        .hf
        .subscriptions()
        .delete(&ctx, &two)
        .await
        .unwrap_err();
    assert!(matches!(again.kind(), ErrorKind::NotFound { .. }));
    desk.settle().await;
    let before = desk.shown(&one);
    let desk = desk.restart(dir.path()).await;
    assert_eq!(desk.hf.subscriptions().list(&ctx), [before]);
    // Numbers are never given twice.
    assert_eq!(desk.subscribe(at("d.example")).await.as_str(), "3");
    for odd in ["01", "+1", "x", "stream-1", "stream-x"] {
        let id = SubscriptionId::parse(odd);
        assert!(id.is_err() || desk.hf.subscriptions().get(&ctx, &id.unwrap()).is_err());
    }
}

#[tokio::test]
async fn what_cannot_be_taken_is_named_and_nothing_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let desk = Desk::start(dir.path()).await;
    let ctx = Ctx::service();
    let subscriptions = desk.hf.subscriptions();
    let before = desk.hf.events().last();
    let many = vec!["x".to_owned(); 101];
    let cases: [(&str, NewSubscription); 6] = [
        (
            "/Context",
            NewSubscription {
                context: Some("x".repeat(2_000)),
                ..at("a.example")
            },
        ),
        (
            "/HttpHeaders/0/Host",
            NewSubscription {
                headers: vec![("Host".to_owned(), "evil".to_owned())],
                ..at("a.example")
            },
        ),
        (
            "/MessageIds",
            NewSubscription {
                filter: Filter {
                    message_ids: many,
                    ..Filter::default()
                },
                ..at("a.example")
            },
        ),
        (
            "/HeartbeatIntervalMinutes",
            NewSubscription {
                heartbeat: Some(SignedDuration::from_secs(1)),
                ..at("a.example")
            },
        ),
        (
            "/BackupDestinations/0",
            NewSubscription {
                backups: vec!["ftp://a.example/".parse().unwrap()],
                ..at("a.example")
            },
        ),
        (
            "/Oem/HawkFish/SigningKey",
            NewSubscription {
                secret: Some(String::new()),
                ..at("a.example")
            },
        ),
    ];
    for (expected, new) in cases {
        assert_eq!(pointer(subscriptions.create(&ctx, new).await), expected);
    }
    for url in [
        "http://127.0.0.1/",
        "http://169.254.169.254/latest",
        "https://localhost/",
        "http://[::1]:8000/",
    ] {
        let new = NewSubscription::to(Url::parse(url).unwrap());
        let refused = subscriptions.create(&ctx, new).await.unwrap_err();
        assert!(
            matches!(refused.kind(), ErrorKind::AddressRefused { .. }),
            "{url}"
        );
    }
    let too_often = ServiceSettings {
        attempts: 0,
        ..ServiceSettings::default()
    };
    assert_eq!(
        pointer(subscriptions.set_settings(&ctx, too_often).await),
        "/DeliveryRetryAttempts"
    );
    let interval = SignedDuration::ZERO;
    let too_soon = ServiceSettings {
        interval,
        ..ServiceSettings::default()
    };
    assert_eq!(
        pointer(subscriptions.set_settings(&ctx, too_soon).await),
        "/DeliveryRetryIntervalSeconds"
    );
    assert!(subscriptions.list(&ctx).is_empty());
    assert_eq!(desk.hf.events().last(), before);
    // Private networks are where management lives; and the operator may allow what is refused.
    subscriptions
        .create(
            &ctx,
            NewSubscription::to("https://192.168.1.50/x".parse().unwrap()),
        )
        .await
        .unwrap();
    desk.hf.close().await.unwrap();
    let policy = Policy {
        allow: vec!["127.0.0.0/8".parse().unwrap()],
        deny: vec!["192.168.0.0/16".parse().unwrap()],
    };
    let settings = SubscriptionSettings {
        policy: Some(Arc::new(policy)),
        most: 3,
        ..SubscriptionSettings::default()
    };
    let desk = Desk::on(
        dir.path(),
        desk.clock.clone(),
        desk.post.clone(),
        settings,
        |b| b,
    )
    .await;
    let subscriptions = desk.hf.subscriptions();
    subscriptions
        .create(
            &ctx,
            NewSubscription::to("http://127.0.0.1/".parse().unwrap()),
        )
        .await
        .unwrap();
    let denied = NewSubscription::to("https://192.168.1.50/x".parse().unwrap());
    assert!(subscriptions.create(&ctx, denied).await.is_err());
    desk.subscribe(at("a.example")).await;
    let full = subscriptions
        .create(&ctx, at("b.example"))
        .await
        .unwrap_err();
    assert!(matches!(
        full.kind(),
        ErrorKind::LimitExceeded {
            what: "subscriptions"
        }
    ));
}

#[tokio::test]
async fn a_stream_is_a_subscription_while_it_is_open() {
    let dir = tempfile::tempdir().unwrap();
    let settings = SubscriptionSettings {
        most_streams: 2,
        ..SubscriptionSettings::default()
    };
    let desk = Desk::with(dir.path(), settings, |b| b).await;
    let ctx = Ctx::service();
    let subscriptions = desk.hf.subscriptions();
    let new = NewStream {
        context: Some("page".to_owned()),
        ..NewStream::default()
    };
    let one = subscriptions.open(&ctx, new).unwrap();
    let two = subscriptions.open(&ctx, NewStream::default()).unwrap();
    let full = subscriptions.open(&ctx, NewStream::default()).unwrap_err();
    assert!(matches!(
        full.kind(),
        ErrorKind::LimitExceeded { what: "streams" }
    ));
    let shown = subscriptions.get(&ctx, one.id()).unwrap();
    assert_eq!(
        (shown.kind, shown.context.as_deref(), shown.format),
        (Kind::Stream, Some("page"), Format::Event)
    );
    assert_eq!(subscriptions.list(&ctx).len(), 2);
    let refused = subscriptions.suspend(&ctx, one.id()).await.unwrap_err();
    assert_eq!(refused.kind(), &ErrorKind::Conflict(Conflict::NotAllowed));
    // Gone when its holder goes; ended when somebody deletes it; ended when nothing is delivered.
    let id = one.id().clone();
    drop(one);
    assert!(subscriptions.get(&ctx, &id).is_err());
    subscriptions.delete(&ctx, two.id()).await.unwrap();
    two.closed().await;
    let three = subscriptions.open(&ctx, NewStream::default()).unwrap();
    let off = ServiceSettings {
        enabled: false,
        ..ServiceSettings::default()
    };
    subscriptions.set_settings(&ctx, off).await.unwrap();
    three.closed().await;
    assert!(subscriptions.open(&ctx, NewStream::default()).is_err());
    assert!(subscriptions.list(&ctx).is_empty());
    subscriptions
        .set_settings(&ctx, ServiceSettings::default())
        .await
        .unwrap();
    let four = subscriptions.open(&ctx, NewStream::default()).unwrap();
    desk.hf.close().await.unwrap();
    assert!(four.is_closed());
}

#[tokio::test]
async fn who_is_in_a_project_sees_and_hears_of_nothing_outside_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let desk = Desk::start(dir.path()).await;
    let mut inside = Ctx::service();
    inside.project = Some(ProjectId::parse("lab").unwrap());
    let subscriptions = desk.hf.subscriptions();
    let theirs = desk.subscribe(at("theirs.example")).await;
    let ours = subscriptions
        .create(&inside, at("ours.example"))
        .await
        .unwrap();
    assert!(subscriptions.get(&inside, &theirs).is_err());
    assert!(subscriptions.delete(&inside, &theirs).await.is_err());
    assert_eq!(subscriptions.list(&inside).len(), 1);
    assert_eq!(ours.project, inside.project);
    // A system that is not in it.
    let one = desk.tell("a").await;
    desk.settle().await;
    assert_eq!(desk.post.events_of("theirs.example"), [one]);
    assert!(desk.post.events_of("ours.example").is_empty());
}

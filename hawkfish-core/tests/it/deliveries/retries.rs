//! What is not taken: tried again, and what becomes of it in the end.

use hawkfish_core::clock::Clock as _;
use hawkfish_core::ctx::Ctx;
use hawkfish_core::error::ErrorKind;
use hawkfish_core::events::EventSettings;
use hawkfish_core::subscriptions::{
    MOST_BACKOFF, NewSubscription, Retry, ServiceSettings, SubscriptionChange, SubscriptionSettings,
};
use jiff::SignedDuration;

use super::dead;
use crate::post::{Answer, Desk, at};

#[tokio::test]
async fn what_is_not_taken_is_tried_five_times_with_growing_waits_and_then_the_next_is_sent() {
    let dir = tempfile::tempdir().unwrap();
    let desk = Desk::start(dir.path()).await;
    let id = desk.subscribe(at("a.example")).await;
    let poison = desk.tell("a").await;
    desk.post.says(move |c| match c.events().contains(&poison) {
        true => Answer::Refuse(500),
        false => Answer::Take,
    });
    desk.settle().await;
    let shown = desk.shown(&id);
    assert_eq!(shown.attempts, 1);
    assert!(shown.through < poison);
    assert_eq!(shown.last_failure.as_ref().unwrap().status, Some(500));
    assert!(shown.next_attempt.is_some());
    let next = desk.tell("a").await;
    desk.pass(3_600).await;

    let tries = desk.post.carried();
    let tries: Vec<_> = tries.iter().filter(|c| c.events() == [poison]).collect();
    assert_eq!(tries.len(), 5, "the same, alone, each time");
    assert!(tries.iter().all(|c| c.delivery() == tries[0].delivery()));
    let waits: Vec<_> = tries
        .windows(2)
        .map(|two| two[1].at.duration_since(two[0].at))
        .collect();
    for (n, wait) in waits.iter().enumerate() {
        let whole = SignedDuration::from_secs(30 << n);
        assert!(
            *wait >= whole / 2 && *wait <= whole + SignedDuration::from_millis(1),
            "{waits:?}"
        );
    }
    assert_eq!(desk.post.events_of("a.example"), [next]);
    assert_eq!(dead(&desk, &id), [poison]);
    let letter = desk
        .hf
        .subscriptions()
        .dead_letter(&Ctx::service(), &id, poison)
        .unwrap();
    assert_eq!(letter.attempts, 5);
    assert_eq!(letter.reason, "It answered 500.");
    assert_eq!(letter.told.seq(), poison);
    assert!(!letter.replaying);
    let shown = desk.shown(&id);
    assert_eq!((shown.dead, shown.delivered, shown.attempts), (1, 1, 0));
}

#[tokio::test]
async fn attempts_and_the_time_of_the_next_survive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let desk = Desk::start(dir.path()).await;
    let id = desk.subscribe(at("a.example")).await;
    desk.post.says(|_| Answer::Refuse(503));
    let first = desk.tell("a").await;
    desk.pass(60).await;
    let before = desk.shown(&id);
    assert_eq!(before.attempts, 2);

    let desk = desk.restart(dir.path()).await;
    let after = desk.shown(&id);
    assert_eq!(
        (after.attempts, after.next_attempt),
        (2, before.next_attempt)
    );
    assert_eq!(after.last_failure, before.last_failure);
    let tried = desk.post.carried().len();
    // Not before its time.
    desk.settle().await;
    assert_eq!(desk.post.carried().len(), tried);
    desk.post.says(|_| Answer::Take);
    let second = desk.tell("a").await;
    desk.pass(600).await;
    let carried = desk.post.carried();
    assert_eq!(
        carried[tried].delivery(),
        carried[0].delivery(),
        "the same under the same id"
    );
    assert_eq!(desk.post.events_of("a.example"), [first, second]);
    assert_eq!(desk.shown(&id).attempts, 0);
}

#[tokio::test]
async fn a_dead_letter_can_be_sent_once_more_and_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let desk = Desk::start(dir.path()).await;
    let ctx = Ctx::service();
    let id = desk.subscribe(at("a.example")).await;
    desk.post.says(|_| Answer::Refuse(400));
    let mut lost = Vec::new();
    for _ in 0..3 {
        lost.push(desk.tell("a").await);
        desk.pass(3_600).await;
    }
    assert_eq!(dead(&desk, &id), lost);
    let subscriptions = desk.hf.subscriptions();
    let missing = subscriptions
        .replay(&ctx, &id, Some(9_999))
        .await
        .unwrap_err();
    assert!(matches!(missing.kind(), ErrorKind::NotFound { .. }));

    // It may die again.
    subscriptions
        .replay(&ctx, &id, Some(lost[1]))
        .await
        .unwrap();
    desk.pass(3_600).await;
    assert_eq!(dead(&desk, &id), lost);
    let letter = subscriptions.dead_letter(&ctx, &id, lost[1]).unwrap();
    assert_eq!((letter.attempts, letter.replaying), (10, false));

    // That it is to be sent survives a restart, and others stay.
    desk.hf.subscriptions().suspend(&ctx, &id).await.unwrap();
    subscriptions
        .replay(&ctx, &id, Some(lost[1]))
        .await
        .unwrap();
    let desk = desk.restart(dir.path()).await;
    let subscriptions = desk.hf.subscriptions();
    assert!(
        subscriptions
            .dead_letter(&ctx, &id, lost[1])
            .unwrap()
            .replaying
    );
    desk.post.says(|_| Answer::Take);
    subscriptions.resume(&ctx, &id, None).await.unwrap();
    desk.settle().await;
    assert_eq!(desk.post.events_of("a.example"), [lost[1]]);
    assert_eq!(dead(&desk, &id), [lost[0], lost[2]]);

    subscriptions
        .drop_dead(&ctx, &id, Some(lost[0]))
        .await
        .unwrap();
    assert_eq!(dead(&desk, &id), [lost[2]]);
    subscriptions.replay(&ctx, &id, None).await.unwrap();
    desk.settle().await;
    assert_eq!(desk.post.events_of("a.example"), [lost[1], lost[2]]);
    let desk = desk.restart(dir.path()).await;
    assert!(dead(&desk, &id).is_empty());
    assert_eq!(desk.shown(&id).dead, 0);
}

#[tokio::test]
async fn dead_letters_outlive_the_stream_and_are_bounded_by_themselves() {
    let dir = tempfile::tempdir().unwrap();
    let events = EventSettings {
        kept: 50,
        in_memory: 10,
    };
    let settings = SubscriptionSettings {
        most_dead: 30,
        ..SubscriptionSettings::default()
    };
    let desk = Desk::with(dir.path(), settings, |b| b.events(events)).await;
    let id = desk.subscribe(at("a.example")).await;
    let once = ServiceSettings {
        attempts: 1,
        ..ServiceSettings::default()
    };
    desk.hf
        .subscriptions()
        .set_settings(&Ctx::service(), once)
        .await
        .unwrap();
    desk.post.says(|_| Answer::Refuse(500));
    let mut all = Vec::new();
    for _ in 0..4 {
        all.extend(desk.tell_many(10).await);
        desk.settle().await;
    }
    assert_eq!(dead(&desk, &id), all[10..], "the oldest went");
    // Others have so much to tell that the stream forgets.
    desk.hf
        .subscriptions()
        .suspend(&Ctx::service(), &id)
        .await
        .unwrap();
    desk.tell_many(1_200).await;
    assert!(desk.hf.events().first() > all[39]);
    let desk = desk.restart(dir.path()).await;
    assert_eq!(dead(&desk, &id), all[10..]);
    let letter = desk
        .hf
        .subscriptions()
        .dead_letter(&Ctx::service(), &id, all[10])
        .unwrap();
    assert_eq!(letter.told.seq(), all[10]);
    desk.post.says(|_| Answer::Take);
    desk.hf
        .subscriptions()
        .resume(&Ctx::service(), &id, Some(SignedDuration::ZERO))
        .await
        .unwrap();
    desk.hf
        .subscriptions()
        .replay(&Ctx::service(), &id, None)
        .await
        .unwrap();
    desk.settle().await;
    assert_eq!(desk.post.events_of("a.example"), all[10..]);
}

#[tokio::test]
async fn each_policy_does_what_it_says_of_a_destination_that_is_dead() {
    let dir = tempfile::tempdir().unwrap();
    let desk = Desk::start(dir.path()).await;
    let mut ids = Vec::new();
    for (host, retry) in [
        ("suspend.example", Retry::SuspendRetries),
        ("end.example", Retry::TerminateAfterRetries),
        ("ever.example", Retry::RetryForever),
        ("grow.example", Retry::RetryForeverWithBackoff),
    ] {
        let new = NewSubscription { retry, ..at(host) };
        ids.push(desk.subscribe(new).await);
    }
    desk.post.says(|_| Answer::Refuse(500));
    let one = desk.tell("a").await;
    desk.pass(7_200).await;
    let times = |host: &str| {
        let carried = desk.post.carried();
        let of: Vec<_> = carried
            .iter()
            .filter(|c| c.host == host)
            .map(|c| c.at)
            .collect();
        of.windows(2)
            .map(|two| two[1].duration_since(two[0]))
            .collect::<Vec<_>>()
    };
    assert_eq!(times("suspend.example").len(), 4);
    assert!(desk.shown(&ids[0]).suspended);
    assert_eq!(times("end.example").len(), 4);
    let subscriptions = desk.hf.subscriptions();
    assert!(subscriptions.get(&Ctx::service(), &ids[1]).is_err());
    assert_eq!(
        times("ever.example"),
        vec![SignedDuration::from_secs(30); 240]
    );
    let grown = times("grow.example");
    assert!(
        grown.len() > 10 && grown.last().unwrap() <= &MOST_BACKOFF,
        "{grown:?}"
    );
    assert!(grown.last().unwrap() >= &(MOST_BACKOFF / 2), "{grown:?}");
    // Nothing was lost of those that are still there.
    desk.post.says(|_| Answer::Take);
    subscriptions
        .resume(&Ctx::service(), &ids[0], None)
        .await
        .unwrap();
    desk.pass(600).await;
    for host in ["suspend.example", "ever.example", "grow.example"] {
        assert_eq!(desk.post.events_of(host)[0], one, "{host}");
    }
    assert!(desk.post.events_of("end.example").is_empty());
    let desk = desk.restart(dir.path()).await;
    assert!(
        desk.hf
            .subscriptions()
            .get(&Ctx::service(), &ids[1])
            .is_err()
    );
}

#[tokio::test]
async fn gone_ends_a_subscription_only_where_its_policy_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let desk = Desk::start(dir.path()).await;
    let stays = desk.subscribe(at("stays.example")).await;
    let retry = Retry::TerminateAfterRetries;
    let ends = desk
        .subscribe(NewSubscription {
            retry,
            ..at("ends.example")
        })
        .await;
    desk.post.says(|_| Answer::Refuse(410));
    desk.tell("a").await;
    desk.settle().await;
    assert_eq!(desk.shown(&stays).attempts, 1);
    assert!(desk.hf.subscriptions().get(&Ctx::service(), &ends).is_err());
}

#[tokio::test]
async fn a_receiver_that_asks_to_be_left_alone_is() {
    let dir = tempfile::tempdir().unwrap();
    let desk = Desk::start(dir.path()).await;
    let id = desk.subscribe(at("a.example")).await;
    desk.post.says(|_| Answer::RefuseFor(503, 300));
    desk.tell("a").await;
    desk.settle().await;
    let next = desk.shown(&id).next_attempt.unwrap();
    assert_eq!(next, desk.clock.now() + SignedDuration::from_secs(300));
    desk.post.says(|_| Answer::RefuseFor(503, 1_000_000));
    desk.pass(300).await;
    let next = desk.shown(&id).next_attempt.unwrap();
    assert_eq!(next, desk.clock.now() + MOST_BACKOFF);
}

#[tokio::test]
async fn a_backup_gets_what_the_destination_does_not_take() {
    let dir = tempfile::tempdir().unwrap();
    let desk = Desk::start(dir.path()).await;
    let backups = ["https://b.example/", "https://c.example/"];
    let backups = backups.map(|url| url.parse().unwrap()).to_vec();
    let id = desk
        .subscribe(NewSubscription {
            backups,
            ..at("a.example")
        })
        .await;
    desk.post.says(|c| match c.host.as_str() {
        "c.example" => Answer::Take,
        _ => Answer::Refuse(502),
    });
    let one = desk.tell("a").await;
    desk.settle().await;
    let hosts: Vec<String> = desk.post.carried().iter().map(|c| c.host.clone()).collect();
    assert_eq!(hosts, ["a.example", "b.example", "c.example"]);
    desk.post.says(|_| Answer::Take);
    let two = desk.tell("a").await;
    desk.settle().await;
    assert_eq!(desk.post.events_of("a.example"), [two]);
    assert_eq!(desk.post.events_of("c.example"), [one]);
    let shown = desk.shown(&id);
    assert_eq!((shown.attempts, shown.delivered, shown.dead), (0, 2, 0));
}

#[tokio::test]
async fn who_changes_a_subscription_has_what_waits_tried_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let desk = Desk::start(dir.path()).await;
    let id = desk.subscribe(at("a.example")).await;
    desk.post.says(|c| match c.header("Authorization") {
        Some("Bearer right") => Answer::Take,
        _ => Answer::Refuse(401),
    });
    let one = desk.tell("a").await;
    desk.settle().await;
    assert!(desk.shown(&id).next_attempt.is_some());
    let header = ("Authorization".to_owned(), "Bearer right".to_owned());
    let change = SubscriptionChange {
        headers: Some(vec![header]),
        ..SubscriptionChange::default()
    };
    let subscriptions = desk.hf.subscriptions();
    subscriptions
        .update(&Ctx::service(), &id, change)
        .await
        .unwrap();
    subscriptions.settle().await;
    assert_eq!(desk.post.events_of("a.example"), [one]);
    assert_eq!(desk.shown(&id).attempts, 0);
    // It is not due any more.
    let carried = desk.post.carried().len();
    desk.pass(3_600).await;
    assert_eq!(desk.post.carried().len(), carried);
}

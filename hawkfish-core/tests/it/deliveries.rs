//! Deliveries to webhooks: in order, at least once over crashes and exactly once without, with retries and what comes after them.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use hawkfish_core::clock::Clock as _;
use hawkfish_core::ctx::Ctx;
use hawkfish_core::error::ErrorKind;
use hawkfish_core::events::{EventSettings, Format};
use hawkfish_core::id::SubscriptionId;
use hawkfish_core::jobs::Schedule;
use hawkfish_core::subscriptions::{
    Filter, MOST_BACKOFF, NewSubscription, Retry, ServiceSettings, SubscriptionChange,
    SubscriptionSettings,
};
use hawkfish_core::telemetry::{Metric, NewDefinition, Set, Update, Wanted, When};
use jiff::SignedDuration;
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

use crate::post::{Answer, Desk, at};

fn dead(desk: &Desk, id: &SubscriptionId) -> Vec<u64> {
    let letters = desk.hf.subscriptions().dead_letters(&Ctx::service(), id);
    letters.unwrap().iter().map(|letter| letter.seq).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_of_many_writers_arrive_once_and_in_the_order_of_their_commits() {
    let dir = tempfile::tempdir().unwrap();
    let desk = Arc::new(Desk::start(dir.path()).await);
    for host in ["a.example", "b.example", "c.example"] {
        desk.subscribe(at(host)).await;
    }
    desk.hf.start_running();
    let before = desk.hf.events().last();
    let writers: Vec<_> = (0..8)
        .map(|_| {
            let desk = desk.clone();
            tokio::spawn(async move { desk.tell_many(50).await })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    desk.hf.subscriptions().settle().await;
    let all: Vec<u64> = (before + 1..=before + 400).collect();
    for host in ["a.example", "b.example", "c.example"] {
        assert_eq!(desk.post.events_of(host), all, "{host}");
    }
    let ids: BTreeSet<String> = desk
        .post
        .carried()
        .iter()
        .map(|c| c.delivery().to_owned())
        .collect();
    assert_eq!(
        ids.len(),
        desk.post.carried().len(),
        "each delivery has its own id"
    );
    desk.hf.close().await.unwrap();
}

#[tokio::test]
async fn what_waits_goes_in_few_requests_bounded_in_number_and_in_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let settings = SubscriptionSettings {
        batch: 10,
        ..SubscriptionSettings::default()
    };
    let desk = Desk::with(dir.path(), settings, |b| b).await;
    let id = desk.subscribe(at("a.example")).await;
    let all = desk.tell_many(25).await;
    desk.settle().await;
    let sizes: Vec<usize> = desk
        .post
        .carried()
        .iter()
        .map(|c| c.events().len())
        .collect();
    assert_eq!(sizes, [10, 10, 5]);
    assert_eq!(desk.post.events_of("a.example"), all);
    let shown = desk.shown(&id);
    assert_eq!((shown.delivered, shown.pending, shown.attempts), (25, 0, 0));
    desk.hf.close().await.unwrap();

    let dir = tempfile::tempdir().unwrap();
    let settings = SubscriptionSettings {
        batch_bytes: 250,
        ..SubscriptionSettings::default()
    };
    let desk = Desk::with(dir.path(), settings, |b| b).await;
    desk.subscribe(at("a.example")).await;
    let all = desk.tell_many(5).await;
    desk.settle().await;
    let sizes: Vec<usize> = desk
        .post
        .carried()
        .iter()
        .map(|c| c.events().len())
        .collect();
    assert_eq!(sizes, [2, 2, 1]);
    assert_eq!(desk.post.events_of("a.example"), all);
}

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
async fn an_orderly_restart_in_the_middle_makes_no_doubles_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut desk = Desk::start(dir.path()).await;
    let id = desk.subscribe(at("a.example")).await;
    let mut all = Vec::new();
    for round in 0..5 {
        all.extend(desk.tell_many(7).await);
        if round % 2 == 0 {
            desk.settle().await;
        }
        desk = desk.restart(dir.path()).await;
    }
    desk.settle().await;
    assert_eq!(desk.post.events_of("a.example"), all);
    assert_eq!(desk.shown(&id).delivered, 35);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_waits_for_what_is_under_way() {
    let dir = tempfile::tempdir().unwrap();
    let desk = Desk::start(dir.path()).await;
    desk.subscribe(at("a.example")).await;
    let door = Arc::new(Semaphore::new(0));
    let (says, asked) = (door.clone(), Arc::new(Semaphore::new(0)));
    let asks = asked.clone();
    desk.post.says(move |_| {
        asks.add_permits(1);
        Answer::TakeLater(says.clone())
    });
    let one = desk.tell("a").await;
    desk.hf.tick().await.unwrap();
    asked.acquire().await.unwrap().forget();
    let (hf, closing) = (desk.hf.clone(), Arc::new(AtomicBool::new(true)));
    let flag = closing.clone();
    let close = tokio::spawn(async move {
        hf.close().await.unwrap();
        flag.store(false, Ordering::Release);
    });
    tokio::task::yield_now().await;
    assert!(closing.load(Ordering::Acquire));
    door.add_permits(10);
    close.await.unwrap();
    let (post, clock) = (desk.post.clone(), desk.clock.clone());
    let desk = Desk::on(
        dir.path(),
        clock,
        post,
        SubscriptionSettings::default(),
        |b| b,
    )
    .await;
    desk.settle().await;
    assert_eq!(desk.post.events_of("a.example"), [one]);
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
async fn what_waits_while_a_destination_is_suspended_is_delivered_as_far_as_is_asked() {
    let dir = tempfile::tempdir().unwrap();
    let desk = Desk::start(dir.path()).await;
    let ctx = Ctx::service();
    let mut ids = Vec::new();
    for host in ["all.example", "none.example", "some.example"] {
        let id = desk.subscribe(at(host)).await;
        desk.hf.subscriptions().suspend(&ctx, &id).await.unwrap();
        assert!(desk.shown(&id).suspended);
        ids.push(id);
    }
    let old = desk.tell("a").await;
    desk.pass(600).await;
    let new = desk.tell("a").await;
    desk.pass(10).await;
    assert!(desk.post.carried().is_empty());
    // It survives a restart that they are.
    let desk = desk.restart(dir.path()).await;
    desk.pass(10).await;
    assert!(desk.post.carried().is_empty());
    let minute = SignedDuration::from_secs(60);
    for (id, within) in ids
        .iter()
        .zip([None, Some(SignedDuration::ZERO), Some(minute)])
    {
        let resumed = desk
            .hf
            .subscriptions()
            .resume(&ctx, id, within)
            .await
            .unwrap();
        assert!(!resumed.suspended);
    }
    desk.settle().await;
    let later = desk.tell("a").await;
    desk.settle().await;
    assert_eq!(desk.post.events_of("all.example"), [old, new, later]);
    assert_eq!(desk.post.events_of("none.example"), [later]);
    assert_eq!(desk.post.events_of("some.example"), [new, later]);
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
async fn a_slow_destination_does_not_delay_another() {
    let dir = tempfile::tempdir().unwrap();
    let desk = Desk::start(dir.path()).await;
    let (slow, fast) = (
        desk.subscribe(at("slow.example")).await,
        desk.subscribe(at("fast.example")).await,
    );
    let door = Arc::new(Semaphore::new(0));
    let says = door.clone();
    desk.post.says(move |c| match c.host.as_str() {
        "slow.example" => Answer::TakeLater(says.clone()),
        _ => Answer::Take,
    });
    let mut all = Vec::new();
    for _ in 0..20 {
        all.push(desk.tell("a").await);
        desk.hf.tick().await.unwrap();
        while desk.shown(&fast).pending > 0 {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(desk.post.events_of("fast.example"), all);
    assert!(desk.post.events_of("slow.example").is_empty());
    assert_eq!(desk.shown(&slow).delivered, 0);
    door.add_permits(100);
    desk.settle().await;
    assert_eq!(desk.post.events_of("slow.example"), all);
    let slow: Vec<_> = desk
        .post
        .taken()
        .into_iter()
        .filter(|c| c.host == "slow.example")
        .collect();
    assert_eq!(slow.len(), 2, "one at a time, and then all that waited");
}

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
async fn who_is_further_behind_than_is_kept_is_told_so_and_goes_on_with_what_there_is() {
    let dir = tempfile::tempdir().unwrap();
    let events = EventSettings {
        kept: 500,
        in_memory: 100,
    };
    let desk = Desk::with(dir.path(), SubscriptionSettings::default(), |b| {
        b.events(events)
    })
    .await;
    let id = desk.subscribe(at("a.example")).await;
    desk.hf
        .subscriptions()
        .suspend(&Ctx::service(), &id)
        .await
        .unwrap();
    let through = desk.shown(&id).through;
    let all = desk.tell_many(2_000).await;
    let first = desk.hf.events().first();
    assert!(first > through + 1);
    desk.hf
        .subscriptions()
        .resume(&Ctx::service(), &id, None)
        .await
        .unwrap();
    desk.settle().await;
    let carried = desk.post.carried();
    assert_eq!(carried[0].messages(), ["EventBufferExceeded"]);
    let heard: Vec<u64> = carried[1..].iter().flat_map(|c| c.events()).collect();
    let kept: Vec<u64> = all.into_iter().filter(|seq| *seq >= first).collect();
    assert_eq!(heard, kept);
    assert_eq!(desk.shown(&id).lost, first - 1 - through);
}

#[tokio::test]
async fn while_the_service_is_disabled_events_wait() {
    let dir = tempfile::tempdir().unwrap();
    let desk = Desk::start(dir.path()).await;
    let ctx = Ctx::service();
    let id = desk.subscribe(at("a.example")).await;
    let off = ServiceSettings {
        enabled: false,
        ..ServiceSettings::default()
    };
    desk.hf
        .subscriptions()
        .set_settings(&ctx, off)
        .await
        .unwrap();
    let one = desk.tell("a").await;
    desk.pass(600).await;
    let desk = desk.restart(dir.path()).await;
    desk.pass(600).await;
    assert!(desk.post.carried().is_empty());
    assert!(desk.hf.subscriptions().test(&ctx, &id).await.is_err());
    desk.hf
        .subscriptions()
        .set_settings(&ctx, ServiceSettings::default())
        .await
        .unwrap();
    desk.settle().await;
    assert_eq!(desk.post.events_of("a.example"), [one]);
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
async fn what_is_deleted_while_something_is_under_way_is_gone_and_holds_up_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let desk = Desk::start(dir.path()).await;
    let id = desk.subscribe(at("a.example")).await;
    desk.post
        .says(|_| Answer::TakeLater(Arc::new(Semaphore::new(0))));
    desk.tell("a").await;
    desk.hf.tick().await.unwrap();
    while desk.post.carried().is_empty() {
        tokio::task::yield_now().await;
    }
    desk.hf
        .subscriptions()
        .delete(&Ctx::service(), &id)
        .await
        .unwrap();
    // It would never answer.
    desk.settle().await;
    assert!(desk.hf.subscriptions().list(&Ctx::service()).is_empty());
    let desk = desk.restart(dir.path()).await;
    assert!(desk.hf.subscriptions().list(&Ctx::service()).is_empty());
}

#[tokio::test]
async fn a_flapping_destination_hears_everything_once_and_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let desk = Desk::start(dir.path()).await;
    let id = desk.subscribe(at("a.example")).await;
    let calls = AtomicUsize::new(0);
    desk.post
        .says(move |_| match calls.fetch_add(1, Ordering::Relaxed) % 3 {
            0 => Answer::Take,
            _ => Answer::Refuse(503),
        });
    let all = Arc::new(Mutex::new(Vec::new()));
    for _ in 0..30 {
        let told = desk.tell_many(3).await;
        all.lock().unwrap().extend(told);
        desk.pass(20).await;
    }
    desk.pass(3_600).await;
    assert_eq!(desk.post.events_of("a.example"), *all.lock().unwrap());
    assert_eq!(desk.shown(&id).dead, 0);
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

/// What may happen to a destination.
#[derive(Clone, Debug)]
enum Turn {
    Tell(usize),
    Pass(i64),
    Suspend,
    Resume,
    Restart,
    /// Of so many requests in a row, those whose bit is set are taken.
    Takes(u8),
}

fn turn() -> impl proptest::strategy::Strategy<Value = Turn> {
    use proptest::prelude::*;
    prop_oneof![
        4 => (1..6_usize).prop_map(Turn::Tell),
        4 => (1..400_i64).prop_map(Turn::Pass),
        1 => Just(Turn::Suspend),
        2 => Just(Turn::Resume),
        1 => Just(Turn::Restart),
        3 => any::<u8>().prop_map(Turn::Takes),
    ]
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config { cases: 24, ..Default::default() })]

    #[test]
    fn whatever_happens_but_a_crash_each_event_arrives_once_in_order_or_is_a_dead_letter(
        turns in proptest::collection::vec(turn(), 1..25),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let dir = tempfile::tempdir().unwrap();
            let mut desk = Desk::start(dir.path()).await;
            let ctx = Ctx::service();
            let id = desk.subscribe(at("a.example")).await;
            let mut all = Vec::new();
            for turn in turns {
                let subscriptions = desk.hf.subscriptions();
                match turn {
                    Turn::Tell(many) => all.extend(desk.tell_many(many).await),
                    Turn::Pass(seconds) => desk.pass(seconds).await,
                    Turn::Suspend => drop(subscriptions.suspend(&ctx, &id).await.unwrap()),
                    Turn::Resume => drop(subscriptions.resume(&ctx, &id, None).await.unwrap()),
                    Turn::Restart => desk = desk.restart(dir.path()).await,
                    Turn::Takes(bits) => {
                        let mut at = 0;
                        desk.post.says(move |_| {
                            at = (at + 1) % 8;
                            if bits >> at & 1 == 1 { Answer::Take } else { Answer::Refuse(500) }
                        });
                    }
                }
            }
            desk.post.says(|_| Answer::Take);
            let subscriptions = desk.hf.subscriptions();
            subscriptions.resume(&ctx, &id, None).await.unwrap();
            desk.pass(1_200).await;
            let taken = desk.post.events_of("a.example");
            assert!(taken.is_sorted_by(|one, next| one < next), "{taken:?}");
            let letters = dead(&desk, &id);
            let mut both = [taken.clone(), letters.clone()].concat();
            both.sort_unstable();
            assert_eq!(both, all);
            assert_eq!(desk.shown(&id).delivered, taken.len() as u64);
            // And those can be had as well.
            subscriptions.replay(&ctx, &id, None).await.unwrap();
            desk.settle().await;
            assert_eq!(desk.post.events_of("a.example"), [taken, letters].concat());
            assert!(dead(&desk, &id).is_empty());
        });
    }
}

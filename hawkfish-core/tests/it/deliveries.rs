//! Deliveries to webhooks: in order, at least once over crashes and exactly once without, with retries and what comes after them.

mod contents;
mod retries;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use hawkfish_core::ctx::Ctx;
use hawkfish_core::events::EventSettings;
use hawkfish_core::id::SubscriptionId;
use hawkfish_core::subscriptions::{ServiceSettings, SubscriptionSettings};
use jiff::SignedDuration;
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

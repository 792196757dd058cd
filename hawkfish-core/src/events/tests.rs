use std::sync::Arc;

use super::*;
use crate::error::Error;
use crate::id::SystemId;
use crate::logs::{Event, What};

fn event() -> Event {
    Event {
        at: "2026-01-01T00:00:00Z".parse().unwrap(),
        what: What::Changed,
        by: None,
    }
}

fn about(name: &str) -> Subject {
    Subject::System(SystemId::parse(name).unwrap())
}

fn events(store: &Store) -> Events {
    Events {
        store: store.clone(),
    }
}

/// Tells of the systems of these names, in one piece of work.
async fn tell(store: &Store, names: &'static [&'static str]) {
    store
        .write(move |tx| {
            for name in names {
                tx.happened(about(name), event());
            }
            Box::pin(async { Ok(()) })
        })
        .await
        .unwrap();
}

fn seen(all: &[Arc<Told>]) -> Vec<(u64, Subject)> {
    let one = |told: &Arc<Told>| (told.seq(), told.happened().about.clone());
    all.iter().map(one).collect()
}

#[tokio::test]
async fn what_is_told_has_its_place_in_the_order_of_the_commits_and_survives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(Some(dir.path())).await.unwrap();
    tell(&store, &["a", "b"]).await;
    tell(&store, &["c"]).await;
    let all = vec![(1, about("a")), (2, about("b")), (3, about("c"))];
    assert_eq!(seen(&events(&store).recent(0, 10).unwrap()), all);
    assert_eq!(seen(&events(&store).recent(1, 1).unwrap()), all[1..2]);
    store.close().await;
    drop(store);

    let store = Store::open(Some(dir.path())).await.unwrap();
    assert_eq!(seen(&events(&store).recent(0, 10).unwrap()), all);
    tell(&store, &["d"]).await;
    assert_eq!(events(&store).last(), 4);
    assert_eq!(
        seen(&events(&store).recent(3, 10).unwrap()),
        [(4, about("d"))]
    );
}

#[tokio::test]
async fn work_that_fails_tells_nothing_and_leaves_no_gap() {
    let store = Store::open(None).await.unwrap();
    let before = tell(&store, &["a"]);
    let failing = store.write(|tx| {
        tx.happened(about("lost"), event());
        Box::pin(async { Err::<(), _>(Error::internal("on purpose")) })
    });
    let after = tell(&store, &["b"]);
    let ((), failed, ()) = tokio::join!(before, failing, after);
    assert!(failed.is_err());
    let all = seen(&events(&store).recent(0, 10).unwrap());
    assert_eq!(all, [(1, about("a")), (2, about("b"))]);
}

#[tokio::test]
async fn what_memory_no_longer_holds_is_read_from_the_store_which_keeps_a_bounded_number() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(Some(dir.path())).await.unwrap();
    store.events().set(EventSettings {
        kept: 1_500,
        in_memory: 10,
    });
    for _ in 0..40 {
        tell(&store, &["a"; 100]).await;
    }
    let events = events(&store);
    assert_eq!(events.last(), 4_000);
    assert!(events.recent(3_000, 5).is_none());
    let read = events.read(3_000, 5).await.unwrap();
    assert_eq!(seen(&read)[0].0, 3_001);
    assert_eq!(read.len(), 5);
    // As many as are to be kept are; beyond that not many more.
    let first = events.first();
    assert!((4_000 - 1_500 - 1_200..=2_501).contains(&first), "{first}");
    assert_eq!(events.read(0, 1).await.unwrap()[0].seq(), first);
}

#[tokio::test]
async fn who_watches_hears_of_each_commit() {
    let store = Store::open(None).await.unwrap();
    let mut watch = events(&store).watch();
    tell(&store, &["a", "b"]).await;
    watch.changed().await.unwrap();
    assert_eq!(*watch.borrow_and_update(), 2);
}

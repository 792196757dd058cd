use super::*;
use crate::clock::ManualClock;

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new("2026-01-01T00:00:00Z".parse().unwrap()))
}

fn logs(store: &Store) -> Logs {
    Logs {
        store: store.clone(),
        clock: clock(),
    }
}

fn small(wraps: bool) -> LogSettings {
    LogSettings {
        most_system: 3,
        most_audit: 3,
        wraps,
    }
}

fn event(number: u16) -> Event {
    Event {
        at: "2026-01-01T00:00:00Z".parse().unwrap(),
        what: What::Requested {
            method: "PATCH".to_owned(),
            uri: "/redfish/v1".to_owned(),
            status: number,
        },
        by: None,
    }
}

async fn told(store: &Store, number: u16) {
    store
        .write(move |tx| Box::pin(async move { tell(tx, &LogId::Audit, event(number)).await }))
        .await
        .unwrap();
}

fn numbers(logs: &Logs) -> Vec<u64> {
    let entries = logs.entries(&LogId::Audit);
    entries.iter().map(|entry| entry.number).collect()
}

#[tokio::test]
async fn a_full_log_wraps_or_keeps_what_it_has_as_it_was_told() {
    for (wraps, expected) in [(true, [3, 4, 5]), (false, [1, 2, 3])] {
        let store = Store::open(None).await.unwrap();
        store.logs().set(small(wraps));
        let logs = logs(&store);
        for number in 1..=3 {
            told(&store, number).await;
        }
        assert!(!logs.status(&LogId::Audit).overflowed);
        told(&store, 4).await;
        tell_soon(&store, &LogId::Audit, event(5));
        assert_eq!(numbers(&logs), expected);
        assert!(logs.status(&LogId::Audit).overflowed);
        // Another log has room of its own.
        let other = LogId::System(crate::id::SystemId::parse("one").unwrap());
        tell_soon(&store, &other, event(1));
        assert_eq!(logs.entries(&other).len(), 1);
    }
}

#[tokio::test]
async fn what_is_undone_is_not_told_and_takes_no_room() {
    let store = Store::open(None).await.unwrap();
    store.logs().set(small(false));
    let logs = logs(&store);
    for _ in 0..10 {
        let undone: Result<()> = store
            .write(|tx| {
                Box::pin(async move {
                    tell(tx, &LogId::Audit, event(1)).await?;
                    Err(Error::backend("undone"))
                })
            })
            .await;
        assert!(undone.is_err());
    }
    assert!(logs.entries(&LogId::Audit).is_empty());
    for number in 0..4 {
        told(&store, number).await;
    }
    assert_eq!(logs.entries(&LogId::Audit).len(), 3);
}

#[tokio::test]
async fn a_log_outlives_a_restart_with_its_marks_and_never_gives_a_number_twice() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(Some(dir.path())).await.unwrap();
    let ctx = Ctx::service();
    for number in 1..=5 {
        tell_soon(&store, &LogId::Audit, event(number));
    }
    logs(&store)
        .resolve(&ctx, &LogId::Audit, 2, true)
        .await
        .unwrap();
    store.close().await;

    let store = Store::open(Some(dir.path())).await.unwrap();
    let now = logs(&store);
    assert_eq!(numbers(&now), [1, 2, 3, 4, 5]);
    assert_eq!(now.entry(&LogId::Audit, 3).unwrap().event, event(3));
    let marked = now.entry(&LogId::Audit, 2).unwrap();
    assert!(marked.resolved && marked.modified.is_some());
    now.clear(&ctx, &LogId::Audit).await.unwrap();
    assert!(numbers(&now).is_empty());
    store.close().await;

    let store = Store::open(Some(dir.path())).await.unwrap();
    let now = logs(&store);
    assert!(numbers(&now).is_empty());
    told(&store, 6).await;
    assert_eq!(numbers(&now), [6]);
    now.enable(&ctx, &LogId::Audit, false).await.unwrap();
    told(&store, 7).await;
    tell_soon(&store, &LogId::Audit, event(8));
    assert_eq!(numbers(&now), [6]);
    store.close().await;

    let store = Store::open(Some(dir.path())).await.unwrap();
    assert!(!logs(&store).status(&LogId::Audit).enabled);
    store.close().await;
}

#[tokio::test]
async fn the_store_keeps_hardly_more_than_the_log_shows() {
    let store = Store::open(None).await.unwrap();
    store.logs().set(small(true));
    for number in 0..500 {
        tell_soon(&store, &LogId::Audit, event(number));
    }
    let kept: i64 = store
        .read(|conn| {
            Box::pin(async move {
                Ok(sqlx::query_scalar("SELECT COUNT(*) FROM hf_log_entries")
                    .fetch_one(conn)
                    .await?)
            })
        })
        .await
        .unwrap();
    assert!((3..=70).contains(&kept), "{kept}");
}

#[tokio::test]
async fn clearing_takes_what_was_told_before_and_nothing_that_is_told_after() {
    let store = Store::open(None).await.unwrap();
    let logs = logs(&store);
    tell_soon(&store, &LogId::Audit, event(1));
    let ctx = Ctx::service();
    let clearing = logs.clear(&ctx, &LogId::Audit);
    futures::pin_mut!(clearing);
    assert!(futures::poll!(&mut clearing).is_pending());
    tell_soon(&store, &LogId::Audit, event(2));
    clearing.await.unwrap();
    assert_eq!(numbers(&logs), [2]);
    let stored: Vec<i64> = store
        .read(|conn| {
            Box::pin(async move {
                Ok(sqlx::query_scalar("SELECT number FROM hf_log_entries")
                    .fetch_all(conn)
                    .await?)
            })
        })
        .await
        .unwrap();
    assert_eq!(stored, [2]);
}

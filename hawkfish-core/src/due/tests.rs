use jiff::SignedDuration;
use serde_json::json;

use super::*;
use crate::error::Error;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(1_900_000_000_000 + ms).unwrap()
}

async fn put_at(store: &Store, ms: i64, kind: &'static str, subject: &'static str) {
    store
        .write(move |tx| {
            Box::pin(async move { put(tx, at(ms), kind, subject, &json!({"for": subject})).await })
        })
        .await
        .unwrap();
}

async fn subjects(store: &Store, ms: i64) -> Vec<String> {
    take_due(store, at(ms), 100)
        .await
        .unwrap()
        .into_iter()
        .map(|due| due.subject)
        .collect()
}

#[tokio::test]
async fn what_is_due_is_served_in_order_until_it_is_done() {
    let store = Store::open(None).await.unwrap();
    assert_eq!(store.next_due(), None);
    for (ms, subject) in [(30, "c"), (10, "a"), (20, "b"), (20, "b2")] {
        put_at(&store, ms, "test", subject).await;
    }
    assert_eq!(store.next_due(), Some(at(10)));
    assert_eq!(subjects(&store, 9).await, [""; 0]);
    assert_eq!(subjects(&store, 20).await, ["a", "b", "b2"]);
    assert_eq!(
        take_due(&store, at(100), 1).await.unwrap()[0].payload,
        json!({"for": "a"})
    );

    store
        .write(|tx| Box::pin(async move { remove(tx, "test", "a").await }))
        .await
        .unwrap();
    assert_eq!(subjects(&store, 20).await, ["b", "b2"]);
    assert_eq!(store.next_due(), Some(at(20)));
    // Not there: nothing happens.
    store
        .write(|tx| Box::pin(async move { remove(tx, "test", "a").await }))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_kind_is_due_once_for_a_subject() {
    let store = Store::open(None).await.unwrap();
    put_at(&store, 10, "test", "a").await;
    put_at(&store, 10, "other", "a").await;
    put_at(&store, 50, "test", "a").await;
    assert_eq!(store.next_due(), Some(at(10)));
    let due = take_due(&store, at(49), 10).await.unwrap();
    assert_eq!(
        due.iter().map(|d| d.kind.as_str()).collect::<Vec<_>>(),
        ["other"]
    );
    assert_eq!(take_due(&store, at(50), 10).await.unwrap().len(), 2);

    store
        .write(|tx| {
            Box::pin(async move { put_if_absent(tx, at(1), "test", "a", &Value::Null).await })
        })
        .await
        .unwrap();
    assert_eq!(take_due(&store, at(50), 10).await.unwrap()[1].at, at(50));
}

#[tokio::test]
async fn nothing_is_served_before_its_moment() {
    let store = Store::open(None).await.unwrap();
    let exact = at(5) + SignedDuration::from_nanos(1);
    store
        .write(move |tx| Box::pin(async move { put(tx, exact, "test", "a", &Value::Null).await }))
        .await
        .unwrap();
    assert!(store.next_due().unwrap() >= exact);
    assert!(take_due(&store, at(5), 10).await.unwrap().is_empty());
    assert_eq!(take_due(&store, at(6), 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_was_undone_is_not_due() {
    let store = Store::open(None).await.unwrap();
    put_at(&store, 10, "test", "a").await;
    let result: Result<()> = store
        .write(|tx| {
            Box::pin(async move {
                put(tx, at(1), "test", "b", &Value::Null).await?;
                remove(tx, "test", "a").await?;
                Err(Error::backend("undone"))
            })
        })
        .await;
    assert!(result.is_err());
    assert_eq!(store.next_due(), Some(at(10)));
    assert_eq!(subjects(&store, 100).await, ["a"]);
}

#[tokio::test]
async fn a_restart_forgets_nothing_that_is_due() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(Some(dir.path())).await.unwrap();
    put_at(&store, 10, "test", "a").await;
    put_at(&store, 5, "test", "b").await;
    store.close().await;
    let store = Store::open(Some(dir.path())).await.unwrap();
    assert_eq!(store.next_due(), Some(at(5)));
    assert_eq!(subjects(&store, 10).await, ["b", "a"]);
    store.close().await;
}

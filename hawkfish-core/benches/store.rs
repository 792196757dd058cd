//! How many durable rows a second group commit makes of what one disk can flush, against one commit for each row, in the same run.
//!
//! `cargo bench -p hawkfish-core --no-default-features --bench store`; the directory is made where `TMPDIR` says, which should be on a disk.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use criterion::measurement::{Measurement as _, WallTime};
use criterion::{Criterion, Throughput};
use hawkfish_core::db::Store;
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use tokio::runtime::Runtime;

const TABLE: &str =
    "CREATE TABLE outbox (id INTEGER PRIMARY KEY, producer INTEGER NOT NULL, event TEXT NOT NULL)";
const ROW: &str = "INSERT INTO outbox (producer, event) VALUES ($1, $2)";
/// About as long as an event.
const EVENT: &str = r#"{"MessageId":"ResourceEvent.1.3.ResourceChanged","OriginOfCondition":{"@odata.id":"/redfish/v1/Systems/0b5f8c0e-5f0e-4c8b-9d0a-7a1d5e6f7a8b"},"MemberId":"1","EventTimestamp":"2030-01-01T00:00:00Z"}"#;

async fn group(dir: &Path) -> Store {
    let store = Store::open(Some(dir)).await.expect("a store");
    store
        .write(|tx| {
            Box::pin(async move {
                sqlx::query(TABLE).execute(tx.conn()).await?;
                Ok(())
            })
        })
        .await
        .expect("a table");
    store
}

/// `rows` rows by `producers` producers, each waiting for its row before it writes the next.
async fn produce(store: &Store, producers: u64, rows: u64) {
    let tasks: Vec<_> = (0..producers)
        .map(|producer| {
            let store = store.clone();
            let rows = rows / producers + u64::from(producer < rows % producers);
            tokio::spawn(async move {
                for _ in 0..rows {
                    store
                        .write(move |tx| {
                            Box::pin(async move {
                                sqlx::query(ROW)
                                    .bind(producer as i64)
                                    .bind(EVENT)
                                    .execute(tx.conn())
                                    .await?;
                                Ok(())
                            })
                        })
                        .await
                        .expect("a durable row");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("a producer");
    }
}

async fn single(dir: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new()
        .filename(dir.join("single.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    let mut conn = SqliteConnection::connect_with(&options)
        .await
        .expect("a database");
    sqlx::query(TABLE)
        .execute(&mut conn)
        .await
        .expect("a table");
    conn
}

fn main() {
    let runtime = Runtime::new().expect("a runtime");
    let mut criterion = Criterion::default()
        .sample_size(10)
        .measurement_time(Duration::from_secs(4))
        .configure_from_args();
    let mut totals: BTreeMap<&str, (u64, Duration)> = BTreeMap::new();

    let mut bench = criterion.benchmark_group("durable rows");
    bench.throughput(Throughput::Elements(1));

    let dir = tempfile::tempdir().expect("a directory");
    let mut conn = runtime.block_on(single(dir.path()));
    bench.bench_function("one commit each", |b| {
        b.iter_custom(|rows| {
            let start = WallTime.start();
            runtime.block_on(async {
                for _ in 0..rows {
                    sqlx::query(ROW)
                        .bind(0_i64)
                        .bind(EVENT)
                        .execute(&mut conn)
                        .await
                        .expect("a durable row");
                }
            });
            let took = WallTime.end(start);
            let total = totals.entry("one commit each").or_default();
            *total = (total.0 + rows, total.1 + took);
            took
        });
    });

    for (name, producers) in [
        ("group, 1 producer", 1),
        ("group, 256 producers", 256),
        ("group, 1024 producers", 1024),
    ] {
        let dir = tempfile::tempdir().expect("a directory");
        let store = runtime.block_on(group(dir.path()));
        bench.bench_function(name, |b| {
            b.iter_custom(|rows| {
                // Enough that the producers' start does not count.
                let rows_made = rows.max(producers * 8);
                let start = WallTime.start();
                runtime.block_on(produce(&store, producers, rows_made));
                let took = WallTime.end(start);
                let total = totals.entry(name).or_default();
                *total = (total.0 + rows_made, total.1 + took);
                took.mul_f64(rows as f64 / rows_made as f64)
            });
        });
        runtime.block_on(store.close());
    }
    bench.finish();

    let rate = |(rows, took): &(u64, Duration)| *rows as f64 / took.as_secs_f64();
    if let Some(base) = totals.get("one commit each").map(rate) {
        for (name, total) in &totals {
            eprintln!(
                "{name:>24}: {:>8.0} rows/s, {:>6.1} x one commit each",
                rate(total),
                rate(total) / base
            );
        }
    }
    criterion.final_summary();
}

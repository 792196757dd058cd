//! What it costs to have something durable: one row, one event, one Reset of a simulated machine with its event, each with a commit of its own; and how many a
//! second there are when many ask at once. All in one run, in turns, because only ratios of one run mean anything.
//!
//! `cargo bench -p hawkfish-core --bench store`; the directory is made where `TMPDIR` says, which should be on a disk. A word after `--` runs the parts
//! whose names hold it: `one`, `memory`, `many`.
//!
//! CPU is that of all threads of the process, as Linux accounts for it.

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a program that measures, and says what it measured"
)]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hawkfish_core::app::HawkFish;
use hawkfish_core::backend::sim::{SimBackend, SimSettings};
use hawkfish_core::clock::SystemClock;
use hawkfish_core::ctx::Ctx;
use hawkfish_core::db::Store;
use hawkfish_core::events::Subject;
use hawkfish_core::id::{HostId, SystemId};
use hawkfish_core::logs::{Event, What};
use hawkfish_core::systems::ResetType;
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use tokio::runtime::Runtime;

const TABLE: &str =
    "CREATE TABLE outbox (id INTEGER PRIMARY KEY, producer INTEGER NOT NULL, event TEXT NOT NULL)";
const ROW: &str = "INSERT INTO outbox (producer, event) VALUES ($1, $2)";
/// About as long as an event in words.
const EVENT: &str = r#"{"MessageId":"ResourceEvent.1.3.ResourceChanged","OriginOfCondition":{"@odata.id":"/redfish/v1/Systems/0b5f8c0e-5f0e-4c8b-9d0a-7a1d5e6f7a8b"},"MemberId":"1","EventTimestamp":"2030-01-01T00:00:00Z"}"#;

const PRODUCERS: u64 = 1024;

/// SQLite as it is, without the writer: what a commit costs.
async fn bare(dir: Option<&Path>) -> SqliteConnection {
    let options = match dir {
        Some(dir) => SqliteConnectOptions::new()
            .filename(dir.join("bare.db"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full),
        None => "sqlite::memory:".parse().expect("a name"),
    };
    let mut conn = SqliteConnection::connect_with(&options)
        .await
        .expect("a database");
    sqlx::query(TABLE)
        .execute(&mut conn)
        .await
        .expect("a table");
    conn
}

async fn bare_row(conn: &mut SqliteConnection) {
    sqlx::query(ROW)
        .bind(0_i64)
        .bind(EVENT)
        .execute(conn)
        .await
        .expect("a row");
}

/// A whole HawkFish over simulated machines that run, with a table beside its own.
async fn rack(dir: Option<&Path>, systems: usize) -> (HawkFish, Vec<SystemId>) {
    let clock = Arc::new(SystemClock);
    let settings = SimSettings {
        systems,
        ..SimSettings::default()
    };
    let builder = HawkFish::builder().host(
        HostId::parse("sim").expect("an id"),
        SimBackend::new(settings, clock),
    );
    let builder = match dir {
        Some(dir) => builder.data_dir(dir),
        None => builder.in_memory(),
    };
    let hawkfish = builder.start().await.expect("a rack");
    hawkfish.start_running();
    hawkfish
        .store()
        .write(|tx| {
            Box::pin(async move {
                sqlx::query(TABLE).execute(tx.conn()).await?;
                Ok(())
            })
        })
        .await
        .expect("a table");
    let ctx = Ctx::service();
    let ids: Vec<SystemId> = hawkfish
        .systems(&ctx)
        .iter()
        .map(|system| system.id.clone())
        .collect();
    for id in &ids {
        hawkfish
            .reset(&ctx, id, ResetType::On)
            .await
            .expect("it starts");
    }
    (hawkfish, ids)
}

async fn row(store: &Store) {
    store
        .write(|tx| {
            Box::pin(async move {
                sqlx::query(ROW)
                    .bind(0_i64)
                    .bind(EVENT)
                    .execute(tx.conn())
                    .await?;
                Ok(())
            })
        })
        .await
        .expect("a durable row");
}

fn change() -> Event {
    Event {
        at: jiff::Timestamp::UNIX_EPOCH,
        what: What::Changed,
        by: None,
    }
}

async fn event(store: &Store, id: &SystemId) {
    let told = store.tell(Subject::System(id.clone()), change()).await;
    told.expect("a durable event");
}

/// Writes an event as a part of a change, and counts the commits from when it is handed in until it is durable.
async fn counted_event(store: &Store, id: &SystemId, waited: &AtomicU64) {
    let about = Subject::System(id.clone());
    let commits = store.clone();
    let before = store.commits();
    let work = store.write(move |tx| {
        tx.happened(about, change());
        let after = Arc::new(AtomicU64::new(0));
        let seen = Arc::clone(&after);
        tx.after_commit(move || seen.store(commits.commits(), Ordering::Relaxed));
        Box::pin(async { Ok(after) })
    });
    let mut work = std::pin::pin!(work);
    // The first poll hands it in. What a commit ended beside tells nothing.
    let handed_in = futures::poll!(&mut work);
    let is_exact = store.commits() == before;
    let after = match handed_in {
        std::task::Poll::Ready(after) => after,
        std::task::Poll::Pending => work.await,
    };
    if is_exact {
        let after = after.expect("a durable event").load(Ordering::Relaxed);
        waited.fetch_max(after - before, Ordering::Relaxed);
    }
}

async fn reset(hawkfish: &HawkFish, id: &SystemId) {
    hawkfish
        .reset(&Ctx::service(), id, ResetType::ForceRestart)
        .await
        .expect("a reset");
}

/// The CPU time of all threads so far.
fn cpu() -> Duration {
    let tasks = std::fs::read_dir("/proc/self/task").expect("Linux");
    let times = tasks.filter_map(|task| {
        let stat = std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        stat.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(times.sum())
}

#[derive(Default)]
struct Measured {
    wall: Vec<f64>,
    cpu: Vec<f64>,
}

impl Measured {
    /// Runs `operations` of something, and notes what one of them took, in microseconds.
    async fn round(&mut self, operations: u32, act: impl AsyncFn(u32)) {
        let (wall, before) = (Instant::now(), cpu());
        for n in 0..operations {
            act(n).await;
        }
        let each = |took: Duration| took.as_secs_f64() * 1e6 / f64::from(operations);
        self.wall.push(each(wall.elapsed()));
        self.cpu.push(each(cpu() - before));
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

/// Each with a commit of its own, in turns.
async fn one_by_one(dir: Option<&Path>, rounds: u32, operations: u32) {
    let mut conn = bare(dir).await;
    let (hawkfish, ids) = rack(dir, 64).await;
    let store = hawkfish.store();
    let mut all: [Measured; 4] = Default::default();
    for _ in 0..rounds {
        let [bare, rows, events, resets] = &mut all;
        let conn = tokio::sync::Mutex::new(&mut conn);
        bare.round(operations, async |_| bare_row(*conn.lock().await).await)
            .await;
        rows.round(operations, async |_| row(store).await).await;
        events
            .round(operations, async |n| {
                event(store, &ids[n as usize % ids.len()]).await;
            })
            .await;
        resets
            .round(operations, async |n| {
                reset(&hawkfish, &ids[n as usize % ids.len()]).await;
            })
            .await;
    }
    let names = [
        "a row, SQLite alone",
        "a row",
        "an event",
        "a Reset with its event",
    ];
    for (name, measured) in names.iter().zip(&all) {
        let (wall, cpu) = (median(&measured.wall), median(&measured.cpu));
        // Of each turn by itself, so that what is slow for a while is slow for both.
        let over = |base: &Measured| {
            let of_turn = measured.cpu.iter().zip(&base.cpu).map(|(a, b)| a - b);
            median(&of_turn.collect::<Vec<_>>())
        };
        println!(
            "{name:>24}: {wall:>7.1} us, {cpu:>7.1} us of CPU: {:>6.1} over SQLite alone, {:>6.1} over a row, {:>6.1} over an event",
            over(&all[0]),
            over(&all[1]),
            over(&all[2]),
        );
    }
    hawkfish.close().await.expect("an end");
}

/// Many at once: each producer waits for its own before it makes the next.
async fn produce(
    hawkfish: &HawkFish,
    ids: &[SystemId],
    each: u64,
    what: &'static str,
) -> (f64, u64) {
    let waited = Arc::new(AtomicU64::new(0));
    let (start, before) = (Instant::now(), hawkfish.store().commits());
    let producers: Vec<_> = (0..PRODUCERS as usize)
        .map(|producer| {
            let (hawkfish, id) = (hawkfish.clone(), ids[producer % ids.len()].clone());
            let waited = Arc::clone(&waited);
            tokio::spawn(async move {
                for _ in 0..each {
                    match what {
                        "rows" => row(hawkfish.store()).await,
                        "events" => counted_event(hawkfish.store(), &id, &waited).await,
                        _ => reset(&hawkfish, &id).await,
                    }
                }
            })
        })
        .collect();
    for producer in producers {
        producer.await.expect("a producer");
    }
    let rate = (PRODUCERS * each) as f64 / start.elapsed().as_secs_f64();
    let commits = hawkfish.store().commits() - before;
    eprintln!(
        "    {what}: {:.0} in each commit",
        (PRODUCERS * each) as f64 / commits.max(1) as f64
    );
    (rate, waited.load(Ordering::Relaxed))
}

async fn many(dir: &Path) {
    let mut conn = bare(Some(dir)).await;
    let (hawkfish, ids) = rack(Some(dir), PRODUCERS as usize).await;
    let mut alone = Vec::new();
    let mut rates: [Vec<f64>; 3] = Default::default();
    let mut most_waited = 0;
    for _ in 0..5 {
        let start = Instant::now();
        for _ in 0..500 {
            bare_row(&mut conn).await;
        }
        alone.push(500.0 / start.elapsed().as_secs_f64());
        for (rates, (what, each)) in
            rates
                .iter_mut()
                .zip([("rows", 16), ("events", 64), ("resets", 8)])
        {
            let (rate, waited) = produce(&hawkfish, &ids, each, what).await;
            rates.push(rate);
            most_waited = most_waited.max(waited);
        }
    }
    let base = median(&alone);
    println!("     one commit for each: {base:>7.0}/s");
    for (name, rates) in ["rows", "events", "Resets with events"].iter().zip(&rates) {
        let rate = median(rates);
        println!(
            "{name:>24}: {rate:>7.0}/s with {PRODUCERS} producers, {:>5.1} x one commit for each",
            rate / base
        );
    }
    println!(
        "{:>24}: at most {most_waited} commits",
        "an event waited for"
    );
    hawkfish.close().await.expect("an end");
}

fn main() {
    let wanted = std::env::args().skip(1).find(|arg| !arg.starts_with('-'));
    let runs = |name: &str| {
        wanted
            .as_ref()
            .is_none_or(|wanted| name.contains(wanted.as_str()))
    };
    let runtime = Runtime::new().expect("a runtime");
    if runs("one") {
        println!("one by one, on a disk");
        let dir = tempfile::tempdir().expect("a directory");
        runtime.block_on(one_by_one(Some(dir.path()), 41, 100));
    }
    if runs("memory") {
        println!("one by one, in memory: what there is beside the commit");
        runtime.block_on(one_by_one(None, 41, 500));
    }
    if runs("many") {
        println!("many at once, on a disk");
        let dir = tempfile::tempdir().expect("a directory");
        runtime.block_on(many(dir.path()));
    }
}

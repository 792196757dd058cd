//! What it costs to find the words for an event, and to put a body together for one destination. Each event is put into words once, whoever listens; a body is
//! made for each delivery. Both are to cost far less than sending them.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hawkfish_core::backend::sim::{SimBackend, SimSettings};
use hawkfish_core::clock::ManualClock;
use hawkfish_core::ctx::Ctx;
use hawkfish_core::entropy::SeededEntropy;
use hawkfish_core::events::{Happened, Record, Subject, Telling};
use hawkfish_core::id::HostId;
use hawkfish_core::logs::{Client, Event, LogId, What, Why};
use hawkfish_server::{App, HawkFish, Options};

async fn open() -> App {
    let clock = Arc::new(ManualClock::new("2026-01-01T00:00:00Z".parse().unwrap()));
    let rack = SimSettings {
        systems: 1_000,
        ..SimSettings::default()
    };
    let rack = SimBackend::new(rack, clock.clone());
    let hf = HawkFish::builder()
        .clock(clock)
        .entropy(Arc::new(SeededEntropy::new(7, "telling")))
        .host(HostId::parse("sim").unwrap(), rack)
        .in_memory()
        .start()
        .await
        .unwrap();
    App::new(hf, Options::default())
}

fn telling(c: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let app = runtime.block_on(open());
    let telling: Arc<dyn Telling> = app.hawkfish().events().telling().unwrap();
    let system = app.hawkfish().systems(&Ctx::service())[500].id.clone();
    let happened = |what: What| Happened {
        seq: 123_456,
        about: Subject::System(system.clone()),
        event: Event {
            at: "2026-01-02T03:04:05Z".parse().unwrap(),
            what,
            by: Some(Client {
                user: Some("admin".into()),
                address: None,
            }),
        },
        entry: Some((LogId::System(system.clone()), 77)),
    };
    let on = happened(What::PoweredOn(Why::Command));
    let changed = happened(What::Changed);

    let mut group = c.benchmark_group("telling");
    group.throughput(Throughput::Elements(1));
    group.bench_function("record/power", |b| {
        b.iter(|| telling.record(black_box(&on)));
    });
    group.bench_function("record/changed", |b| {
        b.iter(|| telling.record(black_box(&changed)));
    });
    let record = telling.record(&on);
    group.bench_function("body/1", |b| {
        b.iter(|| telling.body("4711", Some("rack 12"), black_box(&[&record])));
    });
    let many: Vec<&Record> = vec![&record; 100];
    group.throughput(Throughput::Elements(100));
    group.bench_function("body/100", |b| {
        b.iter(|| telling.body("4711", Some("rack 12"), black_box(&many)));
    });
    group.finish();
}

criterion_group!(benches, telling);
criterion_main!(benches);

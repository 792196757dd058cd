//! Reports: made at their time, kept over a restart; and what simulated machines do and use, which follows from what is done to them and from time alone.

use hawkfish_core::app::HawkFish;
use hawkfish_core::backend::sim::{SimBackend, SimSettings};
use hawkfish_core::backend::{Backend as _, Place, Quantity, Stats, Step};
use hawkfish_core::clock::{Clock as _, ManualClock};
use hawkfish_core::ctx::Ctx;
use hawkfish_core::id::HostId;
use hawkfish_core::jobs::Schedule;
use hawkfish_core::telemetry::{Metric, NewDefinition, Set, Update, Wanted, When};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new("2026-01-01T00:00:00Z".parse().unwrap()))
}

fn rack(clock: &Arc<ManualClock>) -> Arc<SimBackend> {
    let settings = SimSettings {
        systems: 3,
        seed: 1,
        ..SimSettings::default()
    };
    SimBackend::new(settings, clock.clone())
}

async fn hawkfish(rack: &Arc<SimBackend>, clock: &Arc<ManualClock>, dir: &Path) -> HawkFish {
    HawkFish::builder()
        .clock(clock.clone())
        .data_dir(dir)
        .host(HostId::parse("rack").unwrap(), rack.clone())
        .start()
        .await
        .unwrap()
}

async fn go_to(hf: &HawkFish, clock: &ManualClock, end: Timestamp) {
    while let Some(next) = hf.next_due().filter(|next| *next <= end) {
        clock.set(next);
        hf.tick().await.unwrap();
    }
    clock.set(end);
    hf.tick().await.unwrap();
}

fn power_every(seconds: i64, start: Timestamp) -> NewDefinition {
    NewDefinition {
        id: None,
        name: None,
        description: None,
        when: When::Periodic(Schedule::every(start, SignedDuration::from_secs(seconds))),
        enabled: true,
        update: Update::AppendWrapsWhenFull,
        suppress_repeated: false,
        wanted: vec![Wanted {
            metric: Metric::PowerConsumption,
            systems: Set::All,
            instances: Set::All,
        }],
        words: Value::Null,
    }
}

#[tokio::test]
async fn a_periodic_report_goes_on_after_a_restart_and_nothing_is_collected_twice() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock();
    let rack = rack(&clock);
    let hf = hawkfish(&rack, &clock, dir.path()).await;
    let ctx = Ctx::service();
    let begin = clock.now();
    let first = begin + SignedDuration::from_secs(60);
    let definition = hf
        .telemetry()
        .define(&ctx, power_every(60, first))
        .await
        .unwrap();
    go_to(&hf, &clock, begin + SignedDuration::from_secs(150)).await;
    hf.close().await.unwrap();

    let hf = hawkfish(&rack, &clock, dir.path()).await;
    assert_eq!(
        hf.metric_report(&ctx, &definition.id).unwrap().values.len(),
        6
    );
    go_to(&hf, &clock, begin + SignedDuration::from_secs(300)).await;
    let report = hf.metric_report(&ctx, &definition.id).unwrap();
    let seconds: Vec<i64> = report
        .values
        .iter()
        .map(|value| value.at.duration_since(begin).as_secs())
        .collect();
    let expected: Vec<i64> = [60, 120, 180, 240, 300]
        .into_iter()
        .flat_map(|at| [at; 3])
        .collect();
    assert_eq!(seconds, expected);

    // Deleted, it is due no more.
    hf.telemetry().delete(&ctx, &definition.id).await.unwrap();
    assert!(hf.store().next_due().is_none());
    assert!(hf.metric_report(&ctx, &definition.id).is_err());
}

#[tokio::test]
async fn by_default_nothing_is_collected_before_somebody_asks() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock();
    let rack = rack(&clock);
    let hf = hawkfish(&rack, &clock, dir.path()).await;
    assert_eq!(hf.telemetry().definitions(&Ctx::service()).len(), 4);
    assert_eq!(hf.store().next_due(), None);
}

/// What the n-th machine does now.
fn stats(rack: &SimBackend, number: usize) -> Stats {
    Stats::clone(&rack.stats(rack.key(number).unwrap()).unwrap())
}

fn reading(stats: &Stats, place: Place, quantity: Quantity) -> f64 {
    stats.sensor_at(place, quantity).unwrap().reading.unwrap()
}

#[tokio::test]
async fn a_simulated_machine_at_work_takes_more_power_and_gets_warmer() {
    let clock = clock();
    let rack = rack(&clock);
    let key = rack.key(0).unwrap();
    let off = stats(&rack, 0);
    assert_eq!((off.cpu.load, off.cpu.time), (None, None));
    rack.step(key, Step::Start).await.unwrap();
    clock.advance(SignedDuration::from_secs(4));
    let booting = stats(&rack, 0);
    clock.advance(SignedDuration::from_secs(600));
    let up = stats(&rack, 0);
    for (place, quantity) in [
        (Place::Chassis, Quantity::Power),
        (Place::Cpu, Quantity::Temperature),
        (Place::Fan, Quantity::FanSpeed),
    ] {
        let [cold, hot, warm] = [&off, &booting, &up].map(|s| reading(s, place, quantity));
        assert!(
            cold < warm && warm < hot,
            "{place:?} {quantity:?}: {cold} {warm} {hot}"
        );
    }
    assert!(booting.cpu.load.unwrap() > up.cpu.load.unwrap());
    let given: f64 = up.supplies.iter().map(|supply| supply.input_watts).sum();
    assert!((given - reading(&up, Place::Chassis, Quantity::Power)).abs() < 0.2);
}

#[tokio::test]
async fn counters_of_a_simulated_machine_never_go_back_and_stand_still_while_it_does() {
    let clock = clock();
    let rack = rack(&clock);
    let key = rack.key(1).unwrap();
    rack.step(key, Step::Start).await.unwrap();
    let counters = |stats: &Stats| {
        [
            stats.cpu.time.unwrap().as_nanos(),
            stats.nics[0].received.bytes.into(),
            stats.disks[0].read_bytes.into(),
        ]
    };
    let mut last = [0; 3];
    for _ in 0..400 {
        clock.advance(SignedDuration::from_millis(700));
        let now = counters(&stats(&rack, 1));
        assert!(
            now.iter().zip(last).all(|(now, last)| *now >= last),
            "{last:?} {now:?}"
        );
        last = now;
    }
    assert!(last.iter().all(|count| *count > 0));
    rack.step(key, Step::Pause).await.unwrap();
    clock.advance(SignedDuration::from_hours(1));
    assert_eq!(counters(&stats(&rack, 1)), last);
    assert_eq!(stats(&rack, 1).cpu.load, Some(0.0));
    rack.step(key, Step::Resume).await.unwrap();
    clock.advance(SignedDuration::from_secs(1));
    let gone_on = counters(&stats(&rack, 1));
    assert!(gone_on[0] > last[0] && gone_on[0] - last[0] < 64_000_000_000);
}

#[tokio::test]
async fn one_leap_of_the_clock_and_many_small_ones_measure_the_same() {
    let measured = async |leaps: &[i64]| {
        let clock = clock();
        let rack = rack(&clock);
        rack.step(rack.key(0).unwrap(), Step::Start).await.unwrap();
        for seconds in leaps {
            clock.advance(SignedDuration::from_secs(*seconds));
            rack.advance();
        }
        stats(&rack, 0)
    };
    assert_eq!(measured(&[300]).await, measured(&[1, 99, 150, 50]).await);
}

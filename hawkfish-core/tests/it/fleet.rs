//! Fleets of machines that can be made anew: nothing is lost of them and nothing made up, although hardly anything is kept.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use hawkfish_core::app::HawkFish;
use hawkfish_core::backend::sim::{SimBackend, SimSettings};
use hawkfish_core::backend::{Backend as _, Power, Setup};
use hawkfish_core::clock::ManualClock;
use hawkfish_core::ctx::Ctx;
use hawkfish_core::entropy::SeededEntropy;
use hawkfish_core::events::Subject;
use hawkfish_core::id::{HostId, SystemId};
use hawkfish_core::inventory::System;
use hawkfish_core::logs::What;
use hawkfish_core::systems::{ResetType, SystemChange};
use jiff::SignedDuration;

async fn fleet(dir: Option<&Path>, clock: &Arc<ManualClock>, systems: usize) -> HawkFish {
    let settings = SimSettings {
        systems,
        seed: 7,
        ..SimSettings::default()
    };
    let sim = SimBackend::new(settings, clock.clone());
    let mut builder = HawkFish::builder()
        .clock(clock.clone())
        .entropy(Arc::new(SeededEntropy::new(1, "test")))
        .host(HostId::parse("sim").unwrap(), sim);
    if let Some(dir) = dir {
        builder = builder.data_dir(dir);
    }
    builder.start().await.unwrap()
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new("2026-01-01T00:00:00Z".parse().unwrap()))
}

async fn power_on(hf: &HawkFish, id: &SystemId) {
    let on = ResetType::On;
    hf.reset(&Ctx::service(), id, on).await.unwrap();
}

/// The systems that came and went, as told after an event.
async fn told(hf: &HawkFish, after: u64) -> (BTreeSet<SystemId>, BTreeSet<SystemId>) {
    let (mut came, mut went) = (BTreeSet::new(), BTreeSet::new());
    for told in hf.events().read(after, 10_000).await.unwrap() {
        let happened = told.happened();
        if let Subject::System(id) = &happened.about {
            match happened.event.what {
                What::Created => came.insert(id.clone()),
                What::Removed => went.insert(id.clone()),
                _ => false,
            };
        }
    }
    (came, went)
}

#[tokio::test]
async fn a_restart_loses_nothing_of_a_fleet_and_makes_nothing_up() {
    let (dir, clock, ctx) = (tempfile::tempdir().unwrap(), clock(), Ctx::service());
    let hf = fleet(Some(dir.path()), &clock, 40).await;
    let ids = hf.inventory().ids(&ctx);
    assert_eq!((ids.len(), ids.is_sorted()), (40, true));
    assert_eq!(hf.inventory().first(&ctx).as_ref(), ids.first());
    let lit = SystemChange {
        indicator: Some(true),
        ..SystemChange::default()
    };
    let tagged = SystemChange {
        setup: Setup {
            asset_tag: Some("ours".to_owned()),
            ..Setup::default()
        },
        ..SystemChange::default()
    };
    power_on(&hf, &ids[3]).await;
    hf.update_system(&ctx, &ids[5], lit).await.unwrap();
    hf.update_system(&ctx, &ids[8], tagged).await.unwrap();
    clock.advance(SignedDuration::from_mins(5));
    hf.tick().await.unwrap();
    let before: Vec<Arc<System>> = hf.systems(&ctx);
    assert_eq!(before[3].machine.power, Power::On);
    hf.close().await.unwrap();

    let hf = fleet(Some(dir.path()), &clock, 40).await;
    let last = hf.events().last();
    let after: Vec<Arc<System>> = hf.systems(&ctx);
    for (before, after) in before.into_iter().zip(after) {
        assert_eq!(before.machine, after.machine, "{}", after.id);
        assert_eq!(before.indicator, after.indicator);
        assert!(after.reachable);
    }
    assert_eq!(told(&hf, 0).await, Default::default());
    // Once more, when nothing at all was done.
    hf.close().await.unwrap();
    let hf = fleet(Some(dir.path()), &clock, 40).await;
    assert_eq!(hf.events().last(), last);
    assert_eq!(hf.inventory().count(&ctx), 40);
}

#[tokio::test]
async fn systems_that_come_and_go_with_the_size_of_a_fleet_are_told_of() {
    let (dir, clock, ctx) = (tempfile::tempdir().unwrap(), clock(), Ctx::service());
    let hf = fleet(Some(dir.path()), &clock, 12).await;
    // What an installation finds when it is made was there before it.
    assert_eq!(told(&hf, 0).await, Default::default());
    let twelve: BTreeSet<SystemId> = hf.inventory().ids(&ctx).into_iter().collect();
    hf.close().await.unwrap();

    let hf = fleet(Some(dir.path()), &clock, 20).await;
    let twenty: BTreeSet<SystemId> = hf.inventory().ids(&ctx).into_iter().collect();
    let new: BTreeSet<SystemId> = twenty.difference(&twelve).cloned().collect();
    assert_eq!(new.len(), 8);
    assert_eq!(told(&hf, 0).await, (new.clone(), BTreeSet::new()));
    // One with a row of its own, one of which is known how it runs, one with nothing.
    let mut some = new.iter();
    let (lit, on) = (some.next().unwrap(), some.next().unwrap());
    let light = SystemChange {
        indicator: Some(true),
        ..SystemChange::default()
    };
    hf.update_system(&ctx, lit, light).await.unwrap();
    power_on(&hf, on).await;
    clock.advance(SignedDuration::from_mins(5));
    hf.tick().await.unwrap();
    let last = hf.events().last();
    hf.close().await.unwrap();

    let hf = fleet(Some(dir.path()), &clock, 12).await;
    assert_eq!(told(&hf, last).await, (BTreeSet::new(), new.clone()));
    let left: BTreeSet<SystemId> = hf.inventory().ids(&ctx).into_iter().collect();
    assert_eq!(left, twelve);
    let last = hf.events().last();
    hf.close().await.unwrap();

    let hf = fleet(Some(dir.path()), &clock, 20).await;
    assert_eq!(told(&hf, last).await, (new.clone(), BTreeSet::new()));
    let back = |id| hf.system(&ctx, id).unwrap();
    // Its machine is new; what was HawkFish's own of it is as it was.
    assert_eq!(back(on).machine.power, Power::Off);
    assert!(back(lit).indicator);
}

#[tokio::test]
async fn systems_that_are_put_away_are_the_same_when_they_are_asked_for() {
    const ALL: usize = 2600;
    let (clock, ctx) = (clock(), Ctx::service());
    let hf = fleet(None, &clock, ALL).await;
    let ids = hf.inventory().ids(&ctx);
    let mut known = Vec::new();
    for id in ids.iter().step_by(20) {
        power_on(&hf, id).await;
    }
    clock.advance(SignedDuration::from_mins(5));
    hf.tick().await.unwrap();
    for id in ids.iter().step_by(20) {
        known.push(hf.system(&ctx, id).unwrap());
    }
    // Twice as many others as are kept at hand.
    for id in &ids {
        hf.system(&ctx, id).unwrap();
    }
    for before in known {
        let after = hf.system(&ctx, &before.id).unwrap();
        assert!(!Arc::ptr_eq(&before, &after), "it was put away meanwhile");
        assert_eq!(before, after);
        assert_eq!(after.machine.power, Power::On);
    }
    // And one that changes when it was put away is told to have changed.
    let id = &ids[40];
    for id in ids.iter().skip(1000) {
        hf.system(&ctx, id).unwrap();
    }
    let (before, last) = (hf.inventory().peek(&ctx, id).unwrap(), hf.events().last());
    let off = ResetType::ForceOff;
    let after = hf.reset(&ctx, id, off).await.unwrap();
    assert!(after.generation > before.generation);
    let events = hf.events().read(last, 100).await.unwrap();
    let is_it = |subject: &Subject| matches!(subject, Subject::System(told) if told == id);
    assert!(events.iter().any(|told| is_it(&told.happened().about)));
    // An id is written in one way only.
    let loud = SystemId::parse(&id.as_str().to_ascii_uppercase()).unwrap();
    assert!(hf.system(&ctx, &loud).is_err() && hf.inventory().peek(&ctx, &loud).is_none());
}

#[tokio::test]
async fn a_lost_fleet_is_as_last_seen_and_comes_back_as_it_went_on() {
    let (clock, ctx) = (clock(), Ctx::service());
    let settings = SimSettings {
        systems: 1500,
        seed: 7,
        ..SimSettings::default()
    };
    let sim = SimBackend::new(settings, clock.clone());
    let hf = HawkFish::builder()
        .clock(clock.clone())
        .host(HostId::parse("sim").unwrap(), sim.clone())
        .start()
        .await
        .unwrap();
    let ids = hf.inventory().ids(&ctx);
    power_on(&hf, &ids[0]).await;
    for id in &ids {
        hf.system(&ctx, id).unwrap();
    }
    let before = hf.system(&ctx, &ids[1400]).unwrap();
    sim.lose("a cable");
    hf.tick().await.unwrap();
    let lost = hf.system(&ctx, &ids[1400]).unwrap();
    assert!(!lost.reachable && lost.generation > before.generation);
    assert!(hf.systems(&ctx).iter().all(|system| !system.reachable));
    clock.advance(SignedDuration::from_mins(5));
    hf.tick().await.unwrap();
    let seen = hf.system(&ctx, &ids[0]).unwrap();
    assert_eq!(seen.machine.power, Power::PoweringOn);
    sim.find();
    hf.tick().await.unwrap();
    let found = hf.system(&ctx, &ids[0]).unwrap();
    assert_eq!((found.machine.power, found.reachable), (Power::On, true));
    assert!(hf.systems(&ctx).iter().all(|system| system.reachable));
    assert_eq!(sim.altered().await.unwrap().len(), 1);
}

//! Systems: all or nothing, as last seen, and taken up again after a crash.

use std::sync::atomic::Ordering;

use hawkfish_core::ErrorKind;
use hawkfish_core::backend::{BootOverride, BootTarget, Power, Setup};
use hawkfish_core::ctx::Ctx;
use hawkfish_core::id::{BootOptionId, SystemId};
use hawkfish_core::systems::{ResetType, SystemChange};
use hawkfish_core::tasks::TaskState;
use jiff::SignedDuration;

use crate::rig::Rig;

#[tokio::test]
async fn a_power_cycle_that_a_crash_cuts_in_half_ends_with_the_system_on() {
    let dir = tempfile::tempdir().unwrap();
    let rig = Rig::start(dir.path(), |b| b).await;
    let id = rig.first();
    rig.hf
        .reset(&Ctx::service(), &id, ResetType::On)
        .await
        .unwrap();
    rig.rack.dies_at_start.store(true, Ordering::Release);
    let (hf, system) = (rig.hf.clone(), id.clone());
    let cycle = tokio::spawn(async move {
        hf.reset(&Ctx::service(), &system, ResetType::PowerCycle)
            .await
    });
    while rig.system(&id).machine.power != Power::Off {
        tokio::task::yield_now().await;
    }
    cycle.abort();
    assert!(cycle.await.unwrap_err().is_cancelled());
    rig.hf.close().await.unwrap();
    let Rig { rack, clock, .. } = rig;

    let rig = Rig::on(rack.sim.clone(), clock, dir.path(), |b| b).await;
    assert_eq!(rig.system(&id).machine.power, Power::PoweringOn);
    let tasks = rig.hf.tasks().list(&Ctx::service());
    assert_eq!(tasks.len(), 1);
    assert_eq!(tasks[0].state, TaskState::Completed);
}

#[tokio::test]
async fn a_host_that_is_lost_shows_its_systems_as_last_seen_and_recovers() {
    let dir = tempfile::tempdir().unwrap();
    let rig = Rig::start(dir.path(), |b| b).await;
    let id = rig.first();
    rig.hf
        .reset(&Ctx::service(), &id, ResetType::On)
        .await
        .unwrap();
    let seen = rig.system(&id);
    assert!(seen.reachable);

    rig.rack.sim.lose("the cable is out");
    rig.hf.tick().await.unwrap();
    let lost = rig.system(&id);
    assert!(!lost.reachable && lost.generation > seen.generation);
    assert_eq!(lost.machine.power, seen.machine.power);
    assert!(!rig.hf.hosts()[0].reachable);
    let refused = rig
        .hf
        .reset(&Ctx::service(), &id, ResetType::ForceOff)
        .await
        .unwrap_err();
    assert!(
        matches!(refused.kind(), ErrorKind::Unavailable { .. }),
        "{refused:?}"
    );

    // Time goes on without us, and a restart still knows what was there.
    rig.clock.advance(SignedDuration::from_secs(60));
    rig.hf.close().await.unwrap();
    let Rig { rack, clock, .. } = rig;
    let rig = Rig::on(rack.sim.clone(), clock, dir.path(), |b| b).await;
    assert_eq!(rig.systems().len(), 2);
    assert!(!rig.system(&id).reachable);

    rack.sim.find();
    rig.hf.tick().await.unwrap();
    let back = rig.system(&id);
    assert!(back.reachable);
    assert_eq!(back.machine.power, Power::On);
}

#[tokio::test]
async fn a_change_with_one_bad_part_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let rig = Rig::start(dir.path(), |b| b).await;
    let id = rig.first();
    let before = rig.system(&id);
    let good = Setup {
        over: Some(Some(BootOverride {
            target: BootTarget::Cd,
            once: true,
        })),
        asset_tag: Some("rack 7".into()),
        ..Setup::default()
    };
    let twice = before.machine.boot.options[0].id.clone();
    let bad: [(&str, Setup); 3] = [
        (
            "/Boot/BootOrder/0",
            Setup {
                order: Some(vec![BootOptionId::parse("Boot9999").unwrap()]),
                ..good.clone()
            },
        ),
        (
            "/Boot/BootOrder/1",
            Setup {
                order: Some(vec![twice.clone(), twice]),
                ..good.clone()
            },
        ),
        (
            "/AssetTag",
            Setup {
                asset_tag: Some("x".repeat(65)),
                ..good.clone()
            },
        ),
    ];
    for (pointer, setup) in bad {
        let change = SystemChange {
            setup,
            indicator: Some(true),
        };
        let error = rig
            .hf
            .update_system(&Ctx::service(), &id, change)
            .await
            .unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::Invalid { property, .. } if property == pointer),
            "{error:?}"
        );
        assert_eq!(rig.system(&id), before);
    }
    let change = SystemChange {
        setup: good,
        indicator: Some(true),
    };
    let after = rig
        .hf
        .update_system(&Ctx::service(), &id, change)
        .await
        .unwrap();
    assert!(after.indicator && after.generation > before.generation);
    assert_eq!(after.machine.identity.asset_tag.as_deref(), Some("rack 7"));
    rig.hf.close().await.unwrap();

    // And all of it is still there after a restart.
    let Rig { rack, clock, .. } = rig;
    let rig = Rig::on(rack.sim.clone(), clock, dir.path(), |b| b).await;
    assert!(rig.system(&id).indicator);
}

#[tokio::test]
async fn an_unknown_system_is_not_found_whatever_is_done_to_it() {
    let dir = tempfile::tempdir().unwrap();
    let rig = Rig::start(dir.path(), |b| b).await;
    let ctx = Ctx::service();
    let id = SystemId::parse("nobody").unwrap();
    let errors = [
        rig.hf.system(&ctx, &id).unwrap_err(),
        rig.hf.reset(&ctx, &id, ResetType::On).await.unwrap_err(),
        rig.hf
            .update_system(&ctx, &id, SystemChange::default())
            .await
            .unwrap_err(),
    ];
    for error in errors {
        assert!(
            matches!(
                error.kind(),
                ErrorKind::NotFound {
                    what: "ComputerSystem",
                    ..
                }
            ),
            "{error:?}"
        );
    }
}

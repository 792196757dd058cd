//! Firmware settings that wait: applied, refused, taken back, and kept over restarts of HawkFish.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use hawkfish_core::ErrorKind;
use hawkfish_core::backend::{Knob, KnobValue, Power};
use hawkfish_core::bios::ApplyTime;
use hawkfish_core::ctx::Ctx;
use hawkfish_core::error::Conflict;
use hawkfish_core::id::SystemId;
use hawkfish_core::systems::{ResetCause, ResetType};
use jiff::SignedDuration;

use crate::rig::Rig;

const OFF: KnobValue = KnobValue::Word(hawkfish_core::backend::Word::Disabled);

fn no_hpet() -> BTreeMap<Knob, KnobValue> {
    [(Knob::Hpet, OFF)].into()
}

impl Rig {
    async fn want(&self, id: &SystemId) {
        let (ctx, when) = (Ctx::service(), ApplyTime::OnReset);
        let wanted = self.hf.set_firmware(&ctx, id, no_hpet(), when);
        wanted.await.unwrap();
    }

    async fn do_reset(&self, id: &SystemId, reset: ResetType) {
        self.hf.reset(&Ctx::service(), id, reset).await.unwrap();
    }

    fn hpet(&self, id: &SystemId) -> KnobValue {
        let system = self.system(id);
        system.machine.firmware.setting(Knob::Hpet).unwrap().now
    }

    async fn let_pass(&self, seconds: i64) {
        for _ in 0..seconds {
            self.clock.advance(SignedDuration::from_secs(1));
            self.hf.tick().await.unwrap();
        }
    }
}

#[tokio::test]
async fn what_waits_survives_a_restart_of_hawkfish() {
    let dir = tempfile::tempdir().unwrap();
    let rig = Rig::start(dir.path(), |b| b).await;
    let id = rig.first();
    rig.want(&id).await;
    rig.hf.close().await.unwrap();
    let Rig { rack, clock, .. } = rig;
    let rig = Rig::on(rack.sim.clone(), clock, dir.path(), |b| b).await;
    assert_eq!(rig.system(&id).bios.pending, no_hpet());
    rig.do_reset(&id, ResetType::On).await;
    assert_eq!(rig.hpet(&id), OFF);
    let bios = rig.system(&id).bios.clone();
    assert!(!bios.waits());
    assert_eq!(bios.applied.as_ref().unwrap().values[&Knob::Hpet], OFF);
}

#[tokio::test]
async fn settings_that_cannot_be_applied_go_on_waiting_and_the_system_starts_without_them() {
    let dir = tempfile::tempdir().unwrap();
    let rig = Rig::start(dir.path(), |b| b).await;
    let id = rig.first();
    rig.want(&id).await;
    rig.rack.refuses_settings.store(true, Ordering::Release);
    rig.do_reset(&id, ResetType::On).await;
    let system = rig.system(&id);
    assert_eq!(system.machine.power, Power::PoweringOn);
    assert_eq!(system.bios.pending, no_hpet());
    let failed = system.bios.failed.as_ref().unwrap();
    assert_eq!(failed.message, "The settings are refused.");
    assert_ne!(rig.hpet(&id), OFF);

    rig.rack.refuses_settings.store(false, Ordering::Release);
    rig.do_reset(&id, ResetType::ForceRestart).await;
    assert_eq!(rig.hpet(&id), OFF);
    assert_eq!(rig.system(&id).bios.failed, None);
}

#[tokio::test]
async fn settings_with_which_a_system_does_not_start_are_taken_back() {
    let dir = tempfile::tempdir().unwrap();
    let rig = Rig::start(dir.path(), |b| b).await;
    let id = rig.first();
    rig.want(&id).await;
    let as_delivered = &rig.rack.starts_only_as_delivered;
    as_delivered.store(true, Ordering::Release);
    rig.do_reset(&id, ResetType::On).await;
    let system = rig.system(&id);
    assert_eq!(system.machine.power, Power::PoweringOn);
    assert_ne!(rig.hpet(&id), OFF);
    assert_eq!(system.bios.pending, no_hpet());
    let failed = system.bios.failed.as_ref().unwrap();
    assert_eq!(failed.message, "The machine does not come up.");
}

#[tokio::test]
async fn settings_are_applied_at_once_only_to_a_system_that_is_off() {
    let dir = tempfile::tempdir().unwrap();
    let rig = Rig::start(dir.path(), |b| b).await;
    let id = rig.first();
    let now = |id: SystemId| {
        let hf = rig.hf.clone();
        async move {
            let ctx = Ctx::service();
            hf.set_firmware(&ctx, &id, no_hpet(), ApplyTime::Immediate)
                .await
        }
    };
    rig.rack.refuses_settings.store(true, Ordering::Release);
    now(id.clone()).await.unwrap_err();
    assert!(!rig.system(&id).bios.waits(), "nothing is kept");
    rig.rack.refuses_settings.store(false, Ordering::Release);
    now(id.clone()).await.unwrap();
    assert_eq!(rig.hpet(&id), OFF);

    let other = rig.systems()[1].id.clone();
    rig.do_reset(&other, ResetType::On).await;
    let refused = now(other).await.unwrap_err();
    let wanted = ErrorKind::Conflict(Conflict::PowerOffRequired);
    assert_eq!(*refused.kind(), wanted);
}

#[tokio::test]
async fn a_graceful_restart_ends_with_the_system_on_also_when_hawkfish_was_away() {
    let dir = tempfile::tempdir().unwrap();
    let rig = Rig::start(dir.path(), |b| b).await;
    let id = rig.first();
    rig.do_reset(&id, ResetType::On).await;
    rig.let_pass(20).await;
    rig.want(&id).await;
    rig.do_reset(&id, ResetType::GracefulRestart).await;
    assert_eq!(rig.system(&id).machine.power, Power::PoweringOff);
    rig.hf.close().await.unwrap();
    let Rig { rack, clock, .. } = rig;
    clock.advance(SignedDuration::from_secs(30));
    let rig = Rig::on(rack.sim.clone(), clock, dir.path(), |b| b).await;
    rig.let_pass(30).await;
    let system = rig.system(&id);
    assert_eq!(system.machine.power, Power::On);
    assert_eq!(rig.hpet(&id), OFF);
    assert_eq!(system.bios.restart_until, None);
}

#[tokio::test]
async fn a_guest_that_takes_too_long_over_a_restart_stays_off() {
    let dir = tempfile::tempdir().unwrap();
    let rig = Rig::start(dir.path(), |b| b).await;
    let id = rig.first();
    rig.do_reset(&id, ResetType::On).await;
    rig.let_pass(20).await;
    rig.want(&id).await;
    rig.do_reset(&id, ResetType::GracefulRestart).await;
    rig.clock.advance(SignedDuration::from_mins(20));
    rig.hf.tick().await.unwrap();
    rig.let_pass(10).await;
    assert_eq!(rig.system(&id).machine.power, Power::Off);
    assert!(rig.system(&id).bios.waits());
}

#[tokio::test]
async fn a_reset_is_explained_by_who_asked_for_it_and_one_that_nobody_asked_for_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let rig = Rig::start(dir.path(), |b| b).await;
    let id = rig.first();
    let cause = || rig.system(&id).last_reset_cause();
    assert_eq!(cause(), None);
    rig.do_reset(&id, ResetType::PushPowerButton).await;
    assert_eq!(cause(), Some(ResetCause::PowerButton));
    rig.let_pass(20).await;
    assert_eq!(cause(), Some(ResetCause::PowerButton));
    rig.do_reset(&id, ResetType::GracefulRestart).await;
    rig.let_pass(20).await;
    assert_eq!(cause(), Some(ResetCause::Command));
    rig.do_reset(&id, ResetType::Nmi).await;
    rig.let_pass(20).await;
    assert_eq!(cause(), Some(ResetCause::Unknown));
}

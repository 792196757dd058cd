//! Power steps.

use super::{Fixture, Subject, Temper, assert_conflict};
use hawkfish_core::backend::{BootTarget, Power, Step};

pub(crate) async fn a_machine_that_is_off_can_only_be_started(fixture: &dyn Fixture) {
    let subject = Subject::any(fixture).await;
    let before = subject.now().await;
    for step in subject.backend.capabilities().steps {
        if !matches!(step, Step::Start | Step::ForceOff) {
            assert_conflict(subject.backend.step(subject.key, step).await, step);
            assert_eq!(
                subject.now().await,
                before,
                "a verb that fails leaves the machine as it was"
            );
        }
    }
    let machine = subject.step(Step::ForceOff).await;
    assert_eq!(machine, before, "ForceOff of what is off changes nothing");
}

pub(crate) async fn a_machine_that_runs_can_neither_be_started_nor_resumed(fixture: &dyn Fixture) {
    let subject = Subject::any(fixture).await;
    subject.start().await;
    let before = subject.now().await;
    for step in [Step::Start, Step::Resume] {
        if subject.can(step) {
            assert_conflict(subject.backend.step(subject.key, step).await, step);
            assert_eq!(
                subject.now().await,
                before,
                "a verb that fails leaves the machine as it was"
            );
        }
    }
}

pub(crate) async fn start_and_force_off_hold_when_they_return(fixture: &dyn Fixture) {
    let subject = Subject::any(fixture).await;
    let machine = subject.step(Step::Start).await;
    assert!(
        matches!(machine.power, Power::On | Power::PoweringOn),
        "{machine:?}"
    );
    assert_eq!(
        subject.now().await,
        machine,
        "what a verb returns is what is"
    );
    assert!(machine.last_reset.is_some(), "the backend saw it start");
    // Also on the way to On.
    let machine = subject.step(Step::ForceOff).await;
    assert_eq!(machine.power, Power::Off);
    assert_eq!(
        subject.now().await,
        machine,
        "what a verb returns is what is"
    );
    assert!(!machine.crashed);
    subject.start().await;
    assert_eq!(subject.step(Step::ForceOff).await.power, Power::Off);
    subject
        .for_a_while("it stays off", |m| m.power == Power::Off)
        .await;
}

pub(crate) async fn a_polite_guest_shuts_down_when_asked(fixture: &dyn Fixture) {
    let subject = Subject::polite(fixture).await;
    for step in [Step::Shutdown, Step::PowerButton] {
        if subject.can(step) {
            subject.start().await;
            subject.step(step).await;
            let machine = subject.until("it is off", |m| m.power == Power::Off).await;
            assert!(
                !machine.crashed,
                "a guest that was shut down has not crashed"
            );
        }
    }
}

pub(crate) async fn a_deaf_guest_may_refuse_to_shut_down(fixture: &dyn Fixture) {
    let Some(subject) = Subject::new(fixture, Temper::Deaf).await else {
        return;
    };
    subject.start().await;
    for step in [Step::Shutdown, Step::PowerButton] {
        if subject.can(step) {
            subject.step(step).await;
            subject
                .for_a_while("a deaf guest runs on", |m| {
                    matches!(m.power, Power::On | Power::PoweringOff)
                })
                .await;
        }
    }
    assert_eq!(subject.step(Step::ForceOff).await.power, Power::Off);
}

pub(crate) async fn a_guest_restarts_when_asked(fixture: &dyn Fixture) {
    let subject = Subject::polite(fixture).await;
    if !subject.can(Step::Restart) {
        return;
    }
    subject.start().await;
    subject.until_booted(&[BootTarget::Hdd]).await;
    subject.step(Step::Restart).await;
    subject
        .until_booted(&[BootTarget::Hdd, BootTarget::Hdd])
        .await;
    subject.until("it is on", |m| m.power == Power::On).await;
}

pub(crate) async fn a_reset_boots_anew(fixture: &dyn Fixture) {
    let subject = Subject::any(fixture).await;
    if !subject.can(Step::Reset) {
        return;
    }
    subject.start().await;
    subject.until_booted(&[BootTarget::Hdd]).await;
    let machine = subject.step(Step::Reset).await;
    assert!(
        matches!(machine.power, Power::On | Power::PoweringOn),
        "{machine:?}"
    );
    subject
        .until_booted(&[BootTarget::Hdd, BootTarget::Hdd])
        .await;
    subject.until_up().await;
}

pub(crate) async fn a_paused_machine_goes_on_where_it_was(fixture: &dyn Fixture) {
    let subject = Subject::any(fixture).await;
    if !subject.can(Step::Pause) || !subject.can(Step::Resume) {
        return;
    }
    subject.start().await;
    assert_eq!(subject.step(Step::Pause).await.power, Power::Paused);
    assert_conflict(
        subject.backend.step(subject.key, Step::Start).await,
        "Start of a paused machine",
    );
    subject
        .for_a_while("it stays paused", |m| m.power == Power::Paused)
        .await;
    assert_eq!(subject.step(Step::Resume).await.power, Power::On);
    subject.until_booted(&[BootTarget::Hdd]).await;
    // The power can be cut of what is paused, too.
    subject.step(Step::Pause).await;
    assert_eq!(subject.step(Step::ForceOff).await.power, Power::Off);
}

pub(crate) async fn a_suspended_machine_goes_on_where_it_was(fixture: &dyn Fixture) {
    let subject = Subject::polite(fixture).await;
    if !subject.can(Step::Suspend) {
        return;
    }
    subject.start().await;
    subject.until_booted(&[BootTarget::Hdd]).await;
    let machine = subject.step(Step::Suspend).await;
    assert_eq!(machine.power, Power::Off);
    assert!(!machine.crashed);
    subject
        .for_a_while("it stays off", |m| m.power == Power::Off)
        .await;
    subject.step(Step::Start).await;
    // A host may begin its record of the console anew; but no guest boots in it.
    let boots = fixture.boots(subject.key).await;
    subject.until_up().await;
    subject
        .for_a_while("it runs on", |m| m.power == Power::On)
        .await;
    assert_eq!(fixture.boots(subject.key).await, boots);
}

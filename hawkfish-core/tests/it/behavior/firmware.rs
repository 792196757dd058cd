//! What firmware is set to.

use hawkfish_core::backend::{Firmware, Knob, KnobValue, Machine, Power, Setup, Step, Takes};
use hawkfish_core::error::{Conflict, ErrorKind};

use super::{Fixture, Subject, assert_conflict, assert_kind, settled};

fn to(knobs: &[(Knob, KnobValue)]) -> Setup {
    Setup {
        knobs: knobs.iter().copied().collect(),
        ..Setup::default()
    }
}

/// Another value that a setting takes, for settings that have nothing to do with each other.
fn other(firmware: &Firmware, knob: Knob) -> Option<(Knob, KnobValue)> {
    let setting = firmware.setting(knob)?;
    let value = match setting.takes {
        Takes::Words(words) => {
            let mut words = words.iter().map(KnobValue::Word);
            words.find(|value| *value != setting.next)?
        }
        Takes::Numbers(least, most) => {
            let mut numbers = [least, most].into_iter().map(KnobValue::Number);
            numbers.find(|value| *value != setting.next)?
        }
    };
    Some((knob, value))
}

fn of(machine: &Machine, knob: Knob) -> (KnobValue, KnobValue) {
    let setting = machine.firmware.setting(knob).expect("it has that setting");
    (setting.now, setting.next)
}

pub(crate) async fn firmware_settings_hold_from_the_next_cold_start_on(fixture: &dyn Fixture) {
    let subject = Subject::any(fixture).await;
    let before = subject.now().await;
    let definition = fixture.definition(subject.key).await;
    let wanted: Vec<_> = [
        Knob::Hpet,
        Knob::RealTimeClock,
        Knob::AcpiS3,
        Knob::BootMenu,
    ]
    .into_iter()
    .filter_map(|knob| other(&before.firmware, knob))
    .collect();
    if wanted.is_empty() {
        assert!(before.firmware.settings.is_empty(), "{:?}", before.firmware);
        return;
    }
    subject.start().await;
    let machine = subject.setup(to(&wanted)).await;
    for (knob, value) in &wanted {
        let was = of(&before, *knob).0;
        assert_eq!(of(&machine, *knob), (was, *value), "{knob}");
    }
    if subject.can(Step::Reset) {
        subject.step(Step::Reset).await;
        let machine = subject.until("it is on", |m| m.power == Power::On).await;
        for (knob, value) in &wanted {
            assert_eq!(
                of(&machine, *knob),
                (of(&before, *knob).0, *value),
                "{knob}"
            );
        }
    }
    let machine = subject.step(Step::ForceOff).await;
    for (knob, value) in &wanted {
        assert_eq!(of(&machine, *knob), (*value, *value), "{knob}");
    }
    subject.start().await;
    for (knob, value) in &wanted {
        let now = subject.now().await;
        assert_eq!(of(&now, *knob), (*value, *value), "{knob}");
        let default = now.firmware.setting(*knob).map(|setting| setting.default);
        assert_eq!(default, Some(of(&before, *knob).0), "{knob}");
    }

    subject.step(Step::ForceOff).await;
    let back: Vec<_> = before.firmware.next().into_iter().collect();
    let machine = subject.setup(to(&back)).await;
    assert_eq!(machine.firmware, before.firmware);
    assert_eq!(settled(&machine), settled(&before));
    assert_eq!(fixture.definition(subject.key).await, definition);
}

pub(crate) async fn a_machine_with_fewer_processors_enabled_runs_with_fewer(fixture: &dyn Fixture) {
    let subject = Subject::any(fixture).await;
    let before = subject.now().await;
    let knob = Knob::ProcessorsEnabled;
    if before.firmware.setting(knob).is_none() {
        return;
    }
    let machine = subject.setup(to(&[(knob, KnobValue::Number(1))])).await;
    assert_eq!(machine.processors.online, 1);
    subject.start().await;
    assert_eq!(subject.now().await.processors.online, 1);
    subject.step(Step::ForceOff).await;
    let most = of(&before, knob).1;
    let machine = subject.setup(to(&[(knob, most)])).await;
    assert_eq!(machine.processors, before.processors);
}

pub(crate) async fn an_impossible_setting_is_refused_and_changes_nothing(fixture: &dyn Fixture) {
    let subject = Subject::any(fixture).await;
    let before = subject.now().await;
    let Some(good) = other(&before.firmware, Knob::Hpet) else {
        return;
    };
    for bad in [
        (Knob::BootMenu, KnobValue::Number(7)),
        (Knob::BootMenuTimeout, KnobValue::Number(1 << 40)),
        (Knob::ProcessorsEnabled, KnobValue::Number(0)),
    ] {
        let setup = to(&[good, bad]);
        let refused = subject.backend.setup(subject.key, &setup).await;
        assert_kind!(refused, ErrorKind::Invalid { .. }, "{bad:?}");
    }
    let setup = to(&[good, (Knob::BootMenuTimeout, KnobValue::Number(100))]);
    let refused = subject.backend.setup(subject.key, &setup).await;
    assert_kind!(
        refused,
        ErrorKind::PropertyConflict { .. },
        "a time without a menu"
    );
    assert_eq!(subject.now().await, before);
}

pub(crate) async fn a_suspended_machine_takes_no_settings(fixture: &dyn Fixture) {
    let subject = Subject::any(fixture).await;
    let before = subject.now().await;
    let Some(wanted) = other(&before.firmware, Knob::Hpet) else {
        return;
    };
    if !subject.can(Step::Suspend) {
        return;
    }
    subject.start().await;
    subject.step(Step::Suspend).await;
    let refused = subject.backend.setup(subject.key, &to(&[wanted])).await;
    assert_eq!(assert_conflict(refused, wanted), Conflict::NotAllowed);
    subject.step(Step::Start).await;
    let machine = subject.step(Step::ForceOff).await;
    assert_eq!(machine.firmware, before.firmware);
}

pub(crate) async fn what_the_watchdog_does_holds_at_once(fixture: &dyn Fixture) {
    let subject = Subject::any(fixture).await;
    let before = subject.now().await;
    let knob = Knob::WatchdogAction;
    let Some(wanted) = other(&before.firmware, knob) else {
        return;
    };
    subject.start().await;
    let machine = subject.setup(to(&[wanted])).await;
    assert_eq!(of(&machine, knob), (wanted.1, wanted.1));
    subject.step(Step::ForceOff).await;
    let machine = subject.setup(to(&[(knob, of(&before, knob).1)])).await;
    assert_eq!(machine.firmware, before.firmware);
}

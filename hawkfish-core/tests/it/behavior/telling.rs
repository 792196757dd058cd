//! What a backend lists, tells and refuses.

use super::{Fixture, Subject, Temper, assert_kind, cd};
use hawkfish_core::backend::{
    BootOverride, BootTarget, Change, Insert, MachineKey, MediaSource, Power, Setup, Step,
};
use hawkfish_core::error::ErrorKind;
use hawkfish_core::id::SlotId;
use uuid::Uuid;

pub(crate) async fn machines_are_listed_in_the_order_of_their_keys(fixture: &dyn Fixture) {
    let one = Subject::any(fixture).await;
    let other = Subject::any(fixture).await;
    let machines = one.backend.machines().await.unwrap();
    assert!(
        machines.is_sorted_by_key(|m| m.key),
        "machines are ordered by key"
    );
    for subject in [&one, &other] {
        let listed: Vec<_> = machines.iter().filter(|m| m.key == subject.key).collect();
        assert_eq!(listed, [&subject.now().await]);
    }
    let host = one.backend.host().await.unwrap();
    assert!(!host.name.is_empty() && !host.hypervisor.is_empty() && !host.version.is_empty());
}

pub(crate) async fn an_unknown_machine_or_slot_is_not_found(fixture: &dyn Fixture) {
    let subject = Subject::any(fixture).await;
    let backend = &subject.backend;
    let capabilities = backend.capabilities();
    let nobody = MachineKey(Uuid::from_u128(0x4242_4242_4242_4242_8242_4242_4242_4242));
    let medium = Insert {
        source: fixture.medium().await,
        write_protected: true,
    };
    let tag = Setup {
        autostart: Some(true),
        ..Setup::default()
    };
    assert_kind!(
        backend.machine(nobody).await,
        ErrorKind::NotFound { .. },
        "machine"
    );
    assert_kind!(
        backend.setup(nobody, &tag).await,
        ErrorKind::NotFound { .. },
        "setup"
    );
    for step in &capabilities.steps {
        assert_kind!(
            backend.step(nobody, *step).await,
            ErrorKind::NotFound { .. },
            "{step:?}"
        );
    }
    if capabilities.console_log {
        assert_kind!(
            backend.console_log(nobody).await,
            ErrorKind::NotFound { .. },
            "console_log"
        );
    }
    if capabilities.media {
        let floppy = SlotId::parse("Floppy").unwrap();
        assert_kind!(
            backend.insert(nobody, &cd(), &medium).await,
            ErrorKind::NotFound { .. },
            "insert"
        );
        assert_kind!(
            backend.eject(nobody, &cd()).await,
            ErrorKind::NotFound { .. },
            "eject"
        );
        let key = subject.key;
        assert_kind!(
            backend.insert(key, &floppy, &medium).await,
            ErrorKind::NotFound { .. },
            "insert"
        );
        assert_kind!(
            backend.eject(key, &floppy).await,
            ErrorKind::NotFound { .. },
            "eject"
        );
    }
}

pub(crate) async fn what_capabilities_do_not_name_is_unsupported(fixture: &dyn Fixture) {
    let subject = Subject::any(fixture).await;
    let (backend, key) = (&subject.backend, subject.key);
    let capabilities = backend.capabilities();
    let before = subject.now().await;
    assert!(
        capabilities.steps.contains(&Step::Start) && capabilities.steps.contains(&Step::ForceOff),
        "a machine that cannot be switched is none"
    );
    for step in Step::ALL
        .into_iter()
        .filter(|step| !capabilities.steps.contains(step))
    {
        assert_kind!(
            backend.step(key, step).await,
            ErrorKind::Unsupported { .. },
            "{step:?}"
        );
    }
    let medium = Insert {
        source: fixture.medium().await,
        write_protected: true,
    };
    if !capabilities.media {
        assert_kind!(
            backend.insert(key, &cd(), &medium).await,
            ErrorKind::Unsupported { .. },
            "insert"
        );
        assert_kind!(
            backend.eject(key, &cd()).await,
            ErrorKind::Unsupported { .. },
            "eject"
        );
    } else if !capabilities.media_by_uri {
        let by_uri = Insert {
            source: MediaSource::Uri("http://images.example/a.iso".to_owned()),
            write_protected: true,
        };
        assert_kind!(
            backend.insert(key, &cd(), &by_uri).await,
            ErrorKind::Unsupported { .. },
            "insert by URI"
        );
    }
    if !capabilities.boot {
        let over = Setup {
            over: Some(Some(BootOverride {
                target: BootTarget::Hdd,
                once: true,
            })),
            ..Setup::default()
        };
        assert_kind!(
            backend.setup(key, &over).await,
            ErrorKind::Unsupported { .. },
            "override"
        );
    }
    if !capabilities.console_log {
        assert_kind!(
            backend.console_log(key).await,
            ErrorKind::Unsupported { .. },
            "console_log"
        );
    }
    assert_eq!(
        subject.now().await,
        before,
        "a verb that fails leaves the machine as it was"
    );
}

pub(crate) async fn the_console_starts_anew_with_each_start(fixture: &dyn Fixture) {
    let subject = Subject::any(fixture).await;
    if !subject.backend.capabilities().console_log {
        return;
    }
    let console = || async {
        let log = subject.backend.console_log(subject.key).await.unwrap();
        assert!(log.len() <= 64 * 1024, "at most the last 64 KiB");
        String::from_utf8_lossy(&log).into_owned()
    };
    let boots = |console: &str| console.matches("HAWKFISH-BOOT ").count();
    subject.start().await;
    subject.until_booted(&[BootTarget::Hdd]).await;
    assert_eq!(boots(&console().await), 1);
    if subject.can(Step::Reset) {
        subject.step(Step::Reset).await;
        subject
            .until_booted(&[BootTarget::Hdd, BootTarget::Hdd])
            .await;
        assert_eq!(boots(&console().await), 2, "a reset is no start");
    }
    subject.step(Step::ForceOff).await;
    subject.start().await;
    subject.until_booted(&[BootTarget::Hdd]).await;
    assert_eq!(boots(&console().await), 1, "a start starts it anew");
}

/// Everything that is told of a machine until `enough`.
async fn told_until(
    subject: &Subject<'_>,
    what: &str,
    enough: impl Fn(&[Change]) -> bool,
) -> Vec<Change> {
    let began = subject.fixture.elapsed();
    let mut told = Vec::new();
    loop {
        subject.hear();
        let heard = std::mem::take(&mut *subject.told.lock().unwrap());
        told.extend(heard.into_iter().filter(|change| match change {
            Change::Machine { machine, .. } => machine.key == subject.key,
            Change::Removed(key) => *key == subject.key,
            Change::Connected | Change::Lost(_) => true,
        }));
        if enough(&told) {
            return told;
        }
        assert!(
            subject.fixture.elapsed() - began < subject.fixture.patience(),
            "waited in vain until {what}; told was {told:#?}"
        );
        subject.fixture.pass().await;
    }
}

fn last_power(told: &[Change]) -> Option<Power> {
    told.iter().rev().find_map(|change| match change {
        Change::Machine { machine, .. } => Some(machine.power),
        _ => None,
    })
}

pub(crate) async fn changes_are_told_in_order_and_end_with_what_is(fixture: &dyn Fixture) {
    let subject = Subject::any(fixture).await;
    subject.forget();
    subject.step(Step::Start).await;
    subject.backend.changed().await;
    let on = |told: &[Change]| last_power(told) == Some(Power::On);
    let mut told = told_until(&subject, "it is told to be on", on).await;
    subject.until_up().await;
    subject.step(Step::ForceOff).await;
    let off = |told: &[Change]| last_power(told) == Some(Power::Off);
    told.extend(told_until(&subject, "it is told to be off", off).await);
    let powers: Vec<Power> = told
        .iter()
        .filter_map(|change| match change {
            Change::Machine { machine, .. } => Some(machine.power),
            _ => None,
        })
        .collect();
    let first_on = powers.iter().position(|p| *p == Power::On).unwrap();
    assert!(
        powers[..first_on]
            .iter()
            .all(|p| matches!(p, Power::Off | Power::PoweringOn)),
        "{powers:?}"
    );
    assert!(
        !powers[first_on..].contains(&Power::PoweringOn),
        "what was told later happened later: {powers:?}"
    );
    let Some(Change::Machine { machine, .. }) = told.last() else {
        panic!("the last that was told is a machine: {told:?}");
    };
    assert_eq!(**machine, subject.now().await);
    let over = subject.backend.drain_changes().into_iter().filter(
        |change| matches!(change, Change::Machine { machine, .. } if machine.key == subject.key),
    );
    for change in over {
        let Change::Machine { machine, .. } = change else {
            unreachable!()
        };
        assert_eq!(machine.power, Power::Off, "nothing old comes late");
    }
}

pub(crate) async fn a_change_made_by_others_is_told(fixture: &dyn Fixture) {
    let subject = Subject::any(fixture).await;
    subject.forget();
    if fixture.others_start(subject.key).await {
        let on = |told: &[Change]| last_power(told) == Some(Power::On);
        told_until(&subject, "it is told to be on", on).await;
        assert_eq!(subject.now().await.power, Power::On);
    }
    let Some(subject) = Subject::new(fixture, Temper::Restless).await else {
        return;
    };
    subject.start().await;
    let before = subject.now().await.last_reset;
    subject.forget();
    let reset = |told: &[Change]| {
        told.iter().any(
            |change| matches!(change, Change::Machine { machine, .. } if machine.last_reset > before),
        )
    };
    told_until(&subject, "the guest's own reset is told", reset).await;
}

pub(crate) async fn a_host_that_does_not_answer_is_unavailable(fixture: &dyn Fixture) {
    let subject = Subject::any(fixture).await;
    let (backend, key) = (&subject.backend, subject.key);
    subject.forget();
    if !fixture.lose().await {
        return;
    }
    let lost = |told: &[Change]| told.iter().any(|change| matches!(change, Change::Lost(_)));
    told_until(&subject, "it is told to be lost", lost).await;
    assert_kind!(backend.host().await, ErrorKind::Unavailable { .. }, "host");
    assert_kind!(
        backend.machines().await,
        ErrorKind::Unavailable { .. },
        "machines"
    );
    assert_kind!(
        backend.machine(key).await,
        ErrorKind::Unavailable { .. },
        "machine"
    );
    assert_kind!(
        backend.step(key, Step::Start).await,
        ErrorKind::Unavailable { .. },
        "Start"
    );
    let setup = Setup {
        autostart: Some(true),
        ..Setup::default()
    };
    assert_kind!(
        backend.setup(key, &setup).await,
        ErrorKind::Unavailable { .. },
        "setup"
    );
    fixture.find().await;
    let back = |told: &[Change]| {
        let connected = told
            .iter()
            .position(|change| matches!(change, Change::Connected));
        // One that is as its mould makes it is not told of.
        let made = backend.mould().and_then(|mould| mould.make(key));
        let power = |at: usize| last_power(&told[at..]).or(made.map(|made| made.power));
        connected.is_some_and(|at| power(at) == Some(Power::Off))
    };
    told_until(
        &subject,
        "it is told to be there again, with its machines",
        back,
    )
    .await;
    subject.start().await;
}

//! How machines boot and are set up.

use super::{Fixture, Subject, Temper, assert_kind, settled};
use hawkfish_core::backend::{BootMode, BootOverride, BootTarget, Machine, Power, Setup, Step};
use hawkfish_core::error::ErrorKind;
use hawkfish_core::id::BootOptionId;

pub(crate) async fn once_holds_for_exactly_the_next_start(fixture: &dyn Fixture) {
    let subject = Subject::any(fixture).await;
    let capabilities = subject.backend.capabilities();
    if !capabilities.boot || !capabilities.media {
        return;
    }
    subject.insert_cd().await;
    subject.set_over(BootTarget::Cd, true).await;
    subject.step(Step::Start).await;
    subject
        .until("the override is used up", |m| m.boot.over.is_none())
        .await;
    subject.until_booted(&[BootTarget::Cd]).await;
    if subject.can(Step::Reset) {
        subject.step(Step::Reset).await;
        subject
            .until_booted(&[BootTarget::Cd, BootTarget::Hdd])
            .await;
    }
    subject.step(Step::ForceOff).await;
    subject.start().await;
    subject.until_booted(&[BootTarget::Hdd]).await;
    assert_eq!(subject.now().await.boot.over, None);
}

pub(crate) async fn once_holds_for_exactly_the_next_reset(fixture: &dyn Fixture) {
    let subject = Subject::any(fixture).await;
    let capabilities = subject.backend.capabilities();
    if !capabilities.boot || !capabilities.media || !subject.can(Step::Reset) {
        return;
    }
    subject.insert_cd().await;
    subject.start().await;
    subject.until_booted(&[BootTarget::Hdd]).await;
    let over = subject.set_over(BootTarget::Cd, true).await.boot.over;
    subject
        .for_a_while("the override waits for the next boot", |m| {
            m.boot.over == over
        })
        .await;
    subject.step(Step::Reset).await;
    subject
        .until("the override is used up", |m| m.boot.over.is_none())
        .await;
    subject
        .until_booted(&[BootTarget::Hdd, BootTarget::Cd])
        .await;
    subject.step(Step::Reset).await;
    subject
        .until_booted(&[BootTarget::Hdd, BootTarget::Cd, BootTarget::Hdd])
        .await;
}

pub(crate) async fn once_holds_for_the_guests_own_reset(fixture: &dyn Fixture) {
    let Some(subject) = Subject::new(fixture, Temper::Restless).await else {
        return;
    };
    let capabilities = subject.backend.capabilities();
    if !capabilities.boot || !capabilities.media {
        return;
    }
    subject.insert_cd().await;
    subject.start().await;
    subject.set_over(BootTarget::Cd, true).await;
    subject
        .until("the override is used up", |m| m.boot.over.is_none())
        .await;
    subject
        .until_booted(&[BootTarget::Hdd, BootTarget::Cd])
        .await;
    if subject.can(Step::Reset) {
        subject.step(Step::Reset).await;
        subject
            .until_booted(&[BootTarget::Hdd, BootTarget::Cd, BootTarget::Hdd])
            .await;
    }
}

pub(crate) async fn a_continuous_override_holds_until_it_is_taken_away(fixture: &dyn Fixture) {
    let subject = Subject::any(fixture).await;
    let capabilities = subject.backend.capabilities();
    if !capabilities.boot || !capabilities.media || !subject.can(Step::Reset) {
        return;
    }
    subject.insert_cd().await;
    let over = subject.set_over(BootTarget::Cd, false).await.boot.over;
    subject.step(Step::Start).await;
    subject.until_booted(&[BootTarget::Cd]).await;
    subject.step(Step::Reset).await;
    subject
        .until_booted(&[BootTarget::Cd, BootTarget::Cd])
        .await;
    assert_eq!(subject.now().await.boot.over, over);
    let machine = subject
        .setup(Setup {
            over: Some(None),
            ..Setup::default()
        })
        .await;
    assert_eq!(machine.boot.over, None);
    subject.step(Step::Reset).await;
    subject
        .until_booted(&[BootTarget::Cd, BootTarget::Cd, BootTarget::Hdd])
        .await;
}

pub(crate) async fn a_boot_order_holds_from_the_next_boot_on(fixture: &dyn Fixture) {
    let subject = Subject::any(fixture).await;
    let capabilities = subject.backend.capabilities();
    if !capabilities.boot {
        return;
    }
    let options = subject.now().await.boot.options;
    let of = |target| {
        let found = options.iter().find(|o| o.target == target);
        found.map(|o| o.id.clone())
    };
    let (Some(hdd), Some(cd)) = (of(BootTarget::Hdd), of(BootTarget::Cd)) else {
        panic!("there are a disk and a CD to boot from: {options:?}");
    };
    if capabilities.media {
        subject.insert_cd().await;
    }
    subject.start().await;
    subject.until_booted(&[BootTarget::Hdd]).await;
    let order = vec![cd.clone(), hdd.clone()];
    let machine = subject
        .setup(Setup {
            order: Some(order.clone()),
            ..Setup::default()
        })
        .await;
    let enabled = |machine: &Machine| -> Vec<BootOptionId> {
        let options = machine.boot.options.iter();
        options
            .filter(|o| o.enabled)
            .map(|o| o.id.clone())
            .collect()
    };
    assert_eq!(enabled(&machine), order);
    assert!(
        machine.boot.options.is_sorted_by_key(|o| !o.enabled),
        "the disabled last"
    );
    let mut before: Vec<_> = options.iter().map(|o| &o.id).collect();
    let mut after: Vec<_> = machine.boot.options.iter().map(|o| &o.id).collect();
    before.sort();
    after.sort();
    assert_eq!(
        before, after,
        "no option appears or goes by being put into another order"
    );
    if capabilities.media {
        subject.step(Step::ForceOff).await;
        subject.step(Step::Start).await;
        subject.until_booted(&[BootTarget::Cd]).await;
    }
    let machine = subject
        .setup(Setup {
            order: Some(vec![hdd.clone()]),
            ..Setup::default()
        })
        .await;
    assert_eq!(enabled(&machine), [hdd]);
    subject.step(Step::ForceOff).await;
    subject.step(Step::Start).await;
    subject.until_booted(&[BootTarget::Hdd]).await;
    assert_eq!(enabled(&subject.now().await), enabled(&machine));
}

pub(crate) async fn a_machine_whose_override_was_set_and_taken_away_is_as_before(
    fixture: &dyn Fixture,
) {
    let subject = Subject::any(fixture).await;
    if !subject.backend.capabilities().boot {
        return;
    }
    for running in [false, true] {
        if running {
            subject.start().await;
        }
        let before = subject.now().await;
        let definition = fixture.definition(subject.key).await;
        for target in before.boot.targets.clone() {
            for once in [true, false] {
                subject.set_over(target, once).await;
                let over = Setup {
                    over: Some(None),
                    ..Setup::default()
                };
                subject.setup(over).await;
                assert_eq!(settled(&subject.now().await), settled(&before));
                assert_eq!(fixture.definition(subject.key).await, definition);
            }
        }
    }
}

pub(crate) async fn an_impossible_setup_is_refused_and_changes_nothing(fixture: &dyn Fixture) {
    let subject = Subject::any(fixture).await;
    if !subject.backend.capabilities().boot {
        return;
    }
    let before = subject.now().await;
    let definition = fixture.definition(subject.key).await;
    let targets = [
        BootTarget::Pxe,
        BootTarget::Hdd,
        BootTarget::Cd,
        BootTarget::Usb,
        BootTarget::BiosSetup,
        BootTarget::UefiHttp,
    ];
    let over = |target| Setup {
        over: Some(Some(BootOverride { target, once: true })),
        ..Setup::default()
    };
    let mut impossible: Vec<Setup> = targets
        .into_iter()
        .filter(|target| !before.boot.targets.contains(target))
        .map(over)
        .collect();
    impossible.extend(
        [BootMode::Legacy, BootMode::Uefi]
            .into_iter()
            .filter(|mode| !before.boot.modes.contains(mode))
            .map(|mode| Setup {
                mode: Some(mode),
                ..Setup::default()
            }),
    );
    let known = before.boot.options[0].id.clone();
    impossible.push(Setup {
        order: Some(vec![
            known.clone(),
            BootOptionId::parse("Boot7777").unwrap(),
        ]),
        ..Setup::default()
    });
    impossible.push(Setup {
        order: Some(vec![known.clone(), known]),
        ..Setup::default()
    });
    let possible = Setup {
        over: Some(Some(BootOverride {
            target: BootTarget::Hdd,
            once: true,
        })),
        autostart: Some(!before.autostart),
        ..Setup::default()
    };
    for bad in impossible {
        assert_kind!(
            subject.backend.setup(subject.key, &bad).await,
            ErrorKind::Invalid { .. },
            "{bad:?}"
        );
        // All or nothing: what could be done is not done either.
        let mixed = Setup {
            over: bad.over.or(possible.over),
            autostart: possible.autostart,
            ..bad
        };
        assert_kind!(
            subject.backend.setup(subject.key, &mixed).await,
            ErrorKind::Invalid { .. },
            "{mixed:?}"
        );
        assert_eq!(
            subject.now().await,
            before,
            "a verb that fails leaves the machine as it was"
        );
        assert_eq!(fixture.definition(subject.key).await, definition);
    }
    let machine = subject.setup(Setup::default()).await;
    assert_eq!(machine, before, "to want nothing changes nothing");
}

pub(crate) async fn a_switch_of_firmware_holds_from_the_next_cold_start_on(fixture: &dyn Fixture) {
    let subject = Subject::any(fixture).await;
    let before = subject.now().await;
    let boot = &before.boot;
    let Some(other) = boot.modes.iter().copied().find(|mode| *mode != boot.mode) else {
        assert_eq!(boot.modes.iter().collect::<Vec<_>>(), [&boot.mode]);
        return;
    };
    let to = |mode| Setup {
        mode: Some(mode),
        ..Setup::default()
    };
    let machine = subject.setup(to(other)).await;
    assert_eq!(machine.boot.mode, other);
    assert_eq!(machine.boot.modes, boot.modes);
    assert_eq!(
        machine.boot.secure.is_some(),
        other == BootMode::Uefi && machine.boot.secure.is_some()
    );
    subject.step(Step::Start).await;
    subject.until("it is on", |m| m.power == Power::On).await;
    assert_eq!(subject.now().await.boot.mode, other);
    subject.step(Step::ForceOff).await;
    let machine = subject.setup(to(boot.mode)).await;
    assert_eq!(
        settled(&machine),
        settled(&before),
        "switched there and back, it is as before"
    );
}

pub(crate) async fn small_facts_can_be_set_and_taken_away(fixture: &dyn Fixture) {
    let subject = Subject::any(fixture).await;
    let before = subject.now().await;
    let machine = subject
        .setup(Setup {
            asset_tag: Some("Rack 7 <left> & \"top\"".to_owned()),
            autostart: Some(true),
            ..Setup::default()
        })
        .await;
    assert_eq!(
        machine.identity.asset_tag.as_deref(),
        Some("Rack 7 <left> & \"top\"")
    );
    assert!(machine.autostart);
    let machine = subject
        .setup(Setup {
            asset_tag: Some(String::new()),
            autostart: Some(false),
            ..Setup::default()
        })
        .await;
    assert_eq!(machine.identity.asset_tag, None);
    assert!(!machine.autostart);
    assert_eq!(machine.boot, before.boot);
    let machine = subject
        .backend
        .setup(
            subject.key,
            &Setup {
                http_uri: Some(Some("http://boot.example/shim.efi".to_owned())),
                ..Setup::default()
            },
        )
        .await;
    if before.boot.targets.contains(&BootTarget::UefiHttp) {
        let http_uri = machine.expect("there is HTTP boot").boot.http_uri;
        assert_eq!(http_uri.as_deref(), Some("http://boot.example/shim.efi"));
        let forget = Setup {
            http_uri: Some(None),
            ..Setup::default()
        };
        assert_eq!(subject.setup(forget).await.boot.http_uri, None);
    }
}

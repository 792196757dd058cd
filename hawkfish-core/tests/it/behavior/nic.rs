//! Cables of network interfaces.

use std::collections::BTreeMap;

use super::{Fixture, Subject, assert_kind};
use hawkfish_core::backend::{Machine, Power, Setup, Step};
use hawkfish_core::error::ErrorKind;

fn link(name: &str, up: bool) -> Setup {
    Setup {
        nic_link: BTreeMap::from([(name.to_owned(), up)]),
        ..Setup::default()
    }
}

pub(crate) async fn an_unplugged_cable_is_so_at_once_and_stays_so_over_restarts(
    fixture: &dyn Fixture,
) {
    let subject = Subject::any(fixture).await;
    let before = subject.now().await;
    let definition = fixture.definition(subject.key).await;
    if !subject.backend.capabilities().nic_link {
        assert_kind!(
            subject
                .backend
                .setup(subject.key, &link("net0", false))
                .await,
            ErrorKind::Unsupported { .. },
            "unplugging"
        );
        assert_eq!(subject.now().await, before);
        return;
    }
    let nics = &before.hardware.nics;
    let name = nics.first().expect("a network interface").name.clone();
    assert!(nics.iter().all(|nic| nic.link_up && nic.link_settable));
    assert_kind!(
        subject
            .backend
            .setup(subject.key, &link("net77", false))
            .await,
        ErrorKind::Invalid { .. },
        "an interface that is not there"
    );
    assert_eq!(fixture.definition(subject.key).await, definition);

    let is_up = |machine: &Machine| machine.hardware.nic(&name).expect("it is there").link_up;
    assert!(!is_up(&subject.setup(link(&name, false)).await));
    assert!(!is_up(&subject.now().await), "while it is off");
    subject.step(Step::Start).await;
    subject.until("it is on", |m| m.power == Power::On).await;
    assert!(!is_up(&subject.now().await), "when it has started");
    for up in [true, false, true] {
        assert_eq!(is_up(&subject.setup(link(&name, up)).await), up);
        assert_eq!(is_up(&subject.now().await), up, "while it runs");
        let others = subject.now().await.hardware;
        assert!(
            others
                .nics
                .iter()
                .all(|nic| nic.link_up || nic.name == name)
        );
    }
    subject.step(Step::ForceOff).await;
    assert_eq!(subject.now().await.hardware.nics, before.hardware.nics);
    assert_eq!(
        fixture.definition(subject.key).await,
        definition,
        "plugged in again, it is as before"
    );
}

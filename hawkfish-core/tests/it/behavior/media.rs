//! Virtual media.

use super::{Fixture, Subject, assert_conflict, cd, slot};
use hawkfish_core::backend::{BootTarget, Insert, MediaKind, Step};
use hawkfish_core::error::Conflict;

pub(crate) async fn a_medium_stays_over_restarts_until_it_is_ejected(fixture: &dyn Fixture) {
    let subject = Subject::any(fixture).await;
    let (backend, key) = (&subject.backend, subject.key);
    if !backend.capabilities().media {
        return;
    }
    let empty = subject.now().await;
    assert_eq!(empty.slots[0].kind, MediaKind::Cd, "the CD first");
    let conflict = assert_conflict(backend.eject(key, &cd()).await, "eject of an empty slot");
    assert_eq!(conflict, Conflict::Empty);
    let machine = subject.insert_cd().await;
    let medium = slot(&machine, MediaKind::Cd).cloned();
    let again = Insert {
        source: fixture.medium().await,
        write_protected: true,
    };
    let conflict = assert_conflict(
        backend.insert(key, &cd(), &again).await,
        "insert into a full slot",
    );
    assert_eq!(conflict, Conflict::Occupied);
    assert_eq!(
        subject.now().await,
        machine,
        "a verb that fails leaves the machine as it was"
    );
    subject.start().await;
    assert_eq!(slot(&subject.now().await, MediaKind::Cd).cloned(), medium);
    subject.step(Step::ForceOff).await;
    assert_eq!(slot(&subject.now().await, MediaKind::Cd).cloned(), medium);
    subject.start().await;
    assert_eq!(slot(&subject.now().await, MediaKind::Cd).cloned(), medium);
    let machine = backend
        .eject(key, &cd())
        .await
        .expect("it comes out of a running machine");
    assert_eq!(machine.slots, empty.slots);
    subject.step(Step::ForceOff).await;
    assert_eq!(
        subject.now().await.slots,
        empty.slots,
        "what was ejected does not come back"
    );
}

pub(crate) async fn a_medium_inserted_into_a_running_machine_is_there_at_once(
    fixture: &dyn Fixture,
) {
    let subject = Subject::any(fixture).await;
    let capabilities = subject.backend.capabilities();
    if !capabilities.media {
        return;
    }
    subject.start().await;
    subject.until_booted(&[BootTarget::Hdd]).await;
    let source = fixture.medium().await;
    let wish = Insert {
        source,
        write_protected: false,
    };
    let machine = subject
        .backend
        .insert(subject.key, &cd(), &wish)
        .await
        .unwrap();
    let medium = slot(&machine, MediaKind::Cd).expect("there is a medium in the slot");
    assert!(medium.write_protected, "a CD always is");
    assert_eq!(subject.now().await.slots, machine.slots);
    if capabilities.boot && subject.can(Step::Reset) {
        // A warm reset finds it: it was really put in.
        subject.set_over(BootTarget::Cd, true).await;
        subject.step(Step::Reset).await;
        subject
            .until_booted(&[BootTarget::Hdd, BootTarget::Cd])
            .await;
    }
}

pub(crate) async fn a_medium_that_cannot_be_attached_leaves_the_slot_empty(fixture: &dyn Fixture) {
    let subject = Subject::any(fixture).await;
    let Some(source) = fixture.broken_medium() else {
        return;
    };
    let wish = Insert {
        source,
        write_protected: true,
    };
    for running in [true, false] {
        if running {
            subject.start().await;
        } else {
            subject.step(Step::ForceOff).await;
        }
        let before = subject.now().await;
        let result = subject.backend.insert(subject.key, &cd(), &wish).await;
        assert!(
            result.is_err(),
            "the medium cannot be attached, yet: {result:?}"
        );
        let after = subject.now().await;
        assert_eq!(slot(&after, MediaKind::Cd), None);
        assert_eq!(after.slots, before.slots);
        assert_eq!(after.power, before.power);
    }
}

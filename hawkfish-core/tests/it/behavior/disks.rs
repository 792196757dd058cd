//! Disks that are made for a machine, grown, and deleted.

use super::{Fixture, Subject, Temper, assert_kind};
use hawkfish_core::backend::{Machine, NewDisk, Step};
use hawkfish_core::error::{Conflict, ErrorKind};
use hawkfish_core::id::DiskToken;

const MIB: u64 = 1 << 20;

fn token(name: &str) -> DiskToken {
    DiskToken::parse(name).expect("letters and digits")
}

/// A disk to be made where the machine takes disks best.
fn wish(machine: &Machine, name: &str) -> NewDisk {
    let controllers = &machine.storage.controllers;
    let best = controllers.iter().find(|c| c.id == "virtio");
    let best = best.or_else(|| controllers.first());
    NewDisk {
        token: token(name),
        controller: best.expect("a machine has a controller").id.clone(),
        bytes: 48 * MIB,
    }
}

/// The machine without what only time changes.
fn still(machine: &Machine) -> Machine {
    let mut machine = machine.clone();
    machine.last_reset = None;
    machine
}

async fn sees(subject: &Subject<'_>, serial: &str, bytes: u64) {
    if let Some(seen) = subject.fixture.disks_seen(subject.key).await {
        let found = seen.iter().find(|(s, _)| s == serial);
        assert_eq!(
            found.map(|(_, bytes)| *bytes),
            Some(bytes),
            "the guest sees {seen:?}"
        );
    }
}

pub(crate) async fn a_new_disk_is_there_at_the_next_start_and_stays_until_it_is_deleted(
    fixture: &dyn Fixture,
) {
    let subject = Subject::polite(fixture).await;
    let (backend, key) = (&subject.backend, subject.key);
    if !backend.capabilities().disks {
        return;
    }
    let before = subject.now().await;
    let disk = wish(&before, "hfbehavior00000001");
    let machine = backend.make_disk(key, &disk).await.expect("it is made");
    let made = machine.storage.made(&disk.token).expect("it is shown");
    assert_eq!(
        (made.bytes, made.ours, made.serial.as_deref()),
        (Some(disk.bytes), true, Some(disk.token.as_str()))
    );
    assert_eq!(machine.storage.disks.len(), before.storage.disks.len() + 1);
    assert_eq!(
        machine.boot.over, before.boot.over,
        "what is booted from stays the same"
    );
    assert_eq!(still(&subject.now().await), still(&machine));
    let again = backend.make_disk(key, &disk).await.expect("asked again");
    assert_eq!(
        still(&again),
        still(&machine),
        "asked again nothing changes"
    );

    subject.start().await;
    sees(&subject, disk.token.as_str(), disk.bytes).await;
    assert!(subject.now().await.storage.made(&disk.token).is_some());
    subject.step(Step::ForceOff).await;
    assert!(subject.now().await.storage.made(&disk.token).is_some());

    for _ in 0..2 {
        let machine = backend.delete_disk(key, &disk.token).await;
        let machine = machine.expect("it goes, and what is gone may be deleted again");
        assert_eq!(machine.storage, before.storage);
    }
    assert_eq!(still(&subject.now().await), still(&before));
}

pub(crate) async fn a_disk_made_for_a_running_machine_is_there_at_once(fixture: &dyn Fixture) {
    let Some(subject) = Subject::new(fixture, Temper::Polite).await else {
        return;
    };
    let (backend, key) = (&subject.backend, subject.key);
    if !backend.capabilities().disks {
        return;
    }
    subject.start().await;
    let before = subject.now().await;
    let disk = wish(&before, "hfbehavior00000002");
    let machine = backend
        .make_disk(key, &disk)
        .await
        .expect("it is plugged in");
    let made = machine.storage.made(&disk.token).expect("it is shown");
    assert_eq!(made.bytes, Some(disk.bytes));
    subject.step(Step::ForceOff).await;
    assert!(
        subject.now().await.storage.made(&disk.token).is_some(),
        "it is there for good"
    );
    backend
        .delete_disk(key, &disk.token)
        .await
        .expect("it goes");
    assert_eq!(
        subject.now().await.storage.disks.len(),
        before.storage.disks.len()
    );
}

pub(crate) async fn a_disk_grows_and_does_not_shrink(fixture: &dyn Fixture) {
    let subject = Subject::polite(fixture).await;
    let (backend, key) = (&subject.backend, subject.key);
    if !backend.capabilities().disks {
        return;
    }
    let disk = wish(&subject.now().await, "hfbehavior00000003");
    backend.make_disk(key, &disk).await.expect("it is made");
    let bytes = |machine: &Machine| machine.storage.made(&disk.token).and_then(|d| d.bytes);
    let machine = backend.grow_disk(key, &disk.token, 64 * MIB).await.unwrap();
    assert_eq!(bytes(&machine), Some(64 * MIB));
    let machine = backend.grow_disk(key, &disk.token, 8 * MIB).await.unwrap();
    assert_eq!(bytes(&machine), Some(64 * MIB), "it does not shrink");
    subject.start().await;
    sees(&subject, disk.token.as_str(), 64 * MIB).await;
    let machine = backend.grow_disk(key, &disk.token, 80 * MIB).await.unwrap();
    assert_eq!(bytes(&machine), Some(80 * MIB), "also while it runs");
    assert_eq!(bytes(&subject.now().await), Some(80 * MIB));
    subject.step(Step::ForceOff).await;
    backend.delete_disk(key, &disk.token).await.unwrap();
}

pub(crate) async fn a_disk_that_cannot_be_made_leaves_nothing_behind(fixture: &dyn Fixture) {
    let subject = Subject::any(fixture).await;
    let (backend, key) = (&subject.backend, subject.key);
    let before = subject.now().await;
    let mut disk = wish(&before, "hfbehavior00000004");
    let known = token("hfbehavior00000005");
    if !backend.capabilities().disks {
        let unsupported = backend.make_disk(key, &disk).await;
        assert_kind!(unsupported, ErrorKind::Unsupported { .. }, "making a disk");
        let unsupported = backend.delete_disk(key, &known).await;
        assert_kind!(unsupported, ErrorKind::Unsupported { .. }, "deleting one");
        let unsupported = backend.grow_disk(key, &known, MIB).await;
        assert_kind!(unsupported, ErrorKind::Unsupported { .. }, "growing one");
        return;
    }
    disk.controller = "nowhere".to_owned();
    let missing = backend.make_disk(key, &disk).await;
    assert_kind!(missing, ErrorKind::NotFound { .. }, "a disk on nothing");
    let missing = backend.grow_disk(key, &known, MIB).await;
    assert_kind!(missing, ErrorKind::NotFound { .. }, "growing nothing");
    assert_eq!(still(&subject.now().await), still(&before));
    subject.start().await;
    if let Some(sata) = before.storage.controllers.iter().find(|c| c.id == "sata")
        && before.storage.controllers.len() > 1
    {
        // A bus without plugs, where the host has others.
        disk.controller.clone_from(&sata.id);
        let refused = backend.make_disk(key, &disk).await;
        assert_kind!(
            refused,
            ErrorKind::Conflict(Conflict::PowerOffRequired),
            "plugging into SATA"
        );
        assert_eq!(subject.now().await.storage, before.storage);
    }
}

pub(crate) async fn firmware_is_replaced_at_the_next_reset(fixture: &dyn Fixture) {
    let subject = Subject::any(fixture).await;
    let (backend, key) = (&subject.backend, subject.key);
    if !backend.capabilities().firmware {
        let unsupported = backend.lay_firmware(key, "9.9").await;
        assert_kind!(
            unsupported,
            ErrorKind::Unsupported { .. },
            "replacing firmware"
        );
        return;
    }
    let version = |machine: &Machine| machine.identity.bios_version.clone().unwrap_or_default();
    let machine = backend.lay_firmware(key, "9.1").await.unwrap();
    assert_eq!(version(&machine), "9.1", "what is off has it at once");
    subject.start().await;
    assert_eq!(version(&subject.now().await), "9.1");
    for (laid, shown, after) in [
        (&["9.2"][..], "9.1", "9.2"),
        (&["9.3", "9.4"], "9.2", "9.4"),
        (&["9.5", "9.4"], "9.4", "9.4"),
    ] {
        for laid in laid {
            let machine = backend.lay_firmware(key, laid).await.unwrap();
            assert_eq!(version(&machine), shown, "until the reset");
        }
        subject.step(Step::Reset).await;
        assert_eq!(version(&subject.now().await), after);
    }
}

//! Volumes as the whole of core makes them: named, kept over restarts, and finished after a crash.

use std::sync::atomic::Ordering;

use hawkfish_core::ctx::Ctx;
use hawkfish_core::error::{Conflict, ErrorKind};
use hawkfish_core::id::SystemId;
use hawkfish_core::tasks::TaskState;
use hawkfish_core::volumes::NewVolume;

use crate::rig::Rig;

const MIB: u64 = 1 << 20;

fn volume(name: &str, bytes: u64) -> NewVolume {
    NewVolume {
        name: Some(name.to_owned()),
        bytes,
        request: None,
    }
}

/// Names and sizes of what HawkFish made.
fn made(rig: &Rig, id: &SystemId) -> Vec<(Option<String>, Option<u64>)> {
    let system = rig.system(id);
    let disks = system.machine.storage.disks.iter().filter(|d| d.ours);
    disks
        .map(|d| (system.volume_name(d).map(str::to_owned), d.bytes))
        .collect()
}

async fn make(rig: &Rig, id: &SystemId, what: NewVolume) {
    let task = rig.hf.make_volume(&Ctx::service(), id, "sata", what).await;
    let task = rig.hf.tasks().finished(&task.unwrap().id).await;
    assert_eq!(task.unwrap().failure, None);
}

#[tokio::test]
async fn a_volume_that_a_crash_interrupts_is_there_once_and_named_after_the_restart() {
    let dir = tempfile::tempdir().unwrap();
    let rig = Rig::start(dir.path(), |b| b).await;
    let id = rig.first();
    rig.rack.dies_at_disk.store(true, Ordering::Release);
    let task = rig
        .hf
        .make_volume(&Ctx::service(), &id, "sata", volume("data", 5 * MIB))
        .await
        .unwrap();
    let key = rig.system(&id).machine.key;
    while !rig.rack.sim_disks(key).await.iter().any(|d| d.ours) {
        tokio::task::yield_now().await;
    }
    rig.hf.close().await.unwrap();
    let Rig { rack, clock, .. } = rig;

    let rig = Rig::on(rack.sim.clone(), clock, dir.path(), |b| b).await;
    let ended = rig.hf.tasks().finished(&task.id).await.unwrap();
    assert_eq!(ended.state, TaskState::Completed, "{ended:?}");
    assert_eq!(
        made(&rig, &id),
        [(Some("data".to_owned()), Some(5 * MIB))],
        "once, although it was there already"
    );
}

#[tokio::test]
async fn volumes_survive_a_restart_of_everything_with_their_names_and_sizes() {
    let dir = tempfile::tempdir().unwrap();
    let rig = Rig::start(dir.path(), |b| b).await;
    let id = rig.first();
    make(&rig, &id, volume("one", 4 * MIB)).await;
    make(&rig, &id, volume("two", 8 * MIB + 1)).await;
    let first = rig
        .system(&id)
        .machine
        .storage
        .disks
        .iter()
        .find(|d| d.ours)
        .unwrap()
        .id
        .clone();
    rig.hf
        .change_volume(
            &Ctx::service(),
            &id,
            &first,
            Some(6 * MIB),
            Some("uno".to_owned()),
        )
        .await
        .unwrap();
    let expected = [
        (Some("uno".to_owned()), Some(6 * MIB)),
        (Some("two".to_owned()), Some(8 * MIB + 512)),
    ];
    assert_eq!(made(&rig, &id), expected, "whole blocks");
    rig.hf.close().await.unwrap();
    drop(rig);

    // The simulated rack is new, too: what it had is told to it.
    let rig = Rig::start(dir.path(), |b| b).await;
    assert_eq!(made(&rig, &id), expected);
    let ctx = Ctx::service();
    let task = rig.hf.delete_volume(&ctx, &id, &first, None).await;
    let task = rig.hf.tasks().finished(&task.unwrap().id).await;
    assert_eq!(task.unwrap().failure, None);
    assert_eq!(made(&rig, &id), expected[1..]);
}

#[tokio::test]
async fn what_was_not_made_through_hawkfish_is_neither_changed_nor_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let rig = Rig::start(dir.path(), |b| b).await;
    let id = rig.first();
    let before = rig.system(&id).machine.storage.clone();
    let theirs = &before.disks[0].id;
    let ctx = Ctx::service();
    let deleted = rig.hf.delete_volume(&ctx, &id, theirs, None).await;
    let grown = rig
        .hf
        .change_volume(&ctx, &id, theirs, Some(1 << 50), None)
        .await;
    let not_allowed = ErrorKind::Conflict(Conflict::NotAllowed);
    assert_eq!(*deleted.unwrap_err().kind(), not_allowed);
    assert_eq!(*grown.unwrap_err().kind(), not_allowed);
    for (bytes, name) in [
        (0, "a"),
        (MIB - 1, "a"),
        (1 << 60, "a"),
        (MIB, ""),
        (MIB, "a\nb"),
    ] {
        let refused = rig
            .hf
            .make_volume(&ctx, &id, "sata", volume(name, bytes))
            .await;
        let error = refused.unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::Invalid { .. }),
            "{error:?}"
        );
    }
    let nowhere = rig
        .hf
        .make_volume(&ctx, &id, "scsi7", volume("a", MIB))
        .await;
    assert!(matches!(
        nowhere.unwrap_err().kind(),
        ErrorKind::NotFound { .. }
    ));
    assert_eq!(rig.system(&id).machine.storage, before);
    assert!(rig.hf.tasks().list(&ctx).is_empty(), "nothing half begun");
}

//! Firmware updates as the whole of core does them: over a restart, and taken back.

use hawkfish_core::ctx::Ctx;
use hawkfish_core::id::SystemId;
use hawkfish_core::systems::ResetType;
use hawkfish_core::tasks::{Task, TaskState};
use hawkfish_core::update::{Source, Update};
use std::sync::Arc;

use crate::rig::Rig;

/// Pushes a firmware for a system that waits for its next reset.
async fn push(rig: &Rig, id: &SystemId, version: &str) -> Arc<Task> {
    let product = rig.system(id).machine.identity.product.clone().unwrap();
    let image =
        format!("{{\"HawkFishFirmware\": 1, \"Target\": {product:?}, \"Version\": {version:?}}}");
    let mut storing = rig.hf.take_in_file(1 << 20).await.unwrap();
    storing.write(image.as_bytes()).await.unwrap();
    let update = Update {
        source: Source::Pushed(storing.finish("firmware").await.unwrap()),
        systems: vec![id.clone()],
        immediate: false,
        request: None,
    };
    let ctx = Ctx::service();
    let task = rig.hf.update_firmware(&ctx, update).await.unwrap();
    waits(rig, &task, 1).await;
    task
}

/// Lets the work come to where it waits for a reset, for the so-manieth time: after a restart it comes there again.
async fn waits(rig: &Rig, task: &Task, times: usize) {
    let ctx = Ctx::service();
    let said = || {
        let now = rig.hf.tasks().get(&ctx, &task.id).unwrap();
        let waits = now
            .messages
            .iter()
            .filter(|m| m.text.contains("waits for systems"));
        waits.count()
    };
    while said() < times {
        tokio::task::yield_now().await;
    }
}

fn version(rig: &Rig, id: &SystemId) -> String {
    let identity = &rig.system(id).machine.identity;
    identity.bios_version.clone().unwrap()
}

async fn reset(rig: &Rig, id: &SystemId, kind: ResetType) {
    rig.hf.reset(&Ctx::service(), id, kind).await.unwrap();
}

#[tokio::test]
async fn an_update_that_waits_for_a_reset_outlives_a_restart_of_everything() {
    let dir = tempfile::tempdir().unwrap();
    let rig = Rig::start(dir.path(), |b| b).await;
    let id = rig.first();
    let before = version(&rig, &id);
    reset(&rig, &id, ResetType::On).await;
    let task = push(&rig, &id, "9.9.9").await;
    assert_eq!(version(&rig, &id), before);
    rig.hf.close().await.unwrap();
    drop(rig);

    // The rack is new, too, and knows nothing of what was laid ready.
    let rig = Rig::start(dir.path(), |b| b).await;
    waits(&rig, &task, 2).await;
    assert_eq!(version(&rig, &id), before);
    reset(&rig, &id, ResetType::ForceRestart).await;
    let ended = rig.hf.tasks().finished(&task.id).await.unwrap();
    assert_eq!(ended.state, TaskState::Completed, "{ended:?}");
    assert_eq!(version(&rig, &id), "9.9.9");
    rig.hf.close().await.unwrap();
    drop(rig);
    let rig = Rig::start(dir.path(), |b| b).await;
    assert_eq!(version(&rig, &id), "9.9.9", "and it stays");
}

#[tokio::test]
async fn an_update_that_is_cancelled_is_taken_back() {
    let dir = tempfile::tempdir().unwrap();
    let rig = Rig::start(dir.path(), |b| b).await;
    let id = rig.first();
    let before = version(&rig, &id);
    reset(&rig, &id, ResetType::On).await;
    let task = push(&rig, &id, "9.9.9").await;
    let ctx = Ctx::service();
    rig.hf.tasks().cancel(&ctx, &task.id).await.unwrap();
    let ended = rig.hf.tasks().finished(&task.id).await.unwrap();
    assert_eq!(ended.state, TaskState::Cancelled);
    reset(&rig, &id, ResetType::ForceRestart).await;
    assert_eq!(version(&rig, &id), before);
    let left = std::fs::read_dir(dir.path().join("media")).unwrap();
    assert_eq!(left.count(), 0, "nothing of the image is left");
}

//! What becomes of tasks and of their parts, and what is told of it: over restarts, too.

use std::path::Path;
use std::sync::Arc;

use hawkfish_core::backend::sim::{Profile, SimBackend, SimSettings};
use hawkfish_core::clock::ManualClock;
use hawkfish_core::ctx::Ctx;
use hawkfish_core::error::{Conflict, Error, ErrorKind};
use hawkfish_core::events::{Subject, TaskNews};
use hawkfish_core::id::{SystemId, TaskId};
use hawkfish_core::logs::What;
use hawkfish_core::systems::ResetType;
use hawkfish_core::tasks::{NewPart, NewTask, Task, TaskState};
use hawkfish_core::update::{Source, Update};
use jiff::SignedDuration;
use serde_json::json;

use crate::rig::Rig;

/// What the stream tells of tasks, in words short enough to read: the numbers of the task and of its part, and what.
pub(crate) async fn told(rig: &Rig) -> Vec<String> {
    rig.hf.store().flush().await.unwrap();
    let all = rig.hf.events().read(0, usize::MAX >> 1).await.unwrap();
    let one = |about: &Subject, what: &What| {
        let about = match about {
            Subject::Task(task) => task.to_string(),
            Subject::SubTask { task, part } => format!("{task}/{part}"),
            _ => return None,
        };
        Some(match what {
            What::Task(TaskNews::Progress(percent)) => format!("{about} {percent}%"),
            What::Task(news) => format!("{about} {news:?}"),
            other => format!("{about} {other:?}"),
        })
    };
    all.iter()
        .filter_map(|told| one(&told.happened().about, &told.happened().event.what))
        .collect()
}

fn new(resumable: bool) -> NewTask {
    NewTask {
        name: "work".to_owned(),
        subject: None,
        kind: "test".to_owned(),
        payload: json!({}),
        request: None,
        resumable,
    }
}

async fn make(rig: &Rig, resumable: bool) -> TaskId {
    let task = rig.hf.tasks().create(&Ctx::service(), new(resumable)).await;
    task.unwrap().id.clone()
}

async fn split<const N: usize>(rig: &Rig, task: &TaskId, names: [&str; N]) -> [TaskId; N] {
    let part = |name: &str| NewPart {
        name: name.to_owned(),
        subject: None,
    };
    let parts = names.into_iter().map(part).collect();
    let parts = rig.hf.tasks().split(task, parts).await.unwrap();
    let ids: Vec<TaskId> = parts.iter().map(|part| part.id.clone()).collect();
    ids.try_into().unwrap()
}

fn part(rig: &Rig, task: &TaskId, part: &TaskId) -> Arc<Task> {
    rig.hf.tasks().part(&Ctx::service(), task, part).unwrap()
}

fn task(rig: &Rig, task: &TaskId) -> Arc<Task> {
    rig.hf.tasks().get(&Ctx::service(), task).unwrap()
}

/// Ends everything and starts it again, on the same machines and with the same store.
async fn restarted(rig: Rig, dir: &Path) -> Rig {
    rig.hf.close().await.unwrap();
    let Rig { rack, clock, .. } = rig;
    Rig::on(rack.sim.clone(), clock, dir, |b| b).await
}

#[tokio::test]
async fn a_task_tells_when_it_starts_gets_on_ends_and_is_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let rig = Rig::start(dir.path(), |b| b).await;
    let id = make(&rig, false).await;
    let handle = rig.hf.tasks().handle(&id);
    for percent in 0..=45 {
        handle.progress(percent, None);
    }
    handle.finish(Ok(())).await.unwrap();
    // A handle more makes no news.
    rig.hf.tasks().handle(&id).progress(90, None);
    assert_eq!(
        told(&rig).await,
        [
            "1 Started",
            "1 10%",
            "1 20%",
            "1 30%",
            "1 40%",
            "1 Completed"
        ]
    );
    rig.clock.advance(SignedDuration::from_mins(60));
    rig.hf.tick().await.unwrap();
    assert!(rig.hf.tasks().list(&Ctx::service()).is_empty());
    assert_eq!(told(&rig).await.last().unwrap(), "1 Removed");
}

#[tokio::test]
async fn how_far_a_task_is_makes_no_commit_of_its_own_and_is_told_with_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let rig = Rig::start(dir.path(), |b| b).await;
    let id = make(&rig, true).await;
    let before = rig.hf.events().last();
    let handle = rig.hf.tasks().handle(&id);
    handle.progress(50, Some("half of it"));
    // The writer has had the turns it needs when it has answered a reader of its own.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(rig.hf.events().last(), before);
    assert_eq!(task(&rig, &id).percent, 50);
    rig.hf
        .tasks()
        .set_auto_delete(&Ctx::service(), 7)
        .await
        .unwrap();
    assert_eq!(told(&rig).await, ["1 Started", "1 50%"]);
    // It is stored by that, too.
    let rig = restarted(rig, dir.path()).await;
    assert_eq!(task(&rig, &id).percent, 50);
    assert_eq!(task(&rig, &id).messages[0].text, "half of it");
}

#[tokio::test]
async fn every_end_of_a_task_has_its_own_news() {
    let dir = tempfile::tempdir().unwrap();
    let rig = Rig::start(dir.path(), |b| b).await;
    let ctx = Ctx::service();
    let failed = make(&rig, false).await;
    let handle = rig.hf.tasks().handle(&failed);
    handle.finish(Err(Error::backend("no"))).await.unwrap();
    let warned = make(&rig, false).await;
    let handle = rig.hf.tasks().handle(&warned);
    handle.warn("Look at it.");
    handle.finish(Ok(())).await.unwrap();
    let cancelled = make(&rig, false).await;
    let handle = rig.hf.tasks().handle(&cancelled);
    rig.hf.tasks().cancel(&ctx, &cancelled).await.unwrap();
    handle.finish(Err(Error::backend("stopped"))).await.unwrap();
    let idle = make(&rig, false).await;
    rig.hf.tasks().cancel(&ctx, &idle).await.unwrap();
    let deleted = make(&rig, false).await;
    let _handle = rig.hf.tasks().handle(&deleted);
    rig.hf.tasks().delete(&ctx, &deleted).await.unwrap();
    assert_eq!(
        told(&rig).await,
        [
            "1 Started",
            "1 Failed",
            "2 Started",
            "2 CompletedWithWarning",
            "3 Started",
            "3 Changed",
            "3 Cancelled",
            "4 Cancelled",
            "5 Started",
            "5 Removed",
        ]
    );
}

#[tokio::test]
async fn a_task_that_a_restart_cuts_off_tells_that_and_that_it_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let rig = Rig::start(dir.path(), |b| b).await;
    let id = rig.first();
    let ctx = Ctx::service();
    rig.hf.reset(&ctx, &id, ResetType::On).await.unwrap();
    let lost = make(&rig, false).await;
    let _working = rig.hf.tasks().handle(&lost);
    let product = rig.system(&id).machine.identity.product.clone().unwrap();
    let update = push(&rig, &product, "9.9.9", vec![id.clone()]).await;
    waits(&rig, &update, 1).await;
    assert_eq!(
        told(&rig).await,
        ["1 Started", "2 Started", "2 30%", "2 60%", "2 80%"]
    );
    let rig = restarted(rig, dir.path()).await;
    waits(&rig, &update, 2).await;
    rig.hf
        .reset(&ctx, &id, ResetType::ForceRestart)
        .await
        .unwrap();
    rig.hf.tasks().finished(&update).await.unwrap();
    let all = told(&rig).await;
    let of = |task: &str| {
        let mine = all.iter().filter(|line| line.starts_with(task));
        mine.map(String::as_str).collect::<Vec<_>>()
    };
    assert_eq!(of("1 "), ["1 Started", "1 Failed"]);
    assert_eq!(
        of("2 "),
        [
            "2 Started",
            "2 30%",
            "2 60%",
            "2 80%",
            "2 Paused",
            "2 Resumed",
            "2 Completed"
        ]
    );
}

#[tokio::test]
async fn a_power_cycle_tells_of_its_task() {
    let dir = tempfile::tempdir().unwrap();
    let rig = Rig::start(dir.path(), |b| b).await;
    let (ctx, id) = (Ctx::service(), rig.first());
    rig.hf.reset(&ctx, &id, ResetType::On).await.unwrap();
    rig.hf
        .reset(&ctx, &id, ResetType::PowerCycle)
        .await
        .unwrap();
    assert_eq!(told(&rig).await, ["1 Started", "1 Completed"]);
}

#[tokio::test]
async fn a_task_is_as_far_as_its_parts_are_and_they_are_no_tasks_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let rig = Rig::start(dir.path(), |b| b).await;
    let (ctx, tasks) = (Ctx::service(), rig.hf.tasks().clone());
    let whole = make(&rig, true).await;
    let handle = tasks.handle(&whole);
    let [a, b] = split(&rig, &whole, ["a", "b"]).await;
    assert_eq!(task(&rig, &whole).parts, [a.clone(), b.clone()]);
    assert_eq!(
        split(&rig, &whole, ["c", "d"]).await,
        [a.clone(), b.clone()]
    );
    assert_eq!(tasks.list(&ctx).len(), 1);
    assert!(tasks.get(&ctx, &a).is_err());
    assert!(tasks.cancel(&ctx, &a).await.is_err());
    assert!(tasks.delete(&ctx, &a).await.is_err());
    assert!(tasks.part(&ctx, &whole, &whole).is_err());
    assert_eq!(part(&rig, &whole, &a).parent, Some(whole.clone()));

    let (first, second) = (tasks.handle(&a), tasks.handle(&b));
    first.progress(60, None);
    assert_eq!(task(&rig, &whole).percent, 30);
    first.finish(Ok(())).await.unwrap();
    assert_eq!(task(&rig, &whole).percent, 50);
    second.progress(99, None);
    second.finish(Err(Error::backend("no"))).await.unwrap();
    let now = task(&rig, &whole);
    assert_eq!((now.state, now.percent), (TaskState::Running, 100));
    handle.finish(Ok(())).await.unwrap();
    assert_eq!(
        told(&rig).await,
        [
            "1 Started",
            "1/2 Started",
            "1/3 Started",
            "1/2 60%",
            "1 30%",
            "1/2 Completed",
            "1 50%",
            "1/3 99%",
            "1 99%",
            "1/3 Failed",
            "1 Completed",
        ]
    );
    rig.clock.advance(SignedDuration::from_mins(60));
    rig.hf.tick().await.unwrap();
    assert!(tasks.part(&ctx, &whole, &a).is_err());
    let all = told(&rig).await;
    assert_eq!(
        all[all.len() - 3..],
        ["1/3 Removed", "1/2 Removed", "1 Removed"]
    );
    assert_eq!(rig.hf.store().next_due(), None);
}

#[tokio::test]
async fn parts_are_cancelled_and_fail_with_what_they_are_parts_of() {
    let dir = tempfile::tempdir().unwrap();
    let rig = Rig::start(dir.path(), |b| b).await;
    let (ctx, tasks) = (Ctx::service(), rig.hf.tasks().clone());
    let whole = make(&rig, true).await;
    let handle = tasks.handle(&whole);
    let [done, working, waiting] = split(&rig, &whole, ["done", "working", "waiting"]).await;
    tasks.handle(&done).finish(Ok(())).await.unwrap();
    let work = tasks.handle(&working);
    tasks.cancel(&ctx, &whole).await.unwrap();
    assert!(work.cancelled().is_cancelled() && handle.cancelled().is_cancelled());
    let states = |rig: &Rig, all: [&TaskId; 3]| all.map(|id| part(rig, &whole, id).state);
    assert_eq!(
        states(&rig, [&done, &working, &waiting]),
        [
            TaskState::Completed,
            TaskState::Cancelling,
            TaskState::Cancelled
        ]
    );
    let late = tasks.split(&whole, Vec::new()).await;
    assert_eq!(late.unwrap().len(), 3);
    let stopped = Error::conflict(Conflict::NotAllowed, "The task was cancelled.");
    handle.finish(Err(stopped)).await.unwrap();
    assert_eq!(
        states(&rig, [&done, &working, &waiting]),
        [
            TaskState::Completed,
            TaskState::Cancelled,
            TaskState::Cancelled
        ]
    );

    // One that fails takes along what has begun; what has not is left out.
    let whole = make(&rig, true).await;
    let handle = tasks.handle(&whole);
    let [working, waiting] = split(&rig, &whole, ["working", "waiting"]).await;
    let _work = tasks.handle(&working);
    handle.finish(Err(Error::backend("Broken."))).await.unwrap();
    let failed = part(&rig, &whole, &working);
    assert_eq!(failed.state, TaskState::Exception);
    assert_eq!(failed.failure.as_ref().unwrap().message, "Broken.");
    assert_eq!(part(&rig, &whole, &waiting).state, TaskState::Cancelled);
    assert!(matches!(
        tasks
            .split(
                &make(&rig, true).await,
                vec![
                    NewPart {
                        name: String::new(),
                        subject: None
                    };
                    1_001
                ]
            )
            .await
            .unwrap_err()
            .kind(),
        ErrorKind::LimitExceeded { .. }
    ));
}

#[tokio::test]
async fn an_update_of_several_systems_has_a_part_for_each_over_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let rig = alike(dir.path()).await;
    let ctx = Ctx::service();
    let ids: Vec<SystemId> = rig.systems().iter().map(|s| s.id.clone()).collect();
    for id in &ids {
        rig.hf.reset(&ctx, id, ResetType::On).await.unwrap();
    }
    let product = rig
        .system(&ids[0])
        .machine
        .identity
        .product
        .clone()
        .unwrap();
    let update = push(&rig, &product, "9.9.9", Vec::new()).await;
    waits(&rig, &update, 1).await;
    let parts = rig.hf.tasks().parts(&ctx, &update).unwrap();
    let subjects: Vec<_> = parts.iter().map(|p| p.subject.clone().unwrap()).collect();
    assert_eq!(subjects, ids);
    assert!(
        parts
            .iter()
            .all(|p| (p.state, p.percent) == (TaskState::Running, 50))
    );

    // The first is updated, and its part is done, while the second waits.
    let first = rig.hf.tasks().finished(&parts[0].id);
    rig.hf
        .reset(&ctx, &ids[0], ResetType::ForceRestart)
        .await
        .unwrap();
    assert_eq!(first.await.unwrap().state, TaskState::Completed);
    assert_eq!(part(&rig, &update, &parts[1].id).state, TaskState::Running);

    let rig = restarted(rig, dir.path()).await;
    assert_eq!(
        part(&rig, &update, &parts[0].id).state,
        TaskState::Completed
    );
    waits(&rig, &update, 2).await;
    rig.hf
        .reset(&ctx, &ids[1], ResetType::ForceRestart)
        .await
        .unwrap();
    let ended = rig.hf.tasks().finished(&update).await.unwrap();
    assert_eq!((ended.state, ended.parts.len()), (TaskState::Completed, 2));
    assert_eq!(
        part(&rig, &update, &parts[1].id).state,
        TaskState::Completed
    );
    let all = told(&rig).await;
    let second: Vec<_> = all.iter().filter(|line| line.starts_with("1/3 ")).collect();
    assert_eq!(
        second,
        [
            "1/3 Started",
            "1/3 50%",
            "1/3 Paused",
            "1/3 Resumed",
            "1/3 Completed"
        ]
    );
}

#[tokio::test]
async fn cancelling_an_update_of_several_systems_takes_all_of_it_back() {
    let dir = tempfile::tempdir().unwrap();
    let rig = alike(dir.path()).await;
    let ctx = Ctx::service();
    let version = |rig: &Rig, id: &SystemId| rig.system(id).machine.identity.bios_version.clone();
    let ids: Vec<SystemId> = rig.systems().iter().map(|s| s.id.clone()).collect();
    for id in &ids {
        rig.hf.reset(&ctx, id, ResetType::On).await.unwrap();
    }
    let before: Vec<_> = ids.iter().map(|id| version(&rig, id)).collect();
    let product = rig
        .system(&ids[0])
        .machine
        .identity
        .product
        .clone()
        .unwrap();
    let update = push(&rig, &product, "9.9.9", Vec::new()).await;
    waits(&rig, &update, 1).await;
    rig.hf.tasks().cancel(&ctx, &update).await.unwrap();
    let ended = rig.hf.tasks().finished(&update).await.unwrap();
    assert_eq!(ended.state, TaskState::Cancelled);
    let parts = rig.hf.tasks().parts(&ctx, &update).unwrap();
    assert!(
        parts.iter().all(|part| part.state == TaskState::Cancelled),
        "{parts:?}"
    );
    for id in &ids {
        rig.hf
            .reset(&ctx, id, ResetType::ForceRestart)
            .await
            .unwrap();
    }
    let after: Vec<_> = ids.iter().map(|id| version(&rig, id)).collect();
    assert_eq!(after, before);
}

#[tokio::test]
async fn that_the_end_of_a_task_was_told_outlives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let rig = Rig::start(dir.path(), |b| b).await;
    let ctx = Ctx::service();
    let id = make(&rig, false).await;
    rig.hf.tasks().handle(&id).finish(Ok(())).await.unwrap();
    assert!(!rig.hf.tasks().end_is_told(&ctx, &id).unwrap());
    assert!(rig.hf.tasks().tell_end(&ctx, &id).unwrap());
    assert!(!rig.hf.tasks().tell_end(&ctx, &id).unwrap());
    let rig = restarted(rig, dir.path()).await;
    assert!(rig.hf.tasks().end_is_told(&ctx, &id).unwrap());
    assert!(!rig.hf.tasks().tell_end(&ctx, &id).unwrap());
}

/// On two machines of one make.
async fn alike(dir: &Path) -> Rig {
    let clock = Arc::new(ManualClock::new("2026-01-01T00:00:00Z".parse().unwrap()));
    let settings = SimSettings {
        systems: 2,
        profiles: Profile::all()[..1].to_vec(),
        ..SimSettings::default()
    };
    let sim = SimBackend::new(settings, clock.clone());
    Rig::on(sim, clock, dir, |b| b).await
}

/// Pushes a firmware for systems, which wait for their next reset.
async fn push(rig: &Rig, product: &str, version: &str, systems: Vec<SystemId>) -> TaskId {
    let image = json!({"HawkFishFirmware": 1, "Target": product, "Version": version}).to_string();
    let mut storing = rig.hf.take_in_file(1 << 20).await.unwrap();
    storing.write(image.as_bytes()).await.unwrap();
    let update = Update {
        source: Source::Pushed(storing.finish("firmware").await.unwrap()),
        systems,
        immediate: false,
        request: None,
    };
    let task = rig.hf.update_firmware(&Ctx::service(), update).await;
    task.unwrap().id.clone()
}

/// Lets the work on an update come to where it waits for systems to be reset, for the so-manieth time: after a restart it comes there again.
async fn waits(rig: &Rig, id: &TaskId, times: usize) {
    let said = |rig: &Rig| {
        let all = task(rig, id).messages.clone();
        let waits = all.iter().filter(|m| m.text.contains("waits for systems"));
        waits.count()
    };
    while said(rig) < times {
        tokio::task::yield_now().await;
    }
}

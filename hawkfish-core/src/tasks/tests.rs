use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::clock::ManualClock;
use crate::ctx::Actor;
use crate::id::{RequestId, RoleId};

fn start() -> Timestamp {
    Timestamp::from_second(1_900_000_000).unwrap()
}

async fn tasks() -> (Store, Arc<ManualClock>, Tasks) {
    let store = Store::open(None).await.unwrap();
    let clock = Arc::new(ManualClock::new(start()));
    let tasks = Tasks::open(&store, clock.clone()).await.unwrap();
    (store, clock, tasks)
}

fn new(name: &str, resumable: bool) -> NewTask {
    NewTask {
        name: name.to_owned(),
        subject: Some(SystemId::parse("s1").unwrap()),
        kind: "test".to_owned(),
        payload: json!({"step": 1}),
        request: Some(RequestPayload {
            uri: "/redfish/v1/Systems/s1".to_owned(),
            method: "POST".to_owned(),
            body: Some(json!({"Image": "http://h/i.iso"})),
        }),
        resumable,
    }
}

fn in_project(project: &str) -> Ctx {
    Ctx {
        actor: Actor::Account {
            id: AccountId::parse("7").unwrap(),
            name: "p".into(),
            role: RoleId::parse("Operator").unwrap(),
            session: None,
        },
        project: Some(ProjectId::parse(project).unwrap()),
        ..Ctx::anonymous(RequestId::parse("r").unwrap(), None)
    }
}

async fn serve_due(store: &Store, clock: &ManualClock, tasks: &Tasks) {
    for row in due::take_due(store, clock.now(), 100).await.unwrap() {
        assert_eq!(row.kind, DUE_DELETE);
        tasks.on_due(&row).await.unwrap();
    }
}

#[tokio::test]
async fn a_task_runs_says_how_far_it_is_and_completes() {
    let (store, clock, tasks) = tasks().await;
    let ctx = Ctx::service();
    let task = tasks.create(&ctx, new("copy", false)).await.unwrap();
    assert_eq!(
        (task.id.as_str(), task.state, task.percent),
        ("1", TaskState::New, 0)
    );

    let handle = tasks.handle(&task.id);
    assert_eq!(tasks.get(&ctx, &task.id).unwrap().state, TaskState::Running);
    let waiter = tokio::spawn({
        let (tasks, id) = (tasks.clone(), task.id.clone());
        async move { tasks.finished(&id).await }
    });
    clock.advance(SignedDuration::from_secs(3));
    handle.progress(40, Some("half of it"));
    handle.progress(30, None);
    let now = tasks.get(&ctx, &task.id).unwrap();
    assert_eq!(now.percent, 40, "progress does not go back");
    assert_eq!(now.messages[0].text, "half of it");
    assert_eq!(now.messages[0].at, clock.now());
    assert!(now.generation > task.generation);

    handle.finish(Ok(())).await.unwrap();
    let done = waiter.await.unwrap().unwrap();
    assert_eq!(
        (done.state, done.percent, done.end),
        (TaskState::Completed, 100, Some(clock.now()))
    );
    // The first end counts.
    handle.finish(Err(Error::backend("late"))).await.unwrap();
    assert_eq!(
        tasks.get(&ctx, &task.id).unwrap().state,
        TaskState::Completed
    );

    clock.advance(SignedDuration::from_mins(60) - SignedDuration::from_secs(1));
    serve_due(&store, &clock, &tasks).await;
    assert!(tasks.get(&ctx, &task.id).is_ok());
    clock.advance(SignedDuration::from_secs(1));
    serve_due(&store, &clock, &tasks).await;
    assert!(matches!(
        tasks.get(&ctx, &task.id).unwrap_err().kind(),
        ErrorKind::NotFound { .. }
    ));
    assert_eq!(store.next_due(), None);
    let next = tasks.create(&ctx, new("next", false)).await.unwrap();
    assert_eq!(next.id.as_str(), "2", "numbers are not used again");
}

#[tokio::test]
async fn a_failed_task_keeps_the_error_that_its_operation_had() {
    let (_store, _clock, tasks) = tasks().await;
    let task = tasks
        .create(&Ctx::service(), new("copy", false))
        .await
        .unwrap();
    let error = Error::conflict(Conflict::Occupied, "The slot holds a medium.");
    tasks
        .handle(&task.id)
        .finish(Err(error.clone()))
        .await
        .unwrap();
    let task = tasks.finished(&task.id).await.unwrap();
    assert_eq!(task.state, TaskState::Exception);
    let back = Error::from(task.failure.as_ref().unwrap());
    assert_eq!(
        (back.kind(), back.message()),
        (error.kind(), error.message())
    );
    assert_eq!(task.messages.last().unwrap().severity, Severity::Critical);
}

#[tokio::test]
async fn every_error_survives_being_stored() {
    let kinds = [
        ErrorKind::NotFound {
            what: "Task",
            id: "7".to_owned(),
        },
        ErrorKind::AlreadyExists {
            what: "Role",
            property: "RoleId",
            value: "x".to_owned(),
        },
        ErrorKind::Invalid {
            property: "/Image".into(),
            value: "x".to_owned(),
            reason: Invalid::Length { min: 1, max: 2 },
        },
        ErrorKind::PropertyConflict {
            property: "/A".into(),
            with: "/B".into(),
        },
        ErrorKind::Conflict(Conflict::PowerOffRequired),
        ErrorKind::Unsupported {
            what: "Suspend".to_owned(),
        },
        ErrorKind::AddressRefused {
            uri: "file:///etc".to_owned(),
        },
        ErrorKind::Upstream {
            uri: "http://h/".to_owned(),
        },
        ErrorKind::Unavailable {
            retry_after: Duration::from_millis(5_250),
        },
        ErrorKind::Unauthenticated,
        ErrorKind::Forbidden,
        ErrorKind::PasswordChangeRequired {
            account: AccountId::parse("1").unwrap(),
        },
        ErrorKind::SessionLimit,
        ErrorKind::LimitExceeded { what: "tasks" },
        ErrorKind::Backend,
        ErrorKind::Internal,
    ];
    for kind in kinds {
        let error = Error::new(kind, "A sentence.");
        let text = serde_json::to_string(&Failure::from(&error)).unwrap();
        let failure: Failure = serde_json::from_str(&text).unwrap();
        let back = Error::from(&failure);
        assert_eq!(
            (back.kind(), back.message()),
            (error.kind(), error.message())
        );
    }
}

#[tokio::test]
async fn cancelling_tells_the_work_and_waits_for_its_end() {
    let (_store, _clock, tasks) = tasks().await;
    let ctx = Ctx::service();
    let task = tasks.create(&ctx, new("copy", false)).await.unwrap();
    let handle = tasks.handle(&task.id);
    let stop = handle.cancelled();
    assert!(!stop.is_cancelled());
    assert_eq!(
        tasks.cancel(&ctx, &task.id).await.unwrap().state,
        TaskState::Cancelling
    );
    assert!(stop.is_cancelled());
    handle
        .finish(Err(Error::conflict(Conflict::NotAllowed, "Stopped.")))
        .await
        .unwrap();
    assert_eq!(
        tasks.finished(&task.id).await.unwrap().state,
        TaskState::Cancelled
    );
    let again = tasks.cancel(&ctx, &task.id).await.unwrap_err();
    assert_eq!(*again.kind(), ErrorKind::Conflict(Conflict::NotAllowed));

    // One that nobody works on has ended at once, and whoever comes to it late is told to stop.
    let idle = tasks.create(&ctx, new("idle", false)).await.unwrap();
    assert_eq!(
        tasks.cancel(&ctx, &idle.id).await.unwrap().state,
        TaskState::Cancelled
    );
    let late = tasks.handle(&idle.id);
    assert!(late.cancelled().is_cancelled());
    late.finish(Ok(())).await.unwrap();
    assert_eq!(
        tasks.get(&ctx, &idle.id).unwrap().state,
        TaskState::Cancelled
    );

    // Work that was done before it heard of it is done.
    let quick = tasks.create(&ctx, new("quick", false)).await.unwrap();
    let handle = tasks.handle(&quick.id);
    tasks.cancel(&ctx, &quick.id).await.unwrap();
    handle.finish(Ok(())).await.unwrap();
    assert_eq!(
        tasks.get(&ctx, &quick.id).unwrap().state,
        TaskState::Completed
    );
}

#[tokio::test]
async fn a_deleted_task_stops_and_says_nothing_more() {
    let (store, _clock, tasks) = tasks().await;
    let ctx = Ctx::service();
    let task = tasks.create(&ctx, new("copy", true)).await.unwrap();
    let handle = tasks.handle(&task.id);
    tasks.delete(&ctx, &task.id).await.unwrap();
    assert!(handle.cancelled().is_cancelled());
    handle.progress(50, Some("still here"));
    handle.finish(Ok(())).await.unwrap();
    assert!(tasks.get(&ctx, &task.id).is_err());
    assert!(tasks.finished(&task.id).await.is_err());
    assert!(tasks.delete(&ctx, &task.id).await.is_err());
    assert_eq!(store.next_due(), None);
    let reopened = Tasks::open(&store, Arc::new(ManualClock::new(start())))
        .await
        .unwrap();
    assert!(reopened.list(&ctx).is_empty());
    // A handle of what is not there is harmless.
    let nobody = tasks.handle(&TaskId::parse("99").unwrap());
    assert!(nobody.cancelled().is_cancelled());
    nobody.progress(1, None);
    nobody.finish(Ok(())).await.unwrap();
}

#[tokio::test]
async fn after_a_restart_tasks_are_taken_up_or_have_failed_with_a_reason() {
    let dir = tempfile::tempdir().unwrap();
    let ctx = Ctx::service();
    let clock = Arc::new(ManualClock::new(start()));
    let store = Store::open(Some(dir.path())).await.unwrap();
    let tasks = Tasks::open(&store, clock.clone()).await.unwrap();
    let done = tasks.create(&ctx, new("done", true)).await.unwrap();
    tasks.handle(&done.id).finish(Ok(())).await.unwrap();
    let again = tasks.create(&ctx, new("again", true)).await.unwrap();
    let handle = tasks.handle(&again.id);
    handle.progress(70, None);
    handle.set_payload(json!({"step": 2})).await.unwrap();
    let lost = tasks.create(&ctx, new("lost", false)).await.unwrap();
    let _working = tasks.handle(&lost.id);
    let stopping = tasks.create(&ctx, new("stopping", true)).await.unwrap();
    let _working = tasks.handle(&stopping.id);
    tasks.cancel(&ctx, &stopping.id).await.unwrap();
    store.close().await;

    clock.advance(SignedDuration::from_secs(10));
    let store = Store::open(Some(dir.path())).await.unwrap();
    let tasks = Tasks::open(&store, clock.clone()).await.unwrap();
    let state = |id: &TaskId| tasks.get(&ctx, id).unwrap().state;
    assert_eq!(*tasks.get(&ctx, &done.id).unwrap(), *{
        let mut same = Task::clone(&done);
        same.state = TaskState::Completed;
        same.percent = 100;
        same.end = Some(start());
        same.generation = tasks.get(&ctx, &done.id).unwrap().generation;
        Arc::new(same)
    });
    assert_eq!(state(&stopping.id), TaskState::Cancelled);
    let failed = tasks.get(&ctx, &lost.id).unwrap();
    assert_eq!(failed.state, TaskState::Exception);
    assert!(
        failed
            .failure
            .as_ref()
            .unwrap()
            .message
            .contains("restarted")
    );
    assert_eq!(failed.end, Some(clock.now()));

    let resume = tasks.to_resume();
    assert_eq!(resume.len(), 1);
    assert_eq!(
        (resume[0].id.clone(), resume[0].payload.clone()),
        (again.id.clone(), json!({"step": 2}))
    );
    assert_eq!(resume[0].state, TaskState::Interrupted);
    tasks.handle(&again.id).finish(Ok(())).await.unwrap();
    assert_eq!(state(&again.id), TaskState::Completed);
    assert!(tasks.to_resume().is_empty());

    // All of them go in their time.
    clock.advance(SignedDuration::from_mins(60));
    serve_due(&store, &clock, &tasks).await;
    assert!(tasks.list(&ctx).is_empty());
    store.close().await;
}

#[tokio::test]
async fn the_time_of_deletion_can_be_set_and_holds_for_those_ended_too() {
    let (store, clock, tasks) = tasks().await;
    let ctx = Ctx::service();
    let task = tasks.create(&ctx, new("copy", false)).await.unwrap();
    tasks.handle(&task.id).finish(Ok(())).await.unwrap();
    for bad in [0, MOST_AUTO_DELETE_MINUTES + 1] {
        let error = tasks.set_auto_delete(&ctx, bad).await.unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::Invalid { property, .. } if property == "/TaskAutoDeleteTimeoutMinutes")
        );
    }
    tasks.set_auto_delete(&ctx, 5).await.unwrap();
    assert_eq!(tasks.auto_delete(), 5);
    clock.advance(SignedDuration::from_mins(5));
    serve_due(&store, &clock, &tasks).await;
    assert!(tasks.list(&ctx).is_empty());
    assert_eq!(Tasks::open(&store, clock).await.unwrap().auto_delete(), 5);
}

#[tokio::test]
async fn a_project_sees_its_own_tasks() {
    let (_store, _clock, tasks) = tasks().await;
    let (red, blue) = (in_project("red"), in_project("blue"));
    let task = tasks.create(&red, new("red", false)).await.unwrap();
    assert_eq!(task.owner, Some(AccountId::parse("7").unwrap()));
    assert_eq!(tasks.list(&red).len(), 1);
    assert!(tasks.list(&blue).is_empty());
    assert!(tasks.get(&blue, &task.id).is_err());
    assert!(tasks.cancel(&blue, &task.id).await.is_err());
    assert!(tasks.delete(&blue, &task.id).await.is_err());
    assert_eq!(tasks.list(&Ctx::service()).len(), 1);
}

#[tokio::test]
async fn tasks_are_listed_by_number_and_known_by_one_spelling() {
    let (_store, _clock, tasks) = tasks().await;
    let ctx = Ctx::service();
    for n in 0..12 {
        tasks
            .create(&ctx, new(&format!("task {n}"), false))
            .await
            .unwrap();
    }
    let ids: Vec<_> = tasks.list(&ctx).iter().map(|t| t.id.to_string()).collect();
    assert_eq!(ids, (1..=12).map(|n| n.to_string()).collect::<Vec<_>>());
    for other in ["01", "1.0", "-1", "x"] {
        assert!(
            tasks.get(&ctx, &TaskId::parse(other).unwrap()).is_err(),
            "{other}"
        );
    }
}

fn any_task() -> impl Strategy<Value = Task> {
    (
        proptest::sample::select(TaskState::ALL.to_vec()),
        0..=100_u8,
        any::<bool>(),
    )
        .prop_map(|(state, percent, resumable)| Task {
            id: TaskId::parse("1").unwrap(),
            name: "t".to_owned(),
            kind: "k".to_owned(),
            parent: None,
            parts: Vec::new(),
            subject: None,
            project: None,
            face: None,
            owner: None,
            state,
            percent,
            resumable,
            payload: Value::Null,
            request: None,
            messages: Vec::new(),
            start: start(),
            end: state.ended().then(start),
            failure: None,
            generation: 1,
        })
}

fn any_event() -> impl Strategy<Value = Event> {
    let failure = Failure::from(&Error::backend("no"));
    prop_oneof![
        Just(Event::Started),
        (any::<u8>(), proptest::option::of("[a-z]{1,8}"))
            .prop_map(|(percent, message)| Event::Progress { percent, message }),
        Just(Event::CancelAsked),
        Just(Event::Warned("w".to_owned())),
        Just(Event::Finished(Ok(()))),
        Just(Event::Finished(Err(failure))),
        Just(Event::Restarted),
    ]
}

proptest! {
    #[test]
    fn a_task_never_leaves_its_end_and_never_goes_back(
        task in any_task(),
        events in proptest::collection::vec(any_event(), 0..130),
    ) {
        let mut task = task;
        for event in events {
            let before = task.clone();
            let (after, effects) = task.event(start(), event.clone());
            if before.state.ended() {
                prop_assert_eq!(&after, &before);
                prop_assert!(effects.is_empty());
            }
            prop_assert!(after.percent >= before.percent && after.percent <= 100);
            let same = Task { generation: before.generation, ..after.clone() } == before;
            prop_assert_eq!(after.generation, before.generation + u64::from(!same));
            prop_assert_eq!(after.end.is_some(), after.state.ended());
            // Whoever waits is told exactly once, and an end is always stored.
            let ends = after.state.ended() && !before.state.ended();
            prop_assert_eq!(effects.contains(&Effect::Ended), ends);
            prop_assert!(!ends || effects.contains(&Effect::Store));
            prop_assert!(after.messages.len() <= MOST_MESSAGES);
            if event == Event::Restarted {
                prop_assert!(after.state.ended() || after.state == TaskState::Interrupted);
            }
            task = after;
        }
    }
}

//! Jobs: done at their time, with the rights of who made them, never twice, and not forgotten by a crash.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use hawkfish_core::accounts::{AccountChange, NewAccount};
use hawkfish_core::backend::Power;
use hawkfish_core::clock::Clock as _;
use hawkfish_core::ctx::{Actor, Ctx};
use hawkfish_core::events::Subject;
use hawkfish_core::id::{JobId, SystemId};
use hawkfish_core::jobs::{Job, JobState, NewJob, Schedule, Work};
use hawkfish_core::systems::ResetType;
use hawkfish_core::tasks::RequestPayload;
use jiff::{SignedDuration, Timestamp};

use crate::rig::Rig;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn reset(system: &SystemId, reset: ResetType, schedule: Schedule) -> NewJob {
    NewJob {
        name: None,
        work: Work::Reset {
            system: system.clone(),
            reset,
        },
        request: RequestPayload {
            uri: String::new(),
            method: "POST".to_owned(),
            body: None,
        },
        schedule,
    }
}

/// Lets time go on until `end`, stopping at everything that is due.
async fn go_to(rig: &Rig, end: Timestamp) {
    while let Some(next) = rig.hf.next_due().filter(|next| *next <= end) {
        rig.clock.set(next);
        rig.hf.tick().await.unwrap();
    }
    rig.clock.set(end);
    rig.hf.tick().await.unwrap();
}

fn job(rig: &Rig, id: &JobId) -> Job {
    let job = rig.hf.jobs().get(&Ctx::service(), id).unwrap();
    Job::clone(&job)
}

#[tokio::test]
async fn a_system_that_is_restarted_every_working_night_is_restarted_five_times_a_week() {
    let dir = tempfile::tempdir().unwrap();
    let rig = Rig::start(dir.path(), |b| b).await;
    let (ctx, system) = (Ctx::service(), rig.first());
    rig.hf.reset(&ctx, &system, ResetType::On).await.unwrap();
    let schedule = Schedule {
        days_of_week: BTreeSet::from([1, 2, 3, 4, 5]),
        ..Schedule::every(at("2026-01-01T02:30:00Z"), SignedDuration::from_hours(24))
    };
    let new = reset(&system, ResetType::ForceRestart, schedule);
    let made = rig.hf.jobs().create(&ctx, new).await.unwrap();
    assert_eq!(made.next, Some(at("2026-01-01T02:30:00Z")));

    // 2026-01-01 is a Thursday.
    let mut resets = Vec::new();
    let end = at("2026-01-08T00:00:00Z");
    while let Some(next) = rig.hf.next_due().filter(|next| *next <= end) {
        go_to(&rig, next).await;
        let last = rig.system(&system).machine.last_reset.unwrap();
        if last > at("2026-01-01T01:00:00Z") && resets.last() != Some(&last) {
            resets.push(last);
        }
    }
    let nights = [1, 2, 5, 6, 7].map(|day| at(&format!("2026-01-0{day}T02:30:00Z")));
    assert_eq!(resets, nights);
    let job = job(&rig, &made.id);
    assert_eq!(
        (job.state, job.runs, job.failures),
        (JobState::Pending, 5, 0)
    );
}

#[tokio::test]
async fn a_job_survives_a_restart_and_is_done_at_its_time_and_once() {
    let dir = tempfile::tempdir().unwrap();
    let rig = Rig::start(dir.path(), |b| b).await;
    let (ctx, system) = (Ctx::service(), rig.first());
    let start = at("2026-01-01T03:00:00Z");
    let new = reset(&system, ResetType::On, Schedule::once(start));
    let made = rig.hf.jobs().create(&ctx, new).await.unwrap();
    go_to(&rig, at("2026-01-01T02:00:00Z")).await;
    rig.hf.close().await.unwrap();
    let Rig { rack, clock, .. } = rig;

    let rig = Rig::on(rack.sim.clone(), clock, dir.path(), |b| b).await;
    go_to(&rig, at("2026-01-01T02:59:59Z")).await;
    assert_eq!(rig.system(&system).machine.power, Power::Off);
    go_to(&rig, start).await;
    assert_eq!(rig.system(&system).machine.power, Power::PoweringOn);
    assert_eq!(job(&rig, &made.id).state, JobState::Completed);
    rig.hf
        .reset(&ctx, &system, ResetType::ForceOff)
        .await
        .unwrap();
    rig.hf.close().await.unwrap();
    let Rig { rack, clock, .. } = rig;

    let rig = Rig::on(rack.sim.clone(), clock, dir.path(), |b| b).await;
    go_to(&rig, at("2026-01-02T00:00:00Z")).await;
    assert_eq!(rig.system(&system).machine.power, Power::Off);
    assert_eq!(job(&rig, &made.id).runs, 1);
}

#[tokio::test]
async fn a_job_that_a_crash_cuts_off_has_failed_and_is_not_begun_again() {
    let dir = tempfile::tempdir().unwrap();
    let rig = Rig::start(dir.path(), |b| b).await;
    let (ctx, system) = (Ctx::service(), rig.first());
    let start = at("2026-01-01T03:00:00Z");
    let every = Schedule {
        most: Some(2),
        ..Schedule::every(start, SignedDuration::from_hours(1))
    };
    let new = reset(&system, ResetType::On, every);
    let made = rig.hf.jobs().create(&ctx, new).await.unwrap();
    rig.rack.dies_at_start.store(true, Ordering::Release);
    rig.clock.set(start);
    let hf = rig.hf.clone();
    let tick = tokio::spawn(async move { hf.tick().await });
    while job(&rig, &made.id).state != JobState::Running {
        tokio::task::yield_now().await;
    }
    tick.abort();
    assert!(tick.await.unwrap_err().is_cancelled());
    rig.hf.close().await.unwrap();
    let Rig { rack, clock, .. } = rig;

    let rig = Rig::on(rack.sim.clone(), clock, dir.path(), |b| b).await;
    go_to(&rig, at("2026-01-01T03:59:00Z")).await;
    let now = job(&rig, &made.id);
    assert_eq!(
        (now.state, now.runs, now.failures),
        (JobState::Pending, 1, 1)
    );
    assert_eq!(rig.system(&system).machine.power, Power::Off);
    go_to(&rig, at("2026-01-01T05:00:00Z")).await;
    assert_eq!(rig.system(&system).machine.power, Power::On);
    let now = job(&rig, &made.id);
    assert_eq!((now.state, now.runs), (JobState::Completed, 2));
    assert_eq!(
        told(&rig).await,
        [
            "Created",
            "Job(Started)",
            "Job(Failed)",
            "Job(Started)",
            "Job(Completed)",
        ]
    );
    rig.hf.jobs().delete(&ctx, &made.id).await.unwrap();
    assert_eq!(told(&rig).await.last().unwrap(), "Job(Removed)");
}

#[tokio::test]
async fn what_somebody_does_to_a_job_is_told_of_and_what_is_refused_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let rig = Rig::start(dir.path(), |b| b).await;
    let (ctx, system) = (Ctx::service(), rig.first());
    let start = at("2026-01-01T03:00:00Z");
    let every = Schedule::every(start, SignedDuration::from_hours(1));
    let new = reset(&system, ResetType::On, every.clone());
    let id = rig.hf.jobs().create(&ctx, new).await.unwrap().id.clone();
    let jobs = rig.hf.jobs();
    jobs.suspend(&ctx, &id).await.unwrap();
    jobs.suspend(&ctx, &id).await.unwrap_err();
    jobs.resume(&ctx, &id).await.unwrap();
    jobs.reschedule(&ctx, &id, every).await.unwrap();
    jobs.cancel(&ctx, &id).await.unwrap();
    jobs.cancel(&ctx, &id).await.unwrap_err();
    assert_eq!(
        told(&rig).await,
        [
            "Created",
            "Job(Suspended)",
            "Job(Resumed)",
            "Changed",
            "Job(Cancelled)"
        ]
    );
}

/// What the stream tells of jobs.
async fn told(rig: &Rig) -> Vec<String> {
    let all = rig.hf.events().read(0, 100_000).await.unwrap();
    let of_jobs = all
        .iter()
        .filter(|told| matches!(told.happened().about, Subject::Job(_)));
    of_jobs
        .map(|told| format!("{:?}", told.happened().event.what))
        .collect()
}

#[tokio::test]
async fn what_was_due_hours_ago_is_not_done_when_hawkfish_is_back() {
    let dir = tempfile::tempdir().unwrap();
    let rig = Rig::start(dir.path(), |b| b).await;
    let (ctx, system) = (Ctx::service(), rig.first());
    let once = Schedule::once(at("2026-01-01T03:00:00Z"));
    let new = reset(&system, ResetType::On, once);
    let made = rig.hf.jobs().create(&ctx, new).await.unwrap();
    rig.hf.close().await.unwrap();
    let Rig { rack, clock, .. } = rig;
    clock.set(at("2026-01-01T09:00:00Z"));

    let rig = Rig::on(rack.sim.clone(), clock, dir.path(), |b| b).await;
    rig.hf.tick().await.unwrap();
    let job = job(&rig, &made.id);
    assert_eq!((job.state, job.runs), (JobState::Exception, 0));
    assert!(job.messages[0].text.contains("2026-01-01T03:00:00Z"));
    assert_eq!(rig.system(&system).machine.power, Power::Off);
}

#[tokio::test]
async fn a_job_waits_a_while_for_a_host_that_does_not_answer() {
    let dir = tempfile::tempdir().unwrap();
    let rig = Rig::start(dir.path(), |b| b).await;
    let (ctx, system) = (Ctx::service(), rig.first());
    let twice = Schedule {
        most: Some(2),
        ..Schedule::every(at("2026-01-01T01:00:00Z"), SignedDuration::from_hours(1))
    };
    let new = reset(&system, ResetType::On, twice);
    let made = rig.hf.jobs().create(&ctx, new).await.unwrap();
    rig.rack.sim.lose("the cable is out");
    go_to(&rig, at("2026-01-01T01:10:00Z")).await;
    assert_eq!(job(&rig, &made.id).runs, 0);
    rig.rack.sim.find();
    go_to(&rig, at("2026-01-01T01:11:00Z")).await;
    assert_eq!(rig.system(&system).machine.power, Power::On);
    assert_eq!(job(&rig, &made.id).runs, 1);
    // Not for ever.
    rig.rack.sim.lose("the cable is out");
    go_to(&rig, at("2026-01-01T03:00:00Z")).await;
    let job = job(&rig, &made.id);
    assert_eq!((job.state, job.failures), (JobState::Exception, 1));
}

#[tokio::test]
async fn a_job_is_done_only_while_who_made_it_may_do_it() {
    let dir = tempfile::tempdir().unwrap();
    let rig = Rig::start(dir.path(), |b| b).await;
    let (service, system) = (Ctx::service(), rig.first());
    let new = NewAccount {
        name: "night".to_owned(),
        password: "a long password".to_owned(),
        role: "Operator".to_owned(),
        enabled: true,
        password_change_required: false,
    };
    let account = rig.hf.accounts().create(&service, new).await.unwrap();
    let mut ctx = Ctx::service();
    ctx.actor = Actor::Account {
        id: account.id.clone(),
        name: account.name.clone(),
        role: account.role.clone(),
        session: None,
    };
    let every = Schedule::every(at("2026-01-01T01:00:00Z"), SignedDuration::from_hours(1));
    let new = reset(&system, ResetType::On, every);
    let made = rig.hf.jobs().create(&ctx, new).await.unwrap();
    assert_eq!(made.created_by, "night");
    for (role, power) in [("ReadOnly", Power::Off), ("Operator", Power::On)] {
        let change = AccountChange {
            role: Some(role.to_owned()),
            ..AccountChange::default()
        };
        rig.hf
            .accounts()
            .update(&service, &account.id, change)
            .await
            .unwrap();
        let next = job(&rig, &made.id).next.unwrap();
        go_to(&rig, next + SignedDuration::from_mins(1)).await;
        assert_eq!(rig.system(&system).machine.power, power, "{role}");
    }
    let now = job(&rig, &made.id);
    assert_eq!((now.runs, now.failures), (2, 1));
    rig.hf
        .accounts()
        .delete(&service, &account.id)
        .await
        .unwrap();
    go_to(&rig, rig.clock.now() + SignedDuration::from_hours(1)).await;
    assert_eq!(job(&rig, &made.id).failures, 2);
}

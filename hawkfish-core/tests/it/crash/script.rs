//! What is done in a life, by clients and by time.

use std::collections::BTreeSet;
use std::sync::Arc;

use hawkfish_core::accounts::{HashCost, NewAccount};
use hawkfish_core::app::HawkFish;
use hawkfish_core::backend::sim::SimBackend;
use hawkfish_core::clock::{Clock as _, ManualClock};
use hawkfish_core::ctx::Ctx;
use hawkfish_core::entropy::SeededEntropy;
use hawkfish_core::error::{Error, Result};
use hawkfish_core::events::Subject;
use hawkfish_core::id::{HostId, SlotId, SubscriptionId, SystemId, TaskId};
use hawkfish_core::jobs::{NewJob, Schedule, Work};
use hawkfish_core::logs::What;
use hawkfish_core::media::InsertMedia;
use hawkfish_core::subscriptions::{
    Filter, NewSubscription, Retry, SubscriptionChange, SubscriptionSettings,
};
use hawkfish_core::systems::ResetType;
use hawkfish_core::tasks::{NewPart, NewTask, RequestPayload};
use jiff::SignedDuration;
use proptest::prelude::*;
use serde_json::json;
use url::Url;

use super::claims::{self, Seen};
use super::life::{Life, Mood, Post, Reach};
use crate::post::Words;

/// Something that is done. Numbers choose among what there is.
#[derive(Clone, Debug)]
pub(super) enum Op {
    Reset(usize, ResetType),
    Insert(usize),
    Eject(usize),
    MakeTask(bool),
    WorkOnTask(usize, u8),
    SplitTask(usize),
    EndTask(usize, bool),
    CancelTask(usize),
    DeleteTask(usize),
    MakeAccount,
    DeleteAccount(usize),
    MakeJob(usize),
    DeleteJob(usize),
    Subscribe(Retry, bool),
    Unsubscribe(usize),
    Rename(usize),
    Suspend(usize),
    Resume(usize),
    Replay(usize),
    DropDead(usize),
    Mood(usize, Mood),
    Pass(i64),
    Settle,
}

pub(super) fn op() -> impl Strategy<Value = Op> {
    let reset = proptest::sample::select(vec![
        ResetType::On,
        ResetType::ForceOff,
        ResetType::ForceRestart,
        ResetType::GracefulShutdown,
        ResetType::PowerCycle,
    ]);
    let retry = proptest::sample::select(vec![
        Retry::DeadLetter,
        Retry::DeadLetter,
        Retry::SuspendRetries,
        Retry::RetryForever,
        Retry::RetryForeverWithBackoff,
        Retry::TerminateAfterRetries,
    ]);
    let mood = proptest::sample::select(vec![
        Mood::Takes,
        Mood::Takes,
        Mood::Dawdles,
        Mood::Refuses,
        Mood::Mumbles,
    ]);
    let n = 0..8_usize;
    prop_oneof![
        6 => (n.clone(), reset).prop_map(|(n, reset)| Op::Reset(n, reset)),
        2 => n.clone().prop_map(Op::Insert),
        2 => n.clone().prop_map(Op::Eject),
        2 => any::<bool>().prop_map(Op::MakeTask),
        2 => (n.clone(), 0..=100_u8).prop_map(|(n, percent)| Op::WorkOnTask(n, percent)),
        1 => n.clone().prop_map(Op::SplitTask),
        2 => (n.clone(), any::<bool>()).prop_map(|(n, well)| Op::EndTask(n, well)),
        1 => n.clone().prop_map(Op::CancelTask),
        1 => n.clone().prop_map(Op::DeleteTask),
        1 => Just(Op::MakeAccount),
        1 => n.clone().prop_map(Op::DeleteAccount),
        1 => n.clone().prop_map(Op::MakeJob),
        1 => n.clone().prop_map(Op::DeleteJob),
        3 => (retry, proptest::bool::weighted(0.3)).prop_map(|(r, some)| Op::Subscribe(r, some)),
        1 => n.clone().prop_map(Op::Unsubscribe),
        1 => n.clone().prop_map(Op::Rename),
        1 => n.clone().prop_map(Op::Suspend),
        2 => n.clone().prop_map(Op::Resume),
        1 => n.clone().prop_map(Op::Replay),
        1 => n.clone().prop_map(Op::DropDead),
        4 => (n, mood).prop_map(|(n, mood)| Op::Mood(n, mood)),
        3 => (1..600_i64).prop_map(Op::Pass),
        3 => Just(Op::Settle),
    ]
}

/// Starts a process on what the last one has left.
async fn start(life: &Arc<Life>, rack: &Arc<SimBackend>, clock: &Arc<ManualClock>) -> HawkFish {
    let reach = Reach {
        rack: rack.clone(),
        life: life.clone(),
    };
    let subscriptions = SubscriptionSettings {
        courier: Some(Arc::new(Post(life.clone()))),
        batch: 7,
        ..SubscriptionSettings::default()
    };
    let started = HawkFish::builder()
        .clock(clock.clone())
        .entropy(Arc::new(SeededEntropy::new(1, "crash")))
        .hash_cost(HashCost::LEAST)
        .data_dir(&life.dir)
        .host(HostId::parse("rack").unwrap(), Arc::new(reach))
        .subscriptions(subscriptions)
        .fuse(life.clone())
        .start()
        .await;
    match started {
        Ok(hf) => {
            hf.events().set_telling(Arc::new(Words));
            hf
        }
        // It died on the way.
        Err(_) if life.is_over() => std::future::pending().await,
        Err(error) => panic!("it does not start: {error:?}"),
    }
}

/// Lives until the end of the script, or to a crash; then it does not return.
pub(super) async fn run(
    life: &Arc<Life>,
    rack: &Arc<SimBackend>,
    clock: &Arc<ManualClock>,
    rounds: &[Vec<Op>],
    seen: &mut Seen,
) -> Result<(), String> {
    let hf = start(life, rack, clock).await;
    alive(life, hf.store().flush().await).await;
    seen.check_restart(&hf).await?;
    claims::told_is_so(&hf).await?;
    for round in rounds {
        let all = round.iter().map(|op| act(&hf, life, clock, op));
        let done = futures::future::join_all(all).await;
        alive(life, Ok(())).await;
        // Who is answered has its events in the stream.
        seen.look(&hf);
        for promise in done.into_iter().flatten().flatten() {
            seen.keeps(&promise)?;
        }
        alive(life, hf.tick().await).await;
    }
    seen.look(&hf);
    // Before its store is closed in order.
    life.end();
    Ok(())
}

/// The last life: everybody takes everything, and there is time for it.
pub(super) async fn epilogue(
    life: &Arc<Life>,
    rack: &Arc<SimBackend>,
    clock: &Arc<ManualClock>,
    seen: &mut Seen,
) -> Result<(), String> {
    let hf = start(life, rack, clock).await;
    hf.store().flush().await.map_err(|e| format!("{e:?}"))?;
    seen.check_restart(&hf).await?;
    claims::told_is_so(&hf).await?;
    for mood in life.town.look().moods.values_mut() {
        *mood = Mood::Takes;
    }
    let ctx = Ctx::service();
    for one in hf.subscriptions().list(&ctx) {
        if one.suspended {
            let resumed = hf.subscriptions().resume(&ctx, &one.id, None).await;
            resumed.map_err(|e| format!("{e:?}"))?;
        }
    }
    pass(&hf, clock, 3_600).await;
    seen.look(&hf);
    claims::told_is_so(&hf).await?;
    claims::all_arrived(&hf, &life.town, seen)?;
    hf.close().await.map_err(|e| format!("{e:?}"))
}

/// The answer, unless nobody is there any more to hear it.
async fn alive<T>(life: &Life, answer: Result<T>) -> Option<T> {
    // The writer may be dying just now: a step of ours is a point to stop at.
    if life.is_over() {
        std::future::pending::<()>().await;
    }
    answer.ok()
}

/// What an acknowledged operation promises: that this was told of that.
pub(super) type Promise = (Subject, What);

fn pick<T: Clone>(all: &[T], n: usize) -> Option<T> {
    let n = n.checked_rem(all.len())?;
    all.get(n).cloned()
}

fn cd() -> SlotId {
    SlotId::parse("Cd").unwrap()
}

/// Does one thing. What it gives holds, as it was acknowledged; `None` where there was nothing to do or it was refused.
async fn act(hf: &HawkFish, life: &Life, clock: &ManualClock, op: &Op) -> Option<Vec<Promise>> {
    let answer = attempt(hf, life, clock, op).await;
    alive(life, answer).await
}

async fn attempt(hf: &HawkFish, life: &Life, clock: &ManualClock, op: &Op) -> Result<Vec<Promise>> {
    let ctx = Ctx::service();
    let systems: Vec<SystemId> = hf.systems(&ctx).iter().map(|s| s.id.clone()).collect();
    let system = |n: usize| pick(&systems, n).ok_or_else(|| Error::internal("none"));
    let tasks = || -> Vec<TaskId> {
        let all = hf.tasks().list(&ctx);
        let ours = all.iter().filter(|task| task.kind == "test");
        ours.map(|task| task.id.clone()).collect()
    };
    let destinations = || -> Vec<SubscriptionId> {
        let all = hf.subscriptions().list(&ctx);
        all.iter().map(|one| one.id.clone()).collect()
    };
    let subscriptions = hf.subscriptions();
    let told = |about, what| vec![(about, what)];
    let nothing = Ok(Vec::new());
    match op {
        Op::Reset(n, reset) => {
            hf.reset(&ctx, &system(*n)?, *reset).await?;
        }
        Op::Insert(n) => {
            let image = InsertMedia {
                image: format!("http://images.example/{n}.iso"),
                write_protected: true,
                ..InsertMedia::default()
            };
            let task = hf.insert_media(&ctx, &system(*n)?, &cd(), image).await?;
            hf.tasks().finished(&task.id).await?;
        }
        Op::Eject(n) => {
            hf.eject_media(&ctx, &system(*n)?, &cd()).await?;
        }
        Op::MakeTask(resumable) => {
            let new = NewTask {
                name: "work".to_owned(),
                subject: None,
                kind: "test".to_owned(),
                payload: json!({}),
                request: None,
                resumable: *resumable,
            };
            hf.tasks().create(&ctx, new).await?;
        }
        Op::WorkOnTask(n, percent) => {
            let Some(id) = pick(&tasks(), *n) else {
                return nothing;
            };
            let handle = hf.tasks().handle(&id);
            handle.progress(*percent, None);
            for part in hf.tasks().parts(&ctx, &id)? {
                let part = hf.tasks().handle(&part.id);
                part.progress(*percent, Some("on the way"));
                if percent % 3 == 0 {
                    part.finish(Ok(())).await?;
                }
            }
        }
        Op::SplitTask(n) => {
            let Some(id) = pick(&tasks(), *n) else {
                return nothing;
            };
            let part = NewPart {
                name: "part".to_owned(),
                subject: None,
            };
            hf.tasks().split(&id, vec![part; 3]).await?;
        }
        Op::EndTask(n, well) => {
            let Some(id) = pick(&tasks(), *n) else {
                return nothing;
            };
            let result = if *well {
                Ok(())
            } else {
                Err(Error::backend("Broken."))
            };
            hf.tasks().handle(&id).finish(result).await?;
        }
        Op::CancelTask(n) => {
            let Some(id) = pick(&tasks(), *n) else {
                return nothing;
            };
            hf.tasks().cancel(&ctx, &id).await?;
        }
        Op::DeleteTask(n) => {
            let Some(id) = pick(&tasks(), *n) else {
                return nothing;
            };
            hf.tasks().delete(&ctx, &id).await?;
            return Ok(told(
                Subject::Task(id),
                What::Task(hawkfish_core::events::TaskNews::Removed),
            ));
        }
        Op::MakeAccount => {
            let new = NewAccount {
                name: format!("user{}", hf.events().last()),
                password: "correct horse battery".to_owned(),
                role: "Operator".to_owned(),
                enabled: true,
                password_change_required: false,
            };
            let account = hf.accounts().create(&ctx, new).await?;
            return Ok(told(Subject::Account(account.id.clone()), What::Created));
        }
        Op::DeleteAccount(n) => {
            let all: Vec<_> = hf.accounts().list();
            let Some(account) = pick(&all, *n) else {
                return nothing;
            };
            hf.accounts().delete(&ctx, &account.id).await?;
            return Ok(told(Subject::Account(account.id.clone()), What::Removed));
        }
        Op::MakeJob(n) => {
            let system = system(*n)?;
            let start = clock.now() + SignedDuration::from_mins(2);
            let new = NewJob {
                name: None,
                work: Work::Reset {
                    system,
                    reset: ResetType::On,
                },
                request: RequestPayload {
                    uri: "/".to_owned(),
                    method: "POST".to_owned(),
                    body: None,
                },
                schedule: Schedule::every(start, SignedDuration::from_mins(5)),
            };
            let job = hf.jobs().create(&ctx, new).await?;
            return Ok(told(Subject::Job(job.id.clone()), What::Created));
        }
        Op::DeleteJob(n) => {
            let Some(job) = pick(&hf.jobs().list(&ctx), *n) else {
                return nothing;
            };
            hf.jobs().delete(&ctx, &job.id).await?;
            let removed = What::Job(hawkfish_core::events::JobNews::Removed);
            return Ok(told(Subject::Job(job.id.clone()), removed));
        }
        Op::Subscribe(retry, some) => {
            if destinations().len() >= 5 {
                return nothing;
            }
            let number = life.town.look().moods.len();
            let host = format!("s{number}.example");
            life.town.look().moods.insert(host.clone(), Mood::Takes);
            let url = Url::parse(&format!("https://{host}/")).unwrap();
            let mut new = NewSubscription::to(url);
            new.retry = *retry;
            if *some {
                new.filter = Filter {
                    message_ids: vec!["ResourceEvent.ResourceCreated".to_owned()],
                    ..Filter::default()
                };
            }
            let made = subscriptions.create(&ctx, new).await?;
            return Ok(told(Subject::Subscription(made.id.clone()), What::Created));
        }
        Op::Unsubscribe(n) => {
            let Some(id) = pick(&destinations(), *n) else {
                return nothing;
            };
            subscriptions.delete(&ctx, &id).await?;
            return Ok(told(Subject::Subscription(id), What::Removed));
        }
        Op::Rename(n) => {
            let Some(id) = pick(&destinations(), *n) else {
                return nothing;
            };
            let change = SubscriptionChange {
                name: Some(format!("name {}", hf.events().last())),
                ..SubscriptionChange::default()
            };
            subscriptions.update(&ctx, &id, change).await?;
            return Ok(told(Subject::Subscription(id), What::Changed));
        }
        Op::Suspend(n) | Op::Resume(n) => {
            let Some(id) = pick(&destinations(), *n) else {
                return nothing;
            };
            match op {
                Op::Suspend(_) => subscriptions.suspend(&ctx, &id).await?,
                _ => subscriptions.resume(&ctx, &id, None).await?,
            };
        }
        Op::Replay(n) | Op::DropDead(n) => {
            let Some(id) = pick(&destinations(), *n) else {
                return nothing;
            };
            let url = subscriptions.get(&ctx, &id)?.destination.clone().unwrap();
            let letters = subscriptions.dead_letters(&ctx, &id)?;
            let letters = letters.iter().map(|letter| letter.seq).collect();
            // It counts from when it is asked for: a crash may come after it is done and before the answer.
            life.town
                .look()
                .excused
                .entry(url.host_str().unwrap().to_owned())
                .or_default()
                .append(&mut BTreeSet::clone(&letters));
            match op {
                Op::Replay(_) => subscriptions.replay(&ctx, &id, None).await?,
                _ => subscriptions.drop_dead(&ctx, &id, None).await?,
            }
        }
        Op::Mood(n, mood) => {
            let mut outside = life.town.look();
            let hosts: Vec<String> = outside.moods.keys().cloned().collect();
            if let Some(host) = pick(&hosts, *n) {
                outside.moods.insert(host, *mood);
            }
        }
        Op::Pass(seconds) => pass(hf, clock, *seconds).await,
        Op::Settle => {
            hf.tick().await?;
            subscriptions.settle().await;
        }
    }
    nothing
}

/// Lets time go on, stopping at everything that is due.
async fn pass(hf: &HawkFish, clock: &ManualClock, seconds: i64) {
    let end = clock.now() + SignedDuration::from_secs(seconds);
    settle(hf).await;
    // What is overdue and fails again and again ends with the time.
    for _ in 0..200 {
        let Some(next) = hf.next_due().filter(|next| *next <= end) else {
            break;
        };
        clock.set(next);
        settle(hf).await;
    }
    clock.set(end);
    settle(hf).await;
}

async fn settle(hf: &HawkFish) {
    // A job may fail, and its failure is a part of the story.
    let _ = hf.tick().await;
    hf.subscriptions().settle().await;
}

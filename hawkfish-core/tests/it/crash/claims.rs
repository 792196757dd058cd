//! What must hold.

#![allow(
    clippy::collapsible_match,
    reason = "what is looked at and what must hold of it are two things"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::Arc;

use hawkfish_core::app::HawkFish;
use hawkfish_core::backend::Power;
use hawkfish_core::ctx::Ctx;
use hawkfish_core::events::{Happened, Subject, TaskNews, Telling as _, Told};
use hawkfish_core::id::{SlotId, SystemId, TaskId};
use hawkfish_core::logs::{LogId, What};
use hawkfish_core::tasks::TaskState;

use super::life::{Arrival, Town};
use super::script::Promise;
use crate::post::Words;

/// What was seen of the stream: none of it may ever be otherwise.
#[derive(Debug, Default)]
pub(super) struct Seen(Vec<Happened>);

impl Seen {
    /// Looks at what is new.
    pub(super) fn look(&mut self, hf: &HawkFish) {
        let last = self.0.len() as u64;
        let new = hf
            .events()
            .recent(last, usize::MAX >> 1)
            .expect("all of it is in memory");
        self.0
            .extend(new.iter().map(|told| told.happened().clone()));
    }

    /// What was acknowledged is told.
    pub(super) fn keeps(&self, (about, what): &Promise) -> Result<(), String> {
        let told = self.0.iter().rev();
        let mut told = told.filter(|one| one.about == *about && one.event.what == *what);
        told.next()
            .map(drop)
            .ok_or_else(|| format!("nobody tells of {about:?}: {what:?}"))
    }

    /// After a restart all that was seen is there, and its numbers have no gaps.
    pub(super) async fn check_restart(&mut self, hf: &HawkFish) -> Result<(), String> {
        let stored = stream(hf).await;
        for (at, one) in stored.iter().enumerate() {
            if one.seq() != at as u64 + 1 {
                return Err(format!(
                    "the event at place {} has the number {}",
                    at + 1,
                    one.seq()
                ));
            }
        }
        for (was, is) in self.0.iter().zip(&stored) {
            same("an event that was seen", was, is.happened())?;
        }
        if stored.len() < self.0.len() {
            return Err(format!("seen, and lost: {:#?}", &self.0[stored.len()..]));
        }
        self.look(hf);
        for (shown, stored) in self.0.iter().zip(&stored) {
            same("an event in memory", shown, stored.happened())?;
        }
        Ok(())
    }
}

fn same<T: PartialEq + Debug>(what: &str, was: &T, is: &T) -> Result<(), String> {
    match was == is {
        true => Ok(()),
        false => Err(format!("{what} was {was:#?} and is {is:#?}")),
    }
}

/// The stream as the store has it.
async fn stream(hf: &HawkFish) -> Vec<Arc<Told>> {
    hf.events().read(0, usize::MAX >> 1).await.unwrap()
}

/// What there is by what is told.
#[derive(Debug, Default)]
struct Story {
    things: BTreeSet<Subject>,
    on: BTreeMap<SystemId, bool>,
    media: BTreeSet<(SystemId, SlotId)>,
    tasks: BTreeMap<TaskId, Vec<TaskNews>>,
}

impl Story {
    fn of(stream: &[Arc<Told>]) -> Result<Self, String> {
        let mut story = Self::default();
        for told in stream {
            let happened = told.happened();
            story
                .hear(happened)
                .map_err(|why| format!("{why}: {happened:#?}"))?;
        }
        Ok(story)
    }

    fn hear(&mut self, happened: &Happened) -> Result<(), String> {
        let about = &happened.about;
        match (about, &happened.event.what) {
            (Subject::Subscription(_) | Subject::Account(_) | Subject::Job(_), What::Created) => {
                if !self.things.insert(about.clone()) {
                    return Err("made twice".to_owned());
                }
            }
            (Subject::Subscription(_) | Subject::Account(_), What::Removed) => {
                if !self.things.remove(about) {
                    return Err("removed, and was not there".to_owned());
                }
            }
            (Subject::Job(_), What::Job(news)) => {
                let removed = *news == hawkfish_core::events::JobNews::Removed;
                let there = if removed {
                    self.things.remove(about)
                } else {
                    self.things.contains(about)
                };
                if !there {
                    return Err("news of a job that is not there".to_owned());
                }
            }
            (Subject::Subscription(_), _) if !self.things.contains(about) => {
                return Err("news of a subscription that is not there".to_owned());
            }
            (Subject::System(system), what) => {
                let on = match what {
                    What::PoweredOn(_) | What::Reset(_) | What::Resumed(_) => true,
                    What::PoweredOff(_) => false,
                    _ => return Ok(()),
                };
                self.on.insert(system.clone(), on);
            }
            (Subject::Slot { system, slot }, what) => {
                let place = (system.clone(), slot.clone());
                match what {
                    What::MediumInserted { .. } => {
                        self.media.insert(place);
                    }
                    What::MediumEjected { .. } => {
                        if !self.media.remove(&place) {
                            return Err("ejected, and was not there".to_owned());
                        }
                    }
                    _ => {}
                }
            }
            (Subject::Task(task) | Subject::SubTask { part: task, .. }, What::Task(news)) => {
                let all = self.tasks.entry(task.clone()).or_default();
                let over = |news: &TaskNews| {
                    use TaskNews::{Cancelled, Completed, CompletedWithWarning, Failed};
                    matches!(news, Completed | CompletedWithWarning | Failed | Cancelled)
                };
                let wrong = match (all.last(), news) {
                    (Some(TaskNews::Removed), _) => true,
                    (Some(last), news) if over(last) => *news != TaskNews::Removed,
                    (Some(_), TaskNews::Started) => true,
                    (last, TaskNews::Resumed) => last != Some(&TaskNews::Paused),
                    _ => false,
                };
                if wrong {
                    return Err(format!("after {all:?}"));
                }
                all.push(*news);
            }
            _ => {}
        }
        Ok(())
    }
}

/// What is told is so, and what is so was told.
pub(super) async fn told_is_so(hf: &HawkFish) -> Result<(), String> {
    let ctx = Ctx::service();
    let stream = stream(hf).await;
    let story = Story::of(&stream)?;
    let mut things = BTreeSet::new();
    things.extend(
        hf.subscriptions()
            .list(&ctx)
            .iter()
            .map(|one| Subject::Subscription(one.id.clone())),
    );
    things.extend(
        hf.accounts()
            .list()
            .iter()
            .map(|one| Subject::Account(one.id.clone())),
    );
    things.extend(
        hf.jobs()
            .list(&ctx)
            .iter()
            .map(|one| Subject::Job(one.id.clone())),
    );
    same("what there is", &story.things, &things)?;

    let mut media = BTreeSet::new();
    for system in hf.systems(&ctx) {
        let on = story.on.get(&system.id).copied().unwrap_or(false);
        let is_on = system.machine.power != Power::Off;
        same(&format!("whether {} is on", system.id), &on, &is_on)?;
        let slots = system
            .machine
            .slots
            .iter()
            .filter(|slot| slot.medium.is_some());
        media.extend(slots.map(|slot| (system.id.clone(), slot.id.clone())));
    }
    same("what is inserted", &story.media, &media)?;

    let mut all = Vec::new();
    for task in hf.tasks().list(&ctx) {
        all.extend(
            hf.tasks()
                .parts(&ctx, &task.id)
                .map_err(|e| format!("{e:?}"))?,
        );
        all.push(task);
    }
    let mut left = story.tasks.clone();
    for task in all {
        let news = left.remove(&task.id).unwrap_or_default();
        let mut states = news
            .iter()
            .rev()
            .filter(|news| !matches!(news, TaskNews::Progress(_)));
        let fits = match (states.next(), task.state) {
            (None, TaskState::New) => true,
            // That the work goes on is told with the next commit.
            (
                None | Some(TaskNews::Started | TaskNews::Resumed | TaskNews::Paused),
                TaskState::Running,
            ) => true,
            (Some(TaskNews::Started | TaskNews::Resumed), TaskState::Cancelling) => true,
            (Some(TaskNews::Paused), TaskState::Interrupted) => true,
            (Some(TaskNews::Completed | TaskNews::CompletedWithWarning), TaskState::Completed) => {
                true
            }
            (Some(TaskNews::Failed), TaskState::Exception) => true,
            (Some(TaskNews::Cancelled), TaskState::Cancelled) => true,
            _ => false,
        };
        if !fits {
            return Err(format!(
                "of task {} is told {news:?}, and it is {:?}",
                task.id, task.state
            ));
        }
    }
    for (task, news) in left {
        if news.last() != Some(&TaskNews::Removed) {
            return Err(format!("of task {task} is told {news:?}, and it is gone"));
        }
    }

    // An entry of a system's log and its event are the same thing.
    for system in hf.systems(&ctx) {
        let log = LogId::System(system.id.clone());
        let entries: BTreeMap<u64, _> = hf
            .logs()
            .entries(&log)
            .iter()
            .map(|e| (e.number, e.event.clone()))
            .collect();
        let told: BTreeMap<u64, _> = stream
            .iter()
            .filter_map(|told| {
                let happened = told.happened();
                let (of, number) = happened.entry.as_ref()?;
                (*of == log).then(|| (*number, happened.event.clone()))
            })
            .collect();
        // A full log keeps the newest of them.
        let is_full = entries.len() >= hf.logs().status(&log).most;
        let first = entries.keys().next().copied().filter(|_| is_full);
        let first = first.unwrap_or(0);
        let told: BTreeMap<u64, _> = told
            .into_iter()
            .filter(|(number, _)| *number >= first)
            .collect();
        same(&format!("the log of {}", system.id), &told, &entries)?;
    }
    Ok(())
}

/// Every destination has every event that is for it, in order; twice only over a crash, or because nobody heard that it had arrived.
pub(super) fn all_arrived(hf: &HawkFish, town: &Town, seen: &Seen) -> Result<(), String> {
    let outside = town.look();
    let none = BTreeSet::new();
    for (host, arrivals) in &outside.arrivals {
        let excused = outside.excused.get(host).unwrap_or(&none);
        in_order(arrivals, excused, seen).map_err(|why| format!("{host}: {why}"))?;
    }
    let ctx = Ctx::service();
    for one in hf.subscriptions().list(&ctx) {
        let host = one
            .destination
            .as_ref()
            .and_then(|url| url.host_str())
            .unwrap()
            .to_owned();
        let excused = outside.excused.get(&host).unwrap_or(&none);
        let about = Subject::Subscription(one.id.clone());
        let made = seen
            .0
            .iter()
            .find(|h| h.about == about && h.event.what == What::Created);
        let made = made
            .ok_or_else(|| format!("nobody told that {} was made", one.id))?
            .seq;
        let mut has: BTreeSet<u64> = excused.clone();
        let arrivals = outside.arrivals.get(&host).into_iter().flatten();
        has.extend(arrivals.flat_map(|arrival| arrival.events.iter().map(|(seq, _)| *seq)));
        let letters = hf
            .subscriptions()
            .dead_letters(&ctx, &one.id)
            .map_err(|e| format!("{e:?}"))?;
        has.extend(letters.iter().map(|letter| letter.seq));
        let is_for_it = |happened: &&Happened| one.filter.takes(&Words.record(happened));
        let due = seen.0[usize::try_from(made).unwrap()..]
            .iter()
            .filter(is_for_it);
        let missed: Vec<u64> = due
            .map(|h| h.seq)
            .filter(|seq| !has.contains(seq))
            .collect();
        if !missed.is_empty() {
            return Err(format!("{host} ({one:#?}) never gets {missed:?}"));
        }
    }
    Ok(())
}

fn in_order(arrivals: &[Arrival], excused: &BTreeSet<u64>, seen: &Seen) -> Result<(), String> {
    let mut newest = 0;
    let mut before: BTreeMap<u64, &Arrival> = BTreeMap::new();
    for arrival in arrivals {
        let mut last = 0;
        for (seq, text) in &arrival.events {
            let seq = *seq;
            if seq <= last {
                return Err(format!("in one request {seq} comes after {last}"));
            }
            last = seq;
            let happened = seq
                .checked_sub(1)
                .and_then(|at| seen.0.get(usize::try_from(at).ok()?));
            let Some(happened) = happened else {
                return Err(format!("{text} arrived, and never happened"));
            };
            let true_text: serde_json::Value =
                serde_json::from_slice(&Words.record(happened).json).unwrap();
            same("what arrived", text, &true_text)?;
            match before.insert(seq, arrival) {
                _ if excused.contains(&seq) => {}
                None if seq < newest => return Err(format!("{seq} comes first after {newest}")),
                None => newest = seq,
                // Nobody heard that it had arrived: so it comes again, as the same.
                Some(first) if first.unheard && first.life == arrival.life => {
                    same(
                        "the delivery that is repeated",
                        &first.delivery,
                        &arrival.delivery,
                    )?;
                }
                Some(first) if first.life == arrival.life => {
                    return Err(format!(
                        "{seq} comes twice in life {}: {first:?} {arrival:?}",
                        first.life
                    ));
                }
                Some(_) => {}
            }
        }
    }
    Ok(())
}

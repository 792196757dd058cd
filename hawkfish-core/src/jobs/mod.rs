//! Jobs: what is done to a system at a time that somebody chose, once or again and again, with the rights that whoever chose it has then.
//!
//! A job and when it is due are stored as one; that it is begun is stored before it is begun. So a crash neither forgets a job nor does anything twice: what
//! it cuts off has failed, and what was due while HawkFish was away for longer than [`GRACE`] is left out. Both are said in the job's messages.

mod machine;
mod news;
mod rows;
mod schedule;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::app::HawkFish;
use crate::clock::Clock;
use crate::ctx::{Actor, Ctx, Privilege};
use crate::db::{Store, Tx};
use crate::due::{self, Due};
use crate::error::{Conflict, Error, ErrorKind, Invalid, Result};
use crate::events::{JobNews, Subject};
use crate::id::{AccountId, JobId, ProjectId, RequestId, SystemId};
use crate::logs::{self, Client, What};
use crate::systems::ResetType;
use crate::tasks::{RequestPayload, TaskMessage};

pub use machine::{Action, Event, GRACE, JobState, MOST_MESSAGES};
pub use schedule::{LEAST_SECONDS, Schedule};

/// The kind of the due row that begins a job; its subject is the job.
pub const DUE_RUN: &str = "job.run";

/// Most jobs. Of those that have ended the oldest make room for new ones.
pub const MOST: usize = 1000;

/// When it is tried again whether a host answers that a job needs.
const RETRY: jiff::SignedDuration = jiff::SignedDuration::from_secs(20);

/// A job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Its number.
    pub id: JobId,
    /// Its name, for people.
    pub name: String,
    /// What it does.
    pub work: Work,
    /// The same as a request, for showing.
    pub request: RequestPayload,
    /// When.
    pub schedule: Schedule,
    /// Who made it; it is done with what that account may do then. `None` is HawkFish itself.
    pub owner: Option<AccountId>,
    /// The name of who made it.
    pub created_by: String,
    /// The project in which it was made.
    pub project: Option<ProjectId>,
    /// Where it is in its life.
    pub state: JobState,
    /// How often it was begun.
    pub runs: u64,
    /// How often it failed.
    pub failures: u64,
    /// When it is due next.
    pub next: Option<Timestamp>,
    /// What there is to say about it, the oldest first.
    pub messages: Vec<TaskMessage>,
    /// When it was made.
    pub made: Timestamp,
    /// When it was last begun.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// Grows with every change of any fact here.
    pub generation: u64,
}

/// What a job does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Work {
    /// Resets a system.
    Reset {
        /// The system.
        system: SystemId,
        /// How.
        reset: ResetType,
    },
}

/// A job to be made.
#[derive(Clone, Debug, PartialEq)]
pub struct NewJob {
    /// Its name, for people.
    pub name: Option<String>,
    /// What it does.
    pub work: Work,
    /// The same as a request, for showing.
    pub request: RequestPayload,
    /// When.
    pub schedule: Schedule,
}

/// All jobs. Cheap to clone.
#[derive(Clone)]
pub struct Jobs(Arc<Inner>);

struct Inner {
    store: Store,
    clock: Arc<dyn Clock>,
    /// Changed by [`Tx::after_commit`] alone.
    all: RwLock<BTreeMap<u64, Arc<Job>>>,
    /// Held from the decision to store a change until the change is in memory.
    gate: tokio::sync::Mutex<()>,
}

impl fmt::Debug for Jobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Jobs")
    }
}

fn number(id: &JobId) -> Result<u64> {
    // One way to write a number, so that a job has one name.
    let number = id.as_str().parse().ok();
    number
        .filter(|number: &u64| number.to_string() == id.as_str())
        .ok_or_else(|| missing(id))
}

fn missing(id: &JobId) -> Error {
    Error::not_found("Job", id.as_str())
}

fn never(schedule: &Schedule) -> Error {
    Error::invalid(
        "/Schedule/InitialStartTime",
        schedule.start.to_string(),
        Invalid::OutOfRange,
        "With this schedule nothing would ever happen.",
    )
}

impl Jobs {
    /// The jobs of a store. What a restart cut off has failed.
    ///
    /// # Errors
    /// `Internal` when the store fails.
    pub async fn open(store: &Store, clock: Arc<dyn Clock>) -> Result<Self> {
        let stored = store.read(|conn| Box::pin(rows::all(conn))).await?;
        let now = clock.now();
        let mut all = BTreeMap::new();
        let mut changed = Vec::new();
        for job in stored {
            let before = job.state;
            let (job, actions) = job.event(now, Event::Restarted);
            let job = Arc::new(job);
            if actions.contains(&Action::Store) {
                let what = job.news(before, &Event::Restarted);
                changed.push((job.clone(), what));
            }
            all.insert(number(&job.id)?, job);
        }
        if !changed.is_empty() {
            tracing::info!(jobs = changed.len(), "jobs were interrupted by a restart");
            store
                .write(move |tx| {
                    Box::pin(async move {
                        for (job, what) in changed {
                            rows::put(tx, &job).await?;
                            tx.happened(Subject::Job(job.id.clone()), what.at(now));
                        }
                        Ok(())
                    })
                })
                .await?;
        }
        Ok(Self(Arc::new(Inner {
            store: store.clone(),
            clock,
            all: RwLock::new(all),
            gate: tokio::sync::Mutex::default(),
        })))
    }

    fn look<T>(&self, look: impl FnOnce(&BTreeMap<u64, Arc<Job>>) -> T) -> T {
        look(&self.0.all.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// All jobs that the caller may see, the oldest first.
    #[must_use]
    pub fn list(&self, ctx: &Ctx) -> Vec<Arc<Job>> {
        self.look(|all| {
            all.values()
                .filter(|job| visible(ctx, job))
                .cloned()
                .collect()
        })
    }

    /// A job.
    ///
    /// # Errors
    /// `NotFound` when there is none, or when it belongs to a project that the caller may not see.
    pub fn get(&self, ctx: &Ctx, id: &JobId) -> Result<Arc<Job>> {
        let number = number(id)?;
        self.look(|all| all.get(&number).cloned())
            .filter(|job| visible(ctx, job))
            .ok_or_else(|| missing(id))
    }

    /// Makes a job. It is durable when this returns.
    ///
    /// # Errors
    /// `Forbidden` when the caller may not do now what is to be done then; `Invalid` at `/Schedule/InitialStartTime` when it would never happen;
    /// `LimitExceeded`; `Internal` when the store fails.
    pub async fn create(&self, ctx: &Ctx, new: NewJob) -> Result<Arc<Job>> {
        if !new.work.may(ctx) {
            return Err(Error::new(
                ErrorKind::Forbidden,
                "Who may not do it now may not have it done later.",
            ));
        }
        let _gate = self.0.gate.lock().await;
        let now = self.0.clock.now();
        let oldest_ended = self.look(|all| {
            let ended = all.values().find(|job| job.state.ended()).cloned();
            (all.len() >= MOST).then_some(ended)
        });
        let makes_room = match oldest_ended {
            None => None,
            Some(Some(job)) => Some(job.id.clone()),
            Some(None) => {
                return Err(Error::new(
                    ErrorKind::LimitExceeded { what: "jobs" },
                    "There are too many unfinished jobs.",
                ));
            }
        };
        let created_by = match &ctx.actor {
            Actor::Account { name, .. } => name.to_string(),
            Actor::Anonymous | Actor::Service => "HawkFish".to_owned(),
        };
        let job = Job {
            // The number is known when the row is written.
            id: JobId::parse("0")?,
            name: new.name.unwrap_or_default(),
            work: new.work,
            request: new.request,
            schedule: new.schedule,
            owner: ctx.account().cloned(),
            created_by,
            project: ctx.project.clone(),
            state: JobState::Pending,
            runs: 0,
            failures: 0,
            next: None,
            messages: Vec::new(),
            made: now,
            started: None,
            ended: None,
            generation: 0,
        };
        let (mut job, _) = job.event(now, Event::Made);
        // What is long past is not meant.
        let lost = job.next.is_none_or(|next| now.duration_since(next) > GRACE);
        if lost {
            job.next = job.schedule.next(Some(now), 0, now);
        }
        if job.next.is_none() {
            return Err(never(&job.schedule));
        }
        let inner = self.0.clone();
        let told = logs::Event {
            at: now,
            what: job.news(JobState::Pending, &Event::Made),
            by: Client::of(ctx),
        };
        self.0
            .store
            .write(move |tx| {
                Box::pin(async move {
                    let number = tx.next_number("jobs").await?;
                    job.id = JobId::parse(&number.to_string())?;
                    if job.name.is_empty() {
                        job.name = format!("Job {number}");
                    }
                    if let Some(old) = makes_room {
                        remove(tx, &inner, &old, JobNews::Removed.told(now, None)).await?;
                    }
                    put(tx, &inner, job, true, told).await
                })
            })
            .await
    }

    /// Stops a job for a while; it does nothing until it is resumed.
    ///
    /// # Errors
    /// `NotFound`; `Conflict::NotAllowed` unless it waits for its time; `Internal` when the store fails.
    pub async fn suspend(&self, ctx: &Ctx, id: &JobId) -> Result<Arc<Job>> {
        self.ask(ctx, id, Event::SuspendAsked).await
    }

    /// Lets a suspended job go on. What was due meanwhile is left out.
    ///
    /// # Errors
    /// `NotFound`; `Conflict::NotAllowed` unless it is suspended; `Internal` when the store fails.
    pub async fn resume(&self, ctx: &Ctx, id: &JobId) -> Result<Arc<Job>> {
        self.ask(ctx, id, Event::ResumeAsked).await
    }

    /// Stops a job for good.
    ///
    /// # Errors
    /// `NotFound`; `Conflict::NotAllowed` when it has ended; `Internal` when the store fails.
    pub async fn cancel(&self, ctx: &Ctx, id: &JobId) -> Result<Arc<Job>> {
        self.ask(ctx, id, Event::CancelAsked).await
    }

    /// Stops all jobs that the caller may see and that have not ended.
    ///
    /// # Errors
    /// `Internal` when the store fails.
    pub async fn cancel_all(&self, ctx: &Ctx) -> Result<()> {
        for job in self.list(ctx) {
            if !job.state.ended() {
                self.happen(&job.id, Event::CancelAsked, Client::of(ctx))
                    .await?;
            }
        }
        Ok(())
    }

    /// Gives a job another schedule.
    ///
    /// # Errors
    /// `NotFound`; `Conflict::NotAllowed` when it has ended; `Invalid` at `/Schedule/InitialStartTime` when it would never happen again; `Internal` when the
    /// store fails.
    pub async fn reschedule(&self, ctx: &Ctx, id: &JobId, schedule: Schedule) -> Result<Arc<Job>> {
        let job = self.get(ctx, id)?;
        let now = self.0.clock.now();
        if schedule.next(Some(now), job.runs, job.made).is_none() {
            return Err(never(&schedule));
        }
        self.ask(ctx, id, Event::Rescheduled(schedule)).await
    }

    /// Deletes a job. One that is at work goes on to the end of that, and is heard of no more.
    ///
    /// # Errors
    /// `NotFound`; `Internal` when the store fails.
    pub async fn delete(&self, ctx: &Ctx, id: &JobId) -> Result<()> {
        let _gate = self.0.gate.lock().await;
        let job = self.get(ctx, id)?;
        let inner = self.0.clone();
        let told = JobNews::Removed.told(self.0.clock.now(), Client::of(ctx));
        self.0
            .store
            .write(move |tx| Box::pin(async move { remove(tx, &inner, &job.id, told).await }))
            .await
    }

    async fn ask(&self, ctx: &Ctx, id: &JobId, event: Event) -> Result<Arc<Job>> {
        self.get(ctx, id)?;
        match self.happen(id, event, Client::of(ctx)).await? {
            Some((job, actions)) if !actions.is_empty() => Ok(job),
            Some(_) => Err(Error::conflict(
                Conflict::NotAllowed,
                "The job is not in a state in which this can be done.",
            )),
            None => Err(missing(id)),
        }
    }

    /// Lets something happen to a job, durably. Nothing happens to one that is gone.
    async fn happen(
        &self,
        id: &JobId,
        event: Event,
        by: Option<Client>,
    ) -> Result<Option<(Arc<Job>, Vec<Action>)>> {
        let _gate = self.0.gate.lock().await;
        let Ok(job) = self.get(&Ctx::service(), id) else {
            return Ok(None);
        };
        let (before, at) = (job.state, self.0.clock.now());
        let (job, actions) = Job::clone(&job).event(at, event.clone());
        if !actions.contains(&Action::Store) {
            return Ok(Some((Arc::new(job), actions)));
        }
        let what = job.news(before, &event);
        let told = logs::Event { at, what, by };
        let inner = self.0.clone();
        let wake = actions.contains(&Action::Wake);
        let job = self
            .0
            .store
            .write(move |tx| Box::pin(async move { put(tx, &inner, job, wake, told).await }))
            .await?;
        Ok(Some((job, actions)))
    }

    async fn forget_due(&self, subject: &str) -> Result<()> {
        let subject = subject.to_owned();
        self.0
            .store
            .write(move |tx| Box::pin(async move { due::remove(tx, DUE_RUN, &subject).await }))
            .await
    }
}

fn visible(ctx: &Ctx, job: &Job) -> bool {
    (ctx.project.is_none() || ctx.project == job.project) && ctx.faces(job.work.system())
}

impl JobNews {
    fn told(self, at: Timestamp, by: Option<Client>) -> logs::Event {
        let what = What::Job(self);
        logs::Event { at, what, by }
    }
}

/// Stores a job and when it is due, tells what became of it, and shows it once that is durable.
async fn put(
    tx: &mut Tx,
    inner: &Arc<Inner>,
    job: Job,
    wake: bool,
    told: logs::Event,
) -> Result<Arc<Job>> {
    rows::put(tx, &job).await?;
    tx.happened(Subject::Job(job.id.clone()), told);
    if wake {
        let id = job.id.as_str();
        match job.next {
            Some(next) => due::put(tx, next, DUE_RUN, id, &Value::Null).await?,
            None => due::remove(tx, DUE_RUN, id).await?,
        }
    }
    let job = Arc::new(job);
    let (inner, shown, number) = (inner.clone(), job.clone(), number(&job.id)?);
    tx.after_commit(move || {
        let mut all = inner.all.write().unwrap_or_else(PoisonError::into_inner);
        all.insert(number, shown);
    });
    Ok(job)
}

async fn remove(tx: &mut Tx, inner: &Arc<Inner>, id: &JobId, told: logs::Event) -> Result<()> {
    rows::delete(tx, id).await?;
    tx.happened(Subject::Job(id.clone()), told);
    due::remove(tx, DUE_RUN, id.as_str()).await?;
    let (inner, number) = (inner.clone(), number(id)?);
    tx.after_commit(move || {
        let mut all = inner.all.write().unwrap_or_else(PoisonError::into_inner);
        all.remove(&number);
    });
    Ok(())
}

impl Work {
    /// Whether the caller may do it.
    fn may(&self, ctx: &Ctx) -> bool {
        match self {
            Self::Reset { .. } => ctx.has(Privilege::ConfigureComponents),
        }
    }

    /// The system that it is done to.
    #[must_use]
    pub fn system(&self) -> &SystemId {
        match self {
            Self::Reset { system, .. } => system,
        }
    }
}

impl HawkFish {
    /// Begins the job that is due.
    pub(crate) async fn on_job_due(&self, row: &Due) -> Result<()> {
        let Ok(id) = JobId::parse(&row.subject) else {
            return self.jobs().forget_due(&row.subject).await;
        };
        let planned = row.payload["planned"].as_str();
        let planned = planned.and_then(|text| text.parse().ok()).unwrap_or(row.at);
        if self.waits_for_its_host(&id, planned).await? {
            return Ok(());
        }
        let due = Event::Due { planned };
        let Some((job, actions)) = self.jobs().happen(&id, due, None).await? else {
            return self.jobs().forget_due(&row.subject).await;
        };
        if actions.is_empty() {
            return self.jobs().forget_due(&row.subject).await;
        }
        if !actions.contains(&Action::Run) {
            return Ok(());
        }
        // Machines of a simulation answer at once, and whoever moves their clock finds everything done that was due. Real ones may take long, and nothing else
        // is to wait for them.
        let is_simulated = self
            .system(&Ctx::service(), job.work.system())
            .ok()
            .and_then(|system| self.host(&system.host).ok())
            .is_some_and(|host| !host.backend.drifts());
        if is_simulated {
            return self.run_job(&job).await;
        }
        let hawkfish = self.clone();
        self.inner.jobs.spawn(async move {
            if let Err(error) = hawkfish.run_job(&job).await {
                tracing::error!(job = %job.id, ?error, "how a job went could not be stored");
            }
        });
        Ok(())
    }

    /// A host that does not answer may soon do so again, most of all when HawkFish has only just started: then the job is due a little later, while that is not too late.
    async fn waits_for_its_host(&self, id: &JobId, planned: Timestamp) -> Result<bool> {
        let jobs = &self.jobs().0;
        let _gate = jobs.gate.lock().await;
        let now = self.clock().now();
        let Ok(job) = self.jobs().get(&Ctx::service(), id) else {
            return Ok(false);
        };
        let system = self.system(&Ctx::service(), job.work.system());
        let is_lost = system.is_ok_and(|system| !system.reachable);
        let again = now + RETRY;
        if !is_lost || job.state != JobState::Pending || again.duration_since(planned) > GRACE {
            return Ok(false);
        }
        let subject = id.as_str().to_owned();
        let payload = serde_json::json!({"planned": planned.to_string()});
        self.store()
            .write(move |tx| {
                Box::pin(async move { due::put(tx, again, DUE_RUN, &subject, &payload).await })
            })
            .await?;
        Ok(true)
    }

    async fn run_job(&self, job: &Job) -> Result<()> {
        let result = match self.rights_of(job) {
            Ok(ctx) => match &job.work {
                Work::Reset { system, reset } => self.reset(&ctx, system, *reset).await.map(drop),
            },
            Err(error) => Err(error),
        };
        match &result {
            Ok(()) => tracing::info!(job = %job.id, name = job.name, "job done"),
            Err(error) => tracing::warn!(job = %job.id, name = job.name, ?error, "job failed"),
        }
        let result = result.map_err(|error| error.message().to_owned());
        let finished = Event::Finished(result);
        self.jobs().happen(&job.id, finished, None).await?;
        Ok(())
    }

    /// Who made the job, with what that account may do now.
    fn rights_of(&self, job: &Job) -> Result<Ctx> {
        let forbidden = |why: &'static str| Error::new(ErrorKind::Forbidden, why);
        let mut ctx = match &job.owner {
            None => Ctx::service(),
            Some(id) => {
                let account = self
                    .accounts()
                    .get(id)
                    .map_err(|_gone| forbidden("Who made the job has no account any more."))?;
                if !account.enabled {
                    return Err(forbidden("The account of who made the job is disabled."));
                }
                Ctx {
                    actor: Actor::Account {
                        id: account.id.clone(),
                        name: account.name.clone(),
                        role: account.role.clone(),
                        session: None,
                    },
                    privileges: self.accounts().privileges(&account),
                    project: None,
                    scope: None,
                    address: None,
                    request: RequestId::parse(&format!("job-{}", job.id))?,
                }
            }
        };
        ctx.project = job.project.clone();
        if job.work.may(&ctx) {
            Ok(ctx)
        } else {
            Err(forbidden("Who made the job may no longer do this."))
        }
    }
}

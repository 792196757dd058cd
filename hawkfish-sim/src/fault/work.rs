//! Tasks that go wrong. Slow, failing and hanging ones are so in the machines' backend: the task machinery above is the production code, and tells it as it tells
//! everything. Those that vanish, and those whose percentage is not to be believed, are so where they are looked at.

use axum::body::Body;
use bytes::Bytes;
use hawkfish_core::backend::sim::Victim;
use hawkfish_core::backend::{Hindrance, Wait, Work};
use hawkfish_core::ctx::Ctx;
use hawkfish_core::error::Error;
use hawkfish_core::id::TaskId;
use http::header::CONTENT_LENGTH;
use http::{Method, Response};
use http_body_util::BodyExt as _;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::engine::Engine;
use super::latency::Delay;
use super::rule::Then;
use crate::world::World;

/// What becomes of a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// It takes so much longer; it says now and then that it gets on.
    Slow(Delay),
    /// It fails.
    Fails(Fails),
    /// It never ends, until somebody cancels it.
    Hangs,
    /// It is forgotten so long after it was made, and its monitor with it; the work goes on.
    Vanishes(Delay),
    /// It shows another percentage for as long as it is not done.
    Percent(Percent),
}

/// How a task fails.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Fails {
    /// What it says.
    pub message: Option<String>,
    /// How long after it was begun; at once unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Delay>,
}

/// The percentage that a task shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Percent {
    /// Always this.
    Stays(u8),
    /// Every other time half of what it was.
    GoesBack,
}

/// Whether a task of a kind does it.
fn is_of(work: Work, kind: &str) -> bool {
    kind == match work {
        Work::InsertMedia => "media.insert",
        Work::MakeVolume => "volume.make",
        Work::DeleteVolume => "volume.delete",
        Work::BootImage => "media.boot_image",
        Work::TransferFirmware | Work::ApplyFirmware => "update.firmware",
        Work::PowerCycle => "power.cycle",
    }
}

impl Task {
    /// Whether it is so where the task is looked at.
    pub(super) fn is_seen(&self) -> bool {
        matches!(self, Self::Vanishes(_) | Self::Percent(_))
    }

    pub(super) fn check(&self, operations: &[Work]) -> Result<(), String> {
        let waits = match self {
            Self::Slow(_) | Self::Hangs => true,
            Self::Fails(fails) => fails.after.is_some(),
            Self::Vanishes(_) | Self::Percent(_) => false,
        };
        if waits && operations.contains(&Work::PowerCycle) {
            return Err(
                "a power cycle fails or does not, but waits for nothing: have the power come late"
                    .to_owned(),
            );
        }
        match self {
            Self::Slow(delay) | Self::Vanishes(delay) => delay.check(),
            Self::Fails(Fails {
                after: Some(delay), ..
            }) => delay.check(),
            Self::Percent(Percent::Stays(percent)) if *percent > 100 => {
                Err("a percentage is 0 to 100".to_owned())
            }
            _ => Ok(()),
        }
    }
}

impl Engine {
    /// What stands in the way of a piece of work.
    pub(crate) fn hindrance(
        &mut self,
        of: &Victim<'_>,
        work: Work,
        beginning: Timestamp,
    ) -> Option<Hindrance> {
        let key = of.key.to_string();
        let age = of.now.duration_since(beginning);
        let firing = self.fire_first(age, |rule| {
            let Then::Task(task) = &rule.then else {
                return false;
            };
            let can =
                work != Work::PowerCycle || matches!(task, Task::Fails(Fails { after: None, .. }));
            let operations = &rule.when.operation;
            can && !task.is_seen()
                && rule.when.of_system(Some((&key, of.name)))
                && (operations.is_empty() || operations.contains(&work))
        })?;
        let until = |delay: &Delay| {
            let at = of.now.checked_add(delay.draw(firing.roll));
            Wait::Until(at.unwrap_or(Timestamp::MAX))
        };
        let Then::Task(task) = &firing.rule.then else {
            return None;
        };
        Some(match task {
            Task::Slow(delay) => Hindrance {
                wait: until(delay),
                fails: None,
            },
            Task::Fails(Fails { message, after }) => Hindrance {
                wait: after.as_ref().map_or(Wait::No, until),
                fails: Some(Error::backend(
                    message
                        .clone()
                        .unwrap_or_else(|| "The operation failed.".to_owned()),
                )),
            },
            _ => Hindrance {
                wait: Wait::Forever,
                fails: None,
            },
        })
    }
}

/// The task that a path is about: its own URI, or that of its monitor.
fn task_of(path: &str) -> Option<TaskId> {
    let rest = path.strip_prefix("/redfish/v1/TaskService/")?;
    let id = rest
        .strip_prefix("Tasks/")
        .or_else(|| rest.strip_prefix("TaskMonitors/"))?;
    let id = id.trim_end_matches('/');
    id.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| TaskId::parse(id).ok())?
}

/// A percentage that is not to be believed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown {
    percent: Percent,
    number: u64,
}

impl Shown {
    /// Puts it into the answer with a task.
    pub(crate) async fn put_into(self, response: Response<Body>) -> Response<Body> {
        let (mut parts, body) = response.into_parts();
        // The service's own bodies do not break.
        let whole = body.collect().await;
        let whole = whole.map_or_else(|_| Bytes::new(), |body| body.to_bytes());
        let body = match self.apply(&whole) {
            Some(changed) => Bytes::from(changed),
            None => whole,
        };
        parts.headers.insert(CONTENT_LENGTH, body.len().into());
        Response::from_parts(parts, Body::from(body))
    }

    fn apply(self, body: &[u8]) -> Option<Vec<u8>> {
        let mut task: serde_json::Value = serde_json::from_slice(body).ok()?;
        let state = task.get("TaskState")?.as_str()?;
        if !matches!(state, "New" | "Running" | "Starting") {
            return None;
        }
        let shown = task.get_mut("PercentComplete")?;
        let real = shown.as_u64()?;
        *shown = match self.percent {
            Percent::Stays(percent) => percent.into(),
            Percent::GoesBack if self.number.is_multiple_of(2) => (real / 2).into(),
            Percent::GoesBack => real.into(),
        };
        serde_json::to_vec(&task).ok()
    }
}

impl World {
    /// Somebody looks at a task: it may vanish before, or show another percentage.
    pub(crate) async fn look_at_task(&self, method: &Method, path: &str) -> Option<Shown> {
        if *method != Method::GET || !self.faults(|engine| engine.has(is_seen)) {
            return None;
        }
        let id = task_of(path)?;
        let task = self.hawkfish().tasks().get(&Ctx::service(), &id).ok()?;
        let system = task.subject.as_ref().and_then(|id| {
            let system = self.hawkfish().system(&Ctx::service(), id).ok()?;
            Some((id.to_string(), system.machine.name.clone()))
        });
        let names = system
            .as_ref()
            .map(|(id, name)| (id.as_str(), name.as_str()));
        let old = self.now().duration_since(task.start);
        let age = self.age();
        let firing = self.faults(|engine| {
            engine.fire_first(age, |rule| {
                let operations = &rule.when.operation;
                is_seen(rule)
                    && rule.when.of_system(names)
                    && (operations.is_empty()
                        || operations.iter().any(|one| is_of(*one, &task.kind)))
                    && match &rule.then {
                        // Drawn by the number of the task, so that it is the same however often somebody looks.
                        Then::Task(Task::Vanishes(delay)) => old >= vanishes_after(delay, &id),
                        Then::Task(Task::Percent(_)) => !task.state.ended(),
                        _ => false,
                    }
            })
        });
        self.say_firings();
        let firing = firing?;
        match &firing.rule.then {
            Then::Task(Task::Percent(percent)) => Some(Shown {
                percent: *percent,
                number: firing.number,
            }),
            Then::Task(Task::Vanishes(_)) => {
                if let Err(error) = self.hawkfish().tasks().forget(&id).await {
                    self.traced(|trace| trace.broken(self.now(), None, &error.to_string()));
                }
                None
            }
            _ => None,
        }
    }
}

fn is_seen(rule: &super::Rule) -> bool {
    matches!(&rule.then, Then::Task(task) if task.is_seen())
}

fn vanishes_after(delay: &Delay, id: &TaskId) -> SignedDuration {
    use hawkfish_core::entropy::{Entropy as _, SeededEntropy};
    delay.draw(SeededEntropy::new(0, &format!("task {id}")).number())
}

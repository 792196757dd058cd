//! Tasks: work that goes on after its request was answered.

use std::sync::Arc;
use std::time::Duration;

use hawkfish_core::id::TaskId;
use hawkfish_core::tasks::{Severity, Task, TaskMessage};
use hawkfish_redfish::message::{TASK_EVENT, hawkfish};
use hawkfish_redfish::model::OdataId;
use hawkfish_redfish::model::message::Message;
use hawkfish_redfish::model::resource::Health;
use hawkfish_redfish::model::task::{Payload, Task as Model, TaskState};

use super::{date_time, task_monitor};
use crate::catalog::{Content, Outcome, Privileges, Resource, Rq};
use crate::problem::Problem;

/// The URI of the collection.
pub const URI: &str = "/redfish/v1/TaskService/Tasks";

/// `/redfish/v1/TaskService/Tasks`
pub const COLLECTION: Resource = Resource {
    uri: URI,
    entity: "TaskCollection",
    get: Some(|rq| Box::pin(list(rq))),
    privileges: Privileges::MANAGER,
    ..Resource::NONE
};

/// `/redfish/v1/TaskService/Tasks/{task}`
pub const RESOURCE: Resource = Resource {
    uri: "/redfish/v1/TaskService/Tasks/{task}",
    entity: "Task",
    get: Some(|rq| Box::pin(read(rq))),
    delete: Some(|rq| Box::pin(delete(rq))),
    privileges: Privileges::MANAGER,
    ..Resource::NONE
};

/// `/redfish/v1/TaskService/Tasks/{task}/SubTasks`
pub const PARTS: Resource = Resource {
    uri: "/redfish/v1/TaskService/Tasks/{task}/SubTasks",
    entity: "TaskCollection",
    get: Some(|rq| Box::pin(parts(rq))),
    privileges: Privileges::MANAGER,
    ..Resource::NONE
};

/// `/redfish/v1/TaskService/Tasks/{task}/SubTasks/{part}`: it comes, is cancelled and goes with its task.
pub const PART: Resource = Resource {
    uri: "/redfish/v1/TaskService/Tasks/{task}/SubTasks/{part}",
    entity: "Task",
    get: Some(|rq| Box::pin(read_part(rq))),
    privileges: Privileges::MANAGER,
    ..Resource::NONE
};

/// A task that has ended, where it does within a time; not where its work has to wait for longer than anybody should wait with it.
pub(super) async fn ended(
    rq: &Rq,
    id: &TaskId,
    patience: Duration,
) -> Result<hawkfish_core::error::Result<Arc<Task>>, StillGoing> {
    let ended = rq.hf.tasks();
    let ended = ended.finished_or_held(id);
    match tokio::time::timeout(patience, ended).await {
        Ok(Ok(task)) if !task.state.ended() => Err(StillGoing),
        Ok(ended) => Ok(ended),
        Err(_) => Err(StillGoing),
    }
}

/// A task goes on.
#[derive(Debug)]
pub(super) struct StillGoing;

/// The URI of a task.
#[must_use]
pub fn uri(task: &TaskId) -> String {
    format!("{}/{task}", URI)
}

async fn list(rq: &Rq) -> Result<Content, Problem> {
    let tasks = rq.hf.tasks().list(&rq.ctx);
    Ok(Content::collection(
        rq,
        "Tasks",
        tasks.iter().map(|task| &task.id),
    ))
}

async fn read(rq: &Rq) -> Result<Content, Problem> {
    let task = rq.hf.tasks().get(&rq.ctx, &rq.id("task")?)?;
    Content::of(&model(&task))
}

async fn parts(rq: &Rq) -> Result<Content, Problem> {
    let parts = rq.hf.tasks().parts(&rq.ctx, &rq.id("task")?)?;
    if parts.is_empty() {
        return Err(Problem::missing(rq.uri()));
    }
    Ok(Content::collection(
        rq,
        "Parts of a task",
        parts.iter().map(|part| &part.id),
    ))
}

async fn read_part(rq: &Rq) -> Result<Content, Problem> {
    let (task, part) = (rq.id("task")?, rq.id("part")?);
    let part = rq.hf.tasks().part(&rq.ctx, &task, &part)?;
    Content::of(&model(&part))
}

fn model(task: &Task) -> Model {
    let worst = task.messages.iter().map(|message| message.severity).max();
    Model {
        id: task.id.to_string(),
        name: task.name.clone(),
        task_state: TaskState::known(task.state.as_str()),
        task_status: Some(health(worst.unwrap_or(Severity::Ok))),
        percent_complete: i64::from(task.percent).into(),
        start_time: Some(date_time(task.start)),
        end_time: task.end.map(date_time),
        // A part has none: who waits, waits for the whole.
        task_monitor: task.parent.is_none().then(|| task_monitor::uri(&task.id)),
        sub_tasks: (!task.parts.is_empty())
            .then(|| OdataId::new(format!("{}/SubTasks", uri(&task.id)))),
        hide_payload: Some(task.request.is_none()),
        payload: task.request.as_ref().map(|request| Payload {
            target_uri: Some(request.uri.clone()),
            http_operation: Some(request.method.clone()),
            http_headers: Some(Vec::new()),
            json_body: request.body.as_ref().map(ToString::to_string),
        }),
        messages: Some(
            task.messages
                .iter()
                .map(message)
                .chain(outcome(task))
                .collect(),
        ),
        ..Model::default()
    }
}

fn health(severity: Severity) -> Health {
    match severity {
        Severity::Ok => Health::OK,
        Severity::Warning => Health::Warning,
        Severity::Critical => Health::Critical,
    }
}

/// How a task ended, as its event tells it.
fn outcome(task: &Task) -> Option<Message> {
    use hawkfish_core::tasks::TaskState as State;
    let warned = || task.messages.iter().any(|m| m.severity > Severity::Ok);
    let key = match task.state {
        State::Completed if warned() => "TaskCompletedWarning",
        State::Completed => "TaskCompletedOK",
        State::Exception => "TaskAborted",
        State::Cancelled => "TaskCancelled",
        State::New | State::Running | State::Interrupted | State::Cancelling => return None,
    };
    Some(TASK_EVENT.message(key, &[task.id.as_str()]).into())
}

pub(super) fn message(said: &TaskMessage) -> Message {
    let note = hawkfish("TaskNote", &[said.text.trim_end_matches('.')]);
    Message {
        message_id: Some(note.message_id),
        message: Some(note.message),
        message_args: Some(note.args),
        message_severity: Some(health(said.severity)),
        resolution: Some(note.resolution),
        ..Message::default()
    }
}

/// An unfinished task is cancelled, a finished one forgotten.
async fn delete(rq: &Rq) -> Result<Outcome, Problem> {
    rq.hf.tasks().delete(&rq.ctx, &rq.id("task")?).await?;
    Ok(Outcome::Done)
}

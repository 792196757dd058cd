//! Task monitors: 202 while the work goes on, then once the answer that the request would have had, then nothing (DSP0266, "Asynchronous operations").

use hawkfish_core::error::Error;
use hawkfish_core::id::TaskId;

use crate::catalog::{Content, Outcome, Privileges, Resource, Rq};
use crate::problem::Problem;
use crate::resource::volume;

/// `/redfish/v1/TaskService/TaskMonitors/{task}`
pub const RESOURCE: Resource = Resource {
    uri: "/redfish/v1/TaskService/TaskMonitors/{task}",
    get: Some(|rq| Box::pin(read(rq))),
    delete: Some(|rq| Box::pin(cancel(rq))),
    // Who may start something may also stop it again.
    privileges: Privileges::COMPONENTS,
    no_store: true,
    ..Resource::NONE
};

/// The URI of the monitor of a task.
#[must_use]
pub fn uri(task: &TaskId) -> String {
    format!("/redfish/v1/TaskService/TaskMonitors/{task}")
}

async fn read(rq: &Rq) -> Result<Content, Problem> {
    let task = rq.hf.tasks().get(&rq.ctx, &rq.id("task")?)?;
    if !task.state.ended() {
        return Ok(Content::Answer(Outcome::Started(task.id.clone())));
    }
    let is_told = if rq.head {
        rq.hf.tasks().end_is_told(&rq.ctx, &task.id)?
    } else {
        !rq.hf.tasks().tell_end(&rq.ctx, &task.id)?
    };
    if is_told {
        return Err(Problem::missing(rq.uri()));
    }
    Ok(Content::Answer(match &task.failure {
        Some(failure) => Outcome::Failed(Error::from(failure).into()),
        None => volume::outcome(rq, &task)?,
    }))
}

async fn cancel(rq: &Rq) -> Result<Outcome, Problem> {
    let id: TaskId = rq.id("task")?;
    rq.hf.tasks().cancel(&rq.ctx, &id).await?;
    Ok(Outcome::Done)
}

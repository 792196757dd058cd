//! The task service: what goes on, and how long it is remembered.

use hawkfish_redfish::model::task_service::{OverWritePolicy, TaskService, TaskServicePatch};

use super::{date_time, healthy, task};
use crate::catalog::{Content, Outcome, Privileges, Resource, Rq};
use crate::problem::Problem;

/// `/redfish/v1/TaskService`
pub const RESOURCE: Resource = Resource {
    uri: "/redfish/v1/TaskService",
    entity: "TaskService",
    get: Some(|rq| Box::pin(read(rq))),
    patch: Some(|rq| Box::pin(change(rq))),
    privileges: Privileges::MANAGER,
    clock_like: &["DateTime"],
    ..Resource::NONE
};

async fn read(rq: &Rq) -> Result<Content, Problem> {
    Content::of(&TaskService {
        id: "TaskService".into(),
        name: "Task Service".into(),
        service_enabled: true.into(),
        date_time: date_time(rq.hf.clock().now()).into(),
        completed_task_over_write_policy: Some(OverWritePolicy::Oldest),
        life_cycle_event_on_task_state_change: Some(true),
        task_auto_delete_timeout_minutes: Some(rq.hf.tasks().auto_delete().into()),
        status: Some(healthy()),
        tasks: Some(task::URI.into()),
        ..TaskService::default()
    })
}

async fn change(rq: &Rq) -> Result<Outcome, Problem> {
    let patch: TaskServicePatch = rq.body()?;
    if let Some(minutes) = patch.task_auto_delete_timeout_minutes {
        // What is outside of 32 bits is outside of the range, too.
        let minutes = u32::try_from(minutes).unwrap_or(u32::MAX);
        rq.hf.tasks().set_auto_delete(&rq.ctx, minutes).await?;
    }
    Ok(Outcome::Done)
}

//! Tasks: work that goes on after its request was answered.

use hawkfish_core::id::TaskId;

/// The URI of a task.
#[must_use]
pub fn uri(task: &TaskId) -> String {
    format!("/redfish/v1/TaskService/Tasks/{task}")
}

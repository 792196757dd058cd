//! Task monitors: 202 while the work goes on, then once the answer that the request would have had, then nothing (DSP0266, "Asynchronous operations").

use std::collections::HashSet;
use std::sync::Mutex;

use hawkfish_core::id::TaskId;

/// Monitors that have told their end.
pub type Told = Mutex<HashSet<TaskId>>;

/// The URI of the monitor of a task.
#[must_use]
pub fn uri(task: &TaskId) -> String {
    format!("/redfish/v1/TaskService/TaskMonitors/{task}")
}

//! Tasks and their monitors (DSP0266, "Asynchronous operations").

use hawkfish_core::Error;
use hawkfish_core::ctx::Ctx;
use hawkfish_core::id::TaskId;
use hawkfish_core::tasks::{NewTask, RequestPayload};
use serde_json::json;

use crate::door::Door;

async fn task(door: &Door) -> TaskId {
    let request = RequestPayload {
        uri: "/redfish/v1/x".to_owned(),
        method: "POST".to_owned(),
        body: Some(json!({"Image": "http://example.org/x.iso"})),
    };
    let new = NewTask {
        name: "Insert an image".to_owned(),
        subject: None,
        kind: "test".to_owned(),
        payload: json!({}),
        request: Some(request),
        resumable: false,
    };
    door.app
        .hawkfish()
        .tasks()
        .create(&Ctx::service(), new)
        .await
        .unwrap()
        .id
        .clone()
}

fn monitor(task: &TaskId) -> String {
    format!("/redfish/v1/TaskService/TaskMonitors/{task}")
}

#[tokio::test]
async fn a_monitor_tells_that_it_runs_then_its_end_once_then_nothing() {
    let door = Door::open().await;
    let id = task(&door).await;
    let handle = door.app.hawkfish().tasks().handle(&id);
    handle.progress(40, Some("Fetching."));
    for _ in 0..2 {
        let running = door.send("GET", &monitor(&id)).admin().answer().await;
        assert_eq!(running.status, 202);
        assert_eq!(running.header("location"), monitor(&id));
        assert!(running.headers.contains_key("retry-after"));
        assert_eq!(running.body["@odata.id"], monitor(&id).as_str());
        assert_eq!(
            (&running.body["TaskState"], &running.body["PercentComplete"]),
            (&json!("Running"), &json!(40))
        );
    }
    let shown = door
        .read(&format!("/redfish/v1/TaskService/Tasks/{id}"))
        .await;
    assert_eq!(shown.body["TaskMonitor"], monitor(&id).as_str());
    assert_eq!(shown.body["Payload"]["TargetUri"], "/redfish/v1/x");
    assert!(
        shown.body["Messages"][0]["Message"]
            .as_str()
            .unwrap()
            .contains("Fetching")
    );
    handle.finish(Ok(())).await.unwrap();
    assert_eq!(
        door.send("HEAD", &monitor(&id))
            .admin()
            .answer()
            .await
            .status,
        204
    );
    assert_eq!(
        door.send("GET", &monitor(&id))
            .admin()
            .answer()
            .await
            .status,
        204
    );
    door.send("GET", &monitor(&id))
        .admin()
        .answer()
        .await
        .refused(404, "ResourceMissingAtURI");
    let ended = door
        .read(&format!("/redfish/v1/TaskService/Tasks/{id}"))
        .await;
    assert_eq!(
        (&ended.body["TaskState"], &ended.body["TaskStatus"]),
        (&json!("Completed"), &json!("OK"))
    );
}

#[tokio::test]
async fn a_failed_task_answers_as_the_request_would_have() {
    let door = Door::open().await;
    let id = task(&door).await;
    let handle = door.app.hawkfish().tasks().handle(&id);
    handle
        .finish(Err(Error::unavailable("The host is away.")))
        .await
        .unwrap();
    let answer = door.send("GET", &monitor(&id)).admin().answer().await;
    answer.refused(503, "ServiceTemporarilyUnavailable");
    assert!(answer.headers.contains_key("retry-after"));
    let ended = door
        .read(&format!("/redfish/v1/TaskService/Tasks/{id}"))
        .await;
    assert_eq!(
        (&ended.body["TaskState"], &ended.body["TaskStatus"]),
        (&json!("Exception"), &json!("Critical"))
    );
}

#[tokio::test]
async fn deleting_a_monitor_cancels_the_work() {
    let door = Door::open().await;
    let id = task(&door).await;
    let handle = door.app.hawkfish().tasks().handle(&id);
    assert_eq!(
        door.send("DELETE", &monitor(&id))
            .admin()
            .answer()
            .await
            .status,
        204
    );
    assert!(handle.cancelled().is_cancelled());
    let shown = door
        .read(&format!("/redfish/v1/TaskService/Tasks/{id}"))
        .await;
    assert_eq!(shown.body["TaskState"], "Cancelling");
}

#[tokio::test]
async fn a_task_can_be_deleted_and_the_time_that_it_is_kept_set() {
    let door = Door::open().await;
    let id = task(&door).await;
    let uri = format!("/redfish/v1/TaskService/Tasks/{id}");
    assert_eq!(door.send("DELETE", &uri).admin().answer().await.status, 204);
    door.send("GET", &uri)
        .admin()
        .answer()
        .await
        .refused(404, "ResourceMissingAtURI");
    let set = json!({"TaskAutoDeleteTimeoutMinutes": 5});
    let set = door
        .send("PATCH", "/redfish/v1/TaskService")
        .admin()
        .json(&set)
        .answer()
        .await;
    assert_eq!(set.body["TaskAutoDeleteTimeoutMinutes"], 5);
    let set = json!({"TaskAutoDeleteTimeoutMinutes": 0});
    let refused = door
        .send("PATCH", "/redfish/v1/TaskService")
        .admin()
        .json(&set)
        .answer()
        .await;
    refused.refused(400, "PropertyValueOutOfRange");
}

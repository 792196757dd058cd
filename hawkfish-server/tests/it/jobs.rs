//! Jobs through the door: a reset at a time that somebody chose, and every way in which that can be asked for wrongly.

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::door::{Answer, Door};

const JOBS: &str = "/redfish/v1/JobService/Jobs";

fn turns_on(door: &Door, schedule: &Value) -> Value {
    json!({
        "Name": "Morning",
        "Schedule": schedule,
        "Payload": {
            "TargetUri": format!("{}/Actions/ComputerSystem.Reset", door.system(0)),
            "HttpOperation": "POST",
            "JsonBody": "{\"ResetType\": \"On\"}",
        },
    })
}

async fn post(door: &Door, body: &Value) -> Answer {
    door.send("POST", JOBS).admin().json(body).answer().await
}

async fn act(door: &Door, job: &str, action: &str) -> Answer {
    let uri = format!("{job}/Actions/Job.{action}");
    door.send("POST", &uri)
        .admin()
        .json(&json!({}))
        .answer()
        .await
}

async fn pass(door: &Door, seconds: i64) {
    let hf = door.app.hawkfish();
    let end = hf.clock().now() + SignedDuration::from_secs(seconds);
    while let Some(next) = hf.next_due().filter(|next| *next <= end) {
        door.clock.set(next);
        hf.tick().await.unwrap();
    }
    door.clock.set(end);
    hf.tick().await.unwrap();
}

async fn power(door: &Door) -> Value {
    door.read(&door.system(0)).await.body["PowerState"].clone()
}

#[tokio::test]
async fn a_job_turns_a_system_on_at_its_time() {
    let door = Door::open().await;
    let schedule = json!({"InitialStartTime": "2026-01-01T02:00:00+01:00"});
    let made = post(&door, &turns_on(&door, &schedule)).await;
    assert_eq!(made.status, 201, "{made:?}");
    let job = made.header("location").to_owned();
    assert_eq!(made.body["JobState"], "Pending");
    assert_eq!(made.body["StartTime"], "2026-01-01T01:00:00Z");
    assert_eq!(made.body["CreatedBy"], "admin");
    pass(&door, 3599).await;
    assert_eq!(power(&door).await, "Off");
    pass(&door, 60).await;
    assert_eq!(power(&door).await, "On");
    let done = door.read(&job).await.body;
    assert_eq!(
        (
            &done["JobState"],
            &done["PercentComplete"],
            &done["JobStatus"]
        ),
        (&json!("Completed"), &json!(100), &json!("OK"))
    );
    assert_eq!(done["EndTime"], "2026-01-01T01:00:00Z");
    assert_eq!(done["Messages"].as_array().unwrap().len(), 1);
    // Nothing more can be asked of it but to go.
    act(&door, &job, "Cancel")
        .await
        .refused(409, "OperationNotAllowed");
    assert_eq!(door.send("DELETE", &job).admin().answer().await.status, 204);
    let gone = door.send("GET", &job).admin().answer().await;
    gone.refused(404, "ResourceMissingAtURI");
}

#[tokio::test]
async fn a_job_is_suspended_resumed_rescheduled_and_cancelled() {
    let door = Door::open().await;
    let schedule =
        json!({"InitialStartTime": "2026-01-01T01:00:00Z", "RecurrenceInterval": "PT1H"});
    let made = post(&door, &turns_on(&door, &schedule)).await;
    let job = made.header("location").to_owned();
    act(&door, &job, "Resume")
        .await
        .refused(409, "OperationNotAllowed");
    assert_eq!(act(&door, &job, "Suspend").await.status, 204);
    assert_eq!(door.read(&job).await.body["JobState"], "Suspended");
    pass(&door, 2 * 3600 + 60).await;
    assert_eq!(power(&door).await, "Off");
    assert_eq!(act(&door, &job, "Resume").await.status, 204);
    let now = door.read(&job).await.body;
    assert_eq!(now["StartTime"], "2026-01-01T03:00:00Z");

    let patch = json!({"Schedule": {"InitialStartTime": "2026-01-02T12:00:00Z", "RecurrenceInterval": null}});
    let answer = door.send("PATCH", &job).admin().json(&patch).answer().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.body["StartTime"], "2026-01-02T12:00:00Z");
    assert_eq!(answer.body["Schedule"]["RecurrenceInterval"], Value::Null);

    assert_eq!(act(&door, &job, "Cancel").await.status, 204);
    pass(&door, 3 * 86_400).await;
    assert_eq!(power(&door).await, "Off");
    assert_eq!(door.read(&job).await.body["JobState"], "Cancelled");
}

#[tokio::test]
async fn all_jobs_are_cancelled_at_once() {
    let door = Door::open().await;
    let schedule = json!({"InitialStartTime": "2026-01-01T01:00:00Z"});
    for _ in 0..3 {
        assert_eq!(post(&door, &turns_on(&door, &schedule)).await.status, 201);
    }
    let uri = "/redfish/v1/JobService/Actions/JobService.CancelAllJobs";
    let answer = door
        .send("POST", uri)
        .admin()
        .json(&json!({}))
        .answer()
        .await;
    assert_eq!(answer.status, 204);
    pass(&door, 7200).await;
    assert_eq!(power(&door).await, "Off");
}

#[tokio::test]
async fn a_bad_job_is_refused_by_the_name_of_what_is_wrong_and_nothing_is_made() {
    let door = Door::open().await;
    let good = turns_on(&door, &json!({"InitialStartTime": "2026-01-01T01:00:00Z"}));
    let with = |pointer: &str, value: Value| {
        let mut body = good.clone();
        *body.pointer_mut(pointer).unwrap() = value;
        body
    };
    let mut without = good.clone();
    without.as_object_mut().unwrap().remove("Payload");
    for (body, key, pointer) in [
        (without, "PropertyMissing", "#/Payload"),
        (
            with("/Payload/TargetUri", json!("/redfish/v1/Systems")),
            "PropertyValueNotInList",
            "#/Payload/TargetUri",
        ),
        (
            with(
                "/Payload/TargetUri",
                json!("/redfish/v1/Systems/none/Actions/ComputerSystem.Reset"),
            ),
            "PropertyValueNotInList",
            "#/Payload/TargetUri",
        ),
        (
            with("/Payload/HttpOperation", json!("DELETE")),
            "PropertyValueNotInList",
            "#/Payload/HttpOperation",
        ),
        (
            with("/Payload/JsonBody", json!("not JSON")),
            "PropertyValueFormatError",
            "#/Payload/JsonBody",
        ),
        (
            with("/Payload/JsonBody", json!("{\"ResetType\": \"Sideways\"}")),
            "PropertyValueFormatError",
            "#/Payload/JsonBody",
        ),
        (
            with("/Payload/JsonBody", json!("{}")),
            "PropertyValueNotInList",
            "#/Payload/JsonBody",
        ),
        (
            with("/Schedule", json!({"MaxOccurrences": 0})),
            "PropertyValueOutOfRange",
            "#/Schedule/MaxOccurrences",
        ),
        (
            with(
                "/Schedule",
                json!({"InitialStartTime": "2025-12-01T00:00:00Z"}),
            ),
            "PropertyValueOutOfRange",
            "#/Schedule/InitialStartTime",
        ),
        (
            with("/Schedule", json!({"InitialStartTime": "tomorrow"})),
            "PropertyValueFormatError",
            "#/Schedule/InitialStartTime",
        ),
    ] {
        let answer = post(&door, &body).await;
        assert_eq!(answer.status, 400, "{body}: {answer:?}");
        assert_eq!(answer.keys().first(), Some(&key), "{body}: {answer:?}");
        assert!(answer.related().contains(&pointer), "{body}: {answer:?}");
    }
    assert_eq!(door.read(JOBS).await.body["Members@odata.count"], 0);
}

#[tokio::test]
async fn who_may_not_reset_a_system_may_not_have_it_reset() {
    let door = Door::open().await;
    let role = json!({"RoleId": "Clerk", "AssignedPrivileges": ["Login", "ConfigureManager"]});
    let made = door
        .send("POST", crate::door::ROLES)
        .admin()
        .json(&role)
        .answer()
        .await;
    assert_eq!(made.status, 201, "{made:?}");
    door.account("clerk", "Clerk").await;
    let body = turns_on(&door, &json!({"InitialStartTime": "2026-01-01T01:00:00Z"}));
    let answer = door
        .send("POST", JOBS)
        .user("clerk")
        .json(&body)
        .answer()
        .await;
    answer.refused(403, "InsufficientPrivilege");
    assert_eq!(door.read(JOBS).await.body["Members@odata.count"], 0);
}

use std::time::Duration;

use hawkfish_client::{Client, Kind, Outcome, Progress, Task};
use serde_json::json;
use wiremock::matchers::{method, path};
use wiremock::{MockServer, ResponseTemplate};

use crate::mock::Mock;

async fn reset(mock: &Mock) -> Outcome {
    let client = mock.client();
    let system = client
        .get_value("/redfish/v1/Machines/7")
        .await
        .unwrap()
        .value;
    client
        .action(&system, "ComputerSystem.Reset", &json!({"ResetType": "On"}))
        .await
        .unwrap()
}

#[tokio::test]
async fn a_change_that_goes_on_is_asked_after_until_it_is_done() {
    let mock = Mock::new();
    mock.inside().task_after = Some(3);
    let outcome = reset(&mock).await;
    assert!(matches!(outcome, Outcome::Started(_)));
    let answer = outcome.finish(Some(Duration::from_secs(30))).await.unwrap();
    assert_eq!(answer.status, 204);
    let polls = mock
        .paths()
        .iter()
        .filter(|path| path.contains("Monitors"))
        .count();
    assert_eq!(polls, 4);
}

#[tokio::test]
async fn a_task_can_be_watched_one_question_at_a_time() {
    let mock = Mock::new();
    mock.inside().task_after = Some(1);
    let Outcome::Started(mut task) = reset(&mock).await else {
        panic!("a task was asked for");
    };
    assert_eq!(task.uri.as_deref(), Some("/redfish/v1/TaskService/Tasks/1"));
    let Progress::Running {
        task: Some(seen),
        poll_after,
    } = task.poll().await.unwrap()
    else {
        panic!("it is still at work");
    };
    assert_eq!(seen["PercentComplete"], 50);
    assert_eq!(poll_after, Duration::ZERO);
    assert!(matches!(task.poll().await.unwrap(), Progress::Done(_)));
}

#[tokio::test]
async fn the_error_at_the_end_of_a_task_is_the_error_of_the_change() {
    let mock = Mock::new();
    {
        let mut inside = mock.inside();
        inside.task_after = Some(1);
        inside.task_fails = true;
    }
    let error = reset(&mock).await.finish(None).await.unwrap_err();
    assert_eq!(error.kind, Kind::Service);
    assert!(error.to_string().contains("did not obey"), "{error}");
}

#[tokio::test]
async fn a_task_without_a_monitor_tells_its_end_itself() {
    let mock = Mock::new();
    {
        let mut inside = mock.inside();
        inside.task_after = Some(1);
        inside.task_fails = true;
    }
    let task = Task::at(&mock.client(), "/redfish/v1/TaskService/Tasks/1");
    let error = task.wait(None).await.unwrap_err();
    assert_eq!(error.kind, Kind::TaskFailed);
    assert_eq!(error.messages()[0].key(), "InternalError");
}

#[tokio::test]
async fn waiting_ends_when_the_caller_has_no_more_time_and_the_work_goes_on() {
    let mock = Mock::new();
    mock.inside().task_after = Some(u32::MAX);
    let outcome = reset(&mock).await;
    let error = outcome
        .finish(Some(Duration::from_millis(50)))
        .await
        .unwrap_err();
    // Retry-After is 0: the first questions are asked before the time is over.
    assert_eq!(error.kind, Kind::TimedOut);
}

#[tokio::test]
async fn where_the_monitor_is_gone_the_task_tells_how_it_ended() {
    let server = MockServer::start().await;
    let accepted = ResponseTemplate::new(202)
        .insert_header("location", "/monitor")
        .insert_header("retry-after", "0")
        .set_body_json(json!({"@odata.id": "/task"}));
    let done = json!({"@odata.id": "/task", "@odata.type": "#Task.v1_4_3.Task", "TaskState": "Completed", "TaskStatus": "OK"});
    for (verb, at, answer) in [
        ("POST", "/do", accepted),
        ("GET", "/monitor", ResponseTemplate::new(404)),
        (
            "GET",
            "/task",
            ResponseTemplate::new(200).set_body_json(done),
        ),
    ] {
        wiremock::Mock::given(method(verb))
            .and(path(at))
            .respond_with(answer)
            .mount(&server)
            .await;
    }
    let client = Client::builder(server.uri()).build().unwrap();
    let answer = client
        .post("/do", &json!({}))
        .await
        .unwrap()
        .finish(None)
        .await
        .unwrap();
    assert_eq!(answer.json().unwrap()["TaskState"], "Completed");
}

#[tokio::test]
async fn accepted_without_any_place_to_ask_is_taken_as_done() {
    let server = MockServer::start().await;
    wiremock::Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(202))
        .mount(&server)
        .await;
    let client = Client::builder(server.uri()).build().unwrap();
    let outcome = client.post("/do", &json!({})).await.unwrap();
    assert!(matches!(outcome, Outcome::Done(_)));
}

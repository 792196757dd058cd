use std::time::Duration;

use hawkfish_client::{Client, Kind, Outcome, Progress, Retry, Task};
use serde_json::json;
use wiremock::matchers::{method, path};
use wiremock::{MockServer, ResponseTemplate};

use crate::mock::Mock;
use crate::script::{Script, json as answer};

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

fn task(state: &str, percent: u64) -> serde_json::Value {
    json!({"@odata.id": "/task", "@odata.type": "#Task.v1_4_3.Task", "TaskState": state, "PercentComplete": percent})
}

#[tokio::test]
async fn how_a_task_goes_is_a_stream_that_ends_with_its_end() {
    let mock = Mock::new();
    mock.inside().task_after = Some(3);
    let Outcome::Started(task) = reset(&mock).await else {
        panic!("a task was asked for");
    };
    let mut steps = task.progress();
    for _ in 0..3 {
        let step = steps.next().await.unwrap().unwrap();
        assert_eq!(step.percent(), Some(50));
        assert_eq!(step.state().as_deref(), Some("Running"));
        assert_eq!(step.messages()[0].key(), "InternalError");
    }
    let end = steps.next().await.unwrap().unwrap();
    assert!(matches!(&end, Progress::Done(answer) if answer.status == 204));
    assert_eq!(end.percent(), Some(100));
    assert!(steps.next().await.is_none());
}

#[tokio::test]
async fn a_job_in_the_place_of_a_task_is_watched_to_its_end() {
    for (end, good) in [("Completed", true), ("CompletedWithErrors", false)] {
        let script = Script::new(move |asked| {
            let job = |state: &str, percent: &str| {
                json!({"@odata.id": "/redfish/v1/Managers/M/Jobs/JID_1", "@odata.type": "#DellJob.v1_0_2.DellJob", "Id": "JID_1",
                    "JobState": state, "PercentComplete": percent, "Message": "Half is done.", "MessageId": "SYS053", "Messages": []})
            };
            match (asked.line().as_str(), asked.number) {
                ("POST /do", _) => answer(
                    202,
                    &[
                        ("location", "/redfish/v1/Managers/M/Jobs/JID_1"),
                        ("retry-after", "0"),
                    ],
                    &json!({}),
                ),
                (_, 1) => answer(200, &[("retry-after", "0")], &job("Running", "50")),
                _ => answer(200, &[("retry-after", "0")], &job(end, "100")),
            }
        });
        let outcome = script.client().post("/do", &json!({})).await.unwrap();
        let Outcome::Started(task) = outcome else {
            panic!("a job was started");
        };
        let mut steps = task.progress();
        let half = steps.next().await.unwrap().unwrap();
        assert_eq!(
            (half.percent(), half.state().as_deref()),
            (Some(50), Some("Running"))
        );
        assert_eq!(half.messages()[0].message, "Half is done.");
        match (steps.next().await.unwrap(), good) {
            (Ok(Progress::Done(_)), true) => {}
            (Err(error), false) => {
                assert_eq!(error.kind, Kind::TaskFailed);
                assert!(error.to_string().contains("Half is done."), "{error}");
            }
            (other, _) => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_monitor_that_vanishes_leaves_the_task_that_it_showed_and_without_it_nobody_knows() {
    for (task_is_there, kind) in [(true, None), (false, Some(Kind::NotFound))] {
        let script = Script::new(move |asked| match asked.line().as_str() {
            "POST /do" => answer(
                202,
                &[("location", "/monitor"), ("retry-after", "0")],
                &json!({}),
            ),
            // The first answer of the monitor is what tells where the task stands.
            "GET /monitor" if asked.number == 1 => {
                answer(202, &[("retry-after", "0")], &task("Running", 10))
            }
            "GET /task" if task_is_there => answer(200, &[], &task("Completed", 100)),
            _ => answer(404, &[], &json!({})),
        });
        let outcome = script.client().post("/do", &json!({})).await.unwrap();
        match (outcome.finish(None).await, kind) {
            (Ok(_), None) => {}
            (Err(error), Some(kind)) => {
                assert_eq!(error.kind, kind);
                assert!(
                    error.to_string().contains("did not say how it ended"),
                    "{error}"
                );
            }
            (other, _) => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_service_that_is_away_while_its_task_goes_on_is_waited_for_as_long_as_patience_lasts() {
    let script = Script::new(|asked| match asked.number {
        0 => answer(
            202,
            &[("location", "/monitor"), ("retry-after", "0")],
            &json!({}),
        ),
        1..=3 => answer(503, &[("retry-after", "0")], &json!({})),
        _ => answer(204, &[], &json!({})),
    });
    let client = script.builder().retry(Retry::none()).build().unwrap();
    let start = async || match client.post("/do", &json!({})).await.unwrap() {
        Outcome::Started(task) => task,
        Outcome::Done(_) => panic!("a task was asked for"),
    };
    let answer = start().await.wait(None).await.unwrap();
    assert_eq!(answer.status, 204);
    let away = Script::new(|asked| match asked.number {
        0 => self::answer(
            202,
            &[("location", "/monitor"), ("retry-after", "0")],
            &json!({}),
        ),
        _ => self::answer(503, &[("retry-after", "0")], &json!({})),
    });
    let client = away.builder().retry(Retry::none()).build().unwrap();
    let Outcome::Started(task) = client.post("/do", &json!({})).await.unwrap() else {
        panic!("a task was asked for");
    };
    let error = task.patience(Duration::ZERO).wait(None).await.unwrap_err();
    assert!(matches!(error.kind, Kind::Unavailable { .. }), "{error}");
}

#[tokio::test]
async fn between_questions_it_waits_as_long_as_the_service_asks() {
    let script = Script::new(|asked| match asked.number {
        0 => answer(
            202,
            &[("location", "/monitor"), ("retry-after", "1")],
            &json!({}),
        ),
        _ => answer(204, &[], &json!({})),
    });
    let before = std::time::Instant::now();
    let outcome = script.client().post("/do", &json!({})).await.unwrap();
    outcome.finish(None).await.unwrap();
    assert!(before.elapsed() >= Duration::from_secs(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn work_that_is_cancelled_ends_and_leaves_nothing_behind() {
    let world = hawkfish_sim::World::builder()
        .systems(1)
        .faults(hawkfish_sim::fault::preset("tasks-hang").unwrap().rules())
        .start()
        .await
        .unwrap();
    let client = world.client().unwrap();
    let root = client.root().await.unwrap().value;
    let systems = client.members(hawkfish_client::link(&root, "/Systems").unwrap());
    let system = systems.all().await.unwrap().remove(0);
    let system = system.read(&client).await.unwrap().value;
    let media = client.members(hawkfish_client::link(&system, "/VirtualMedia").unwrap());
    let slot = media.all().await.unwrap().remove(0).uri;
    let found = client.get_value(&slot).await.unwrap().value;
    let image = json!({"Image": "http://images.example/installer.iso"});
    let outcome = client
        .action(&found, "VirtualMedia.InsertMedia", &image)
        .await
        .unwrap();
    let Outcome::Started(mut task) = outcome else {
        panic!("a task that hangs goes on");
    };
    assert!(matches!(
        task.poll().await.unwrap(),
        Progress::Running { .. }
    ));
    task.cancel().await.unwrap();
    // Its monitor tells the error of the change, the task itself that it was cancelled.
    let service = hawkfish_client::link(&root, "/Tasks").unwrap();
    let service = client.get_value(service).await.unwrap().value;
    let tasks = client.members(hawkfish_client::link(&service, "/Tasks").unwrap());
    let watched = Task::at(&client, &tasks.all().await.unwrap().remove(0).uri);
    let error = watched
        .wait(Some(Duration::from_secs(60)))
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::TaskFailed);
    assert!(error.to_string().contains("Cancelled"), "{error}");
    assert_eq!(
        client.get_value(&slot).await.unwrap().value["Inserted"],
        false
    );
}

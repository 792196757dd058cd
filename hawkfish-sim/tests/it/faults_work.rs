//! Tasks and updates that go wrong, as a client sees them.

use hawkfish_sim::fault::{Delay, Percent, Rule, Task, Then};
use jiff::SignedDuration;
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::bench::{Bench, image_server};

/// The monitor of what was begun.
fn monitor(answer: &Response) -> String {
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    let location = answer.headers()["location"].to_str().unwrap();
    let at = location.find("/redfish").expect("a path");
    location[at..].to_owned()
}

/// The task of a monitor.
async fn task(bench: &Bench, monitor: &str) -> Value {
    bench.get(&monitor.replace("TaskMonitors", "Tasks")).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_task_gets_on_and_is_done_when_its_time_has_come() {
    let bench = Bench::with(&["tasks-slow"]).await;
    let monitor = monitor(&bench.insert().await);
    assert_eq!(bench.fired("tasks-slow"), 1);
    let mut percents = Vec::new();
    for _ in 0..3 {
        bench.wait(30).await;
        let task = task(&bench, &monitor).await;
        assert_eq!(task["TaskState"], "Running");
        percents.push(task["PercentComplete"].as_u64().unwrap());
        assert_eq!(bench.answer(&monitor).await.status(), StatusCode::ACCEPTED);
        assert_eq!(bench.slot().await["Inserted"], false);
    }
    assert_eq!(percents, [20, 40, 60]);
    bench.wait(30).await;
    assert_eq!(task(&bench, &monitor).await["TaskState"], "Completed");
    assert_eq!(
        bench.answer(&monitor).await.status(),
        StatusCode::NO_CONTENT
    );
    assert_eq!(bench.slot().await["Inserted"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_hangs_ends_when_it_is_cancelled() {
    let bench = Bench::with(&["tasks-hang"]).await;
    let stuck = monitor(&bench.insert().await);
    bench.wait(3600).await;
    assert_eq!(task(&bench, &stuck).await["TaskState"], "Running");
    assert_eq!(bench.answer(&stuck).await.status(), StatusCode::ACCEPTED);
    let gone = bench.send(Method::DELETE, &stuck, None).await.unwrap();
    assert!(gone.status().is_success(), "{}", gone.status());
    // The slot is free for who tries again.
    assert!(bench.world.clear_fault("tasks-hang"));
    let mut again = bench.insert().await.status();
    for _ in 0..100 {
        if again == StatusCode::NO_CONTENT {
            break;
        }
        tokio::task::yield_now().await;
        again = bench.insert().await.status();
    }
    assert_eq!(again, StatusCode::NO_CONTENT);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_fails_says_why() {
    let bench = Bench::with(&["media-fails"]).await;
    let monitor = monitor(&bench.insert().await);
    bench.wait(20).await;
    let task = task(&bench, &monitor).await;
    assert_eq!(task["TaskState"], "Exception");
    assert_eq!(task["TaskStatus"], "Critical");
    assert!(
        task["Messages"]
            .to_string()
            .contains("could not be mounted"),
        "{task}"
    );
    assert!(bench.answer(&monitor).await.status().is_server_error());
    assert_eq!(bench.slot().await["Inserted"], false);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_task_in_three_fails() {
    let bench = Bench::with(&["tasks-fail"]).await;
    let eject = format!(
        "{}/VirtualMedia/Cd/Actions/VirtualMedia.EjectMedia",
        bench.system
    );
    let mut failed = 0;
    for _ in 0..30 {
        match bench.insert().await.status() {
            StatusCode::NO_CONTENT => {
                let out = bench.post(&eject, json!({})).await;
                assert_eq!(out.status(), StatusCode::NO_CONTENT);
            }
            status => {
                assert!(status.is_server_error(), "{status}");
                failed += 1;
            }
        }
    }
    assert!((3..20).contains(&failed), "{failed}");
    assert_eq!(bench.fired("tasks-fail"), failed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_vanishes_is_404_and_its_work_is_done() {
    let bench = Bench::with(&["tasks-slow", "tasks-vanish"]).await;
    let monitor = monitor(&bench.insert().await);
    assert_eq!(bench.answer(&monitor).await.status(), StatusCode::ACCEPTED);
    bench.wait(10).await;
    assert_eq!(bench.answer(&monitor).await.status(), StatusCode::NOT_FOUND);
    let tasks = bench.get("/redfish/v1/TaskService/Tasks").await;
    assert_eq!(tasks["Members@odata.count"], 0);
    assert_eq!(bench.fired("tasks-vanish"), 1);
    bench.wait(120).await;
    assert_eq!(bench.slot().await["Inserted"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_percentage_goes_back_or_stays() {
    for (name, wanted) in [
        ("percent-goes-back", [40, 20, 40, 20]),
        ("percent-stays", [0, 0, 0, 0]),
    ] {
        let bench = Bench::with(&["tasks-slow", name]).await;
        let monitor = monitor(&bench.insert().await);
        bench.wait(60).await;
        let mut shown = Vec::new();
        for _ in 0..4 {
            let task = task(&bench, &monitor).await;
            shown.push(task["PercentComplete"].as_u64().unwrap());
        }
        assert_eq!(shown, wanted, "{name}");
        bench.wait(60).await;
        assert_eq!(task(&bench, &monitor).await["PercentComplete"], 100);
    }
}

#[tokio::test]
async fn what_cannot_be_is_refused() {
    let slow = Task::Slow(Delay::Constant(SignedDuration::from_secs(1)));
    let mut cycle = Rule::new("slow", Then::Task(slow));
    cycle.when.operation = vec![hawkfish_sim::fault::Work::PowerCycle];
    assert!(cycle.check().unwrap_err().what.contains("power cycle"));
    let percent = Rule::new("p", Then::Task(Task::Percent(Percent::Stays(101))));
    assert!(percent.check().is_err());
    let mut misplaced = Rule::new("m", Then::Task(Task::Hangs));
    misplaced.when.uri = Some(hawkfish_sim::fault::Pattern::new("/x").unwrap());
    assert!(misplaced.check().unwrap_err().what.contains("uri"));
}

/// Starts an update of the only system, which is on, and gives its monitor.
async fn update(bench: &Bench) -> String {
    assert_eq!(bench.reset("On").await, StatusCode::NO_CONTENT);
    bench.wait(60).await;
    let model = bench.system().await["Model"].as_str().unwrap().to_owned();
    let image = image_server(json!({
        "HawkFishFirmware": 1, "Target": model, "Version": "X-9.9.9",
    }));
    let update = json!({
        "ImageURI": image.await, "Targets": [bench.system], "TransferProtocol": "HTTP",
        "@Redfish.OperationApplyTime": "Immediate",
    });
    let path = "/redfish/v1/UpdateService/Actions/UpdateService.SimpleUpdate";
    monitor(&bench.post(path, update).await)
}

async fn version(bench: &Bench) -> String {
    let system = bench.system().await;
    system["BiosVersion"].as_str().unwrap().to_owned()
}

/// Waits until a task is in a state: an image is fetched in the time outside.
async fn reaches(bench: &Bench, monitor: &str, state: &str) -> Value {
    for _ in 0..500 {
        let now = task(bench, monitor).await;
        if now["TaskState"] == state {
            return now;
        }
        bench.wait(1).await;
    }
    panic!("it is {}", task(bench, monitor).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_update_that_fails_halfway_leaves_the_old_version() {
    let bench = Bench::with(&["update-fails-halfway"]).await;
    let old = version(&bench).await;
    let monitor = update(&bench).await;
    let failed = reaches(&bench, &monitor, "Exception").await;
    assert!(
        failed["Messages"].to_string().contains("flash memory"),
        "{failed}"
    );
    assert_eq!(version(&bench).await, old);
    let events = bench.world.hawkfish().events();
    let told = events.read(0, 1000).await.unwrap();
    let telling = events.telling().unwrap();
    let said = |key: &str| {
        told.iter()
            .any(|one| one.record(&*telling).message_id.ends_with(key))
    };
    assert!(said("TransferringToComponent") && said("ApplyFailed"));
    assert!(!said("UpdateSuccessful"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_update_that_rolls_back_was_there_for_a_while() {
    let bench = Bench::with(&["update-rolls-back"]).await;
    let old = version(&bench).await;
    let monitor = update(&bench).await;
    reaches(&bench, &monitor, "Completed").await;
    assert_eq!(version(&bench).await, "X-9.9.9");
    bench.wait(300).await;
    assert_eq!(version(&bench).await, old);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_update_may_keep_the_old_version_and_never_be_done() {
    let bench = Bench::with(&["update-keeps-the-old-version"]).await;
    let old = version(&bench).await;
    let monitor = update(&bench).await;
    for _ in 0..500 {
        if bench.world.fired("update-keeps-the-old-version") == Some(1) {
            break;
        }
        bench.wait(1).await;
    }
    bench.wait(600).await;
    assert_eq!(bench.fired("update-keeps-the-old-version"), 1);
    assert_eq!(version(&bench).await, old);
    assert_eq!(task(&bench, &monitor).await["TaskState"], "Running");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_update_may_need_a_reset_of_the_bmc() {
    let bench = Bench::with(&["update-needs-bmc-reset"]).await;
    let old = version(&bench).await;
    let monitor = update(&bench).await;
    for _ in 0..500 {
        if bench.world.fired("update-needs-bmc-reset") == Some(1) {
            break;
        }
        bench.wait(1).await;
    }
    bench.wait(600).await;
    assert_eq!(version(&bench).await, old);
    let reset = format!("{}/Actions/Manager.Reset", bench.manager());
    let reset = bench
        .post(&reset, json!({"ResetType": "GracefulRestart"}))
        .await;
    assert!(reset.status().is_success());
    bench.wait(60).await;
    assert_eq!(version(&bench).await, "X-9.9.9");
    reaches(&bench, &monitor, "Completed").await;
}

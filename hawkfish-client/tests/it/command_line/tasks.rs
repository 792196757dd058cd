//! `hawkfish tasks`, on machines whose work takes its time, or never ends.

use std::time::Duration;

use hawkfish_client::{Outcome, link};
use serde_json::{Value, json};

use super::child::Running;
use super::rack::Rack;

const TASKS: &str = "/redfish/v1/TaskService/Tasks";

/// The first slot for media of the first machine.
async fn slot(rack: &Rack) -> Value {
    let system = rack.members("/redfish/v1/Systems").await.remove(0);
    let system = rack.get(&system).await;
    let slot = rack
        .members(link(&system, "/VirtualMedia").unwrap())
        .await
        .remove(0);
    rack.get(&slot).await
}

/// Starts work; gives the id of its task.
async fn start(rack: &Rack) -> String {
    let client = rack.world.client().unwrap();
    let image = json!({"Image": "http://images.example/installer.iso"});
    let slot = slot(rack).await;
    match client
        .action(&slot, "VirtualMedia.InsertMedia", &image)
        .await
        .unwrap()
    {
        Outcome::Started(task) => {
            let uri = task.uri.expect("the task");
            uri.rsplit('/').next().unwrap().to_owned()
        }
        Outcome::Done(answer) => panic!("it is done already: {answer:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn how_a_task_goes_is_told_line_by_line_and_its_end_is_the_end() {
    let rack = Rack::with(&["tasks-slow"]).await;
    let id = start(&rack).await;
    let mut watch = Running::start(rack.hawkfish(), &["tasks", "watch", &id]);
    let mut told = vec![watch.line()];
    while !told.last().unwrap().contains("Completed") {
        rack.seconds(30).await;
        told.push(watch.line());
    }
    let ran = watch.end();
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "", ""));
    insta::assert_snapshot!("tasks_watch", told.join("\n"));
    assert_eq!(slot(&rack).await["Inserted"], true);

    let shown = rack.shows(&["tasks", "show", &id]).await;
    insta::assert_snapshot!("tasks_show", shown);
    let shown = rack.shows(&["tasks", "ls"]).await;
    insta::assert_snapshot!("tasks_ls", shown);
    assert_eq!(
        rack.run(&["-o", "json", "tasks", "ls", "--running"])
            .await
            .json(),
        json!([])
    );
    let late = rack.run(&["tasks", "cancel", &id]).await.failed(5);
    assert!(late.contains("has ended already: Completed"), "{late}");
    let gone = rack.shows(&["tasks", "rm", &id]).await;
    assert_eq!(gone, format!("task {id} is removed\n"));
    assert_eq!(rack.members(TASKS).await, [""; 0]);
    rack.run(&["tasks", "rm", &id]).await.failed(4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_is_waited_for_ends_well_or_not_in_time() {
    let rack = Rack::with(&["tasks-slow"]).await;
    let id = start(&rack).await;
    let late = rack
        .run(&["tasks", "wait", &id, "--within", "1"])
        .await
        .failed(6);
    assert!(late.contains("it goes on"), "{late}");
    let mut wait = Running::start(rack.hawkfish(), &["tasks", "wait", &id]);
    rack.seconds(300).await;
    let ran = wait.end();
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert!(ran.out.contains("Completed"), "{}", ran.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_hangs_is_cancelled_and_then_can_be_removed() {
    let rack = Rack::with(&["tasks-hang"]).await;
    let id = start(&rack).await;
    let goes_on = rack.run(&["tasks", "rm", &id]).await.failed(5);
    assert!(goes_on.contains("cancel it first"), "{goes_on}");
    let running = rack
        .run(&["-o", "json", "tasks", "ls", "--running"])
        .await
        .json();
    assert_eq!(running[0]["Id"], id);
    assert_eq!(
        rack.shows(&["tasks", "cancel", &id]).await,
        format!("task {id}: Cancelled\n")
    );
    assert_eq!(slot(&rack).await["Inserted"], false);
    let mut watch = Running::start(rack.hawkfish(), &["tasks", "watch", &id]);
    let ran = watch.end();
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains("Cancelled"), "{}", ran.out);
    rack.shows(&["tasks", "rm", &id]).await;
    assert_eq!(rack.members(TASKS).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_ends_the_waiting_and_not_the_work() {
    let rack = Rack::with(&["tasks-slow"]).await;
    let id = start(&rack).await;
    let mut wait = Running::start(rack.hawkfish(), &["tasks", "watch", &id]);
    assert!(wait.line().contains("Running"));
    wait.interrupt();
    assert_eq!(wait.end().code, 130);
    tokio::time::sleep(Duration::from_millis(10)).await;
    let task = rack.get(&format!("{TASKS}/{id}")).await;
    assert_eq!(task["TaskState"], "Running");
}

//! Tasks through the door: their parts, real work that is stopped, what they say, and what is told of them.

use std::sync::Arc;

use hawkfish_core::accounts::HashCost;
use hawkfish_core::backend::sim::{Profile, SimBackend, SimSettings};
use hawkfish_core::clock::ManualClock;
use hawkfish_core::id::HostId;
use hawkfish_core::media::MediaSettings;
use hawkfish_core::outgoing::{Policy, Rule};
use hawkfish_server::{App, HawkFish, Options};
use jiff::SignedDuration;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;

use crate::door::{ADMIN, Answer, Door};
use crate::update::push;

const PUSH: &str = "/redfish/v1/UpdateService/MultipartUpload";
const SIMPLE: &str = "/redfish/v1/UpdateService/Actions/UpdateService.SimpleUpdate";
const TASKS: &str = "/redfish/v1/TaskService/Tasks";

/// A service that keeps files, on two machines of one make.
async fn open() -> (Door, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new("2026-01-01T00:00:00Z".parse().unwrap()));
    let rack = SimSettings {
        systems: 2,
        profiles: Profile::all()[..1].to_vec(),
        ..SimSettings::default()
    };
    let rack = SimBackend::new(rack, clock.clone());
    let media = MediaSettings {
        policy: Arc::new(Policy {
            allow: vec!["127.0.0.0/8".parse::<Rule>().unwrap()],
            ..Policy::default()
        }),
        max_bytes: 100_000,
        store_bytes: 150_000,
        update_bytes: 4096,
        ..MediaSettings::default()
    };
    let hf = HawkFish::builder()
        .clock(clock.clone())
        .hash_cost(HashCost::LEAST)
        .host(HostId::parse("sim").unwrap(), rack.clone())
        .media(media)
        .data_dir(folder.path())
        .start()
        .await
        .unwrap();
    hf.accounts().ensure_admin(Some(ADMIN.1)).await.unwrap();
    let app = App::new(hf, Options::default());
    let door = Door {
        app,
        clock,
        rack,
        post: Arc::default(),
    };
    (door, folder)
}

async fn reset(door: &Door, system: &str, kind: &str) {
    let uri = format!("{system}/Actions/ComputerSystem.Reset");
    let body = json!({"ResetType": kind});
    let answer = door.send("POST", &uri).admin().json(&body).answer().await;
    assert_eq!(answer.status, 204, "{answer:?}");
}

/// Pushes a firmware for two systems that run, and gives the URI of the task, which waits for both to be reset.
async fn update(door: &Door) -> String {
    let systems = [door.system(0), door.system(1)];
    for system in &systems {
        reset(door, system, "On").await;
    }
    door.clock.advance(SignedDuration::from_secs(60));
    door.app.hawkfish().tick().await.unwrap();
    let model = door.read(&systems[0]).await.body["Model"].clone();
    let image = json!({"HawkFishFirmware": 1, "Target": model, "Version": "X-9"}).to_string();
    let parameters = json!({"Targets": systems}).to_string();
    let parts = [
        ("UpdateParameters", None, parameters.as_bytes()),
        ("UpdateFile", Some("new.json"), image.as_bytes()),
    ];
    let answer = push(door, PUSH, &parts).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    task_of(answer.header("location"))
}

fn task_of(monitor: &str) -> String {
    format!("{TASKS}/{}", monitor.rsplit('/').next().unwrap())
}

fn monitor_of(task: &str) -> String {
    task.replace("/Tasks/", "/TaskMonitors/")
}

/// Waits until a task has ended, and shows it.
async fn ended(door: &Door, task: &str) -> Value {
    let id = task.rsplit('/').next().unwrap().parse().unwrap();
    door.app.hawkfish().tasks().finished(&id).await.unwrap();
    door.read(task).await.body
}

async fn members(door: &Door, uri: &str) -> Vec<Value> {
    let mut all = Vec::new();
    for member in door.read(uri).await.body["Members"].as_array().unwrap() {
        let uri = member["@odata.id"].as_str().unwrap();
        all.push(door.read(uri).await.body);
    }
    all
}

fn said(task: &Value) -> Vec<&str> {
    let all = task["Messages"].as_array().unwrap().iter();
    all.map(|message| message["MessageId"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn an_update_of_two_systems_has_a_sub_task_for_each() {
    let (door, _folder) = open().await;
    let task = update(&door).await;
    let whole = door.read(&task).await.body;
    assert_eq!(whole["TaskState"], "Running");
    let parts = whole["SubTasks"]["@odata.id"].as_str().unwrap().to_owned();
    assert_eq!(parts, format!("{task}/SubTasks"));
    let shown = members(&door, &parts).await;
    assert_eq!(shown.len(), 2);
    for part in &shown {
        assert_eq!(part["TaskState"], "Running");
        assert!(part.get("TaskMonitor").is_none());
        // It has no place but below its task.
        let id = part["Id"].as_str().unwrap();
        for uri in [
            format!("{TASKS}/{id}"),
            monitor_of(&format!("{TASKS}/{id}")),
        ] {
            door.send("GET", &uri)
                .admin()
                .answer()
                .await
                .refused(404, "ResourceMissingAtURI");
        }
        let uri = part["@odata.id"].as_str().unwrap();
        let refused = door.send("DELETE", uri).admin().answer().await;
        assert_eq!(refused.status, 405);
    }
    let all = door.read(TASKS).await.body;
    assert_eq!(all["Members@odata.count"], 1);

    reset(&door, &door.system(0), "ForceRestart").await;
    let first = shown[0]["@odata.id"].as_str().unwrap();
    let first = ended(&door, first).await;
    assert_eq!(
        (&first["TaskState"], &first["PercentComplete"]),
        (&json!("Completed"), &json!(100))
    );
    let second = door.read(shown[1]["@odata.id"].as_str().unwrap()).await;
    assert_eq!(second.body["TaskState"], "Running");
    reset(&door, &door.system(1), "ForceRestart").await;
    let whole = ended(&door, &task).await;
    assert_eq!(
        (&whole["TaskState"], &whole["PercentComplete"]),
        (&json!("Completed"), &json!(100))
    );
    assert_eq!(
        *said(&whole).last().unwrap(),
        "TaskEvent.1.0.TaskCompletedOK"
    );

    let gone = door.send("DELETE", &task).admin().answer().await;
    assert_eq!(gone.status, 204);
    let gone = door.send("GET", &parts).admin().answer().await;
    gone.refused(404, "ResourceMissingAtURI");
}

#[tokio::test]
async fn a_task_without_parts_shows_none() {
    let (door, _folder) = open().await;
    let system = door.system(0);
    reset(&door, &system, "On").await;
    reset(&door, &system, "PowerCycle").await;
    let task = door.read(TASKS).await.body["Members"][0]["@odata.id"].clone();
    let task = door.read(task.as_str().unwrap()).await.body;
    assert!(task.get("SubTasks").is_none(), "{task}");
    let uri = format!("{}/SubTasks", task["@odata.id"].as_str().unwrap());
    door.send("GET", &uri)
        .admin()
        .answer()
        .await
        .refused(404, "ResourceMissingAtURI");
}

#[tokio::test]
async fn cancelling_a_task_by_its_monitor_cancels_its_parts_and_takes_the_work_back() {
    let (door, _folder) = open().await;
    let system = door.system(0);
    let before = door.read(&system).await.body["BiosVersion"].clone();
    let task = update(&door).await;
    let cancelled = door
        .send("DELETE", &monitor_of(&task))
        .admin()
        .answer()
        .await;
    assert_eq!(cancelled.status, 204);
    let whole = ended(&door, &task).await;
    assert_eq!(whole["TaskState"], "Cancelled");
    assert_eq!(*said(&whole).last().unwrap(), "TaskEvent.1.0.TaskCancelled");
    for part in members(&door, &format!("{task}/SubTasks")).await {
        assert_eq!(part["TaskState"], "Cancelled", "{part}");
    }
    reset(&door, &system, "ForceRestart").await;
    assert_eq!(door.read(&system).await.body["BiosVersion"], before);
}

/// A web server that begins to answer and then says no more. It tells of each connection when that begins and when it ends.
async fn tireless_server() -> (String, mpsc::UnboundedReceiver<&'static str>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/new.json", listener.local_addr().unwrap());
    let (tell, told) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut asked = [0; 4096];
            let _ = socket.read(&mut asked).await;
            let head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{";
            let _ = socket.write_all(head).await;
            let _ = tell.send("begun");
            // Comes back when the other side has gone.
            while socket.read(&mut asked).await.is_ok_and(|read| read > 0) {}
            let _ = tell.send("gone");
        }
    });
    (url, told)
}

#[tokio::test]
async fn work_stops_when_its_task_is_cancelled_and_when_it_is_deleted() {
    let (door, _folder) = open().await;
    let (url, mut told) = tireless_server().await;
    let system = door.system(0);
    let body = json!({"ImageURI": url, "Targets": [system]});
    for by_monitor in [true, false] {
        let answer: Answer = door.send("POST", SIMPLE).admin().json(&body).answer().await;
        assert_eq!(answer.status, 202, "{answer:?}");
        let monitor = answer.header("location").to_owned();
        assert_eq!(told.recv().await, Some("begun"));
        let uri = match by_monitor {
            true => monitor.clone(),
            false => task_of(&monitor),
        };
        let stopped = door.send("DELETE", &uri).admin().answer().await;
        assert_eq!(stopped.status, 204);
        assert_eq!(told.recv().await, Some("gone"));
        if by_monitor {
            let task = ended(&door, &task_of(&monitor)).await;
            assert_eq!(task["TaskState"], "Cancelled");
        } else {
            let task = door.send("GET", &task_of(&monitor)).admin().answer().await;
            task.refused(404, "ResourceMissingAtURI");
        }
    }
}

#[tokio::test]
async fn a_pushed_image_is_booted_in_three_steps_that_are_told_of() {
    let (door, _folder) = open().await;
    let uri = format!("{}/BootImage", door.system(1));
    let image = [("UpdateFile", Some("a.iso"), b"bytes".as_slice())];
    assert_eq!(push(&door, &uri, &image).await.status, 201);
    let task = door.read(TASKS).await.body["Members"][0]["@odata.id"].clone();
    let parts = format!("{}/SubTasks", task.as_str().unwrap());
    let parts = members(&door, &parts).await;
    let names: Vec<_> = parts.iter().map(|part| &part["Name"]).collect();
    assert_eq!(
        names,
        ["Insert the image", "Boot it next", "Reset the system"]
    );
    assert!(parts.iter().all(|part| part["TaskState"] == "Completed"));

    let hf = door.app.hawkfish();
    hf.store().flush().await.unwrap();
    let telling = hf.events().telling().expect("the service has words");
    let all = hf.events().read(0, 1_000).await.unwrap();
    let mut told = Vec::new();
    for event in &all {
        let record = event.record(&*telling);
        if record.message_id.starts_with("TaskEvent.") {
            let key = record.message_id.rsplit('.').next().unwrap();
            let origin = record.origin.as_deref().unwrap();
            told.push(format!("{key} {}", origin.strip_prefix(TASKS).unwrap()));
        }
    }
    assert_eq!(
        told,
        [
            "TaskStarted /1",
            "TaskStarted /1/SubTasks/2",
            "TaskCompletedOK /1/SubTasks/2",
            "TaskProgressChanged /1",
            "TaskStarted /1/SubTasks/3",
            "TaskCompletedOK /1/SubTasks/3",
            "TaskProgressChanged /1",
            "TaskStarted /1/SubTasks/4",
            "TaskCompletedOK /1/SubTasks/4",
            "TaskProgressChanged /1",
            "TaskCompletedOK /1",
        ]
    );
}

#[tokio::test]
async fn the_service_says_how_it_treats_tasks() {
    let door = Door::open().await;
    let service = door.read("/redfish/v1/TaskService").await.body;
    assert_eq!(service["LifeCycleEventOnTaskStateChange"], true);
    assert_eq!(service["CompletedTaskOverWritePolicy"], "Oldest");
    assert_eq!(service["TaskAutoDeleteTimeoutMinutes"], 60);
    assert_eq!(service["ServiceEnabled"], true);
}

#[tokio::test]
async fn a_monitor_that_has_told_its_end_says_nothing_more_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new("2026-01-01T00:00:00Z".parse().unwrap()));
    let rack = SimBackend::new(SimSettings::default(), clock.clone());
    let open = async || {
        let hf = HawkFish::builder()
            .clock(clock.clone())
            .hash_cost(HashCost::LEAST)
            .host(HostId::parse("sim").unwrap(), rack.clone())
            .data_dir(folder.path())
            .start()
            .await
            .unwrap();
        hf.accounts().ensure_admin(Some(ADMIN.1)).await.unwrap();
        Door {
            app: App::new(hf, Options::default()),
            clock: clock.clone(),
            rack: rack.clone(),
            post: Arc::default(),
        }
    };
    let door = open().await;
    let system = door.system(0);
    reset(&door, &system, "On").await;
    for _ in 0..2 {
        reset(&door, &system, "PowerCycle").await;
    }
    let tasks = door.read(TASKS).await.body["Members"].clone();
    let [told, untold] = [0, 1].map(|n| monitor_of(tasks[n]["@odata.id"].as_str().unwrap()));
    let answer = door.send("GET", &told).admin().answer().await;
    assert_eq!(answer.status, 204);
    door.app.hawkfish().close().await.unwrap();
    drop(door);

    let door = open().await;
    let answer = door.send("GET", &told).admin().answer().await;
    answer.refused(404, "ResourceMissingAtURI");
    let answer = door.send("GET", &untold).admin().answer().await;
    assert_eq!(answer.status, 204);
}

//! Updates and pushed images through the door: firmware that is really another one afterwards, and an image that is booted by one POST.

use std::sync::Arc;

use hawkfish_core::accounts::HashCost;
use hawkfish_core::backend::sim::{SimBackend, SimSettings};
use hawkfish_core::clock::ManualClock;
use hawkfish_core::ctx::Ctx;
use hawkfish_core::entropy::SeededEntropy;
use hawkfish_core::id::HostId;
use hawkfish_core::media::MediaSettings;
use hawkfish_core::outgoing::{Policy, Rule};
use hawkfish_core::subscriptions::SubscriptionSettings;
use hawkfish_server::{App, HawkFish, Options};
use jiff::SignedDuration;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::door::{ADMIN, Answer, Door};
use crate::post::Post;

const SERVICE: &str = "/redfish/v1/UpdateService";

/// A service that keeps files, on a folder of its own.
async fn open() -> (Door, TempDir) {
    open_with(Options::default()).await
}

/// The same with options.
pub(crate) async fn open_with(options: Options) -> (Door, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new("2026-01-01T00:00:00Z".parse().unwrap()));
    let rack = SimSettings {
        systems: 3,
        ..SimSettings::default()
    };
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
    let rack = SimBackend::new(rack, clock.clone());
    let post: Arc<Post> = Arc::default();
    let hf = HawkFish::builder()
        .subscriptions(SubscriptionSettings {
            courier: Some(post.clone()),
            ..SubscriptionSettings::default()
        })
        .clock(clock.clone())
        .entropy(Arc::new(SeededEntropy::new(7, "door")))
        .hash_cost(HashCost::LEAST)
        .host(HostId::parse("sim").unwrap(), rack.clone())
        .media(media)
        .data_dir(folder.path())
        .start()
        .await
        .unwrap();
    hf.accounts().ensure_admin(Some(ADMIN.1)).await.unwrap();
    let app = App::new(hf, options);
    let door = Door {
        app,
        clock,
        rack,
        post,
    };
    (door, folder)
}

/// A multipart body of these parts: name, file name, bytes.
fn form(parts: &[(&str, Option<&str>, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, file, bytes) in parts {
        let file = file.map_or_else(String::new, |file| format!("; filename=\"{file}\""));
        let head = format!("--XX\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n");
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--XX--\r\n");
    body
}

pub(crate) async fn push(door: &Door, uri: &str, parts: &[(&str, Option<&str>, &[u8])]) -> Answer {
    door.send("POST", uri)
        .admin()
        .header("content-type", "multipart/form-data; boundary=XX")
        .raw(form(parts))
        .answer()
        .await
}

pub(crate) fn image(target: &str, version: &str) -> Vec<u8> {
    json!({"HawkFishFirmware": 1, "Target": target, "Version": version})
        .to_string()
        .into_bytes()
}

async fn reset(door: &Door, system: &str, kind: &str) {
    let uri = format!("{system}/Actions/ComputerSystem.Reset");
    let body = json!({"ResetType": kind});
    let answer = door.send("POST", &uri).admin().json(&body).answer().await;
    assert_eq!(answer.status, 204, "{answer:?}");
}

/// Waits until the task behind a monitor has ended, and gives its state.
async fn ended(door: &Door, monitor: &str) -> String {
    let id = monitor.rsplit('/').next().unwrap().parse().unwrap();
    let task = door.app.hawkfish().tasks().finished(&id).await.unwrap();
    task.state.as_str().to_owned()
}

async fn state(door: &Door, monitor: &str) -> Value {
    let id = monitor.rsplit('/').next().unwrap();
    door.read(&format!("/redfish/v1/TaskService/Tasks/{id}"))
        .await
        .body
}

#[tokio::test]
async fn the_inventories_name_every_firmware_and_hawkfish_itself() {
    let (door, _folder) = open().await;
    let service = door.read(SERVICE).await.body;
    let firmware = door
        .read(service["FirmwareInventory"]["@odata.id"].as_str().unwrap())
        .await;
    let members = firmware.body["Members"].as_array().unwrap().clone();
    assert_eq!(members.len(), 1 + 3);
    let bmc = door
        .read(members[0]["@odata.id"].as_str().unwrap())
        .await
        .body;
    assert_eq!(bmc["Version"], env!("CARGO_PKG_VERSION"));
    for (at, member) in members[1..].iter().enumerate() {
        let firmware = door.read(member["@odata.id"].as_str().unwrap()).await.body;
        let system = door.read(&door.system(at)).await.body;
        assert_eq!(firmware["Version"], system["BiosVersion"]);
        assert_eq!(firmware["RelatedItem"][0]["@odata.id"], system["@odata.id"]);
        assert_eq!(firmware["Updateable"], true);
    }
    let software = door
        .read(service["SoftwareInventory"]["@odata.id"].as_str().unwrap())
        .await;
    let one = &software.body["Members"][0]["@odata.id"];
    let one = door.read(one.as_str().unwrap()).await.body;
    assert_eq!(
        one["Version"],
        env!("CARGO_PKG_VERSION"),
        "the simulator is ours"
    );
    let root = door.read("/redfish/v1/").await.body;
    assert_eq!(root["UpdateService"]["@odata.id"], SERVICE);
}

#[tokio::test]
async fn firmware_that_is_pushed_waits_for_the_reset_and_is_in_use_after_it() {
    let (door, _folder) = open().await;
    let system = door.system(0);
    let before = door.read(&system).await.body;
    reset(&door, &system, "On").await;
    door.clock.advance(SignedDuration::from_secs(60));
    door.app.hawkfish().tick().await.unwrap();
    let uri = door.read(SERVICE).await.body["MultipartHttpPushUri"].clone();
    let uri = uri.as_str().unwrap();
    let firmware = format!(
        "{SERVICE}/FirmwareInventory/BIOS-{}",
        system.rsplit('/').next().unwrap()
    );
    let parameters = json!({"Targets": [firmware]}).to_string();
    let file = image(before["Model"].as_str().unwrap(), "X-9.9.9");
    let parts = [
        ("UpdateParameters", None, parameters.as_bytes()),
        ("UpdateFile", Some("new.json"), file.as_slice()),
    ];
    let answer = push(&door, uri, &parts).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let monitor = answer.header("location").to_owned();
    let task = state(&door, &monitor).await;
    assert_eq!(task["TaskState"], "Running");
    assert_eq!(
        door.read(&system).await.body["BiosVersion"],
        before["BiosVersion"]
    );
    let waiting = door.send("GET", &monitor).admin().answer().await;
    assert_eq!(waiting.status, 202);

    reset(&door, &system, "ForceRestart").await;
    assert_eq!(ended(&door, &monitor).await, "Completed");
    assert_eq!(door.read(&system).await.body["BiosVersion"], "X-9.9.9");
    assert_eq!(door.read(&firmware).await.body["Version"], "X-9.9.9");
    let done = door.send("GET", &monitor).admin().answer().await;
    assert_eq!(done.status, 204, "{done:?}");
}

#[tokio::test]
async fn an_immediate_update_resets_what_runs_and_leaves_off_what_is_off() {
    let (door, _folder) = open().await;
    let system = door.system(0);
    let before = door.read(&system).await.body;
    reset(&door, &system, "On").await;
    let booted = door.read(&system).await.body["LastResetTime"].clone();
    door.clock.advance(SignedDuration::from_secs(60));
    door.app.hawkfish().tick().await.unwrap();
    let file = image(before["Model"].as_str().unwrap(), "X-2");
    let parameters =
        json!({"@Redfish.OperationApplyTime": "Immediate", "Targets": [system]}).to_string();
    let uri = format!("{SERVICE}/MultipartUpload");
    let parts = [
        ("UpdateParameters", None, parameters.as_bytes()),
        ("UpdateFile", Some("new.json"), file.as_slice()),
    ];
    let answer = push(&door, &uri, &parts).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    assert_eq!(ended(&door, answer.header("location")).await, "Completed");
    let after = door.read(&system).await.body;
    assert_eq!(after["BiosVersion"], "X-2");
    assert_eq!(after["PowerState"], "On");
    assert_ne!(after["LastResetTime"], booted);
}

#[tokio::test]
async fn what_is_no_firmware_or_for_another_system_changes_nothing() {
    let (door, _folder) = open().await;
    let system = door.system(0);
    let model = door.read(&system).await.body["Model"]
        .as_str()
        .unwrap()
        .to_owned();
    let before = door.read(&system).await.body["BiosVersion"].clone();
    let targets = json!({"Targets": [system]}).to_string();
    let targets = ("UpdateParameters", None, targets.as_bytes());
    let uri = format!("{SERVICE}/MultipartUpload");
    let good = image(&model, "X-1");
    let other = image("Toaster", "X-1");
    let large = vec![b' '; 5000];
    let nobody = json!({"Targets": ["/redfish/v1/Chassis/1"]}).to_string();
    let stray = json!({"Speed": 1}).to_string();
    let never = json!({"@Redfish.OperationApplyTime": "AtMaintenanceWindowStart"}).to_string();
    for (parts, status, key) in [
        (
            vec![targets, ("UpdateFile", None, b"nonsense".as_slice())],
            400,
            "PropertyValueFormatError",
        ),
        (
            vec![targets, ("UpdateFile", None, &other)],
            400,
            "PropertyValueFormatError",
        ),
        (
            vec![targets, ("UpdateFile", None, &large)],
            413,
            "PayloadTooLarge",
        ),
        (vec![targets], 400, "PropertyMissing"),
        (
            vec![("UpdateFile", None, good.as_slice())],
            400,
            "PropertyMissing",
        ),
        (
            vec![targets, ("Cake", None, b"x".as_slice())],
            400,
            "PropertyUnknown",
        ),
        (
            vec![
                ("UpdateParameters", None, nobody.as_bytes()),
                ("UpdateFile", None, &good),
            ],
            400,
            "PropertyValueNotInList",
        ),
        (
            vec![
                ("UpdateParameters", None, stray.as_bytes()),
                ("UpdateFile", None, &good),
            ],
            400,
            "PropertyUnknown",
        ),
        (
            vec![
                ("UpdateParameters", None, never.as_bytes()),
                ("UpdateFile", None, &good),
            ],
            400,
            "PropertyValueNotInList",
        ),
    ] {
        push(&door, &uri, &parts).await.refused(status, key);
    }
    let plain = door
        .send("POST", &uri)
        .admin()
        .json(&json!({}))
        .answer()
        .await;
    plain.refused(415, "HeaderInvalid");
    let cut = door
        .send("POST", &uri)
        .admin()
        .header("content-type", "multipart/form-data; boundary=XX")
        .raw("--XX\r\nContent-Disposition: form-data; name=\"UpdateFile\"\r\n\r\nhalf")
        .answer()
        .await;
    cut.refused(400, "UnrecognizedRequestBody");
    assert_eq!(door.read(&system).await.body["BiosVersion"], before);
    assert!(door.app.hawkfish().tasks().list(&Ctx::service()).is_empty());
}

/// A web server that has one file and gives it to whoever asks.
async fn web_server(file: Vec<u8>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut asked = [0; 4096];
            let _ = socket.read(&mut asked).await;
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                file.len()
            );
            let _ = socket.write_all(head.as_bytes()).await;
            let _ = socket.write_all(&file).await;
        }
    });
    format!("http://{address}/new.json")
}

#[tokio::test]
async fn a_simple_update_fetches_the_image_where_that_is_allowed() {
    let (door, _folder) = open().await;
    let system = door.system(0);
    let model = door.read(&system).await.body["Model"]
        .as_str()
        .unwrap()
        .to_owned();
    let action = format!("{SERVICE}/Actions/UpdateService.SimpleUpdate");
    let shown = door.read(SERVICE).await.body["Actions"]["#UpdateService.SimpleUpdate"].clone();
    assert_eq!(shown["target"], action);
    assert_eq!(
        shown["TransferProtocol@Redfish.AllowableValues"],
        json!(["HTTP", "HTTPS"])
    );
    for (uri, status) in [
        ("http://169.254.169.254/latest", 400),
        ("file:///etc/passwd", 400),
        ("ftp://images.example/x", 400),
        ("x", 400),
    ] {
        let body = json!({"ImageURI": uri});
        let answer = door
            .send("POST", &action)
            .admin()
            .json(&body)
            .answer()
            .await;
        assert_eq!(answer.status, status, "{uri}: {answer:?}");
    }
    let url = web_server(image(&model, "X-3")).await;
    let body = json!({"ImageURI": url, "TransferProtocol": "HTTP"});
    let answer = door
        .send("POST", &action)
        .admin()
        .json(&body)
        .answer()
        .await;
    assert_eq!(answer.status, 202, "{answer:?}");
    assert_eq!(ended(&door, answer.header("location")).await, "Completed");
    // No target named: every system that it is for, and no other.
    for at in 0..3 {
        let system = door.read(&door.system(at)).await.body;
        assert_eq!(
            system["BiosVersion"] == "X-3",
            system["Model"] == model.as_str()
        );
    }
}

#[tokio::test]
async fn a_pushed_image_is_stored_inserted_booted_once_and_ejected_with_the_next_reset() {
    let (door, _folder) = open().await;
    let system = door.system(0);
    let uri = door.read(&system).await.body["BootImagePushURI"].clone();
    let uri = uri.as_str().unwrap().to_owned();
    let iso = vec![7_u8; 60_000];
    let answer = push(&door, &uri, &[("UpdateFile", Some("installer.iso"), &iso)]).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let stored = answer.header("location").to_owned();
    assert_eq!(answer.body["Name"], "installer.iso");
    assert_eq!(answer.body["SizeBytes"], 60_000);
    assert_eq!(
        answer.body["Links"]["ActiveTargets"][0]["@odata.id"],
        system
    );
    let cd = door.read(&format!("{system}/VirtualMedia/Cd")).await.body;
    assert_eq!(
        (&cd["Inserted"], &cd["Image"]),
        (&json!(true), &json!(stored))
    );
    let booting = door.read(&system).await.body;
    assert_ne!(booting["PowerState"], "Off", "it is booted at once");
    let used = door.send("DELETE", &stored).admin().answer().await;
    used.refused(409, "ResourceInUse");

    let hf = door.app.hawkfish();
    door.clock.advance(SignedDuration::from_secs(60));
    hf.tick().await.unwrap();
    let id = system.rsplit('/').next().unwrap().parse().unwrap();
    let machine = hf.system(&Ctx::service(), &id).unwrap();
    assert_eq!(machine.machine.boot.over, None, "once is once");
    hf.tick().await.unwrap();
    assert_eq!(
        door.read(&format!("{system}/VirtualMedia/Cd")).await.body["Inserted"],
        true
    );
    reset(&door, &system, "ForceRestart").await;
    hf.tick().await.unwrap();
    let cd = door.read(&format!("{system}/VirtualMedia/Cd")).await.body;
    assert_eq!(
        cd["Inserted"], false,
        "it stays until the reset after the boot"
    );
    assert_eq!(
        door.read(&stored).await.body["SizeBytes"],
        60_000,
        "in the store it stays"
    );
    let deleted = door.send("DELETE", &stored).admin().answer().await;
    assert_eq!(deleted.status, 204, "{deleted:?}");
}

#[tokio::test]
async fn an_image_pushed_for_later_waits_for_the_reset() {
    let (door, folder) = open().await;
    let system = door.system(1);
    let uri = format!("{system}/BootImage");
    let later = json!({"@Redfish.OperationApplyTime": "OnReset"}).to_string();
    let parts = [
        ("UpdateParameters", None, later.as_bytes()),
        ("UpdateFile", Some("a.iso"), b"bytes".as_slice()),
    ];
    let answer = push(&door, &uri, &parts).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let body = door.read(&system).await.body;
    assert_eq!(body["PowerState"], "Off");
    assert_eq!(body["Boot"]["BootSourceOverrideTarget"], "Cd");
    assert_eq!(body["Boot"]["BootSourceOverrideEnabled"], "Once");

    // Another takes its place; the same one again is no other.
    let parts = [parts[0], ("UpdateFile", Some("b.iso"), b"other".as_slice())];
    let answer = push(&door, &uri, &parts).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(
        door.read(&format!("{system}/VirtualMedia/Cd")).await.body["ImageName"],
        "b.iso"
    );
    let again = push(&door, &uri, &parts).await;
    assert_eq!(again.header("location"), answer.header("location"));
    let images = door.read(&format!("{SERVICE}/LocalImageStore")).await.body;
    assert_eq!(images["Members@odata.count"], 2);

    let large = vec![0_u8; 100_001];
    let answer = push(&door, &uri, &[("UpdateFile", None, &large)]).await;
    answer.refused(413, "PayloadTooLarge");
    let unknown = push(&door, &format!("{system}x/BootImage"), &parts).await;
    unknown.refused(404, "ResourceMissingAtURI");
    let files = std::fs::read_dir(folder.path().join("media")).unwrap();
    let names: Vec<String> = files
        .map(|f| f.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(
        names.iter().all(|name| name.ends_with(".img")),
        "nothing half written: {names:?}"
    );
    assert_eq!(names.len(), 2);
}

#[tokio::test]
async fn where_nothing_can_be_replaced_nothing_of_it_is_offered() {
    // Without a folder there is no place for images.
    let door = Door::open().await;
    let service = door.read(SERVICE).await.body;
    assert_eq!(service.get("MultipartHttpPushUri"), None);
    assert_eq!(service["Actions"].get("#UpdateService.SimpleUpdate"), None);
    let system = door.read(&door.system(0)).await.body;
    assert_eq!(system.get("BootImagePushURI"), None);
    let action = format!("{SERVICE}/Actions/UpdateService.SimpleUpdate");
    let body = json!({"ImageURI": "http://images.example/a"});
    let refused = door
        .send("POST", &action)
        .admin()
        .json(&body)
        .answer()
        .await;
    refused.refused(400, "ActionNotSupported");
    let info = door
        .send("GET", &format!("{SERVICE}/SimpleUpdateActionInfo"))
        .admin()
        .answer()
        .await;
    info.refused(404, "ResourceMissingAtURI");
}

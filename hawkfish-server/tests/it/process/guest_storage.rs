//! Disks that Redfish makes are disks that a guest sees, and an image that one POST brings is what it boots.

use std::path::PathBuf;
use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};

use super::client::{Answer, Client};
use super::domain::definition;
use super::server::Server;
use hawkfish_testing::lab::{Guest, Lab};
use hawkfish_testing::{part, until};

const MIB: u64 = 1 << 20;

/// A domain that is off, a pool beside it, and who serves both.
struct Scene {
    lab: Lab,
    guest: Guest,
    pool: PathBuf,
    server: Server,
    client: Client,
    system: String,
}

impl Scene {
    async fn set(more: &[&str], settings: &[&str]) -> Option<Self> {
        let lab = Lab::up()?;
        let pool = lab.path().join("pool");
        std::fs::create_dir(&pool).unwrap();
        let at = pool.to_str().unwrap();
        lab.virsh(&["pool-create-as", "spare", "dir", "--target", at]);
        let guest = lab.define("node", more);
        let server = Server::libvirt(lab.uri(), settings);
        let client = server.client().await;
        let system = client.members("/redfish/v1/Systems").await.remove(0);
        Some(Self {
            lab,
            guest,
            pool,
            server,
            client,
            system,
        })
    }

    async fn reset(&self, how: &str) {
        let uri = format!("{}/Actions/ComputerSystem.Reset", self.system);
        let body = json!({"ResetType": how});
        self.client.post(&uri, &body).await.unwrap().good();
    }

    /// Files that the pool holds.
    fn files(&self) -> Vec<String> {
        let files = std::fs::read_dir(&self.pool).unwrap();
        files
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    async fn make(&self, name: &str, bytes: u64) -> Answer {
        let uri = format!("{}/Storage/virtio/Volumes", self.system);
        let body = json!({"Name": name, "CapacityBytes": bytes});
        self.client.post(&uri, &body).await.unwrap()
    }

    async fn serial(&self, volume: &Value) -> String {
        let drive = volume["Links"]["Drives"][0]["@odata.id"].as_str().unwrap();
        let drive = self.client.read(drive).await;
        drive["SerialNumber"].as_str().unwrap().to_owned()
    }

    /// What the Linux of the lab last told of its disks: serial number and bytes.
    fn seen(&self) -> Vec<(String, u64)> {
        let console = self.guest.console();
        let told = console.rsplit("HAWKFISH-GUEST ").next().unwrap_or_default();
        let told = told.lines().next().unwrap_or_default();
        let told: Value = serde_json::from_str(told.trim()).unwrap_or_default();
        let disks = told["disks"].as_array().cloned().unwrap_or_default();
        let each = disks.iter().map(|disk| {
            let serial = disk["serial"].as_str().unwrap_or_default();
            (
                serial.to_owned(),
                disk["bytes"].as_u64().unwrap_or_default(),
            )
        });
        each.collect()
    }

    async fn push(&self, iso: &std::path::Path, when: Option<&str>) -> Answer {
        let uri = self.client.read(&self.system).await["BootImagePushURI"].clone();
        let mut body = Vec::new();
        if let Some(when) = when {
            let said = json!({"@Redfish.OperationApplyTime": when});
            let part = format!(
                "--XX\r\nContent-Disposition: form-data; name=\"UpdateParameters\"\r\nContent-Type: application/json\r\n\r\n{said}\r\n"
            );
            body.extend_from_slice(part.as_bytes());
        }
        body.extend_from_slice(
            b"--XX\r\nContent-Disposition: form-data; name=\"UpdateFile\"; filename=\"a.iso\"\r\nContent-Type: application/octet-stream\r\n\r\n",
        );
        body.extend_from_slice(&std::fs::read(iso).unwrap());
        body.extend_from_slice(b"\r\n--XX--\r\n");
        let kind = "multipart/form-data; boundary=XX";
        self.client
            .post_raw(uri.as_str().unwrap(), kind, body)
            .await
            .unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_made_by_redfish_is_a_disk_that_the_guest_sees_until_it_is_deleted() {
    let Some(assets) = part::variable("HAWKFISH_TEST_ASSETS") else {
        return;
    };
    let linux = ["--kernel", &assets, "--memory", "256"];
    let Some(scene) = Scene::set(&linux, &["--storage-pool", "spare"]).await else {
        return;
    };
    let client = &scene.client;
    let before = definition(&scene.lab, &scene.guest);
    let disk = format!("{}/Storage/virtio/Volumes/vda", scene.system);
    assert_eq!(
        client.read(&disk).await["CapacityBytes"],
        64 * MIB,
        "told while it is off"
    );

    let made = scene.make("data", 100 * MIB).await.good();
    assert_eq!(made.status, StatusCode::CREATED);
    let uri = made.headers["location"].to_str().unwrap().to_owned();
    let serial = scene.serial(&made.body).await;
    assert_eq!(scene.files(), [format!("hawkfish-{serial}.qcow2")]);

    scene.reset("On").await;
    scene.guest.says("HAWKFISH-GUEST ").await;
    scene.guest.says("tick ").await;
    let seen = scene.seen();
    assert!(seen.contains(&(serial.clone(), 100 * MIB)), "{seen:?}");

    // A second one, while it runs: the emulator has it at once.
    let plugged = scene.make("more", 32 * MIB).await;
    if plugged.status == StatusCode::CREATED {
        let serial = scene.serial(&plugged.body).await;
        let blocks = ["qemu-monitor-command", "node", "--hmp", "info block"];
        assert!(
            scene.lab.virsh(&blocks).contains(&serial),
            "it is in the machine"
        );
    } else {
        assert_eq!(plugged.status, StatusCode::CONFLICT, "{plugged:#?}");
        assert_eq!(scene.files().len(), 1, "nothing is left behind");
    }

    // A restart of HawkFish changes nothing: what it made is still known as such.
    scene.reset("ForceOff").await;
    let patch = json!({"CapacityBytes": 120 * MIB});
    let grown = client.patch(&uri, &patch).await.unwrap().good();
    assert_eq!(grown.body["CapacityBytes"], 120 * MIB);
    scene.reset("On").await;
    until(
        "the guest sees it grown",
        Duration::from_secs(120),
        async || {
            scene
                .seen()
                .contains(&(serial.clone(), 120 * MIB))
                .then_some(())
        },
    )
    .await;
    scene.reset("ForceOff").await;
    let theirs = client.delete(&disk).await.unwrap();
    assert_eq!(theirs.status, StatusCode::CONFLICT, "{theirs:#?}");
    let volumes = format!("{}/Storage/virtio/Volumes", scene.system);
    for volume in client.members(&volumes).await {
        if volume != disk {
            client.delete(&volume).await.unwrap().good();
        }
    }
    assert_eq!(scene.files(), Vec::<String>::new());
    assert_eq!(
        definition(&scene.lab, &scene.guest),
        before,
        "all is as it was"
    );
    drop(scene.server);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_brought_by_one_post_is_what_the_guest_boots_next_and_only_once() {
    let Some(scene) = Scene::set(&["--cdrom-empty", "--memory", "128"], &[]).await else {
        return;
    };
    let first = scene.lab.iso("FIRST", &[]);
    let second = scene.lab.iso("SECOND", &[]);
    let answer = scene.push(&first, Some("OnReset")).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:#?}");
    assert_eq!(scene.client.read(&scene.system).await["PowerState"], "Off");
    scene.reset("On").await;
    scene.guest.boots(&["FIRST"]).await;

    // And without a word: at once, in place of the first.
    let answer = scene.push(&second, None).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:#?}");
    scene.guest.boots(&["FIRST", "SECOND"]).await;
    let slot = format!("{}/VirtualMedia/Cd", scene.system);
    assert_eq!(scene.client.read(&slot).await["Inserted"], true);
    // Longer than a firmware takes to reset itself.
    let began = std::time::Instant::now();
    until(
        "the firmware has had its time",
        Duration::from_secs(30),
        async || (began.elapsed() > Duration::from_secs(4)).then_some(()),
    )
    .await;
    scene.reset("ForceRestart").await;
    scene
        .guest
        .boots(&["FIRST", "SECOND", &scene.guest.disk])
        .await;
    until(
        "the image goes with the reset after its boot",
        Duration::from_secs(30),
        async || {
            let slot = scene.client.read(&slot).await;
            (slot["Inserted"] == false).then_some(())
        },
    )
    .await;
}

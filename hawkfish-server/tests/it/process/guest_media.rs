//! Images that come, and images that do not: whatever is the matter, it is said, and nothing is in the slot.

use std::path::PathBuf;
use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};

use super::bmc::Bmc;
use super::client::{Answer, Client};
use super::domain::definition;
use super::images::Images;
use super::server::Server;
use hawkfish_testing::lab::{Guest, Lab};
use hawkfish_testing::{part, until};

/// A domain that is off, and images for it.
struct Scene {
    lab: Lab,
    guest: Guest,
    images: Images,
    iso: PathBuf,
    server: Server,
    client: Client,
    slots: String,
}

impl Scene {
    async fn set(settings: &[&str]) -> Option<Self> {
        let lab = Lab::up()?;
        let guest = lab.define("node", &["--cdrom-empty", "--memory", "128"]);
        let server = Server::libvirt(lab.uri(), settings);
        let client = server.client().await;
        let system = client.members("/redfish/v1/Systems").await.remove(0);
        Some(Self {
            iso: lab.iso("IMAGE", &[]),
            lab,
            guest,
            images: Images::serve(),
            slots: format!("{system}/VirtualMedia"),
            server,
            client,
        })
    }

    async fn slot(&self, slot: &str) -> Value {
        self.client.read(&format!("{}/{slot}", self.slots)).await
    }

    fn insertion(&self, slot: &str) -> String {
        format!("{}/{slot}/Actions/VirtualMedia.InsertMedia", self.slots)
    }

    async fn insert(&self, slot: &str, what: &Value) -> Answer {
        self.client.post(&self.insertion(slot), what).await.unwrap()
    }

    async fn eject(&self, slot: &str) -> Answer {
        let uri = format!("{}/{slot}/Actions/VirtualMedia.EjectMedia", self.slots);
        self.client.post(&uri, &json!({})).await.unwrap()
    }

    /// Nothing is in the slot, whoever is asked.
    async fn is_empty(&self) {
        let slot = self.slot("Cd").await;
        assert_eq!(slot["Inserted"], false, "{slot:#}");
        assert_eq!(slot["Image"], Value::Null, "{slot:#}");
        let disks = self.lab.virsh(&["domblklist", "--inactive", "node"]);
        let cd = disks.lines().find(|line| line.trim().starts_with("sda"));
        assert!(cd.is_some_and(|line| line.trim().ends_with('-')), "{disks}");
    }

    /// Files that the cache of images holds.
    fn cached(&self) -> Vec<PathBuf> {
        let folders = std::fs::read_dir(self.server.data_dir()).unwrap();
        let folders = folders.map(|entry| entry.unwrap().path());
        let files = folders.filter(|path| path.is_dir()).flat_map(|folder| {
            let files = std::fs::read_dir(folder).unwrap();
            files.map(|file| file.unwrap().path())
        });
        files
            .filter(|file| {
                file.extension()
                    .is_some_and(|end| end == "img" || end == "part")
            })
            .collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_does_not_come_is_an_error_and_leaves_the_slot_empty() {
    let Some(scene) = Scene::set(&["--media-allow", "127.0.0.1", "--media-max-size", "8M"]).await
    else {
        return;
    };
    let images = &scene.images;
    let guarded = images.guarded(&scene.iso, "reader", "of images");
    let large = scene.lab.path().join("large.iso");
    std::fs::write(&large, vec![7; 9 << 20]).unwrap();
    let empty = scene.lab.path().join("empty.iso");
    std::fs::write(&empty, "").unwrap();
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = format!("http://{}/a.iso", unused.local_addr().unwrap());
    drop(unused);
    let before = definition(&scene.lab, &scene.guest);
    for (what, hint) in [
        (json!({"Image": guarded}), "401"),
        (
            json!({"Image": guarded, "UserName": "reader", "Password": "of books"}),
            "401",
        ),
        (json!({"Image": images.nothing()}), "404"),
        (json!({"Image": images.broken(&scene.iso)}), ""),
        (json!({"Image": images.open(&large)}), "larger than"),
        (json!({"Image": images.open(&empty)}), "empty"),
        (json!({"Image": closed}), ""),
    ] {
        let answer = scene.insert("Cd", &what).await;
        assert_eq!(
            answer.status,
            StatusCode::BAD_GATEWAY,
            "{what}: {answer:#?}"
        );
        assert_eq!(answer.keys(), ["MediaFetchFailed"], "{what}");
        let url = what["Image"].as_str().unwrap();
        let said = answer.said();
        assert!(said.contains(url) && said.contains(hint), "{what}: {said}");
        assert!(!said.contains("of books"), "{said}");
        scene.is_empty().await;
    }
    assert_eq!(scene.cached(), Vec::<PathBuf>::new());
    assert_eq!(definition(&scene.lab, &scene.guest), before);

    // Whoever has the password gets it.
    let right = json!({"Image": guarded, "UserName": "reader", "Password": "of images"});
    let answer = scene.insert("Cd", &right).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT, "{answer:#?}");
    let slot = scene.slot("Cd").await;
    assert_eq!(slot["Inserted"], true);
    assert_eq!(slot["Image"], guarded);
    assert_eq!(slot["UserName"], "reader");
    assert_eq!(slot["Password"], Value::Null);
    assert_eq!(scene.cached().len(), 1);
    // No word of it lies anywhere.
    let database = std::fs::read(scene.server.data_dir().join("hawkfish.db")).unwrap();
    let mut kept = database;
    kept.extend(std::fs::read(scene.server.data_dir().join("hawkfish.db-wal")).unwrap_or_default());
    kept.extend(scene.server.log_text().into_bytes());
    assert!(!String::from_utf8_lossy(&kept).contains("of images"));
    let tasks = scene.client.members("/redfish/v1/TaskService/Tasks").await;
    for task in tasks {
        let task = scene.client.read(&task).await;
        assert!(!task.to_string().contains("of images"), "{task:#}");
    }

    // A slot holds one thing at a time.
    let answer = scene
        .insert("Cd", &json!({"Image": images.open(&scene.iso)}))
        .await;
    assert_eq!(answer.status, StatusCode::CONFLICT, "{answer:#?}");
    assert_eq!(scene.slot("Cd").await["Image"], guarded);
    scene.eject("Cd").await.good();
    scene.is_empty().await;
    assert_eq!(scene.cached(), Vec::<PathBuf>::new());
    assert_eq!(definition(&scene.lab, &scene.guest), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_policy_does_not_allow_is_refused_with_a_reason_and_not_even_asked_for() {
    let Some(scene) = Scene::set(&[]).await else {
        return;
    };
    let image = scene.images.open(&scene.iso);
    let by_name = image.replace("127.0.0.1", "localhost");
    let mapped = image.replace("127.0.0.1", "[::ffff:127.0.0.1]");
    for url in [
        image.as_str(),
        &by_name,
        &mapped,
        "http://169.254.169.254/latest/meta-data/",
        "file:///etc/shadow",
        "file:///etc/../etc/shadow",
        "ftp://images.example/a.iso",
    ] {
        let answer = scene.insert("Cd", &json!({"Image": url})).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{url}: {answer:#?}");
        assert_eq!(answer.keys(), ["AddressRefused"], "{url}");
        let said = answer.said();
        assert!(
            said.contains("polic") || said.contains("allow"),
            "{url}: {said}"
        );
        assert!(!answer.body.to_string().contains("root:"), "{answer:#?}");
        scene.is_empty().await;
    }
    assert_eq!(scene.images.asked(), 0);
    assert!(
        scene
            .client
            .members("/redfish/v1/TaskService/Tasks")
            .await
            .is_empty()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn sushy_learns_why_an_image_does_not_come_and_brings_a_password_where_one_is_asked() {
    if part::python().is_none() {
        return;
    }
    let Some(scene) = Scene::set(&["--media-allow", "127.0.0.1"]).await else {
        return;
    };
    let Some(mut bmc) = Bmc::of(&scene.server, "node") else {
        return;
    };
    let url = scene.images.guarded(&scene.iso, "reader", "of images");
    let mut insert = |image: &str, password: &str| {
        let what =
            json!({"kind": "CD", "image": image, "username": "reader", "password": password});
        let done = bmc.attempt("insert", what);
        (done, bmc.medium("CD"))
    };
    for (image, password, hint) in [
        (url.as_str(), "of books", "401"),
        (&scene.images.nothing(), "of images", "404"),
        ("file:///etc/shadow", "of images", "file:///etc/shadow"),
    ] {
        let (done, medium) = insert(image, password);
        let raised = done.expect_err("no such image");
        assert!(raised.text.contains(hint), "{raised:?}");
        assert_ne!(raised.kind, "ConnectionError", "{raised:?}");
        assert_eq!(medium["inserted"], false);
    }
    let (done, medium) = insert(&url, "of images");
    done.expect("the right password");
    assert_eq!(medium["inserted"], true);
    assert_eq!(medium["user_name"], "reader");
    bmc.eject();
    assert_eq!(bmc.medium("CD")["inserted"], false);
    scene.is_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_usb_stick_comes_and_goes_and_leaves_the_domain_as_it_was() {
    let Some(scene) = Scene::set(&["--media-allow", "127.0.0.1"]).await else {
        return;
    };
    let before = definition(&scene.lab, &scene.guest);
    let image = scene.images.open(&scene.iso);
    scene.insert("Usb", &json!({"Image": image})).await.good();
    let slot = scene.slot("Usb").await;
    assert_eq!(
        (&slot["Inserted"], &slot["WriteProtected"]),
        (&json!(true), &json!(true))
    );
    let now = definition(&scene.lab, &scene.guest);
    assert!(
        now.contains("bus=\"usb\"") && now.contains("readonly"),
        "{now}"
    );
    scene.eject("Usb").await.good();
    assert_eq!(scene.slot("Usb").await["Inserted"], false);
    assert_eq!(definition(&scene.lab, &scene.guest), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_insertion_cut_off_by_a_crash_is_taken_up_again_or_ends_with_a_reason() {
    let Some(mut scene) = Scene::set(&["--media-allow", "127.0.0.1"]).await else {
        return;
    };
    for secret in [false, true] {
        let url = scene.images.halting(&scene.iso);
        let mut what = json!({"Image": url});
        if secret {
            what["UserName"] = "reader".into();
            what["Password"] = "of images".into();
        }
        let asked = scene.images.asked();
        let (client, uri) = (scene.client.clone(), scene.insertion("Cd"));
        let request = tokio::spawn(async move { client.post(&uri, &what).await });
        until(
            "half of the image is fetched",
            Duration::from_secs(20),
            async || (scene.images.asked() > asked).then_some(()),
        )
        .await;
        scene.server.kill();
        assert!(request.await.unwrap().is_err());
        scene.images.release();
        scene.server.start();

        // The session outlives the crash; so does the task.
        let tasks = scene.client.members("/redfish/v1/TaskService/Tasks").await;
        let task = tasks.last().expect("the task").clone();
        let task = until("the task ends", Duration::from_secs(30), async || {
            let task = scene.client.read(&task).await;
            task["EndTime"].is_string().then_some(task)
        })
        .await;
        if secret {
            // Its password was kept nowhere, so it cannot go on.
            assert_eq!(task["TaskState"], "Exception", "{task:#}");
            assert_ne!(task["TaskStatus"], "OK", "{task:#}");
            let text = task["Messages"][0]["Message"].as_str().expect("a reason");
            assert!(!text.is_empty());
            scene.is_empty().await;
            assert_eq!(scene.cached(), Vec::<PathBuf>::new());
        } else {
            assert_eq!(task["TaskState"], "Completed", "{task:#}");
            let slot = scene.slot("Cd").await;
            assert_eq!(
                (&slot["Inserted"], &slot["Image"]),
                (&json!(true), &json!(url))
            );
            scene.eject("Cd").await.good();
            scene.is_empty().await;
        }
    }
}

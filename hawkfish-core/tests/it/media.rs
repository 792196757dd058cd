//! Images on their way from a web server into a slot.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use hawkfish_core::ErrorKind;
use hawkfish_core::app::Builder;
use hawkfish_core::ctx::Ctx;
use hawkfish_core::error::{Conflict, Error};
use hawkfish_core::id::{SlotId, SystemId};
use hawkfish_core::media::{InsertMedia, MediaSettings};
use hawkfish_core::outgoing::Policy;
use hawkfish_core::tasks::{Task, TaskState};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use wiremock::matchers::{basic_auth, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::rig::Rig;

const IMAGE: &[u8] = b"not much of an image, but one";

fn cd() -> SlotId {
    SlotId::parse("Cd").unwrap()
}

fn usb() -> SlotId {
    SlotId::parse("Usb").unwrap()
}

/// Loopback is refused by default; tests have nothing else.
fn loopback(settings: MediaSettings) -> impl FnOnce(Builder) -> Builder {
    let policy = Policy {
        allow: vec!["127.0.0.1".parse().unwrap()],
        deny: vec![],
    };
    move |b| {
        b.media(MediaSettings {
            policy: Arc::new(policy),
            ..settings
        })
    }
}

fn image(url: impl Into<String>) -> InsertMedia {
    InsertMedia {
        image: url.into(),
        write_protected: true,
        ..InsertMedia::default()
    }
}

async fn insert(
    rig: &Rig,
    id: &SystemId,
    slot: &SlotId,
    what: InsertMedia,
) -> Result<Arc<Task>, Error> {
    let task = rig.hf.insert_media(&Ctx::service(), id, slot, what).await?;
    rig.hf.tasks().finished(&task.id).await
}

fn failure(task: &Task) -> Error {
    assert_eq!(task.state, TaskState::Exception);
    Error::from(task.failure.as_ref().expect("a failed task says why"))
}

fn cached(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(dir.join("media"))
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

async fn server() -> MockServer {
    let server = MockServer::start().await;
    Mock::given(path("/a.iso"))
        .respond_with(ResponseTemplate::new(200).set_body_bytes(IMAGE))
        .mount(&server)
        .await;
    Mock::given(path("/empty.iso"))
        .respond_with(ResponseTemplate::new(200))
        .mount(&server)
        .await;
    let inward = ResponseTemplate::new(302).insert_header("location", "http://127.0.0.2/a.iso");
    Mock::given(path("/inward.iso"))
        .respond_with(inward)
        .mount(&server)
        .await;
    let outward = ResponseTemplate::new(302).insert_header("location", "/a.iso");
    Mock::given(path("/moved.iso"))
        .respond_with(outward)
        .mount(&server)
        .await;
    Mock::given(path("/locked.iso"))
        .and(basic_auth("user", "pass word"))
        .respond_with(ResponseTemplate::new(200).set_body_bytes(IMAGE))
        .mount(&server)
        .await;
    server
}

#[tokio::test]
async fn an_image_is_fetched_inserted_remembered_and_gone_after_its_ejection() {
    let (server, dir) = (server().await, tempfile::tempdir().unwrap());
    let rig = Rig::start(dir.path(), loopback(MediaSettings::default())).await;
    let [one, two] = [0, 1].map(|n| rig.systems()[n].id.clone());
    let url = format!("{}/moved.iso?token=1", server.uri());
    let task = insert(&rig, &one, &cd(), image(&url)).await.unwrap();
    assert_eq!((task.state, task.percent), (TaskState::Completed, 100));

    let system = rig.system(&one);
    let inserted = system.inserted(&cd()).unwrap();
    let record = inserted.record.unwrap();
    assert_eq!(
        (record.image.as_str(), record.image_name.as_str()),
        (url.as_str(), "moved.iso")
    );
    let file = match &inserted.medium.source {
        hawkfish_core::backend::MediaSource::File(file) => file.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(std::fs::read(&file).unwrap(), IMAGE);

    // The same image lies in the cache once, for as long as somebody holds it.
    insert(&rig, &two, &usb(), image(format!("{}/a.iso", server.uri())))
        .await
        .unwrap();
    assert_eq!(cached(dir.path()).len(), 1);
    rig.hf
        .eject_media(&Ctx::service(), &one, &cd())
        .await
        .unwrap();
    assert!(rig.system(&one).inserted(&cd()).is_none());
    assert!(file.exists());
    rig.hf
        .eject_media(&Ctx::service(), &two, &usb())
        .await
        .unwrap();
    assert_eq!(cached(dir.path()), [""; 0]);
    let empty = rig
        .hf
        .eject_media(&Ctx::service(), &two, &usb())
        .await
        .unwrap_err();
    assert_eq!(*empty.kind(), ErrorKind::Conflict(Conflict::Empty));
}

#[tokio::test]
async fn what_goes_wrong_is_said_and_leaves_the_slot_and_the_cache_empty() {
    let (server, dir) = (server().await, tempfile::tempdir().unwrap());
    let settings = MediaSettings {
        max_bytes: 10,
        ..MediaSettings::default()
    };
    let rig = Rig::start(dir.path(), loopback(settings)).await;
    let id = rig.first();
    for (name, upstream) in [
        ("a.iso", true),
        ("empty.iso", true),
        ("gone.iso", true),
        ("locked.iso", true),
        ("inward.iso", false),
    ] {
        let task = insert(&rig, &id, &cd(), image(format!("{}/{name}", server.uri())))
            .await
            .unwrap();
        let error = failure(&task);
        match error.kind() {
            ErrorKind::Upstream { .. } if upstream => {}
            ErrorKind::AddressRefused { .. } if !upstream => {}
            _ => panic!("{name}: {error:?}"),
        }
        assert!(rig.system(&id).inserted(&cd()).is_none(), "{name}");
        assert_eq!(cached(dir.path()), [""; 0], "{name}");
    }
}

#[tokio::test]
async fn a_medium_that_the_machine_does_not_take_is_not_inserted_nor_kept() {
    let (server, dir) = (server().await, tempfile::tempdir().unwrap());
    let rig = Rig::start(dir.path(), loopback(MediaSettings::default())).await;
    let id = rig.first();
    rig.rack.refuses_media.store(true, Ordering::Release);
    let task = insert(&rig, &id, &cd(), image(format!("{}/a.iso", server.uri())))
        .await
        .unwrap();
    assert_eq!(*failure(&task).kind(), ErrorKind::Backend);
    assert!(rig.system(&id).inserted(&cd()).is_none());
    assert_eq!(cached(dir.path()), [""; 0]);
    // And nothing is left that would keep the slot.
    rig.rack.refuses_media.store(false, Ordering::Release);
    let task = insert(&rig, &id, &cd(), image(format!("{}/a.iso", server.uri())))
        .await
        .unwrap();
    assert_eq!(task.state, TaskState::Completed);
}

#[tokio::test]
async fn credentials_open_the_server_and_are_not_written_down() {
    let (server, dir) = (server().await, tempfile::tempdir().unwrap());
    let rig = Rig::start(dir.path(), loopback(MediaSettings::default())).await;
    let id = rig.first();
    let what = InsertMedia {
        user_name: Some("user".into()),
        password: Some("pass word".into()),
        ..image(format!("{}/locked.iso", server.uri()))
    };
    insert(&rig, &id, &cd(), what).await.unwrap();
    assert_eq!(
        rig.system(&id)
            .inserted(&cd())
            .unwrap()
            .record
            .unwrap()
            .user_name
            .as_deref(),
        Some("user")
    );
    rig.hf
        .eject_media(&Ctx::service(), &id, &cd())
        .await
        .unwrap();

    let in_url = server.uri().replace("http://", "http://user:pass%20word@");
    let task = insert(&rig, &id, &cd(), image(format!("{in_url}/locked.iso")))
        .await
        .unwrap();
    assert_eq!(task.state, TaskState::Completed);
    let shown = rig
        .system(&id)
        .inserted(&cd())
        .unwrap()
        .record
        .unwrap()
        .image
        .clone();
    assert_eq!(shown, format!("{}/locked.iso", server.uri()));
    rig.hf.close().await.unwrap();
    for name in ["hawkfish.db", "hawkfish.db-wal"] {
        let bytes = std::fs::read(dir.path().join(name)).unwrap_or_default();
        assert!(
            !bytes.windows(6).any(|w| w == b"pass w" || w == b"pass%2"),
            "the password is in {name}"
        );
    }
}

#[tokio::test]
async fn addresses_and_files_that_policy_does_not_allow_are_refused_before_anything_happens() {
    let dir = tempfile::tempdir().unwrap();
    let images = tempfile::tempdir().unwrap();
    std::fs::write(images.path().join("a.iso"), IMAGE).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", images.path().join("link.iso")).unwrap();
    let settings = MediaSettings {
        folders: vec![images.path().into()],
        ..MediaSettings::default()
    };
    let rig = Rig::start(dir.path(), |b| b.media(settings)).await;
    let id = rig.first();
    let inside = images.path().display();
    for bad in [
        "file:///etc/shadow".to_owned(),
        "file:///etc/hostname".to_owned(),
        format!("file://{inside}/../../etc/hostname"),
        format!("file://{inside}/link.iso"),
        format!("file://{inside}/"),
        format!("file://{inside}/missing.iso"),
        "file://host/etc/hostname".to_owned(),
        "http://127.0.0.1/a.iso".to_owned(),
        "http://[::ffff:127.0.0.1]/a.iso".to_owned(),
        "http://169.254.169.254/latest".to_owned(),
        "ftp://images.example/a.iso".to_owned(),
        "data:text/plain,x".to_owned(),
    ] {
        let error = rig
            .hf
            .insert_media(&Ctx::service(), &id, &cd(), image(&bad))
            .await
            .unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::AddressRefused { .. }),
            "{bad}: {error:?}"
        );
    }
    let error = rig
        .hf
        .insert_media(&Ctx::service(), &id, &cd(), image("a.iso"))
        .await
        .unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Invalid { property, .. } if property == "/Image"),
        "{error:?}"
    );
    assert!(rig.hf.tasks().list(&Ctx::service()).is_empty());

    let task = insert(&rig, &id, &cd(), image(format!("file://{inside}/a.iso")))
        .await
        .unwrap();
    assert_eq!(task.state, TaskState::Completed);
}

/// A server that hands out the image byte by byte as told.
async fn slow_server() -> (String, mpsc::Sender<u8>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/slow.iso", listener.local_addr().unwrap());
    let (bytes, mut told) = mpsc::channel::<u8>(64);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 2048];
            let _ = stream.read(&mut request).await.unwrap();
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n")
                .await
                .unwrap();
            for _ in 0..4 {
                let Some(byte) = told.recv().await else {
                    return;
                };
                if stream.write_all(&[byte]).await.is_err() {
                    break;
                }
            }
        }
    });
    (url, bytes)
}

async fn progressed(rig: &Rig, task: &Task, percent: u8) {
    // Progress is told from another task of the runtime; every turn lets it run.
    while rig
        .hf
        .tasks()
        .get(&Ctx::service(), &task.id)
        .unwrap()
        .percent
        < percent
    {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_download_tells_how_far_it_is_keeps_its_slot_and_can_be_cancelled() {
    let dir = tempfile::tempdir().unwrap();
    let (url, bytes) = slow_server().await;
    let rig = Rig::start(dir.path(), loopback(MediaSettings::default())).await;
    let id = rig.first();
    let task = rig
        .hf
        .insert_media(&Ctx::service(), &id, &cd(), image(&url))
        .await
        .unwrap();
    bytes.send(1).await.unwrap();
    bytes.send(2).await.unwrap();
    progressed(&rig, &task, 50).await;
    let busy = rig
        .hf
        .insert_media(&Ctx::service(), &id, &cd(), image(&url))
        .await
        .unwrap_err();
    assert_eq!(*busy.kind(), ErrorKind::Conflict(Conflict::InUse));

    rig.hf
        .tasks()
        .cancel(&Ctx::service(), &task.id)
        .await
        .unwrap();
    let ended = rig.hf.tasks().finished(&task.id).await.unwrap();
    assert_eq!(ended.state, TaskState::Cancelled);
    assert!(rig.system(&id).inserted(&cd()).is_none());
    rig.hf.close().await.unwrap();
    assert_eq!(cached(dir.path()), [""; 0]);
}

#[tokio::test]
async fn a_download_that_a_restart_interrupts_is_done_afterwards() {
    let dir = tempfile::tempdir().unwrap();
    let (url, bytes) = slow_server().await;
    let rig = Rig::start(dir.path(), loopback(MediaSettings::default())).await;
    let id = rig.first();
    let task = rig
        .hf
        .insert_media(&Ctx::service(), &id, &cd(), image(&url))
        .await
        .unwrap();
    bytes.send(1).await.unwrap();
    progressed(&rig, &task, 25).await;
    rig.hf.close().await.unwrap();
    let Rig { rack, clock, .. } = rig;

    let rig = Rig::on(
        rack.sim.clone(),
        clock,
        dir.path(),
        loopback(MediaSettings::default()),
    )
    .await;
    // The server may give the first of these to the connection that is gone.
    for byte in [1, 2, 3, 4, 5, 6, 7, 8] {
        bytes.send(byte).await.unwrap();
    }
    let ended = rig.hf.tasks().finished(&task.id).await.unwrap();
    assert_eq!(ended.state, TaskState::Completed, "{ended:?}");
    let shown = rig
        .system(&id)
        .inserted(&cd())
        .unwrap()
        .record
        .unwrap()
        .image
        .clone();
    assert_eq!(shown, url);
}

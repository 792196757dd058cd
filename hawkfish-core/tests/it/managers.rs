//! What a restart of a manager does to what its system is in the middle of.

use std::sync::Arc;

use hawkfish_core::ctx::Ctx;
use hawkfish_core::id::SlotId;
use hawkfish_core::manager::{ManagerReset, RESTART};
use hawkfish_core::media::{InsertMedia, MediaSettings};
use hawkfish_core::outgoing::Policy;
use hawkfish_core::tasks::TaskState;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

use crate::rig::Rig;

#[tokio::test]
async fn a_forced_restart_breaks_off_what_a_graceful_one_lets_go_on() {
    // A web server that begins to answer and goes on when it is told to.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/a.iso", listener.local_addr().unwrap());
    let go_on = Arc::new(tokio::sync::Notify::new());
    let told = go_on.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let told = told.clone();
            tokio::spawn(async move {
                let head = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\nConnection: close\r\n\r\nhalf";
                stream.write_all(head).await.unwrap();
                told.notified().await;
                // The client may have gone.
                let _ = stream.write_all(b"rest").await;
            });
        }
    });
    let dir = tempfile::tempdir().unwrap();
    let policy = Policy {
        allow: vec!["127.0.0.1".parse().unwrap()],
        deny: vec![],
    };
    let media = MediaSettings {
        policy: Arc::new(policy),
        ..MediaSettings::default()
    };
    let rig = Rig::start(dir.path(), |builder| builder.media(media)).await;
    let (ctx, cd) = (Ctx::service(), SlotId::parse("Cd").unwrap());
    let systems = rig.hf.systems(&ctx);
    let (id, other) = (systems[0].id.clone(), systems[1].id.clone());
    let insert = async |id| {
        let what = InsertMedia {
            image: url.clone(),
            write_protected: true,
            ..InsertMedia::default()
        };
        rig.hf.insert_media(&ctx, id, &cd, what).await.unwrap()
    };
    let (task, of_other) = (insert(&id).await, insert(&other).await);

    let reset = rig.hf.reset_manager(&ctx, &id, ManagerReset::Graceful);
    reset.await.unwrap();
    assert!(rig.hf.manager_away(&id).is_some());
    assert!(rig.hf.manager_away(&other).is_none());
    assert!(!rig.hf.tasks().get(&ctx, &task.id).unwrap().state.ended());
    rig.clock.advance(RESTART);
    rig.hf.tick().await.unwrap();
    assert!(rig.hf.manager_away(&id).is_none());

    let reset = rig.hf.reset_manager(&ctx, &id, ManagerReset::Force);
    reset.await.unwrap();
    let ended = rig.hf.tasks().finished(&task.id).await.unwrap();
    assert_eq!(ended.state, TaskState::Cancelled);
    // That of another system is none of this manager's business.
    let running = rig.hf.tasks().get(&ctx, &of_other.id).unwrap();
    assert!(!running.state.ended());
    go_on.notify_waiters();
    let ended = rig.hf.tasks().finished(&of_other.id).await.unwrap();
    assert_eq!(ended.state, TaskState::Completed);
}

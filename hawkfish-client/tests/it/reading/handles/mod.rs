//! Resources as types with verbs, against the simulator: what each verb does is seen.

mod events;
mod machine;
mod media;
mod service;

use std::time::Duration;

use hawkfish_client::typed::System;
use hawkfish_client::{Client, Outcome, Response};
use hawkfish_sim::{PASSWORD, USER, World};
use jiff::SignedDuration;

struct Lab {
    world: World,
    client: Client,
    _dir: tempfile::TempDir,
}

impl Lab {
    async fn open() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let world = World::builder()
            .seed(6)
            .systems(2)
            .data_dir(dir.path())
            .start()
            .await
            .unwrap();
        Self {
            client: world.client().unwrap(),
            world,
            _dir: dir,
        }
    }

    /// The first machine.
    async fn system(&self) -> System {
        self.client.systems().await.unwrap().remove(0)
    }

    /// Who logs in as somebody.
    fn login(&self, user: &str, password: &str) -> Client {
        Client::builder("http://hawkfish.sim")
            .session(user, password)
            .service::<_, axum::body::Body>(self.world.bmc())
            .build()
            .unwrap()
    }

    fn admin(&self) -> Client {
        self.login(USER, PASSWORD)
    }

    async fn pass(&self, seconds: i64) {
        let by = SignedDuration::from_secs(seconds);
        self.world.advance(by).await.unwrap();
    }

    /// The status of the last answer.
    fn last_status(&self) -> u16 {
        let trace = self.world.trace();
        let answers = trace.entries().filter_map(|entry| match &entry.what {
            hawkfish_sim::trace::What::Response(answer) => Some(answer.status.as_u16()),
            _ => None,
        });
        answers.last().unwrap()
    }
}

async fn done(outcome: Result<Outcome, hawkfish_client::Error>) -> Response {
    let within = Some(Duration::from_secs(20));
    outcome.unwrap().finish(within).await.unwrap()
}

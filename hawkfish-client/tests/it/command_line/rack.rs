//! A rack of simulated machines on a port of loopback, for the program to be run against.

use hawkfish_sim::{PASSWORD, Served, USER, World};

use super::run::{Ran, bare, ran};

pub(crate) struct Rack {
    pub(crate) world: World,
    pub(crate) url: String,
    _served: Served,
}

impl Rack {
    /// So many machines; the seed is always the same, and so are their names.
    pub(crate) async fn of(systems: usize) -> Self {
        let world = World::builder()
            .seed(6)
            .systems(systems)
            .start()
            .await
            .unwrap();
        let served = world.serve(([127, 0, 0, 1], 0).into()).await.unwrap();
        Self {
            url: format!("http://{}", served.address),
            world,
            _served: served,
        }
    }

    /// The program, logging in here as the administrator.
    pub(crate) fn hawkfish(&self) -> std::process::Command {
        let mut command = bare();
        command
            .env("HAWKFISH_URL", &self.url)
            .env("HAWKFISH_USERNAME", USER)
            .env("HAWKFISH_PASSWORD", PASSWORD);
        command
    }

    pub(crate) async fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = self.hawkfish();
        command.args(arguments);
        ran(command).await
    }
}

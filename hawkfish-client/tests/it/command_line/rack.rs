//! A rack of simulated machines on a port of loopback, for the program to be run against.

use hawkfish_sim::{Builder, PASSWORD, Served, USER, World};

use super::run::{Ran, bare, ran, ran_with_input};

pub(crate) struct Rack {
    pub(crate) world: World,
    pub(crate) url: String,
    _served: Served,
}

impl Rack {
    /// So many machines; the seed is always the same, and so are their names.
    pub(crate) async fn of(systems: usize) -> Self {
        Self::serving(World::builder().seed(6).systems(systems)).await
    }

    /// So many machines that files can be brought to, which lie in a folder.
    pub(crate) async fn with_files(systems: usize, dir: &std::path::Path) -> Self {
        Self::serving(World::builder().seed(6).systems(systems).data_dir(dir)).await
    }

    /// A world of one's own.
    pub(crate) async fn serving(builder: Builder) -> Self {
        let world = builder.start().await.unwrap();
        let served = world.serve(([127, 0, 0, 1], 0).into()).await.unwrap();
        Self::at(world, served)
    }

    /// A world that is served already.
    pub(crate) fn at(world: World, served: Served) -> Self {
        Self {
            url: served.url().trim_end_matches("/redfish/v1/").to_owned(),
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

    /// The same with something on its standard input.
    pub(crate) async fn run_with_input(&self, input: &str, arguments: &[&str]) -> Ran {
        let mut command = self.hawkfish();
        command.args(arguments);
        ran_with_input(command, input).await
    }

    /// As somebody else than the administrator.
    pub(crate) async fn run_as(&self, user: &str, password: &str, arguments: &[&str]) -> Ran {
        let mut command = self.hawkfish();
        command
            .env("HAWKFISH_USERNAME", user)
            .env("HAWKFISH_PASSWORD", password)
            .args(arguments);
        ran(command).await
    }

    /// What a resource says to the administrator, asked without the program.
    pub(crate) async fn get(&self, uri: &str) -> serde_json::Value {
        let client = self.world.client().unwrap();
        client.get_value(uri).await.unwrap().value
    }

    /// The URIs of the members of a collection.
    pub(crate) async fn members(&self, uri: &str) -> Vec<String> {
        let members = self.get(uri).await["Members"].as_array().unwrap().clone();
        members
            .iter()
            .map(|member| member["@odata.id"].as_str().unwrap().to_owned())
            .collect()
    }
}

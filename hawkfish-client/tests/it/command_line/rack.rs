//! A rack of simulated machines on a port of loopback, for the program to be run against.

use std::sync::Arc;

use hawkfish_sim::fault::preset;
use hawkfish_sim::{Builder, PASSWORD, Served, USER, World};
use rustls::pki_types::PrivateKeyDer;
use sha2::{Digest as _, Sha256};

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

    /// One machine in a world with these faults in it.
    pub(crate) async fn with(presets: &[&str]) -> Self {
        let rules = presets
            .iter()
            .flat_map(|name| preset(name).unwrap().rules());
        Self::serving(
            World::builder()
                .seed(6)
                .systems(1)
                .faults(rules.collect::<Vec<_>>()),
        )
        .await
    }

    /// One machine, by TLS, with a certificate that nobody vouches for; gives its SHA-256, too.
    pub(crate) async fn over_tls() -> (Self, [u8; 32]) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let der = made.cert.der().clone();
        let sha256 = Sha256::digest(&der).into();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![der], key)
            .unwrap();
        let world = World::builder().seed(6).systems(1).start().await.unwrap();
        let at = ([127, 0, 0, 1], 0).into();
        let served = world.serve_with(at, Some(Arc::new(config))).await.unwrap();
        (Self::at(world, served), sha256)
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

    /// What it prints where it has nothing to complain about.
    pub(crate) async fn shows(&self, arguments: &[&str]) -> String {
        let ran = self.run(arguments).await;
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{arguments:?}");
        ran.out
    }

    /// Lets the time of the world go on.
    pub(crate) async fn seconds(&self, seconds: i64) {
        let by = jiff::SignedDuration::from_secs(seconds);
        self.world.advance(by).await.unwrap();
    }
}

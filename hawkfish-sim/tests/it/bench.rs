//! A world on a socket, a client written by hand, and a receiver of events.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use hawkfish_sim::fault::{Rule, preset};
use hawkfish_sim::{PASSWORD, Served, USER, World};
use jiff::SignedDuration;
use reqwest::{Client, Method, Response, StatusCode};
use serde_json::{Value, json};

pub(crate) const SYSTEMS: &str = "/redfish/v1/Systems";

/// The rules of presets.
pub(crate) fn rules(names: &[&str]) -> Vec<Rule> {
    let all = names.iter().map(|name| match preset(name) {
        Some(preset) => preset.rules(),
        None => panic!("no preset {name}"),
    });
    all.flatten().collect()
}

fn any() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

/// A world with one system, that stands still until it is told to go on.
pub(crate) struct Bench {
    pub(crate) world: World,
    served: Served,
    client: Client,
    pub(crate) system: String,
    _dir: tempfile::TempDir,
}

impl Bench {
    pub(crate) async fn with(names: &[&str]) -> Self {
        Self::of(rules(names)).await
    }

    pub(crate) async fn of(rules: Vec<Rule>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let world = World::builder()
            .seed(7)
            .systems(1)
            .faults(rules)
            .data_dir(dir.path())
            .start()
            .await
            .unwrap();
        let served = world.serve(any()).await.unwrap();
        let id = world
            .hawkfish()
            .systems(&hawkfish_core::ctx::Ctx::service())[0]
            .id
            .clone();
        Self {
            world,
            served,
            client: Client::builder().no_proxy().build().unwrap(),
            system: format!("{SYSTEMS}/{id}"),
            _dir: dir,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.served.url())
    }

    pub(crate) async fn wait(&self, seconds: i64) {
        let by = SignedDuration::from_secs(seconds);
        self.world.advance(by).await.unwrap();
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> reqwest::Result<Response> {
        let request = self
            .client
            .request(method, self.url(path))
            .basic_auth(USER, Some(PASSWORD));
        match body {
            Some(body) => request.json(&body).send().await,
            None => request.send().await,
        }
    }

    pub(crate) async fn answer(&self, path: &str) -> Response {
        self.send(Method::GET, path, None).await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let answer = self.answer(path).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        answer.json().await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Response {
        self.send(Method::POST, path, Some(body)).await.unwrap()
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) {
        let answer = self.send(Method::PATCH, path, Some(body)).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
    }

    pub(crate) async fn system(&self) -> Value {
        self.get(&self.system).await
    }

    pub(crate) async fn power(&self) -> String {
        let system = self.system().await;
        system["PowerState"].as_str().unwrap().to_owned()
    }

    pub(crate) fn manager(&self) -> String {
        self.system.replace("/Systems/", "/Managers/")
    }

    pub(crate) fn chassis(&self) -> String {
        self.system.replace("/Systems/", "/Chassis/")
    }

    pub(crate) async fn reset(&self, kind: &str) -> StatusCode {
        let path = format!("{}/Actions/ComputerSystem.Reset", self.system);
        self.post(&path, json!({"ResetType": kind})).await.status()
    }

    pub(crate) async fn insert(&self) -> Response {
        let path = format!(
            "{}/VirtualMedia/Cd/Actions/VirtualMedia.InsertMedia",
            self.system
        );
        let image = json!({"Image": "http://images.example/installer.iso"});
        self.post(&path, image).await
    }

    pub(crate) async fn slot(&self) -> Value {
        self.get(&format!("{}/VirtualMedia/Cd", self.system)).await
    }

    /// Has the next boot, or all of them, be from the CD.
    pub(crate) async fn boot_from_cd(&self, enabled: &str) {
        let boot = json!({
            "BootSourceOverrideTarget": "Cd", "BootSourceOverrideEnabled": enabled,
        });
        self.patch(&self.system, json!({"Boot": boot})).await;
    }

    /// What the console shows of boots since the cold start: `Cd`, `Hdd`.
    pub(crate) async fn booted(&self) -> Vec<String> {
        use hawkfish_core::backend::Backend as _;
        let rack = self.world.machines();
        let text = rack.console_log(rack.key(0).unwrap()).await.unwrap();
        let text = String::from_utf8(text).unwrap();
        let lines = text.lines().filter_map(|line| {
            let rest = line.split("HAWKFISH-BOOT target=").nth(1)?;
            rest.split(' ').next().map(str::to_owned)
        });
        lines.collect()
    }

    /// How often a rule fired, which the trace tells as well.
    pub(crate) fn fired(&self, name: &str) -> u64 {
        let fired = self.world.fired(name).unwrap();
        if fired > 0 {
            let told = format!("fault {name:?} for the {fired}. time");
            let trace = self.world.trace().to_string();
            assert!(trace.contains(&told), "{told} is not in {trace}");
        }
        fired
    }

    /// Has events sent to a receiver.
    pub(crate) async fn subscribe(&self, receiver: &Receiver) {
        let subscription = json!({
            "Destination": receiver.url, "Protocol": "Redfish", "ResourceTypes": ["ComputerSystem"],
        });
        let path = "/redfish/v1/EventService/Subscriptions";
        let made = self.post(path, subscription).await;
        assert_eq!(made.status(), StatusCode::CREATED);
    }

    /// Has so many things happen to the system, each a second after the other.
    pub(crate) async fn happen(&self, count: usize) {
        for number in 0..count {
            let tag = json!({"AssetTag": format!("tag {number}")});
            self.patch(&self.system, tag).await;
            self.wait(1).await;
        }
    }
}

/// Takes events.
pub(crate) struct Receiver {
    pub(crate) url: String,
    got: Arc<Mutex<Vec<Value>>>,
}

type Got = Arc<Mutex<Vec<Value>>>;

impl Receiver {
    pub(crate) async fn start() -> Self {
        let got = Got::default();
        let take = async |State(got): State<Got>, axum::Json(body): axum::Json<Value>| {
            got.lock().unwrap().push(body);
        };
        let router = Router::new().route("/", post(take)).with_state(got.clone());
        Self {
            url: serve(router).await,
            got,
        }
    }

    /// What came, event by event.
    pub(crate) fn events(&self) -> Vec<Value> {
        let got = self.got.lock().unwrap();
        let events = got.iter().flat_map(|body| {
            let events = body["Events"].as_array().expect("events");
            events.clone()
        });
        events.collect()
    }

    /// The numbers of what came.
    pub(crate) fn ids(&self) -> Vec<u64> {
        let events = self.events();
        let ids = events.iter().map(|event| {
            let id = event["EventId"].as_str().expect("a number");
            id.parse().expect("a number")
        });
        ids.collect()
    }
}

/// Serves a file at `/image`, for as long as the test runs.
pub(crate) async fn image_server(image: Value) -> String {
    let text = image.to_string();
    let router = Router::new().route("/image", get(async move || text));
    format!("{}image", serve(router).await)
}

async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind(any()).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}/")
}

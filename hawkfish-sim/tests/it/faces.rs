//! Faces over sockets: by port, by host name, by prefix, with clients of others; and in process.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use axum::Router;
use axum::routing::get as route;
use futures::StreamExt as _;
use hawkfish_sim::description::Rack;
use hawkfish_sim::fault::{Answer, Pattern, Rule, Then};
use hawkfish_sim::{Description, Faces, PASSWORD, Served, USER, World};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

fn any() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

fn client() -> Client {
    Client::builder().no_proxy().build().unwrap()
}

async fn world(systems: usize, faces: Faces) -> (World, Served) {
    let world = World::builder()
        .seed(5)
        .systems(systems)
        .faces(faces)
        .start()
        .await
        .unwrap();
    let served = world.serve(any()).await.unwrap();
    (world, served)
}

async fn read(client: &Client, url: &str) -> (StatusCode, Value) {
    let answer = client
        .get(url)
        .basic_auth(USER, Some(PASSWORD))
        .send()
        .await
        .unwrap();
    let status = answer.status();
    (status, answer.json().await.unwrap_or_default())
}

/// Asserts that a service shows one system, of that name.
async fn shows_alone(client: &Client, url: &str, prefix: &str, id: &str, name: &str) {
    let (status, list) = read(client, &format!("{url}/redfish/v1/Systems")).await;
    assert_eq!(status, 200, "{url}: {list}");
    let link = format!("{prefix}/redfish/v1/Systems/{id}");
    assert_eq!(list["Members"], json!([{"@odata.id": link}]), "{url}");
    let (_, root) = read(client, &format!("{url}/redfish/v1/")).await;
    assert_eq!(root["Name"], name, "{url}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_bmc_stands_below_a_prefix_beside_the_fleet() {
    let (world, served) = world(3, Faces::by_prefix()).await;
    let client = client();
    let all: Vec<_> = served.faces().collect();
    assert_eq!(all.len(), 3);
    for face in &all {
        let url = face.url.clone().unwrap();
        let prefix = url.strip_prefix(&served.url()).unwrap();
        assert_eq!(prefix, format!("/bmc/{}", face.name));
        shows_alone(&client, &url, prefix, face.system.as_str(), &face.name).await;
        assert_eq!(served.face_url(&face.name), Some(url));
    }
    let (_, fleet) = read(&client, &format!("{}/redfish/v1/Systems", served.url())).await;
    assert_eq!(fleet["Members@odata.count"], 3);
    for nobody in [
        "/bmc/sim-99999/redfish/v1/",
        "/bmc/x/redfish/v1/",
        "/bmc/sim-00001/redfish/v1/Nowhere",
    ] {
        assert_eq!(
            read(&client, &format!("{}{nobody}", served.url())).await.0,
            404,
            "{nobody}"
        );
    }
    drop(world);
    served.end().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_bmc_has_a_host_name_that_its_certificate_names() {
    let world = World::builder()
        .systems(2)
        .faces(Faces::by_host())
        .start()
        .await
        .unwrap();
    let tls = world.tls(&[]).unwrap();
    let served = world
        .serve_with(any(), Some(tls.config.clone()))
        .await
        .unwrap();
    let authority = reqwest::Certificate::from_pem(tls.authority.as_bytes()).unwrap();
    let mut builder = Client::builder().no_proxy().add_root_certificate(authority);
    let all: Vec<_> = served.faces().collect();
    for face in &all {
        builder = builder.resolve(&format!("{}.bmc.example", face.name), served.address);
    }
    let client = builder
        .resolve("nobody.bmc.example", served.address)
        .build()
        .unwrap();
    for face in &all {
        let url = face.url.clone().unwrap();
        assert_eq!(
            url,
            format!(
                "https://{}.bmc.example:{}",
                face.name,
                served.address.port()
            )
        );
        shows_alone(&client, &url, "", face.system.as_str(), &face.name).await;
    }
    let nobody = format!(
        "https://nobody.bmc.example:{}/redfish/v1/",
        served.address.port()
    );
    assert_eq!(read(&client, &nobody).await.0, 404);
    let fleet = format!(
        "https://localhost:{}/redfish/v1/Systems",
        served.address.port()
    );
    assert_eq!(read(&client, &fleet).await.1["Members@odata.count"], 2);
    served.end().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_ports_answer_at_once_each_for_its_own_system() {
    let (_world, served) = world(1_000, Faces::by_port()).await;
    let all: Vec<_> = served.faces().collect();
    assert_eq!(all.len(), 1_000);
    let client = client();
    let asked = all.iter().map(|face| {
        let client = client.clone();
        async move {
            let url = face.url.clone().unwrap();
            let (status, root) = read(&client, &format!("{url}/redfish/v1/")).await;
            assert_eq!(status, 200, "{url}");
            assert_eq!(root["Name"], face.name.as_str());
            let (_, list) = read(&client, &format!("{url}/redfish/v1/Systems")).await;
            let link = format!("/redfish/v1/Systems/{}", face.system);
            assert_eq!(list["Members"], json!([{"@odata.id": link}]));
            url
        }
    });
    let urls: std::collections::BTreeSet<_> =
        futures::future::join_all(asked).await.into_iter().collect();
    assert_eq!(urls.len(), 1_000);
    served.end().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind(any()).unwrap();
    let port = taken.local_addr().unwrap().port();
    let faces = Faces::Port { first_port: port };
    let world = World::builder().faces(faces).start().await.unwrap();
    let error = world.serve(any()).await.unwrap_err().to_string();
    assert!(
        error.contains(&format!("port {port}")) && error.contains("face 1 of 1"),
        "{error}"
    );
}

#[tokio::test]
async fn a_face_is_met_in_process_too_and_faults_and_traces_know_it() {
    let world = World::builder().seed(1).systems(2).start().await.unwrap();
    let names = ["sim-00001", "sim-00002"];
    let mut rule = Rule::new("busy", Then::Answer(answer(503)));
    rule.when.system = Some(Pattern::new(names[0]).unwrap());
    rule.when.uri = Some(Pattern::new("/redfish/v1/SessionService").unwrap());
    world.set_fault(rule).unwrap();
    for (name, status) in names.iter().zip([503, 200]) {
        let client = world.client_for(name).unwrap();
        assert_eq!(client.root().await.unwrap().value["Name"], **name);
        let bmc = world.bmc_of(name).unwrap();
        let request = http::Request::get("/redfish/v1/SessionService")
            .header("authorization", basic())
            .body(axum::body::Body::empty())
            .unwrap();
        assert_eq!(
            bmc.answer(request).await.unwrap().status(),
            status,
            "{name}"
        );
    }
    assert_eq!(world.fired("busy"), Some(1));
    assert!(world.client_for("sim-00003").is_err());
    let trace = world.trace().to_string();
    assert!(trace.contains("sim-00002"), "{trace}");
}

fn answer(status: u16) -> Answer {
    Answer {
        status,
        message: "InternalError".to_owned(),
        ..Answer::default()
    }
}

fn basic() -> String {
    use base64::Engine as _;
    let both = base64::engine::general_purpose::STANDARD.encode(format!("{USER}:{PASSWORD}"));
    format!("Basic {both}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_of_a_system_strikes_at_its_prefix_by_a_path_without_it() {
    let (world, served) = world(2, Faces::by_prefix()).await;
    let mut rule = Rule::new("gone", Then::Answer(answer(500)));
    rule.when.system = Some(Pattern::new("sim-00002").unwrap());
    rule.when.uri = Some(Pattern::new("/redfish/v1/TaskService").unwrap());
    world.set_fault(rule).unwrap();
    let client = client();
    for (name, status) in [("sim-00001", 200), ("sim-00002", 500)] {
        let url = format!("{}/redfish/v1/TaskService", served.face_url(name).unwrap());
        assert_eq!(read(&client, &url).await.0, status, "{name}");
    }
    served.end().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_control_lists_faces_page_by_page() {
    let description = Description {
        racks: vec![Rack::new("b", 2), Rack::new("a", 3)],
        faces: Some("prefix:/x/{id}/bmc".parse().unwrap()),
        ..Description::default()
    };
    let world = World::builder()
        .describe(description)
        .start()
        .await
        .unwrap();
    let served = world.serve(any()).await.unwrap();
    let control = world.serve_control(any(), "secret").await.unwrap();
    let client = client();
    let page = async |query: &str| {
        let url = format!("{}/faces{query}", control.url());
        let answer = client.get(url).bearer_auth("secret").send().await.unwrap();
        answer.json::<Value>().await.unwrap()
    };
    let all = page("").await;
    assert_eq!(all["count"], 5);
    let names = |list: &Value| -> Vec<String> {
        let faces = list["faces"].as_array().unwrap().iter();
        faces
            .map(|face| face["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        names(&all),
        ["a-00001", "a-00002", "a-00003", "b-00001", "b-00002"]
    );
    assert_eq!(names(&page("?from=2&most=2").await), ["a-00003", "b-00001"]);
    let first = &all["faces"][0];
    let id = first["system"].as_str().unwrap();
    let url = first["url"].as_str().unwrap();
    assert_eq!(url, format!("{}/x/{id}/bmc", served.url()));
    shows_alone(&client, url, &format!("/x/{id}/bmc"), id, "a-00001").await;
    control.end().await.unwrap();
    served.end().await.unwrap();
}

#[test]
fn faces_that_cannot_be_are_refused_where_they_are_described() {
    for (text, says) in [
        ("[faces]\nby = \"prefix\"\nprefix = \"/bmc\"", "no path"),
        (
            "[faces]\nby = \"host\"\nhost = \"x.{name}.example\"",
            "no host name",
        ),
        (
            "[faces]\nby = \"port\"\nfirst_port = 65000\n[[rack]]\nname = \"a\"\nsystems = 1000",
            "no 1000 ports",
        ),
        ("[faces]\nby = \"port\"\nprefix = \"/bmc/{name}\"", "prefix"),
    ] {
        let error = Description::from_toml(text).unwrap_err().to_string();
        assert!(error.contains(says), "{text}: {error}");
    }
    let good = Description::from_toml("[faces]\nby = \"port\"\nfirst_port = 9001").unwrap();
    assert_eq!(good.faces, Some(Faces::Port { first_port: 9001 }));
}

/// A server of one image.
async fn image() -> String {
    let listener = tokio::net::TcpListener::bind(any()).await.unwrap();
    let at = listener.local_addr().unwrap();
    let router = Router::new().route("/a.iso", route(|| async { vec![7_u8; 4096] }));
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{at}/a.iso")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sushy_and_python_redfish_use_a_bmc_by_its_prefix_and_by_its_port() {
    let Some(python) = hawkfish_testing::part::python() else {
        return;
    };
    let image = image().await;
    for faces in [Faces::by_prefix(), Faces::by_port()] {
        let (world, served) = world(3, faces.clone()).await;
        world.set_speed(4.0);
        world.start_running();
        let face = served.faces().nth(1).unwrap();
        let url = face.url.clone().unwrap();
        let (host, prefix) = match faces {
            Faces::Prefix { .. } => (
                served.url(),
                url.strip_prefix(&served.url()).unwrap().to_owned(),
            ),
            _ => (url, String::new()),
        };
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/through_a_face.py");
        let (user, secret) = (USER.to_owned(), PASSWORD.to_owned());
        let ran = tokio::process::Command::new(&python)
            .arg(script)
            .args([&host, &prefix, &image])
            .env("HAWKFISH_USER", user)
            .env("HAWKFISH_PASSWORD", secret)
            .env("NO_PROXY", "*")
            .stdout(Stdio::piped())
            .output()
            .await
            .unwrap();
        assert!(
            ran.status.success(),
            "{faces:?}: {}",
            String::from_utf8_lossy(&ran.stdout)
        );
        let saw: Value = serde_json::from_slice(&ran.stdout).unwrap();
        let own = format!("{prefix}/redfish/v1/Systems/{}", face.system);
        assert_eq!(saw["systems"], json!([own]), "{saw}");
        assert_eq!(saw["names"], json!([face.name]));
        assert_eq!(
            (&saw["before"], &saw["after"]),
            (&json!("Off"), &json!("On"))
        );
        assert_eq!(
            (&saw["inserted"], &saw["image"]),
            (&json!(true), &json!(image))
        );
        let sessions = saw["sessions"].as_array().unwrap();
        assert!(!sessions.is_empty());
        let links = sessions.iter().chain(saw["origins"].as_array().unwrap());
        for link in links {
            let link = link.as_str().unwrap();
            assert!(link.starts_with(&format!("{prefix}/redfish/v1/")), "{link}");
        }
        served.end().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_face_is_there_among_twenty_thousand() {
    let (_world, served) = world(20_000, Faces::by_prefix()).await;
    let client = client();
    let urls =
        ["sim-00001", "sim-10000", "sim-20000"].map(|name| format!("{}/bmc/{name}", served.url()));
    let mut all = futures::stream::iter(urls);
    while let Some(url) = all.next().await {
        let (status, list) = read(&client, &format!("{url}/redfish/v1/Systems")).await;
        assert_eq!(
            (status.as_u16(), &list["Members@odata.count"]),
            (200, &json!(1)),
            "{url}"
        );
    }
    served.end().await.unwrap();
}

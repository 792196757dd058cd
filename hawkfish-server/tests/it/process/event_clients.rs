//! Clients of others that subscribe to events, and a receiver that anybody could have written: Python's own HTTP server.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::server::{PASSWORD, Server, USER};
use hawkfish_testing::part;

/// Longest time for a step.
const LIMIT: Duration = Duration::from_secs(60);

/// A Python program that says lines of JSON, and goes on when it is told to.
struct Program {
    child: Child,
    input: Option<ChildStdin>,
    lines: mpsc::Receiver<Value>,
}

impl Program {
    fn start(python: &Path, name: &str, arguments: &[&str]) -> Self {
        let program = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/python")
            .join(name);
        let mut child = Command::new(python)
            .arg(program)
            .args(arguments)
            .env("HAWKFISH_PASSWORD", PASSWORD)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python starts");
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let (say, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let value = serde_json::from_str(&line)
                    .unwrap_or_else(|error| panic!("{error}: python said {line:?}"));
                let _ = say.send(value);
            }
        });
        Self {
            child,
            input,
            lines,
        }
    }

    /// What it says next.
    #[track_caller]
    fn next(&self) -> Value {
        match self.lines.recv_timeout(LIMIT) {
            Ok(value) => value,
            Err(error) => panic!("python said nothing: {error}"),
        }
    }

    /// Lets it go on.
    fn go_on(&mut self) {
        writeln!(self.input.as_mut().expect("open")).expect("python listens");
    }

    fn ended_well(mut self) {
        drop(self.input.take());
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // At the end of its input it ends.
        drop(self.input.take());
        let _ = self.child.wait();
    }
}

/// The receiver.
struct Receiver {
    program: Program,
    port: u64,
}

impl Receiver {
    fn start(python: &Path) -> Self {
        let program = Program::start(python, "receive_events.py", &[]);
        let port = program.next()["port"].as_u64().unwrap();
        Self { program, port }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// The first that arrives from now on that is as wanted.
    #[track_caller]
    fn wait(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + LIMIT;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.program.lines.recv_timeout(left) {
                Ok(request) if wanted(&request) => return request,
                Ok(_) => {}
                Err(_) => panic!("it never arrived: {what}"),
            }
        }
    }

    /// All events that arrive, up to and with the first that has that message.
    #[track_caller]
    fn events_until(&self, key: &str) -> Vec<Value> {
        let end = Instant::now() + LIMIT;
        let mut all: Vec<Value> = Vec::new();
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let Ok(request) = self.program.lines.recv_timeout(left) else {
                panic!("no {key} among {all:#?}");
            };
            let body = &request["body"];
            assert!(
                body["@odata.type"].as_str().unwrap().starts_with("#Event."),
                "{body}"
            );
            assert_eq!(request["headers"]["Content-Type"], "application/json");
            assert_eq!(request["headers"]["X-Ours"], "a secret");
            all.extend(body["Events"].as_array().unwrap().iter().cloned());
            if all.iter().any(|event| is(event, key)) {
                return all;
            }
        }
    }
}

/// Whether an event has the message of that key.
fn is(event: &Value, key: &str) -> bool {
    let id = event["MessageId"].as_str().unwrap();
    id.rsplit('.').next() == Some(key)
}

/// The places of events in the stream: each comes once, and in order.
#[track_caller]
fn in_order(events: &[Value]) -> Vec<u64> {
    let places = events.iter().map(|event| {
        let id = event["EventId"].as_str().unwrap();
        id.parse()
            .unwrap_or_else(|_| panic!("{event} has no number"))
    });
    let places: Vec<u64> = places.collect();
    assert!(places.windows(2).all(|two| two[0] < two[1]), "{places:?}");
    places
}

fn server() -> Server {
    Server::simulated(2, &["--event-allow", "127.0.0.1"])
}

fn arguments(server: &Server, receiver: &Receiver) -> [String; 4] {
    let certificate: PathBuf = server.certificate().expect("a server with TLS");
    [
        server.url(),
        USER.to_owned(),
        certificate.display().to_string(),
        receiver.url(),
    ]
}

async fn reset(server: &Server, system: &str, how: &str) {
    let client = server.client().await;
    let uri = format!("{system}/Actions/ComputerSystem.Reset");
    let body = json!({"ResetType": how});
    client.post(&uri, &body).await.unwrap().good();
}

#[tokio::test(flavor = "multi_thread")]
async fn sushy_subscribes_as_ironic_does_and_hears_of_a_real_reset_and_of_its_own_test() {
    let Some(python) = part::python() else { return };
    let server = server();
    let receiver = Receiver::start(&python);
    let arguments = arguments(&server, &receiver);
    let mut sushy = Program::start(
        &python,
        "subscribe_with_sushy.py",
        &arguments.each_ref().map(String::as_str),
    );
    let made = sushy.next();
    assert_eq!(made["destination"], receiver.url());
    assert_eq!(
        (&made["context"], &made["protocol"], &made["headers"]),
        (&json!("ironic"), &json!("Redfish"), &json!([]))
    );
    assert_eq!(made["enabled"], true);
    assert!(made["attempts"].as_u64().unwrap() > 0);

    let client = server.client().await;
    let system = client.members("/redfish/v1/Systems").await.remove(0);
    reset(&server, &system, "On").await;
    let events = receiver.events_until("ResourcePoweredOn");
    in_order(&events);
    let on = events.iter().find(|event| is(event, "ResourcePoweredOn"));
    assert_eq!(
        on.unwrap()["OriginOfCondition"]["@odata.id"],
        system.as_str()
    );
    for event in &events {
        let kind = event["EventType"].as_str().unwrap();
        assert!(["Alert", "StatusChange"].contains(&kind), "{event}");
    }

    sushy.go_on();
    assert_eq!(sushy.next()["submitted"], true);
    let burns = receiver.wait("the test event", |request| {
        is(&request["body"]["Events"][0], "ItBurns")
    });
    assert_eq!(burns["body"]["Context"], "ironic");
    let burns = &burns["body"]["Events"][0];
    for (name, value) in [
        ("EventId", json!("77")),
        ("EventTimestamp", json!("2026-01-02T03:04:05Z")),
        ("Message", json!("It burns.")),
        ("MessageArgs", json!(["here"])),
        ("MessageId", json!("Alert.1.0.ItBurns")),
        ("MessageSeverity", json!("Critical")),
        (
            "OriginOfCondition",
            json!({"@odata.id": "/redfish/v1/Systems"}),
        ),
    ] {
        assert_eq!(burns[name], value, "{name}");
    }

    sushy.go_on();
    let end = sushy.next();
    assert_eq!(
        (&end["before"], &end["after"]),
        (&json!([made["id"]]), &json!([]))
    );
    sushy.go_on();
    sushy.ended_well();
}

#[tokio::test(flavor = "multi_thread")]
async fn python_redfish_subscribes_to_one_system_and_to_reports_and_hears_of_both_and_nothing_else()
{
    let Some(python) = part::python() else { return };
    let server = server();
    let receiver = Receiver::start(&python);
    let arguments = arguments(&server, &receiver);
    let mut redfish = Program::start(
        &python,
        "subscribe_with_redfish.py",
        &arguments.each_ref().map(String::as_str),
    );
    let made = redfish.next();
    let system = made["system"].as_str().unwrap().to_owned();
    let shown = made["shown"].as_array().unwrap();
    assert_eq!(shown.len(), 2);
    assert_eq!(
        (&shown[0]["HttpHeaders"], &shown[0]["OriginResources"]),
        (&json!([]), &json!([{"@odata.id": system}]))
    );

    // Of two systems, one is heard of.
    let client = server.client().await;
    let other = client.members("/redfish/v1/Systems").await.remove(1);
    assert_ne!(other, system);
    reset(&server, &other, "On").await;
    reset(&server, &system, "On").await;
    reset(&server, &system, "ForceOff").await;
    let events = receiver.events_until("ResourcePoweredOff");
    in_order(&events);
    let keys: Vec<&str> = events
        .iter()
        .map(|event| event["MessageId"].as_str().unwrap())
        .filter_map(|id| id.rsplit('.').next())
        .filter(|key| key.starts_with("ResourcePowered"))
        .collect();
    assert_eq!(keys, ["ResourcePoweredOn", "ResourcePoweredOff"]);
    for event in &events {
        let origin = event["OriginOfCondition"]["@odata.id"].as_str().unwrap();
        assert!(origin.starts_with(&system), "{event}");
        assert_eq!(event["MemberId"].as_str().map(str::is_empty), Some(false));
    }

    let definition = json!({
        "Id": "Now",
        "MetricReportDefinitionType": "Periodic",
        "Schedule": {"RecurrenceInterval": "PT10S"},
        "Metrics": [{"MetricId": "PowerConsumption"}],
    });
    let definitions = "/redfish/v1/TelemetryService/MetricReportDefinitions";
    let metrics = client
        .read("/redfish/v1/TelemetryService/MetricDefinitions")
        .await;
    let metric = metrics["Members"][0]["@odata.id"].as_str().unwrap();
    let mut definition = definition;
    definition["Metrics"][0]["MetricId"] = metric.rsplit('/').next().unwrap().into();
    client.post(definitions, &definition).await.unwrap().good();
    let report = receiver.wait("a report", |request| request["path"] == "/reports");
    let report = &report["body"];
    assert!(
        report["@odata.type"]
            .as_str()
            .unwrap()
            .starts_with("#MetricReport."),
        "{report}"
    );
    assert_eq!(
        report["MetricReportDefinition"]["@odata.id"],
        format!("{definitions}/Now")
    );
    let values = report["MetricValues"].as_array().unwrap();
    assert!(!values.is_empty());
    let kept = client
        .read("/redfish/v1/TelemetryService/MetricReports/Now")
        .await;
    assert_eq!(kept["MetricValues"][0]["MetricId"], values[0]["MetricId"]);

    redfish.go_on();
    assert_eq!(redfish.next()["left"], json!([]));
    redfish.go_on();
    redfish.ended_well();
    assert!(
        client
            .members("/redfish/v1/EventService/Subscriptions")
            .await
            .is_empty()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_sets_and_subscribes_to_outlives_the_process() {
    let Some(python) = part::python() else { return };
    let mut server = server();
    let receiver = Receiver::start(&python);
    let client = server.client().await;
    let set = json!({"DeliveryRetryAttempts": 7, "DeliveryRetryIntervalSeconds": 3});
    let service = "/redfish/v1/EventService";
    client.patch(service, &set).await.unwrap().good();
    let body = json!({
        "Destination": receiver.url(),
        "Protocol": "Redfish",
        "Context": "again",
        "HttpHeaders": [{"X-Ours": "a secret"}],
        "RegistryPrefixes": ["ResourceEvent"],
        "DeliveryRetryPolicy": "RetryForever",
    });
    let subscriptions = "/redfish/v1/EventService/Subscriptions";
    let made = client.post(subscriptions, &body).await.unwrap().good();
    let uri = made.headers["location"].to_str().unwrap().to_owned();
    let system = client.members("/redfish/v1/Systems").await.remove(0);
    server.kill();
    server.start();
    let client = server.client().await;
    let now = client.read(service).await;
    assert_eq!(now["DeliveryRetryAttempts"], 7);
    assert_eq!(now["DeliveryRetryIntervalSeconds"], 3);
    let mut now = client.read(&uri).await;
    assert_eq!(now["RegistryPrefixes"], json!(["ResourceEvent"]));
    assert_eq!(now["DeliveryRetryPolicy"], "RetryForever");
    let text = now.take().to_string();
    assert!(!text.contains("a secret"), "{text}");
    reset(&server, &system, "On").await;
    receiver.events_until("ResourcePoweredOn");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tool_of_dmtf_for_event_services_lists_makes_and_ends_a_subscription() {
    let Some(python) = part::python() else { return };
    let server = server();
    let tool = python.with_file_name("rf_event_service.py");
    if !tool.exists() {
        part::skip("rf_event_service.py");
        return;
    }
    let run = |arguments: &[&str]| {
        let mut command = Command::new(&python);
        command.arg(&tool).args(["-u", USER, "-p", PASSWORD, "-r"]);
        let certificate = server.certificate().expect("a server with TLS");
        command
            .arg(server.url())
            .args(arguments)
            .env("REQUESTS_CA_BUNDLE", certificate);
        let done = command.output().unwrap();
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        assert!(done.status.success(), "{said}");
        said
    };
    let said = run(&[
        "subscribe",
        "--destination",
        "http://127.0.0.1:9/",
        "--context",
        "tool",
        "--format",
        "Event",
        "--eventtypes",
        "Alert",
    ]);
    let id = said
        .trim()
        .trim_end_matches('\'')
        .rsplit('/')
        .next()
        .unwrap();
    let said = run(&["info"]);
    assert!(
        said.contains("http://127.0.0.1:9/")
            && said.contains("Registries: ")
            && said.contains("tool"),
        "{said}"
    );
    run(&["unsubscribe", "--id", id]);
    assert!(run(&["info"]).contains("No subscriptions"));
}

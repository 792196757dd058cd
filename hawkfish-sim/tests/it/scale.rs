//! How large a world may be, in memory and in what its time takes. What it takes in time is measured by `benches/scale.rs`.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use bytes::Bytes;
use hawkfish_core::backend::Power;
use hawkfish_core::ctx::Ctx;
use hawkfish_sim::{PASSWORD, USER, World};
use http::{Request, Response};
use jiff::SignedDuration;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_hawkfish-sim");
const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// A program that ends with the test.
struct Running {
    child: Child,
    url: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    fn start(systems: usize) -> Self {
        let mut child = Command::new(PROGRAM)
            .args(["serve", "--listen", "127.0.0.1:0", "--seed", "1"])
            .args(["--systems", &systems.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut first).unwrap();
        let url = first.split_whitespace().last().unwrap().to_owned();
        Self { child, url }
    }

    /// What it holds in memory, bytes.
    fn resident(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.unwrap().trim().trim_end_matches(" kB");
        kib.parse::<u64>().unwrap() * KIB
    }

    async fn get(&self, client: &Client, path: &str) -> Value {
        let url = format!("{}{path}", self.url);
        let answer = client.get(&url).basic_auth(USER, Some(PASSWORD));
        let answer = answer.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{url}");
        answer.json().await.unwrap()
    }
}

#[tokio::test]
async fn a_hundred_thousand_bmcs_take_two_kib_each_and_reading_them_fills_no_memory() {
    const FEW: usize = 1_000;
    const MANY: usize = 100_000;
    let few = Running::start(FEW).resident();
    let many = Running::start(MANY);
    let each = many.resident().saturating_sub(few) / (MANY - FEW) as u64;
    assert!(each <= 2 * KIB, "{each} bytes for each BMC");
    let client = Client::builder().no_proxy().build().unwrap();
    let all = many.get(&client, "Systems").await;
    let members = all["Members"].as_array().unwrap();
    assert_eq!(members.len(), MANY);
    // The list itself is eight megabytes, and is made and kept as a whole.
    let before = many.resident();
    let parts = ["", "/Processors", "/Memory", "/EthernetInterfaces", "/Bios"];
    for (number, member) in members.iter().step_by(MANY / 5_000).enumerate() {
        let uri = member["@odata.id"].as_str().unwrap();
        let path = uri.trim_start_matches("/redfish/v1/");
        let part = parts[number % parts.len()];
        let body = many.get(&client, &format!("{path}{part}")).await;
        assert_eq!(body["@odata.id"], format!("{uri}{part}"));
    }
    // As much as is kept of what was read last: bodies, and a thousand systems.
    let grown = many.resident().saturating_sub(before);
    assert!(grown <= 48 * MIB, "reading has left {} KiB", grown / KIB);
    assert!(
        many.resident() <= 256 * MIB,
        "{} KiB",
        many.resident() / KIB
    );
}

async fn call(world: &World, method: &str, uri: &str, body: &Value) -> Response<Bytes> {
    use base64::Engine as _;
    let credentials = format!("{USER}:{PASSWORD}");
    let credentials = base64::engine::general_purpose::STANDARD.encode(credentials);
    let request = Request::builder()
        .method(method)
        .uri(uri)
        .header("authorization", format!("Basic {credentials}"))
        .header("content-type", "application/json")
        .body(Bytes::from(body.to_string()))
        .unwrap();
    world.call(request).await
}

#[tokio::test]
async fn a_day_of_a_thousand_systems_passes_with_all_that_happens_in_it() {
    const SYSTEMS: usize = 1_000;
    let world = World::builder()
        .seed(8)
        .systems(SYSTEMS)
        .traced(false)
        .start()
        .await
        .unwrap();
    let ctx = Ctx::service();
    let ids = world.hawkfish().inventory().ids(&ctx);
    let reset = |id: &str| format!("/redfish/v1/Systems/{id}/Actions/ComputerSystem.Reset");
    // Half of them run from the beginning on; a hundred others are turned on in the course of the day, and restarted each hour from then on.
    for id in ids.iter().step_by(2) {
        let on = json!({"ResetType": "On"});
        let answer = call(&world, "POST", &reset(id.as_str()), &on).await;
        assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    }
    let turned_on = || ids.iter().skip(1).step_by(20).take(50).enumerate();
    for (number, id) in turned_on() {
        let at = world.now() + SignedDuration::from_mins(10 * number as i64 + 5);
        for (kind, schedule) in [
            ("On", json!({"InitialStartTime": at.to_string()})),
            (
                "ForceRestart",
                json!({
                    "InitialStartTime": (at + SignedDuration::from_mins(30)).to_string(),
                    "RecurrenceInterval": "PT1H",
                }),
            ),
        ] {
            let job = json!({
                "Name": format!("{kind} {number}"),
                "Schedule": schedule,
                "Payload": {
                    "TargetUri": reset(id.as_str()),
                    "HttpOperation": "POST",
                    "JsonBody": json!({"ResetType": kind}).to_string(),
                },
            });
            let jobs = "/redfish/v1/JobService/Jobs";
            let answer = call(&world, "POST", jobs, &job).await;
            assert_eq!(answer.status(), StatusCode::CREATED, "{answer:?}");
        }
    }
    let report = json!({
        "Id": "Hourly",
        "Name": "Power of all, each hour",
        "MetricReportDefinitionType": "Periodic",
        "Schedule": {"RecurrenceInterval": "PT1H"},
        "ReportActions": ["LogToMetricReportsCollection"],
        "Metrics": [{"MetricId": "PowerConsumption"}],
    });
    let definitions = "/redfish/v1/TelemetryService/MetricReportDefinitions";
    let answer = call(&world, "POST", definitions, &report).await;
    assert_eq!(answer.status(), StatusCode::CREATED, "{answer:?}");

    let begun = world.now();
    world.advance(SignedDuration::from_hours(24)).await.unwrap();
    assert_eq!(world.now().duration_since(begun).as_hours(), 24);

    let power = |id| world.hawkfish().system(&ctx, id).unwrap().machine.power;
    let running = ids.iter().filter(|id| power(id) == Power::On).count();
    assert_eq!(running, SYSTEMS / 2 + turned_on().count());
    for (number, id) in turned_on() {
        let last = world.hawkfish().system(&ctx, id).unwrap();
        let minutes = 10 * number as i64 + 35;
        let since = last.machine.last_reset.unwrap().duration_since(begun);
        // The last full hour after its first restart that the day had room for.
        let hours = (24 * 60 - minutes).div_euclid(60);
        assert_eq!(since.as_mins(), minutes + 60 * hours, "{id}");
    }
    let report = call(
        &world,
        "GET",
        "/redfish/v1/TelemetryService/MetricReports/Hourly",
        &json!({}),
    )
    .await;
    let report: Value = serde_json::from_slice(report.body()).unwrap();
    let values = report["MetricValues"].as_array().unwrap();
    assert_eq!(values.len(), SYSTEMS, "{}", report["ReportSequence"]);
    world.close().await.unwrap();
}

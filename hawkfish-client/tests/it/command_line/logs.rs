//! `hawkfish logs`: what happened, on simulated machines, and on a service that has it in pages, the newest first.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use jiff::SignedDuration;
use serde_json::{Value, json};
use wiremock::matchers::{any, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::rack::Rack;
use super::run::{bare, ran};

async fn power(rack: &Rack, system: &str, reset: &str) {
    rack.run(&["systems", "power", system, reset]).await.done();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happened_to_a_machine_is_shown_from_a_time_on_and_cleared() {
    let rack = Rack::of(2).await;
    power(&rack, "sim-00001", "On").await;
    rack.world
        .advance(SignedDuration::from_hours(3))
        .await
        .unwrap();
    power(&rack, "sim-00001", "ForceOff").await;
    insta::assert_snapshot!("logs_ls", rack.run(&["logs", "ls"]).await.done());
    insta::assert_snapshot!(
        "logs_show",
        rack.run(&["logs", "show", "sim-00001/Event"]).await.done()
    );
    insta::assert_snapshot!(
        "logs_show_entry",
        rack.run(&["logs", "show", "sim-00001/Event", "1"])
            .await
            .done()
    );
    // By the clock of the log, which is not ours.
    let since = async |since: &str| {
        let show = [
            "logs",
            "show",
            "sim-00001/Event",
            "--since",
            since,
            "-o",
            "json",
        ];
        rack.run(&show).await
    };
    let recent = since("1h").await.json();
    assert_eq!(recent.as_array().unwrap().len(), 1);
    assert_eq!(recent[0]["MessageId"], "HawkFish.1.0.SystemPoweredOff");
    let all = since("2026-01-01").await.json();
    assert!(all.as_array().unwrap().len() >= 2, "{all}");
    rack.run(&["logs", "show", "--since", "yesterday"])
        .await
        .failed(2);

    let last = [
        "logs",
        "show",
        "sim-00001/Event",
        "--last",
        "1",
        "-o",
        "json",
    ];
    let last = rack.run(&last).await;
    assert!(last.err.contains("--all"), "{}", last.err);
    let last: Value = serde_json::from_str(&last.out).unwrap();
    assert_eq!(last, recent);
    let severe = [
        "logs",
        "show",
        "sim-00001/Event",
        "--severity",
        "critical",
        "-o",
        "json",
    ];
    assert_eq!(rack.run(&severe).await.json(), json!([]));

    let cleared = rack.run(&["logs", "clear", "sim-00001/Event"]).await.done();
    assert_eq!(cleared, "sim-00001/Event: empty\n");
    let left = rack
        .run(&["logs", "show", "sim-00001/Event", "-o", "json"])
        .await
        .json();
    let left = left.as_array().unwrap().iter();
    assert!(
        left.clone()
            .all(|entry| entry["MessageId"] != "HawkFish.1.0.SystemPoweredOff"),
        "{left:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_not_there_and_one_of_several_are_told_apart() {
    let rack = Rack::of(2).await;
    let err = rack.run(&["logs", "clear", "Event"]).await.failed(2);
    assert!(
        err.contains("sim-00001/Event") && err.contains("--of"),
        "{err}"
    );
    let of = ["logs", "clear", "Event", "--of", "sim-00002"];
    assert_eq!(rack.run(&of).await.done(), "sim-00002/Event: empty\n");
    rack.run(&["logs", "show", "Nothing"]).await.failed(4);
    rack.run(&["logs", "show", "--of", "sim-00009"])
        .await
        .failed(4);
    rack.run(&["logs", "show", "sim-00001/Event", "999"])
        .await
        .failed(4);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_added_is_printed_as_it_comes() {
    let rack = Rack::of(1).await;
    power(&rack, "sim-00001", "On").await;
    let mut command = rack.hawkfish();
    command.args([
        "logs",
        "follow",
        "sim-00001/Event",
        "--last",
        "1",
        "--every",
        "0.1",
        "--count",
        "1",
    ]);
    let mut child = Following(command.stdout(Stdio::piped()).spawn().unwrap());
    let out = child.0.stdout.take().unwrap();
    let (tell, mut lines) = tokio::sync::mpsc::unbounded_channel();
    let reading = std::thread::spawn(move || {
        for line in BufReader::new(out).lines() {
            tell.send(line.unwrap()).unwrap();
        }
    });
    let old = lines.recv().await.unwrap();
    assert!(old.contains("turned on"), "{old}");
    power(&rack, "sim-00001", "ForceOff").await;
    let new = lines.recv().await.unwrap();
    assert!(
        new.contains("turned off") && new.contains("sim-00001/Event"),
        "{new}"
    );
    assert_eq!(lines.recv().await, None);
    assert!(child.0.wait().unwrap().success());
    reading.join().unwrap();
}

/// A program that ends with the test.
struct Following(std::process::Child);

impl Drop for Following {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A service with one log of 1,000 entries in pages of 10, the newest first, each only linked.
async fn paged() -> MockServer {
    let server = MockServer::start().await;
    let answer = |uri: &str, value: Value| {
        let mut value = value;
        value["@odata.id"] = uri.into();
        (uri.to_owned(), value)
    };
    let service = "/redfish/v1/Managers/1/LogServices/Sel";
    for (uri, value) in [
        answer(
            "/redfish/v1/",
            json!({"Managers": {"@odata.id": "/redfish/v1/Managers"}}),
        ),
        answer(
            "/redfish/v1/Managers",
            json!({"Members": [{"@odata.id": "/redfish/v1/Managers/1"}]}),
        ),
        answer(
            "/redfish/v1/Managers/1",
            json!({"Id": "1", "Name": "M", "LogServices": {"@odata.id": "/redfish/v1/Managers/1/LogServices"}}),
        ),
        answer(
            "/redfish/v1/Managers/1/LogServices",
            json!({"Members": [{"@odata.id": service}]}),
        ),
        answer(
            service,
            json!({"Id": "Sel", "Entries": {"@odata.id": format!("{service}/Entries")}}),
        ),
    ] {
        let given = Mock::given(path(uri));
        given
            .respond_with(ResponseTemplate::new(200).set_body_json(value))
            .mount(&server)
            .await;
    }
    let pages = move |request: &Request| {
        let query = request.url.query().unwrap_or_default();
        let skip: u64 = query.rsplit('=').next().unwrap().parse().unwrap_or(0);
        let first = 1000 - skip;
        let entry = |id: u64| json!({"@odata.id": format!("{service}/Entries/{id}")});
        let members: Vec<Value> = (first - 9..=first).rev().map(entry).collect();
        let mut page = json!({"Members": members, "Members@odata.count": 1000});
        if skip < 990 {
            page["Members@odata.nextLink"] =
                format!("{service}/Entries?$skip={}", skip + 10).into();
        }
        ResponseTemplate::new(200).set_body_json(page)
    };
    let entries = format!("{service}/Entries");
    Mock::given(path(entries))
        .respond_with(pages)
        .mount(&server)
        .await;
    let entry = |request: &Request| {
        let id: u64 = request
            .url
            .path()
            .rsplit('/')
            .next()
            .unwrap()
            .parse()
            .unwrap();
        let made = format!("2026-01-01T{:02}:{:02}:00+00:00", id / 60, id % 60);
        ResponseTemplate::new(200).set_body_json(json!({
            "@odata.id": request.url.path(), "Id": id.to_string(), "Created": made,
            "Severity": "OK", "Message": format!("entry {id} \u{1b}[31m"),
        }))
    };
    Mock::given(any())
        .respond_with(entry)
        .with_priority(10)
        .mount(&server)
        .await;
    server
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_long_log_with_the_newest_first_only_what_is_wanted_is_read() {
    let server = paged().await;
    let show = async |more: &[&str]| {
        let mut command = bare();
        command
            .env("HAWKFISH_URL", server.uri())
            .args(["logs", "show"])
            .args(more);
        let before = server.received_requests().await.unwrap().len();
        let ran = ran(command).await;
        let all = server.received_requests().await.unwrap().len();
        (ran, all - before)
    };
    let (ran, requests) = show(&["--last", "3"]).await;
    let ids: Vec<&str> = ran
        .out
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().nth(2).unwrap())
        .collect();
    assert_eq!(ids, ["998", "999", "1000"], "{}", ran.out);
    assert!(requests < 20, "{requests}");
    assert!(!ran.out.contains('\u{1b}'));
    let (ran, requests) = show(&["--since", "2026-01-01T16:35:00Z"]).await;
    assert_eq!(ran.done().lines().count(), 1 + 6);
    assert!(requests < 30, "{requests}");
    let (ran, _) = show(&["--all"]).await;
    let out = ran.done();
    assert_eq!(out.lines().count(), 1 + 1000);
    assert!(out.lines().nth(1).unwrap().contains("entry 1 "), "{out}");
}

//! `hawkfish events`: what is told, to whom, and what becomes of it.

use std::time::Duration;

use hawkfish_client::webhook::Receiver;
use hawkfish_sim::World;
use serde_json::{Value, json};

use super::child::Running;
use super::rack::Rack;
use crate::mock::Mock;

const SERVICE: &str = "/redfish/v1/EventService";
const SUBSCRIPTIONS: &str = "/redfish/v1/EventService/Subscriptions";
/// Longest time for a step.
const LIMIT: Duration = Duration::from_secs(60);

/// Waits until there are so many subscriptions, and gives their URIs.
async fn subscriptions(rack: &Rack, count: usize) -> Vec<String> {
    let there = async {
        loop {
            let all = rack.members(SUBSCRIPTIONS).await;
            if all.len() == count {
                return all;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let there = tokio::time::timeout(LIMIT, there).await;
    there.unwrap_or_else(|_| panic!("never {count} subscriptions"))
}

async fn submit(rack: &Rack, text: &str, severity: &str) {
    let client = rack.world.client().unwrap();
    let service = rack.get(SERVICE).await;
    let body = json!({"MessageId": "ResourceEvent.1.0.TestMessage", "Message": text, "Severity": severity});
    client
        .action(&service, "EventService.SubmitTestEvent", &body)
        .await
        .unwrap();
}

async fn switch_on(rack: &Rack) {
    let system = rack.members("/redfish/v1/Systems").await.remove(0);
    let client = rack.world.client().unwrap();
    let system = rack.get(&system).await;
    let on = json!({"ResetType": "On"});
    client
        .action(&system, "ComputerSystem.Reset", &on)
        .await
        .unwrap();
}

/// What the program prints about streams, without what is otherwise each time.
fn settled(text: &str, of: &[(&str, &str)]) -> String {
    of.iter()
        .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_is_told_line_by_line_until_there_was_enough() {
    let rack = Rack::of(2).await;
    let mut watch = Running::start(
        rack.hawkfish(),
        &[
            "events",
            "watch",
            "--registry",
            "ResourceEvent",
            "--severity",
            "warning",
            "--message",
            "ResourcePoweredOn",
            "--count",
            "2",
        ],
    );
    subscriptions(&rack, 1).await;
    submit(&rack, "nobody asked", "OK").await;
    submit(&rack, "the first", "Warning").await;
    submit(&rack, "the second", "Warning").await;
    let ran = watch.end();
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    insta::assert_snapshot!("events_watch", ran.out);
    subscriptions(&rack, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn for_programs_it_is_a_line_of_json_for_each_event() {
    let rack = Rack::of(1).await;
    let watch = Running::start(
        rack.hawkfish(),
        &[
            "-o",
            "json",
            "events",
            "watch",
            "--origin",
            "/redfish/v1/Systems",
            "--below",
        ],
    );
    subscriptions(&rack, 1).await;
    switch_on(&rack).await;
    let told: Value = serde_json::from_str(&watch.line()).unwrap();
    assert!(
        told["OriginOfCondition"]["@odata.id"]
            .as_str()
            .unwrap()
            .starts_with("/redfish/v1/Systems/")
    );
    assert!(
        told["MessageId"]
            .as_str()
            .unwrap()
            .starts_with("ResourceEvent."),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_ends_the_watch_and_leaves_nothing_open() {
    let rack = Rack::of(1).await;
    let mut watch = Running::start(rack.hawkfish(), &["events", "watch"]);
    subscriptions(&rack, 1).await;
    watch.interrupt();
    let ran = watch.end();
    assert_eq!((ran.code, ran.err.as_str()), (130, ""));
    subscriptions(&rack, 0).await;
    let sessions = rack.members("/redfish/v1/SessionService/Sessions").await;
    assert_eq!(sessions, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn that_the_stream_broke_and_is_back_is_said_beside_the_events_and_nothing_is_missed() {
    let rack = Rack::of(1).await;
    let watch = Running::start(
        rack.hawkfish(),
        &["events", "watch", "--message", "TestMessage"],
    );
    let stream = subscriptions(&rack, 1).await.remove(0);
    submit(&rack, "before", "OK").await;
    assert!(watch.line().ends_with("before"));
    rack.world
        .client()
        .unwrap()
        .delete(&stream, None)
        .await
        .unwrap();
    submit(&rack, "meanwhile", "OK").await;
    let broke = watch.complaint();
    assert!(
        broke.starts_with("hawkfish: ") && broke.contains("; again in "),
        "{broke}"
    );
    assert_eq!(
        watch.complaint(),
        "hawkfish: the stream is back, and goes on where it was"
    );
    assert!(watch.line().ends_with("meanwhile"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_missed_is_told_from_a_number_on_and_that_it_is_forgotten_is_said() {
    let rack = Rack::of(1).await;
    for text in ["one", "two"] {
        submit(&rack, text, "OK").await;
    }
    let first = Running::start(
        rack.hawkfish(),
        &[
            "-o",
            "json",
            "events",
            "watch",
            "--from",
            "0",
            "--message",
            "TestMessage",
        ],
    );
    let one: Value = serde_json::from_str(&first.line()).unwrap();
    let two: Value = serde_json::from_str(&first.line()).unwrap();
    assert_eq!(
        (&one["Message"], &two["Message"]),
        (&json!("one"), &json!("two"))
    );
    let ran = rack
        .run(&["events", "watch", "--from", "4000000", "--count", "1"])
        .await;
    assert_eq!(ran.code, 0);
    assert!(ran.out.contains("EventBufferExceeded"), "{}", ran.out);
    assert!(ran.err.contains("events were lost"), "{}", ran.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn why_there_is_no_stream_is_said_with_its_exit_code() {
    let rack = Rack::of(1).await;
    let refused = rack.run_as("admin", "guess", &["events", "watch"]).await;
    refused.failed(3);
    let nonsense = rack
        .run(&["events", "watch", "--filter", "Nonsense lt 5"])
        .await;
    nonsense.failed(1);
    let mock = Mock::new();
    let (code, out, err) = super::on(&mock, &["events", "watch"]).await;
    assert_eq!((code, out.as_str()), (4, ""));
    assert!(err.contains("no stream of events"), "{err}");
    let (code, _, err) = super::on(&mock, &["events", "subscriptions", "ls"]).await;
    assert_eq!(code, 4);
    assert!(err.contains("the service has no events"), "{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_is_told_of_what_it_asked_for_until_it_is_suspended_and_after() {
    let rack = Rack::of(1).await;
    let mut receiver = Receiver::signed("a key of ours")
        .bind(([127, 0, 0, 1], 0).into())
        .await
        .unwrap();
    let url = receiver.url();
    let dir = tempfile::tempdir().unwrap();
    let key = dir.path().join("key");
    std::fs::write(&key, "a key of ours\n").unwrap();
    let ran = rack
        .run(&[
            "events",
            "subscriptions",
            "add",
            &url,
            "--message",
            "ResourceEvent.1.0.TestMessage",
            "--context",
            "ours",
            "--retry",
            "suspend-retries",
            "--signing-key-file",
            key.to_str().unwrap(),
        ])
        .await;
    let made = ran.done();
    let id = subscriptions(&rack, 1).await.remove(0);
    let id = id.rsplit('/').next().unwrap().to_owned();
    assert_eq!(made, format!("{url}: told as subscription {id}\n"));
    let port = receiver.address.port().to_string();
    let of = [(port.as_str(), "PORT")];
    let shown = rack.shows(&["events", "subscriptions", "ls"]).await;
    insta::assert_snapshot!("events_subscriptions_ls", settled(&shown, &of));

    let next = async |receiver: &mut Receiver| {
        let next = tokio::time::timeout(LIMIT, receiver.next()).await;
        next.unwrap().unwrap().records.remove(0).message.unwrap()
    };
    let test = [
        "events",
        "subscriptions",
        "test",
        "--message",
        "ResourceEvent.1.0.TestMessage",
        "--text",
    ];
    // What is sent is sent when the time of the world goes on.
    let say = async |text: &str| {
        let said = rack.shows(&[&test[..], &[text]].concat()).await;
        rack.seconds(1).await;
        said
    };
    assert_eq!(say("hello").await, "a test event is on its way\n");
    assert_eq!(next(&mut receiver).await, "hello");

    rack.shows(&["events", "subscriptions", "suspend", "ours"])
        .await;
    say("kept").await;
    rack.seconds(60).await;
    let quiet = tokio::time::timeout(Duration::from_millis(100), receiver.next()).await;
    assert!(quiet.is_err(), "{quiet:?}");
    let shown = rack
        .shows(&["events", "subscriptions", "show", "ours"])
        .await;
    // How much waits for it depends on what else has happened.
    let shown = shown.lines().filter(|line| !line.starts_with("Pending"));
    let shown = shown.collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!("events_subscriptions_show", settled(&shown, &of));
    rack.shows(&["events", "subscriptions", "resume", "ours"])
        .await;
    rack.seconds(1).await;
    assert_eq!(next(&mut receiver).await, "kept");

    assert_eq!(
        rack.shows(&["events", "subscriptions", "rm", "ours"]).await,
        "ours: ended\n"
    );
    subscriptions(&rack, 0).await;
    rack.run(&["events", "subscriptions", "rm", "ours"])
        .await
        .failed(4);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_delivered_is_looked_at_sent_again_and_forgotten() {
    let rack = Rack::of(1).await;
    let client = rack.world.client().unwrap();
    client
        .patch(SERVICE, None, &json!({"DeliveryRetryAttempts": 1}))
        .await
        .unwrap();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = nobody.local_addr().unwrap();
    drop(nobody);
    let url = format!("http://{address}/");
    let add = [
        "events",
        "subscriptions",
        "add",
        &url,
        "--message",
        "TestMessage",
        "--context",
        "ours",
    ];
    rack.shows(&add).await;
    for text in ["one", "two", "three"] {
        submit(&rack, text, "Warning").await;
        rack.seconds(1).await;
    }
    let ids = async || {
        let all = rack
            .run(&["-o", "json", "events", "dead-letters", "ls", "ours"])
            .await
            .json();
        let all = all.as_array().unwrap().iter();
        all.map(|one| {
            (
                one["Id"].as_str().unwrap().to_owned(),
                one["Message"].as_str().unwrap().to_owned(),
            )
        })
        .collect::<Vec<_>>()
    };
    let letters = ids().await;
    let texts: Vec<&str> = letters.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(texts, ["one", "two", "three"]);
    let port = address.port().to_string();
    let shown = rack
        .shows(&[
            "events",
            "dead-letters",
            "ls",
            "ours",
            "--columns",
            "message,severity,tried",
        ])
        .await;
    insta::assert_snapshot!(
        "events_dead_letters_ls",
        settled(&shown, &[(&port, "PORT")])
    );
    let two = letters[1].0.as_str();
    let shown = rack
        .shows(&["events", "dead-letters", "show", "ours", two])
        .await;
    assert!(shown.contains("two") && shown.contains("Why"), "{shown}");

    rack.shows(&["events", "dead-letters", "rm", "ours", two])
        .await;
    let mut receiver = Receiver::unsigned().bind(address).await.unwrap();
    rack.shows(&["events", "dead-letters", "replay", "ours", "--all"])
        .await;
    rack.seconds(1).await;
    let mut told = Vec::new();
    while told.len() < 2 {
        let event = tokio::time::timeout(LIMIT, receiver.next())
            .await
            .unwrap()
            .unwrap();
        told.extend(
            event
                .records
                .into_iter()
                .filter_map(|record| record.message),
        );
    }
    assert_eq!(told, ["one", "three"]);
    rack.seconds(1).await;
    assert_eq!(ids().await, []);
    // One of them must be said, or all.
    rack.run(&["events", "dead-letters", "rm", "ours"])
        .await
        .failed(2);
    rack.run(&["events", "dead-letters", "rm", "ours", "5", "--all"])
        .await
        .failed(2);
    let watch = Running::start(rack.hawkfish(), &["events", "watch"]);
    let all = subscriptions(&rack, 2).await;
    let mut complaints = Vec::new();
    for uri in &all {
        let id = uri.rsplit('/').next().unwrap();
        let ran = rack.run(&["events", "dead-letters", "ls", id]).await;
        complaints.push((ran.code, ran.err));
    }
    drop(watch);
    assert!(
        complaints
            .iter()
            .all(|(code, err)| *code == 0 || err.contains("HawkFish")),
        "{complaints:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_subscribes_itself_tells_what_is_signed_and_takes_its_subscription_away() {
    let rack = Rack::of(1).await;
    let mut listen = Running::start(
        rack.hawkfish(),
        &[
            "events",
            "listen",
            "--at",
            "127.0.0.1:0",
            "--message",
            "TestMessage",
        ],
    );
    let listening = listen.complaint();
    let url = listening
        .split_whitespace()
        .find(|word| word.starts_with("http://"));
    let url = url.expect(&listening).trim_end_matches(',').to_owned();
    let made = subscriptions(&rack, 1).await.remove(0);
    let made = rack.get(&made).await;
    assert_eq!(made["Destination"], url);
    assert_eq!(made["Oem"]["HawkFish"]["IsSigned"], true);
    submit(&rack, "is anybody there?", "OK").await;
    rack.seconds(1).await;
    assert!(listen.line().ends_with("is anybody there?"));
    // Nobody else can tell it anything.
    let body = r#"{"Events": [{"MessageId": "Base.1.0.Forged"}]}"#;
    let forged = hawkfish_client::Client::builder(&url).build().unwrap();
    let body: Value = serde_json::from_str(body).unwrap();
    let refused = forged.post("/", &body).await.unwrap_err();
    assert_eq!(refused.kind, hawkfish_client::Kind::Forbidden);
    assert!(listen.complaint().contains("not signed"));
    listen.interrupt();
    let ran = listen.end();
    assert_eq!(
        (ran.code, ran.out.as_str(), ran.err.as_str()),
        (130, "", "")
    );
    subscriptions(&rack, 0).await;

    let mut listen = Running::start(
        rack.hawkfish(),
        &[
            "events",
            "listen",
            "--at",
            "127.0.0.1:0",
            "--message",
            "TestMessage",
            "--count",
            "1",
        ],
    );
    subscriptions(&rack, 1).await;
    submit(&rack, "enough", "OK").await;
    rack.seconds(1).await;
    let ran = listen.end();
    assert_eq!(ran.code, 0, "{}", ran.err);
    subscriptions(&rack, 0).await;
    rack.run(&["events", "listen", "--at", "0.0.0.0:0"])
        .await
        .failed(2);
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_of_metrics_come_in_place_of_events_where_they_are_asked_for() {
    let world = World::builder().seed(6).systems(1);
    let rack = Rack::serving(world).await;
    let watch = Running::start(
        rack.hawkfish(),
        &["-o", "json", "events", "watch", "--reports"],
    );
    let stream = subscriptions(&rack, 1).await.remove(0);
    assert_eq!(rack.get(&stream).await["EventFormatType"], "MetricReport");
    let definitions = "/redfish/v1/TelemetryService/MetricReportDefinitions";
    let client = rack.world.client().unwrap();
    let body = json!({"Id": "Ours", "Name": "Ours", "MetricReportDefinitionType": "Periodic",
        "ReportActions": ["LogToMetricReportsCollection"], "Schedule": {"RecurrenceInterval": "PT1M"},
        "Metrics": [{"MetricId": "PowerConsumption"}]});
    match client.post(definitions, &body).await {
        Ok(_) => {}
        Err(error) => panic!("{error}"),
    }
    switch_on(&rack).await;
    rack.seconds(180).await;
    let told: Value = serde_json::from_str(&watch.line()).unwrap();
    assert!(
        told["@odata.type"]
            .as_str()
            .unwrap()
            .starts_with("#MetricReport."),
        "{told}"
    );
}

//! Dead letters: what a destination did not take is kept, can be looked at, sent once more, and dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::door::{Door, password};
use crate::post::SERVICE;

const HOST: &str = "192.0.2.7";
const REPLAY: &str = "Oem/HawkFishEventDestination.ReplayDeadLetters";
const DROP: &str = "Oem/HawkFishEventDestination.DropDeadLetters";

/// A door with a subscription of a closed host, for which `count` dead letters lie there.
async fn with_dead_letters(count: usize) -> (Door, String) {
    let door = Door::open().await;
    let uri = leave(&door, count).await;
    (door, uri)
}

/// Leaves dead letters at a new subscription of a closed host, and gives its URI.
pub(crate) async fn leave(door: &Door, count: usize) -> String {
    let once = json!({"DeliveryRetryAttempts": 1});
    let set = door
        .send("PATCH", SERVICE)
        .admin()
        .json(&once)
        .answer()
        .await;
    assert_eq!(set.status, 200, "{set:?}");
    let uri = door
        .subscribe(
            HOST,
            json!({"MessageIds": ["ResourceEvent.1.0.TestMessage"]}),
        )
        .await;
    door.post.close(HOST);
    for number in 0..count {
        let test = json!({"Message": format!("test {number}"), "Severity": "Warning"});
        door.submit("ResourceEvent.1.0.TestMessage", test).await;
        assert!(door.events(HOST).await.is_empty());
    }
    uri
}

fn letters(uri: &str) -> String {
    format!("{uri}/Oem/HawkFish/DeadLetters")
}

/// The URIs of the dead letters of a subscription.
async fn listed(door: &Door, uri: &str) -> Vec<String> {
    let shown = door.read(uri).await.body["Oem"]["HawkFish"].clone();
    let collection = shown["DeadLetters"]["@odata.id"].as_str().unwrap();
    assert_eq!(collection, letters(uri));
    let body = door.read(collection).await.body;
    assert_eq!(
        body["@odata.type"],
        "#HawkFishDeadLetterCollection.HawkFishDeadLetterCollection"
    );
    assert_eq!(body["Members@odata.count"], shown["DeadLetterCount"]);
    let members = body["Members"].as_array().unwrap().iter();
    members
        .map(|one| one["@odata.id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn what_was_given_up_can_be_looked_at_one_by_one() {
    let (door, uri) = with_dead_letters(3).await;
    let members = listed(&door, &uri).await;
    assert_eq!(members.len(), 3);
    for (number, member) in members.iter().enumerate() {
        let letter = door.read(member).await;
        let body = &letter.body;
        assert_eq!(
            body["@odata.type"],
            "#HawkFishDeadLetter.v1_0_0.HawkFishDeadLetter"
        );
        assert_eq!(body["Id"], member.rsplit('/').next().unwrap());
        assert_eq!(body["EventFormatType"], "Event");
        assert_eq!(body["MessageId"], "ResourceEvent.1.0.TestMessage");
        assert_eq!(body["Message"], format!("test {number}"));
        assert_eq!(body["MessageSeverity"], "Warning");
        assert_eq!(
            (&body["Attempts"], &body["ReplayRequested"]),
            (&json!(1), &json!(false))
        );
        assert!(
            body["Reason"].as_str().unwrap().contains("It is closed"),
            "{body}"
        );
        assert_eq!(body["GivenUpTime"], "2026-01-01T00:00:00Z");
        // Whoever asks for the schema finds it.
        let link = letter.header("link");
        let schema = link.strip_prefix('<').unwrap().split('>').next().unwrap();
        assert_eq!(door.read(schema).await.body["title"], body["@odata.type"]);
    }
    let failure = door.read(&uri).await.body["Oem"]["HawkFish"]["LastFailure"].clone();
    assert_eq!(failure["HttpStatus"], 503);
    assert_eq!(failure["Timestamp"], "2026-01-01T00:00:00Z");
    assert!(
        failure["Message"]
            .as_str()
            .unwrap()
            .contains("It is closed")
    );
    let expanded = door
        .read(&format!("{}?$expand=.", letters(&uri)))
        .await
        .body;
    assert_eq!(expanded["Members"][2]["Message"], "test 2");
}

#[tokio::test]
async fn a_report_that_was_given_up_says_which_it_is_and_arrives_whole_by_replay() {
    let (door, _) = with_dead_letters(0).await;
    let definitions = "/redfish/v1/TelemetryService/MetricReportDefinitions";
    let chassis = door.system(0).replace("Systems", "Chassis");
    let body = json!({
        "Id": "Mine",
        "MetricReportDefinitionType": "Periodic",
        "Schedule": {"RecurrenceInterval": "PT60S"},
        "MetricProperties": [format!("{chassis}/Sensors/Fan1Speed#/Reading")],
    });
    let made = door.send("POST", definitions).admin().json(&body);
    assert_eq!(made.answer().await.status, 201);
    let mine = json!([{"@odata.id": format!("{definitions}/Mine")}]);
    let wanted = json!({"EventFormatType": "MetricReport", "MetricReportDefinitions": mine});
    let uri = door.subscribe(HOST, wanted).await;
    for _ in 0..3 {
        let later = door.app.hawkfish().clock().now() + jiff::SignedDuration::from_secs(60);
        door.clock.set(later);
        assert!(door.bodies(HOST).await.is_empty());
    }
    let member = listed(&door, &uri).await.remove(0);
    let letter = door.read(&member).await.body;
    assert_eq!(letter["EventFormatType"], "MetricReport");
    let report = letter["OriginOfCondition"]["@odata.id"].as_str().unwrap();
    assert_eq!(door.read(report).await.body["Id"], "Mine");
    for absent in ["MessageId", "Message", "MessageArgs", "MessageSeverity"] {
        assert!(letter.get(absent).is_none(), "{letter}");
    }
    door.post.open_all();
    door.act(&member, "HawkFishDeadLetter.Replay", json!({}))
        .await;
    let arrived = door.bodies(HOST).await;
    assert_eq!(arrived.len(), 1);
    assert_eq!(arrived[0]["Timestamp"], letter["EventTimestamp"]);
    assert_eq!(arrived[0]["MetricReportDefinition"], mine[0]);
}

#[tokio::test]
async fn a_dead_letter_that_is_replayed_arrives_and_is_gone_and_the_others_stay() {
    let (door, uri) = with_dead_letters(3).await;
    let members = listed(&door, &uri).await;
    let event_id = door.read(&members[1]).await.body["EventId"].clone();
    door.post.open_all();
    door.act(&members[1], "HawkFishDeadLetter.Replay", json!({}))
        .await;
    let arrived = door.events(HOST).await;
    assert_eq!(arrived.len(), 1);
    assert_eq!(arrived[0]["Message"], "test 1");
    assert_eq!(arrived[0]["EventId"], event_id);
    assert_eq!(
        listed(&door, &uri).await,
        [members[0].clone(), members[2].clone()]
    );
    let gone = door.send("GET", &members[1]).admin().answer().await;
    gone.refused(404, "ResourceMissingAtURI");

    // By the action of the subscription: one, then all that are left.
    let id = members[2].rsplit('/').next().unwrap();
    door.act(&uri, REPLAY, json!({"DeadLetterId": id})).await;
    let arrived = door.events(HOST).await;
    assert_eq!(arrived.len(), 1);
    assert_eq!(arrived[0]["Message"], "test 2");
    door.act(&uri, REPLAY, json!({})).await;
    assert_eq!(door.events(HOST).await[0]["Message"], "test 0");
    assert!(listed(&door, &uri).await.is_empty());
    assert_eq!(
        door.read(&uri).await.body["Oem"]["HawkFish"]["DeliveredCount"],
        3
    );
}

#[tokio::test]
async fn a_dead_letter_that_fails_once_more_stays_with_all_its_attempts() {
    let (door, uri) = with_dead_letters(1).await;
    let members = listed(&door, &uri).await;
    door.act(&uri, REPLAY, json!({})).await;
    assert!(door.events(HOST).await.is_empty());
    assert_eq!(listed(&door, &uri).await, members);
    let letter = door.read(&members[0]).await.body;
    assert_eq!(
        (&letter["Attempts"], &letter["ReplayRequested"]),
        (&json!(2), &json!(false))
    );

    // What is asked for while nothing may be sent waits.
    door.post.open_all();
    door.act(&uri, "EventDestination.SuspendSubscription", json!({}))
        .await;
    door.act(&members[0], "HawkFishDeadLetter.Replay", json!({}))
        .await;
    assert!(door.events(HOST).await.is_empty());
    assert_eq!(door.read(&members[0]).await.body["ReplayRequested"], true);
    door.act(&uri, "EventDestination.ResumeSubscription", json!({}))
        .await;
    assert_eq!(door.events(HOST).await.len(), 1);
    assert!(listed(&door, &uri).await.is_empty());
}

#[tokio::test]
async fn dropped_dead_letters_are_gone_for_good() {
    let (door, uri) = with_dead_letters(4).await;
    let members = listed(&door, &uri).await;
    let dropped = door.send("DELETE", &members[0]).admin().answer().await;
    assert_eq!(dropped.status, 204, "{dropped:?}");
    let again = door.send("DELETE", &members[0]).admin().answer().await;
    again.refused(404, "ResourceMissingAtURI");
    let id = members[2].rsplit('/').next().unwrap();
    door.act(&uri, DROP, json!({"DeadLetterId": id})).await;
    assert_eq!(
        listed(&door, &uri).await,
        [members[1].clone(), members[3].clone()]
    );
    door.act(&uri, DROP, json!({})).await;
    assert!(listed(&door, &uri).await.is_empty());
    door.post.open_all();
    door.act(&uri, REPLAY, json!({})).await;
    assert!(door.events(HOST).await.is_empty());
}

#[tokio::test]
async fn what_names_no_dead_letter_of_that_subscription_is_refused() {
    let (door, uri) = with_dead_letters(1).await;
    let member = listed(&door, &uri).await.remove(0);
    let id = member.rsplit('/').next().unwrap().to_owned();
    let other = door.subscribe("192.0.2.8", json!({})).await;
    for wrong in [
        format!("{}/{id}", letters(&other)),
        format!("{}/0{id}", letters(&uri)),
        format!("{}/x", letters(&uri)),
        format!("{}/99999", letters(&uri)),
    ] {
        let answer = door.send("GET", &wrong).admin().answer().await;
        answer.refused(404, "ResourceMissingAtURI");
    }
    for (of, id) in [
        (&other, id.as_str()),
        (&uri, "99999"),
        (&uri, "x"),
        (&uri, ""),
    ] {
        for action in [REPLAY, DROP] {
            let target = format!("{of}/Actions/{action}");
            let body = json!({"DeadLetterId": id});
            let refused = door
                .send("POST", &target)
                .admin()
                .json(&body)
                .answer()
                .await;
            refused.refused(400, "ActionParameterValueNotInList");
            assert_eq!(refused.related(), ["#/DeadLetterId"]);
        }
    }
    let nobody = "/redfish/v1/EventService/Subscriptions/99999";
    for place in [letters(nobody), format!("{}/{id}", letters(nobody))] {
        let answer = door.send("GET", &place).admin().answer().await;
        answer.refused(404, "ResourceMissingAtURI");
    }
    assert_eq!(listed(&door, &uri).await, [member]);
}

#[tokio::test]
async fn who_made_a_subscription_sees_to_its_dead_letters_and_who_did_not_only_looks() {
    let door = Door::open().await;
    door.account("maker", "Operator").await;
    door.account("other", "Operator").await;
    let once = json!({"DeliveryRetryAttempts": 1});
    let set = door
        .send("PATCH", SERVICE)
        .admin()
        .json(&once)
        .answer()
        .await;
    assert_eq!(set.status, 200);
    let body = json!({"Destination": format!("https://{HOST}/"), "Protocol": "Redfish", "MessageIds": ["ResourceEvent.1.0.TestMessage"]});
    let made = door
        .send("POST", crate::post::SUBSCRIPTIONS)
        .basic("maker", &password("maker"));
    let made = made.json(&body).answer().await;
    assert_eq!(made.status, 201, "{made:?}");
    let uri = made.header("location").to_owned();
    door.post.close(HOST);
    for _ in 0..2 {
        door.submit("ResourceEvent.1.0.TestMessage", json!({}))
            .await;
    }
    assert!(door.events(HOST).await.is_empty());
    let members = listed(&door, &uri).await;
    assert_eq!(members.len(), 2);
    let call = async |user: &str, method: &str, uri: &str| {
        let sending = door.send(method, uri).user(user);
        let sending = if method == "POST" {
            sending.json(&json!({}))
        } else {
            sending
        };
        sending.answer().await.status.as_u16()
    };
    let replay = format!("{}/Actions/HawkFishDeadLetter.Replay", members[0]);
    let drop = format!("{uri}/Actions/{DROP}");
    for (user, reads, writes) in [("other", 200, 403), ("maker", 200, 204)] {
        assert_eq!(call(user, "GET", &members[0]).await, reads, "{user}");
        assert_eq!(call(user, "POST", &replay).await, writes, "{user}");
        assert_eq!(call(user, "DELETE", &members[1]).await, writes, "{user}");
        assert_eq!(call(user, "POST", &drop).await, writes, "{user}");
    }
}

/// A receiver of the simplest kind: it takes in one request after the other, and answers 500 while it is out of order.
struct Receiver {
    url: String,
    broken: Arc<AtomicBool>,
    taken: tokio::sync::mpsc::UnboundedReceiver<Value>,
}

impl Receiver {
    async fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/events", listener.local_addr().unwrap());
        let broken = Arc::new(AtomicBool::new(true));
        let (take, taken) = tokio::sync::mpsc::unbounded_channel();
        let is_broken = broken.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (take, is_broken) = (take.clone(), is_broken.clone());
                tokio::spawn(async move {
                    let mut seen = Vec::new();
                    while let Ok(read) = stream.read_buf(&mut seen).await {
                        if read == 0 {
                            return;
                        }
                        let Some(body) = whole(&seen) else { continue };
                        let answer = if is_broken.load(Ordering::Relaxed) {
                            "500 Internal Server Error"
                        } else {
                            take.send(body).unwrap();
                            "204 No Content"
                        };
                        seen.clear();
                        let answer = format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n");
                        stream.write_all(answer.as_bytes()).await.unwrap();
                    }
                });
            }
        });
        Self { url, broken, taken }
    }
}

/// The body of a request that is there to its end.
fn whole(request: &[u8]) -> Option<Value> {
    let text = std::str::from_utf8(request).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let value: usize = value.trim().parse().ok()?;
        name.eq_ignore_ascii_case("content-length").then_some(value)
    })?;
    (body.len() == length).then(|| serde_json::from_str(body).unwrap())
}

#[tokio::test]
async fn a_receiver_that_was_out_of_order_gets_by_replay_what_it_missed() {
    let mut receiver = Receiver::listen().await;
    let door = Door::over_http().await;
    let once = json!({"DeliveryRetryAttempts": 1});
    let set = door
        .send("PATCH", SERVICE)
        .admin()
        .json(&once)
        .answer()
        .await;
    assert_eq!(set.status, 200);
    let body = json!({"Destination": receiver.url, "Protocol": "Redfish", "MessageIds": ["ResourceEvent.1.0.TestMessage"]});
    let made = door
        .send("POST", crate::post::SUBSCRIPTIONS)
        .admin()
        .json(&body)
        .answer()
        .await;
    assert_eq!(made.status, 201, "{made:?}");
    let uri = made.header("location").to_owned();
    let deliver = async || {
        door.app.hawkfish().tick().await.unwrap();
        door.app.hawkfish().subscriptions().settle().await;
    };
    door.submit(
        "ResourceEvent.1.0.TestMessage",
        json!({"Message": "missed"}),
    )
    .await;
    deliver().await;
    let letter = listed(&door, &uri).await.remove(0);
    let shown = door.read(&letter).await.body;
    assert!(shown["Reason"].as_str().unwrap().contains("500"), "{shown}");
    receiver.broken.store(false, Ordering::Relaxed);
    door.act(&uri, REPLAY, json!({})).await;
    deliver().await;
    let got = receiver.taken.recv().await.unwrap();
    assert_eq!(got["Events"][0]["Message"], "missed");
    assert_eq!(got["Events"][0]["EventId"], shown["EventId"]);
    assert!(listed(&door, &uri).await.is_empty());
    assert!(receiver.taken.try_recv().is_err(), "it came twice");
}

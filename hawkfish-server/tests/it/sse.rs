//! Server-sent events: what a stream carries, where it begins again, what ends it, and that nobody who is slow harms anybody else.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use futures::future::join_all;
use hawkfish_core::accounts::HashCost;
use hawkfish_core::backend::sim::{SimBackend, SimSettings};
use hawkfish_core::clock::ManualClock;
use hawkfish_core::ctx::Ctx;
use hawkfish_core::entropy::SeededEntropy;
use hawkfish_core::events::{EventSettings, TestEvent};
use hawkfish_core::id::HostId;
use hawkfish_redfish::validate;
use hawkfish_server::serve::{Bounds, serve};
use hawkfish_server::{App, HawkFish, Options};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::door::{ADMIN, Door, SESSIONS, password};
use crate::listening::Listening;

mod reading;
mod sockets;

use self::reading::*;
pub(crate) use self::reading::{Message, Messages};

pub(crate) const SSE: &str = "/redfish/v1/EventService/SSE";
const SUBSCRIPTIONS: &str = "/redfish/v1/EventService/Subscriptions";
/// Longer than anything takes here.
const LIMIT: Duration = Duration::from_secs(20);
/// How long it is watched that nothing comes.
const QUIET: Duration = Duration::from_millis(150);

#[tokio::test]
async fn a_change_goes_at_once_to_who_listens_as_an_event_with_its_number() {
    let door = Door::open().await;
    for uri in [SSE, "/events/stream"] {
        let response = door.ask(uri, &[("accept", "text/event-stream")]).await;
        assert_eq!(response.status(), 200);
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("content-type"), "text/event-stream; charset=utf-8");
        assert_eq!(header("cache-control"), "no-cache");
        assert_eq!(header("x-accel-buffering"), "no");
        assert!(!response.headers().contains_key("etag"));
    }
    let (mut reader, before) = door.listen(SSE, &[]).await;
    assert_eq!(before, door.app.hawkfish().events().last());
    let tag = json!({"AssetTag": "rack 7"});
    let system = door.system(0);
    let changed = door
        .send("PATCH", &system)
        .admin()
        .json(&tag)
        .answer()
        .await;
    changed.ok();
    let told = reader.event().await;
    assert_eq!(told.id, Some(before + 1));
    let data = told.data.clone().unwrap();
    assert_eq!(data["Id"], (before + 1).to_string());
    assert!(
        data["@odata.type"]
            .as_str()
            .unwrap()
            .starts_with("#Event.v1_")
    );
    assert_eq!(validate::response("Event", &data), []);
    assert_eq!(told.key(), "ResourceChanged");
    let origin = &told.event()["OriginOfCondition"]["@odata.id"];
    assert_eq!(origin.as_str(), Some(system.as_str()));
}

#[tokio::test]
async fn who_comes_again_with_the_last_number_misses_nothing_and_hears_nothing_twice() {
    let door = Door::open().await;
    let (mut reader, before) = door.listen(SSE, &[]).await;
    let middle = door.happen(7).await;
    let seen = ids(&reader.through(middle).await);
    assert_eq!(seen, (before + 1..=middle).collect::<Vec<_>>());
    drop(reader);
    let last = door.happen(900).await;
    let from = (middle - 3).to_string();
    let (mut reader, after) = door.listen(SSE, &[("last-event-id", &from)]).await;
    assert_eq!(after, middle - 3);
    let seen = ids(&reader.through(last).await);
    assert_eq!(seen, (middle - 2..=last).collect::<Vec<_>>());
    reader.is_quiet().await;
    // And it goes on from there.
    let next = door.happen(1).await;
    assert_eq!(ids(&reader.through(next).await), [next]);
}

#[tokio::test]
async fn who_comes_too_late_is_told_so_and_then_gets_what_is_left() {
    let door = forgetful(100, 10).await;
    let early = door.happen(5).await;
    let last = door.happen(3000).await;
    let first = door.app.hawkfish().events().first();
    assert!(first > early + 1, "nothing is gone yet");
    let from = early.to_string();
    let (mut reader, _) = door.listen(SSE, &[("last-event-id", &from)]).await;
    let told = reader.event().await;
    assert_eq!(
        (told.id, told.key()),
        (Some(first - 1), "EventBufferExceeded")
    );
    assert_eq!(validate::response("Event", told.data.as_ref().unwrap()), []);
    let rest = reader.through(last).await;
    assert_eq!(ids(&rest), (first..=last).collect::<Vec<_>>());
    assert!(rest.iter().all(|one| one.key() != "EventBufferExceeded"));
    // Who begins where the store does has lost nothing.
    let whole = (first - 1).to_string();
    let (mut reader, _) = door.listen(SSE, &[("last-event-id", &whole)]).await;
    assert_eq!(reader.event().await.id, Some(first));
}

#[tokio::test]
async fn a_number_that_was_never_given_is_told_to_be_a_loss_and_the_stream_goes_on_with_what_is_new()
 {
    let door = Door::open().await;
    let last = door.happen(3).await;
    for id in ["999999999", "nonsense", "-1", "18446744073709551616"] {
        let (mut reader, from) = door.listen(SSE, &[("last-event-id", id)]).await;
        assert_eq!(from, last, "{id}");
        let told = reader.event().await;
        assert_eq!((told.id, told.key()), (Some(last), "EventBufferExceeded"));
        reader.is_quiet().await;
    }
    let (mut reader, _) = door.listen(SSE, &[("last-event-id", "999999999")]).await;
    let next = door.happen(1).await;
    let heard = reader.through(next).await;
    assert_eq!(ids(&heard), [last, next]);
}

#[tokio::test]
async fn a_filter_lets_through_what_it_says() {
    let door = Door::open().await;
    let origin = door.system(1);
    let filters = [
        "MessageId eq 'ResourceEvent.1.0.ResourceChanged'".to_owned(),
        format!("OriginResource eq '{origin}'"),
        "RegistryPrefix eq ResourceEvent and Severity eq 'OK' and not (ResourceType eq 'Chassis')"
            .to_owned(),
        "EventFormatType eq 'MetricReport'".to_owned(),
    ];
    let mut readers = Vec::new();
    for filter in &filters {
        let uri = format!("{SSE}?$filter={}", filter.replace(' ', "%20"));
        readers.push(door.listen(&uri, &[]).await.0);
    }
    let tag = json!({"AssetTag": "rack 7"});
    let changed = door
        .send("PATCH", &door.system(1))
        .admin()
        .json(&tag)
        .answer()
        .await;
    changed.ok();
    let last = door.happen(1).await;
    for (reader, filter) in readers.iter_mut().zip(&filters).take(3) {
        let told = reader.event().await;
        let uri = told.event()["OriginOfCondition"]["@odata.id"].as_str();
        assert_eq!(
            (told.key(), uri),
            ("ResourceChanged", Some(origin.as_str())),
            "{filter}"
        );
        assert!(told.id < Some(last));
    }
    readers[3].is_quiet().await;
    // What is shown of it.
    let mut shown = Vec::new();
    for uri in door.open_streams().await {
        shown.push(door.read(&uri).await.body);
    }
    assert_eq!(shown.len(), 4);
    assert_eq!(shown[1]["OriginResources"][0]["@odata.id"], origin.as_str());
    assert_eq!(shown[3]["EventFormatType"], "MetricReport");
}

#[tokio::test]
async fn what_cannot_be_asked_of_a_stream_is_refused() {
    let door = Door::open().await;
    for (query, key) in [
        (
            "$filter=PowerState%20eq%20%27On%27",
            "QueryParameterValueFormatError",
        ),
        (
            "$filter=MessageId%20gt%20%27A%27",
            "QueryParameterValueFormatError",
        ),
        ("$filter=(MessageId", "QueryParameterValueFormatError"),
        ("$filter=", "QueryParameterValueFormatError"),
        ("$expand=.", "QueryNotSupportedOnResource"),
        ("only", "QueryNotSupportedOnResource"),
    ] {
        let answer = door.send("GET", &format!("{SSE}?{query}")).admin();
        answer.answer().await.refused(400, key);
    }
    let answer = door.send("GET", &format!("{SSE}?$count=true")).admin();
    answer
        .answer()
        .await
        .refused(501, "QueryParameterUnsupported");
    let json = door
        .send("GET", SSE)
        .admin()
        .header("accept", "application/json");
    json.answer().await.refused(406, "HeaderInvalid");
    door.send("GET", SSE)
        .answer()
        .await
        .refused(401, "AccessUnauthorized");
    for method in ["POST", "PATCH", "DELETE"] {
        let answer = door.send(method, SSE).admin().json(&json!({}));
        answer.answer().await.refused(405, "OperationNotAllowed");
    }
    let head = door.send("HEAD", SSE).admin().answer().await;
    assert_eq!(
        (head.status.as_u16(), head.header("cache-control")),
        (200, "no-cache")
    );
    assert_eq!(door.open_streams().await, Vec::<String>::new());
}

#[tokio::test]
async fn nothing_is_packed_and_nothing_waits_for_more_to_come() {
    let door = Door::open().await;
    let packers = [
        ("accept-encoding", "gzip, zstd, br"),
        ("accept", "text/event-stream"),
    ];
    let response = door.ask(SSE, &packers).await;
    assert!(!response.headers().contains_key("content-encoding"));
    let mut reader = Reader {
        body: response.into_body(),
        messages: Messages::default(),
    };
    reader.event().await;
    let last = door.happen(1).await;
    assert_eq!(reader.event().await.id, Some(last));
}

#[tokio::test]
async fn a_silent_stream_says_well_within_half_a_minute_that_it_is_alive() {
    let door = Door::open().await;
    let (mut reader, _) = door.listen(SSE, &[]).await;
    let began = tokio::time::Instant::now();
    let frame = tokio::time::timeout(LIMIT, reader.body.frame()).await;
    let frame = frame.expect("in time").expect("not the end").unwrap();
    assert_eq!(frame.data_ref().unwrap(), ":\n\n");
    assert!(began.elapsed() < Duration::from_secs(15));
}

#[tokio::test]
async fn an_open_stream_is_a_subscription_which_goes_with_it_and_it_with_that() {
    let door = Door::open().await;
    let (reader, _) = door.listen(SSE, &[]).await;
    let (other, _) = door.listen(SSE, &[]).await;
    let shown = door.open_streams().await;
    assert_eq!(shown.len(), 2);
    let one = door.read(&shown[0]).await.body;
    assert_eq!(
        (&one["SubscriptionType"], &one["Protocol"]),
        (&json!("SSE"), &json!("Redfish"))
    );
    let another = door.read(&shown[1]).await.body;
    assert!(
        one["Context"]
            .as_str()
            .is_some_and(|context| !context.is_empty())
    );
    assert_ne!(one["Context"], another["Context"]);
    // It goes with the stream.
    drop(other);
    assert_eq!(door.open_streams().await, [shown[0].clone()]);
    // And the stream with it.
    let gone = door.send("DELETE", &shown[0]).admin().answer().await;
    gone.ok();
    reader.ends().await;
    assert_eq!(door.open_streams().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_stream_ends_with_what_lets_its_account_in_but_not_with_a_session() {
    let door = Door::open().await;
    let mut ends = Vec::new();
    for (name, change) in [
        ("disabled", json!({"Enabled": false})),
        ("changed", json!({"Password": "another long one"})),
        ("deleted", Value::Null),
    ] {
        let account = door.account(name, "ReadOnly").await;
        let session = door.log_in(name, &password(name)).await;
        let token = session.header("x-auth-token").to_owned();
        let (mut reader, _) = door.listen(SSE, &[("x-auth-token", &token)]).await;
        // DSP0266: a session that ends takes no connections with it that it opened for other purposes.
        let closed = door
            .send("DELETE", session.header("location"))
            .token(&token);
        closed.answer().await.ok();
        let again = door.send("GET", SSE).token(&token).answer().await;
        assert_eq!(again.status, 401);
        let last = door.happen(1).await;
        assert_eq!(reader.through(last).await.last().unwrap().id, Some(last));
        ends.push((account, change, reader));
    }
    for (account, change, reader) in ends {
        let done = if change.is_null() {
            door.send("DELETE", &account).admin().answer().await
        } else {
            let patch = door.send("PATCH", &account).admin().json(&change);
            patch.answer().await
        };
        done.ok();
        reader.ends().await;
    }
}

#[tokio::test]
async fn while_the_event_service_is_off_there_are_no_streams() {
    let door = Door::open().await;
    let (reader, _) = door.listen(SSE, &[]).await;
    let service = "/redfish/v1/EventService";
    let off = json!({"ServiceEnabled": false});
    door.send("PATCH", service)
        .admin()
        .json(&off)
        .answer()
        .await
        .ok();
    reader.ends().await;
    let refused = door.send("GET", SSE).admin().answer().await;
    assert!(
        refused.status.is_client_error() || refused.status.is_server_error(),
        "{refused:?}"
    );
    let on = json!({"ServiceEnabled": true});
    door.send("PATCH", service)
        .admin()
        .json(&on)
        .answer()
        .await
        .ok();
    door.listen(SSE, &[]).await;
}

#[tokio::test]
async fn who_stops_for_ten_thousand_events_gets_all_of_them_in_order_and_harms_nobody() {
    let door = forgetful(100_000, 500).await;
    let (mut slow, before) = door.listen(SSE, &[]).await;
    let (mut quick, _) = door.listen(SSE, &[]).await;
    let mut at = before;
    for _ in 0..20 {
        let last = door.happen(500).await;
        let seen = ids(&quick.through(last).await);
        assert_eq!(seen, (at + 1..=last).collect::<Vec<_>>());
        at = last;
    }
    assert!(at - before >= 10_000);
    let seen = ids(&slow.through(at).await);
    assert_eq!(seen, (before + 1..=at).collect::<Vec<_>>());
}

#[tokio::test]
async fn reports_come_to_who_asks_for_them_and_to_nobody_else() {
    let door = Door::open().await;
    let reports = format!("{SSE}?$filter=EventFormatType%20eq%20%27MetricReport%27");
    let (mut reports, _) = door.listen(&reports, &[]).await;
    let (mut events, _) = door.listen(SSE, &[]).await;
    let definition = json!({
        "Id": "often",
        "MetricReportDefinitionType": "Periodic",
        "Schedule": {"RecurrenceInterval": "PT60S"},
        "Metrics": [{"MetricId": "PowerConsumption"}],
    });
    let definitions = "/redfish/v1/TelemetryService/MetricReportDefinitions";
    let made = door
        .send("POST", definitions)
        .admin()
        .json(&definition)
        .answer()
        .await;
    assert_eq!(made.status, 201, "{made:?}");
    door.clock.advance(jiff::SignedDuration::from_secs(61));
    door.app.hawkfish().tick().await.unwrap();
    let report = reports.event().await.data.unwrap();
    let kind = report["@odata.type"].as_str().unwrap();
    assert!(kind.starts_with("#MetricReport.v1_"), "{kind}");
    let last = door.happen(1).await;
    for told in events.through(last).await {
        assert!(told.data.unwrap()["Events"].is_array());
    }
}

//! The stream of events: of a simulated service over connections that are cut, and of services that are as small and as odd as a test can write them.

mod cut;
mod script;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use hawkfish_client::events::{Events, Format, Turn, Wanted};
use hawkfish_client::transport::InProcess;
use hawkfish_client::{Client, Event, EventStream, Kind, link};
use hawkfish_sim::fault::preset;
use hawkfish_sim::{PASSWORD, USER, World};
use serde_json::{Value, json};

use self::cut::{Cutting, Proxy};
use self::script::{Piece, Script, event};

/// Longest time for a step.
const LIMIT: Duration = Duration::from_secs(60);
const TEST: &str = "ResourceEvent.1.0.TestMessage";

async fn world() -> World {
    World::builder().seed(6).systems(2).start().await.unwrap()
}

/// Has the service tell that.
async fn submit(client: &Client, text: &str) {
    let root = client.root().await.unwrap().value;
    let service = link(&root, "/EventService").unwrap();
    let service = client.get_value(service).await.unwrap().value;
    say(client, &service, text).await;
}

async fn say(client: &Client, service: &Value, text: &str) {
    let body = json!({"MessageId": TEST, "Message": text, "Severity": "Warning"});
    client
        .action(service, "EventService.SubmitTestEvent", &body)
        .await
        .unwrap();
}

async fn next(stream: &mut EventStream) -> Event {
    let next = tokio::time::timeout(LIMIT, stream.next()).await;
    next.expect("an event in time").expect("no end").unwrap()
}

/// The texts of so many test events.
async fn texts(stream: &mut EventStream, count: usize) -> Vec<String> {
    let mut texts = Vec::new();
    while texts.len() < count {
        let records = next(stream).await.records.into_iter();
        let tests = records.filter(|record| record.message_id == TEST);
        texts.extend(tests.filter_map(|record| record.message));
    }
    texts
}

/// Until that many events were told while connections broke; gives how often they did.
async fn each_once_and_in_order(client: &Client, events: Events, count: usize) -> usize {
    let breaks = Arc::new(Mutex::new(0));
    let counted = breaks.clone();
    let mut stream = events
        .wait(Duration::from_millis(1))
        .on_turn(move |turn| match turn {
            Turn::Broken { .. } => *counted.lock().unwrap() += 1,
            Turn::Back { resumed } => assert!(resumed),
        })
        .open()
        .await
        .unwrap();
    let expected: Vec<String> = (0..count).map(|number| format!("test {number}")).collect();
    let told = {
        let telling = async {
            for text in &expected {
                submit(client, text).await;
            }
        };
        let ((), told) = tokio::join!(telling, texts(&mut stream, count));
        told
    };
    assert_eq!(told, expected);
    *breaks.lock().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn over_connections_that_are_cut_anywhere_each_event_comes_once_and_in_order() {
    let world = world().await;
    let served = world.serve(([127, 0, 0, 1], 0).into()).await.unwrap();
    let proxy = Proxy::to(served.address, 1).await;
    let through = Client::builder(format!("http://{}", proxy.address))
        .basic(USER, PASSWORD)
        .build()
        .unwrap();
    let breaks = each_once_and_in_order(&world.client().unwrap(), through.events(), 300).await;
    assert!(breaks > 20, "{breaks} breaks");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_service_that_drops_and_cuts_connections_as_well() {
    let faults = ["drops-connections", "closes-after-each-answer"];
    let faults = faults.iter().flat_map(|name| preset(name).unwrap().rules());
    let world = World::builder()
        .seed(6)
        .systems(1)
        .faults(faults.collect::<Vec<_>>())
        .start()
        .await
        .unwrap();
    let served = world.serve(([127, 0, 0, 1], 0).into()).await.unwrap();
    let proxy = Proxy::to(served.address, 3).await;
    let mut opened = None;
    // The first connection is the caller's to make again.
    for _ in 0..50 {
        let through = Client::builder(format!("http://{}", proxy.address))
            .basic(USER, PASSWORD)
            .build()
            .unwrap();
        let events = through.events().wait(Duration::from_millis(1));
        match events.open().await {
            Ok(stream) => {
                opened = Some(stream);
                break;
            }
            Err(error) => assert_eq!(error.kind, Kind::Transport, "{error}"),
        }
    }
    let mut stream = opened.expect("one of fifty");
    let expected: Vec<String> = (0..100).map(|number| format!("test {number}")).collect();
    let client = world.client().unwrap();
    let service = client.root().await.unwrap().value;
    let service = link(&service, "/EventService").unwrap();
    let service = client.get_value(service).await.unwrap().value;
    let telling = async {
        for text in &expected {
            say(&client, &service, text).await;
        }
    };
    let ((), told) = tokio::join!(telling, texts(&mut stream, expected.len()));
    assert_eq!(told, expected);
    assert!(world.fired("drops-connections").unwrap() > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_service_was_restarted_the_stream_goes_on_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let start = async || {
        let world = World::builder().seed(6).systems(1).data_dir(dir.path());
        world.start().await.unwrap()
    };
    let world = start().await;
    let served = world.serve(([127, 0, 0, 1], 0).into()).await.unwrap();
    let at = served.address;
    let client = Client::builder(served.url())
        .session(USER, PASSWORD)
        .build()
        .unwrap();
    let wait = Duration::from_millis(20);
    let mut stream = client.events().wait(wait).open().await.unwrap();
    submit(&world.client().unwrap(), "before").await;
    assert_eq!(texts(&mut stream, 1).await, ["before"]);
    served.end().await.unwrap();
    submit(&world.client().unwrap(), "at the end").await;
    world.close().await.unwrap();
    let world = start().await;
    submit(&world.client().unwrap(), "at the beginning").await;
    let _served = world.serve(at).await.unwrap();
    submit(&world.client().unwrap(), "after").await;
    assert_eq!(
        texts(&mut stream, 3).await,
        ["at the end", "at the beginning", "after"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn in_process_a_stream_that_breaks_is_taken_up_as_well() {
    let world = world().await;
    let transport = Cutting::new(InProcess::<_, Body>::new(world.bmc()), 2);
    let client = Client::builder("http://bmc.example")
        .session(USER, PASSWORD)
        .transport(transport)
        .build()
        .unwrap();
    let breaks = each_once_and_in_order(&world.client().unwrap(), client.events(), 200).await;
    assert!(breaks > 20, "{breaks} breaks");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_stream_goes_on_where_an_earlier_one_ended_and_a_loss_is_said() {
    let world = world().await;
    let client = world.client().unwrap();
    let mut stream = client.events().open().await.unwrap();
    submit(&client, "one").await;
    assert_eq!(texts(&mut stream, 1).await, ["one"]);
    let last = stream.last_id().unwrap().to_owned();
    drop(stream);
    submit(&client, "two").await;
    let mut stream = client.events().from(&last).open().await.unwrap();
    let two = next(&mut stream).await;
    assert!(!two.is_loss());
    assert_eq!(two.records[0].message.as_deref(), Some("two"));
    // A number that was never given: what there was before it is not known.
    let mut stream = client.events().from("9000000").open().await.unwrap();
    let lost = next(&mut stream).await;
    assert!(lost.is_loss(), "{lost:?}");
    submit(&client, "three").await;
    assert_eq!(texts(&mut stream, 1).await, ["three"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_sent_twice_is_told_once() {
    let world = World::builder()
        .systems(1)
        .faults(preset("events-twice").unwrap().rules())
        .start()
        .await
        .unwrap();
    let client = world.client().unwrap();
    let mut stream = client.events().open().await.unwrap();
    for text in ["one", "two", "three"] {
        submit(&client, text).await;
    }
    assert_eq!(texts(&mut stream, 3).await, ["one", "two", "three"]);
    assert!(world.fired("events-twice").unwrap() >= 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_wanted_comes_by_the_services_filter_or_ours() {
    let world = world().await;
    let client = world.client().unwrap();
    let wanted = |wanted: Wanted| client.events().wanted(wanted).open();
    let mut by_message = wanted(Wanted {
        messages: vec!["ResourceEvent.1.0.ResourcePoweredOn".into()],
        ..Wanted::default()
    })
    .await
    .unwrap();
    // Severities are not among what HawkFish says that it filters by.
    let mut by_severity = wanted(Wanted {
        severities: vec!["Warning".into()],
        ..Wanted::default()
    })
    .await
    .unwrap();
    let mut said = client
        .events()
        .filter("OriginResource eq '/redfish/v1/Systems/nowhere' or Severity eq 'Warning'")
        .open()
        .await
        .unwrap();
    let mut reports = wanted(Wanted {
        format: Some(Format::MetricReport),
        ..Wanted::default()
    })
    .await
    .unwrap();
    let root = client.root().await.unwrap().value;
    let systems = client.members(link(&root, "/Systems").unwrap());
    let system = systems.all().await.unwrap().remove(0);
    let system = system.read(&client).await.unwrap().value;
    client
        .action(&system, "ComputerSystem.Reset", &json!({"ResetType": "On"}))
        .await
        .unwrap()
        .finish(Some(LIMIT))
        .await
        .unwrap();
    submit(&client, "warning").await;
    let on = next(&mut by_message).await.records.remove(0);
    assert_eq!(
        (on.registry(), on.key()),
        ("ResourceEvent", "ResourcePoweredOn")
    );
    assert_eq!(on.origin.as_deref(), system["@odata.id"].as_str());
    assert_eq!(texts(&mut by_severity, 1).await, ["warning"]);
    assert_eq!(next(&mut said).await.records[0].message_id, TEST);
    let quiet = tokio::time::timeout(Duration::from_millis(200), reports.next()).await;
    assert!(quiet.is_err(), "{quiet:?}");

    let error = client
        .events()
        .filter("Nonsense lt 5")
        .open()
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::BadRequest);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_in_that_is_refused_ends_the_stream_with_that_error() {
    let world = world().await;
    let served = world.serve(([127, 0, 0, 1], 0).into()).await.unwrap();
    let admin = world.client().unwrap();
    let root = admin.root().await.unwrap().value;
    let service = admin
        .get_value(link(&root, "/AccountService").unwrap())
        .await
        .unwrap();
    let accounts = link(&service.value, "/Accounts").unwrap();
    let listener =
        json!({"UserName": "listener", "Password": "listens well", "RoleId": "Operator"});
    let made = admin.post(accounts, &listener).await.unwrap();
    let account = made.finish(None).await.unwrap();
    let account = account.location().unwrap();
    let client = Client::builder(served.url())
        .session("listener", "listens well")
        .build()
        .unwrap();
    let mut stream = client
        .events()
        .wait(Duration::from_millis(1))
        .open()
        .await
        .unwrap();
    admin
        .patch(account, None, &json!({"Password": "hears no more"}))
        .await
        .unwrap();
    let end = async {
        loop {
            match stream.next().await {
                Some(Ok(_)) => {}
                Some(Err(error)) => return error,
                None => panic!("an end without a reason"),
            }
        }
    };
    let error = tokio::time::timeout(LIMIT, end)
        .await
        .expect("no endless loop");
    assert_eq!(error.kind, Kind::Unauthorized);
    assert!(stream.next().await.is_none());
    let error = client.events().open().await.unwrap_err();
    assert_eq!(error.kind, Kind::Unauthorized);
}

/// How many streams are open.
async fn open_streams(client: &Client) -> BTreeSet<String> {
    let root = client.root().await.unwrap().value;
    let service = client
        .get_value(link(&root, "/EventService").unwrap())
        .await
        .unwrap();
    let all = client.members(link(&service.value, "/Subscriptions").unwrap());
    let all = all.all().await.unwrap().into_iter();
    all.map(|member| member.uri).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_dropped_closes_its_connection() {
    let world = world().await;
    let served = world.serve(([127, 0, 0, 1], 0).into()).await.unwrap();
    let (here, there) = (
        world.client().unwrap(),
        Client::builder(served.url())
            .basic(USER, PASSWORD)
            .build()
            .unwrap(),
    );
    let streams = [
        here.events().open().await.unwrap(),
        there.events().open().await.unwrap(),
    ];
    assert_eq!(open_streams(&here).await.len(), 2);
    drop(streams);
    let closed = async {
        while !open_streams(&here).await.is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LIMIT, closed).await.expect("they end");
}

#[tokio::test]
async fn without_numbers_it_goes_on_and_says_that_something_may_be_missed() {
    let script = Script::new(vec![
        vec![
            Piece::data(": hello\n\nevent: alert\n"),
            Piece::data(&event(None, "one")),
            Piece::Break,
        ],
        vec![Piece::data(&event(None, "two")), Piece::End],
        vec![Piece::data(&event(None, "two")), Piece::Hang],
    ]);
    let turns = Arc::new(Mutex::new(Vec::new()));
    let noted = turns.clone();
    let mut stream = script
        .client()
        .events()
        .wait(Duration::from_millis(1))
        .on_turn(move |turn| {
            noted.lock().unwrap().push(match turn {
                Turn::Broken { why, failed, .. } => format!("{failed}: {why}"),
                Turn::Back { resumed } => format!("back, resumed: {resumed}"),
            });
        })
        .open()
        .await
        .unwrap();
    let mut told = Vec::new();
    for _ in 0..3 {
        told.push(next(&mut stream).await.records[0].message.clone().unwrap());
    }
    // Without a number nobody can know that it is the same.
    assert_eq!(told, ["one", "two", "two"]);
    assert_eq!(stream.last_id(), None);
    assert_eq!(
        *turns.lock().unwrap(),
        [
            "1: the connection was cut",
            "back, resumed: false",
            "1: the stream of events broke: the service has ended the stream",
            "back, resumed: false",
        ]
    );
}

#[tokio::test]
async fn the_number_of_what_came_last_is_sent_and_what_was_half_told_is_told_again() {
    let half = event(Some("3"), "three");
    let script = Script::new(vec![
        vec![
            Piece::data("retry: 1\nid: 1\n\n"),
            Piece::data(&event(Some("2"), "two")),
            Piece::data(&half[..half.len() - 1]),
            Piece::Break,
        ],
        // It says the last once more, as some do.
        vec![
            Piece::data(&event(Some("2"), "two")),
            Piece::data(&event(Some("3"), "three")),
            Piece::Hang,
        ],
    ]);
    let mut stream = script.client().events().open().await.unwrap();
    for expected in ["two", "three"] {
        let event = next(&mut stream).await;
        assert_eq!(event.records[0].message.as_deref(), Some(expected));
    }
    assert_eq!(stream.last_id(), Some("3"));
    assert_eq!(script.asked(), [None, Some("2".to_owned())]);
}

#[tokio::test]
async fn what_is_too_long_or_no_event_is_an_error_in_its_place() {
    let long = "x".repeat(5000);
    let script = Script::new(vec![vec![
        Piece::data(&event(Some("1"), &long)),
        Piece::data("id: 2\ndata: <html>\n\n"),
        Piece::data(&event(Some("3"), "three")),
        Piece::Hang,
    ]]);
    let mut stream = script.client().events().largest(1000).open().await.unwrap();
    let error = stream.next().await.unwrap().unwrap_err();
    assert!(
        error.to_string().contains("longer than 1000 bytes"),
        "{error}"
    );
    let error = stream.next().await.unwrap().unwrap_err();
    assert_eq!(error.kind, Kind::Protocol);
    assert_eq!(
        next(&mut stream).await.records[0].message.as_deref(),
        Some("three")
    );
}

#[tokio::test]
async fn a_connection_that_says_nothing_any_more_is_given_up_and_made_again() {
    let script = Script::new(vec![
        vec![
            Piece::data("retry: 1\n"),
            Piece::data(&event(Some("1"), "one")),
            Piece::Hang,
        ],
        vec![Piece::data(&event(Some("2"), "two")), Piece::Hang],
    ]);
    let silence = Duration::from_millis(100);
    let mut stream = script
        .client()
        .events()
        .silence(silence)
        .open()
        .await
        .unwrap();
    next(&mut stream).await;
    let before = std::time::Instant::now();
    assert_eq!(next(&mut stream).await.id.as_deref(), Some("2"));
    assert!(before.elapsed() >= silence);
}

#[tokio::test]
async fn waits_grow_as_it_fails_and_what_the_service_asks_for_is_waited() {
    let mut connections = vec![vec![Piece::data("retry: 10\nid: 1\n\n"), Piece::Break]];
    connections.extend((0..4).map(|_| vec![Piece::Refuse(500, None)]));
    connections.push(vec![Piece::Refuse(503, Some("1"))]);
    connections.push(vec![Piece::data(&event(Some("2"), "two")), Piece::Hang]);
    let waits = Arc::new(Mutex::new(Vec::new()));
    let noted = waits.clone();
    let script = Script::new(connections);
    let mut stream = script
        .client()
        .events()
        .on_turn(move |turn| {
            if let Turn::Broken { again_in, .. } = turn {
                noted.lock().unwrap().push(again_in.as_secs_f64());
            }
        })
        .open()
        .await
        .unwrap();
    assert_eq!(
        stream.next().await.unwrap().unwrap().id.as_deref(),
        Some("2")
    );
    let waits = waits.lock().unwrap().clone();
    let expected = [0.01, 0.02, 0.04, 0.08, 0.16, 1.0];
    assert_eq!(waits.len(), expected.len(), "{waits:?}");
    for (wait, expected) in waits.iter().zip(expected) {
        assert!(*wait >= expected && *wait <= expected * 1.26, "{waits:?}");
    }
}

#[tokio::test]
async fn it_is_given_up_when_the_caller_has_no_more_patience() {
    let mut connections = vec![vec![Piece::data("id: 1\n\n"), Piece::End]];
    connections.extend((0..100).map(|_| vec![Piece::Refuse(502, None)]));
    let script = Script::new(connections);
    let mut stream = script
        .client()
        .events()
        .give_up_after(Duration::ZERO)
        .open()
        .await
        .unwrap();
    let error = stream.next().await.unwrap().unwrap_err();
    assert_eq!(error.kind, Kind::Transport);
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn what_is_no_stream_of_events_is_an_error_and_a_service_may_say_that_there_is_no_more() {
    let page = Script::new(vec![vec![
        Piece::Type("text/html"),
        Piece::data("<html>"),
        Piece::End,
    ]]);
    let error = page.client().events().open().await.unwrap_err();
    assert_eq!(error.kind, Kind::Protocol);
    assert!(error.to_string().contains("text/html"), "{error}");

    let over = Script::new(vec![
        vec![Piece::data(&event(Some("1"), "one")), Piece::End],
        vec![Piece::Refuse(204, None)],
    ]);
    let wait = Duration::from_millis(1);
    let mut stream = over.client().events().wait(wait).open().await.unwrap();
    next(&mut stream).await;
    assert!(stream.next().await.is_none());

    let mock = crate::mock::Mock::new();
    let error = mock.client().events().open().await.unwrap_err();
    assert_eq!(error.kind, Kind::Unsupported);
}

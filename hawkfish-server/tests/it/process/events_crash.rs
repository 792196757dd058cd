//! The program is killed under a load of events, again and again: webhooks and streams miss nothing, and hear nothing in another order; a webhook hears something twice only
//! over a crash, and a stream that goes on where it was cut off never does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::StatusCode;
use axum::routing::post;
use serde_json::{Value, json};

use super::client::Client;
use super::crash::{Chance, wreck};
use super::server::{PASSWORD, Server, USER};
use crate::sse::{Messages, SSE};
use hawkfish_testing::until;

const SUBSCRIPTIONS: &str = "/redfish/v1/EventService/Subscriptions";
const LIMIT: Duration = Duration::from_secs(60);

/// Events that were taken: in which life of the program, the id of the delivery, and the number and the message of each.
#[derive(Debug)]
struct Taken {
    life: usize,
    delivery: String,
    events: Vec<(u64, Value)>,
}

/// Takes events, but some of the time.
#[derive(Debug, Default)]
struct Receiver {
    life: AtomicUsize,
    asked: AtomicUsize,
    /// Every so many requests one is refused; none where it is 0.
    refuses_every: usize,
    taken: Mutex<Vec<Taken>>,
}

impl Receiver {
    /// Listens on loopback, and gives its URL.
    async fn start(refuses_every: usize) -> (Arc<Self>, String) {
        let receiver = Arc::new(Self {
            refuses_every,
            ..Self::default()
        });
        let at_work = receiver.clone();
        let take = move |headers: axum::http::HeaderMap, body: Bytes| {
            let receiver = at_work.clone();
            async move { receiver.take(&headers, &body) }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let service = axum::Router::new().route("/", post(take));
        tokio::spawn(async move { axum::serve(listener, service).await });
        (receiver, url)
    }

    fn take(&self, headers: &axum::http::HeaderMap, body: &[u8]) -> StatusCode {
        let number = self.asked.fetch_add(1, Ordering::AcqRel) + 1;
        if self.refuses_every > 0 && number.is_multiple_of(self.refuses_every) {
            return StatusCode::SERVICE_UNAVAILABLE;
        }
        let body: Value = serde_json::from_slice(body).expect("JSON");
        let delivery = headers["x-hawkfish-delivery"].to_str().unwrap().to_owned();
        assert_eq!(body["Id"], delivery.as_str());
        let events = body["Events"].as_array().unwrap().iter();
        let events = events.map(|event| {
            let id = event["EventId"].as_str().unwrap();
            (id.parse().unwrap(), event.clone())
        });
        self.taken.lock().unwrap().push(Taken {
            life: self.life.load(Ordering::Acquire),
            delivery,
            events: events.collect(),
        });
        StatusCode::NO_CONTENT
    }

    fn newest(&self) -> u64 {
        let taken = self.taken.lock().unwrap();
        let all = taken.iter().flat_map(|one| one.events.iter());
        all.map(|(number, _)| *number).max().unwrap_or(0)
    }

    /// Holds all that was taken against the numbers of all that happened after it was made. Gives how many came twice.
    fn check(&self, happened: &BTreeSet<u64>) -> usize {
        let taken = self.taken.lock().unwrap();
        let mut lives: BTreeMap<u64, (usize, &Value)> = BTreeMap::new();
        let (mut newest, mut twice) = (0, 0);
        for one in taken.iter() {
            for (number, event) in &one.events {
                match lives.insert(*number, (one.life, event)) {
                    None => {
                        assert!(
                            *number > newest,
                            "{number} comes after {newest}, in {}",
                            one.delivery
                        );
                        newest = *number;
                    }
                    Some((life, before)) => {
                        assert!(life < one.life, "{number} comes twice in life {life}");
                        // Its place in a body may be another: after a crash bodies may be cut in other places.
                        let content = |event: &Value| {
                            let mut event = event.clone();
                            event.as_object_mut().map(|event| event.remove("MemberId"));
                            event
                        };
                        assert_eq!(content(before), content(event), "it is the same event");
                        twice += 1;
                    }
                }
            }
        }
        let missed: Vec<_> = happened.iter().filter(|n| !lives.contains_key(n)).collect();
        assert!(missed.is_empty(), "missed: {missed:?}");
        // What came after the last look is not held against anything.
        let last = happened.last().copied().unwrap_or(0);
        let strange: Vec<_> = lives
            .keys()
            .filter(|n| **n <= last && !happened.contains(n))
            .collect();
        assert!(strange.is_empty(), "never happened: {strange:?}");
        twice
    }
}

/// Hears a stream, and comes again whenever it is cut off.
#[derive(Debug, Default)]
struct Listener {
    heard: Mutex<BTreeMap<u64, Value>>,
    came: AtomicUsize,
    enough: AtomicBool,
}

impl Listener {
    /// Listens until it is told that it is enough.
    async fn listen(&self, http: reqwest::Client, url: String) {
        let mut last: Option<u64> = None;
        while !self.enough.load(Ordering::Acquire) {
            let mut request = http
                .get(format!("{url}{SSE}"))
                .basic_auth(USER, Some(PASSWORD))
                .header("accept", "text/event-stream");
            if let Some(last) = last {
                request = request.header("last-event-id", last);
            }
            let Ok(mut response) = request.send().await else {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            assert_eq!(response.status(), 200);
            self.came.fetch_add(1, Ordering::AcqRel);
            let mut messages = Messages::default();
            while let Ok(Some(bytes)) = response.chunk().await {
                messages.add(&bytes);
                while let Some(message) = messages.next() {
                    let Some(id) = message.id else { continue };
                    if message.data.is_none() {
                        // Where it begins.
                        assert!(last.is_none_or(|last| last == id), "{last:?}, {message:?}");
                        last = Some(id);
                        continue;
                    }
                    assert_eq!(Some(id), last.map(|last| last + 1), "{message:?}");
                    last = Some(id);
                    let event = message.event().clone();
                    let before = self.heard.lock().unwrap().insert(id, event);
                    assert!(before.is_none(), "{id} comes twice");
                }
            }
        }
    }

    fn newest(&self) -> u64 {
        let heard = self.heard.lock().unwrap();
        heard.last_key_value().map_or(0, |(number, _)| *number)
    }
}

/// Turns a system on and off for as long as the program answers. Gives how often that was acknowledged.
async fn turn(client: Client, system: String) -> usize {
    let mut turns = 0;
    let Ok(answer) = client.get(&system).await else {
        return turns;
    };
    let mut on = answer.body["PowerState"] != "Off";
    loop {
        let how = if on { "ForceOff" } else { "On" };
        let uri = format!("{system}/Actions/ComputerSystem.Reset");
        match client.post(&uri, &json!({"ResetType": how})).await {
            Ok(answer) => answer.good(),
            Err(_) => return turns,
        };
        turns += 1;
        on = !on;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_listens_misses_nothing_however_often_the_program_is_killed() {
    const ROUNDS: usize = 10;
    let mut chance = Chance::new();
    let mut server = Server::simulated(4, &["--event-allow", "127.0.0.0/8"]);
    let client = server.client().await;
    let systems = client.members("/redfish/v1/Systems").await;
    let change = json!({"DeliveryRetryIntervalSeconds": 1});
    let service = client.patch("/redfish/v1/EventService", &change).await;
    service.unwrap().good();

    let mut receivers = Vec::new();
    for refuses_every in [0, 4] {
        let (receiver, url) = Receiver::start(refuses_every).await;
        let body = json!({
            "Destination": url,
            "Protocol": "Redfish",
            "DeliveryRetryPolicy": "RetryForever",
        });
        let made = client.post(SUBSCRIPTIONS, &body).await.unwrap().good();
        let uri = made.headers["location"].to_str().unwrap().to_owned();
        receivers.push((receiver, uri));
    }
    let mut http = reqwest::Client::builder().no_proxy();
    if let Some(certificate) = server.certificate() {
        let pem = std::fs::read(certificate).unwrap();
        http = http
            .tls_built_in_root_certs(false)
            .add_root_certificate(reqwest::Certificate::from_pem(&pem).unwrap());
    }
    let listener = Arc::new(Listener::default());
    let listening = tokio::spawn({
        let (listener, http, url) = (listener.clone(), http.build().unwrap(), server.url());
        async move { listener.listen(http, url).await }
    });
    until("the listener listens", LIMIT, async || {
        (listener.came.load(Ordering::Acquire) > 0).then_some(())
    })
    .await;

    let mut acknowledged: BTreeMap<&String, usize> = BTreeMap::new();
    for round in 0..ROUNDS {
        let turning: Vec<_> = systems
            .iter()
            .map(|system| (system, tokio::spawn(turn(client.clone(), system.clone()))))
            .collect();
        until("the listener listens again", LIMIT, async || {
            (listener.came.load(Ordering::Acquire) > round).then_some(())
        })
        .await;
        tokio::time::sleep(Duration::from_millis(200 + chance.below(600))).await;
        server.kill();
        for (system, turning) in turning {
            let turns = turning.await.expect("a client meets only crashes");
            *acknowledged.entry(system).or_default() += turns;
        }
        // Nothing is under way from the life that ended: who is gone sends nothing.
        for (receiver, _) in &receivers {
            receiver.life.store(round + 1, Ordering::Release);
        }
        server.start();
    }

    // All of it arrives, now that nobody dies any more.
    let mut last = 0;
    until("all is heard", LIMIT, async || {
        let before = std::mem::replace(&mut last, listener.newest());
        let all = || {
            receivers
                .iter()
                .all(|(receiver, _)| receiver.newest() >= last)
        };
        tokio::time::sleep(Duration::from_millis(500)).await;
        (before == last && all()).then_some(())
    })
    .await;
    listener.enough.store(true, Ordering::Release);
    server.kill();
    listening
        .await
        .expect("what the listener hears is in order");

    // What happened, by what the store has: no number is missing.
    let mut database = wreck(&server, &server.folder().join("copy")).await;
    let numbers: Vec<i64> = sqlx::query_scalar("SELECT seq FROM hf_events ORDER BY seq")
        .fetch_all(&mut database)
        .await
        .unwrap();
    let expected = 1..=i64::try_from(numbers.len()).unwrap();
    assert_eq!(numbers, expected.collect::<Vec<_>>());
    assert!(last <= numbers.len() as u64, "it never happened");
    assert!(
        listener.came.load(Ordering::Acquire) > ROUNDS,
        "it came again after each crash"
    );
    let heard = listener.heard.lock().unwrap().clone();
    let mut twice = 0;
    for (receiver, uri) in &receivers {
        // It hears of what happened after it was made.
        let made: i64 = sqlx::query_scalar(
            "SELECT seq FROM hf_events WHERE json_extract(fact, '$.about.Subscription') = $1 AND json_extract(fact, '$.event.what') = 'Created'",
        )
        .bind(uri.rsplit('/').next())
        .fetch_one(&mut database)
        .await
        .unwrap();
        let made = u64::try_from(made).unwrap();
        twice += receiver.check(&(made + 1..=last).collect());
    }

    // Each turn of a system that was acknowledged is told, and each is told once: on, off, on, off. One more for each crash may not have been answered.
    for system in &systems {
        let turns: Vec<bool> = heard
            .values()
            .filter(|event| event["OriginOfCondition"]["@odata.id"] == system.as_str())
            .filter_map(|event| event["MessageId"].as_str()?.rsplit('.').next())
            .filter_map(|key| match key {
                "ResourcePoweredOn" => Some(true),
                "ResourcePoweredOff" => Some(false),
                _ => None,
            })
            .collect();
        for (at, on) in turns.iter().enumerate() {
            assert_eq!(*on, at % 2 == 0, "{system}: {turns:?}");
        }
        let known = acknowledged[system];
        assert!(
            (known..=known + ROUNDS).contains(&turns.len()),
            "{system}: {known} turns were acknowledged, {} are told",
            turns.len()
        );
    }
    let all: usize = acknowledged.values().sum();
    assert!(all > ROUNDS, "{all}");
    eprintln!(
        "{ROUNDS} times killed: {all} resets acknowledged, {} events, {twice} deliveries of an event over a crash",
        numbers.len()
    );
}

//! The receiver of events: whom it believes, what it knows again, and what a simulated HawkFish brings to it.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use bytes::Bytes;
use futures::StreamExt as _;
use hawkfish_client::webhook::{Builder, Receiver, Refusal, Service};
use hawkfish_client::{Client, Event, link};
use hawkfish_sim::World;
use hmac::{Hmac, Mac as _};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use jiff::SignedDuration;
use rustls::pki_types::PrivateKeyDer;
use serde_json::{Value, json};
use sha2::Sha256;
use tower::ServiceExt as _;

const KEY: &str = "a key of ours";
/// Longest time for a step.
const LIMIT: Duration = Duration::from_secs(60);

fn body(id: &str, text: &str) -> String {
    json!({"@odata.type": "#Event.v1_7_0.Event", "Id": id, "Name": "Events", "Events": [
        {"MessageId": "Test.1.0.Test", "Message": text, "EventTimestamp": "2026-01-01T00:00:00Z"}]})
    .to_string()
}

fn signed(key: &str, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

/// What is sent; headers by name and value.
fn post(body: &str, headers: &[(&str, &str)]) -> Request<Full<Bytes>> {
    let mut request = Request::post("/")
        .body(Full::from(body.to_owned()))
        .unwrap();
    for (name, value) in headers {
        let name: HeaderName = name.parse().unwrap();
        request.headers_mut().append(name, value.parse().unwrap());
    }
    request
}

fn delivery(id: &str, text: &str) -> Request<Full<Bytes>> {
    let body = body(id, text);
    let signature = signed(KEY, &body);
    post(
        &body,
        &[
            ("x-hawkfish-delivery", id),
            ("x-hawkfish-signature", &signature),
        ],
    )
}

async fn answer(service: &Service, request: Request<Full<Bytes>>) -> StatusCode {
    let answer = service.clone().oneshot(request).await;
    answer
        .unwrap_or_else(|never: Infallible| match never {})
        .status()
}

fn text(event: &Event) -> String {
    event.records[0].message.clone().unwrap()
}

#[tokio::test]
async fn only_what_is_signed_with_the_key_is_taken() {
    let refused = Arc::new(Mutex::new(Vec::new()));
    let noted = refused.clone();
    let (service, mut deliveries) = Receiver::signed(KEY)
        .on_refusal(move |why| noted.lock().unwrap().push(why))
        .service();
    let whole = body("1", "one");
    let good = signed(KEY, &whole);
    let name = "x-hawkfish-signature";
    for (request, why) in [
        (post(&whole, &[]), Refusal::Unsigned),
        (
            post(&whole, &[(name, &signed("another key", &whole))]),
            Refusal::Signature,
        ),
        (
            post(&body("1", "two"), &[(name, &good)]),
            Refusal::Signature,
        ),
        (post(&whole, &[(name, &good[7..])]), Refusal::Signature),
        (
            post(&whole, &[(name, &good[..good.len() - 2])]),
            Refusal::Signature,
        ),
        (post(&whole, &[(name, "sha256=")]), Refusal::Signature),
        (
            post(&whole, &[(name, &good), (name, &good)]),
            Refusal::Signature,
        ),
    ] {
        assert_eq!(
            answer(&service, request).await,
            StatusCode::FORBIDDEN,
            "{why:?}"
        );
        assert_eq!(refused.lock().unwrap().pop(), Some(why));
    }
    assert_eq!(
        answer(&service, post(&whole, &[(name, &good)])).await,
        StatusCode::NO_CONTENT
    );
    assert!(refused.lock().unwrap().is_empty());
    assert_eq!(text(&deliveries.next().await.unwrap()), "one");
}

#[tokio::test]
async fn while_keys_are_exchanged_both_are_good_and_then_the_old_one_is_not() {
    let (both, _kept) = Receiver::signed(KEY).key("the next").service();
    let (next, _kept) = Receiver::signed("the next").service();
    let whole = body("1", "one");
    let by_old = || post(&whole, &[("x-hawkfish-signature", &signed(KEY, &whole))]);
    assert_eq!(answer(&both, by_old()).await, StatusCode::NO_CONTENT);
    assert_eq!(answer(&next, by_old()).await, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn what_comes_again_is_answered_and_not_given_out() {
    let (service, mut deliveries) = Receiver::signed(KEY).service();
    for request in [
        delivery("1", "one"),
        delivery("1", "one"),
        delivery("2", "two"),
    ] {
        assert_eq!(answer(&service, request).await, StatusCode::NO_CONTENT);
    }
    // Who has listened to the network and gives it another number, or none, gains nothing.
    let one = body("1", "one");
    let signature = signed(KEY, &one);
    for headers in [vec![("x-hawkfish-delivery", "99")], vec![]] {
        let headers = [vec![("x-hawkfish-signature", signature.as_str())], headers].concat();
        assert_eq!(
            answer(&service, post(&one, &headers)).await,
            StatusCode::NO_CONTENT
        );
    }
    assert_eq!(
        answer(&service, delivery("3", "three")).await,
        StatusCode::NO_CONTENT
    );
    drop(service);
    let given: Vec<Event> = deliveries.by_ref().collect().await;
    let texts: Vec<String> = given.iter().map(text).collect();
    assert_eq!(texts, ["one", "two", "three"]);
    assert_eq!(given[1].id.as_deref(), Some("2"));
}

#[tokio::test]
async fn what_comes_twice_at_once_is_given_out_once() {
    let (service, mut deliveries) = Receiver::signed(KEY).queue(1).service();
    assert_eq!(
        answer(&service, delivery("0", "zero")).await,
        StatusCode::NO_CONTENT
    );
    // The queue is full: both wait for a place.
    let answers = futures::future::join_all((0..4).map(|_| answer(&service, delivery("1", "one"))));
    let taking = async {
        let mut texts = Vec::new();
        for _ in 0..2 {
            texts.push(text(&deliveries.next().await.unwrap()));
        }
        texts
    };
    let (answers, texts) = tokio::join!(answers, taking);
    assert_eq!(texts, ["zero", "one"]);
    assert_eq!(answers, [StatusCode::NO_CONTENT; 4]);
    drop(service);
    assert_eq!(deliveries.next().await, None);
}

#[tokio::test]
async fn what_is_too_old_or_does_not_say_how_old_it_is_is_refused_where_that_was_asked_for() {
    let day = Duration::from_secs(24 * 3600);
    let (service, _kept) = Receiver::signed(KEY).most_age(day).service();
    let at = |timestamp: Option<String>| {
        let body = json!({"Events": [{"MessageId": "Test.1.0.Test", "EventTimestamp": timestamp}]})
            .to_string();
        post(&body, &[("x-hawkfish-signature", &signed(KEY, &body))])
    };
    let now = jiff::Timestamp::now();
    let ago = |hours| Some((now - SignedDuration::from_hours(hours)).to_string());
    assert_eq!(answer(&service, at(ago(25))).await, StatusCode::FORBIDDEN);
    assert_eq!(answer(&service, at(None)).await, StatusCode::FORBIDDEN);
    assert_eq!(answer(&service, at(ago(23))).await, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_service_that_signs_nothing_is_known_by_a_header() {
    let secret = HeaderValue::from_static("only we know");
    let (service, _kept) = Receiver::unsigned()
        .header(HeaderName::from_static("x-secret"), secret)
        .path("/events")
        .largest(1000)
        .service();
    let to = |path: &str, headers: &[(&str, &str)], body: &str| {
        let mut request = post(body, headers);
        *request.uri_mut() = path.parse().unwrap();
        request
    };
    let (good, one) = ([("x-secret", "only we know")], body("1", "one"));
    let long = body("1", &"x".repeat(1000));
    for (request, status) in [
        (to("/events", &good, &one), StatusCode::NO_CONTENT),
        (
            to("/events", &[("x-secret", "only they know")], &one),
            StatusCode::FORBIDDEN,
        ),
        (to("/events", &[], &one), StatusCode::FORBIDDEN),
        (to("/elsewhere", &good, &one), StatusCode::NOT_FOUND),
        (to("/events", &good, "{}"), StatusCode::BAD_REQUEST),
        (to("/events", &good, "<html>"), StatusCode::BAD_REQUEST),
        (to("/events", &good, &long), StatusCode::PAYLOAD_TOO_LARGE),
    ] {
        assert_eq!(answer(&service, request).await, status);
    }
    let get = Request::get("/events")
        .body(Full::<Bytes>::default())
        .unwrap();
    let refused = service.clone().oneshot(get).await.unwrap();
    assert_eq!(refused.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(refused.headers()["allow"], "POST");
}

#[tokio::test]
async fn where_nobody_takes_what_comes_the_service_is_told_to_come_again() {
    let (service, deliveries) = Receiver::signed(KEY).service();
    drop(deliveries);
    let refused = service.clone().oneshot(delivery("1", "one")).await.unwrap();
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.headers()["retry-after"], "1");
}

/// A world, and whoever sees to its subscriptions.
struct Sender {
    world: World,
    client: Client,
    service: Value,
}

impl Sender {
    async fn new() -> Self {
        let world = World::builder().seed(6).systems(1).start().await.unwrap();
        let client = world.client().unwrap();
        let root = client.root().await.unwrap().value;
        let service = link(&root, "/EventService").unwrap();
        let service = client.get_value(service).await.unwrap().value;
        Self {
            world,
            client,
            service,
        }
    }

    async fn subscribe(&self, url: &str) {
        let body = json!({"Destination": url, "Protocol": "Redfish", "Context": "ours", "RegistryPrefixes": ["ResourceEvent"],
            "Oem": {"HawkFish": {"SigningKey": KEY}}});
        let to = link(&self.service, "/Subscriptions").unwrap();
        self.client.post(to, &body).await.unwrap();
    }

    async fn submit(&self, text: &str) {
        let body = json!({"MessageId": "ResourceEvent.1.0.TestMessage", "Message": text});
        let action = "EventService.SubmitTestEvent";
        self.client
            .action(&self.service, action, &body)
            .await
            .unwrap();
    }

    async fn seconds(&self, seconds: i64) {
        let by = SignedDuration::from_secs(seconds);
        self.world.advance(by).await.unwrap();
    }
}

/// The texts of so many test events.
async fn texts(
    deliveries: &mut (impl futures::Stream<Item = Event> + Unpin),
    count: usize,
) -> Vec<String> {
    let mut texts = Vec::new();
    while texts.len() < count {
        let next = tokio::time::timeout(LIMIT, deliveries.next()).await;
        let event = next.expect("an event in time").expect("no end");
        assert_eq!(event.context.as_deref(), Some("ours"));
        let tests = event.records.into_iter();
        let tests = tests.filter(|record| record.key() == "TestMessage");
        texts.extend(tests.filter_map(|record| record.message));
    }
    texts
}

#[tokio::test(flavor = "multi_thread")]
async fn hawkfish_delivers_to_it_in_order_over_http_and_over_tls() {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let sender = Sender::new().await;
    let bind = async |builder: Builder| builder.bind(([127, 0, 0, 1], 0).into()).await.unwrap();
    let mut plain = bind(Receiver::signed(KEY)).await;
    let mut safe = bind(Receiver::signed(KEY).path("/events").tls(Arc::new(tls))).await;
    assert!(safe.url().starts_with("https://127.0.0.1:") && safe.url().ends_with("/events"));
    sender.subscribe(&plain.url()).await;
    sender.subscribe(&safe.url()).await;
    let told: Vec<String> = (0..50).map(|number| format!("test {number}")).collect();
    for text in &told {
        sender.submit(text).await;
    }
    sender.seconds(1).await;
    assert_eq!(texts(&mut plain, 50).await, told);
    assert_eq!(texts(&mut safe, 50).await, told);
    // With the receiver its address goes.
    let address = plain.address;
    drop(plain);
    let again = async {
        while tokio::net::TcpListener::bind(address).await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LIMIT, again)
        .await
        .expect("the address is free");
}

/// What stands in a server of one's own: each second delivery is taken and answered as if it had not been, each third is not even looked at.
async fn faulty(
    service: Service,
    request: Request<axum::body::Body>,
    count: usize,
) -> Response<Full<Bytes>> {
    let refused = |status| {
        let mut answer = Response::new(Full::default());
        *answer.status_mut() = status;
        answer
    };
    if count % 3 == 2 {
        return refused(StatusCode::SERVICE_UNAVAILABLE);
    }
    let answer = service.oneshot(request).await.unwrap();
    if count % 2 == 1 {
        return refused(StatusCode::BAD_GATEWAY);
    }
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_again_because_an_answer_was_lost_is_given_out_once_and_in_order() {
    let (service, mut deliveries) = Receiver::signed(KEY).service();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    let handler = move |request: Request<axum::body::Body>| {
        let at = counted.fetch_add(1, Ordering::Relaxed);
        faulty(service.clone(), request, at)
    };
    let router = Router::new().route("/hook", axum::routing::post(handler));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let sender = Sender::new().await;
    sender.subscribe(&url).await;
    let told: Vec<String> = (0..20).map(|number| format!("test {number}")).collect();
    for text in &told {
        sender.submit(text).await;
        // Time for what failed to be sent again.
        sender.seconds(600).await;
    }
    assert_eq!(texts(&mut deliveries, 20).await, told);
    let sent = count.load(Ordering::Relaxed);
    assert!(sent > 25, "{sent} requests for 20 events are no retries");
    let quiet = tokio::time::timeout(Duration::from_millis(100), deliveries.next()).await;
    assert!(quiet.is_err(), "{quiet:?}");
}

#[tokio::test]
async fn it_stands_in_a_router_as_a_service() {
    let (service, mut deliveries) = Receiver::signed(KEY).service();
    let router = Router::new().route_service("/hook", service);
    let mut request = delivery("1", "one").map(axum::body::Body::new);
    *request.uri_mut() = "/hook".parse().unwrap();
    let answer = router.oneshot(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    assert!(
        answer
            .into_body()
            .collect()
            .await
            .unwrap()
            .to_bytes()
            .is_empty()
    );
    assert_eq!(text(&deliveries.next().await.unwrap()), "one");
}

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use hawkfish_client::Kind;
use hawkfish_client::redfish::model::event_destination::{
    EventDestinationCreate, EventDestinationPatch, EventDestinationProtocol,
};
use hawkfish_client::redfish::model::event_service::SubmitTestEventParams;
use hawkfish_client::typed::EventDestination;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::{Lab, done};

/// Whoever is told, and whether it takes what comes.
#[derive(Clone, Default)]
struct Ear {
    deaf: Arc<AtomicBool>,
    heard: Arc<Mutex<Vec<(HeaderMap, Value)>>>,
}

impl Ear {
    async fn listen(&self) -> String {
        let ear = self.clone();
        let router = Router::new().fallback(
            async move |headers: HeaderMap, axum::Json(body): axum::Json<Value>| {
                if ear.deaf.load(Ordering::Relaxed) {
                    return StatusCode::INTERNAL_SERVER_ERROR;
                }
                ear.heard.lock().unwrap().push((headers, body));
                StatusCode::NO_CONTENT
            },
        );
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        format!("http://{address}/")
    }

    fn messages(&self) -> Vec<String> {
        let heard = self.heard.lock().unwrap();
        heard
            .iter()
            .flat_map(|(_, body)| body["Events"].as_array().unwrap().clone())
            .map(|event| event["Message"].as_str().unwrap().to_owned())
            .collect()
    }
}

async fn subscribed(lab: &Lab, ear: &Ear) -> EventDestination {
    let service = lab.client.event_service().await.unwrap();
    done(service.set(&json!({"DeliveryRetryAttempts": 1})).await).await;
    let wanted = EventDestinationCreate {
        destination: ear.listen().await,
        protocol: Some(EventDestinationProtocol::Redfish),
        message_ids: Some(vec!["ResourceEvent.1.0.TestMessage".into()]),
        context: "ours".into(),
        ..EventDestinationCreate::default()
    };
    let outcome = service.subscribe(&wanted).await.unwrap();
    let made = lab.client.created(outcome).await.unwrap();
    assert_eq!(service.destinations().await.unwrap().len(), 1);
    made
}

async fn tell(lab: &Lab, text: &str) {
    let service = lab.client.event_service().await.unwrap();
    let event = SubmitTestEventParams {
        message_id: "ResourceEvent.1.0.TestMessage".into(),
        message: Some(text.into()),
        ..SubmitTestEventParams::default()
    };
    done(service.submit_test_event(&event).await).await;
    lab.pass(120).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_is_told_suspended_resumed_changed_and_deleted() {
    let lab = Lab::open().await;
    let ear = Ear::default();
    let mut destination = subscribed(&lab, &ear).await;
    tell(&lab, "one").await;
    done(destination.suspend().await).await;
    tell(&lab, "two").await;
    assert_eq!(ear.messages(), ["one"]);
    done(destination.resume().await).await;
    tell(&lab, "three").await;
    assert_eq!(ear.messages().last().unwrap(), "three");
    let change = EventDestinationPatch {
        context: "theirs".into(),
        ..EventDestinationPatch::default()
    };
    done(destination.change(&change).await).await;
    destination.refresh().await.unwrap();
    assert_eq!(destination.context.as_deref(), Some("theirs"));
    done(destination.delete().await).await;
    let error = destination.refresh().await.unwrap_err();
    assert_eq!(error.kind, Kind::NotFound);
    let told = ear.messages().len();
    tell(&lab, "four").await;
    assert_eq!(ear.messages().len(), told);
}

/// Lets time go on until so many are given up.
async fn given_up(lab: &Lab, destination: &mut EventDestination, count: i64) {
    for _ in 0..100 {
        destination.reload().await.unwrap();
        if destination.hawkfish().unwrap().dead_letter_count == Some(count) {
            return;
        }
        lab.pass(60).await;
    }
    panic!("{}", destination.raw());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_taken_is_looked_at_told_again_and_dropped() {
    let lab = Lab::open().await;
    let ear = Ear::default();
    let mut destination = subscribed(&lab, &ear).await;
    ear.deaf.store(true, Ordering::Relaxed);
    for text in ["one", "two", "three"] {
        tell(&lab, text).await;
    }
    given_up(&lab, &mut destination, 3).await;
    let ours = destination.hawkfish().unwrap();
    let letters = ours.dead_letters().await.unwrap();
    let texts: Vec<_> = letters
        .iter()
        .map(|letter| letter.message.as_deref().unwrap())
        .collect();
    assert_eq!(texts, ["one", "two", "three"]);
    ear.deaf.store(false, Ordering::Relaxed);
    done(letters[1].replay().await).await;
    lab.pass(60).await;
    assert_eq!(ear.messages(), ["two"]);
    assert_eq!(ours.dead_letters().await.unwrap().len(), 2);
    done(ours.replay_dead_letters().await).await;
    lab.pass(60).await;
    let mut told = ear.messages();
    told.sort();
    assert_eq!(told, ["one", "three", "two"]);
    assert!(ours.dead_letters().await.unwrap().is_empty());
    ear.deaf.store(true, Ordering::Relaxed);
    tell(&lab, "four").await;
    tell(&lab, "five").await;
    given_up(&lab, &mut destination, 2).await;
    let ours = destination.hawkfish().unwrap();
    let letters = ours.dead_letters().await.unwrap();
    assert_eq!(letters.len(), 2);
    done(letters[0].delete().await).await;
    assert_eq!(ours.dead_letters().await.unwrap().len(), 1);
    done(ours.drop_dead_letters().await).await;
    assert!(ours.dead_letters().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_delivered_is_signed_from_when_there_is_a_key() {
    let lab = Lab::open().await;
    let ear = Ear::default();
    let mut destination = subscribed(&lab, &ear).await;
    tell(&lab, "one").await;
    done(
        destination
            .hawkfish()
            .unwrap()
            .set_signing_key(Some("a key that nobody knows"))
            .await,
    )
    .await;
    tell(&lab, "two").await;
    destination.refresh().await.unwrap();
    assert_eq!(destination.hawkfish().unwrap().is_signed, Some(true));
    assert_eq!(destination.hawkfish().unwrap().signing_key.value(), None);
    done(destination.hawkfish().unwrap().set_signing_key(None).await).await;
    tell(&lab, "three").await;
    let heard = ear.heard.lock().unwrap();
    let signed: Vec<bool> = heard
        .iter()
        .map(|(headers, _)| {
            let mut names = headers.keys().map(|name| name.as_str());
            names.any(|name| name.contains("signature"))
        })
        .collect();
    assert_eq!(signed, [false, true, false]);
}

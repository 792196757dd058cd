//! Faults, as a client sees them.

use bytes::Bytes;
use hawkfish_client::Kind;
use hawkfish_sim::fault::{
    Answer, Calls, Damage, Delay, HangUp, Method, Pattern, Rule, Then, When, preset,
};
use hawkfish_sim::{PASSWORD, USER, World};
use http::{Request, Response, StatusCode};
use jiff::SignedDuration;
use serde_json::{Value, json};

const SYSTEMS: &str = "/redfish/v1/Systems";

async fn world(rules: impl IntoIterator<Item = Rule>) -> World {
    World::builder()
        .seed(7)
        .systems(2)
        .faults(rules)
        .start()
        .await
        .unwrap()
}

fn of(name: &str) -> Vec<Rule> {
    preset(name)
        .unwrap_or_else(|| panic!("no preset {name}"))
        .rules()
}

fn request(method: &str, uri: &str, body: Option<Value>) -> Request<Bytes> {
    use base64::Engine as _;
    let credentials = base64::prelude::BASE64_STANDARD.encode(format!("{USER}:{PASSWORD}"));
    let mut request = Request::builder()
        .method(method)
        .uri(uri)
        .header("authorization", format!("Basic {credentials}"));
    if body.is_some() {
        request = request.header("content-type", "application/json");
    }
    let body = body.map_or_else(Bytes::new, |body| body.to_string().into());
    request.body(body).unwrap()
}

async fn get(world: &World, uri: &str) -> Response<Bytes> {
    world.call(request("GET", uri, None)).await
}

async fn json(world: &World, uri: &str) -> Value {
    serde_json::from_slice(get(world, uri).await.body()).unwrap()
}

async fn first(world: &World) -> String {
    let all = json(world, SYSTEMS).await;
    all["Members"][0]["@odata.id"].as_str().unwrap().to_owned()
}

async fn reset(world: &World, system: &str, kind: &str) -> Option<StatusCode> {
    let uri = format!("{system}/Actions/ComputerSystem.Reset");
    let reset = request("POST", &uri, Some(json!({"ResetType": kind})));
    world
        .try_call(reset)
        .await
        .ok()
        .map(|answer| answer.status())
}

#[tokio::test]
async fn an_answer_in_place_of_the_services_is_a_redfish_error_with_its_message() {
    let full = world(of("session-table-full")).await;
    let login = json!({"UserName": USER, "Password": PASSWORD});
    let answer = full
        .call(request(
            "POST",
            "/redfish/v1/SessionService/Sessions",
            Some(login),
        ))
        .await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.headers()["retry-after"], "60");
    let body: Value = serde_json::from_slice(answer.body()).unwrap();
    let id = &body["error"]["@Message.ExtendedInfo"][0]["MessageId"];
    assert!(
        id.as_str().unwrap().ends_with(".SessionLimitExceeded"),
        "{body}"
    );
    let sessions = json(&full, "/redfish/v1/SessionService/Sessions").await;
    assert_eq!(sessions["Members@odata.count"], 0);
}

#[tokio::test]
async fn power_that_does_not_come_is_acknowledged_and_stays_away() {
    let world = world(of("power-does-not-come")).await;
    let system = first(&world).await;
    assert_eq!(
        reset(&world, &system, "On").await,
        Some(StatusCode::NO_CONTENT)
    );
    world.advance(SignedDuration::from_mins(10)).await.unwrap();
    assert_eq!(json(&world, &system).await["PowerState"], "Off");
    assert!(world.clear_fault("power-does-not-come"));
    assert_eq!(
        reset(&world, &system, "On").await,
        Some(StatusCode::NO_CONTENT)
    );
    world.advance(SignedDuration::from_mins(10)).await.unwrap();
    assert_eq!(json(&world, &system).await["PowerState"], "On");
}

#[tokio::test]
async fn an_answer_that_is_lost_is_of_something_that_was_done() {
    let lost = Rule::new("lost", Then::HangUp(HangUp::After)).when(When {
        method: vec![Method::Post],
        ..When::default()
    });
    let world = world([lost]).await;
    let system = first(&world).await;
    assert_eq!(reset(&world, &system, "On").await, None);
    assert_ne!(json(&world, &system).await["PowerState"], "Off");
}

#[tokio::test]
async fn a_delay_is_time_of_the_world_that_the_caller_has_waited() {
    let delay = Delay::between(SignedDuration::from_secs(2), SignedDuration::from_secs(5));
    let world = world([Rule::new("slow", Then::Delay(delay))]).await;
    let mut waits = Vec::new();
    for _ in 0..20 {
        let before = world.now();
        get(&world, "/redfish/v1").await;
        waits.push(world.now().duration_since(before));
    }
    let bounds = SignedDuration::from_secs(2)..=SignedDuration::from_secs(5);
    assert!(waits.iter().all(|wait| bounds.contains(wait)), "{waits:?}");
    waits.dedup();
    assert!(waits.len() > 10, "{waits:?}");
}

#[tokio::test]
async fn damaged_bodies_are_damaged_as_said() {
    for damage in [
        Damage::Truncated,
        Damage::Empty,
        Damage::Html,
        Damage::NotUtf8,
        Damage::CutOff,
    ] {
        let world = world([Rule::new("bad", Then::Damage(damage))]).await;
        let answer = get(&world, "/redfish/v1").await;
        assert_eq!(answer.status(), StatusCode::OK, "{damage:?}");
        assert!(
            serde_json::from_slice::<Value>(answer.body()).is_err(),
            "{damage:?}"
        );
        let said: usize = answer.headers()["content-length"]
            .to_str()
            .unwrap()
            .parse()
            .unwrap();
        assert_eq!(
            said == answer.body().len(),
            damage != Damage::CutOff,
            "{damage:?}"
        );
        let client = world.client().unwrap();
        let error = client.get_value("/redfish/v1").await.unwrap_err();
        let broke_off = matches!(error.kind, Kind::Transport);
        assert_eq!(broke_off, damage == Damage::CutOff, "{damage:?}: {error}");
    }
}

#[tokio::test]
async fn a_closed_connection_is_an_error_of_the_transport() {
    let when = When {
        uri: Some(Pattern::new("/redfish/v1/Systems").unwrap()),
        calls: Calls {
            most: Some(1),
            ..Calls::default()
        },
        ..When::default()
    };
    let world = world([Rule::new("gone", Then::HangUp(HangUp::Before)).when(when)]).await;
    let client = world.client().unwrap();
    let error = client.get_value(SYSTEMS).await.unwrap_err();
    assert_eq!(error.kind, Kind::Transport);
    assert!(client.get_value(SYSTEMS).await.is_ok());
    assert_eq!(world.fired("gone"), Some(1));
    assert!(
        world
            .trace()
            .as_str()
            .contains("fault \"gone\" for the 1. time")
    );
}

#[tokio::test]
async fn one_system_can_be_ill_while_another_is_well() {
    let answer = Answer {
        status: 500,
        message: "InternalError".to_owned(),
        ..Answer::default()
    };
    let ill = Rule::new("ill", Then::Answer(answer)).when(When {
        system: Some(Pattern::new("sim-00001").unwrap()),
        ..When::default()
    });
    let world = world([ill]).await;
    let all = json(&world, SYSTEMS).await;
    let mut seen = Vec::new();
    for member in all["Members"].as_array().unwrap() {
        let answer = get(&world, member["@odata.id"].as_str().unwrap()).await;
        seen.push(answer.status().as_u16());
    }
    seen.sort_unstable();
    assert_eq!(seen, [200, 500]);
}

#[tokio::test]
async fn the_same_seed_has_the_same_faults() {
    let mut traces = Vec::new();
    for _ in 0..2 {
        let world = world(of("busy-now-and-then")).await;
        for _ in 0..50 {
            get(&world, "/redfish/v1/Systems").await;
        }
        assert!(world.fired("busy-now-and-then").unwrap() > 0);
        traces.push(world.trace());
    }
    assert_eq!(traces[0], traces[1]);
}

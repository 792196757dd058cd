//! A world on sockets: faults as a client on a wire sees them, and the control.

use std::net::SocketAddr;

use hawkfish_sim::fault::{Damage, HangUp, Rule, Then, preset};
use hawkfish_sim::{PASSWORD, USER, World};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

const ANY: &str = "127.0.0.1:0";

fn any() -> SocketAddr {
    ANY.parse().unwrap()
}

async fn get(url: &str) -> reqwest::Result<reqwest::Response> {
    let client = Client::builder().no_proxy().build().unwrap();
    client
        .get(url)
        .basic_auth(USER, Some(PASSWORD))
        .send()
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_a_fault_closes_is_closed_without_an_answer() {
    let world = World::builder().start().await.unwrap();
    let served = world.serve(any()).await.unwrap();
    let root = format!("{}/redfish/v1/", served.url());
    assert_eq!(get(&root).await.unwrap().status(), StatusCode::OK);
    world
        .set_fault(Rule::new("gone", Then::HangUp(HangUp::Before)))
        .unwrap();
    let error = get(&root).await.unwrap_err();
    assert!(error.is_request(), "{error:?}");
    assert!(world.clear_fault("gone"));
    world
        .set_fault(Rule::new("cut", Then::Damage(Damage::CutOff)))
        .unwrap();
    let answer = get(&root).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    answer.bytes().await.unwrap_err();
    assert!(world.clear_fault("cut"));
    assert_eq!(get(&root).await.unwrap().status(), StatusCode::OK);
    served.end().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_control_moves_time_and_sets_faults_for_who_has_the_token() {
    let world = World::builder().seed(3).start().await.unwrap();
    let served = world.serve(any()).await.unwrap();
    let control = world.serve_control(any(), "secret").await.unwrap();
    let client = Client::builder().no_proxy().build().unwrap();
    let url = |path: &str| format!("{}{path}", control.url());

    let refused = client.get(url("/time")).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);

    let system = {
        let systems = get(&format!("{}/redfish/v1/Systems", served.url()))
            .await
            .unwrap();
        let systems: Value = systems.json().await.unwrap();
        let uri = systems["Members"][0]["@odata.id"]
            .as_str()
            .unwrap()
            .to_owned();
        format!("{}{uri}", served.url())
    };
    let on = client
        .post(format!("{system}/Actions/ComputerSystem.Reset"))
        .basic_auth(USER, Some(PASSWORD))
        .json(&json!({"ResetType": "On"}))
        .send()
        .await
        .unwrap();
    assert_eq!(on.status(), StatusCode::NO_CONTENT);
    let state = async || {
        let system: Value = get(&system).await.unwrap().json().await.unwrap();
        system["PowerState"].as_str().unwrap().to_owned()
    };
    assert_eq!(state().await, "PoweringOn");
    let advance = json!({"advance": "10m"});
    let moved = client
        .post(url("/time"))
        .bearer_auth("secret")
        .json(&advance)
        .send()
        .await;
    let moved: Value = moved.unwrap().json().await.unwrap();
    assert_eq!(moved["age_seconds"], 600.0);
    assert_eq!(state().await, "On");

    let put = client
        .put(url("/faults/presets/session-table-full"))
        .bearer_auth("secret");
    assert_eq!(put.send().await.unwrap().status(), StatusCode::NO_CONTENT);
    let login = || {
        client
            .post(format!(
                "{}/redfish/v1/SessionService/Sessions",
                served.url()
            ))
            .json(&json!({"UserName": USER, "Password": PASSWORD}))
            .send()
    };
    assert_eq!(
        login().await.unwrap().status(),
        StatusCode::SERVICE_UNAVAILABLE
    );
    let faults = client
        .get(url("/faults"))
        .bearer_auth("secret")
        .send()
        .await
        .unwrap();
    let faults: Value = faults.json().await.unwrap();
    assert_eq!(faults["faults"][0]["fired"], 1, "{faults}");
    let bad = json!({"name": "bad", "then": {"answer": {"status": 200}}});
    let bad = client
        .put(url("/faults"))
        .bearer_auth("secret")
        .json(&bad)
        .send()
        .await
        .unwrap();
    assert_eq!(bad.status(), StatusCode::BAD_REQUEST);
    let clear = client
        .delete(url("/faults/session-table-full"))
        .bearer_auth("secret");
    assert_eq!(clear.send().await.unwrap().status(), StatusCode::NO_CONTENT);
    assert_eq!(login().await.unwrap().status(), StatusCode::CREATED);
    assert!(preset("session-table-full").is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn time_that_goes_by_itself_brings_what_is_due() {
    let world = World::builder().start().await.unwrap();
    let served = world.serve(any()).await.unwrap();
    world.start_running();
    // A machine is up after some seconds of its time: here at once.
    world.clock().set_speed(10_000.0);
    let systems = get(&format!("{}/redfish/v1/Systems", served.url()))
        .await
        .unwrap();
    let systems: Value = systems.json().await.unwrap();
    let uri = systems["Members"][0]["@odata.id"].as_str().unwrap();
    let system = format!("{}{uri}", served.url());
    let client = Client::builder().no_proxy().build().unwrap();
    let on = client
        .post(format!("{system}/Actions/ComputerSystem.Reset"))
        .basic_auth(USER, Some(PASSWORD))
        .json(&json!({"ResetType": "On"}))
        .send();
    on.await.unwrap();
    let mut state = String::new();
    // Bounded by what can be read, not by time.
    for _ in 0..10_000 {
        let system: Value = get(&system).await.unwrap().json().await.unwrap();
        state = system["PowerState"].as_str().unwrap().to_owned();
        if state == "On" {
            break;
        }
    }
    assert_eq!(state, "On");
    world.close().await.unwrap();
}

//! Time goes as it is told, by hand and over the control, and whoever asks is told the world's time.

use bytes::Bytes;
use hawkfish_sim::{Error, Phase, World};
use http::{Request, StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

async fn world() -> World {
    World::builder().seed(5).systems(2).start().await.unwrap()
}

async fn system(world: &World) -> String {
    let client = world.client().unwrap();
    let listed = client.get_value("/redfish/v1/Systems").await.unwrap().value;
    listed["Members"][0]["@odata.id"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// The id, by which the world knows it too.
fn id(uri: &str) -> &str {
    uri.rsplit('/').next().unwrap()
}

async fn on(world: &World, uri: &str) {
    let client = world.client().unwrap();
    let action = format!("{uri}/Actions/ComputerSystem.Reset");
    let body = json!({"ResetType": "On"});
    client.post(&action, &body).await.unwrap();
}

#[tokio::test]
async fn time_goes_from_one_thing_due_to_the_next() {
    let world = world().await;
    let uri = system(&world).await;
    on(&world, &uri).await;
    let mut seen = vec![world.guest(id(&uri)).unwrap().phase];
    let before = world.now();
    while seen.last() != Some(&Phase::Up) {
        let due = world.next_due().unwrap();
        assert_eq!(world.step().await.unwrap(), Some(due));
        let phase = world.guest(id(&uri)).unwrap().phase;
        if seen.last() != Some(&phase) {
            seen.push(phase);
        }
        assert!(world.now().duration_since(before) < HOUR);
    }
    assert_eq!(seen, [Phase::SelfTest, Phase::Booting, Phase::Up]);
}

#[tokio::test]
async fn what_does_not_come_is_an_error_at_the_moment_it_was_given_up() {
    let world = world().await;
    let before = world.now();
    let never = world.run_until(HOUR, async |_| false).await.unwrap_err();
    assert!(
        matches!(never, Error::NotReached { at, .. } if at == before + HOUR),
        "{never}"
    );
    assert!(never.to_string().contains("after 1h"), "{never}");
    assert_eq!(world.now(), before + HOUR);
    assert!(matches!(
        world.run_until_phase("sim-00099", Phase::Up, HOUR).await,
        Err(Error::NoSystem(_))
    ));
    let minute = before + HOUR + SignedDuration::from_mins(1);
    let reached = world
        .run_until(HOUR, async |world| world.now() >= minute)
        .await;
    assert_eq!(reached.unwrap(), minute);
}

#[tokio::test]
async fn whoever_asks_is_told_the_time_of_the_world() {
    let world = world().await;
    let uri = system(&world).await;
    let later: Timestamp = "2031-05-04T03:02:01Z".parse().unwrap();
    world.advance_to(later).await.unwrap();
    on(&world, &uri).await;
    let request = Request::get("/redfish/v1/").body(Bytes::new()).unwrap();
    let response = world.call(request).await;
    assert_eq!(response.headers()["date"], "Sun, 04 May 2031 03:02:01 GMT");
    let client = world.client().unwrap();
    let manager = uri.replace("/Systems/", "/Managers/");
    let manager = client.get_value(&manager).await.unwrap().value;
    let shown: Timestamp = manager["DateTime"].as_str().unwrap().parse().unwrap();
    assert_eq!(shown, later);
    let shown = client.get_value(&uri).await.unwrap().value;
    let reset: Timestamp = shown["LastResetTime"].as_str().unwrap().parse().unwrap();
    assert_eq!(reset, later);
}

#[tokio::test]
async fn requests_are_answered_while_time_stands_still() {
    let world = world().await;
    let uri = system(&world).await;
    let before = world.now();
    let insert = format!("{uri}/VirtualMedia/Cd/Actions/VirtualMedia.InsertMedia");
    let asked = async |body: Value| {
        let authorization = "Basic YWRtaW46aGF3a2Zpc2g=";
        let request = Request::post(&insert)
            .header("content-type", "application/json")
            .header("authorization", authorization)
            .body(Bytes::from(body.to_string()));
        let answer = world.call(request.unwrap());
        // No wait: what never ends must not hang the test.
        tokio::time::timeout(std::time::Duration::from_secs(30), answer)
            .await
            .expect("it waits for a time that does not come")
    };
    let refused = asked(json!({"Image": "http://nowhere.invalid/x.iso"})).await;
    assert!(refused.status().is_client_error() || refused.status().is_server_error());
    let done = asked(json!({"Image": "http://images.example/x.iso"})).await;
    assert!(done.status().is_success(), "{done:?}");
    assert_eq!(world.now(), before, "time went on by itself");
}

#[tokio::test]
async fn the_control_moves_time_and_tells_what_happened() {
    let world = world().await;
    let uri = system(&world).await;
    let control = world
        .serve_control("127.0.0.1:0".parse().unwrap(), "token".to_owned())
        .await
        .unwrap();
    let http = reqwest::Client::new();
    let url = control.url();
    let send = async |method: &str, path: &str, body: Value| -> (StatusCode, Value) {
        let method = method.parse().unwrap();
        let request = http
            .request(method, format!("{url}{path}"))
            .bearer_auth("token");
        let response = request.body(body.to_string()).send().await.unwrap();
        let status = response.status();
        let text = response.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    };
    on(&world, &uri).await;
    let wanted =
        json!({"system": id(&uri), "phase": "Up", "power": "On", "boots": 1, "within": "10m"});
    let (status, told) = send("POST", "/time/until", wanted).await;
    assert_eq!(
        (status, &told["reached"]),
        (StatusCode::OK, &json!(true)),
        "{told}"
    );
    let phases: Vec<&str> = told["happened"]
        .as_array()
        .unwrap()
        .iter()
        .map(|seen| seen["phase"].as_str().unwrap())
        .collect();
    assert_eq!(phases, ["SelfTest", "Booting", "Up"], "{told}");
    let (_, told) = send("GET", &format!("/systems/{}", id(&uri)), Value::Null).await;
    assert_eq!(
        (&told["phase"], &told["power"], &told["boots"]),
        (&json!("Up"), &json!("On"), &json!(1))
    );
    let (_, all) = send("GET", &format!("/consoles/{}", id(&uri)), Value::Null).await;
    assert!(all["text"].as_str().unwrap().contains("login:"), "{all}");
    let next = all["next"].as_u64().unwrap();
    let (_, more) = send(
        "GET",
        &format!("/consoles/{}?since={next}", id(&uri)),
        Value::Null,
    )
    .await;
    assert_eq!(more["text"], "");
    let never = json!({"system": id(&uri), "phase": "Panicked", "within": "1m"});
    let (status, told) = send("POST", "/time/until", never).await;
    assert_eq!((status, &told["reached"]), (StatusCode::OK, &json!(false)));
    assert_eq!(told["waited_seconds"], 60.0);
    for (wrong, why) in [
        (json!({}), "until what"),
        (json!({"phase": "Up"}), "of which system"),
        (json!({"system": "nobody", "phase": "Up"}), "nobody"),
        (json!({"system": id(&uri)}), "what of the system"),
        (json!({"system": id(&uri), "phase": "Asleep"}), "Asleep"),
        (json!({"system": id(&uri), "power": "Maybe"}), "Maybe"),
        (
            json!({"at": "2026-01-02T00:00:00Z", "within": "-1s"}),
            "within",
        ),
    ] {
        let (status, told) = send("POST", "/time/until", wrong.clone()).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{wrong}: {told}");
        assert!(
            told["error"].as_str().unwrap().contains(why),
            "{wrong}: {told}"
        );
    }
    let (status, _) = send("POST", "/time", json!({"speed": 1000.0})).await;
    assert_eq!(status, StatusCode::OK);
    let (status, _) = send("POST", "/time/until", json!({"at": "2027-01-01T00:00:00Z"})).await;
    assert_eq!(status, StatusCode::CONFLICT);
    let (_, frozen) = send("POST", "/time/freeze", Value::Null).await;
    assert_eq!(frozen["speed"], 0.0);
    let stands = world.now();
    tokio::task::yield_now().await;
    assert_eq!(world.now(), stands, "it is not frozen");
    let (_, thawed) = send("POST", "/time/thaw", Value::Null).await;
    assert_eq!(thawed["speed"], 1000.0);
    send("POST", "/time/freeze", Value::Null).await;
    let (status, told) = send("POST", "/time/step", Value::Null).await;
    assert_eq!(status, StatusCode::OK, "{told}");
    control.end().await.unwrap();
}

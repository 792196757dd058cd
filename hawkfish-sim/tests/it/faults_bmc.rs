//! BMCs that restart and whose clocks are wrong, as a client sees them.

use hawkfish_sim::fault::{Away, Bmc, Reboot, Rule, Then};
use hawkfish_sim::{PASSWORD, USER};
use jiff::{SignedDuration, Timestamp};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::bench::{Bench, Receiver};

const ROOT: &str = "/redfish/v1/";

async fn login(bench: &Bench) -> String {
    let path = "/redfish/v1/SessionService/Sessions";
    let made = bench
        .post(path, json!({"UserName": USER, "Password": PASSWORD}))
        .await;
    assert_eq!(made.status(), StatusCode::CREATED);
    made.headers()["x-auth-token"].to_str().unwrap().to_owned()
}

async fn with_token(bench: &Bench, token: &str) -> StatusCode {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client
        .get(bench.url(&bench.system))
        .header("x-auth-token", token);
    request.send().await.unwrap().status()
}

async fn time(bench: &Bench) -> Timestamp {
    let manager = bench.get(&bench.manager()).await;
    manager["DateTime"].as_str().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_25th_request_finds_a_bmc_that_restarts() {
    let bench = Bench::with(&["bmc-reboots-now-and-then"]).await;
    let token = login(&bench).await;
    for _ in 0..23 {
        assert_eq!(with_token(&bench, &token).await, StatusCode::OK);
    }
    for _ in 0..3 {
        let error = bench.send(Method::GET, ROOT, None).await.unwrap_err();
        assert!(error.is_request(), "{error:?}");
    }
    assert_eq!(bench.fired("bmc-reboots-now-and-then"), 1);
    bench.wait(30).await;
    assert_eq!(bench.answer(ROOT).await.status(), StatusCode::OK);
    assert_eq!(with_token(&bench, &token).await, StatusCode::UNAUTHORIZED);
    let manager = bench.get(&bench.manager()).await;
    let last = manager["LastResetTime"].as_str().unwrap();
    assert!(last.starts_with("2026-01-01T00:00:00"), "{last}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_hour_a_bmc_is_busy_and_then_away() {
    let bench = Bench::with(&["bmc-reboots-every-hour"]).await;
    for hour in 1..=2 {
        bench.wait(3600 - (hour - 1) * 80).await;
        let busy = bench.answer(ROOT).await;
        assert_eq!(
            busy.status(),
            StatusCode::SERVICE_UNAVAILABLE,
            "hour {hour}"
        );
        assert!(busy.headers().contains_key("retry-after"));
        bench.wait(20).await;
        bench.send(Method::GET, ROOT, None).await.unwrap_err();
        bench.wait(60).await;
        assert_eq!(bench.answer(ROOT).await.status(), StatusCode::OK);
        assert_eq!(bench.fired("bmc-reboots-every-hour"), hour as u64);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bmc_that_hangs_keeps_who_asks_waiting_and_then_its_sessions() {
    let bench = Bench::with(&["bmc-hangs"]).await;
    let token = login(&bench).await;
    bench.wait(300).await;
    let before = bench.world.now();
    bench.send(Method::GET, ROOT, None).await.unwrap_err();
    let waited = bench.world.now().duration_since(before);
    assert_eq!(waited, SignedDuration::from_mins(2));
    assert_eq!(with_token(&bench, &token).await, StatusCode::OK);
    assert_eq!(bench.fired("bmc-hangs"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_begins_anew_in_1970() {
    let bench = Bench::with(&["clock-in-1970"]).await;
    assert_eq!(time(&bench).await, bench.world.now());
    bench.wait(300 + 90).await;
    let shown = time(&bench).await.to_string();
    assert_eq!(shown, "1970-01-01T00:00:30Z");
    // Whoever sets it sets it right.
    let now = bench.world.now();
    let wanted = json!({"DateTime": now.to_string()});
    bench.patch(&bench.manager(), wanted).await;
    bench.wait(10).await;
    assert_eq!(time(&bench).await, bench.world.now());
    assert_eq!(bench.fired("clock-in-1970"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_ahead_shows_in_events_and_in_the_log() {
    let bench = Bench::with(&["clock-an-hour-ahead"]).await;
    let receiver = Receiver::start().await;
    bench.subscribe(&receiver).await;
    assert_eq!(bench.reset("On").await, StatusCode::NO_CONTENT);
    bench.wait(1).await;
    let hour = SignedDuration::from_hours(1);
    assert_eq!(time(&bench).await, bench.world.now() + hour);
    let events = receiver.events();
    assert!(!events.is_empty());
    for event in events {
        let at = event["EventTimestamp"].as_str().unwrap();
        assert!(at.starts_with("2026-01-01T01:00:0"), "{at}");
    }
    let log = format!("{}/LogServices/Event/Entries", bench.system);
    let log = bench.get(&log).await;
    let created = log["Members"][0]["Created"].as_str().unwrap();
    assert!(created.starts_with("2026-01-01T01:00:0"), "{created}");
    assert_eq!(bench.fired("clock-an-hour-ahead"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_drifts_loses_four_seconds_in_an_hour() {
    let bench = Bench::with(&["clock-drifts"]).await;
    bench.wait(3600).await;
    let behind = bench.world.now().duration_since(time(&bench).await);
    assert!((3..=4).contains(&behind.as_secs()), "{behind}");
    bench.wait(3600).await;
    let behind = bench.world.now().duration_since(time(&bench).await);
    assert!((7..=8).contains(&behind.as_secs()), "{behind}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bmc_that_forgets_its_settings_has_no_local_time() {
    let bench = Bench::with(&["bmc-forgets-its-settings"]).await;
    let local = json!({"DateTimeLocalOffset": "+02:00"});
    bench.patch(&bench.manager(), local).await;
    let offset = async || bench.get(&bench.manager()).await["DateTimeLocalOffset"].clone();
    assert_eq!(offset().await, "+02:00");
    bench.wait(600).await;
    let away = bench.answer(&bench.manager()).await;
    assert_eq!(away.status(), StatusCode::SERVICE_UNAVAILABLE);
    bench.wait(60).await;
    assert_eq!(offset().await, "+00:00");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_whose_time_is_over_happens_now() {
    let bench = Bench::with(&[]).await;
    let reboot = Reboot {
        away: Away::Busy,
        ..Reboot::default()
    };
    bench.wait(100).await;
    let mut now = Rule::new("now", Then::Bmc(Bmc::Reboot(reboot)));
    now.when.at = Some(SignedDuration::ZERO);
    bench.world.set_fault(now).unwrap();
    let busy = bench.answer(ROOT).await;
    assert_eq!(busy.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(busy.headers()["retry-after"], "61");
    bench.wait(60).await;
    assert_eq!(bench.answer(ROOT).await.status(), StatusCode::OK);
}

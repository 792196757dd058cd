//! `hawkfish sensors`: what is measured, with what is wrong first.

use hawkfish_sim::fault::Rule;
use jiff::SignedDuration;
use serde_json::json;

use super::rack::Rack;

#[tokio::test(flavor = "multi_thread")]
async fn sensors_are_listed_with_their_thresholds_and_what_is_wrong_comes_first() {
    let rack = Rack::of(1).await;
    insta::assert_snapshot!("sensors_ls", rack.run(&["sensors", "ls"]).await.done());
    let none = rack
        .run(&["sensors", "ls", "--bad", "-o", "json"])
        .await
        .json();
    assert_eq!(none, json!([]));

    rack.run(&["systems", "power", "sim-00001", "On"])
        .await
        .done();
    let hot = json!({
        "name": "hot", "when": {"system": "sim-00001", "at": "PT0S"},
        "then": {"machine": {"sensor_shows": {"id": "CPU1Temperature", "reading": 101.0}}},
    });
    rack.world
        .set_fault(serde_json::from_value::<Rule>(hot).unwrap())
        .unwrap();
    rack.world
        .advance(SignedDuration::from_secs(5))
        .await
        .unwrap();
    let all = rack.run(&["sensors", "ls"]).await.done();
    let first = all.lines().nth(1).unwrap();
    assert!(
        first.starts_with("Critical")
            && first.contains("Processor 1 temperature")
            && first.contains("101 °C"),
        "{all}"
    );
    let bad = rack
        .run(&["sensors", "ls", "--bad", "-o", "json"])
        .await
        .json();
    assert_eq!(bad.as_array().unwrap().len(), 1);
    assert_eq!(
        bad[0]["@odata.type"].as_str().unwrap().split('.').next(),
        Some("#Sensor")
    );
    let shown = rack
        .run(&["sensors", "show", "CPU1Temperature"])
        .await
        .done();
    assert!(
        shown.contains("101 °C") && shown.contains("≥105"),
        "{shown}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn sensors_are_chosen_by_chassis_and_by_kind() {
    let rack = Rack::of(2).await;
    let of_one = rack.run(&[
        "sensors",
        "ls",
        "Chassis of sim-00001",
        "--kind",
        "temperature",
    ]);
    let out = of_one.await.done();
    assert!(out.lines().count() > 3, "{out}");
    for line in out.lines().skip(1) {
        assert!(line.contains("°C") && line.contains("sim-00001"), "{line}");
    }
    let err = rack
        .run(&["sensors", "show", "CPU1Temperature"])
        .await
        .failed(2);
    assert!(err.contains("--chassis"), "{err}");
    rack.run(&["sensors", "show", "Nothing"]).await.failed(4);
    rack.run(&["sensors", "ls", "nowhere"]).await.failed(4);
}

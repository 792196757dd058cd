//! `hawkfish service`: what it is and can do, and what time it is there.

use super::rack::Rack;

#[tokio::test(flavor = "multi_thread")]
async fn a_service_says_what_it_is_and_can_do() {
    let rack = Rack::of(1).await;
    insta::assert_snapshot!("service_show", rack.run(&["service", "show"]).await.done());
    insta::assert_snapshot!(
        "service_features",
        rack.run(&["service", "features"]).await.done()
    );
    insta::assert_snapshot!(
        "service_versions",
        rack.run(&["service", "versions"]).await.done()
    );
    let said = rack
        .run(&["service", "features", "-o", "json"])
        .await
        .json();
    assert_eq!(
        said,
        rack.get("/redfish/v1/").await["ProtocolFeaturesSupported"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_off_is_told_by_how_much() {
    let rack = Rack::of(1).await;
    let there = rack.world.now();
    let clocks = rack.run(&["service", "clock", "-o", "json"]).await.json();
    let clocks = clocks.as_array().unwrap();
    assert_eq!(clocks.len(), 2, "{clocks:?}");
    let off = there.duration_since(jiff::Timestamp::now()).as_secs();
    for clock in clocks {
        let told = clock["OffSeconds"].as_i64().unwrap();
        assert!((told - off).abs() < 120, "{told} {off}");
        let said = clock["Off"].as_str().unwrap();
        assert!(said.ends_with("slow") && said.contains(" d "), "{said}");
    }
}

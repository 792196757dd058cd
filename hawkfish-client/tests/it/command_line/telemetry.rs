//! `hawkfish telemetry`: reports and what they are made of.

use super::rack::Rack;

const DEFINITION: &str = "/redfish/v1/TelemetryService/MetricReportDefinitions/Power";

#[tokio::test(flavor = "multi_thread")]
async fn reports_are_listed_and_read() {
    let rack = Rack::of(1).await;
    rack.run(&["systems", "power", "sim-00001", "On"])
        .await
        .done();
    insta::assert_snapshot!(
        "reports_ls",
        rack.run(&["telemetry", "reports", "ls"]).await.done()
    );
    let power = [
        "telemetry",
        "reports",
        "show",
        "Power",
        "--metric",
        "PowerConsumption",
        "-o",
        "json",
    ];
    let values = rack.run(&power).await.json();
    let values = values.as_array().unwrap();
    assert_eq!(values.len(), 1);
    let watts: f64 = values[0]["MetricValue"].as_str().unwrap().parse().unwrap();
    assert!(watts > 0.0);
    rack.run(&["telemetry", "reports", "show", "Weather"])
        .await
        .failed(4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_is_switched_off_and_removed() {
    let rack = Rack::of(1).await;
    let metrics = rack.run(&["telemetry", "metrics", "ls"]).await.done();
    insta::assert_snapshot!("metrics_ls", metrics);
    let definitions = ["telemetry", "definitions", "ls"];
    insta::assert_snapshot!("definitions_ls", rack.run(&definitions).await.done());
    let disabled = rack
        .run(&["telemetry", "definitions", "disable", "Power"])
        .await
        .done();
    assert_eq!(disabled, "Power: disabled\n");
    assert_eq!(
        rack.get(DEFINITION).await["MetricReportDefinitionEnabled"],
        false
    );
    rack.run(&["telemetry", "definitions", "enable", "Power"])
        .await
        .done();
    assert_eq!(
        rack.get(DEFINITION).await["MetricReportDefinitionEnabled"],
        true
    );
    let shown = rack
        .run(&["telemetry", "definitions", "show", "Power"])
        .await
        .done();
    assert!(shown.contains("/MetricReports/Power"), "{shown}");
}

//! Telemetry through the door: reports on request and by the clock, and definitions that name what is wrong with them.

use jiff::SignedDuration;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::door::{Answer, Door};

const SERVICE: &str = "/redfish/v1/TelemetryService";

async fn define(door: &Door, body: &Value) -> Answer {
    let uri = format!("{SERVICE}/MetricReportDefinitions");
    door.send("POST", &uri).admin().json(body).answer().await
}

/// Lets time go on, stopping at everything that is due.
async fn pass(door: &Door, seconds: i64) {
    let hf = door.app.hawkfish();
    let end = hf.clock().now() + SignedDuration::from_secs(seconds);
    while let Some(next) = hf.next_due().filter(|next| *next <= end) {
        door.clock.set(next);
        hf.tick().await.unwrap();
    }
    door.clock.set(end);
    hf.tick().await.unwrap();
}

fn values(report: &Answer) -> &Vec<Value> {
    report.body["MetricValues"].as_array().unwrap()
}

fn times(report: &Answer) -> Vec<i64> {
    let begin: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let mut times: Vec<i64> = values(report)
        .iter()
        .map(|value| {
            let at: Timestamp = value["Timestamp"].as_str().unwrap().parse().unwrap();
            at.duration_since(begin).as_secs()
        })
        .collect();
    times.dedup();
    times
}

#[tokio::test]
async fn a_report_on_request_holds_what_the_properties_it_names_read_now() {
    let door = Door::open().await;
    let reset = format!("{}/Actions/ComputerSystem.Reset", door.system(0));
    let on = json!({"ResetType": "On"});
    assert_eq!(
        door.send("POST", &reset)
            .admin()
            .json(&on)
            .answer()
            .await
            .status,
        204
    );
    pass(&door, 60).await;
    let mut all = Vec::new();
    for name in ["Power", "Storage", "Temperature", "Utilization"] {
        let report = door.read(&format!("{SERVICE}/MetricReports/{name}")).await;
        assert!(!values(&report).is_empty(), "{name}");
        all.extend(values(&report).iter().cloned());
    }
    for value in &all {
        let property = value["MetricProperty"].as_str().unwrap();
        let (uri, pointer) = property.split_once('#').unwrap();
        let read = door.read(uri).await.body.pointer(pointer).cloned().unwrap();
        let told: f64 = value["MetricValue"].as_str().unwrap().parse().unwrap();
        assert_eq!(read.as_f64(), Some(told), "{property}");
        let definition = format!(
            "{SERVICE}/MetricDefinitions/{}",
            value["MetricId"].as_str().unwrap()
        );
        door.read(&definition).await;
    }
}

#[tokio::test]
async fn a_periodic_report_is_made_by_the_clock_and_a_definition_can_be_changed_and_deleted() {
    let door = Door::open().await;
    let chassis = door.system(0).replace("Systems", "Chassis");
    let property = format!("{chassis}/Sensors/{{Fan}}#/Reading");
    let body = json!({
        "Id": "Fans",
        "Name": "Fans of one",
        "MetricReportDefinitionType": "Periodic",
        "Schedule": {"RecurrenceInterval": "PT30S", "InitialStartTime": "2026-01-01T00:00:30Z"},
        "ReportUpdates": "AppendWrapsWhenFull",
        "Wildcards": [{"Name": "Fan", "Values": ["Fan1Speed", "Fan2Speed"]}],
        "MetricProperties": [property],
    });
    let made = define(&door, &body).await;
    assert_eq!(made.status, 201, "{made:?}");
    let uri = made.header("location").to_owned();
    assert_eq!(uri, format!("{SERVICE}/MetricReportDefinitions/Fans"));
    for name in ["Wildcards", "MetricProperties", "ReportUpdates"] {
        assert_eq!(made.body[name], body[name]);
    }
    let report = made.body["MetricReport"]["@odata.id"]
        .as_str()
        .unwrap()
        .to_owned();
    pass(&door, 95).await;
    let now = door.read(&report).await;
    assert_eq!(times(&now), [30, 60, 90]);
    assert_eq!(values(&now).len(), 6);
    let uris = |at: usize| {
        values(&now)[at]["MetricProperty"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert!(uris(0).ends_with("Fan1Speed#/Reading") && uris(1).ends_with("Fan2Speed#/Reading"));

    let patch = json!({"Schedule": {"RecurrenceInterval": "PT60S", "InitialStartTime": "2026-01-01T00:03:00Z"}});
    let answer = door.send("PATCH", &uri).admin().json(&patch).answer().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.body["Schedule"]["RecurrenceInterval"], "PT1M");
    pass(&door, 160).await;
    assert_eq!(times(&door.read(&report).await), [30, 60, 90, 180, 240]);

    let patch = json!({"MetricReportDefinitionEnabled": false});
    let answer = door.send("PATCH", &uri).admin().json(&patch).answer().await;
    assert_eq!(
        (answer.status.as_u16(), &answer.body["Status"]["State"]),
        (200, &json!("Disabled"))
    );
    pass(&door, 300).await;
    assert_eq!(times(&door.read(&report).await).len(), 5);

    let clear = format!("{SERVICE}/Actions/TelemetryService.ClearMetricReports");
    let answer = door
        .send("POST", &clear)
        .admin()
        .json(&json!({}))
        .answer()
        .await;
    assert_eq!(answer.status, 204);
    assert!(values(&door.read(&report).await).is_empty());

    assert_eq!(door.send("DELETE", &uri).admin().answer().await.status, 204);
    for gone in [&uri, &report] {
        let answer = door.send("GET", gone).admin().answer().await;
        answer.refused(404, "ResourceMissingAtURI");
    }
}

#[tokio::test]
async fn a_report_on_change_is_made_when_something_changes() {
    let door = Door::open().await;
    let body = json!({
        "MetricReportDefinitionType": "OnChange",
        "ReportUpdates": "AppendWrapsWhenFull",
        "Metrics": [{"MetricId": "PowerConsumption"}],
    });
    let made = define(&door, &body).await;
    assert_eq!(made.status, 201, "{made:?}");
    let report = made.body["MetricReport"]["@odata.id"]
        .as_str()
        .unwrap()
        .to_owned();
    // What is off takes the same all the time.
    pass(&door, 100).await;
    assert_eq!(times(&door.read(&report).await), [10]);
    let reset = format!("{}/Actions/ComputerSystem.Reset", door.system(0));
    let on = json!({"ResetType": "On"});
    assert_eq!(
        door.send("POST", &reset)
            .admin()
            .json(&on)
            .answer()
            .await
            .status,
        204
    );
    pass(&door, 10).await;
    assert_eq!(times(&door.read(&report).await), [10, 110]);
}

#[tokio::test]
async fn a_bad_definition_is_refused_by_the_name_of_what_is_wrong() {
    let door = Door::open().await;
    let good = json!(["/redfish/v1/Chassis/{C}/EnvironmentMetrics#/PowerWatts/Reading"]);
    let all = json!([{"Name": "C", "Values": ["*"]}]);
    for (body, key, pointer) in [
        (
            json!({"Name": "x"}),
            "PropertyMissing",
            "#/MetricProperties",
        ),
        (
            json!({"MetricProperties": ["/redfish/v1/Nothing#/X"]}),
            "PropertyValueNotInList",
            "#/MetricProperties/0",
        ),
        (
            json!({"MetricProperties": good}),
            "PropertyValueNotInList",
            "#/MetricProperties/0",
        ),
        (
            json!({"MetricProperties": ["/redfish/v1/Chassis/none/EnvironmentMetrics#/PowerWatts/Reading"]}),
            "PropertyValueNotInList",
            "#/MetricProperties/0",
        ),
        (
            json!({"Metrics": [{"MetricId": "Nothing"}]}),
            "PropertyValueNotInList",
            "#/Metrics/0/MetricId",
        ),
        (
            json!({"MetricReportDefinitionType": "Periodic", "MetricProperties": good, "Wildcards": all}),
            "PropertyMissing",
            "#/Schedule/RecurrenceInterval",
        ),
        (
            json!({"Schedule": {"RecurrenceInterval": "PT1S"}, "MetricProperties": good, "Wildcards": all}),
            "PropertyValueOutOfRange",
            "#/Schedule/RecurrenceInterval",
        ),
        (
            json!({"ReportActions": ["RedfishEvent"], "MetricProperties": good, "Wildcards": all}),
            "PropertyValueNotInList",
            "#/ReportActions/0",
        ),
        (
            json!({"ReportUpdates": "NewReport", "MetricProperties": good, "Wildcards": all}),
            "PropertyValueNotInList",
            "#/ReportUpdates",
        ),
        (
            json!({"ReportUpdates": "AppendWrapsWhenFull", "MetricProperties": good, "Wildcards": all}),
            "PropertyValueConflict",
            "#/ReportUpdates",
        ),
        (
            json!({"Id": "a/b", "MetricProperties": good, "Wildcards": all}),
            "PropertyValueFormatError",
            "#/Id",
        ),
        (
            json!({"Id": "Power", "MetricProperties": good, "Wildcards": all}),
            "ResourceAlreadyExists",
            "#/Id",
        ),
        (
            json!({"AppendLimit": 3}),
            "PropertyNotWritable",
            "#/AppendLimit",
        ),
    ] {
        let answer = define(&door, &body).await;
        assert_eq!(answer.keys().first(), Some(&key), "{body}: {answer:?}");
        assert!(answer.related().contains(&pointer), "{body}: {answer:?}");
    }
    let all = door
        .read(&format!("{SERVICE}/MetricReportDefinitions"))
        .await;
    assert_eq!(all.body["Members@odata.count"], 4);
}

#[tokio::test]
async fn the_definitions_of_the_beginning_come_back() {
    let door = Door::open().await;
    let uri = format!("{SERVICE}/MetricReportDefinitions/Power");
    assert_eq!(door.send("DELETE", &uri).admin().answer().await.status, 204);
    let reset =
        format!("{SERVICE}/Actions/TelemetryService.ResetMetricReportDefinitionsToDefaults");
    let answer = door
        .send("POST", &reset)
        .admin()
        .json(&json!({}))
        .answer()
        .await;
    assert_eq!(answer.status, 204);
    assert_eq!(
        door.read(&uri).await.body["MetricReportDefinitionType"],
        "OnRequest"
    );
}

//! What cannot be subscribed to.

use serde_json::json;

use crate::door::Door;
use crate::post::SUBSCRIPTIONS;

#[tokio::test]
async fn what_contradicts_itself_or_cannot_be_is_refused_by_name() {
    let door = Door::open().await;
    let good = "https://192.0.2.1/";
    let link = |uri: &str| json!([{"@odata.id": uri}]);
    let system = door.system(0);
    let definition = "/redfish/v1/TelemetryService/MetricReportDefinitions/Power";
    for (body, key, related) in [
        (json!({}), "PropertyMissing", "#/Destination"),
        (
            json!({"Protocol": "FTP"}),
            "PropertyValueNotInList",
            "#/Protocol",
        ),
        (
            json!({"Protocol": "SNMPv3"}),
            "PropertyValueNotInList",
            "#/Protocol",
        ),
        (
            json!({"SubscriptionType": "SSE"}),
            "PropertyValueNotInList",
            "#/SubscriptionType",
        ),
        (
            json!({"SubscriptionType": "Syslog"}),
            "PropertyValueNotInList",
            "#/SubscriptionType",
        ),
        (
            json!({"Destination": "somewhere"}),
            "PropertyValueFormatError",
            "#/Destination",
        ),
        (
            json!({"Destination": "ftp://192.0.2.1/"}),
            "PropertyValueFormatError",
            "#/Destination",
        ),
        (
            json!({"Destination": "https://me:word@192.0.2.1/"}),
            "PropertyValueFormatError",
            "#/Destination",
        ),
        (
            json!({"Destination": "http://127.0.0.1/"}),
            "AddressRefused",
            "#/Destination",
        ),
        (
            json!({"Destination": "http://169.254.169.254/latest"}),
            "AddressRefused",
            "#/Destination",
        ),
        (
            json!({"BackupDestinations": [good, "http://[::1]/"]}),
            "AddressRefused",
            "#/BackupDestinations/1",
        ),
        (
            json!({"BackupDestinations": ["gopher://192.0.2.1/"]}),
            "PropertyValueFormatError",
            "#/BackupDestinations/0",
        ),
        (
            json!({"RegistryPrefixes": ["ResourceEvent", "Nonsense"]}),
            "PropertyValueNotInList",
            "#/RegistryPrefixes/1",
        ),
        (
            json!({"ExcludeRegistryPrefixes": ["Nonsense"]}),
            "PropertyValueNotInList",
            "#/ExcludeRegistryPrefixes/0",
        ),
        (
            json!({"MessageIds": ["ResourceEvent.1.0.Nonsense"]}),
            "PropertyValueNotInList",
            "#/MessageIds/0",
        ),
        (
            json!({"ExcludeMessageIds": ["Nonsense.1.0.ResourceChanged"]}),
            "PropertyValueNotInList",
            "#/ExcludeMessageIds/0",
        ),
        (
            json!({"ResourceTypes": ["Task", "Task.v1_2_0.Task"]}),
            "PropertyValueNotInList",
            "#/ResourceTypes/1",
        ),
        (
            json!({"Severities": ["Bad"]}),
            "PropertyValueNotInList",
            "#/Severities/0",
        ),
        (
            json!({"OriginResources": link("/redfish/v1/Systems/none")}),
            "PropertyValueNotInList",
            "#/OriginResources/0",
        ),
        (
            json!({"OriginResources": link("elsewhere")}),
            "PropertyValueNotInList",
            "#/OriginResources/0",
        ),
        (
            json!({"EventFormatType": "MetricReport", "MetricReportDefinitions": link(&system)}),
            "PropertyValueNotInList",
            "#/MetricReportDefinitions/0",
        ),
        (
            json!({"EventFormatType": "Event", "MetricReportDefinitions": link(definition)}),
            "PropertyValueConflict",
            "#/MetricReportDefinitions",
        ),
        (
            json!({"EventFormatType": "MetricReport", "Severities": ["OK"]}),
            "PropertyValueConflict",
            "#/Severities",
        ),
        (
            json!({"EventFormatType": "MetricReport", "EventTypes": ["Alert"]}),
            "PropertyValueConflict",
            "#/EventTypes",
        ),
        (
            json!({"EventTypes": ["Alert", "MetricReport"]}),
            "PropertyValueNotInList",
            "#/EventTypes/1",
        ),
        (
            json!({"EventTypes": ["Alert"], "MessageIds": ["ResourceEvent.ResourceChanged"]}),
            "PropertyValueConflict",
            "#/EventTypes",
        ),
        (
            json!({"EventTypes": ["Alert"], "RegistryPrefixes": ["HawkFish"]}),
            "PropertyValueConflict",
            "#/EventTypes",
        ),
        (
            json!({"RegistryPrefixes": ["HawkFish"], "ExcludeRegistryPrefixes": ["HawkFish"]}),
            "PropertyValueConflict",
            "#/RegistryPrefixes",
        ),
        (
            json!({"MessageIds": ["ResourceEvent.ResourceChanged"], "ExcludeMessageIds": ["ResourceEvent.ResourceCreated"]}),
            "PropertyValueConflict",
            "#/MessageIds",
        ),
        (
            json!({
                "RegistryPrefixes": ["HawkFish"],
                "MessageIds": ["ResourceEvent.1.0.ResourceChanged"],
                "ExcludeMessageIds": ["ResourceEvent.ResourceChanged"],
            }),
            "PropertyValueConflict",
            "#/MessageIds",
        ),
        (
            json!({"MessageIds": ["ResourceEvent.ResourceChanged"], "ExcludeRegistryPrefixes": ["ResourceEvent"]}),
            "PropertyValueConflict",
            "#/MessageIds",
        ),
        (
            json!({"IncludeOriginOfCondition": true}),
            "PropertyValueNotInList",
            "#/IncludeOriginOfCondition",
        ),
        (
            json!({"HeartbeatIntervalMinutes": 5}),
            "PropertyValueConflict",
            "#/HeartbeatIntervalMinutes",
        ),
        (
            json!({"SendHeartbeat": true, "HeartbeatIntervalMinutes": 0}),
            "PropertyValueOutOfRange",
            "#/HeartbeatIntervalMinutes",
        ),
        (
            json!({"HttpHeaders": [{"Host": "me"}]}),
            "PropertyValueNotInList",
            "#/HttpHeaders/0/Host",
        ),
        (
            json!({"HttpHeaders": [{"X-Mine": "a\nb"}]}),
            "PropertyValueFormatError",
            "#/HttpHeaders/0/X-Mine",
        ),
        (
            json!({"DeliveryRetryPolicy": "Never"}),
            "PropertyValueNotInList",
            "#/DeliveryRetryPolicy",
        ),
        (
            json!({"Status": {"State": "Enabled"}}),
            "PropertyNotWritable",
            "#/Status",
        ),
        (json!({"Colour": "red"}), "PropertyUnknown", "#/Colour"),
    ] {
        let mut whole = match body.as_object().is_some_and(serde_json::Map::is_empty) {
            true => json!({"Protocol": "Redfish"}),
            false => json!({"Destination": good, "Protocol": "Redfish"}),
        };
        whole
            .as_object_mut()
            .unwrap()
            .extend(body.as_object().unwrap().clone());
        let refused = door
            .send("POST", SUBSCRIPTIONS)
            .admin()
            .json(&whole)
            .answer()
            .await;
        refused.refused(400, key);
        assert_eq!(refused.related()[0], related, "{body}: {refused:?}");
        let text = String::from_utf8_lossy(&refused.bytes);
        assert!(!text.contains("me:word"), "{text}");
    }
    assert_eq!(
        door.read(SUBSCRIPTIONS).await.body["Members@odata.count"],
        0
    );
}

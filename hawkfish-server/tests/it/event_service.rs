//! The event service through the door: what it says of itself, what is set there, and events that only show that events arrive.

use serde_json::json;

use crate::door::Door;
use crate::post::{SERVICE, SUBSCRIPTIONS};

#[tokio::test]
async fn the_root_leads_to_an_event_service_of_which_everything_is_there() {
    let door = Door::open().await;
    let root = door.read("/redfish/v1/").await.body;
    assert_eq!(root["EventService"]["@odata.id"], SERVICE);
    let service = door.read(SERVICE).await.body;
    assert_eq!(service["Subscriptions"]["@odata.id"], SUBSCRIPTIONS);
    assert_eq!(
        (
            &service["ServiceEnabled"],
            &service["DeliveryRetryAttempts"],
            &service["DeliveryRetryIntervalSeconds"],
            &service["Status"]
        ),
        (
            &json!(true),
            &json!(5),
            &json!(30),
            &json!({"State": "Enabled", "Health": "OK"})
        )
    );
    assert_eq!(
        service["EventFormatTypes"],
        json!(["Event", "MetricReport"])
    );
    let prefixes = service["RegistryPrefixes"].as_array().unwrap();
    assert!(prefixes.contains(&json!("ResourceEvent")) && prefixes.contains(&json!("HawkFish")));
    for prefix in prefixes {
        let prefix = prefix.as_str().unwrap();
        door.read(&format!("/redfish/v1/Registries/{prefix}")).await;
        door.subscribe("192.0.2.1", json!({"RegistryPrefixes": [prefix]}))
            .await;
        door.subscribe("192.0.2.1", json!({"ExcludeRegistryPrefixes": [prefix]}))
            .await;
    }
    for kind in service["ResourceTypes"].as_array().unwrap() {
        let served = hawkfish_redfish::validate::odata_type(kind.as_str().unwrap());
        assert!(served.is_some(), "{kind} is not served");
        door.subscribe("192.0.2.1", json!({"ResourceTypes": [kind]}))
            .await;
    }
    for severity in service["Severities"].as_array().unwrap() {
        door.subscribe("192.0.2.1", json!({"Severities": [severity]}))
            .await;
    }
    for kind in service["EventFormatTypes"].as_array().unwrap() {
        door.subscribe("192.0.2.1", json!({"EventFormatType": kind}))
            .await;
    }
    let members = door.read(SUBSCRIPTIONS).await.body["Members"].clone();
    for member in members.as_array().unwrap() {
        door.read(member["@odata.id"].as_str().unwrap()).await;
    }
}

#[tokio::test]
async fn what_is_set_counts_and_what_cannot_be_set_is_refused_by_name() {
    let door = Door::open().await;
    let patch = json!({"DeliveryRetryAttempts": 2, "DeliveryRetryIntervalSeconds": 10});
    let set = door.send("PATCH", SERVICE).admin().json(&patch);
    let set = set.answer().await;
    assert_eq!(set.status, 200, "{set:?}");
    for (name, value) in patch.as_object().unwrap() {
        assert_eq!(&set.body[name], value);
    }
    for (name, value) in [
        ("DeliveryRetryAttempts", json!(-1)),
        ("DeliveryRetryAttempts", json!(1_u64 << 40)),
        ("DeliveryRetryIntervalSeconds", json!(-1)),
        ("DeliveryRetryIntervalSeconds", json!(1_u64 << 50)),
        ("ServiceEnabled", json!(null)),
        ("ServiceEnabled", json!("yes")),
        ("SMTP", json!({})),
        ("ServerSentEventUri", json!("/elsewhere")),
    ] {
        let body = json!({name: value});
        let refused = door.send("PATCH", SERVICE).admin().json(&body);
        let refused = refused.answer().await;
        assert_eq!(refused.status, 400, "{body}: {refused:?}");
        assert_eq!(refused.related(), [format!("#/{name}")], "{body}");
    }
    let now = door.read(SERVICE).await.body;
    assert_eq!(now["DeliveryRetryAttempts"], 2);

    // What is tried twice is tried twice.
    let uri = door
        .subscribe(
            "192.0.2.7",
            json!({"DeliveryRetryPolicy": "SuspendRetries", "MessageIds": ["ResourceEvent.TestMessage"]}),
        )
        .await;
    door.post.close("192.0.2.7");
    door.submit("ResourceEvent.1.0.TestMessage", json!({}))
        .await;
    let status = async || {
        door.events("192.0.2.7").await;
        door.read(&uri).await.body["Status"].clone()
    };
    let first = status().await;
    assert_eq!(
        (&first["State"], &first["Health"]),
        (&json!("Enabled"), &json!("Warning"))
    );
    assert!(
        first["Conditions"][0]["Message"]
            .as_str()
            .unwrap()
            .contains("It is closed"),
        "{first}"
    );
    let later = door.app.hawkfish().clock().now() + jiff::SignedDuration::from_secs(30);
    door.clock.set(later);
    let second = status().await;
    assert_eq!(
        (&second["State"], &second["Health"]),
        (&json!("Disabled"), &json!("Critical"))
    );
    door.post.open_all();
    door.act(&uri, "EventDestination.ResumeSubscription", json!({}))
        .await;
    assert_eq!(door.messages("192.0.2.7").await, ["TestMessage"]);
    assert_eq!(
        door.read(&uri).await.body["Status"],
        json!({"State": "Enabled", "Health": "OK"})
    );
}

#[tokio::test]
async fn while_the_service_is_disabled_nothing_is_delivered_and_nothing_is_lost() {
    let door = Door::open().await;
    door.subscribe("192.0.2.1", json!({"RegistryPrefixes": ["ResourceEvent"]}))
        .await;
    let set = async |enabled: bool| {
        let body = json!({"ServiceEnabled": enabled});
        let answer = door.send("PATCH", SERVICE).admin().json(&body);
        let answer = answer.answer().await;
        assert_eq!(answer.body["ServiceEnabled"], enabled, "{answer:?}");
        answer.body["Status"]["State"].clone()
    };
    assert_eq!(set(false).await, "Disabled");
    door.messages("192.0.2.1").await;
    let on = json!({"ResetType": "On"});
    door.act(&door.system(0), "ComputerSystem.Reset", on).await;
    assert_eq!(door.messages("192.0.2.1").await, [""; 0]);
    assert_eq!(set(true).await, "Enabled");
    let messages = door.messages("192.0.2.1").await;
    assert!(
        messages.contains(&"ResourcePoweredOn".to_owned()),
        "{messages:?}"
    );
}

#[tokio::test]
async fn a_test_event_arrives_as_it_was_submitted() {
    let door = Door::open().await;
    door.subscribe("192.0.2.1", json!({"Context": "mine"}))
        .await;
    door.bodies("192.0.2.1").await;
    let system = door.system(1);
    let said = json!({
        "EventId": "an id",
        "EventTimestamp": "2025-06-07T08:09:10Z",
        "EventType": "Alert",
        "EventGroupId": 7,
        "Message": "Something of somebody.",
        "MessageArgs": ["a", "b"],
        "MessageSeverity": "Warning",
        "OriginOfCondition": system,
    });
    door.submit("Theirs.2.7.Something", said.clone()).await;
    let bodies = door.bodies("192.0.2.1").await;
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    assert_eq!(bodies[0]["Context"], "mine");
    let event = &bodies[0]["Events"][0];
    assert_eq!(event["MessageId"], "Theirs.2.7.Something");
    for (name, value) in said.as_object().unwrap() {
        let shown = match name.as_str() {
            "OriginOfCondition" => &event[name]["@odata.id"],
            _ => &event[name],
        };
        assert_eq!(shown, value, "{name}");
    }

    for (body, key, related) in [
        (json!({}), "ActionParameterMissing", "#/MessageId"),
        (
            json!({"MessageId": "no id"}),
            "ActionParameterValueFormatError",
            "#/MessageId",
        ),
        (
            json!({"MessageId": "A.1.0.B", "Severity": "Bad"}),
            "ActionParameterValueNotInList",
            "#/Severity",
        ),
        (
            json!({"MessageId": "A.1.0.B", "MessageSeverity": "Bad"}),
            "ActionParameterValueNotInList",
            "#/MessageSeverity",
        ),
        (
            json!({"MessageId": "A.1.0.B", "EventTimestamp": "today"}),
            "ActionParameterValueFormatError",
            "#/EventTimestamp",
        ),
        (
            json!({"MessageId": "A.1.0.B", "Volume": 11}),
            "ActionParameterUnknown",
            "#/Volume",
        ),
    ] {
        let uri = format!("{SERVICE}/Actions/EventService.SubmitTestEvent");
        let refused = door.send("POST", &uri).admin().json(&body).answer().await;
        refused.refused(400, key);
        assert_eq!(refused.related(), [related], "{body}");
    }
    assert_eq!(door.messages("192.0.2.1").await, [""; 0]);
}

#[tokio::test]
async fn a_test_of_the_subscriptions_reaches_each_destination_whatever_it_wants_to_hear() {
    let door = Door::open().await;
    door.subscribe("192.0.2.1", json!({"RegistryPrefixes": ["TaskEvent"]}))
        .await;
    door.subscribe("192.0.2.2", json!({"Severities": ["Critical"]}))
        .await;
    let asleep = door.subscribe("192.0.2.3", json!({})).await;
    door.act(&asleep, "EventDestination.SuspendSubscription", json!({}))
        .await;
    door.act(SERVICE, "EventService.TestEventSubscription", json!({}))
        .await;
    for host in ["192.0.2.1", "192.0.2.2"] {
        assert_eq!(door.messages(host).await, ["TestMessage"], "{host}");
    }
    let mut asleep = door.messages("192.0.2.3").await;
    asleep.retain(|message| message == "TestMessage");
    assert_eq!(asleep, [""; 0]);
}

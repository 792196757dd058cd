//! Subscriptions through the door: what they hear, what is refused, who may, and what becomes of what does not arrive.

mod refused;

use std::sync::Arc;

use hawkfish_core::subscriptions::Parcel;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::door::Door;
use crate::post::{SERVICE, SUBSCRIPTIONS};

const A: &str = "192.0.2.1";
const B: &str = "192.0.2.2";

/// Lets time go on, stopping at everything that is due.
async fn pass(door: &Door, seconds: i64) {
    let hf = door.app.hawkfish();
    let end = hf.clock().now() + SignedDuration::from_secs(seconds);
    loop {
        hf.tick().await.unwrap();
        hf.subscriptions().settle().await;
        match hf.next_due().filter(|next| *next <= end) {
            Some(next) => door.clock.set(next.max(hf.clock().now())),
            None => break,
        }
    }
    door.clock.set(end);
    hf.tick().await.unwrap();
    hf.subscriptions().settle().await;
}

fn header<'a>(parcel: &'a Parcel, name: &str) -> Option<&'a str> {
    let found = parcel
        .headers
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.as_str())
}

#[tokio::test]
async fn what_a_subscription_shows_is_what_was_asked_for_but_no_secret() {
    let door = Door::open().await;
    let said = json!({
        "Name": "Of the night shift",
        "Destination": "https://192.0.2.1/here?and=now",
        "BackupDestinations": ["http://192.0.2.2/", "http://192.0.2.3/b"],
        "Protocol": "Redfish",
        "SubscriptionType": "RedfishEvent",
        "EventFormatType": "Event",
        "Context": "night",
        "RegistryPrefixes": ["ResourceEvent", "HawkFish"],
        "ExcludeRegistryPrefixes": [],
        "MessageIds": ["TaskEvent.1.0.TaskStarted"],
        "ExcludeMessageIds": ["ResourceEvent.1.0.ResourceChanged"],
        "ResourceTypes": ["ComputerSystem", "Task"],
        "OriginResources": [{"@odata.id": door.system(0)}, {"@odata.id": "/redfish/v1/TaskService"}],
        "SubordinateResources": true,
        "Severities": ["OK", "Critical"],
        "DeliveryRetryPolicy": "RetryForeverWithBackoff",
        "VerifyCertificate": true,
        "SendHeartbeat": true,
        "HeartbeatIntervalMinutes": 30,
    });
    let mut body = said.clone();
    body["HttpHeaders"] =
        json!([{"Authorization": "Bearer hunter2"}, {"X-More": "hunter3", "X-Last": "hunter4"}]);
    let made = door
        .send("POST", SUBSCRIPTIONS)
        .admin()
        .json(&body)
        .answer()
        .await;
    assert_eq!(made.status, 201, "{made:?}");
    let uri = made.header("location").to_owned();
    let read = door.read(&uri).await;
    assert_eq!(made.body, read.body);
    for (name, value) in said.as_object().unwrap() {
        assert_eq!(&read.body[name], value, "{name}");
    }
    assert_eq!(read.body["HttpHeaders"], json!([]));
    assert_eq!(
        read.body["Status"],
        json!({"State": "Enabled", "Health": "OK"})
    );
    for answer in [&made, &read, &door.read(SUBSCRIPTIONS).await] {
        let text = String::from_utf8_lossy(&answer.bytes).into_owned();
        assert!(!text.contains("hunter"), "{text}");
    }
    // Nor in the log of who changed what.
    let logs = door.system(0).replace("Systems", "Managers");
    let log = door
        .read(&format!("{logs}/LogServices/Audit/Entries"))
        .await;
    assert!(!String::from_utf8_lossy(&log.bytes).contains("hunter"));

    // What is said in few words.
    let plain = door.subscribe(B, json!({})).await;
    let plain = door.read(&plain).await.body;
    for (name, value) in [
        ("Context", json!(null)),
        ("EventFormatType", json!("Event")),
        ("SubscriptionType", json!("RedfishEvent")),
        ("DeliveryRetryPolicy", json!(null)),
        ("VerifyCertificate", json!(false)),
        ("SendHeartbeat", json!(false)),
        ("IncludeOriginOfCondition", json!(false)),
        ("RegistryPrefixes", json!([])),
        ("OriginResources", json!([])),
    ] {
        assert_eq!(plain[name], value, "{name}");
    }
    assert!(plain.get("EventTypes").is_none() && plain.get("HeartbeatIntervalMinutes").is_none());
}

#[tokio::test]
async fn headers_go_with_each_delivery_and_can_be_changed() {
    let door = Door::open().await;
    let more = json!({
        "HttpHeaders": [{"Authorization": "Bearer hunter2"}],
        "RegistryPrefixes": ["ResourceEvent"],
        "Context": "one",
    });
    let uri = door.subscribe(A, more).await;
    let sent = async || {
        door.app.hawkfish().subscriptions().settle().await;
        door.post.taken(A);
        door.submit("ResourceEvent.1.0.TestMessage", json!({}))
            .await;
        door.app.hawkfish().subscriptions().settle().await;
        let mut taken = door.post.taken(A);
        assert_eq!(taken.len(), 1);
        let parcel = taken.remove(0);
        let body: Value = serde_json::from_slice(&parcel.body).unwrap();
        (parcel, body["Context"].clone())
    };
    let (parcel, context) = sent().await;
    assert_eq!(header(&parcel, "authorization"), Some("Bearer hunter2"));
    assert_eq!(header(&parcel, "content-type"), Some("application/json"));
    assert!(header(&parcel, "x-hawkfish-delivery").is_some_and(|id| !id.is_empty()));
    assert_eq!((context, parcel.verify_certificate), (json!("one"), false));

    let patch = json!({
        "HttpHeaders": [{"X-Token": "hunter3"}],
        "Context": "two",
        "VerifyCertificate": true,
        "BackupDestinations": ["https://192.0.2.2/backup"],
        "DeliveryRetryPolicy": "RetryForever",
    });
    let answer = door.send("PATCH", &uri).admin().json(&patch).answer().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.body["HttpHeaders"], json!([]));
    for name in [
        "Context",
        "VerifyCertificate",
        "BackupDestinations",
        "DeliveryRetryPolicy",
    ] {
        assert_eq!(answer.body[name], patch[name], "{name}");
    }
    let (parcel, context) = sent().await;
    assert_eq!(header(&parcel, "authorization"), None);
    assert_eq!(header(&parcel, "x-token"), Some("hunter3"));
    assert_eq!((context, parcel.verify_certificate), (json!("two"), true));

    // A destination that takes nothing has somebody to stand in for it.
    door.post.close(A);
    door.submit("ResourceEvent.1.0.TestMessage", json!({}))
        .await;
    assert_eq!(door.messages(B).await.last().unwrap(), "TestMessage");
    door.post.open_all();

    // Null and nothing take away.
    let patch = json!({"HttpHeaders": [], "Context": null, "DeliveryRetryPolicy": null, "BackupDestinations": []});
    let answer = door.send("PATCH", &uri).admin().json(&patch).answer().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(
        (
            &answer.body["Context"],
            &answer.body["DeliveryRetryPolicy"],
            &answer.body["BackupDestinations"]
        ),
        (&json!(null), &json!(null), &json!([]))
    );
    let (parcel, context) = sent().await;
    assert_eq!((header(&parcel, "x-token"), context), (None, json!(null)));

    for (body, key, related) in [
        (
            json!({"Destination": "https://192.0.2.9/"}),
            "PropertyNotWritable",
            "#/Destination",
        ),
        (
            json!({"RegistryPrefixes": []}),
            "PropertyNotWritable",
            "#/RegistryPrefixes",
        ),
        (
            json!({"HttpHeaders": [{"Content-Length": "1"}]}),
            "PropertyValueNotInList",
            "#/HttpHeaders/0/Content-Length",
        ),
        (
            json!({"BackupDestinations": ["http://localhost/"]}),
            "AddressRefused",
            "#/BackupDestinations/0",
        ),
    ] {
        let refused = door.send("PATCH", &uri).admin().json(&body).answer().await;
        refused.refused(400, key);
        assert_eq!(refused.related()[0], related, "{body}");
    }
}

#[tokio::test]
async fn each_hears_what_it_asked_for_and_nothing_else() {
    let door = Door::open().await;
    let system = door.system(0);
    let link = json!([{"@odata.id": system}]);
    let wants = [
        json!({}),
        json!({"RegistryPrefixes": ["TaskEvent"]}),
        json!({"ExcludeRegistryPrefixes": ["TaskEvent", "HawkFish"]}),
        json!({"MessageIds": ["TaskEvent.1.0.TaskStarted", "ResourceCreated"]}),
        json!({"RegistryPrefixes": ["TaskEvent"], "MessageIds": ["ResourceEvent.1.0.ResourceCreated"], "ExcludeMessageIds": ["TaskEvent.TaskStarted"]}),
        json!({"Severities": ["Warning", "Critical"]}),
        json!({"ResourceTypes": ["ComputerSystem"]}),
        json!({"OriginResources": link}),
        json!({"OriginResources": link, "SubordinateResources": true}),
        json!({"EventTypes": ["Alert"]}),
        json!({"EventTypes": ["ResourceAdded", "ResourceRemoved"]}),
        json!({"EventTypes": ["Other"]}),
    ];
    let hosts: Vec<String> = (1..=wants.len()).map(|n| format!("192.0.2.{n}")).collect();
    for (host, wants) in hosts.iter().zip(&wants) {
        door.subscribe(host, wants.clone()).await;
    }
    for host in &hosts {
        door.messages(host).await;
    }
    let submitted = [
        (
            "TaskEvent.1.0.TaskStarted",
            "OK",
            "/redfish/v1/TaskService".to_owned(),
            "StatusChange",
        ),
        (
            "TaskEvent.1.0.TaskAborted",
            "Critical",
            "/redfish/v1/TaskService".to_owned(),
            "StatusChange",
        ),
        (
            "ResourceEvent.1.4.ResourceCreated",
            "OK",
            format!("{system}/Bios"),
            "ResourceAdded",
        ),
        (
            "HawkFish.1.0.SystemCrashed",
            "Critical",
            system.clone(),
            "Alert",
        ),
        (
            "ResourceEvent.1.4.ResourceChanged",
            "Warning",
            door.system(1),
            "ResourceUpdated",
        ),
    ];
    for (message, severity, origin, kind) in &submitted {
        let more =
            json!({"MessageSeverity": severity, "OriginOfCondition": origin, "EventType": kind});
        door.submit(message, more).await;
    }
    let keys: Vec<&str> = submitted
        .iter()
        .map(|(id, ..)| id.rsplit('.').next().unwrap())
        .collect();
    let heard: [&[usize]; 12] = [
        &[0, 1, 2, 3, 4],
        &[0, 1],
        &[2, 4],
        &[0, 2],
        &[1, 2],
        &[1, 3, 4],
        &[3, 4],
        &[3],
        &[2, 3],
        &[3],
        &[2],
        &[0, 1, 2, 3, 4],
    ];
    for ((host, heard), wants) in hosts.iter().zip(heard).zip(&wants) {
        let mut told = door.messages(host).await;
        // What clients do is told, too: here, that tests were submitted.
        told.retain(|key| keys.contains(&key.as_str()));
        let expected: Vec<&str> = heard.iter().map(|at| keys[*at]).collect();
        assert_eq!(told, expected, "{wants}");
    }
}

#[tokio::test]
async fn what_happens_arrives_in_order_once_and_is_what_its_schema_says() {
    let door = Door::open().await;
    door.subscribe(A, json!({"Context": "all"})).await;
    for how in ["On", "ForceRestart", "ForceOff"] {
        let body = json!({"ResetType": how});
        door.act(&door.system(0), "ComputerSystem.Reset", body)
            .await;
    }
    let bodies = door.bodies(A).await;
    let mut last = 0;
    let mut keys = Vec::new();
    for body in &bodies {
        let findings = hawkfish_redfish::validate::response("Event", body);
        assert_eq!(findings, [], "{body:#}");
        assert_eq!(body["Context"], "all");
        for (at, event) in body["Events"].as_array().unwrap().iter().enumerate() {
            assert_eq!(event["MemberId"], at.to_string());
            let number: u64 = event["EventId"].as_str().unwrap().parse().unwrap();
            assert!(number > last, "{number} after {last}");
            last = number;
            keys.push(event["MessageId"].as_str().unwrap().to_owned());
        }
    }
    let about_power: Vec<&str> = keys
        .iter()
        .filter_map(|id| id.strip_prefix("ResourceEvent."))
        .filter_map(|id| id.rsplit('.').next())
        .filter(|key| key.starts_with("ResourcePowered"))
        .collect();
    assert_eq!(about_power, ["ResourcePoweredOn", "ResourcePoweredOff"]);
}

#[tokio::test]
async fn a_suspended_subscription_waits_and_resumes_with_what_is_not_too_old() {
    let door = Door::open().await;
    let uri = door
        .subscribe(A, json!({"MessageIds": ["ResourceEvent.TestMessage"]}))
        .await;
    let suspend = async || {
        door.act(&uri, "EventDestination.SuspendSubscription", json!({}))
            .await;
        let now = door.read(&uri).await.body;
        assert_eq!(now["Status"]["State"], "Disabled");
    };
    let resume = async |body: Value| {
        door.act(&uri, "EventDestination.ResumeSubscription", body)
            .await;
        assert_eq!(door.read(&uri).await.body["Status"]["State"], "Enabled");
    };
    let two = async || {
        for id in ["old", "new"] {
            door.submit("ResourceEvent.1.0.TestMessage", json!({"EventId": id}))
                .await;
            pass(&door, 60).await;
        }
    };
    let arrived = async || {
        let events = door.events(A).await;
        let ids = events
            .iter()
            .map(|event| event["EventId"].as_str().unwrap().to_owned());
        ids.collect::<Vec<_>>()
    };
    suspend().await;
    two().await;
    assert_eq!(arrived().await, [""; 0]);
    resume(json!({})).await;
    assert_eq!(arrived().await, ["old", "new"]);

    suspend().await;
    two().await;
    resume(json!({"DeliverBufferedEventDuration": "PT90S"})).await;
    assert_eq!(arrived().await, ["new"]);

    suspend().await;
    two().await;
    resume(json!({"DeliverBufferedEventDuration": "PT0S"})).await;
    assert_eq!(arrived().await, [""; 0]);
    two().await;
    assert_eq!(arrived().await, ["old", "new"]);

    for (age, key) in [
        ("ninety", "ActionParameterValueFormatError"),
        ("-PT1S", "ActionParameterValueOutOfRange"),
    ] {
        let action = format!("{uri}/Actions/EventDestination.ResumeSubscription");
        let body = json!({"DeliverBufferedEventDuration": age});
        let refused = door
            .send("POST", &action)
            .admin()
            .json(&body)
            .answer()
            .await;
        refused.refused(400, key);
        assert_eq!(refused.related(), ["#/DeliverBufferedEventDuration"]);
    }
}

#[tokio::test]
async fn what_does_not_arrive_is_dealt_with_as_the_policy_says() {
    let door = Door::open().await;
    let set = json!({"DeliveryRetryAttempts": 3, "DeliveryRetryIntervalSeconds": 10});
    door.send("PATCH", SERVICE)
        .admin()
        .json(&set)
        .answer()
        .await
        .ok();
    let mut uris = Vec::new();
    let policies = [
        json!(null),
        json!("TerminateAfterRetries"),
        json!("SuspendRetries"),
        json!("RetryForever"),
        json!("RetryForeverWithBackoff"),
    ];
    for (number, policy) in policies.iter().enumerate() {
        let host = format!("192.0.2.{number}");
        let more =
            json!({"DeliveryRetryPolicy": policy, "MessageIds": ["ResourceEvent.TestMessage"]});
        uris.push(door.subscribe(&host, more).await);
        door.post.close(&host);
    }
    door.submit("ResourceEvent.1.0.TestMessage", json!({"EventId": "first"}))
        .await;
    pass(&door, 600).await;
    let gone = door.send("GET", &uris[1]).admin().answer().await;
    gone.refused(404, "ResourceMissingAtURI");
    for (number, state, health) in [
        (0, "Enabled", "Critical"),
        (2, "Disabled", "Critical"),
        (3, "Enabled", "Warning"),
        (4, "Enabled", "Warning"),
    ] {
        let status = &door.read(&uris[number]).await.body["Status"];
        assert_eq!(
            (&status["State"], &status["Health"]),
            (&json!(state), &json!(health)),
            "{}: {status}",
            policies[number]
        );
        let condition = status["Conditions"][0].to_string();
        assert!(condition.contains("It is closed"), "{condition}");
    }
    door.post.open_all();
    door.submit(
        "ResourceEvent.1.0.TestMessage",
        json!({"EventId": "second"}),
    )
    .await;
    pass(&door, 900).await;
    for (number, expected) in [
        (0, &["second"][..]),
        (1, &[]),
        (2, &[]),
        (3, &["first", "second"]),
        (4, &["first", "second"]),
    ] {
        let events = door.events(&format!("192.0.2.{number}")).await;
        let ids: Vec<&str> = events
            .iter()
            .map(|event| event["EventId"].as_str().unwrap())
            .collect();
        assert_eq!(ids, expected, "{}", policies[number]);
    }
    door.act(&uris[2], "EventDestination.ResumeSubscription", json!({}))
        .await;
    let events = door.events("192.0.2.2").await;
    assert_eq!(events.len(), 2, "{events:?}");
}

#[tokio::test]
async fn a_heartbeat_comes_as_often_as_it_was_asked_for() {
    let door = Door::open().await;
    let more = json!({"SendHeartbeat": true, "HeartbeatIntervalMinutes": 2, "RegistryPrefixes": ["TaskEvent"]});
    door.subscribe(A, more).await;
    door.messages(A).await;
    pass(&door, 7 * 60).await;
    assert_eq!(door.messages(A).await, ["RedfishServiceFunctional"; 3]);
}

#[tokio::test]
async fn reports_arrive_at_who_asked_for_them_and_those_of_other_definitions_do_not() {
    let door = Door::open().await;
    let definitions = "/redfish/v1/TelemetryService/MetricReportDefinitions";
    let system = door.system(0).replace("Systems", "Chassis");
    for name in ["Mine", "Theirs"] {
        let body = json!({
            "Id": name,
            "MetricReportDefinitionType": "Periodic",
            "Schedule": {"RecurrenceInterval": "PT60S"},
            "MetricProperties": [format!("{system}/Sensors/Fan1Speed#/Reading")],
        });
        let made = door
            .send("POST", definitions)
            .admin()
            .json(&body)
            .answer()
            .await;
        assert_eq!(made.status, 201, "{made:?}");
    }
    let mine = json!([{"@odata.id": format!("{definitions}/Mine")}]);
    let more = json!({"EventFormatType": "MetricReport", "MetricReportDefinitions": mine, "Context": "numbers"});
    let uri = door.subscribe(A, more).await;
    assert_eq!(door.read(&uri).await.body["MetricReportDefinitions"], mine);
    // Clients of old say it so.
    door.subscribe(B, json!({"EventTypes": ["MetricReport"]}))
        .await;
    door.subscribe("192.0.2.3", json!({"RegistryPrefixes": ["ResourceEvent"]}))
        .await;
    pass(&door, 150).await;
    let reports = door.bodies(A).await;
    assert!(reports.len() >= 2, "{reports:?}");
    for report in &reports {
        let findings = hawkfish_redfish::validate::response("MetricReport", report);
        assert_eq!(findings, [], "{report:#}");
        assert_eq!(report["MetricReportDefinition"], mine[0]);
        assert_eq!(report["Context"], "numbers");
        assert_eq!(report["MetricValues"].as_array().unwrap().len(), 1);
    }
    let of_all = door.bodies(B).await;
    assert_eq!(of_all.len(), 2 * reports.len());
    for event in door.bodies("192.0.2.3").await {
        assert!(event["Events"].is_array(), "{event}");
    }
}

#[tokio::test]
async fn an_operator_subscribes_and_ends_what_is_its_own_and_nobody_elses() {
    let door = Door::open().await;
    door.account("op", "Operator").await;
    door.account("reader", "ReadOnly").await;
    let body = json!({"Destination": "https://192.0.2.1/", "Protocol": "Redfish"});
    let refused = door
        .send("POST", SUBSCRIPTIONS)
        .user("reader")
        .json(&body)
        .answer()
        .await;
    refused.refused(403, "InsufficientPrivilege");
    let made = door
        .send("POST", SUBSCRIPTIONS)
        .user("op")
        .json(&body)
        .answer()
        .await;
    assert_eq!(made.status, 201, "{made:?}");
    let own = made.header("location").to_owned();
    let other = door.subscribe(B, json!({})).await;
    for uri in [&own, &other] {
        door.send("GET", uri).user("reader").answer().await.ok();
        let suspend = format!("{uri}/Actions/EventDestination.SuspendSubscription");
        for (method, uri) in [("PATCH", uri), ("DELETE", uri), ("POST", &suspend)] {
            let body = json!({"Context": "x"});
            let refused = door
                .send(method, uri)
                .user("reader")
                .json(&body)
                .answer()
                .await;
            refused.refused(403, "InsufficientPrivilege");
        }
    }
    let refused = door.send("DELETE", &other).user("op").answer().await;
    refused.refused(403, "InsufficientPrivilege");
    let patch = json!({"Context": "x"});
    let answer = door
        .send("PATCH", &own)
        .user("op")
        .json(&patch)
        .answer()
        .await;
    assert_eq!(answer.body["Context"], "x", "{answer:?}");
    assert_eq!(
        door.send("DELETE", &own).user("op").answer().await.status,
        204
    );
    assert_eq!(
        door.send("DELETE", &other).admin().answer().await.status,
        204
    );
    for uri in [&own, &other] {
        door.send("GET", uri)
            .admin()
            .answer()
            .await
            .refused(404, "ResourceMissingAtURI");
    }
    door.messages(A).await;
    door.submit("ResourceEvent.1.0.TestMessage", json!({}))
        .await;
    assert_eq!(
        (door.messages(A).await, door.messages(B).await),
        (vec![], vec![])
    );
}

#[tokio::test]
async fn there_are_no_more_subscriptions_than_the_operator_allows() {
    let door = Door::open_with_subscriptions(2).await;
    let first = door.subscribe(A, json!({})).await;
    door.subscribe(A, json!({})).await;
    let refused = door.ask_for(A, json!({})).await;
    refused.refused(503, "EventSubscriptionLimitExceeded");
    door.send("DELETE", &first).admin().answer().await.ok();
    door.subscribe(A, json!({})).await;
}

#[tokio::test]
async fn a_stream_that_is_open_is_a_subscription_that_can_be_ended_and_nothing_more() {
    use hawkfish_core::ctx::Ctx;
    use hawkfish_core::subscriptions::{Filter, NewStream};
    let door = Door::open().await;
    let hf = door.app.hawkfish();
    let filter = Filter {
        registry_prefixes: vec!["TaskEvent".to_owned()],
        ..Filter::default()
    };
    let new = NewStream {
        filter,
        ..NewStream::default()
    };
    let open = Arc::new(hf.subscriptions().open(&Ctx::service(), new).unwrap());
    let members = door.read(SUBSCRIPTIONS).await.body["Members"].clone();
    let uri = members[0]["@odata.id"].as_str().unwrap().to_owned();
    let shown = door.read(&uri).await.body;
    assert_eq!(
        (
            &shown["SubscriptionType"],
            &shown["RegistryPrefixes"],
            &shown["Protocol"]
        ),
        (&json!("SSE"), &json!(["TaskEvent"]), &json!("Redfish"))
    );
    assert!(shown["Context"].is_string(), "{shown}");
    for name in [
        "HttpHeaders",
        "DeliveryRetryPolicy",
        "VerifyCertificate",
        "BackupDestinations",
    ] {
        assert!(shown.get(name).is_none(), "{name}");
    }
    assert!(
        !shown["Actions"].to_string().contains("Subscription"),
        "{shown}"
    );
    let body = json!({"Context": "x"});
    let refused = door.send("PATCH", &uri).admin().json(&body).answer().await;
    assert!(refused.status.is_client_error(), "{refused:?}");
    assert_eq!(door.send("DELETE", &uri).admin().answer().await.status, 204);
    open.closed().await;
    door.send("GET", &uri)
        .admin()
        .answer()
        .await
        .refused(404, "ResourceMissingAtURI");
}

//! What is HawkFish's own, through the door: objects in `Oem`, actions in `Actions/Oem`, and the schemas that say what they are.

use hawkfish_core::ctx::Ctx;
use hawkfish_core::subscriptions::NewStream;
use hawkfish_redfish::metadata;
use serde_json::{Value, json};

use crate::door::Door;
use crate::post::SUBSCRIPTIONS;

const HOST: &str = "192.0.2.9";
const REPLAY: &str = "HawkFishEventDestination.ReplayDeadLetters";

fn key(key: impl Into<Value>) -> Value {
    json!({"Oem": {"HawkFish": {"SigningKey": key.into()}}})
}

/// What is sent in `Oem`, what is wrong with it, and where.
fn wrong() -> Vec<(Value, &'static str, &'static str)> {
    vec![
        (
            key(7)["Oem"].clone(),
            "PropertyValueTypeError",
            "#/Oem/HawkFish/SigningKey",
        ),
        (
            key("k".repeat(1025))["Oem"].clone(),
            "StringValueTooLong",
            "#/Oem/HawkFish/SigningKey",
        ),
        // Characters are not what is counted in the end.
        (
            key("ü".repeat(1000))["Oem"].clone(),
            "StringValueTooLong",
            "#/Oem/HawkFish/SigningKey",
        ),
        (
            json!({"HawkFish": {"PendingCount": 0}}),
            "PropertyNotWritable",
            "#/Oem/HawkFish/PendingCount",
        ),
        (
            json!({"HawkFish": {"Unheard": 0}}),
            "PropertyUnknown",
            "#/Oem/HawkFish/Unheard",
        ),
        (
            json!({"HawkFish": []}),
            "PropertyValueTypeError",
            "#/Oem/HawkFish",
        ),
        (
            json!({"Contoso": {"SigningKey": "k"}}),
            "PropertyUnknown",
            "#/Oem/Contoso",
        ),
        (json!(null), "PropertyValueTypeError", "#/Oem"),
    ]
}

#[tokio::test]
async fn an_object_of_ours_that_is_wrong_is_refused_by_name_and_nothing_is_half_done() {
    let door = Door::open().await;
    let uri = door.subscribe(HOST, json!({"Context": "before"})).await;
    let before = door.read(&uri).await.body;
    for (oem, problem, pointer) in wrong() {
        let made = door.ask_for(HOST, json!({"Oem": oem})).await;
        made.refused(400, problem);
        assert_eq!(made.related(), [pointer], "{oem}");
        let body = json!({"Context": "after", "Oem": oem});
        let changed = door.send("PATCH", &uri).admin().json(&body).answer().await;
        changed.refused(400, problem);
        assert_eq!(changed.related(), [pointer], "{oem}");
        assert!(!changed.body.to_string().contains("kkk"), "a key is shown");
    }
    assert_eq!(door.read(&uri).await.body["Context"], before["Context"]);
    let members = door.read(SUBSCRIPTIONS).await.body;
    assert_eq!(members["Members@odata.count"], 1);
}

#[tokio::test]
async fn a_signing_key_signs_what_is_delivered_and_is_never_read_back() {
    let door = Door::open().await;
    let wants = json!({"MessageIds": ["ResourceEvent.1.0.TestMessage"]});
    let mut signed = wants.clone();
    signed["Oem"] = key("hunter2")["Oem"].clone();
    let uri = door.subscribe(HOST, signed).await;
    let made = door.read(&uri).await;
    assert!(!String::from_utf8_lossy(&made.bytes).contains("hunter2"));
    let ours = &made.body["Oem"]["HawkFish"];
    assert_eq!(
        ours["@odata.type"],
        "#HawkFishEventDestination.v1_0_0.EventDestination"
    );
    assert_eq!(
        (&ours["SigningKey"], &ours["IsSigned"]),
        (&Value::Null, &json!(true))
    );

    let signature = async || {
        door.submit("ResourceEvent.1.0.TestMessage", json!({}))
            .await;
        door.app.hawkfish().tick().await.unwrap();
        door.app.hawkfish().subscriptions().settle().await;
        let parcels = door.post.taken(HOST);
        assert_eq!(parcels.len(), 1);
        let headers = parcels[0].headers.iter();
        let found = headers.filter(|(name, _)| name.eq_ignore_ascii_case("X-HawkFish-Signature"));
        let found: Vec<String> = found.map(|(_, value)| value.clone()).collect();
        (found, parcels[0].body.clone())
    };
    let hmac = |key: &str, body: &[u8]| {
        use hmac::{Hmac, Mac as _};
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(key.as_bytes()).unwrap();
        mac.update(body);
        let bytes = mac.finalize().into_bytes();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("sha256={hex}")
    };
    let (found, body) = signature().await;
    assert_eq!(found, [hmac("hunter2", &body)]);

    let set = async |value: Value| {
        let body = key(value);
        let before = door.read(&uri).await;
        let changed = door.send("PATCH", &uri).admin().json(&body).answer().await;
        assert_eq!(changed.status, 200, "{changed:?}");
        assert!(changed.body["Oem"]["HawkFish"]["SigningKey"].is_null());
        (before, changed)
    };
    set(json!("another")).await;
    let (found, body) = signature().await;
    assert_eq!(found, [hmac("another", &body)]);

    let (before, changed) = set(Value::Null).await;
    assert_eq!(changed.body["Oem"]["HawkFish"]["IsSigned"], false);
    assert_ne!(before.header("etag"), changed.header("etag"));
    assert_eq!(signature().await.0, Vec::<String>::new());

    // A change of something else leaves the key alone.
    set(json!("kept")).await;
    let context = json!({"Context": "x"});
    let changed = door
        .send("PATCH", &uri)
        .admin()
        .json(&context)
        .answer()
        .await;
    assert_eq!(changed.status, 200);
    let (found, body) = signature().await;
    assert_eq!(found, [hmac("kept", &body)]);
}

#[tokio::test]
async fn what_moves_with_deliveries_is_shown_and_leaves_the_etag_alone() {
    let door = Door::open().await;
    let uri = door
        .subscribe(
            HOST,
            json!({"MessageIds": ["ResourceEvent.1.0.TestMessage"]}),
        )
        .await;
    let before = door.read(&uri).await;
    assert_eq!(before.body["Oem"]["HawkFish"]["DeliveredCount"], 0);
    assert!(before.body["Oem"]["HawkFish"]["LastDeliveredTime"].is_null());
    door.submit("ResourceEvent.1.0.TestMessage", json!({}))
        .await;
    assert_eq!(door.messages(HOST).await, ["TestMessage"]);
    let after = door.read(&uri).await;
    let ours = &after.body["Oem"]["HawkFish"];
    assert_eq!(
        (&ours["DeliveredCount"], &ours["PendingCount"]),
        (&json!(1), &json!(0))
    );
    assert_eq!(ours["LastDeliveredTime"], "2026-01-01T00:00:00Z");
    assert_eq!(before.header("etag"), after.header("etag"));
    let suspend = "EventDestination.SuspendSubscription";
    door.act(&uri, suspend, json!({})).await;
    assert_ne!(door.read(&uri).await.header("etag"), after.header("etag"));
}

#[tokio::test]
async fn actions_of_ours_are_called_in_actions_oem_and_nowhere_else() {
    let door = Door::open().await;
    let uri = door.subscribe(HOST, json!({})).await;
    let body = door.read(&uri).await.body;
    let action = &body["Actions"]["Oem"][format!("#{REPLAY}")];
    let target = format!("{uri}/Actions/Oem/{REPLAY}");
    assert_eq!(action["target"], target);
    let called = door.send("POST", &target).admin().json(&json!({}));
    assert_eq!(called.answer().await.status, 204);
    let wrong = json!({"DeadLetterId": "7"});
    let refused = door
        .send("POST", &target)
        .admin()
        .json(&wrong)
        .answer()
        .await;
    refused.refused(400, "ActionParameterValueNotInList");
    assert_eq!(refused.related(), ["#/DeadLetterId"]);
    for wrong in [
        format!("{uri}/Actions/{REPLAY}"),
        format!("{uri}/Actions/Oem/HawkFishEventDestination.Explode"),
        format!("{uri}/Actions/Oem/EventDestination.SuspendSubscription"),
    ] {
        let asked = door.send("POST", &wrong).admin().json(&json!({}));
        asked.answer().await.refused(400, "ActionNotSupported");
    }
    let info = action["@Redfish.ActionInfo"].as_str().unwrap();
    let info = door.read(info).await.body;
    assert_eq!(info["Parameters"][0]["Name"], "DeadLetterId");
    assert_eq!(info["Parameters"][0]["Required"], false);
}

#[tokio::test]
async fn of_a_stream_nothing_is_kept_that_could_be_replayed() {
    let door = Door::open().await;
    let subscriptions = door.app.hawkfish().subscriptions();
    let stream = subscriptions.open(&Ctx::service(), NewStream::default());
    let stream = stream.unwrap();
    let uri = format!("{SUBSCRIPTIONS}/{}", stream.id());
    let body = door.read(&uri).await.body;
    assert_eq!(body["SubscriptionType"], "SSE");
    assert!(
        body["Actions"]["Oem"].get(format!("#{REPLAY}")).is_none(),
        "{body}"
    );
    assert!(
        body["Oem"]["HawkFish"].get("DeadLetters").is_none(),
        "{body}"
    );
    let patch = door.send("PATCH", &uri).admin().json(&key("k"));
    assert!(patch.answer().await.status.is_client_error());
}

#[tokio::test]
async fn every_schema_of_ours_can_be_read_from_where_it_is_said_to_be() {
    let door = Door::open().await;
    let document = door.send("GET", "/redfish/v1/$metadata").answer().await;
    let document = String::from_utf8(document.bytes.to_vec()).unwrap();
    let mut read = 0;
    for reference in document.split("Uri=\"/").skip(1) {
        let uri = format!("/{}", reference.split('"').next().unwrap());
        let file = door.read(&uri).await;
        assert_eq!(
            file.header("content-type"),
            "application/xml; charset=utf-8"
        );
        let text = String::from_utf8(file.bytes.to_vec()).unwrap();
        for namespace in reference
            .split("</edmx:Reference>")
            .next()
            .unwrap()
            .split("Namespace=\"")
            .skip(1)
        {
            let namespace = namespace.split('"').next().unwrap();
            assert!(text.contains(&format!("<Schema xmlns=\"http://docs.oasis-open.org/odata/ns/edm\" Namespace=\"{namespace}\"")), "{uri}: {namespace}");
        }
        read += 1;
    }
    assert_eq!(read, metadata::schema_files().len());
    assert!(read >= 3);
    let nothing = door
        .send("GET", "/redfish/v1/schemas/../$metadata")
        .admin()
        .answer()
        .await;
    assert_eq!(nothing.status, 404);
    let nothing = door
        .send("GET", "/redfish/v1/schemas/ComputerSystem_v1.xml")
        .admin()
        .answer()
        .await;
    nothing.refused(404, "ResourceMissingAtURI");

    let listed = door.read("/redfish/v1/JsonSchemas?$expand=.").await.body;
    let ours: Vec<&Value> = listed["Members"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|member| member["Id"].as_str().unwrap().starts_with("HawkFish"))
        .collect();
    assert_eq!(ours.len(), read, "{ours:?}");
    for member in ours {
        let location = &member["Location"][0];
        assert!(location.get("PublicationUri").is_none(), "{member}");
        let schema = door.read(location["Uri"].as_str().unwrap()).await.body;
        assert_eq!(schema["title"], member["Schema"]);
    }
}

//! What is our own: objects within `Oem`, actions within `Actions/Oem`, schemas of resources that only we have.

use hawkfish_redfish::model::event_destination::{
    EventDestination, EventDestinationCreate, EventDestinationOem, EventDestinationPatch,
};
use hawkfish_redfish::model::hawkfish_event_destination as ours;
use hawkfish_redfish::model::{OdataId, Prop};
use hawkfish_redfish::validate::{self, Finding, Problem};
use hawkfish_redfish::{metadata, model};
use serde_json::{Map, Value, json};

const ENTITY: &str = "EventDestination";

fn destination(hawkfish: ours::EventDestination) -> Value {
    let uri = "/redfish/v1/EventService/Subscriptions/1";
    json!(EventDestination {
        odata_id: uri.into(),
        id: "1".into(),
        name: "hook".into(),
        destination: Some("https://receiver.example/".into()),
        subscription_type: model::event_destination::SubscriptionType::RedfishEvent.into(),
        protocol: Some(model::event_destination::EventDestinationProtocol::Redfish),
        context: Prop::Null,
        oem: Some(EventDestinationOem {
            hawkfish: Some(hawkfish),
        }),
        ..EventDestination::default()
    })
}

fn pointers(findings: Vec<Finding>) -> Vec<(String, Problem)> {
    findings
        .into_iter()
        .map(|finding| (finding.pointer, finding.problem))
        .collect()
}

fn object(value: &Value) -> &Map<String, Value> {
    value.as_object().unwrap()
}

#[test]
fn an_object_of_ours_is_typed_and_says_what_it_is() {
    let hawkfish = ours::EventDestination {
        signing_key: Prop::Null,
        delivered_count: Some(3),
        dead_letters: Some(OdataId::new("/redfish/v1/x")),
        ..ours::EventDestination::default()
    };
    let body = destination(hawkfish);
    let shown = &body["Oem"]["HawkFish"];
    assert_eq!(
        shown["@odata.type"],
        "#HawkFishEventDestination.v1_0_0.EventDestination"
    );
    assert!(shown["SigningKey"].is_null() && shown["DeliveredCount"] == 3);
    assert_eq!(validate::response(ENTITY, &body), []);
}

#[test]
fn an_answer_with_an_object_of_ours_that_is_not_as_our_schema_says_is_found_out() {
    let good = destination(ours::EventDestination::default());
    let with = |name: &str, value: Value| {
        let mut body = good.clone();
        body["Oem"]["HawkFish"][name] = value;
        pointers(validate::response(ENTITY, &body))
    };
    let at = |name: &str| format!("/Oem/HawkFish/{name}");
    assert!(with("DeliveredCount", json!(0)).is_empty());
    assert_eq!(with("DeliveredCount", json!(-1))[0].0, at("DeliveredCount"));
    assert_eq!(
        with("Unheard", json!(1)),
        [(at("Unheard"), Problem::Unknown)]
    );
    assert_eq!(
        with("@odata.type", json!("#Other.v1_0_0.X"))[0].0,
        at("@odata.type")
    );
    assert_eq!(
        with("LastFailure", json!({"Words": ""}))[0].0,
        at("LastFailure/Words")
    );
    // What is only written is never shown, not even here.
    let leaked = with("SigningKey", json!("hunter2"));
    assert_eq!(leaked[0].0, at("SigningKey"));
    assert!(!format!("{leaked:?}").contains("hunter2"));

    let mut nobody = good.clone();
    object(&nobody["Oem"]["HawkFish"]);
    nobody["Oem"]["HawkFish"]
        .as_object_mut()
        .unwrap()
        .remove("@odata.type");
    assert_eq!(
        pointers(validate::response(ENTITY, &nobody)),
        [(at("@odata.type"), Problem::Missing)]
    );
    let mut other = good;
    other["Oem"]["Contoso"] = json!({"A": 1});
    assert_eq!(
        pointers(validate::response(ENTITY, &other)),
        [("/Oem/Contoso".to_owned(), Problem::Unknown)]
    );
}

#[test]
fn of_an_object_of_ours_only_what_is_writable_can_be_sent() {
    let required =
        json!({"Destination": "https://r.example/", "Protocol": "Redfish", "Context": "x"});
    let create = |oem: Value| {
        let mut body = required.clone();
        body["Oem"] = oem;
        pointers(validate::create(ENTITY, object(&body)))
    };
    let patch = |oem: Value| pointers(validate::patch(ENTITY, object(&json!({"Oem": oem}))));
    let key = |value: Value| json!({"HawkFish": {"SigningKey": value}});
    let too_long = Problem::TooLong {
        value: "******".to_owned(),
        max: 1024,
    };
    let wrong_type = Problem::Type {
        value: "******".to_owned(),
    };
    let at = |name: &str| format!("/Oem/HawkFish/{name}");
    for send in [&create as &dyn Fn(Value) -> Vec<(String, Problem)>, &patch] {
        assert_eq!(send(key(json!("k".repeat(1024)))), []);
        assert_eq!(send(key(Value::Null)), []);
        assert_eq!(
            send(key(json!("k".repeat(1025)))),
            [(at("SigningKey"), too_long.clone())]
        );
        assert_eq!(
            send(key(json!(7))),
            [(at("SigningKey"), wrong_type.clone())]
        );
        for (oem, pointer, problem) in [
            (
                json!({"HawkFish": {"DeliveredCount": 1}}),
                "/Oem/HawkFish/DeliveredCount",
                Problem::NotWritable,
            ),
            (
                json!({"HawkFish": {"Unheard": 1}}),
                "/Oem/HawkFish/Unheard",
                Problem::Unknown,
            ),
            (
                json!({"Contoso": {"Unheard": 1}}),
                "/Oem/Contoso",
                Problem::Unknown,
            ),
            (
                json!({"HawkFish": 5}),
                "/Oem/HawkFish",
                Problem::Type { value: "5".into() },
            ),
            (
                json!({"HawkFish": null}),
                "/Oem/HawkFish",
                Problem::Type {
                    value: "null".into(),
                },
            ),
            (
                json!("HawkFish"),
                "/Oem",
                Problem::Type {
                    value: "HawkFish".into(),
                },
            ),
        ] {
            assert_eq!(send(oem), [(pointer.to_owned(), problem)]);
        }
    }
    // Whoever says of what version it is says nothing wrong.
    let said = json!({"HawkFish": {"@odata.type": "#HawkFishEventDestination.v1_0_0.EventDestination", "SigningKey": "k"}});
    assert_eq!((create(said.clone()), patch(said)), (vec![], vec![]));
}

#[test]
fn what_is_sent_for_an_object_of_ours_is_read_into_types() {
    let body = json!({"Oem": {"HawkFish": {"SigningKey": null}}});
    let patch: EventDestinationPatch = serde_json::from_value(body).unwrap();
    let key = patch.oem.unwrap().hawkfish.unwrap().signing_key;
    assert_eq!(key.change(), Some(None));
    let body = json!({
        "Destination": "https://r.example/", "Protocol": "Redfish",
        "Oem": {"HawkFish": {"SigningKey": "hunter2"}},
    });
    let create: EventDestinationCreate = serde_json::from_value(body).unwrap();
    let key = create.oem.unwrap().hawkfish.unwrap().signing_key;
    assert_eq!(key.change(), Some(Some("hunter2".to_owned())));
}

#[test]
fn actions_of_ours_stand_in_actions_oem_and_their_parameters_are_checked() {
    let name = "HawkFishEventDestination.ReplayDeadLetters";
    assert_eq!(validate::action_name(ENTITY, name), Some(name));
    let look = |body: Value| pointers(validate::action(ENTITY, name, object(&body)).unwrap());
    assert_eq!(look(json!({})), []);
    assert_eq!(look(json!({"DeadLetterId": "7"})), []);
    assert_eq!(
        look(json!({"DeadLetter": "7"})),
        [("/DeadLetter".to_owned(), Problem::Unknown)]
    );
    assert_eq!(look(json!({"DeadLetterId": 7}))[0].0, "/DeadLetterId");

    let mut body = destination(ours::EventDestination::default());
    let target = json!({"target": "/redfish/v1/EventService/Subscriptions/1/Actions/Oem/HawkFishEventDestination.ReplayDeadLetters"});
    body["Actions"] = json!({"Oem": {"#HawkFishEventDestination.ReplayDeadLetters": target}});
    assert_eq!(validate::response(ENTITY, &body), []);
    body["Actions"] = json!({"#HawkFishEventDestination.ReplayDeadLetters": target});
    assert_eq!(validate::response(ENTITY, &body).len(), 1);
}

#[test]
fn our_schemas_are_given_out_whole_and_nothing_in_them_is_unreferenced() {
    let document = metadata::document();
    assert!(metadata::is_own("HawkFishDeadLetter") && !metadata::is_own("ComputerSystem"));
    for (file, text) in metadata::schema_files() {
        assert!(
            document.contains(&format!("Uri=\"/redfish/v1/schemas/{file}\"")),
            "{file}"
        );
        let schema = file.strip_suffix("_v1.xml").unwrap();
        assert!(schema.starts_with("HawkFish"), "{file}");
        for namespace in text.split("Namespace=\"").skip(1) {
            let namespace = namespace.split('"').next().unwrap();
            if namespace.starts_with(&format!("{schema}.")) {
                assert!(
                    document.contains(&format!("Namespace=\"{namespace}\"")),
                    "{namespace}"
                );
            }
        }
        // What it refers to of ours is there, too.
        for reference in text.split("Uri=\"/redfish/v1/schemas/").skip(1) {
            let other = reference.split('"').next().unwrap();
            assert!(
                metadata::schema_files()
                    .iter()
                    .any(|(file, _)| *file == other),
                "{other}"
            );
        }
    }
    let described = validate::describedby("HawkFishDeadLetter").unwrap();
    assert_eq!(
        described,
        "/redfish/v1/JsonSchemas/HawkFishDeadLetter.v1_0_0/Document"
    );
}

#[test]
fn an_object_of_ours_has_a_json_schema_that_judges_alike() {
    let (name, ty) = metadata::extensions()
        .find(|(name, _)| *name == "HawkFishEventDestination")
        .unwrap();
    assert_eq!(ty, ours::EventDestination::ODATA_TYPE);
    let schema = metadata::json_schema(name).unwrap();
    let validator = jsonschema::validator_for(schema).unwrap();
    let good = json!(ours::EventDestination {
        signing_key: Prop::Null,
        ..ours::EventDestination::default()
    });
    assert!(validator.is_valid(&good));
    for (name, value) in [
        ("SigningKey", json!("k")),
        ("DeliveredCount", json!(-1)),
        ("Unheard", json!(1)),
    ] {
        let mut bad = good.clone();
        bad[name] = value;
        assert!(!validator.is_valid(&bad), "{name}");
    }
    let components = metadata::components();
    let create = &components["EventDestinationCreate"]["properties"]["Oem"]["$ref"];
    let oem = &components[create.as_str().unwrap().rsplit('/').next().unwrap()];
    let hawkfish = &oem["properties"]["HawkFish"]["$ref"];
    let hawkfish = &components[hawkfish.as_str().unwrap().rsplit('/').next().unwrap()];
    let names: Vec<_> = hawkfish["properties"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["SigningKey"]);
    assert_eq!(hawkfish["properties"]["SigningKey"]["maxLength"], 1024);
}

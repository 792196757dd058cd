use super::*;
use serde_json::json;

#[track_caller]
fn findings(found: Vec<Finding>) -> Vec<(String, Problem)> {
    found
        .into_iter()
        .map(|finding| (finding.pointer, finding.problem))
        .collect()
}

#[track_caller]
fn patched(entity: &str, body: Value) -> Vec<(String, Problem)> {
    findings(patch(entity, body.as_object().unwrap()))
}

fn shown(value: &str) -> String {
    value.to_owned()
}

#[test]
fn a_good_patch_has_nothing_wrong() {
    let body = json!({
        "@odata.id": "/redfish/v1/Systems/1",
        "@odata.etag": "\"1\"",
        "AssetTag": null,
        "LocationIndicatorActive": true,
        "Boot": {
            "BootSourceOverrideTarget": "Cd",
            "BootSourceOverrideEnabled": "Once",
            "BootSourceOverrideMode": "UEFI",
            "BootOrder": ["a", null, "b"],
            "HttpBootUri": "http://boot.example/x.efi",
        },
    });
    assert_eq!(patched("ComputerSystem", body), []);
    assert_eq!(patched("ComputerSystem", json!({"Boot": {}})), []);
}

#[test]
fn a_patch_is_told_everything_that_is_wrong_with_it() {
    let body = json!({
        "Id": "2",
        "Status": {"State": "Enabled"},
        "Foo": 1,
        "AssetTag": 5,
        "LocationIndicatorActive": "yes",
        "PowerRestorePolicy": null,
        "HostingRoles": ["BareMetalServer"],
        "Boot": {
            "BootSourceOverrideTarget": "Moon",
            "BootOrder": {"a": 1},
            "BootOptions": {"@odata.id": "/x"},
            "HttpBootUri": "not a uri",
            "BootNext": ["a"],
            "Foo/Bar": 1,
        },
    });
    let t = |value: &str| Problem::Type {
        value: shown(value),
    };
    assert_eq!(
        patched("ComputerSystem", body),
        [
            ("/Id".into(), Problem::NotWritable),
            ("/Status".into(), Problem::NotWritable),
            ("/Foo".into(), Problem::Unknown),
            ("/AssetTag".into(), t("5")),
            ("/LocationIndicatorActive".into(), t("yes")),
            ("/PowerRestorePolicy".into(), t("null")),
            ("/HostingRoles".into(), Problem::NotWritable),
            (
                "/Boot/BootSourceOverrideTarget".into(),
                Problem::NotInList {
                    value: shown("Moon")
                }
            ),
            ("/Boot/BootOrder".into(), t("{...}")),
            ("/Boot/BootOptions".into(), Problem::NotWritable),
            (
                "/Boot/HttpBootUri".into(),
                Problem::Format {
                    value: shown("not a uri")
                }
            ),
            ("/Boot/BootNext".into(), Problem::NotWritable),
            ("/Boot/Foo~1Bar".into(), Problem::Unknown),
        ]
    );
}

#[test]
fn a_number_must_be_within_its_range() {
    let timeout = |value: Value| patched("SessionService", json!({"SessionTimeout": value}));
    assert_eq!(timeout(json!(30)), []);
    assert_eq!(timeout(json!(86400)), []);
    for n in [json!(29), json!(86401), json!(-1), json!(u64::MAX)] {
        let value = n.to_string();
        assert_eq!(
            timeout(n),
            [("/SessionTimeout".into(), Problem::OutOfRange { value })]
        );
    }
    assert_eq!(
        timeout(json!(30.5)),
        [(
            "/SessionTimeout".into(),
            Problem::Type {
                value: shown("30.5")
            }
        )]
    );
}

#[test]
fn each_problem_has_its_base_message_with_the_property_named() {
    let body = json!({"Boot": {"BootSourceOverrideTarget": "Moon"}});
    let found = patch("ComputerSystem", body.as_object().unwrap());
    let message = found[0].message();
    assert_eq!(message.key(), "PropertyValueNotInList");
    assert_eq!(message.args, ["Moon", "BootSourceOverrideTarget"]);
    assert_eq!(
        message.related_properties,
        ["#/Boot/BootSourceOverrideTarget"]
    );

    let problems = [
        Problem::Unknown,
        Problem::NotWritable,
        Problem::Type { value: shown("1") },
        Problem::NotInList { value: shown("1") },
        Problem::Format { value: shown("1") },
        Problem::OutOfRange { value: shown("1") },
        Problem::TooLong {
            value: shown("1"),
            max: 0,
        },
        Problem::TooShort {
            value: shown("1"),
            min: 2,
        },
        Problem::ArrayTooLong { max: 3 },
        Problem::ArrayTooShort { min: 1 },
        Problem::Missing,
        Problem::Duplicate,
    ];
    for problem in problems {
        let finding = Finding {
            pointer: "/P".into(),
            name: "P".into(),
            problem,
        };
        assert!(finding.message().message.contains('P') || finding.message().args[0] == "1");
        assert_eq!(finding.action_message("X.Y").related_properties, ["#/P"]);
    }
}

#[test]
fn a_password_is_never_echoed() {
    let account = json!({"Password": 12345678, "PasswordChangeRequired": "hunter"});
    let found = patch("ManagerAccount", account.as_object().unwrap());
    let text: String = found
        .iter()
        .map(|finding| finding.message().message)
        .collect();
    assert!(
        !text.contains("12345678") && text.contains("hunter"),
        "{text}"
    );

    let media = json!({"Image": 5, "Password": ["hunter2"]});
    let found = action("VirtualMedia", "InsertMedia", media.as_object().unwrap()).unwrap();
    let text: String = found
        .iter()
        .map(|f| f.action_message("VirtualMedia.InsertMedia").message)
        .collect();
    assert!(found.len() == 2 && !text.contains("hunter2"), "{text}");
}

#[test]
fn what_creates_an_account_must_be_complete() {
    let made = |body: Value| findings(create("ManagerAccount", body.as_object().unwrap()));
    let whole = json!({"UserName": "me", "Password": "secret", "RoleId": "Operator"});
    assert_eq!(made(whole), []);
    assert_eq!(
        made(json!({"UserName": "me", "Locked": "no", "Id": "7", "Foo": 1})),
        [
            ("/Locked".into(), Problem::Type { value: shown("no") }),
            ("/Id".into(), Problem::NotWritable),
            ("/Foo".into(), Problem::Unknown),
            ("/Password".into(), Problem::Missing),
            ("/RoleId".into(), Problem::Missing),
        ]
    );
    let session = json!({"UserName": "me", "Password": "secret"});
    assert_eq!(create("Session", session.as_object().unwrap()), []);
}

#[test]
fn an_action_is_found_by_its_short_name_and_by_its_whole_name() {
    let body = json!({"ResetType": "On"});
    for name in ["Reset", "ComputerSystem.Reset", "#ComputerSystem.Reset"] {
        assert_eq!(
            action("ComputerSystem", name, body.as_object().unwrap()),
            Ok(vec![])
        );
        assert_eq!(
            action_name("ComputerSystem", name),
            Some("ComputerSystem.Reset")
        );
    }
    for name in ["", "reset", "Manager.Reset", "Decommission"] {
        assert_eq!(
            action("ComputerSystem", name, &Map::new()),
            Err(UnknownAction),
            "{name}"
        );
    }
}

#[test]
fn the_parameters_of_an_action_are_looked_at() {
    let insert = |body: Value| {
        findings(action("VirtualMedia", "InsertMedia", body.as_object().unwrap()).unwrap())
    };
    assert_eq!(
        insert(json!({"Image": "http://x/y.iso", "Inserted": null, "WriteProtected": true})),
        []
    );
    assert_eq!(
        insert(json!({"TransferMethod": "Beam", "Foo": 1, "Inserted": 1, "@odata.id": "/x"})),
        [
            (
                "/TransferMethod".into(),
                Problem::NotInList {
                    value: shown("Beam")
                }
            ),
            ("/Foo".into(), Problem::Unknown),
            ("/Inserted".into(), Problem::Type { value: shown("1") }),
            ("/Image".into(), Problem::Missing),
        ]
    );
    assert_eq!(
        insert(json!({"Image": null}))[0].1,
        Problem::Type {
            value: shown("null")
        }
    );
    let missing = &action("VirtualMedia", "InsertMedia", &Map::new()).unwrap()[0];
    let message = missing.action_message("VirtualMedia.InsertMedia");
    assert_eq!(message.args, ["VirtualMedia.InsertMedia", "Image"]);
}

fn system() -> Value {
    json!({
        "@odata.id": "/redfish/v1/Systems/1",
        "@odata.type": odata_type("ComputerSystem"),
        "@odata.etag": "\"7\"",
        "Id": "1",
        "Name": "vm",
        "UUID": "00000000-1111-2222-3333-444444444444",
        "LastResetTime": "2026-01-31T23:59:59Z",
        "Boot": {
            "BootSourceOverrideTarget": "None",
            "BootSourceOverrideTarget@Redfish.AllowableValues": ["None", "Cd"],
        },
        "MemorySummary": {"TotalSystemMemoryGiB": 0.5},
        "Links": {"Chassis": [{"@odata.id": "/redfish/v1/Chassis/1"}]},
        "Actions": {
            "#ComputerSystem.Reset": {
                "target": "/redfish/v1/Systems/1/Actions/ComputerSystem.Reset",
                "ResetType@Redfish.AllowableValues": ["On"],
            },
        },
        "Oem": {"HawkFish": {"Anything": [1]}},
    })
}

#[test]
fn a_good_representation_has_nothing_wrong() {
    assert_eq!(response("ComputerSystem", &system()), []);
    let collection = json!({
        "@odata.id": "/redfish/v1/Systems",
        "@odata.type": "#ComputerSystemCollection.ComputerSystemCollection",
        "Name": "Systems",
        "Members@odata.count": 2,
        "Members": [{"@odata.id": "/redfish/v1/Systems/2"}, system()],
    });
    assert_eq!(response("ComputerSystemCollection", &collection), []);
    let registry = crate::message::hawkfish_registry().clone();
    let mut registry = registry;
    registry["@odata.id"] = json!("/redfish/v1/Registries/HawkFish");
    assert_eq!(response("MessageRegistry", &registry), []);
}

#[test]
fn what_is_wrong_with_a_representation_is_found() {
    let mut body = system();
    let change: &[(&str, Value)] = &[
        ("@odata.typo", json!(1)),
        ("@odata.etag", json!(1)),
        ("UUID", json!("")),
        ("LastResetTime", json!("00:00:00Z")),
        ("SystemType", json!("Imaginary")),
        ("Links", json!({"Chassis": [{"href": "/x"}]})),
        (
            "Actions",
            json!({"#ComputerSystem.Explode": {"target": "/x"}, "#ComputerSystem.Reset": {}}),
        ),
        ("hidden@Foo.Bar", json!(1)),
    ];
    for (name, value) in change {
        body[*name] = value.clone();
    }
    body.as_object_mut().unwrap().shift_remove("Name");
    let found: Vec<String> = response("ComputerSystem", &body)
        .into_iter()
        .map(|finding| finding.pointer)
        .collect();
    assert_eq!(
        found,
        [
            "/@odata.etag",
            "/UUID",
            "/LastResetTime",
            "/Links/Chassis/0/href",
            "/Links/Chassis/0/@odata.id",
            "/Actions/#ComputerSystem.Explode",
            "/Actions/#ComputerSystem.Reset/target",
            "/SystemType",
            "/hidden@Foo.Bar",
            "/Name",
        ]
    );
}

#[test]
fn a_password_in_a_representation_is_found_and_not_shown() {
    let account = json!({
        "@odata.id": "/redfish/v1/AccountService/Accounts/1",
        "@odata.type": odata_type("ManagerAccount"),
        "Id": "1", "Name": "me", "AccountTypes": ["Redfish"], "Password": "hunter2",
    });
    let found = response("ManagerAccount", &account);
    assert_eq!(found.len(), 1);
    assert!(!format!("{found:?}").contains("hunter2"));
    let mut account = account;
    account["Password"] = Value::Null;
    assert_eq!(response("ManagerAccount", &account), []);
}

#[test]
fn an_expanded_member_is_held_against_its_own_schema() {
    let mut member = system();
    member["Foo"] = json!(1);
    let collection = json!({
        "@odata.id": "/redfish/v1/Systems",
        "@odata.type": "#ComputerSystemCollection.ComputerSystemCollection",
        "Name": "Systems",
        "Members@odata.count": 1,
        "Members": [member],
    });
    let found = findings(response("ComputerSystemCollection", &collection));
    assert_eq!(found, [("/Members/0/Foo".to_owned(), Problem::Unknown)]);
}

#[test]
fn paths_tell_what_is_served_and_what_is_writable() {
    assert!(is_served_property("ComputerSystem", "Boot/BootOrder"));
    assert!(is_writable("ComputerSystem", "Boot/BootOrder"));
    assert!(!is_writable("ComputerSystem", "UUID") && is_served_property("ComputerSystem", "UUID"));
    assert!(!is_served_property("ComputerSystem", "Boot/UUID"));
    assert!(
        !is_served_property("ComputerSystem", "UUID/x") && !is_served_property("Nothing", "Id")
    );
}

#[test]
fn every_entity_tells_its_type_its_schema_and_what_can_be_done() {
    for name in entities() {
        let ty = odata_type(name).unwrap();
        assert!(
            ty.starts_with(&format!("#{name}.")) && ty.ends_with(&format!(".{name}")),
            "{ty}"
        );
        let namespace = ty[1..].rsplit_once('.').unwrap().0;
        let url = match crate::metadata::is_own(name) {
            true => format!("/redfish/v1/JsonSchemas/{namespace}/Document"),
            false => format!("http://redfish.dmtf.org/schemas/v1/{namespace}.json"),
        };
        assert_eq!(describedby(name), Some(url.as_str()));
        assert_eq!(
            namespace.contains(".v1_"),
            !name.ends_with("Collection"),
            "{namespace}"
        );
    }
    let can = |entity| capabilities(entity).unwrap();
    assert!(can("ComputerSystem").updatable && !can("ComputerSystem").deletable);
    assert!(can("SessionCollection").insertable && can("Session").deletable);
    assert!(!can("ComputerSystemCollection").insertable && !can("Task").updatable);
    assert_eq!(odata_type("Nothing"), None);
}

#[test]
fn ten_thousand_wrong_properties_are_not_all_listed() {
    let body: Map<String, Value> = (0..10_000).map(|n| (format!("P{n}"), json!(n))).collect();
    assert_eq!(patch("ComputerSystem", &body).len(), 100);
}

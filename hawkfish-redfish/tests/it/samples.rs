//! Representations as a service gives them, and as real BMCs do.

use hawkfish_redfish::model::chassis::{Chassis, ChassisType};
use hawkfish_redfish::model::computer_system::{
    Actions, Boot, BootSource, BootSourceOverrideEnabled, ComputerSystem, ComputerSystemPatch,
    Links, MemorySummary, PowerState, ResetAction, ResetParams, ResetType, Status, SystemType,
};
use hawkfish_redfish::model::computer_system_collection::ComputerSystemCollection;
use hawkfish_redfish::model::manager_account::{AccountTypes, ManagerAccount, ManagerAccountPatch};
use hawkfish_redfish::model::resource::{Health, State};
use hawkfish_redfish::model::virtual_media::InsertMediaParams;
use hawkfish_redfish::model::{OdataId, Prop};
use hawkfish_redfish::validate;
use serde_json::{Value, json};

/// A system, filled in as a service would.
pub(crate) fn system() -> ComputerSystem {
    ComputerSystem {
        odata_id: "/redfish/v1/Systems/1".into(),
        id: "1".into(),
        name: "vm".into(),
        system_type: Some(SystemType::Virtual),
        manufacturer: "QEMU".into(),
        asset_tag: Prop::Null,
        uuid: "00000000-1111-2222-3333-444444444444".into(),
        power_state: PowerState::On.into(),
        last_reset_time: Some("2026-01-31T23:59:59+00:00".into()),
        boot: Some(Boot {
            boot_source_override_enabled: BootSourceOverrideEnabled::Once.into(),
            boot_source_override_target: BootSource::Cd.into(),
            boot_source_override_target_allowable: vec![BootSource::None, BootSource::Cd],
            boot_order: Some(vec!["disk".into(), "cd".into()]),
            http_boot_uri: Prop::Null,
            ..Boot::default()
        }),
        memory_summary: Some(MemorySummary {
            total_system_memory_gib: 0.5.into(),
            ..MemorySummary::default()
        }),
        status: Some(Status {
            state: State::Enabled.into(),
            health: Health::OK.into(),
            ..Status::default()
        }),
        virtual_media: Some("/redfish/v1/Systems/1/VirtualMedia".into()),
        links: Some(Links {
            chassis: Some(vec!["/redfish/v1/Chassis/1".into()]),
            managed_by: Some(vec![OdataId::new("/redfish/v1/Managers/1")]),
            ..Links::default()
        }),
        actions: Some(Actions {
            reset: Some(ResetAction {
                target: "/redfish/v1/Systems/1/Actions/ComputerSystem.Reset".into(),
                reset_type_allowable: vec![ResetType::On, ResetType::ForceOff],
                ..ResetAction::default()
            }),
            ..Actions::default()
        }),
        ..ComputerSystem::default()
    }
}

/// One good representation for each of several entities.
pub(crate) fn representations() -> Vec<(&'static str, Value)> {
    let account = ManagerAccount {
        odata_id: "/redfish/v1/AccountService/Accounts/1".into(),
        id: "1".into(),
        name: "account".into(),
        user_name: Some("me".into()),
        password: Prop::Null,
        role_id: Some("Administrator".into()),
        enabled: Some(true),
        account_types: Some(vec![AccountTypes::Redfish]),
        password_expiration: "2026-01-31T23:59:59Z".into(),
        ..ManagerAccount::default()
    };
    let chassis = Chassis {
        odata_id: "/redfish/v1/Chassis/1".into(),
        id: "1".into(),
        name: "chassis".into(),
        chassis_type: Some(ChassisType::RackMount),
        height_mm: 44.5.into(),
        ..Chassis::default()
    };
    let systems = ComputerSystemCollection {
        odata_id: "/redfish/v1/Systems".into(),
        name: "systems".into(),
        members_odata_count: 1,
        members: vec!["/redfish/v1/Systems/1".into()],
        ..ComputerSystemCollection::default()
    };
    let mut registry = hawkfish_redfish::message::hawkfish_registry().clone();
    registry["@odata.id"] = json!("/redfish/v1/Registries/HawkFish/HawkFish.json");
    vec![
        ("ComputerSystem", json!(system())),
        ("ManagerAccount", json!(account)),
        ("Chassis", json!(chassis)),
        ("ComputerSystemCollection", json!(systems)),
        ("MessageRegistry", registry),
        (
            "SessionService",
            json!({
                "@odata.id": "/redfish/v1/SessionService",
                "@odata.type": validate::odata_type("SessionService"),
                "Id": "SessionService", "Name": "sessions", "SessionTimeout": 600,
            }),
        ),
        (
            "VirtualMedia",
            json!({
                "@odata.id": "/redfish/v1/Systems/1/VirtualMedia/1",
                "@odata.type": validate::odata_type("VirtualMedia"),
                "Id": "1", "Name": "cd", "MediaTypes": ["CD", "DVD"], "Image": null, "EjectTimeout": "PT5M",
                "Inserted": false, "Password": null, "ConnectedVia": "NotConnected",
            }),
        ),
        (
            "Task",
            json!({
                "@odata.id": "/redfish/v1/TaskService/Tasks/1",
                "@odata.type": validate::odata_type("Task"),
                "Id": "1", "Name": "task", "TaskState": "Running", "PercentComplete": 5,
                "StartTime": "2026-01-31T23:59:59Z",
                "Messages": [hawkfish_redfish::message::hawkfish("MediaFetching", &["http://x/y"])],
            }),
        ),
    ]
}

#[test]
fn a_resource_filled_in_is_valid_and_read_back_the_same() {
    for (entity, body) in representations() {
        assert_eq!(validate::response(entity, &body), [], "{entity}");
    }
    let body = json!(system());
    assert_eq!(
        serde_json::from_value::<ComputerSystem>(body).unwrap(),
        system()
    );
}

#[test]
fn a_resource_is_written_with_its_annotations_first_and_its_actions_last() {
    let text = serde_json::to_string(&system()).unwrap();
    assert!(
        text.starts_with(
            r##"{"@odata.id":"/redfish/v1/Systems/1","@odata.type":"#ComputerSystem."##
        )
    );
    let at = |name: &str| {
        text.find(&format!("\"{name}\":"))
            .unwrap_or_else(|| panic!("{name}: {text}"))
    };
    let order = [
        "@odata.type",
        "Id",
        "Name",
        "SystemType",
        "Boot",
        "Links",
        "Actions",
    ];
    assert!(
        order.windows(2).all(|pair| at(pair[0]) < at(pair[1])),
        "{text}"
    );
    assert!(text.contains(r#""AssetTag":null"#) && !text.contains("\"SKU\""));
    let through_value = serde_json::to_string(&json!(system())).unwrap();
    assert_eq!(text, through_value);
}

#[test]
fn what_a_broken_bmc_says_is_read_all_the_same() {
    let body = json!({
        "@odata.id": "/redfish/v1/Systems/1",
        "Id": null,
        "SystemType": "Holographic",
        "Boot": {"BootSourceOverrideTarget": "Cloud", "BootOrder": ["a", null, "b"], "Vendor": 1},
        "Links": {"Chassis": null},
        "Status": {"Health": null},
        "Actions": {"#ComputerSystem.Reset": {"target": "/x"}, "#Vendor.Explode": {"target": "/y"}},
        "Unheard": [{"of": 1}],
    });
    let system: ComputerSystem = serde_json::from_value(body).unwrap();
    assert_eq!((system.id.as_str(), system.odata_type.as_str()), ("", ""));
    assert_eq!(
        system.system_type,
        Some(SystemType::Unrecognized("Holographic".into()))
    );
    assert_eq!(system.system_type.unwrap().as_str(), "Holographic");
    let boot = system.boot.unwrap();
    assert_eq!(
        boot.boot_source_override_target
            .value()
            .unwrap()
            .to_string(),
        "Cloud"
    );
    assert_eq!(boot.boot_order.unwrap(), ["a", "b"]);
    assert_eq!(system.links.unwrap().chassis, None);
    assert!(system.status.as_ref().unwrap().health.is_null());
    assert!(system.status.unwrap().state.is_absent());
    assert_eq!(system.actions.unwrap().reset.unwrap().target, "/x");

    let members: ComputerSystemCollection =
        serde_json::from_value(json!({"Members": null})).unwrap();
    assert!(members.members.is_empty());
}

#[test]
fn a_patch_tells_leaving_from_clearing_from_setting() {
    let body = json!({"AssetTag": null, "Boot": {"BootSourceOverrideTarget": "Pxe", "BootOrder": ["a", null]}});
    let patch: ComputerSystemPatch = serde_json::from_value(body.clone()).unwrap();
    assert_eq!(patch.asset_tag.clone().change(), Some(None));
    assert_eq!(patch.indicator_led.clone().change(), None);
    let boot = patch.boot.clone().unwrap();
    assert_eq!(boot.boot_source_override_target, BootSource::Pxe.into());
    assert_eq!(boot.boot_order, Some(vec![Some("a".into()), None]));
    assert_eq!(json!(patch), body);

    let patch = ManagerAccountPatch {
        password: "x".into(),
        ..ManagerAccountPatch::default()
    };
    assert_eq!(json!(patch), json!({"Password": "x"}));
}

#[test]
fn parameters_are_read_from_what_was_validated() {
    let body = json!({"ResetType": "ForceOff"});
    assert_eq!(
        validate::action("ComputerSystem", "Reset", body.as_object().unwrap()),
        Ok(vec![])
    );
    let params: ResetParams = serde_json::from_value(body).unwrap();
    assert_eq!(params.reset_type, Some(ResetType::ForceOff));
    let params: InsertMediaParams =
        serde_json::from_value(json!({"Image": "http://x/y.iso"})).unwrap();
    assert_eq!(params.image, "http://x/y.iso");
    assert_eq!(params.inserted, None);
}

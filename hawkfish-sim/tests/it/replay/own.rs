//! A tree of our own: nothing in it is called what HawkFish calls it.

use super::*;

pub(super) const SYSTEM: &str = "/redfish/v1/Systems/Node.1";
pub(super) const MANAGER: &str = "/redfish/v1/Managers/Ctl";
pub(super) const SLOT: &str = "/redfish/v1/Managers/Ctl/Media/A";
pub(super) const BIOS: &str = "/redfish/v1/Systems/Node.1/Firmware";
pub(super) const SESSIONS: &str = "/redfish/v1/Auth/Live";
pub(super) const ACCOUNTS: &str = "/redfish/v1/Users/All";

/// Nothing in it is called what HawkFish calls it.
pub(super) fn tree() -> Capture {
    let link = |uri: &str| json!({"@odata.id": uri});
    let collection = |uri: &str, of: &str, members: &[&str]| {
        let members: Vec<Value> = members.iter().map(|uri| link(uri)).collect();
        (
            uri.to_owned(),
            json!({
                "@odata.id": uri, "@odata.type": format!("#{of}Collection.{of}Collection"),
                "Name": of, "Members@odata.count": members.len(), "Members": members,
            }),
        )
    };
    let document = |uri: &str, kind: &str, mut more: Value| {
        let (name, _) = kind.split_once('.').unwrap();
        more["@odata.id"] = json!(uri);
        more["@odata.type"] = json!(format!("#{kind}.{name}"));
        more["Id"] = json!(uri.rsplit('/').next());
        more["Name"] = json!(name);
        (uri.to_owned(), more)
    };
    let target = |uri: &str, action: &str| json!({"target": format!("{uri}/Actions/{action}")});
    let documents = vec![
        document(
            "/redfish/v1",
            "ServiceRoot.v1_5_0",
            json!({
                "Systems": link("/redfish/v1/Systems"), "Managers": link("/redfish/v1/Managers"),
                "SessionService": link("/redfish/v1/Auth"), "AccountService": link("/redfish/v1/Users"),
                "Tasks": link("/redfish/v1/Work"), "EventService": link("/redfish/v1/Telling"),
                "Links": {"Sessions": link(SESSIONS)},
                "ProtocolFeaturesSupported": {"SelectQuery": true, "ExpandQuery": {"Levels": true, "MaxLevels": 2}},
            }),
        ),
        collection("/redfish/v1/Systems", "ComputerSystem", &[SYSTEM]),
        document(
            SYSTEM,
            "ComputerSystem.v1_10_0",
            json!({
                "@odata.etag": "W/\"77\"", "PowerState": "On", "AssetTag": "", "IndicatorLED": "Off", "SerialNumber": "ZX81-48K-0042",
                "HostName": "node", "SystemType": "Physical", "Status": {"State": "Enabled", "Health": "OK"},
                "Boot": {
                    "BootSourceOverrideEnabled": "Disabled", "BootSourceOverrideTarget": "None", "BootSourceOverrideMode": "UEFI",
                    "BootSourceOverrideTarget@Redfish.AllowableValues": ["None", "Pxe", "Cd", "Hdd", "Diags"],
                    "BootOrder": ["Boot0001", "Boot0002"],
                },
                "Links": {"ManagedBy": [link(MANAGER)]}, "Bios": link(BIOS),
                "LogServices": link("/redfish/v1/Systems/Node.1/Logs"),
                "Oem": {"Acme": {"Fans": 3, "Mood": "calm", "Deep": {"On": true}, "PostState": "FinishedPost"}},
                "Actions": {
                    "#ComputerSystem.Reset": {
                        "target": format!("{SYSTEM}/Do/Reset"),
                        "ResetType@Redfish.AllowableValues": ["On", "ForceOff", "ForceRestart", "GracefulShutdown"],
                    },
                    "Oem": {"#Acme.Dance": {"target": format!("{SYSTEM}/Do/Dance")}},
                },
            }),
        ),
        document(
            BIOS,
            "Bios.v1_0_0",
            json!({
                "AttributeRegistry": "AcmeBios", "Attributes": {"Turbo": "Enabled", "Delay": 3, "Owner": ""},
                "@Redfish.Settings": {"@odata.type": "#Settings.v1_0_0.Settings", "SettingsObject": link("/redfish/v1/Systems/Node.1/Firmware/Later")},
            }),
        ),
        document(
            "/redfish/v1/Systems/Node.1/Firmware/Later",
            "Bios.v1_0_0",
            json!({
                "AttributeRegistry": "AcmeBios", "Attributes": {"Turbo": "Enabled", "Delay": 3, "Owner": ""},
            }),
        ),
        document(
            "/redfish/v1/Registries/AcmeBios",
            "AttributeRegistry.v1_0_0",
            json!({
                "Id": "AcmeBios",
                "RegistryEntries": {"Attributes": [
                    {"AttributeName": "Turbo", "Type": "Enumeration", "Value": [{"ValueName": "Enabled"}, {"ValueName": "Disabled"}]},
                    {"AttributeName": "Delay", "Type": "Integer", "LowerBound": 0, "UpperBound": 9},
                ]},
            }),
        ),
        collection(
            "/redfish/v1/Systems/Node.1/Logs",
            "LogService",
            &["/redfish/v1/Systems/Node.1/Logs/Main"],
        ),
        document(
            "/redfish/v1/Systems/Node.1/Logs/Main",
            "LogService.v1_0_0",
            json!({
                "Entries": link("/redfish/v1/Systems/Node.1/Logs/Main/E"),
                "Actions": {"#LogService.ClearLog": target("/redfish/v1/Systems/Node.1/Logs/Main", "LogService.ClearLog")},
            }),
        ),
        collection(
            "/redfish/v1/Systems/Node.1/Logs/Main/E",
            "LogEntry",
            &["/redfish/v1/Systems/Node.1/Logs/Main/E/1"],
        ),
        document(
            "/redfish/v1/Systems/Node.1/Logs/Main/E/1",
            "LogEntry.v1_0_0",
            json!({"Message": "hello"}),
        ),
        collection("/redfish/v1/Managers", "Manager", &[MANAGER]),
        document(
            MANAGER,
            "Manager.v1_5_0",
            json!({
                "DateTime": "2024-05-05T10:00:00+02:00", "DateTimeLocalOffset": "+02:00", "ManagerType": "BMC",
                "Links": {"ManagerForServers": [link(SYSTEM)]}, "VirtualMedia": link("/redfish/v1/Managers/Ctl/Media"),
                "Actions": {"#Manager.Reset": target(MANAGER, "Manager.Reset")},
            }),
        ),
        collection("/redfish/v1/Managers/Ctl/Media", "VirtualMedia", &[SLOT]),
        document(
            SLOT,
            "VirtualMedia.v1_3_0",
            json!({
                "MediaTypes": ["CD", "DVD"], "Image": "", "Inserted": false, "ConnectedVia": "NotConnected", "WriteProtected": true,
                "Actions": {
                    "#VirtualMedia.InsertMedia": target(SLOT, "VirtualMedia.InsertMedia"),
                    "#VirtualMedia.EjectMedia": target(SLOT, "VirtualMedia.EjectMedia"),
                },
            }),
        ),
        document(
            "/redfish/v1/Auth",
            "SessionService.v1_0_0",
            json!({"SessionTimeout": 600, "Sessions": link(SESSIONS)}),
        ),
        collection(SESSIONS, "Session", &["/redfish/v1/Auth/Live/old"]),
        document(
            "/redfish/v1/Auth/Live/old",
            "Session.v1_0_0",
            json!({"UserName": "boss", "Oem": {"Acme": {"From": "afar"}}}),
        ),
        document(
            "/redfish/v1/Users",
            "AccountService.v1_0_0",
            json!({"Accounts": link(ACCOUNTS)}),
        ),
        collection(ACCOUNTS, "ManagerAccount", &["/redfish/v1/Users/All/1"]),
        document(
            "/redfish/v1/Users/All/1",
            "ManagerAccount.v1_0_0",
            json!({
                "UserName": "boss", "RoleId": "Administrator", "Enabled": true, "Locked": false, "Password": null,
                "Links": {"Role": link("/redfish/v1/Users/Roles/Administrator")},
            }),
        ),
        document(
            "/redfish/v1/Work",
            "TaskService.v1_0_0",
            json!({"Tasks": link("/redfish/v1/Work/All")}),
        ),
        collection("/redfish/v1/Work/All", "Task", &[]),
        document(
            "/redfish/v1/Telling",
            "EventService.v1_0_0",
            json!({"Subscriptions": link("/redfish/v1/Telling/Who")}),
        ),
        collection("/redfish/v1/Telling/Who", "EventDestination", &[]),
    ];
    Capture::from_documents(documents)
}

pub(super) async fn world() -> World {
    World::builder()
        .seed(5)
        .capture(tree())
        .start()
        .await
        .unwrap()
}

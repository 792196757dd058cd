//! A tree of our own.

use super::*;

const SYSTEM: &str = "/redfish/v1/Systems/Node.1";
const MANAGER: &str = "/redfish/v1/Managers/Ctl";
const SLOT: &str = "/redfish/v1/Managers/Ctl/Media/A";
const BIOS: &str = "/redfish/v1/Systems/Node.1/Firmware";
const SESSIONS: &str = "/redfish/v1/Auth/Live";
const ACCOUNTS: &str = "/redfish/v1/Users/All";

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

async fn world() -> World {
    World::builder()
        .seed(5)
        .capture(tree())
        .start()
        .await
        .unwrap()
}

#[tokio::test]
async fn what_nobody_changed_is_as_it_was_captured_to_the_tag() {
    let world = world().await;
    let client = Client::of(&world);
    for (uri, document) in &tree().documents {
        let Content::Json(captured) = &document.content else {
            continue;
        };
        assert_eq!(client.get(uri).await, *captured, "{uri}");
    }
    let answer = client.send("GET", SYSTEM, None).await;
    assert_eq!(answer.headers()["etag"], "W/\"77\"");
    assert_eq!(
        client
            .send("GET", "/redfish/v1/Nothing", None)
            .await
            .status(),
        StatusCode::NOT_FOUND
    );
    let nobody = Request::get(SYSTEM).body(Bytes::new()).unwrap();
    assert_eq!(world.call(nobody).await.status(), StatusCode::UNAUTHORIZED);
    let root = Request::get("/redfish/v1/").body(Bytes::new()).unwrap();
    assert_eq!(world.call(root).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn power_and_boot_are_the_machines() {
    let world = world().await;
    let client = Client::of(&world);
    let reset = format!("{SYSTEM}/Do/Reset");
    let (status, now) = client
        .patch(SYSTEM, json!({"Boot": {"BootSourceOverrideEnabled": "Once", "BootSourceOverrideTarget": "Pxe"}}))
        .await;
    assert_eq!(status, StatusCode::OK, "{now}");
    assert_eq!(now["Boot"]["BootSourceOverrideTarget"], "Pxe");
    client.done(&reset, json!({"ResetType": "ForceOff"})).await;
    let off = client.get(SYSTEM).await;
    assert_eq!(off["PowerState"], "Off");
    assert_eq!(off["Oem"]["Acme"]["PostState"], "PowerOff");
    assert_eq!(
        off["Boot"]["BootSourceOverrideEnabled"], "Once",
        "cutting the power is no boot"
    );
    client.done(&reset, json!({"ResetType": "On"})).await;
    seconds(&world, 120).await;
    let on = client.get(SYSTEM).await;
    assert_eq!(on["PowerState"], "On");
    assert_eq!(
        on["Boot"]["BootSourceOverrideEnabled"], "Disabled",
        "once is once"
    );
    let tag = client.send("GET", SYSTEM, None).await.headers()["etag"].clone();
    assert_eq!(tag, "W/\"77\"", "all is as it was");
    // What only this firmware knows, for one start too.
    let diags =
        json!({"Boot": {"BootSourceOverrideEnabled": "Once", "BootSourceOverrideTarget": "Diags"}});
    let (status, now) = client.patch(SYSTEM, diags).await;
    assert_eq!(
        (status, &now["Boot"]["BootSourceOverrideTarget"]),
        (StatusCode::OK, &json!("Diags"))
    );
    client
        .done(&reset, json!({"ResetType": "ForceRestart"}))
        .await;
    assert_eq!(
        client.get(SYSTEM).await["Boot"]["BootSourceOverrideTarget"],
        "None"
    );
    // What the capture does not list is refused, whatever HawkFish could do.
    let refused = client.post(&reset, json!({"ResetType": "Nmi"})).await;
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    assert_eq!(keys(&json_of(&refused)), ["ActionParameterValueNotInList"]);
    let (status, error) = client
        .patch(SYSTEM, json!({"Boot": {"BootSourceOverrideTarget": "Usb"}}))
        .await;
    assert_eq!(
        (status, keys(&error)),
        (
            StatusCode::BAD_REQUEST,
            vec!["PropertyValueNotInList".to_owned()]
        )
    );
}

#[tokio::test]
async fn media_come_and_go() {
    let world = world().await;
    let client = Client::of(&world);
    let insert = format!("{SLOT}/Actions/VirtualMedia.InsertMedia");
    client
        .done(&insert, json!({"Image": "http://images.example/os.iso"}))
        .await;
    let now = client.get(SLOT).await;
    assert_eq!(
        (&now["Image"], &now["Inserted"], &now["ConnectedVia"]),
        (
            &json!("http://images.example/os.iso"),
            &json!(true),
            &json!("URI")
        )
    );
    assert!(
        now.get("TransferMethod").is_none(),
        "only what the capture shows"
    );
    client
        .done(
            &format!("{SLOT}/Actions/VirtualMedia.EjectMedia"),
            json!({}),
        )
        .await;
    let captured = tree().get(SLOT).unwrap().value().unwrap().clone();
    assert_eq!(client.get(SLOT).await, captured);
    // As older clients do it.
    let (status, now) = client
        .patch(SLOT, json!({"Image": "http://images.example/b.iso"}))
        .await;
    assert_eq!(
        (status, &now["Inserted"]),
        (StatusCode::OK, &json!(true)),
        "{now}"
    );
    let (status, now) = client.patch(SLOT, json!({"Image": null})).await;
    assert_eq!(
        (status, &now["Inserted"]),
        (StatusCode::OK, &json!(false)),
        "{now}"
    );
}

#[tokio::test]
async fn a_patch_keeps_to_what_is_there_and_may_be_written() {
    let world = world().await;
    let client = Client::of(&world);
    for (body, key, pointer) in [
        (
            json!({"SerialNumber": "1"}),
            "PropertyNotWritable",
            "/SerialNumber",
        ),
        (json!({"SKU": "1"}), "PropertyUnknown", "/SKU"),
        (
            json!({"AssetTag": 7}),
            "PropertyValueTypeError",
            "/AssetTag",
        ),
        (
            json!({"IndicatorLED": "Purple"}),
            "PropertyValueNotInList",
            "/IndicatorLED",
        ),
        (
            json!({"Oem": {"Acme": {"Fans": "many"}}}),
            "PropertyValueTypeError",
            "/Oem/Acme/Fans",
        ),
        (
            json!({"Oem": {"Acme": {"Doors": 1}}}),
            "PropertyUnknown",
            "/Oem/Acme/Doors",
        ),
        (
            json!({"Status": {"Health": "OK"}}),
            "PropertyNotWritable",
            "/Status/Health",
        ),
    ] {
        let both = {
            let mut both = body.clone();
            both["HostName"] = json!("not-done");
            both
        };
        let (status, error) = client.patch(SYSTEM, both).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
        assert_eq!(keys(&error), [key], "{body}");
        let related = &error["error"]["@Message.ExtendedInfo"][0]["RelatedProperties"][0];
        assert!(related.as_str().unwrap().ends_with(pointer), "{related}");
    }
    assert_eq!(
        client.get(SYSTEM).await["HostName"],
        "node",
        "nothing half done"
    );
    let body = json!({
        "AssetTag": "rack 7", "IndicatorLED": "Blinking", "HostName": "other",
        "Oem": {"Acme": {"Mood": "wild", "Deep": {"On": false}}}, "Boot": {"BootOrder": ["Boot0002", "Boot0001"]},
    });
    let (status, now) = client.patch(SYSTEM, body).await;
    assert_eq!(status, StatusCode::OK, "{now}");
    assert_eq!(now, client.get(SYSTEM).await);
    assert_eq!(
        (&now["AssetTag"], &now["IndicatorLED"]),
        (&json!("rack 7"), &json!("Blinking"))
    );
    assert_eq!(
        now["Oem"]["Acme"],
        json!({"Fans": 3, "Mood": "wild", "Deep": {"On": false}, "PostState": "FinishedPost"})
    );
    assert_eq!(now["Boot"]["BootOrder"], json!(["Boot0002", "Boot0001"]));
    assert_ne!(now["@odata.etag"], "W/\"77\"");
    // Made for something else.
    let request = Request::patch(SYSTEM)
        .header(
            "authorization",
            format!("Basic {}", STANDARD.encode(format!("{USER}:{PASSWORD}"))),
        )
        .header("if-match", "W/\"77\"")
        .body(Bytes::from_static(b"{\"AssetTag\": \"x\"}"))
        .unwrap();
    assert_eq!(
        world.call(request).await.status(),
        StatusCode::PRECONDITION_FAILED
    );
    let refused = client.post("/redfish/v1/Systems", json!({})).await;
    assert_eq!(refused.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(refused.headers()["allow"], "GET, HEAD");
}

#[tokio::test]
async fn settings_wait_for_the_next_start() {
    let world = world().await;
    let client = Client::of(&world);
    let later = format!("{BIOS}/Later");
    for (attribute, value, key) in [
        ("Turbo", json!("Sometimes"), "PropertyValueNotInList"),
        ("Delay", json!(10), "PropertyValueOutOfRange"),
        ("Delay", json!("x"), "PropertyValueTypeError"),
        ("None", json!(1), "PropertyUnknown"),
    ] {
        let (status, error) = client
            .patch(&later, json!({"Attributes": {attribute: value}}))
            .await;
        assert_eq!(
            (status, keys(&error)),
            (StatusCode::BAD_REQUEST, vec![key.to_owned()])
        );
    }
    let (status, _) = client
        .patch(
            &later,
            json!({"Attributes": {"Turbo": "Disabled", "Delay": 5}}),
        )
        .await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(client.get(&later).await["Attributes"]["Turbo"], "Disabled");
    assert_eq!(
        client.get(BIOS).await["Attributes"]["Turbo"],
        "Enabled",
        "nothing has started yet"
    );
    seconds(&world, 600).await;
    assert_eq!(
        client.get(BIOS).await["Attributes"]["Turbo"],
        "Enabled",
        "time alone is no start"
    );
    client
        .done(
            &format!("{SYSTEM}/Do/Reset"),
            json!({"ResetType": "ForceRestart"}),
        )
        .await;
    let now = client.get(BIOS).await;
    assert_eq!(
        now["Attributes"],
        json!({"Turbo": "Disabled", "Delay": 5, "Owner": ""})
    );
}

#[tokio::test]
async fn sessions_are_the_shown_ones_and_expire() {
    let world = world().await;
    let mut client = Client::of(&world);
    let wrong = client
        .post(SESSIONS, json!({"UserName": "boss", "Password": "no"}))
        .await;
    assert_eq!(wrong.status(), StatusCode::UNAUTHORIZED);
    let answer = client
        .post(SESSIONS, json!({"UserName": "boss", "Password": PASSWORD}))
        .await;
    assert_eq!(answer.status(), StatusCode::CREATED, "{}", text(&answer));
    let own = answer.headers()["location"].to_str().unwrap().to_owned();
    assert!(own.starts_with(&format!("{SESSIONS}/")), "{own}");
    client.token = Some(
        answer.headers()["x-auth-token"]
            .to_str()
            .unwrap()
            .to_owned(),
    );
    let shown = client.get(&own).await;
    let names: Vec<&str> = shown
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert!(
        !names.contains(&"Oem"),
        "what is known of another session is not this one's: {names:?}"
    );
    assert_eq!(
        (&shown["UserName"], &shown["@odata.id"]),
        (&json!("boss"), &json!(own))
    );
    let all = client.get(SESSIONS).await;
    assert_eq!(all["Members@odata.count"], 2);
    seconds(&world, 599).await;
    client.get(SYSTEM).await;
    seconds(&world, 2).await;
    let all = client.get(SESSIONS).await;
    assert_eq!(
        all["Members"],
        json!([{"@odata.id": own}]),
        "the captured one has expired, the used one has not"
    );
    seconds(&world, 601).await;
    assert_eq!(
        client.send("GET", SYSTEM, None).await.status(),
        StatusCode::UNAUTHORIZED
    );
    client.token = None;
    assert_eq!(client.get(SESSIONS).await["Members"], json!([]));
}

#[tokio::test]
async fn accounts_log_in_as_they_were_changed() {
    let world = world().await;
    let client = Client::of(&world);
    let made = client
        .post(
            ACCOUNTS,
            json!({"UserName": "ann", "Password": "horse-battery", "RoleId": "ReadOnly"}),
        )
        .await;
    assert_eq!(made.status(), StatusCode::CREATED, "{}", text(&made));
    let uri = made.headers()["location"].to_str().unwrap().to_owned();
    assert_eq!(uri, format!("{ACCOUNTS}/2"));
    let log_in = async |name: &str, password: &str| {
        let answer = client
            .post(SESSIONS, json!({"UserName": name, "Password": password}))
            .await;
        let token = answer.headers().get("x-auth-token").cloned();
        (
            answer.status(),
            token.map(|token| token.to_str().unwrap().to_owned()),
        )
    };
    let (status, token) = log_in("ann", "horse-battery").await;
    assert_eq!(status, StatusCode::CREATED);
    let ann = Client {
        world: &world,
        token,
    };
    let (status, _) = ann.patch(SYSTEM, json!({"AssetTag": "x"})).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let (status, now) = client
        .patch(
            &uri,
            json!({"UserName": "anna", "Password": "another-horse"}),
        )
        .await;
    assert_eq!(
        (status, &now["UserName"], &now["Password"]),
        (StatusCode::OK, &json!("anna"), &Value::Null),
        "{now}"
    );
    assert_eq!(log_in("anna", "another-horse").await.0, StatusCode::CREATED);
    assert_eq!(
        log_in("ann", "horse-battery").await.0,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(
        client.send("DELETE", &uri, None).await.status(),
        StatusCode::NO_CONTENT
    );
    assert_eq!(client.get(ACCOUNTS).await["Members@odata.count"], 1);
    assert_eq!(
        log_in("anna", "another-horse").await.0,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn logs_are_cleared_and_what_nobody_understands_is_refused_or_taken() {
    let world = world().await;
    let client = Client::of(&world);
    let log = "/redfish/v1/Systems/Node.1/Logs/Main";
    client
        .done(&format!("{log}/Actions/LogService.ClearLog"), json!({}))
        .await;
    assert_eq!(client.get(&format!("{log}/E")).await["Members"], json!([]));
    assert_eq!(
        client
            .send("GET", &format!("{log}/E/1"), None)
            .await
            .status(),
        StatusCode::NOT_FOUND
    );
    let dance = format!("{SYSTEM}/Do/Dance");
    let refused = client.post(&dance, json!({})).await;
    assert_eq!(
        (refused.status(), keys(&json_of(&refused))),
        (
            StatusCode::NOT_IMPLEMENTED,
            vec!["ActionNotSupported".to_owned()]
        )
    );
    let dir = tempfile::tempdir().unwrap();
    tree().write(dir.path().join("t")).unwrap();
    let mut rack = Rack::new("sim", 1);
    rack.capture = Some(dir.path().join("t"));
    rack.unknown_actions = UnknownActions::Accept;
    let described = Description {
        racks: vec![rack],
        ..Description::default()
    };
    let world = World::builder().describe(described).start().await.unwrap();
    let taken = Client::of(&world).post(&dance, json!({})).await;
    assert_eq!(taken.status(), StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_manager_that_restarts_is_away_and_comes_back() {
    let world = world().await;
    let client = Client::of(&world);
    client
        .done(
            &format!("{MANAGER}/Actions/Manager.Reset"),
            json!({"ResetType": "GracefulRestart"}),
        )
        .await;
    let away = client.send("GET", SYSTEM, None).await;
    assert_eq!(away.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(away.headers().contains_key("retry-after"));
    seconds(&world, 600).await;
    let now = client.get(MANAGER).await;
    assert_eq!(now["DateTime"], "2024-05-05T10:10:00+02:00");
}

#[tokio::test]
async fn several_machines_of_one_capture_are_told_apart_and_have_a_state_each() {
    let dir = tempfile::tempdir().unwrap();
    tree().write(dir.path().join("t")).unwrap();
    let serials = async || {
        let mut rack = Rack::new("lab", 3);
        rack.capture = Some(dir.path().join("t"));
        let described = Description {
            seed: Some(3),
            racks: vec![rack],
            ..Description::default()
        };
        let world = World::builder().describe(described).start().await.unwrap();
        let mut serials = Vec::new();
        for name in ["lab-00001", "lab-00002", "lab-00003"] {
            let client = world.client_for(name).unwrap();
            let system = client.get_value(SYSTEM).await.unwrap().value;
            serials.push(system["SerialNumber"].as_str().unwrap().to_owned());
        }
        let second = world.client_for("lab-00002").unwrap();
        let reset = format!("{SYSTEM}/Do/Reset");
        second
            .post(&reset, &json!({"ResetType": "ForceOff"}))
            .await
            .unwrap();
        let mut power = Vec::new();
        for name in ["lab-00001", "lab-00002", "lab-00003"] {
            let client = world.client_for(name).unwrap();
            let system = client.get_value(SYSTEM).await.unwrap().value;
            power.push(system["PowerState"].as_str().unwrap().to_owned());
        }
        assert_eq!(power, ["On", "Off", "On"]);
        serials
    };
    let once = serials().await;
    assert_eq!(once[0], "ZX81-48K-0042");
    assert!(
        once[1] != once[0] && once[2] != once[1] && once[2] != once[0],
        "{once:?}"
    );
    assert_eq!(serials().await, once, "the same seed, the same machines");
}

#[tokio::test]
async fn the_same_requests_leave_the_same_trace() {
    let run = async || {
        let world = world().await;
        let client = Client::of(&world);
        client
            .post(SESSIONS, json!({"UserName": "boss", "Password": PASSWORD}))
            .await;
        client
            .patch(
                SYSTEM,
                json!({"AssetTag": "a", "Boot": {"BootSourceOverrideTarget": "Cd"}}),
            )
            .await;
        client
            .done(
                &format!("{SLOT}/Actions/VirtualMedia.InsertMedia"),
                json!({"Image": "http://a.example/b.iso"}),
            )
            .await;
        client
            .done(
                &format!("{SYSTEM}/Do/Reset"),
                json!({"ResetType": "ForceRestart"}),
            )
            .await;
        seconds(&world, 90).await;
        for uri in tree().documents.keys() {
            client.send("GET", uri, None).await;
        }
        world.trace().as_str().to_owned()
    };
    let first = run().await;
    assert!(first.len() > 1000);
    for _ in 1..20 {
        assert_eq!(run().await, first);
    }
}

#[tokio::test]
async fn query_parameters_are_those_that_the_source_understands() {
    let world = world().await;
    let client = Client::of(&world);
    let some = client.get(&format!("{SYSTEM}?$select=PowerState")).await;
    assert_eq!(some["PowerState"], "On");
    assert!(some.get("SerialNumber").is_none());
    let all = client.get("/redfish/v1/Systems?$expand=.($levels=1)").await;
    assert_eq!(all["Members"][0]["SerialNumber"], "ZX81-48K-0042");
    let refused = client
        .send(
            "GET",
            "/redfish/v1/Systems?$filter=PowerState%20eq%20'On'",
            None,
        )
        .await;
    assert_eq!(refused.status(), StatusCode::NOT_IMPLEMENTED);
}

/// A value that somebody could send.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[ -~]{0,12}".prop_map(Value::from),
        prop_oneof![
            Just("Once"),
            Just("Pxe"),
            Just("Lit"),
            Just("On"),
            Just("ForceOff"),
            Just("http://a.example/x")
        ]
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let name = prop_oneof![
            Just("Boot"),
            Just("Oem"),
            Just("Acme"),
            Just("AssetTag"),
            Just("Attributes"),
            Just("Turbo"),
            Just("Image"),
            Just("ResetType"),
            Just("UserName"),
            Just("Password"),
            Just("RoleId"),
            Just("BootSourceOverrideTarget"),
            Just("Members"),
            Just("Links"),
            Just("BootOrder"),
            Just("DateTime"),
            Just("SessionTimeout"),
            Just("Destination"),
            Just("@odata.id"),
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map(name.prop_map(str::to_owned), inner, 0..4)
                .prop_map(|all| Value::Object(Map::from_iter(all))),
        ]
    })
}

/// Whether something has all that the captured document shows, of the same kinds; null stands for anything.
fn has_shape(now: &Value, captured: &Value, at: &str) -> Result<(), String> {
    match (now, captured) {
        (Value::Object(now), Value::Object(captured)) => {
            for (name, captured) in captured.iter().filter(|(name, _)| *name != "Members") {
                let Some(now) = now.get(name) else {
                    return Err(format!("{at}/{name} is gone"));
                };
                has_shape(now, captured, &format!("{at}/{name}"))?;
            }
            let more = now.keys().find(|name| !captured.contains_key(*name));
            more.map_or(Ok(()), |name| Err(format!("{at}/{name} is new")))
        }
        (Value::Null, _) | (_, Value::Null) => Ok(()),
        (now, captured) if std::mem::discriminant(now) == std::mem::discriminant(captured) => {
            Ok(())
        }
        (now, captured) => Err(format!("{at}: {captured} became {now}")),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_sent_is_answered_and_leaves_documents_in_their_shape(
        sent in prop::collection::vec((0usize..4, any::<prop::sample::Index>(), anything()), 1..12)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let world = World::builder().seed(1).traced(false).capture(tree()).start().await.unwrap();
            let client = Client::of(&world);
            let documents = tree().documents;
            let mut targets: Vec<String> = documents.keys().cloned().collect();
            targets.push(format!("{SYSTEM}/Do/Reset"));
            targets.push(format!("{SLOT}/Actions/VirtualMedia.InsertMedia"));
            targets.push(format!("{SLOT}/Actions/VirtualMedia.EjectMedia"));
            for (method, target, body) in &sent {
                let uri = target.get(&targets);
                let method = ["PATCH", "POST", "DELETE", "GET"][*method];
                // What ends everybody's sessions and accounts is tried elsewhere.
                let answer = client.send(method, uri, Some(body)).await;
                let status = answer.status();
                prop_assert!(
                    !status.is_server_error() || status == StatusCode::NOT_IMPLEMENTED || status == StatusCode::SERVICE_UNAVAILABLE,
                    "{method} {uri} {body}: {}", text(&answer)
                );
            }
            seconds(&world, 300).await;
            for (uri, document) in &documents {
                let answer = client.send("GET", uri, None).await;
                if answer.status() == StatusCode::OK && !uri.ends_with("/E") {
                    let captured = document.value().unwrap();
                    has_shape(&json_of(&answer), captured, uri).map_err(TestCaseError::fail)?;
                }
            }
            Ok(())
        })?;
    }
}

//! A tree of our own, and all that a client can do with it.

use super::own::*;
use super::*;

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

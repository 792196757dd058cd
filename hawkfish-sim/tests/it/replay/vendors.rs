//! Real BMCs, captured.

use std::process::Command;

use super::*;

/// The captures, unpacked; none where they are missing.
fn captures() -> Option<Vec<(&'static str, Capture)>> {
    let dir = part::captures()?;
    let read = |name| Capture::read(dir.join(format!("{name}.tar.xz"))).expect("a capture");
    Some(vec![("hpe", read("hpe")), ("dell", read("dell"))])
}

/// What may differ from what was captured, and why.
fn may_differ(uri: &str, captured: &Value) -> bool {
    // Errors are answered as such.
    captured.get("error").is_some() && captured.get("@odata.id").is_none() || uri.is_empty()
}

#[tokio::test]
async fn every_document_is_as_it_was_captured() {
    let Some(captures) = captures() else { return };
    for (vendor, capture) in captures {
        let documents = capture.documents.clone();
        let began = std::time::Instant::now();
        let world = replayed(capture).await;
        eprintln!(
            "{vendor}: {} documents, ready in {:?}",
            documents.len(),
            began.elapsed()
        );
        let client = Client::of(&world);
        let (mut same, mut errors) = (0, Vec::new());
        for (uri, document) in &documents {
            let answer = client.send("GET", uri, None).await;
            let Content::Json(captured) = &document.content else {
                assert_eq!(answer.status(), StatusCode::OK, "{uri}");
                continue;
            };
            if may_differ(uri, captured) {
                assert!(
                    answer.status().is_client_error(),
                    "{uri}: {}",
                    text(&answer)
                );
                assert_eq!(json_of(&answer), *captured);
                errors.push(uri);
                continue;
            }
            assert_eq!(answer.status(), StatusCode::OK, "{uri}: {}", text(&answer));
            let (mut now, mut captured) = (json_of(&answer), captured.clone());
            // All clocks show one time.
            let clocks = [&mut now, &mut captured].map(|one| {
                let object = one.as_object_mut().expect("an object");
                object.shift_remove("DateTime")
            });
            assert_eq!(clocks[0].is_some(), clocks[1].is_some());
            assert_eq!(now, captured, "{vendor} {uri}");
            same += 1;
        }
        // The source answered these with errors.
        assert_eq!(
            errors.len(),
            if vendor == "hpe" { 5 } else { 8 },
            "{errors:?}"
        );
        assert!(same > 900, "{vendor}: {same}");
    }
}

fn by<'c>(captures: &'c [(&'static str, Capture)], vendor: &str) -> Capture {
    let found: &'c (_, Capture) = captures.iter().find(|(name, _)| *name == vendor).unwrap();
    found.1.clone()
}

async fn replayed(capture: Capture) -> World {
    let world = World::builder().traced(false).capture(capture);
    world.start().await.unwrap()
}

#[tokio::test]
async fn media_actions_of_vendors_mean_what_they_say() {
    let Some(captures) = captures() else { return };
    let world = replayed(by(&captures, "hpe")).await;
    let client = Client::of(&world);
    let slot = "/redfish/v1/Managers/1/VirtualMedia/2";
    let oem = format!("{slot}/Actions/Oem/Hpe");
    let before = client.get(slot).await;
    client
        .done(
            &format!("{oem}/HpeiLOVirtualMedia.InsertVirtualMedia"),
            json!({"Image": "http://a.example/x.iso"}),
        )
        .await;
    let now = client.get(slot).await;
    assert_eq!(
        (&now["Image"], &now["Inserted"]),
        (&json!("http://a.example/x.iso"), &json!(true))
    );
    let (status, now) = client
        .patch(
            slot,
            json!({"Oem": {"Hpe": {"BootOnNextServerReset": true}}}),
        )
        .await;
    assert_eq!(
        (status, &now["Oem"]["Hpe"]["BootOnNextServerReset"]),
        (StatusCode::OK, &json!(true)),
        "{now}"
    );
    client
        .patch(
            slot,
            json!({"Oem": {"Hpe": {"BootOnNextServerReset": false}}}),
        )
        .await;
    client
        .done(
            &format!("{oem}/HpeiLOVirtualMedia.EjectVirtualMedia"),
            json!({}),
        )
        .await;
    assert_eq!(client.get(slot).await, before);
    let button = "/redfish/v1/Systems/1/Actions/Oem/Hpe/HpeComputerSystemExt.PowerButton";
    client
        .done(button, json!({"PushType": "PressAndHold"}))
        .await;
    let system = client.get("/redfish/v1/Systems/1").await;
    assert_eq!(
        (&system["PowerState"], &system["Oem"]["Hpe"]["PostState"]),
        (&json!("Off"), &json!("PowerOff"))
    );

    let world = replayed(by(&captures, "dell")).await;
    let client = Client::of(&world);
    let service = "/redfish/v1/Systems/System.Embedded.1/Oem/Dell/DellOSDeploymentService/Actions/DellOSDeploymentService";
    let share = json!({"ShareType": "NFS", "IPAddress": "10.0.0.9", "ShareName": "/isos", "ImageName": "os.iso"});
    let in_drive = || {
        let ctx = hawkfish_core::ctx::Ctx::service();
        let all = world.hawkfish().systems(&ctx);
        all[0].machine.slots[0].medium.is_some()
    };
    client
        .done(&format!("{service}.ConnectNetworkISOImage"), share)
        .await;
    assert!(in_drive());
    let slot = "/redfish/v1/Systems/System.Embedded.1/VirtualMedia/1";
    assert_eq!(
        client.get(slot).await["Inserted"],
        false,
        "that is another drive to clients"
    );
    client
        .done(&format!("{service}.DisconnectNetworkISOImage"), json!({}))
        .await;
    assert!(!in_drive());
    let refused = client
        .post(&format!("{service}.GetDriverPackInfo"), json!({}))
        .await;
    assert_eq!(refused.status(), StatusCode::NOT_IMPLEMENTED);
}

#[tokio::test]
async fn firmware_settings_wait_for_a_start_or_for_a_job_and_a_start() {
    let Some(captures) = captures() else { return };
    let world = replayed(by(&captures, "hpe")).await;
    let client = Client::of(&world);
    let (status, now) = client
        .patch(
            "/redfish/v1/systems/1/bios/settings/",
            json!({"Attributes": {"EmbeddedUefiShell": "Disabled"}}),
        )
        .await;
    assert_eq!(status, StatusCode::OK, "{now}");
    for bios in ["/redfish/v1/systems/1/bios", "/redfish/v1/Systems/1/Bios"] {
        assert_eq!(
            client.get(bios).await["Attributes"]["EmbeddedUefiShell"],
            "Enabled"
        );
    }
    client
        .done(
            "/redfish/v1/Systems/1/Actions/ComputerSystem.Reset",
            json!({"ResetType": "ForceRestart"}),
        )
        .await;
    for bios in ["/redfish/v1/systems/1/bios", "/redfish/v1/Systems/1/Bios"] {
        assert_eq!(
            client.get(bios).await["Attributes"]["EmbeddedUefiShell"],
            "Disabled"
        );
    }

    let world = replayed(by(&captures, "dell")).await;
    let client = Client::of(&world);
    let system = "/redfish/v1/Systems/System.Embedded.1";
    let (bios, settings) = (format!("{system}/Bios"), format!("{system}/Bios/Settings"));
    let before = client.get(&bios).await["Attributes"]["LogicalProc"].clone();
    let other = if before == "Enabled" {
        "Disabled"
    } else {
        "Enabled"
    };
    let (status, now) = client
        .patch(&settings, json!({"Attributes": {"LogicalProc": other}}))
        .await;
    assert_eq!(
        (status, &now["Attributes"]["LogicalProc"]),
        (StatusCode::OK, &json!(other)),
        "{now}"
    );
    let restart = format!("{system}/Actions/ComputerSystem.Reset");
    client
        .done(&restart, json!({"ResetType": "ForceRestart"}))
        .await;
    assert_eq!(
        client.get(&bios).await["Attributes"]["LogicalProc"],
        before,
        "without a job nothing is taken over"
    );
    let jobs = "/redfish/v1/Managers/iDRAC.Embedded.1/Oem/Dell/Jobs";
    let made = client
        .post(jobs, json!({"TargetSettingsURI": settings}))
        .await;
    assert!(made.status().is_success(), "{}", text(&made));
    let job = made.headers()["location"].to_str().unwrap().to_owned();
    assert_eq!(client.get(&job).await["JobState"], "Scheduled");
    let id = job.rsplit('/').next().unwrap();
    assert_eq!(
        client
            .get(&format!("/redfish/v1/TaskService/Tasks/{id}"))
            .await["TaskState"],
        "New"
    );
    client
        .done(&restart, json!({"ResetType": "ForceRestart"}))
        .await;
    assert_eq!(client.get(&job).await["JobState"], "Completed");
    assert_eq!(
        client
            .get(&format!("/redfish/v1/TaskService/Tasks/{id}"))
            .await["TaskState"],
        "Completed"
    );
    assert_eq!(client.get(&bios).await["Attributes"]["LogicalProc"], other);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_of_others_use_the_replayed_bmcs_as_they_use_real_ones() {
    let Some(captures) = captures() else { return };
    let Some(python) = part::variable("HAWKFISH_TEST_PYTHON") else {
        return;
    };
    for (vendor, capture) in captures {
        let world = replayed(capture).await;
        world.clock().set_speed(20.0);
        world.start_running();
        let served = world.serve("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let program =
            PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/python/use_replayed.py");
        let (python, url) = (python.clone(), served.url());
        let done = tokio::task::spawn_blocking(move || {
            let mut run = Command::new(python);
            run.arg(program)
                .arg(url)
                .env("HAWKFISH_PASSWORD", PASSWORD)
                .output()
        });
        let done = done.await.unwrap().unwrap();
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        let wrong = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(done.status.success(), "{vendor}: {said}\n{wrong}");
        for step in [
            "sushy power",
            "sushy boot",
            "sushy media",
            "sushy sessions",
            "redfish log-in",
            "redfish event",
        ] {
            assert!(said.contains(step), "{vendor}: {step}: {said}");
        }
        served.end().await.unwrap();
    }
}

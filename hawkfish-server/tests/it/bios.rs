//! Firmware settings: what holds, what waits for the next reset, and what becomes of it.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::door::Door;

/// A system that can start by either firmware.
async fn small(door: &Door) -> String {
    for number in 0..2 {
        let system = door.system(number);
        if door.read(&system).await.body["Model"] == "Kestrel S1" {
            return system;
        }
    }
    panic!("no small server");
}

impl Door {
    async fn want_settings(&self, system: &str, attributes: Value) {
        let uri = format!("{system}/Bios/Settings");
        let body = json!({"Attributes": attributes});
        let answer = self.send("PATCH", &uri).admin().json(&body).answer().await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    async fn bios_attribute(&self, system: &str, name: &str) -> Value {
        self.read(&format!("{system}/Bios")).await.body["Attributes"][name].clone()
    }

    async fn bios_to_come(&self, system: &str, name: &str) -> Value {
        self.read(&format!("{system}/Bios/Settings")).await.body["Attributes"][name].clone()
    }

    async fn reset_system(&self, system: &str, how: &str) {
        let uri = format!("{system}/Actions/ComputerSystem.Reset");
        let body = json!({"ResetType": how});
        let answer = self.send("POST", &uri).admin().json(&body).answer().await;
        assert_eq!(answer.status, 204, "{answer:?}");
    }

    /// Lets time go by, a second at a time.
    async fn let_pass(&self, seconds: i64) {
        for _ in 0..seconds {
            self.clock.advance(SignedDuration::from_secs(1));
            self.app.hawkfish().tick().await.unwrap();
        }
    }
}

#[tokio::test]
async fn settings_wait_for_the_next_start_and_then_hold() {
    let door = Door::open().await;
    let system = small(&door).await;
    let bios = format!("{system}/Bios");
    let before = door.read(&bios).await.body;
    assert_eq!(before["Attributes"]["Hpet"], "Enabled");
    assert_eq!(before["Attributes"]["ProcessorsEnabled"], 16);
    let settings = &before["@Redfish.Settings"];
    assert_eq!(
        settings["SettingsObject"]["@odata.id"],
        format!("{bios}/Settings")
    );
    assert_eq!(
        settings["SupportedApplyTimes"],
        json!(["OnReset", "Immediate"])
    );
    assert!(settings.get("Time").is_none() && settings.get("Messages").is_none());

    door.want_settings(&system, json!({"Hpet": "Disabled", "ProcessorsEnabled": 4}))
        .await;
    assert_eq!(door.bios_attribute(&system, "Hpet").await, "Enabled");
    assert_eq!(door.bios_to_come(&system, "Hpet").await, "Disabled");
    assert_eq!(
        door.bios_to_come(&system, "AcpiS3").await,
        "Disabled",
        "what is not wanted stays"
    );

    door.reset_system(&system, "On").await;
    let after = door.read(&bios).await;
    assert_eq!(after.body["Attributes"]["Hpet"], "Disabled");
    assert_eq!(after.body["Attributes"]["ProcessorsEnabled"], 4);
    let settings = &after.body["@Redfish.Settings"];
    assert_eq!(settings["Time"], "2026-01-01T00:00:00Z");
    assert_eq!(settings["ETag"], after.header("etag"));
    assert_eq!(settings["SupportedApplyTimes"], json!(["OnReset"]));
    let told = settings["Messages"][0]["MessageId"].as_str().unwrap();
    assert!(told.ends_with(".Success"), "{told}");
    let processors = &door.read(&system).await.body["ProcessorSummary"];
    assert_eq!(processors["LogicalProcessorCount"], 4);
}

#[tokio::test]
async fn the_tag_of_the_last_application_stays_when_settings_change_again() {
    let door = Door::open().await;
    let system = small(&door).await;
    let bios = format!("{system}/Bios");
    door.want_settings(
        &system,
        json!({"BootMenu": "Enabled", "BootMenuTimeout": 1500}),
    )
    .await;
    door.reset_system(&system, "On").await;
    let applied = door.read(&bios).await;
    let body = json!({"HostWatchdogTimer": {"TimeoutAction": "PowerDown"}});
    let answer = door
        .send("PATCH", &system)
        .admin()
        .json(&body)
        .answer()
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let later = door.read(&bios).await;
    assert_eq!(later.body["Attributes"]["WatchdogAction"], "PowerOff");
    assert_ne!(later.header("etag"), applied.header("etag"));
    let tag = |body: &Value| body["@Redfish.Settings"]["ETag"].clone();
    assert_eq!(tag(&later.body), tag(&applied.body));
}

#[tokio::test]
async fn a_forced_restart_applies_what_waits_and_a_reset_by_the_guest_does_not() {
    let door = Door::open().await;
    let system = small(&door).await;
    door.reset_system(&system, "On").await;
    door.let_pass(10).await;
    door.want_settings(&system, json!({"Hpet": "Disabled"}))
        .await;
    // The guest fails and restarts by itself.
    door.reset_system(&system, "Nmi").await;
    door.let_pass(10).await;
    assert_eq!(door.bios_attribute(&system, "Hpet").await, "Enabled");
    assert_eq!(door.read(&system).await.body["LastResetCause"], "Unknown");

    door.reset_system(&system, "ForceRestart").await;
    assert_eq!(door.bios_attribute(&system, "Hpet").await, "Disabled");
    let body = door.read(&system).await.body;
    assert_eq!(body["PowerState"], "PoweringOn");
    assert_eq!(body["LastResetCause"], "ManagementCommand");
}

#[tokio::test]
async fn a_graceful_restart_waits_for_the_guest_and_starts_it_with_what_waits() {
    let door = Door::open().await;
    let system = small(&door).await;
    door.reset_system(&system, "On").await;
    door.let_pass(10).await;
    door.want_settings(&system, json!({"BootMode": "Legacy"}))
        .await;
    door.reset_system(&system, "GracefulRestart").await;
    assert_eq!(door.read(&system).await.body["PowerState"], "PoweringOff");
    door.let_pass(5).await;
    let body = door.read(&system).await.body;
    assert_ne!(body["PowerState"], "Off");
    assert_eq!(body["Boot"]["BootSourceOverrideMode"], "Legacy");
    assert_eq!(door.bios_attribute(&system, "BootMode").await, "Legacy");
    // Once: a shutdown that follows is one.
    door.let_pass(10).await;
    door.reset_system(&system, "GracefulShutdown").await;
    door.let_pass(20).await;
    assert_eq!(door.read(&system).await.body["PowerState"], "Off");
}

#[tokio::test]
async fn a_system_that_is_off_takes_settings_at_once_and_one_that_is_on_does_not() {
    let door = Door::open().await;
    let system = small(&door).await;
    let uri = format!("{system}/Bios/Settings");
    let body = |value: &str| {
        json!({
            "@Redfish.SettingsApplyTime": {"@odata.type": "#Settings.v1_4_0.PreferredApplyTime", "ApplyTime": "Immediate"},
            "Attributes": {"RealTimeClock": value},
        })
    };
    let answer = door
        .send("PATCH", &uri)
        .admin()
        .json(&body("LocalTime"))
        .answer()
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(
        door.bios_attribute(&system, "RealTimeClock").await,
        "LocalTime"
    );

    door.reset_system(&system, "On").await;
    let refused = door
        .send("PATCH", &uri)
        .admin()
        .json(&body("Utc"))
        .answer()
        .await;
    refused.refused(400, "PropertyValueNotInList");
    assert_eq!(
        refused.related(),
        ["#/@Redfish.SettingsApplyTime/ApplyTime"]
    );
    assert_eq!(
        door.bios_to_come(&system, "RealTimeClock").await,
        "LocalTime"
    );
}

#[tokio::test]
async fn a_wrong_attribute_is_named_and_nothing_is_kept() {
    let door = Door::open().await;
    let system = small(&door).await;
    let uri = format!("{system}/Bios/Settings");
    for (name, value, key) in [
        ("NoSuchThing", json!(1), "PropertyUnknown"),
        ("Hpet", json!("Maybe"), "PropertyValueNotInList"),
        ("Hpet", json!("Reset"), "PropertyValueNotInList"),
        ("Hpet", json!(true), "PropertyValueTypeError"),
        ("Hpet", json!(null), "PropertyValueTypeError"),
        ("ProcessorsEnabled", json!("4"), "PropertyValueTypeError"),
        ("ProcessorsEnabled", json!(0), "PropertyValueOutOfRange"),
        ("ProcessorsEnabled", json!(17), "PropertyValueOutOfRange"),
        ("ProcessorsEnabled", json!(1.5), "PropertyValueTypeError"),
    ] {
        let body = json!({"Attributes": {"BootMenu": "Enabled", name: value}});
        let answer = door.send("PATCH", &uri).admin().json(&body).answer().await;
        answer.refused(400, key);
        assert_eq!(
            answer.related(),
            [format!("#/Attributes/{name}")],
            "{answer:?}"
        );
    }
    assert_eq!(door.bios_to_come(&system, "BootMenu").await, "Disabled");

    for (body, pointers) in [
        (
            json!({"BootMode": "Legacy", "SecureBoot": "Enabled"}),
            ["#/Attributes/SecureBoot", "#/Attributes/BootMode"],
        ),
        (
            json!({"BootMenuTimeout": 5}),
            ["#/Attributes/BootMenuTimeout", "#/Attributes/BootMenu"],
        ),
    ] {
        let answer = door
            .send("PATCH", &uri)
            .admin()
            .json(&json!({"Attributes": body}))
            .answer()
            .await;
        answer.refused(400, "PropertyValueConflict");
        assert_eq!(answer.related(), pointers);
    }
    assert_eq!(door.bios_to_come(&system, "BootMode").await, "Uefi");

    let answer = door
        .send("PATCH", &format!("{system}/Bios"))
        .admin()
        .json(&json!({"Attributes": {"Hpet": "Disabled"}}))
        .answer()
        .await;
    answer.refused(405, "OperationNotAllowed");
}

#[tokio::test]
async fn defaults_come_back_at_the_next_reset() {
    let door = Door::open().await;
    let system = small(&door).await;
    let bios = format!("{system}/Bios");
    door.want_settings(&system, json!({"Hpet": "Disabled", "RebootTimeout": 100}))
        .await;
    door.reset_system(&system, "On").await;
    door.want_settings(&system, json!({"AcpiS3": "Enabled"}))
        .await;
    let action = format!("{bios}/Actions/Bios.ResetBios");
    let answer = door
        .send("POST", &action)
        .admin()
        .json(&json!({}))
        .answer()
        .await;
    assert_eq!(answer.status, 204, "{answer:?}");
    let body = door.read(&bios).await.body;
    assert_eq!(body["ResetBiosToDefaultsPending"], true);
    assert_eq!(body["Attributes"]["Hpet"], "Disabled");
    assert_eq!(door.bios_to_come(&system, "Hpet").await, "Enabled");
    assert_eq!(
        door.bios_to_come(&system, "AcpiS3").await,
        "Disabled",
        "what waited is forgotten"
    );

    door.reset_system(&system, "PowerCycle").await;
    let body = door.read(&bios).await.body;
    assert_eq!(body["ResetBiosToDefaultsPending"], false);
    assert_eq!(body["Attributes"]["Hpet"], "Enabled");
    assert_eq!(body["Attributes"]["RebootTimeout"], -1);
}

#[tokio::test]
async fn a_suspended_system_goes_on_as_it_was_and_its_settings_go_on_waiting() {
    let door = Door::open().await;
    let system = small(&door).await;
    door.reset_system(&system, "On").await;
    door.let_pass(10).await;
    door.want_settings(&system, json!({"Hpet": "Disabled"}))
        .await;
    door.reset_system(&system, "Suspend").await;
    door.reset_system(&system, "On").await;
    let body = door.read(&format!("{system}/Bios")).await.body;
    assert_eq!(body["Attributes"]["Hpet"], "Enabled");
    let message = &body["@Redfish.Settings"]["Messages"][0];
    assert_eq!(message["MessageId"], "HawkFish.1.0.SettingsNotApplied");
    assert!(
        message["Message"].as_str().unwrap().contains("suspended"),
        "{message}"
    );
    assert_eq!(door.bios_to_come(&system, "Hpet").await, "Disabled");
    door.reset_system(&system, "PowerCycle").await;
    assert_eq!(door.bios_attribute(&system, "Hpet").await, "Disabled");
}

#[tokio::test]
async fn the_registry_tells_of_each_attribute_that_a_system_has_and_of_no_other() {
    let door = Door::open().await;
    let members = door.read("/redfish/v1/Registries").await.body["Members"].clone();
    let members: Vec<&str> = members
        .as_array()
        .unwrap()
        .iter()
        .map(|member| member["@odata.id"].as_str().unwrap())
        .collect();
    let mut seen = Vec::new();
    for number in 0..2 {
        let system = door.system(number);
        let bios = door.read(&format!("{system}/Bios")).await.body;
        let name = bios["AttributeRegistry"].as_str().unwrap();
        let (id, _) = name.split_once('.').unwrap();
        let file = format!("/redfish/v1/Registries/{id}");
        assert!(members.contains(&file.as_str()), "{members:?}");
        let file = door.read(&file).await.body;
        assert_eq!(file["Registry"], name);
        let whole = door
            .read(file["Location"][0]["Uri"].as_str().unwrap())
            .await
            .body;
        let entries: BTreeMap<&str, &Value> = whole["RegistryEntries"]["Attributes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| (entry["AttributeName"].as_str().unwrap(), entry))
            .collect();
        let attributes = bios["Attributes"].as_object().unwrap();
        assert!(attributes.len() >= 10, "{attributes:?}");
        assert!(entries.keys().copied().eq({
            let mut names: Vec<&str> = attributes.keys().map(String::as_str).collect();
            names.sort_unstable();
            names
        }));
        for (name, value) in attributes {
            let entry = entries[name.as_str()];
            assert_eq!(entry["DefaultValue"], *value, "{name}");
            match entry["Type"].as_str().unwrap() {
                "Enumeration" => {
                    let known = entry["Value"].as_array().unwrap();
                    assert!(
                        known.iter().any(|known| known["ValueName"] == *value),
                        "{entry}"
                    );
                }
                "Integer" => {
                    let bounds = (entry["LowerBound"].as_i64(), entry["UpperBound"].as_i64());
                    let value = value.as_i64();
                    assert!(bounds.0 <= value && value <= bounds.1, "{entry}");
                }
                other => panic!("{other}"),
            }
            assert!(
                entry["HelpText"]
                    .as_str()
                    .is_some_and(|text| text.len() > 20)
            );
        }
        seen.push((
            bios["Attributes"]["BootMode"].clone(),
            entries.contains_key("RebootTimeout"),
            name.to_owned(),
        ));
    }
    // The two makes differ: one has no PC BIOS, and nothing that belongs to one.
    assert_ne!(seen[0].1, seen[1].1, "{seen:?}");
    assert_ne!(seen[0].2, seen[1].2);
    door.send("GET", "/redfish/v1/Registries/HawkFishBios00000000")
        .admin()
        .answer()
        .await
        .refused(404, "ResourceMissingAtURI");
}

#[tokio::test]
async fn secure_boot_is_enabled_from_the_next_boot_on() {
    let door = Door::open().await;
    let system = small(&door).await;
    let uri = format!("{system}/SecureBoot");
    let patch = async |enable: bool| {
        let body = json!({"SecureBootEnable": enable});
        door.send("PATCH", &uri).admin().json(&body).answer().await
    };
    door.reset_system(&system, "On").await;
    door.let_pass(10).await;
    let now = door.read(&uri).await.body;
    assert_eq!(now["SecureBootEnable"], false);
    assert_eq!(now["SecureBootCurrentBoot"], "Disabled");
    let answer = patch(true).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.body["SecureBootEnable"], true);
    assert_eq!(answer.body["SecureBootCurrentBoot"], "Disabled");
    door.reset_system(&system, "ForceRestart").await;
    let now = door.read(&uri).await.body;
    assert_eq!(now["SecureBootEnable"], true);
    assert_eq!(now["SecureBootCurrentBoot"], "Enabled");
    assert_eq!(now["SecureBootMode"], "UserMode");
    assert_eq!(door.bios_attribute(&system, "SecureBoot").await, "Enabled");

    // A PC BIOS knows of none, and takes it away with it.
    door.want_settings(&system, json!({"BootMode": "Legacy"}))
        .await;
    assert_eq!(door.read(&uri).await.body["SecureBootEnable"], false);
    patch(true).await.refused(409, "OperationNotAllowed");
    door.reset_system(&system, "ForceRestart").await;
    assert_eq!(
        door.read(&uri).await.body["SecureBootCurrentBoot"],
        "Disabled"
    );
}

#[tokio::test]
async fn the_databases_of_secure_boot_are_shown_with_what_is_in_them() {
    let door = Door::open().await;
    let system = small(&door).await;
    let link = door.read(&format!("{system}/SecureBoot")).await.body["SecureBootDatabases"].clone();
    let databases = door.read(link["@odata.id"].as_str().unwrap()).await.body;
    let databases = databases["Members"].as_array().unwrap();
    let mut seen = BTreeMap::new();
    for database in databases {
        let database = door
            .read(database["@odata.id"].as_str().unwrap())
            .await
            .body;
        assert_eq!(database["DatabaseId"], database["Id"]);
        let signatures = database["Signatures"]["@odata.id"].as_str().unwrap();
        let signatures = door.read(signatures).await.body["Members"].clone();
        for signature in signatures.as_array().unwrap() {
            let signature = door
                .read(signature["@odata.id"].as_str().unwrap())
                .await
                .body;
            assert_eq!(signature["SignatureTypeRegistry"], "UEFI");
            let kind = signature["SignatureType"].as_str().unwrap().to_owned();
            let text = signature["SignatureString"].as_str().unwrap().to_owned();
            assert_eq!((kind.as_str(), text.len()), ("EFI_CERT_SHA256_GUID", 64));
            assert!(
                seen.insert(text, database["Id"].clone()).is_none(),
                "each is another"
            );
        }
        let certificates = database["Certificates"]["@odata.id"].as_str().unwrap();
        let members = door.read(certificates).await.body["Members"].clone();
        for certificate in members.as_array().unwrap() {
            let certificate = door
                .read(certificate["@odata.id"].as_str().unwrap())
                .await
                .body;
            let name = certificate["Subject"]["CommonName"].as_str().unwrap();
            assert!(name.starts_with("Kestrel S1 "), "{certificate}");
            assert_eq!(certificate["ValidNotBefore"], "2020-01-01T00:00:00Z");
            let text = certificate["CertificateString"]
                .as_str()
                .unwrap()
                .to_owned();
            assert!(text.starts_with("-----BEGIN CERTIFICATE-----"), "{text}");
            assert!(
                seen.insert(text, database["Id"].clone()).is_none(),
                "each is another"
            );
        }
        let missing = format!("{certificates}/7");
        let answer = door.send("GET", &missing).admin().answer().await;
        answer.refused(404, "ResourceMissingAtURI");
    }
    let count = |name: &str| seen.values().filter(|id| **id == name).count();
    assert_eq!(
        [count("PK"), count("KEK"), count("db"), count("dbx")],
        [1, 1, 4, 6]
    );
}

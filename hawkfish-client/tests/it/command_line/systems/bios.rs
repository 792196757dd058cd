//! `systems bios` and `systems secure-boot`.

use serde_json::{Value, json};

use super::super::little::Little;
use super::super::rack::Rack;
use super::{NAME, system};

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_shown_and_changed_and_in_force_after_the_next_reset() {
    let rack = Rack::of(1).await;
    insta::assert_snapshot!(
        "settings",
        rack.shows(&["systems", "bios", "show", NAME]).await
    );
    // Names and values without regard to case; they are sent as the service writes them.
    let out = rack
        .shows(&[
            "systems",
            "bios",
            "set",
            NAME,
            "bootmenu=enabled",
            "BootMenuTimeout=500",
        ])
        .await;
    assert_eq!(
        out,
        "sim-00001: BootMenu = Enabled, BootMenuTimeout = 500 after the next reset\n"
    );
    insta::assert_snapshot!(
        "pending",
        rack.shows(&["systems", "bios", "pending", NAME]).await
    );
    insta::assert_snapshot!(
        "settings_with_pending",
        rack.shows(&["systems", "bios", "show", NAME]).await
    );
    assert_eq!(
        rack.get(&system("/Bios")).await["Attributes"]["BootMenu"],
        "Disabled"
    );
    assert_eq!(
        rack.get(&system("/Bios/Settings")).await["Attributes"]["BootMenuTimeout"],
        500
    );
    rack.shows(&["systems", "power", NAME, "on"]).await;
    rack.seconds(180).await;
    assert_eq!(
        rack.get(&system("/Bios")).await["Attributes"]["BootMenu"],
        "Enabled"
    );
    assert_eq!(
        rack.shows(&["systems", "bios", "get", NAME, "bootmenutimeout"])
            .await,
        "500\n"
    );
    assert_eq!(
        rack.shows(&["systems", "bios", "pending", NAME]).await,
        "nothing waits\n"
    );
    // Programs get the values as they are.
    let out = rack
        .shows(&[
            "-o",
            "json",
            "systems",
            "bios",
            "get",
            NAME,
            "BootMenu",
            "BootMenuTimeout",
        ])
        .await;
    let got: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(got, json!({"BootMenu": "Enabled", "BootMenuTimeout": 500}));
    let out = rack
        .shows(&["-o", "yaml", "systems", "bios", "get", NAME, "BootMenu"])
        .await;
    assert_eq!(out, "BootMenu: Enabled\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_the_machine_does_not_take_is_refused_with_what_it_takes_before_anything_is_sent()
 {
    let rack = Rack::of(1).await;
    let before = rack.get(&system("/Bios/Settings")).await["Attributes"].clone();
    for (change, code, says) in [
        (
            "BootMode=Fancy",
            2,
            "BootMode does not take Fancy, but Legacy, Uefi",
        ),
        ("BootMenuTimeout=65536", 2, "but 0 to 65535"),
        ("BootMenuTimeout=soon", 2, "but 0 to 65535"),
        ("ProcessorsEnabled=0", 2, "but 1 to 16"),
        ("Colour=red", 4, "no setting Colour"),
        ("BootMode", 2, "write the name, =, and the value"),
    ] {
        let ran = rack
            .run(&["systems", "bios", "set", NAME, "Hpet=Disabled", change])
            .await;
        assert_eq!((ran.code, ran.out.as_str()), (code, ""), "{}", ran.err);
        assert!(ran.err.contains(says), "{}", ran.err);
    }
    let ran = rack
        .run(&[
            "systems",
            "bios",
            "set",
            NAME,
            "Hpet=Disabled",
            "--apply",
            "Never",
        ])
        .await;
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("OnReset, Immediate"), "{}", ran.err);
    let ran = rack.run(&["systems", "bios", "get", NAME, "Colour"]).await;
    assert_eq!(ran.code, 4, "{}", ran.err);
    assert_eq!(
        rack.get(&system("/Bios/Settings")).await["Attributes"],
        before
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_changed_at_once_where_the_service_can_and_set_as_they_were() {
    let rack = Rack::of(1).await;
    let out = rack
        .shows(&[
            "systems",
            "bios",
            "set",
            NAME,
            "Hpet=disabled",
            "--apply",
            "immediate",
        ])
        .await;
    assert_eq!(out, "sim-00001: Hpet = Disabled at once\n");
    assert_eq!(
        rack.get(&system("/Bios")).await["Attributes"]["Hpet"],
        "Disabled"
    );
    rack.shows(&["systems", "bios", "reset", NAME]).await;
    let out = rack
        .shows(&["systems", "bios", "pending", NAME, "-o", "json"])
        .await;
    let pending: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        pending,
        json!([{"Name": "Hpet", "Now": "Disabled", "ToCome": "Enabled"}])
    );
    rack.shows(&["systems", "power", NAME, "on"]).await;
    rack.seconds(180).await;
    assert_eq!(
        rack.get(&system("/Bios")).await["Attributes"]["Hpet"],
        "Enabled"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setting_is_explained() {
    let rack = Rack::of(1).await;
    insta::assert_snapshot!(
        "explained",
        rack.shows(&["systems", "bios", "explain", NAME, "bootmode"])
            .await
    );
    insta::assert_snapshot!(
        "all_explained",
        rack.shows(&["systems", "bios", "explain", NAME]).await
    );
    let ran = rack
        .run(&["systems", "bios", "explain", NAME, "Colour"])
        .await;
    assert_eq!(ran.code, 4, "{}", ran.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_registry_and_a_place_for_what_waits_values_are_of_the_kind_that_is_there() {
    let tree = Little::with_system(
        json!({"Bios": {"@odata.id": "/redfish/v1/B"}}),
        [("/B", json!({"AttributeRegistry": "Gone.v1_0_0", "Attributes": {"Cores": 4, "Mode": "Uefi", "Quiet": false}}))],
    )
    .await;
    let out = tree
        .run(&[
            "systems",
            "bios",
            "set",
            "7",
            "cores=8",
            "mode=Bios",
            "Quiet=yes",
        ])
        .await;
    assert_eq!(
        (out.code, out.out.as_str()),
        (0, "7: Cores = 8, Mode = Bios, Quiet = yes\n"),
        "{}",
        out.err
    );
    let sent = tree.sent();
    assert_eq!(sent.len(), 1);
    assert_eq!(
        sent[0].2,
        json!({"Attributes": {"Cores": 8, "Mode": "Bios", "Quiet": true}})
    );
    let ran = tree.run(&["systems", "bios", "pending", "7"]).await;
    assert_eq!(ran.code, 4, "{}", ran.err);
    let ran = tree.run(&["systems", "bios", "reset", "7"]).await;
    assert_eq!(ran.code, 4, "{}", ran.err);
    let ran = tree.run(&["systems", "bios", "explain", "7"]).await;
    assert_eq!(ran.code, 4, "{}", ran.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn secure_boot_is_switched_and_its_keys_are_shown() {
    let rack = Rack::of(1).await;
    insta::assert_snapshot!(
        "secure_boot",
        rack.shows(&["systems", "secure-boot", "show", NAME]).await
    );
    insta::assert_snapshot!(
        "databases",
        rack.shows(&["systems", "secure-boot", "databases", NAME])
            .await
    );
    let out = rack.shows(&["systems", "secure-boot", "on", NAME]).await;
    assert_eq!(out, "sim-00001: secure boot on from the next start on\n");
    assert_eq!(
        rack.get(&system("/SecureBoot")).await["SecureBootEnable"],
        true
    );
    rack.shows(&["systems", "secure-boot", "off", NAME]).await;
    assert_eq!(
        rack.get(&system("/SecureBoot")).await["SecureBootEnable"],
        false
    );
    let ran = rack
        .run(&["systems", "secure-boot", "reset-keys", NAME, "DeletePK"])
        .await;
    assert_eq!(ran.code, 4);
    assert!(ran.err.contains("no way to reset keys here"), "{}", ran.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_reset_where_the_service_offers_it_and_only_as_it_takes() {
    let action = json!({"#SecureBoot.ResetKeys": {"target": "/redfish/v1/S/Reset", "ResetKeysType@Redfish.AllowableValues": ["DeletePK", "ResetAllKeysToDefault"]}});
    let database = json!({"#SecureBootDatabase.ResetKeys": {"target": "/redfish/v1/S/db/1/Reset"}});
    let tree = Little::with_system(
        json!({"SecureBoot": {"@odata.id": "/redfish/v1/S"}}),
        [
            ("/S", json!({"Actions": action, "SecureBootDatabases": {"@odata.id": "/redfish/v1/S/db"}})),
            ("/S/db", json!({"Members": [{"@odata.id": "/redfish/v1/S/db/1"}]})),
            ("/S/db/1", json!({"Id": "db", "Actions": database})),
        ],
    )
    .await;
    let ran = tree
        .run(&["systems", "secure-boot", "reset-keys", "7", "Everything"])
        .await;
    assert_eq!(ran.code, 2, "{}", ran.err);
    let ran = tree
        .run(&["systems", "secure-boot", "reset-keys", "7", "deletepk"])
        .await;
    assert_eq!(
        (ran.code, ran.out.as_str()),
        (0, "7: DeletePK\n"),
        "{}",
        ran.err
    );
    let ran = tree
        .run(&[
            "systems",
            "secure-boot",
            "reset-keys",
            "7",
            "DeleteAllKeys",
            "--database",
            "db",
        ])
        .await;
    assert_eq!(
        (ran.code, ran.out.as_str()),
        (0, "7: DeleteAllKeys of db\n"),
        "{}",
        ran.err
    );
    let sent: Vec<(String, Value)> = tree
        .sent()
        .into_iter()
        .map(|(_, path, body)| (path, body))
        .collect();
    assert_eq!(
        sent,
        [
            (
                "/redfish/v1/S/Reset".to_owned(),
                json!({"ResetKeysType": "DeletePK"})
            ),
            (
                "/redfish/v1/S/db/1/Reset".to_owned(),
                json!({"ResetKeysType": "DeleteAllKeys"})
            ),
        ]
    );
}

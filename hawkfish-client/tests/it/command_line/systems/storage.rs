//! `systems storage`.

use serde_json::{Value, json};

use super::super::little::Little;
use super::super::rack::Rack;
use super::{NAME, system};

#[tokio::test(flavor = "multi_thread")]
async fn controllers_drives_and_volumes_are_shown() {
    let rack = Rack::of(1).await;
    let shows = async |arguments: &[&str]| {
        let mut all = vec!["systems", "storage"];
        all.extend(arguments);
        rack.shows(&all).await
    };
    insta::assert_snapshot!("storages", shows(&["ls", NAME]).await);
    insta::assert_snapshot!("controllers", shows(&["controllers", NAME]).await);
    insta::assert_snapshot!("drives", shows(&["drives", NAME]).await);
    insta::assert_snapshot!("drive", shows(&["drives", NAME, "disk0"]).await);
    insta::assert_snapshot!("volumes", shows(&["volumes", "ls", NAME]).await);
    insta::assert_snapshot!("volume", shows(&["volumes", "show", NAME, "disk0"]).await);
    // Programs see what the service says, without what was worked out for people.
    let listed: Value =
        serde_json::from_str(&shows(&["drives", NAME, "-o", "json"]).await).unwrap();
    let drive = listed[0]["@odata.id"].as_str().unwrap();
    assert_eq!(listed[0], rack.get(drive).await);
    let ran = rack
        .run(&["systems", "storage", "drives", NAME, "disk9"])
        .await;
    assert_eq!(ran.code, 4);
    assert!(
        ran.err.contains("there is no drive disk9, but disk0"),
        "{}",
        ran.err
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_is_made_grown_and_deleted() {
    let rack = Rack::of(1).await;
    let volumes = system("/Storage/sata/Volumes");
    let count = || async { rack.get(&volumes).await["Members@odata.count"].clone() };
    assert_eq!(count().await, 1);
    let out = rack
        .shows(&[
            "systems",
            "storage",
            "volumes",
            "create",
            NAME,
            "--size",
            "10GiB",
            "--name",
            "data",
            "--apply",
            "immediate",
        ])
        .await;
    assert_eq!(out, "sim-00001: volume volume0 made on sata\n");
    let volume = format!("{volumes}/volume0");
    let made = rack.get(&volume).await;
    assert_eq!(
        (made["CapacityBytes"].clone(), made["Name"].clone()),
        (json!(10_737_418_240_u64), json!("data"))
    );
    let out = rack
        .shows(&[
            "systems", "storage", "volumes", "set", NAME, "data", "--size", "20GiB", "--name",
            "more",
        ])
        .await;
    assert_eq!(out, "sim-00001: volume0 changed\n");
    let grown = rack.get(&volume).await;
    assert_eq!(
        (grown["CapacityBytes"].clone(), grown["DisplayName"].clone()),
        (json!(21_474_836_480_u64), json!("more"))
    );
    let out = rack
        .shows(&["systems", "storage", "volumes", "rm", NAME, "volume0"])
        .await;
    assert_eq!(out, "sim-00001: volume0 is gone\n");
    assert_eq!(count().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_that_cannot_be_made_is_not_half_made() {
    let rack = Rack::of(1).await;
    let make = async |more: &[&str]| {
        let mut all = vec!["systems", "storage", "volumes", "create", NAME];
        all.extend(more);
        rack.run(&all).await
    };
    let ran = make(&["--size", "10G"]).await;
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("GiB"), "{}", ran.err);
    let ran = make(&["--size", "1GiB", "--storage", "nvme"]).await;
    assert_eq!(ran.code, 4);
    assert!(ran.err.contains("but sata"), "{}", ran.err);
    let ran = make(&["--size", "1GiB", "--apply", "OnReset"]).await;
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("there are Immediate"), "{}", ran.err);
    let ran = make(&["--size", "1GiB", "--drives", "disk7"]).await;
    assert_eq!(ran.code, 4, "{}", ran.err);
    // What only the service knows it says: the property that is wrong.
    let ran = make(&["--size", "1GiB", "--raid", "raid1"]).await;
    assert_eq!(ran.code, 1);
    assert!(
        ran.err.contains("RAIDType") && ran.err.contains("RAID1"),
        "{}",
        ran.err
    );
    let ran = rack
        .run(&["systems", "storage", "volumes", "rm", NAME, "volume0"])
        .await;
    assert_eq!(ran.code, 4, "{}", ran.err);
    let volumes = rack.get(&system("/Storage/sata/Volumes")).await;
    assert_eq!(volumes["Members@odata.count"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn older_and_broken_shapes_of_storage_are_read() {
    let storage = json!({"Id": "RAID.1", "Name": "RAID", "Volumes": {"@odata.id": "/redfish/v1/V"},
        "StorageControllers": [{"@odata.id": "/redfish/v1/S/1#/StorageControllers/0", "MemberId": "0", "Model": "Old"}],
        // The same twice, and one that is not there.
        "Drives": [{"@odata.id": "/redfish/v1/D/1"}, {"@odata.id": "/redfish/v1/D/1/"}, {"@odata.id": "/redfish/v1/D/2"}]});
    let tree = Little::with_system(
        json!({"Storage": {"@odata.id": "/redfish/v1/S"}}),
        [
            ("/S", json!({"Members": [{"@odata.id": "/redfish/v1/S/1"}]})),
            ("/S/1", storage),
            ("/D/1", json!({"Id": "1", "CapacityBytes": 1_000_000})),
            ("/V", json!({"Members": []})),
        ],
    )
    .await;
    let ran = tree
        .run(&[
            "systems",
            "storage",
            "drives",
            "7",
            "--no-headers",
            "--columns",
            "ID,SIZE",
        ])
        .await;
    assert_eq!(
        (ran.code, ran.out.as_str()),
        (0, "1  976.6 KiB\n"),
        "{}",
        ran.err
    );
    let ran = tree
        .run(&[
            "systems",
            "storage",
            "controllers",
            "7",
            "--no-headers",
            "--columns",
            "storage,ID,MODEL",
        ])
        .await;
    assert_eq!(
        (ran.code, ran.out.as_str()),
        (0, "RAID.1  0  Old\n"),
        "{}",
        ran.err
    );
    let ran = tree
        .run(&[
            "systems", "storage", "volumes", "create", "7", "--raid", "raid1", "--drives", "1",
        ])
        .await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    let sent = tree.sent();
    assert_eq!(sent[0].1, "/redfish/v1/V");
    assert_eq!(
        sent[0].2,
        json!({"RAIDType": "RAID1", "Links": {"Drives": [{"@odata.id": "/redfish/v1/D/1"}]}})
    );
}

//! Storage through the door: what a system has, and volumes that are made, grown and deleted.

use serde_json::{Value, json};

use crate::door::Door;

const MIB: u64 = 1 << 20;

fn links(list: &Value) -> Vec<String> {
    let list = list.as_array().into_iter().flatten();
    list.map(|link| link["@odata.id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn each_disk_of_a_system_is_a_drive_and_a_volume_that_lead_to_each_other() {
    let door = Door::open().await;
    let system = door.system(1);
    let chassis = system.replace("Systems", "Chassis");
    let storages = door.read(&format!("{system}/Storage")).await.body;
    let storages = links(&storages["Members"]);
    assert_eq!(storages, [format!("{system}/Storage/sata")]);
    let storage = door.read(&storages[0]).await.body;
    let drives = links(&storage["Drives"]);
    assert_eq!(storage["Drives@odata.count"], drives.len());
    assert!(!drives.is_empty());
    let in_chassis = door.read(&format!("{chassis}/Drives")).await.body;
    assert_eq!(links(&in_chassis["Members"]), drives);
    let mut serials = Vec::new();
    let mut sum = 0;
    for uri in &drives {
        let drive = door.read(uri).await.body;
        assert_eq!(drive["Protocol"], "SATA");
        assert_eq!(drive["MediaType"], "SSD");
        assert_eq!(drive["Status"]["Health"], "OK");
        assert_eq!(drive["Links"]["Chassis"]["@odata.id"], chassis);
        assert_eq!(drive["Links"]["Storage"]["@odata.id"], storages[0]);
        assert_eq!(drive["Identifiers"][0]["DurableNameFormat"], "NAA");
        let volumes = links(&drive["Links"]["Volumes"]);
        let volume = door.read(&volumes[0]).await.body;
        assert_eq!(volume["CapacityBytes"], drive["CapacityBytes"]);
        assert_eq!(links(&volume["Links"]["Drives"]), std::slice::from_ref(uri));
        assert_eq!(volume["RAIDType"], "None");
        serials.push(drive["SerialNumber"].as_str().unwrap().to_owned());
        sum += drive["CapacityBytes"].as_u64().unwrap();
    }
    let listed = serials.len();
    serials.sort();
    serials.dedup();
    assert_eq!(
        serials.len(),
        listed,
        "no two drives have one serial number"
    );

    let simple = &storage["Links"]["SimpleStorage"]["@odata.id"];
    let simple = door.read(simple.as_str().unwrap()).await.body;
    let devices = simple["Devices"].as_array().unwrap();
    let simple_sum: u64 = devices
        .iter()
        .map(|d| d["CapacityBytes"].as_u64().unwrap())
        .sum();
    assert_eq!((devices.len(), simple_sum), (drives.len(), sum));
    let controllers = door
        .read(&format!("{}/Controllers", storages[0]))
        .await
        .body;
    let controller = door.read(&links(&controllers["Members"])[0]).await.body;
    assert_eq!(controller["SupportedDeviceProtocols"], json!(["SATA"]));
    assert_eq!(
        controller["Links"]["AttachedVolumes"]
            .as_array()
            .unwrap()
            .len(),
        drives.len()
    );
    let other = door.system(0);
    let theirs = door.read(&format!("{other}/Storage/sata")).await.body;
    for uri in links(&theirs["Drives"]) {
        let drive = door.read(&uri).await.body;
        let serial = drive["SerialNumber"].as_str().unwrap().to_owned();
        assert!(!serials.contains(&serial), "nor have those of two systems");
    }
}

#[tokio::test]
async fn a_volume_is_made_grows_is_renamed_and_deleted() {
    let door = Door::open().await;
    let system = door.system(0);
    let volumes = format!("{system}/Storage/sata/Volumes");
    let before = door.read(&volumes).await.body;
    assert_eq!(
        before["@Redfish.OperationApplyTimeSupport"]["SupportedValues"],
        json!(["Immediate"])
    );
    let body = json!({
        "Name": "scratch", "CapacityBytes": 64 * MIB, "RAIDType": "None", "@Redfish.OperationApplyTime": "Immediate",
    });
    let made = door
        .send("POST", &volumes)
        .admin()
        .json(&body)
        .answer()
        .await;
    assert_eq!(made.status, 201, "{made:?}");
    let uri = made.header("location").to_owned();
    assert_eq!(made.body["@odata.id"], uri);
    assert_eq!(made.body["Name"], "scratch");
    assert_eq!(made.body["CapacityBytes"], 64 * MIB);
    let listed = links(&door.read(&volumes).await.body["Members"]);
    assert!(listed.contains(&uri));
    let drive = links(&made.body["Links"]["Drives"])[0].clone();
    assert_eq!(door.read(&drive).await.body["CapacityBytes"], 64 * MIB);

    let patch = json!({"CapacityBytes": 96 * MIB, "DisplayName": "more scratch"});
    let grown = door.send("PATCH", &uri).admin().json(&patch).answer().await;
    assert_eq!(grown.status, 200, "{grown:?}");
    assert_eq!(grown.body["CapacityBytes"], 96 * MIB);
    assert_eq!(grown.body["DisplayName"], "more scratch");
    let shrink = json!({"CapacityBytes": 8 * MIB});
    let refused = door
        .send("PATCH", &uri)
        .admin()
        .json(&shrink)
        .answer()
        .await;
    refused.refused(400, "PropertyValueOutOfRange");
    assert_eq!(refused.related(), ["#/CapacityBytes"]);
    assert_eq!(door.read(&uri).await.body["CapacityBytes"], 96 * MIB);

    let deleted = door.send("DELETE", &uri).admin().answer().await;
    assert_eq!(deleted.status, 204, "{deleted:?}");
    for gone in [&uri, &drive] {
        let answer = door.send("GET", gone).admin().answer().await;
        answer.refused(404, "ResourceMissingAtURI");
    }
    let after = door.read(&volumes).await.body;
    assert_eq!(after["Members"], before["Members"]);
}

#[tokio::test]
async fn a_volume_that_cannot_be_made_so_is_refused_by_the_property_that_is_wrong() {
    let door = Door::open().await;
    let system = door.system(0);
    let volumes = format!("{system}/Storage/sata/Volumes");
    let before = door.read(&volumes).await.body["Members"].clone();
    let apply = "@Redfish.OperationApplyTime";
    for (body, key, related) in [
        (json!({"Name": "a"}), "PropertyMissing", "#/CapacityBytes"),
        (
            json!({"CapacityBytes": 12}),
            "PropertyValueOutOfRange",
            "#/CapacityBytes",
        ),
        (
            json!({"CapacityBytes": -1}),
            "PropertyValueOutOfRange",
            "#/CapacityBytes",
        ),
        (
            json!({"CapacityBytes": "much"}),
            "PropertyValueTypeError",
            "#/CapacityBytes",
        ),
        (
            json!({"CapacityBytes": MIB, "RAIDType": "RAID5"}),
            "PropertyValueNotInList",
            "#/RAIDType",
        ),
        (
            json!({"CapacityBytes": MIB, apply: "OnReset"}),
            "PropertyValueNotInList",
            "#/@Redfish.OperationApplyTime",
        ),
        (
            json!({"CapacityBytes": MIB, "Color": "red"}),
            "PropertyUnknown",
            "#/Color",
        ),
    ] {
        let answer = door
            .send("POST", &volumes)
            .admin()
            .json(&body)
            .answer()
            .await;
        answer.refused(400, key);
        assert_eq!(answer.related(), [related], "{body}");
    }
    let theirs = before[0]["@odata.id"].as_str().unwrap();
    for (method, body) in [
        ("DELETE", json!({})),
        ("PATCH", json!({"CapacityBytes": 1_u64 << 45})),
    ] {
        let answer = door.send(method, theirs).admin().json(&body).answer().await;
        assert!(answer.status.is_client_error(), "{method}: {answer:?}");
    }
    let nowhere = format!("{system}/Storage/scsi3/Volumes");
    let body = json!({"CapacityBytes": MIB});
    let answer = door
        .send("POST", &nowhere)
        .admin()
        .json(&body)
        .answer()
        .await;
    answer.refused(404, "ResourceMissingAtURI");
    assert_eq!(door.read(&volumes).await.body["Members"], before);
}

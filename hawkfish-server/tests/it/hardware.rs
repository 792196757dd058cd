//! What a system is made of: that the parts agree with what the system says of itself in sum, and with one another.

use serde_json::{Value, json};

use crate::door::Door;

/// The members of a collection, read.
async fn members(door: &Door, uri: &str) -> Vec<Value> {
    let listed = door.read(uri).await.body;
    let members = listed["Members"].as_array().unwrap();
    assert_eq!(listed["Members@odata.count"], members.len());
    let mut all = Vec::new();
    for member in members {
        all.push(door.read(member["@odata.id"].as_str().unwrap()).await.body);
    }
    all
}

async fn follow(door: &Door, link: &Value) -> Value {
    let uri = link["@odata.id"]
        .as_str()
        .unwrap_or_else(|| panic!("no link: {link}"));
    door.read(uri).await.body
}

/// The system of that model, of which the rack has one.
async fn system_of(door: &Door, model: &str) -> Value {
    for number in 0..2 {
        let system = door.read(&door.system(number)).await.body;
        if system["Model"] == model {
            return system;
        }
    }
    panic!("no {model}");
}

fn sum(all: &[Value], property: &str) -> i64 {
    let each = all.iter().map(|one| &one[property]);
    each.map(|value| {
        value
            .as_i64()
            .unwrap_or_else(|| panic!("{property}: {value}"))
    })
    .sum()
}

#[tokio::test]
async fn processors_add_up_to_what_the_system_says() {
    let door = Door::open().await;
    let system = system_of(&door, "Harrier M2").await;
    let uri = system["Processors"]["@odata.id"].as_str().unwrap();
    let processors = members(&door, uri).await;
    let summary = &system["ProcessorSummary"];
    assert_eq!(processors.len(), 2);
    assert_eq!(summary["Count"], 2);
    assert_eq!(summary["CoreCount"], sum(&processors, "TotalEnabledCores"));
    assert_eq!(
        summary["LogicalProcessorCount"],
        sum(&processors, "TotalEnabledThreads")
    );
    assert_eq!(summary["ThreadingEnabled"], true);
    for (number, processor) in processors.iter().enumerate() {
        assert_eq!(processor["Socket"], number.to_string());
        assert_eq!(
            (&processor["TotalCores"], &processor["TotalThreads"]),
            (&json!(16), &json!(32))
        );
        assert_eq!(processor["ProcessorArchitecture"], "x86");
        assert_eq!(processor["InstructionSet"], "x86-64");
        assert_eq!(processor["MaxSpeedMHz"], 3200);
        assert_eq!(processor["Model"], summary["Model"]);
        assert_eq!(processor["Status"]["Health"], "OK");
        assert_eq!(processor["Links"]["Memory"].as_array().unwrap().len(), 8);
    }
    let missing = format!("{uri}/CPU2");
    let missing = door.send("GET", &missing).admin().answer().await;
    missing.refused(404, "ResourceMissingAtURI");
}

#[tokio::test]
async fn memory_modules_add_up_to_the_memory_of_the_system() {
    let door = Door::open().await;
    for (model, count, device) in [("Kestrel S1", 4, "DDR4"), ("Harrier M2", 16, "DDR5")] {
        let system = system_of(&door, model).await;
        let modules = members(&door, system["Memory"]["@odata.id"].as_str().unwrap()).await;
        assert_eq!(modules.len(), count);
        let mib = sum(&modules, "CapacityMiB");
        let gib = system["MemorySummary"]["TotalSystemMemoryGiB"]
            .as_f64()
            .unwrap();
        #[expect(clippy::cast_precision_loss, reason = "a number of a few digits")]
        let wanted = mib as f64 / 1024.0;
        assert!((gib - wanted).abs() < 1e-9, "{gib} {wanted}");
        assert_eq!(
            system["MemorySummary"].get("TotalSystemPersistentMemoryGiB"),
            None
        );
        let mut places: Vec<String> = Vec::new();
        for module in &modules {
            assert_eq!(module["MemoryDeviceType"], device);
            assert_eq!(module["VolatileSizeMiB"], module["CapacityMiB"]);
            let processor = follow(&door, &module["Links"]["Processors"][0]).await;
            let place = &module["MemoryLocation"];
            assert_eq!(processor["Socket"], place["Socket"].to_string());
            places.push(place.to_string());
        }
        places.dedup();
        assert_eq!(places.len(), count, "each has a slot of its own");
    }
}

#[tokio::test]
async fn an_interface_is_the_same_from_every_side() {
    let door = Door::open().await;
    let system = system_of(&door, "Harrier M2").await;
    let nics = members(
        &door,
        system["EthernetInterfaces"]["@odata.id"].as_str().unwrap(),
    )
    .await;
    // The firmware names the cards that it boots from by their addresses.
    let uri = system["@odata.id"].as_str().unwrap();
    let options = members(&door, &format!("{uri}/BootOptions")).await;
    let booted: Vec<&str> = options
        .iter()
        .filter_map(|option| option["DisplayName"].as_str()?.strip_prefix("network "))
        .collect();
    let addresses: Vec<&str> = nics
        .iter()
        .map(|nic| nic["MACAddress"].as_str().unwrap())
        .collect();
    assert_eq!(addresses, booted);
    assert_eq!(addresses.len(), 2);
    let mut adapters = Vec::new();
    for nic in &nics {
        assert_eq!(nic["PermanentMACAddress"], nic["MACAddress"]);
        assert_eq!(nic["SpeedMbps"], 25_000);
        let id = &nic["@odata.id"];
        let port = follow(&door, &nic["Links"]["Ports"][0]).await;
        assert_eq!(
            port["Ethernet"]["AssociatedMACAddresses"],
            json!([nic["MACAddress"]])
        );
        assert_eq!(port["MaxSpeedGbps"], 25.0);
        assert_eq!(port["Links"]["EthernetInterfaces"][0]["@odata.id"], *id);
        let function = follow(&door, &nic["Links"]["NetworkDeviceFunctions"][0]).await;
        assert_eq!(function["Ethernet"]["MACAddress"], nic["MACAddress"]);
        let assigned = &function["Links"]["PhysicalNetworkPortAssignment"]["@odata.id"];
        assert_eq!(*assigned, port["@odata.id"]);
        let pcie = follow(&door, &function["Links"]["PCIeFunction"]).await;
        assert_eq!(pcie["DeviceClass"], "NetworkController");
        assert_eq!(pcie["ClassCode"], "0x020000");
        assert_eq!(pcie["Links"]["EthernetInterfaces"][0]["@odata.id"], *id);
        let device = follow(&door, &pcie["Links"]["PCIeDevice"]).await;
        assert_eq!(
            device["DeviceType"], "MultiFunction",
            "two ports on one card"
        );
        let listed = system["PCIeDevices"].as_array().unwrap();
        assert!(
            listed
                .iter()
                .any(|link| link["@odata.id"] == device["@odata.id"])
        );
        let port = port["@odata.id"].as_str().unwrap();
        let (adapter, _) = port.split_once("/Ports/").unwrap();
        adapters.push(adapter.to_owned());
    }
    adapters.dedup();
    assert_eq!(adapters.len(), 1);
    let adapter = door.read(&adapters[0]).await.body;
    assert_eq!(adapter["Model"], "Talon 2x25G");
    let controller = &adapter["Controllers"][0];
    assert_eq!(controller["ControllerCapabilities"]["NetworkPortCount"], 2);
    assert_eq!(
        members(&door, adapter["Ports"]["@odata.id"].as_str().unwrap())
            .await
            .len(),
        2
    );
    let interfaces = system["NetworkInterfaces"]["@odata.id"].as_str().unwrap();
    let interfaces = members(&door, interfaces).await;
    assert_eq!(interfaces.len(), 1);
    assert_eq!(
        interfaces[0]["Links"]["NetworkAdapter"]["@odata.id"],
        adapters[0]
    );
}

#[tokio::test]
async fn a_disabled_interface_has_no_link_until_it_is_enabled_again() {
    let door = Door::open().await;
    let system = door.system(0);
    let nics = members(&door, &format!("{system}/EthernetInterfaces")).await;
    let uri = nics[0]["@odata.id"].as_str().unwrap();
    let port = nics[0]["Links"]["Ports"][0]["@odata.id"].as_str().unwrap();
    assert_eq!(nics[0]["InterfaceEnabled"], true);
    assert_eq!(nics[0]["LinkStatus"], "LinkDown", "the system is off");
    let on = json!({"ResetType": "On"});
    let reset = format!("{system}/Actions/ComputerSystem.Reset");
    let answer = door.send("POST", &reset).admin().json(&on).answer().await;
    assert!(answer.status.is_success(), "{answer:?}");
    let before = door.read(uri).await;
    assert_eq!(before.body["LinkStatus"], "LinkUp");
    assert_eq!(door.read(port).await.body["LinkStatus"], "LinkUp");

    for (enabled, status, state) in [(false, "NoLink", "Disabled"), (true, "LinkUp", "Enabled")] {
        let body = json!({"InterfaceEnabled": enabled});
        let answer = door.send("PATCH", uri).admin().json(&body).answer().await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.body["InterfaceEnabled"], enabled);
        assert_eq!(answer.body["LinkStatus"], status);
        assert_eq!(answer.body["Status"]["State"], state);
        if !enabled {
            assert_ne!(answer.header("etag"), before.header("etag"));
        }
        let port = door.read(port).await.body;
        assert_eq!(
            (&port["LinkState"], &port["LinkStatus"]),
            (&json!(state), &json!(status))
        );
        let other = door.read(nics[1]["@odata.id"].as_str().unwrap()).await.body;
        assert_eq!(other["InterfaceEnabled"], true);
        if enabled {
            assert_eq!(answer.body, before.body, "as it was");
        }
    }
    for (body, key) in [
        (json!({"InterfaceEnabled": "no"}), "PropertyValueTypeError"),
        (json!({"InterfaceEnabled": null}), "PropertyValueNotInList"),
        (
            json!({"MACAddress": "02:00:00:00:00:01"}),
            "PropertyNotWritable",
        ),
    ] {
        let answer = door.send("PATCH", uri).admin().json(&body).answer().await;
        assert_eq!(answer.status, 400, "{answer:?}");
        assert_eq!(answer.keys(), [key], "{body}");
    }
    let missing = format!("{system}/EthernetInterfaces/net9");
    let missing = door
        .send("PATCH", &missing)
        .admin()
        .json(&json!({"InterfaceEnabled": true}));
    missing.answer().await.refused(404, "ResourceMissingAtURI");
}

#[tokio::test]
async fn what_is_on_the_bus_is_linked_from_what_it_is_for() {
    let door = Door::open().await;
    let system = system_of(&door, "Kestrel S1").await;
    let chassis = follow(&door, &system["Links"]["Chassis"][0]).await;
    let devices = members(&door, chassis["PCIeDevices"]["@odata.id"].as_str().unwrap()).await;
    assert_eq!(
        devices.len(),
        system["PCIeDevices"].as_array().unwrap().len()
    );
    for device in &devices {
        let functions = device["PCIeFunctions"]["@odata.id"].as_str().unwrap();
        let functions = members(&door, functions).await;
        let kind = if functions.len() == 1 {
            "SingleFunction"
        } else {
            "MultiFunction"
        };
        assert_eq!(device["DeviceType"], kind);
        for function in functions {
            assert_eq!(
                function["Links"]["PCIeDevice"]["@odata.id"],
                device["@odata.id"]
            );
        }
    }
    for (collection, class) in [
        ("GraphicsControllers", "DisplayController"),
        ("USBControllers", "SerialBusController"),
    ] {
        let all = members(&door, system[collection]["@odata.id"].as_str().unwrap()).await;
        assert_eq!(all.len(), 1);
        let device = follow(&door, &all[0]["Links"]["PCIeDevice"]).await;
        let functions = device["PCIeFunctions"]["@odata.id"].as_str().unwrap();
        assert_eq!(members(&door, functions).await[0]["DeviceClass"], class);
    }
    let trusted = members(
        &door,
        chassis["TrustedComponents"]["@odata.id"].as_str().unwrap(),
    )
    .await;
    assert_eq!(trusted.len(), 1);
    assert_eq!(trusted[0]["Model"], "tpm-tis");
    assert_eq!(
        trusted[0]["Links"]["ComponentsProtected"][0]["@odata.id"],
        system["@odata.id"]
    );
    assert_eq!(
        system["Links"]["TrustedComponents"][0]["@odata.id"],
        trusted[0]["@odata.id"]
    );
    assert_eq!(
        system["VirtualMediaConfig"],
        json!({"ServiceEnabled": true})
    );
}

#[tokio::test]
async fn parts_are_shown_as_last_seen_while_their_host_does_not_answer() {
    let door = Door::open().await;
    let system = door.system(0);
    let uri = format!("{system}/Processors/CPU0");
    assert_eq!(door.read(&uri).await.body["Status"]["State"], "Enabled");
    door.rack.lose("somebody pulled a cable");
    door.app.hawkfish().tick().await.unwrap();
    let body = door.read(&uri).await.body;
    assert_eq!(body["Status"]["State"], "UnavailableOffline");
    assert!(body["TotalCores"].as_i64().unwrap() > 0);
}

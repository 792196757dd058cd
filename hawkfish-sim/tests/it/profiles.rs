//! What a description says a server is made of is what clients see.

use std::collections::{BTreeMap, BTreeSet};

use hawkfish_client::Client;
use hawkfish_sim::{Description, World};
use jiff::SignedDuration;
use serde_json::{Value, json};

const MADE: &str = r#"
    [profile.node]
    base = "small"
    manufacturer = "Example"
    product = "Node 7"
    sockets = 2
    memory_gib = 64
    nics = 3
    processor_manufacturer = "Chips"
    processor_mhz = 4100
    modules_per_socket = 4
    disks = [{ gib = 100 }, { gib = 200 }]
    nic = { manufacturer = "Wires", model = "W-40", mbps = 40000, ports = 1 }
    module = { manufacturer = "Bits", part_number = "B-8", mhz = 5600, ecc = false }
    [[rack]]
    name = "lab"
    profiles = ["node"]
"#;

/// The members of a collection.
async fn members(client: &Client, uri: &str) -> Vec<Value> {
    let all = client.get_value(uri).await.unwrap().value;
    let mut members = Vec::new();
    for member in all["Members"].as_array().unwrap() {
        let uri = member["@odata.id"].as_str().unwrap();
        members.push(client.get_value(uri).await.unwrap().value);
    }
    members
}

#[tokio::test]
async fn a_server_is_made_of_what_its_profile_says() {
    let description = Description::from_toml(MADE).unwrap();
    let world = World::builder()
        .describe(description)
        .start()
        .await
        .unwrap();
    let client = world.client().unwrap();
    let system = members(&client, "/redfish/v1/Systems").await.remove(0);
    assert_eq!(system["Manufacturer"], "Example");
    assert_eq!(system["Model"], "Node 7");
    let uri = system["@odata.id"].as_str().unwrap();
    let of = |what: &str| format!("{uri}/{what}");
    let processors = members(&client, &of("Processors")).await;
    assert!(processors.len() >= 2);
    for processor in &processors {
        assert_eq!(processor["Manufacturer"], "Chips", "{processor}");
        assert_eq!(processor["MaxSpeedMHz"], 4100, "{processor}");
    }
    let modules = members(&client, &of("Memory")).await;
    assert_eq!(modules.len(), 8);
    for module in &modules {
        assert_eq!(module["CapacityMiB"], 8 * 1024, "{module}");
        assert_eq!(module["Manufacturer"], "Bits");
        assert_eq!(module["PartNumber"], "B-8");
        assert_eq!(module["OperatingSpeedMhz"], 5600);
        assert_eq!(module["ErrorCorrection"], "NoECC");
    }
    let nics = members(&client, &of("EthernetInterfaces")).await;
    assert_eq!(nics.len(), 3);
    for nic in &nics {
        assert_eq!(nic["SpeedMbps"], 40_000, "{nic}");
    }
    let chassis = uri.replace("/Systems/", "/Chassis/");
    let adapters = members(&client, &format!("{chassis}/NetworkAdapters")).await;
    for adapter in &adapters {
        assert_eq!(adapter["Manufacturer"], "Wires", "{adapter}");
        assert_eq!(adapter["Model"], "W-40", "{adapter}");
    }
    assert_eq!(adapters.len(), 3);
}

const MEASURED: &str = r#"
    [profile.node]
    base = "small"
    sockets = 2
    nics = 2
    firmware_version = "N7-0.9"
    disks = [
        { gib = 100, protocol = "NVMe", model = "Quick 100" },
        { gib = 4000, protocol = "SAS", media = "HDD", rpm = 7200, model = "Round 4T" },
        { gib = 200 },
    ]
    nic = { mac_prefix = "ac:1F:6b" }
    parts_firmware = [
        { part = "BMC", version = "2.88" },
        { part = "NIC", name = "Wire firmware", version = "22.5.7", manufacturer = "Wires" },
    ]
    bios = { BootMenu = "Enabled", BootMenuTimeout = 2000, Hpet = "Disabled", ProcessorsEnabled = 8, WatchdogAction = "PowerOff" }
    power = { idle = 111, busy = 111, standby = 7.5 }
    power_supplies = { count = 3, watts = 650, manufacturer = "Volts", model = "V-650", efficiency = 0.5 }
    fans = { count = 5, rpm = 9000, least = 100 }
    sensors = [
        { id = "IntakeTemperature", name = "Front", above = { caution = 10 } },
        { id = "CPU{n}Temperature", name = "Socket {n}", idle = 40, busy = 40, above = { critical = 90 } },
        { id = "ExhaustTemperature", absent = true },
        { id = "PowerConsumption", above = { caution = 100 } },
        { id = "Vbat", name = "Battery", measures = "Voltage", idle = 2.9, busy = 2.9, below = { caution = 3.0, critical = 2.5 }, range = [0, 4] },
    ]
    [[rack]]
    name = "lab"
    profiles = ["node"]
    [[rack]]
    name = "hall"
    profiles = ["node"]
"#;

/// Those of a collection, by their ids.
async fn by_id(client: &Client, uri: &str) -> BTreeMap<String, Value> {
    let all = members(client, uri).await.into_iter();
    all.map(|one| (one["Id"].as_str().unwrap().to_owned(), one))
        .collect()
}

#[tokio::test]
async fn what_is_measured_in_a_server_and_how_it_is_delivered_is_what_its_profile_says() {
    let description = Description::from_toml(MEASURED).unwrap();
    let written = toml::to_string(&description).unwrap();
    assert_eq!(Description::from_toml(&written).unwrap(), description);
    let world = World::builder()
        .describe(description)
        .start()
        .await
        .unwrap();
    let client = world.client().unwrap();
    let systems = members(&client, "/redfish/v1/Systems").await;
    let mut macs = BTreeSet::new();
    for system in &systems {
        let uri = system["@odata.id"].as_str().unwrap();
        for nic in members(&client, &format!("{uri}/EthernetInterfaces")).await {
            let mac = nic["MACAddress"].as_str().unwrap().to_lowercase();
            assert!(mac.starts_with("ac:1f:6b:"), "{nic}");
            assert!(macs.insert(mac), "{nic}");
        }
    }
    assert_eq!(macs.len(), 4);
    let uri = systems[0]["@odata.id"].as_str().unwrap();
    let id = systems[0]["Id"].as_str().unwrap();

    let firmware = format!("/redfish/v1/UpdateService/FirmwareInventory/BIOS-{id}");
    let firmware = client.get_value(&firmware).await.unwrap().value;
    assert_eq!(firmware["Version"], "N7-0.9");
    let firmware = by_id(&client, "/redfish/v1/UpdateService/FirmwareInventory").await;
    assert_eq!(firmware.len(), 1 + 2 * 3);
    let nic = &firmware[&format!("NIC-{id}")];
    assert_eq!(nic["Version"], "22.5.7");
    assert_eq!(nic["Manufacturer"], "Wires");
    assert_eq!(nic["RelatedItem"][0]["@odata.id"], uri);
    assert_eq!(firmware[&format!("BMC-{id}")]["Version"], "2.88");
    let manager = uri.replace("/Systems/", "/Managers/");
    let manager = client.get_value(&manager).await.unwrap().value;
    assert_eq!(manager["FirmwareVersion"], "2.88");
    let none = format!("/redfish/v1/UpdateService/FirmwareInventory/DISK-{id}");
    assert!(client.get_value(&none).await.is_err());

    let bios = client
        .get_value(&format!("{uri}/Bios"))
        .await
        .unwrap()
        .value;
    let attributes = &bios["Attributes"];
    assert_eq!(attributes["BootMenu"], "Enabled", "{bios}");
    assert_eq!(attributes["BootMenuTimeout"], 2000);
    assert_eq!(attributes["Hpet"], "Disabled");
    assert_eq!(attributes["ProcessorsEnabled"], 8);
    assert_eq!(attributes["WatchdogAction"], "PowerOff");
    // What was not said is as usual.
    assert_eq!(attributes["NestedVirtualization"], "Enabled");
    // The attributes' defaults are those, too.
    let registry = bios["AttributeRegistry"].as_str().unwrap();
    let name = registry.split('.').next().unwrap();
    let registry = format!("/redfish/v1/Registries/{name}/{registry}");
    let registry = client.get_value(&registry).await.unwrap().value;
    let entries = registry["RegistryEntries"]["Attributes"]
        .as_array()
        .unwrap();
    let hpet = entries
        .iter()
        .find(|one| one["AttributeName"] == "Hpet")
        .unwrap();
    assert_eq!(hpet["DefaultValue"], "Disabled");

    let chassis = uri.replace("/Systems/", "/Chassis/");
    let drives = by_id(&client, &format!("{chassis}/Drives")).await;
    assert_eq!(drives.len(), 3);
    assert_eq!(drives["disk0"]["Protocol"], "NVMe");
    assert_eq!(drives["disk0"]["Model"], "Quick 100");
    assert_eq!(drives["disk0"]["MediaType"], "SSD");
    assert_eq!(drives["disk1"]["Protocol"], "SAS");
    assert_eq!(drives["disk1"]["MediaType"], "HDD");
    assert_eq!(drives["disk1"]["RotationSpeedRPM"].as_f64(), Some(7200.0));
    assert_eq!(drives["disk1"]["CapacityBytes"], 4000_u64 << 30);
    assert_eq!(drives["disk2"]["Protocol"], "SATA");
    assert_eq!(drives["disk2"].get("Model"), None);
    let storage = by_id(&client, &format!("{uri}/Storage")).await;
    let storage: Vec<&str> = storage.keys().map(String::as_str).collect();
    assert_eq!(storage, ["nvme", "sas", "sata"]);

    // Off: what is warm is as warm as the air, and a battery is not read.
    let sensors = by_id(&client, &format!("{chassis}/Sensors")).await;
    let reading = |of: &Value| of["Reading"].as_f64();
    assert_eq!(reading(&sensors["Vbat"]), None);
    assert_eq!(reading(&sensors["PowerConsumption"]), Some(7.5));
    let intake = reading(&sensors["IntakeTemperature"]);
    assert!(intake.is_some());
    assert_eq!(reading(&sensors["CPU1Temperature"]), intake);

    let reset = format!("{uri}/Actions/ComputerSystem.Reset");
    client
        .post(&reset, &json!({"ResetType": "On"}))
        .await
        .unwrap();
    world.advance(SignedDuration::from_mins(1)).await.unwrap();
    let sensors = by_id(&client, &format!("{chassis}/Sensors")).await;
    let limit = |id: &str, limit: &str| reading(&sensors[id]["Thresholds"][limit]);
    let health = |id: &str| sensors[id]["Status"]["Health"].clone();
    assert_eq!(sensors["IntakeTemperature"]["Name"], "Front");
    assert_eq!(limit("IntakeTemperature", "UpperCaution"), Some(10.0));
    // As in the base.
    assert_eq!(limit("IntakeTemperature", "UpperCritical"), Some(42.0));
    assert_eq!(health("IntakeTemperature"), "Warning");
    for (id, name) in [
        ("CPU1Temperature", "Socket 1"),
        ("CPU2Temperature", "Socket 2"),
    ] {
        assert_eq!(sensors[id]["Name"], name);
        assert_eq!(reading(&sensors[id]), Some(40.0));
        assert_eq!(limit(id, "UpperCritical"), Some(90.0));
    }
    assert!(!sensors.contains_key("ExhaustTemperature"));
    assert!(sensors.contains_key("MemoryTemperature"));
    assert_eq!(reading(&sensors["Vbat"]), Some(2.9));
    assert_eq!(sensors["Vbat"]["ReadingUnits"], "V");
    assert_eq!(sensors["Vbat"]["ReadingRangeMax"].as_f64(), Some(4.0));
    assert_eq!(health("Vbat"), "Warning");
    assert_eq!(reading(&sensors["PowerConsumption"]), Some(111.0));
    assert_eq!(health("PowerConsumption"), "Warning");

    let supplies = by_id(&client, &format!("{chassis}/PowerSubsystem/PowerSupplies")).await;
    assert_eq!(supplies.len(), 3);
    for supply in supplies.values() {
        assert_eq!(supply["Manufacturer"], "Volts");
        assert_eq!(supply["Model"], "V-650");
        assert_eq!(supply["PowerCapacityWatts"].as_f64(), Some(650.0));
    }
    assert_eq!(reading(&sensors["PowerSupply3InputPower"]), Some(37.0));
    assert_eq!(reading(&sensors["PowerSupply3OutputPower"]), Some(18.5));

    let fans = by_id(&client, &format!("{chassis}/ThermalSubsystem/Fans")).await;
    assert_eq!(fans.len(), 5);
    let speed = &fans["Fan5"]["SpeedPercent"];
    assert_eq!(reading(speed), Some(100.0));
    assert_eq!(speed["SpeedRPM"].as_f64(), Some(9000.0));
}

#[test]
fn what_no_server_has_is_refused_with_its_place() {
    for (made, what) in [
        ("nics = 17", "nics is 0 to 16"),
        ("nic = { ports = 9 }", "nic.ports is 1 to 8"),
        ("nic = { mbps = 0 }", "nic.mbps"),
        ("modules_per_socket = 0", "modules_per_socket is 1 to 64"),
        ("processor_mhz = 0", "processor_mhz"),
        ("module = { mhz = 0 }", "module.mhz"),
        (r#"nic = { mac_prefix = "ac:1f" }"#, "nic.mac_prefix"),
        (r#"nic = { mac_prefix = "ac:1f:+b" }"#, "nic.mac_prefix"),
        (r#"nic = { mac_prefix = "01:1f:6b" }"#, "group"),
        (r#"nic = { mac_prefix = "02:1f:6b" }"#, "begin with 02"),
        ("power = { idle = 200, busy = 100 }", "power.idle"),
        ("power = { standby = nan }", "power.standby"),
        (
            "power_supplies = { count = 0 }",
            "power_supplies.count is 1 to 16",
        ),
        ("power_supplies = { watts = 10 }", "give less than"),
        (
            "power_supplies = { efficiency = 1.1 }",
            "power_supplies.efficiency",
        ),
        ("fans = { count = 65 }", "fans.count is 0 to 64"),
        ("fans = { rpm = 0 }", "fans.rpm"),
        ("fans = { least = 101 }", "fans.least"),
        (
            r#"sensors = [{ id = "CPU1Temperature", idle = 1, busy = 2 }]"#,
            r#"two sensors "CPU1Temperature""#,
        ),
        (
            r#"sensors = [{ id = "PowerSupply1InputPower", idle = 1, busy = 2 }]"#,
            "two sensors",
        ),
    ] {
        let error = Description::from_toml(&format!("[profile.node]\n{made}")).unwrap_err();
        assert_eq!(error.at, "profile \"node\"", "{made}");
        assert!(error.what.contains(what), "{made}: {error}");
    }
    for (made, place, what) in [
        (
            r#"parts_firmware = [{ part = "a-b", version = "1" }]"#,
            r#"part "a-b""#,
            "letters",
        ),
        (
            r#"parts_firmware = [{ part = "BIOS", version = "1" }]"#,
            r#"part "BIOS""#,
            "`firmware_version`",
        ),
        (
            "disks = [{ gib = 1 }, { gib = 1, rpm = 7200 }]",
            "disk 1",
            "only an HDD",
        ),
        (
            r#"disks = [{ gib = 1, media = "HDD", rpm = 0 }]"#,
            "disk 0",
            "rpm is",
        ),
        (
            "bios = { Colour = 1 }",
            r#"bios "Colour""#,
            "no such setting",
        ),
        (
            r#"bios = { Hpet = "Often" }"#,
            r#"bios "Hpet""#,
            r#""Often""#,
        ),
        (
            r#"bios = { Hpet = "Reset" }"#,
            r#"bios "Hpet""#,
            "one of Enabled, Disabled",
        ),
        (
            "bios = { ProcessorsEnabled = 17 }",
            r#"bios "ProcessorsEnabled""#,
            "1 to 16",
        ),
        (
            "bios = { BootMenuTimeout = 5 }",
            r#"bios "BootMenuTimeout""#,
            "no boot menu",
        ),
        (
            r#"bios = { BootMode = "Legacy" }"#,
            r#"bios "BootMode""#,
            "`firmware`",
        ),
        (
            r#"base = "medium"
bios = { RebootTimeout = 5 }"#,
            r#"bios "RebootTimeout""#,
            "has no such",
        ),
        (
            r#"sensors = [{ id = "a b", idle = 1, busy = 2 }]"#,
            r#"sensor "a b""#,
            "letters",
        ),
        (
            r#"sensors = [{ id = "New", idle = 1 }]"#,
            r#"sensor "New""#,
            "idle and busy",
        ),
        (
            r#"sensors = [{ id = "New", absent = true }]"#,
            r#"sensor "New""#,
            "has none",
        ),
        (
            r#"sensors = [{ id = "New{n}", idle = 1, busy = 2 }]"#,
            r#"sensor "New{n}""#,
            "each socket",
        ),
        (
            r#"sensors = [{ id = "New", idle = 1, busy = 200 }]"#,
            r#"sensor "New""#,
            "within its range",
        ),
        (
            r#"sensors = [{ id = "New", idle = 1, busy = inf, range = [0, inf] }]"#,
            r#"sensor "New""#,
            "at most",
        ),
        (
            r#"sensors = [{ id = "CPULoad", idle = 1, busy = 2 }]"#,
            r#"sensor "CPULoad""#,
            "follows",
        ),
        (
            r#"sensors = [{ id = "CPULoad", range = [5, 5] }]"#,
            r#"sensor "CPULoad""#,
            "range begins",
        ),
        (
            r#"sensors = [{ id = "MemoryTemperature", above = { critical = 60 } }]"#,
            r#"sensor "MemoryTemperature""#,
            "rise",
        ),
        (
            r#"sensors = [{ id = "MemoryTemperature", below = { caution = 1, critical = 2 } }]"#,
            r#"sensor "MemoryTemperature""#,
            "fall",
        ),
        (
            r#"sensors = [{ id = "MemoryTemperature", below = { caution = 90 } }]"#,
            r#"sensor "MemoryTemperature""#,
            "less than",
        ),
        (
            r#"sensors = [{ id = "CPULoad" }, { id = "CPULoad" }]"#,
            r#"sensor "CPULoad""#,
            "twice",
        ),
    ] {
        let error = Description::from_toml(&format!("[profile.node]\n{made}")).unwrap_err();
        let at = format!("profile \"node\", {place}");
        assert_eq!(error.at, at, "{made}: {error}");
        assert!(error.what.contains(what), "{made}: {error}");
    }
    let unknown = Description::from_toml("[profile.node]\nnic = { colour = 1 }").unwrap_err();
    assert!(unknown.at.contains("line 2"), "{unknown}");
}

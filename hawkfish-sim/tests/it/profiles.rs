//! What a description says a server is made of is what clients see.

use hawkfish_client::Client;
use hawkfish_sim::{Description, World};
use serde_json::Value;

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

#[test]
fn what_no_server_has_is_refused_with_its_place() {
    for (made, what) in [
        ("nics = 17", "nics is 0 to 16"),
        ("nic = { ports = 9 }", "nic.ports is 1 to 8"),
        ("nic = { mbps = 0 }", "nic.mbps"),
        ("modules_per_socket = 0", "modules_per_socket is 1 to 64"),
        ("processor_mhz = 0", "processor_mhz"),
        ("module = { mhz = 0 }", "module.mhz"),
    ] {
        let error = Description::from_toml(&format!("[profile.node]\n{made}")).unwrap_err();
        assert_eq!(error.at, "profile \"node\"", "{made}");
        assert!(error.what.contains(what), "{made}: {error}");
    }
    let unknown = Description::from_toml("[profile.node]\nnic = { colour = 1 }").unwrap_err();
    assert!(unknown.at.contains("line 2"), "{unknown}");
}

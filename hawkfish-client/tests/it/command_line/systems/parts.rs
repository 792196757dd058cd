//! What machines are made of: interfaces, processors, memory, PCIe devices; what is measured and logged.

use serde_json::{Value, json};

use super::super::little::Little;
use super::super::rack::Rack;
use super::{NAME, system};

#[tokio::test(flavor = "multi_thread")]
async fn parts_are_listed_and_shown() {
    let rack = Rack::of(1).await;
    for (sort, part) in [
        ("processors", "CPU0"),
        ("memory", "DIMM.0.1"),
        ("pcie", "0000-20-00"),
        ("nics", "net0"),
    ] {
        let listed = rack.shows(&["systems", sort, "ls", NAME]).await;
        insta::assert_snapshot!(sort, listed);
        let shown = rack.shows(&["systems", sort, "show", NAME, part]).await;
        insta::assert_snapshot!(format!("{sort}_one"), shown);
        let ran = rack.run(&["systems", sort, "show", NAME, "nothing"]).await;
        assert_eq!(ran.code, 4, "{}", ran.err);
    }
    let out = rack
        .shows(&["-o", "json", "systems", "memory", "ls", NAME])
        .await;
    let listed: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(listed[1], rack.get(&system("/Memory/DIMM.0.1")).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interface_is_switched_off_by_its_mac_address_and_on_again() {
    let rack = Rack::of(1).await;
    let net1 = system("/EthernetInterfaces/net1");
    let out = rack
        .shows(&[
            "systems",
            "nics",
            "set",
            NAME,
            "02:E3:00:8F:42:01",
            "--disable",
        ])
        .await;
    assert_eq!(out, "sim-00001: net1: InterfaceEnabled set\n");
    assert_eq!(rack.get(&net1).await["InterfaceEnabled"], false);
    assert_eq!(
        rack.get(&system("/EthernetInterfaces/net0")).await["InterfaceEnabled"],
        true
    );
    rack.shows(&["systems", "nics", "set", NAME, "net1", "--enable"])
        .await;
    assert_eq!(rack.get(&net1).await["InterfaceEnabled"], true);
    for (more, code, says) in [
        (&["--mtu", "9000"][..], 4, "no MTUSize of this interface"),
        (&["--enable", "--disable"], 2, "cannot be used with"),
        (&["--address", "192.0.2.7"], 2, "192.0.2.7/24"),
        (&["--vlan", "4095"], 2, "4094"),
    ] {
        let mut all = vec!["systems", "nics", "set", NAME, "net1"];
        all.extend(more);
        let ran = rack.run(&all).await;
        assert_eq!(ran.code, code, "{}", ran.err);
        assert!(ran.err.contains(says), "{}", ran.err);
    }
    let ran = rack
        .run(&["systems", "nics", "set", NAME, "--disable"])
        .await;
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("net0, net1"), "{}", ran.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interface_gets_what_the_service_lets_it_have_in_the_shape_that_it_has() {
    let at = |path: &str| json!({"@odata.id": format!("/redfish/v1{path}")});
    let tree = Little::with_system(
        json!({"EthernetInterfaces": at("/E")}),
        [
            ("/E", json!({"Members": [at("/E/new"), at("/E/old")]})),
            ("/E/new", json!({"Id": "new", "MTUSize": 1500, "DHCPv4": {"DHCPEnabled": true}, "IPv4Addresses": [], "IPv4StaticAddresses": [],
                "IPv6StaticAddresses": [], "StaticNameServers": [], "VLAN": {"VLANEnable": false}})),
            ("/E/old", json!({"Id": "old", "IPv4Addresses": [{"Address": "192.0.2.9", "AddressOrigin": "DHCP"}]})),
        ],
    )
    .await;
    let set = async |nic: &str, more: &[&str]| {
        let mut all = vec!["systems", "nics", "set", "7", nic];
        all.extend(more);
        let ran = tree.run(&all).await;
        assert_eq!(ran.code, 0, "{}", ran.err);
        tree.sent().last().unwrap().2.clone()
    };
    let sent = set(
        "new",
        &[
            "--mtu",
            "9000",
            "--vlan",
            "7",
            "--dns",
            "192.0.2.53,2001:db8::53",
        ],
    )
    .await;
    assert_eq!(
        sent,
        json!({"MTUSize": 9000, "VLAN": {"VLANEnable": true, "VLANId": 7}, "StaticNameServers": ["192.0.2.53", "2001:db8::53"]})
    );
    let sent = set(
        "new",
        &["--address", "192.0.2.7/20", "--gateway", "192.0.2.1"],
    )
    .await;
    assert_eq!(
        sent,
        json!({"DHCPv4": {"DHCPEnabled": false},
            "IPv4StaticAddresses": [{"Address": "192.0.2.7", "SubnetMask": "255.255.240.0", "Gateway": "192.0.2.1"}]})
    );
    let sent = set("new", &["--dhcp", "on", "--vlan", "0"]).await;
    assert_eq!(
        sent,
        json!({"DHCPv4": {"DHCPEnabled": true}, "VLAN": {"VLANEnable": false}})
    );
    let sent = set("new", &["--address", "2001:db8::7/64"]).await;
    assert_eq!(
        sent,
        json!({"IPv6StaticAddresses": [{"Address": "2001:db8::7", "PrefixLength": 64}]})
    );
    let sent = set("old", &["--address", "192.0.2.7/0"]).await;
    assert_eq!(
        sent,
        json!({"IPv4Addresses": [{"Address": "192.0.2.7", "SubnetMask": "0.0.0.0", "AddressOrigin": "Static"}]})
    );
    let sent = set("old", &["--dhcp", "on"]).await;
    assert_eq!(sent, json!({"IPv4Addresses": [{"AddressOrigin": "DHCP"}]}));
    let ran = tree
        .run(&[
            "systems",
            "nics",
            "set",
            "7",
            "old",
            "--address",
            "2001:db8::7/64",
        ])
        .await;
    assert_eq!(ran.code, 4, "{}", ran.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_measured_is_shown_with_its_units_and_bounds() {
    let rack = Rack::of(1).await;
    let out = rack.shows(&["systems", "sensors", NAME]).await;
    let line = |name: &str| {
        let line = out.lines().find(|line| line.starts_with(name));
        line.unwrap_or_else(|| panic!("{out}"))
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert!(
        line("Intake temperature").contains("°C ≥38 ≥42 Enabled OK"),
        "{out}"
    );
    assert_eq!(line("Fan 1"), "Fan 1 0 % Enabled OK");
    assert!(
        line("Power supply 1 input voltage").contains("V ≤180 ≥264"),
        "{out}"
    );
    let chassis = system("").replace("Systems", "Chassis");
    let sensors = rack.get(&format!("{chassis}/Sensors")).await;
    let listed: Value = serde_json::from_str(
        &rack
            .shows(&["-o", "json", "systems", "sensors", NAME])
            .await,
    )
    .unwrap();
    assert_eq!(
        json!(listed.as_array().unwrap().len()),
        sensors["Members@odata.count"]
    );
    let out = rack
        .shows(&["systems", "sensors", NAME, "--failed", "-o", "json"])
        .await;
    assert_eq!(out, "[]\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_of_a_machine_is_shown_oldest_first() {
    let rack = Rack::of(1).await;
    rack.shows(&["systems", "boot", NAME, "--first", "Boot0003"])
        .await;
    rack.seconds(5).await;
    rack.shows(&["systems", "power", NAME, "on"]).await;
    rack.seconds(120).await;
    let all = rack.shows(&["systems", "logs", NAME]).await;
    let boot = all
        .find("How the system boots was changed")
        .unwrap_or_else(|| panic!("{all}"));
    let power = all
        .find("The system was turned on")
        .unwrap_or_else(|| panic!("{all}"));
    assert!(boot < power, "{all}");
    let last = rack
        .shows(&[
            "systems",
            "logs",
            NAME,
            "Event",
            "--last",
            "1",
            "--no-headers",
        ])
        .await;
    assert_eq!(last.lines().count(), 1);
    let words = |text: &str| -> Vec<String> {
        let last = text.lines().last().unwrap().split_whitespace();
        last.map(str::to_owned).collect()
    };
    assert_eq!(words(&all), words(&last));
    let ran = rack.run(&["systems", "logs", NAME, "Nothing"]).await;
    assert_eq!(ran.code, 4);
    assert!(ran.err.contains("but Event"), "{}", ran.err);
}

//! A real guest says what it is made of, and it is what the service says.

use std::collections::BTreeSet;

use http::Method;
use serde_json::{Value, json};

use super::client::Client;
use super::server::{PASSWORD, Server, USER};
use hawkfish_testing::lab::Lab;
use hawkfish_testing::part;

/// What its Linux printed of itself.
fn told(console: &str) -> Option<Value> {
    let (_, rest) = console.split_once("HAWKFISH-GUEST ")?;
    let line = rest.lines().next()?;
    serde_json::from_str(line.trim()).ok()
}

async fn read(client: &Client, uri: &str) -> Value {
    client
        .send(Method::GET, uri, None)
        .await
        .unwrap()
        .good()
        .body
}

async fn members(client: &Client, uri: &str) -> Vec<Value> {
    let mut all = Vec::new();
    for member in read(client, uri).await["Members"].as_array().unwrap() {
        all.push(read(client, member["@odata.id"].as_str().unwrap()).await);
    }
    all
}

fn sum(all: &[Value], property: &str) -> i64 {
    all.iter()
        .map(|one| one[property].as_i64().unwrap_or(0))
        .sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_sees_the_addresses_processors_and_memory_that_are_shown_and_a_cable_that_is_pulled()
 {
    let Some(assets) = part::variable("HAWKFISH_TEST_ASSETS") else {
        return;
    };
    let Some(lab) = Lab::up() else { return };
    let xml = lab
        .xml("node", &["--kernel", &assets, "--memory", "320"])
        .replace(
            "<vcpu>1</vcpu>",
            "<vcpu current='3'>4</vcpu><cpu><topology sockets='2' cores='2' threads='1'/></cpu>",
        )
        .replace(
            "<serial ",
            "<interface type='user'><mac address='52:54:00:48:46:02'/><model type='virtio'/></interface><serial ",
        );
    let guest = lab.define_as("node", &xml);
    let server = Server::libvirt(lab.uri(), &[]);
    let mut client = Client::new(&server.url(), server.certificate().as_deref());
    client.log_in(USER, PASSWORD).await.unwrap();
    let systems = members(&client, "/redfish/v1/Systems").await;
    let system = systems[0]["@odata.id"].as_str().unwrap();
    let on = json!({"ResetType": "On"});
    let reset = format!("{system}/Actions/ComputerSystem.Reset");
    client.post(&reset, &on).await.unwrap().good();
    guest.says("tick 1").await;
    let seen = told(&guest.console()).unwrap_or_else(|| panic!("{}", guest.console()));

    let shown = read(&client, system).await;
    let nics = members(&client, &format!("{system}/EthernetInterfaces")).await;
    let address = |nic: &Value| nic["MACAddress"].as_str().unwrap().to_owned();
    let macs: BTreeSet<String> = nics.iter().map(address).collect();
    let theirs: BTreeSet<String> = serde_json::from_value(seen["macs"].clone()).unwrap();
    assert_eq!(macs, theirs);
    assert!(macs.contains("52:54:00:48:46:02"), "{macs:?}");

    let processors = members(&client, &format!("{system}/Processors")).await;
    assert_eq!(processors.len(), 2);
    assert_eq!(seen["cpus"], 3);
    assert_eq!(
        shown["ProcessorSummary"]["LogicalProcessorCount"],
        seen["cpus"]
    );
    assert_eq!(seen["cpus"], sum(&processors, "TotalEnabledThreads"));
    assert_eq!(processors[0]["InstructionSet"], "x86-64");

    let memory = members(&client, &format!("{system}/Memory")).await;
    assert_eq!(sum(&memory, "CapacityMiB"), 320);
    assert_eq!(
        shown["MemorySummary"]["TotalSystemMemoryGiB"],
        320.0 / 1024.0
    );
    // The kernel counts without what it took for itself before it began to count.
    let usable = seen["memory_mib"].as_i64().unwrap();
    assert!((240..320).contains(&usable), "{usable}");

    // A cable is pulled: libvirt knows it, of what runs and of what will.
    let nic = nics
        .iter()
        .find(|nic| address(nic) == "52:54:00:48:46:02")
        .unwrap();
    let uri = nic["@odata.id"].as_str().unwrap();
    assert_eq!(nic["LinkStatus"], "LinkUp");
    let state = |more: &[&str]| {
        let mut all = vec!["domif-getlink", "node", "52:54:00:48:46:02"];
        all.extend(more);
        let said = lab.virsh(&all);
        said.split_whitespace().last().unwrap().to_owned()
    };
    for (enabled, link) in [(false, "down"), (true, "up")] {
        let body = json!({"InterfaceEnabled": enabled});
        let answer = client
            .send(Method::PATCH, uri, Some(&body))
            .await
            .unwrap()
            .good();
        assert_eq!(answer.body["InterfaceEnabled"], enabled, "{answer:?}");
        assert_eq!(state(&[]), link);
        assert_eq!(state(&["--config"]), link);
    }
    // And somebody else pulls it.
    lab.virsh(&["domif-setlink", "node", "52:54:00:48:46:02", "down"]);
    hawkfish_testing::until(
        "the pulled cable is shown",
        std::time::Duration::from_secs(60),
        async || {
            let nic = read(&client, uri).await;
            (nic["LinkStatus"] == "NoLink").then_some(())
        },
    )
    .await;

    // What QEMU says is on its bus is what is shown there.
    let devices = shown["Links"]["Chassis"][0]["@odata.id"].as_str().unwrap();
    let devices = members(&client, &format!("{devices}/PCIeDevices")).await;
    let mut ours: Vec<String> = Vec::new();
    for device in &devices {
        let functions = device["PCIeFunctions"]["@odata.id"].as_str().unwrap();
        for function in members(&client, functions).await {
            let id = |name: &str| {
                let text = function[name]
                    .as_str()
                    .unwrap_or_else(|| panic!("{function}"));
                text.trim_start_matches("0x").to_ascii_lowercase()
            };
            ours.push(format!("{}:{}", id("VendorId"), id("DeviceId")));
        }
    }
    let bus = lab.virsh(&["qemu-monitor-command", "node", "--hmp", "info pci"]);
    let mut qemu: Vec<String> = bus
        .lines()
        .filter_map(|line| Some(line.split_once("PCI device ")?.1.trim().to_owned()))
        // Parts of the chipset are not in a domain's definition.
        .filter(|id| !["8086:29c0", "8086:2918", "8086:2930"].contains(&id.as_str()))
        .collect();
    ours.sort();
    qemu.sort();
    assert_eq!(ours, qemu);
}

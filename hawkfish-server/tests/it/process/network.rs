//! What the program says of the network that it is on, held against that network.

use hawkfish_core::certificates::{Bundle, Facts};
use serde_json::{Value, json};

use super::client::Client;
use super::server::Server;

async fn first_manager(client: &Client) -> String {
    client.members("/redfish/v1/Managers").await.remove(0)
}

#[tokio::test]
async fn a_manager_tells_the_port_and_the_certificate_by_which_it_is_reached() {
    let server = Server::simulated(1, &[]);
    let client = server.client().await;
    let manager = first_manager(&client).await;
    let protocols = client.read(&format!("{manager}/NetworkProtocol")).await;
    assert_eq!(protocols["HTTPS"]["ProtocolEnabled"], true);
    assert_eq!(protocols["HTTPS"]["Port"], json!(server.address().port()));
    let certificates = protocols["HTTPS"]["Certificates"]["@odata.id"].as_str();
    let certificate = client.members(certificates.unwrap()).await.remove(0);
    let certificate = client.read(&certificate).await;
    let file = std::fs::read_to_string(server.certificate().unwrap()).unwrap();
    let der = Bundle::of_pem(&file).unwrap().certificates.remove(0);
    let facts = Facts::of(&der).unwrap();
    assert_eq!(certificate["Fingerprint"], json!(facts.fingerprint));
}

#[cfg(feature = "libvirt")]
#[tokio::test]
async fn a_manager_of_real_machines_has_the_interface_and_the_process_that_serve_it() {
    // libvirt's own test driver: it needs no host.
    let server = Server::libvirt("test:///default", &[]);
    let client = server.client().await;
    let manager = first_manager(&client).await;
    let interfaces = client
        .members(&format!("{manager}/EthernetInterfaces"))
        .await;
    let mut addresses: Vec<Value> = Vec::new();
    for interface in &interfaces {
        let body = client.read(interface).await;
        let v4 = body["IPv4Addresses"].as_array().unwrap().clone();
        addresses.extend(v4.into_iter().map(|one| one["Address"].clone()));
    }
    let here = json!(server.address().ip().to_string());
    assert!(addresses.contains(&here), "{addresses:?}");
    let kernel = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let protocols = client.read(&format!("{manager}/NetworkProtocol")).await;
    let name = protocols["HostName"].as_str().unwrap();
    assert_eq!(Some(name), kernel.trim().split('.').next());

    let data = client
        .read(&format!("{manager}/ManagerDiagnosticData"))
        .await;
    let process = &data["TopProcesses"][0];
    assert!(
        process["CommandLine"]
            .as_str()
            .unwrap()
            .starts_with("hawkfish-serv"),
        "{data:#}"
    );
    // A debug build is larger than a megabyte, and smaller than the machine.
    let resident = process["ResidentSetSizeBytes"].as_i64().unwrap();
    let total = data["MemoryStatistics"]["TotalBytes"].as_i64().unwrap();
    assert!(resident > 1 << 20 && resident < total, "{data:#}");
}

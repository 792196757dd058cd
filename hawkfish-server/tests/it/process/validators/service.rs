//! DMTF's service validator against both backends: every resource against its schema.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use super::{log_in, run};
use crate::process::client::Client;
use crate::process::server::Server;
use hawkfish_testing::{part, until};

/// How long a delivery may take to fail.
const LIMIT: Duration = Duration::from_secs(60);

/// What the validator counted.
struct Counts {
    passes: usize,
    fails: usize,
    /// The lines of its log that warn.
    warnings: Vec<String>,
}

/// DMTF's schemas as the build reads them, and ours beside them.
fn schemas(folder: &Path) -> PathBuf {
    let all = folder.join("schemas");
    std::fs::create_dir_all(&all).unwrap();
    for entry in std::fs::read_dir(nv_redfish_schema::REDFISH_CSDL_DIR).unwrap() {
        let entry = entry.unwrap();
        let there = all.join(entry.file_name());
        if !there.exists() {
            std::os::unix::fs::symlink(entry.path(), there).unwrap();
        }
    }
    for (name, text) in hawkfish_redfish::metadata::schema_files() {
        std::fs::write(all.join(name), text).unwrap();
    }
    all
}

/// Runs the validator on all that a server serves, against those schemas.
fn validate(python: &Path, server: &Server) -> Counts {
    let reports = server.folder().join("reports");
    let schemas = schemas(server.folder());
    let mut command = run(python, "rf_service_validator", server);
    // A configuration that is not there: otherwise a file of that name in the working directory would count.
    command
        .args(["--config", "/nonexistent", "--skipschema"])
        .arg("--schema_directory")
        .arg(&schemas)
        .arg("--logdir")
        .arg(&reports);
    let done = command.output().expect("the validator starts");
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    let log = log_in(&reports);
    let told = |level: &str| -> Vec<String> {
        let mark = format!(" - {level} - ");
        let lines = log.lines().filter_map(|line| line.split_once(&mark));
        lines.map(|(_, rest)| rest.to_owned()).collect()
    };
    let fails = told("FAIL");
    assert!(
        done.status.success() && fails.is_empty(),
        "{fails:#?}\n{said}\n{}",
        String::from_utf8_lossy(&done.stderr)
    );
    Counts {
        passes: told("PASS").len(),
        fails: fails.len(),
        warnings: told("WARN"),
    }
}

/// Has an event be sent to where nobody takes it, so that it is kept as a dead letter.
async fn leave_dead_letter(client: &Client) {
    let service = "/redfish/v1/EventService";
    let once = json!({"DeliveryRetryAttempts": 1});
    client.patch(service, &once).await.unwrap().good();
    // It was free, and is again.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = closed.local_addr().unwrap().port();
    drop(closed);
    let body = json!({
        "Destination": format!("http://127.0.0.1:{port}/"), "Protocol": "Redfish",
        "Oem": {"HawkFish": {"SigningKey": "a key"}},
    });
    let subscriptions = format!("{service}/Subscriptions");
    let made = client.post(&subscriptions, &body).await.unwrap().good();
    let test = json!({"MessageId": "ResourceEvent.1.0.TestMessage"});
    let submit = format!("{service}/Actions/EventService.SubmitTestEvent");
    client.post(&submit, &test).await.unwrap().good();
    let letters = made.body["Oem"]["HawkFish"]["DeadLetters"]["@odata.id"].as_str();
    let letters = letters.expect("a subscription leads to its dead letters");
    until("a dead letter", LIMIT, async || {
        let listed = client.get(letters).await.unwrap().good().body;
        (listed["Members@odata.count"].as_u64() > Some(0)).then_some(())
    })
    .await;
}

/// What is left out of newer schemas, and served all the same for clients that know nothing else.
const OLD: [&str; 9] = [
    "/Power ([Link to: /redfish/v1/Chassis/",
    "/Thermal ([Link to: /redfish/v1/Chassis/",
    "/@odata.id (/redfish/v1/Chassis/",
    "/IndicatorLED (",
    "/ProcessorSummary/Status (",
    "/MemorySummary/Status (",
    "/Severity (",
    "/VirtualMedia ([Link to: /redfish/v1/Managers/",
    "/@odata.id (/redfish/v1/Managers/",
];

impl Counts {
    #[track_caller]
    fn are_good(&self, least: usize) {
        assert_eq!(self.fails, 0);
        assert!(self.passes >= least, "only {} passes", self.passes);
        let known = |line: &&String| {
            line.contains("deprecated") && OLD.iter().any(|old| line.contains(old))
        };
        let unknown: Vec<_> = self.warnings.iter().filter(|line| !known(line)).collect();
        assert!(unknown.is_empty(), "{unknown:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_validator_finds_no_fault_with_simulated_systems() {
    let Some(python) = part::python() else { return };
    let server = Server::simulated(2, &["--event-allow", "127.0.0.1"]);
    let client = server.client().await;
    let systems = client.members("/redfish/v1/Systems").await;
    assert_eq!(systems.len(), 2);
    // Not only what stands there at the start.
    let change = json!({"AssetTag": "x-1", "Boot": {"BootSourceOverrideTarget": "Cd", "BootSourceOverrideEnabled": "Once"}});
    client.patch(&systems[0], &change).await.unwrap().good();
    let image = json!({"Image": "http://images.example/a.iso"});
    let insert = format!(
        "{}/VirtualMedia/Cd/Actions/VirtualMedia.InsertMedia",
        systems[0]
    );
    client.post(&insert, &image).await.unwrap().good();
    for (system, reset) in [
        (&systems[0], "On"),
        (&systems[1], "On"),
        (&systems[1], "PowerCycle"),
    ] {
        let uri = format!("{system}/Actions/ComputerSystem.Reset");
        client
            .post(&uri, &json!({"ResetType": reset}))
            .await
            .unwrap()
            .good();
    }
    let account = json!({"UserName": "somebody", "Password": "else-12345", "RoleId": "Operator"});
    let accounts = "/redfish/v1/AccountService/Accounts";
    client.post(accounts, &account).await.unwrap().good();
    let tasks = client.members("/redfish/v1/TaskService/Tasks").await;
    assert!(!tasks.is_empty());
    leave_dead_letter(&client).await;

    validate(&python, &server).are_good(10_000);
}

#[cfg(feature = "libvirt")]
#[tokio::test(flavor = "multi_thread")]
async fn the_validator_finds_no_fault_with_domains_of_libvirt() {
    use hawkfish_testing::lab::Lab;

    let Some(python) = part::python() else { return };
    let Some(lab) = Lab::up() else { return };
    lab.define("idle", &["--cdrom-empty"]);
    let running = lab.define("running", &["--efi", "--memory", "128"]);
    lab.virsh(&["start", &running.name]);
    let server = Server::libvirt(lab.uri(), &["--media-allow", "127.0.0.1"]);
    let client = server.client().await;
    let systems = client.members("/redfish/v1/Systems").await;
    assert_eq!(systems.len(), 2);
    let images = crate::process::images::Images::serve();
    let image = json!({"Image": images.open(&lab.iso("ANY", &[]))});
    for system in &systems {
        let insert = format!("{system}/VirtualMedia/Cd/Actions/VirtualMedia.InsertMedia");
        client.post(&insert, &image).await.unwrap().good();
        let change = json!({"Boot": {"BootSourceOverrideTarget": "Cd", "BootSourceOverrideEnabled": "Once"}});
        client.patch(system, &change).await.unwrap().good();
    }

    validate(&python, &server).are_good(1000);
}

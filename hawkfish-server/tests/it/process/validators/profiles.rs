//! DMTF's interoperability validator: what users of a kind demand of a service, written down as a profile.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use super::{log_in, run, table};
use crate::process::server::Server;
use hawkfish_testing::part;

/// The profiles, and how much of each is looked at at least.
const PROFILES: [(&str, usize); 4] = [
    ("ironic/OpenStackIronicProfile.v1_2_0", 90),
    ("ocp/OCPBaselineHardwareManagement.v1_1_1", 30),
    ("ocp/OCPServerHardwareManagement.v1_1_0", 90),
    ("ocp/OCPServiceBaseline.v1_0_0", 66),
];

/// The profiles as files, from the folder that `HAWKFISH_DMTF_DIR` names; or none, which is said aloud but never a fault: they are DMTF's and others', and
/// not a part of this.
fn profiles(into: &Path) -> Option<PathBuf> {
    let archive = part::dmtf()?.join("interop-profiles.tar.xz");
    let done = Command::new("tar")
        .arg("-xf")
        .arg(archive)
        .arg("-C")
        .arg(into)
        .status()
        .expect("tar runs");
    assert!(done.success(), "HAWKFISH_DMTF_DIR has no profiles");
    Some(into.join("profiles"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_profiles_of_those_who_run_clouds_are_met() {
    let Some(python) = part::python() else { return };
    let server = Server::simulated(2, &[]);
    let Some(profiles) = profiles(server.folder()) else {
        return;
    };
    // One that runs, with a medium in it, and one that is off.
    let client = server.client().await;
    let systems = client.members("/redfish/v1/Systems").await;
    let insert = format!(
        "{}/VirtualMedia/Cd/Actions/VirtualMedia.InsertMedia",
        systems[0]
    );
    let image = json!({"Image": "http://images.example/a.iso"});
    client.post(&insert, &image).await.unwrap().good();
    let reset = format!("{}/Actions/ComputerSystem.Reset", systems[0]);
    let on = json!({"ResetType": "On"});
    client.post(&reset, &on).await.unwrap().good();
    let to = json!({"Destination": "https://receiver.example/", "Protocol": "Redfish"});
    let subscriptions = "/redfish/v1/EventService/Subscriptions";
    client.post(subscriptions, &to).await.unwrap().good();

    let mut faults = Vec::new();
    for (profile, least) in PROFILES {
        let name = profile.rsplit('/').next().unwrap();
        let reports = server.folder().join(name);
        let mut command = run(&python, "rf_interop_validator", &server);
        command
            .arg("--logdir")
            .arg(&reports)
            .arg(profiles.join(format!("{profile}.json")));
        let done = command.output().expect("the validator starts");
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        let [passed, warned, failed, untested] = table(&said);
        eprintln!(
            "{name}: {passed} passed, {warned} warned, {failed} failed, {untested} were not tested"
        );
        assert!(passed >= least, "{name}: only {passed} passed");
        let log = log_in(&reports);
        let told = log.lines().filter_map(|line| line.split_once(" - FAIL - "));
        let told: BTreeSet<&str> = told.map(|(_, rest)| rest).collect();
        assert_eq!(told.is_empty(), failed == 0, "{said}");
        faults.extend(told.into_iter().map(|line| format!("{name}: {line}")));
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

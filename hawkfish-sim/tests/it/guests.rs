//! Guests do what their scripts say, and clients see it.

use std::path::Path;

use bytes::Bytes;
use hawkfish_client::Client;
use hawkfish_sim::{Description, Error, Phase, World};
use jiff::SignedDuration;
use serde_json::{Value, json};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

async fn world(name: &str) -> World {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let file = top.join("examples/worlds").join(name);
    let text = std::fs::read_to_string(&file).unwrap();
    of(&text).await
}

async fn of(text: &str) -> World {
    let description = Description::from_toml(text).unwrap_or_else(|error| panic!("{error}"));
    World::builder()
        .describe(description)
        .start()
        .await
        .unwrap()
}

struct Rig {
    world: World,
    client: Client,
    system: String,
}

impl Rig {
    async fn new(world: World, name: &str) -> Self {
        let client = world.client().unwrap();
        let listed = client.get_value("/redfish/v1/Systems").await.unwrap().value;
        for member in listed["Members"].as_array().unwrap() {
            let uri = member["@odata.id"].as_str().unwrap();
            let shown = client.get_value(uri).await.unwrap().value;
            if shown["Name"] == name {
                return Self {
                    world,
                    client,
                    system: uri.to_owned(),
                };
            }
        }
        panic!("there is no {name}");
    }

    async fn post(&self, action: &str, body: Value) {
        let uri = format!("{}/{action}", self.system);
        let body = Bytes::from(body.to_string());
        let request = http::Request::post(uri)
            .header("content-type", "application/json")
            .header("authorization", "Basic YWRtaW46aGF3a2Zpc2g=");
        let response = self.world.call(request.body(body).unwrap()).await;
        assert!(response.status().is_success(), "{response:?}");
    }

    async fn reset(&self, kind: &str) {
        let body = json!({"ResetType": kind});
        self.post("Actions/ComputerSystem.Reset", body).await;
    }

    async fn power(&self) -> String {
        let shown = self.client.get_value(&self.system).await.unwrap().value;
        shown["PowerState"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn a_kernel_panics_at_the_third_boot_and_comes_up_at_the_fourth() {
    let rig = Rig::new(world("panic-at-the-third-boot.toml").await, "lab-00001").await;
    let lab = "lab-00001";
    rig.reset("On").await;
    for boot in [1, 2] {
        rig.world
            .run_until_phase(lab, Phase::Up, HOUR)
            .await
            .unwrap();
        assert_eq!(rig.world.guest(lab).unwrap().boots, boot);
        rig.reset("ForceRestart").await;
    }
    rig.world
        .run_until_phase(lab, Phase::Dumping, HOUR)
        .await
        .unwrap();
    let (panicked, next) = rig.world.console_since(lab, 0).unwrap();
    for line in [
        "Linux version 6.12 (lab-00001), boot 1\n",
        "Linux version 6.12 (lab-00001), boot 3\n",
        "BUG: unable to handle page fault\n",
        "kernel panic - not syncing: Fatal exception",
        "kdump: saving memory to disk",
    ] {
        assert_eq!(panicked.matches(line).count(), 1, "{line:?}:\n{panicked}");
    }
    assert_eq!(rig.power().await, "On");
    rig.world
        .run_until_phase(lab, Phase::Up, HOUR)
        .await
        .unwrap();
    assert_eq!(rig.world.guest(lab).unwrap().boots, 4);
    let (since, _) = rig.world.console_since(lab, next).unwrap();
    assert!(
        since.contains("kdump: saving memory is complete"),
        "{since}"
    );
    assert!(
        !since.contains("page fault") && !since.contains("Fatal"),
        "{since}"
    );
    assert!(since.contains("boot 4\n"), "{since}");
    rig.world.trace_consoles().await.unwrap();
    let trace = rig.world.trace().to_string();
    assert!(trace.contains("BUG: unable to handle page fault"));
}

#[tokio::test]
async fn a_fleet_is_installed_from_the_network_and_then_boots_from_disk() {
    let rig = Rig::new(world("pxe-install-fleet.toml").await, "bay-00001").await;
    let all: Vec<String> = (1..=50).map(|n| format!("bay-{n:05}")).collect();
    let listed = rig.client.get_value("/redfish/v1/Systems").await.unwrap();
    for member in listed.value["Members"].as_array().unwrap() {
        let uri = member["@odata.id"].as_str().unwrap();
        let body = json!({"ResetType": "On"});
        let action = format!("{uri}/Actions/ComputerSystem.Reset");
        rig.client.post(&action, &body).await.unwrap();
    }
    let (lost, rest) = all.split_last().unwrap();
    let up = async |world: &World| {
        let mut rest = rest.iter();
        rest.all(|name| {
            world
                .guest(name)
                .is_ok_and(|guest| guest.phase == Phase::Up)
        })
    };
    rig.world.run_until(HOUR, up).await.unwrap();
    // Eight minutes of installing, two self-tests, one boot.
    let took = rig.world.age().as_secs();
    assert!((510..540).contains(&took), "{took} s");
    for name in rest {
        let guest = rig.world.guest(name).unwrap();
        assert!(guest.installed && guest.boots == 2, "{name}: {guest:?}");
    }
    let console = rig.world.console("bay-00001").unwrap();
    let begin = console.find("HAWKFISH-BOOT target=Pxe").unwrap();
    let end = console.find("HAWKFISH-BOOT target=Hdd").unwrap();
    assert!(console[begin..end].contains("installer: bay-00001 asks"));
    let guest = rig.world.guest(lost).unwrap();
    assert_eq!((guest.phase, guest.installed), (Phase::Firmware, false));
}

#[tokio::test]
async fn a_slow_server_takes_its_minutes_and_one_that_hangs_waits_for_a_reset() {
    let rig = Rig::new(world("slow-boots.toml").await, "hall-00004").await;
    rig.reset("On").await;
    let minutes = |n| SignedDuration::from_mins(n);
    let early = rig
        .world
        .run_until_phase("hall-00004", Phase::Up, minutes(30))
        .await;
    assert!(matches!(early, Err(Error::NotReached { .. })), "{early:?}");
    assert_eq!(rig.world.guest("hall-00004").unwrap().phase, Phase::Hung);
    // It hears nothing.
    rig.reset("GracefulShutdown").await;
    rig.world.advance(minutes(5)).await.unwrap();
    assert_eq!(rig.power().await, "On");
    rig.reset("ForceRestart").await;
    let before = rig.world.now();
    let up = rig
        .world
        .run_until_phase("hall-00004", Phase::Up, HOUR)
        .await
        .unwrap();
    assert_eq!(up.duration_since(before), minutes(10));
}

#[tokio::test]
async fn an_installer_from_a_cd_ejects_it_and_powers_off_and_then_the_disk_boots() {
    let text = r#"
        [profile.bare]
        guest = { disk_boots = false, network_boots = false, installs = { takes = "5m", ejects = true, then = "power_off" } }
        [[rack]]
        name = "lab"
        profiles = ["bare"]
    "#;
    let rig = Rig::new(of(text).await, "lab-00001").await;
    rig.reset("On").await;
    rig.world
        .run_until_phase("lab-00001", Phase::Firmware, HOUR)
        .await
        .unwrap();
    rig.reset("ForceOff").await;
    let insert = json!({"Image": "http://images.example/installer.iso"});
    rig.post("VirtualMedia/Cd/Actions/VirtualMedia.InsertMedia", insert)
        .await;
    rig.reset("On").await;
    rig.world
        .run_until_phase("lab-00001", Phase::Installing, HOUR)
        .await
        .unwrap();
    rig.world
        .run_until_phase("lab-00001", Phase::Off, HOUR)
        .await
        .unwrap();
    assert_eq!(rig.power().await, "Off");
    let slot = format!("{}/VirtualMedia/Cd", rig.system);
    let slot = rig.client.get_value(&slot).await.unwrap().value;
    assert_eq!(slot["Inserted"], false, "{slot}");
    rig.reset("On").await;
    rig.world
        .run_until_phase("lab-00001", Phase::Up, HOUR)
        .await
        .unwrap();
    let console = rig.world.console("lab-00001").unwrap();
    assert!(console.contains("HAWKFISH-BOOT target=Hdd"), "{console}");
}

#[tokio::test]
async fn an_installer_whose_cd_stays_installs_again() {
    let text = r#"
        [profile.bare]
        guest = { disk_boots = false, installs = { from = ["Cd"], takes = "5m" } }
        [[rack]]
        name = "lab"
        profiles = ["bare"]
    "#;
    let rig = Rig::new(of(text).await, "lab-00001").await;
    let insert = json!({"Image": "http://images.example/installer.iso"});
    rig.post("VirtualMedia/Cd/Actions/VirtualMedia.InsertMedia", insert)
        .await;
    let body = json!({"Boot": {"BootSourceOverrideTarget": "Cd", "BootSourceOverrideEnabled": "Continuous"}});
    let request = http::Request::patch(&rig.system)
        .header("content-type", "application/json")
        .header("authorization", "Basic YWRtaW46aGF3a2Zpc2g=");
    let body = Bytes::from(body.to_string());
    let done = rig.world.call(request.body(body).unwrap()).await;
    assert!(done.status().is_success(), "{done:?}");
    rig.reset("On").await;
    let three = async |world: &World| world.guest("lab-00001").is_ok_and(|guest| guest.boots == 3);
    rig.world.run_until(HOUR, three).await.unwrap();
    let guest = rig.world.guest("lab-00001").unwrap();
    assert_eq!((guest.phase, guest.installed), (Phase::Installing, true));
}

#[tokio::test]
async fn a_hung_guest_is_reset_by_its_watchdog_and_an_nmi_dumps_it() {
    let text = r#"
        [[rack]]
        name = "lab"
        systems = 3
        profiles = ["small"]
        [rack.guests.lab-00001]
        hangs_at_boot = [1]
        watchdog = "2m"
        [rack.guests.lab-00002]
        hangs_at_boot = [1]
        dumps_for = "10s"
        on_panic = "stop"
        [rack.guests.lab-00003]
        ignores_nmi = true
    "#;
    let rig = Rig::new(of(text).await, "lab-00001").await;
    rig.reset("On").await;
    rig.world
        .run_until_phase("lab-00001", Phase::Hung, HOUR)
        .await
        .unwrap();
    rig.world
        .run_until_phase("lab-00001", Phase::Up, HOUR)
        .await
        .unwrap();
    let console = rig.world.console("lab-00001").unwrap();
    assert!(console.contains("watchdog: not fed in time"), "{console}");
    let second = Rig::new(rig.world.clone(), "lab-00002").await;
    second.reset("On").await;
    second
        .world
        .run_until_phase("lab-00002", Phase::Hung, HOUR)
        .await
        .unwrap();
    second.reset("Nmi").await;
    second
        .world
        .run_until_phase("lab-00002", Phase::Off, HOUR)
        .await
        .unwrap();
    let console = second.world.console("lab-00002").unwrap();
    let dumped = console.find("kdump: saving memory is complete");
    assert!(console.find("NMI: unknown reason") < dumped, "{console}");
    let third = Rig::new(rig.world.clone(), "lab-00003").await;
    third.reset("On").await;
    third
        .world
        .run_until_phase("lab-00003", Phase::Up, HOUR)
        .await
        .unwrap();
    third.reset("Nmi").await;
    third.world.advance(HOUR).await.unwrap();
    assert_eq!(third.world.guest("lab-00003").unwrap().phase, Phase::Up);
    assert!(
        third
            .world
            .console("lab-00003")
            .unwrap()
            .contains("NMI: dazed")
    );
}

#[test]
fn scripts_that_cannot_be_are_refused_with_their_place() {
    for (guest, what) in [
        ("panics_at_boot = [0]", "from 1"),
        (
            "panics_at_boot = [2], hangs_at_boot = [2]",
            "boot 2 ends in two ways",
        ),
        ("says = [{ print = \"{host} is up\" }]", "{host}"),
        ("says = [{ after = \"-1s\", print = \"x\" }]", "below zero"),
        ("installs = { from = [] }", "somewhere"),
    ] {
        let text = format!(
            "[[rack]]\nname = \"lab\"\nsystems = 2\nguests = {{ lab-00002 = {{ {guest} }} }}"
        );
        let error = Description::from_toml(&text).unwrap_err();
        assert!(error.at.contains("lab"), "{error}");
        assert!(error.what.contains(what), "{guest}: {error}");
    }
}

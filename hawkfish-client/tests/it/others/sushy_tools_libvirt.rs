//! The emulator of sushy-tools in front of a real libvirt: what the command line says is done to a guest is done to it.

use std::time::Duration;

use serde_json::json;

use super::EMPTY_CD;
use super::emulator::Emulator;
use super::images::Images;
use hawkfish_testing::lab::{Guest, Lab};
use hawkfish_testing::until;

struct Scene {
    emulator: Emulator,
    guest: Guest,
    lab: Lab,
}

impl Scene {
    async fn set() -> Option<Self> {
        let lab = Lab::up()?;
        let guest = lab.define("node", EMPTY_CD);
        // Where the emulator puts what it fetches.
        let pool = lab.path().join("pool");
        std::fs::create_dir(&pool).unwrap();
        let pool = pool.display().to_string();
        lab.virsh(&["pool-create-as", "default", "dir", "--target", &pool]);
        let emulator = Emulator::libvirt(lab.uri()).await?;
        Some(Self {
            emulator,
            guest,
            lab,
        })
    }

    fn runs(&self) -> bool {
        self.lab.virsh(&["list", "--name"]).contains("node")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_boots_from_an_image_that_the_command_line_gave_to_the_emulator() {
    let Some(scene) = Scene::set().await else {
        return;
    };
    let place = &scene.emulator.place;
    let iso = scene.lab.iso("INSTALLER", &[]);
    let images = Images::of(iso.parent().unwrap().to_owned()).await;
    let url = images.url("INSTALLER.iso");
    place
        .out(&["systems", "media", "insert", "node", &url])
        .await;
    let definition = scene.lab.virsh(&["dumpxml", "node"]);
    assert!(definition.contains("INSTALLER-iso"), "{definition}");
    let boot = ["systems", "boot", "node", "--target", "Cd", "--continuous"];
    place.out(&boot).await;
    place.out(&["systems", "power", "node", "On"]).await;
    scene.guest.boots(&["INSTALLER"]).await;
    assert!(scene.runs());
    assert_eq!(
        place.json(&["systems", "show", "node"]).await["PowerState"],
        "On"
    );

    place.out(&["systems", "power", "node", "ForceOff"]).await;
    assert!(!scene.runs());
    place.out(&["systems", "media", "eject", "node"]).await;
    let definition = scene.lab.virsh(&["dumpxml", "node"]);
    assert!(!definition.contains("INSTALLER-iso"), "{definition}");
    place
        .out(&["systems", "boot", "node", "--target", "Hdd", "--continuous"])
        .await;
    place.out(&["systems", "power", "node", "On"]).await;
    let disk = scene.guest.disk.clone();
    scene.guest.boots(&["INSTALLER", &disk]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_that_is_done_at_once_is_done_although_the_emulator_names_a_task_for_it() {
    let Some(scene) = Scene::set().await else {
        return;
    };
    let client = scene
        .emulator
        .client(|to, user, password| to.basic(user, password));
    let system = scene
        .emulator
        .place
        .json(&["systems", "show", "node"])
        .await;
    let before = system["BiosVersion"]
        .as_str()
        .expect("a version")
        .to_owned();
    let service = client
        .get_value("/redfish/v1/UpdateService")
        .await
        .unwrap()
        .value;
    let what =
        json!({"ImageURI": "http://images.example/bios.bin", "Targets": [system["@odata.id"]]});
    let started = client
        .action(&service, "UpdateService.SimpleUpdate", &what)
        .await;
    started
        .unwrap()
        .finish(Some(Duration::from_secs(20)))
        .await
        .unwrap();
    until("another version", Duration::from_secs(5), async || {
        let system = scene
            .emulator
            .place
            .json(&["systems", "show", "node"])
            .await;
        (system["BiosVersion"] != before).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_of_a_guest_are_seen_and_set_through_the_emulator() {
    let Some(scene) = Scene::set().await else {
        return;
    };
    let place = &scene.emulator.place;
    let turbo = ["systems", "bios", "get", "node", "ProcTurboMode"];
    assert_eq!(place.out(&turbo).await.trim(), "Enabled");
    let set = ["systems", "bios", "set", "node", "ProcTurboMode=Disabled"];
    place.out(&set).await;
    assert_eq!(place.out(&turbo).await.trim(), "Disabled");
    // It keeps them with the domain.
    let definition = scene.lab.virsh(&["dumpxml", "node"]);
    assert!(definition.contains("ProcTurboMode"), "{definition}");
    place.out(&["systems", "bios", "reset", "node"]).await;
    assert_eq!(place.out(&turbo).await.trim(), "Enabled");

    let definition = scene.lab.virsh(&["dumpxml", "node"]);
    let nics = place.json(&["systems", "nics", "ls", "node"]).await;
    let mac = nics[0]["MACAddress"].as_str().expect("an address");
    assert!(definition.contains(mac), "{mac}: {definition}");
    let processors = place.out(&["systems", "processors", "ls", "node"]).await;
    assert!(processors.contains("CPU0"), "{processors}");
}

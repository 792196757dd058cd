//! What all of this is for: a real guest, switched on by a client from elsewhere, boots from virtual media; and only as often as it should.

use std::path::PathBuf;

use super::bmc::Bmc;
use super::domain::definition;
use super::images::Images;
use super::server::Server;
use hawkfish_testing::lab::{Guest, Lab};
use hawkfish_testing::part;

/// Firmware of a domain.
struct Firmware {
    /// What `scripts/lab xml` is told.
    xml: &'static [&'static str],
    /// What GRUB calls it.
    platform: &'static str,
    /// What Redfish calls it.
    mode: &'static str,
    /// Memory for a Linux, MiB.
    linux: &'static str,
}

const BIOS: Firmware = Firmware {
    xml: &[],
    platform: "pc",
    mode: "Legacy",
    linux: "256",
};

const UEFI: Firmware = Firmware {
    xml: &["--efi"],
    platform: "efi",
    mode: "UEFI",
    linux: "512",
};

/// A domain that was there before HawkFish was, and who operates it.
struct Scene {
    lab: Lab,
    guest: Guest,
    images: Images,
    server: Server,
    bmc: Bmc,
    /// How the domain was defined before HawkFish was there.
    before: String,
}

impl Scene {
    fn set(firmware: &Firmware, memory: &str) -> Option<Self> {
        part::python()?;
        let lab = Lab::up()?;
        let mut xml = vec!["--cdrom-empty", "--memory", memory];
        xml.extend(firmware.xml);
        let guest = lab.define("node", &xml);
        let before = definition(&lab, &guest);
        for foreign in [
            "lab.example/note/1}note keep=\"as it is\"",
            "watchdog",
            "rng ",
        ] {
            assert!(before.contains(foreign), "{before}");
        }
        let server = Server::libvirt(lab.uri(), &["--media-allow", "127.0.0.1"]);
        let mut bmc = Bmc::of(&server, &guest.name)?;
        assert_eq!(bmc.names(), ["node"]);
        let system = bmc.system();
        assert_eq!(system["power"], "Off");
        assert_eq!(system["mode"], firmware.mode);
        assert!(
            lab.virsh(&["domuuid", "node"])
                .contains(system["uuid"].as_str().unwrap())
        );
        Some(Self {
            images: Images::serve(),
            lab,
            guest,
            server,
            bmc,
            before,
        })
    }

    /// Inserts an image and asks for one boot from it.
    fn insert_and_boot_once(&mut self, image: &str) {
        self.bmc.insert(image);
        let medium = self.bmc.medium("CD");
        assert_eq!(medium["inserted"], true);
        assert_eq!(medium["image"], image);
        self.bmc.boot("Cd", "Once");
        self.is_to_boot_once();
    }

    fn is_to_boot_once(&mut self) {
        let system = self.bmc.system();
        assert_eq!(
            (&system["target"], &system["enabled"]),
            (&"Cd".into(), &"Once".into())
        );
    }

    /// The override is over.
    fn boots_as_usual(&mut self) {
        let system = self.bmc.system();
        assert_eq!(system["enabled"], "Disabled", "{system}");
        assert_eq!(system["target"], "None", "{system}");
    }

    fn ends_as_it_began(&mut self) {
        self.bmc.eject();
        assert_eq!(self.bmc.medium("CD")["inserted"], false);
        let after = definition(&self.lab, &self.guest);
        assert_eq!(self.before, after, "before, and after");
    }
}

async fn boots_once_also_when_killed_in_between(firmware: &Firmware) {
    let Some(mut scene) = Scene::set(firmware, "128") else {
        return;
    };
    let image = scene.images.open(&scene.lab.iso("INSTALLER", &[]));
    scene.insert_and_boot_once(&image);

    scene.server.kill();
    scene.server.start();
    scene.is_to_boot_once();
    assert_eq!(scene.bmc.medium("CD")["image"], image);

    scene.bmc.reset("On");
    scene.guest.boots(&["INSTALLER"]).await;
    let platform = format!("label=INSTALLER platform={}", firmware.platform);
    assert!(scene.guest.console().contains(&platform));
    scene.bmc.wait_for_power("On", 10);
    scene.boots_as_usual();

    scene.bmc.reset("ForceOff");
    scene.bmc.wait_for_power("Off", 10);
    scene.bmc.reset("On");
    let disk = scene.guest.disk.clone();
    scene.guest.boots(&["INSTALLER", &disk]).await;

    // And once more, of a guest that runs.
    scene.bmc.boot("Cd", "Once");
    scene.is_to_boot_once();
    scene.bmc.reset("ForceRestart");
    scene.guest.boots(&["INSTALLER", &disk, "INSTALLER"]).await;
    scene.boots_as_usual();
    scene.bmc.reset("ForceRestart");
    scene
        .guest
        .boots(&["INSTALLER", &disk, "INSTALLER", &disk])
        .await;
    scene.bmc.reset("ForceOff");
    scene.bmc.wait_for_power("Off", 10);
    scene.ends_as_it_began();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bios_guest_boots_an_inserted_cd_once_also_when_hawkfish_is_killed_in_between() {
    boots_once_also_when_killed_in_between(&BIOS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_uefi_guest_boots_an_inserted_cd_once_also_when_hawkfish_is_killed_in_between() {
    boots_once_also_when_killed_in_between(&UEFI).await;
}

async fn boots_its_disk_after_a_reset_of_its_own(firmware: &Firmware, killed: bool) {
    let Some(mut scene) = Scene::set(firmware, "128") else {
        return;
    };
    // Time enough to be killed in.
    let seconds = if killed { "4" } else { "1" };
    let iso = scene.lab.iso("INSTALLER", &["--reboot-after", seconds]);
    let image = scene.images.open(&iso);
    scene.insert_and_boot_once(&image);
    scene.bmc.reset("On");
    scene.guest.boots(&["INSTALLER"]).await;
    if killed {
        scene.server.kill();
    }
    let disk = scene.guest.disk.clone();
    scene.guest.boots(&["INSTALLER", &disk]).await;
    if killed {
        scene.server.start();
    }
    scene.boots_as_usual();
    assert_eq!(scene.bmc.system()["power"], "On");
    scene.bmc.reset("ForceOff");
    scene.bmc.wait_for_power("Off", 10);
    scene.ends_as_it_began();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bios_guest_that_resets_itself_boots_its_disk_the_second_time() {
    boots_its_disk_after_a_reset_of_its_own(&BIOS, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_uefi_guest_that_resets_itself_boots_its_disk_the_second_time() {
    boots_its_disk_after_a_reset_of_its_own(&UEFI, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_resets_itself_while_hawkfish_is_gone_boots_its_disk_the_second_time() {
    boots_its_disk_after_a_reset_of_its_own(&BIOS, true).await;
}

async fn shuts_down_when_asked(firmware: &Firmware) {
    let Some(assets) = part::variable("HAWKFISH_TEST_ASSETS") else {
        return;
    };
    let Some(mut scene) = Scene::set(firmware, firmware.linux) else {
        return;
    };
    let image = scene.images.open(&PathBuf::from(assets).join("linux.iso"));
    scene.insert_and_boot_once(&image);
    scene.bmc.reset("On");
    scene.guest.boots(&["HFLINUX"]).await;
    scene.guest.says("HAWKFISH-GUEST").await;
    scene.guest.says("tick 1").await;
    scene.boots_as_usual();
    let console = scene.guest.console();
    assert!(console.contains(r#""cd_label":"HFLINUX""#), "{console}");

    scene.bmc.reset("GracefulShutdown");
    scene.bmc.wait_for_power("Off", 60);
    let console = scene.guest.console();
    assert!(console.contains("HAWKFISH-POWEROFF"), "{console}");
    assert!(scene.lab.virsh(&["domstate", "node"]).contains("shut off"));
    scene.ends_as_it_began();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bios_guest_shuts_down_when_asked() {
    shuts_down_when_asked(&BIOS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_uefi_guest_shuts_down_when_asked() {
    shuts_down_when_asked(&UEFI).await;
}

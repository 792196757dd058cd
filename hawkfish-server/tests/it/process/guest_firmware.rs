//! Firmware settings on real guests: what is set is in the domain, and the guest finds it so.

use std::time::Duration;

use serde_json::{Value, json};

use super::client::Client;
use super::domain::definition;
use super::server::Server;
use hawkfish_testing::lab::{Guest, Lab};
use hawkfish_testing::{part, until};

/// A domain with a Linux that tells what it finds.
struct Scene {
    lab: Lab,
    guest: Guest,
    server: Server,
    client: Client,
    system: String,
    before: String,
}

impl Scene {
    async fn set(xml: &[&str]) -> Option<Self> {
        let assets = part::variable("HAWKFISH_TEST_ASSETS")?;
        let lab = Lab::up()?;
        let mut all = vec!["--no-cdrom", "--kernel", &assets];
        all.extend(xml);
        let guest = lab.define("node", &all);
        lab.virsh(&["setvcpus", "node", "2", "--maximum", "--config"]);
        lab.virsh(&["setvcpus", "node", "2", "--config"]);
        let before = definition(&lab, &guest);
        let server = Server::libvirt(lab.uri(), &[]);
        let client = server.client().await;
        let system = client.members("/redfish/v1/Systems").await.remove(0);
        Some(Self {
            lab,
            guest,
            server,
            client,
            system,
            before,
        })
    }

    async fn reset(&self, how: &str) {
        let uri = format!("{}/Actions/ComputerSystem.Reset", self.system);
        let body = json!({"ResetType": how});
        self.client.post(&uri, &body).await.unwrap().good();
    }

    async fn patch(&self, below: &str, body: Value) -> Value {
        let uri = format!("{}{below}", self.system);
        self.client.patch(&uri, &body).await.unwrap().good().body
    }

    async fn read(&self, below: &str) -> Value {
        self.client.read(&format!("{}{below}", self.system)).await
    }

    /// What the guest told when it came up for the n-th time.
    async fn told(&self, times: usize) -> Value {
        let what = format!("the guest tells {times} times; {}", self.guest.console());
        until(&what, Duration::from_secs(180), async || {
            let console = self.guest.console();
            let mut told = console.split("HAWKFISH-GUEST ").skip(times);
            let (json, _) = told.next()?.split_once('\n')?;
            Some(serde_json::from_str(json).expect("the guest tells in JSON"))
        })
        .await
    }

    async fn power(&self, state: &str) {
        let what = format!("the system is {state}");
        until(&what, Duration::from_secs(60), async || {
            (self.read("").await["PowerState"] == state).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_finds_the_settings_that_were_made_before_its_last_reset() {
    let Some(mut scene) = Scene::set(&[]).await else {
        return;
    };
    scene.reset("On").await;
    let first = scene.told(1).await;
    for (fact, value) in [
        ("hpet", json!(true)),
        ("cpus", json!(2)),
        ("svm", json!(true)),
    ] {
        assert_eq!(first[fact], value, "{first}");
    }
    assert!(first["sleep"].as_str().unwrap().contains("deep"), "{first}");
    let wanted = json!({"Attributes": {
        "Hpet": "Disabled", "ProcessorsEnabled": 1, "NestedVirtualization": "Disabled", "AcpiS3": "Disabled",
        "RealTimeClock": "LocalTime", "BootMenu": "Enabled", "BootMenuTimeout": 50,
    }});
    scene.patch("/Bios/Settings", wanted.clone()).await;
    assert_eq!(
        definition(&scene.lab, &scene.guest),
        scene.before,
        "it only waits"
    );
    scene.server.kill();
    scene.server.start();
    scene.client = scene.server.client().await;
    let waiting = scene.read("/Bios/Settings").await;
    assert_eq!(waiting["Attributes"]["Hpet"], "Disabled");

    scene.reset("ForceRestart").await;
    let second = scene.told(2).await;
    for (fact, value) in [
        ("hpet", json!(false)),
        ("cpus", json!(1)),
        ("svm", json!(false)),
    ] {
        assert_eq!(second[fact], value, "{second}");
    }
    assert!(
        !second["sleep"].as_str().unwrap().contains("deep"),
        "{second}"
    );
    let xml = scene.lab.virsh(&["dumpxml", "--inactive", "node"]);
    for part in [
        "<timer name='hpet' present='no'/>",
        "current='1'>2</vcpu>",
        "<feature policy='disable' name='svm'/>",
        "<suspend-to-mem enabled='no'/>",
        "<clock offset='localtime'>",
        "<bootmenu enable='yes' timeout='50'/>",
    ] {
        assert!(xml.contains(part), "{part}: {xml}");
    }
    let bios = scene.read("/Bios").await;
    for (name, value) in wanted["Attributes"].as_object().unwrap() {
        assert_eq!(bios["Attributes"][name], *value, "{name}");
    }
    assert!(bios["@Redfish.Settings"]["Time"].is_string(), "{bios}");

    let uri = format!("{}/Bios/Actions/Bios.ResetBios", scene.system);
    scene.client.post(&uri, &json!({})).await.unwrap().good();
    scene.reset("PowerCycle").await;
    let third = scene.told(3).await;
    assert_eq!(third["hpet"], true, "{third}");
    assert_eq!(third["cpus"], 2, "{third}");
    scene.reset("ForceOff").await;
    scene.power("Off").await;
    assert_eq!(definition(&scene.lab, &scene.guest), scene.before);
}

#[tokio::test(flavor = "multi_thread")]
async fn secure_boot_gives_a_guest_other_firmware_and_takes_it_back() {
    let Some(scene) = Scene::set(&["--efi"]).await else {
        return;
    };
    scene.reset("On").await;
    assert_eq!(scene.told(1).await["secure_boot"], false);
    let now = scene
        .patch("/SecureBoot", json!({"SecureBootEnable": true}))
        .await;
    assert_eq!(now["SecureBootEnable"], true);
    assert_eq!(now["SecureBootCurrentBoot"], "Disabled");
    scene.reset("ForceRestart").await;
    let told = scene.told(2).await;
    assert_eq!(told["firmware"], "uefi", "{told}");
    assert_eq!(told["secure_boot"], true, "{told}");
    let now = scene.read("/SecureBoot").await;
    assert_eq!(now["SecureBootCurrentBoot"], "Enabled");
    assert_eq!(now["SecureBootMode"], "UserMode");

    scene.reset("ForceOff").await;
    scene.power("Off").await;
    let now = scene
        .patch("/SecureBoot", json!({"SecureBootEnable": false}))
        .await;
    assert_eq!(now["SecureBootEnable"], false);
    assert_eq!(definition(&scene.lab, &scene.guest), scene.before);
    scene.reset("On").await;
    assert_eq!(scene.told(3).await["secure_boot"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watchdog_that_a_guest_does_not_feed_fires_and_does_what_it_was_set_to() {
    let Some(scene) = Scene::set(&["--cmdline", "hf.watchdog=4"]).await else {
        return;
    };
    let timer = scene.read("").await["HostWatchdogTimer"].clone();
    assert_eq!(timer["FunctionEnabled"], false, "{timer}");
    let body = json!({"HostWatchdogTimer": {"TimeoutAction": "ResetSystem"}});
    let timer = scene.patch("", body).await["HostWatchdogTimer"].clone();
    assert_eq!(timer["FunctionEnabled"], true, "{timer}");
    scene.reset("On").await;
    assert_eq!(scene.read("").await["LastResetCause"], "ManagementCommand");
    scene.told(1).await;
    scene.guest.says("HAWKFISH-WATCHDOG").await;
    until(
        "the watchdog resets the system",
        Duration::from_secs(60),
        async || (scene.read("").await["LastResetCause"] == "WatchdogExpiration").then_some(()),
    )
    .await;
    // While it runs.
    let body = json!({"HostWatchdogTimer": {"TimeoutAction": "PowerDown"}});
    scene.patch("", body).await;
    scene.told(2).await;
    scene.power("Off").await;
    let xml = scene.lab.virsh(&["dumpxml", "--inactive", "node"]);
    assert!(xml.contains("action='poweroff'"), "{xml}");
    assert_eq!(
        scene.guest.console().matches("HAWKFISH-WATCHDOG").count(),
        2
    );
}

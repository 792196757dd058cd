//! What a machine is asked on the command line, asked of captured trees of a real iLO 5 and a real iDRAC 9 with state. What they said is not ours to carry along, so
//! that only facts and shapes are held, and each change is looked for in the tree afterwards.

use hawkfish_sim::capture::Capture;
use hawkfish_sim::{PASSWORD, Served, USER, World};
use serde_json::Value;

use super::run::{Ran, bare, ran};
use hawkfish_testing::part;

struct Replayed {
    world: World,
    url: String,
    _served: Served,
    /// `…/Systems/{id}`.
    system: &'static str,
    manager: &'static str,
}

impl Replayed {
    async fn of(vendor: &str, system: &'static str, manager: &'static str) -> Option<Self> {
        let captures = part::captures()?;
        let file = captures.join(format!("{vendor}.tar.xz"));
        let read = tokio::task::spawn_blocking(move || Capture::read(file).unwrap());
        let world = World::builder()
            .traced(false)
            .capture(read.await.unwrap())
            .start()
            .await
            .unwrap();
        let served = world.serve(([127, 0, 0, 1], 0).into()).await.unwrap();
        Some(Self {
            url: format!("http://{}", served.address),
            world,
            _served: served,
            system,
            manager,
        })
    }

    async fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = bare();
        command
            .env("HAWKFISH_URL", &self.url)
            .env("HAWKFISH_USERNAME", USER)
            .env("HAWKFISH_PASSWORD", PASSWORD)
            .env("HAWKFISH_AUTH", "basic")
            .args(arguments);
        ran(command).await
    }

    async fn shows(&self, arguments: &[&str]) -> String {
        let ran = self.run(arguments).await;
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{arguments:?}");
        ran.out
    }

    /// What programs get, and that people get a line for each, and one above.
    async fn list(&self, arguments: &[&str]) -> Vec<Value> {
        let table = self.shows(arguments).await;
        let json = self.shows(&[&["-o", "json"], arguments].concat()).await;
        let list: Value = serde_json::from_str(&json).unwrap();
        let list = list.as_array().unwrap().clone();
        assert_eq!(table.lines().count(), list.len() + 1, "{table}");
        assert!(!list.is_empty(), "{arguments:?}");
        list
    }

    async fn get(&self, uri: &str) -> Value {
        let client = self.world.client().unwrap();
        client.get_value(uri).await.unwrap().value
    }

    async fn system(&self) -> Value {
        self.get(self.system).await
    }

    /// What every BMC has, whoever made it.
    async fn is_shown(&self, model: &str) {
        let (id, manager) = (last(self.system), last(self.manager));
        let listed = self.list(&["systems", "ls"]).await;
        assert_eq!(listed[0], self.system().await);
        let shown = self.shows(&["systems", "show", id]).await;
        assert!(shown.contains(model), "{shown}");
        for arguments in [
            &["systems", "storage", "ls", id][..],
            &["systems", "storage", "controllers", id],
            &["systems", "storage", "drives", id],
            &["systems", "storage", "volumes", "ls", id],
            &["systems", "nics", "ls", id],
            &["systems", "processors", "ls", id],
            &["systems", "memory", "ls", id],
            &["systems", "pcie", "ls", id],
            &["systems", "sensors", id],
            &["systems", "logs", id],
            &["systems", "media", "ls", id],
            &["systems", "boot-options", id],
            &["systems", "console", id],
            &["chassis", "ls"],
            &["chassis", "sensors", last(self.system)],
            &["managers", "ls"],
            &["managers", "network", "ls", manager],
        ] {
            self.list(arguments).await;
        }
        for arguments in [
            &["systems", "secure-boot", "show", id][..],
            &["chassis", "show", id],
            &["chassis", "power", id],
            &["chassis", "thermal", id],
            &["managers", "show", manager],
            &["managers", "protocols", "show", manager],
            &["managers", "time", "show", manager],
        ] {
            assert!(
                self.shows(arguments).await.lines().count() > 1,
                "{arguments:?}"
            );
        }
        let drives = self.list(&["systems", "storage", "drives", id]).await;
        assert!(
            drives
                .iter()
                .all(|drive| drive["CapacityBytes"].as_u64() > Some(1 << 30))
        );
        let readings = self.shows(&["systems", "sensors", id]).await;
        assert!(readings.contains("°C"), "{readings}");
        let protocols = self
            .shows(&["managers", "protocols", "show", manager])
            .await;
        assert!(
            protocols
                .lines()
                .any(|line| line.split_whitespace().eq(["SSH", "yes", "22"])),
            "{protocols}"
        );
    }

    /// Power, boot, settings, tag, light: done, and found done.
    async fn obeys(&self, setting: &str) {
        let id = last(self.system);
        assert_eq!(self.system().await["PowerState"], "On");
        self.shows(&["systems", "boot", id, "--target", "pxe"])
            .await;
        let boot = self.system().await["Boot"].clone();
        assert_eq!(
            (
                boot["BootSourceOverrideTarget"].as_str(),
                boot["BootSourceOverrideEnabled"].as_str()
            ),
            (Some("Pxe"), Some("Once"))
        );
        let out = self
            .shows(&["systems", "power", id, "off", "--force"])
            .await;
        assert_eq!(out, format!("{id}: ForceOff\n"));
        let ran = self
            .run(&["systems", "wait", id, "--power", "off", "--within", "5"])
            .await;
        assert_eq!(
            (ran.code, ran.out),
            (0, format!("{id}: Off\n")),
            "{}",
            ran.err
        );
        assert_eq!(self.system().await["PowerState"], "Off");
        let ran = self.run(&["systems", "power", id, "explode"]).await;
        assert_eq!(ran.code, 2, "{}", ran.err);

        // What the machine takes is known from its own registry.
        let now = self.shows(&["systems", "bios", "get", id, setting]).await;
        let other = if now.trim() == "Enabled" {
            "Disabled"
        } else {
            "Enabled"
        };
        let ran = self
            .run(&["systems", "bios", "set", id, &format!("{setting}=Perhaps")])
            .await;
        assert_eq!(ran.code, 2, "{}", ran.err);
        assert!(ran.err.contains("Enabled, Disabled"), "{}", ran.err);
        assert_eq!(
            self.shows(&["systems", "bios", "pending", id]).await,
            "nothing waits\n"
        );
        let change = format!("{setting}={}", other.to_lowercase());
        let out = self.shows(&["systems", "bios", "set", id, &change]).await;
        assert_eq!(
            out,
            format!("{id}: {setting} = {other} after the next reset\n")
        );
        let pending = self.list(&["systems", "bios", "pending", id]).await;
        assert_eq!(pending[0]["Name"], setting);
        assert_eq!(pending[0]["ToCome"], other);
        let explained = self
            .shows(&["systems", "bios", "explain", id, setting])
            .await;
        assert!(explained.contains("Enabled, Disabled"), "{explained}");

        self.shows(&[
            "systems",
            "set",
            id,
            "--asset-tag",
            "rack7",
            "--indicator",
            "on",
        ])
        .await;
        let system = self.system().await;
        assert_eq!(system["AssetTag"], "rack7");
        assert_eq!(system["IndicatorLED"], "Blinking");
    }

    /// An image into the drive for CDs, and out again.
    async fn takes_images(&self) {
        let id = last(self.system);
        let image = "http://192.0.2.1/a.iso";
        let slots = self.list(&["systems", "media", "ls", id]).await;
        let cd = slots
            .iter()
            .find(|slot| slot["MediaTypes"].to_string().contains("CD"))
            .unwrap();
        assert_eq!(cd["Inserted"], false);
        let ran = self.run(&["systems", "media", "eject", id]).await;
        assert_eq!(ran.code, 4, "{}", ran.err);
        let ran = self
            .run(&["systems", "media", "eject", id, "--slot", "nothing"])
            .await;
        assert_eq!(ran.code, 4, "{}", ran.err);
        self.shows(&["systems", "media", "insert", id, image]).await;
        let uri = cd["@odata.id"].as_str().unwrap();
        assert_eq!(self.get(uri).await["Inserted"], true);
        let table = self.shows(&["systems", "media", "ls", id]).await;
        assert!(table.contains(image), "{table}");
        self.shows(&["systems", "media", "eject", id]).await;
        assert_eq!(self.get(uri).await["Inserted"], false);
    }
}

fn last(uri: &str) -> &str {
    uri.rsplit('/').next().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_ilo_5_is_shown_and_obeys() {
    let Some(ilo) = Replayed::of("hpe", "/redfish/v1/Systems/1", "/redfish/v1/Managers/1").await
    else {
        return;
    };
    ilo.is_shown("ProLiant").await;
    ilo.obeys("AcpiHpet").await;
    ilo.takes_images().await;
    let consoles = ilo
        .shows(&["systems", "console", "1", "--host", "bmc.example"])
        .await;
    let serial = |line: &str| line.starts_with("serial") && line.contains("ssh -p 22 bmc.example");
    assert!(consoles.lines().any(serial), "{consoles}");
    let volumes = ilo
        .list(&["systems", "storage", "volumes", "ls", "1"])
        .await;
    assert_eq!(volumes[0]["RAIDType"], "RAID1");
    let ran = ilo
        .run(&["systems", "media", "certificates", "ls", "1", "--slot", "2"])
        .await;
    assert_eq!(ran.code, 4, "{}", ran.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_idrac_9_is_shown_and_obeys() {
    let idrac = Replayed::of(
        "dell",
        "/redfish/v1/Systems/System.Embedded.1",
        "/redfish/v1/Managers/iDRAC.Embedded.1",
    );
    let Some(idrac) = idrac.await else {
        return;
    };
    idrac.is_shown("PowerEdge").await;
    idrac.obeys("LogicalProc").await;
    idrac.takes_images().await;
    let manager = "iDRAC.Embedded.1";
    let certificates = idrac
        .list(&["managers", "certificates", "ls", manager])
        .await;
    assert!(certificates[0]["ValidNotAfter"].is_string());
    // Its keys are reset only in the ways that it lists.
    let system = "System.Embedded.1";
    let ran = idrac
        .run(&["systems", "secure-boot", "reset-keys", system, "Everything"])
        .await;
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("ResetAllKeysToDefault"), "{}", ran.err);
    // Its serial console is off; what is left is the manager's own command line.
    let ran = idrac
        .run(&["systems", "console", system, "--connect"])
        .await;
    assert_eq!(ran.code, 4, "{}", ran.err);
}

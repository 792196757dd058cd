//! What a real iLO 5 and a real iDRAC 9 showed: as it stands, for reading, and replayed with state, for changing.

use hawkfish_client::{Client, link};
use hawkfish_sim::capture::Capture;
use hawkfish_sim::{PASSWORD, Served, USER, World};
use serde_json::{Value, json};

use super::{Place, mockup};
use crate::command_line::run::ran_with_input;

/// A captured BMC whose power, boot, media and accounts work.
struct Replayed {
    place: Place,
    client: Client,
    _served: Served,
    world: World,
}

impl Replayed {
    async fn of(capture: Capture) -> Self {
        let world = World::builder().traced(false).capture(capture);
        let world = world.start().await.unwrap();
        let served = world.serve(([127, 0, 0, 1], 0).into()).await.unwrap();
        let place = Place {
            url: served.url(),
            user: USER,
            password: PASSWORD,
            ca: None,
        };
        Self {
            client: Client::builder(&place.url)
                .basic(USER, PASSWORD)
                .build()
                .unwrap(),
            place,
            _served: served,
            world,
        }
    }

    /// A minute of its time.
    async fn minute(&self) {
        let minute = jiff::SignedDuration::from_secs(60);
        self.world.advance(minute).await.unwrap();
    }

    async fn get(&self, uri: &str) -> Value {
        self.client.get_value(uri).await.unwrap().value
    }
}

/// What each of them is, and where what is changed stands.
struct Bmc {
    vendor: &'static str,
    system: &'static str,
    model: &'static str,
    /// The drive for CDs.
    slot: &'static str,
}

const BMCS: [Bmc; 2] = [
    Bmc {
        vendor: "hpe",
        system: "/redfish/v1/Systems/1",
        model: "ProLiant DL385 Gen10 Plus v2",
        slot: "/redfish/v1/Managers/1/VirtualMedia/2",
    },
    Bmc {
        vendor: "dell",
        system: "/redfish/v1/Systems/System.Embedded.1",
        model: "PowerEdge R750",
        slot: "/redfish/v1/Systems/System.Embedded.1/VirtualMedia/1",
    },
];

fn last(uri: &str) -> &str {
    uri.rsplit('/').next().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_real_bmcs_showed_is_read_by_every_command_that_reads() {
    for bmc in BMCS {
        let Some(capture) = mockup::capture(bmc.vendor) else {
            return;
        };
        let document = |uri: &str| capture.documents[uri].value().unwrap().clone();
        let (system, slot) = (document(bmc.system), document(bmc.slot));
        let id = last(bmc.system);
        let manager = link(&system, "/Links/ManagedBy/0")
            .map(last)
            .unwrap()
            .to_owned();
        let manager = manager.as_str();
        let place = Place {
            url: mockup::serve(capture).await,
            user: USER,
            password: PASSWORD,
            ca: None,
        };
        let place = Basic(place);
        assert_eq!(place.json(&["systems", "ls"]).await, json!([system]));
        assert_eq!(place.json(&["systems", "show", id]).await, system);
        let by_uuid = system["UUID"].as_str().unwrap();
        assert_eq!(place.json(&["systems", "show", by_uuid]).await, system);
        let slots = place.json(&["systems", "media", "ls", id]).await;
        assert!(slots.as_array().unwrap().contains(&slot), "{slots:#}");
        let table = place.out(&["systems", "show", id]).await;
        assert!(table.contains(bmc.model), "{table}");
        let boot = place.out(&["systems", "boot", id]).await;
        assert!(
            boot.contains("Disabled") && boot.contains("UefiHttp"),
            "{boot}"
        );
        let mut failed = Vec::new();
        for (arguments, word) in READ {
            let words = arguments.split(' ').map(|word| match word {
                "SYSTEM" => id,
                "MANAGER" => manager,
                word => word,
            });
            let mut arguments: Vec<&str> = ["--auth", "basic"].into_iter().chain(words).collect();
            let ran = place.0.run(&arguments).await;
            if ran.code != 0 || !ran.out.contains(word) {
                failed.push(format!("{arguments:?}: {ran:?}"));
                continue;
            }
            arguments.extend(["--output", "json"]);
            let ran = place.0.run(&arguments).await;
            let is_json = serde_json::from_str::<Value>(&ran.out).is_ok();
            if ran.code != 0 || !(is_json || arguments.contains(&"--uris")) {
                failed.push(format!("{arguments:?}: {ran:?}"));
            }
        }
        assert!(failed.is_empty(), "{}: {failed:#?}", bmc.vendor);
    }
}

/// Commands that read, and a word that is printed of either machine.
const READ: &[(&str, &str)] = &[
    ("service show", "Redfish"),
    ("service features", "ExpandQuery"),
    ("service clock", "OFF BY"),
    ("chassis ls", "RackMount"),
    ("sensors ls", "OK"),
    ("managers ls", "BMC"),
    ("managers show MANAGER", "BMC"),
    ("managers network ls MANAGER", "MAC"),
    ("managers protocols show MANAGER", "HTTPS"),
    ("managers time show MANAGER", "Time"),
    ("systems boot-options SYSTEM", "Boot0"),
    ("systems bios show SYSTEM", "VALUE"),
    ("systems secure-boot show SYSTEM", "Mode"),
    ("systems storage ls SYSTEM", "HEALTH"),
    ("systems storage drives SYSTEM", "SSD"),
    ("systems storage volumes ls SYSTEM", "ID"),
    ("systems nics ls SYSTEM", "MAC"),
    ("systems processors ls SYSTEM", "CPU"),
    ("systems memory ls SYSTEM", "DDR4"),
    ("systems pcie ls SYSTEM", "ID"),
    ("systems sensors SYSTEM", "OK"),
    ("systems logs SYSTEM", "Wraps"),
    ("systems console SYSTEM", "SSH"),
    ("accounts ls", "Administrator"),
    ("roles ls", "ReadOnly"),
    ("sessions ls", "ID"),
    ("tasks ls", "ID"),
    ("logs ls", "LOG"),
    ("firmware ls", "VERSION"),
    ("certificates ls", "UNTIL"),
    ("registries ls", "Base"),
    ("tree --uris --depth 1", "/redfish/v1/Systems"),
];

/// A place without sessions: a captured BMC opens none.
struct Basic(Place);

impl Basic {
    async fn out(&self, arguments: &[&str]) -> String {
        let mut all = vec!["--auth", "basic"];
        all.extend(arguments);
        self.0.out(&all).await
    }

    async fn json(&self, arguments: &[&str]) -> Value {
        let mut all = vec!["--auth", "basic"];
        all.extend(arguments);
        self.0.json(&all).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn power_boot_and_media_of_real_bmcs_are_changed_from_the_command_line() {
    for bmc in BMCS {
        let Some(capture) = mockup::capture(bmc.vendor) else {
            return;
        };
        let replayed = Replayed::of(capture).await;
        let place = &replayed.place;
        let id = last(bmc.system);
        let power = async || replayed.get(bmc.system).await["PowerState"].clone();
        for (reset, state) in [("ForceOff", "Off"), ("on", "On")] {
            if power().await != state {
                place.out(&["systems", "power", id, reset]).await;
                replayed.minute().await;
            }
            assert_eq!(power().await, state, "{} {reset}", bmc.vendor);
        }

        let set = ["systems", "boot", id, "--target", "Cd", "--once"];
        place.out(&set).await;
        let boot = replayed.get(bmc.system).await["Boot"].clone();
        assert_eq!(
            (
                &boot["BootSourceOverrideEnabled"],
                &boot["BootSourceOverrideTarget"]
            ),
            (&json!("Once"), &json!("Cd")),
            "{}",
            bmc.vendor
        );
        place.out(&["systems", "boot", id, "--disable"]).await;
        let boot = replayed.get(bmc.system).await["Boot"].clone();
        assert_eq!(boot["BootSourceOverrideEnabled"], "Disabled");

        let image = "http://images.example/installer.iso";
        let slot = last(bmc.slot);
        let insert = ["systems", "media", "insert", id, image, "--slot", slot];
        place.out(&insert).await;
        let now = replayed.get(bmc.slot).await;
        assert_eq!(
            (&now["Inserted"], &now["Image"]),
            (&json!(true), &json!(image)),
            "{}",
            bmc.vendor
        );
        place.out(&["systems", "media", "eject", id]).await;
        assert_eq!(replayed.get(bmc.slot).await["Inserted"], false);
        let tag = ["systems", "set", id, "--asset-tag", "rack 7"];
        place.out(&tag).await;
        assert_eq!(replayed.get(bmc.system).await["AssetTag"], "rack 7");
        // Nothing of it is left behind in the service.
        let sessions = place.json(&["sessions", "ls"]).await;
        let sessions = sessions.as_array().unwrap().iter();
        let ours = sessions.filter(|session| session["UserName"] == USER);
        assert_eq!(ours.count(), 1, "that of this very command");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_follows_every_link_that_a_real_bmc_lists() {
    for bmc in BMCS {
        let Some(capture) = mockup::capture(bmc.vendor) else {
            return;
        };
        let replayed = Replayed::of(capture).await;
        let client = &replayed.client;
        let root = client.root().await.unwrap().value;
        let mut read = 0;
        for collection in ["/Systems", "/Chassis", "/Managers", "/Registries"] {
            let mut members = client.members(link(&root, collection).unwrap());
            while let Some(member) = members.next().await.unwrap() {
                let member = member.read(client).await.unwrap();
                assert!(member.value["Id"].is_string(), "{}", member.uri);
                read += 1;
            }
        }
        assert!(read > 5, "{}: {read}", bmc.vendor);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_of_real_bmcs_are_made_changed_and_removed_where_they_are_slots_as_where_they_are_not()
 {
    for bmc in BMCS {
        let Some(capture) = mockup::capture(bmc.vendor) else {
            return;
        };
        let replayed = Replayed::of(capture).await;
        let place = &replayed.place;
        let with_password = async |arguments: &[&str], password: &str| {
            let mut command = place.hawkfish();
            command.args(arguments).arg("--password-stdin");
            let ran = ran_with_input(command, &format!("{password}\n")).await;
            assert_eq!(ran.code, 0, "{} {arguments:?}: {ran:?}", bmc.vendor);
        };
        let named = async || {
            let all = place.json(&["accounts", "ls"]).await;
            let all = all.as_array().unwrap().clone();
            all.into_iter().find(|one| one["UserName"] == "tester")
        };
        assert_eq!(named().await, None);
        let add = ["accounts", "add", "tester", "--role", "ReadOnly"];
        with_password(&add, "Quite-long-1").await;
        let made = named().await.expect("the account");
        assert_eq!(made["RoleId"], "ReadOnly", "{made:#}");

        // It can log in, and with the new password only.
        let lets_in = async |password: &'static str| {
            let place = Place {
                user: "tester",
                password,
                ..place.clone()
            };
            place.run(&["systems", "ls"]).await.code == 0
        };
        assert!(lets_in("Quite-long-1").await, "{}", bmc.vendor);
        with_password(&["accounts", "passwd", "tester"], "Even-longer-2").await;
        assert!(lets_in("Even-longer-2").await && !lets_in("Quite-long-1").await);
        // An iLO does not say whether an account is enabled, and so none can be disabled.
        let disabled = place.run(&["accounts", "disable", "tester"]).await;
        let can = made["Enabled"].is_boolean();
        assert_eq!(disabled.code, if can { 0 } else { 4 }, "{disabled:?}");
        assert_eq!(lets_in("Even-longer-2").await, !can, "{}", bmc.vendor);
        place.out(&["accounts", "rm", "tester"]).await;
        assert_eq!(named().await, None);
    }
}

//! The emulator of sushy-tools with its fake driver: no sessions, no tags, slow power, and a boot override that is always for good.

use std::time::Duration;

use hawkfish_client::{Client, Kind, Outcome, action_target, link};
use serde_json::{Value, json};

use super::emulator::Emulator;
use super::images::Images;
use hawkfish_testing::until;

/// It takes up to eleven seconds for a change of power, as chance has it.
const POWER: Duration = Duration::from_secs(30);

/// The one system, as it is now.
async fn system(client: &Client) -> Value {
    let root = client.root().await.unwrap().value;
    let mut systems = client.members(link(&root, "/Systems").unwrap());
    let system = systems.next().await.unwrap().expect("a system");
    system.read(client).await.unwrap().value
}

async fn has_power(client: &Client, power: &str) {
    until(power, POWER, async || {
        (system(client).await["PowerState"] == power).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_reads_and_switches_the_machine_of_an_emulator_by_others() {
    let Some(emulator) = Emulator::fake().await else {
        return;
    };
    let place = &emulator.place;
    let eye = emulator.client(|to, user, password| to.basic(user, password));
    let listed = place.json(&["systems", "ls"]).await;
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!(listed[0]["Name"], "fake");
    let shown = place.json(&["systems", "show", "fake"]).await;
    assert_eq!(shown, system(&eye).await);
    let table = place.out(&["systems", "ls"]).await;
    assert!(table.contains("fake") && table.contains("Off"), "{table}");

    place.out(&["systems", "power", "fake", "on"]).await;
    has_power(&eye, "On").await;
    place.out(&["systems", "power", "fake", "ForceOff"]).await;
    has_power(&eye, "Off").await;
    let wrong = place.run(&["systems", "power", "fake", "Explode"]).await;
    assert_eq!(wrong.code, 2, "{wrong:?}");
    assert!(wrong.err.contains("GracefulShutdown"), "{wrong:?}");

    // It takes `Once`, and means for good.
    let once = ["systems", "boot", "fake", "--target", "Cd", "--once"];
    let ran = place.run(&once).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.err.contains("not only once"), "{ran:?}");
    let boot = ["systems", "boot", "fake", "--target", "Pxe", "--continuous"];
    place.out(&boot).await;
    assert_eq!(
        system(&eye).await["Boot"]["BootSourceOverrideTarget"],
        "Pxe"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_puts_an_image_into_a_drive_of_the_emulator_and_takes_it_out() {
    let Some(emulator) = Emulator::fake().await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("small.iso"), b"an image").unwrap();
    let images = Images::of(folder.path().to_owned()).await;
    let place = &emulator.place;
    let url = images.url("small.iso");
    place
        .out(&["systems", "media", "insert", "fake", &url])
        .await;
    assert_eq!(images.asked(), 1);
    let slots = place.json(&["systems", "media", "ls", "fake"]).await;
    assert_eq!(
        (&slots[0]["Id"], &slots[0]["Inserted"], &slots[0]["Image"]),
        (&json!("Cd"), &json!(true), &json!(url))
    );
    place.out(&["systems", "media", "eject", "fake"]).await;
    let slots = place.json(&["systems", "media", "ls", "fake"]).await;
    assert_eq!(slots[0]["Inserted"], false);

    // Why an image does not come is in a place of the answer where hardly anybody else has it.
    let nothing = images.url("nothing.iso");
    let failed = place
        .run(&["systems", "media", "insert", "fake", &nothing])
        .await;
    assert_eq!(failed.code, 1, "{failed:?}");
    assert!(failed.err.contains("got error 404"), "{failed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_a_session_where_there_are_none_brings_the_password_each_time() {
    let Some(emulator) = Emulator::fake().await else {
        return;
    };
    let client = emulator.client(|to, user, password| to.session(user, password));
    client.login().await.unwrap();
    assert_eq!(system(&client).await["Name"], "fake");
    client.logout().await.unwrap();

    let wrong = emulator.client(|to, user, _| to.session(user, "another"));
    let root = wrong.root().await.unwrap().value;
    let refused = wrong.get_value(link(&root, "/Systems").unwrap()).await;
    assert_eq!(refused.unwrap_err().kind, Kind::Unauthorized);
    let mut command = emulator.place.hawkfish();
    command.env("HAWKFISH_PASSWORD", "another");
    command.args(["systems", "ls"]);
    let ran = crate::command_line::run::ran(command).await;
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(!ran.err.contains("another"), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_changes_what_has_no_tag_and_calls_what_is_listed() {
    let Some(emulator) = Emulator::fake().await else {
        return;
    };
    let client = emulator.client(|to, user, password| to.basic(user, password));
    let root = client.root().await.unwrap().value;
    let members = client.members(link(&root, "/Systems").unwrap());
    let member = members.all().await.unwrap().remove(0);
    let read = member.read(&client).await.unwrap();
    assert_eq!(read.etag, None);
    let change = json!({"Boot": {"BootSourceOverrideTarget": "Cd"}});
    let done = client.patch(&read.uri, read.etag.as_ref(), &change).await;
    assert!(matches!(done.unwrap(), Outcome::Done(_)));
    assert_eq!(
        system(&client).await["Boot"]["BootSourceOverrideTarget"],
        "Cd"
    );

    // An action that leads to a machine by its name is sent on to the one by its number, with what it says.
    let target = action_target(&read.value, "ComputerSystem.Reset").unwrap();
    let by_name = target.replace(read.value["Id"].as_str().unwrap(), "fake");
    assert_ne!(by_name, target);
    client
        .post(&by_name, &json!({"ResetType": "On"}))
        .await
        .unwrap();
    has_power(&client, "On").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_of_the_emulator_have_a_kind_and_its_words() {
    let Some(emulator) = Emulator::fake().await else {
        return;
    };
    let client = emulator.client(|to, user, password| to.basic(user, password));
    let nothing = client
        .get_value("/redfish/v1/Systems/nobody")
        .await
        .unwrap_err();
    assert_eq!(nothing.kind, Kind::NotFound);
    assert!(
        nothing.text.contains("Fake system nobody was not found"),
        "{nothing}"
    );
    let system = system(&client).await;
    let bios = format!("{}/BIOS", system["@odata.id"].as_str().unwrap());
    let unsupported = client.get_value(&bios).await.unwrap_err();
    assert_eq!(unsupported.kind, Kind::Unsupported);
    let failed = client
        .action(&system, "ComputerSystem.SetDefaultBootOrder", &json!({}))
        .await;
    assert_eq!(failed.unwrap_err().kind, Kind::Unsupported);
    for (arguments, code) in [
        (["systems", "show", "nobody"], 4),
        (["raw", "get", "/redfish/v1/Nothing"], 4),
        (["tasks", "show", "7"], 4),
    ] {
        let ran = emulator.place.run(&arguments).await;
        assert_eq!(ran.code, code, "{arguments:?}: {ran:?}");
        assert!(!ran.err.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_else_the_emulator_has_is_read_and_what_it_has_not_is_said_to_be_missing() {
    let Some(emulator) = Emulator::fake().await else {
        return;
    };
    let place = &emulator.place;
    for (arguments, words) in [
        ("service show", "Redvirt"),
        ("chassis ls", "Enclosure"),
        ("managers ls", "fake-Manager"),
        ("managers time show fake-Manager", "+00:00"),
        ("sensors ls", "BaseBoard System Fan"),
        ("systems sensors fake", "41 °C"),
        ("systems secure-boot show fake", "no"),
        ("systems nics ls fake", "00:5c:52:31:3a:9c"),
        ("registries ls", "Base.1.0"),
        ("--output yaml systems ls", "PowerState: "),
    ] {
        let arguments: Vec<&str> = arguments.split(' ').collect();
        let printed = place.out(&arguments).await;
        assert!(printed.contains(words), "{arguments:?}: {printed}");
    }
    for arguments in [
        "accounts ls",
        "jobs ls",
        "service features",
        "systems bios show fake",
        "systems boot-options fake",
        "systems console fake",
    ] {
        let arguments: Vec<&str> = arguments.split(' ').collect();
        let ran = place.run(&arguments).await;
        assert_eq!(ran.code, 4, "{arguments:?}: {ran:?}");
        assert!(
            ran.out.is_empty() && ran.err.contains(" no "),
            "{arguments:?}: {ran:?}"
        );
    }
    let light = ["systems", "set", "fake", "--indicator", "off"];
    place.out(&light).await;
    assert_eq!(
        place.json(&["systems", "show", "fake"]).await["IndicatorLED"],
        "Off"
    );

    // Some of its links lead nowhere: what is there is shown all the same, and what is missing is told.
    let tree = place.run(&["tree", "--uris"]).await;
    assert_eq!(tree.code, 0, "{tree:?}");
    assert!(tree.out.contains("/VirtualMedia/Floppy"), "{tree:?}");
    assert!(tree.err.contains("FirmwareInventory: 404"), "{tree:?}");
}

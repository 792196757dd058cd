//! HawkFish in front of real guests: what the command line does to one, and what it, the client and a receiver of events hear of it.

use std::time::Duration;

use super::images::Images;
use super::lab::Lab;
use super::server::Server;
use super::until;

#[tokio::test(flavor = "multi_thread")]
async fn a_real_guest_boots_once_from_an_image_that_the_command_line_gave_it() {
    let Some(lab) = Lab::up() else {
        return;
    };
    let guest = lab.define("node");
    let before = lab.virsh(&["dumpxml", "--inactive", "node"]);
    let server = Server::libvirt(lab.uri());
    let place = &server.place;
    let iso = lab.iso("INSTALLER");
    let images = Images::of(iso.parent().unwrap().to_owned()).await;
    let url = images.url("INSTALLER.iso");

    let table = place.out(&["systems", "ls"]).await;
    assert!(table.contains("node") && table.contains("Off"), "{table}");
    place
        .out(&["systems", "media", "insert", "node", &url, "--slot", "Cd"])
        .await;
    assert_eq!(images.asked(), 1);
    place
        .out(&["systems", "boot", "node", "--target", "Cd", "--once"])
        .await;
    place.out(&["systems", "power", "node", "On"]).await;
    guest.boots(&["INSTALLER"]).await;

    // Once is one boot.
    let boot = place.out(&["systems", "boot", "node"]).await;
    assert!(boot.contains("Disabled"), "{boot}");
    place.out(&["systems", "power", "node", "ForceOff"]).await;
    until("it is off", Duration::from_secs(10), async || {
        (!lab.virsh(&["list", "--name"]).contains("node")).then_some(())
    })
    .await;
    place.out(&["systems", "power", "node", "On"]).await;
    let disk = guest.disk.clone();
    guest.boots(&["INSTALLER", &disk]).await;
    place.out(&["systems", "power", "node", "ForceOff"]).await;
    place.out(&["systems", "media", "eject", "node"]).await;
    let after = lab.virsh(&["dumpxml", "--inactive", "node"]);
    assert_eq!(before, after, "before, and after");
    // Each command closed the session that it opened.
    let sessions = place.json(&["sessions", "ls"]).await;
    assert_eq!(sessions.as_array().unwrap().len(), 1, "{sessions:#}");
    drop(server.client());
}

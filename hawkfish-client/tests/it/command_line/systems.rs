//! `hawkfish systems` on simulated machines; each change is looked for in the service afterwards.

mod bios;
mod boot;
mod console;
mod many;
mod media;
mod parts;
mod set;
mod storage;

use super::little::Little;
use super::rack::Rack;
use serde_json::json;

/// The first machine of the rack, by its name and by its id.
const NAME: &str = "sim-00001";
const ID: &str = "863c6fd3-6d16-410b-b287-b8bb3d125a3a";

fn system(rest: &str) -> String {
    format!("/redfish/v1/Systems/{ID}{rest}")
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_are_listed_in_the_order_of_the_service() {
    let rack = Rack::of(3).await;
    insta::assert_snapshot!(rack.shows(&["systems", "ls"]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_is_shown_by_its_name() {
    let rack = Rack::of(1).await;
    insta::assert_snapshot!(rack.shows(&["systems", "show", NAME]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_service_calls_its_parts_cannot_write_escape_sequences_to_the_terminal() {
    let evil = "a\u{1b}]0;owned\u{7}b";
    let tree = Little::with_system(
        json!({"Name": evil, "Processors": {"@odata.id": "/redfish/v1/P"}, "Boot": {"BootOrder": [evil]},
            "Bios": {"@odata.id": "/redfish/v1/B"}, "EthernetInterfaces": {"@odata.id": "/redfish/v1/P"}}),
        [
            ("/P", json!({"Members": [{"@odata.id": "/redfish/v1/P/1"}]})),
            ("/P/1", json!({"Id": evil, "Model": evil, "MACAddress": evil})),
            ("/B", json!({"Attributes": {evil: evil}})),
        ],
    )
    .await;
    for arguments in [
        &["systems", "ls"][..],
        &["systems", "show", "7"],
        &["systems", "boot", "7"],
        &["systems", "processors", "ls", "7"],
        &["systems", "processors", "show", "7", "nothing"],
        &["systems", "nics", "ls", "7"],
        &["systems", "bios", "show", "7"],
    ] {
        let ran = tree.run(arguments).await;
        let both = ran.out + &ran.err;
        assert!(both.contains("owned"), "{arguments:?}: {both:?}");
        assert!(
            !both.contains('\u{1b}') && !both.contains('\u{7}'),
            "{arguments:?}: {both:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_service_does_not_have_is_said_plainly() {
    let tree = Little::with_system(json!({}), []).await;
    for (arguments, missing) in [
        (
            &["bios", "show", "7"][..],
            "no firmware settings of this machine",
        ),
        (
            &["secure-boot", "on", "7"],
            "no secure boot of this machine",
        ),
        (&["storage", "ls", "7"], "no storage of this machine"),
        (
            &["nics", "ls", "7"],
            "no network interfaces of this machine",
        ),
        (&["processors", "ls", "7"], "no processors here"),
        (&["console", "7"], "offers no console of 7"),
        (&["sensors", "7"], "no sensors of this machine"),
        (&["logs", "7"], "no logs of this machine"),
        (
            &["boot", "7", "--first", "Boot0001"],
            "no boot order of this machine",
        ),
        (&["boot-options", "7"], "no boot options of this machine"),
        (&["set", "7", "--asset-tag", "x"], "no AssetTag here"),
        (
            &["set", "7", "--watchdog", "on"],
            "no HostWatchdogTimer/FunctionEnabled here",
        ),
        (&["wait", "7", "--power", "on"], "no PowerState of 7"),
    ] {
        let mut all = vec!["systems"];
        all.extend(arguments);
        let ran = tree.run(&all).await;
        assert_eq!(
            (ran.code, ran.out.as_str()),
            (4, ""),
            "{arguments:?}: {}",
            ran.err
        );
        assert!(ran.err.contains(missing), "{arguments:?}: {}", ran.err);
    }
    assert!(tree.sent().is_empty(), "{:?}", tree.sent());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_without_anything_to_change_is_a_mistake_of_the_command_line() {
    let rack = Rack::of(1).await;
    for arguments in [
        &["systems", "set", NAME][..],
        &["systems", "nics", "set", NAME, "net0"],
        &["systems", "storage", "volumes", "set", NAME, "disk0"],
        &["systems", "wait", NAME],
        &["systems", "power", "on"],
        &["chassis", "set", NAME],
        &["managers", "time", "set", NAME],
    ] {
        let ran = rack.run(arguments).await;
        assert_eq!(
            (ran.code, ran.out.as_str()),
            (2, ""),
            "{arguments:?}: {}",
            ran.err
        );
    }
}

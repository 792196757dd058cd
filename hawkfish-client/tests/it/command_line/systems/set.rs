//! `systems set`.

use serde_json::json;

use super::super::little::Little;
use super::super::rack::Rack;
use super::{NAME, system};

#[tokio::test(flavor = "multi_thread")]
async fn tag_light_watchdog_and_what_power_does_are_set() {
    let rack = Rack::of(1).await;
    let out = rack
        .shows(&[
            "systems",
            "set",
            NAME,
            "--asset-tag",
            "rack 7",
            "--indicator",
            "on",
            "--watchdog-action",
            "powerdown",
            "--power-restore",
            "alwayson",
        ])
        .await;
    assert_eq!(
        out,
        "sim-00001: AssetTag, HostWatchdogTimer, LocationIndicatorActive, PowerRestorePolicy set\n"
    );
    let now = rack.get(&system("")).await;
    assert_eq!(now["HostWatchdogTimer"]["TimeoutAction"], "PowerDown");
    rack.shows(&["systems", "set", NAME, "--watchdog", "off"])
        .await;
    let now = rack.get(&system("")).await;
    assert_eq!(now["AssetTag"], "rack 7");
    assert_eq!(now["LocationIndicatorActive"], true);
    assert_eq!(now["HostWatchdogTimer"]["FunctionEnabled"], false);
    assert_eq!(now["PowerRestorePolicy"], "AlwaysOn");
    for (option, value, says) in [
        ("--power-restore", "Sometimes", "AlwaysOn, AlwaysOff"),
        (
            "--watchdog-action",
            "Explode",
            "None, ResetSystem, PowerDown",
        ),
        ("--indicator", "blue", "on, off"),
    ] {
        let ran = rack
            .run(&[
                "systems",
                "set",
                NAME,
                "--asset-tag",
                "other",
                option,
                value,
            ])
            .await;
        assert_eq!(ran.code, 2, "{}", ran.err);
        assert!(ran.err.contains(says), "{}", ran.err);
    }
    assert_eq!(rack.get(&system("")).await["AssetTag"], "rack 7");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_light_of_an_older_service_blinks_where_it_can() {
    for (allowed, on) in [
        (json!(["Lit", "Off"]), "Lit"),
        (json!(["Lit", "Blinking", "Off"]), "Blinking"),
    ] {
        let tree = Little::with_system(
            json!({"IndicatorLED": "Off", "IndicatorLED@Redfish.AllowableValues": allowed}),
            [],
        )
        .await;
        for (word, value) in [("on", on), ("off", "Off")] {
            let ran = tree
                .run(&["systems", "set", "7", "--indicator", word])
                .await;
            assert_eq!(ran.code, 0, "{}", ran.err);
            assert_eq!(
                tree.sent().last().unwrap().2,
                json!({"IndicatorLED": value})
            );
        }
    }
}

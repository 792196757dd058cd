//! `systems boot` and `systems boot-options`.

use serde_json::json;

use super::super::rack::Rack;
use super::{NAME, system};

#[tokio::test(flavor = "multi_thread")]
async fn what_a_machine_boots_from_is_shown_and_overridden_once() {
    let rack = Rack::of(1).await;
    insta::assert_snapshot!("boot", rack.shows(&["systems", "boot", NAME]).await);
    let out = rack
        .shows(&["systems", "boot", NAME, "--target", "pxe", "--mode", "uefi"])
        .await;
    assert_eq!(out, "sim-00001: boots from pxe once\n");
    let boot = rack.get(&system("")).await["Boot"].clone();
    assert_eq!(boot["BootSourceOverrideTarget"], "Pxe");
    assert_eq!(boot["BootSourceOverrideEnabled"], "Once");
    rack.shows(&[
        "systems",
        "boot",
        NAME,
        "--target",
        "UefiHttp",
        "--continuous",
        "--http-uri",
        "http://192.0.2.1/a.efi",
    ])
    .await;
    let boot = rack.get(&system("")).await["Boot"].clone();
    assert_eq!(boot["HttpBootUri"], "http://192.0.2.1/a.efi");
    assert_eq!(boot["BootSourceOverrideEnabled"], "Continuous");
    rack.shows(&["systems", "boot", NAME, "--disable"]).await;
    assert_eq!(
        rack.get(&system("")).await["Boot"]["BootSourceOverrideEnabled"],
        "Disabled"
    );
    let ran = rack
        .run(&["systems", "boot", NAME, "--target", "tape"])
        .await;
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("there are None, Pxe"), "{}", ran.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_boot_order_is_set_whole_or_only_its_first() {
    let rack = Rack::of(1).await;
    insta::assert_snapshot!(
        "boot_options",
        rack.shows(&["systems", "boot-options", NAME]).await
    );
    let order = || async { rack.get(&system("")).await["Boot"]["BootOrder"].clone() };
    let out = rack
        .shows(&["systems", "boot", NAME, "--order", "boot0003,Boot0000"])
        .await;
    assert_eq!(out, "sim-00001: tries Boot0003, Boot0000\n");
    assert_eq!(order().await, json!(["Boot0003", "Boot0000"]));
    // By its alias, and what comes after stays as it is.
    let out = rack
        .shows(&["systems", "boot", NAME, "--first", "cd"])
        .await;
    assert_eq!(out, "sim-00001: tries Boot0001, Boot0003, Boot0000\n");
    assert_eq!(order().await, json!(["Boot0001", "Boot0003", "Boot0000"]));
    for (option, says) in [
        ("Boot0099", "no boot option Boot0099, but Boot0001, "),
        ("Pxe", "Pxe may be Boot0003 or Boot0004"),
    ] {
        let ran = rack
            .run(&["systems", "boot", NAME, "--first", option])
            .await;
        assert_eq!(ran.code, 2);
        assert!(ran.err.contains(says), "{}", ran.err);
    }
    let ran = rack
        .run(&["systems", "boot", NAME, "--order", "Boot0001,cd"])
        .await;
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("Boot0001 is named twice"), "{}", ran.err);
    assert_eq!(order().await, json!(["Boot0001", "Boot0003", "Boot0000"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_boot_option_is_passed_over_and_used_again() {
    let rack = Rack::of(1).await;
    let option = system("/BootOptions/Boot0002");
    let out = rack
        .shows(&["systems", "boot-options", NAME, "--disable", "usb"])
        .await;
    assert_eq!(out, "sim-00001: Boot0002 is passed over\n");
    assert_eq!(rack.get(&option).await["BootOptionEnabled"], false);
    // Nothing is changed where one of them is wrong.
    let ran = rack
        .run(&[
            "systems",
            "boot-options",
            NAME,
            "--enable",
            "usb",
            "--enable",
            "tape",
        ])
        .await;
    assert_eq!(ran.code, 2, "{}", ran.err);
    assert_eq!(rack.get(&option).await["BootOptionEnabled"], false);
    rack.shows(&["systems", "boot-options", NAME, "--enable", "Boot0002"])
        .await;
    assert_eq!(rack.get(&option).await["BootOptionEnabled"], true);
}

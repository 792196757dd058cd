//! `hawkfish managers` on simulated machines.

use serde_json::{Value, json};

use super::little::Little;
use super::rack::Rack;

const ID: &str = "863c6fd3-6d16-410b-b287-b8bb3d125a3a";

fn manager(rest: &str) -> String {
    format!("/redfish/v1/Managers/{ID}{rest}")
}

#[tokio::test(flavor = "multi_thread")]
async fn managers_are_listed_and_shown() {
    let rack = Rack::of(2).await;
    let columns = "ID,NAME,TYPE,STATE,HEALTH,MODEL";
    let out = rack.shows(&["managers", "ls", "--columns", columns]).await;
    insta::assert_snapshot!("list", out);
    let shown = rack.shows(&["managers", "show", "BMC of sim-00001"]).await;
    for words in [
        "Type          BMC",
        "Machines      863c6fd3",
        "Time          2026-01-01T",
    ] {
        assert!(shown.contains(words), "{shown}");
    }
    let by_its_machine = rack.shows(&["managers", "show", "sim-00001"]).await;
    assert_eq!(by_its_machine, shown);
    let out = rack.shows(&["-o", "json", "managers", "ls"]).await;
    let listed: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(listed[0]["@odata.id"], manager(""));
    let ran = rack.run(&["managers", "show", "nobody"]).await;
    assert_eq!(ran.code, 4, "{}", ran.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_network_of_a_manager_is_shown_and_set() {
    let rack = Rack::of(1).await;
    insta::assert_snapshot!(
        "network",
        rack.shows(&["managers", "network", "ls", ID]).await
    );
    insta::assert_snapshot!(
        "interface",
        rack.shows(&["managers", "network", "show", ID, "eth0"])
            .await
    );
    let out = rack
        .shows(&[
            "managers",
            "network",
            "set",
            ID,
            "--host-name",
            "bmc7",
            "--dns",
            "192.0.2.53",
        ])
        .await;
    assert_eq!(
        out,
        format!("{ID}: eth0: HostName, StaticNameServers set\n")
    );
    let now = rack.get(&manager("/EthernetInterfaces/eth0")).await;
    assert_eq!(
        (now["HostName"].clone(), now["StaticNameServers"].clone()),
        (json!("bmc7"), json!(["192.0.2.53"]))
    );
    // What the service does not let be changed it says, and nothing is half done.
    let ran = rack
        .run(&[
            "managers",
            "network",
            "set",
            ID,
            "--host-name",
            "other",
            "--address",
            "10.0.0.7/8",
        ])
        .await;
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.err.contains("IPv4Addresses"), "{}", ran.err);
    assert_eq!(
        rack.get(&manager("/EthernetInterfaces/eth0")).await["HostName"],
        "bmc7"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn protocols_are_shown_and_switched() {
    let rack = Rack::of(1).await;
    let columns = [
        "managers",
        "protocols",
        "show",
        ID,
        "--columns",
        "PROTOCOL,ENABLED",
    ];
    insta::assert_snapshot!("protocols", rack.shows(&columns).await);
    let out = rack
        .shows(&["managers", "protocols", "set", ID, "ntp=on"])
        .await;
    assert_eq!(out, format!("{ID}: NTP set\n"));
    assert_eq!(
        rack.get(&manager("/NetworkProtocol")).await["NTP"]["ProtocolEnabled"],
        true
    );
    for (change, code, says) in [
        ("ssh=on", 4, "speaks no ssh, but HTTP, HTTPS, NTP"),
        ("ntp=maybe", 2, "on, off or a port"),
        ("ntp", 2, "write the protocol"),
        ("http=8080", 1, "HTTP"),
    ] {
        let ran = rack
            .run(&["managers", "protocols", "set", ID, change])
            .await;
        assert_eq!(ran.code, code, "{}", ran.err);
        assert!(ran.err.contains(says), "{}", ran.err);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clock_of_a_manager_is_set() {
    let rack = Rack::of(1).await;
    let out = rack
        .shows(&[
            "managers",
            "time",
            "set",
            ID,
            "--time",
            "2030-01-31T02:00:00Z",
        ])
        .await;
    assert_eq!(out, format!("{ID}: DateTime set\n"));
    let out = rack
        .shows(&[
            "managers",
            "time",
            "set",
            ID,
            "--offset",
            "-05:30",
            "--servers",
            "192.0.2.1,time.example",
            "--ntp",
            "off",
        ])
        .await;
    assert_eq!(
        out,
        format!("{ID}: NTP set\n{ID}: DateTimeLocalOffset set\n")
    );
    insta::assert_snapshot!("clock", rack.shows(&["managers", "time", "show", ID]).await);
    assert_eq!(
        rack.get(&manager("")).await["DateTimeLocalOffset"],
        "-05:30"
    );
    let ran = rack
        .run(&["managers", "time", "set", ID, "--time", "tomorrow"])
        .await;
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("DateTime"), "{}", ran.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manager_is_restarted_while_its_machine_runs_on() {
    let rack = Rack::of(1).await;
    rack.shows(&["systems", "power", "sim-00001", "on"]).await;
    rack.seconds(120).await;
    let before = rack.get(&manager("")).await["LastResetTime"].clone();
    let ran = rack.run(&["managers", "reset", ID]).await;
    assert_eq!(
        (ran.code, ran.out),
        (0, format!("{ID}: GracefulRestart\n")),
        "{}",
        ran.err
    );
    rack.seconds(300).await;
    assert_ne!(rack.get(&manager("")).await["LastResetTime"], before);
    assert_eq!(
        rack.get(&manager("").replace("Managers", "Systems")).await["PowerState"],
        "On"
    );
    let ran = rack.run(&["managers", "reset", ID, "explode"]).await;
    assert_eq!(ran.code, 2);
    assert!(
        ran.err.contains("GracefulRestart, ForceRestart"),
        "{}",
        ran.err
    );
    let ran = rack
        .run(&["managers", "reset-to-defaults", ID, "ResetAll"])
        .await;
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("PreserveNetworkAndUsers"), "{}", ran.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_of_a_manager_are_shown_where_it_has_any() {
    let at = |path: &str| json!({"@odata.id": format!("/redfish/v1{path}")});
    let tree = Little::of([
        ("/", json!({"Managers": at("/M")})),
        ("/M", json!({"Members": [at("/M/1")]})),
        ("/M/1", json!({"Id": "1", "NetworkProtocol": at("/M/1/N")})),
        ("/M/1/N", json!({"HTTPS": {"ProtocolEnabled": true, "Certificates": at("/M/1/N/C")}})),
        ("/M/1/N/C", json!({"Members": [at("/M/1/N/C/1")]})),
        ("/M/1/N/C/1", json!({"Id": "1", "CertificateType": "PEM", "ValidNotAfter": "2032-11-23T01:28:00Z",
            "Subject": {"CommonName": "bmc.example"}, "Issuer": {"CommonName": "", "Organization": "Example"}})),
    ])
    .await;
    let ran = tree.run(&["managers", "certificates", "ls", "1"]).await;
    insta::assert_snapshot!("certificates", ran.out);
    let ran = tree
        .run(&["managers", "certificates", "show", "1", "1"])
        .await;
    assert!(
        ran.out.contains("bmc.example") && ran.out.contains("Example"),
        "{}{}",
        ran.out,
        ran.err
    );
    let ran = tree
        .run(&["managers", "certificates", "show", "1", "2"])
        .await;
    assert_eq!(ran.code, 4, "{}", ran.err);
    let rack = Rack::of(1).await;
    let ran = rack.run(&["managers", "certificates", "ls", ID]).await;
    assert_eq!(ran.code, 4);
    assert!(
        ran.err.contains("no certificates of this manager"),
        "{}",
        ran.err
    );
}

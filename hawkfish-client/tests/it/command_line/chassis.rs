//! `hawkfish chassis` on simulated machines.

use serde_json::{Value, json};

use super::little::Little;
use super::rack::Rack;

const ID: &str = "863c6fd3-6d16-410b-b287-b8bb3d125a3a";

#[tokio::test(flavor = "multi_thread")]
async fn chassis_are_listed_and_shown_by_name_or_serial_number_or_machine() {
    let rack = Rack::of(2).await;
    insta::assert_snapshot!("list", rack.shows(&["chassis", "ls"]).await);
    let shown = rack
        .shows(&["chassis", "show", "Chassis of sim-00001"])
        .await;
    insta::assert_snapshot!("one", shown);
    for name in ["HFQ87ZTRAZ", "sim-00001"] {
        assert_eq!(rack.shows(&["chassis", "show", name]).await, shown);
    }
    let out = rack.shows(&["-o", "json", "chassis", "show", ID]).await;
    let json: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(json, rack.get(&format!("/redfish/v1/Chassis/{ID}")).await);
    let ran = rack.run(&["chassis", "show", "nobody"]).await;
    assert_eq!(ran.code, 4, "{}", ran.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn power_and_temperatures_are_shown() {
    let rack = Rack::of(1).await;
    insta::assert_snapshot!("power", rack.shows(&["chassis", "power", ID]).await);
    insta::assert_snapshot!("thermal", rack.shows(&["chassis", "thermal", ID]).await);
    let out = rack.shows(&["-o", "json", "chassis", "power", ID]).await;
    let power: Value = serde_json::from_str(&out).unwrap();
    let supply = rack
        .get(&format!(
            "/redfish/v1/Chassis/{ID}/PowerSubsystem/PowerSupplies/1"
        ))
        .await;
    assert_eq!(power["PowerSupplies"][0]["PowerSupply"], supply);
    let out = rack.shows(&["-o", "yaml", "chassis", "thermal", ID]).await;
    assert!(
        out.contains("Temperatures:\n") && out.contains("DeviceName: Intake temperature"),
        "{out}"
    );
    let sensors = rack.shows(&["chassis", "sensors", ID]).await;
    assert_eq!(
        sensors,
        rack.shows(&["systems", "sensors", "sim-00001"]).await
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn tag_and_light_of_a_chassis_are_set() {
    let rack = Rack::of(1).await;
    let out = rack
        .shows(&[
            "chassis",
            "set",
            ID,
            "--asset-tag",
            "shelf 3",
            "--indicator",
            "on",
        ])
        .await;
    assert_eq!(
        out,
        format!("{ID}: AssetTag, LocationIndicatorActive set\n")
    );
    let now = rack.get(&format!("/redfish/v1/Chassis/{ID}")).await;
    assert_eq!(
        (
            now["AssetTag"].clone(),
            now["LocationIndicatorActive"].clone()
        ),
        (json!("shelf 3"), json!(true))
    );
    let ran = rack.run(&["chassis", "reset", ID, "on"]).await;
    assert_eq!(ran.code, 4);
    assert!(
        ran.err.contains("no way to reset this chassis"),
        "{}",
        ran.err
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_chassis_has_its_power_and_temperatures_in_one_resource_each() {
    let at = |path: &str| json!({"@odata.id": format!("/redfish/v1{path}")});
    let reset = json!({"#Chassis.Reset": {"target": "/redfish/v1/C/1/Reset", "@Redfish.ActionInfo": at("/C/1/Info")}});
    let tree = Little::of([
        ("/", json!({"Chassis": at("/C")})),
        ("/C", json!({"Members": [at("/C/1")]})),
        ("/C/1", json!({"Id": "1", "Power": at("/C/1/P"), "Thermal": at("/C/1/T"), "Actions": reset})),
        ("/C/1/Info", json!({"Parameters": [{"Name": "ResetType", "AllowableValues": ["On", "PowerCycle"]}]})),
        ("/C/1/P", json!({"PowerControl": [{"PowerConsumedWatts": 531, "PowerCapacityWatts": 3200}],
            "PowerSupplies": [{"Name": "PS1", "LastPowerOutputWatts": 277, "PowerOutputWatts": null}]})),
        ("/C/1/T", json!({"Fans": [{"FanName": "Fan 1", "Reading": 51, "ReadingUnits": "Percent"}],
            "Temperatures": [{"Name": "Inlet", "ReadingCelsius": 20, "PhysicalContext": "Intake"}]})),
    ])
    .await;
    let shows = async |arguments: &[&str]| {
        let ran = tree.run(arguments).await;
        assert_eq!(ran.code, 0, "{}", ran.err);
        ran.out
    };
    let columns = "NAME,CAPACITY (W),INPUT (W),OUTPUT (W)";
    insta::assert_snapshot!(shows(&["chassis", "power", "1", "--columns", columns]).await, @r"
    NAME     CAPACITY (W)  INPUT (W)  OUTPUT (W)
    chassis  3200          531
    PS1                               277
    ");
    insta::assert_snapshot!(shows(&["chassis", "thermal", "1"]).await, @r"
    NAME   READING  WHERE   HEALTH
    Fan 1  51 %
    Inlet  20 °C    Intake
    ");
    let sensors = shows(&["chassis", "sensors", "1", "--no-headers"]).await;
    assert_eq!(sensors.lines().count(), 3, "{sensors}");
    let ran = tree.run(&["chassis", "reset", "1", "explode"]).await;
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("On, PowerCycle"), "{}", ran.err);
    assert_eq!(
        shows(&["chassis", "reset", "1", "powercycle"]).await,
        "1: PowerCycle\n"
    );
    assert_eq!(tree.sent()[0].2, json!({"ResetType": "PowerCycle"}));
    let bare = Little::of([
        ("/", json!({"Chassis": at("/C")})),
        ("/C", json!({"Members": [at("/C/1")]})),
        ("/C/1", json!({"Id": "1"})),
    ])
    .await;
    for command in ["power", "thermal", "sensors"] {
        let ran = bare.run(&["chassis", command, "1"]).await;
        assert_eq!((ran.code, ran.out.as_str()), (4, ""), "{}", ran.err);
    }
    let ran = Little::of([("/", json!({}))])
        .await
        .run(&["chassis", "ls"])
        .await;
    assert_eq!(ran.code, 4);
    assert!(
        ran.err.contains("the service has no chassis"),
        "{}",
        ran.err
    );
}

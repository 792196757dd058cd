//! Measurements through the door: what is shown follows from what the machine does, in every resource alike, and no tag changes for it.

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::door::Door;

fn chassis(door: &Door) -> String {
    door.system(0).replace("Systems", "Chassis")
}

async fn turn_on(door: &Door) {
    let uri = format!("{}/Actions/ComputerSystem.Reset", door.system(0));
    let body = json!({"ResetType": "On"});
    let answer = door.send("POST", &uri).admin().json(&body).answer().await;
    assert_eq!(answer.status, 204);
}

async fn pass(door: &Door, seconds: i64) {
    door.clock.advance(SignedDuration::from_secs(seconds));
    door.app.hawkfish().tick().await.unwrap();
}

fn number(value: &Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| panic!("{value} is no number"))
}

#[tokio::test]
async fn everything_that_a_chassis_measures_is_reached_from_it() {
    let door = Door::open().await;
    let chassis = door.read(&chassis(&door)).await.body;
    for name in [
        "Sensors",
        "EnvironmentMetrics",
        "PowerSubsystem",
        "ThermalSubsystem",
        "Power",
        "Thermal",
    ] {
        let uri = chassis[name]["@odata.id"].as_str().unwrap();
        let found = door.read(uri).await.body;
        for below in ["PowerSupplies", "Fans", "ThermalMetrics"] {
            if let Some(uri) = found[below]["@odata.id"].as_str() {
                door.read(uri).await;
            }
        }
    }
    let system = door.read(&door.system(0)).await.body;
    for name in ["ProcessorSummary", "MemorySummary"] {
        let uri = system[name]["Metrics"]["@odata.id"].as_str().unwrap();
        door.read(uri).await;
    }
}

#[tokio::test]
async fn an_excerpt_reads_what_its_sensor_reads() {
    let door = Door::open().await;
    turn_on(&door).await;
    pass(&door, 300).await;
    let chassis = chassis(&door);
    let environment = door
        .read(&format!("{chassis}/EnvironmentMetrics"))
        .await
        .body;
    let metrics = format!("{chassis}/ThermalSubsystem/ThermalMetrics");
    let thermal = door.read(&metrics).await.body;
    let supply = format!("{chassis}/PowerSubsystem/PowerSupplies/1");
    let supply = door.read(&supply).await.body;
    let supply = supply["Metrics"]["@odata.id"].as_str().unwrap();
    let supply = door.read(supply).await.body;
    let mut excerpts = vec![
        environment["PowerWatts"].clone(),
        environment["EnergykWh"].clone(),
        environment["TemperatureCelsius"].clone(),
        supply["InputVoltage"].clone(),
        supply["OutputPowerWatts"].clone(),
        thermal["TemperatureSummaryCelsius"]["Exhaust"].clone(),
    ];
    for array in [
        &environment["FanSpeedsPercent"],
        &thermal["TemperatureReadingsCelsius"],
    ] {
        excerpts.extend(array.as_array().unwrap().iter().cloned());
    }
    assert!(excerpts.len() > 12, "{excerpts:?}");
    for excerpt in excerpts {
        let source = excerpt["DataSourceUri"].as_str().unwrap();
        let sensor = door.read(source).await.body;
        assert_eq!(sensor["Reading"], excerpt["Reading"], "{source}");
        assert!(sensor["Reading"].is_number(), "{source}");
        assert_eq!(sensor["Implementation"], "Synthesized");
    }
}

#[tokio::test]
async fn a_machine_that_is_turned_on_takes_more_power_in_the_new_resources_and_in_the_old() {
    let door = Door::open().await;
    let chassis = chassis(&door);
    let read = async || {
        let environment = door
            .read(&format!("{chassis}/EnvironmentMetrics"))
            .await
            .body;
        let power = door.read(&format!("{chassis}/Power")).await.body;
        let thermal = door.read(&format!("{chassis}/Thermal")).await.body;
        let temperatures = thermal["Temperatures"].as_array().unwrap();
        let processor = temperatures
            .iter()
            .find(|one| one["PhysicalContext"] == "CPU")
            .unwrap();
        let watts = number(&environment["PowerWatts"]["Reading"]);
        let control = &power["PowerControl"][0];
        assert_eq!(number(&control["PowerConsumedWatts"]), watts);
        assert!(number(&control["PowerCapacityWatts"]) > watts);
        (watts, number(&processor["ReadingCelsius"]))
    };
    let off = read().await;
    turn_on(&door).await;
    pass(&door, 300).await;
    let on = read().await;
    assert!(on.0 > 4.0 * off.0 && on.1 > off.1 + 5.0, "{off:?} {on:?}");

    let summary = format!("{}/ProcessorSummary/ProcessorMetrics", door.system(0));
    let metrics = door.read(&summary).await.body;
    let busy = number(&metrics["BandwidthPercent"]);
    assert!(busy > 0.0 && busy < 100.0);
    let each: Vec<f64> = metrics["CoreMetrics"]
        .as_array()
        .unwrap()
        .iter()
        .map(|core| number(&core["CStateResidency"][0]["ResidencyPercent"]))
        .collect();
    let mean = each.iter().sum::<f64>() / each.len() as f64;
    assert!((mean - busy).abs() < 0.5, "{mean} {busy}");
    let memory = format!("{}/MemorySummary/MemoryMetrics", door.system(0));
    let used = number(&door.read(&memory).await.body["CapacityUtilizationPercent"]);
    assert!(used > 0.0 && used < 100.0);
}

#[tokio::test]
async fn the_temperatures_that_servers_are_asked_for_are_there_with_fragments_of_their_own() {
    let door = Door::open().await;
    let uri = format!("{}/Thermal", chassis(&door));
    let thermal = door.read(&uri).await.body;
    let temperatures = thermal["Temperatures"].as_array().unwrap();
    for context in ["CPU", "Intake", "SystemBoard"] {
        let found = temperatures
            .iter()
            .find(|one| one["PhysicalContext"] == context);
        let found = found.unwrap_or_else(|| panic!("no {context}"));
        assert_eq!(found["Status"]["State"], "Enabled");
        assert!(found["ReadingCelsius"].is_number());
    }
    for (at, one) in temperatures.iter().enumerate() {
        assert_eq!(one["@odata.id"], format!("{uri}#/Temperatures/{at}"));
        assert_eq!(one["MemberId"], at.to_string());
    }
}

#[tokio::test]
async fn a_reading_changes_no_tag() {
    let door = Door::open().await;
    turn_on(&door).await;
    pass(&door, 100).await;
    let chassis = chassis(&door);
    let system = door.system(0);
    for (uri, changing) in [
        (format!("{chassis}/Sensors/PowerConsumption"), "/Reading"),
        (
            format!("{chassis}/EnvironmentMetrics"),
            "/EnergykWh/Reading",
        ),
        (
            format!("{chassis}/Power"),
            "/PowerControl/0/PowerConsumedWatts",
        ),
        (
            format!("{chassis}/ThermalSubsystem/ThermalMetrics"),
            "/TemperatureReadingsCelsius/1/Reading",
        ),
        (
            format!("{system}/ProcessorSummary/ProcessorMetrics"),
            "/BandwidthPercent",
        ),
    ] {
        let before = door.read(&uri).await;
        pass(&door, 60).await;
        let after = door.read(&uri).await;
        assert_eq!(before.header("etag"), after.header("etag"), "{uri}");
        let read = |body: &Value| body.pointer(changing).cloned().unwrap();
        assert_ne!(read(&before.body), read(&after.body), "{uri}");
    }
}

#[tokio::test]
async fn what_goes_through_drives_and_ports_is_counted() {
    let door = Door::open().await;
    turn_on(&door).await;
    let chassis = chassis(&door);
    let drives = door.read(&format!("{chassis}/Drives")).await.body;
    let drive = drives["Members"][0]["@odata.id"].as_str().unwrap();
    let adapters = door.read(&format!("{chassis}/NetworkAdapters")).await.body;
    let adapter = adapters["Members"][0]["@odata.id"].as_str().unwrap();
    let ports = door.read(&format!("{adapter}/Ports")).await.body;
    let port = ports["Members"][0]["@odata.id"].as_str().unwrap();
    let read = async || {
        let mut all = Vec::new();
        for (uri, names) in [
            (drive, ["ReadIOKiBytes", "WriteIOKiBytes"]),
            (port, ["RXBytes", "TXBytes"]),
        ] {
            let metrics = door.read(uri).await.body["Metrics"]["@odata.id"].clone();
            let metrics = door.read(metrics.as_str().unwrap()).await.body;
            all.extend(names.map(|name| metrics[name].as_i64().unwrap()));
        }
        all
    };
    pass(&door, 60).await;
    let early = read().await;
    pass(&door, 600).await;
    let late = read().await;
    assert!(
        early.iter().zip(&late).all(|(early, late)| late > early),
        "{early:?} {late:?}"
    );
}

#[tokio::test]
async fn what_is_not_measured_is_not_there() {
    let door = Door::open().await;
    let chassis = chassis(&door);
    for uri in [
        "Sensors/Nothing",
        "ThermalSubsystem/Fans/Fan99",
        "PowerSubsystem/PowerSupplies/3",
        "PowerSubsystem/PowerSupplies/3/Metrics",
        "Drives/none/Metrics",
    ] {
        let answer = door
            .send("GET", &format!("{chassis}/{uri}"))
            .admin()
            .answer()
            .await;
        answer.refused(404, "ResourceMissingAtURI");
    }
}

//! `systems sensors` and `chassis sensors`: what is measured in a machine.

use clap::Args;
use hawkfish_client::Client;
use serde_json::{Value, json};

use super::parts;
use crate::failure::Result;
use crate::find;
use crate::output::{Column, Output, shown};
use crate::sensors::{number, units};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Id, name or UUID.
    pub(crate) id: String,
    /// Only what is not OK.
    #[arg(long)]
    pub(crate) failed: bool,
}

const COLUMNS: &[Column] = &[
    ("NAME", &["/Name", "/FanName", "/Id"]),
    ("READING", &["/·Reading"]),
    ("CAUTION", &["/·Caution"]),
    ("CRITICAL", &["/·Critical"]),
    ("STATE", &["/Status/State"]),
    ("HEALTH", &["/Status/Health"]),
];

pub(crate) async fn run(client: &Client, output: &Output, arguments: &Arguments) -> Result<()> {
    let system = find::system(client, &arguments.id).await?.value;
    let chassis = parts::at(client, &system, "/Links/Chassis").await?;
    let mut all: Option<Vec<Value>> = None;
    for chassis in chassis.unwrap_or_default() {
        if let Some(found) = of(client, &chassis.value).await? {
            all.get_or_insert_default().extend(found);
        }
    }
    let all = all.ok_or_else(|| parts::none("sensors of this machine"))?;
    print(output, all, arguments.failed)
}

/// What is measured in a chassis: its sensors, or what older services have in `Thermal` and `Power`. `None` where it has neither.
pub(crate) async fn of(client: &Client, chassis: &Value) -> Result<Option<Vec<Value>>> {
    if let Some(sensors) = parts::at(client, chassis, "/Sensors").await? {
        return Ok(Some(sensors.into_iter().map(|one| one.value).collect()));
    }
    let mut all: Option<Vec<Value>> = None;
    for (pointer, lists) in [
        ("/Thermal", ["Temperatures", "Fans"]),
        ("/Power", ["Voltages", "PowerControl"]),
    ] {
        let Some(found) = parts::linked(client, chassis, pointer).await? else {
            continue;
        };
        let all = all.get_or_insert_default();
        for list in lists {
            let list = found.value.get(list).and_then(Value::as_array);
            all.extend(list.into_iter().flatten().cloned());
        }
    }
    Ok(all)
}

pub(crate) fn print(output: &Output, mut sensors: Vec<Value>, failed: bool) -> Result<()> {
    if failed {
        sensors.retain(|sensor| {
            parts::text(sensor, "/Status/Health").is_some_and(|health| health != "OK")
        });
    }
    parts::list(output, COLUMNS, sensors, view)
}

/// The reading with its unit, and when it is a matter of concern.
pub(crate) fn view(sensor: &Value) -> Value {
    // Where each of the four shapes has its reading, and its unit where it does not say.
    let (reading, unit) = [
        ("Reading", ""),
        ("ReadingCelsius", "Cel"),
        ("ReadingVolts", "V"),
        ("PowerConsumedWatts", "W"),
    ]
    .iter()
    .find_map(|(name, unit)| Some((sensor.get(*name).filter(|value| !value.is_null())?, *unit)))
    .map_or((None, ""), |(reading, unit)| (Some(reading), unit));
    let unit = units(parts::text(sensor, "/ReadingUnits").unwrap_or(unit));
    // Some services write numbers as text.
    let plain = |value: &Value| value.as_f64().map_or_else(|| shown(value), number);
    let reading = reading.map(|reading| format!("{} {unit}", plain(reading)).trim_end().to_owned());
    let threshold = |new: &str, old: &str| {
        let new = format!("/Thresholds/{new}/Reading");
        let old = format!("/{old}");
        let found = sensor.pointer(&new).or_else(|| sensor.pointer(&old));
        found.filter(|value| !value.is_null()).map(plain)
    };
    let range = |low: Option<String>, high: Option<String>| match (low, high) {
        (Some(low), Some(high)) => Some(format!("≤{low} ≥{high}")),
        (Some(low), None) => Some(format!("≤{low}")),
        (None, Some(high)) => Some(format!("≥{high}")),
        (None, None) => None,
    };
    let caution = range(
        threshold("LowerCaution", "LowerThresholdNonCritical"),
        threshold("UpperCaution", "UpperThresholdNonCritical"),
    );
    let critical = range(
        threshold("LowerCritical", "LowerThresholdCritical"),
        threshold("UpperCritical", "UpperThresholdCritical"),
    );
    parts::with(
        sensor,
        [
            ("·Reading", json!(reading)),
            ("·Caution", json!(caution)),
            ("·Critical", json!(critical)),
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_has_its_unit_in_each_of_the_shapes_that_services_have() {
        let reading = |sensor: Value| view(&sensor)["·Reading"].clone();
        assert_eq!(
            reading(json!({"Reading": 20.4, "ReadingUnits": "Cel"})),
            "20.4 °C"
        );
        assert_eq!(reading(json!({"ReadingCelsius": 31})), "31 °C");
        assert_eq!(
            reading(json!({"Reading": 51, "ReadingUnits": "Percent"})),
            "51 %"
        );
        assert_eq!(reading(json!({"ReadingVolts": 230.3})), "230.3 V");
        assert_eq!(reading(json!({"Reading": null})), Value::Null);
    }

    #[test]
    fn thresholds_are_those_of_both_shapes() {
        let new = view(
            &json!({"Thresholds": {"UpperCaution": {"Reading": 85.0}, "LowerCritical": {"Reading": 5}, "UpperCritical": {"Reading": 95}}}),
        );
        assert_eq!(
            (new["·Caution"].as_str(), new["·Critical"].as_str()),
            (Some("≥85"), Some("≤5 ≥95"))
        );
        let old = view(&json!({"UpperThresholdNonCritical": 42, "UpperThresholdCritical": null}));
        assert_eq!(
            (old["·Caution"].as_str(), old["·Critical"].as_str()),
            (Some("≥42"), None)
        );
    }
}

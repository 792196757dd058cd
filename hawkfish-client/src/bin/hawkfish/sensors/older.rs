//! Thermal and Power: how services tell of what they measure that are older than Sensor.

use serde_json::Value;

use super::{Bounds, Facts, Sensor, float, units};
use crate::find;

pub(super) fn thermal(chassis: &str, thermal: &Value) -> Vec<Sensor> {
    let mut sensors = each(thermal, "Temperatures", |said| {
        bounded(said, "Temperature", "Cel", "/ReadingCelsius")
    });
    sensors.extend(each(thermal, "Fans", |said| {
        let said_units = find::text(said, "/ReadingUnits").unwrap_or("RPM");
        bounded(said, "Rotational", said_units, "/Reading")
    }));
    finish(chassis, sensors)
}

pub(super) fn power(chassis: &str, power: &Value) -> Vec<Sensor> {
    let mut sensors = each(power, "Voltages", |said| {
        bounded(said, "Voltage", "V", "/ReadingVolts")
    });
    sensors.extend(each(power, "PowerControl", |said| {
        let mut facts = bounded(said, "Power", "W", "/PowerConsumedWatts");
        facts.caution.high = float(said, "/PowerLimit/LimitInWatts");
        facts
    }));
    sensors.extend(each(power, "PowerSupplies", |said| {
        let pointers = [
            "/PowerInputWatts",
            "/LastPowerOutputWatts",
            "/PowerOutputWatts",
        ];
        let there = pointers
            .iter()
            .find(|pointer| float(said, pointer).is_some());
        bounded(said, "Power", "W", there.unwrap_or(&pointers[0]))
    }));
    finish(chassis, sensors)
}

fn finish(chassis: &str, sensors: Vec<(Facts<'static>, &Value)>) -> Vec<Sensor> {
    let sensors = sensors.into_iter();
    sensors
        .map(|(facts, said)| Facts { chassis, ..facts }.sensor(said))
        .collect()
}

fn each<'v>(
    resource: &'v Value,
    list: &str,
    facts: impl Fn(&Value) -> Facts<'static>,
) -> Vec<(Facts<'static>, &'v Value)> {
    let list = resource.get(list).and_then(Value::as_array);
    let list = list.into_iter().flatten().filter(|said| said.is_object());
    list.enumerate()
        .map(|(number, said)| {
            let mut facts = facts(said);
            if facts.name.is_empty() {
                facts.name = format!("{} {number}", facts.kind);
            }
            (facts, said)
        })
        .collect()
}

fn bounded(said: &Value, kind: &str, said_units: &str, reading: &str) -> Facts<'static> {
    let text = |pointers: &[&str]| {
        let mut found = pointers
            .iter()
            .filter_map(|pointer| find::text(said, pointer));
        found.next().unwrap_or_default().to_owned()
    };
    let bounds = |level: &str| Bounds {
        low: float(said, &format!("/LowerThreshold{level}")),
        // Services that have no such threshold say 0 of it.
        high: float(said, &format!("/UpperThreshold{level}")).filter(|high| *high != 0.0),
    };
    Facts {
        chassis: "",
        id: text(&["/MemberId"]),
        name: text(&["/Name", "/FanName"]),
        kind: kind.to_owned(),
        units: units(said_units).to_owned(),
        reading: float(said, reading),
        caution: bounds("NonCritical"),
        critical: bounds("Critical"),
        fatal: bounds("Fatal"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_resources_before_sensors_say_the_same_in_other_words() {
        let thermal_said = json!({
            "Temperatures": [{"MemberId": "0", "Name": "Inlet", "ReadingCelsius": 43, "UpperThresholdCritical": 42, "UpperThresholdFatal": 0,
                "Status": {"Health": "OK", "State": "Enabled"}}],
            "Fans": [{"MemberId": "0", "FanName": "Fan 1", "Reading": 51, "ReadingUnits": "Percent"}, null],
        });
        let sensors = thermal("c", &thermal_said);
        assert_eq!(sensors.len(), 2);
        assert_eq!(sensors[0].shown["Health"], "Critical");
        assert_eq!(sensors[0].shown["Shown"], "43 °C");
        assert_eq!(sensors[0].shown["Fatal"], "");
        assert_eq!(sensors[1].shown["Name"], "Fan 1");
        assert_eq!(sensors[1].shown["Shown"], "51 %");

        let power_said = json!({
            "PowerControl": [{"MemberId": "0", "PowerConsumedWatts": 531}],
            "PowerSupplies": [{"Name": "PSU", "LastPowerOutputWatts": 277}],
            "Voltages": null,
        });
        let sensors = power("c", &power_said);
        let shown: Vec<&Value> = sensors
            .iter()
            .map(|sensor| &sensor.shown["Shown"])
            .collect();
        assert_eq!(shown, ["531 W", "277 W"]);
        assert_eq!(sensors[0].shown["Name"], "Power 0");
    }
}

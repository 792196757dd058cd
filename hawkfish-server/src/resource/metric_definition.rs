//! Metric definitions: what can be reported, and where in the tree it is read. The one place that knows both core's metrics and Redfish's properties.

use std::collections::BTreeMap;

use hawkfish_core::telemetry::{LEAST_INTERVAL, Metric, Set, Value as Measured, Wanted};
use serde_json::{Map, Value, json};

use super::parts;
use super::schedule::duration_text;
use crate::catalog::{Content, Privileges, Resource, Rq};
use crate::problem::Problem;

/// The URI of the collection.
pub(super) const URI: &str = "/redfish/v1/TelemetryService/MetricDefinitions";

/// `/redfish/v1/TelemetryService/MetricDefinitions`
pub const COLLECTION: Resource = Resource {
    uri: URI,
    entity: "MetricDefinitionCollection",
    get: Some(|rq| {
        Box::pin(async move {
            let ids = Metric::ALL.map(Metric::as_str);
            Ok(Content::collection(rq, "Metric definitions", ids))
        })
    }),
    privileges: Privileges::MANAGER,
    version: Some(|_| Ok(0)),
    ..Resource::NONE
};

/// `/redfish/v1/TelemetryService/MetricDefinitions/{metric}`
pub const RESOURCE: Resource = Resource {
    uri: "/redfish/v1/TelemetryService/MetricDefinitions/{metric}",
    entity: "MetricDefinition",
    get: Some(|rq| Box::pin(read(rq))),
    privileges: Privileges::MANAGER,
    ..Resource::NONE
};

/// The property that shows a metric, with a variable for the system and, where a system has several, one for the instance.
fn template(metric: Metric) -> &'static str {
    match metric {
        Metric::ProcessorUtilization => {
            "/redfish/v1/Systems/{SystemId}/ProcessorSummary/ProcessorMetrics#/BandwidthPercent"
        }
        Metric::MemoryUtilization => {
            "/redfish/v1/Systems/{SystemId}/MemorySummary/MemoryMetrics#/CapacityUtilizationPercent"
        }
        Metric::PowerConsumption => {
            "/redfish/v1/Chassis/{ChassisId}/EnvironmentMetrics#/PowerWatts/Reading"
        }
        Metric::EnergyConsumption => {
            "/redfish/v1/Chassis/{ChassisId}/EnvironmentMetrics#/EnergykWh/Reading"
        }
        Metric::Temperature => {
            "/redfish/v1/Chassis/{ChassisId}/EnvironmentMetrics#/TemperatureCelsius/Reading"
        }
        Metric::SensorReading => "/redfish/v1/Chassis/{ChassisId}/Sensors/{SensorId}#/Reading",
        Metric::DriveRead => {
            "/redfish/v1/Chassis/{ChassisId}/Drives/{DriveId}/Metrics#/ReadIOKiBytes"
        }
        Metric::DriveWritten => {
            "/redfish/v1/Chassis/{ChassisId}/Drives/{DriveId}/Metrics#/WriteIOKiBytes"
        }
    }
}

fn variables(metric: Metric) -> Vec<&'static str> {
    let segments = template(metric).split(['/', '#']);
    segments.filter_map(variable).collect()
}

fn variable(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

async fn read(rq: &Rq) -> Result<Content, Problem> {
    let id = rq.param("metric");
    let metric = Metric::from_name(id).ok_or_else(|| parts::missing("MetricDefinition", id))?;
    let wildcards: Vec<Value> = variables(metric)
        .into_iter()
        .map(|name| json!({"Name": name, "Values": ["*"]}))
        .collect();
    let (name, kind, units) = match metric {
        Metric::ProcessorUtilization => ("Processor utilization", "Gauge", Some("%")),
        Metric::MemoryUtilization => ("Memory utilization", "Gauge", Some("%")),
        Metric::PowerConsumption => ("Power consumption", "Gauge", Some("W")),
        Metric::EnergyConsumption => (
            "Energy since the last start or reset",
            "Counter",
            Some("kW.h"),
        ),
        Metric::Temperature => ("Temperature", "Gauge", Some("Cel")),
        Metric::DriveRead => ("Read from a drive since the start", "Counter", Some("KiBy")),
        Metric::DriveWritten => (
            "Written to a drive since the start",
            "Counter",
            Some("KiBy"),
        ),
        // Each sensor says its own.
        Metric::SensorReading => ("Readings of sensors", "Gauge", None),
    };
    let mut body = json!({
        "@odata.id": rq.uri(),
        "Id": id,
        "Name": name,
        "MetricType": kind,
        "MetricDataType": "Decimal",
        "IsLinear": true,
        "Calculable": if is_summable(metric) { "Summable" } else { "NonSummable" },
        "Wildcards": wildcards,
        "MetricProperties": [template(metric)],
        "SensingInterval": duration_text(LEAST_INTERVAL),
    });
    if let Some(units) = units {
        body["Units"] = units.into();
        if units == "%" {
            body["MinReadingRange"] = 0.into();
            body["MaxReadingRange"] = 100.into();
        }
    }
    Content::of(&body)
}

/// Whether the sum over several systems means something.
fn is_summable(metric: Metric) -> bool {
    matches!(
        metric,
        Metric::PowerConsumption
            | Metric::EnergyConsumption
            | Metric::DriveRead
            | Metric::DriveWritten
    )
}

/// The property that shows a value.
pub(super) fn property(value: &Measured) -> String {
    let mut names = [Some(value.system.as_str()), value.instance.as_deref()]
        .into_iter()
        .flatten();
    let mut property = String::new();
    let mut rest = template(value.metric);
    while let Some((before, after)) = rest.split_once('{') {
        property.push_str(before);
        property.push_str(names.next().unwrap_or_default());
        rest = after.split_once('}').map_or("", |(_, after)| after);
    }
    property + rest
}

/// Why something cannot be reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unknown {
    /// There is no such metric, or no metric is read there.
    Property,
    /// A wildcard is used that is not declared.
    Wildcard,
}

/// The wildcards of a body by name.
pub(super) fn wildcards(body: &Map<String, Value>) -> BTreeMap<String, Set> {
    let all = body.get("Wildcards").and_then(Value::as_array);
    let named = all.into_iter().flatten().filter_map(|wildcard| {
        let name = wildcard["Name"].as_str()?.to_owned();
        let values = wildcard["Values"].as_array();
        let values: Vec<&str> = values
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let set = if values.is_empty() || values.contains(&"*") {
            Set::All
        } else {
            Set::These(values.into_iter().map(str::to_owned).collect())
        };
        Some((name, set))
    });
    named.collect()
}

/// Which metric of which systems a property shows, with the wildcards that stand in it.
pub(super) fn wanted(text: &str, wildcards: &BTreeMap<String, Set>) -> Result<Wanted, Unknown> {
    let mut why = Unknown::Property;
    for metric in Metric::ALL {
        let Some(found) = fitting(template(metric), text) else {
            continue;
        };
        let sets: Option<Vec<Set>> = found
            .into_iter()
            .map(|segment| match variable(segment) {
                Some(name) => wildcards.get(name).cloned(),
                None => Some(Set::These([segment.to_owned()].into())),
            })
            .collect();
        let Some(sets) = sets else {
            why = Unknown::Wildcard;
            continue;
        };
        let mut sets = sets.into_iter();
        return Ok(Wanted {
            metric,
            systems: sets.next().unwrap_or(Set::All),
            instances: sets.next().unwrap_or(Set::All),
        });
    }
    Err(why)
}

/// What stands where the template has its variables, if the rest is the same.
fn fitting<'a>(template: &str, text: &'a str) -> Option<Vec<&'a str>> {
    let (path, pointer) = text.split_once('#')?;
    let (known_path, known_pointer) = template.split_once('#')?;
    if pointer != known_pointer {
        return None;
    }
    let mut found = Vec::new();
    let mut segments = path.split('/');
    for known in known_path.split('/') {
        let segment = segments.next()?;
        if variable(known).is_some() && !segment.is_empty() {
            found.push(segment);
        } else if segment != known {
            return None;
        }
    }
    segments.next().is_none().then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_property_leads_to_its_metric_and_back() {
        let none = BTreeMap::new();
        for metric in Metric::ALL {
            let value = Measured {
                metric,
                system: "one".parse().unwrap(),
                instance: metric.has_instances().then(|| "Fan1Speed".to_owned()),
                at: jiff::Timestamp::UNIX_EPOCH,
                value: 1.0,
            };
            let found = wanted(&property(&value), &none).unwrap();
            assert_eq!(found.metric, metric);
            assert!(found.systems.contains("one") && !found.systems.contains("two"));
            assert_eq!(
                found.instances.contains("Fan2Speed"),
                !metric.has_instances()
            );
        }
    }

    #[test]
    fn a_wildcard_stands_for_what_was_said() {
        let body = json!({"Wildcards": [{"Name": "C", "Values": ["a", "b"]}, {"Name": "S", "Values": ["*"]}]});
        let wildcards = wildcards(body.as_object().unwrap());
        let found = wanted("/redfish/v1/Chassis/{C}/Sensors/{S}#/Reading", &wildcards).unwrap();
        assert!(found.systems.contains("b") && !found.systems.contains("c"));
        assert_eq!(found.instances, Set::All);
        assert_eq!(
            wanted("/redfish/v1/Chassis/{D}/Sensors/x#/Reading", &wildcards),
            Err(Unknown::Wildcard)
        );
        for nowhere in [
            "",
            "/redfish/v1/Chassis/{C}/Sensors/x",
            "/redfish/v1/Chassis/{C}/Sensors/x#/Nothing",
            "/redfish/v1/Chassis/{C}/Sensors/x/y#/Reading",
            "/redfish/v1/Chassis//Sensors/x#/Reading",
        ] {
            assert_eq!(
                wanted(nowhere, &wildcards),
                Err(Unknown::Property),
                "{nowhere}"
            );
        }
    }
}

//! A body against the values that are allowed at the moment.

use super::shown::shown;
use super::{Finding, Problem};
use serde_json::{Map, Value};

/// Holds a body against the annotations `X@Redfish.AllowableValues` of `current`: for PATCH the
/// representation of the resource, for an action its object within `Actions`.
///
/// The schema says what a value can ever be; this says what it can be on this resource now.
pub fn allowable(body: &Map<String, Value>, current: &Value) -> Vec<Finding> {
    let mut findings = Vec::new();
    walk(body, current, "", &mut findings);
    findings
}

fn walk(body: &Map<String, Value>, current: &Value, pointer: &str, findings: &mut Vec<Finding>) {
    let Some(current) = current.as_object() else {
        return;
    };
    for (name, value) in body {
        let here = format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
        if let (Value::Object(below), Some(current)) = (value, current.get(name)) {
            walk(below, current, &here, findings);
        }
        let Some(Value::Array(allowed)) = current.get(&format!("{name}@Redfish.AllowableValues"))
        else {
            continue;
        };
        let mut look = |value: &Value, pointer: String| {
            if !value.is_null() && !allowed.contains(value) {
                let problem = Problem::NotInList {
                    value: shown(value, false),
                };
                findings.push(Finding {
                    pointer,
                    name: name.clone(),
                    problem,
                });
            }
        };
        match value {
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    look(item, format!("{here}/{index}"));
                }
            }
            value => look(value, here),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_is_offered_is_allowed() {
        let current = json!({
            "Boot": {
                "BootSourceOverrideTarget": "None",
                "BootSourceOverrideTarget@Redfish.AllowableValues": ["None", "Cd"],
                "BootOrder@Redfish.AllowableValues": ["a", "b"],
            }
        });
        let look = |body: Value| {
            let findings = allowable(body.as_object().unwrap(), &current);
            findings
                .into_iter()
                .map(|finding| finding.pointer)
                .collect::<Vec<_>>()
        };
        assert!(
            look(json!({"Boot": {"BootSourceOverrideTarget": "Cd"}, "AssetTag": "x"})).is_empty()
        );
        assert!(look(json!({"Boot": {"BootSourceOverrideTarget": null}})).is_empty());
        assert_eq!(
            look(json!({"Boot": {"BootSourceOverrideTarget": "Pxe", "BootOrder": ["b", "c"]}})),
            ["/Boot/BootSourceOverrideTarget", "/Boot/BootOrder/1"]
        );
        assert_eq!(
            look(json!({"Boot": {"BootSourceOverrideTarget": 7}})).len(),
            1
        );
    }
}

//! `excerpt`: only what the schema marks as the essence of a resource (the term `Redfish.Excerpt`).

use serde_json::{Map, Value};

use crate::table::{Flags, Kind, Table, Type};
use crate::validate;

/// Leaves in a resource only what its schema marks to be part of an excerpt, and what tells which resource it is. A resource whose schema marks nothing
/// stays whole (DSP0266, "Query parameters"). Which schema that is, its `@odata.type` says.
pub fn excerpt(resource: &mut Map<String, Value>) {
    let name = resource
        .get("@odata.type")
        .and_then(Value::as_str)
        .and_then(|kind| kind.rsplit('.').next());
    let Some(entity) = name.and_then(validate::entity) else {
        return;
    };
    apply(&Table::get().types[entity.ty], resource);
}

fn apply(ty: &Type, object: &mut Map<String, Value>) {
    if !ty.properties.iter().any(is_marked) {
        return;
    }
    object.retain(|key, _| {
        let plain = match key.split_once('@') {
            Some(("", _)) => return key.starts_with("@odata."),
            Some((plain, _)) => plain,
            None => key,
        };
        ty.property(plain).is_some_and(is_marked)
    });
    // Of what is marked inside, nothing may be there.
    object.retain(|key, value| {
        let Some(Kind::Object(below)) = ty.property(key).map(|property| property.kind) else {
            return true;
        };
        let below = &Table::get().types[below];
        match value {
            Value::Object(inside) => {
                apply(below, inside);
                !inside.is_empty()
            }
            Value::Array(items) => {
                let items = items.iter_mut().filter_map(Value::as_object_mut);
                items.for_each(|item| apply(below, item));
                true
            }
            _ => true,
        }
    });
}

fn is_marked(property: &crate::table::Property) -> bool {
    property.flags.has(Flags::EXCERPT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(mut resource: Value) -> Value {
        excerpt(resource.as_object_mut().unwrap());
        resource
    }

    #[test]
    fn of_a_sensor_only_what_it_measures_stays() {
        let sensor = json!({
            "@odata.etag": "\"x\"", "@odata.id": "/redfish/v1/Chassis/1/Sensors/t", "@odata.type": "#Sensor.v1_11_1.Sensor",
            "Id": "t", "Name": "Intake", "Reading": 21.5, "Reading@Redfish.Deprecated": "never", "ReadingUnits": "Cel",
            "SpeedRPM": null, "Status": {"State": "Enabled"},
            "Thresholds": {"UpperCritical": {"Reading": 60.0}, "LowerCritical": {"Reading": 1.0, "Activation": "Disabled"}},
        });
        assert_eq!(
            of(sensor),
            json!({
                "@odata.etag": "\"x\"", "@odata.id": "/redfish/v1/Chassis/1/Sensors/t", "@odata.type": "#Sensor.v1_11_1.Sensor",
                "Reading": 21.5, "Reading@Redfish.Deprecated": "never", "SpeedRPM": null,
                "Thresholds": {"LowerCritical": {"Reading": 1.0}},
            })
        );
    }

    #[test]
    fn an_object_of_which_nothing_stays_is_gone() {
        let sensor = json!({
            "@odata.type": "#Sensor.v1_11_1.Sensor", "Reading": 1.0, "Thresholds": {"UpperCritical": {"Reading": 60.0}},
        });
        let left = json!({"@odata.type": "#Sensor.v1_11_1.Sensor", "Reading": 1.0});
        assert_eq!(of(sensor), left);
    }

    #[test]
    fn what_has_no_excerpt_stays_whole() {
        for whole in [
            json!({"@odata.type": "#ServiceRoot.v1_16_0.ServiceRoot", "Id": "RootService", "Name": "x"}),
            json!({"@odata.type": "#SensorCollection.SensorCollection", "Members": []}),
            json!({"@odata.type": "#Foreign.v1_0_0.Foreign", "Id": "1"}),
            json!({"Id": "1"}),
        ] {
            assert_eq!(of(whole.clone()), whole);
        }
    }
}

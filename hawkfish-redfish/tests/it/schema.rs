//! The JSON Schemas given out say the same as the validation here, by the word of another validator.

use crate::fuzz;
use crate::samples::representations;
use hawkfish_redfish::{metadata, validate};
use jsonschema::Validator;
use proptest::prelude::*;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::LazyLock;

fn validator(entity: &str) -> &'static Validator {
    static VALIDATORS: LazyLock<BTreeMap<&'static str, Validator>> = LazyLock::new(|| {
        validate::entities()
            .map(|entity| {
                let schema = metadata::json_schema(entity).unwrap();
                let validator = jsonschema::options()
                    .should_validate_formats(true)
                    .build(schema);
                (
                    entity,
                    validator.unwrap_or_else(|error| panic!("{entity}: {error}")),
                )
            })
            .collect()
    });
    &VALIDATORS[entity]
}

#[test]
fn every_schema_given_out_is_a_schema() {
    for entity in validate::entities() {
        let schema = metadata::json_schema(entity).unwrap();
        assert!(jsonschema::draft202012::meta::is_valid(schema), "{entity}");
        assert!(
            !validator(entity).is_valid(&serde_json::json!({})),
            "{entity}"
        );
    }
}

#[test]
fn good_representations_are_good_to_both() {
    for (entity, body) in representations() {
        let errors: Vec<String> = validator(entity)
            .iter_errors(&body)
            .map(|error| error.to_string())
            .collect();
        assert!(errors.is_empty(), "{entity}: {errors:?}");
        assert_eq!(validate::response(entity, &body), [], "{entity}");
    }
}

/// Puts a value in the place of one that is there, or beside those that are.
fn disturb(body: &mut Value, at: &prop::sample::Index, name: &str, value: &Value) {
    match body {
        Value::Object(members) if !members.is_empty() && at.index(4) > 0 => {
            let keys: Vec<String> = members.keys().cloned().collect();
            let key = at.get(&keys);
            match members.get_mut(key) {
                Some(below @ (Value::Object(_) | Value::Array(_))) => {
                    disturb(below, at, name, value)
                }
                Some(place) => *place = value.clone(),
                None => unreachable!("the key is one of the object's"),
            }
        }
        Value::Object(members) => {
            members.insert(name.to_owned(), value.clone());
        }
        Value::Array(items) if !items.is_empty() => {
            let at_item = at.index(items.len());
            disturb(&mut items[at_item], at, name, value);
        }
        place => *place = value.clone(),
    }
}

/// Where the two may differ: what "@odata.type" promises of an expanded reference is not in the
/// schema; and JSON Schema's formats are looser or stricter at the edges (leap seconds, years).
fn beyond_the_schema(body: &Value) -> bool {
    match body {
        Value::Object(members) => {
            let expanded = members.contains_key("@odata.type")
                && !members.contains_key("Id")
                && !members.contains_key("Name");
            expanded || members.values().any(beyond_the_schema)
        }
        Value::Array(items) => items.iter().any(beyond_the_schema),
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn disturbed_representations_are_judged_alike(
        which in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        name in fuzz::name(),
        value in fuzz::value(),
    ) {
        let all = representations();
        let (entity, mut body) = all[which.index(all.len())].clone();
        disturb(&mut body, &at, &name, &value);
        prop_assume!(!beyond_the_schema(&body));
        let found = validate::response(entity, &body);
        let errors: Vec<String> =
            validator(entity).iter_errors(&body).map(|error| error.to_string()).collect();
        prop_assert_eq!(found.is_empty(), errors.is_empty(), "{:?}\n{:?}\n{}", found, errors, body);
    }
}

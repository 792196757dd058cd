//! Whatever a client sends, nothing panics.

use hawkfish_redfish::validate::{self, BodyProblem};
use proptest::prelude::*;
use serde_json::{Map, Value};

/// Names that mean something, so that more than the surface is reached.
const NAMES: &[&str] = &[
    "Boot",
    "BootOrder",
    "BootSourceOverrideTarget",
    "HttpBootUri",
    "AssetTag",
    "Status",
    "Members",
    "Links",
    "Chassis",
    "@odata.id",
    "@odata.type",
    "Actions",
    "#ComputerSystem.Reset",
    "Oem",
    "",
    "a/b~c",
    "Members@odata.count",
    "PowerOnDelaySeconds",
    "LastResetTime",
    "UUID",
    "Password",
    "Image",
    "ResetType",
    "Messages",
    "x@",
    "@",
    "@Redfish.SettingsApplyTime",
    "SessionTimeout",
];

pub(crate) fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        proptest::sample::select(NAMES).prop_map(str::to_owned),
        ".{0,8}"
    ]
}

pub(crate) fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,40}".prop_map(Value::from),
        "[-0-9TZ:.+]{0,30}".prop_map(Value::from),
        "#?[A-Z][A-Za-z]{0,9}(\\.[A-Za-z]{0,9})?".prop_map(Value::from),
        "-?P([0-9.]{0,3}[DTHMS]){0,4}".prop_map(Value::from),
        "[a-z:/@%#.?]{0,30}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 8, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::vec((name(), inner), 0..8)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn object() -> impl Strategy<Value = Map<String, Value>> {
    proptest::collection::vec((name(), value()), 0..8)
        .prop_map(|members| members.into_iter().collect())
}

fn entity() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(validate::entities().collect::<Vec<_>>())
}

proptest! {
    #[test]
    fn no_bytes_make_reading_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = validate::parse_strict(&bytes);
    }

    #[test]
    fn json_that_is_cut_short_or_garbled_is_malformed_or_read(
        value in value(), cut in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let mut text = value.to_string().into_bytes();
        let at = cut.index(text.len());
        text[at] = byte;
        let _ = validate::parse_strict(&text);
        let _ = validate::parse_strict(&text[..at]);
    }

    #[test]
    fn what_is_read_strictly_is_what_serde_reads(body in object()) {
        let text = serde_json::to_vec(&body).unwrap();
        let plain: Value = serde_json::from_slice(&text).unwrap();
        prop_assert_eq!(validate::parse_strict(&text), Ok(plain));
    }

    #[test]
    fn a_property_given_twice_is_always_refused(body in object(), name in name(), value in value()) {
        let mut text = serde_json::to_string(&body).unwrap();
        text.pop();
        let comma = if body.is_empty() { "" } else { "," };
        let key = serde_json::to_string(&name).unwrap();
        text.push_str(&format!("{comma}{key}:{value},{key}:{value}}}"));
        prop_assert_eq!(validate::parse_strict(text.as_bytes()), Err(BodyProblem::Duplicate { name }));
    }

    #[test]
    fn no_body_makes_validation_panic(entity in entity(), body in object()) {
        let mut found = validate::patch(entity, &body);
        found.extend(validate::create(entity, &body));
        found.extend(validate::response(entity, &Value::Object(body.clone())));
        found.extend(validate::allowable(&body, &Value::Object(body.clone())));
        for action in validate::actions(entity) {
            for finding in validate::action(entity, action, &body).unwrap() {
                prop_assert!(!finding.action_message(action).message.is_empty());
            }
        }
        for finding in found {
            let message = finding.message();
            prop_assert!(message.related_properties.iter().all(|p| p.starts_with('#')));
            prop_assert!(message.args.iter().all(|arg| arg.len() < 4096));
        }
    }
}

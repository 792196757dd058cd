//! Bodies of answers.

use serde_json::json;

use super::{ALL, Preset, edited, of_every_get, rule, sometimes};
use crate::fault::{Change, Damage, Method, Pattern, Then};

/// Properties that hold a time.
const TIMES: [&str; 4] = ["DateTime", "Created", "EventTimestamp", "LastResetTime"];

pub(super) const PRESETS: &[Preset] = &[
    Preset {
        name: "truncated-json",
        about: "One GET in five answers with half of its JSON.",
        make: || {
            let half = Then::Damage(Damage::Truncated);
            vec![sometimes("truncated-json", half, 0.2)]
        },
    },
    Preset {
        name: "html-error-page",
        about: "One GET in five answers with a page of the web server in front.",
        make: || {
            let page = Then::Damage(Damage::Html);
            vec![sometimes("html-error-page", page, 0.2)]
        },
    },
    Preset {
        name: "plain-errors",
        about: "Errors have a line of text in place of a Redfish body, as where the framework below answers.",
        make: || {
            let mut plain = rule("plain-errors", Then::Damage(Damage::Text), ALL, &[]);
            plain.when.status = ["4??", "5??"].map(pattern).into();
            vec![plain]
        },
    },
    Preset {
        name: "success-as-error",
        about: "Changes that succeed are answered with 200 and a body in the shape of an error, whose message says that all is well.",
        make: || {
            let methods = [Method::Post, Method::Patch, Method::Delete];
            let shaped = Then::Damage(Damage::SuccessAsError);
            let mut shaped = rule("success-as-error", shaped, ALL, &methods);
            shaped.when.status = ["200", "204"].map(pattern).into();
            vec![shaped]
        },
    },
    Preset {
        name: "members-null",
        about: "Members of a collection is null.",
        make: || edited("members-null", vec![Change::Null("/Members".to_owned())]),
    },
    Preset {
        name: "wrong-count",
        about: "Members@odata.count says one more than there are.",
        make: || {
            let more = Change::Add {
                at: "/Members@odata.count".to_owned(),
                by: 1,
            };
            edited("wrong-count", vec![more])
        },
    },
    Preset {
        name: "zero-dates",
        about: "Times are 0000-00-00T00:00:00Z, as before a clock is set.",
        make: || {
            let zero = |name| Change::Set {
                at: format!("/**/{name}"),
                to: json!("0000-00-00T00:00:00Z"),
            };
            edited("zero-dates", TIMES.map(zero).into())
        },
    },
    Preset {
        name: "dates-without-offset",
        about: "Times have no offset from UTC.",
        make: || {
            let without = |name: &str| {
                ["Z", "+00:00"].map(|text| Change::Replace {
                    at: format!("/**/{name}"),
                    text: text.to_owned(),
                    by: String::new(),
                })
            };
            edited("dates-without-offset", TIMES.map(without).concat())
        },
    },
    Preset {
        name: "empty-uuid",
        about: "UUIDs are empty texts.",
        make: || {
            let empty = Change::Set {
                at: "/**/UUID".to_owned(),
                to: json!(""),
            };
            edited("empty-uuid", vec![empty])
        },
    },
    Preset {
        name: "object-for-empty-list",
        about: "A list of nothing is an object, as of services that are written in languages with one word for both.",
        make: || {
            let object = Change::Unlist("/**/*".to_owned());
            edited("object-for-empty-list", vec![object])
        },
    },
    Preset {
        name: "without-required-properties",
        about: "Name, ChassisType and AccountTypes are missing, which their schemas require.",
        make: || {
            let gone = ["/Name", "/ChassisType", "/AccountTypes"];
            let gone = gone.map(|at| Change::Remove(at.to_owned()));
            edited("without-required-properties", gone.into())
        },
    },
    Preset {
        name: "duplicate-keys",
        about: "The first property of each body stands in it twice, first with null.",
        make: || of_every_get("duplicate-keys", Then::Damage(Damage::DuplicateKey)),
    },
    Preset {
        name: "byte-order-mark",
        about: "Bodies begin with a mark of byte order, which JSON does not allow.",
        make: || of_every_get("byte-order-mark", Then::Damage(Damage::Bom)),
    },
];

fn pattern(text: &str) -> Pattern {
    Pattern::new(text).expect("a constant pattern")
}

//! Headers of answers.

use crate::fault::{Headers, Method, Then};

use super::{Preset, rule};

pub(super) const PRESETS: &[Preset] = &[Preset {
    name: "task-without-location",
    about: "Answers to POST do not say where what they made is.",
    make: || {
        let headers = Headers {
            remove: vec!["location".to_owned()],
            ..Headers::default()
        };
        let gone = Then::Headers(headers);
        vec![rule(
            "task-without-location",
            gone,
            "/redfish/v1/**/Actions/*",
            &[Method::Post],
        )]
    },
}];

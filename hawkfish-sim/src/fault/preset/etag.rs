//! Tags, and what goes by them.

use crate::fault::{Headers, Method, Then};

use super::{Preset, answer, rule};

pub(super) const PRESETS: &[Preset] = &[
    Preset {
        name: "refuses-its-own-etag",
        about: "Whatever stands in If-Match: 412.",
        make: || {
            let refuse = answer(412, "PreconditionFailed", &[], None);
            let methods = [Method::Patch, Method::Delete, Method::Put];
            let mut stale = rule("refuses-its-own-etag", refuse, "/redfish/v1/**", &methods);
            stale.when.header = Some("if-match".to_owned());
            vec![stale]
        },
    },
    Preset {
        name: "no-etags",
        about: "Answers have no ETag header.",
        make: || {
            let headers = Headers {
                remove: vec!["etag".to_owned()],
                ..Headers::default()
            };
            vec![rule(
                "no-etags",
                Then::Headers(headers),
                "/redfish/v1/**",
                &[],
            )]
        },
    },
];

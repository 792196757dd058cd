//! Tags, and what goes by them.

use jiff::SignedDuration;

use super::{ALL, Preset, answer, edited, of_every_get, rule};
use crate::fault::{Cache, Change, Etag, Headers, Method, Then};

pub(super) const PRESETS: &[Preset] = &[
    Preset {
        name: "refuses-its-own-etag",
        about: "Whatever stands in If-Match: 412.",
        make: || {
            let refuse = answer(412, "PreconditionFailed", &[], None);
            let methods = [Method::Patch, Method::Delete, Method::Put];
            let mut stale = rule("refuses-its-own-etag", refuse, ALL, &methods);
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
            vec![rule("no-etags", Then::Headers(headers), ALL, &[])]
        },
    },
    Preset {
        name: "etag-of-the-state-before",
        about: "After a change a GET shows the tag of the state before, so that the next change by it is refused with 412, as where tags are made once a minute.",
        make: || of_every_get("etag-of-the-state-before", Then::Etag(Etag::Before)),
    },
    Preset {
        name: "etag-header-differs",
        about: "The header ETag is not what @odata.etag says; only that one is right.",
        make: || of_every_get("etag-header-differs", Then::Etag(Etag::HeaderDiffers)),
    },
    Preset {
        name: "weak-etags",
        about: "The tag in the header is weak, that in the body strong, as where a web server in front packs answers.",
        make: || of_every_get("weak-etags", Then::Etag(Etag::Weakness)),
    },
    Preset {
        name: "members-without-etags",
        about: "Members that are brought in by $expand have no @odata.etag.",
        make: || {
            let gone = Change::Remove("/Members/*/@odata.etag".to_owned());
            edited("members-without-etags", vec![gone])
        },
    },
    Preset {
        name: "not-modified-though-changed",
        about: "What is asked for with If-None-Match is always answered with 304, also when it has changed.",
        make: || of_every_get("not-modified-though-changed", Then::Etag(Etag::Unchanged)),
    },
    Preset {
        name: "stale-reads",
        about: "A GET is answered for half a minute as it was before, so that changes show late, as where a cache stands before the service.",
        make: || {
            let cache = Cache {
                keep: SignedDuration::from_secs(30),
            };
            of_every_get("stale-reads", Then::Cache(cache))
        },
    },
];

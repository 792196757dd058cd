//! Headers of answers, and parameters of requests.

use super::{ALL, Preset, SESSIONS, of_every_get, rule};
use crate::fault::{
    Aim, Damage, Framing, Headers, Location, Method, Pattern, Query, Redirect, Rule, Then,
};

/// The parameters that DSP0266 names.
const KNOWN: [&str; 6] = ["$expand", "$select", "$filter", "$top", "$skip", "$count"];

pub(super) const PRESETS: &[Preset] = &[
    Preset {
        name: "task-without-location",
        about: "Answers to actions do not say where the task that they made is.",
        make: || {
            let gone = Then::Headers(Headers {
                remove: vec!["location".to_owned()],
                ..Headers::default()
            });
            let actions = "/redfish/v1/**/Actions/*";
            vec![rule(
                "task-without-location",
                gone,
                actions,
                &[Method::Post],
            )]
        },
    },
    Preset {
        name: "absolute-locations",
        about: "Location has scheme and host in front of the path.",
        make: || of_all("absolute-locations", Then::Location(Location::Absolute)),
    },
    Preset {
        name: "locations-of-another-host",
        about: "Location names a host that only the BMC knows, as from behind a translation of addresses.",
        make: || {
            let host = Location::Host("https://bmc.invalid".to_owned());
            of_all("locations-of-another-host", Then::Location(host))
        },
    },
    Preset {
        name: "redirects-to-slash",
        about: "A login without a slash at the end of its URI is sent on to the one with it by 301, of which most clients make a GET.",
        make: || {
            let redirect = Then::Redirect(Redirect {
                status: 301,
                to: Aim::Slash,
            });
            vec![rule(
                "redirects-to-slash",
                redirect,
                SESSIONS,
                &[Method::Post],
            )]
        },
    },
    Preset {
        name: "gzip-always",
        about: "Bodies are packed by gzip, also when the client wants them as they are.",
        make: || of_every_get("gzip-always", Then::Damage(Damage::Gzip)),
    },
    Preset {
        name: "wrong-content-type",
        about: "JSON is said to be text/plain.",
        make: || {
            let set = [("content-type".to_owned(), "text/plain".to_owned())];
            let plain = Then::Headers(Headers {
                set: set.into(),
                ..Headers::default()
            });
            of_every_get("wrong-content-type", plain)
        },
    },
    Preset {
        name: "capital-header-names",
        about: "Names of headers are in capital letters: who compares them as they are written misses them.",
        make: || of_all("capital-header-names", Then::Framing(Framing::CapitalNames)),
    },
    Preset {
        name: "ignores-query-parameters",
        about: "Parameters that begin with a dollar are not looked at: no $expand, no $filter, and no error, as of services built without them.",
        make: || query("ignores-query-parameters", &[]),
    },
    Preset {
        name: "ignores-unknown-parameters",
        about: "Unknown parameters that begin with a dollar are not looked at, where the specification wants 501.",
        make: || query("ignores-unknown-parameters", &KNOWN),
    },
];

fn of_all(name: &str, then: Then) -> Vec<Rule> {
    vec![rule(name, then, ALL, &[])]
}

fn query(name: &str, keep: &[&str]) -> Vec<Rule> {
    let pattern = |text: &&str| Pattern::new(text).expect("a constant pattern");
    let query = Query {
        ignore: vec![pattern(&"$*")],
        keep: keep.iter().map(pattern).collect(),
    };
    of_every_get(name, Then::Query(query))
}

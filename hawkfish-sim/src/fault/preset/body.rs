//! Bodies of answers.

use crate::fault::{Damage, Then};

use super::{Preset, sometimes};

pub(super) const PRESETS: &[Preset] = &[
    Preset {
        name: "truncated-json",
        about: "One GET in five answers with half of its JSON.",
        make: || {
            vec![sometimes(
                "truncated-json",
                Then::Damage(Damage::Truncated),
                0.2,
            )]
        },
    },
    Preset {
        name: "html-error-page",
        about: "One GET in five answers with a page of the web server in front.",
        make: || {
            vec![sometimes(
                "html-error-page",
                Then::Damage(Damage::Html),
                0.2,
            )]
        },
    },
];

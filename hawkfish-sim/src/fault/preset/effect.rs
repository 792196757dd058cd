//! Done, or said to be done.

use crate::fault::{Calls, HangUp, Method, Pretend, Then};

use super::{INSERT, Preset, RESET, rule};

pub(super) const PRESETS: &[Preset] = &[
    Preset {
        name: "power-does-not-come",
        about: "A reset is answered with 204, and nothing happens.",
        make: || {
            let pretend = Then::Pretend(Pretend::default());
            vec![rule("power-does-not-come", pretend, RESET, &[Method::Post])]
        },
    },
    Preset {
        name: "media-does-not-mount",
        about: "InsertMedia is answered with 204, and the slot stays empty.",
        make: || {
            let pretend = Then::Pretend(Pretend::default());
            vec![rule(
                "media-does-not-mount",
                pretend,
                INSERT,
                &[Method::Post],
            )]
        },
    },
    Preset {
        name: "lost-answers",
        about: "Every second reset is carried out, and its answer is lost.",
        make: || {
            let mut lost = rule(
                "lost-answers",
                Then::HangUp(HangUp::After),
                RESET,
                &[Method::Post],
            );
            lost.when.calls = Calls {
                every: 2,
                ..Calls::default()
            };
            vec![lost]
        },
    },
];

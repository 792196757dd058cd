//! Connections.

use crate::fault::{Damage, HangUp, Then};

use super::{Preset, sometimes};

pub(super) const PRESETS: &[Preset] = &[
    Preset {
        name: "cut-off",
        about: "One GET in five breaks off in the middle of its body.",
        make: || vec![sometimes("cut-off", Then::Damage(Damage::CutOff), 0.2)],
    },
    Preset {
        name: "drops-connections",
        about: "One GET in five finds its connection closed.",
        make: || {
            vec![sometimes(
                "drops-connections",
                Then::HangUp(HangUp::Before),
                0.2,
            )]
        },
    },
];

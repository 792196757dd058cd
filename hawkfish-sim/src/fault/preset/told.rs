//! Events.

use jiff::SignedDuration;

use super::{Preset, always};
use crate::fault::{Delay, Events, Reordered, Then};

pub(super) const PRESETS: &[Preset] = &[
    Preset {
        name: "events-get-lost",
        about: "One event in five never arrives.",
        make: || {
            let mut lost = always("events-get-lost", Then::Events(Events::Lost));
            lost.when.chance = Some(0.2);
            vec![lost]
        },
    },
    Preset {
        name: "events-twice",
        about: "Every event arrives twice.",
        make: || vec![always("events-twice", Then::Events(Events::Twice))],
    },
    Preset {
        name: "events-late",
        about: "Every event arrives ten to thirty seconds after it happened.",
        make: || {
            let secs = SignedDuration::from_secs;
            let late = Delay::between(secs(10), secs(30));
            vec![always("events-late", Then::Events(Events::Late(late)))]
        },
    },
    Preset {
        name: "events-out-of-order",
        about: "Events arrive four at a time, in another order.",
        make: || {
            let reordered = Events::Reordered(Reordered {
                window: 4,
                within: SignedDuration::from_secs(30),
            });
            vec![always("events-out-of-order", Then::Events(reordered))]
        },
    },
];

//! Too much at a time, and too slow.

use super::{Preset, SYSTEM, answer, rule, slow};

pub(super) const PRESETS: &[Preset] = &[
    Preset {
        name: "busy-now-and-then",
        about: "One request in ten is answered with 503 and Retry-After: 2.",
        make: || {
            let mut busy = rule(
                "busy-now-and-then",
                answer(503, "ServiceTemporarilyUnavailable", &["2"], Some(2)),
                "/redfish/v1/**",
                &[],
            );
            busy.when.chance = Some(0.1);
            vec![busy]
        },
    },
    Preset {
        name: "overloaded",
        about: "More than eight requests at a time are refused with 503.",
        make: || {
            let mut over = rule(
                "overloaded",
                answer(503, "ServiceTemporarilyUnavailable", &["1"], Some(1)),
                "/redfish/v1/**",
                &[],
            );
            over.when.in_flight_over = Some(8);
            vec![over]
        },
    },
    Preset {
        name: "slow",
        about: "Every answer takes two to five seconds.",
        make: || vec![slow("slow", 2, 5, "/redfish/v1/**")],
    },
    Preset {
        name: "slow-first-inventory",
        about: "The first look at each system takes half a minute, as after a cold start of a BMC.",
        make: || {
            let mut first = slow("slow-first-inventory", 30, 30, SYSTEM);
            first.when.calls.most = Some(1);
            vec![first]
        },
    },
];

//! Too much at a time, and too slow.

use jiff::SignedDuration;

use super::{ALL, Preset, SYSTEM, answer, of_every_get, rule, slow, sometimes};
use crate::fault::{Answer, Damage, Delay, Rate, RetryForm, Rule, Then, Trickle};

pub(super) const PRESETS: &[Preset] = &[
    Preset {
        name: "busy-now-and-then",
        about: "One request in ten is answered with 503 and Retry-After: 2.",
        make: || {
            let mut busy = rule(
                "busy-now-and-then",
                answer(503, "ServiceTemporarilyUnavailable", &["2"], Some(2)),
                ALL,
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
                ALL,
                &[],
            );
            over.when.in_flight_over = Some(8);
            vec![over]
        },
    },
    Preset {
        name: "slow",
        about: "Every answer takes two to five seconds.",
        make: || vec![slow("slow", 2, 5, ALL)],
    },
    Preset {
        name: "slow-first-inventory",
        about: "The first look at a system takes half a minute, as after a cold start of a BMC.",
        make: || {
            let mut first = slow("slow-first-inventory", 30, 30, SYSTEM);
            first.when.calls.most = Some(1);
            vec![first]
        },
    },
    Preset {
        name: "slow-tail",
        about: "Half of all answers take a fifth of a second, one in a hundred six seconds or more, as of BMCs with more to do than their processor can.",
        make: || {
            let delay = Delay::LogNormal {
                median: SignedDuration::from_millis(200),
                p99: SignedDuration::from_secs(6),
            };
            of_every_get("slow-tail", Then::Delay(delay))
        },
    },
    Preset {
        name: "rate-limited",
        about: "More than ten requests in a second are refused with 429 and Retry-After: 1, as by a web server in front that guards the service.",
        make: || {
            let limit = answer(429, "GeneralError", &[], Some(1));
            vec![limited("rate-limited", limit)]
        },
    },
    Preset {
        name: "rate-limited-with-a-date",
        about: "More than ten requests in a second are refused with 429, and Retry-After is a date, as HTTP allows and few clients know.",
        make: || {
            let limit = Then::Answer(Answer {
                status: 429,
                retry_after: Some(30),
                retry_as: RetryForm::Date,
                ..Answer::default()
            });
            vec![limited("rate-limited-with-a-date", limit)]
        },
    },
    Preset {
        name: "trickles",
        about: "Bodies of answers come with a thousand bytes a second, as over a shared sideband link.",
        make: || {
            let trickle = Trickle {
                bytes_per_second: 1000,
            };
            of_every_get("trickles", Then::Trickle(trickle))
        },
    },
    Preset {
        name: "stalls-in-bodies",
        about: "One GET in five gets half of its body, and then nothing, on a connection that stays open.",
        make: || {
            vec![sometimes(
                "stalls-in-bodies",
                Then::Damage(Damage::Stalled),
                0.2,
            )]
        },
    },
];

fn limited(name: &str, then: Then) -> Rule {
    let mut limited = rule(name, then, ALL, &[]);
    limited.when.rate_over = Some(Rate {
        calls: 10,
        within: SignedDuration::from_secs(1),
    });
    limited
}

//! BMCs.

use jiff::SignedDuration;

use super::{Preset, always};
use crate::fault::{Away, Bmc, Calls, Clock, Reboot, Rule, Then};

pub(super) const PRESETS: &[Preset] = &[
    Preset {
        name: "bmc-reboots-now-and-then",
        about: "Each 25th request finds that the BMC restarts: connections are closed for half a minute, sessions and streams are gone.",
        make: || {
            let reboot = Reboot {
                offline: SignedDuration::from_secs(30),
                ..Reboot::default()
            };
            let mut rule = bmc("bmc-reboots-now-and-then", Bmc::Reboot(reboot));
            rule.when.calls = Calls {
                first: 25,
                every: 25,
                ..Calls::default()
            };
            vec![rule]
        },
    },
    Preset {
        name: "bmc-reboots-every-hour",
        about: "Each hour the BMC restarts: for ten seconds it answers with 503, then connections are closed for a minute.",
        make: || {
            let reboot = Reboot {
                offline: SignedDuration::from_secs(70),
                busy_first: SignedDuration::from_secs(10),
                ..Reboot::default()
            };
            let hour = SignedDuration::from_hours(1);
            let mut rule = at("bmc-reboots-every-hour", Bmc::Reboot(reboot), hour);
            rule.when.every = Some(hour);
            vec![rule]
        },
    },
    Preset {
        name: "bmc-hangs",
        about: "After five minutes the BMC answers nothing for two minutes; then it is back, with its sessions.",
        make: || {
            let reboot = Reboot {
                offline: SignedDuration::from_mins(2),
                away: Away::Hangs,
                keeps_sessions: true,
                ..Reboot::default()
            };
            let after = SignedDuration::from_mins(5);
            vec![at("bmc-hangs", Bmc::Reboot(reboot), after)]
        },
    },
    Preset {
        name: "clock-in-1970",
        about: "After five minutes the BMC restarts, and its clock begins anew in 1970.",
        make: || {
            let reboot = Reboot {
                clock_in_1970: true,
                ..Reboot::default()
            };
            let after = SignedDuration::from_mins(5);
            vec![at("clock-in-1970", Bmc::Reboot(reboot), after)]
        },
    },
    Preset {
        name: "clock-an-hour-ahead",
        about: "The clock of the BMC is an hour ahead: its DateTime, its events, the log of its system.",
        make: || {
            let clock = Clock {
                offset: SignedDuration::from_hours(1),
                ..Clock::default()
            };
            let now = SignedDuration::ZERO;
            vec![at("clock-an-hour-ahead", Bmc::Clock(clock), now)]
        },
    },
    Preset {
        name: "clock-drifts",
        about: "The clock of the BMC is slow: it loses four seconds in an hour.",
        make: || {
            let clock = Clock {
                drift_ppm: -1111.0,
                ..Clock::default()
            };
            let now = SignedDuration::ZERO;
            vec![at("clock-drifts", Bmc::Clock(clock), now)]
        },
    },
    Preset {
        name: "bmc-forgets-its-settings",
        about: "After ten minutes the BMC is as it came, and restarts.",
        make: || {
            let after = SignedDuration::from_mins(10);
            vec![at("bmc-forgets-its-settings", Bmc::FactoryReset, after)]
        },
    },
];

fn bmc(name: &str, bmc: Bmc) -> Rule {
    always(name, Then::Bmc(bmc))
}

fn at(name: &str, what: Bmc, at: SignedDuration) -> Rule {
    let mut rule = bmc(name, what);
    rule.when.at = Some(at);
    rule
}

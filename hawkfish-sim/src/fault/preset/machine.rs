//! Machines.

use jiff::SignedDuration;

use super::{Preset, always};
use crate::fault::{Command, Delay, Machine, Media, Override, Power, Rule, Then};

const MINUTES: SignedDuration = SignedDuration::from_mins(5);

pub(super) const PRESETS: &[Preset] = &[
    Preset {
        name: "power-stays-as-it-is",
        about: "Power commands are taken, and nothing happens: on stays off, off stays on.",
        make: || vec![power("power-stays-as-it-is", Power::Ignored)],
    },
    Preset {
        name: "power-comes-late",
        about: "A system that is turned on comes on one to three minutes later.",
        make: || {
            let mins = SignedDuration::from_mins;
            let late = Delay::between(mins(1), mins(3));
            let mut rule = power("power-comes-late", Power::Late(late));
            rule.when.power = vec![Command::On];
            vec![rule]
        },
    },
    Preset {
        name: "power-comes-and-goes",
        about: "A system that is turned on is off again 20 seconds later.",
        make: || {
            let soon = Delay::Constant(SignedDuration::from_secs(20));
            let mut rule = power("power-comes-and-goes", Power::Bounces(soon));
            rule.when.power = vec![Command::On];
            vec![rule]
        },
    },
    Preset {
        name: "power-state-lags",
        about: "PowerState shows for half a minute what was before.",
        make: || {
            let long = Delay::Constant(SignedDuration::from_secs(30));
            vec![power("power-state-lags", Power::Lags(long))]
        },
    },
    Preset {
        name: "override-ignored",
        about: "The boot override is not looked at: the system boots as its order says.",
        make: || {
            vec![machine(
                "override-ignored",
                Machine::Override(Override::Ignored),
            )]
        },
    },
    Preset {
        name: "once-sticks",
        about: "A boot override for one boot stays for all boots.",
        make: || vec![machine("once-sticks", Machine::Override(Override::Stays))],
    },
    Preset {
        name: "media-unseen",
        about: "A medium is shown as inserted, and the system does not see it.",
        make: || vec![machine("media-unseen", Machine::Media(Media::Unseen))],
    },
    Preset {
        name: "media-ejects-itself",
        about: "A medium ejects itself after two minutes.",
        make: || {
            let long = Delay::Constant(SignedDuration::from_mins(2));
            let ejects = Machine::Media(Media::EjectsItself(long));
            vec![machine("media-ejects-itself", ejects)]
        },
    },
    Preset {
        name: "guest-hangs",
        about: "After five minutes the guest does nothing any more.",
        make: || vec![later("guest-hangs", Machine::GuestHangs)],
    },
    Preset {
        name: "disk-fails",
        about: "After five minutes the first disk fails.",
        make: || vec![later("disk-fails", Machine::DiskFails("disk0".to_owned()))],
    },
    Preset {
        name: "fan-fails",
        about: "After five minutes the first fan stands still.",
        make: || vec![later("fan-fails", Machine::FanFails(1))],
    },
    Preset {
        name: "processor-too-hot",
        about: "After five minutes the first processor shows 101 degrees.",
        make: || {
            let hot = Machine::SensorShows {
                id: "CPU1Temperature".to_owned(),
                reading: 101.0,
            };
            vec![later("processor-too-hot", hot)]
        },
    },
    Preset {
        name: "link-down",
        about: "After five minutes the first network interface has no link.",
        make: || vec![later("link-down", Machine::LinkDown(0))],
    },
    Preset {
        name: "power-fails",
        about: "After five minutes the power goes, and a minute later it is back.",
        make: || {
            let back = {
                let mut back = machine("power-is-back", Machine::PowerComes);
                back.when.at = Some(SignedDuration::from_mins(6));
                back
            };
            vec![later("power-fails", Machine::PowerCut), back]
        },
    },
];

fn machine(name: &str, machine: Machine) -> Rule {
    always(name, Then::Machine(machine))
}

fn power(name: &str, power: Power) -> Rule {
    machine(name, Machine::Power(power))
}

fn later(name: &str, what: Machine) -> Rule {
    let mut rule = machine(name, what);
    rule.when.at = Some(MINUTES);
    rule
}

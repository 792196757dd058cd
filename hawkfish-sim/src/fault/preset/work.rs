//! Tasks and updates.

use jiff::SignedDuration;

use super::{Preset, always};
use crate::fault::{Delay, Fails, Firmware, Machine, Percent, Rule, Task, Then, Work};

pub(super) const PRESETS: &[Preset] = &[
    Preset {
        name: "tasks-slow",
        about: "Every task takes two minutes longer.",
        make: || {
            let long = Delay::Constant(SignedDuration::from_mins(2));
            vec![task("tasks-slow", Task::Slow(long))]
        },
    },
    Preset {
        name: "tasks-fail",
        about: "One task in three ends with Exception.",
        make: || {
            let fails = Fails {
                message: Some("The operation failed for an unknown reason.".to_owned()),
                ..Fails::default()
            };
            let mut rule = task("tasks-fail", Task::Fails(fails));
            rule.when.chance = Some(0.34);
            vec![rule]
        },
    },
    Preset {
        name: "tasks-hang",
        about: "No task ends, until it is cancelled.",
        make: || vec![task("tasks-hang", Task::Hangs)],
    },
    Preset {
        name: "tasks-vanish",
        about: "Ten seconds after it was made a task is forgotten: its monitor is 404. The work goes on.",
        make: || {
            let soon = Delay::Constant(SignedDuration::from_secs(10));
            vec![task("tasks-vanish", Task::Vanishes(soon))]
        },
    },
    Preset {
        name: "percent-goes-back",
        about: "Every other look at a task finds half of the percentage.",
        make: || vec![task("percent-goes-back", Task::Percent(Percent::GoesBack))],
    },
    Preset {
        name: "percent-stays",
        about: "A task shows 0 percent until it is done.",
        make: || vec![task("percent-stays", Task::Percent(Percent::Stays(0)))],
    },
    Preset {
        name: "media-fails",
        about: "InsertMedia fails after 20 seconds: the image cannot be mounted.",
        make: || {
            let fails = Fails {
                message: Some("The image could not be mounted.".to_owned()),
                after: Some(Delay::Constant(SignedDuration::from_secs(20))),
            };
            let mut rule = task("media-fails", Task::Fails(fails));
            rule.when.operation = vec![Work::InsertMedia];
            vec![rule]
        },
    },
    Preset {
        name: "update-fails-halfway",
        about: "An update brings its image to the machine, and fails ten seconds later, when it should be put to use.",
        make: || {
            let fails = Fails {
                message: Some("The image could not be written to the flash memory.".to_owned()),
                after: Some(Delay::Constant(SignedDuration::from_secs(10))),
            };
            let mut rule = task("update-fails-halfway", Task::Fails(fails));
            rule.when.operation = vec![Work::ApplyFirmware];
            vec![rule]
        },
    },
    Preset {
        name: "update-keeps-the-old-version",
        about: "The reset after an update starts the old firmware, and the new one is gone.",
        make: || vec![firmware("update-keeps-the-old-version", Firmware::KeepsOld)],
    },
    Preset {
        name: "update-rolls-back",
        about: "Five minutes after an update the old firmware is back.",
        make: || {
            let long = Delay::Constant(SignedDuration::from_mins(5));
            vec![firmware("update-rolls-back", Firmware::RollsBack(long))]
        },
    },
    Preset {
        name: "update-needs-bmc-reset",
        about: "A new firmware is in use only when the BMC was reset after the system was.",
        make: || vec![firmware("update-needs-bmc-reset", Firmware::WaitsForBmc)],
    },
];

fn task(name: &str, task: Task) -> Rule {
    always(name, Then::Task(task))
}

fn firmware(name: &str, firmware: Firmware) -> Rule {
    always(name, Then::Machine(Machine::Firmware(firmware)))
}

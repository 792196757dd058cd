//! The registry Power: DMTF's keys, argument counts and severities; our words. Not the whole of it: the thresholds of voltage, current, power and
//! frequency are not watched here.

use super::Severity::{Critical, OK, Warning};
use super::registry::{Entry, Registry, entry, news};

/// What becomes of power and what provides it.
pub const POWER: Registry = Registry {
    prefix: "Power",
    version: "1.2",
    release: "1.2.0",
    entries: ENTRIES,
};

const REPLACE: &str = "Have the part replaced.";
const SUPPLY: &str = "See to it that power comes in.";

const ENTRIES: &[Entry] = &[
    news("ChassisPoweredOn", OK, "%1 %2 is on."),
    news("ChassisPoweredOff", OK, "%1 %2 is off."),
    news("OutletPoweredOn", OK, "The outlet %1 is on."),
    news("OutletPoweredOff", OK, "The outlet %1 is off."),
    news("CircuitPoweredOn", OK, "The circuit %1 is on."),
    news("CircuitPoweredOff", OK, "The circuit %1 is off."),
    entry(
        "BreakerTripped",
        Critical,
        "The breaker of %1 has tripped.",
        "Find out why so much current flowed before the breaker is reset.",
    ),
    news("BreakerReset", OK, "The breaker of %1 was reset."),
    entry(
        "BreakerFault",
        Critical,
        "The breaker of %1 is broken.",
        REPLACE,
    ),
    entry(
        "PowerSupplyFailed",
        Critical,
        "The power supply %1 has failed.",
        REPLACE,
    ),
    entry(
        "PowerSupplyPredictiveFailure",
        Warning,
        "The power supply %1 is likely to fail soon.",
        REPLACE,
    ),
    entry(
        "PowerSupplyWarning",
        Warning,
        "The power supply %1 is not as it should be.",
        "Have the part looked at.",
    ),
    news(
        "PowerSupplyRestored",
        OK,
        "The power supply %1 is well again.",
    ),
    news(
        "PowerSupplyRemoved",
        OK,
        "The power supply %1 was taken out.",
    ),
    news("PowerSupplyInserted", OK, "The power supply %1 was put in."),
    entry(
        "LossOfInputPower",
        Warning,
        "No power comes into %1.",
        SUPPLY,
    ),
    entry(
        "LineInputPowerFault",
        Warning,
        "The power that comes into %1 is not as it should be.",
        SUPPLY,
    ),
    news("LineInputPowerRestored", OK, "Power comes into %1 again."),
    entry(
        "PowerSupplyGroupCritical",
        Critical,
        "So many of the power supplies of %1 have failed that the rest may not do.",
        REPLACE,
    ),
    entry(
        "PowerSupplyGroupWarning",
        Warning,
        "Some of the power supplies of %1 have failed; no more may fail.",
        REPLACE,
    ),
    news(
        "PowerSupplyGroupNormal",
        OK,
        "The power supplies of %1 are well again.",
    ),
];

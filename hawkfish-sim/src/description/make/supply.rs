//! What gives a make power and air.

use hawkfish_core::backend::sim::{self, Profile};
use serde::{Deserialize, Serialize};

use super::super::{BadDescription, wrong};

/// What a server takes, watts; what is not said is as in the base.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PowerMake {
    /// While there is nothing to do; what processors and memory take, unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle: Option<f64>,
    /// When all processors are busy; likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub busy: Option<f64>,
    /// While it is off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standby: Option<f64>,
}

/// Power supplies; what is not said is as in the base.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SupplyMake {
    /// How many there are, 1 to 16.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// What each gives at most, watts; the next usual size unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watts: Option<f64>,
    /// Who made them; who made the server unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manufacturer: Option<String>,
    /// What they are called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Of what goes in, the share that comes out: above 0, to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub efficiency: Option<f64>,
}

/// Fans; what is not said is as in the base.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FanMake {
    /// How many there are, at most 64; two and two for each socket unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// How fast each turns at most, turns a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rpm: Option<f64>,
    /// Percent of that at which it turns at least.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub least: Option<f64>,
}

const WATTS: (f64, f64) = (1.0, 1e6);

fn within(
    at: &str,
    what: &str,
    number: Option<f64>,
    (least, most): (f64, f64),
) -> Result<(), BadDescription> {
    match number {
        // Not a number is not within anything.
        Some(n) if !(least..=most).contains(&n) => {
            Err(wrong(at, format!("{what} is {least} to {most}")))
        }
        _ => Ok(()),
    }
}

impl PowerMake {
    pub(super) fn over(
        &self,
        base: &sim::PowerMake,
        at: &str,
    ) -> Result<sim::PowerMake, BadDescription> {
        within(at, "power.idle", self.idle, WATTS)?;
        within(at, "power.busy", self.busy, WATTS)?;
        within(at, "power.standby", self.standby, (0.0, WATTS.1))?;
        let made = sim::PowerMake {
            idle: self.idle.or(base.idle),
            busy: self.busy.or(base.busy),
            standby: self.standby.unwrap_or(base.standby),
        };
        if made
            .idle
            .zip(made.busy)
            .is_some_and(|(idle, busy)| idle > busy)
        {
            return Err(wrong(at, "power.idle is at most power.busy"));
        }
        Ok(made)
    }
}

impl SupplyMake {
    pub(super) fn over(
        &self,
        base: &sim::SupplyMake,
        at: &str,
    ) -> Result<sim::SupplyMake, BadDescription> {
        let count = self.count.map(f64::from);
        within(at, "power_supplies.count", count, (1.0, 16.0))?;
        within(at, "power_supplies.watts", self.watts, WATTS)?;
        let efficiency = (0.01, 1.0);
        within(at, "power_supplies.efficiency", self.efficiency, efficiency)?;
        let text = |said: &Option<String>, base: &Option<String>| said.clone().or(base.clone());
        Ok(sim::SupplyMake {
            count: self.count.unwrap_or(base.count),
            watts: self.watts.or(base.watts),
            manufacturer: text(&self.manufacturer, &base.manufacturer),
            model: text(&self.model, &base.model),
            efficiency: self.efficiency.unwrap_or(base.efficiency),
        })
    }
}

impl FanMake {
    pub(super) fn over(
        &self,
        base: &sim::FanMake,
        at: &str,
    ) -> Result<sim::FanMake, BadDescription> {
        within(at, "fans.count", self.count.map(f64::from), (0.0, 64.0))?;
        within(at, "fans.rpm", self.rpm, (1.0, 100_000.0))?;
        within(at, "fans.least", self.least, (0.0, 100.0))?;
        Ok(sim::FanMake {
            count: self.count.or(base.count),
            rpm: self.rpm.unwrap_or(base.rpm),
            least: self.least.unwrap_or(base.least),
        })
    }
}

/// Whether the power supplies of a make give what it takes.
pub(super) fn check(profile: &Profile, at: &str) -> Result<(), BadDescription> {
    let busy = profile.most_watts();
    match profile.parts.supply.watts {
        Some(watts) if watts * f64::from(profile.parts.supply.count) < busy => Err(wrong(
            at,
            format!("its power supplies give less than the {busy:.0} W that it takes"),
        )),
        _ => Ok(()),
    }
}

//! Machines that do not do what they are told, and parts that fail: in the machine itself, whatever is asked of it and by whom.

use std::time::Duration;

use hawkfish_core::backend::sim::{Misboot, Misflash, Mishap, Mismount, Misstep, Victim};
use hawkfish_core::backend::{MediaKind, Step};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::engine::{Engine, Firing};
use super::latency::Delay;
use super::rule::{Rule, Then};

/// What goes wrong with a machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Machine {
    /// A power command.
    Power(Power),
    /// The choice of what to boot, while an override is set.
    Override(Override),
    /// A medium that is put in.
    Media(Media),
    /// A firmware that a reset should put to use.
    Firmware(Firmware),
    /// The guest does nothing any more.
    GuestHangs,
    /// A disk fails, by its name: `disk0`.
    DiskFails(String),
    /// A failed disk is sound again.
    DiskMended(String),
    /// A sensor shows a reading that is not so.
    SensorShows {
        /// Its id: `CPU1Temperature`.
        id: String,
        /// What it shows.
        reading: f64,
    },
    /// A fan stands still, by its number, from 1.
    FanFails(u32),
    /// All sensors and fans are as they should be again.
    SensorsMended,
    /// A network interface loses its link, by its number, from 0.
    LinkDown(u8),
    /// A network interface has its link again.
    LinkUp(u8),
    /// The power goes.
    PowerCut,
    /// The power comes.
    PowerComes,
}

/// What goes wrong with a power command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Power {
    /// It is taken, and nothing happens: on stays off, off stays on.
    Ignored,
    /// It is taken, and done so much later.
    Late(Delay),
    /// It is done, and so long after it the power is as it was before.
    Bounces(Delay),
    /// It is done, and `PowerState` shows what was before for so long.
    Lags(Delay),
}

/// What becomes of a boot override.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Override {
    /// It is not looked at; `Once` is used up all the same.
    Ignored,
    /// `Once` stays.
    Stays,
}

/// What becomes of a medium.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Media {
    /// It is shown as inserted, and the machine does not see it.
    Unseen,
    /// It ejects itself so long after it was put in.
    EjectsItself(Delay),
}

/// What becomes of a firmware.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Firmware {
    /// The old version stays.
    KeepsOld,
    /// The old version is back so long after the reset.
    RollsBack(Delay),
    /// The new version is there only after a restart of the BMC.
    WaitsForBmc,
}

/// A power command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// It is to be on.
    On,
    /// It is to be off, by force or not.
    Off,
    /// It is to start anew.
    Reset,
}

impl Command {
    fn of(step: Step) -> Option<Self> {
        match step {
            Step::Start => Some(Self::On),
            Step::ForceOff | Step::Shutdown => Some(Self::Off),
            Step::Reset | Step::Restart => Some(Self::Reset),
            _ => None,
        }
    }
}

impl Machine {
    /// What it is when it happens by itself; `None` for what goes wrong with something that is done.
    pub(crate) fn mishap(&self) -> Option<Mishap> {
        Some(match self {
            Self::Power(_) | Self::Override(_) | Self::Media(_) | Self::Firmware(_) => return None,
            Self::GuestHangs => Mishap::GuestHangs,
            Self::DiskFails(disk) => Mishap::DiskFails(disk.clone()),
            Self::DiskMended(disk) => Mishap::DiskMended(disk.clone()),
            Self::SensorShows { id, reading } => Mishap::SensorShows(id.clone(), *reading),
            Self::FanFails(number) => Mishap::FanFails(*number),
            Self::SensorsMended => Mishap::SensorsMended,
            Self::LinkDown(nic) => Mishap::Link(*nic, false),
            Self::LinkUp(nic) => Mishap::Link(*nic, true),
            Self::PowerCut => Mishap::Power(false),
            Self::PowerComes => Mishap::Power(true),
        })
    }

    pub(super) fn check(&self) -> Result<(), String> {
        match self {
            Self::Power(Power::Late(delay) | Power::Bounces(delay) | Power::Lags(delay))
            | Self::Media(Media::EjectsItself(delay))
            | Self::Firmware(Firmware::RollsBack(delay)) => delay.check(),
            Self::SensorShows { reading, .. } if !reading.is_finite() => {
                Err("a reading is a number".to_owned())
            }
            _ => Ok(()),
        }
    }
}

fn span(delay: &Delay, firing: &Firing) -> Duration {
    let long: SignedDuration = delay.draw(firing.roll);
    // It was checked not to be below zero.
    Duration::try_from(long).unwrap_or_default()
}

impl Engine {
    /// The first rule that fires for something that is done to a machine.
    fn strike(
        &mut self,
        of: &Victim<'_>,
        beginning: Timestamp,
        is: impl Fn(&Rule, &Machine) -> bool,
    ) -> Option<Firing> {
        let key = of.key.to_string();
        let age = of.now.duration_since(beginning);
        self.fire_first(age, |rule| match &rule.then {
            Then::Machine(machine) => {
                rule.when.of_system(Some((&key, of.name))) && is(rule, machine)
            }
            _ => false,
        })
    }

    pub(crate) fn misstep(
        &mut self,
        of: &Victim<'_>,
        step: Step,
        beginning: Timestamp,
    ) -> Option<Misstep> {
        let command = Command::of(step)?;
        let firing = self.strike(of, beginning, |rule, machine| {
            let commands = &rule.when.power;
            matches!(machine, Machine::Power(_))
                && (commands.is_empty() || commands.contains(&command))
        })?;
        match &firing.rule.then {
            Then::Machine(Machine::Power(power)) => Some(match power {
                Power::Ignored => Misstep::Ignored,
                Power::Late(delay) => Misstep::Late(span(delay, &firing)),
                Power::Bounces(delay) => Misstep::Bounces(span(delay, &firing)),
                Power::Lags(delay) => Misstep::Lags(span(delay, &firing)),
            }),
            _ => None,
        }
    }

    pub(crate) fn misboot(&mut self, of: &Victim<'_>, beginning: Timestamp) -> Option<Misboot> {
        let is = |_: &Rule, machine: &Machine| matches!(machine, Machine::Override(_));
        match &self.strike(of, beginning, is)?.rule.then {
            Then::Machine(Machine::Override(Override::Ignored)) => Some(Misboot::OverrideIgnored),
            Then::Machine(Machine::Override(Override::Stays)) => Some(Misboot::OverrideStays),
            _ => None,
        }
    }

    pub(crate) fn mismount(
        &mut self,
        of: &Victim<'_>,
        _kind: MediaKind,
        beginning: Timestamp,
    ) -> Option<Mismount> {
        let is = |_: &Rule, machine: &Machine| matches!(machine, Machine::Media(_));
        let firing = self.strike(of, beginning, is)?;
        match &firing.rule.then {
            Then::Machine(Machine::Media(Media::Unseen)) => Some(Mismount::Unseen),
            Then::Machine(Machine::Media(Media::EjectsItself(delay))) => {
                Some(Mismount::Ejects(span(delay, &firing)))
            }
            _ => None,
        }
    }

    pub(crate) fn misflash(&mut self, of: &Victim<'_>, beginning: Timestamp) -> Option<Misflash> {
        let is = |_: &Rule, machine: &Machine| matches!(machine, Machine::Firmware(_));
        let firing = self.strike(of, beginning, is)?;
        match &firing.rule.then {
            Then::Machine(Machine::Firmware(firmware)) => Some(match firmware {
                Firmware::KeepsOld => Misflash::KeepsOld,
                Firmware::RollsBack(delay) => Misflash::RollsBack(span(delay, &firing)),
                Firmware::WaitsForBmc => Misflash::WaitsForManager,
            }),
            _ => None,
        }
    }
}

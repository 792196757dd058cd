//! What is measured in a make of server, and what gives it power and air, as data.

use std::sync::Arc;

use crate::backend::{Limits, Place, Quantity};

/// A sensor of a make.
#[derive(Clone, Debug, PartialEq)]
pub struct SensorMake {
    /// Its id: `CPU{n}Temperature`. Where there are several, `{n}` here and in the name is the number of each, from 1.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// What it measures.
    pub quantity: Quantity,
    /// Where.
    pub place: Place,
    /// What it reads.
    pub reads: Reads,
    /// Whether each socket has one.
    pub each_socket: bool,
    /// Least and most that it can read. That of [`Reads::Power`] is what a power supply gives, unless said.
    pub range: Option<(f64, f64)>,
    /// Readings above which somebody should look, should act, and harm is done. Those of [`Reads::Power`] follow from the power supplies, unless said.
    pub above: Limits,
    /// The same, below which.
    pub below: Limits,
}

/// What a sensor reads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reads {
    /// How much warmer it is than the air that comes in, degrees.
    Warmth(Warmth),
    /// From the one, with nothing to do, to the other, when all is busy. While the machine is off it is as warm as the air that comes in, and nothing else is read.
    Between {
        /// With nothing to do.
        idle: f64,
        /// When all is busy.
        busy: f64,
    },
    /// How fast a fan turns: as the warmest processor wants it. Each fan has one.
    Fan,
    /// What the machine takes, watts.
    Power,
    /// What it has taken since its last start or reset, kilowatt hours.
    Energy,
    /// How busy its processors are, percent.
    Load,
}

/// How much warmer something is than the air that comes in, degrees.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Warmth {
    /// Always.
    pub off: f64,
    /// Besides, while the machine is on.
    pub idle: f64,
    /// Besides, when it is busy.
    pub busy: f64,
    /// Besides, at most, by the nature of each.
    pub spread: f64,
    /// Whether being busy is taking power; else it is the load of the processors.
    pub by_power: bool,
}

/// What a make takes, watts.
#[derive(Clone, Debug, PartialEq)]
pub struct PowerMake {
    /// With nothing to do; what processors and memory take, unless said.
    pub idle: Option<f64>,
    /// When all is busy; likewise.
    pub busy: Option<f64>,
    /// While it is off.
    pub standby: f64,
}

/// The power supplies of a make.
#[derive(Clone, Debug, PartialEq)]
pub struct SupplyMake {
    /// How many there are, sharing what is taken.
    pub count: u32,
    /// What each gives at most, watts; the next usual size, unless said.
    pub watts: Option<f64>,
    /// Who made it; who made the server, unless said.
    pub manufacturer: Option<String>,
    /// What it is called; after what it gives, unless said.
    pub model: Option<String>,
    /// Of what goes in, the share that comes out.
    pub efficiency: f64,
}

/// The fans of a make.
#[derive(Clone, Debug, PartialEq)]
pub struct FanMake {
    /// How many there are; two, and two more for each socket, unless said.
    pub count: Option<u32>,
    /// How fast each turns at most, turns a minute.
    pub rpm: f64,
    /// Percent of that at which it turns at least.
    pub least: f64,
}

impl Default for PowerMake {
    fn default() -> Self {
        Self {
            idle: None,
            busy: None,
            standby: 9.0,
        }
    }
}

impl Default for SupplyMake {
    fn default() -> Self {
        Self {
            count: 2,
            watts: None,
            manufacturer: None,
            model: None,
            efficiency: 0.94,
        }
    }
}

impl Default for FanMake {
    fn default() -> Self {
        Self {
            count: None,
            rpm: 16_000.0,
            least: 20.0,
        }
    }
}

/// The sensors of every make, unless it says otherwise.
pub(super) fn usual() -> Arc<[SensorMake]> {
    let sensor = |id: &str, name: &str, quantity, place, reads| SensorMake {
        id: id.to_owned(),
        name: name.to_owned(),
        quantity,
        place,
        reads,
        each_socket: false,
        range: None,
        above: Limits::default(),
        below: Limits::default(),
    };
    let warm = |id, name, place, warmth, [caution, critical, fatal]: [f64; 3]| SensorMake {
        range: Some(TEMPERATURES),
        above: Limits {
            caution: Some(caution),
            critical: Some(critical),
            fatal: Some(fatal),
        },
        ..sensor(
            id,
            name,
            Quantity::Temperature,
            place,
            Reads::Warmth(warmth),
        )
    };
    let warmth = |off, idle, busy| Warmth {
        off,
        idle,
        busy,
        ..Warmth::default()
    };
    [
        warm(
            "IntakeTemperature",
            "Intake temperature",
            Place::Intake,
            Warmth::default(),
            [38.0, 42.0, 47.0],
        ),
        SensorMake {
            each_socket: true,
            ..warm(
                "CPU{n}Temperature",
                "Processor {n} temperature",
                Place::Cpu,
                Warmth {
                    spread: 4.0,
                    ..warmth(0.5, 11.0, 44.0)
                },
                [85.0, 95.0, 105.0],
            )
        },
        warm(
            "SystemBoardTemperature",
            "System board temperature",
            Place::Board,
            warmth(0.4, 6.0, 9.0),
            [60.0, 70.0, 80.0],
        ),
        warm(
            "MemoryTemperature",
            "Memory temperature",
            Place::Memory,
            warmth(0.4, 8.0, 14.0),
            [80.0, 85.0, 95.0],
        ),
        warm(
            "ExhaustTemperature",
            "Exhaust temperature",
            Place::Exhaust,
            Warmth {
                by_power: true,
                ..warmth(0.3, 4.0, 17.0)
            },
            [65.0, 75.0, 85.0],
        ),
        SensorMake {
            range: Some((0.0, 100.0)),
            ..sensor(
                "Fan{n}Speed",
                "Fan {n}",
                Quantity::FanSpeed,
                Place::Fan,
                Reads::Fan,
            )
        },
        sensor(
            "PowerConsumption",
            "Power consumption",
            Quantity::Power,
            Place::Chassis,
            Reads::Power,
        ),
        sensor(
            "EnergyConsumption",
            "Energy since the last start or reset",
            Quantity::Energy,
            Place::Chassis,
            Reads::Energy,
        ),
        SensorMake {
            range: Some((0.0, 100.0)),
            above: Limits {
                caution: Some(95.0),
                ..Limits::default()
            },
            ..sensor(
                "CPULoad",
                "Processor load",
                Quantity::Percent,
                Place::Cpu,
                Reads::Load,
            )
        },
    ]
    .into()
}

/// Least and most that thermometers read, unless said.
pub const TEMPERATURES: (f64, f64) = (-20.0, 125.0);

//! What the sensors of a simulated machine read at a moment, by the data of its make.

use std::f64::consts::TAU;

use super::gauge::{Reads, SensorMake, Warmth};
use super::profile::Profile;
use super::stats::{Character, Measured, Work, rounded};
use super::world::timestamp;
use crate::backend::{Limits, Origin, Place, Quantity, Sensor, Supply};

/// What the make takes: idle, and at most.
pub(super) fn watts(profile: &Profile) -> (f64, f64) {
    let gib = profile.memory_kib as f64 / f64::from(1 << 20);
    let cores = f64::from(profile.sockets * profile.cores);
    let power = &profile.parts.power;
    let idle = 30.0 + 22.0 * f64::from(profile.sockets) + 0.25 * gib;
    let idle = power.idle.unwrap_or(idle);
    let busy = idle + 5.5 * cores + 0.1 * gib;
    // What is idle takes no more than what is busy, whatever was said of the one alone.
    (idle, power.busy.unwrap_or(busy).max(idle))
}

/// What one power supply of the make gives at most.
pub(super) fn supply_watts(profile: &Profile) -> f64 {
    let most = watts(profile).1 * 1.1;
    let usual = || {
        [500.0, 800.0, 1100.0, 1600.0, 2400.0]
            .into_iter()
            .find(|size| *size >= most)
            .unwrap_or(3000.0)
    };
    profile.parts.supply.watts.unwrap_or_else(usual)
}

/// How many fans the make has.
fn fan_count(profile: &Profile) -> u32 {
    let fans = profile.parts.fan.count;
    fans.unwrap_or(2 + 2 * profile.sockets)
}

/// The ids of all sensors of a make, those of its power supplies among them.
pub(super) fn ids(profile: &Profile) -> impl Iterator<Item = String> {
    let own = profile
        .parts
        .sensors
        .iter()
        .flat_map(|make| numbers(make, profile).map(|n| numbered(&make.id, n)));
    let supplies = (1..=profile.parts.supply.count).flat_map(|supply| {
        ["InputVoltage", "InputCurrent", "InputPower", "OutputPower"]
            .map(|what| format!("PowerSupply{supply}{what}"))
    });
    own.chain(supplies)
}

/// The numbers of the sensors of one make.
fn numbers(make: &SensorMake, profile: &Profile) -> std::ops::RangeInclusive<u32> {
    1..=match make.reads {
        Reads::Fan => fan_count(profile),
        _ if make.each_socket => profile.sockets,
        _ => 1,
    }
}

fn numbered(text: &str, n: u32) -> String {
    text.replace("{n}", &n.to_string())
}

/// A machine at a moment, as its sensors see it.
pub(super) struct Scene<'a> {
    measured: &'a Measured<'a>,
    character: &'a Character,
    work: &'a Work,
    is_off: bool,
    /// What it takes, watts.
    power: f64,
    /// The air that comes in, degrees Celsius.
    intake: f64,
}

impl<'a> Scene<'a> {
    pub(super) fn of(
        measured: &'a Measured<'a>,
        character: &'a Character,
        work: &'a Work,
        is_off: bool,
    ) -> Self {
        let day = measured.now.rem_euclid(86_400_000) as f64 / 86_400_000.0;
        let (idle, most) = watts(measured.profile);
        Self {
            measured,
            character,
            work,
            is_off,
            power: if is_off {
                measured.profile.parts.power.standby
            } else {
                idle + (most - idle) * work.load
            },
            // Warmest at three in the afternoon.
            intake: 21.0 + 3.0 * character.of(3) + 1.5 * (TAU * (day - 0.375)).sin(),
        }
    }

    /// How warm it is, or what else goes with the load.
    fn by_load(&self, make: &SensorMake, n: u32) -> Option<f64> {
        match make.reads {
            Reads::Warmth(Warmth {
                off,
                idle,
                busy,
                spread,
                by_power,
            }) => {
                let share = match by_power {
                    true => self.power / watts(self.measured.profile).1,
                    false => self.work.load,
                };
                let lit = f64::from(u8::from(!self.is_off));
                let own = spread * self.character.of(19 + n);
                Some(self.intake + off + lit * (idle + own + busy * share))
            }
            Reads::Between { idle, busy } => match make.quantity {
                _ if !self.is_off => Some(idle + (busy - idle) * self.work.load),
                Quantity::Temperature => Some(self.intake),
                _ => None,
            },
            Reads::Fan | Reads::Power | Reads::Energy | Reads::Load => None,
        }
    }

    /// Percent of what the fans can turn.
    fn fans(&self) -> f64 {
        let profile = self.measured.profile;
        let warmest = profile
            .parts
            .sensors
            .iter()
            .filter(|make| make.place == Place::Cpu && make.quantity == Quantity::Temperature)
            .flat_map(|make| numbers(make, profile).filter_map(|n| self.by_load(make, n)))
            .fold(self.intake, f64::max);
        let lit = f64::from(u8::from(!self.is_off));
        let least = profile.parts.fan.least.clamp(0.0, 100.0);
        lit * (22.0 + 1.3 * (warmest - 35.0)).clamp(least, 100.0)
    }

    /// Everything that is measured, and the power supplies.
    pub(super) fn read(&self) -> (Vec<Sensor>, Vec<Supply>) {
        let profile = self.measured.profile;
        let fans = self.fans();
        let makes = profile.parts.sensors.iter();
        let mut sensors: Vec<Sensor> = makes
            .flat_map(|make| numbers(make, profile).map(move |n| self.sensor(make, n, fans)))
            .collect();
        let supplies = self.supplies();
        for supply in &supplies {
            sensors.extend(supply_sensors(supply));
        }
        (sensors, supplies)
    }

    fn sensor(&self, make: &SensorMake, n: u32, fans: f64) -> Sensor {
        let plain = Sensor {
            range: make.range,
            above: make.above,
            below: make.below,
            ..sensor(
                numbered(&make.id, n),
                numbered(&make.name, n),
                make.quantity,
                make.place,
            )
        };
        let profile = self.measured.profile;
        match make.reads {
            Reads::Warmth(_) | Reads::Between { .. } => Sensor {
                reading: self.by_load(make, n).map(|reading| {
                    let digits = match make.quantity {
                        Quantity::Voltage | Quantity::Current => 3,
                        _ => 1,
                    };
                    rounded(reading, digits)
                }),
                ..plain
            },
            Reads::Fan => Sensor {
                reading: Some(rounded(fans, 0)),
                rpm: Some(rounded(fans / 100.0 * profile.parts.fan.rpm, -1)),
                ..plain
            },
            Reads::Power => {
                let capacity = supply_watts(profile);
                Sensor {
                    reading: Some(rounded(self.power, 1)),
                    range: make.range.or(Some((0.0, capacity))),
                    above: Limits {
                        caution: make.above.caution.or(Some(rounded(0.9 * capacity, 0))),
                        critical: make.above.critical.or(Some(capacity)),
                        fatal: make.above.fatal,
                    },
                    ..plain
                }
            }
            Reads::Energy => {
                let since = self.measured.life.last_reset.filter(|_| !self.is_off);
                let (idle, most) = watts(profile);
                let kilowatt_hours = since.map(|since| {
                    let standing_too = (self.measured.now - since).max(0) as f64 / 1000.0;
                    (idle * standing_too + (most - idle) * self.work.busy) / 3.6e6
                });
                Sensor {
                    reading: kilowatt_hours.map(|energy| rounded(energy, 6)),
                    since: since.map(timestamp),
                    ..plain
                }
            }
            Reads::Load => Sensor {
                reading: (!self.is_off).then(|| rounded(100.0 * self.work.load, 1)),
                ..plain
            },
        }
    }

    fn supplies(&self) -> Vec<Supply> {
        let profile = self.measured.profile;
        let make = &profile.parts.supply;
        let capacity = supply_watts(profile);
        let serial = self.measured.identity.serial(self.measured.number);
        (1..=make.count)
            .map(|n| {
                let volts = 228.0 + 5.0 * self.character.of(40 + n);
                let input = self.power / f64::from(make.count);
                // In standby next to all of it is lost on the way.
                let output = if self.is_off { 0.5 } else { make.efficiency } * input;
                let model = || format!("HF-PSU-{capacity:.0}");
                Supply {
                    id: n.to_string(),
                    name: format!("Power supply {n}"),
                    manufacturer: make.manufacturer.clone(),
                    model: Some(make.model.clone().unwrap_or_else(model)),
                    serial: Some(format!("{serial}-P{n}")),
                    capacity_watts: capacity,
                    input_volts: rounded(volts, 1),
                    input_watts: rounded(input, 1),
                    output_watts: rounded(output, 1),
                }
            })
            .collect()
    }
}

fn sensor(id: impl Into<String>, name: impl Into<String>, of: Quantity, place: Place) -> Sensor {
    Sensor {
        id: id.into(),
        name: name.into(),
        quantity: of,
        place,
        reading: None,
        origin: Origin::Synthesized,
        range: None,
        above: Limits::default(),
        below: Limits::default(),
        rpm: None,
        since: None,
    }
}

fn supply_sensors(supply: &Supply) -> [Sensor; 4] {
    let one = |what: &str, name: &str, quantity, reading: f64| Sensor {
        reading: Some(reading),
        ..sensor(
            format!("PowerSupply{}{what}", supply.id),
            format!("{} {name}", supply.name),
            quantity,
            Place::Supply,
        )
    };
    let volts = one(
        "InputVoltage",
        "input voltage",
        Quantity::Voltage,
        supply.input_volts,
    );
    [
        Sensor {
            range: Some((0.0, 300.0)),
            above: Limits {
                critical: Some(264.0),
                ..Limits::default()
            },
            below: Limits {
                critical: Some(180.0),
                ..Limits::default()
            },
            ..volts
        },
        one(
            "InputCurrent",
            "input current",
            Quantity::Current,
            rounded(supply.input_amperes(), 3),
        ),
        one(
            "InputPower",
            "input power",
            Quantity::Power,
            supply.input_watts,
        ),
        one(
            "OutputPower",
            "output power",
            Quantity::Power,
            supply.output_watts,
        ),
    ]
}

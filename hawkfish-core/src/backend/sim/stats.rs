//! What a simulated machine does and what is measured in it: worked out when asked for, from its make, its identity and how long it has run. Nothing
//! is kept and nothing happens for it, so that a machine that nobody looks at costs nothing; and whoever asks twice at one moment is told the same.
//!
//! The story behind the numbers. The self-test and the boot take known shares of the processors; a guest that is up works in slow waves whose height and
//! length are the machine's own. Counters are the integrals of that. Power goes with the load, from what the make takes idle to what it takes at most;
//! temperatures go with the load and with the air that comes in, which is warmer in the afternoon; fans follow the warmest processor.

use std::f64::consts::TAU;
use std::time::Duration;

use super::identity::Identity;
use super::machine::{Doing, Life, Millis, State};
use super::profile::{Guest, Profile};
use super::world::timestamp;
use crate::backend::{
    CpuStats, DiskStats, Limits, MachineKey, MemoryStats, NicStats, Origin, Place, Quantity,
    Sensor, Stats, Supply, Traffic, VcpuStats,
};

/// Shares of the processors that are busy while the machine tests itself, boots, shuts down, and waits in its firmware.
const SELF_TEST: f64 = 0.12;
const BOOT: f64 = 0.6;
const SHUT_DOWN: f64 = 0.35;
const FIRMWARE: f64 = 0.02;
/// What is taken while it is off, watts.
const STANDBY_WATTS: f64 = 9.0;
/// What a boot reads from the first disk, bytes.
const BOOT_READS: f64 = 380e6;
const SUPPLIES: u32 = 2;
/// Of what goes into a power supply, the share that comes out.
const EFFICIENCY: f64 = 0.94;
const FASTEST_FAN_RPM: f64 = 16_000.0;

/// A machine to be measured.
pub(super) struct Measured<'a> {
    pub key: MachineKey,
    pub number: u32,
    pub life: &'a Life,
    pub profile: &'a Profile,
    pub guest: &'a Guest,
    pub identity: &'a Identity,
    pub now: Millis,
}

/// How one machine differs from the next of its make, as numbers from 0 to 1.
struct Character(u64);

impl Character {
    fn new(key: MachineKey) -> Self {
        let [high, low] = [(key.0.as_u128() >> 64) as u64, key.0.as_u128() as u64];
        Self(high ^ low.rotate_left(17))
    }

    fn of(&self, trait_number: u32) -> f64 {
        // The finalizer of SplitMix64, so that traits do not go together.
        let mut x = self
            .0
            .wrapping_add(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(u64::from(trait_number) + 1));
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((x ^ (x >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// The work of a guest that is up: `base + swing · sin(…)`.
struct Wave {
    base: f64,
    swing: f64,
    seconds: f64,
    phase: f64,
}

impl Wave {
    fn of(character: &Character) -> Self {
        let base = 0.08 + 0.27 * character.of(0);
        Self {
            base,
            swing: 0.6 * base,
            seconds: 300.0 + 600.0 * character.of(1),
            phase: TAU * character.of(2),
        }
    }

    fn at(&self, seconds: f64) -> f64 {
        self.base + self.swing * (TAU * seconds / self.seconds + self.phase).sin()
    }

    /// Busy seconds from 0 to `seconds`.
    fn sum(&self, seconds: f64) -> f64 {
        let whole = TAU / self.seconds;
        self.base * seconds
            + self.swing / whole * (self.phase.cos() - (whole * seconds + self.phase).cos())
    }
}

/// How a machine works at a moment.
struct Work {
    /// Share of the processors that is busy.
    load: f64,
    /// Seconds that each processor was busy since the start, on the average.
    busy: f64,
    /// Of these, the seconds since the guest was up.
    busy_up: f64,
    /// How much of the boot is done.
    booted: f64,
    /// Whether there is an operating system.
    has_guest: bool,
}

impl Work {
    fn of(measured: &Measured<'_>, wave: &Wave) -> Self {
        let doing = match measured.life.state {
            State::Off(_) => None,
            State::Running { doing, .. } => Some((doing, true)),
            State::Paused(memory) => Some((memory.doing(), false)),
        };
        let ran = measured.life.ran(measured.now) as f64 / 1000.0;
        let self_test = measured.profile.self_test.as_secs_f64();
        let boots_in = measured.guest.boots_in.as_secs_f64();
        let testing = ran.min(self_test);
        let after = (ran - self_test).max(0.0);
        let idle = matches!(doing, Some((Doing::Idle, _)));
        let booting = if idle { 0.0 } else { after.min(boots_in) };
        let up = if idle {
            0.0
        } else {
            (after - boots_in).max(0.0)
        };
        let busy_up = wave.sum(up);
        let firmware = if idle { after * FIRMWARE } else { 0.0 };
        let load = match doing {
            None | Some((_, false)) | Some((Doing::Panicked | Doing::Hung, _)) => 0.0,
            Some((Doing::SelfTest { .. }, _)) => SELF_TEST,
            Some((Doing::Idle, _)) => FIRMWARE,
            Some((Doing::Booting | Doing::Installing { .. } | Doing::Dumping, _)) => BOOT,
            Some((Doing::Up, _)) => wave.at(up),
            Some((Doing::ShuttingDown { .. }, _)) => SHUT_DOWN,
        };
        Self {
            load,
            busy: testing * SELF_TEST + booting * BOOT + firmware + busy_up,
            busy_up,
            booted: if boots_in > 0.0 {
                booting / boots_in
            } else {
                f64::from(u8::from(after > 0.0 && !idle))
            },
            has_guest: matches!(
                doing,
                Some((
                    Doing::Booting
                        | Doing::Installing { .. }
                        | Doing::Up
                        | Doing::ShuttingDown { .. }
                        | Doing::Dumping
                        | Doing::Panicked
                        | Doing::Hung,
                    _
                ))
            ),
        }
    }
}

/// What the make takes: idle, and at most.
fn watts(profile: &Profile) -> (f64, f64) {
    let gib = profile.memory_kib as f64 / f64::from(1 << 20);
    let cores = f64::from(profile.sockets * profile.cores);
    let idle = 30.0 + 22.0 * f64::from(profile.sockets) + 0.25 * gib;
    (idle, idle + 5.5 * cores + 0.1 * gib)
}

/// What one power supply of the make gives at most.
fn supply_watts(profile: &Profile) -> f64 {
    let most = watts(profile).1 * 1.1;
    [500.0, 800.0, 1100.0, 1600.0, 2400.0]
        .into_iter()
        .find(|size| *size >= most)
        .unwrap_or(3000.0)
}

fn rounded(value: f64, digits: i32) -> f64 {
    let scale = 10_f64.powi(digits);
    (value * scale).round() / scale
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds.max(0.0))
}

/// What is to be told of a machine.
pub(super) fn of(measured: &Measured<'_>) -> Stats {
    let character = Character::new(measured.key);
    let profile = measured.profile;
    let is_off = matches!(measured.life.state, State::Off(_));
    let wave = Wave::of(&character);
    let work = Work::of(measured, &wave);
    let (idle_watts, most_watts) = watts(profile);
    let power = if is_off {
        STANDBY_WATTS
    } else {
        idle_watts + (most_watts - idle_watts) * work.load
    };
    let climate = Climate::of(measured, &character, &work, power / most_watts, is_off);
    let mut sensors = climate.sensors(profile);
    sensors.extend(power_sensors(measured, &work, power, is_off));
    sensors.push(Sensor {
        above: Limits {
            caution: Some(95.0),
            ..Limits::default()
        },
        range: Some((0.0, 100.0)),
        reading: (!is_off).then(|| rounded(100.0 * work.load, 1)),
        ..sensor("CPULoad", "Processor load", Quantity::Percent, Place::Cpu)
    });
    let supplies = supplies(measured, &character, power, is_off);
    for supply in &supplies {
        sensors.extend(supply_sensors(supply));
    }
    Stats {
        at: timestamp(measured.now),
        cpu: cpu(profile, &work, is_off),
        memory: memory(profile, &work, is_off),
        nics: nics(measured, &character, &work),
        disks: disks(profile, &character, &work),
        sensors,
        supplies,
        capacity_watts: Some(supply_watts(profile)),
    }
}

fn cpu(profile: &Profile, work: &Work, is_off: bool) -> CpuStats {
    let count = profile.sockets * profile.cores * profile.threads;
    if is_off {
        return CpuStats::default();
    }
    let turn = TAU / f64::from(count.max(1));
    // The lower half of them has more to do; all together come to the load.
    let share = |number: u32| match count {
        1 => 1.0,
        _ => 1.0 + 0.3 * (turn * f64::from(number)).cos(),
    };
    CpuStats {
        time: Some(seconds(work.busy * f64::from(count))),
        load: Some(work.load),
        user: Some(0.72 * work.load),
        kernel: Some(0.28 * work.load),
        each: (0..count)
            .map(|number| VcpuStats {
                number,
                time: seconds(work.busy * share(number)),
                load: Some((work.load * share(number)).min(1.0)),
            })
            .collect(),
    }
}

fn memory(profile: &Profile, work: &Work, is_off: bool) -> MemoryStats {
    let all = profile.memory_kib as f64;
    let of_all = |share: f64| Some((all * share) as u64);
    if is_off {
        return MemoryStats::default();
    }
    if !work.has_guest {
        return MemoryStats {
            balloon: of_all(1.0),
            ..MemoryStats::default()
        };
    }
    let used = 0.05 + 0.13 * work.booted + 0.45 * work.load;
    MemoryStats {
        balloon: of_all(1.0),
        available: of_all(0.98),
        usable: of_all(0.98 * (1.0 - used)),
        unused: of_all(0.7 * (1.0 - used)),
        resident: None,
    }
}

fn nics(measured: &Measured<'_>, character: &Character, work: &Work) -> Vec<NicStats> {
    (0..measured.profile.nics.min(16))
        .map(|nic| {
            let rate = 2e5 * (0.2 + character.of(10 + u32::from(nic))) / f64::from(1 + nic);
            let traffic = |bytes: f64| Traffic {
                bytes: bytes as u64,
                packets: (bytes / 700.0) as u64,
                ..Traffic::default()
            };
            NicStats {
                mac: Some(measured.identity.mac(measured.number, nic)),
                received: traffic(rate * work.busy_up),
                sent: traffic(0.6 * rate * work.busy_up),
            }
        })
        .collect()
}

fn disks(profile: &Profile, character: &Character, work: &Work) -> Vec<DiskStats> {
    (30_u32..)
        .zip(profile.disks.iter().take(64))
        .map(|(trait_number, disk)| {
            let rate = 1.2e6 * (0.2 + character.of(trait_number));
            let boot = if trait_number == 30 {
                BOOT_READS * work.booted
            } else {
                0.0
            };
            let (read, written) = (boot + rate * work.busy_up, 0.5 * rate * work.busy_up);
            DiskStats {
                id: disk.name.clone(),
                read_bytes: read as u64,
                reads: (read / 32_768.0) as u64,
                written_bytes: written as u64,
                writes: (written / 16_384.0) as u64,
                errors: Some(0),
            }
        })
        .collect()
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

/// How warm it is where.
struct Climate {
    intake: f64,
    exhaust: f64,
    board: f64,
    memory: f64,
    cpus: Vec<f64>,
    /// Percent of what the fans can turn.
    fans: f64,
}

impl Climate {
    fn of(
        measured: &Measured<'_>,
        character: &Character,
        work: &Work,
        power: f64,
        is_off: bool,
    ) -> Self {
        let day = measured.now.rem_euclid(86_400_000) as f64 / 86_400_000.0;
        // Warmest at three in the afternoon.
        let intake = 21.0 + 3.0 * character.of(3) + 1.5 * (TAU * (day - 0.375)).sin();
        let lit = f64::from(u8::from(!is_off));
        let cpus: Vec<f64> = (0..measured.profile.sockets)
            .map(|socket| {
                let own = 4.0 * character.of(20 + socket);
                intake + 0.5 + lit * (11.0 + own + 44.0 * work.load)
            })
            .collect();
        let warmest = cpus.iter().copied().fold(intake, f64::max);
        Self {
            intake,
            exhaust: intake + 0.3 + lit * (4.0 + 17.0 * power),
            board: intake + 0.4 + lit * (6.0 + 9.0 * work.load),
            memory: intake + 0.4 + lit * (8.0 + 14.0 * work.load),
            cpus,
            fans: lit * (22.0 + 1.3 * (warmest - 35.0)).clamp(20.0, 100.0),
        }
    }

    fn sensors(&self, profile: &Profile) -> Vec<Sensor> {
        let temperature = |id: String, name: String, place, reading: f64, limits: [f64; 3]| {
            let [caution, critical, fatal] = limits;
            Sensor {
                reading: Some(rounded(reading, 1)),
                range: Some((-20.0, 125.0)),
                above: Limits {
                    caution: Some(caution),
                    critical: Some(critical),
                    fatal: Some(fatal),
                },
                ..sensor(id, name, Quantity::Temperature, place)
            }
        };
        let mut all = vec![temperature(
            "IntakeTemperature".into(),
            "Intake temperature".into(),
            Place::Intake,
            self.intake,
            [38.0, 42.0, 47.0],
        )];
        all.extend((1..).zip(&self.cpus).map(|(n, reading)| {
            temperature(
                format!("CPU{n}Temperature"),
                format!("Processor {n} temperature"),
                Place::Cpu,
                *reading,
                [85.0, 95.0, 105.0],
            )
        }));
        all.extend([
            temperature(
                "SystemBoardTemperature".into(),
                "System board temperature".into(),
                Place::Board,
                self.board,
                [60.0, 70.0, 80.0],
            ),
            temperature(
                "MemoryTemperature".into(),
                "Memory temperature".into(),
                Place::Memory,
                self.memory,
                [80.0, 85.0, 95.0],
            ),
            temperature(
                "ExhaustTemperature".into(),
                "Exhaust temperature".into(),
                Place::Exhaust,
                self.exhaust,
                [65.0, 75.0, 85.0],
            ),
        ]);
        all.extend((1..=fan_count(profile)).map(|n| Sensor {
            reading: Some(rounded(self.fans, 0)),
            range: Some((0.0, 100.0)),
            rpm: Some(rounded(self.fans / 100.0 * FASTEST_FAN_RPM, -1)),
            ..sensor(
                format!("Fan{n}Speed"),
                format!("Fan {n}"),
                Quantity::FanSpeed,
                Place::Fan,
            )
        }));
        all
    }
}

fn fan_count(profile: &Profile) -> u32 {
    2 + 2 * profile.sockets
}

fn power_sensors(measured: &Measured<'_>, work: &Work, power: f64, is_off: bool) -> [Sensor; 2] {
    let (idle, most) = watts(measured.profile);
    let capacity = supply_watts(measured.profile);
    let since = measured.life.last_reset.filter(|_| !is_off);
    let kilowatt_hours = since.map(|since| {
        let standing_too = (measured.now - since).max(0) as f64 / 1000.0;
        (idle * standing_too + (most - idle) * work.busy) / 3.6e6
    });
    [
        Sensor {
            reading: Some(rounded(power, 1)),
            range: Some((0.0, capacity)),
            above: Limits {
                caution: Some(rounded(0.9 * capacity, 0)),
                critical: Some(capacity),
                fatal: None,
            },
            ..sensor(
                "PowerConsumption",
                "Power consumption",
                Quantity::Power,
                Place::Chassis,
            )
        },
        Sensor {
            reading: kilowatt_hours.map(|energy| rounded(energy, 6)),
            since: since.map(timestamp),
            ..sensor(
                "EnergyConsumption",
                "Energy since the last start or reset",
                Quantity::Energy,
                Place::Chassis,
            )
        },
    ]
}

fn supplies(
    measured: &Measured<'_>,
    character: &Character,
    power: f64,
    is_off: bool,
) -> Vec<Supply> {
    let capacity = supply_watts(measured.profile);
    let serial = measured.identity.serial(measured.number);
    (1..=SUPPLIES)
        .map(|n| {
            let volts = 228.0 + 5.0 * character.of(40 + n);
            let input = power / f64::from(SUPPLIES);
            // In standby next to all of it is lost on the way.
            let output = if is_off { 0.5 } else { EFFICIENCY } * input;
            Supply {
                id: n.to_string(),
                name: format!("Power supply {n}"),
                model: Some(format!("HF-PSU-{capacity:.0}")),
                serial: Some(format!("{serial}-P{n}")),
                capacity_watts: capacity,
                input_volts: rounded(volts, 1),
                input_watts: rounded(input, 1),
                output_watts: rounded(output, 1),
            }
        })
        .collect()
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

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
use super::sensors::{Scene, supply_watts};
use super::world::timestamp;
use crate::backend::{
    CpuStats, DiskStats, MachineKey, MemoryStats, NicStats, Stats, Traffic, VcpuStats,
};

/// Shares of the processors that are busy while the machine tests itself, boots, shuts down, and waits in its firmware.
const SELF_TEST: f64 = 0.12;
const BOOT: f64 = 0.6;
const SHUT_DOWN: f64 = 0.35;
const FIRMWARE: f64 = 0.02;
/// What a boot reads from the first disk, bytes.
const BOOT_READS: f64 = 380e6;

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
pub(super) struct Character(u64);

impl Character {
    fn new(key: MachineKey) -> Self {
        let [high, low] = [(key.0.as_u128() >> 64) as u64, key.0.as_u128() as u64];
        Self(high ^ low.rotate_left(17))
    }

    pub(super) fn of(&self, trait_number: u32) -> f64 {
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
pub(super) struct Work {
    /// Share of the processors that is busy.
    pub load: f64,
    /// Seconds that each processor was busy since the start, on the average.
    pub busy: f64,
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

pub(super) fn rounded(value: f64, digits: i32) -> f64 {
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
    let (sensors, supplies) = Scene::of(measured, &character, &work, is_off).read();
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
                mac: Some(measured.identity.mac(
                    measured.profile.parts.nic.mac_prefix,
                    measured.number,
                    nic,
                )),
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

//! What running machines use, as the host last told: one question for all of them, every so often, on the thread that also asks whether the host is there.
//! Whoever wants to know reads the last answer.
//!
//! Loads are what was used between two answers. A host on this very machine may tell what its processors take and how warm they are (`powercap`, `hwmon`); then
//! the power of a machine is the processors' power times the machine's share of the time that they were busy, which is marked as worked out. Where the
//! host tells nothing of the kind, nothing is said: a virtual machine has no thermometer.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::host::Host;
use super::line::Line;
use super::raw;
use crate::backend::{
    CpuStats, DiskStats, Limits, MachineKey, MemoryStats, NicStats, Origin, Place, Quantity,
    Sensor, Stats, Traffic, VcpuStats,
};

/// The last answers of a host.
#[derive(Debug, Default)]
pub(super) struct Samples(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    machines: HashMap<MachineKey, Arc<Stats>>,
    node: Option<Node>,
}

/// What the host itself tells, where it is this machine.
#[derive(Clone, Debug, Default, PartialEq)]
struct Node {
    at: Timestamp,
    /// What its processors have taken so far, microjoules, by package; with where each counter starts anew.
    energy: BTreeMap<PathBuf, (u64, u64)>,
    /// How long its processors were busy so far.
    busy: Option<Duration>,
    /// How warm its processors are.
    celsius: Option<f64>,
}

/// What libvirt tells of a domain, by its own names: `cpu.time`, `net.0.rx.bytes`, `block.0.name`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    pub numbers: BTreeMap<String, i128>,
    pub texts: BTreeMap<String, String>,
}

impl Samples {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was known is no longer so.
    pub(super) fn forget(&self) {
        *self.inner() = Inner::default();
    }
}

impl Host {
    /// Asks what all running machines use.
    pub(super) fn sample(&self, line: &Line) -> Result<(), virt::error::Error> {
        let all = match raw::statistics(&line.conn) {
            Ok(all) => all,
            // The driver cannot tell; then nothing is known.
            Err(error) if error.code() == virt::error::ErrorNumber::NoSupport => return Ok(()),
            Err(error) => return Err(error),
        };
        let at = self.clock.now();
        let node = self
            .settings
            .is_local()
            .then(|| Node::read(Path::new("/"), at))
            .flatten();
        let mut inner = self.samples.inner();
        let watts = match (&inner.node, &node) {
            (Some(before), Some(now)) => now.watts_since(before),
            _ => None,
        };
        let celsius = node.as_ref().and_then(|node| node.celsius);
        let before = std::mem::take(&mut inner.machines);
        for (uuid, told) in all {
            let key = MachineKey(uuid);
            let mut stats = read(at, &told, before.get(&key).map(|stats| &**stats));
            stats.sensors = sensors(Some(&stats));
            if let Some((watts, busy)) = watts {
                let used = used_since(&stats, before.get(&key).map(|stats| &**stats));
                stats
                    .sensors
                    .extend(used.map(|used| power(watts, used, busy)));
            }
            stats.sensors.extend(celsius.map(temperature));
            inner.machines.insert(key, Arc::new(stats));
        }
        inner.node = node;
        Ok(())
    }

    /// What was last told of a machine.
    pub(super) fn stats(&self, key: MachineKey) -> Option<Arc<Stats>> {
        {
            let picture = self.picture();
            if !picture.connected || !picture.entries.contains_key(&key) {
                return None;
            }
        }
        let known = self.samples.inner().machines.get(&key).cloned();
        Some(known.unwrap_or_else(|| {
            // It does not run, or only just so.
            Arc::new(Stats {
                at: self.clock.now(),
                sensors: sensors(None),
                ..Stats::default()
            })
        }))
    }
}

fn number<T: TryFrom<i128>>(told: &Told, name: &str) -> Option<T> {
    T::try_from(*told.numbers.get(name)?).ok()
}

fn nanoseconds(told: &Told, name: &str) -> Option<Duration> {
    number(told, name).map(Duration::from_nanos)
}

/// Share of `capacity` processors that was used between two readings of a counter; nothing when it began anew.
fn share(before: Duration, now: Duration, seconds: f64, capacity: u32) -> Option<f64> {
    let used = now.checked_sub(before)?.as_secs_f64();
    (seconds > 0.0 && capacity > 0).then(|| (used / seconds / f64::from(capacity)).clamp(0.0, 1.0))
}

/// What libvirt's numbers say, with what was known before.
fn read(at: Timestamp, told: &Told, before: Option<&Stats>) -> Stats {
    let seconds = before.map_or(0.0, |before| at.duration_since(before.at).as_secs_f64());
    Stats {
        at,
        cpu: cpu(told, before.map(|before| &before.cpu), seconds),
        memory: MemoryStats {
            balloon: number(told, "balloon.current"),
            available: number(told, "balloon.available"),
            unused: number(told, "balloon.unused"),
            usable: number(told, "balloon.usable"),
            resident: number(told, "balloon.rss"),
        },
        nics: (0..number(told, "net.count").unwrap_or(0_u32))
            .map(|n| NicStats {
                mac: None,
                received: traffic(told, &format!("net.{n}.rx")),
                sent: traffic(told, &format!("net.{n}.tx")),
            })
            .collect(),
        disks: disks(told),
        ..Stats::default()
    }
}

fn cpu(told: &Told, before: Option<&CpuStats>, seconds: f64) -> CpuStats {
    let most = number(told, "vcpu.maximum").unwrap_or(0_u32);
    let each: Vec<VcpuStats> = (0..most)
        .filter_map(|n| {
            let time = nanoseconds(told, &format!("vcpu.{n}.time"))?;
            let old = before.and_then(|cpu| cpu.each.iter().find(|old| old.number == n));
            Some(VcpuStats {
                number: n,
                time,
                load: old.and_then(|old| share(old.time, time, seconds, 1)),
            })
        })
        .collect();
    let time = nanoseconds(told, "cpu.time");
    let loads: Option<Vec<f64>> = each.iter().map(|one| one.load).collect();
    let load = match loads {
        Some(loads) if !loads.is_empty() => Some(loads.iter().sum::<f64>() / loads.len() as f64),
        // The emulator's own time is in it, but there is no better.
        _ if each.is_empty() => {
            let count = number(told, "vcpu.current").unwrap_or(0);
            let old = before.and_then(|before| before.time);
            old.zip(time)
                .and_then(|(old, now)| share(old, now, seconds, count))
        }
        _ => None,
    };
    CpuStats {
        time,
        load,
        // What libvirt tells apart is the emulator's time on the host, not the guest's.
        user: None,
        kernel: None,
        each,
    }
}

fn traffic(told: &Told, way: &str) -> Traffic {
    let count = |what: &str| number(told, &format!("{way}.{what}")).unwrap_or(0);
    Traffic {
        bytes: count("bytes"),
        packets: count("pkts"),
        errors: count("errs"),
        drops: count("drop"),
    }
}

fn disks(told: &Told) -> Vec<DiskStats> {
    (0..number(told, "block.count").unwrap_or(0_u32))
        .filter_map(|n| {
            let count = |what: &str| number(told, &format!("block.{n}.{what}")).unwrap_or_default();
            Some(DiskStats {
                id: told.texts.get(&format!("block.{n}.name"))?.clone(),
                read_bytes: count("rd.bytes"),
                reads: count("rd.reqs"),
                written_bytes: count("wr.bytes"),
                writes: count("wr.reqs"),
                errors: number(told, &format!("block.{n}.errors")),
            })
        })
        .collect()
}

fn sensor(id: &str, name: &str, quantity: Quantity, place: Place, origin: Origin) -> Sensor {
    Sensor {
        id: id.to_owned(),
        name: name.to_owned(),
        quantity,
        place,
        reading: None,
        origin,
        range: None,
        above: Limits::default(),
        below: Limits::default(),
        rpm: None,
        since: None,
    }
}

fn sensors(stats: Option<&Stats>) -> Vec<Sensor> {
    let load = stats.and_then(|stats| stats.cpu.load);
    vec![Sensor {
        reading: load.map(|load| (1000.0 * load).round() / 10.0),
        range: Some((0.0, 100.0)),
        ..sensor(
            "CPULoad",
            "Processor load",
            Quantity::Percent,
            Place::Cpu,
            Origin::Reported,
        )
    }]
}

fn used_since(now: &Stats, before: Option<&Stats>) -> Option<Duration> {
    now.cpu.time?.checked_sub(before?.cpu.time?)
}

/// A machine's part of what the host's processors take: its part of the time that they were busy.
fn power(watts: f64, used: Duration, busy: Duration) -> Sensor {
    let part = used.as_secs_f64() / busy.as_secs_f64().max(used.as_secs_f64()).max(1e-9);
    Sensor {
        reading: Some((10.0 * watts * part).round() / 10.0),
        ..sensor(
            "PowerConsumption",
            "Power consumption of the processors, by share of their time",
            Quantity::Power,
            Place::Chassis,
            Origin::Synthesized,
        )
    }
}

fn temperature(celsius: f64) -> Sensor {
    Sensor {
        reading: Some((10.0 * celsius).round() / 10.0),
        ..sensor(
            "CPU1Temperature",
            "Temperature of the host's processors",
            Quantity::Temperature,
            Place::Cpu,
            Origin::Reported,
        )
    }
}

impl Node {
    /// What the files of a Linux host tell; nothing where none of them is there.
    fn read(root: &Path, at: Timestamp) -> Option<Self> {
        let energy = packages(&root.join("sys/class/powercap"));
        let celsius = warmest(&root.join("sys/class/hwmon"));
        let busy = fs::read_to_string(root.join("proc/stat"))
            .ok()
            .and_then(|stat| busy(&stat));
        (!energy.is_empty() || celsius.is_some()).then_some(Self {
            at,
            energy,
            busy,
            celsius,
        })
    }

    /// What the processors took on the average, watts, and how long they were busy.
    fn watts_since(&self, before: &Self) -> Option<(f64, Duration)> {
        let seconds = self.at.duration_since(before.at).as_secs_f64();
        let busy = self.busy?.checked_sub(before.busy?)?;
        if seconds <= 0.0 || self.energy.is_empty() {
            return None;
        }
        let mut microjoules = 0;
        for (package, (now, wraps_at)) in &self.energy {
            let (old, _) = before.energy.get(package)?;
            microjoules += if now >= old {
                now - old
            } else {
                now + wraps_at.checked_sub(*old)?
            };
        }
        Some((microjoules as f64 / 1e6 / seconds, busy))
    }
}

/// The energy counters of processor packages: `intel-rapl:0`, not their parts `intel-rapl:0:0`. AMD's have the same name.
fn packages(folder: &Path) -> BTreeMap<PathBuf, (u64, u64)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let name = entry.file_name();
            let number = name.to_str()?.strip_prefix("intel-rapl:")?;
            number.parse::<u32>().ok()?;
            let path = entry.path();
            let read = |file: &str| -> Option<u64> {
                fs::read_to_string(path.join(file))
                    .ok()?
                    .trim()
                    .parse()
                    .ok()
            };
            let counts = (read("energy_uj")?, read("max_energy_range_uj")?);
            Some((path, counts))
        })
        .collect()
}

/// The highest reading of the processors' own thermometers, degrees Celsius.
fn warmest(folder: &Path) -> Option<f64> {
    let chips = fs::read_dir(folder).ok()?.flatten().filter(|chip| {
        let name = fs::read_to_string(chip.path().join("name")).unwrap_or_default();
        matches!(name.trim(), "coretemp" | "k10temp" | "zenpower")
    });
    let inputs = chips.filter_map(|chip| fs::read_dir(chip.path()).ok());
    let readings = inputs.flatten().flatten().filter_map(|file| {
        let name = file.file_name();
        let name = name.to_str()?;
        if !name.starts_with("temp") || !name.ends_with("_input") {
            return None;
        }
        let text = fs::read_to_string(file.path()).ok()?;
        Some(text.trim().parse::<f64>().ok()? / 1000.0)
    });
    readings.reduce(f64::max)
}

/// How long all processors were busy since the start, of `/proc/stat`, whose unit is a hundredth of a second everywhere.
fn busy(stat: &str) -> Option<Duration> {
    let line = stat.lines().find(|line| line.starts_with("cpu "))?;
    let ticks: Vec<u64> = line
        .split_ascii_whitespace()
        .skip(1)
        .map_while(|word| word.parse().ok())
        .collect();
    // user nice system idle iowait irq softirq steal; guest time is in user already.
    let at = |place: usize| ticks.get(place).copied().unwrap_or(0);
    let busy = at(0) + at(1) + at(2) + at(5) + at(6) + at(7);
    (ticks.len() >= 4).then(|| Duration::from_millis(busy * 10))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_900_000_000 + seconds).unwrap()
    }

    fn numbers(pairs: &[(&str, i128)]) -> Told {
        let numbers = pairs.iter().map(|(n, v)| ((*n).to_owned(), *v));
        Told {
            numbers: numbers.collect(),
            ..Told::default()
        }
    }

    #[test]
    fn load_is_what_was_used_between_two_answers_and_unknown_after_one() {
        let vcpus = |a: i128, b: i128| {
            numbers(&[
                ("vcpu.maximum", 2),
                ("vcpu.current", 2),
                ("cpu.time", a + b),
                ("vcpu.0.time", a),
                ("vcpu.1.time", b),
            ])
        };
        let first = read(at(0), &vcpus(5_000_000_000, 1_000_000_000), None);
        assert_eq!((first.cpu.load, first.cpu.each.len()), (None, 2));
        let second = read(at(10), &vcpus(15_000_000_000, 2_000_000_000), Some(&first));
        let loads: Vec<_> = second.cpu.each.iter().map(|one| one.load).collect();
        assert_eq!(loads, [Some(1.0), Some(0.1)]);
        assert_eq!(second.cpu.load, Some(0.55));
        // It was started anew: its counters are lower than before.
        let anew = read(at(20), &vcpus(1_000_000, 0), Some(&second));
        assert_eq!(anew.cpu.load, None);
    }

    #[test]
    fn what_libvirt_does_not_tell_is_not_known() {
        let stats = read(at(0), &numbers(&[("balloon.current", 1024)]), None);
        assert_eq!(stats.memory.balloon, Some(1024));
        assert_eq!(stats.memory.used(), None);
        assert_eq!((stats.cpu.time, stats.nics.len()), (None, 0));
    }

    #[test]
    fn a_machines_power_is_its_share_of_what_the_processors_took() {
        let root = tempfile::tempdir().unwrap();
        let put = |file: &str, text: &str| {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        assert_eq!(Node::read(root.path(), at(0)), None);
        put(
            "proc/stat",
            "cpu  100 0 100 5000 0 0 0 0 0 0\ncpu0 1 2 3 4\n",
        );
        put("sys/class/powercap/intel-rapl:0/energy_uj", "900000000\n");
        put(
            "sys/class/powercap/intel-rapl:0/max_energy_range_uj",
            "1000000000\n",
        );
        put("sys/class/powercap/intel-rapl:0:0/energy_uj", "1\n");
        put(
            "sys/class/powercap/intel-rapl:0:0/max_energy_range_uj",
            "2\n",
        );
        put("sys/class/hwmon/hwmon0/name", "coretemp\n");
        put("sys/class/hwmon/hwmon0/temp1_input", "41000\n");
        put("sys/class/hwmon/hwmon0/temp2_input", "45500\n");
        put("sys/class/hwmon/hwmon1/name", "nvme\n");
        put("sys/class/hwmon/hwmon1/temp1_input", "70000\n");
        let before = Node::read(root.path(), at(0)).unwrap();
        assert_eq!(before.celsius, Some(45.5));
        // 300 J in 10 s, over the end of the counter, while the processors were busy for 8 s.
        put("sys/class/powercap/intel-rapl:0/energy_uj", "200000000\n");
        put("proc/stat", "cpu  700 0 300 5000 0 0 0 0 0 0\n");
        let now = Node::read(root.path(), at(10)).unwrap();
        let (watts, busy) = now.watts_since(&before).unwrap();
        assert_eq!((watts, busy), (30.0, Duration::from_secs(8)));
        let sensor = power(watts, Duration::from_secs(2), busy);
        assert_eq!(sensor.reading, Some(7.5));
        assert_eq!(sensor.origin, Origin::Synthesized);
    }
}

//! What a machine does and uses at a moment, and what is measured around it. Plain numbers, without a word of Redfish.
//!
//! Counters count from the start of the machine. What a backend cannot know is not there: no zero stands for "unknown".

use std::time::Duration;

use jiff::Timestamp;

/// What a machine does and uses.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stats {
    /// When it was so.
    pub at: Timestamp,
    /// Its processors.
    pub cpu: CpuStats,
    /// Its memory.
    pub memory: MemoryStats,
    /// Its network interfaces, by their place in the machine's list of them.
    pub nics: Vec<NicStats>,
    /// Its disks.
    pub disks: Vec<DiskStats>,
    /// What is measured in and around it, each once.
    pub sensors: Vec<Sensor>,
    /// Its power supplies.
    pub supplies: Vec<Supply>,
    /// Most power that it can take, watts.
    pub capacity_watts: Option<f64>,
}

/// What the processors of a machine do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CpuStats {
    /// Processor time used since the start.
    pub time: Option<Duration>,
    /// Share of all its processors that was busy lately, 0 to 1.
    pub load: Option<f64>,
    /// Share of it that was spent in user mode, as far as it is told apart: 0 to 1, of all processors.
    pub user: Option<f64>,
    /// The same for what was spent in the kernel.
    pub kernel: Option<f64>,
    /// Each processor.
    pub each: Vec<VcpuStats>,
}

/// What one processor does.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct VcpuStats {
    /// Its number in the machine, from 0.
    pub number: u32,
    /// Time that it was busy since the start.
    pub time: Duration,
    /// Share of it that was busy lately, 0 to 1.
    pub load: Option<f64>,
}

/// What the memory of a machine is used for, KiB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryStats {
    /// What the guest has of it now.
    pub balloon: Option<u64>,
    /// What the guest sees of it; a little less.
    pub available: Option<u64>,
    /// What the guest uses for nothing at all.
    pub unused: Option<u64>,
    /// What the guest could use for something else without trouble.
    pub usable: Option<u64>,
    /// What it takes of the host.
    pub resident: Option<u64>,
}

impl MemoryStats {
    /// Share of its memory that the guest uses and cannot do without, 0 to 1; known where the guest tells.
    #[must_use]
    pub fn used(&self) -> Option<f64> {
        let all = self.available.or(self.balloon).filter(|all| *all > 0)?;
        let free = self.usable.or(self.unused)?.min(all);
        Some((all - free) as f64 / all as f64)
    }
}

/// Traffic of a network interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NicStats {
    /// Its hardware address, where that is known; else its place tells which it is.
    pub mac: Option<String>,
    /// What the machine got.
    pub received: Traffic,
    /// What the machine sent.
    pub sent: Traffic,
}

/// Traffic one way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes.
    pub bytes: u64,
    /// Packets.
    pub packets: u64,
    /// Packets that were broken.
    pub errors: u64,
    /// Packets that were dropped.
    pub drops: u64,
}

/// Traffic of a disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DiskStats {
    /// The disk, as [`super::Disk::id`] names it.
    pub id: String,
    /// Bytes read.
    pub read_bytes: u64,
    /// Requests to read.
    pub reads: u64,
    /// Bytes written.
    pub written_bytes: u64,
    /// Requests to write.
    pub writes: u64,
    /// Requests that failed, where they are counted.
    pub errors: Option<u64>,
}

/// What a sensor measures, and in which unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Quantity {
    /// Degrees Celsius.
    Temperature,
    /// Watts.
    Power,
    /// Kilowatt hours.
    Energy,
    /// Volts.
    Voltage,
    /// Amperes.
    Current,
    /// Percent of what a fan can turn at most.
    FanSpeed,
    /// Percent of what there is of it.
    Percent,
}

/// Where a sensor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// Where air comes in.
    Intake,
    /// Where air goes out.
    Exhaust,
    /// A processor.
    Cpu,
    /// Memory.
    Memory,
    /// The main board.
    Board,
    /// A fan.
    Fan,
    /// A power supply.
    Supply,
    /// The whole of it.
    Chassis,
}

/// Where a reading comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// Measured by a sensor.
    Measured,
    /// Told by something that does not say how it knows.
    Reported,
    /// Worked out from other readings.
    Synthesized,
}

/// Something measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Sensor {
    /// Its name, which holds no character that a URI does not hold plainly: `IntakeTemperature`.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// What it measures.
    pub quantity: Quantity,
    /// Where.
    pub place: Place,
    /// What it reads; nothing while there is nothing to be read.
    pub reading: Option<f64>,
    /// Where the reading comes from.
    pub origin: Origin,
    /// Least and most that it can read.
    pub range: Option<(f64, f64)>,
    /// Readings above which somebody should look, should act, and harm is done.
    pub above: Limits,
    /// The same, below which.
    pub below: Limits,
    /// Of a fan, its turns a minute.
    pub rpm: Option<f64>,
    /// Of a counter, since when it counts.
    pub since: Option<Timestamp>,
}

/// Where readings become a matter of concern.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Limits {
    /// Somebody should look.
    pub caution: Option<f64>,
    /// Somebody should act.
    pub critical: Option<f64>,
    /// Harm is done.
    pub fatal: Option<f64>,
}

/// How bad a reading is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Concern {
    /// As it should be.
    None,
    /// Beyond caution.
    Caution,
    /// Beyond critical.
    Critical,
}

impl Sensor {
    /// How bad the reading is.
    #[must_use]
    pub fn concern(&self) -> Concern {
        let Some(reading) = self.reading else {
            return Concern::None;
        };
        let over = |limit: Option<f64>| limit.is_some_and(|limit| reading >= limit);
        let under = |limit: Option<f64>| limit.is_some_and(|limit| reading <= limit);
        let beyond = |over_by: Option<f64>, under_by: Option<f64>| over(over_by) || under(under_by);
        if beyond(self.above.critical, self.below.critical)
            || beyond(self.above.fatal, self.below.fatal)
        {
            Concern::Critical
        } else if beyond(self.above.caution, self.below.caution) {
            Concern::Caution
        } else {
            Concern::None
        }
    }
}

/// A power supply.
#[derive(Clone, Debug, PartialEq)]
pub struct Supply {
    /// Its name, which holds no character that a URI does not hold plainly: `1`.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// Who made it, where that is not who made the machine.
    pub manufacturer: Option<String>,
    /// Its model.
    pub model: Option<String>,
    /// Its serial number.
    pub serial: Option<String>,
    /// Most power that it gives, watts.
    pub capacity_watts: f64,
    /// Volts that it gets.
    pub input_volts: f64,
    /// Watts that it takes.
    pub input_watts: f64,
    /// Watts that it gives.
    pub output_watts: f64,
}

impl Supply {
    /// Amperes that it takes.
    #[must_use]
    pub fn input_amperes(&self) -> f64 {
        self.input_watts / self.input_volts
    }
}

impl Stats {
    /// The sensor of that name.
    #[must_use]
    pub fn sensor(&self, id: &str) -> Option<&Sensor> {
        self.sensors.iter().find(|sensor| sensor.id == id)
    }

    /// The first sensor of that quantity at that place.
    #[must_use]
    pub fn sensor_at(&self, place: Place, quantity: Quantity) -> Option<&Sensor> {
        let mut fitting = self.of(quantity);
        fitting.find(|sensor| sensor.place == place)
    }

    /// The sensors of that quantity.
    pub fn of(&self, quantity: Quantity) -> impl Iterator<Item = &Sensor> {
        self.sensors
            .iter()
            .filter(move |sensor| sensor.quantity == quantity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_beyond_a_limit_is_a_concern_and_none_at_all_is_not() {
        let sensor = |reading| Sensor {
            id: "t".into(),
            name: "t".into(),
            quantity: Quantity::Temperature,
            place: Place::Cpu,
            reading,
            origin: Origin::Measured,
            range: None,
            above: Limits {
                caution: Some(80.0),
                critical: Some(90.0),
                fatal: None,
            },
            below: Limits {
                critical: Some(0.0),
                ..Limits::default()
            },
            rpm: None,
            since: None,
        };
        for (reading, concern) in [
            (None, Concern::None),
            (Some(20.0), Concern::None),
            (Some(80.0), Concern::Caution),
            (Some(95.0), Concern::Critical),
            (Some(-1.0), Concern::Critical),
        ] {
            assert_eq!(sensor(reading).concern(), concern, "{reading:?}");
        }
    }

    #[test]
    fn memory_is_used_as_far_as_the_guest_says_so() {
        let stats = MemoryStats {
            balloon: Some(1000),
            available: Some(800),
            unused: Some(100),
            usable: Some(600),
            resident: Some(400),
        };
        assert_eq!(stats.used(), Some(0.25));
        let silent = MemoryStats {
            unused: None,
            usable: None,
            ..stats
        };
        assert_eq!(silent.used(), None);
    }
}

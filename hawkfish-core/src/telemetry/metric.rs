//! What can be reported: a closed list, each a question to a system and what it does now.

use serde::{Deserialize, Serialize};

use crate::backend::{DiskStats, Place, Quantity, Stats};

/// Something that can be reported of every system that has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Metric {
    /// Share of the processors that is busy, percent.
    ProcessorUtilization,
    /// Share of the memory that is used, percent.
    MemoryUtilization,
    /// Power taken, watts.
    PowerConsumption,
    /// Energy taken since the last start or reset, kilowatt hours.
    EnergyConsumption,
    /// Temperature of the air that comes in, or of the only thing whose temperature is known, degrees Celsius.
    Temperature,
    /// What a sensor reads, in its unit; one for each sensor.
    SensorReading,
    /// What was read from a drive since the start, KiB; one for each drive.
    DriveRead,
    /// What was written to a drive since the start, KiB; one for each drive.
    DriveWritten,
}

impl Metric {
    /// Every metric, in the order of their names.
    pub const ALL: [Self; 8] = [
        Self::DriveRead,
        Self::DriveWritten,
        Self::EnergyConsumption,
        Self::MemoryUtilization,
        Self::PowerConsumption,
        Self::ProcessorUtilization,
        Self::SensorReading,
        Self::Temperature,
    ];

    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ProcessorUtilization => "ProcessorUtilization",
            Self::MemoryUtilization => "MemoryUtilization",
            Self::PowerConsumption => "PowerConsumption",
            Self::EnergyConsumption => "EnergyConsumption",
            Self::Temperature => "Temperature",
            Self::SensorReading => "SensorReading",
            Self::DriveRead => "DriveRead",
            Self::DriveWritten => "DriveWritten",
        }
    }

    /// The metric of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == name)
    }

    /// Whether a system has several of it, told apart by name.
    #[must_use]
    pub fn has_instances(self) -> bool {
        matches!(
            self,
            Self::SensorReading | Self::DriveRead | Self::DriveWritten
        )
    }

    /// What a system has of it, by the names of the instances. Nothing where it is not known.
    #[must_use]
    pub fn read(self, stats: &Stats) -> Vec<(Option<String>, f64)> {
        let one = |value: Option<f64>| value.map(|value| (None, value)).into_iter().collect();
        match self {
            Self::ProcessorUtilization => one(stats.cpu.load.map(percent)),
            Self::MemoryUtilization => one(stats.memory.used().map(percent)),
            Self::PowerConsumption => one(reading(stats, Place::Chassis, Quantity::Power)),
            Self::EnergyConsumption => one(reading(stats, Place::Chassis, Quantity::Energy)),
            Self::Temperature => one(stats.temperature().and_then(|sensor| sensor.reading)),
            Self::SensorReading => stats
                .sensors
                .iter()
                .filter_map(|sensor| Some((Some(sensor.id.clone()), sensor.reading?)))
                .collect(),
            Self::DriveRead => drives(stats, |disk| disk.read_bytes),
            Self::DriveWritten => drives(stats, |disk| disk.written_bytes),
        }
    }
}

fn reading(stats: &Stats, place: Place, quantity: Quantity) -> Option<f64> {
    stats.sensor_at(place, quantity)?.reading
}

fn drives(stats: &Stats, bytes: fn(&DiskStats) -> u64) -> Vec<(Option<String>, f64)> {
    let disks = stats.disks.iter();
    disks
        .map(|disk| (Some(disk.id.clone()), (bytes(disk) / 1024) as f64))
        .collect()
}

/// A share of 0 to 1 as percent, to a tenth.
#[must_use]
pub fn percent(share: f64) -> f64 {
    (share * 1000.0).round() / 10.0
}

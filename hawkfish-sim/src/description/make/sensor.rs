//! Sensors of a make.

use std::collections::BTreeSet;
use std::sync::Arc;

use hawkfish_core::backend::sim::{Profile, Reads, SensorMake as Made, TEMPERATURES};
use hawkfish_core::backend::{Limits, Place as At, Quantity};
use serde::{Deserialize, Serialize};

use super::super::{BadDescription, wrong};

/// Most sensors of a make, after which a world would show little else.
const MOST: usize = 512;

/// A sensor: what is said of one that the base has differs from that; any other is a further one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SensorMake {
    /// Its id. Of those that are there once for each socket or fan, with `{n}` in place of the number: `CPU{n}Temperature`.
    pub id: String,
    /// Its name for people; its id unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it measures; temperature unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub measures: Option<Measures>,
    /// Where; on the system board unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// What it reads while there is nothing to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle: Option<f64>,
    /// What it reads when all processors are busy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub busy: Option<f64>,
    /// Least and most that it can read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range: Option<[f64; 2]>,
    /// Thresholds, above which it reads too much.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub above: Option<Thresholds>,
    /// Thresholds, below which it reads too little.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub below: Option<Thresholds>,
    /// Whether each socket has one; then `{n}` is in its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub each_socket: Option<bool>,
    /// It is not there.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub absent: bool,
}

/// Thresholds of a sensor; what is not said is as in the base.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Thresholds {
    /// Somebody should look.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caution: Option<f64>,
    /// Somebody should act.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub critical: Option<f64>,
    /// Harm is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fatal: Option<f64>,
}

/// What a sensor measures, in the words of Redfish.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "they say what they are")]
pub enum Measures {
    Temperature,
    Power,
    Voltage,
    Current,
    Percent,
}

/// Where a sensor is, in the words of Redfish.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "they say what they are")]
pub enum Place {
    Intake,
    Exhaust,
    #[serde(rename = "CPU")]
    Cpu,
    Memory,
    SystemBoard,
    PowerSupply,
    Chassis,
}

impl From<Measures> for Quantity {
    fn from(measures: Measures) -> Self {
        match measures {
            Measures::Temperature => Self::Temperature,
            Measures::Power => Self::Power,
            Measures::Voltage => Self::Voltage,
            Measures::Current => Self::Current,
            Measures::Percent => Self::Percent,
        }
    }
}

impl From<Place> for At {
    fn from(place: Place) -> Self {
        match place {
            Place::Intake => Self::Intake,
            Place::Exhaust => Self::Exhaust,
            Place::Cpu => Self::Cpu,
            Place::Memory => Self::Memory,
            Place::SystemBoard => Self::Board,
            Place::PowerSupply => Self::Supply,
            Place::Chassis => Self::Chassis,
        }
    }
}

/// The sensors of a make: those of its base, changed and added to.
pub(super) fn over(
    sensors: &[SensorMake],
    base: &Arc<[Made]>,
    at: &str,
) -> Result<Arc<[Made]>, BadDescription> {
    if sensors.is_empty() {
        // Makes go on sharing what they do not say.
        return Ok(Arc::clone(base));
    }
    let mut all = base.to_vec();
    let mut said = BTreeSet::new();
    for sensor in sensors {
        let at = format!("{at}, sensor {:?}", sensor.id);
        if !said.insert(&sensor.id) {
            return Err(wrong(at, "it is said twice"));
        }
        let place = all.iter().position(|made| made.id == sensor.id);
        match place {
            Some(place) if sensor.absent => drop(all.remove(place)),
            None if sensor.absent => return Err(wrong(at, "the base has none of that id")),
            Some(place) => all[place] = sensor.change(all[place].clone(), &at)?,
            None => all.push(sensor.make(&at)?),
        }
    }
    Ok(all.into())
}

/// Whether the sensors of a make can all be told apart.
pub(super) fn check(profile: &Profile, at: &str) -> Result<(), BadDescription> {
    let mut ids = BTreeSet::new();
    for id in profile.sensor_ids() {
        if ids.len() == MOST {
            return Err(wrong(at, format!("there are more than {MOST} sensors")));
        }
        if ids.contains(&id) {
            return Err(wrong(at, format!("there are two sensors {id:?}")));
        }
        ids.insert(id);
    }
    Ok(())
}

impl SensorMake {
    /// A further sensor.
    fn make(&self, at: &str) -> Result<Made, BadDescription> {
        let plain = self.id.replace("{n}", "");
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if plain.is_empty() || self.id.len() > 64 || !plain.chars().all(is_name) {
            return Err(wrong(
                at,
                "an id is up to 64 letters, digits, hyphens and underscores",
            ));
        }
        let quantity = self.measures.unwrap_or(Measures::Temperature).into();
        if self.idle.is_none() || self.busy.is_none() {
            return Err(wrong(at, "idle and busy say what a further sensor reads"));
        }
        self.change(
            Made {
                id: self.id.clone(),
                name: self.id.clone(),
                quantity,
                place: At::Board,
                reads: Reads::Between {
                    idle: 0.0,
                    busy: 0.0,
                },
                each_socket: false,
                range: (quantity == Quantity::Temperature).then_some(TEMPERATURES),
                above: Limits::default(),
                below: Limits::default(),
            },
            at,
        )
    }

    /// What this says, and the rest as it was.
    fn change(&self, was: Made, at: &str) -> Result<Made, BadDescription> {
        let follows = !matches!(was.reads, Reads::Warmth(_) | Reads::Between { .. });
        let own = self.idle.is_some() || self.busy.is_some() || self.measures.is_some();
        if follows && (own || self.place.is_some() || self.each_socket.is_some()) {
            return Err(wrong(
                at,
                "what it measures and reads follows from what the server does",
            ));
        }
        let reads = match (self.idle, self.busy) {
            (None, None) => was.reads,
            (Some(idle), Some(busy)) => Reads::Between { idle, busy },
            _ => return Err(wrong(at, "idle and busy are said together")),
        };
        let quantity = self.measures.map_or(was.quantity, Quantity::from);
        if quantity != was.quantity && self.idle.is_none() {
            return Err(wrong(at, "what measures something else says idle and busy"));
        }
        let made = Made {
            name: self.name.clone().unwrap_or(was.name),
            quantity,
            place: self.place.map_or(was.place, At::from),
            reads,
            each_socket: self.each_socket.unwrap_or(was.each_socket),
            range: self.range.map(|[least, most]| (least, most)).or(was.range),
            above: limits(self.above, was.above),
            below: limits(self.below, was.below),
            id: was.id,
        };
        let is_several = made.each_socket || matches!(made.reads, Reads::Fan);
        if made.id.contains("{n}") != is_several {
            return Err(wrong(at, "{n} is in the ids of what each socket has"));
        }
        check_numbers(&made, at)?;
        Ok(made)
    }
}

fn limits(said: Option<Thresholds>, was: Limits) -> Limits {
    let said = said.unwrap_or_default();
    Limits {
        caution: said.caution.or(was.caution),
        critical: said.critical.or(was.critical),
        fatal: said.fatal.or(was.fatal),
    }
}

fn check_numbers(made: &Made, at: &str) -> Result<(), BadDescription> {
    let reads = match made.reads {
        Reads::Between { idle, busy } => vec![idle, busy],
        _ => Vec::new(),
    };
    let of = |limits: Limits| [limits.caution, limits.critical, limits.fatal];
    let above: Vec<f64> = of(made.above).into_iter().flatten().collect();
    let below: Vec<f64> = of(made.below).into_iter().flatten().collect();
    let (least, most) = made.range.unzip();
    let all = [&reads[..], &above, &below].concat();
    let mut all = all.into_iter().chain(least).chain(most);
    // No sensor of a server reads more, and what is shown must be a number of JSON.
    if !all.all(|number| number.abs() <= 1e9) {
        return Err(wrong(at, "a number is at most 1,000,000,000"));
    }
    if least.zip(most).is_some_and(|(least, most)| least >= most) {
        return Err(wrong(at, "its range begins below where it ends"));
    }
    let is_within = |reading: &f64| {
        least.is_none_or(|least| least <= *reading) && most.is_none_or(|most| *reading <= most)
    };
    if !reads.iter().all(is_within) {
        return Err(wrong(at, "what it reads is not within its range"));
    }
    if !above.is_sorted() {
        return Err(wrong(at, "above: caution, critical and fatal rise"));
    }
    if !below.is_sorted_by(|one, next| one >= next) {
        return Err(wrong(at, "below: caution, critical and fatal fall"));
    }
    match (below.first(), above.first()) {
        (Some(below), Some(above)) if below >= above => {
            Err(wrong(at, "what is below is less than what is above"))
        }
        _ => Ok(()),
    }
}

//! What is to be reported, and what was: plain values, and how a new collection goes into a report.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::Metric;
use crate::id::{ProjectId, ReportId, SystemId};
use crate::jobs::Schedule;

/// Most values in a report.
pub const MOST_VALUES: usize = 10_000;

/// When a report is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum When {
    /// On a schedule.
    Periodic(Schedule),
    /// Whenever a value is no longer what it was, looked at every [`super::LEAST_INTERVAL`].
    OnChange,
    /// Whenever somebody reads it.
    OnRequest,
}

/// What becomes of the values that a report holds when new ones come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Update {
    /// They go.
    Overwrite,
    /// They stay; when there are too many the oldest go.
    AppendWrapsWhenFull,
    /// They stay; when there are too many the new ones are not taken.
    AppendStopsWhenFull,
}

/// All there is, or some by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Set {
    /// All there is at the time.
    All,
    /// These.
    These(BTreeSet<String>),
}

impl Set {
    /// Whether that is one of them.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::These(these) => these.contains(name),
        }
    }
}

/// A metric of some systems.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// The metric.
    pub metric: Metric,
    /// The systems.
    pub systems: Set,
    /// Where a system has several of it, which.
    pub instances: Set,
}

/// What is to be reported.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Definition {
    /// Its name in URIs, and that of its report.
    pub id: ReportId,
    /// Its name for people.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// When.
    pub when: When,
    /// Whether reports are made.
    pub enabled: bool,
    /// What becomes of old values.
    pub update: Update,
    /// Values that are as they were in the last collection are left out.
    pub suppress_repeated: bool,
    /// What.
    pub wanted: Vec<Wanted>,
    /// The same in the words of whoever asked for it; only kept.
    pub words: Json,
    /// The project whose systems are looked at; `None` is all.
    pub project: Option<ProjectId>,
    /// The system through whose face it was made: no other is looked at. `None` is the face of the fleet.
    #[serde(default)]
    pub face: Option<SystemId>,
    /// When it was made, or last changed.
    pub made: Timestamp,
    /// Grows with every change of any fact here.
    pub generation: u64,
}

impl Definition {
    /// When it collects next after `after`, if it does so by itself, having done so `done` times.
    #[must_use]
    pub fn next(&self, after: Option<Timestamp>, now: Timestamp, done: u64) -> Option<Timestamp> {
        if !self.enabled {
            return None;
        }
        match &self.when {
            When::OnRequest => None,
            When::OnChange => Some(now + super::LEAST_INTERVAL),
            When::Periodic(schedule) => {
                let next = schedule.next(after, done, self.made)?;
                // A collection of the past cannot be made: of the times that have gone by, the last stands for all.
                if next >= now {
                    Some(next)
                } else {
                    let late = now.checked_sub(SignedDuration::from_millis(1)).ok()?;
                    schedule.next(Some(late), done, self.made)
                }
            }
        }
    }
}

/// A value at a moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Value {
    /// Of what.
    pub metric: Metric,
    /// Of which system.
    pub system: SystemId,
    /// Which of them, where the system has several.
    pub instance: Option<String>,
    /// When it was so.
    pub at: Timestamp,
    /// How much.
    pub value: f64,
}

impl Value {
    fn is_of(&self, other: &Self) -> bool {
        self.metric == other.metric
            && self.system == other.system
            && self.instance == other.instance
    }
}

/// What was reported.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The definition that it is of.
    pub definition: ReportId,
    /// The name of its definition when it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// When values were last put in.
    pub at: Timestamp,
    /// How often values were put in.
    pub sequence: u64,
    /// The values, the oldest first.
    pub values: Vec<Value>,
    /// The values of the last collection, whether or not they were put in.
    pub last: Vec<f64>,
}

impl Report {
    /// A report with a new collection in it; `None` where nothing changes.
    #[must_use]
    pub fn with(
        old: Option<&Self>,
        definition: &Definition,
        at: Timestamp,
        collected: Vec<Value>,
    ) -> Option<Self> {
        let last: Vec<f64> = collected.iter().map(|value| value.value).collect();
        let same = old.is_some_and(|old| old.last == last);
        if same && definition.when == When::OnChange {
            return None;
        }
        let mut new = collected;
        if definition.suppress_repeated
            && let Some(old) = old
        {
            new.retain(|value| {
                let known = old.values.iter().rev().find(|known| known.is_of(value));
                known.is_none_or(|known| known.value.to_bits() != value.value.to_bits())
            });
        }
        let before = old.map_or(&[][..], |old| &old.values);
        let values = match definition.update {
            Update::Overwrite => new,
            Update::AppendStopsWhenFull => {
                let room = MOST_VALUES.saturating_sub(before.len());
                [before, &new[..new.len().min(room)]].concat()
            }
            Update::AppendWrapsWhenFull => {
                let mut all = [before, &new].concat();
                all.drain(..all.len().saturating_sub(MOST_VALUES));
                all
            }
        };
        Some(Self {
            definition: definition.id.clone(),
            name: Some(definition.name.clone()),
            at,
            sequence: old.map_or(0, |old| old.sequence) + 1,
            values,
            last,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_900_000_000 + seconds).unwrap()
    }

    fn definition(when: When, update: Update) -> Definition {
        Definition {
            id: ReportId::parse("r").unwrap(),
            name: "r".into(),
            description: None,
            when,
            enabled: true,
            update,
            suppress_repeated: false,
            wanted: Vec::new(),
            words: Json::Null,
            project: None,
            face: None,
            made: at(0),
            generation: 1,
        }
    }

    fn values(seconds: i64, values: &[f64]) -> Vec<Value> {
        let one = |(n, value): (usize, &f64)| Value {
            metric: Metric::PowerConsumption,
            system: SystemId::parse(&n.to_string()).unwrap(),
            instance: None,
            at: at(seconds),
            value: *value,
        };
        values.iter().enumerate().map(one).collect()
    }

    #[test]
    fn new_values_take_the_place_of_old_ones_or_come_after_them() {
        for (update, count) in [(Update::Overwrite, 1), (Update::AppendWrapsWhenFull, 2)] {
            let definition = definition(When::OnRequest, update);
            let first = Report::with(None, &definition, at(1), values(1, &[5.0])).unwrap();
            let second = Report::with(Some(&first), &definition, at(2), values(2, &[6.0])).unwrap();
            assert_eq!((second.values.len(), second.sequence), (count, 2));
            assert_eq!(second.values.last().unwrap().value, 6.0);
        }
    }

    #[test]
    fn a_full_report_wraps_or_stops() {
        let full = vec![1.0; MOST_VALUES];
        for (update, last) in [
            (Update::AppendWrapsWhenFull, 2.0),
            (Update::AppendStopsWhenFull, 1.0),
        ] {
            let definition = definition(When::OnRequest, update);
            let first = Report::with(None, &definition, at(1), values(1, &full)).unwrap();
            let second = Report::with(Some(&first), &definition, at(2), values(2, &[2.0])).unwrap();
            assert_eq!(second.values.len(), MOST_VALUES);
            assert_eq!(second.values.last().unwrap().value, last);
        }
    }

    #[test]
    fn what_has_not_changed_is_left_out_where_that_is_wanted() {
        let on_change = definition(When::OnChange, Update::Overwrite);
        let first = Report::with(None, &on_change, at(1), values(1, &[5.0])).unwrap();
        assert_eq!(
            Report::with(Some(&first), &on_change, at(2), values(2, &[5.0])),
            None
        );
        let suppressing = Definition {
            suppress_repeated: true,
            ..definition(When::OnRequest, Update::AppendWrapsWhenFull)
        };
        let first = Report::with(None, &suppressing, at(1), values(1, &[5.0, 7.0])).unwrap();
        let second =
            Report::with(Some(&first), &suppressing, at(2), values(2, &[5.0, 8.0])).unwrap();
        let reported: Vec<f64> = second.values.iter().map(|value| value.value).collect();
        assert_eq!(reported, [5.0, 7.0, 8.0]);
    }

    #[test]
    fn a_collection_that_was_missed_is_not_made_up_for() {
        let minutely = Schedule::every(at(0), SignedDuration::from_secs(60));
        let definition = definition(When::Periodic(minutely), Update::Overwrite);
        assert_eq!(definition.next(Some(at(0)), at(0), 1), Some(at(60)));
        assert_eq!(definition.next(Some(at(0)), at(400), 1), Some(at(420)));
    }
}

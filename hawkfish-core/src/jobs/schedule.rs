//! When something is to happen again and again: Redfish's `Schedule`, as a question that has one answer.
//!
//! Days and months are those of UTC.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// The shortest time between two occurrences, seconds.
pub const LEAST_SECONDS: i64 = 1;

/// Days that are looked at for one that is enabled. A 29th of February that is a Monday comes after at most 40 years.
const MOST_DAYS: u32 = 15_000;

/// When something happens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// The first time.
    pub start: Timestamp,
    /// The time from one to the next; `None` is once.
    pub every: Option<SignedDuration>,
    /// How often at most.
    pub most: Option<u64>,
    /// For how long after it was made.
    pub lifetime: Option<SignedDuration>,
    /// Days of the week on which it happens, 1 is Monday; none is all.
    pub days_of_week: BTreeSet<i8>,
    /// Days of the month on which it happens, from 1; none is all.
    pub days_of_month: BTreeSet<i8>,
    /// Months in which it happens, from 1; none is all.
    pub months: BTreeSet<i8>,
}

impl Schedule {
    /// Once, at `start`.
    #[must_use]
    pub fn once(start: Timestamp) -> Self {
        Self {
            start,
            every: None,
            most: None,
            lifetime: None,
            days_of_week: BTreeSet::new(),
            days_of_month: BTreeSet::new(),
            months: BTreeSet::new(),
        }
    }

    /// Every so often, from `start` on.
    #[must_use]
    pub fn every(start: Timestamp, every: SignedDuration) -> Self {
        Self {
            every: Some(every),
            ..Self::once(start)
        }
    }

    /// When it happens next after `after`, of something made at `made` that has happened `done` times. The first time may be any from `start` on, also
    /// in the past.
    #[must_use]
    pub fn next(&self, after: Option<Timestamp>, done: u64, made: Timestamp) -> Option<Timestamp> {
        if self.most.is_some_and(|most| done >= most) {
            return None;
        }
        let end = self
            .lifetime
            .map(|lifetime| made.saturating_add(lifetime).unwrap_or(Timestamp::MAX));
        let mut at = match after {
            None => self.start,
            Some(after) => self.from(after.checked_add(SignedDuration::from_millis(1)).ok()?)?,
        };
        for _ in 0..MOST_DAYS {
            if end.is_some_and(|end| at > end) {
                return None;
            }
            let day = at.to_zoned(TimeZone::UTC);
            if self.is_enabled(&day) {
                return Some(at);
            }
            let tomorrow = day.tomorrow().ok()?.start_of_day().ok()?;
            at = self.from(tomorrow.timestamp())?;
        }
        None
    }

    fn is_enabled(&self, day: &jiff::Zoned) -> bool {
        let fits = |set: &BTreeSet<i8>, value| set.is_empty() || set.contains(&value);
        fits(&self.days_of_week, day.weekday().to_monday_one_offset())
            && fits(&self.days_of_month, day.day())
            && fits(&self.months, day.month())
    }

    /// The first time at `least` or later, enabled or not.
    fn from(&self, least: Timestamp) -> Option<Timestamp> {
        if self.start >= least {
            return Some(self.start);
        }
        let every = i128::from(self.every?.as_millis_i64()?.max(LEAST_SECONDS * 1000));
        let start = i128::from(self.start.as_millisecond());
        let gone = i128::from(least.as_millisecond()) - start;
        let count = gone.div_euclid(every) + i128::from(gone.rem_euclid(every) > 0);
        let ms = i64::try_from(start + count * every).ok()?;
        Timestamp::from_millisecond(ms).ok()
    }
}

trait Millis {
    fn as_millis_i64(&self) -> Option<i64>;
}

impl Millis for SignedDuration {
    fn as_millis_i64(&self) -> Option<i64> {
        i64::try_from(self.as_millis()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// The first few times.
    fn times(schedule: &Schedule, count: usize) -> Vec<String> {
        let made = schedule.start;
        let mut all = Vec::new();
        let mut last = None;
        while all.len() < count
            && let Some(next) = schedule.next(last, all.len() as u64, made)
        {
            all.push(next.to_string());
            last = Some(next);
        }
        all
    }

    #[test]
    fn once_is_once_and_a_day_that_is_not_enabled_never_comes() {
        let monday = Schedule::once(at("2026-01-05T06:00:00Z"));
        assert_eq!(times(&monday, 5), ["2026-01-05T06:00:00Z"]);
        let never = Schedule {
            days_of_week: BTreeSet::from([2]),
            ..monday
        };
        assert_eq!(never.next(None, 0, never.start), None);
    }

    #[test]
    fn every_six_hours_on_weekdays_leaves_out_the_weekend_and_ends_after_so_many() {
        let schedule = Schedule {
            most: Some(4),
            days_of_week: BTreeSet::from([1, 2, 3, 4, 5]),
            // A Friday.
            ..Schedule::every(at("2026-01-02T15:00:00Z"), SignedDuration::from_hours(6))
        };
        assert_eq!(
            times(&schedule, 9),
            [
                "2026-01-02T15:00:00Z",
                "2026-01-02T21:00:00Z",
                "2026-01-05T03:00:00Z",
                "2026-01-05T09:00:00Z",
            ]
        );
    }

    #[test]
    fn a_lifetime_ends_it_and_an_impossible_day_is_found_out() {
        let daily = Schedule {
            lifetime: Some(SignedDuration::from_hours(49)),
            ..Schedule::every(at("2026-01-01T00:00:00Z"), SignedDuration::from_hours(24))
        };
        assert_eq!(times(&daily, 9).len(), 3);
        let never = Schedule {
            lifetime: None,
            days_of_month: BTreeSet::from([30]),
            months: BTreeSet::from([2]),
            ..daily.clone()
        };
        assert_eq!(never.next(None, 0, never.start), None);
        let leap = Schedule {
            days_of_month: BTreeSet::from([29]),
            ..never
        };
        assert_eq!(times(&leap, 1), ["2028-02-29T00:00:00Z"]);
    }

    #[test]
    fn what_was_missed_is_not_made_up_for() {
        let hourly = Schedule::every(at("2026-01-01T00:00:00Z"), SignedDuration::from_hours(1));
        let next = hourly.next(Some(at("2026-01-03T10:20:00Z")), 1, hourly.start);
        assert_eq!(next, Some(at("2026-01-03T11:00:00Z")));
    }
}

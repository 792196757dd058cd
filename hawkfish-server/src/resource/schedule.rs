//! `Schedule` in the words of Redfish, which jobs and metric reports share, and durations as Redfish writes them.

use std::collections::BTreeSet;

use hawkfish_core::error::{Error, Invalid};
use hawkfish_core::jobs::{LEAST_SECONDS, Schedule};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::date_time;

const DAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// A schedule as it is shown. Everything that can be set is there, so that it can be PATCHed.
pub(super) fn shown(schedule: Option<&Schedule>) -> Value {
    let duration =
        |of: fn(&Schedule) -> Option<SignedDuration>| schedule.and_then(of).map(duration_text);
    let set = |of: fn(&Schedule) -> &BTreeSet<i8>, names: &[&str]| -> Vec<String> {
        let numbers = schedule.map(of).into_iter().flatten();
        let places = numbers.filter_map(|number| usize::try_from(number - 1).ok());
        places
            .filter_map(|place| names.get(place).map(|name| (*name).to_owned()))
            .collect()
    };
    let days_of_month: Vec<i8> = schedule
        .map(|schedule| schedule.days_of_month.iter().copied().collect())
        .unwrap_or_default();
    json!({
        "InitialStartTime": schedule.map(|schedule| date_time(schedule.start)),
        "RecurrenceInterval": duration(|schedule| schedule.every),
        "MaxOccurrences": schedule.and_then(|schedule| schedule.most),
        "Lifetime": duration(|schedule| schedule.lifetime),
        "EnabledDaysOfWeek": set(|schedule| &schedule.days_of_week, &DAYS),
        "EnabledDaysOfMonth": days_of_month,
        "EnabledMonthsOfYear": set(|schedule| &schedule.months, &MONTHS),
    })
}

/// A schedule with some members changed, as a PATCH asks.
pub(super) fn patched(mut shown: Value, patch: Option<&Value>) -> Value {
    if let (Value::Object(shown), Some(Value::Object(patch))) = (&mut shown, patch) {
        for (name, value) in patch {
            shown.insert(name.clone(), value.clone());
        }
    }
    shown
}

/// What a schedule asks for, which is valid by its schema; without a first time it begins now.
///
/// # Errors
/// `Invalid` with a pointer below `/Schedule`.
pub(super) fn read(body: &Value, now: Timestamp) -> Result<Schedule, Error> {
    let empty = Map::new();
    let body = body.as_object().unwrap_or(&empty);
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let start = match text("InitialStartTime") {
        None => now,
        Some(text) => text
            .parse()
            .map_err(|_| wrong("InitialStartTime", text, Invalid::Format))?,
    };
    Ok(Schedule {
        start,
        every: duration(body, "RecurrenceInterval")?,
        most: match body.get("MaxOccurrences").filter(|value| !value.is_null()) {
            None => None,
            Some(count) => {
                Some(count.as_u64().filter(|count| *count > 0).ok_or_else(|| {
                    wrong("MaxOccurrences", &count.to_string(), Invalid::OutOfRange)
                })?)
            }
        },
        lifetime: duration(body, "Lifetime")?,
        days_of_week: named(body, "EnabledDaysOfWeek", &DAYS)?,
        days_of_month: days_of_month(body)?,
        months: named(body, "EnabledMonthsOfYear", &MONTHS)?,
    })
}

fn wrong(name: &str, value: &str, why: Invalid) -> Error {
    let message = match why {
        Invalid::OutOfRange => "The value is too small or too large.",
        _ => "The value cannot be taken.",
    };
    Error::invalid(format!("/Schedule/{name}"), value, why, message)
}

fn duration(body: &Map<String, Value>, name: &str) -> Result<Option<SignedDuration>, Error> {
    let Some(text) = body.get(name).and_then(Value::as_str) else {
        return Ok(None);
    };
    let duration = parse_duration(text).ok_or_else(|| wrong(name, text, Invalid::Format))?;
    if duration < SignedDuration::from_secs(LEAST_SECONDS) {
        return Err(wrong(name, text, Invalid::OutOfRange));
    }
    Ok(Some(duration))
}

/// The numbers, from 1, of what an array names. `Every` is as good as none.
fn named(body: &Map<String, Value>, name: &str, names: &[&str]) -> Result<BTreeSet<i8>, Error> {
    let mut set = BTreeSet::new();
    for (at, item) in array(body, name) {
        let text = item.as_str().unwrap_or_default();
        if text == "Every" {
            return Ok(BTreeSet::new());
        }
        let place = names.iter().position(|known| *known == text);
        let number = place.and_then(|place| i8::try_from(place + 1).ok());
        let number =
            number.ok_or_else(|| wrong(&format!("{name}/{at}"), text, Invalid::NotInList))?;
        set.insert(number);
    }
    Ok(set)
}

fn days_of_month(body: &Map<String, Value>) -> Result<BTreeSet<i8>, Error> {
    const NAME: &str = "EnabledDaysOfMonth";
    let mut set = BTreeSet::new();
    for (at, item) in array(body, NAME) {
        // 0 is every day (DSP0268, Schedule).
        if item.as_i64() == Some(0) {
            return Ok(BTreeSet::new());
        }
        let day = item.as_i64().and_then(|day| i8::try_from(day).ok());
        let day = day.filter(|day| (1..=31).contains(day)).ok_or_else(|| {
            wrong(
                &format!("{NAME}/{at}"),
                &item.to_string(),
                Invalid::OutOfRange,
            )
        })?;
        set.insert(day);
    }
    Ok(set)
}

fn array<'a>(body: &'a Map<String, Value>, name: &str) -> impl Iterator<Item = (usize, &'a Value)> {
    let items = body.get(name).and_then(Value::as_array);
    items.into_iter().flatten().enumerate()
}

/// A duration as Redfish writes it (DSP0266, "Duration values"): `P1DT2H3M4.5S`.
pub(super) fn parse_duration(text: &str) -> Option<SignedDuration> {
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (days, time) = match rest.strip_prefix('P')?.split_once('T') {
        Some((days, time)) => (days, time),
        None => (rest.strip_prefix('P')?, ""),
    };
    let mut total = SignedDuration::ZERO;
    if !days.is_empty() {
        let days: i64 = days.strip_suffix('D')?.parse().ok()?;
        total = total.checked_add(SignedDuration::from_secs(days.checked_mul(86_400)?))?;
    }
    let mut time = time;
    for (unit, seconds) in [('H', 3600), ('M', 60)] {
        if let Some((number, rest)) = time.split_once(unit) {
            let number: i64 = number.parse().ok()?;
            total = total.checked_add(SignedDuration::from_secs(number.checked_mul(seconds)?))?;
            time = rest;
        }
    }
    if !time.is_empty() {
        let seconds: f64 = time.strip_suffix('S')?.parse().ok()?;
        total = total.checked_add(SignedDuration::try_from_secs_f64(seconds).ok()?)?;
    }
    Some(if negative { -total } else { total })
}

/// See [`parse_duration`].
pub(super) fn duration_text(duration: SignedDuration) -> String {
    let whole = duration.as_secs();
    let (days, rest) = (whole / 86_400, whole % 86_400);
    let (hours, rest) = (rest / 3600, rest % 3600);
    let (minutes, seconds) = (rest / 60, rest % 60);
    let mut text = String::from("P");
    if days > 0 {
        text.push_str(&format!("{days}D"));
    }
    let millis = duration.subsec_millis();
    let mut time = String::new();
    for (number, unit) in [(hours, 'H'), (minutes, 'M')] {
        if number > 0 {
            time.push_str(&format!("{number}{unit}"));
        }
    }
    if millis > 0 {
        time.push_str(&format!("{seconds}.{millis:03}S"));
    } else if seconds > 0 || (days == 0 && time.is_empty()) {
        time.push_str(&format!("{seconds}S"));
    }
    if !time.is_empty() {
        text.push('T');
        text.push_str(&time);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_survives_being_written_and_read() {
        for (text, seconds) in [
            ("PT10S", 10.0),
            ("P1D", 86_400.0),
            ("P1DT2H3M4S", 93_784.0),
            ("PT1H", 3600.0),
            ("PT0.250S", 0.25),
            ("PT0S", 0.0),
        ] {
            let duration = parse_duration(text).unwrap();
            assert_eq!(duration.as_secs_f64(), seconds, "{text}");
            assert_eq!(duration_text(duration), text);
        }
        assert_eq!(parse_duration("PT90M"), parse_duration("PT1H30M"));
        for wrong in [
            "",
            "P",
            "10S",
            "PT10",
            "P1Y",
            "PTS",
            "P99999999999999999999D",
        ] {
            let read = parse_duration(wrong);
            assert!(read.is_none() || wrong == "P", "{wrong}: {read:?}");
        }
    }

    #[test]
    fn a_schedule_survives_being_shown_and_read() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let schedule = Schedule {
            most: Some(3),
            lifetime: Some(SignedDuration::from_hours(48)),
            days_of_week: BTreeSet::from([1, 7]),
            days_of_month: BTreeSet::from([31]),
            months: BTreeSet::from([2, 12]),
            ..Schedule::every(now, SignedDuration::from_secs(90))
        };
        assert_eq!(read(&shown(Some(&schedule)), now).unwrap(), schedule);
        let none = read(&shown(None), now).unwrap();
        assert_eq!(none, Schedule::once(now));
        let other = patched(
            shown(Some(&schedule)),
            Some(&json!({"MaxOccurrences": null})),
        );
        assert_eq!(read(&other, now).unwrap().most, None);
    }

    #[test]
    fn what_is_wrong_with_a_schedule_is_named() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        for (body, pointer) in [
            (json!({"MaxOccurrences": 0}), "/Schedule/MaxOccurrences"),
            (
                json!({"RecurrenceInterval": "PT0S"}),
                "/Schedule/RecurrenceInterval",
            ),
            (
                json!({"EnabledDaysOfMonth": [1, 32]}),
                "/Schedule/EnabledDaysOfMonth/1",
            ),
        ] {
            let error = read(&body, now).unwrap_err();
            match error.kind() {
                hawkfish_core::error::ErrorKind::Invalid { property, .. } => {
                    assert_eq!(property, pointer);
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

//! Times: of entries, which services write in several ways, and of people, who say "two hours ago".

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

/// When an entry was made; `None` where the service does not say it, or says what is no time.
pub(super) fn of(entry: &Value) -> Option<Timestamp> {
    ["EventTimestamp", "Created"]
        .iter()
        .find_map(|name| entry.get(*name)?.as_str()?.parse().ok())
}

/// What a person means by "since".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Since {
    /// A moment.
    At(Timestamp),
    /// So long ago, by the clock of whoever wrote the log.
    Ago(SignedDuration),
}

impl Since {
    /// The moment, where it is now `now`.
    pub(super) fn moment(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::Ago(ago) => now.checked_sub(ago).unwrap_or(Timestamp::MIN),
        }
    }
}

/// Reads `2026-01-31`, `2026-01-31T12:00:00Z`, `90s`, `15m`, `2h`, `3d`, `1w`.
pub(super) fn since(text: &str) -> Result<Since, String> {
    if let Ok(at) = text.parse() {
        return Ok(Since::At(at));
    }
    if let Ok(day) = text.parse::<Date>() {
        let midnight = day.to_zoned(TimeZone::UTC).map_err(|e| e.to_string())?;
        return Ok(Since::At(midnight.timestamp()));
    }
    let wrong = || "neither a time such as 2026-01-31T12:00:00Z nor one ago such as 2h".to_owned();
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds: i64 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return Err(wrong()),
    };
    let number: i64 = text[..text.len() - unit.len_utf8()]
        .parse()
        .map_err(|_| wrong())?;
    if number < 0 {
        return Err(wrong());
    }
    let ago = number.checked_mul(seconds).ok_or_else(wrong)?;
    Ok(Since::Ago(SignedDuration::from_secs(ago)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_time_is_a_moment_a_day_or_so_long_ago() {
        let now: Timestamp = "2026-01-02T12:00:00Z".parse().unwrap();
        for (text, expected) in [
            ("2h", "2026-01-02T10:00:00Z"),
            ("1d", "2026-01-01T12:00:00Z"),
            ("2026-01-01", "2026-01-01T00:00:00Z"),
            ("2026-01-01T01:00:00+01:00", "2026-01-01T00:00:00Z"),
        ] {
            let moment = since(text).unwrap().moment(now);
            assert_eq!(moment, expected.parse().unwrap(), "{text}");
        }
        for wrong in ["", "h", "-2h", "2x", "yesterday", "9223372036854775807w"] {
            assert!(since(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_time_that_is_none_is_no_time() {
        assert_eq!(of(&json!({"Created": "0000-00-00T00:00:00Z"})), None);
        assert_eq!(of(&json!({"Created": null})), None);
        assert!(of(&json!({"Created": "2024-06-11T00:13:00-05:00"})).is_some());
    }
}

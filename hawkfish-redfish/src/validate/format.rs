//! The formats of strings.

/// RFC 3339 with an offset (DSP0266, "Date-Time values"): `2026-01-31T23:59:59.5+01:00`.
pub(crate) fn is_date_time(text: &str) -> bool {
    let bytes = text.as_bytes();
    let digits = |from: usize, to: usize| -> Option<u32> {
        bytes
            .get(from..to)
            .filter(|part| part.iter().all(u8::is_ascii_digit))?;
        text[from..to].parse().ok()
    };
    let at = |index: usize, wanted: &[u8]| bytes.get(index).is_some_and(|b| wanted.contains(b));
    let date = || {
        let (year, month, day) = (digits(0, 4)?, digits(5, 7)?, digits(8, 10)?);
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let last = match month {
            2 => 28 + u32::from(leap),
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return None,
        };
        (at(4, b"-") && at(7, b"-") && (1..=last).contains(&day)).then_some(())
    };
    let time = || {
        let (hour, minute, second) = (digits(11, 13)?, digits(14, 16)?, digits(17, 19)?);
        let separators = at(10, b"Tt") && at(13, b":") && at(16, b":");
        (separators && hour < 24 && minute < 60 && second <= 60).then_some(())
    };
    let offset = || {
        let rest = bytes.get(19..)?;
        let fraction = match rest.first() {
            Some(b'.') => 1 + rest[1..].iter().take_while(|b| b.is_ascii_digit()).count(),
            _ => 0,
        };
        if fraction == 1 {
            return None;
        }
        match &rest[fraction..] {
            [b'Z' | b'z'] => Some(()),
            [b'+' | b'-', _, _, b':', _, _] => {
                let from = 19 + fraction + 1;
                let (hour, minute) = (digits(from, from + 2)?, digits(from + 3, from + 5)?);
                (hour < 24 && minute < 60).then_some(())
            }
            _ => None,
        }
    };
    date()
        .and_then(|()| time())
        .and_then(|()| offset())
        .is_some()
}

/// `8-4-4-4-12` hexadecimal digits.
pub(crate) fn is_guid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// ISO 8601, days to seconds (DSP0266, "Duration values"): `P1DT2H3M4.5S`. At least one part.
pub(crate) fn is_duration(text: &str) -> bool {
    let text = text.strip_prefix('-').unwrap_or(text);
    let Some(rest) = text.strip_prefix('P') else {
        return false;
    };
    let (days, time) = match rest.split_once('T') {
        Some((days, time)) => (days, Some(time)),
        None => (rest, None),
    };
    let whole = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !(days.is_empty() || days.strip_suffix('D').is_some_and(whole)) {
        return false;
    }
    let Some(mut time) = time else {
        return !days.is_empty();
    };
    let mut parts = 0;
    for unit in ['H', 'M', 'S'] {
        if let Some((number, rest)) = time.split_once(unit) {
            let good = match number.split_once('.') {
                Some((a, b)) => unit == 'S' && whole(a) && whole(b),
                None => whole(number),
            };
            if !good {
                return false;
            }
            parts += 1;
            time = rest;
        }
    }
    parts > 0 && time.is_empty()
}

/// An RFC 3986 reference: a URI, or a path as Redfish mostly gives it.
pub(crate) fn is_uri_reference(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut at = 0;
    let mut fragments = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'%' => {
                let escaped = bytes.get(at + 1..at + 3);
                if !escaped.is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit)) {
                    return false;
                }
                at += 2;
            }
            b'#' => fragments += 1,
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' => {}
            b'-' | b'.' | b'_' | b'~' | b':' | b'/' | b'?' | b'[' | b']' | b'@' | b'!' | b'$'
            | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' => {}
            _ => return false,
        }
        at += 1;
    }
    // What stands before a colon in the first segment is a scheme.
    let first = text.split(['/', '?', '#']).next().unwrap_or_default();
    let scheme = first.split_once(':').map(|(scheme, _)| scheme);
    fragments <= 1
        && scheme.is_none_or(|scheme| {
            scheme.starts_with(|c: char| c.is_ascii_alphabetic())
                && scheme
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn tells_apart(is: fn(&str) -> bool, good: &[&str], bad: &[&str]) {
        for text in good {
            assert!(is(text), "{text} is good");
        }
        for text in bad {
            assert!(!is(text), "{text} is bad");
        }
    }

    #[test]
    fn a_date_time_has_an_offset_and_exists() {
        tells_apart(
            is_date_time,
            &[
                "2026-01-31T23:59:59Z",
                "2024-02-29T00:00:00.123456+14:00",
                "2016-12-31T23:59:60Z",
            ],
            &[
                "",
                "2026-01-31",
                "2026-01-31T23:59:59",
                "2026-02-29T00:00:00Z",
                "00:00:00Z",
                "2026-13-01T00:00:00Z",
                "2026-01-31T24:00:00Z",
                "2026-01-31T23:59:59.Z",
                "2026-01-31T23:59:59+0100",
                "2026-01-31T23:59:59Zx",
                "2026-01-3üT23:59:59Z",
                "2026-01-31 23:59:59Z",
            ],
        );
    }

    #[test]
    fn a_guid_is_thirty_two_digits_and_four_dashes() {
        tells_apart(
            is_guid,
            &["00000000-1111-aaaa-FFFF-012345678901"],
            &[
                "",
                "00000000-1111-aaaa-FFFF-01234567890",
                "0000000011112222aaaaffff012345678901-x--",
                "{0000000-1111-aaaa-FFFF-01234567890}",
            ],
        );
    }

    #[test]
    fn a_duration_has_days_to_seconds_in_order() {
        tells_apart(
            is_duration,
            &["P1D", "PT5M", "P1DT2H3M4.5S", "-PT1S", "PT0S"],
            &[
                "", "P", "PT", "P1DT", "P1Y", "PT1.5M", "PT5S3M", "5M", "PT.5S", "PT1.S", "P1D2H",
            ],
        );
    }

    #[test]
    fn a_uri_reference_has_no_space_and_no_broken_escape() {
        tells_apart(
            is_uri_reference,
            &[
                "/redfish/v1/Systems/1#/Boot",
                "https://[::1]:8443/a%20b?c=d",
                "",
                "a.iso",
                "//host/share/x.iso",
            ],
            &[
                "a b",
                "/a%2",
                "/a%zz",
                "/ü",
                "1http://x",
                "/a#b#c",
                "http://x/<y>",
                "a\\b",
            ],
        );
    }
}

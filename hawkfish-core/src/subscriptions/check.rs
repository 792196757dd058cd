//! What a client may ask for.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use url::Url;

use super::filter::Filter;
use crate::error::{Error, Invalid, Result};
use crate::outgoing::{Policy, redacted};

/// Most characters of a text.
const MOST_TEXT: usize = 1024;
/// Most entries of a list of a filter.
const MOST_ENTRIES: usize = 100;
/// Most backup destinations.
const MOST_BACKUPS: usize = 8;
/// Most headers.
const MOST_HEADERS: usize = 32;
/// Most bytes of the value of a header.
const MOST_VALUE: usize = 8 << 10;
/// Most bytes of all headers.
const MOST_HEADER_BYTES: usize = 16 << 10;

/// What HTTP itself says in headers, and what HawkFish does.
const OURS: &[&str] = &[
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "odata-version",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

fn length(pointer: String, most: usize) -> Error {
    let max = u32::try_from(most).unwrap_or(u32::MAX);
    Error::invalid(
        pointer,
        "",
        Invalid::Length { min: 1, max },
        format!("There may be at most {most} of it."),
    )
}

pub(super) fn text(pointer: &str, text: &str) -> Result<()> {
    if text.chars().count() > MOST_TEXT {
        return Err(length(pointer.to_owned(), MOST_TEXT));
    }
    if text.chars().any(char::is_control) {
        return Err(Error::invalid(
            pointer.to_owned(),
            "",
            Invalid::Format,
            "Control characters are not taken.",
        ));
    }
    Ok(())
}

/// Where events are sent. What stands in a URL is shown to all who may read subscriptions, so it holds no password.
pub(super) fn destination(policy: &Policy, pointer: &str, url: &Url) -> Result<()> {
    let refuse = |reason, message| {
        Err(Error::invalid(
            pointer.to_owned(),
            redacted(url),
            reason,
            message,
        ))
    };
    if !matches!(url.scheme(), "http" | "https") {
        return refuse(Invalid::Format, "Events are sent by http or https.");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return refuse(
            Invalid::Format,
            "A destination holds no credentials; send them in HttpHeaders.",
        );
    }
    if url.as_str().len() > 2 * MOST_TEXT {
        return Err(length(pointer.to_owned(), 2 * MOST_TEXT));
    }
    policy.check(url)
}

pub(super) fn backups(policy: &Policy, urls: &[Url]) -> Result<()> {
    if urls.len() > MOST_BACKUPS {
        return Err(length("/BackupDestinations".to_owned(), MOST_BACKUPS));
    }
    for (at, url) in urls.iter().enumerate() {
        destination(policy, &format!("/BackupDestinations/{at}"), url)?;
    }
    Ok(())
}

pub(super) fn filter(filter: &Filter) -> Result<()> {
    let lists = [
        ("RegistryPrefixes", &filter.registry_prefixes),
        ("ExcludeRegistryPrefixes", &filter.exclude_registry_prefixes),
        ("MessageIds", &filter.message_ids),
        ("ExcludeMessageIds", &filter.exclude_message_ids),
        ("EventTypes", &filter.event_types),
        ("ResourceTypes", &filter.resource_types),
        ("OriginResources", &filter.origins),
        ("Severities", &filter.severities),
        ("MetricReportDefinitions", &filter.definitions),
    ];
    for (name, list) in lists {
        if list.len() > MOST_ENTRIES {
            return Err(length(format!("/{name}"), MOST_ENTRIES));
        }
        for (at, entry) in list.iter().enumerate() {
            text(&format!("/{name}/{at}"), entry)?;
        }
    }
    Ok(())
}

fn is_token(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 128
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// The headers of each request (RFC 9110, "Fields"). Values are secrets and in no error.
pub(super) fn headers(headers: &[(String, String)]) -> Result<()> {
    let bytes: usize = headers.iter().map(|(n, v)| n.len() + v.len()).sum();
    if headers.len() > MOST_HEADERS {
        return Err(length("/HttpHeaders".to_owned(), MOST_HEADERS));
    }
    if bytes > MOST_HEADER_BYTES {
        return Err(length("/HttpHeaders".to_owned(), MOST_HEADER_BYTES));
    }
    let mut seen = BTreeSet::new();
    for (at, (name, value)) in headers.iter().enumerate() {
        let escaped = name.replace('~', "~0").replace('/', "~1");
        let pointer = format!("/HttpHeaders/{at}/{escaped}");
        let refuse = |reason, message: &'static str| {
            Err(Error::invalid(
                pointer.clone(),
                name.clone(),
                reason,
                message,
            ))
        };
        if !is_token(name) {
            return refuse(Invalid::Format, "That is no name of a header.");
        }
        let lower = name.to_ascii_lowercase();
        if OURS.contains(&lower.as_str()) || lower.starts_with("x-hawkfish-") {
            return refuse(
                Invalid::NotInList,
                "This header is set by the service itself.",
            );
        }
        if value.len() > MOST_VALUE {
            return Err(length(pointer, MOST_VALUE));
        }
        if !value.bytes().all(|b| (b' '..=b'~').contains(&b)) || value.trim() != value {
            return refuse(
                Invalid::Format,
                "The value of a header is printable ASCII, without space around it.",
            );
        }
        if !seen.insert(lower) {
            return refuse(Invalid::Format, "The header is there twice.");
        }
    }
    Ok(())
}

pub(super) fn secret(secret: &str) -> Result<()> {
    if secret.is_empty() || secret.len() > MOST_TEXT {
        return Err(length("/Oem/HawkFish/SigningKey".to_owned(), MOST_TEXT));
    }
    Ok(())
}

pub(super) fn heartbeat(every: SignedDuration) -> Result<()> {
    if every < SignedDuration::from_mins(1) || every > SignedDuration::from_mins(65_535) {
        return Err(Error::invalid(
            "/HeartbeatIntervalMinutes",
            every.as_mins().to_string(),
            Invalid::OutOfRange,
            "The interval is 1 to 65535 minutes.",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn pointer(result: Result<()>) -> String {
        match result.unwrap_err().kind() {
            ErrorKind::Invalid {
                property, value, ..
            } => {
                assert!(!value.contains("hunter2"), "{value}");
                property.to_string()
            }
            other => panic!("{other:?}"),
        }
    }

    fn one(name: &str, value: &str) -> Result<()> {
        headers(&[
            ("X-Fine".to_owned(), "yes".to_owned()),
            (name.to_owned(), value.to_owned()),
        ])
    }

    #[test]
    fn headers_that_would_break_a_request_are_refused_and_no_value_is_told() {
        for name in [
            "Host",
            "content-length",
            "Transfer-Encoding",
            "CONNECTION",
            "X-HawkFish-Signature",
        ] {
            assert_eq!(
                pointer(one(name, "hunter2")),
                format!("/HttpHeaders/1/{name}")
            );
        }
        assert_eq!(pointer(one("A/B~", "hunter2")), "/HttpHeaders/1/A~1B~0");
        for value in ["hunter2\r\nEvil: 1", "hunter2\0", " hunter2", "hünter2"] {
            assert_eq!(pointer(one("Good", value)), "/HttpHeaders/1/Good");
        }
        assert_eq!(pointer(one("x-fine", "hunter2")), "/HttpHeaders/1/x-fine");
        one("Authorization", "Bearer hunter2").unwrap();
    }

    #[test]
    fn a_destination_with_a_password_is_refused_without_showing_it() {
        let url = Url::parse("https://me:hunter2@example.com/").unwrap();
        let refused = destination(&Policy::default(), "/Destination", &url);
        assert_eq!(pointer(refused), "/Destination");
        let url = Url::parse("syslog://example.com/").unwrap();
        let refused = destination(&Policy::default(), "/Destination", &url);
        assert_eq!(pointer(refused), "/Destination");
    }
}

//! Reads entries: as many as are wanted, whichever way round the service has them, carried by their collection or each to be read.

use std::collections::HashSet;

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use hawkfish_client::{Client, Member};
use jiff::Timestamp;
use serde_json::Value;

use super::when;
use crate::failure::Result;

/// Entries that are only linked are read so many at once.
const AT_ONCE: usize = 8;

/// Which entries are wanted.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// The newest of them, not more than so many.
    pub(super) last: Option<usize>,
    /// None that is older. What has no time of its own is not thrown away for that.
    pub(super) since: Option<Timestamp>,
    /// None less severe.
    pub(super) severity: u8,
    /// None of these, by [`key`].
    pub(super) known: HashSet<String>,
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Oldest first.
    pub(super) entries: Vec<Value>,
    /// There are more that were wanted, but older than the last so many.
    pub(super) more: bool,
}

/// Reads the entries of a log. Where the service has the newest first, what is older than all that is wanted is not read.
pub(super) async fn read(client: &Client, collection: &str, wanted: &Wanted) -> Result<Found> {
    let mut members = client.members(collection);
    let mut found = Vec::new();
    let mut order = Order::default();
    let mut more = false;
    'all: loop {
        let mut batch: Vec<Member> = Vec::new();
        while batch.len() < AT_ONCE
            && let Some(member) = members.next().await?
        {
            batch.push(member);
        }
        if batch.is_empty() {
            break;
        }
        let read = stream::iter(batch)
            .map(|member| member.read(client))
            .buffered(AT_ONCE);
        let batch: Vec<Value> = read.map_ok(|entry| entry.value).try_collect().await?;
        for entry in batch {
            order.see(&entry);
            let at = when::of(&entry);
            let too_old = wanted
                .since
                .is_some_and(|since| at.is_some_and(|at| at < since));
            let known = wanted.known.contains(&key(&entry));
            if too_old || known {
                if order.newest_first() {
                    break 'all;
                }
                continue;
            }
            if severity(&entry) < wanted.severity {
                continue;
            }
            if order.newest_first() && Some(found.len()) == wanted.last {
                more = true;
                break 'all;
            }
            found.push(entry);
        }
    }
    if order.newest_first() {
        found.reverse();
    }
    if let Some(last) = wanted.last
        && found.len() > last
    {
        found.drain(..found.len() - last);
        more = true;
    }
    Ok(Found {
        entries: found,
        more,
    })
}

/// What tells entries apart. A log that was emptied may begin to count anew, so that the URI alone does not.
pub(super) fn key(entry: &Value) -> String {
    let text = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default();
    format!("{} {}", text("@odata.id"), text("Created"))
}

/// How bad an entry is; what says nothing of it, or something else, is not hidden.
pub(super) fn severity(entry: &Value) -> u8 {
    match entry.get("Severity").and_then(Value::as_str) {
        Some("OK") => 0,
        Some("Warning") | None => 1,
        Some(_) => 2,
    }
}

/// Which way round a log is: the first two entries that differ say it, by time, else by number.
#[derive(Debug, Default)]
struct Order {
    first: Option<(Option<Timestamp>, Option<u64>)>,
    newest_first: Option<bool>,
}

impl Order {
    fn see(&mut self, entry: &Value) {
        if self.newest_first.is_some() {
            return;
        }
        let number = entry.get("Id").and_then(Value::as_str);
        let number = number.and_then(|id| id.parse().ok());
        let this = (when::of(entry), number);
        let Some(first) = &self.first else {
            self.first = Some(this);
            return;
        };
        self.newest_first = match (first, &this) {
            ((Some(first), _), (Some(this), _)) if first != this => Some(this < first),
            ((_, Some(first)), (_, Some(this))) if first != this => Some(this < first),
            _ => None,
        };
    }

    fn newest_first(&self) -> bool {
        self.newest_first == Some(true)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn newest_first(entries: &[Value]) -> bool {
        let mut order = Order::default();
        for entry in entries {
            order.see(entry);
        }
        order.newest_first()
    }

    #[test]
    fn a_log_says_by_times_which_way_round_it_is_and_by_numbers_where_times_are_equal() {
        let entry = |id: &str, at: &str| json!({"Id": id, "Created": at});
        let (one, two) = ("2026-01-01T00:00:01Z", "2026-01-01T00:00:02Z");
        assert!(newest_first(&[entry("1", two), entry("2", one)]));
        assert!(!newest_first(&[entry("2", one), entry("1", two)]));
        assert!(newest_first(&[entry("1024", one), entry("1023", one)]));
        assert!(!newest_first(&[entry("1", one)]));
        assert!(!newest_first(&[json!({"Id": "b"}), json!({"Id": "a"})]));
    }

    #[test]
    fn an_entry_of_unknown_severity_is_not_hidden() {
        assert!(severity(&json!({"Severity": "OK"})) < severity(&json!({})));
        assert_eq!(severity(&json!({"Severity": "Critical"})), 2);
    }
}

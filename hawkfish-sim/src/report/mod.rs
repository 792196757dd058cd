//! What a client did to a world, for those who test it: how often it asked for what, what it left behind, and what it should not do.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use hawkfish_sim::report::{Check, Policy};
//!
//! let world = hawkfish_sim::World::builder().start().await?;
//! // … the client under test does its work …
//! let report = world.report();
//! report.assert_clean(&[Check::Sessions, Check::Subscriptions]);
//! let all: Policy = "leaks,deprecated,mistakes".parse()?;
//! assert!(report.violations(&all).is_empty());
//! # Ok(()) }
//! ```
//!
//! It is collected while requests come and takes a bounded amount of memory; what is over the bound is counted ([`Report::left_out`]). What a fault made of a request
//! is not held against the client.

mod check;
mod collect;
mod junit;
mod left;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use check::{BadPolicy, Check, Policy, Severity};
pub(crate) use collect::Collector;

/// What a client did to a world.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// The seed of the world.
    pub seed: u64,
    /// Since when this is collected, in the time of the world.
    pub since: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// Requests by kind.
    pub requests: Vec<Requests>,
    /// Sessions that are open.
    pub sessions: Vec<OpenSession>,
    /// Subscriptions that are there.
    pub subscriptions: Vec<OpenSubscription>,
    /// Streams of events that are open.
    pub streams: Vec<OpenStream>,
    /// Tasks that were started and never looked at again.
    pub tasks: Vec<UnfetchedTask>,
    /// What the client should not do, what it left behind among it; the worst first.
    pub findings: Vec<Finding>,
    /// How many findings of a check are left out, because there are too many.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub left_out: BTreeMap<Check, u64>,
    /// How often each fault has fired.
    pub faults: BTreeMap<String, u64>,
}

/// Requests of a kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requests {
    /// The method.
    pub method: String,
    /// The schema of what stands there, `ComputerSystem`, or the action that was called, `ComputerSystem.Reset`; empty where nothing stands.
    pub of: String,
    /// The class of the status: `2xx`; `none` where there was no answer.
    pub status: String,
    /// How many.
    pub count: u64,
}

/// A session that nobody ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenSession {
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub user: String,
    /// The face that it was opened at; `None` is that of the fleet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub face: Option<String>,
    /// Since when.
    pub since: Timestamp,
    /// The entry of the trace that opened it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<u64>,
}

/// A subscription that nobody removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenSubscription {
    /// Its id.
    pub id: String,
    /// Where events are sent.
    pub destination: String,
    /// Since when.
    pub since: Timestamp,
}

/// A stream of events that nobody closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenStream {
    /// The id of its subscription.
    pub id: String,
    /// Since when.
    pub since: Timestamp,
}

/// A task that nobody looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnfetchedTask {
    /// Its monitor.
    pub monitor: String,
    /// The face that it was started at; `None` is that of the fleet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub face: Option<String>,
    /// When it was started.
    pub since: Timestamp,
    /// The entry of the trace that started it.
    pub entry: u64,
}

/// Something that a client should not do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// What kind of thing.
    pub check: Check,
    /// How bad.
    pub severity: Severity,
    /// What exactly.
    pub about: String,
    /// How often.
    pub count: u64,
    /// When first.
    pub at: Timestamp,
    /// The entry of the trace that tells of the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<u64>,
}

impl Report {
    /// What a policy does not let pass, the worst first.
    #[must_use]
    pub fn violations(&self, policy: &Policy) -> Vec<&Finding> {
        let all = self.findings.iter();
        all.filter(|finding| policy.fails(finding.check)).collect()
    }

    /// Fails a test unless nothing of these kinds was found.
    ///
    /// # Panics
    /// With all that was found.
    #[track_caller]
    pub fn assert_clean(&self, checks: &[Check]) {
        let found = self.violations(&Policy::of(checks));
        if found.is_empty() {
            return;
        }
        let mut text = String::new();
        for finding in found {
            let _ = write!(text, "\n  {finding}");
        }
        panic!("the client did what it should not:{text}");
    }

    /// How many requests of a method there were of a schema or action, whatever became of them.
    #[must_use]
    pub fn count(&self, method: &str, of: &str) -> u64 {
        let all = self.requests.iter();
        let those = all.filter(|kind| kind.method == method && kind.of == of);
        those.map(|kind| kind.count).sum()
    }

    /// As JUnit's XML: a test case for each check, which fails where the policy does not let a finding pass.
    #[must_use]
    pub fn junit(&self, policy: &Policy) -> String {
        junit::document(self, policy)
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            check,
            about,
            count,
            at,
            entry,
            ..
        } = self;
        write!(f, "{check}: {about}")?;
        if *count > 1 {
            write!(f, ", {count} times")?;
        }
        write!(f, " (first at {at}")?;
        match entry {
            Some(entry) => write!(f, ", entry {entry})"),
            None => write!(f, ")"),
        }
    }
}

//! What a case is, and what can come of it.

use futures::future::BoxFuture;
use hawkfish_client::Client;
use serde::Serialize;
use serde_json::Value;

use crate::walk::Walk;

/// One thing to prove.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// `errors.not-found`.
    pub id: &'static str,
    /// The sentence that it proves.
    pub proves: &'static str,
    /// Where the specification says so: document and clause.
    pub section: &'static str,
    /// How strongly it says so.
    pub level: Level,
    /// It changes something, and puts it back.
    pub writes: bool,
    /// Tries it.
    pub run: for<'a> fn(&'a Context<'a>) -> BoxFuture<'a, Verdict>,
}

/// How strongly the specification demands it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// It shall be so; otherwise the run fails.
    Must,
    /// It should be so; otherwise the run warns.
    Should,
}

/// What a case has to work with.
#[derive(Debug)]
pub struct Context<'a> {
    /// Talks to the service.
    pub client: &'a Client,
    /// The service root.
    pub root: Value,
    /// All that was found.
    pub walk: Walk,
    /// User and password of the client.
    pub credentials: Option<&'a (String, String)>,
}

/// What came of a case.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// It held each time.
    Passed {
        /// How often it was tried.
        checked: usize,
    },
    /// It did not hold.
    Failed {
        /// How often it was tried.
        checked: usize,
        /// Where it did not hold.
        failures: Vec<Failure>,
    },
    /// It was not tried.
    Skipped {
        /// Why not.
        why: String,
    },
}

/// A place where a case did not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// Where.
    pub uri: String,
    /// What was found.
    pub found: String,
}

impl Verdict {
    pub(crate) fn skipped(why: impl Into<String>) -> Self {
        Self::Skipped { why: why.into() }
    }
}

/// Counts what was tried and notes what did not hold.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    checked: usize,
    failures: Vec<Failure>,
}

impl Tally {
    /// Counts one try; `found` says what is wrong, or is `Ok`.
    pub(crate) fn check(&mut self, uri: &str, found: Result<(), String>) {
        self.checked += 1;
        if let Err(found) = found {
            self.failures.push(Failure {
                uri: uri.to_owned(),
                found,
            });
        }
    }

    /// Counts one try.
    pub(crate) fn expect(&mut self, uri: &str, good: bool, found: impl FnOnce() -> String) {
        self.check(uri, if good { Ok(()) } else { Err(found()) });
    }

    /// The verdict; with nothing tried it is skipped, and `nothing` says why.
    pub(crate) fn verdict(self, nothing: &str) -> Verdict {
        match (self.checked, self.failures.is_empty()) {
            (0, _) => Verdict::skipped(nothing),
            (checked, true) => Verdict::Passed { checked },
            (checked, false) => Verdict::Failed {
                checked,
                failures: self.failures,
            },
        }
    }
}

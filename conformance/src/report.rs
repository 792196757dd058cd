//! What came of a run, for people and for programs.

use std::collections::BTreeMap;
use std::fmt;

use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::case::{Case, Failure, Level, Verdict};
use crate::junit;
use crate::model::{Judgement, judge};
use crate::walk::Walk;

/// Failures of one case that the readable report lists; JSON and JUnit have all.
const SHOWN: usize = 10;

/// What came of a run.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Scheme, host and port of the service.
    pub endpoint: String,
    /// What was found on the way.
    pub walked: Walked,
    /// Every case, in its order.
    pub cases: Vec<Judged>,
}

/// What the walk found, and how much of it could be judged.
#[derive(Debug, Default, Serialize)]
pub struct Walked {
    /// Resources that were read.
    pub resources: usize,
    /// Links that led to no resource.
    pub dead_links: usize,
    /// Links that were not followed because the limit was reached.
    pub not_followed: usize,
    /// Links out of the service.
    pub outside: Vec<String>,
    /// Resources held against the model, by entity.
    pub known: BTreeMap<String, usize>,
    /// Resources that our model has no type for, by `@odata.type`.
    pub unknown: BTreeMap<String, usize>,
    /// Resources without a type.
    pub untyped: usize,
    /// Values within known resources that our model cannot judge.
    pub unjudged_values: usize,
}

/// A case and what came of it.
#[derive(Debug)]
pub struct Judged {
    /// The case.
    pub case: Case,
    /// What came of it.
    pub verdict: Verdict,
}

impl Serialize for Judged {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (outcome, checked, failures, why) = match &self.verdict {
            Verdict::Passed { checked } => ("passed", *checked, &[][..], None),
            Verdict::Failed { checked, failures } => {
                ("failed", *checked, failures.as_slice(), None)
            }
            Verdict::Skipped { why } => ("skipped", 0, &[][..], Some(why)),
        };
        let mut out = serializer.serialize_struct("Judged", 8)?;
        out.serialize_field("id", self.case.id)?;
        out.serialize_field("proves", self.case.proves)?;
        out.serialize_field("section", self.case.section)?;
        out.serialize_field("level", &self.case.level)?;
        out.serialize_field("outcome", outcome)?;
        out.serialize_field("checked", &checked)?;
        out.serialize_field("failures", failures)?;
        out.serialize_field("why", &why)?;
        out.end()
    }
}

/// How many cases ended how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Held.
    pub passed: usize,
    /// Did not hold, and shall.
    pub failed: usize,
    /// Did not hold, and should.
    pub warned: usize,
    /// Were not tried.
    pub skipped: usize,
}

impl Report {
    pub(crate) fn new(endpoint: String, walk: &Walk, cases: Vec<Judged>) -> Self {
        let mut walked = Walked {
            not_followed: walk.left,
            outside: walk.outside.iter().cloned().collect(),
            ..Walked::default()
        };
        for visited in &walk.visited {
            let Some((_, body)) = visited.resource() else {
                walked.dead_links += 1;
                continue;
            };
            walked.resources += 1;
            match judge(body) {
                Judgement::Known {
                    entity, unjudged, ..
                } => {
                    *walked.known.entry(entity).or_default() += 1;
                    walked.unjudged_values += unjudged.len();
                }
                Judgement::Unknown { odata_type } => {
                    *walked.unknown.entry(odata_type).or_default() += 1;
                }
                Judgement::Untyped => walked.untyped += 1,
            }
        }
        Self {
            endpoint,
            walked,
            cases,
        }
    }

    /// How many cases ended how.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for judged in &self.cases {
            let count = match (&judged.verdict, judged.case.level) {
                (Verdict::Passed { .. }, _) => &mut counts.passed,
                (Verdict::Failed { .. }, Level::Must) => &mut counts.failed,
                (Verdict::Failed { .. }, Level::Should) => &mut counts.warned,
                (Verdict::Skipped { .. }, _) => &mut counts.skipped,
            };
            *count += 1;
        }
        counts
    }

    /// As JSON.
    pub fn json(&self) -> Value {
        let counts = self.counts();
        let mut value = serde_json::to_value(self).unwrap_or_default();
        value["counts"] = serde_json::json!({
            "passed": counts.passed, "failed": counts.failed, "warned": counts.warned, "skipped": counts.skipped,
        });
        value
    }

    /// As JUnit's XML, which most CI systems read.
    pub fn junit(&self) -> String {
        junit::document(self)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let walked = &self.walked;
        writeln!(f, "{}", self.endpoint)?;
        writeln!(f, "\nFound")?;
        line(f, walked.resources, "resources")?;
        let known: usize = walked.known.values().sum();
        line(
            f,
            known,
            &format!("of {} types that we know", walked.known.len()),
        )?;
        let unknown: usize = walked.unknown.values().sum();
        if unknown > 0 {
            line(
                f,
                unknown,
                "of types that we do not know, not held against any model:",
            )?;
            for (name, count) in &walked.unknown {
                writeln!(f, "         {count:>5}  {}", plain(name))?;
            }
        }
        for (count, what) in [
            (walked.untyped, "without a type"),
            (walked.unjudged_values, "values that our model cannot judge"),
            (walked.dead_links, "links that lead to no resource"),
            (
                walked.outside.len(),
                "links out of the service, not followed",
            ),
            (
                walked.not_followed,
                "links NOT FOLLOWED: the limit was reached",
            ),
        ] {
            if count > 0 {
                line(f, count, what)?;
            }
        }
        writeln!(f, "\nCases")?;
        for judged in &self.cases {
            show(f, judged)?;
        }
        let counts = self.counts();
        writeln!(
            f,
            "\n{} passed, {} failed, {} warned, {} skipped",
            counts.passed, counts.failed, counts.warned, counts.skipped
        )
    }
}

fn line(f: &mut fmt::Formatter<'_>, count: usize, what: &str) -> fmt::Result {
    writeln!(f, "  {count:>6}  {what}")
}

fn show(f: &mut fmt::Formatter<'_>, judged: &Judged) -> fmt::Result {
    let case = &judged.case;
    let failed: &[Failure] = match &judged.verdict {
        Verdict::Passed { checked } => {
            return writeln!(f, "  pass  {}: {} ({checked} ×)", case.id, case.proves);
        }
        Verdict::Skipped { why } => {
            return writeln!(f, "  skip  {}: {} ({})", case.id, case.proves, plain(why));
        }
        Verdict::Failed { checked, failures } => {
            let word = match case.level {
                Level::Must => "FAIL",
                Level::Should => "WARN",
            };
            let (id, proves, count) = (case.id, case.proves, failures.len());
            writeln!(
                f,
                "  {word}  {id}: {proves} (not {count} of {checked} ×; {})",
                case.section
            )?;
            failures
        }
    };
    for failure in failed.iter().take(SHOWN) {
        writeln!(
            f,
            "          {}: {}",
            plain(&failure.uri),
            plain(&failure.found)
        )?;
    }
    if let Some(more) = failed.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        writeln!(f, "          and {more} more")?;
    }
    Ok(())
}

/// Text of a service, safe for a terminal.
fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

//! A report as JUnit's XML.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report as Document, TestCase, TestCaseStatus, TestSuite};

use super::{Check, Policy, Report};

pub(super) fn document(report: &Report, policy: &Policy) -> String {
    let long = report.until.duration_since(report.since);
    let mut suite = TestSuite::new("hawkfish-sim");
    suite.set_time(Duration::try_from(long).unwrap_or_default());
    suite.add_property(("seed", report.seed.to_string().as_str()));
    suite.add_test_cases(Check::ALL.iter().map(|check| case(report, policy, *check)));
    let mut document = Document::new("hawkfish-sim");
    document.add_test_suite(suite);
    document.to_string().expect("a document of names and texts")
}

fn case(report: &Report, policy: &Policy, check: Check) -> TestCase {
    let found = report.findings.iter().filter(|found| found.check == check);
    // A client's own words may hold the two characters that XML has not and the library lets through.
    let text = |found: String| found.replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}");
    let mut lines: Vec<String> = found.map(|found| text(found.to_string())).collect();
    if let Some(more) = report.left_out.get(&check) {
        lines.push(format!("and {more} more"));
    }
    let is_failure = policy.fails(check) && !lines.is_empty();
    let status = if is_failure {
        let mut failed = TestCaseStatus::non_success(NonSuccessKind::Failure);
        failed.set_message(&lines[0]);
        failed.set_description(lines.join("\n"));
        failed
    } else {
        TestCaseStatus::success()
    };
    let mut case = TestCase::new(check.about(), status);
    case.set_classname(format!("client.{check}"));
    if !is_failure && !lines.is_empty() {
        // JUnit has no warnings.
        case.set_system_out(lines.join("\n"));
    }
    case
}

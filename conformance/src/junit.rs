//! The report as JUnit's XML.

use quick_junit::{NonSuccessKind, Report as Document, TestCase, TestCaseStatus, TestSuite};

use crate::case::{Level, Verdict};
use crate::report::{Judged, Report};

pub(crate) fn document(report: &Report) -> String {
    let mut suite = TestSuite::new(text(&report.endpoint));
    suite.add_test_cases(report.cases.iter().map(case));
    let mut document = Document::new("conformance");
    document.add_test_suite(suite);
    document.to_string().expect("a document of names and texts")
}

fn case(judged: &Judged) -> TestCase {
    let case = &judged.case;
    let mut warned = None;
    let status = match &judged.verdict {
        Verdict::Passed { .. } => TestCaseStatus::success(),
        Verdict::Skipped { why } => {
            let mut skipped = TestCaseStatus::skipped();
            skipped.set_message(text(why));
            skipped
        }
        Verdict::Failed { failures, checked } => {
            let all: Vec<String> = failures
                .iter()
                .map(|failure| format!("{}: {}", failure.uri, failure.found))
                .collect();
            let all = text(&all.join("\n"));
            match case.level {
                Level::Must => {
                    let mut failed = TestCaseStatus::non_success(NonSuccessKind::Failure);
                    let (times, section) = (failures.len(), case.section);
                    failed.set_message(format!("not {times} of {checked} times; {section}"));
                    failed.set_description(all);
                    failed
                }
                // JUnit has no warnings.
                Level::Should => {
                    warned = Some(all);
                    TestCaseStatus::success()
                }
            }
        }
    };
    let mut told = TestCase::new(format!("{}: {}", case.id, case.proves), status);
    told.set_classname(case.id.split('.').next().unwrap_or_default());
    if let Some(warned) = warned {
        told.set_system_err(warned);
    }
    told
}

/// What an endpoint says, without the two characters that XML has not and the library lets through.
fn text(raw: &str) -> String {
    raw.replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_an_endpoint_says_is_xml() {
        let all: String = (0..=0x1_0000).filter_map(char::from_u32).collect();
        let mut case = TestCase::new(text(&all), TestCaseStatus::success());
        case.set_system_err(text(&all));
        let mut suite = TestSuite::new(text(&all));
        suite.add_test_case(case);
        let mut document = Document::new("x");
        document.add_test_suite(suite);
        let text = document.to_string().unwrap();
        roxmltree::Document::parse(&text).unwrap();
    }
}

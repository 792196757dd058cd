//! The report as JUnit's XML.

use crate::case::{Level, Verdict};
use crate::report::{Judged, Report};

pub(crate) fn document(report: &Report) -> String {
    let counts = report.counts();
    let cases: String = report.cases.iter().map(case).collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n<testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" skipped=\"{}\">\n{cases}</testsuite>\n</testsuites>\n",
        text(&report.endpoint),
        report.cases.len(),
        counts.failed,
        counts.skipped,
    )
}

fn case(judged: &Judged) -> String {
    let case = &judged.case;
    let below = match &judged.verdict {
        Verdict::Passed { .. } => String::new(),
        Verdict::Skipped { why } => format!("<skipped message=\"{}\"/>", text(why)),
        Verdict::Failed { failures, checked } => {
            let all: Vec<String> = failures
                .iter()
                .map(|failure| format!("{}: {}", failure.uri, failure.found))
                .collect();
            let all = text(&all.join("\n"));
            match case.level {
                Level::Must => format!(
                    "<failure message=\"not {} of {checked} times; {}\">{all}</failure>",
                    failures.len(),
                    text(case.section)
                ),
                // JUnit has no warnings.
                Level::Should => format!("<system-err>{all}</system-err>"),
            }
        }
    };
    let group = case.id.split('.').next().unwrap_or_default();
    format!(
        "<testcase classname=\"{}\" name=\"{}: {}\">{below}</testcase>\n",
        text(group),
        text(case.id),
        text(case.proves)
    )
}

/// Text within XML. What XML 1.0 cannot say at all is replaced.
fn text(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    for c in raw.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push_str(&format!("&#{};", u32::from(c))),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

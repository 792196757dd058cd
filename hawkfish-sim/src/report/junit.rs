//! A report as JUnit's XML.

use super::{Check, Policy, Report};

pub(super) fn document(report: &Report, policy: &Policy) -> String {
    let failures = Check::ALL.iter().filter(|check| {
        let mut found = report.findings.iter();
        policy.fails(**check) && found.any(|finding| finding.check == **check)
    });
    let failures = failures.count();
    let cases: String = Check::ALL
        .iter()
        .map(|check| case(report, policy, *check))
        .collect();
    let tests = Check::ALL.len();
    let long = report.until.duration_since(report.since).as_secs_f64();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n<testsuite name=\"hawkfish-sim\" tests=\"{tests}\" failures=\"{failures}\" errors=\"0\" skipped=\"0\" time=\"{long:.3}\">\n\
         <properties><property name=\"seed\" value=\"{}\"/></properties>\n{cases}</testsuite>\n</testsuites>\n",
        report.seed
    )
}

fn case(report: &Report, policy: &Policy, check: Check) -> String {
    let found = report.findings.iter().filter(|found| found.check == check);
    let mut lines: Vec<String> = found.map(ToString::to_string).collect();
    if let Some(more) = report.left_out.get(&check) {
        lines.push(format!("and {more} more"));
    }
    let below = if lines.is_empty() {
        String::new()
    } else {
        let all = text(&lines.join("\n"));
        match policy.fails(check) {
            true => format!("<failure message=\"{}\">{all}</failure>", text(&lines[0])),
            // JUnit has no warnings.
            false => format!("<system-out>{all}</system-out>"),
        }
    };
    let about = text(check.about());
    format!("<testcase classname=\"client.{check}\" name=\"{about}\">{below}</testcase>\n")
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

//! DMTF's use-case checkers: what administrators do, done as a client would.

use super::{run, table};
use crate::process::server::Server;
use hawkfish_testing::part;

#[test]
fn the_use_case_checkers_find_no_fault() {
    let Some(python) = part::python() else { return };
    let server = Server::simulated(1, &[]);
    let reports = server.folder().join("use-cases");
    let mut command = run(&python, "rf_use_case_checkers", &server);
    let done = command.arg("--report-dir").arg(&reports).output();
    let done = done.expect("the checkers start");
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    let [passed, warned, failed, untested] = table(&said);
    eprintln!(
        "use-case checkers: {passed} passed, {warned} warned, {failed} failed, {untested} were not tested"
    );
    assert!(
        done.status.success() && failed == 0 && warned == 0,
        "{}",
        faults(&reports)
    );
    assert!(passed >= 60, "only {passed} passed");
}

/// What the report says of failures: its log does not mention them.
fn faults(reports: &std::path::Path) -> String {
    let runs = std::fs::read_dir(reports).expect("the checkers report");
    let files = runs.flat_map(|run| std::fs::read_dir(run.unwrap().path()).unwrap());
    let pages = files.map(|file| file.unwrap().path());
    let mut pages = pages.filter(|file| file.extension().is_some_and(|end| end == "html"));
    let page = std::fs::read_to_string(pages.next().expect("a page")).unwrap();
    let rows = page.split("<tr").filter(|row| row.contains(">FAIL"));
    rows.map(|row| {
        let words = row.split('<').filter_map(|part| part.split_once('>'));
        words.map(|(_, text)| text).collect::<Vec<_>>().join(" ")
    })
    .collect::<Vec<_>>()
    .join("\n")
}

//! DMTF's protocol validator: what the specification of the protocol demands, one assertion at a time.
//!
//! The release that is used has its checks of server-sent events turned off; `tests/python/validate_protocol.py` turns them on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use super::speaking;
use crate::process::server::Server;
use hawkfish_testing::part;

/// Assertions that cannot be looked at, and why.
const OUT_OF_REACH: [(&str, &str); 3] = [
    (
        "SERV_SSE_JSON_METRIC_REPORT_FORMAT",
        "it opens its stream without a filter, and reports come only to who asks for them",
    ),
    (
        "RESP_STATUS_INTERNAL_SERVER_ERROR",
        "it wants a defect of ours",
    ),
    (
        "REQ_DATA_MOD_ERRORS",
        "it looks at the last answer to a POST at each URI, and those are good ones",
    ),
];

/// One assertion, held against one answer.
struct Line {
    assertion: String,
    result: String,
    told: String,
}

/// Runs the validator on a server.
fn validate(python: &Path, server: &Server) -> Vec<Line> {
    let reports = server.folder().join("protocol");
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/validate_protocol.py");
    let mut command = server.beside(python);
    command.arg(program);
    let mut command = speaking(command, server);
    command
        .args(["--config", "/nonexistent", "--report-type", "tsv"])
        .arg("--report-dir")
        .arg(&reports);
    if let Some(certificate) = server.certificate() {
        command.arg("--ca-bundle").arg(certificate);
    }
    let done = command.output().expect("the validator starts");
    let files = std::fs::read_dir(&reports).expect("the validator reports");
    let mut files = files.map(|file| file.unwrap().path());
    let report = files
        .find(|file| file.extension().is_some_and(|end| end == "tsv"))
        .unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&done.stderr)));
    read(&std::fs::read_to_string(report).unwrap())
}

/// A report: a line of names, then a line for each answer that was looked at.
fn read(report: &str) -> Vec<Line> {
    let mut lines = report.lines();
    let head: Vec<&str> = lines.next().expect("a head").split('\t').collect();
    let column = |name: &str| {
        let found = head.iter().position(|known| *known == name);
        found.unwrap_or_else(|| panic!("no {name} in {head:?}"))
    };
    let (assertion, method, status) =
        (column("Assertion"), column("Method"), column("Status code"));
    let (uri, result, message) = (column("URI"), column("Result"), column("Message"));
    lines
        .map(|line| {
            let cells: Vec<&str> = line.split('\t').collect();
            Line {
                assertion: cells[assertion].to_owned(),
                result: cells[result].to_owned(),
                told: format!(
                    "{}: {} {} {}: {}",
                    cells[assertion], cells[method], cells[uri], cells[status], cells[message]
                ),
            }
        })
        .collect()
}

/// Fails where the validator found a fault, or did not look at something that it could.
#[track_caller]
fn are_good(lines: &[Line]) {
    let of = |result: &'static str| lines.iter().filter(move |line| line.result == result);
    let mut counts = BTreeMap::<&str, usize>::new();
    for line in lines {
        *counts.entry(&line.result).or_default() += 1;
    }
    let passed: BTreeSet<&str> = of("PASS").map(|line| line.assertion.as_str()).collect();
    let unlooked: BTreeSet<&str> = of("NOT_TESTED")
        .map(|line| line.assertion.as_str())
        .filter(|assertion| !passed.contains(assertion))
        .collect();
    eprintln!(
        "protocol validator: {counts:?}; {} assertions passed, {} were not looked at",
        passed.len(),
        unlooked.len()
    );
    let failed: Vec<&str> = of("FAIL").map(|line| line.told.as_str()).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    let unlooked: Vec<&str> = unlooked
        .into_iter()
        .filter(|assertion| {
            let mut known = OUT_OF_REACH.iter();
            !known.any(|(out, _)| assertion.starts_with(out))
        })
        .collect();
    assert!(unlooked.is_empty(), "could be looked at: {unlooked:#?}");
}

#[test]
fn the_protocol_validator_finds_no_fault() {
    let Some(python) = part::python() else { return };
    // It searches the network, where it shall find nobody else.
    let network = Command::new("unshare")
        .args(["--user", "--map-root-user", "--net", "true"])
        .status();
    if !network.is_ok_and(|done| done.success()) {
        part::skip("a network of its own (unshare)");
        return;
    }
    let server = Server::alone(2, &["--ssdp", "yes"]);
    are_good(&validate(&python, &server));
}

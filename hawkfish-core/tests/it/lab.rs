//! What tests with real guests get from outside, by `scripts/lab`. What is missing is said aloud; `HAWKFISH_TEST_REQUIRE=1` makes it a failure.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Says that a test is skipped for want of something.
pub(crate) fn skip(missing: &str) {
    assert!(
        std::env::var_os("HAWKFISH_TEST_REQUIRE").is_none_or(|value| value != "1"),
        "{missing} is missing"
    );
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    eprintln!("SKIPPED {test}: {missing} is missing");
    if let Some(file) = std::env::var_os("HAWKFISH_TEST_SKIPS") {
        let skips = std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(file);
        let _ = skips.and_then(|mut skips| writeln!(skips, "{test}: {missing}"));
    }
}

/// A variable of the environment, or the test is skipped.
pub(crate) fn variable(name: &str) -> Option<String> {
    let value = std::env::var(name).ok().filter(|value| !value.is_empty());
    if value.is_none() {
        skip(name);
    }
    value
}

/// Runs `scripts/lab` and returns what it prints.
pub(crate) fn lab(arguments: &[&str]) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/lab");
    let done = Command::new(script)
        .args(arguments)
        .output()
        .expect("scripts/lab runs");
    assert!(
        done.status.success(),
        "scripts/lab {arguments:?}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
    String::from_utf8(done.stdout).expect("text")
}

/// An image made by `scripts/lab` in a folder.
pub(crate) fn image(folder: &Path, name: &str, arguments: &[&str]) -> PathBuf {
    let path = folder.join(name);
    let (kind, label) = (arguments[0], arguments[1]);
    let mut all = vec![kind, label, path.to_str().expect("text")];
    all.extend(&arguments[2..]);
    lab(&all);
    path
}

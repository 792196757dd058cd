//! Parts from outside that a test needs.

use std::io::Write as _;
use std::path::PathBuf;

/// A variable of the environment that names a part. Without it the caller must return: the test is skipped, aloud.
pub(crate) fn variable(name: &str) -> Option<String> {
    let value = std::env::var(name).ok().filter(|value| !value.is_empty());
    if value.is_none() {
        skip(name);
    }
    value
}

/// The Python with other people's programs in it.
pub(crate) fn python() -> Option<PathBuf> {
    variable("HAWKFISH_TEST_PYTHON").map(PathBuf::from)
}

/// The folder with captures of real BMCs, `hpe.tar.xz` and `dell.tar.xz`. They are not ours to carry along, so that it is said aloud but never a fault
/// where they are missing.
pub(crate) fn captures() -> Option<PathBuf> {
    let dir = std::env::var_os("HAWKFISH_CAPTURES_DIR").filter(|dir| !dir.is_empty());
    if dir.is_none() {
        say_skipped("HAWKFISH_CAPTURES_DIR");
    }
    dir.map(PathBuf::from)
}

/// Says aloud that a test is skipped, or fails where nothing may be missing.
pub(crate) fn skip(missing: &str) {
    assert!(
        std::env::var_os("HAWKFISH_TEST_REQUIRE").is_none_or(|value| value != "1"),
        "{missing} is missing"
    );
    say_skipped(missing);
}

fn say_skipped(missing: &str) {
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
